package server

import (
	"cmp"
	"context"
	"slices"
	"time"

	"connectrpc.com/connect"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	consolev1 "mulian/gen/mulian/console/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/index"
	"mulian/internal/wire"
)

// Thresholds of the rules; our own choice, told with every answer. They are set so that
// what an ordinary service does in an ordinary week is not a finding.
const (
	findingsFor    = 30 * time.Second // at most: counted over four weeks of flows
	maxFindings    = 60               // of one rule
	graceHours     = 1                // after an end: a record may be anchored later than it was made
	refusedLeast   = 10               // in a week, and more than was given
	unusualLeast   = 100              // in a day
	unusualTimes   = 5                // the mean of the days on which the right was used
	habitDaysLeast = 7                // days that make a habit
	nightLeast     = 20               // in a week, and more than by day
	quietHours     = 72
	driftedEntries = 20 // of one drift
)

// over are the states of an agreement under which nothing is given any more; holds are those
// under which something is.
var (
	over  = []sharev1.AgreementState{sharev1.AgreementState_AGREEMENT_STATE_ENDED, sharev1.AgreementState_AGREEMENT_STATE_DISPOSING, sharev1.AgreementState_AGREEMENT_STATE_DISPOSED}
	holds = []int32{
		int32(sharev1.AgreementState_AGREEMENT_STATE_ACTIVE), int32(sharev1.AgreementState_AGREEMENT_STATE_AMENDING),
		int32(sharev1.AgreementState_AGREEMENT_STATE_RENEWING), int32(sharev1.AgreementState_AGREEMENT_STATE_ENDING),
	}
)

// ListFindings implements OverviewService.
func (o overviewAPI) ListFindings(ctx context.Context, _ *connect.Request[consolev1.ListFindingsRequest]) (*connect.Response[consolev1.ListFindingsResponse], error) {
	o.s.freshWithin(ctx, searchCatchUp)
	next, _ := o.s.index.Next()
	out, err := o.s.findings.get(0, next, findingsFor, func() (*consolev1.ListFindingsResponse, error) { return o.findings(ctx) })
	if err != nil {
		return nil, wire.Error(err)
	}
	return connect.NewResponse(out), nil
}

// findings applies every rule to the index as it stands, by the time of the latest block.
func (o overviewAPI) findings(ctx context.Context) (*consolev1.ListFindingsResponse, error) {
	now, err := o.now(ctx)
	if err != nil {
		return nil, err
	}
	out := &consolev1.ListFindingsResponse{TimeMs: now}
	_, out.Height = o.s.index.Next()
	habits, err := o.habits(ctx, now/hourMs)
	if err != nil {
		return nil, err
	}
	names := o.s.names(ctx)
	for _, r := range []struct {
		rule *consolev1.FindingRule
		find func(context.Context, *consolev1.GetOverviewResponse) error
	}{
		{&consolev1.FindingRule{Kind: consolev1.ConcernKind_CONCERN_KIND_AFTER_END, Hours: graceHours}, o.afterEnd(habits.over, names)},
		{&consolev1.FindingRule{Kind: consolev1.ConcernKind_CONCERN_KIND_DRIFT_IN_FORCE}, o.driftInForce},
		{&consolev1.FindingRule{Kind: consolev1.ConcernKind_CONCERN_KIND_REFUSED, Least: refusedLeast, Days: index.HabitWeek / 24}, o.odd(consolev1.ConcernKind_CONCERN_KIND_REFUSED, late, habits.refused, names)},
		{&consolev1.FindingRule{Kind: consolev1.ConcernKind_CONCERN_KIND_UNUSUAL, Least: unusualLeast, Times: unusualTimes, Days: habitDaysLeast}, o.odd(consolev1.ConcernKind_CONCERN_KIND_UNUSUAL, late, habits.unusual, names)},
		{&consolev1.FindingRule{Kind: consolev1.ConcernKind_CONCERN_KIND_AT_NIGHT, Least: nightLeast, Days: index.HabitWeek / 24}, o.odd(consolev1.ConcernKind_CONCERN_KIND_AT_NIGHT, note, habits.night, names)},
		{&consolev1.FindingRule{Kind: consolev1.ConcernKind_CONCERN_KIND_QUIET_GATEWAY, Hours: quietHours, Days: habitDaysLeast}, o.quietGateways(now / hourMs)},
		{&consolev1.FindingRule{Kind: consolev1.ConcernKind_CONCERN_KIND_LATE_ANSWER}, o.lateAnswers},
		{&consolev1.FindingRule{Kind: consolev1.ConcernKind_CONCERN_KIND_LATE_AGREEMENT}, o.lateAgreements},
		{&consolev1.FindingRule{Kind: consolev1.ConcernKind_CONCERN_KIND_SILENT_NODE}, o.silentNodes},
		{&consolev1.FindingRule{Kind: consolev1.ConcernKind_CONCERN_KIND_SUSPENSION}, o.suspensions},
	} {
		found := &consolev1.GetOverviewResponse{}
		if err := r.find(ctx, found); err != nil {
			return nil, err
		}
		r.rule.Total = found.GetConcernsTotal()
		out.Rules = append(out.Rules, r.rule)
		o.name(found, names, maxFindings)
		out.Findings = append(out.Findings, found.GetConcerns()...)
	}
	sortConcerns(out.Findings)
	return out, nil
}

// oddHabits are the habits that a rule is about, by rule.
type oddHabits struct{ over, refused, unusual, night []index.Habit }

// habits reads all habits once and keeps those that stand out.
func (o overviewAPI) habits(ctx context.Context, nowHour int64) (*oddHabits, error) {
	out := &oddHabits{}
	return out, o.s.index.Habits(ctx, nowHour, beijingsHours, out.take)
}

// take keeps a habit for each rule that it meets.
func (o *oddHabits) take(h index.Habit) {
	if slices.Contains(over, sharev1.AgreementState(h.State)) && h.LastGranted > 0 {
		o.over = append(o.over, h)
	}
	if h.WeekRefused >= refusedLeast && h.WeekRefused > h.Week {
		o.refused = append(o.refused, h)
	}
	if h.DaysBefore >= habitDaysLeast && h.Day >= unusualLeast && h.Day*h.DaysBefore > unusualTimes*h.Before {
		o.unusual = append(o.unusual, h)
	}
	if h.WeekNight >= nightLeast && 2*h.WeekNight > h.Week {
		o.night = append(o.night, h)
	}
}

// afterEnd finds what was given under agreements after their end.
func (o overviewAPI) afterEnd(habits []index.Habit, names func(string) string) func(context.Context, *consolev1.GetOverviewResponse) error {
	return func(ctx context.Context, out *consolev1.GetOverviewResponse) error {
		for _, h := range habits {
			a, ok, err := index.Get[sharev1.Agreement](ctx, o.s.index, index.Agreement+h.Right)
			if err != nil {
				return err
			}
			end := a.GetEndedMs()/hourMs + graceHours
			if !ok || a.GetEndedMs() == 0 || h.LastGranted <= end {
				continue
			}
			n, first, err := o.s.index.GrantedAfter(ctx, h.Right, end)
			if err != nil {
				return err
			}
			if err := o.found(ctx, out, &consolev1.Concern{Kind: consolev1.ConcernKind_CONCERN_KIND_AFTER_END, Severity: grave, Count: n, SinceMs: first * hourMs}, h.Right, names); err != nil {
				return err
			}
		}
		return nil
	}
}

// odd turns the habits that a rule is about into findings.
func (o overviewAPI) odd(kind consolev1.ConcernKind, how consolev1.Severity, habits []index.Habit, names func(string) string) func(context.Context, *consolev1.GetOverviewResponse) error {
	return func(ctx context.Context, out *consolev1.GetOverviewResponse) error {
		now, err := o.now(ctx)
		if err != nil {
			return err
		}
		for _, h := range habits {
			c := &consolev1.Concern{Kind: kind, Severity: how, SinceMs: (now/hourMs - index.HabitWeek) * hourMs}
			switch kind {
			case consolev1.ConcernKind_CONCERN_KIND_REFUSED:
				c.Count, c.Usual = h.WeekRefused, h.Week
			case consolev1.ConcernKind_CONCERN_KIND_AT_NIGHT:
				c.Count, c.Usual = h.WeekNight, h.Week-h.WeekNight
			default:
				c.Count, c.Usual, c.SinceMs = h.Day, h.Before/h.DaysBefore, (now/hourMs-index.HabitDay)*hourMs
			}
			if err := o.found(ctx, out, c, h.Right, names); err != nil {
				return err
			}
		}
		return nil
	}
}

// found counts a finding about a right, and puts it in with its ends as long as there is room.
func (o overviewAPI) found(ctx context.Context, out *consolev1.GetOverviewResponse, c *consolev1.Concern, right string, names func(string) string) error {
	if out.ConcernsTotal++; len(out.Concerns) == maxFindings {
		return nil
	}
	sh := &consolev1.Share{Right: index.Agreement + right}
	of, err := o.endsOf(ctx, []string{right})
	if err != nil {
		return err
	}
	of.put(sh, right, names)
	c.Object, c.Title, c.Org, c.PeerName = sh.GetRight(), cmp.Or(sh.GetItemName(), right), sh.GetProvider(), sh.GetUser()
	out.Concerns = append(out.Concerns, c)
	return nil
}

// driftInForce finds breaking drifts over whose entries agreements still hold.
func (o overviewAPI) driftInForce(ctx context.Context, out *consolev1.GetOverviewResponse) error {
	class := cataloguev1.DriftClass_DRIFT_CLASS_BREAKING
	page, _, _, err := index.List[cataloguev1.Drift](ctx, o.s.index, index.Filter{Kind: index.Drift, Class: int32(class), Flag: true, Limit: maxFindings})
	if err != nil {
		return err
	}
	for _, d := range page {
		n := int64(0)
		for _, entry := range d.GetEntries()[:min(len(d.GetEntries()), driftedEntries)] {
			_, _, total, err := index.List[sharev1.Agreement](ctx, o.s.index, index.Filter{Kind: index.Agreement, States: holds, Parent: index.Entry + entry, Limit: 1})
			if err != nil {
				return err
			}
			n += total
		}
		if n == 0 {
			continue
		}
		table, _, err := index.Get[cataloguev1.Table](ctx, o.s.index, index.Table+d.GetTable())
		if err != nil {
			return err
		}
		out.ConcernsTotal++
		out.Concerns = append(out.Concerns, &consolev1.Concern{
			Kind: consolev1.ConcernKind_CONCERN_KIND_DRIFT_IN_FORCE, Severity: grave, Object: index.Drift + d.GetId(), Title: cmp.Or(table.GetName(), d.GetTable()),
			Org: d.GetOrg(), SinceMs: d.GetAtMs(), Drift: class, Changes: uint32(len(d.GetChanges())), Count: n,
		})
	}
	return nil
}

// quietGateways finds gateways that used to anchor accesses and have stopped.
func (o overviewAPI) quietGateways(nowHour int64) func(context.Context, *consolev1.GetOverviewResponse) error {
	return func(ctx context.Context, out *consolev1.GetOverviewResponse) error {
		gateways, err := o.s.index.GatewayHabits(ctx, nowHour, beijingsHours)
		if err != nil {
			return err
		}
		for _, g := range gateways {
			if g.Days < habitDaysLeast || nowHour-g.LastHour < quietHours {
				continue
			}
			out.ConcernsTotal++
			out.Concerns = append(out.Concerns, &consolev1.Concern{
				Kind: consolev1.ConcernKind_CONCERN_KIND_QUIET_GATEWAY, Severity: note, Object: index.Account + g.Gateway, Org: orgOf(g.Gateway), SinceMs: g.LastHour * hourMs, Count: g.Days,
			})
		}
		return nil
	}
}
