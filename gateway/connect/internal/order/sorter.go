package order

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"mulian/gateway/connect"
)

const (
	// bufferBytes is how much a Sorter holds in memory before it writes a run. Our own
	// choice: a 10 GB file makes 1,280 runs, which are merged in two passes.
	bufferBytes = 8 << 20
	// fanIn is how many runs are merged at once, each with a buffer of mergeBytes.
	fanIn      = 64
	mergeBytes = 32 << 10
)

// A Sorter takes rows with a key and gives them back in the order of their keys; equal
// keys in the order in which they were added. It belongs to one goroutine.
type Sorter struct {
	dir    string // of the temporary files
	arena  []byte
	items  []item
	levels [][]*os.File // runs; of a higher level are older ones, in their order
	rows   int64
}

// item is where a key and its row lie in the arena.
type item struct{ at, key, row int }

// NewSorter makes a Sorter whose temporary files lie in dir; "" is the system's
// folder for them.
func NewSorter(dir string) *Sorter { return &Sorter{dir: dir} }

// Rows is how many were added.
func (s *Sorter) Rows() int64 { return s.rows }

// Add takes a row. ErrFull: there is no room for a temporary file.
func (s *Sorter) Add(key []byte, row connect.Row) error {
	at := len(s.arena)
	s.arena = append(s.arena, key...)
	s.arena = appendRow(s.arena, row)
	s.items = append(s.items, item{at, len(key), len(s.arena) - at - len(key)})
	s.rows++
	if len(s.arena) >= bufferBytes {
		return s.spill()
	}
	return nil
}

func (s *Sorter) sort() {
	slices.SortFunc(s.items, func(a, b item) int {
		if c := bytes.Compare(s.arena[a.at:a.at+a.key], s.arena[b.at:b.at+b.key]); c != 0 {
			return c
		}
		return a.at - b.at
	})
}

// spill writes what is in memory as a run.
func (s *Sorter) spill() error {
	s.sort()
	f, err := s.write(func(w *bufio.Writer) error {
		for _, it := range s.items {
			if err := writeEntry(w, s.arena[it.at:it.at+it.key], s.arena[it.at+it.key:it.at+it.key+it.row]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.arena, s.items = s.arena[:0], s.items[:0]
	if cap(s.arena) > 2*bufferBytes { // one very long row
		s.arena = nil
	}
	return s.put(0, f)
}

// put adds a run to a level, and merges a level that is full into one run of the next.
func (s *Sorter) put(level int, f *os.File) error {
	if level == len(s.levels) {
		s.levels = append(s.levels, nil)
	}
	s.levels[level] = append(s.levels[level], f)
	if len(s.levels[level]) < fanIn {
		return nil
	}
	merged, err := s.write(func(w *bufio.Writer) error {
		return merge(s.levels[level], func(key, row []byte) error { return writeEntry(w, key, row) })
	})
	if err != nil {
		return err
	}
	for _, f := range s.levels[level] {
		f.Close()
	}
	s.levels[level] = nil
	return s.put(level+1, merged)
}

// write makes a temporary file without a name.
func (s *Sorter) write(content func(w *bufio.Writer) error) (*os.File, error) {
	f, err := os.CreateTemp(s.dir, "mulian-sort-*")
	if err != nil {
		return nil, fmt.Errorf("temporary file: %w", err)
	}
	// From here on only this process has it; CreateTemp made it 0600.
	err = os.Remove(f.Name())
	w := bufio.NewWriterSize(f, 256<<10)
	if err == nil {
		err = content(w)
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("temporary file: %w", err)
	}
	return f, nil
}

// Each calls fn for each row in order. The key is overwritten after fn; the row is fn's.
func (s *Sorter) Each(fn func(key []byte, row connect.Row) error) error {
	var runs []*os.File
	for i := len(s.levels) - 1; i >= 0; i-- {
		runs = append(runs, s.levels[i]...)
	}
	if len(runs) == 0 {
		s.sort()
		for _, it := range s.items {
			row, err := decodeRow(s.arena[it.at+it.key : it.at+it.key+it.row])
			if err != nil {
				return err
			}
			if err := fn(s.arena[it.at:it.at+it.key], row); err != nil {
				return err
			}
		}
		return nil
	}
	if len(s.items) > 0 {
		if err := s.spill(); err != nil {
			return err
		}
		return s.Each(fn)
	}
	s.arena, s.items = nil, nil
	return merge(runs, func(key, row []byte) error {
		r, err := decodeRow(row)
		if err != nil {
			return err
		}
		return fn(key, r)
	})
}

// Close gives the temporary files back.
func (s *Sorter) Close() {
	for _, level := range s.levels {
		for _, f := range level {
			f.Close()
		}
	}
	s.levels, s.arena, s.items = nil, nil, nil
}

func writeEntry(w *bufio.Writer, key, row []byte) error {
	var head [2 * binary.MaxVarintLen64]byte
	h := binary.AppendUvarint(head[:0], uint64(len(key)))
	h = binary.AppendUvarint(h, uint64(len(row)))
	for _, b := range [][]byte{h, key, row} {
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// runReader is one run under way.
type runReader struct {
	r        *bufio.Reader
	n        int // which run: older ones first
	key, row []byte
}

func (r *runReader) next() error {
	k, err := binary.ReadUvarint(r.r)
	if err != nil {
		return err
	}
	n, err := binary.ReadUvarint(r.r)
	if err != nil {
		return errors.Join(io.ErrUnexpectedEOF, err)
	}
	r.key = slices.Grow(r.key[:0], int(k))[:k] //nolint:gosec // our own file
	r.row = slices.Grow(r.row[:0], int(n))[:n] //nolint:gosec // our own file
	if _, err := io.ReadFull(r.r, r.key); err != nil {
		return errors.Join(io.ErrUnexpectedEOF, err)
	}
	if _, err := io.ReadFull(r.r, r.row); err != nil {
		return errors.Join(io.ErrUnexpectedEOF, err)
	}
	return nil
}

// runHeap has the run with the smallest key first.
type runHeap []*runReader

func (h runHeap) Len() int { return len(h) }
func (h runHeap) Less(i, j int) bool {
	if c := bytes.Compare(h[i].key, h[j].key); c != 0 {
		return c < 0
	}
	return h[i].n < h[j].n
}
func (h runHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is for container/heap.
func (h *runHeap) Push(x any) { *h = append(*h, x.(*runReader)) }

// Pop is for container/heap.
func (h *runHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func merge(runs []*os.File, fn func(key, row []byte) error) error {
	var h runHeap
	for i, f := range runs {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("temporary file: %w", err)
		}
		r := &runReader{r: bufio.NewReaderSize(f, mergeBytes), n: i}
		switch err := r.next(); {
		case err == nil:
			h = append(h, r)
		case !errors.Is(err, io.EOF):
			return fmt.Errorf("temporary file: %w", err)
		}
	}
	heap.Init(&h)
	for len(h) > 0 {
		if err := fn(h[0].key, h[0].row); err != nil {
			return err
		}
		switch err := h[0].next(); {
		case err == nil:
			heap.Fix(&h, 0)
		case errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, io.EOF):
			return fmt.Errorf("temporary file: %w", err)
		default:
			heap.Pop(&h)
		}
	}
	return nil
}

// appendRow is a row in a temporary file: number of values, then kind, length and text of each.
func appendRow(dst []byte, row connect.Row) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(row)))
	for _, v := range row {
		dst = append(dst, byte(v.Kind))
		dst = binary.AppendUvarint(dst, uint64(len(v.Text)))
		dst = append(dst, v.Text...)
	}
	return dst
}

func decodeRow(b []byte) (connect.Row, error) {
	broken := errors.New("temporary file: broken row")
	n, used := binary.Uvarint(b)
	if used <= 0 || n > connect.MaxColumns*2 {
		return nil, broken
	}
	b = b[used:]
	text := string(b) // one copy for all values
	row := make(connect.Row, n)
	at := 0
	for i := range row {
		if at >= len(b) {
			return nil, broken
		}
		kind := connect.Kind(b[at])
		l, used := binary.Uvarint(b[at+1:])
		at += 1 + used
		if used <= 0 || l > uint64(len(b)-at) {
			return nil, broken
		}
		row[i] = connect.Value{Kind: kind, Text: text[at : at+int(l)]} //nolint:gosec // checked above
		at += int(l)                                                   //nolint:gosec // checked above
	}
	return row, nil
}
