package node

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"mulian/client"
	"mulian/client/prooffile"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/internal/standard"
	"mulian/ledger"
)

// TestPrunedNodeProvesWhatIsOld: a node that keeps few blocks makes the proof files of its
// first object and its first event, without who signed them; with an archive also
// of the transaction; an archive that points back at it ends nothing.
func TestPrunedNodeProvesWhatIsOld(t *testing.T) {
	const org, chain = "11110000MULN00001L", "pruned-1"
	dir := t.TempDir()
	key, err := sm.Generate(sm.SM2)
	if err != nil {
		t.Fatal(err)
	}
	root := client.Signer{Account: org, Key: key}
	homes := []string{filepath.Join(dir, "pruned", "node"), filepath.Join(dir, "archive", "node")}
	g := &governancev1.Genesis{
		ChainId: chain, TimeMs: time.Now().Add(-time.Second).UnixMilli(), Parameters: standard.Parameters(), ClockProfiles: standard.Clocks(), Calendar: standard.Calendars(),
		Founders: []*governancev1.Founder{{
			Code: org, Weight: 1, Keys: []*identityv1.Key{client.PublicKey(key.Public(), identityv1.KeyLevel_KEY_LEVEL_ROOT, "root")},
			Profile: &identityv1.OrgProfile{Name: "试验局", Region: "110000", Level: identityv1.OrgLevel_ORG_LEVEL_CITY},
		}},
		Roles: []*governancev1.RoleGrant{{Role: governancev1.Role_ROLE_AUTHORITY, Account: org}},
	}
	id, err := Keys(homes[0])
	if err != nil {
		t.Fatal(err)
	}
	g.Validators = []*governancev1.Validator{{PublicKey: id.Validator[:], Power: 10, Org: org, Name: "v1", Sm2Key: id.SM2.Bytes()}}
	file, err := client.SignGenesis(g, root)
	if err != nil {
		t.Fatal(err)
	}
	for _, home := range homes {
		if _, err := Init(home, file); err != nil {
			t.Fatal(err)
		}
	}
	open := func(cfg Config) (*Member, func()) {
		m, err := OpenMember(t.Context(), MemberConfig{Listen: "127.0.0.1:0", Node: cfg})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- m.Run(ctx) }()
		stopped := false
		stop := func() {
			if cancel(); !stopped {
				stopped = true
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
		}
		t.Cleanup(stop)
		return m, stop
	}
	m, stop := open(Config{Home: homes[0], Version: "test"})
	c := client.New(m.URL())
	unit := func(i int) *client.Receipt {
		t.Helper()
		r, err := c.Send(t.Context(), root, &identityv1.RegisterUnit{Kind: identityv1.AccountKind_ACCOUNT_KIND_DEPARTMENT, LocalId: fmt.Sprintf("u%d", i), Name: "数据处"})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := unit(0)
	for i := 1; i < 80; i++ {
		unit(i)
	}
	// The archive is a copy of the chain as it is now.
	if err := m.Node.Ledger().Checkpoint(filepath.Join(homes[1], "store")); err != nil {
		t.Fatal(err)
	}
	stop()
	archive, _ := open(Config{Home: homes[1], Version: "test", Listen: "127.0.0.1:0"})
	prove := func(url string) (*prooffile.Maker, error) {
		t.Helper()
		maker, err := prooffile.NewMaker(client.New(url), file)
		if err != nil {
			t.Fatal(err)
		}
		for _, what := range []string{"identity/account/" + org + "/d/u0", "event:0"} {
			raw, err := maker.Find(t.Context(), what)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if r := prooffile.Verify(raw, maker.GenesisHash()); !r.OK {
				t.Errorf("%s: %+v", what, r)
			}
		}
		raw, err := maker.Transaction(t.Context(), [32]byte(first.TxID))
		if err == nil {
			if r := prooffile.Verify(raw, maker.GenesisHash()); !r.OK || len(r.Signers) == 0 {
				t.Errorf("transaction: %+v", r)
			}
		}
		return maker, err
	}
	for _, at := range []string{"", archive.URL()} {
		m, stop = open(Config{Home: homes[0], Version: "test", KeepBlocks: 5, Archive: at})
		c = client.New(m.URL())
		for i := 100; m.Node.Ledger().Status().OldestKept <= first.Height; i++ {
			unit(i)
		}
		if _, err := m.Node.Ledger().Envelope(&ledger.Committed{Height: first.Height}); !fault.Is(err, fault.Pruned) {
			t.Fatalf("it keeps the first transaction: %v", err)
		}
		if _, err := prove(m.URL()); at == "" && !fault.Is(err, fault.Pruned) || at != "" && err != nil {
			t.Errorf("with the archive %q: %v", at, err)
		}
		stop()
	}
}
