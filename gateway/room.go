package gateway

import (
	"bytes"
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"time"

	"mulian/internal/fault"
)

const (
	// lookForRoom is how often a gateway that has stopped on a full disk looks whether there
	// is room again, roomEnough how much it wants: minutes of a busy log.
	lookForRoom = 2 * time.Second
	roomEnough  = 4 << 20
)

// full tells which of the gateway's files takes no more because the disk was full; nil if
// none. What has failed to write once stays so (package receipt): it is opened anew.
func (g *Gateway) full() error {
	for _, err := range []error{g.records.Err(), g.asker.Receipts().Err(), g.provider.Countersigned().Err()} {
		if fault.Is(err, fault.DiskFull) {
			return err
		}
	}
	return nil
}

// room tells whether the gateway's disk takes something again.
func (g *Gateway) room() bool {
	path := filepath.Join(g.cfg.Home, "room")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return false
	}
	_, err = f.Write(bytes.Repeat([]byte{1}, roomEnough))
	err = cmp.Or(err, f.Sync())
	return errors.Join(err, f.Close(), os.Remove(path)) == nil
}
