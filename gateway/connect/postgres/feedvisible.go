package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// visiblePoll is how often visible asks, at first; then twice as long each time.
const (
	visiblePoll     = time.Millisecond
	visiblePollMost = 100 * time.Millisecond
)

// visible waits until a transaction that the feed has told as committed is visible to
// others. The server writes a commit to its log, and sends it to us, a moment before it takes
// the transaction off the list of those that run; with synchronous standbys, much before. Who
// reads a row in that moment reads it as it was, and would keep that for good.
func (s *source) visible(ctx context.Context, xid uint32) error {
	return s.alone(ctx, func(conn *pgconn.PgConn) error {
		for wait := visiblePoll; ; wait = min(2*wait, visiblePollMost) {
			var snapshot string
			err := s.repeated(ctx, conn, "SELECT txid_current_snapshot()::text", nil, func(_ []pgconn.FieldDescription, v [][]byte) error {
				snapshot = string(v[0])
				return nil
			})
			if err != nil {
				return err
			}
			ended, err := hasEnded(snapshot, xid)
			if err != nil || ended {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(wait):
			}
		}
	})
}

// hasEnded reads a snapshot, "xmin:xmax:running,running", with numbers of 64 bits of which
// the feed tells the lower 32.
func hasEnded(snapshot string, xid uint32) (bool, error) {
	parts := strings.SplitN(snapshot, ":", 3)
	if len(parts) != 3 {
		return false, fmt.Errorf("postgres: a snapshot of %d parts", len(parts))
	}
	next, err := strconv.ParseUint(parts[1], 10, 64)
	if err != nil {
		return false, fmt.Errorf("postgres: snapshot: %w", err)
	}
	// The nearest number below or not far above the next one.
	if int32(xid-uint32(next)) >= 0 {
		return false, nil
	}
	for running := range strings.SplitSeq(parts[2], ",") {
		n, err := strconv.ParseUint(running, 10, 64)
		if running != "" && err != nil {
			return false, fmt.Errorf("postgres: snapshot: %w", err)
		}
		if running != "" && uint32(n) == xid {
			return false, nil
		}
	}
	return true, nil
}
