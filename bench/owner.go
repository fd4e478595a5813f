package bench

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/consent"
	"mulian/internal/fault"
	"mulian/internal/passkey/passkeytest"
	"mulian/internal/rowkey"
	"mulian/internal/sm"
	"mulian/internal/standard"
)

// Where the owners' passkeys were made.
const (
	ownersHost = "box.example.cn"
	ownersPage = "https://box.example.cn"
)

const (
	requestDays = 20 // term of what is asked for
	answerDays  = 10 // how long an owner may take
)

// owner is a person who does not exist, with a passkey as phones make them: copied by the
// cloud, and without a counter. One goroutine uses it.
type owner struct {
	account string
	phone   *passkeytest.Authenticator
	key     string // id
	row     int    // of the provider's table: his own
	salt    []byte // of his proofing
}

// newOwner makes the n-th owner, the same each time: the member's process makes those again
// for whom the bench has opened accounts.
func newOwner(n int) *owner {
	seed := "owner " + strconv.Itoa(n)
	id, salt := sha256.Sum256([]byte("account of "+seed)), sha256.Sum256([]byte("salt of "+seed))
	o := &owner{account: "p-" + hex.EncodeToString(id[:16]), phone: passkeytest.Synced(ownersHost, ownersPage, seed), row: n + 1, salt: salt[:]}
	o.key = o.phone.Key(0).Id
	return o
}

func newOwners(n int) []*owner {
	out := make([]*owner, n)
	for i := range out {
		out[i] = newOwner(i)
	}
	return out
}

// number is what stands in the owner's item of his row; see rowsColumns.
func (o *owner) number() string { return fmt.Sprintf("91110000MA%07dX", o.row) }

// sign has the phone sign one message.
func (o *owner) sign(at time.Time, m proto.Message) (*client.Envelope, error) {
	d, err := client.Prepare(benchChain, o.account, at, m)
	if err != nil {
		return nil, err
	}
	return d.WithPasskey(o.key, o.phone.Sign(d.Challenge()))
}

// opens is the message that opens his account.
func (o *owner) opens() *identityv1.OpenAccount {
	return &identityv1.OpenAccount{
		Kind: identityv1.AccountKind_ACCOUNT_KIND_PERSON, Id: o.account, Keys: []*identityv1.Key{o.phone.Key(identityv1.KeyLevel_KEY_LEVEL_ROOT)},
	}
}

// proofed is what the identity authority records of him.
func (o *owner) proofed() *identityv1.RecordProofing {
	sum := rowkey.Proofing(o.salt, o.number())
	return &identityv1.RecordProofing{
		Account: o.account, Commitment: sum[:], Method: identityv1.ProofingMethod_PROOFING_METHOD_COUNTER, Level: identityv1.ProofingLevel_PROOFING_LEVEL_HIGH,
		ExpiresMs: time.Now().Add(300 * 24 * time.Hour).UnixMilli(),
	}
}

// rowKey names his row.
func (o *owner) rowKey() (*gatewayv1.RowKey, error) {
	return rowkey.New([]*gatewayv1.KeyValue{{Item: "id", Value: strconv.Itoa(o.row)}}, o.number(), o.salt)
}

// seals closes a row key for the provider's gateway.
func (o *owner) seals(grant string, provider *identityv1.Account, k *gatewayv1.RowKey) ([]byte, error) {
	key := provider.GetGateway().GetSealingKey()
	to, err := sm.ParsePublic(sm.Algorithm(key.GetAlgorithm()), key.GetPublicKey())
	if err != nil {
		return nil, err
	}
	return rowkey.Seal(to, rowkey.Context{Grant: grant, Provider: provider.GetId(), Subject: o.account}, k)
}

// asking is what a data user asks owners by, as it stands on the ledger: what a program of
// his and of theirs makes requests and answers from.
type asking struct {
	use                *grantv1.IntendedUse
	entry              *cataloguev1.Entry
	org                string // name of the data user
	gateway, recipient string // who receives, and the id of its sealing key
}

// request asks an owner for all items of the use. Its id is set, as the ledger will.
func (a *asking) request(o *owner) (*grantv1.DataRequest, error) {
	nonce, reference := make([]byte, consent.NonceBytes), make([]byte, 32)
	rand.Read(nonce) // neither fails: crypto/rand ends the process instead
	rand.Read(reference)
	now := time.Now()
	r := &grantv1.DataRequest{
		Use: a.use.Id, Org: a.use.Org, Owner: o.account, Items: a.use.Items, ToMs: now.AddDate(0, 0, requestDays).UnixMilli(), MaxUses: a.use.MaxUses,
		DataLifeDays: a.use.DataLifeDays, BusinessReference: reference, NoticeHash: a.use.NoticeHash, Gateway: a.gateway, RecipientKey: a.recipient,
		Nonce: nonce, NotAfterMs: now.AddDate(0, 0, answerDays).UnixMilli(),
	}
	var err error
	r.Id = consent.RequestID(r.Org, r.Nonce)
	r.Hash, err = consent.RequestHash(r)
	return r, err
}

// yes is the owner's answer to a request: the text that he was shown, and his row's commitment.
func (a *asking) yes(r *grantv1.DataRequest, row []byte) (*grantv1.GiveGrant, error) {
	par := standard.Parameters()
	purpose, ok := standard.Purpose(par, a.use.Purpose)
	if !ok {
		return nil, fault.Newf(fault.PurposeUnknown, "%s", a.use.Purpose)
	}
	text := consent.Text(consent.Chinese, consent.Facts{
		Request: r, Use: a.use, Entry: a.entry, Purpose: purpose, OrgName: a.org, CoolingSecs: standard.GrantCooling(par),
	}, consent.Choice{})
	return &grantv1.GiveGrant{Request: r.Id, RequestHash: r.Hash, UiTextHash: consent.TextHash(text), Language: consent.Chinese, RowKeyCommitment: row}, nil
}
