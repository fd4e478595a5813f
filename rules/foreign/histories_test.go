package foreign_test

import (
	"testing"

	"pgregory.net/rapid"

	"mulian/client/light/steptest"
	foreignv1 "mulian/gen/mulian/foreign/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
	"mulian/rules/foreign"
	"mulian/rules/rulestest"
	"mulian/rules/towntest"
)

// TestGolden pins the state and the events after a fixed history that uses every verb and
// change. A change of it is a change of the chain: it needs a new state version and a note
// in docs/decisions.
func TestGolden(t *testing.T) {
	p := newPair(t, 4)
	p.follow()
	p.town = towntest.New(t)
	p.town.Publish(nil)
	head := p.commit()
	p.Must(p.who, p.prove(head, "catalogue/entry/"+p.town.EntryID))
	p.Must(p.who, p.prove(head, "share/agreement/0000000000000000"))
	p.Decide(replace(trustRoot(t, p.other, p.other.Make())))
	b := p.other.Skip(3)
	p.Must(p.who, p.update(b))
	p.Must(p.who, p.freeze(b, p.lie(b)))
	p.Decide(thaw(trustRoot(t, p.other, p.other.Make())))
	p.Decide(remove(chainB))
	const want = "75eb80e98fe9cbdcaac68cb1353cc79bdaf8387a54573898ee04c6908907bb1e"
	if got := p.AppHash(); got != want {
		t.Errorf("app hash %s, want %s", got, want)
	}
}

// TestHistories runs random histories on two replicas, which must agree, against a model
// that knows nothing of signatures: it remembers which blocks there are, true and false.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := newPair(t, 3)
		root := p.follow()
		blocks := []*ledgerv1.LightBlock{root} // all true ones, in order
		height, kept, state := int64(1), map[int64]bool{1: true}, active
		bring := func(rt *rapid.T, b *ledgerv1.LightBlock, want fault.Code) {
			if got := p.Do(p.who, p.update(b)); got != want {
				rt.Fatalf("header %d: %s (%s), the model says %s", b.SignedHeader.Header.Height, got, p.Text, want)
			}
		}
		expect := func(b *ledgerv1.LightBlock) fault.Code {
			h := b.SignedHeader.Header.Height
			switch {
			case state == frozen:
				return fault.ForeignFrozen
			case kept[h]:
				return fault.OK
			case h <= height:
				return fault.VersionConflict
			}
			return fault.OK
		}
		rt.Repeat(map[string]func(*rapid.T){
			"make": func(*rapid.T) {
				blocks = append(blocks, p.other.Make())
				p.Now += rulestest.Second
			},
			"true": func(rt *rapid.T) {
				b := rapid.SampledFrom(blocks).Draw(rt, "block")
				want := expect(b)
				bring(rt, b, want)
				if h := b.SignedHeader.Header.Height; want == fault.OK && h > height {
					height, kept[h] = h, true
				}
			},
			"false": func(rt *rapid.T) {
				b := rapid.SampledFrom(blocks).Draw(rt, "block")
				lie := p.lie(b)
				weak := rapid.Bool().Draw(rt, "weak")
				if weak {
					p.other.Sign(lie, p.other.Node(0), p.other.Node(1))
				}
				h := b.SignedHeader.Header.Height
				switch {
				case state == frozen:
					bring(rt, lie, fault.ForeignFrozen)
				case h <= height:
					bring(rt, lie, fault.VersionConflict)
				case weak:
					bring(rt, lie, fault.VerificationFailed)
				}
			},
			"freeze": func(rt *rapid.T) {
				b := rapid.SampledFrom(blocks).Draw(rt, "block")
				other, want := p.lie(b), fault.OK
				switch rapid.IntRange(0, 2).Draw(rt, "how") {
				case 0:
					p.other.Sign(other, p.other.Node(0), p.other.Node(2))
					want = fault.VerificationFailed
				case 1:
					other, want = b, fault.CodeInconsistent
				}
				if b.SignedHeader.Header.Height < p.chain().RootHeight && want != fault.CodeInconsistent {
					want = fault.OutOfRange
				}
				if state == frozen {
					want = fault.ForeignFrozen
				}
				if got := p.Do(p.who, p.freeze(b, other)); got != want {
					rt.Fatalf("freeze: %s (%s), the model says %s", got, p.Text, want)
				}
				if want == fault.OK {
					state = frozen
				}
			},
			"thaw": func(rt *rapid.T) {
				if state != frozen {
					rt.Skip()
				}
				b := rapid.SampledFrom(blocks).Draw(rt, "block")
				p.Decide(thaw(trustRoot(t, p.other, b)))
				height, state = b.SignedHeader.Header.Height, active
				kept = map[int64]bool{height: true}
			},
			"": func(rt *rapid.T) {
				c := p.chain() // with its invariants
				if c.Height != height || c.State != state || int(c.Kept) != len(kept) {
					rt.Fatalf("height %d, %s, %d kept; the model says %d, %s, %d", c.Height, c.State, c.Kept, height, state, len(kept))
				}
			},
		})
	})
}

// FuzzUpdate: no bytes make a rule panic, and none that were not signed are believed.
func FuzzUpdate(f *testing.F) {
	seed := steptest.New(f, chainB, 2, 1_772_413_200_000)
	f.Add(steptest.Raw(f, seed.Make()))
	f.Add(steptest.Raw(f, seed.Skip(3)))
	p := newPair(f, 2)
	p.follow()
	believed := p.chain().Height
	signed := map[string]bool{}
	for range 8 {
		signed[string(steptest.Raw(f, p.other.Make()))] = true
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p.Under(t)
		code := p.Do(p.who, &foreignv1.UpdateForeignHeaders{ChainId: chainB, LightBlocks: [][]byte{raw}})
		if code == fault.Internal {
			t.Fatal(p.Text)
		}
		if c, _ := foreign.FindChain(p.View(), chainB); c.Height != believed && !signed[string(raw)] {
			t.Fatalf("a header that nobody signed is believed: %d", c.Height)
		}
	})
}
