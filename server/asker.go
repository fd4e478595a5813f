package server

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	mandatev1 "mulian/gen/mulian/mandate/v1"
	"mulian/index"
	"mulian/internal/fault"
	"mulian/internal/pass"
	"mulian/internal/signer"
)

const (
	// lookAgain is how long what was seen of an asker's account and roles counts: a key that
	// was revoked reads no longer than that. Our own choice.
	lookAgain = time.Second
	// maxAskers bounds the passes that are remembered, some 400 bytes each.
	maxAskers = 10_000
)

// readers are the roles that read every grant: who supervises, who audits, and who runs
// nodes, on whose disks it lies anyway.
var readers = []governancev1.Role{governancev1.Role_ROLE_AUTHORITY, governancev1.Role_ROLE_OPERATOR, governancev1.Role_ROLE_AUDITOR}

// asker is who asks, as a reading pass has shown (package pass).
type asker struct {
	id, org string
	all     bool // holds one of readers

	expires, looked time.Time
}

// askers remembers passes that held, so that a gateway which asks often costs one check of a
// signature in minutes.
type askers struct {
	mu      sync.Mutex // guards the rest
	known   map[string]asker
	chainID string
}

// asker tells who asks. Forbidden without a pass; what is wrong with the pass: Malformed,
// WrongChain, Expired, OutOfRange, NotWhitelisted, Suspended, AccountFrozen, KeyRevoked,
// BadAuthorisation, and of a passkey OriginUnknown, RpIdUnknown, UvMissing.
func (s *Server) asker(ctx context.Context, h http.Header) (*asker, error) {
	text := h.Get(pass.Header)
	if text == "" {
		return nil, fault.Newf(fault.Forbidden, "only the parties of a grant may read it: say with a reading pass who asks (mulian: --as ACCOUNT)")
	}
	now := s.opts.Now()
	s.askers.mu.Lock()
	a, known := s.askers.known[text]
	s.askers.mu.Unlock()
	if known && now.Before(a.expires) && now.Sub(a.looked) < lookAgain {
		return &a, nil
	}
	return s.checkPass(ctx, text, now, known)
}

// checkPass checks a pass against the ledger as it is now; its signature unless that held
// before.
func (s *Server) checkPass(ctx context.Context, text string, now time.Time, held bool) (*asker, error) {
	p, err := pass.Read(text)
	if err != nil {
		return nil, err
	}
	chainID, err := s.chainID(ctx)
	if err != nil {
		return nil, err
	}
	if err := pass.InTime(p, chainID, now); err != nil {
		return nil, err
	}
	acc, err := signer.Account(ctx, p.Account, s.account)
	if err != nil {
		return nil, err
	}
	k, err := signer.Key(acc, p.Key, now.UnixMilli())
	if err != nil {
		return nil, err
	}
	if !held {
		par := &governancev1.Parameters{}
		if k.Algorithm == identityv1.KeyAlgorithm_KEY_ALGORITHM_WEBAUTHN {
			if _, err := s.object(ctx, index.Parameters, par); err != nil {
				return nil, err
			}
		}
		if err := pass.Verify(p, k, par); err != nil {
			return nil, err
		}
	}
	a := asker{id: acc.Id, org: acc.Org, expires: time.UnixMilli(p.ExpiresMs), looked: now}
	for _, role := range readers {
		for _, holder := range []string{acc.Id, acc.Org} {
			if a.all || holder == "" {
				continue
			}
			if a.all, err = s.object(ctx, fmt.Sprintf("%s%d/%s", index.Role, int32(role), holder), &governancev1.RoleGrant{}); err != nil {
				return nil, err
			}
		}
	}
	s.askers.keep(text, a, now)
	return &a, nil
}

// account reads an account; nil if there is none.
func (s *Server) account(ctx context.Context, id string) (*identityv1.Account, error) {
	acc := &identityv1.Account{}
	ok, err := s.object(ctx, index.Account+id, acc)
	if err != nil || !ok {
		return nil, err
	}
	return acc, nil
}

// keep remembers a pass, and forgets those that have run out when there is no room; with no
// room left the next question is checked again.
func (k *askers) keep(text string, a asker, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil {
		k.known = map[string]asker{}
	}
	if _, there := k.known[text]; !there && len(k.known) >= maxAskers {
		for t, old := range k.known {
			if !now.Before(old.expires) {
				delete(k.known, t)
			}
		}
		if len(k.known) >= maxAskers {
			return
		}
	}
	k.known[text] = a
}

// chainID is the chain's id, asked once.
func (s *Server) chainID(ctx context.Context) (string, error) {
	s.askers.mu.Lock()
	id := s.askers.chainID
	s.askers.mu.Unlock()
	if id != "" {
		return id, nil
	}
	st, err := s.chain.Status(ctx)
	if err != nil {
		return "", err
	}
	s.askers.mu.Lock()
	defer s.askers.mu.Unlock()
	s.askers.chainID = st.GetChainId()
	return s.askers.chainID, nil
}

// object reads an object as the ledger has it now.
func (s *Server) object(ctx context.Context, key string, m proto.Message) (bool, error) {
	res, err := s.chain.Object(ctx, key, 0, false)
	if err != nil || !res.GetFound() {
		return false, err
	}
	return true, decode(res.GetValue(), m)
}

// parties are those whom something of a grant concerns.
type parties struct {
	owner, grantee string
	gateways       []string // of providers
}

// mayRead refuses with Forbidden who is none of the parties, acts for none of them, and holds
// no role that reads all. An account of an organisation counts as the organisation.
func (s *Server) mayRead(ctx context.Context, a *asker, p parties) error {
	ours := func(gateway string) bool {
		return gateway == a.id || a.org != "" && strings.HasPrefix(gateway, a.org+"/")
	}
	switch {
	case a.all, a.id == p.owner, a.org != "" && a.org == p.grantee, a.id == p.grantee, slices.ContainsFunc(p.gateways, ours):
		return nil
	}
	if p.owner != "" {
		if ok, err := s.actsFor(ctx, a, p.owner); ok || err != nil {
			return err
		}
	}
	return fault.Newf(fault.Forbidden, "%s is no party of it: owner, data user, provider and auditor may read", a.id)
}

// actsFor reports whether the asker has a mandate of the owner, to see or to grant, that
// counts now.
func (s *Server) actsFor(ctx context.Context, a *asker, owner string) (bool, error) {
	if s.index == nil {
		return false, nil
	}
	now := s.opts.Now().UnixMilli()
	for _, agent := range []string{a.id, a.org} {
		if agent == "" {
			continue
		}
		page, _, _, err := index.List[mandatev1.Mandate](ctx, s.index, index.Filter{
			Kind: index.Mandate, Org: owner, Peer: agent, States: []int32{int32(mandatev1.MandateState_MANDATE_STATE_ACTIVE)}, Limit: maxPage,
		})
		if err != nil {
			return false, err
		}
		for _, m := range page {
			sees := slices.Contains(m.GetScope().GetActs(), mandatev1.MandateAct_MANDATE_ACT_VIEW) || slices.Contains(m.GetScope().GetActs(), mandatev1.MandateAct_MANDATE_ACT_GRANT)
			if sees && now >= m.GetFromMs() && now < m.GetUntilMs() {
				return true, nil
			}
		}
	}
	return false, nil
}
