package server_test

import (
	"net/http"
	"testing"

	"connectrpc.com/connect"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	consolev1 "mulian/gen/mulian/console/v1"
	"mulian/gen/mulian/console/v1/consolev1connect"
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// TestOverviewCountsWhatIsListed: each figure is that of its list; a new block is counted;
// what is out of bounds is refused.
func TestOverviewCountsWhatIsListed(t *testing.T) {
	m := start(t)
	ctx := t.Context()
	m.duty(t, "1")
	m.duty(t, "2")
	o := consolev1connect.NewOverviewServiceClient(http.DefaultClient, m.url)
	seen, err := o.GetOverview(ctx, connect.NewRequest(&consolev1.GetOverviewRequest{}))
	if err != nil || seen.Msg.GetDepartments() != 1 || seen.Msg.GetShared() != 0 || seen.Msg.GetConcernsTotal() != 0 || seen.Msg.GetTimeMs()-seen.Msg.GetFromMs() > 24*3600_000 {
		t.Fatalf("overview %v, %v", seen, err)
	}
	found, err := o.ListFindings(ctx, connect.NewRequest(&consolev1.ListFindingsRequest{}))
	if err != nil || len(found.Msg.GetRules()) != 10 || len(found.Msg.GetFindings()) != 0 || found.Msg.GetTimeMs() < seen.Msg.GetTimeMs() || found.Msg.GetHeight() < seen.Msg.GetHeight() {
		t.Fatalf("findings %v, %v", found, err)
	}
	cells, err := o.GetCoverage(ctx, connect.NewRequest(&consolev1.GetCoverageRequest{}))
	if err != nil || len(cells.Msg.GetCells()) != 1 || cells.Msg.GetCells()[0].GetDuties() != 2 || cells.Msg.GetCells()[0].GetMissing() != 2 {
		t.Fatalf("coverage %v, %v", cells, err)
	}
	listed, err := o.ListCovered(ctx, connect.NewRequest(&consolev1.ListCoveredRequest{Org: m.code, Power: cataloguev1.PowerType_POWER_TYPE_LICENSING}))
	if err != nil || len(listed.Msg.GetDuties()) != 2 || listed.Msg.GetTotal() != 2 {
		t.Errorf("duties of the cell %v, %v", listed, err)
	}
	signers, err := o.ListSigners(ctx, connect.NewRequest(&consolev1.ListSignersRequest{}))
	if err != nil || len(signers.Msg.GetSigners()) != 1 || signers.Msg.GetSigners()[0].GetSigned() != signers.Msg.GetLooked() || signers.Msg.GetSigners()[0].GetLastHeight() != signers.Msg.GetHeight() {
		t.Errorf("signers %v, %v", signers, err)
	}
	for _, days := range []uint32{32, 1 << 31} {
		if _, err := o.GetOverview(ctx, connect.NewRequest(&consolev1.GetOverviewRequest{Days: days})); !fault.Is(wire.Fault(err), fault.OutOfRange) {
			t.Errorf("%d days: %v", days, err)
		}
	}
	if _, err := o.GetVote(ctx, connect.NewRequest(&consolev1.GetVoteRequest{Id: "none"})); !fault.Is(wire.Fault(err), fault.NotFound) {
		t.Errorf("no such proposal: %v", err)
	}
	// The only member's own vote decides at once: it is listed, and waits for nobody.
	m.send(t, &governancev1.Propose{Title: "日历", Change: &governancev1.Change{Kind: &governancev1.Change_SetCalendar{SetCalendar: &governancev1.CalendarYear{Year: 2027, Source: "国办发明电"}}}})
	votes, err := o.ListVotes(ctx, connect.NewRequest(&consolev1.ListVotesRequest{}))
	if err != nil || len(votes.Msg.GetVotes()) != 1 {
		t.Fatalf("votes %v, %v", votes, err)
	}
	v := votes.Msg.GetVotes()[0]
	if v.GetProposal().GetState() != governancev1.ProposalState_PROPOSAL_STATE_ACCEPTED || v.GetYes() != 1 || v.GetNeeded() != 1 || len(v.GetWaiting()) != 0 {
		t.Errorf("vote %v", v)
	}
	one, err := o.GetVote(ctx, connect.NewRequest(&consolev1.GetVoteRequest{Id: v.GetProposal().GetId()}))
	if err != nil || one.Msg.GetVote().GetProposal().GetTitle() != "日历" {
		t.Errorf("one vote %v, %v", one, err)
	}
}
