package postgres

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// copyBytes is how much text is handed over at once.
	copyBytes = 512 << 10
	// copyPieces is how many pieces may wait for the server; with the one that is being
	// made and the one that is being sent, that is the memory of a COPY. A piece is longer
	// than copyBytes by one row at most.
	copyPieces = 1
	// abandonWait bounds how long a COPY that is given up may take to end; then its
	// connection is cut.
	abandonWait = 5 * time.Second
)

// copying is one COPY FROM under way. Its text comes in pieces:
//
//	beginCopy ──▶ give, give, … ──▶ end: the server has taken all
//	                   └──────────▶ abandon: it takes nothing
//
// One goroutine gives; the one of the COPY reads, and has ended when done is closed.
type copying struct {
	pieces chan []byte // closed by end
	free   chan []byte // read to the end; to be filled again
	rest   []byte      // of the piece that is being read
	whole  []byte      // that piece
	given  chan struct{}
	done   chan struct{}
	err    error // why the COPY ended; to be read after done
	cut    context.CancelFunc
}

func beginCopy(ctx context.Context, conn *pgconn.PgConn, sql string) *copying {
	c := &copying{
		pieces: make(chan []byte, copyPieces), free: make(chan []byte, copyPieces+2),
		given: make(chan struct{}), done: make(chan struct{}),
	}
	// Not the caller's end: the COPY outlives one call.
	ctx, c.cut = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(c.done)
		_, c.err = conn.CopyFrom(ctx, c, sql)
	}()
	return c
}

var errAbandoned = errors.New("the load was given up")

// Read hands the text on. It is a method of io.Reader, for the COPY alone.
func (c *copying) Read(b []byte) (int, error) {
	for len(c.rest) == 0 {
		if cap(c.whole) > 0 && cap(c.whole) <= 2*copyBytes {
			select {
			case c.free <- c.whole[:0]:
			default:
			}
		}
		c.whole = nil
		var more bool
		select {
		case c.whole, more = <-c.pieces:
			if !more {
				return 0, io.EOF
			}
			c.rest = c.whole
		case <-c.given:
			return 0, errAbandoned
		}
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// give hands a piece over, waits while copyPieces are before it, and returns an empty
// one. The error is the COPY's, or ctx's.
func (c *copying) give(ctx context.Context, piece []byte) ([]byte, error) {
	select {
	case c.pieces <- piece:
	case <-c.done:
		return nil, c.why()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case b := <-c.free:
		return b, nil
	default:
		return make([]byte, 0, copyBytes+copyBytes/8), nil
	}
}

// why is the error of a COPY that ended before its end was given.
func (c *copying) why() error {
	if c.err == nil {
		return io.ErrUnexpectedEOF
	}
	return c.err
}

// end waits until the server has taken everything.
func (c *copying) end(ctx context.Context) error {
	close(c.pieces)
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// abandon ends the COPY, whatever is under way. After end it only waits for what was
// running.
func (c *copying) abandon() {
	close(c.given)
	select {
	case <-c.done:
	case <-time.After(abandonWait):
		c.cut()
		<-c.done
	}
	c.cut()
}
