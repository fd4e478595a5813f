package signin_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"mulian/client"
	consolev1 "mulian/gen/mulian/console/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/internal/standard"
	"mulian/node"
	"mulian/server/signin"
)

const org = "11110000MULN00041Q"

// member runs a real member of one validator and returns its organisation.
func member(t *testing.T) (*client.Client, client.Signer) {
	t.Helper()
	home := t.TempDir()
	key, err := sm.Generate(sm.SM2)
	if err != nil {
		t.Fatal(err)
	}
	id, err := node.Keys(filepath.Join(home, "node"))
	if err != nil {
		t.Fatal(err)
	}
	root := client.Signer{Account: org, Key: key}
	file, err := client.SignGenesis(&governancev1.Genesis{
		ChainId: "signin-1", TimeMs: time.Now().UnixMilli(), Parameters: standard.Parameters(), ClockProfiles: []*governancev1.ClockProfile{standard.Clocks809()},
		Calendar: []*governancev1.CalendarYear{standard.Calendar2025(), standard.Calendar2026()},
		Founders: []*governancev1.Founder{{
			Code: org, Weight: 1, Profile: &identityv1.OrgProfile{Name: "某市住房城乡建设委员会", Region: "110000", Level: identityv1.OrgLevel_ORG_LEVEL_CITY},
			Keys: []*identityv1.Key{{Id: key.Public().ID(), Algorithm: identityv1.KeyAlgorithm_KEY_ALGORITHM_SM2, PublicKey: key.Public().Bytes(), Level: identityv1.KeyLevel_KEY_LEVEL_ROOT}},
		}},
		Roles:      []*governancev1.RoleGrant{{Role: governancev1.Role_ROLE_AUTHORITY, Account: org}},
		Validators: []*governancev1.Validator{{PublicKey: id.Validator[:], Power: 10, Org: org, Name: "v1", Sm2Key: id.SM2.Bytes()}},
	}, root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := node.Init(filepath.Join(home, "node"), file); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m, err := node.OpenMember(ctx, node.MemberConfig{Node: node.Config{Home: filepath.Join(home, "node")}, Listen: "127.0.0.1:0"})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("end: %v", err)
		}
	})
	return client.New(m.URL()), root
}

func newKey(t *testing.T) *identityv1.Key {
	t.Helper()
	k, err := sm.Generate(sm.P256)
	if err != nil {
		t.Fatal(err)
	}
	return &identityv1.Key{Id: k.Public().ID(), Algorithm: identityv1.KeyAlgorithm_KEY_ALGORITHM_P256, PublicKey: k.Public().Bytes(), Level: identityv1.KeyLevel_KEY_LEVEL_ROOT}
}

// TestSeatForWhoSignedIn: a ticket gives a key with an end for each of its posts, once, whatever
// level was asked for; later sign-ins renew it, take away what has ended, and never fill the
// account up; a revoked key does not come back.
func TestSeatForWhoSignedIn(t *testing.T) {
	chain, root := member(t)
	l, now := lie(t), time.Now()
	s := open(l, chain, root, func() time.Time { return now })
	ctx := t.Context()
	in := func() string {
		t.Helper()
		v := begin(t, s)
		l.claims = l.honest(v, now)
		l.claims["preferred_username"] = "zhang.wei"
		got, err := s.Finish(ctx, v.back())
		if err != nil || len(got.GetSeats()) != 2 || got.GetSeats()[0].GetOrgName() != "某市住房城乡建设委员会" || !s.Holds(got.GetTicket()) {
			t.Fatalf("%v, %v", got, err)
		}
		return got.GetTicket()
	}
	take := func(ticket, post string, key *identityv1.Key) (*consolev1.TakeSeatResponse, error) {
		return s.Take(ctx, &consolev1.TakeSeatRequest{Seat: post, Token: ticket, Key: key})
	}
	ticket, first := in(), newKey(t)
	if _, err := take(ticket, "director", first); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a post of somebody else: %v", err)
	}
	bad := newKey(t)
	bad.Id = "0000000000000000"
	if _, err := take(ticket, "data-1", bad); !fault.Is(err, fault.CodeInconsistent) {
		t.Errorf("a key with another's id: %v", err)
	}
	got, err := take(ticket, "data-1", first)
	if err != nil || got.GetAccount() != org+"/p/data-1" || got.GetEndsMs() != now.Add(24*time.Hour).UnixMilli() {
		t.Fatalf("%v, %v", got, err)
	}
	if again, err := take(ticket, "data-1", first); err != nil || again.GetAccount() != got.GetAccount() || again.GetEndsMs() != got.GetEndsMs() {
		t.Errorf("who did not get the answer: %v, %v", again, err)
	}
	if _, err := take(ticket, "data-1", newKey(t)); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a second key with one ticket: %v", err)
	}
	if _, err := take(ticket, "data-2", newKey(t)); err != nil {
		t.Errorf("the other post: %v", err)
	}
	post := func() *identityv1.Account {
		t.Helper()
		acc := &identityv1.Account{}
		if found, err := chain.Get(ctx, "identity/account/"+got.GetAccount(), acc); err != nil || !found {
			t.Fatal(found, err)
		}
		return acc
	}
	if k := post().GetKeys(); len(k) != 1 || k[0].GetLevel() != identityv1.KeyLevel_KEY_LEVEL_OFFICER || k[0].GetEndsMs() != got.GetEndsMs() {
		t.Errorf("the post has %v", k)
	}
	for range 20 { // more than an account may have keys
		if _, err := take(in(), "data-1", newKey(t)); err != nil {
			t.Fatal(err)
		}
	}
	last := newKey(t)
	if _, err := take(in(), "data-1", last); err != nil {
		t.Fatal(err)
	}
	if _, err := chain.Send(ctx, root, &identityv1.RevokeKey{Account: got.GetAccount(), Key: last.GetId(), Cause: "left"}); err != nil {
		t.Fatal(err)
	}
	if _, err := take(in(), "data-1", last); !fault.Is(err, fault.AlreadyExists) {
		t.Errorf("a revoked key comes back: %v", err)
	}
	ticket = in()
	now = now.Add(signin.TicketLife)
	if _, err := take(ticket, "data-1", newKey(t)); !fault.Is(err, fault.Expired) || s.Holds(ticket) {
		t.Errorf("after %s: %v", signin.TicketLife, err)
	}
}
