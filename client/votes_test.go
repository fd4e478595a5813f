package client_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/gen/mulian/ledger/v1/ledgerv1connect"
	"mulian/internal/standard"
)

// TestCountVotes: weights, not heads; who is suspended is in the total alone; an emergency
// is lifted by its own share.
func TestCountVotes(t *testing.T) {
	now := &governancev1.GetConsortiumResponse{
		Parameters: standard.Parameters(),
		Members:    []*governancev1.Member{{Org: "A", Weight: 40}, {Org: "B", Weight: 30}, {Org: "C", Weight: 20}, {Org: "D", Weight: 11}},
		Suspensions: []*governancev1.Suspension{
			{Account: "C", EndsMs: 5}, {Account: "D", Key: "0123456789abcdef", EndsMs: 5},
		},
	}
	p := &governancev1.Proposal{
		Change:  &governancev1.Change{Kind: &governancev1.Change_RemoveMember{RemoveMember: "D"}},
		Ballots: []*governancev1.Ballot{{Org: "A", Yes: true, Weight: 1}, {Org: "C", Yes: true}, {Org: "B"}, {Org: "gone", Yes: true, Weight: 99}},
	}
	mute := map[string]bool{"C": true}
	want := client.Votes{Percent: 67, Total: 101, Needed: 68, Yes: 40, No: 30, Waiting: []string{"D"}, Silenced: []string{"C"}}
	if d := cmp.Diff(want, client.CountVotes(p, now, mute)); d != "" {
		t.Error(d)
	}
	p.Change = &governancev1.Change{Kind: &governancev1.Change_LiftSuspension{LiftSuspension: &governancev1.Suspension{Account: "C"}}}
	if v := client.CountVotes(p, now, mute); v.Percent != 34 {
		t.Errorf("an emergency is lifted by %d %%", v.Percent)
	}
	now.Suspensions[0].EndsMs = 0
	if v := client.CountVotes(p, now, mute); v.Percent != 67 {
		t.Errorf("what was confirmed is lifted by %d %%", v.Percent)
	}
}

// accounts answers for a node that has these.
type accounts struct {
	ledgerv1connect.UnimplementedLedgerServiceHandler
	byKey map[string]*identityv1.Account
}

func (a accounts) GetObject(_ context.Context, req *connect.Request[ledgerv1.GetObjectRequest]) (*connect.Response[ledgerv1.GetObjectResponse], error) {
	acc, found := a.byKey[req.Msg.GetKey()]
	raw, err := proto.Marshal(acc)
	return connect.NewResponse(&ledgerv1.GetObjectResponse{Found: found, Value: raw}), err
}

// TestSilenced: a member is silenced with its account or its last ROOT key that signs, and
// by no other key.
func TestSilenced(t *testing.T) {
	const root, active = identityv1.KeyLevel_KEY_LEVEL_ROOT, identityv1.KeyState_KEY_STATE_ACTIVE
	stopped := &identityv1.Key{Id: "1", Level: root, State: active, Suspended: true}
	served := accounts{byKey: map[string]*identityv1.Account{}}
	now := &governancev1.GetConsortiumResponse{Suspensions: []*governancev1.Suspension{
		{Account: "whole"}, {Account: "stranger"}, {Account: "stranger", Key: "1"}, {Account: "nowhere", Key: "1"},
	}}
	for org, other := range map[string]*identityv1.Key{
		"only":    {Id: "2", Level: identityv1.KeyLevel_KEY_LEVEL_OFFICER, State: active},
		"ended":   {Id: "2", Level: root, State: active, EndsMs: 1},
		"revoked": {Id: "2", Level: root, State: identityv1.KeyState_KEY_STATE_REVOKED},
		"another": {Id: "2", Level: root, State: active},
		"lasting": {Id: "2", Level: root, State: active, EndsMs: time.Now().UnixMilli() + 3_600_000},
	} {
		served.byKey["identity/account/"+org] = &identityv1.Account{Id: org, Keys: []*identityv1.Key{stopped, other}}
		now.Suspensions = append(now.Suspensions, &governancev1.Suspension{Account: org, Key: "1"})
	}
	for _, org := range []string{"whole", "nowhere", "only", "ended", "revoked", "another", "lasting", "free"} {
		now.Members = append(now.Members, &governancev1.Member{Org: org, Weight: 1})
	}
	mux := http.NewServeMux()
	mux.Handle(ledgerv1connect.NewLedgerServiceHandler(served))
	node := httptest.NewServer(mux)
	defer node.Close()
	got, err := client.New(node.URL).Silenced(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"whole": true, "nowhere": true, "only": true, "ended": true, "revoked": true}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
