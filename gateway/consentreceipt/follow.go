package consentreceipt

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
)

// random is crypto/rand as a reader.
type random struct{}

func (random) Read(p []byte) (int, error) { return rand.Read(p) }

// retry is how long a receipt that could not be made waits. Our own choice.
const retry = time.Second

// Watch calls its function with events from a number on and with the number behind them, as
// client.Client.Watch does; -1 is now.
type Watch func(ctx context.Context, from int64, fn func(events []*tracev1.Event, next int64) error) error

// Run gives receipts for what happens, until ctx ends. At the first start it begins now: what
// was before has no receipt of this gateway. told is called with trouble, which is tried again.
func (d *Desk) Run(ctx context.Context, watch Watch, told func(error)) error {
	from, err := d.position()
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		err := watch(ctx, from, func(events []*tracev1.Event, next int64) error {
			for _, e := range events {
				_, err := d.Give(ctx, e, from)
				switch {
				case err == nil || fault.Is(err, fault.IssuerNotAuthorised):
				case passes(err):
					return err // the same event again, later
				default:
					told(err)
				}
			}
			if next != from {
				// If the power fails before this the same events come again: their numbers are kept.
				if err := d.stand(next); err != nil {
					return err
				}
			}
			from = next
			return nil
		})
		if ctx.Err() != nil {
			return nil
		}
		told(err)
		select {
		case <-ctx.Done():
		case <-time.After(retry):
		}
	}
	return nil
}

// passes says whether the same may work later: it is about this machine or the way to the
// ledger, not about the event.
func passes(err error) bool {
	c := fault.CodeOf(err)
	return c >= fault.Internal || c == fault.StaleHeight || c == fault.Busy || c == fault.OK
}

func (d *Desk) position() (int64, error) {
	raw, err := os.ReadFile(filepath.Join(d.Dir, "next"))
	if errors.Is(err, fs.ErrNotExist) {
		return -1, nil
	}
	if err != nil {
		return 0, fault.Wrap(fault.Inaccessible, err, "receipts")
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
	if err != nil {
		return 0, fault.Wrap(fault.Damaged, err, "receipts: where the ledger was read up to")
	}
	return n, nil
}

func (d *Desk) stand(next int64) error {
	if err := durable.MkdirPrivate(d.Dir); err != nil {
		return fault.Wrap(fault.Inaccessible, err, "receipts")
	}
	return durable.ReplaceFile(filepath.Join(d.Dir, "next"), []byte(strconv.FormatInt(next, 10)+"\n"), 0o600)
}
