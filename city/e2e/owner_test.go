package e2e_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/canon"
	"mulian/internal/consent"
	"mulian/internal/itemset"
	"mulian/internal/passkey/passkeytest"
	"mulian/internal/rowkey"
	"mulian/internal/sm"
	"mulian/internal/standard"
)

const (
	ownersHost = "box.example.cn"
	ownersPage = "https://box.example.cn"
)

// phone is a device with one passkey.
type phone interface {
	Key(identityv1.KeyLevel) *identityv1.Key
	SignTx(id [32]byte) []byte
}

// owner is a person with a passkey in her phone, identified by the office that has that role.
type owner struct {
	w       *town
	account string
	phone   phone
	number  string // synthetic ID number
	salt    []byte // of her proofing
}

// owner opens an account and has its holder identified.
func (w *town) owner(seed, number string) *owner {
	w.Helper()
	return w.ownerOf(passkeytest.New(ownersHost, ownersPage, seed), seed, number)
}

// ownerOf is owner for the one who has that phone.
func (w *town) ownerOf(device phone, seed, number string) *owner {
	w.Helper()
	id := sha256.Sum256([]byte("account of " + seed))
	o := &owner{w: w, account: "p-" + hex.EncodeToString(id[:16]), phone: device, number: number, salt: random(32)}
	_, err := o.send(&identityv1.OpenAccount{Kind: identityv1.AccountKind_ACCOUNT_KIND_PERSON, Id: o.account, Keys: []*identityv1.Key{o.phone.Key(identityv1.KeyLevel_KEY_LEVEL_ROOT)}})
	w.ok(err)
	sum := sha256.Sum256(slices.Concat([]byte("mulian-proofing-v1\x00"), o.salt, []byte(number)))
	w.as(w.staffing, &identityv1.RecordProofing{
		Account: o.account, Commitment: sum[:], Method: identityv1.ProofingMethod_PROOFING_METHOD_COUNTER, Level: identityv1.ProofingLevel_PROOFING_LEVEL_HIGH,
		ExpiresMs: time.Now().Add(365 * 24 * time.Hour).UnixMilli(),
	})
	return o
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// send has the phone sign the messages as one transaction.
func (o *owner) send(m ...proto.Message) (*client.Receipt, error) {
	body := &txv1.Body{ChainId: chainID, Account: o.account, ExpiresMs: time.Now().Add(client.Lifetime).UnixMilli(), Salt: random(12)}
	for _, x := range m {
		body.Messages = append(body.Messages, client.Msg(x))
	}
	raw, err := canon.Marshal(body)
	o.w.ok(err)
	id := client.ID(raw)
	env, err := canon.Marshal(&txv1.Envelope{Body: raw, Signature: &txv1.Signature{Key: o.phone.Key(0).Id, Signature: o.phone.SignTx(id)}})
	o.w.ok(err)
	return o.w.chain.Submit(context.Background(), &client.Envelope{Raw: env, ID: id, Body: body})
}

// given is a grant, and what the owner gave to the data user beside it.
type given struct {
	id     string
	rowKey []byte
}

// grants gives what was requested, about the row of that key. seal edits what she seals.
func (o *owner) grants(request string, provider *department, where []*gatewayv1.KeyValue, seal ...func(*gatewayv1.RowKey)) given {
	o.w.Helper()
	r, u, e := &grantv1.DataRequest{}, &grantv1.IntendedUse{}, &cataloguev1.Entry{}
	o.w.get("grant/request/"+request, r)
	o.w.get("grant/register/"+r.Use, u)
	o.w.get("catalogue/entry/"+u.Entry, e)
	org := &identityv1.Account{}
	o.w.get("identity/account/"+r.Org, org)
	purpose, _ := standard.Purpose(standard.Parameters(), u.Purpose)
	text := consent.Text(consent.Chinese, consent.Facts{Request: r, Use: u, Entry: e, Purpose: purpose, OrgName: org.GetProfile().GetName(), CoolingSecs: standard.GrantCooling(standard.Parameters())}, consent.Choice{})
	k, err := rowkey.New(where, o.number, o.salt)
	o.w.ok(err)
	for _, edit := range seal {
		edit(k)
	}
	_, err = o.send(&grantv1.GiveGrant{
		Request: request, RequestHash: r.Hash, UiTextHash: consent.TextHash(text), Language: consent.Chinese, RowKeyCommitment: rowkey.Commitment(k),
	})
	o.w.ok(err)
	g := given{id: consent.GrantID(request, o.account)}
	g.rowKey = o.seals(g.id, provider, k)
	return g
}

// seals closes a row key for the provider's gateway.
func (o *owner) seals(grant string, provider *department, k *gatewayv1.RowKey) []byte {
	o.w.Helper()
	door := &identityv1.Account{}
	o.w.get("identity/account/"+provider.gateway, door)
	key := door.GetGateway().GetSealingKey()
	pub, err := sm.ParsePublic(sm.Algorithm(key.GetAlgorithm()), key.GetPublicKey())
	o.w.ok(err)
	sealed, err := rowkey.Seal(pub, rowkey.Context{Grant: grant, Provider: provider.gateway, Subject: o.account}, k)
	o.w.ok(err)
	return sealed
}

// asksOwner files a data request for some items of an entry, by a use that is registered
// for more, and returns its id.
func (w *town) asksOwner(user *department, use string, o *owner, e *cataloguev1.Entry, items []string, edit func(*grantv1.DataRequest)) string {
	w.Helper()
	u := &grantv1.IntendedUse{}
	w.get("grant/register/"+use, u)
	set, err := itemset.OfCodes(e, items...)
	w.ok(err)
	tap := &identityv1.Account{}
	w.get("identity/account/"+user.gateway, tap)
	business, err := consent.Private(random(consent.SaltBytes), "过户申请 2026-1")
	w.ok(err)
	now := time.Now()
	r := &grantv1.DataRequest{
		Use: use, Owner: o.account, Items: set, ToMs: now.Add(24 * time.Hour).UnixMilli(), MaxUses: u.MaxUses, BusinessReference: business, NoticeHash: u.NoticeHash,
		Gateway: user.gateway, RecipientKey: tap.GetGateway().GetSealingKey().GetId(), Nonce: random(consent.NonceBytes), NotAfterMs: now.Add(time.Hour).UnixMilli(), DataLifeDays: u.DataLifeDays,
	}
	if edit != nil {
		edit(r)
	}
	w.as(user.Signer, &grantv1.RequestData{Request: r})
	return consent.RequestID(user.Account, r.Nonce)
}

// registersUse registers what a data user may ask for, and returns its id.
func (w *town) registersUse(user *department, local string, e *cataloguev1.Entry, mode grantv1.GrantMode, items ...string) string {
	w.Helper()
	set, err := itemset.OfCodes(e, items...)
	w.ok(err)
	notice := sha256.Sum256([]byte("用电过户核验告知书"))
	u := &grantv1.IntendedUse{
		Title: "用电过户", Purpose: "utility", Entry: e.Id, EntryVersion: e.Version, Items: set, Basis: grantv1.GrantBasis_GRANT_BASIS_CONSENT,
		ConsentKind: grantv1.ConsentKind_CONSENT_KIND_SEPARATE, Mode: mode, Kind: grantv1.GrantKind_GRANT_KIND_ONCE, MaxDays: 30, MaxUses: 1,
		NoticeHash: notice[:], NoticeUrl: "https://power.example.cn/notice", Contact: "客户服务部 95598",
	}
	if mode == grantv1.GrantMode_GRANT_MODE_DELIVER {
		u.DataLifeDays = 30
	}
	w.as(user.Signer, &grantv1.RegisterUse{LocalId: local, Use: u})
	return user.Account + ":" + local
}
