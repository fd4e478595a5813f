package server

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"

	consolev1 "mulian/gen/mulian/console/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/index"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// Bounds of what an overview shows; our own choice.
const (
	maxStreams     = 12
	maxHoursRows   = 20
	maxConcerns    = 60
	maxPeriodDays  = 31
	listedRights   = 500
	overviewFor    = time.Second // a busy chain is counted at most so often
	hourMs         = int64(time.Hour / time.Millisecond)
	beijingsHours  = 8 // ahead of UTC
	hoursOfTheDay  = 24
	coverageFor    = 10 * time.Second // at most: counted over the whole catalogue
	coveredDefault = 50
	coveredMost    = 200
	coveredEntries = 50
)

// overviewAPI answers what somebody asks who keeps the whole running.
type overviewAPI struct{ s *Server }

// kept are answers that hold as long as the index stands where it stood, and for a while
// on a busy chain: many pages ask for the same.
type kept[K comparable, M any] struct {
	mu  sync.Mutex // held while an answer is made: one makes it for all
	all map[K]keptOne[M]
}

type keptOne[M any] struct {
	at   time.Time
	next int64
	took time.Duration
	m    *M
}

// keptTimes is how long an answer is kept beside what making it took: all that is made anew on
// a busy chain takes one processor at most so much of its time. Our own choice.
const keptTimes = 50

// get returns the kept answer, or makes it. What is cheap is made anew after a second, what is
// not after keptTimes as long as it took, and all after within.
func (k *kept[K, M]) get(key K, next int64, within time.Duration, make_ func() (*M, error)) (*M, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if one, ok := k.all[key]; ok && (one.next == next || time.Since(one.at) < min(within, max(overviewFor, keptTimes*one.took))) {
		return one.m, nil
	}
	began := time.Now()
	m, err := make_()
	if err != nil {
		return nil, err
	}
	if k.all == nil {
		k.all = map[K]keptOne[M]{}
	}
	k.all[key] = keptOne[M]{time.Now(), next, time.Since(began), m}
	return m, nil
}

// period is whole days of Beijing time, the day of a moment the last of them.
type period struct{ fromHour, fromMs int64 }

func periodOf(days uint32, nowMs int64) (period, error) {
	if days == 0 || days > maxPeriodDays {
		return period{}, fault.Newf(fault.OutOfRange, "%d days, 1 to %d are possible", days, maxPeriodDays)
	}
	local := nowMs/hourMs + beijingsHours
	from := local - local%hoursOfTheDay - int64(days-1)*hoursOfTheDay - beijingsHours
	return period{from, from * hourMs}, nil
}

// now is the time of the latest block, by which the ledger's figures are counted.
func (o overviewAPI) now(ctx context.Context) (int64, error) {
	st, err := o.s.chain.Status(ctx)
	return st.GetTimeMs(), err
}

// GetOverview implements OverviewService.
func (o overviewAPI) GetOverview(ctx context.Context, req *connect.Request[consolev1.GetOverviewRequest]) (*connect.Response[consolev1.GetOverviewResponse], error) {
	days := cmp.Or(req.Msg.GetDays(), 1)
	if days > maxPeriodDays {
		return nil, wire.Error(fault.Newf(fault.OutOfRange, "%d days, 1 to %d are possible", days, maxPeriodDays))
	}
	o.s.freshWithin(ctx, searchCatchUp)
	next, _ := o.s.index.Next()
	return respond(o.s.overviews.get(days, next, overviewFor, func() (*consolev1.GetOverviewResponse, error) { return o.overview(ctx, days) }))
}

func (o overviewAPI) overview(ctx context.Context, days uint32) (*consolev1.GetOverviewResponse, error) {
	now, err := o.now(ctx)
	if err != nil {
		return nil, err
	}
	p, err := periodOf(days, now)
	if err != nil {
		return nil, err
	}
	x, out := o.s.index, &consolev1.GetOverviewResponse{TimeMs: now, FromMs: p.fromMs}
	_, out.Height = x.Next()
	totals, err := x.Totals(ctx)
	if err != nil {
		return nil, err
	}
	out.Entries = totals[index.Entry]
	if out.Departments, err = x.Classed(ctx, index.Account, int32(identityv1.AccountKind_ACCOUNT_KIND_ORG)); err != nil {
		return nil, err
	}
	if out.OpenDrifts, err = x.Flagged(ctx, index.Drift); err != nil {
		return nil, err
	}
	starts, err := o.starts(ctx, p)
	if err != nil {
		return nil, err
	}
	out.Started, out.MedianMs = starts.Total, starts.MedianMs
	names := o.s.names(ctx)
	for _, part := range []func() error{
		func() error { return o.streams(ctx, p, out) },
		func() error { return o.hours(ctx, p, out, names) },
		func() error { return o.concerns(ctx, out, names) },
	} {
		if err := part(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// streams puts the largest streams in, and what is left of the whole as one.
func (o overviewAPI) streams(ctx context.Context, p period, out *consolev1.GetOverviewResponse) error {
	total, err := o.s.index.TotalFlow(ctx, p.fromHour)
	if err != nil {
		return err
	}
	out.Shared, out.Refused = total.Granted, total.Refused
	shares, err := o.shares(ctx, p, 4*maxStreams)
	if err != nil {
		return err
	}
	type ends struct{ duty, item, user string }
	by := map[ends]*consolev1.Stream{}
	for _, sh := range shares {
		k := ends{sh.GetDuty(), sh.GetItem(), sh.GetUser()}
		if sh.GetGranted() == 0 {
			continue
		}
		if by[k] == nil {
			by[k] = &consolev1.Stream{Duty: sh.GetDuty(), DutyName: sh.GetDutyName(), Item: sh.GetItem(), ItemName: sh.GetItemName(), Entries: sh.GetEntries(), User: sh.GetUser(), UserName: sh.GetUserName()}
			out.Streams = append(out.Streams, by[k])
		}
		by[k].Granted += sh.GetGranted()
	}
	slices.SortStableFunc(out.Streams, func(a, b *consolev1.Stream) int { return cmp.Compare(b.GetGranted(), a.GetGranted()) })
	out.Streams = out.Streams[:min(len(out.Streams), maxStreams)]
	rest := total.Granted
	for _, s := range out.Streams {
		rest -= s.GetGranted()
	}
	if rest > 0 {
		out.Streams = append(out.Streams, &consolev1.Stream{Granted: rest})
	}
	return nil
}

// hours puts the busiest organisations in, by the hour of the day.
func (o overviewAPI) hours(ctx context.Context, p period, out *consolev1.GetOverviewResponse, names func(string) string) error {
	gateways, err := o.s.index.FlowsByHour(ctx, p.fromHour, beijingsHours)
	if err != nil {
		return err
	}
	orgs, sums := map[string]*consolev1.Hours{}, map[string]int64{}
	for gateway, hours := range gateways {
		org := orgOf(gateway)
		if orgs[org] == nil {
			orgs[org] = &consolev1.Hours{Org: org, OrgName: cmp.Or(names(index.Account+org), org), Granted: make([]int64, hoursOfTheDay)}
		}
		for i, n := range hours {
			orgs[org].Granted[i] += n
			sums[org] += n
		}
	}
	for _, h := range orgs {
		out.Hours = append(out.Hours, h)
	}
	slices.SortFunc(out.Hours, func(a, b *consolev1.Hours) int {
		return cmp.Or(cmp.Compare(sums[b.GetOrg()], sums[a.GetOrg()]), cmp.Compare(a.GetOrg(), b.GetOrg()))
	})
	for _, h := range out.Hours[min(len(out.Hours), maxHoursRows):] {
		out.HoursOthers += sums[h.GetOrg()]
	}
	out.Hours = out.Hours[:min(len(out.Hours), maxHoursRows)]
	return nil
}
