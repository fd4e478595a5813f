package server

import (
	"context"
	"net/http"
	"strings"

	grantv1 "mulian/gen/mulian/grant/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/index"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// private are the tables of which each object is for its parties alone. What is registered
// (grant/register) and what the ledger notes of data users (grant/standing) is for everybody:
// an owner looks at it before he says yes.
//
// It is a door and no vault: every member's node holds the state, and blocks and events, which
// this server shows to whoever checks the chain, name grants by their handles.
var private = []string{index.DataRequest, index.Grant, index.GrantUse, index.DeletionDuty, index.GrantFeed, grantIndexes}

// grantIndexes begins the keys by which the state machine finds grants: they name owners and
// grants, and are for who reads everything.
const grantIndexes = "grant/x/"

// isPrivate reports whether the object at key is for parties.
func isPrivate(key string) bool {
	for _, p := range private {
		if strings.HasPrefix(key, p) {
			return true
		}
	}
	return false
}

// mayReadObject refuses with Forbidden, or with what is wrong with his pass, who may not read
// the private object. value is nil where there is none: that may be known to whoever has a
// pass.
func (s *Server) mayReadObject(ctx context.Context, h http.Header, key string, value []byte) error {
	a, err := s.asker(ctx, h)
	if err != nil || value == nil {
		return err
	}
	p, grant, err := partiesOf(key, value)
	if err != nil || p.owner == "" && strings.HasPrefix(key, index.DataRequest) { // open: for whoever scans its code
		return err
	}
	if err = s.mayRead(ctx, a, p); err == nil || grant == "" {
		return err
	}
	g := &grantv1.Grant{}
	if found, ferr := s.object(ctx, index.Grant+grant, g); ferr != nil || !found {
		return err
	}
	return s.mayRead(ctx, a, ofGrant(g))
}

// partiesOf tells whom an object concerns, and of which grant the others are parties, too.
func partiesOf(key string, value []byte) (p parties, grant string, err error) {
	switch {
	case strings.HasPrefix(key, index.DataRequest):
		r := &grantv1.DataRequest{}
		err = decode(value, r)
		return ofRequest(r), "", err
	case strings.HasPrefix(key, index.Grant):
		g := &grantv1.Grant{}
		err = decode(value, g)
		return ofGrant(g), "", err
	case strings.HasPrefix(key, index.GrantUse):
		u := &grantv1.Use{}
		err = decode(value, u)
		return parties{owner: u.GetOwner(), gateways: []string{u.GetProvider()}}, u.GetGrant(), err
	case strings.HasPrefix(key, index.DeletionDuty):
		d := &grantv1.DeletionDuty{}
		err = decode(value, d)
		return parties{owner: d.GetOwner(), grantee: d.GetGrantee()}, d.GetGrant(), err
	case strings.HasPrefix(key, grantIndexes):
		return parties{}, "", nil
	}
	return parties{owner: strings.TrimPrefix(key, index.GrantFeed)}, "", nil
}

func ofGrant(g *grantv1.Grant) parties {
	return parties{owner: g.GetOwner(), grantee: g.GetGrantee(), gateways: g.GetProviders()}
}

func ofRequest(r *grantv1.DataRequest) parties {
	return parties{owner: r.GetOwner(), grantee: r.GetOrg()}
}

// maxPages is how many pages one question looks through for something that its asker may read:
// 10,000 objects at most. Our own choice.
const maxPages = 50

// withoutPrivate leaves out of a page what the asker may not read. A page of which nothing is
// left has the next ones behind it, until something is left or none comes: OutOfRange after maxPages.
func (l ledgerAPI) withoutPrivate(ctx context.Context, h http.Header, m *ledgerv1.ListObjectsRequest) (*ledgerv1.ListObjectsResponse, error) {
	for pages := 1; ; pages++ {
		res, err := l.chain.Objects(ctx, m)
		if err != nil || len(res.GetObjects()) == 0 {
			return res, err
		}
		last := res.Objects[len(res.Objects)-1].GetKey()
		var left []*ledgerv1.Object
		for _, o := range res.Objects {
			if isPrivate(o.GetKey()) {
				switch err := l.s.mayReadObject(ctx, h, o.GetKey(), append([]byte{}, o.GetValue()...)); {
				case err == nil:
				case refusal(err):
					continue
				default:
					return nil, err
				}
			}
			left = append(left, o)
		}
		if res.Objects = left; len(left) > 0 || !res.GetMore() {
			return res, nil
		}
		if pages == maxPages {
			return nil, fault.Newf(fault.OutOfRange, "none of the %d objects up to %.200q is for who asks: ask GrantService, or for a closer prefix", maxPages*int(m.GetLimit()), last)
		}
		m.After = last
	}
}

// refusal reports whether an error says that the asker may not, and not that nobody knows.
func refusal(err error) bool {
	switch fault.CodeOf(err) {
	case fault.Unreachable, fault.Timeout, fault.Busy, fault.Cancelled, fault.Internal, fault.Damaged:
		return false
	}
	return true
}

// party is the check before a question of GrantService that names whose grants it wants.
func (g grantAPI) party(ctx context.Context, h http.Header, p parties) (*asker, error) {
	a, err := g.s.asker(ctx, h)
	if err == nil {
		err = g.s.mayRead(ctx, a, p)
	}
	if err != nil {
		return nil, wire.Error(err)
	}
	return a, nil
}

// own fills in whose objects a question is about that names nobody: the asker's own. Who
// reads everything may leave that open.
func (a *asker) own(owner, user *string) {
	switch {
	case a.all:
	case a.org == "":
		*owner = a.id
	default:
		*user = a.org
	}
}

// named is party for a question that may leave open whose objects it is about; gateway is one
// of a provider.
func (g grantAPI) named(ctx context.Context, h http.Header, owner, user *string, gateway string) error {
	a, err := g.s.asker(ctx, h)
	if err != nil {
		return wire.Error(err)
	}
	if *owner == "" && *user == "" && gateway == "" {
		a.own(owner, user)
		return nil
	}
	var gateways []string
	if gateway != "" {
		gateways = []string{gateway}
	}
	return wire.Error(g.s.mayRead(ctx, a, parties{owner: *owner, grantee: *user, gateways: gateways}))
}
