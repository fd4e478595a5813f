package state

import (
	"context"
	"encoding/binary"
	"fmt"

	"mulian/state/lattice"
)

// The seal binds to the app hash what the tree and the log do not: the Plain records, and
// which events are of which height. It is the digest of a sum over all of them
// (state/lattice), kept as a Proved record, so that who takes over a whole state from
// somebody he does not trust can tell that nothing of it was changed, left out or added.
//
// A chain is sealed from its first block on or not at all: a block that is committed
// without [Block.Seal] ends it.

// sealKey is where the digest stands. The rules' keys are text; this is none.
const sealKey = "\xffseal"

// recSum is the record of the sum itself.
const recSum = 'p' // p -> lattice.Sum

func (l layout) sum() []byte { return l.key(recSum) }

// plainElement is a Plain record as it is summed.
func plainElement(dst, key, value []byte) []byte {
	dst = binary.AppendUvarint(append(dst[:0], 'p'), uint64(len(key)))
	return append(append(dst, key...), value...)
}

// runElement is what is summed of the events of one block.
func runElement(height, first, count int64) []byte {
	b := binary.BigEndian.AppendUint64([]byte{'e'}, uint64(height))
	b = binary.BigEndian.AppendUint64(b, uint64(first))
	return binary.BigEndian.AppendUint64(b, uint64(count))
}

// Seal brings the seal up to the block: all of its transactions have been kept, and Finish
// comes next. On a chain that is not sealed it does nothing.
func (b *Block) Seal() {
	b.open()
	if b.tx {
		panic("state: Seal while a transaction is open")
	}
	if b.db.sum == nil {
		return
	}
	sum, changed, element := *b.db.sum, false, []byte(nil)
	for key, now := range b.own.changes {
		if now.auth != Plain {
			continue
		}
		was := b.committed(key)
		if (now.value == nil) == (was.value == nil) && string(now.value) == string(was.value) {
			continue
		}
		changed = true
		if was.value != nil {
			element = plainElement(element, []byte(key), was.value)
			sum.Remove(element)
		}
		if now.value != nil {
			element = plainElement(element, []byte(key), now.value)
			sum.Add(element)
		}
	}
	if n := int64(len(b.events)); n > 0 {
		changed = true
		sum.Add(runElement(b.head.Height, b.db.log.Size(), n))
	}
	b.sum = &sum
	if changed {
		digest := sum.Digest()
		b.own.put(sealKey, change{value: digest[:], auth: Proved})
	}
}

// Sealed reports whether the app hash binds all that is stored, Plain records included.
func (s *Snapshot) Sealed() bool {
	b, err := get(s.snap, s.lay.sum())
	if err != nil {
		damaged("seal: %w", err)
	}
	return b != nil
}

// readSum returns the sum of a store, that of nothing before the first block, and nil if
// the chain is not sealed.
func (db *DB) readSum(head *Head) (*lattice.Sum, error) {
	if !head.committed {
		return new(lattice.Sum), nil
	}
	b, err := get(db.kv, db.lay.sum())
	if err != nil || b == nil {
		return nil, err
	}
	sum, err := lattice.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return sum, nil
}

// checkSeal shows that the seal is that of the Plain records and the events' heights.
func (s *Snapshot) checkSeal(ctx context.Context) error {
	if !s.Sealed() {
		return nil
	}
	want, _ := s.Get([]byte(sealKey))
	sum := new(lattice.Sum)
	var element []byte
	_, err := s.each(ctx, recCurrent, func(key, rec []byte) error {
		if rec[0] == byte(Plain) {
			element = plainElement(element, key, rec[1:])
			sum.Add(element)
		}
		return nil
	})
	if err != nil {
		return err
	}
	var r run
	if _, err = s.each(ctx, recEvent, func(_, rec []byte) error {
		r.next(sum, int64(binary.BigEndian.Uint64(rec)))
		return nil
	}); err != nil {
		return err
	}
	r.end(sum)
	if digest := sum.Digest(); string(want) != string(digest[:]) {
		return wrong("the Plain records are not those of the seal")
	}
	return nil
}

// run follows the events in their order and sums those of one height together.
type run struct{ height, first, count int64 }

// next takes over an event of that height.
func (r *run) next(sum *lattice.Sum, height int64) {
	if height != r.height {
		r.end(sum)
		r.height = height
	}
	r.count++
}

// end sums the run that is open.
func (r *run) end(sum *lattice.Sum) {
	if r.count > 0 {
		sum.Add(runElement(r.height, r.first, r.count))
		r.first, r.count = r.first+r.count, 0
	}
}
