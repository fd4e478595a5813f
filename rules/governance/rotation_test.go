package governance_test

import (
	"testing"

	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/rules/governance"
	"mulian/rules/rulestest"
)

// nodeKey returns the n-th Ed25519 public key of made-up validators.
func nodeKey(n byte) []byte {
	k, err := sm.FromSeed(sm.Ed25519, [32]byte{n})
	if err != nil {
		panic(err)
	}
	return k.Public().Bytes()
}

// rotation gives the organisation's first validator the n-th key, and the m-th SM2 key.
func rotation(w *rulestest.World, org string, n, m byte) *governancev1.Change {
	r := &governancev1.ValidatorRotation{OldKey: w.NodeKey(org), NewKey: nodeKey(n)}
	if m > 0 {
		r.NewSm2Key = sm2Key(m)
	}
	return &governancev1.Change{Kind: &governancev1.Change_ReplaceValidatorKey{ReplaceValidatorKey: r}}
}

// powers returns the power of each validator by its key.
func powers(w *rulestest.World) map[string]uint64 {
	out := map[string]uint64{}
	for _, n := range governance.Validators(w.View()) {
		out[string(n.PublicKey)] = n.Power
	}
	return out
}

// TestAKeyIsReplacedInOneStep: the engine is told both halves in one block, and no sum
// of powers changes.
func TestAKeyIsReplacedInOneStep(t *testing.T) {
	w := rulestest.Found(t, 50, 50)
	a, b := w.Founders[0], w.Founders[1]
	w.Decide(pinned(w, a, 10, 1))
	w.Decide(rotation(w, a, 9, 2))
	if len(w.Validators) != 2 {
		t.Fatalf("the engine was told %v", w.Validators)
	}
	sum := int64(0)
	for _, v := range w.Validators {
		switch string(v.PublicKey[:]) {
		case string(nodeKey(9)):
			sum += v.Power
		case string(w.NodeKey(a)):
			if v.Power != 0 {
				t.Errorf("the old key keeps power %d", v.Power)
			}
		default:
			t.Errorf("the engine was told of %x", v.PublicKey)
		}
	}
	if now := powers(w); sum != 10 || len(now) != 2 || now[string(nodeKey(9))] != 10 || now[string(w.NodeKey(b))] != 10 {
		t.Fatalf("the new key has %d; validators %v", sum, now)
	}
	for _, n := range governance.Validators(w.View()) {
		if n.Org == a && (n.Name != "node" || string(n.Sm2Key) != string(sm2Key(2))) {
			t.Errorf("the rotated validator is %v", n)
		}
	}
	w.Want(fault.NotFound, a, &governancev1.Propose{Title: "x", Change: rotation(w, a, 8, 0)}) // the old key is gone
	again := rotation(w, b, 9, 0)
	w.Want(fault.Duplicate, a, &governancev1.Propose{Title: "x", Change: again}) // of another validator
	w.Want(fault.Duplicate, a, &governancev1.Propose{Title: "x", Change: rotation(w, b, 8, 2)})
	w.Decide(rotation(w, b, 8, 3))
	bad := rotation(w, a, 7, 0)
	bad.GetReplaceValidatorKey().OldKey = nodeKey(9)[:31]
	w.Want(fault.Malformed, a, &governancev1.Propose{Title: "x", Change: bad})
	bad.GetReplaceValidatorKey().OldKey, bad.GetReplaceValidatorKey().NewKey = nodeKey(9), nil
	w.Want(fault.Malformed, a, &governancev1.Propose{Title: "x", Change: bad})
}

// TestARotationKeepsThePin: without a new SM2 key the old one stays pinned, and it may be
// named again.
func TestARotationKeepsThePin(t *testing.T) {
	w := rulestest.Found(t, 50, 50)
	w.Decide(pinned(w, w.Founders[0], 10, 1))
	w.Decide(rotation(w, w.Founders[0], 9, 0))
	same := &governancev1.Change{Kind: &governancev1.Change_ReplaceValidatorKey{ReplaceValidatorKey: &governancev1.ValidatorRotation{OldKey: nodeKey(9), NewKey: nodeKey(10), NewSm2Key: sm2Key(1)}}}
	w.Decide(same)
	for _, n := range governance.Validators(w.View()) {
		if n.Org == w.Founders[0] && string(n.Sm2Key) != string(sm2Key(1)) {
			t.Errorf("the pin is %x", n.Sm2Key)
		}
	}
}

// TestTwoRotationsOfOneKey: the second finds the key gone.
func TestTwoRotationsOfOneKey(t *testing.T) {
	w := rulestest.Found(t, 50, 50)
	first := propose(w, w.Founders[0], rotation(w, w.Founders[0], 8, 0))
	second := propose(w, w.Founders[0], rotation(w, w.Founders[0], 9, 0))
	w.Must(w.Founders[1], yes(first))
	w.Must(w.Founders[1], yes(second))
	wantState(w, first, accepted)
	wantState(w, second, rejected)
}
