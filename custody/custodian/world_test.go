//go:build cgo

package custodian

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/custody/hsm"
	custodyv1 "mulian/gen/mulian/custody/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	"mulian/internal/sm"
	"mulian/internal/standard"
	"mulian/node"
)

const (
	chainID = "custody-test"
	police  = "11110000MULN00001L" // invented, as all here
	notary  = "11110000MULN00002P"
)

// town is a member of one validator, an identity authority with two desks, a custodian with a
// SoftHSM2 token, and a person without a device.
type town struct {
	t       *testing.T
	url     string
	genesis *client.Genesis
	file    []byte
	client  *client.Client
	police  client.Signer
	notary  client.Signer
	desks   [2]client.Signer
	module  hsm.Config
	elder   string
	seen    byte
}

func newTown(t *testing.T) *town {
	t.Helper()
	w := &town{t: t, module: token(t)}
	w.police, w.notary = signer(t, police), signer(t, notary)
	home := filepath.Join(t.TempDir(), "node")
	id, err := node.Keys(home)
	if err != nil {
		t.Fatal(err)
	}
	founder := func(s client.Signer, name string) *governancev1.Founder {
		return &governancev1.Founder{
			Code: s.Account, Weight: 1, Profile: &identityv1.OrgProfile{Name: name, Level: identityv1.OrgLevel_ORG_LEVEL_CITY, Region: "110000"},
			Keys: []*identityv1.Key{client.PublicKey(s.Key.Public(), identityv1.KeyLevel_KEY_LEVEL_ROOT, "root")},
		}
	}
	w.file, err = client.SignGenesis(&governancev1.Genesis{
		ChainId: chainID, TimeMs: time.Now().UnixMilli(), Parameters: standard.Parameters(), ClockProfiles: []*governancev1.ClockProfile{standard.Clocks809()},
		Calendar: []*governancev1.CalendarYear{standard.Calendar2025(), standard.Calendar2026()},
		Founders: []*governancev1.Founder{founder(w.police, "试验市公安局"), founder(w.notary, "试验市公证处")},
		Roles: []*governancev1.RoleGrant{
			{Role: governancev1.Role_ROLE_AUTHORITY, Account: police}, {Role: governancev1.Role_ROLE_IDENTITY, Account: police}, {Role: governancev1.Role_ROLE_CUSTODIAN, Account: notary},
		},
		Validators: []*governancev1.Validator{{PublicKey: id.Validator[:], Power: 10, Org: police, Name: "v1"}},
	}, w.police, w.notary)
	if err != nil {
		t.Fatal(err)
	}
	if w.genesis, err = client.ParseGenesis(w.file); err != nil {
		t.Fatal(err)
	}
	if _, err := node.Init(home, w.file); err != nil {
		t.Fatal(err)
	}
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
	w.url, w.client = run.URL(), client.New(run.URL())
	for i, desk := range []string{"east", "west"} {
		w.desks[i] = signer(t, police+"/p/"+desk)
		w.must(w.police, &identityv1.RegisterUnit{Kind: identityv1.AccountKind_ACCOUNT_KIND_DEPARTMENT, LocalId: desk, Name: desk})
		w.must(w.police, &identityv1.RegisterUnit{
			Kind: identityv1.AccountKind_ACCOUNT_KIND_POST, LocalId: desk, Name: desk, Parent: desk,
			Keys: []*identityv1.Key{client.PublicKey(w.desks[i].Key.Public(), identityv1.KeyLevel_KEY_LEVEL_OFFICER, "officer")},
		})
	}
	number := make([]byte, 16)
	rand.Read(number)
	w.elder = "p-" + hex.EncodeToString(number)
	return w
}

func signer(t *testing.T, account string) client.Signer {
	t.Helper()
	k, err := sm.Generate(sm.P256)
	if err != nil {
		t.Fatal(err)
	}
	return client.Signer{Account: account, Key: k}
}

// token makes a SoftHSM2 token in a folder of the test.
func token(t *testing.T) hsm.Config {
	t.Helper()
	library := ""
	for _, m := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"} {
		if _, err := os.Stat(m); err == nil {
			library = m
			break
		}
	}
	if _, err := exec.LookPath("softhsm2-util"); err != nil || library == "" {
		if os.Getenv("MULIAN_REQUIRE_SERVERS") == "1" {
			t.Fatal("SoftHSM2 is absent: scripts/need-softhsm installs it")
		}
		t.Skip("SoftHSM2 is absent: scripts/need-softhsm installs it")
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("SOFTHSM2_CONF", write("softhsm2.conf", "directories.tokendir = "+dir+"\nobjectstore.backend = file\nlog.level = ERROR\n"))
	if out, err := exec.Command("softhsm2-util", "--init-token", "--free", "--label", "custody", "--pin", "314159", "--so-pin", "271828").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return hsm.Config{Module: library, Token: "custody", PINFile: write("pin", "314159\n")}
}

func (w *town) must(s client.Signer, messages ...proto.Message) {
	w.t.Helper()
	if _, err := w.client.Send(w.t.Context(), s, messages...); err != nil {
		w.t.Fatalf("%T by %s: %v", messages[0], s.Account, err)
	}
}

// custodian is the program in a folder, not running yet. Its device is closed with the test.
func (w *town) custodian(dir string) *Custodian {
	w.t.Helper()
	d, err := hsm.Open(w.module)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = d.Close() })
	return &Custodian{
		Ledger: w.client, Proved: w.client.Verify(w.genesis), Signer: w.notary, Device: d, Dir: dir,
		Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)),
	}
}

func some(b byte) []byte {
	out := make([]byte, 32)
	for i := range out {
		out[i] = b
	}
	return out
}

// vouched brings the account to where the custodian comes in.
func (w *town) vouched() {
	w.t.Helper()
	face := recoveryv1.FaceResult_FACE_RESULT_MATCHED
	w.must(w.desks[0], &custodyv1.OpenCustody{Account: w.elder, Custodian: notary, Evidence: some(1), Face: face})
	w.must(w.desks[1], &custodyv1.ConfirmCustody{Account: w.elder, Evidence: some(2), Face: face})
}

// identified records that the person was identified.
func (w *town) identified() {
	w.t.Helper()
	w.must(w.desks[0], &identityv1.RecordProofing{
		Account: w.elder, Commitment: some(3), Method: identityv1.ProofingMethod_PROOFING_METHOD_COUNTER, Level: identityv1.ProofingLevel_PROOFING_LEVEL_HIGH,
		ExpiresMs: time.Now().AddDate(0, 1, 0).UnixMilli(),
	})
}

// recorded records and confirms a use for these messages, and returns its key on the ledger.
func (w *town) recorded(messages ...proto.Message) string {
	w.t.Helper()
	d, err := client.PrepareUntil(chainID, w.elder, time.Now().Add(30*time.Hour), messages...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.seen++
	presence, err := client.StepUpFor(w.desks[0], d.ID, identityv1.ProofingMethod_PROOFING_METHOD_FACE, some(100+w.seen))
	if err != nil {
		w.t.Fatal(err)
	}
	w.must(w.desks[0], &custodyv1.RecordCustodyUse{Account: w.elder, Body: d.Raw, Presence: presence})
	c := w.custody()
	w.must(w.desks[1], &custodyv1.ConfirmCustodyUse{Account: w.elder, Number: c.GetUses(), TxId: d.ID[:]})
	return fmt.Sprintf("%s%s/%010d", uses, w.elder, c.GetUses())
}

func (w *town) custody() *custodyv1.Custody {
	w.t.Helper()
	c := &custodyv1.Custody{}
	w.get(custodies+w.elder, c)
	return c
}

func (w *town) get(key string, m proto.Message) {
	w.t.Helper()
	ok, err := w.client.Get(w.t.Context(), key, m)
	if err != nil || !ok {
		w.t.Fatalf("%s: %t, %v", key, ok, err)
	}
}

// await waits until the use is in that state.
func (w *town) await(key string, s custodyv1.CustodyUseState) {
	w.t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		u := &custodyv1.CustodyUse{}
		w.get(key, u)
		if u.GetState() == s {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("%s is %s, want %s", key, u.GetState(), s)
		}
	}
}
