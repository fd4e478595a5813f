package ereceipt_test

import (
	"fmt"
	"testing"

	ereceiptv1 "mulian/gen/mulian/ereceipt/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fiscal"
	"mulian/internal/sm"
	"mulian/rules/ereceipt"
	"mulian/rules/rulestest"
)

const (
	code = "11010126"
	root = identityv1.KeyLevel_KEY_LEVEL_ROOT
	fen  = 123456 // of a receipt, where nothing else is said
)

// desk is a world with a hospital that issues receipts of one range, and two insurers. The
// authority is the finance bureau, too.
type desk struct {
	*rulestest.World
	unit, first, second string
	key                 fiscal.RangeKey
	rangeID             string
	n                   int
}

func newDesk(t testing.TB) *desk {
	w := rulestest.New(t)
	d := &desk{World: w, unit: w.Org("人民医院"), first: w.Org("甲保险公司"), second: w.Org("乙保险公司"), key: fiscal.RangeKey{1, 2, 3}}
	w.Must(w.Authority, d.allot("0000000001", "0000100000"))
	d.rangeID = code + "-0000000001"
	return d
}

func (d *desk) allot(first, last string) *ereceiptv1.AllotRange {
	commitment := d.key.Commitment()
	return &ereceiptv1.AllotRange{Code: code, First: first, Last: last, Unit: d.unit, UntilMs: d.Now + 300*rulestest.Day, KeyCommitment: commitment[:]}
}

// paper is what a holder of the document knows.
type paper struct {
	secret        fiscal.Secret
	number, payer string
	fen           int64
	handle        []byte
	content       []byte
	unitSignature []byte
	parts         int // that were computed of it
}

func (d *desk) paper(fen int64) *paper {
	d.n++
	p := &paper{number: fmt.Sprintf("%010d", d.n), payer: fmt.Sprintf("11010119900101%04d", d.n), fen: fen}
	p.secret = d.key.Secret(code, p.number)
	h, sum := p.secret.Handle(code, p.number), sm.SM3([]byte("document "+p.number))
	p.handle, p.content = h[:], sum[:]
	return p
}

func (d *desk) sign(account string, statement []byte) []byte {
	sig, err := d.Key(account, root).Sign(statement)
	if err != nil {
		d.TB.Fatal(err)
	}
	return sig
}

// new is the paper as its unit brings it to the ledger.
func (d *desk) new(p *paper) *ereceiptv1.NewReceipt {
	holding, err := p.secret.Holding()
	if err != nil {
		d.TB.Fatal(err)
	}
	scaled, err := p.secret.Amount(p.fen)
	if err != nil {
		d.TB.Fatal(err)
	}
	payer, check := p.secret.Payer(p.payer), p.secret.Check(p.secret.CheckCode(code, p.number))
	p.unitSignature = d.sign(d.unit, fiscal.UnitStatement(p.content))
	return &ereceiptv1.NewReceipt{
		Handle: p.handle, HoldingKey: holding.Public().Bytes(), ContentHash: p.content, PayerCommitment: payer[:], CheckCommitment: check[:],
		ScaledAmount: scaled, ClosesMs: d.Now + 200*rulestest.Day, UnitKey: d.Key(d.unit, root).Public().ID(), UnitSignature: p.unitSignature,
	}
}

func (d *desk) supervision(p *paper) *ereceiptv1.Supervision {
	return &ereceiptv1.Supervision{
		Handle: p.handle, Key: d.Key(d.Authority, root).Public().ID(), Signature: d.sign(d.Authority, fiscal.SuperviseStatement(p.content, p.unitSignature)),
	}
}

// issued makes a receipt with both signatures.
func (d *desk) issued(fen int64) *paper {
	d.TB.Helper()
	p := d.paper(fen)
	d.Must(d.unit, &ereceiptv1.IssueReceipts{Range: d.rangeID, Receipts: []*ereceiptv1.NewReceipt{d.new(p)}})
	d.Must(d.Authority, &ereceiptv1.SuperviseReceipts{Receipts: []*ereceiptv1.Supervision{d.supervision(p)}})
	return p
}

func claim(text string) []byte {
	sum := fiscal.Claim([32]byte{9}, text)
	return sum[:]
}

// lock is the organisation's lock for a claim and so many milliseconds.
func (d *desk) lock(p *paper, org, name string, ms int64) *ereceiptv1.NewLock {
	n := d.new(p)
	l := &ereceiptv1.NewLock{
		Handle: p.handle, ClaimCommitment: claim(name), UntilMs: d.Now + ms, PayerCommitment: n.PayerCommitment,
		CheckCommitment: n.CheckCommitment, ScaledAmount: n.ScaledAmount,
	}
	d.hold(p, org, l)
	return l
}

// hold signs the lock with the document's key.
func (d *desk) hold(p *paper, org string, l *ereceiptv1.NewLock) {
	holding, err := p.secret.Holding()
	if err == nil {
		l.HoldingSignature, err = holding.Sign(fiscal.HoldStatement(rulestest.ChainID, org, l.Handle, l.ClaimCommitment, l.UntilMs))
	}
	if err != nil {
		d.TB.Fatal(err)
	}
}

func locks(l ...*ereceiptv1.NewLock) *ereceiptv1.LockReceipts {
	return &ereceiptv1.LockReceipts{Locks: l}
}

func (d *desk) pay(p *paper, name string, fen int64, openRest bool) *ereceiptv1.ReimburseReceipts {
	return &ereceiptv1.ReimburseReceipts{Reimbursements: []*ereceiptv1.NewReimbursement{{
		Handle: p.handle, ClaimCommitment: claim(name), Scaled: d.part(p, fen), OpenRest: openRest,
	}}}
}

func (d *desk) part(p *paper, fen int64) uint64 {
	d.TB.Helper()
	scaled, err := p.secret.Part(fen, p.parts%fiscal.MaxParts)
	if err != nil {
		d.TB.Fatal(err)
	}
	p.parts++
	return scaled
}

func release(p *paper) *ereceiptv1.ReleaseReceipts {
	return &ereceiptv1.ReleaseReceipts{Handles: [][]byte{p.handle}}
}

func (d *desk) flush(p *paper, fen int64) (*ereceiptv1.FlushReceipt, *paper) {
	red := d.paper(max(fen, 1))
	m := &ereceiptv1.FlushReceipt{Handle: p.handle, Range: d.rangeID, Red: d.new(red), Reason: "开票有误"}
	if fen > 0 {
		m.Scaled = d.part(p, fen)
	}
	return m, red
}

func (d *desk) receipt(p *paper) *ereceiptv1.EReceipt {
	d.TB.Helper()
	r, ok := ereceipt.Find(d.View(), p.handle)
	if !ok {
		d.TB.Fatalf("there is no receipt %x", p.handle)
	}
	if err := ereceipt.Check(r); err != nil {
		d.TB.Fatalf("receipt %x: %v", p.handle, err)
	}
	return r
}

func (d *desk) is(p *paper, want ereceiptv1.EReceiptState) *ereceiptv1.EReceipt {
	d.TB.Helper()
	r := d.receipt(p)
	if r.State != want {
		d.TB.Fatalf("receipt is %s, want %s", r.State, want)
	}
	return r
}
