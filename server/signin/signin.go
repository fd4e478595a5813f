// Package signin lets officials prove to their organisation's own server who they are, at the
// identity provider that the organisation has anyway (OpenID Connect Core 1.0, authorization
// code with PKCE), and gives them one thing for it: a seat. A seat is the right to put the key
// that this browser has made on the ledger, for a post. It is no session: nothing that was
// signed in for is kept here, and there is nothing to sign out of.
//
//	page ──Begin──▶ open flow ──▶ provider ──code──▶ page ──Finish──▶ ticket ──Take──▶ key of the post, with an end
//	                └ 10 minutes, in memory              └ once           └ 10 minutes
//
// # Invariants
//
//  1. Only the page that began can finish: it has a secret whose hash came first. A state is
//     used once, a nonce belongs to one flow, a code is useless without our verifier.
//  2. The issuer is the configured one. Its word is signed with a key of its own, by no symmetric
//     algorithm and never by none; it is for this client, it is fresh, and it answers this flow.
//  3. Who is who stands in the configuration alone. Neither the ledger nor a log has a name, a
//     subject or a claim: the ledger has the post, the key and its end.
//  4. A key that was given so ends by itself: who can no longer sign in loses it.
//  5. Every wait, and every list of what is open, is bounded.
//
// If this part lies, somebody signs for a post that is not his until its organisation revokes
// the key: whoever runs the member's server could do that anyway, as it holds the ROOT key.
package signin

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"mulian/client"
	consolev1 "mulian/gen/mulian/console/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
)

// Bounds; our own choice.
const (
	FlowLife      = 10 * time.Minute // a sign-in, from the button to the return
	TicketLife    = 10 * time.Minute // from there to the key
	ProviderLife  = time.Hour        // how long what the provider says of itself is believed
	Patience      = 10 * time.Second // with one question to the provider
	Skew          = 2 * time.Minute  // by which the provider's clock may be off
	maxOpen       = 4096             // flows, and tickets: beyond, the oldest goes
	maxAtOnce     = 8                // sign-ins that wait for the provider
	maxAnswer     = 1 << 20          // bytes of one answer
	maxParameter  = 4096             // of what the browser brings back
	secretBytes   = 32
	ReturnPath    = "/signin" // of the page to which the provider leads
	defaultClaim  = "sub"
	verifiedClaim = "email_verified"
)

// Post is a post that somebody has who signs in.
type Post struct {
	Who  string // as the provider says it in the claim
	Post string // local id: ORG/p/POST
	Name string // of the post, when it is made
	Role string // whose pages he sees
}

// Config of a sign-in. The zero Claim, Scopes and Way work; whoever fills it has checked the rest.
type Config struct {
	Title    string // how people call the provider
	Issuer   string
	ClientID string
	Secret   string // of the client; empty: it has none, and PKCE alone speaks for it
	Claim    string // empty: sub
	Scopes   []string
	KeyLife  time.Duration
	Way      *http.Transport // to the provider; nil: the usual one
	// Posts returns who has which post now: read again for each sign-in, so that a change needs
	// no restart.
	Posts func() ([]Post, error)
}

// SignIn is one organisation's. Make it with [New]; it is [server.SignIn].
type SignIn struct {
	cfg   Config
	chain *client.Client
	root  client.Signer // of the organisation
	now   func() time.Time
	log   *slog.Logger
	http  *http.Client
	gate  chan struct{} // a place for each that may wait for the provider

	mu       sync.Mutex // guards what follows; never held over a question
	provider *oidc.Provider
	asked    time.Time // when the provider was
	flows    kept[flow]
	tickets  kept[ticket]
}

// flow is a sign-in between the button and the return. By its state.
type flow struct {
	browser  [sha256.Size]byte // of the page's secret
	nonce    string
	verifier string // PKCE, RFC 7636
	redirect string
	began    time.Time
}

// ticket is what somebody has signed in for. By its hash: the ticket itself only the page has.
type ticket struct {
	posts []Post
	used  map[string]string // post -> id of the key that was brought for it
}

// New returns a sign-in for the organisation whose ROOT key that is. now nil is the clock.
func New(cfg Config, chain *client.Client, root client.Signer, log *slog.Logger, now func() time.Time) *SignIn {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.Default()
	}
	if cfg.Claim == "" {
		cfg.Claim = defaultClaim
	}
	return &SignIn{cfg: cfg, chain: chain, root: root, now: now, log: log, http: backChannel(cfg.Way), gate: make(chan struct{}, maxAtOnce)}
}

// Title is how people call the provider.
func (s *SignIn) Title() string { return s.cfg.Title }

// Issuer is the provider's own name.
func (s *SignIn) Issuer() string { return s.cfg.Issuer }

// Begin opens a flow for a page of that origin and returns where it goes. Malformed: no hash of
// a secret. Unreachable: the provider does not answer; Busy: too many wait for it.
func (s *SignIn) Begin(ctx context.Context, origin string, browser []byte) (string, error) {
	if len(browser) != sha256.Size {
		return "", fault.Newf(fault.Malformed, "browser has %d bytes: the SHA-256 of the page's secret has %d", len(browser), sha256.Size)
	}
	p, err := s.discover(ctx)
	if err != nil {
		return "", err
	}
	state, f := text(), flow{nonce: text(), verifier: oauth2.GenerateVerifier(), redirect: origin + ReturnPath, began: s.now()}
	copy(f.browser[:], browser)
	s.mu.Lock()
	s.flows.put(state, f, s.now(), FlowLife)
	s.mu.Unlock()
	return s.oauth(p, f.redirect).AuthCodeURL(state, oidc.Nonce(f.nonce), oauth2.S256ChallengeOption(f.verifier)), nil
}

// Finish takes the provider's answer. Its errors are those of ConsoleService.FinishSignIn, and
// Unreachable and Busy as of Begin.
func (s *SignIn) Finish(ctx context.Context, m *consolev1.FinishSignInRequest) (*consolev1.FinishSignInResponse, error) {
	for _, p := range []string{m.GetState(), m.GetCode(), m.GetIss()} {
		if len(p) > maxParameter {
			return nil, fault.Newf(fault.TooLong, "a parameter of %d bytes, at most %d", len(p), maxParameter)
		}
	}
	f, ok := s.take(m.GetState(), m.GetSecret())
	if !ok {
		return nil, fault.Newf(fault.Expired, "this sign-in is over: it was finished, began more than %s ago, or in another browser; sign in again", FlowLife)
	}
	if m.GetIss() != "" && m.GetIss() != s.cfg.Issuer {
		return nil, notBelieved("the answer is of another issuer than oidc.issuer")
	}
	if m.GetCode() == "" {
		return nil, fault.Newf(fault.Missing, "code is missing: the provider has signed nobody in; sign in again")
	}
	who, err := s.whoIs(ctx, f, m.GetCode())
	if err != nil {
		s.log.Warn("sign-in refused", "code", fault.CodeOf(err).String(), "err", err)
		return nil, err
	}
	all, err := s.cfg.Posts()
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "who has which post cannot be read: the administrator corrects oidc.posts in mulian.yaml")
	}
	out := &consolev1.FinishSignInResponse{Who: who, Claim: s.cfg.Claim}
	mine := slices.DeleteFunc(slices.Clone(all), func(p Post) bool { return p.Who != who })
	if len(mine) == 0 {
		s.log.Info("signed in", "posts", 0)
		return out, nil
	}
	org := &identityv1.Account{}
	if _, err := s.chain.Get(ctx, "identity/account/"+s.root.Account, org); err != nil {
		return nil, err
	}
	out.Ticket = text()
	s.mu.Lock()
	s.tickets.put(hashed(out.Ticket), ticket{posts: mine, used: map[string]string{}}, s.now(), TicketLife)
	s.mu.Unlock()
	for _, p := range mine {
		out.Seats = append(out.Seats, &consolev1.Seat{
			Id: p.Post, Role: p.Role, Post: p.Name, Org: s.root.Account, OrgName: cmp.Or(org.GetProfile().GetName(), s.root.Account), Kind: identityv1.AccountKind_ACCOUNT_KIND_POST,
		})
	}
	s.log.Info("signed in", "posts", len(mine))
	return out, nil
}

// take uses a flow up for the page that has its secret. Another page leaves it as it is.
func (s *SignIn) take(state string, secret []byte) (flow, bool) {
	sum := sha256.Sum256(secret)
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.flows.get(state, s.now())
	if !ok || len(secret) != secretBytes || subtle.ConstantTimeCompare(sum[:], f.browser[:]) != 1 {
		return flow{}, false
	}
	s.flows.drop(state)
	return f, true
}

// text is 26 letters and digits that nobody guesses.
func text() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random[:])
}

func hashed(ticket string) string {
	sum := sha256.Sum256([]byte(ticket))
	return string(sum[:])
}

// kept is what is open, oldest first, for a time. The zero value is empty. Its caller locks.
type kept[T any] struct {
	by    map[string]keptOne[T]
	order []string
}

type keptOne[T any] struct {
	what T
	ends time.Time
}

func (k *kept[T]) put(id string, what T, now time.Time, life time.Duration) {
	if k.by == nil {
		k.by = map[string]keptOne[T]{}
	}
	gone := 0
	for gone < len(k.order) {
		one, ok := k.by[k.order[gone]]
		if ok && now.Before(one.ends) && len(k.order)-gone < maxOpen {
			break
		}
		delete(k.by, k.order[gone])
		gone++
	}
	k.order = append(slices.Delete(k.order, 0, gone), id)
	k.by[id] = keptOne[T]{what, now.Add(life)}
}

func (k *kept[T]) get(id string, now time.Time) (what T, ok bool) {
	one, ok := k.by[id]
	if !ok || !now.Before(one.ends) {
		return what, false
	}
	return one.what, true
}

func (k *kept[T]) drop(id string) { delete(k.by, id) }
