package eventlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"mulian/state/proof"
)

// reference is MTH of RFC 6962 section 2.1, over leaf hashes.
func reference(leaves []proof.Hash) [32]byte {
	switch n := len(leaves); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	default:
		k := 1
		for 2*k < n {
			k *= 2
		}
		l, r := reference(leaves[:k]), reference(leaves[k:])
		return sha256.Sum256(slices.Concat([]byte{1}, l[:], r[:]))
	}
}

func event(i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)) }

func hashes(from, to int) (out []proof.Hash) {
	for i := from; i < to; i++ {
		out = append(out, proof.EventLeaf(event(i)))
	}
	return out
}

// memory is a store of tiles.
type memory map[string][]byte

func (m memory) read(id []byte) ([]byte, error) { return m[string(id)], nil }

func (m memory) write(tiles []Tile) {
	for _, t := range tiles {
		m[string(t.ID)] = bytes.Clone(t.Record)
	}
}

// sizes end within, at and just after a tile of the first and of the second level.
var sizes = []int{1, 2, 3, 7, 63, 64, 65, 127, 128, 130, 1000, 4095, 4096, 4097, 4160, 4161, 8192, 8300}

func TestRootsAndProofsAtEverySize(t *testing.T) {
	store, all := memory{}, hashes(0, sizes[len(sizes)-1])
	log, err := Open(store.read, 0)
	if err != nil {
		t.Fatal(err)
	}
	roots := map[int]proof.Hash{0: log.Root()}
	for _, size := range sizes {
		grown, tiles := log.Append(all[log.Size():size])
		if was := roots[int(log.Size())]; log.Root() != was {
			t.Fatalf("Append changed the log it began with: root %s, was %s", log.Root(), was)
		}
		store.write(tiles)
		log = grown
		roots[size] = log.Root()
		if want := proof.Hash(reference(all[:size])); log.Root() != want {
			t.Fatalf("size %d: root %s, want %s", size, log.Root(), want)
		}
		again, err := Open(store.read, int64(size))
		if err != nil || again.Root() != log.Root() {
			t.Fatalf("size %d: opened again: %v, %v", size, again, err)
		}
		log = again
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, size := range sizes {
		for range 50 {
			checkInclusion(t, store, rnd.IntN(size), size, roots[size])
		}
		checkInclusion(t, store, size-1, size, roots[size])
		for old, root := range roots {
			if 0 < old && old <= size {
				checkConsistency(t, store, old, size, root, roots[size])
			}
		}
	}
}

func checkInclusion(t *testing.T, store memory, seq, size int, root proof.Hash) {
	t.Helper()
	path, err := Inclusion(store.read, int64(seq), int64(size))
	if err != nil {
		t.Fatal(err)
	}
	p := &proof.Event{Seq: int64(seq), Size: int64(size), Event: event(seq), Path: path}
	if err := proof.VerifyEventInLog(root, event(seq), p); err != nil {
		t.Errorf("event %d of %d: %v", seq, size, err)
	}
	p.Seq = int64((seq + 1) % size)
	if err := proof.VerifyEventInLog(root, event(seq), p); size > 1 && !errors.Is(err, proof.ErrRefused) {
		t.Errorf("event %d of %d is accepted as %d: %v", seq, size, p.Seq, err)
	}
}

func checkConsistency(t *testing.T, store memory, old, size int, oldRoot, newRoot proof.Hash) {
	t.Helper()
	path, err := Consistency(store.read, int64(old), int64(size))
	if err != nil {
		t.Fatal(err)
	}
	p := &proof.Consistency{OldSize: int64(old), NewSize: int64(size), Path: path}
	if err := proof.VerifyConsistency(oldRoot, newRoot, p); err != nil {
		t.Errorf("%d to %d: %v", old, size, err)
	}
	if err := proof.VerifyConsistency(newRoot, oldRoot, p); old != size && !errors.Is(err, proof.ErrRefused) {
		t.Errorf("%d to %d is accepted with the roots swapped: %v", old, size, err)
	}
}

func TestOneByOneAndAllAtOnceAreEqual(t *testing.T) {
	const n = 300
	one, _ := Open(memory{}.read, 0)
	store, all := memory{}, memory{}
	for i := range n {
		var tiles []Tile
		one, tiles = one.Append(hashes(i, i+1))
		store.write(tiles)
	}
	empty, _ := Open(memory{}.read, 0)
	once, tiles := empty.Append(hashes(0, n))
	all.write(tiles)
	if one.Root() != once.Root() {
		t.Errorf("roots %s and %s", one.Root(), once.Root())
	}
	for id, record := range all {
		if !bytes.Equal(store[id], record) {
			t.Errorf("tile %x differs", id)
		}
	}
	if len(store) != len(all) {
		t.Errorf("%d tiles and %d", len(store), len(all))
	}
}

func TestMissingTilesAreNoticed(t *testing.T) {
	store := memory{}
	empty, _ := Open(store.read, 0)
	_, tiles := empty.Append(hashes(0, 130))
	store.write(tiles)
	for id, record := range store {
		delete(store, id)
		noticed := false
		for seq := range int64(130) {
			_, err := Inclusion(store.read, seq, 130)
			noticed = noticed || errors.Is(err, ErrDamaged)
		}
		if !noticed {
			t.Errorf("without tile %x every event has a proof", id)
		}
		store[id] = record
	}
	delete(store, string(tileID(0, 2))) // the edge, which Open needs
	if _, err := Open(store.read, 130); !errors.Is(err, ErrDamaged) {
		t.Errorf("Open without the edge: %v", err)
	}
	if _, err := Inclusion(store.read, 3, 200); !errors.Is(err, ErrDamaged) {
		t.Errorf("a size beyond the log: %v", err)
	}
	if _, err := Inclusion(store.read, 3, 3); err == nil {
		t.Error("an event beyond the size has a proof")
	}
	if _, err := Consistency(store.read, 4, 3); err == nil {
		t.Error("a log that shrinks has a proof")
	}
}
