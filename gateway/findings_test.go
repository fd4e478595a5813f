package gateway_test

import (
	"context"
	"net/http"
	"testing"

	rpc "connectrpc.com/connect"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	consolev1 "mulian/gen/mulian/console/v1"
	"mulian/gen/mulian/console/v1/consolev1connect"
	"mulian/internal/fault"
)

// TestFindingsOfRealActs: a column is renamed under an agreement in force, and the asker goes
// on asking for it: the drift and the refusals are findings, each with its object and count; a
// drift that is put right is none any more.
func TestFindingsOfRealActs(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(10)
	door := w.open(w.planningConfig())
	tap := w.open(w.waterConfig())
	w.publish(door)
	agreement := w.agree(byQuery, nil)
	if _, err := tap.Query(t.Context(), agreement, w.entry, nil, 0, no("P0000001")); err != nil {
		t.Fatal(err)
	}
	o := consolev1connect.NewOverviewServiceClient(http.DefaultClient, w.url)
	found := func(kind consolev1.ConcernKind) (c *consolev1.Concern, total int64) {
		t.Helper()
		res, err := o.ListFindings(t.Context(), rpc.NewRequest(&consolev1.ListFindingsRequest{}))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range res.Msg.GetRules() {
			if r.GetKind() == kind {
				total = r.GetTotal()
			}
		}
		for _, f := range res.Msg.GetFindings() {
			if f.GetKind() == kind {
				c = f
			}
		}
		return c, total
	}
	const drifted, refused = consolev1.ConcernKind_CONCERN_KIND_DRIFT_IN_FORCE, consolev1.ConcernKind_CONCERN_KIND_REFUSED
	if c, n := found(drifted); c != nil || n != 0 {
		t.Fatalf("before anything has drifted: %v", c)
	}

	w.exec(w.permits, "ALTER TABLE permit RENAME COLUMN area TO surface")
	drift := "catalogue/drift/" + w.door + ":plan.permit@1"
	w.eventually("the drift is on the ledger", func() bool {
		ok, err := w.chain.Get(context.Background(), drift, &cataloguev1.Drift{})
		return err == nil && ok
	})
	for range 12 {
		_, err := tap.Query(t.Context(), agreement, w.entry, nil, 0, no("P0000001"))
		want(t, fault.EntryDrifted, err)
	}
	w.eventually("the drift is a finding", func() bool { c, _ := found(drifted); return c != nil })
	if c, n := found(drifted); n != 1 || c.GetObject() != drift || c.GetCount() != 1 || c.GetSeverity() != consolev1.Severity_SEVERITY_GRAVE || c.GetTitle() != "permit" || c.GetOrg() != w.planning.Account {
		t.Errorf("%d findings, %v", n, c)
	}
	// At least: on a busy machine a gateway asks again when an answer is late, and is refused again.
	w.eventually("the refusals are a finding", func() bool { c, _ := found(refused); return c.GetCount() >= 12 })
	if c, n := found(refused); n != 1 || c.GetCount() > 24 || c.GetObject() != "share/agreement/"+agreement || c.GetUsual() != 1 {
		t.Errorf("%d findings, %v", n, c)
	}

	w.exec(w.permits, "ALTER TABLE permit RENAME COLUMN surface TO area")
	w.eventually("the gateway has seen the column again", func() bool {
		_, err := w.chain.Send(context.Background(), w.planning, &cataloguev1.SettleDrift{Drift: w.door + ":plan.permit@1", Settlement: cataloguev1.Settlement_SETTLEMENT_ROLLED_BACK})
		return err == nil
	})
	w.eventually("what is settled is no finding", func() bool { c, n := found(drifted); return c == nil && n == 0 })
}
