package governance_test

import (
	"bytes"
	"testing"

	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/rules/governance"
	"mulian/rules/rulestest"
)

// sm2Key returns the n-th public key of made-up validators.
func sm2Key(n byte) []byte {
	k, err := sm.FromSeed(sm.SM2, [32]byte{n})
	if err != nil {
		panic(err)
	}
	return k.Public().Bytes()
}

// pinned is node with the n-th SM2 key.
func pinned(w *rulestest.World, org string, power uint64, n byte) *governancev1.Change {
	c := node(w, org, power)
	c.GetSetValidator().Sm2Key = sm2Key(n)
	return c
}

// TestSM2KeysArePinnedByVote: a vote pins and replaces a validator's SM2 key, a vote
// that does not name it leaves it, and no key is pinned for two.
func TestSM2KeysArePinnedByVote(t *testing.T) {
	w := rulestest.Found(t, 50, 50)
	want := func(org string, n byte) {
		t.Helper()
		for _, v := range governance.Validators(w.View()) {
			if v.Org == org && (n == 0 && len(v.Sm2Key) > 0 || n > 0 && !bytes.Equal(v.Sm2Key, sm2Key(n))) {
				t.Errorf("%s has the SM2 key %x, want number %d", org, v.Sm2Key, n)
			}
		}
	}
	a, b := w.Founders[0], w.Founders[1]
	want(a, 0)
	w.Decide(pinned(w, a, 10, 1))
	want(a, 1)
	w.Decide(node(w, a, 20)) // says nothing of the key
	want(a, 1)
	w.Want(fault.Duplicate, a, &governancev1.Propose{Title: "x", Change: pinned(w, b, 10, 1)})
	w.Decide(pinned(w, a, 20, 2))
	want(a, 2)
	w.Decide(pinned(w, b, 10, 1)) // free again
	want(b, 1)

	bad := pinned(w, b, 10, 3)
	bad.GetSetValidator().Sm2Key[64] ^= 1
	w.Want(fault.Malformed, a, &governancev1.Propose{Title: "x", Change: bad})
	bad.GetSetValidator().Sm2Key = make([]byte, 64)
	w.Want(fault.Malformed, a, &governancev1.Propose{Title: "x", Change: bad})
	w.Want(fault.Malformed, a, &governancev1.Propose{Title: "x", Change: pinned(w, b, 0, 3)})
	w.Decide(node(w, b, 0))
	w.Decide(pinned(w, a, 20, 1)) // who is gone holds no key
	want(a, 1)
}

// TestTwoProposalsOfOneKey: what passed when it was proposed may be impossible when it
// is decided.
func TestTwoProposalsOfOneKey(t *testing.T) {
	w := rulestest.Found(t, 50, 50)
	first := propose(w, w.Founders[0], pinned(w, w.Founders[0], 10, 1))
	second := propose(w, w.Founders[0], pinned(w, w.Founders[1], 10, 1))
	w.Must(w.Founders[1], yes(first))
	w.Must(w.Founders[1], yes(second))
	wantState(w, first, accepted)
	wantState(w, second, rejected)
}
