package prooffile

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"

	"mulian/client"
	catalogv1 "mulian/gen/mulian/catalogue/v1"
	evidencev1 "mulian/gen/mulian/evidence/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/canon"
	"mulian/internal/sm"
)

// Ids of what the stories are about.
const (
	agreementID  = "00112233445566aa"
	agreementKey = "share/agreement/" + agreementID
	driftKey     = "catalogue/drift/" + provider + ":1"
	evidenceKey  = "evidence/item/0123456789abcdef0123456789abcdef"
	plainKey     = "catalogue/duty/" + provider + ":D07"
)

// A story is a world after its acts, and what can be proved in it.
type story struct {
	*world
	maker   *Maker
	log     leaves // of the provider's gateway
	answer  [32]byte
	receipt *tracev1.Receipt
}

// tell lets a provider agree, a gateway report a drift and anchor its log, and a
// consumer confirm and anchor evidence: with keys of all three algorithms.
func tell(w *world) *story {
	s := &story{world: w}
	by := func(account string, alg sm.Algorithm) sm.PrivateKey { return key(w.t, alg, account) }
	g := &sharev1.Agreement{Id: agreementID, Provider: provider, Consumer: consumer, Version: 1, ProviderGateways: []string{doorID}}
	s.answer = w.act(provider, by(provider, sm.SM2), "share/answer", map[string]msg{agreementKey: g}, agreementKey, "share/request/aa")
	g.Version = 2
	w.act(consumer, by(consumer, sm.P256), "share/confirm_agreement", map[string]msg{agreementKey: g}, agreementKey)
	w.act(doorID, by(doorID, sm.SM2), "catalogue/report_drift", map[string]msg{driftKey: &catalogv1.Drift{Id: provider + ":1"}}, driftKey)
	w.log(&tracev1.Event{Verb: "share/overdue", Objects: []string{agreementKey}, Note: "第一 \"期\" \\ <&> \u2028"})
	w.act(tapID, by(tapID, sm.Ed25519), "evidence/anchor_evidence", map[string]msg{
		evidenceKey: &evidencev1.Evidence{Id: "0123456789abcdef0123456789abcdef", Bytes: 12, Account: tapID, AtMs: 1, Height: 1},
	}, evidenceKey)
	s.anchored(7)
	w.block(nil)
	s.receipt = s.receiptOf(4)
	s.maker = w.maker()
	return s
}

// anchor fills the provider's log and anchors its head.
func (s *story) anchor(size int) {
	for i := len(s.log); i < size; i++ {
		r := &tracev1.AccessRecord{
			Gateway: doorID, Agreement: agreementID, Seq: uint64(i + 1), Outcome: tracev1.Outcome_OUTCOME_COMPLETED, RequestId: fmt.Sprintf("r-%d", i),
			Asker: tapID, Entry: provider + ":E01", EntryVersion: 3, Items: []string{"证号", "name"}, Purpose: "核对新建项目", Rows: uint64(1000 * i),
			Bytes: 1 << 40, AtMs: s.time(s.height).UnixMilli(), ViewHeight: s.height, Delivery: 1,
		}
		raw, err := canon.Marshal(r)
		if err != nil {
			s.t.Fatal(err)
		}
		s.log = append(s.log, raw)
	}
	root := logRoot(s.log)
	head := &tracev1.Head{Gateway: doorID, Size: uint64(size), Root: root[:], Height: s.height + 1, Anchors: 1}
	s.act(doorID, key(s.t, sm.SM2, doorID), "trace/anchor_head", map[string]msg{"trace/head/" + doorID: head},
		"trace/head/"+doorID, "trace/sequence/"+agreementID+"/"+doorID, agreementKey)
}

// anchored anchors a longer log with the numbers that are new, as a gateway does.
func (s *story) anchored(size int) {
	from := len(s.log)
	s.brings = &tracev1.Range{Agreement: agreementID, First: uint64(from + 1), Last: uint64(size)}
	s.anchor(size)
	s.brings = nil
}

func entryKey(i int) string { return fmt.Sprintf("catalogue/entry/%s:%03d", provider, i) }

// submit brings n entries in one transaction, as an import does: each has an event of its
// own.
func (s *story) submit(n int) [32]byte {
	m := &catalogv1.SubmitEntries{}
	for i := range n {
		m.Entries = append(m.Entries, &catalogv1.Entry{
			Id: fmt.Sprintf("%s:%03d", provider, i), Name: fmt.Sprintf("第%d类许可信息", i), Provider: provider, Abstract: fmt.Sprintf("演示市第 %x 号", seed(fmt.Sprint("entry", i))),
		})
	}
	body := &txv1.Body{ChainId: s.chain, Account: provider, ExpiresMs: s.time(s.height + 60).UnixMilli(), Salt: []byte("of many "), Messages: []*txv1.Message{client.Msg(m)}}
	env, err := client.SignBody(body, key(s.t, sm.SM2, provider))
	if err != nil {
		s.t.Fatal(err)
	}
	s.txs[string(env.ID[:])] = env.Raw
	for i, e := range m.Entries {
		s.put(entryKey(i), e)
		s.world.log(&tracev1.Event{Actor: provider, Verb: "catalogue/submit_entries", Objects: []string{entryKey(i)}, Note: "published v1", TxId: env.ID[:]})
	}
	s.block(nil)
	s.block(nil)
	return env.ID
}

func (s *story) receiptOf(leaf int) *tracev1.Receipt {
	sign := func(account string, alg sm.Algorithm) (string, []byte) {
		k := key(s.t, alg, account)
		sig, err := k.Sign(append([]byte(receiptDomain), s.log[leaf]...))
		if err != nil {
			s.t.Fatal(err)
		}
		return k.Public().ID(), sig
	}
	r := &tracev1.Receipt{Record: s.log[leaf], LeafIndex: uint64(leaf)}
	r.ProviderKey, r.ProviderSignature = sign(doorID, sm.SM2)
	r.ConsumerKey, r.ConsumerSignature = sign(tapID, sm.Ed25519)
	return r
}

// setKey changes the one key of an account, as revoking or retiring it does.
func (s *story) setKey(account string, alg sm.Algorithm, fn func(*identityv1.Key)) *identityv1.Key {
	k := client.PublicKey(key(s.t, alg, account).Public(), identityv1.KeyLevel_KEY_LEVEL_OFFICER, "officer")
	k.State, k.AddedMs = identityv1.KeyState_KEY_STATE_ACTIVE, s.base.UnixMilli()
	fn(k)
	s.put("identity/account/"+account, &identityv1.Account{Id: account, Version: 2, Keys: []*identityv1.Key{k}})
	s.block(nil)
	s.block(nil)
	return k
}

func must(t testing.TB) func([]byte, error) []byte {
	return func(file []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
}

// validFiles are a file of each kind, on a chain of one validator and on others.
func validFiles(t testing.TB) (files map[string][]byte, hashes map[string][32]byte) {
	files, hashes = map[string][]byte{}, map[string][32]byte{}
	ctx, ok := context.Background(), must(t)
	add := func(name string, m *Maker, file []byte) { files[name], hashes[name] = file, m.hash }

	one := tell(newWorld(t, "proof-one", validator(t, "v1", 1, true)))
	m := one.maker
	add("object", m, ok(m.Object(ctx, agreementKey)))
	add("object-drift", m, ok(m.Object(ctx, driftKey)))
	add("object-evidence", m, ok(m.Find(ctx, "0123456789abcdef0123456789abcdef")))
	add("object-unsigned", m, ok(m.Object(ctx, plainKey)))
	add("event", m, ok(m.Find(ctx, "event:40")))
	add("event-of-the-ledger", m, ok(m.Event(ctx, 43)))
	add("transaction", m, ok(m.Transaction(ctx, one.answer)))
	add("access", m, ok(m.Receipt(ctx, one.receipt, one.log)))
	add("access-anchored", m, ok(m.Access(ctx, doorID, 0, one.log)))

	many := one.submit(60)
	add("object-of-many", m, ok(m.Object(ctx, entryKey(7))))
	add("transaction-of-many", m, ok(m.Transaction(ctx, many)))

	one.setKey(provider, sm.SM2, func(k *identityv1.Key) {
		k.State, k.RevokedMs = identityv1.KeyState_KEY_STATE_REVOKED, one.time(one.height).UnixMilli()
	})
	add("object-key-revoked", m, ok(m.Object(ctx, agreementKey)))
	old := one.setKey(provider, sm.SM2, func(k *identityv1.Key) { k.Id, k.PublicKey = "0000000000000000", make([]byte, 65) })
	old = client.PublicKey(key(t, sm.SM2, provider).Public(), identityv1.KeyLevel_KEY_LEVEL_OFFICER, old.Label)
	old.State, old.AddedMs, old.RevokedMs = identityv1.KeyState_KEY_STATE_REVOKED, one.base.UnixMilli(), one.time(one.height).UnixMilli()
	one.put(retiredPrefix+provider+"/"+old.Id, old)
	one.block(nil)
	one.block(nil)
	add("object-key-retired", m, ok(m.Object(ctx, agreementKey)))

	plain := newWorld(t, "proof-no-sm2", validator(t, "v1", 7, false))
	s := tell(plain)
	add("object-no-sm2", s.maker, ok(s.maker.Object(ctx, agreementKey)))

	four := fourWorld(t)
	s = tell(four)
	add("four", s.maker, ok(s.maker.Object(ctx, agreementKey)))
	changeAll(t, four)
	add("four-changed", s.maker, ok(s.maker.Object(ctx, agreementKey)))
	add("four-changed-access", s.maker, ok(s.maker.Receipt(ctx, s.receipt, s.log)))
	found, m := findingFiles(t)
	for name, file := range found {
		add(name, m, file)
	}
	return files, hashes
}

// fourWorld has four validators of unlike power, of which one does not sign.
func fourWorld(t testing.TB) *world {
	w := newWorld(t, "proof-four", validator(t, "a", 10, true), validator(t, "b", 11, true), validator(t, "c", 12, true), validator(t, "d", 5, true))
	w.absent[string(validator(t, "d", 5, true).public())] = true
	return w
}

// changeAll replaces all validators in two steps: from the genesis no block leads
// straight to the last one.
func changeAll(t testing.TB, w *world) {
	w.change(validator(t, "c", 12, true), validator(t, "d", 5, true), validator(t, "e", 10, false), validator(t, "f", 2, false))
	for range 5 {
		w.block(nil)
	}
	w.change(validator(t, "e", 10, false), validator(t, "f", 10, false), validator(t, "g", 10, false))
	w.block(nil)
}

// TestOnlyTheNeededBlocks: as few blocks as lead to the last one; after the change the
// last one of the old set, the next one, whose set that names, and the last.
func TestOnlyTheNeededBlocks(t *testing.T) {
	files, _ := validFiles(t)
	for name, want := range map[string]int{"object": 1, "four": 1, "four-changed": 3} {
		c := contentOf(t, files[name])
		if len(c.blocks) != want {
			t.Errorf("%s: %d blocks, want %d", name, len(c.blocks), want)
		}
	}
}

func contentOf(t testing.TB, file []byte) *content {
	t.Helper()
	n, err := parse(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := read(n)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestAReportSaysWhatIsProved: not more, and nothing if it does not hold.
func TestAReportSaysWhatIsProved(t *testing.T) {
	files, hashes := validFiles(t)
	for name, file := range files {
		r := Verify(file, hashes[name])
		if !r.OK || r.Code != 0 || r.Step != "" || len(r.Statement) == 0 {
			t.Errorf("%s: %+v", name, r)
		}
		if bad := Verify(file, sha256.Sum256(nil)); bad.OK || bad.Kind != "" || bad.Statement != nil || bad.Signers != nil || bad.Code.Exit() == 0 {
			t.Errorf("%s with another genesis: %+v", name, bad)
		}
	}
	r := Verify(files["access"], hashes["access"])
	if r.Kind != "access" || r.Object != doorID+":4" || r.Chain != "proof-one" || len(r.Signers) != 2 || r.Signers[1].Algorithm != "ed25519" || r.SM2 != "1 of 1" {
		t.Errorf("access: %+v", r)
	}
	r = Verify(files["object"], hashes["object"])
	if len(r.Signers) != 2 || r.Signers[1].As != "share/confirm_agreement" || r.Signers[1].Algorithm != "p256" || len(r.Value) == 0 {
		t.Errorf("object: %+v", r)
	}
	if r = Verify(files["four"], hashes["four"]); r.Power != "33 of 38" || r.SM2 != "33 of 38" {
		t.Errorf("four: %+v", r)
	}
	for name, state := range map[string]string{"object-key-revoked": "revoked 2", "object-key-retired": "revoked 2"} {
		if r = Verify(files[name], hashes[name]); r.Signers[0].State[:9] != state {
			t.Errorf("%s: %+v", name, r.Signers)
		}
	}
}
