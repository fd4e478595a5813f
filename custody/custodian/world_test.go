//go:build cgo

package custodian

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/custody/hsm"
	"mulian/custody/hsm/hsmtest"
	custodyv1 "mulian/gen/mulian/custody/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	"mulian/internal/sm"
	"mulian/node/nodetest"
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
	w := &town{t: t, module: hsmtest.Token(t)}
	w.police, w.notary = signer(t, police), signer(t, notary)
	run := nodetest.Start(t, chainID,
		nodetest.Founder{Signer: w.police, Name: "试验市公安局", Roles: []governancev1.Role{governancev1.Role_ROLE_AUTHORITY, governancev1.Role_ROLE_IDENTITY}},
		nodetest.Founder{Signer: w.notary, Name: "试验市公证处", Roles: []governancev1.Role{governancev1.Role_ROLE_CUSTODIAN}})
	w.url, w.client, w.genesis, w.file = run.URL, run.Client, run.Genesis, run.File
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
	presence, err := client.StepUpFor(w.police, d.ID, identityv1.ProofingMethod_PROOFING_METHOD_FACE, some(100+w.seen))
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
