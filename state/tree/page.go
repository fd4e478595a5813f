package tree

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"

	"mulian/state/proof"
)

const (
	// bucketMax is the most leaves in a bucket: 2 KB, half a block of Pebble. By
	// measurement of the prototype at one million keys.
	bucketMax = 32
	// collapseAt is when a branch becomes a bucket again. Half of bucketMax, so that
	// adding and deleting one key does not split and join each time.
	collapseAt = 16

	leafLen = 64 // SHA-256 of the key, SHA-256 of the value
)

// The first byte of a page's record.
const (
	tagBucket = 1
	tagBranch = 2
)

// page is a bucket, a branch, or neither if there is no such page.
type page struct {
	leaves   []byte    // of a bucket: leafLen each
	quarters *quarters // of a bucket, once they were computed
	branch   *branch
}

// branch is four levels of the tree.
type branch struct {
	hash     [16]proof.Hash
	leaves   [16]uint64
	quarters *quarters // once they were computed
}

// quarters are the sums of the four parts of a page that differ in its first two bits.
// They are kept in memory with the page, never on disk: an update of one key then hashes
// one of the parts again and not the whole page, 12 hashes instead of 40 for a bucket.
type quarters [4]sum

func (q *quarters) sum() sum { return join(join(q[0], q[1]), join(q[2], q[3])) }

// quarter returns the leaves of each part of a bucket that begins at that bit.
func quarter(leaves []byte, bit int) (parts [4][]byte) {
	half := split(leaves, bit)
	low, high := split(leaves[:half], bit+1), half+split(leaves[half:], bit+1)
	return [4][]byte{leaves[:low], leaves[low:half], leaves[half:high], leaves[high:]}
}

// quartersOf sums the parts of a bucket that begins at that bit, taking over those that
// are as they were.
func quartersOf(leaves []byte, bit int, was page) *quarters {
	q := new(quarters)
	var before [4][]byte
	if was.quarters != nil {
		before = quarter(was.leaves, bit)
	}
	for i, part := range quarter(leaves, bit) {
		if was.quarters != nil && bytes.Equal(part, before[i]) {
			q[i] = was.quarters[i]
		} else {
			q[i] = sumLeaves(part, bit+2)
		}
	}
	return q
}

// setQuarters sums the parts of a branch of which a bit is set in changed, and takes over
// the others from what it was a copy of.
func (b *branch) setQuarters(changed byte) {
	q := new(quarters)
	for i := range q {
		if b.quarters != nil && changed&(1<<i) == 0 {
			q[i] = b.quarters[i]
		} else {
			q[i] = b.sum(4*i, 4*i+4)
		}
	}
	b.quarters = q
}

func parse(b []byte) (page, error) {
	if len(b) == 0 {
		return page{}, nil
	}
	tag, b := b[0], b[1:]
	switch tag {
	case tagBucket:
		if len(b) == 0 || len(b)%leafLen != 0 || len(b) > bucketMax*leafLen {
			return page{}, fmt.Errorf("bucket of %d bytes", len(b))
		}
		for i := leafLen; i < len(b); i += leafLen {
			if bytes.Compare(b[i-leafLen:i-leafLen+32], b[i:i+32]) >= 0 {
				return page{}, errors.New("bucket out of order")
			}
		}
		return page{leaves: b}, nil
	case tagBranch:
		br, err := parseBranch(b)
		return page{branch: br}, err
	}
	return page{}, fmt.Errorf("tag %d", tag)
}

// A branch is written as a bitmap of the children that hold keys, and for each of
// them the hash and the number of keys.
func parseBranch(b []byte) (*branch, error) {
	if len(b) < 2 {
		return nil, errors.New("branch without bitmap")
	}
	bitmap, b := binary.BigEndian.Uint16(b), b[2:]
	br := new(branch)
	for i := range br.hash {
		if bitmap&(1<<i) == 0 {
			continue
		}
		if len(b) < len(br.hash[i]) {
			return nil, errors.New("branch is cut off")
		}
		b = b[copy(br.hash[i][:], b):]
		n, w := binary.Uvarint(b)
		if w <= 0 || n == 0 || n > 1<<48 {
			return nil, errors.New("number of keys")
		}
		br.leaves[i], b = n, b[w:]
	}
	if len(b) != 0 {
		return nil, errors.New("branch goes on")
	}
	return br, nil
}

// record writes the page; nil for none.
func (p page) record() []byte {
	switch {
	case p.branch != nil:
		b := make([]byte, 3, 3+16*(32+3))
		b[0] = tagBranch
		var bitmap uint16
		for i, n := range p.branch.leaves {
			if n == 0 {
				continue
			}
			bitmap |= 1 << i
			b = append(b, p.branch.hash[i][:]...)
			b = binary.AppendUvarint(b, n)
		}
		binary.BigEndian.PutUint16(b[1:], bitmap)
		return b
	case len(p.leaves) > 0:
		return append([]byte{tagBucket}, p.leaves...)
	}
	return nil
}

// sum is of the whole page, which stands at that depth in nibbles.
func (p page) sum(depth uint8) sum {
	if p.branch != nil {
		return p.branch.sum(0, 16)
	}
	return sumLeaves(p.leaves, 4*int(depth))
}

// sum is of the children from lo to hi, which are the half, quarter or so of the page.
func (b *branch) sum(lo, hi int) sum {
	if hi-lo == 1 {
		return sum{b.hash[lo], b.leaves[lo]}
	}
	mid := (lo + hi) / 2
	return join(b.sum(lo, mid), b.sum(mid, hi))
}

func (b *branch) total() (n uint64) {
	for _, c := range b.leaves {
		n += c
	}
	return n
}

// sumLeaves is of the leaves of a part that begins at that bit.
func sumLeaves(leaves []byte, bit int) sum {
	switch len(leaves) {
	case 0:
		return sum{}
	case leafLen:
		return sum{proof.Leaf(proof.Hash(leaves[:32]), proof.Hash(leaves[32:])), 1}
	}
	cut := split(leaves, bit)
	return join(sumLeaves(leaves[:cut], bit+1), sumLeaves(leaves[cut:], bit+1))
}

// split returns where the leaves begin whose bit is set. All bits before it are equal.
func split(leaves []byte, bit int) int {
	mask := byte(0x80) >> (bit % 8)
	return leafLen * sort.Search(len(leaves)/leafLen, func(i int) bool {
		return leaves[i*leafLen+bit/8]&mask != 0
	})
}
