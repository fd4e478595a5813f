package bench

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/rowkey"
)

const (
	requestsEach = 100 // data requests of one transaction
	askers       = 8   // transactions with requests that are under way at once
)

// grantConfig is what a member needs to ask for grants and to give them: the facts of the
// ledger by which both sides make their texts.
type grantConfig struct {
	Owners             int    // who have accounts: newOwner(0) and on
	Use, Entry         []byte // canonical
	Org                string
	Gateway, Recipient string
}

func (a *asking) config(owners int) (*grantConfig, error) {
	c := &grantConfig{Owners: owners, Org: a.org, Gateway: a.gateway, Recipient: a.recipient}
	var err, also error
	c.Use, err = canon.Marshal(a.use)
	c.Entry, also = canon.Marshal(a.entry)
	return c, errors.Join(err, also)
}

// giving is a node of ours whose load are grants: the data user's requests are committed
// while it signs, so that only the owners' answers are measured.
type giving struct {
	*ours
	*asking
	owners []*owner
}

func openGiving(ctx context.Context, cfg memberConfig) (source, error) {
	a := &asking{use: &grantv1.IntendedUse{}, entry: &cataloguev1.Entry{}, org: cfg.Grants.Org, gateway: cfg.Grants.Gateway, recipient: cfg.Grants.Recipient}
	if err := errors.Join(canon.Check(cfg.Grants.Use, a.use), canon.Check(cfg.Grants.Entry, a.entry)); err != nil {
		return nil, err
	}
	node, err := openNode(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &giving{ours: node.(*ours), asking: a, owners: newOwners(cfg.Grants.Owners)}, nil
}

// sign has the data user ask count times, round the owners, and each owner sign his answers.
func (g *giving) sign(ctx context.Context, count int, _ signersFrom) ([][]byte, error) {
	requests := make([]*grantv1.DataRequest, count)
	for i := range requests {
		var err error
		if requests[i], err = g.request(g.owners[i%len(g.owners)]); err != nil {
			return nil, err
		}
	}
	parts := (count + requestsEach - 1) / requestsEach
	if err := spread(ctx, askers, parts, func(i int) error {
		return g.ask(ctx, requests[i*requestsEach:min((i+1)*requestsEach, count)])
	}); err != nil {
		return nil, err
	}
	txs := make([][]byte, count)
	// An owner's phone is used by one goroutine: one owner, one step.
	err := spread(ctx, runtime.GOMAXPROCS(0), len(g.owners), func(n int) error {
		for i := n; i < count; i += len(g.owners) {
			raw, err := g.answer(g.owners[n], requests[i])
			if err != nil {
				return err
			}
			txs[i] = raw
		}
		return nil
	})
	return txs, err
}

// ask commits requests, many in a transaction: a data user's systems ask in one go.
func (g *giving) ask(ctx context.Context, requests []*grantv1.DataRequest) error {
	var messages []proto.Message
	for _, r := range requests {
		messages = append(messages, asks(r))
	}
	env, err := client.Sign(benchChain, g.signers[0], time.Now(), messages...)
	if err != nil {
		return err
	}
	_, err = g.send(ctx, env.Raw)
	return err
}

// asks is the message of a request, without what the ledger sets.
func asks(r *grantv1.DataRequest) *grantv1.RequestData {
	m := proto.CloneOf(r)
	m.Id, m.Org, m.Hash = "", "", nil
	return &grantv1.RequestData{Request: m}
}

func (g *giving) answer(o *owner, r *grantv1.DataRequest) ([]byte, error) {
	k, err := o.rowKey()
	if err != nil {
		return nil, err
	}
	yes, err := g.yes(r, rowkey.Commitment(k))
	if err != nil {
		return nil, err
	}
	env, err := o.sign(time.Now().Add(signedAhead), yes)
	if err != nil {
		return nil, err
	}
	return env.Raw, nil
}

// spread does n things by so many goroutines, until one fails.
func spread(ctx context.Context, goroutines, n int, do func(i int) error) error {
	var all sync.WaitGroup
	var failed firstError
	var next atomic.Int64
	for range min(goroutines, n) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil && !failed.there(); i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					failed.set(err)
				}
			}
		})
	}
	all.Wait()
	if ctx.Err() != nil {
		return fault.Wrap(fault.Cancelled, ctx.Err(), "stopped")
	}
	return failed.get()
}
