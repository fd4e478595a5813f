package consentreceipt

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	catalogue "mulian/gen/mulian/catalogue/v1"
	credentialv1 "mulian/gen/mulian/credential/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/consent"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/sdjwt"
	"mulian/internal/standard"
)

// MaxPage is how many receipts are given at once: each has a proof of some ten KiB.
const MaxPage = 20

// years is how long a receipt counts: as long as the longest grant with the longest kept copy.
// Our own choice; an SD-JWT VC has an end or a status (HAIP), and a receipt is never withdrawn.
const years = 10

// Desk makes and keeps receipts.
type Desk struct {
	Org     string // of the gateway, which has to be known as issuer
	Gateway string // account
	ChainID string
	Dir     string
	Outward sdjwt.Signer // P-256
	Inward  sdjwt.Signer // SM2
	// Get reads an object of the ledger with proof.
	Get func(ctx context.Context, key string, m proto.Message) (bool, error)
	// Happened proves that an event stands in the ledger's log, word for word; it looks from
	// that place of the log on, -1 = from the beginning.
	Happened func(ctx context.Context, e *tracev1.Event, from int64) error
	// Prove makes the proof file of an object.
	Prove func(ctx context.Context, key string) ([]byte, error)
	Now   func() time.Time // nil: time.Now
}

// Kept is a receipt as it is kept and given.
type Kept struct {
	ID      string `json:"id"`     // "<grant>-<number>"
	Number  uint64 `json:"number"` // of the event in the owner's feed
	Grant   string `json:"grant"`
	Owner   string `json:"owner"`
	Event   string `json:"event"` // given, used, changed, revoked, expired, deleted
	AtMs    int64  `json:"at_ms"`
	Outward string `json:"sd_jwt"`     // ES256
	Inward  string `json:"sd_jwt_sm2"` // SM2-SM3
	Proof   []byte `json:"proof"`      // proof file of the grant as it stood when the receipt was made
}

// Type is the vct of the receipts of an issuer.
func Type(issuerURL string) string { return issuerURL + "/vct/consent-receipt/1" }

// events are what a receipt is given for, by the event's remainder.
var events = map[string]grantv1.ReceiptEvent{
	"given": grantv1.ReceiptEvent_RECEIPT_EVENT_GIVEN, "recorded": grantv1.ReceiptEvent_RECEIPT_EVENT_USED,
	"paused": grantv1.ReceiptEvent_RECEIPT_EVENT_CHANGED, "account": grantv1.ReceiptEvent_RECEIPT_EVENT_CHANGED, "resumed": grantv1.ReceiptEvent_RECEIPT_EVENT_CHANGED,
	"active": grantv1.ReceiptEvent_RECEIPT_EVENT_CHANGED, "revoked": grantv1.ReceiptEvent_RECEIPT_EVENT_REVOKED, "voided": grantv1.ReceiptEvent_RECEIPT_EVENT_REVOKED,
	"expired": grantv1.ReceiptEvent_RECEIPT_EVENT_EXPIRED, "attested": grantv1.ReceiptEvent_RECEIPT_EVENT_DELETED, "exempted": grantv1.ReceiptEvent_RECEIPT_EVENT_CHANGED,
}

const (
	grantPrefix = "grant/grant/"
	feedPrefix  = "grant/feed/"
)

// about reads of an event which grant it is about, its owner and its number; ok is false if it
// is none that a receipt is given for.
func about(e *tracev1.Event) (grant, owner string, number uint64, kind grantv1.ReceiptEvent, ok bool) {
	kind, ok = events[e.GetNote()]
	if strings.HasPrefix(e.GetNote(), "duty ") {
		kind, ok = grantv1.ReceiptEvent_RECEIPT_EVENT_GIVEN, true
	}
	if !ok || !strings.HasPrefix(e.GetVerb(), "grant/") {
		return "", "", 0, 0, false
	}
	for _, o := range e.GetObjects() {
		if id, is := strings.CutPrefix(o, grantPrefix); is {
			grant = id
		}
		if rest, is := strings.CutPrefix(o, feedPrefix); is {
			if name, n, cut := strings.Cut(rest, "/"); cut {
				owner = name
				number, _ = strconv.ParseUint(n, 10, 64)
			}
		}
	}
	return grant, owner, number, kind, grant != "" && number > 0 && ownerName.MatchString(owner)
}

// ownerName is what can be the name of a folder.
var ownerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,99}$`)

func (d *Desk) now() time.Time {
	if d.Now != nil {
		return d.Now()
	}
	return time.Now()
}

// Give makes and keeps the receipt of an event; nil if it is none of ours: of another
// provider's grant, or of nothing that a receipt is given for. IssuerNotAuthorised while the
// organisation is not known as issuer. What is signed is what the log has: from is where in it
// the event is looked for.
func (d *Desk) Give(ctx context.Context, e *tracev1.Event, from int64) (*Kept, error) {
	id, owner, number, kind, ok := about(e)
	if !ok {
		return nil, nil
	}
	path := d.path(owner, number)
	if _, err := os.Stat(path); err == nil {
		return nil, nil
	}
	g := &grantv1.Grant{}
	if found, err := d.Get(ctx, grantPrefix+id, g); err != nil || !found || g.GetOwner() != owner || !slices.Contains(g.GetProviders(), d.Gateway) {
		return nil, err
	}
	if err := d.Happened(ctx, e, from); err != nil {
		return nil, err
	}
	content, err := d.content(ctx, g)
	if err != nil {
		return nil, err
	}
	content.Id, content.Event, content.AtMs = fmt.Sprintf("%s-%d", id, number), kind, e.GetTimeMs()
	content.ChainId, content.Height, content.TxId = d.ChainID, e.GetHeight(), e.GetTxId()
	k := &Kept{ID: content.GetId(), Number: number, Grant: id, Owner: owner, Event: eventName(kind), AtMs: content.GetAtMs()}
	if err := d.sign(ctx, k, content); err != nil {
		return nil, err
	}
	if k.Proof, err = d.Prove(ctx, grantPrefix+id); err != nil {
		return nil, err
	}
	return k, d.keep(path, k)
}

func eventName(e grantv1.ReceiptEvent) string {
	return strings.ToLower(strings.TrimPrefix(e.String(), "RECEIPT_EVENT_"))
}

// content is what the ledger says of the grant.
func (d *Desk) content(ctx context.Context, g *grantv1.Grant) (*grantv1.ConsentReceipt, error) {
	u, names := &grantv1.IntendedUse{}, consent.ReceiptNames{}
	if _, err := d.Get(ctx, "grant/register/"+g.GetUse(), u); err != nil {
		return nil, err
	}
	var err error
	if names.Grantee, err = d.name(ctx, g.GetGrantee()); err != nil {
		return nil, err
	}
	if g.GetEntry() == "" {
		return consent.Receipt(consent.Chinese, g, u, names), nil
	}
	names.Entry = &catalogue.Entry{}
	if _, err := d.Get(ctx, "catalogue/entry/"+g.GetEntry(), names.Entry); err != nil {
		return nil, err
	}
	if names.Provider, err = d.name(ctx, names.Entry.GetProvider()); err != nil {
		return nil, err
	}
	par := &governancev1.Parameters{}
	if _, err := d.Get(ctx, "governance/parameters", par); err != nil {
		return nil, err
	}
	names.Purpose, _ = standard.Purpose(par, g.GetPurpose())
	return consent.Receipt(consent.Chinese, g, u, names), nil
}

func (d *Desk) name(ctx context.Context, org string) (string, error) {
	a := &identityv1.Account{}
	_, err := d.Get(ctx, "identity/account/"+org, a)
	return cmp.Or(a.GetProfile().GetName(), org), err
}

// sign writes the receipt as SD-JWT VC. What says which data it was about can be left out by
// its owner when he shows it.
func (d *Desk) sign(ctx context.Context, k *Kept, r *grantv1.ConsentReceipt) error {
	issuer := &credentialv1.Issuer{}
	if found, err := d.Get(ctx, "credential/issuer/"+d.Org, issuer); err != nil || !found {
		return cmp.Or(err, error(fault.Newf(fault.IssuerNotAuthorised, "%s is not known as issuer", d.Org)))
	}
	now := d.now()
	template := sdjwt.Object{
		{Name: "iss", Value: issuer.GetUrl()}, {Name: "iat", Value: now.Unix()}, {Name: "exp", Value: now.AddDate(years, 0, 0).Unix()}, {Name: "vct", Value: Type(issuer.GetUrl())},
	}
	template = append(template, claims(r)...)
	draft, err := sdjwt.Prepare(template, random{})
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	outward, err := draft.Sign(sdjwt.Header{KeyID: d.Outward.Public().ID()}, d.Outward)
	if err != nil {
		return err
	}
	inward, err := draft.Sign(sdjwt.Header{KeyID: d.Inward.Public().ID()}, d.Inward)
	if err != nil {
		return err
	}
	k.Outward, k.Inward = outward.Text, inward.Text
	return nil
}

// claims are the receipt's fields by their names in JSON.
func claims(r *grantv1.ConsentReceipt) (out sdjwt.Object) {
	add := func(name string, v any) { out = append(out, sdjwt.Member{Name: name, Value: v}) }
	hide := func(name string, v any) { add(name, sdjwt.Hidden{Value: v}) }
	add("receipt_id", r.GetId())
	add("version", r.GetVersion())
	add("event", eventName(r.GetEvent()))
	add("event_time", r.GetAtMs()/1000)
	add("language", r.GetLanguage())
	add("principal", r.GetPrincipal())
	var controllers sdjwt.Array
	for _, c := range r.GetControllers() {
		controllers = append(controllers, sdjwt.Object{{Name: "id", Value: c.GetOrg()}, {Name: "name", Value: c.GetName()}, {Name: "contact", Value: c.GetContact()}})
	}
	add("controllers", controllers)
	hide("purpose", sdjwt.Object{
		{Name: "code", Value: r.GetPurpose()},
		{Name: "text", Value: r.GetPurposeText()},
		{Name: "consent_kind", Value: word(r.GetConsentKind().String(), "CONSENT_KIND_")},
		{Name: "basis", Value: word(r.GetBasis().String(), "GRANT_BASIS_")},
		{Name: "third_party", Value: r.GetThirdParty()},
	})
	var items sdjwt.Array
	for _, i := range r.GetItems() {
		items = append(items, i)
	}
	hide("data", sdjwt.Object{{Name: "entry", Value: r.GetEntry()}, {Name: "items", Value: items}, {Name: "collection", Value: r.GetCollection()}})
	add("notice", sdjwt.Object{{Name: "sha256", Value: hex.EncodeToString(r.GetNoticeHash())}, {Name: "url", Value: r.GetNoticeUrl()}})
	add("validity", sdjwt.Object{
		{Name: "not_before", Value: r.GetNotBeforeMs() / 1000},
		{Name: "not_after", Value: r.GetNotAfterMs() / 1000},
		{Name: "max_uses", Value: int64(r.GetMaxUses())},
		{Name: "uses", Value: int64(r.GetUses())},
		{Name: "data_life_days", Value: int64(r.GetDataLifeDays())},
	})
	add("withdrawal", r.GetWithdrawal())
	add("complaint", r.GetComplaint())
	hide("grant", r.GetGrant())
	add("ledger", sdjwt.Object{{Name: "chain", Value: r.GetChainId()}, {Name: "height", Value: r.GetHeight()}, {Name: "tx", Value: hex.EncodeToString(r.GetTxId())}})
	return out
}

func word(name, prefix string) string { return strings.ToLower(strings.TrimPrefix(name, prefix)) }

func (d *Desk) path(owner string, number uint64) string {
	return filepath.Join(d.Dir, owner, fmt.Sprintf("%010d.json", number))
}

func (d *Desk) keep(path string, k *Kept) error {
	if err := durable.MkdirPrivate(d.Dir); err != nil {
		return fmt.Errorf("receipts: %w", err)
	}
	if err := durable.MkdirPrivate(filepath.Dir(path)); err != nil {
		return fmt.Errorf("receipts: %w", err)
	}
	raw, err := json.Marshal(k)
	if err != nil {
		return err
	}
	return durable.ReplaceFile(path, raw, 0o600)
}

// List gives an owner's receipts behind a number, at most MaxPage, of one grant only if it is
// named; next is where to go on, 0 at the end. Damaged.
func (d *Desk) List(owner, grant string, after uint64) (out []Kept, next uint64, err error) {
	if !ownerName.MatchString(owner) {
		return nil, 0, fault.Newf(fault.Malformed, "%.40q has no receipts", owner)
	}
	files, err := os.ReadDir(filepath.Join(d.Dir, owner))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fault.Wrap(fault.Inaccessible, err, "receipts")
	}
	for _, f := range files {
		n, err := strconv.ParseUint(strings.TrimSuffix(f.Name(), ".json"), 10, 64)
		if err != nil || n <= after {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(d.Dir, owner, f.Name()))
		if err != nil {
			return nil, 0, fault.Wrap(fault.Inaccessible, err, "receipts")
		}
		var k Kept
		if err := json.Unmarshal(raw, &k); err != nil {
			return nil, 0, fault.Wrap(fault.Damaged, err, "receipt %s", f.Name())
		}
		if grant != "" && k.Grant != grant {
			continue
		}
		if len(out) == MaxPage {
			return out, out[MaxPage-1].Number, nil
		}
		out = append(out, k)
	}
	return out, 0, nil
}
