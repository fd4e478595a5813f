package prooffile

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	identityv1 "mulian/gen/mulian/identity/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/passkey"
	"mulian/internal/passkey/passkeytest"
)

var passkeyDir = filepath.Join("..", "..", "docs", "spec", "testdata", "passkey")

// Of the stories of passkeys: a person who exists nowhere, and her grant.
const (
	owner    = "p-00112233445566778899aabbccddeeff"
	grantKey = "grant/grant/00112233445566778899aabbccddeeff"
)

func phone() *passkeytest.Authenticator {
	return passkeytest.New("box.example.cn", "https://box.example.cn", "proof")
}

// actOfDevice is the file of a transaction that the account's passkey signed; edit changes the
// answer of the device to the id.
func actOfDevice(t testing.TB, d *passkeytest.Authenticator, enrolled *identityv1.Key, edit func(*passkey.Assertion)) ([]byte, [32]byte) {
	t.Helper()
	w := newWorld(t, "proof-one", validator(t, "v1", 1, true))
	enrolled.State, enrolled.AddedMs = identityv1.KeyState_KEY_STATE_ACTIVE, w.base.UnixMilli()
	w.put(accountPrefix+owner, &identityv1.Account{Id: owner, Version: 1, Kind: identityv1.AccountKind_ACCOUNT_KIND_PERSON, Keys: []*identityv1.Key{enrolled}})
	body, err := canon.Marshal(&txv1.Body{ChainId: w.chain, Account: owner, ExpiresMs: w.time(w.height + 60).UnixMilli(), Salt: []byte("passkeys"), Messages: []*txv1.Message{{}}})
	if err != nil {
		t.Fatal(err)
	}
	id := idOf(body)
	a := d.Sign(passkey.Challenge(id))
	if edit != nil {
		edit(&a)
	}
	raw, err := canon.Marshal(&txv1.Envelope{
		Body: body, Signature: &txv1.Signature{Key: enrolled.Id, Signature: passkeytest.Bytes(a)},
		StepUp: &identityv1.StepUp{Authority: provider},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.txs[string(id[:])] = raw
	w.log(&tracev1.Event{Actor: owner, Verb: "grant/give", Objects: []string{grantKey}, TxId: id[:]})
	w.block(nil)
	w.block(nil)
	if edit == nil {
		file, err := w.maker().Transaction(context.Background(), id)
		if err == nil {
			return file, w.maker().hash
		}
		t.Logf("the maker gives no file: %v", err)
	}
	return w.unchecked(id)
}

// passkeyVectors are acts signed by devices, as they sign and as they must not.
func passkeyVectors(t testing.TB) (list []vector, files map[string][]byte) {
	level := identityv1.KeyLevel_KEY_LEVEL_OFFICER
	files = map[string][]byte{}
	for _, x := range []struct {
		name, shows string
		code        fault.Code
		step        string
		device      func(*passkeytest.Authenticator)
		key         func(*identityv1.Key)
		edit        func(*passkey.Assertion)
	}{
		{name: "passkey", shows: "signed by a passkey"},
		{name: "passkey-synced", shows: "signed by a passkey that is backed up", device: func(d *passkeytest.Authenticator) { d.BackupEligible, d.BackedUp, d.Counts = true, true, false }},
		{name: "passkey-high-s", shows: "the twin with the high s", device: func(d *passkeytest.Authenticator) { d.HighS = true }},
		{name: "passkey-raw", shows: "r and s without DER", device: func(d *passkeytest.Authenticator) { d.Raw = true }},
		{name: "passkey-more", shows: "a further member of the client data, and an extension", device: func(d *passkeytest.Authenticator) { d.Extra, d.Extensions = `,"x":"1"`, []byte{0xa0} }},
		{name: "bad-passkey-challenge", shows: "the assertion for another transaction", code: fault.BadAuthorisation, step: stepSignature, edit: func(a *passkey.Assertion) {
			*a = phone().Sign(passkey.Challenge([32]byte{1}))
		}},
		{name: "bad-passkey-flag", shows: "a flag was changed after signing: extensions that are none", code: fault.BadAuthorisation, step: stepSignature, edit: func(a *passkey.Assertion) { a.AuthenticatorData[32] |= 0x80 }},
		{name: "bad-passkey-counter", shows: "the counter was changed after signing", code: fault.BadAuthorisation, step: stepSignature, edit: func(a *passkey.Assertion) { a.AuthenticatorData[36]++ }},
		{name: "bad-passkey-unverified", shows: "the user was not verified", code: fault.BadAuthorisation, step: stepSignature, device: func(d *passkeytest.Authenticator) { d.Unverified = true }},
		{name: "bad-passkey-absent", shows: "nobody was there", code: fault.BadAuthorisation, step: stepSignature, device: func(d *passkeytest.Authenticator) { d.Absent = true }},
		{name: "bad-passkey-site", shows: "made for another relying party", code: fault.BadAuthorisation, step: stepSignature, key: func(k *identityv1.Key) { k.Passkey.RpIdHash[0] ^= 1 }},
		{name: "bad-passkey-eligible", shows: "backup eligibility that is another than at enrolment", code: fault.BadAuthorisation, step: stepSignature, key: func(k *identityv1.Key) { k.Passkey.BackupEligible = true }},
		{name: "bad-passkey-frame", shows: "made in another site's frame", code: fault.BadAuthorisation, step: stepSignature, device: func(d *passkeytest.Authenticator) { d.CrossOrigin = true }},
		{name: "bad-passkey-type", shows: "the answer to a registration", code: fault.BadAuthorisation, step: stepSignature, edit: func(a *passkey.Assertion) {
			a.ClientDataJSON = bytes.Replace(a.ClientDataJSON, []byte("webauthn.get"), []byte("webauthn.create"), 1)
		}},
		{name: "bad-passkey-none", shows: "a key of the algorithm 4 without a relying party", code: unproved, step: stepKey, key: func(k *identityv1.Key) { k.Passkey = nil }},
		{name: "bad-passkey-id", shows: "a passkey under the id of a plain key", code: unproved, step: stepKey, key: func(k *identityv1.Key) { k.Id = phone().Secret.Public().ID() }},
	} {
		d := phone()
		if x.device != nil {
			x.device(d)
		}
		k := d.Key(level)
		if x.key != nil {
			x.key(k)
		}
		edit := x.edit
		if edit == nil && x.code != 0 {
			edit = func(*passkey.Assertion) {}
		}
		file, hash := actOfDevice(t, d, k, edit)
		r := Verify(file, hash)
		if r.OK != (x.code == 0) || r.Code != x.code || r.Step != x.step {
			t.Errorf("%s: %v %s %s: %s", x.name, r.Code, r.Step, r.Field, r.Reason)
		}
		if r.OK && (len(r.Signers) != 1 || r.Signers[0].Account != owner || r.Signers[0].Algorithm != passkeyName) {
			t.Errorf("%s: signers %+v", x.name, r.Signers)
		}
		v := vector{File: x.name + ".mulian-proof.json", Shows: x.shows, GenesisHash: hex.EncodeToString(hash[:]), OK: r.OK, Code: x.code, Step: x.step, Field: r.Field}
		list, files[v.File] = append(list, v), file
	}
	return list, files
}

// TestPasskeyVectors holds the committed vectors to both verifiers; -update writes them anew.
func TestPasskeyVectors(t *testing.T) {
	list, files := passkeyVectors(t)
	if *update {
		if err := os.MkdirAll(passkeyDir, 0o755); err != nil {
			t.Fatal(err)
		}
		raw, err := json.MarshalIndent(list, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		files["index.json"] = append(raw, '\n')
		for name, file := range files {
			if err := os.WriteFile(filepath.Join(passkeyDir, name), file, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	var was []vector
	raw, err := os.ReadFile(filepath.Join(passkeyDir, "index.json"))
	if err == nil {
		err = json.Unmarshal(raw, &was)
	}
	if err != nil || len(was) != len(list) {
		t.Fatalf("%d vectors, %d are committed: run with -update: %v", len(list), len(was), err)
	}
	js := startSecond(t)
	for _, v := range was {
		file, err := os.ReadFile(filepath.Join(passkeyDir, v.File))
		if err != nil {
			t.Fatal(err)
		}
		hash, err := hex.DecodeString(v.GenesisHash)
		if err != nil {
			t.Fatal(err)
		}
		r := Verify(file, [32]byte(hash))
		if r.OK != v.OK || r.Code != v.Code || r.Step != v.Step || r.Field != v.Field {
			t.Errorf("%s (%s): %v %v %s %s: %s; want %+v", v.File, v.Shows, r.OK, r.Code, r.Step, r.Field, r.Reason, v)
		}
		same(t, v.File, r, js.verify(file, [32]byte(hash)))
	}
}
