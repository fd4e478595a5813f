package server

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"mulian/client"
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

const (
	// applicationLife is how long an application waits here; its applicant sends it again.
	applicationLife = 10 * time.Minute
	// maxApplications wait at once: at most 1 MiB.
	maxApplications = 64
)

// inbox is the applications that wait at this server, in memory only. Anybody can send
// one: so there are few, they are small, and they are gone soon.
type inbox struct {
	mu  sync.Mutex
	all map[inboxKey]waitingApplication // guarded by mu
}

// inboxKey is the organisation and the key that signed: a stranger who applies in the
// name of another does not push the true one out.
type inboxKey struct{ org, key string }

type waitingApplication struct {
	file  *governancev1.SignedApplication
	until time.Time
}

// put keeps an application that was checked. Busy if there are too many.
func (b *inbox) put(k inboxKey, file *governancev1.SignedApplication, now time.Time) (until time.Time, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forget(now)
	if _, again := b.all[k]; !again && len(b.all) >= maxApplications {
		return now, fault.Newf(fault.Busy, "%d applications wait here already; try again in some minutes, or hand yours over as a file", maxApplications)
	}
	if b.all == nil {
		b.all = map[inboxKey]waitingApplication{}
	}
	until = now.Add(applicationLife)
	b.all[k] = waitingApplication{file, until}
	return until, nil
}

func (b *inbox) forget(now time.Time) {
	for k, w := range b.all {
		if !now.Before(w.until) {
			delete(b.all, k)
		}
	}
}

// list returns those that wait, by organisation and key.
func (b *inbox) list(now time.Time) []*governancev1.SignedApplication {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forget(now)
	keys := make([]inboxKey, 0, len(b.all))
	for k := range b.all {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y inboxKey) int { return strings.Compare(x.org+" "+x.key, y.org+" "+y.key) })
	out := make([]*governancev1.SignedApplication, len(keys))
	for i, k := range keys {
		out[i] = b.all[k].file
	}
	return out
}

// Apply keeps an application for those who admit.
func (g governanceAPI) Apply(ctx context.Context, req *connect.Request[governancev1.ApplyRequest]) (*connect.Response[governancev1.ApplyResponse], error) {
	m, err := client.ParseApplication(req.Msg.GetApplication())
	if err != nil {
		return nil, wire.Error(err)
	}
	st, err := g.s.chain.Status(ctx)
	if err != nil {
		return nil, wire.Error(err)
	}
	if err := client.OfChain(m, st.GetChainId(), st.GetGenesisHash()); err != nil {
		return nil, wire.Error(err)
	}
	until, err := g.s.inbox.put(inboxKey{m.GetCode(), req.Msg.GetApplication().GetKey()}, req.Msg.GetApplication(), g.s.opts.Now())
	return respond(&governancev1.ApplyResponse{UntilMs: until.UnixMilli()}, err)
}

// ListApplications returns what waits here.
func (g governanceAPI) ListApplications(context.Context, *connect.Request[governancev1.ListApplicationsRequest]) (*connect.Response[governancev1.ListApplicationsResponse], error) {
	return respond(&governancev1.ListApplicationsResponse{Applications: g.s.inbox.list(g.s.opts.Now())}, nil)
}
