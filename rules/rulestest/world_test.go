package rulestest_test

import (
	"testing"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/code"
	"mulian/internal/fault"
	"mulian/rules/governance"
	"mulian/rules/identity"
	"mulian/rules/rulestest"
)

// TestWorld walks through the kit once: whoever writes a test of a noun begins here.
func TestWorld(t *testing.T) {
	w := rulestest.Found(t, 40, 30, 30)
	if len(w.Validators) != 3 {
		t.Fatalf("the genesis has the validators %v", w.Validators)
	}
	tax := w.Org("税务局")
	gate := w.Gateway(tax, "main")
	officer := w.Post(tax, "officer")
	li := w.Person(1)
	for _, id := range []string{tax, gate, officer, li} {
		if err := identity.Check(w.Account(id)); err != nil {
			t.Error(err)
		}
	}
	w.Want(fault.Forbidden, li, &identityv1.RegisterUnit{Kind: identityv1.AccountKind_ACCOUNT_KIND_POST, LocalId: "x", Name: "x"})
	w.Decide(&governancev1.Change{Kind: &governancev1.Change_AdmitMember{AdmitMember: &governancev1.Member{Org: tax, Weight: 20}}})
	if m, ok := governance.Member(w.View(), tax); !ok || m.SinceMs != w.Now {
		t.Errorf("the tax office is the member %v", m)
	}
	w.Lag(3)
	for n := 2; n < 9; n++ {
		w.Person(n)
	}
	w.Wait(rulestest.Day)
}

// TestCodesAreWellFormed: the made-up organisations pass the check that real ones do.
func TestCodesAreWellFormed(t *testing.T) {
	for n := range 1000 {
		if err := code.CheckUSCC(rulestest.Code(n)); err != nil {
			t.Fatal(err)
		}
	}
}
