package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// sight tells when a transaction can be seen. The log has it as soon as its commit is on
// the disk; other connections see it a moment later, with synchronous replication much later.
// Who reads the row in between reads the old one, and would never be told again.
//
//	commit record ──> log ──> feed ──(waits here)──> fn ──> Query sees the row, or a newer one
//	      └──> waits for standbys ──> visible ──┘
type sight struct {
	conn  *pgconn.PgConn
	known snapshot // as of the last look: what it sees stays visible
}

// snapshot is what can be seen: transactions before min, and those before max that are not
// running.
type snapshot struct {
	min, max uint64
	running  map[uint64]bool
}

// sightFirst and sightMost are how long sight waits between two looks.
const (
	sightFirst = time.Millisecond
	sightMost  = 50 * time.Millisecond
)

// await returns when the transaction is visible to a statement that begins afterwards.
func (s *sight) await(ctx context.Context, xid uint32) error {
	for wait := time.Duration(0); !s.known.sees(xid); {
		if wait > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(wait):
			}
		}
		if err := s.look(ctx); err != nil {
			return err
		}
		wait = min(max(2*wait, sightFirst), sightMost)
	}
	return nil
}

func (s *sight) look(ctx context.Context) error {
	return query(ctx, s.conn, "SELECT txid_current_snapshot()::text", nil, func(_ []pgconn.FieldDescription, v [][]byte) (err error) {
		s.known, err = readSnapshot(string(v[0]))
		return err
	})
}

// sees tells whether a transaction, of which the log gives the lower 32 bits, is visible.
// Those of the log are never far from those of the snapshot.
func (s *snapshot) sees(xid uint32) bool {
	full := s.max&^0xffff_ffff | uint64(xid)
	switch {
	case full > s.max+1<<31 && full >= 1<<32:
		full -= 1 << 32
	case full+1<<31 < s.max:
		full += 1 << 32
	}
	return full < s.min || full < s.max && !s.running[full]
}

// readSnapshot reads "min:max:running,running".
func readSnapshot(text string) (s snapshot, err error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return s, fmt.Errorf("postgres: a snapshot of %d parts", len(parts))
	}
	if s.min, err = strconv.ParseUint(parts[0], 10, 64); err != nil {
		return s, fmt.Errorf("postgres: snapshot: %w", err)
	}
	if s.max, err = strconv.ParseUint(parts[1], 10, 64); err != nil {
		return s, fmt.Errorf("postgres: snapshot: %w", err)
	}
	s.running = map[uint64]bool{}
	for _, one := range strings.Split(parts[2], ",") {
		if one == "" {
			continue
		}
		n, err := strconv.ParseUint(one, 10, 64)
		if err != nil {
			return s, fmt.Errorf("postgres: snapshot: %w", err)
		}
		s.running[n] = true
	}
	return s, nil
}
