package gateway

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"mulian/client"
	"mulian/client/caller"
	"mulian/client/prooffile"
	"mulian/gateway/consentreceipt"
	identityv1 "mulian/gen/mulian/identity/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// ReceiptsCall is what an owner asks a gateway for: his receipts behind a number, of one
// grant only if it is named. It is the question of a call (client/caller) named ReceiptsWhat,
// posted to /receipts of the gateway.
type ReceiptsCall struct {
	Grant string `json:"grant,omitempty"`
	After uint64 `json:"after,omitempty"`
}

// ReceiptsWhat names the call.
const ReceiptsWhat = "receipts"

// ReceiptsAnswer is what he gets. Next is 0 at the end.
type ReceiptsAnswer struct {
	Receipts []consentreceipt.Kept `json:"receipts"`
	Next     uint64                `json:"next,omitempty"`
}

// openReceipts lets a gateway that can sign credentials give receipts.
func (g *Gateway) openReceipts() error {
	g.calls = &caller.Door{Chain: g.chainID, Name: g.cfg.Account, Now: g.opts.Clock, Account: g.account}
	if g.office == nil {
		return nil
	}
	genesis, err := os.ReadFile(g.cfg.Genesis)
	if err != nil {
		return fault.Wrap(fault.NotFound, err, "genesis")
	}
	maker, err := prooffile.NewMaker(g.chain, genesis)
	if err != nil {
		return err
	}
	g.receipts = &consentreceipt.Desk{
		Org: g.org, Gateway: g.cfg.Account, ChainID: g.chainID, Dir: filepath.Join(g.cfg.Home, "receipts"), Outward: g.office.Outward, Inward: g.office.Inward,
		Get: g.office.Get, Happened: g.proved.Happened, Prove: maker.Object, Now: g.opts.Clock,
	}
	return nil
}

// account reads an account with proof.
func (g *Gateway) account(ctx context.Context, id string) (*identityv1.Account, error) {
	acc := &identityv1.Account{}
	found, _, err := g.proved.Get(ctx, "identity/account/"+id, acc)
	if err != nil || !found {
		return nil, err
	}
	return acc, nil
}

// giveReceipts follows what happens to grants.
func (g *Gateway) giveReceipts(ctx context.Context) error {
	return g.receipts.Run(ctx, func(ctx context.Context, from int64, fn func([]*tracev1.Event, int64) error) error {
		return g.chain.Watch(ctx, from, []string{"grant/"}, func(u client.Update) error { return fn(u.Events, u.Next) })
	}, func(err error) {
		g.log.Warn("receipts of grants wait", "code", fault.CodeOf(err).String(), "err", err)
	})
}

// serveReceipts answers an owner.
func (g *Gateway) serveReceipts(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, caller.MaxCall))
	if err != nil {
		refuseCall(w, fault.Newf(fault.TooLong, "the call is too long or ends early"))
		return
	}
	var ask ReceiptsCall
	acc, err := g.calls.Admit(r.Context(), ReceiptsWhat, raw, &ask)
	if err != nil {
		refuseCall(w, err)
		return
	}
	list, next, err := g.receipts.List(acc.GetId(), ask.Grant, ask.After)
	if err != nil {
		refuseCall(w, err)
		return
	}
	answerJSON(w, http.StatusOK, ReceiptsAnswer{Receipts: append([]consentreceipt.Kept{}, list...), Next: next})
}

// refuseCall answers a call that is refused, with our code.
func refuseCall(w http.ResponseWriter, err error) {
	c := fault.CodeOf(err)
	status := http.StatusForbidden
	switch c {
	case fault.Malformed, fault.TooLong, fault.OutOfRange:
		status = http.StatusBadRequest
	case fault.NotFound:
		status = http.StatusNotFound
	case fault.Expired, fault.Replayed:
		status = http.StatusGone
	case fault.Busy, fault.Unreachable, fault.StaleHeight:
		status = http.StatusServiceUnavailable
	}
	answerJSON(w, status, map[string]string{"error": c.String(), "error_description": err.Error()})
}
