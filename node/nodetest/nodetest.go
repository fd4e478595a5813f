// Package nodetest gives a test a real member: one validator with its ledger, index and
// server on a free port, whose genesis has the organisations that the test names. It is no
// product code: only tests import it.
//
//	Start ──▶ genesis, node, server ──▶ end of the test: it is stopped, and must end in order
package nodetest

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"mulian/client"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/standard"
	"mulian/node"
)

// Founder is an organisation of the genesis: its account with its key ROOT, its name, and
// the roles that it has. Codes and names are invented.
type Founder struct {
	Signer client.Signer
	Name   string
	Roles  []governancev1.Role
}

// Member is a running member.
type Member struct {
	Client  *client.Client
	URL     string
	Genesis *client.Genesis
	File    []byte // the genesis as it is handed round
	Home    string // folder of its parts
}

// Start starts a member of that chain. The first founder runs the validator.
func Start(t *testing.T, chain string, founders ...Founder) *Member {
	t.Helper()
	m := &Member{Home: t.TempDir()}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	home := filepath.Join(m.Home, "node")
	id, err := node.Keys(home)
	must(err)
	g := &governancev1.Genesis{
		ChainId: chain, TimeMs: time.Now().UnixMilli(), Parameters: standard.Parameters(), ClockProfiles: []*governancev1.ClockProfile{standard.Clocks809()},
		Calendar:   []*governancev1.CalendarYear{standard.Calendar2025(), standard.Calendar2026()},
		Validators: []*governancev1.Validator{{PublicKey: id.Validator[:], Power: 10, Org: founders[0].Signer.Account, Name: "v1", Sm2Key: id.SM2.Bytes()}},
	}
	var signers []client.Signer
	for _, f := range founders {
		g.Founders = append(g.Founders, &governancev1.Founder{
			Code: f.Signer.Account, Weight: 1, Profile: &identityv1.OrgProfile{Name: f.Name, Level: identityv1.OrgLevel_ORG_LEVEL_CITY, Region: "110000"},
			Keys: []*identityv1.Key{client.PublicKey(f.Signer.Key.Public(), identityv1.KeyLevel_KEY_LEVEL_ROOT, "root")},
		})
		for _, r := range f.Roles {
			g.Roles = append(g.Roles, &governancev1.RoleGrant{Role: r, Account: f.Signer.Account})
		}
		signers = append(signers, f.Signer)
	}
	m.File, err = client.SignGenesis(g, signers...)
	must(err)
	m.Genesis, err = client.ParseGenesis(m.File)
	must(err)
	_, err = node.Init(home, m.File)
	must(err)
	ctx, stop := context.WithCancel(context.Background())
	run, err := node.OpenMember(ctx, node.MemberConfig{Listen: "127.0.0.1:0", Node: node.Config{Home: home, Version: "test"}})
	if err != nil {
		stop()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- run.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the member ended: %v", err)
		}
	})
	m.URL, m.Client = run.URL(), client.New(run.URL())
	return m
}
