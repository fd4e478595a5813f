package browser

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"mulian/client"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/browsertest"
	"mulian/internal/sm"
	"mulian/internal/standard"
	"mulian/node"
	"mulian/server"
)

const votingOrg = "11110000MULN00003T" // the other member

// TestRootDeviceVotes: on a member that is no demo, whose organisation votes with another one,
// the responsible person opens the link of the command line, reads what the key can do, takes
// it with a passkey, and votes in the browser; the vote decides. The link gives nothing twice.
func TestRootDeviceVotes(t *testing.T) {
	browsertest.Find(t)
	home := t.TempDir()
	var founders []client.Signer
	genesis := &governancev1.Genesis{
		ChainId: "votes-1", TimeMs: time.Now().UnixMilli(), Parameters: standard.Parameters(), ClockProfiles: []*governancev1.ClockProfile{standard.Clocks809()},
		Calendar: []*governancev1.CalendarYear{standard.Calendar2025(), standard.Calendar2026()},
		Roles:    []*governancev1.RoleGrant{{Role: governancev1.Role_ROLE_AUTHORITY, Account: namedOrg}},
	}
	for _, org := range []struct{ code, name string }{{namedOrg, "某市住房城乡建设委员会"}, {votingOrg, "某市财政局"}} {
		key, err := sm.Generate(sm.SM2)
		if err != nil {
			t.Fatal(err)
		}
		founders = append(founders, client.Signer{Account: org.code, Key: key})
		genesis.Founders = append(genesis.Founders, &governancev1.Founder{
			Code: org.code, Weight: 1, Profile: &identityv1.OrgProfile{Name: org.name, Region: "110000", Level: identityv1.OrgLevel_ORG_LEVEL_CITY},
			Keys: []*identityv1.Key{{Id: key.Public().ID(), Algorithm: identityv1.KeyAlgorithm_KEY_ALGORITHM_SM2, PublicKey: key.Public().Bytes(), Level: identityv1.KeyLevel_KEY_LEVEL_ROOT}},
		})
	}
	id, err := node.Keys(filepath.Join(home, "node"))
	if err != nil {
		t.Fatal(err)
	}
	genesis.Validators = []*governancev1.Validator{{PublicKey: id.Validator[:], Power: 10, Org: namedOrg, Name: "v1", Sm2Key: id.SM2.Bytes()}}
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	genesis.Parameters.PasskeyRpIds, genesis.Parameters.PasskeyOrigins = []string{"localhost"}, []string{"http://localhost:" + port}
	file, err := client.SignGenesis(genesis, founders...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := node.Init(filepath.Join(home, "node"), file); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m, err := node.OpenMember(ctx, node.MemberConfig{Node: node.Config{Home: filepath.Join(home, "node")}, Listen: address})
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
	chain := client.New(m.URL())
	now := &governancev1.Parameters{}
	if _, err := chain.Get(t.Context(), "governance/parameters", now); err != nil {
		t.Fatal(err)
	}
	now.GrantDeletionDays = 10
	r, err := chain.Send(t.Context(), founders[1], &governancev1.Propose{Title: "删除期限缩短为 10 天", Reason: "清理程序都已能做到。", Change: &governancev1.Change{Kind: &governancev1.Change_SetParameters{SetParameters: now}}})
	if err != nil {
		t.Fatal(err)
	}
	link, token, err := server.NewRootSetup(chain, founders[0], namedOrg, 30, nil)
	if err != nil {
		t.Fatal(err)
	}
	m.Server.Offer(link)

	p := &page{Browser: browsertest.Open(t), t: t, url: m.Pages()}
	p.Size(1440, 900, false)
	p.chinese()
	p.open("/setup/" + token)
	p.see("根密钥只能是通行密钥") // a browser without an authenticator can only read
	p.Authenticator(browsertest.Device{})
	p.open("/setup/" + token)
	p.see("这把密钥能代表本机构做一切")
	p.see("30 天后自动截止")
	p.look("root-device")
	p.press(`[data-seat="root"]`)
	p.see("密钥已上链")
	p.open("/proposal/" + r.IDs[0])
	p.press(`[data-testid="vote-yes"]`)
	p.see("已上链，高度")
	after := &governancev1.Parameters{}
	if _, err := chain.Get(t.Context(), "governance/parameters", after); err != nil || after.GetGrantDeletionDays() != 10 {
		t.Errorf("both have voted, and it is not so: %v, %v", after.GetGrantDeletionDays(), err)
	}
	org := &identityv1.Account{}
	if _, err := chain.Get(t.Context(), "identity/account/"+namedOrg, org); err != nil {
		t.Fatal(err)
	}
	roots := 0
	for _, k := range org.GetKeys() {
		if k.GetLevel() == identityv1.KeyLevel_KEY_LEVEL_ROOT && k.GetEndsMs() != 0 {
			roots++
		}
	}
	if roots != 1 {
		t.Errorf("%d ROOT keys with an end, not the one of the device: %v", roots, org.GetKeys())
	}

	p = &page{Browser: browsertest.Open(t), t: t, url: m.Pages()}
	p.Size(1440, 900, false)
	p.chinese()
	p.open("/setup/" + token)
	p.see("这个设置链接已经用过")
}
