package server_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
	"mulian/internal/pass"
	"mulian/internal/sm"
	"mulian/internal/wire"
	"mulian/rules/rulestest"
)

// circle is a member with one grant, and everybody who may or may not read it.
type circle struct {
	*member
	t                        *testing.T
	user, provider, stranger client.Signer // organisations
	door, tap                client.Signer // gateways of provider and user
	owner, nobody            client.Signer // persons
	open, asked, grant       string
}

func sum(text string) []byte {
	h := sha256.Sum256([]byte(text))
	return h[:]
}

func (c *circle) must(s client.Signer, m ...proto.Message) []string {
	c.t.Helper()
	r, err := c.client.Send(c.t.Context(), s, m...)
	if err != nil {
		c.t.Fatalf("%T: %s %v", m[0], fault.CodeOf(err), err)
	}
	return r.IDs
}

func (c *circle) key(account string) client.Signer {
	k, err := sm.Generate(sm.P256)
	if err != nil {
		c.t.Fatal(err)
	}
	return client.Signer{Account: account, Key: k}
}

func (c *circle) org(n int) client.Signer {
	s := c.key(rulestest.Code(n))
	c.must(c.signer, &identityv1.RegisterOrg{
		Code: s.Account, Profile: &identityv1.OrgProfile{Name: fmt.Sprintf("第%d单位", n), Level: identityv1.OrgLevel_ORG_LEVEL_CITY, Region: "110000"},
		Keys: []*identityv1.Key{client.PublicKey(s.Key.Public(), identityv1.KeyLevel_KEY_LEVEL_ROOT, "root")},
	})
	return s
}

func (c *circle) gateway(org client.Signer) client.Signer {
	s := c.key(org.Account + "/g/main")
	log, err := sm.Generate(sm.Ed25519)
	if err != nil {
		c.t.Fatal(err)
	}
	c.must(org, &identityv1.RegisterGateway{LocalId: "main", Name: "网关", Profile: &identityv1.GatewayProfile{
		Url: "http://127.0.0.1:9", SealingKey: rulestest.PublicKey(s.Key.Public(), 0), LogOrigin: "mulian/server-test/" + s.Account, LogPublicKey: log.Public().Bytes(),
	}, Keys: []*identityv1.Key{client.PublicKey(s.Key.Public(), identityv1.KeyLevel_KEY_LEVEL_MACHINE, "machine")}})
	return s
}

func (c *circle) person(n int) client.Signer {
	s := c.key(fmt.Sprintf("p-%032x", n))
	c.must(s, &identityv1.OpenAccount{
		Kind: identityv1.AccountKind_ACCOUNT_KIND_PERSON, Id: s.Account, Keys: []*identityv1.Key{client.PublicKey(s.Key.Public(), identityv1.KeyLevel_KEY_LEVEL_ROOT, "root")},
	})
	return s
}

// ask makes a request for one confidential item; of nobody in particular if owner is empty.
func (c *circle) ask(n int, owner string) string {
	now := time.Now()
	end := now.Add(10 * time.Minute).UnixMilli()
	return c.must(c.user, &grantv1.RequestData{Request: &grantv1.DataRequest{
		Use: c.user.Account + ":cure", Owner: owner, Items: []byte{1}, ToMs: end, MaxUses: 1, BusinessReference: sum("case"), NoticeHash: sum("notice"),
		Gateway: c.tap.Account, RecipientKey: c.tap.Key.Public().ID(), Nonce: fmt.Appendf(nil, "%016d", n), NotAfterMs: end,
	}})[0]
}

func newCircle(t *testing.T) *circle {
	c := &circle{member: start(t), t: t}
	c.user, c.provider, c.stranger = c.org(2), c.org(3), c.org(4)
	c.tap, c.door = c.gateway(c.user), c.gateway(c.provider)
	c.owner, c.nobody = c.person(1), c.person(2)
	c.must(c.user, &grantv1.RegisterUse{LocalId: "cure", Use: &grantv1.IntendedUse{
		Title: "会诊", Purpose: "medical", Items: []byte{1}, EntryCommitment: sum("entry"), ItemCount: 1, Providers: []string{c.door.Account},
		Basis: grantv1.GrantBasis_GRANT_BASIS_CONSENT, ConsentKind: grantv1.ConsentKind_CONSENT_KIND_SEPARATE, Mode: grantv1.GrantMode_GRANT_MODE_VIEW,
		Kind: grantv1.GrantKind_GRANT_KIND_ONCE, MaxDays: 1, MaxUses: 1, NoticeHash: sum("notice"), Contact: "12320",
	}})
	c.asked, c.open = c.ask(1, c.owner.Account), c.ask(2, "")
	r := &grantv1.DataRequest{}
	c.client.ReadAs(c.owner)
	if ok, err := c.client.Get(t.Context(), "grant/request/"+c.asked, r); !ok || err != nil {
		t.Fatalf("the owner does not see what he is asked: %v", err)
	}
	c.grant = c.must(c.owner, &grantv1.GiveGrant{Request: c.asked, RequestHash: r.Hash, UiTextHash: sum("text"), Language: "zh", RowKeyCommitment: sum("row")})[0]
	c.must(c.door, &grantv1.RecordGrantUse{Grant: c.grant, Number: 1, RecipientKey: c.tap.Key.Public().ID()})
	return c
}

// questions are all that is asked about a grant, each by its name.
func (c *circle) questions(ctx context.Context, cl *client.Client) map[string]error {
	out := map[string]error{}
	for _, key := range []string{"grant/request/" + c.asked, "grant/grant/" + c.grant, "grant/use/" + c.grant + "/0000000001"} {
		_, err := cl.Ledger.GetObject(ctx, connect.NewRequest(&ledgerv1.GetObjectRequest{Key: key}))
		out[key[:12]] = wire.Fault(err)
	}
	_, err := cl.Grant.GetGrant(ctx, connect.NewRequest(&grantv1.GetGrantRequest{Id: c.grant}))
	out["GetGrant"] = wire.Fault(err)
	_, err = cl.Grant.FindUsage(ctx, connect.NewRequest(&grantv1.FindUsageRequest{Grant: c.grant}))
	out["FindUsage"] = wire.Fault(err)
	_, err = cl.Grant.ListDuties(ctx, connect.NewRequest(&grantv1.ListDutiesRequest{Grant: c.grant}))
	out["ListDuties"] = wire.Fault(err)
	_, err = cl.Grant.GetReceipt(ctx, connect.NewRequest(&grantv1.GetReceiptRequest{Grant: c.grant}))
	out["GetReceipt"] = wire.Fault(err)
	return out
}

// TestOnlyPartiesReadGrants: owner, data user, provider, their gateways and the authority see
// a grant by whichever question; everybody else, and who says nothing, is refused.
func TestOnlyPartiesReadGrants(t *testing.T) {
	c := newCircle(t)
	for name, who := range map[string]client.Signer{"owner": c.owner, "data user": c.user, "its gateway": c.tap, "provider's gateway": c.door, "authority": c.signer} {
		cl := client.New(c.url)
		cl.ReadAs(who)
		for what, err := range c.questions(t.Context(), cl) {
			if err != nil && !(name == "provider's gateway" && what == "grant/reques") { // it is no party of the question, only of the answer
				t.Errorf("%s asks %s: %v", name, what, err)
			}
		}
	}
	for name, who := range map[string]client.Signer{"another organisation": c.stranger, "another person": c.nobody, "nobody": {}} {
		cl := client.New(c.url)
		cl.ReadAs(who)
		for what, err := range c.questions(t.Context(), cl) {
			if !fault.Is(err, fault.Forbidden) {
				t.Errorf("%s asks %s: %v", name, what, err)
			}
		}
		_, err := cl.Grant.ListNotifications(t.Context(), connect.NewRequest(&grantv1.ListNotificationsRequest{Owner: c.owner.Account}))
		if !fault.Is(wire.Fault(err), fault.Forbidden) {
			t.Errorf("%s reads the owner's feed: %v", name, err)
		}
		_, err = cl.Grant.ListGrants(t.Context(), connect.NewRequest(&grantv1.ListGrantsRequest{Owner: c.owner.Account}))
		if !fault.Is(wire.Fault(err), fault.Forbidden) {
			t.Errorf("%s lists the owner's grants: %v", name, err)
		}
		seen := 0
		if err := cl.List(t.Context(), "grant/", func(key string, _ []byte) bool {
			if bytes.HasPrefix([]byte(key), []byte("grant/register/")) || bytes.HasPrefix([]byte(key), []byte("grant/standing/")) {
				return true
			}
			if key == "grant/request/"+c.open && who.Account != "" {
				return true // for whoever scans its code
			}
			seen++
			return true
		}); err != nil || seen != 0 {
			t.Errorf("%s finds %d objects by their keys, %v", name, seen, err)
		}
	}
}

// TestEverybodysOwn: who names nobody is shown his own grants and requests; an open request is
// for whoever has its id; what is registered is for all.
func TestEverybodysOwn(t *testing.T) {
	c := newCircle(t)
	for name, x := range map[string]struct {
		who              client.Signer
		grants, requests int
	}{"owner": {c.owner, 1, 1}, "data user": {c.tap, 1, 2}, "another person": {c.nobody, 0, 0}, "another organisation": {c.stranger, 0, 0}, "authority": {c.signer, 1, 2}} {
		cl := client.New(c.url)
		cl.ReadAs(x.who)
		grants, err := cl.Grant.ListGrants(t.Context(), connect.NewRequest(&grantv1.ListGrantsRequest{}))
		if err != nil || len(grants.Msg.GetGrants()) != x.grants {
			t.Errorf("%s has %d grants, want %d: %v", name, len(grants.Msg.GetGrants()), x.grants, err)
		}
		requests, err := cl.Grant.ListDataRequests(t.Context(), connect.NewRequest(&grantv1.ListDataRequestsRequest{}))
		if err != nil || len(requests.Msg.GetRequests()) != x.requests {
			t.Errorf("%s has %d requests, want %d: %v", name, len(requests.Msg.GetRequests()), x.requests, err)
		}
		if _, err := cl.Grant.GetDataRequest(t.Context(), connect.NewRequest(&grantv1.GetDataRequestRequest{Id: c.open})); err != nil {
			t.Errorf("%s has scanned an open request: %v", name, err)
		}
	}
	uses, err := client.New(c.url).Grant.ListUses(t.Context(), connect.NewRequest(&grantv1.ListUsesRequest{}))
	if err != nil || len(uses.Msg.GetUses()) != 1 {
		t.Errorf("what is registered: %v", err)
	}
}

// TestPasses: a pass that is not of this chain, this time or this key opens nothing.
func TestPasses(t *testing.T) {
	c := newCircle(t)
	get := func(header string) error {
		req := connect.NewRequest(&grantv1.GetGrantRequest{Id: c.grant})
		req.Header().Set(pass.Header, header)
		_, err := client.New(c.url).Grant.GetGrant(t.Context(), req)
		return wire.Fault(err)
	}
	made := func(chain string, account string, key sm.PrivateKey, until time.Duration, edit func(*identityv1.ReadPass)) string {
		p, m, err := pass.Draft(chain, account, key.Public().ID(), time.Now().Add(until))
		if err == nil {
			p.Signature, err = key.Sign(m)
		}
		if err != nil {
			t.Fatal(err)
		}
		if edit != nil {
			edit(p)
		}
		text, err := pass.Text(p)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	key, own := c.owner.Key, c.owner.Account
	for name, x := range map[string]struct {
		header string
		want   fault.Code
	}{
		"good":            {made("server-test", own, key, time.Minute, nil), fault.OK},
		"another chain":   {made("other", own, key, time.Minute, nil), fault.WrongChain},
		"run out":         {made("server-test", own, key, -time.Second, nil), fault.Expired},
		"for an hour":     {made("server-test", own, key, time.Hour, nil), fault.OutOfRange},
		"another's key":   {made("server-test", own, c.nobody.Key, time.Minute, nil), fault.NotWhitelisted},
		"no account":      {made("server-test", "p-none", key, time.Minute, nil), fault.NotWhitelisted},
		"longer, changed": {made("server-test", own, key, time.Minute, func(p *identityv1.ReadPass) { p.ExpiresMs++ }), fault.BadAuthorisation},
		"no nonce":        {made("server-test", own, key, time.Minute, func(p *identityv1.ReadPass) { p.Nonce = nil }), fault.Malformed},
		"no pass":         {"!!", fault.Malformed},
	} {
		if err := get(x.header); fault.CodeOf(err) != x.want {
			t.Errorf("%s: %v, want %s", name, err, x.want)
		}
	}
	held := made("server-test", c.user.Account, c.user.Key, time.Minute, nil)
	if err := get(held); err != nil {
		t.Fatal(err)
	}
	c.must(c.signer, &identityv1.SuspendAccount{Account: c.user.Account, Cause: "检查"})
	for end := time.Now().Add(10 * time.Second); ; {
		err := get(held)
		if fault.Is(err, fault.Suspended) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("a suspended organisation still reads: %v", err)
		}
	}
}

// TestRequestsWithOneReferenceAreACase: a clerk finds the lanes of a case by what they have in
// common, and finds nobody else's by it.
func TestRequestsWithOneReferenceAreACase(t *testing.T) {
	c := newCircle(t)
	lanes := func(who client.Signer, reference []byte) ([]string, error) {
		cl := client.New(c.url)
		cl.ReadAs(who)
		res, err := cl.Grant.ListDataRequests(t.Context(), connect.NewRequest(&grantv1.ListDataRequestsRequest{BusinessReference: reference}))
		if err != nil {
			return nil, wire.Fault(err)
		}
		var ids []string
		for _, r := range res.Msg.GetRequests() {
			ids = append(ids, r.GetId())
		}
		return ids, nil
	}
	ids, err := lanes(c.user, sum("case"))
	if err != nil || len(ids) != 2 || !slices.Contains(ids, c.asked) || !slices.Contains(ids, c.open) {
		t.Errorf("the case has %v, %v; want %s and %s", ids, err, c.asked, c.open)
	}
	if ids, err := lanes(c.user, sum("another case")); err != nil || len(ids) != 0 {
		t.Errorf("another case has %v, %v", ids, err)
	}
	if ids, err := lanes(c.owner, sum("case")); err != nil || len(ids) != 1 || ids[0] != c.asked {
		t.Errorf("the owner finds %v, %v; want %s", ids, err, c.asked)
	}
	if ids, _ := lanes(c.stranger, sum("case")); len(ids) != 0 {
		t.Errorf("a stranger finds %v", ids)
	}
	if _, err := lanes(c.user, []byte("2026-0417")); !fault.Is(err, fault.Malformed) {
		t.Errorf("the bare number of a case: %v", err)
	}
}
