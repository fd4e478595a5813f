package deliver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"mulian/internal/fault"
)

// noteAhead is how many pages one note covers. A note costs a write that the disk has to
// confirm; after a crash up to so many pages count that had not left. Our own choice.
const noteAhead = 8

// noteBytes is the size of a note: pages, rows and bytes.
const noteBytes = 24

// amount is rows and sealed bytes.
type amount struct{ rows, bytes uint64 }

func (a amount) atLeast(b amount) amount { return amount{max(a.rows, b.rows), max(a.bytes, b.bytes)} }

// given is how much of a delivery may have left, whatever became of it afterwards. Pages
// that go out again count once; so do pages of a new snapshot after a crash, as far as the
// first one had come.
//
//	note (durable) ──▶ page leaves ──▶ … ──▶ COMPLETED: all of it counts
//	                                     └─▶ FAILED, with what is noted here
//
// Its file holds records of noteBytes, each with more than the one before; power that fails
// within one, or a disk that fills up, leaves the ones before: the next one is written where
// the part begins.
type given struct {
	path string

	mu     sync.Mutex // guards the fields below; held while the disk confirms a note
	file   *os.File
	size   int64  // of the whole records in it
	noted  uint64 // pages of the present snapshot that the file covers
	pages  uint64 // of the present snapshot that have left
	left   amount // with them
	before amount // what an earlier process noted
	closed bool
}

// openGiven reads what was noted before.
func openGiven(dir string) (*given, error) {
	g := &given{path: filepath.Join(dir, "given")}
	raw, err := os.ReadFile(g.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("note of what was given: %w", err)
	}
	for ; len(raw) >= noteBytes; raw = raw[noteBytes:] {
		g.before = g.before.atLeast(amount{binary.BigEndian.Uint64(raw[8:]), binary.BigEndian.Uint64(raw[16:])})
		g.size += noteBytes
	}
	if len(raw) > 0 {
		if err := os.Truncate(g.path, g.size); err != nil {
			return nil, fmt.Errorf("note of what was given: %w", err)
		}
	}
	return g, nil
}

// page notes that page n of the spool leaves now. Busy if the delivery has ended.
func (g *given) page(sp *spool, n uint64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return fault.Newf(fault.Busy, "the delivery has ended")
	case n < g.pages:
		return nil
	}
	if n >= g.noted {
		if err := g.note(sp, n+noteAhead); err != nil {
			return err
		}
	}
	g.pages, g.left = n+1, sp.upTo(n+1)
	return nil
}

func (g *given) note(sp *spool, pages uint64) (err error) {
	if g.file == nil {
		if g.file, err = os.OpenFile(g.path, os.O_WRONLY|os.O_CREATE, 0o600); err != nil {
			return fmt.Errorf("note of what is given: %w", err)
		}
	}
	pages = min(pages, sp.len()) // before their sum: others come meanwhile
	sum := sp.upTo(pages)
	raw := binary.BigEndian.AppendUint64(nil, pages)
	raw = binary.BigEndian.AppendUint64(raw, sum.rows)
	raw = binary.BigEndian.AppendUint64(raw, sum.bytes)
	if _, err = g.file.WriteAt(raw, g.size); err == nil {
		err = g.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("nothing is released: note of what is given: %w", err)
	}
	g.noted = pages
	g.size += noteBytes
	return nil
}

// end lets no page leave any more, and tells how much has.
func (g *given) end() amount {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	return g.left.atLeast(g.before)
}

// sum is how much has left so far.
func (g *given) sum() amount {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.left.atLeast(g.before)
}

func (g *given) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	if g.file != nil {
		g.file.Close()
		g.file = nil
	}
}
