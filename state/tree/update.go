package tree

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
)

// parallelFrom is the number of changes below which starting goroutines costs more
// than it saves. By measurement.
const parallelFrom = 64

// Update computes the tree with the changes applied, on up to workers goroutines,
// all of which have ended when it returns. It changes nothing: what it returns may
// be applied or thrown away.
//
// The changes must be in ascending order of keys without repetition; else it
// panics. An error is one of reading, or ErrDamaged.
func (t *Tree) Update(changes []Change, workers int) (*Update, error) {
	for i := 1; i < len(changes); i++ {
		if changes[i-1].Compare(changes[i]) >= 0 {
			panic(fmt.Sprintf("tree: change %d is not in order", i))
		}
	}
	w := t.worker()
	root, err := w.load(path{})
	if err != nil {
		return nil, err
	}
	var s sum
	if root.branch == nil || workers < 2 || len(changes) < parallelFrom {
		s, err = w.update(path{}, changes)
	} else {
		s, err = t.updateParallel(w, root.branch, changes, workers)
	}
	if err != nil {
		return nil, err
	}
	u := &Update{Root: s.hash, Leaves: int64(s.leaves), Pages: make([]Page, 0, len(w.pages)), pages: w.pages}
	for p, pg := range w.pages {
		u.Pages = append(u.Pages, Page{Path: p.record(), Record: pg.record()})
	}
	slices.SortFunc(u.Pages, func(a, b Page) int { return bytes.Compare(a.Path, b.Path) })
	return u, nil
}

// updateParallel shares the children of the root among workers: they have no page
// in common. What they wrote ends up in w.
func (t *Tree) updateParallel(w *worker, root *branch, changes []Change, workers int) (sum, error) {
	next := *root
	groups := group(changes, 0)
	type result struct {
		w   *worker
		err error
	}
	results := make([]result, workers)
	var wg sync.WaitGroup
	for i := range results {
		results[i].w = t.worker()
		wg.Go(func() {
			r := &results[i]
			for n := i; n < len(groups) && r.err == nil; n += workers {
				if len(groups[n]) > 0 {
					var s sum
					s, r.err = r.w.update(path{}.child(byte(n)), groups[n])
					next.hash[n], next.leaves[n] = s.hash, s.leaves // own index: no other worker touches it
				}
			}
		})
	}
	wg.Wait()
	for _, r := range results {
		if r.err != nil {
			return sum{}, r.err
		}
		for p, pg := range r.w.pages {
			w.pages[p] = pg
		}
	}
	return w.setBranch(path{}, &next, touched(groups))
}

// worker updates parts of the tree that no other worker touches.
type worker struct {
	t     *Tree
	pages map[path]page // as they shall be; the empty page deletes
}

func (t *Tree) worker() *worker { return &worker{t: t, pages: map[path]page{}} }

func (w *worker) load(p path) (page, error) {
	if pg, ok := w.pages[p]; ok {
		return pg, nil
	}
	if pg, ok := w.t.cache[p]; ok {
		return pg, nil
	}
	return load(w.t.read, p)
}

// update applies changes, which all lie in p, and returns what p's parent must know.
func (w *worker) update(p path, changes []Change) (sum, error) {
	pg, err := w.load(p)
	if err != nil {
		return sum{}, err
	}
	if pg.branch == nil {
		return w.setLeaves(p, mergeLeaves(pg.leaves, changes), pg)
	}
	next := *pg.branch
	groups := group(changes, p.depth)
	for n, part := range groups {
		if len(part) == 0 {
			continue
		}
		s, err := w.update(p.child(byte(n)), part)
		if err != nil {
			return sum{}, err
		}
		next.hash[n], next.leaves[n] = s.hash, s.leaves
	}
	return w.setBranch(p, &next, touched(groups))
}

// touched tells in which quarters of a branch there are changes.
func touched(groups [16][]Change) (quarters byte) {
	for n, part := range groups {
		if len(part) > 0 {
			quarters |= 1 << (n / 4)
		}
	}
	return quarters
}

// setBranch makes b, in which these quarters have changed, the page at p, or a bucket if
// few keys are left.
func (w *worker) setBranch(p path, b *branch, changed byte) (sum, error) {
	if b.total() > collapseAt {
		b.setQuarters(changed)
		w.pages[p] = page{branch: b}
		return b.quarters.sum(), nil
	}
	leaves := make([]byte, 0, collapseAt*leafLen)
	for n, count := range b.leaves {
		// A child that has become empty has deleted its page by itself.
		if count == 0 {
			continue
		}
		var err error
		if leaves, err = w.collect(p.child(byte(n)), leaves); err != nil {
			return sum{}, err
		}
	}
	return w.setLeaves(p, leaves, page{})
}

// collect appends the leaves of p in order, and deletes its page. That is a bucket:
// a branch of so few keys has become one before its parent is looked at.
func (w *worker) collect(p path, leaves []byte) ([]byte, error) {
	pg, err := w.load(p)
	if err != nil {
		return nil, err
	}
	if pg.branch != nil {
		return nil, fmt.Errorf("%w: %x: a branch of few keys", ErrDamaged, p.record())
	}
	w.pages[p] = page{}
	return append(leaves, pg.leaves...), nil
}

// setLeaves makes the page at p a bucket, or as many pages as the leaves need. No
// page lies below p. was is the bucket that was there.
func (w *worker) setLeaves(p path, leaves []byte, was page) (sum, error) {
	if len(leaves) <= leafLen {
		w.pages[p] = page{leaves: leaves}
		return sumLeaves(leaves, 4*int(p.depth)), nil
	}
	if len(leaves) <= bucketMax*leafLen {
		pg := page{leaves: leaves, quarters: quartersOf(leaves, 4*int(p.depth), was)}
		w.pages[p] = pg
		return pg.quarters.sum(), nil
	}
	b := new(branch)
	for len(leaves) > 0 {
		n := nibble(leaves, p.depth)
		end := leafLen
		for end < len(leaves) && nibble(leaves[end:], p.depth) == n {
			end += leafLen
		}
		s, err := w.setLeaves(p.child(n), leaves[:end], page{})
		if err != nil {
			return sum{}, err
		}
		b.hash[n], b.leaves[n] = s.hash, s.leaves
		leaves = leaves[end:]
	}
	b.setQuarters(0)
	w.pages[p] = page{branch: b}
	return b.quarters.sum(), nil
}

// group cuts changes by their nibble at that depth.
func group(changes []Change, depth uint8) (groups [16][]Change) {
	for len(changes) > 0 {
		n := nibble(changes[0].Key[:], depth)
		end := 1
		for end < len(changes) && nibble(changes[end].Key[:], depth) == n {
			end++
		}
		groups[n], changes = changes[:end], changes[end:]
	}
	return groups
}

// mergeLeaves returns the leaves with the changes applied, both being in order.
func mergeLeaves(leaves []byte, changes []Change) []byte {
	out := make([]byte, 0, len(leaves)+len(changes)*leafLen)
	for len(leaves) > 0 || len(changes) > 0 {
		order := -1
		if len(leaves) == 0 {
			order = 1
		} else if len(changes) > 0 {
			order = bytes.Compare(leaves[:32], changes[0].Key[:])
		}
		if order < 0 {
			out = append(out, leaves[:leafLen]...)
		} else if c := changes[0]; !c.Delete {
			out = append(append(out, c.Key[:]...), c.Value[:]...)
		}
		if order <= 0 {
			leaves = leaves[leafLen:]
		}
		if order >= 0 {
			changes = changes[1:]
		}
	}
	return out
}
