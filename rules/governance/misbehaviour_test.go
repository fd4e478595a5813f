package governance_test

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"testing"

	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/rules/governance"
	"mulian/rules/rulestest"
	"mulian/state/machine"
)

const (
	removed = governancev1.Consequence_CONSEQUENCE_REMOVED
	kept    = governancev1.Consequence_CONSEQUENCE_KEPT
	gone    = governancev1.Consequence_CONSEQUENCE_GONE
)

// signedTwice is the proof that the founder's node signed two things at that height.
func signedTwice(w *rulestest.World, founder int, height int64) machine.Misbehaviour {
	address := sha256.Sum256(w.NodeKey(w.Founders[founder]))
	return machine.Misbehaviour{Address: [20]byte(address[:]), Wrong: machine.DoubleSign, Height: height, TimeMs: rulestest.Start, Power: 10}
}

// proved lets the next block prove these, and returns the record.
func proved(w *rulestest.World, list ...machine.Misbehaviour) []*governancev1.Misbehaviour {
	w.TB.Helper()
	w.Proved = list
	w.Wait(rulestest.Second)
	v := w.View()
	return governance.Misbehaviours(v)
}

// set is a vote that gives the founder's node another power.
func set(w *rulestest.World, founder int, power uint64) {
	w.TB.Helper()
	org := w.Founders[founder]
	w.Decide(&governancev1.Change{Kind: &governancev1.Change_SetValidator{SetValidator: &governancev1.Validator{PublicKey: w.NodeKey(org), Power: power, Org: org, Name: "node"}}})
}

func TestADoubleSignerLosesItsPowerAndTheProofStays(t *testing.T) {
	w := rulestest.Found(t, 1, 1, 1, 1)
	list := proved(w, signedTwice(w, 2, 1))
	org := w.Founders[2]
	if len(list) != 1 || list[0].Consequence != removed || list[0].Org != org || list[0].Name != "node" || list[0].Height != 1 ||
		list[0].Wrong != governancev1.Wrong_WRONG_DOUBLE_SIGN || string(list[0].PublicKey) != string(w.NodeKey(org)) || list[0].ProvedMs != w.Now {
		t.Fatalf("on record: %v", list)
	}
	if len(w.Validators) != 1 || w.Validators[0] != (machine.Validator{PublicKey: [32]byte(w.NodeKey(org))}) {
		t.Errorf("the engine is told %v, want the guilty one with power 0", w.Validators)
	}
	last := w.Events()[len(w.Events())-1]
	if last.Verb != "governance/misbehave" || last.Note != "removed" || len(last.Objects) != 3 || last.Actor != "" {
		t.Errorf("event %v", last)
	}
	v := w.View()
	if n := len(governance.Validators(v)); n != 3 {
		t.Errorf("%d validators, want 3", n)
	}
	if _, ok := governance.Member(v, org); !ok {
		t.Error("the organisation lost its vote with its node's power")
	}
	// The same proof again, and one of another height: a fact more, and nothing to take.
	if list = proved(w, signedTwice(w, 2, 1), signedTwice(w, 2, 2)); len(list) != 2 || list[1].Consequence != gone || list[1].Org != "" || len(w.Validators) != 0 {
		t.Errorf("then %v, the engine is told %v", list, w.Validators)
	}
	// A vote takes it in again, and then it can be removed again.
	set(w, 2, 10)
	if list = proved(w, signedTwice(w, 2, 9)); len(list) != 3 || list[2].Consequence != removed {
		t.Errorf("taken in again: %v", list)
	}
}

// TestAThirdOfThePowerIsForTheMembers: the boundary, on either side.
func TestAThirdOfThePowerIsForTheMembers(t *testing.T) {
	for _, c := range []struct {
		others, guilty uint64 // powers: three others with this each
		want           governancev1.Consequence
	}{{10, 10, removed}, {10, 14, removed}, {10, 15, kept}, {10, 1000, kept}} {
		w := rulestest.Found(t, 1, 1, 1, 1)
		if c.guilty != 10 {
			set(w, 3, c.guilty)
		}
		if list := proved(w, signedTwice(w, 3, 1)); len(list) != 1 || list[0].Consequence != c.want {
			t.Errorf("%d of %d: %v, want %s", c.guilty, 3*c.others+c.guilty, list, c.want)
		}
	}
	for n, want := range map[int]governancev1.Consequence{1: kept, 2: kept, 3: kept, 4: removed} {
		weights := make([]uint32, n)
		for i := range weights {
			weights[i] = 1
		}
		w := rulestest.Found(t, weights...)
		if list := proved(w, signedTwice(w, 0, 1)); len(list) != 1 || list[0].Consequence != want {
			t.Errorf("one of %d validators: %v, want %s", n, list, want)
		}
	}
}

// TestSeveralInOneBlockAreJudgedInTurn: all of four sign twice; one goes, and then each of
// three holds a third.
func TestSeveralInOneBlockAreJudgedInTurn(t *testing.T) {
	w := rulestest.Found(t, 1, 1, 1, 1)
	var list []machine.Misbehaviour
	for i := range 4 {
		list = append(list, signedTwice(w, i, 1))
	}
	count := map[governancev1.Consequence]int{}
	for _, m := range proved(w, list...) {
		count[m.Consequence]++
	}
	if v := w.View(); count[removed] != 1 || count[kept] != 3 || len(governance.Validators(v)) != 3 {
		t.Errorf("%v", count)
	}
}

func TestABlockBringsABoundedNumberOfProofs(t *testing.T) {
	w := rulestest.Found(t, 1, 1, 1, 1)
	var list []machine.Misbehaviour
	for h := range int64(governance.MaxMisbehaviours + 50) {
		list = append(list, signedTwice(w, 1, h+1))
	}
	if got := len(proved(w, list...)); got != governance.MaxMisbehaviours {
		t.Errorf("%d on record, want %d", got, governance.MaxMisbehaviours)
	}
}

// TestWhoeverLiesEnoughRemain: random proofs and votes. However it goes, there is a
// validator, no removal takes a third, and both replicas agree (rulestest compares them).
func TestWhoeverLiesEnoughRemain(t *testing.T) {
	for range 20 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			w := rulestest.Found(t, 1, 1, 1, 1, 1)
			for range 25 {
				before, total := governance.Validators(w.View()), powerOf(w)
				if r.IntN(3) == 0 {
					f := r.IntN(5)
					org := w.Founders[f]
					change := &governancev1.Change{Kind: &governancev1.Change_SetValidator{SetValidator: &governancev1.Validator{PublicKey: w.NodeKey(org), Power: r.Uint64N(30), Org: org, Name: "node"}}}
					if w.Do(w.Founders[0], &governancev1.Propose{Title: "x", Change: change}) == fault.OK {
						id := w.Outcome.Ids[0]
						for _, m := range w.Founders[1:] {
							w.Do(m, &governancev1.CastVote{Proposal: id, Yes: true})
						}
					}
					continue
				}
				var list []machine.Misbehaviour
				for range 1 + r.IntN(3) {
					list = append(list, signedTwice(w, r.IntN(5), 1+r.Int64N(40)))
				}
				proved(w, list...)
				// Each removal leaves more than two thirds of what was there.
				after, left := powerOf(w), powerOf(w)
				for range len(before) - len(governance.Validators(w.View())) {
					left *= 3
					total *= 2
				}
				if after == 0 || left < total || len(before) > len(governance.Validators(w.View())) && left == total {
					t.Fatalf("power %d is left of %v", after, before)
				}
			}
		})
	}
}

func powerOf(w *rulestest.World) (total uint64) {
	for _, n := range governance.Validators(w.View()) {
		total += n.Power
	}
	return total
}
