package bench

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/gateway"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/itemset"
	"mulian/internal/sm"
	"mulian/internal/tracing"
)

// What Grant does; our own choices.
const (
	grantOwners = 256 // with a passkey each
	grantChecks = 256 // grants that are used once, through two gateways; one of each owner
	grantRows   = 1000
)

// Grant measures what a person's own yes costs: how many grants signed by passkeys the ledger
// commits a second, and how long one takes; how long a provider's gateway checks before it
// has a use counted; and how long a credential takes to be issued, shown and verified.
//
// A grant is grant/give_grant, the owner's answer to a request that stands on the ledger,
// signed with a passkey (WebAuthn, P-256) over the text that he was shown; owners are persons
// who were identified, and each key signs many times. The node is a process of its own, and
// the grants go in through [node.Node.Submit], as in [Ledger].
//
// The checks are those of gateway/deliver: FetchByGrant of an asker's gateway at the provider's,
// both in this process, each grant once, so that none is remembered. Timed, by the provider's own
// spans, from the arrival of a call until the signed use goes to the ledger.
//
// Usage (no folder), Cancelled.
func Grant(ctx context.Context, o Options) (Result, error) {
	o.SQLite, o.Rows, o.Seconds = true, grantRows, max(o.Seconds, 1)
	return onStage(ctx, o, "grant", o.rows, measureGrants)
}

func measureGrants(ctx context.Context, s *stage) error {
	g := &grants{stage: s, owners: newOwners(grantOwners)}
	checks, err := g.checked(ctx)
	if err != nil {
		return err
	}
	// The member's process opens the same home.
	stop := s.stop
	s.stop = func() error { return nil }
	if err := stop(); err != nil {
		return err
	}
	full, calm, err := g.given(ctx)
	if err != nil {
		return err
	}
	r := s.r
	r.Add(Figure{Name: "tps", Value: full.rate, Unit: "grants/s", Goal: "≥ 2,000", Note: "signed by passkeys, committed, saturated"})
	r.Add(Figure{Name: "p50_ms", Value: calm.times.Ms(50), Unit: "ms", Note: "submit to commit, at 500 a second"})
	r.Add(Figure{Name: "p99_ms", Value: calm.times.Ms(99), Unit: "ms"})
	r.Add(Figure{Name: "check_p95_ms", Value: checks.until.Ms(95), Unit: "ms", Goal: "< 5", Note: "provider's gateway: from the call's arrival until the use goes to the ledger"})
	r.Add(Figure{Name: "check_p50_ms", Value: checks.until.Ms(50), Unit: "ms"})
	r.Add(Figure{Name: "decide_p95_ms", Value: checks.decide.Ms(95), Unit: "ms", Note: "of it: grant, entry, items, row key, owner, scope"})
	if err := credentials(ctx, s.o, r); err != nil {
		return err
	}
	r.Add(Figure{Name: "saturated_p50_ms", Value: full.times.Ms(50), Unit: "ms"})
	r.Add(Figure{Name: "saturated_p99_ms", Value: full.times.Ms(99), Unit: "ms"})
	r.Add(Figure{Name: "cpu_us_per_grant", Value: float64(full.cpu.Microseconds()) / float64(max(full.count, 1)), Unit: "µs", Note: "of the node's process, saturated"})
	r.Add(Figure{Name: "note_p50_ms", Value: checks.note.Ms(50), Unit: "ms", Note: "of it: the sealed answer is durable"})
	r.Add(Figure{Name: "note_p95_ms", Value: checks.note.Ms(95), Unit: "ms"})
	r.Add(Figure{Name: "decide_p50_ms", Value: checks.decide.Ms(50), Unit: "ms"})
	r.Add(Figure{Name: "row_p50_ms", Value: checks.row.Ms(50), Unit: "ms"})
	r.Add(Figure{Name: "row_p95_ms", Value: checks.row.Ms(95), Unit: "ms", Note: "of it: the row from SQLite"})
	r.Note("grants: grant/give_grant of kind ONCE, %d bytes, passkeys (P-256) of %d persons, %d in flight, one validator in a process of its own", full.bytes, grantOwners, inFlight)
	r.Note("checks: %d grants, each used once: read with proof, admission, row key, the row from SQLite, sealing and the durable note included", checks.until.Len())
	return nil
}

// grants is one run. The steps follow one another in one goroutine.
type grants struct {
	*stage
	by     *asking // set by registerUse
	owners []*owner
}

// checked sets the scene with both gateways in this process, and measures the checks.
func (g *grants) checked(ctx context.Context) (_ *checkTimes, err error) {
	times := newCheckTimes()
	_, end, err := g.inside(ctx, g.door, g.pair, tracing.New(tracing.Config{Service: "mulian-gateway"}, times))
	if err != nil {
		return nil, err
	}
	defer func() { err = joined(err, end()) }()
	tap, close, err := g.inside(ctx, g.tap, g.pair, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = joined(err, close()) }()
	if err := g.onBoard(ctx); err != nil {
		return nil, err
	}
	if err := g.registerUse(ctx); err != nil {
		return nil, err
	}
	given, err := g.toCheck(ctx)
	if err != nil {
		return nil, err
	}
	g.o.Say("use %d grants through two gateways", len(given))
	for _, f := range given {
		if _, err := tap.FetchByGrant(ctx, f); err != nil {
			return nil, err
		}
	}
	return times, nil
}

// inside runs a gateway in this process and waits until the ledger has its address.
func (g *grants) inside(ctx context.Context, account string, p pair, t *tracing.Tracer) (*gateway.Gateway, func() error, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, nil, err
	}
	cfg := g.config(account, addr)
	from, to := p.urls()
	if account == g.door {
		source := gateway.Source{Name: "main", Tables: []string{rowsTable}}
		setURL(&source.URL, &source.URLFile, from)
		cfg.Sources, cfg.PollSeconds = []gateway.Source{source}, 60
	} else {
		setURL(&cfg.Sink.URL, &cfg.Sink.URLFile, to)
	}
	w, err := gateway.Open(ctx, cfg, gateway.Options{Version: "bench", Logger: slog.New(slog.DiscardHandler), Tracer: t})
	if err != nil {
		return nil, nil, err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- w.Run(running) }()
	end := func() error { cancel(); return errors.Join(<-done, w.Close()) }
	if err := g.reached(ctx, cfg); err != nil {
		return nil, nil, errors.Join(err, end())
	}
	return w, end, nil
}

// onBoard opens the owners' accounts and has them identified.
func (g *grants) onBoard(ctx context.Context) error {
	g.o.Say("open and identify the accounts of %d persons", len(g.owners))
	err := spread(ctx, askers, len(g.owners), func(i int) error {
		return g.submit(ctx, g.owners[i], g.owners[i].opens())
	})
	if err != nil {
		return err
	}
	var proofings []proto.Message
	for _, o := range g.owners {
		proofings = append(proofings, o.proofed())
	}
	_, err = g.chain.Send(ctx, g.authority, proofings...)
	return err
}

func (g *grants) submit(ctx context.Context, o *owner, m proto.Message) error {
	env, err := o.sign(time.Now(), m)
	if err != nil {
		return err
	}
	_, err = g.chain.Submit(ctx, env)
	return err
}

// registerUse publishes the entry and registers what the data user may ask for.
func (g *grants) registerUse(ctx context.Context) error {
	if err := g.publish(ctx, g.pair, func(e *cataloguev1.Entry) {
		e.OwnerItem, e.Personal = "credit_code", cataloguev1.Personal_PERSONAL_YES
	}); err != nil {
		return err
	}
	a := &asking{use: &grantv1.IntendedUse{}, entry: &cataloguev1.Entry{}, gateway: g.tap}
	if _, err := g.chain.Get(ctx, "catalogue/entry/"+g.entry, a.entry); err != nil {
		return err
	}
	set, err := itemset.OfCodes(a.entry, "permit_no", "project", "issued")
	if err != nil {
		return err
	}
	notice := sha256.Sum256([]byte("用电过户核验告知书"))
	if _, err := g.chain.Send(ctx, g.consumer, &grantv1.RegisterUse{LocalId: "rename", Use: &grantv1.IntendedUse{
		Title: "用电过户", Purpose: "utility", Entry: a.entry.Id, EntryVersion: a.entry.Version, Items: set, Basis: grantv1.GrantBasis_GRANT_BASIS_CONSENT,
		ConsentKind: grantv1.ConsentKind_CONSENT_KIND_SEPARATE, Mode: grantv1.GrantMode_GRANT_MODE_DELIVER, Kind: grantv1.GrantKind_GRANT_KIND_ONCE,
		MaxDays: 30, MaxUses: 1, DataLifeDays: 30, NoticeHash: notice[:], NoticeUrl: "https://power.example.cn/notice", Contact: "客户服务部 95598",
	}}); err != nil {
		return err
	}
	tap, org := &identityv1.Account{}, &identityv1.Account{}
	for key, into := range map[string]proto.Message{"grant/register/" + g.consumer.Account + ":rename": a.use, "identity/account/" + g.tap: tap, "identity/account/" + g.consumer.Account: org} {
		if _, err := g.chain.Get(ctx, key, into); err != nil {
			return err
		}
	}
	a.recipient, a.org = tap.GetGateway().GetSealingKey().GetId(), org.GetProfile().GetName()
	g.by = a
	return nil
}

// given runs the chain as the ledger's bench does, saturated and at a moderate pace.
func (g *grants) given(ctx context.Context) (full, calm *load, err error) {
	file := filepath.Join(g.dir, "consumer.pem")
	if err := sm.SavePrivate(file, g.consumer.Key); err != nil {
		return nil, nil, err
	}
	facts, err := g.by.config(len(g.owners))
	if err != nil {
		return nil, nil, err
	}
	c, err := startChain(ctx, []memberConfig{{
		Home: g.home(), ChainID: benchChain, Signers: []memberSigner{{Account: g.consumer.Account, Key: file}}, Grants: facts,
	}})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = joined(err, c.close()) }()
	if full, err = c.saturated(ctx, g.o, g.o.Seconds); err != nil {
		return nil, nil, err
	}
	g.o.Say("%d a second for %d s", busyRate, g.o.Seconds)
	calm, err = c.paced(ctx, busyRate, g.o.Seconds)
	return full, calm, err
}

// requestAll has the data user ask each owner once, in one transaction.
func (g *grants) requestAll(ctx context.Context, owners []*owner) ([]*grantv1.DataRequest, error) {
	var requests []*grantv1.DataRequest
	var messages []proto.Message
	for _, o := range owners {
		r, err := g.by.request(o)
		if err != nil {
			return nil, err
		}
		requests, messages = append(requests, r), append(messages, asks(r))
	}
	_, err := g.chain.Send(ctx, g.consumer, messages...)
	return requests, err
}
