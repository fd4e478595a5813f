package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"mulian/client"
	"mulian/gateway"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

const (
	// askWait bounds one look at one node or gateway: one that is down must not hold up the rest.
	askWait = 2 * time.Second
	// maxTargets and maxHealth bound what is looked at, and what of an answer is read.
	maxTargets = 100
	maxHealth  = 64 << 10
	// namesEvery is how often the names of validators and the list of gateways are read anew.
	namesEvery = 30 * time.Second
)

// target is a node's server or a gateway that is watched.
type target struct {
	url    string
	client *client.Client
	before *ledgerv1.GetStatusResponse // of the sample before; nil: none
	at     time.Time                   // of it
	served uint64                      // granted by the gateway until then
	names  map[string]string           // of validators, by address
	named  time.Time
}

// seen is one look at a target. Its fields are what --json prints: they stay.
type seen struct {
	Target string `json:"target"`
	Kind   string `json:"kind"` // node, gateway; empty: it never answered
	Up     bool   `json:"up"`
	Error  string `json:"error,omitempty"`

	Height          int64    `json:"height,omitempty"`
	BlockAgeSeconds float64  `json:"block_age_seconds,omitempty"`
	TxPerSecond     float64  `json:"tx_per_second"`
	Pending         int64    `json:"pending"`
	P50Ms           float64  `json:"submit_p50_ms"`
	P99Ms           float64  `json:"submit_p99_ms"`
	Peers           uint32   `json:"peers"`
	Validators      uint32   `json:"validators,omitempty"`
	PowerPresent    int64    `json:"power_present,omitempty"`
	PowerTotal      int64    `json:"power_total,omitempty"`
	Margin          int64    `json:"quorum_margin"` // power that may still fail; below 0: no blocks
	Missing         []string `json:"missing,omitempty"`
	OpenProposals   uint32   `json:"open_proposals"`
	IndexLag        int64    `json:"index_lag"`
	DiskBytes       uint64   `json:"disk_bytes,omitempty"`
	CatchingUp      bool     `json:"catching_up,omitempty"`
	Stalled         bool     `json:"stalled,omitempty"`

	Account          string  `json:"account,omitempty"`
	AnchorAgeSeconds float64 `json:"anchor_age_seconds,omitempty"` // -1: no anchor yet
	Unanchored       uint64  `json:"unanchored,omitempty"`
	GrantedPerSecond float64 `json:"granted_per_second,omitempty"`
	Refused          uint64  `json:"refused,omitempty"`
}

// watching looks at all targets again and again.
type watching struct {
	a       *app
	targets []*target
	every   time.Duration
	samples int  // 0: until Ctrl-C
	ledger  bool // the gateways that the ledger names, too
	listed  time.Time
}

func (w *watching) add(url string) {
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	url = strings.TrimSuffix(url, "/")
	for _, t := range w.targets {
		if t.url == url {
			return
		}
	}
	if len(w.targets) < maxTargets {
		w.targets = append(w.targets, &target{url: url, client: client.New(url)})
	}
}

// run shows a sample after each period until ctx ends, which is no failure, or so many as
// were asked for.
func (w *watching) run(ctx context.Context) error {
	show := w.lines
	if out, ok := w.a.out.(*os.File); ok && terminal(out) && os.Getenv("TERM") != "dumb" {
		show = w.screen
	}
	ticks := time.NewTicker(w.every)
	defer ticks.Stop()
	for n := 1; ; n++ {
		at := time.Now()
		all := w.look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if w.a.json {
			if err := json.NewEncoder(w.a.out).Encode(map[string]any{"at": at.UTC().Format(time.RFC3339Nano), "targets": all}); err != nil {
				return err
			}
		} else {
			show(at, all)
		}
		if n == w.samples {
			return w.verdict(all)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
	}
}

// verdict is the exit status of a watch that ends by itself: whether all of it answered.
func (w *watching) verdict(all []seen) error {
	for _, s := range all {
		if !s.Up {
			return quietExit(fault.Unreachable.Exit())
		}
	}
	return nil
}

// look asks all at once.
func (w *watching) look(ctx context.Context) []seen {
	if w.ledger && time.Since(w.listed) > namesEvery {
		w.list(ctx)
	}
	all := make([]seen, len(w.targets))
	var asking sync.WaitGroup
	for i, t := range w.targets {
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, askWait)
			defer cancel()
			all[i] = t.look(ctx)
		})
	}
	asking.Wait()
	return all
}

// list adds the gateways that the ledger names, from the first node that answers.
func (w *watching) list(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	for _, t := range w.targets {
		res, err := t.client.Identity.ListAccounts(ctx, connect.NewRequest(&identityv1.ListAccountsRequest{Kind: identityv1.AccountKind_ACCOUNT_KIND_GATEWAY, Limit: maxTargets}))
		if err != nil {
			continue
		}
		for _, g := range res.Msg.GetAccounts() {
			if url := g.GetGateway().GetUrl(); url != "" && g.GetState() == identityv1.AccountState_ACCOUNT_STATE_ACTIVE {
				w.add(url)
			}
		}
		w.listed = time.Now()
		return
	}
}

// look asks a node, and what is none is asked as a gateway.
func (t *target) look(ctx context.Context) seen {
	st, err := t.client.Status(ctx)
	if err == nil {
		return t.node(ctx, st)
	}
	if g, gerr := gatewayHealth(ctx, t.url); gerr == nil {
		return t.gateway(g)
	}
	t.before, t.at = nil, time.Time{}
	return seen{Target: t.url, Error: reason(err)}
}

// reason is why something does not answer, in a few words.
func reason(err error) string {
	text := err.Error()
	if f, ok := errors.AsType[*fault.Fault](err); ok && f.Code == fault.Timeout {
		return "no answer in " + askWait.String()
	}
	if i := strings.LastIndex(text, ": "); i >= 0 && strings.Contains(text, "dial ") {
		text = text[i+2:]
	}
	return text
}

func (t *target) node(ctx context.Context, st *ledgerv1.GetStatusResponse) seen {
	now := time.Now()
	s := seen{
		Target: t.url, Kind: "node", Up: true, Height: st.GetHeight(), Pending: st.GetPending(), P50Ms: float64(st.GetSubmitP50Us()) / 1000, P99Ms: float64(st.GetSubmitP99Us()) / 1000,
		Peers: st.GetPeers(), Validators: st.GetValidators(), PowerPresent: st.GetPowerPresent(), PowerTotal: st.GetPowerTotal(),
		Margin: st.GetPowerPresent() - (2*st.GetPowerTotal()/3 + 1), OpenProposals: st.GetOpenProposals(), DiskBytes: st.GetDiskBytes(),
		CatchingUp: st.GetCatchingUp(), Stalled: st.GetStalled(), BlockAgeSeconds: max(0, now.Sub(time.UnixMilli(st.GetTimeMs())).Seconds()),
	}
	if st.GetPowerTotal() == 0 { // before the second block nobody has voted
		s.Margin = 0
	}
	if st.GetIndexed() >= 0 {
		s.IndexLag = max(0, st.GetEvents()-st.GetIndexed())
	}
	if t.before != nil && t.before.GetStartedMs() == st.GetStartedMs() && now.After(t.at) {
		s.TxPerSecond = float64(st.GetTransactions()-t.before.GetTransactions()) / now.Sub(t.at).Seconds()
	}
	t.before, t.at = st, now
	if len(st.GetMissing()) > 0 && time.Since(t.named) > namesEvery {
		t.readNames(ctx)
	}
	for _, who := range st.GetMissing() {
		if name, ok := t.names[who]; ok {
			who = name
		} else if len(who) > 8 {
			who = who[:8]
		}
		s.Missing = append(s.Missing, who)
	}
	return s
}

// readNames learns the validators' names: an address is the beginning of the hash of a key.
func (t *target) readNames(ctx context.Context) {
	res, err := t.client.Governance.GetConsortium(ctx, connect.NewRequest(&governancev1.GetConsortiumRequest{}))
	if err != nil {
		return
	}
	t.names, t.named = map[string]string{}, time.Now()
	for _, v := range res.Msg.GetValidators() {
		sum := sha256.Sum256(v.GetPublicKey())
		name := v.GetName()
		if v.GetOrg() != "" {
			name += "@" + v.GetOrg()
		}
		t.names[hex.EncodeToString(sum[:20])] = name
	}
}

func (t *target) gateway(g *gateway.Status) seen {
	now := time.Now()
	s := seen{
		Target: t.url, Kind: "gateway", Up: g.OK, Error: g.Trouble, Account: g.Account, AnchorAgeSeconds: g.ViewAgeSeconds,
		Unanchored: g.LogSize - min(g.Anchored, g.LogSize), Refused: g.Refused, Height: g.ViewHeight,
	}
	if !t.at.IsZero() && g.Granted >= t.served {
		s.GrantedPerSecond = float64(g.Granted-t.served) / now.Sub(t.at).Seconds()
	}
	t.served, t.at = g.Granted, now
	return s
}

// gatewayHealth reads what a gateway tells anybody about itself.
func gatewayHealth(ctx context.Context, url string) (*gateway.Status, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/healthz", nil)
	if err != nil {
		return nil, wire.Fault(err)
	}
	res, err := client.HTTPClient().Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	g := &gateway.Status{}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxHealth)).Decode(g); err != nil || g.Account == "" {
		return nil, fault.Newf(fault.Malformed, "%s is no gateway", url)
	}
	return g, nil
}
