package tree

import (
	"bytes"
	"fmt"
	"sort"

	"mulian/state/proof"
)

// Way is what proves a key in the tree: see [proof.Key] for its parts.
type Way struct {
	Depth    int
	Bitmap   []byte
	Siblings []proof.Hash
	Exists   bool
	Other    *proof.OtherLeaf
}

// Prove returns the way to the place of key, in the tree that is stored in the
// pages of read. These must not change meanwhile.
func Prove(read Read, key proof.Hash) (*Way, error) {
	way := new(Way)
	var p path
	for {
		pg, err := load(read, p)
		if err != nil {
			return nil, err
		}
		if pg.branch == nil {
			way.inBucket(pg.leaves, key, 4*int(p.depth))
			return way, nil
		}
		more, err := way.inBranch(read, p, pg.branch, key)
		if err != nil || !more {
			return way, err
		}
		p = p.child(nibble(key[:], p.depth))
	}
}

func (w *Way) add(sibling sum) {
	if w.Depth%8 == 0 {
		w.Bitmap = append(w.Bitmap, 0)
	}
	if sibling.leaves > 0 {
		w.Bitmap[w.Depth/8] |= 0x80 >> (w.Depth % 8)
		w.Siblings = append(w.Siblings, sibling.hash)
	}
	w.Depth++
}

// inBucket goes on among the leaves of the part that begins at that bit.
func (w *Way) inBucket(leaves []byte, key proof.Hash, bit int) {
	for ; len(leaves) > leafLen; bit++ {
		cut := split(leaves, bit)
		ours, others := leaves[:cut], leaves[cut:]
		if proof.Bit(key, bit) == 1 {
			ours, others = others, ours
		}
		w.add(sumLeaves(others, bit+1))
		leaves = ours
	}
	w.arrive(leaves, key)
}

// arrive ends the way at one leaf or none.
func (w *Way) arrive(leaf []byte, key proof.Hash) {
	if len(leaf) == 0 {
		return
	}
	if w.Exists = bytes.Equal(leaf[:32], key[:]); !w.Exists {
		w.Other = &proof.OtherLeaf{KeyHash: proof.Hash(leaf[:32]), ValueHash: proof.Hash(leaf[32:leafLen])}
	}
}

// inBranch goes down the four levels of a branch, and reports whether the way goes
// on in the child.
func (w *Way) inBranch(read Read, p path, b *branch, key proof.Hash) (bool, error) {
	lo, hi := 0, 16
	for {
		part := b.sum(lo, hi)
		if part.leaves == 0 {
			return false, nil
		}
		if part.leaves == 1 {
			leaf, err := onlyLeaf(read, p, b, lo, hi)
			if err == nil {
				w.arrive(leaf, key)
			}
			return false, err
		}
		if hi-lo == 1 {
			return true, nil
		}
		mid := (lo + hi) / 2
		if int(nibble(key[:], p.depth)) < mid {
			w.add(b.sum(mid, hi))
			hi = mid
		} else {
			w.add(b.sum(lo, mid))
			lo = mid
		}
	}
}

// onlyLeaf finds the one leaf in the children from lo to hi.
func onlyLeaf(read Read, p path, b *branch, lo, hi int) ([]byte, error) {
	for n := lo; n < hi; n++ {
		if b.leaves[n] == 0 {
			continue
		}
		pg, err := load(read, p.child(byte(n)))
		if err != nil {
			return nil, err
		}
		if len(pg.leaves) == leafLen {
			return pg.leaves, nil
		}
	}
	return nil, fmt.Errorf("%w: %x: the one leaf is missing", ErrDamaged, p.record())
}

// Lookup returns the hash of the value at key, and whether there is one.
func Lookup(read Read, key proof.Hash) (value proof.Hash, ok bool, err error) {
	for p := (path{}); ; p = p.child(nibble(key[:], p.depth)) {
		pg, err := load(read, p)
		if err != nil {
			return value, false, err
		}
		if pg.branch != nil {
			continue
		}
		i := sort.Search(len(pg.leaves)/leafLen, func(i int) bool {
			return bytes.Compare(pg.leaves[i*leafLen:i*leafLen+32], key[:]) >= 0
		}) * leafLen
		if i == len(pg.leaves) || !bytes.Equal(pg.leaves[i:i+32], key[:]) {
			return value, false, nil
		}
		return proof.Hash(pg.leaves[i+32 : i+leafLen]), true, nil
	}
}
