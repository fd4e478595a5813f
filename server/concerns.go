package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	consolev1 "mulian/gen/mulian/console/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/index"
)

const (
	grave = consolev1.Severity_SEVERITY_GRAVE
	late  = consolev1.Severity_SEVERITY_LATE
	note  = consolev1.Severity_SEVERITY_NOTE
)

// severityOf says how grave a drift of a class is.
var severityOf = map[cataloguev1.DriftClass]consolev1.Severity{
	cataloguev1.DriftClass_DRIFT_CLASS_BREAKING:   grave,
	cataloguev1.DriftClass_DRIFT_CLASS_REVIEW:     late,
	cataloguev1.DriftClass_DRIFT_CLASS_STALE:      late,
	cataloguev1.DriftClass_DRIFT_CLASS_COMPATIBLE: note,
}

// concerns puts in what waits for somebody, the gravest first, then the oldest.
func (o overviewAPI) concerns(ctx context.Context, out *consolev1.GetOverviewResponse, names func(string) string) error {
	for _, part := range []func(context.Context, *consolev1.GetOverviewResponse) error{
		o.drifts, o.lateAnswers, o.lateAgreements, o.lateObjections(names), o.lateDisputes(names), o.proposals, o.suspensions, o.silentNodes,
	} {
		if err := part(ctx, out); err != nil {
			return err
		}
	}
	o.name(out, names, maxConcerns)
	return nil
}

// sortConcerns puts the gravest first, then the oldest.
func sortConcerns(list []*consolev1.Concern) {
	slices.SortStableFunc(list, func(a, b *consolev1.Concern) int {
		return cmp.Or(cmp.Compare(a.GetSeverity(), b.GetSeverity()), cmp.Compare(a.GetSinceMs(), b.GetSinceMs()), cmp.Compare(a.GetObject(), b.GetObject()))
	})
}

// name sorts what was found, keeps the first of it, and calls everything as people do.
func (o overviewAPI) name(out *consolev1.GetOverviewResponse, names func(string) string, most int) {
	sortConcerns(out.Concerns)
	out.Concerns = out.Concerns[:min(len(out.Concerns), most)]
	for _, c := range out.Concerns {
		if c.GetOrg() != "" {
			c.OrgName = cmp.Or(names(index.Account+c.GetOrg()), c.GetOrg())
		}
		if c.GetPeerName() != "" {
			c.PeerName = cmp.Or(names(index.Account+c.GetPeerName()), c.GetPeerName())
		}
		for _, org := range c.GetWaiting() {
			c.WaitingNames = append(c.WaitingNames, cmp.Or(names(index.Account+org), org))
		}
		if c.GetTitle() == "" {
			c.Title = names(c.GetObject())
		}
	}
}

func (o overviewAPI) drifts(ctx context.Context, out *consolev1.GetOverviewResponse) error {
	out.ConcernsTotal += out.GetOpenDrifts()
	for class := range severityOf {
		page, _, _, err := index.List[cataloguev1.Drift](ctx, o.s.index, index.Filter{Kind: index.Drift, Class: int32(class), Flag: true, Limit: maxConcerns})
		if err != nil {
			return err
		}
		for _, d := range page {
			table, _, err := index.Get[cataloguev1.Table](ctx, o.s.index, index.Table+d.GetTable())
			if err != nil {
				return err
			}
			out.Concerns = append(out.Concerns, &consolev1.Concern{
				Kind: consolev1.ConcernKind_CONCERN_KIND_DRIFT, Severity: severityOf[class], Object: index.Drift + d.GetId(), Title: cmp.Or(table.GetName(), d.GetTable()),
				Org: d.GetOrg(), SinceMs: d.GetAtMs(), Drift: class, Changes: uint32(len(d.GetChanges())),
			})
		}
	}
	return nil
}

func (o overviewAPI) lateAnswers(ctx context.Context, out *consolev1.GetOverviewResponse) error {
	// Overdue stays set when an answer has come: only those that wait are concerns.
	waiting := []int32{int32(sharev1.RequestState_REQUEST_STATE_RECEIVED), int32(sharev1.RequestState_REQUEST_STATE_INCOMPLETE)}
	page, _, total, err := index.List[sharev1.Request](ctx, o.s.index, index.Filter{Kind: index.Request, States: waiting, Flag: true, Limit: maxConcerns})
	if err != nil {
		return err
	}
	out.ConcernsTotal += total
	for _, r := range page {
		org, peer := r.GetProvider(), r.GetRequester()
		if r.GetState() == sharev1.RequestState_REQUEST_STATE_INCOMPLETE {
			org, peer = peer, org
		}
		out.Concerns = append(out.Concerns, &consolev1.Concern{
			Kind: consolev1.ConcernKind_CONCERN_KIND_LATE_ANSWER, Severity: late, Object: index.Request + r.GetId(), Title: cmp.Or(r.GetTerms().GetMatter(), r.GetTerms().GetPurpose()),
			Org: org, PeerName: peer, SinceMs: r.GetClock().GetDueMs(),
		})
	}
	return nil
}

func (o overviewAPI) lateAgreements(ctx context.Context, out *consolev1.GetOverviewResponse) error {
	page, _, total, err := index.List[sharev1.Agreement](ctx, o.s.index, index.Filter{Kind: index.Agreement, Flag: true, Limit: maxConcerns})
	if err != nil {
		return err
	}
	out.ConcernsTotal += total
	for _, a := range page {
		c := &consolev1.Concern{
			Kind: consolev1.ConcernKind_CONCERN_KIND_LATE_AGREEMENT, Severity: late, Object: index.Request + a.GetRequest(), Title: cmp.Or(a.GetTerms().GetMatter(), a.GetTerms().GetPurpose()),
			Org: a.GetProvider(), PeerName: a.GetConsumer(), SinceMs: a.GetClock().GetDueMs(),
		}
		if a.GetDisposal().GetOverdue() || a.GetCopyOverdue() > a.GetDisposed() { // the user has to act
			c.Org, c.PeerName, c.SinceMs = a.GetConsumer(), a.GetProvider(), cmp.Or(a.GetDisposal().GetDueMs(), a.GetEndedMs())
		}
		out.Concerns = append(out.Concerns, c)
	}
	return nil
}

// lateObjections are those that nobody has answered; what they are about is their name.
func (o overviewAPI) lateObjections(names func(string) string) func(context.Context, *consolev1.GetOverviewResponse) error {
	return func(ctx context.Context, out *consolev1.GetOverviewResponse) error {
		page, _, total, err := index.List[sharev1.Objection](ctx, o.s.index, index.Filter{Kind: index.Objection, States: []int32{int32(sharev1.ObjectionState_OBJECTION_STATE_FILED)}, Flag: true, Limit: maxConcerns})
		if err != nil {
			return err
		}
		out.ConcernsTotal += total
		for _, x := range page {
			out.Concerns = append(out.Concerns, &consolev1.Concern{
				Kind: consolev1.ConcernKind_CONCERN_KIND_LATE_OBJECTION, Severity: late, Object: index.Objection + x.GetId(), Title: cmp.Or(names(x.GetSubject()), x.GetSubject()),
				Org: x.GetAgainst(), PeerName: x.GetFiledBy(), SinceMs: x.GetClock().GetDueMs(),
			})
		}
		return nil
	}
}

// lateDisputes are those of which the level has not decided. Where the parties negotiate, the
// respondent has to say what came of it.
func (o overviewAPI) lateDisputes(names func(string) string) func(context.Context, *consolev1.GetOverviewResponse) error {
	return func(ctx context.Context, out *consolev1.GetOverviewResponse) error {
		page, _, total, err := index.List[sharev1.Dispute](ctx, o.s.index, index.Filter{Kind: index.Dispute, States: []int32{int32(sharev1.DisputeState_DISPUTE_STATE_OPEN)}, Flag: true, Limit: maxConcerns})
		if err != nil {
			return err
		}
		out.ConcernsTotal += total
		for _, d := range page {
			c := &consolev1.Concern{
				Kind: consolev1.ConcernKind_CONCERN_KIND_LATE_DISPUTE, Severity: late, Object: index.Dispute + d.GetId(), Title: cmp.Or(names(d.GetSubject()), d.GetSubject()),
				PeerName: d.GetClaimant(), SinceMs: d.GetClock().GetDueMs(),
			}
			if d.GetLevel() == sharev1.DisputeLevel_DISPUTE_LEVEL_NEGOTIATE {
				c.Org = d.GetRespondent()
			}
			out.Concerns = append(out.Concerns, c)
		}
		return nil
	}
}

func (o overviewAPI) proposals(ctx context.Context, out *consolev1.GetOverviewResponse) error {
	page, _, total, err := index.List[governancev1.Proposal](ctx, o.s.index, index.Filter{Kind: index.Proposal, Flag: true, Limit: maxConcerns})
	if err != nil {
		return err
	}
	members, err := o.s.index.Totals(ctx)
	if err != nil {
		return err
	}
	out.ConcernsTotal += total
	if len(page) == 0 {
		return nil
	}
	count, err := o.counting(ctx)
	if err != nil {
		return err
	}
	for _, p := range page {
		var given []string
		for _, b := range p.GetBallots() {
			given = append(given, b.GetOrg())
		}
		out.Concerns = append(out.Concerns, &consolev1.Concern{
			Waiting: count(p).GetWaiting(), Given: given, EndsMs: p.GetEndsMs(),
			Kind: consolev1.ConcernKind_CONCERN_KIND_PROPOSAL, Severity: note, Object: index.Proposal + p.GetId(), Title: p.GetTitle(), PeerName: p.GetProposer(),
			SinceMs: p.GetCreatedMs(), Voted: uint32(len(p.GetBallots())), Members: uint32(members[index.Member]),
		})
	}
	return nil
}

func (o overviewAPI) suspensions(ctx context.Context, out *consolev1.GetOverviewResponse) error {
	page, _, total, err := index.List[governancev1.Suspension](ctx, o.s.index, index.Filter{Kind: index.Suspended, Flag: true, Limit: maxConcerns})
	if err != nil {
		return err
	}
	out.ConcernsTotal += total
	for _, s := range page {
		out.Concerns = append(out.Concerns, &consolev1.Concern{
			Kind: consolev1.ConcernKind_CONCERN_KIND_SUSPENSION, Severity: late, Object: index.Account + s.GetAccount(), Title: s.GetCause(), Org: orgOf(s.GetAccount()), SinceMs: s.GetSinceMs(),
		})
	}
	return nil
}

// silentNodes are the validators without a vote for the last block that this node knows.
func (o overviewAPI) silentNodes(ctx context.Context, out *consolev1.GetOverviewResponse) error {
	st, err := o.s.chain.Status(ctx)
	if err != nil || len(st.GetMissing()) == 0 {
		return err
	}
	validators, err := all[governancev1.Validator](ctx, o.s.index, index.Validator)
	if err != nil {
		return err
	}
	for _, v := range validators {
		sum := sha256.Sum256(v.GetPublicKey())
		if !slices.Contains(st.GetMissing(), hex.EncodeToString(sum[:20])) {
			continue
		}
		out.ConcernsTotal++
		out.Concerns = append(out.Concerns, &consolev1.Concern{
			Kind: consolev1.ConcernKind_CONCERN_KIND_SILENT_NODE, Severity: grave, Object: index.Account + v.GetOrg(), Title: v.GetName(), Org: v.GetOrg(), SinceMs: st.GetTimeMs(),
		})
	}
	return nil
}
