package tree

import (
	"context"
	"fmt"

	"mulian/state/proof"
)

// Check computes the tree anew from its leaves, compares each branch with what is
// below it, and calls leaf for each leaf, in ascending order of keys. It returns
// the root, the number of keys and the number of pages.
//
// It returns ErrDamaged at the first page that does not keep an invariant of this
// package, the error of leaf, or that of ctx.
func Check(ctx context.Context, read Read, leaf func(key, value proof.Hash) error) (root proof.Hash, keys, pages int64, err error) {
	c := &checker{ctx: ctx, read: read, leaf: leaf}
	s, err := c.part(path{})
	return s.hash, int64(s.leaves), c.pages, err
}

type checker struct {
	ctx   context.Context // of the one call of Check, which ends with it
	read  Read
	leaf  func(key, value proof.Hash) error
	pages int64
}

func (c *checker) part(p path) (sum, error) {
	if err := c.ctx.Err(); err != nil {
		return sum{}, err
	}
	pg, err := load(c.read, p)
	if err != nil {
		return sum{}, err
	}
	if pg.branch == nil {
		if len(pg.leaves) > 0 {
			c.pages++
		}
		return c.bucket(p, pg.leaves)
	}
	c.pages++
	if pg.branch.total() <= collapseAt {
		return sum{}, fmt.Errorf("%w: %x: a branch of %d keys", ErrDamaged, p.record(), pg.branch.total())
	}
	for n := range pg.branch.hash {
		s, err := c.part(p.child(byte(n)))
		if err != nil {
			return sum{}, err
		}
		if s.hash != pg.branch.hash[n] || s.leaves != pg.branch.leaves[n] {
			return sum{}, fmt.Errorf("%w: %x: child %d is not as written", ErrDamaged, p.record(), n)
		}
	}
	return pg.sum(p.depth), nil
}

func (c *checker) bucket(p path, leaves []byte) (sum, error) {
	for i := 0; i < len(leaves); i += leafLen {
		if err := c.leaf(proof.Hash(leaves[i:i+32]), proof.Hash(leaves[i+32:i+leafLen])); err != nil {
			return sum{}, err
		}
	}
	return sumLeaves(leaves, 4*int(p.depth)), nil
}
