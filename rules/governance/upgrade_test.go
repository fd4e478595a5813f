package governance_test

import (
	"strings"
	"testing"

	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/rules/governance"
	"mulian/rules/rulestest"
)

// upgrade is to a protocol, so many blocks after the next one.
func upgrade(w *rulestest.World, name string, protocol uint32, ahead int64) *governancev1.Change {
	return &governancev1.Change{Kind: &governancev1.Change_Upgrade{Upgrade: &governancev1.Upgrade{Name: name, Protocol: protocol, Height: w.Height() + 1 + ahead + int64(len(w.Founders))}}}
}

// TestUpgrade: new rules are in force from their height on, not before, and no second
// upgrade waits beside one.
func TestUpgrade(t *testing.T) {
	w := rulestest.Found(t, 50, 50)
	a := w.Founders[0]
	two := upgrade(w, "two", 2, 20)
	w.Decide(two)
	at := two.GetUpgrade().Height
	if p := governance.Protocol(w.View()); p.InForce != 1 || p.Pending.GetHeight() != at {
		t.Fatalf("%v", p)
	}
	w.Want(fault.IllegalTransition, a, &governancev1.Propose{Title: "x", Change: upgrade(w, "three", 3, 30)})
	for w.Height() < at-1 {
		if p := governance.Protocol(w.View()); p.InForce != 1 {
			t.Fatalf("after block %d protocol %d is in force, due at %d", w.Height(), p.InForce, at)
		}
		w.Block()
	}
	if p := governance.Protocol(w.View()); p.InForce != 2 || p.SinceHeight != at || p.Pending != nil {
		t.Fatalf("after block %d: %v, due at %d", w.Height(), p, at)
	}
	w.Block()
	w.Want(fault.OutOfRange, a, &governancev1.Propose{Title: "x", Change: upgrade(w, "back", 2, 30)})
	w.Decide(upgrade(w, "three", 3, 20))
}

// TestUpgradeCancelled: nothing comes into force, and another one may be decided.
func TestUpgradeCancelled(t *testing.T) {
	w := rulestest.Found(t, 50, 50)
	cancel := &governancev1.Change{Kind: &governancev1.Change_CancelUpgrade{CancelUpgrade: "two"}}
	w.Want(fault.NotFound, w.Authority, &governancev1.Propose{Title: "x", Change: cancel})
	two := upgrade(w, "two", 2, governance.MinAhead)
	w.Decide(two)
	w.Decide(cancel)
	for w.Height() < two.GetUpgrade().Height+2 {
		w.Block()
	}
	if p := governance.Protocol(w.View()); p.InForce != 1 || p.Pending != nil {
		t.Fatalf("%v", p)
	}
	w.Decide(upgrade(w, "two", 2, 20))
}

// TestUpgradeDecidedTooLate: a vote that drags on beyond the height decides nothing.
func TestUpgradeDecidedTooLate(t *testing.T) {
	w := rulestest.Found(t, 50, 50)
	id := propose(w, w.Founders[0], upgrade(w, "two", 2, governance.MinAhead))
	for range governance.MinAhead {
		w.Block()
	}
	w.Must(w.Founders[1], yes(id))
	wantState(w, id, rejected)
	if p := governance.Protocol(w.View()); p.Pending != nil {
		t.Errorf("%v", p)
	}
}

// TestRefusedUpgrades walks what an upgrade must be.
func TestRefusedUpgrades(t *testing.T) {
	w := rulestest.Found(t, 100)
	for name, c := range map[string]struct {
		want   fault.Code
		change func(*governancev1.Upgrade)
	}{
		"no name":         {fault.Malformed, func(u *governancev1.Upgrade) { u.Name = "" }},
		"a name in words": {fault.Malformed, func(u *governancev1.Upgrade) { u.Name = "Two 2" }},
		"in force":        {fault.OutOfRange, func(u *governancev1.Upgrade) { u.Protocol = 1 }},
		"none":            {fault.OutOfRange, func(u *governancev1.Upgrade) { u.Protocol = 0 }},
		"absurd":          {fault.OutOfRange, func(u *governancev1.Upgrade) { u.Protocol = governance.MaxProtocol + 1 }},
		"past":            {fault.OutOfRange, func(u *governancev1.Upgrade) { u.Height = 1 }},
		"too soon":        {fault.OutOfRange, func(u *governancev1.Upgrade) { u.Height = w.Height() + governance.MinAhead }},
		"never":           {fault.OutOfRange, func(u *governancev1.Upgrade) { u.Height = 1 << 60 }},
		"long notes":      {fault.TooLong, func(u *governancev1.Upgrade) { u.Notes = strings.Repeat("x", 501) }},
		"no hash":         {fault.Malformed, func(u *governancev1.Upgrade) { u.NotesSha256 = []byte{1} }},
	} {
		u := upgrade(w, "two", 2, 100)
		c.change(u.GetUpgrade())
		if got := w.Do(w.Authority, &governancev1.Propose{Title: "x", Change: u}); got != c.want {
			t.Errorf("%s: %s (%s), want %s", name, got, w.Text, c.want)
		}
	}
}
