package tree

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mulian/state/proof"
)

// reference is the tree as ICS 23's SmtSpec and the package comment describe it,
// in the plainest words: no pages, no counts, no order of updates. It shares no
// code with what it tests.
func reference(set map[proof.Hash]proof.Hash, bit int) (hash [32]byte) {
	switch len(set) {
	case 0:
		return hash
	case 1:
		for k, v := range set {
			return sha256.Sum256(slices.Concat([]byte{0}, k[:], v[:]))
		}
	}
	halves := [2]map[proof.Hash]proof.Hash{{}, {}}
	for k, v := range set {
		halves[k[bit/8]>>(7-bit%8)&1][k] = v
	}
	l, r := reference(halves[0], bit+1), reference(halves[1], bit+1)
	return sha256.Sum256(slices.Concat([]byte{1}, l[:], r[:]))
}

// memory is a store of pages.
type memory map[string][]byte

func (m memory) read(path []byte) ([]byte, error) { return m[string(path)], nil }

func (m memory) write(u *Update) {
	for _, p := range u.Pages {
		if p.Record == nil {
			delete(m, string(p.Path))
		} else {
			m[string(p.Path)] = p.Record
		}
	}
}

// drawHash draws a hash that often shares a long beginning with others, as real
// hashes never would, so that a few keys make a deep tree.
func drawHash(t *rapid.T, label string) (h proof.Hash) {
	same := rapid.SampledFrom([]int{0, 1, 3, 8, 31}).Draw(t, label+" equal bytes")
	binary.BigEndian.PutUint64(h[24:], rapid.Uint64Range(0, 1023).Draw(t, label)<<rapid.SampledFrom([]int{0, 3, 54}).Draw(t, label+" shift"))
	if same < 24 {
		h[same] = byte(rapid.IntRange(0, 255).Draw(t, label+" byte"))
	}
	return h
}

func TestTreeIsTheReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		store, model := memory{}, map[proof.Hash]proof.Hash{}
		tree := New(store.read, rapid.SampledFrom([]int{0, 3, 1000}).Draw(t, "cache"))
		for range rapid.IntRange(1, 8).Draw(t, "blocks") {
			if rapid.Bool().Draw(t, "reopen") {
				tree = New(store.read, 1000)
			}
			changes := drawChanges(t, model)
			u, err := tree.Update(changes, 1)
			if err != nil {
				t.Fatal(err)
			}
			if rapid.IntRange(0, 4).Draw(t, "throw away") == 0 {
				continue
			}
			store.write(u)
			tree.Apply(u)
			for _, c := range changes {
				if c.Delete {
					delete(model, c.Key)
				} else {
					model[c.Key] = c.Value
				}
			}
			checkAgainst(t, store, u, model)
			checkWays(t, store, u.Root, model, drawHash(t, "asked"))
		}
	})
}

func drawChanges(t *rapid.T, model map[proof.Hash]proof.Hash) []Change {
	known := slices.SortedFunc(maps.Keys(model), func(a, b proof.Hash) int { return bytes.Compare(a[:], b[:]) })
	byKey := map[proof.Hash]Change{}
	for range rapid.IntRange(0, 80).Draw(t, "changes") {
		c := Change{Key: drawHash(t, "key"), Value: sha256.Sum256([]byte{byte(rapid.IntRange(0, 255).Draw(t, "value"))})}
		if len(known) > 0 && rapid.Bool().Draw(t, "delete") {
			c = Change{Key: known[rapid.IntRange(0, len(known)-1).Draw(t, "which")], Delete: true}
		}
		byKey[c.Key] = c
	}
	if rapid.IntRange(0, 9).Draw(t, "delete all") == 0 {
		for _, k := range known {
			byKey[k] = Change{Key: k, Delete: true}
		}
	}
	return slices.SortedFunc(maps.Values(byKey), Change.Compare)
}

func checkAgainst(t *rapid.T, store memory, u *Update, model map[proof.Hash]proof.Hash) {
	if want := proof.Hash(reference(model, 0)); u.Root != want || u.Leaves != int64(len(model)) {
		t.Fatalf("root %s of %d keys, want %s of %d", u.Root, u.Leaves, want, len(model))
	}
	found := map[proof.Hash]proof.Hash{}
	root, keys, pages, err := Check(context.Background(), store.read, func(k, v proof.Hash) error {
		found[k] = v
		return nil
	})
	if err != nil || root != u.Root || keys != u.Leaves || pages != int64(len(store)) {
		t.Fatalf("Check = %s, %d keys, %d pages of %d, %v", root, keys, pages, len(store), err)
	}
	if d := cmp.Diff(model, found); d != "" {
		t.Fatalf("leaves (-want +got):\n%s", d)
	}
}

// checkWays proves a key that may or may not be there, and one that is.
func checkWays(t *rapid.T, store memory, root proof.Hash, model map[proof.Hash]proof.Hash, asked proof.Hash) {
	keys := []proof.Hash{asked}
	for k := range model {
		keys = append(keys, k)
		break
	}
	for _, key := range keys {
		way, err := Prove(store.read, key)
		if err != nil {
			t.Fatal(err)
		}
		value, there := model[key]
		if way.Exists != there {
			t.Fatalf("%s: way says exists=%t, want %t", key, way.Exists, there)
		}
		got, ok, err := Lookup(store.read, key)
		if err != nil || ok != there || got != value {
			t.Fatalf("Lookup(%s) = %s, %t, %v, want %s, %t", key, got, ok, err, value, there)
		}
		h := [32]byte{}
		switch {
		case there:
			h = proof.Leaf(key, value)
		case way.Other != nil:
			h = proof.Leaf(way.Other.KeyHash, way.Other.ValueHash)
		}
		rest := way.Siblings
		for d := way.Depth - 1; d >= 0; d-- {
			sibling := [32]byte{}
			if way.Bitmap[d/8]>>(7-d%8)&1 == 1 {
				sibling, rest = rest[len(rest)-1], rest[:len(rest)-1]
			}
			if key[d/8]>>(7-d%8)&1 == 0 {
				h = sha256.Sum256(slices.Concat([]byte{1}, h[:], sibling[:]))
			} else {
				h = sha256.Sum256(slices.Concat([]byte{1}, sibling[:], h[:]))
			}
		}
		if proof.Hash(h) != root || len(rest) != 0 {
			t.Fatalf("%s: the way leads to %x with %d siblings left, want %s", key, h, len(rest), root)
		}
	}
}

// grow adds n keys in blocks of the given size, and returns the store and root.
func grow(t *testing.T, n, block, workers int) (memory, proof.Hash) {
	store := memory{}
	tree := New(store.read, 100)
	var root proof.Hash
	for i := 0; i < n; i += block {
		var changes []Change
		for j := i; j < min(n, i+block); j++ {
			changes = append(changes, NewChange(binary.BigEndian.AppendUint64(nil, uint64(j)), []byte{byte(j)}))
		}
		slices.SortFunc(changes, Change.Compare)
		u, err := tree.Update(changes, workers)
		if err != nil {
			t.Fatal(err)
		}
		store.write(u)
		tree.Apply(u)
		root = u.Root
	}
	return store, root
}

func TestWorkersAndBlocksDoNotMatter(t *testing.T) {
	store, root := grow(t, 5000, 5000, 1)
	for _, c := range []struct{ block, workers int }{{500, 1}, {500, 2}, {500, 16}, {997, 3}, {5000, 2}} {
		other, got := grow(t, 5000, c.block, c.workers)
		if got != root {
			t.Errorf("%+v: root %s, want %s", c, got, root)
		}
		if d := cmp.Diff(store, other); d != "" {
			t.Errorf("%+v: pages differ:\n%.500s", c, d)
		}
	}
}

// TestGolden holds the roots that are in the headers of running chains. If it
// fails, the change would fork them. The figures come from a Python program of ten
// lines that follows the package comment.
func TestGolden(t *testing.T) {
	for _, c := range []struct {
		keys int
		root string
	}{
		{0, "0000000000000000000000000000000000000000000000000000000000000000"},
		{1, "e69752d0900f1dbf173c64f2e029d439af775446b78e3ee4f3c541c993e02674"},
		{2, "62c4738fa05144960723589409525ec93b38bb5c94c0607d07661bb14bab7fd5"},
		{1000, "94369c62c0e295c7ce4bc3fa422dcae10f4e9fe218c0898a5b485d78177ecfe5"},
	} {
		_, root := grow(t, c.keys, 100, 1)
		if root.String() != c.root {
			t.Errorf("%d keys: root %s, want %s", c.keys, root, c.root)
		}
	}
}

func TestDamagedPagesAreNoticed(t *testing.T) {
	store, _ := grow(t, 2000, 2000, 1)
	rnd := rand.New(rand.NewPCG(3, 4))
	leaf := func(_, _ proof.Hash) error { return nil }
	root, keys, _, err := Check(t.Context(), store.read, leaf)
	if err != nil {
		t.Fatal(err)
	}
	for path, record := range store {
		i := rnd.IntN(len(record))
		store[path] = bytes.Clone(record)
		store[path][i] ^= 1 << rnd.IntN(8)
		r, k, _, err := Check(t.Context(), store.read, leaf)
		if err == nil && r == root && k == keys {
			t.Errorf("page %x: a changed bit in byte %d was not noticed", path, i)
		}
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("page %x: %v", path, err)
		}
		store[path] = record
	}
}

// FuzzParse feeds pages that no Update has made.
func FuzzParse(f *testing.F) {
	f.Add([]byte{tagBucket})
	f.Add(append([]byte{tagBucket}, make([]byte, leafLen)...))
	f.Add([]byte{tagBranch, 0, 1, 2})
	full := new(branch)
	for i := range full.leaves {
		full.leaves[i] = uint64(i)
	}
	f.Add(page{branch: full}.record())
	f.Fuzz(func(t *testing.T, b []byte) {
		read := func([]byte) ([]byte, error) { return b, nil }
		for _, p := range []path{{}, path{}.child(0), path{}.child(13).child(10)} {
			pg, err := load(read, p)
			if err != nil {
				continue
			}
			again, err := parse(pg.record())
			if err != nil || again.sum(p.depth) != pg.sum(p.depth) {
				t.Errorf("%x: written and read again: %v", b, err)
			}
		}
		// A store in which every page is this one: nothing may panic or never end.
		_, _ = Prove(read, proof.Hash{0xda})
		_, _, _ = Lookup(read, proof.Hash{0xda})
		_, _ = New(read, 0).Update([]Change{{Key: proof.Hash{0xda}}, {Key: proof.Hash{0xdb}, Delete: true}}, 1)
	})
}
