package ledger

import (
	"errors"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// discard is a log that nobody reads.
var discard = slog.New(slog.DiscardHandler)

// OnDisk returns cfg with its store on that disk.
func OnDisk(cfg Config, disk vfs.FS) Config {
	cfg.disk = disk
	return cfg
}

// DropState removes our state from a store and leaves the engine's blocks: what a
// node finds that has lost all that was not fsynced.
func DropState(dir string) error {
	kv, err := pebble.Open(dir, &pebble.Options{Logger: storeLog{quiet{log: discard}}})
	if err != nil {
		return err
	}
	end := []byte(statePrefix)
	end[len(end)-1]++
	if err := kv.DeleteRange([]byte(statePrefix), end, pebble.Sync); err != nil {
		return err
	}
	return kv.Close()
}

// DamageState changes the head of our state.
func DamageState(dir string) error {
	kv, err := pebble.Open(dir, &pebble.Options{Logger: storeLog{quiet{log: discard}}})
	if err != nil {
		return err
	}
	head := []byte(statePrefix + "m")
	v, closer, err := kv.Get(head)
	if err != nil {
		return err
	}
	torn := append([]byte(nil), v...)
	torn[20] ^= 1 // in the root of the tree
	if err := errors.Join(closer.Close(), kv.Set(head, torn, pebble.Sync)); err != nil {
		return err
	}
	return kv.Close()
}
