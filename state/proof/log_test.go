package proof_test

import (
	"encoding/json"
	"errors"
	"testing"

	"mulian/state/eventlog"
	"mulian/state/proof"
)

// logOf returns the tiles of a log and its root at each size.
func logOf(tb testing.TB, n int) (eventlog.Read, []proof.Hash) {
	tb.Helper()
	tiles := map[string][]byte{}
	read := func(id []byte) ([]byte, error) { return tiles[string(id)], nil }
	log, err := eventlog.Open(read, 0)
	if err != nil {
		tb.Fatal(err)
	}
	roots := []proof.Hash{log.Root()}
	for i := range n {
		var grown []eventlog.Tile
		log, grown = log.Append([]proof.Hash{proof.EventLeaf(key(i))})
		for _, t := range grown {
			tiles[string(t.ID)] = append([]byte(nil), t.Record...)
		}
		roots = append(roots, log.Root())
	}
	return read, roots
}

func TestEveryLieAboutAnEventIsRefused(t *testing.T) {
	const size = 21
	read, roots := logOf(t, size)
	treeRoot := proof.Leaf(proof.Hash{1}, proof.Hash{2})
	app := proof.AppHash(treeRoot, roots[size], size)
	for seq := range int64(size) {
		path, err := eventlog.Inclusion(read, seq, size)
		if err != nil {
			t.Fatal(err)
		}
		p := proof.Event{Height: 3, TreeRoot: treeRoot, Seq: seq, Size: size, Event: key(int(seq)), Path: path}
		if err := proof.VerifyEvent(app, p.Event, &p); err != nil {
			t.Errorf("event %d: %v", seq, err)
		}
		if err := proof.VerifyEventInLog(roots[size], p.Event, &p); err != nil {
			t.Errorf("event %d in the log: %v", seq, err)
		}
		for name, change := range map[string]func(q *proof.Event){
			"tree root":      func(q *proof.Event) { q.TreeRoot[0] ^= 1 },
			"seq + 1":        func(q *proof.Event) { q.Seq++ },
			"seq negative":   func(q *proof.Event) { q.Seq = -1 },
			"size + 1":       func(q *proof.Event) { q.Size++ },
			"size 0":         func(q *proof.Event) { q.Size = 0 },
			"event":          func(q *proof.Event) { q.Event = append(q.Event, 'x') },
			"first hash":     func(q *proof.Event) { q.Path[0][0] ^= 1 },
			"last hash":      func(q *proof.Event) { q.Path[len(q.Path)-1][31] ^= 1 },
			"hash too few":   func(q *proof.Event) { q.Path = q.Path[1:] },
			"hash too many":  func(q *proof.Event) { q.Path = append(q.Path, proof.Hash{}) },
			"path very long": func(q *proof.Event) { q.Path = make([]proof.Hash, 10_000) },
		} {
			var q proof.Event
			b, _ := json.Marshal(p)
			if err := json.Unmarshal(b, &q); err != nil {
				t.Fatal(err)
			}
			change(&q)
			if err := proof.VerifyEvent(app, q.Event, &q); !errors.Is(err, proof.ErrRefused) {
				t.Errorf("event %d, %s: %v", seq, name, err)
			}
		}
		if err := proof.VerifyEvent(app, key(size), &p); !errors.Is(err, proof.ErrRefused) {
			t.Errorf("event %d proves another one: %v", seq, err)
		}
	}
	if err := proof.VerifyEvent(app, nil, nil); !errors.Is(err, proof.ErrRefused) {
		t.Errorf("no proof: %v", err)
	}
}

func TestEveryLieAboutConsistencyIsRefused(t *testing.T) {
	const size = 40
	read, roots := logOf(t, size)
	for old := int64(1); old <= size; old++ {
		path, err := eventlog.Consistency(read, old, size)
		if err != nil {
			t.Fatal(err)
		}
		good := proof.Consistency{OldSize: old, NewSize: size, Path: path}
		if err := proof.VerifyConsistency(roots[old], roots[size], &good); err != nil {
			t.Errorf("%d to %d: %v", old, size, err)
		}
		wrong := proof.Hash{1}
		cases := map[string]error{
			"another new root": proof.VerifyConsistency(roots[old], wrong, &good),
			"another old root": proof.VerifyConsistency(wrong, roots[size], &good),
			"hash too many":    proof.VerifyConsistency(roots[old], roots[size], &proof.Consistency{OldSize: old, NewSize: size, Path: append(path[:len(path):len(path)], wrong)}),
			"shrinking":        proof.VerifyConsistency(roots[old], roots[size], &proof.Consistency{OldSize: size + 1, NewSize: size, Path: path}),
			"negative":         proof.VerifyConsistency(roots[old], roots[size], &proof.Consistency{OldSize: -1, NewSize: size, Path: path}),
			"no proof":         proof.VerifyConsistency(roots[old], roots[size], nil),
		}
		for name, err := range cases {
			if !errors.Is(err, proof.ErrRefused) {
				t.Errorf("%d to %d, %s: %v", old, size, name, err)
			}
		}
	}
	if err := proof.VerifyConsistency(roots[0], roots[1], &proof.Consistency{NewSize: 1}); !errors.Is(err, proof.ErrRefused) {
		t.Errorf("a proof from the empty log: %v", err)
	}
}
