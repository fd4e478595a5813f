package deliver

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"time"

	"mulian/gateway/receipt"
	"mulian/gateway/view"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// request is one whose signer is known.
type request struct {
	body  *gatewayv1.RequestBody
	raw   []byte
	hash  [sha256.Size]byte
	aad   []byte // to which the answer is bound
	key   string // id of the one that signed it
	asker *identityv1.Account
	sight view.Sight // of the asker's account
}

// admit tells who asks, or refuses: Malformed, WrongChain, NotWhitelisted (for
// another gateway; no gateway), Expired, OutOfRange (expiry), Suspended,
// KeyRevoked, BadAuthorisation, Replayed. Such refusals are not in the access log:
// nobody who could be named has asked.
func (p *Provider) admit(ctx context.Context, m *gatewayv1.SignedRequest) (*request, error) {
	r := &request{body: &gatewayv1.RequestBody{}, raw: m.GetBody(), key: m.GetKey()}
	if err := (canon.Limits{Bytes: maxBody, Elements: 4096}).Check(r.raw, r.body); err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the request cannot be read")
	}
	b := r.body
	now := p.now()
	left := time.UnixMilli(b.GetExpiresMs()).Sub(now)
	switch {
	case b.GetChainId() != p.cfg.ChainID:
		return nil, fault.Newf(fault.WrongChain, "the request is for chain %.60q", b.GetChainId())
	case b.GetTo() != p.cfg.Gateway:
		return nil, fault.Newf(fault.NotWhitelisted, "the request is for %.100q, this is %s", b.GetTo(), p.cfg.Gateway)
	case len(b.GetRequestId()) < minRequestID || len(b.GetRequestId()) > maxRequestID || !printable(b.GetRequestId()):
		return nil, fault.Newf(fault.Malformed, "request_id: %d to %d printable characters", minRequestID, maxRequestID)
	case left <= 0:
		return nil, fault.Newf(fault.Expired, "the request ended %s ago, by this gateway's clock%s", -left.Round(time.Millisecond), clocks(maxLife/2-left))
	case left > maxLife+skew:
		return nil, fault.Newf(fault.OutOfRange, "the request counts for %s, at most %s%s", left.Round(time.Second), maxLife, clocks(left-maxLife/2))
	}
	r.hash, r.aad = sha256.Sum256(r.raw), answerAAD(r.raw)
	if err := p.identify(ctx, r, m); err != nil {
		return nil, err
	}
	if !p.seen.first(b.GetFrom()+"\x00"+b.GetRequestId(), time.UnixMilli(b.GetExpiresMs()), now) {
		return nil, fault.Newf(fault.Replayed, "request %s was sent before", b.GetRequestId())
	}
	return r, nil
}

// clocks says what it is when an expiry is off, from what a request of ours has, by more
// than any network takes.
func clocks(off time.Duration) string {
	if off <= maxLife {
		return ""
	}
	return fmt.Sprintf(": the clocks of the two gateways differ by about %s", off.Round(time.Minute))
}

// identify finds the asker on the ledger and checks its signature. What does not
// hold by the cache is looked at anew: the key may be some milliseconds old.
func (p *Provider) identify(ctx context.Context, r *request, m *gatewayv1.SignedRequest) error {
	if len(r.body.GetFrom()) > maxID {
		return fault.Newf(fault.Malformed, "from: %d bytes", len(r.body.GetFrom()))
	}
	key := "identity/account/" + r.body.GetFrom()
	err := p.identifyOnce(ctx, r, m, key)
	if err != nil && !fault.Is(err, fault.StaleHeight) && p.looks.allow(r.body.GetFrom()) {
		p.cfg.View.Forget(key)
		err = p.identifyOnce(ctx, r, m, key)
	}
	return err
}

func (p *Provider) identifyOnce(ctx context.Context, r *request, m *gatewayv1.SignedRequest, key string) (err error) {
	r.asker, r.sight, err = view.Get(ctx, p.cfg.View, key, newAccount, defaultStaleness)
	if err != nil {
		return err
	}
	if !r.sight.Found || r.asker.GetKind() != identityv1.AccountKind_ACCOUNT_KIND_GATEWAY {
		return fault.Newf(fault.NotWhitelisted, "%.100q is no gateway on this chain", r.body.GetFrom())
	}
	if r.asker.GetState() != identityv1.AccountState_ACCOUNT_STATE_ACTIVE {
		return fault.Newf(fault.Suspended, "%s is not active", r.asker.GetId())
	}
	pub, err := activeKey(r.asker, m.GetKey(), p.latest())
	if err != nil {
		return err
	}
	if len(m.GetSignature()) > sm.MaxSignatureSize || !pub.Verify(append([]byte(Domain), r.raw...), m.GetSignature()) {
		return fault.Newf(fault.BadAuthorisation, "the request's signature does not hold")
	}
	return nil
}

func newAccount() *identityv1.Account { return &identityv1.Account{} }

// activeKey returns the account's key of that id: NotWhitelisted if it has none,
// KeyRevoked if it was revoked or has ended, Suspended while the members have suspended it.
func activeKey(a *identityv1.Account, id string, now time.Time) (sm.PublicKey, error) {
	for _, k := range a.GetKeys() {
		if k.GetId() != id {
			continue
		}
		if k.GetState() != identityv1.KeyState_KEY_STATE_ACTIVE || k.GetEndsMs() != 0 && now.UnixMilli() >= k.GetEndsMs() {
			return sm.PublicKey{}, fault.Newf(fault.KeyRevoked, "key %s of %s no longer signs", id, a.GetId())
		}
		if k.GetSuspended() {
			return sm.PublicKey{}, fault.Newf(fault.Suspended, "key %s of %s is suspended by vote", id, a.GetId())
		}
		return parseKey(k)
	}
	return sm.PublicKey{}, fault.Newf(fault.NotWhitelisted, "%s has no key %.40q", a.GetId(), id)
}

func parseKey(k *identityv1.Key) (sm.PublicKey, error) {
	pub, err := sm.ParsePublic(sm.Algorithm(k.GetAlgorithm()), k.GetPublicKey())
	return pub, fault.Wrap(fault.Damaged, err, "key %s", k.GetId())
}

func printable(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// replays remembers the requests that still count. After a restart it knows those
// that were decided, from the access log; Pull and Acknowledge change nothing when
// they come twice.
type replays struct {
	mu    sync.Mutex
	until map[string]time.Time
	sweep time.Time
}

// first takes the id and tells whether it is new. When the memory is full every
// request is refused until some have ended.
func (r *replays) first(id string, until, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.After(r.sweep) || len(r.until) >= maxReplays {
		for k, t := range r.until {
			if now.After(t) {
				delete(r.until, k)
			}
		}
		r.sweep = now.Add(10 * time.Second)
	}
	if _, again := r.until[id]; again || len(r.until) >= maxReplays {
		return false
	}
	r.until[id] = until.Add(skew)
	return true
}

func (r *replays) restore(log *receipt.Log, now time.Time) error {
	// Records of the last minutes stand at the end.
	const reach = 20_000
	size := log.Size()
	return log.Each(size-min(size, reach), func(e receipt.Entry) bool {
		if until := time.UnixMilli(e.Record.GetAtMs()).Add(maxLife + 2*skew); until.After(now) && e.Record.GetAsker() != "" {
			id, _, _ := strings.Cut(e.Record.GetRequestId(), ".") // of those that were asked together
			r.until[e.Record.GetAsker()+"\x00"+id] = until
			r.until[e.Record.GetAsker()+"\x00"+e.Record.GetRequestId()] = until
		}
		return true
	})
}

// looks bounds how often one gateway's bad requests make us ask the ledger anew:
// once a second each.
type looks struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func (l *looks) allow(who string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if len(l.last) > 10_000 {
		clear(l.last)
	}
	if now.Sub(l.last[who]) < time.Second {
		return false
	}
	l.last[who] = now
	return true
}

// record is what the log says of a request; the outcome is still open.
func (r *request) record() *tracev1.AccessRecord {
	return &tracev1.AccessRecord{
		RequestId: r.body.GetRequestId(), Asker: r.asker.GetId(), RequestHash: r.hash[:], ViewHeight: r.sight.Height,
	}
}
