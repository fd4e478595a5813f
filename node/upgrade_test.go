package node

import (
	"context"
	"fmt"
	"testing"
	"time"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/rules"
)

// TestAProgramStopsBeforeAnUnknownProtocol: the status tells of the upgrade; the node ends
// after the block before, with its code, and does not open again. The newer program is
// tried with real processes in city/trial.
func TestAProgramStopsBeforeAnUnknownProtocol(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	w := newTown(t)
	if _, err := Init(w.home, w.genesis); err != nil {
		t.Fatal(err)
	}
	n := w.open(t)
	first, err := n.Status(ctx)
	if err != nil || first.GetProtocol().GetInForce() != 1 || first.GetProgramProtocol() != rules.Protocol() {
		t.Fatalf("%v, %v", first, err)
	}
	at := first.GetHeight() + 20
	vote := w.Body(w.Authority, &governancev1.Propose{Title: "升级", Change: &governancev1.Change{Kind: &governancev1.Change_Upgrade{Upgrade: &governancev1.Upgrade{Name: "next", Protocol: rules.Protocol() + 1, Height: at}}}})
	sent, err := n.Submit(ctx, w.Seal(vote, w.Key(w.Authority, identityv1.KeyLevel_KEY_LEVEL_ROOT)))
	if err != nil || sent.GetOutcome().GetCode() != 0 {
		t.Fatalf("%v, %v", sent, err)
	}
	st, err := n.Status(ctx)
	if err != nil || st.GetProtocol().GetPending().GetHeight() != at {
		t.Fatalf("%v, %v", st, err)
	}
	for i := range at {
		if sent, err := n.Submit(ctx, w.duties(fmt.Sprint(i), "企业登记")); err != nil || sent.GetOutcome().GetHeight() >= at-1 {
			break
		}
	}
	select {
	case <-n.Failed():
	case <-ctx.Done():
		st, _ := n.Status(context.Background())
		t.Fatalf("the node goes on: %v", st)
	}
	if !fault.Is(n.Err(), fault.Outdated) {
		t.Errorf("it ended with %v", n.Err())
	}
	if h := n.Ledger().Height(); h != at-1 {
		t.Errorf("it ended at height %d, want %d", h, at-1)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Open(ctx, Config{Home: w.home}); !fault.Is(err, fault.Outdated) {
		t.Errorf("it opens again: %v", err)
	}
}
