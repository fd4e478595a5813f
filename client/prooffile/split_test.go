package prooffile

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"testing"

	"mulian/internal/fault"
	"mulian/state/proof"
)

// note is a checkpoint of a log of events, signed by a validator, in the form of C2SP
// signed notes: written here a second time, from the text of the standard.
func note(w *world, genesis [32]byte, size int, root proof.Hash, by member) []byte {
	origin := Origin(w.chain, genesis)
	body := fmt.Sprintf("%s\n%d\n%s\n", origin, size, base64.StdEncoding.EncodeToString(root[:]))
	sig := append(sum(append([]byte(origin+"\n\x01"), by.public()...))[:4], ed25519.Sign(by.key, []byte(body))...)
	return []byte(body + "\n— " + origin + " " + base64.StdEncoding.EncodeToString(sig) + "\n")
}

// splitVectors shows the log of events of a chain and of its fork to different people.
func splitVectors(t testing.TB, s *story, add func(name, shows string, m *Maker, from *Checkpoint, file []byte, code fault.Code, step string)) {
	t.Helper()
	ctx, ok, m := context.Background(), must(t), s.maker
	a, b, late := validator(t, "a", 10, true), validator(t, "b", 10, true), s.set(s.height)[0]
	size := len(s.events)
	honest := note(s.world, m.hash, size, logRoot(s.events), a)
	fork := append(append([][]byte{}, s.events[:size-3]...), []byte("never agreed"), s.events[size-2], s.events[size-1])
	forked := note(s.world, m.hash, size, logRoot(fork), b)
	same := ok(m.Split(ctx, Split{Notes: [2][]byte{honest, forked}}))
	add("split", "two roots of one size, signed by two validators", m, nil, same, 0, "")
	add("split-one", "two roots of one size, signed by one validator that has left since", m, nil, ok(m.Split(ctx, Split{Notes: [2][]byte{honest, note(s.world, m.hash, size, logRoot(fork), a)}})), 0, "")
	add("split-late", "by a validator that came later, which a block shows", m, nil, ok(m.Split(ctx, Split{Notes: [2][]byte{honest, note(s.world, m.hash, size, logRoot(fork), late)}})), 0, "")

	longer := append(append([][]byte{}, fork...), []byte("more"))
	event, way := longer[size-1], logPath(size-1, longer)
	root := logRoot(longer[:size])
	grown := ok(m.Split(ctx, Split{Notes: [2][]byte{note(s.world, m.hash, len(longer), logRoot(longer), b), honest}, Root: root[:], Path: wayBetween(event, uint64(size), way)}))
	add("split-grown", "a newer checkpoint whose beginning is not the older one", m, nil, grown, 0, "")

	bad := func(name, shows string, from []byte, code fault.Code, step string, edit func(c *content, x *split)) {
		tree, err := parse(from)
		if err != nil {
			t.Fatal(err)
		}
		c, x, err := readSplit(tree)
		if err != nil {
			t.Fatal(err)
		}
		edit(c, x)
		add("bad-split-"+name, shows, m, nil, x.node(c).bytes(), code, step)
	}
	bad("same", "one checkpoint twice", same, unproved, "finding", func(_ *content, x *split) { x.notes[1] = x.notes[0] })
	bad("order", "the checkpoints in the other order", same, unproved, "finding", func(_ *content, x *split) { x.notes[0], x.notes[1] = x.notes[1], x.notes[0] })
	bad("stranger", "a checkpoint that nobody of the chain has signed", same, fault.NotWhitelisted, "key", func(_ *content, x *split) {
		x.notes[0] = note(s.world, m.hash, size, logRoot(fork), validator(t, "nobody", 10, false))
	})
	bad("signature", "a checkpoint with another signature", same, fault.BadAuthorisation, "signature", func(_ *content, x *split) {
		x.notes[0] = bytes.Replace(x.notes[0], fmt.Appendf(nil, "\n%d\n", size), fmt.Appendf(nil, "\n%d\n", size+1), 1)
	})
	bad("origin", "a checkpoint of another chain", same, unproved, "finding", func(_ *content, x *split) {
		w := *s.world
		w.chain = "another"
		x.notes[0] = note(&w, m.hash, size, logRoot(fork), a)
	})
	bad("path", "a path that leads elsewhere", grown, unproved, "finding", func(_ *content, x *split) { flipByte(x.path) })
	bad("consistent", "a newer checkpoint of the same log", grown, unproved, "finding", func(_ *content, x *split) {
		more := append(append([][]byte{}, s.events...), []byte("more"))
		r := logRoot(s.events)
		x.notes[1], x.root, x.path = note(s.world, m.hash, size+1, logRoot(more), a), r[:], nil
		for _, h := range wayBetween(more[size-1], uint64(size), logPath(size-1, more)) {
			x.path = append(x.path, h...)
		}
	})
	bad("statement", "a statement that says something else", same, unproved, "statement", func(c *content, _ *split) { c.statement.list[4].text = "two roots" })
}

// TestWaysBetweenSizes: the way that is made of the way of one event is the consistency proof
// of RFC 6962, for all sizes up to 40.
func TestWaysBetweenSizes(t *testing.T) {
	var events [][]byte
	for size := range 41 {
		for old := 1; old <= size; old++ {
			var path []proof.Hash
			for _, h := range wayBetween(events[old-1], uint64(old), logPath(old-1, events)) {
				path = append(path, proof.Hash(h))
			}
			if old == size {
				path = nil
			}
			p := &proof.Consistency{OldSize: int64(old), NewSize: int64(size), Path: path}
			if err := proof.VerifyConsistency(logRoot(events[:old]), logRoot(events), p); err != nil {
				t.Errorf("from %d to %d: %v", old, size, err)
			}
		}
		events = append(events, fmt.Appendf(nil, "event %d", size))
	}
}

// TestTheLogIsTheConsortiums: size, root and consistency as the header and the events have
// them, and no word of a server that lies.
func TestTheLogIsTheConsortiums(t *testing.T) {
	s := handed(t)
	ctx := context.Background()
	size, root, err := s.maker.Log(ctx)
	want := logRoot(s.events)
	if err != nil || int(size) != len(s.events) || root != [32]byte(want) {
		t.Fatalf("%d, %x, %v", size, root, err)
	}
	for _, old := range []uint64{1, 2, 7, 32, size - 1, size} {
		was, path, err := s.maker.Consistency(ctx, old, size, root)
		if first := logRoot(s.events[:old]); err != nil || was != [32]byte(first) || (len(path) == 0) != (old == size) {
			t.Errorf("from %d: %x, %v", old, was, err)
		}
	}
	if _, _, err := s.maker.Consistency(ctx, 5, size, [32]byte{1}); !fault.Is(err, fault.VerificationFailed) {
		t.Errorf("to another root: %v", err)
	}
	if _, err := s.maker.Split(ctx, Split{Notes: [2][]byte{[]byte("a\n1\nb\n"), nil}}); !fault.Is(err, fault.Malformed) {
		t.Errorf("a split of no checkpoints: %v", err)
	}
}
