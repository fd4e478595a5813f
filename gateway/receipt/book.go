package receipt

import (
	"sync"

	"google.golang.org/protobuf/proto"

	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
)

// Book keeps receipts durably, in the order in which they came: an asker's own, or
// those that a provider's askers have counter-signed. It is safe for concurrent use.
type Book struct {
	journal *journal

	mu      sync.RWMutex
	offsets []int64
}

// OpenBook opens or makes the book at path. One process at a time.
func OpenBook(path string) (*Book, error) {
	b := &Book{}
	j, err := openJournal(path, func(offset int64, _ []byte) error {
		b.offsets = append(b.offsets, offset)
		return nil
	}, func(bytes int64) error {
		if bytes > maxPut { // a write is no longer
			return fault.Newf(fault.Damaged, "receipt %d cannot be read, and %d bytes follow", len(b.offsets), bytes)
		}
		return nil
	})
	b.journal = j
	return b, err
}

// Put adds receipts, those that fit into maxPut with one write. They are durable when
// Put returns nil.
func (b *Book) Put(receipts ...*tracev1.Receipt) error {
	var raw [][]byte
	size := 0
	for _, r := range receipts {
		one, err := canon.Marshal(r)
		if err != nil {
			return err
		}
		if len(one) > maxFrame {
			return fault.Newf(fault.TooLong, "a receipt of %d bytes", len(one))
		}
		if size+frameHead+len(one) > maxPut {
			if err := b.write(raw); err != nil {
				return err
			}
			raw, size = nil, 0
		}
		raw, size = append(raw, one), size+frameHead+len(one)
	}
	return b.write(raw)
}

func (b *Book) write(raw [][]byte) error {
	if len(raw) == 0 {
		return nil
	}
	offset, err := b.journal.append(raw...)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, one := range raw {
		b.offsets = append(b.offsets, offset)
		offset += frameHead + int64(len(one))
	}
	return nil
}

// Len is how many receipts there are.
func (b *Book) Len() int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.offsets)
}

// Each calls fn for the receipts from number from on until it returns false.
func (b *Book) Each(from int, fn func(n int, r *tracev1.Receipt) bool) error {
	for n, end := from, b.Len(); n < end; n++ {
		b.mu.RLock()
		offset := b.offsets[n]
		b.mu.RUnlock()
		raw, err := b.journal.read(offset)
		if err != nil {
			return fault.Wrap(fault.Damaged, err, "receipt %d", n)
		}
		r := &tracev1.Receipt{}
		if err := proto.Unmarshal(raw, r); err != nil {
			return fault.Wrap(fault.Damaged, err, "receipt %d", n)
		}
		if !fn(n, r) {
			return nil
		}
	}
	return nil
}

// Err tells why the book takes no more receipts; nil if it does.
func (b *Book) Err() error { return b.journal.out.Err() }

// Close closes the book.
func (b *Book) Close() error { return b.journal.close() }
