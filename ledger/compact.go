package ledger

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"

	"mulian/internal/durable"
	"mulian/state"
)

// Compact brings the store of a node that does not run to the form that it comes to by
// itself in time: what was written over is gone, and the log of the store is empty. It
// changes nothing that can be read. Locked if the node runs.
func Compact(ctx context.Context, home string) error {
	lock, err := durable.LockDir(home, "mulian node")
	if err != nil {
		return storeFault(err, "open the node's directory %s", home)
	}
	opts := state.StoreOptions(16 << 20)
	opts.Logger = storeLog{quiet{log: slog.New(slog.DiscardHandler), failure: newFailure(slog.New(slog.DiscardHandler))}}
	kv, err := pebble.Open(filepath.Join(home, storeDir), opts)
	if err != nil {
		return storeFault(errors.Join(err, lock.Unlock()), "open the store in %s", home)
	}
	err = kv.Compact(ctx, []byte{0}, []byte{0xff}, false)
	return storeFault(errors.Join(err, kv.Close(), lock.Unlock()), "compact the store in %s", home)
}
