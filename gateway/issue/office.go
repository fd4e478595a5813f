package issue

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/gateway/connect"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	credentialv1 "mulian/gen/mulian/credential/v1"
	"mulian/internal/code"
	"mulian/internal/fault"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
)

// Entries of a status list and of one of its pages; the ledger refuses others.
const (
	ListEntries = 131_072
	PageEntries = 4096
	fullAt      = ListEntries / 4 * 3
	draws       = 32 // free indexes are at least a quarter: 32 draws miss them all once in 10,000 times
)

// Office issues for one organisation.
type Office struct {
	Org     string
	Outward sdjwt.Signer // P-256, a key of one of the issuer's accounts
	Inward  sdjwt.Signer // SM2, likewise
	Secret  []byte       // 32 bytes: keys the HMACs; never leaves the gateway
	Records Records
	resting resting // what of the records is in memory
	// Get reads an object of the ledger by its key, as client.Client and client.Verified do.
	Get func(ctx context.Context, key string, m proto.Message) (bool, error)
	// Send signs and sends messages, and waits for the block.
	Send func(ctx context.Context, messages ...proto.Message) error
	// Source opens the database that the gateway calls so.
	Source func(ctx context.Context, name string) (connect.Source, error)
	Now    func() time.Time // nil: time.Now
	Random io.Reader        // nil: crypto/rand
}

// Order is one credential to be issued.
type Order struct {
	Type       string
	Version    uint64 // 0: there must be a version 1 to 1,000,000; the newest is the caller's to find
	RowKey     string // value of the entry's primary key
	Holder     sm.PublicKey
	Serial     string        // of the licence identifier; needed if the type is a licence
	Validity   time.Duration // 0: as long as the type allows
	Supersedes string
	Renew      bool              // of a licence: it supersedes the one that is in force for this row
	Own        map[string]string // values of fields that come from no item
	// Push brings the credential to its owner before it is anchored, and returns what is to
	// stand in the same transaction: both or neither is on the ledger. nil: it is not pushed.
	// It is called again if the index was taken meanwhile.
	Push  func(ctx context.Context, made *Issued) (proto.Message, error)
	Owner *Owner // whose row it has to be; nil: whoever asks has looked himself
}

// Issued is what is handed over. It is personal data.
type Issued struct {
	ID         string `json:"id"`
	Type       string `json:"type"`
	Version    uint64 `json:"version"`
	Licence    string `json:"licence,omitempty"`
	Outward    string `json:"sd_jwt"`     // ES256
	Inward     string `json:"sd_jwt_sm2"` // SM2-SM3
	Salt       string `json:"salt"`       // hex; opens the commitment
	List       uint64 `json:"list"`
	Index      uint64 `json:"index"`
	ExpiresMs  int64  `json:"expires_ms,omitempty"`
	Supersedes string `json:"supersedes,omitempty"`
}

func (o *Office) now() time.Time {
	if o.Now != nil {
		return o.Now()
	}
	return time.Now()
}

func (o *Office) random() io.Reader {
	if o.Random != nil {
		return o.Random
	}
	return rand.Reader
}

// Issue makes, anchors and returns one credential.
//
// IssuerNotAuthorised (not known as issuer), SchemaUnknownVersion, SourceMissing (entry, table
// or row), SubjectMismatch (the row is another's), SourceChangedDuringIssue, Missing (a
// required field), StatusListFull, and what the ledger refuses.
func (o *Office) Issue(ctx context.Context, r Order) (*Issued, error) {
	p, err := o.plan(ctx, r)
	if err != nil {
		return nil, err
	}
	if r.Renew && r.Supersedes == "" && p.kind.GetLicenceCode() != "" {
		if p.order.Supersedes, err = o.InForce(ctx, r.Type, r.RowKey); err != nil {
			return nil, err
		}
	}
	before, err := p.read(ctx)
	if err != nil {
		return nil, err
	}
	if err := o.owns(ctx, p, before); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		made, anchor, err := o.make(ctx, p, before)
		if err != nil {
			return nil, err
		}
		after, err := p.read(ctx)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(o.fingerprint(before), o.fingerprint(after)) {
			return nil, fault.Newf(fault.SourceChangedDuringIssue, "the row of %s changed while its credential was made", r.Type)
		}
		rec := o.record(p, made, anchor, after)
		if err := o.Records.add(rec); err != nil {
			return nil, err
		}
		o.noted(rec, p)
		messages := []proto.Message{&credentialv1.IssueCredentials{Credentials: []*credentialv1.Credential{anchor}}}
		if r.Push != nil {
			m, err := r.Push(ctx, made)
			if err != nil {
				o.Records.drop(made.ID)
				o.forget(rec)
				return nil, err
			}
			messages = append(messages, m)
		}
		err = o.Send(ctx, messages...)
		if fault.Is(err, fault.AlreadyExists) && try < draws { // somebody took the index meanwhile
			o.Records.drop(made.ID)
			o.forget(rec)
			continue
		}
		if err != nil {
			return nil, err // the record stays: an answer that was lost is no refusal
		}
		return made, nil
	}
}

// plan is what an order needs from the ledger.
type plan struct {
	order   Order
	kind    *credentialv1.CredentialType
	issuer  *credentialv1.Issuer
	entry   *cataloguev1.Entry
	table   *cataloguev1.Table
	columns []string // of the fields with an item, in the order of the fields; that of the owner last, if one is asked for
	source  connect.Source
	where   connect.Condition
}

func (o *Office) plan(ctx context.Context, r Order) (*plan, error) {
	p := &plan{order: r, kind: &credentialv1.CredentialType{}, issuer: &credentialv1.Issuer{}}
	if ok, err := o.Get(ctx, "credential/issuer/"+o.Org, p.issuer); err != nil || !ok {
		return nil, orElse(err, fault.IssuerNotAuthorised, "%s is not known as issuer", o.Org)
	}
	if ok, err := o.Get(ctx, "credential/type/"+typeKey(r.Type, r.Version), p.kind); err != nil || !ok {
		return nil, orElse(err, fault.SchemaUnknownVersion, "type %s has no version %d", r.Type, r.Version)
	}
	if p.kind.GetEntry() == "" {
		return p, nil
	}
	if err := o.locate(ctx, p, r.RowKey); err != nil {
		return nil, err
	}
	return p, nil
}

func typeKey(id string, version uint64) string { return fmt.Sprintf("%s/%016x", id, version) }

func orElse(err error, code fault.Code, format string, args ...any) error {
	if err != nil {
		return err
	}
	return fault.Newf(code, format, args...)
}

// locate finds where the row stands.
func (o *Office) locate(ctx context.Context, p *plan, rowKey string) (err error) {
	p.entry, p.table = &cataloguev1.Entry{}, &cataloguev1.Table{}
	if ok, err := o.Get(ctx, "catalogue/entry/"+p.kind.GetEntry(), p.entry); err != nil || !ok {
		return orElse(err, fault.SourceMissing, "there is no entry %s", p.kind.GetEntry())
	}
	if ok, err := o.Get(ctx, "catalogue/table/"+p.entry.GetTable(), p.table); err != nil || !ok {
		return orElse(err, fault.SourceMissing, "there is no table %s", p.entry.GetTable())
	}
	key := ""
	columns := map[string]string{}
	for _, it := range p.entry.GetItems() {
		columns[it.GetCode()] = it.GetColumn()
		if it.GetPrimaryKey() && key == "" {
			key = it.GetColumn()
		}
	}
	if key == "" {
		return fault.Newf(fault.SourceMissing, "the entry %s has no primary key: no row of it can be named", p.entry.GetId())
	}
	for _, f := range p.kind.GetFields() {
		if f.GetItem() == "" {
			continue
		}
		if columns[f.GetItem()] == "" {
			return fault.Newf(fault.ItemUnmapped, "item %s of %s has no column", f.GetItem(), p.entry.GetId())
		}
		p.columns = append(p.columns, columns[f.GetItem()])
	}
	if r := p.order.Owner; r != nil {
		if columns[p.entry.GetOwnerItem()] == "" {
			return fault.Newf(fault.SubjectMismatch, "the entry %s names no item that says whose a row is", p.entry.GetId())
		}
		p.columns = append(p.columns, columns[p.entry.GetOwnerItem()])
	}
	p.where = connect.Condition{Column: key, Op: connect.OpIn, Values: []connect.Value{keyValue(p.table, key, rowKey)}}
	p.source, err = o.Source(ctx, p.table.GetSource())
	return err
}

// read returns the values of the row, in the order of the columns.
func (p *plan) read(ctx context.Context) (connect.Row, error) {
	if p.source == nil || len(p.columns) == 0 {
		return nil, nil
	}
	rows, err := p.source.Query(ctx, connect.Selection{Table: tableName(p.table.GetName()), Columns: p.columns, Where: []connect.Condition{p.where}, Limit: 2})
	switch {
	case err != nil:
		return nil, fault.Wrap(fault.SourceUnreachable, err, "read the row")
	case len(rows) != 1:
		return nil, fault.Newf(fault.SourceMissing, "%d rows of %s have this key", len(rows), p.entry.GetId())
	}
	return rows[0], nil
}

// mac is the HMAC of parts that no other parts have.
func (o *Office) mac(domain string, parts ...string) []byte {
	h := hmac.New(sha256.New, o.Secret)
	for _, s := range append([]string{domain}, parts...) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	return h.Sum(nil)
}

func (o *Office) fingerprint(r connect.Row) []byte {
	var parts []string
	for _, v := range r {
		parts = append(parts, v.Kind.String(), v.Text)
	}
	return o.mac("mulian-row-v1", parts...)
}

// make signs both twins under a free index, and writes the anchor.
func (o *Office) make(ctx context.Context, p *plan, row connect.Row) (*Issued, *credentialv1.Credential, error) {
	now := o.now()
	made := &Issued{Type: p.order.Type, Version: p.order.Version, Supersedes: p.order.Supersedes}
	anchor := &credentialv1.Credential{Type: made.Type, Version: made.Version, Supersedes: made.Supersedes}
	life := p.order.Validity
	if most := time.Duration(p.kind.GetMaxDays()) * 24 * time.Hour; life == 0 || most > 0 && life > most {
		life = most
	}
	if life > 0 { // whole seconds, a minute less than the ledger's bound: its clock is the block's
		made.ExpiresMs = now.Add(life-time.Minute).Unix() * 1000
	}
	if p.kind.GetLicenceCode() != "" {
		made.Licence = code.Licence{Type: p.kind.GetLicenceCode(), Issuer: o.Org, Serial: p.order.Serial, Version: "001"}.String()
		if _, err := code.ParseLicence(made.Licence); err != nil {
			return nil, nil, fault.Newf(fault.Malformed, "serial %q: %v", p.order.Serial, err)
		}
		anchor.Licence = o.mac("mulian-licence-v1", made.Licence)
	}
	if p.entry != nil {
		anchor.Source = o.mac("mulian-source-v1", made.Type, p.entry.GetId(), p.order.RowKey)
	}
	var err error
	if made.List, made.Index, err = o.draw(ctx); err != nil {
		return nil, nil, err
	}
	template, err := o.template(p, row, made, anchor, now)
	if err != nil {
		return nil, nil, err
	}
	salt := make([]byte, 32)
	if _, err := io.ReadFull(o.random(), salt); err != nil {
		return nil, nil, fmt.Errorf("draw a salt: %w", err)
	}
	if err := o.sign(made, template, salt); err != nil {
		return nil, nil, err
	}
	anchor.Commitment = Commitment(salt, made.Outward, made.Inward)
	anchor.List, anchor.Index, anchor.ExpiresMs = made.List, made.Index, made.ExpiresMs
	made.ID, made.Salt = hex.EncodeToString(anchor.Commitment[:16]), hex.EncodeToString(salt)
	return made, anchor, nil
}

func (o *Office) sign(made *Issued, template sdjwt.Object, salt []byte) error {
	draft, err := sdjwt.Prepare(template, o.random())
	if err != nil {
		return fmt.Errorf("credential: %w", err)
	}
	outward, err := draft.Sign(sdjwt.Header{KeyID: o.Outward.Public().ID()}, o.Outward)
	if err != nil {
		return err
	}
	inward, err := draft.Sign(sdjwt.Header{KeyID: o.Inward.Public().ID()}, o.Inward)
	if err != nil {
		return err
	}
	made.Outward, made.Inward = outward.Text, inward.Text
	return nil
}

// Commitment is what the ledger keeps of the twins: who has both and the salt can show that
// they are the ones that were anchored. Disclosures do not enter it: the JWTs bind them.
func Commitment(salt []byte, outward, inward string) []byte {
	jwt := func(text string) []byte { head, _, _ := bytes.Cut([]byte(text), []byte("~")); return head }
	a, b := sm.SHA256(jwt(outward)), sm.SM3(jwt(inward))
	sum := sm.SHA256(bytes.Join([][]byte{[]byte("mulian-credential-v1\x00"), salt, a[:], b[:]}, nil))
	return sum[:]
}

// draw returns a free index of the list that is in use, at random.
func (o *Office) draw(ctx context.Context) (list, index uint64, err error) {
	for ; ; list++ {
		l := &credentialv1.StatusList{}
		ok, err := o.Get(ctx, fmt.Sprintf("credential/list/%s/%016x", o.Org, list), l)
		if err != nil {
			return 0, 0, err
		}
		if !ok || l.GetTaken() < fullAt {
			break
		}
	}
	for range draws {
		var b [4]byte
		if _, err := io.ReadFull(o.random(), b[:]); err != nil {
			return 0, 0, fmt.Errorf("draw an index: %w", err)
		}
		index = uint64(binary.BigEndian.Uint32(b[:])) % ListEntries // a power of two: every index is as likely
		p := &credentialv1.StatusPage{}
		ok, err := o.Get(ctx, fmt.Sprintf("credential/page/%s/%016x/%016x", o.Org, list, index/PageEntries), p)
		if err != nil {
			return 0, 0, err
		}
		if at := index % PageEntries; !ok || len(p.GetTaken()) != PageEntries/8 || p.GetTaken()[at/8]>>(at%8)&1 == 0 {
			return list, index, nil
		}
	}
	return 0, 0, fault.Newf(fault.StatusListFull, "no free index found in list %d", list)
}
