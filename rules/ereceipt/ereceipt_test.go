package ereceipt_test

import (
	"strings"
	"testing"

	ereceiptv1 "mulian/gen/mulian/ereceipt/v1"
	"mulian/internal/fault"
	"mulian/rules/ereceipt"
	"mulian/rules/rulestest"
)

const (
	issued     = ereceiptv1.EReceiptState_E_RECEIPT_STATE_ISSUED
	supervised = ereceiptv1.EReceiptState_E_RECEIPT_STATE_SUPERVISED
	delivered  = ereceiptv1.EReceiptState_E_RECEIPT_STATE_DELIVERED
	locked     = ereceiptv1.EReceiptState_E_RECEIPT_STATE_LOCKED
	partly     = ereceiptv1.EReceiptState_E_RECEIPT_STATE_PARTLY_REIMBURSED
	reimbursed = ereceiptv1.EReceiptState_E_RECEIPT_STATE_REIMBURSED
	pending    = ereceiptv1.EReceiptState_E_RECEIPT_STATE_RED_FLUSH_PENDING
	flushed    = ereceiptv1.EReceiptState_E_RECEIPT_STATE_RED_FLUSHED
)

// TestLife: issued, supervised, delivered, locked by one, refused to the other, paid, and
// closed for good.
func TestLife(t *testing.T) {
	d := newDesk(t)
	p := d.paper(fen)
	d.Must(d.unit, &ereceiptv1.IssueReceipts{Range: d.rangeID, Receipts: []*ereceiptv1.NewReceipt{d.new(p)}})
	d.is(p, issued)
	d.Want(fault.SuperviseMissing, d.first, locks(d.lock(p, d.first, "A-1", rulestest.Day)))
	d.Want(fault.SuperviseMissing, d.unit, &ereceiptv1.DeliverReceipts{Handles: [][]byte{p.handle}})
	d.Must(d.Authority, &ereceiptv1.SuperviseReceipts{Receipts: []*ereceiptv1.Supervision{d.supervision(p)}})
	d.is(p, supervised)
	d.Want(fault.Forbidden, d.first, &ereceiptv1.DeliverReceipts{Handles: [][]byte{p.handle}})
	d.Must(d.unit, &ereceiptv1.DeliverReceipts{Handles: [][]byte{p.handle}})
	d.is(p, delivered)
	d.Want(fault.IllegalTransition, d.unit, &ereceiptv1.DeliverReceipts{Handles: [][]byte{p.handle}})

	d.Want(fault.NotLockedFirst, d.first, d.pay(p, "A-1", fen, false))
	d.Must(d.first, locks(d.lock(p, d.first, "A-1", rulestest.Day)))
	d.is(p, locked)
	d.Want(fault.AlreadyLocked, d.second, locks(d.lock(p, d.second, "B-1", rulestest.Day)))
	if strings.Contains(d.Text, d.first) || !strings.Contains(d.Text, ereceipt.Masked(d.first)) {
		t.Errorf("the refusal names the other insurer: %s", d.Text)
	}
	d.Want(fault.AlreadyLocked, d.first, locks(d.lock(p, d.first, "A-1", rulestest.Day)))
	d.Want(fault.LockNotOwner, d.second, release(p))
	d.Want(fault.LockNotOwner, d.second, d.pay(p, "B-1", fen, false))
	d.Must(d.first, release(p))
	d.is(p, delivered)
	d.Want(fault.NotLockedFirst, d.first, release(p))

	d.Must(d.second, locks(d.lock(p, d.second, "B-1", rulestest.Day)))
	d.Want(fault.CodeInconsistent, d.second, d.pay(p, "B-2", fen, false))
	d.Want(fault.SplitSum, d.second, d.pay(p, "B-1", fen+1, false))
	d.Must(d.second, d.pay(p, "B-1", fen, false))
	r := d.is(p, reimbursed)
	if len(r.Reimbursements) != 1 || r.Reimbursements[0].Org != d.second || p.secret.PartFen(r.Reimbursements[0].Scaled) != fen || p.secret.Fen(r.ScaledRest) != 0 {
		t.Errorf("paid: %v, %d fen left", r.Reimbursements, p.secret.Fen(r.ScaledRest))
	}
	d.Want(fault.ReimbursedElsewhere, d.first, locks(d.lock(p, d.first, "A-2", rulestest.Day)))
}

// TestSplit: insurer and employer share a receipt to the last fen, and not one fen more.
func TestSplit(t *testing.T) {
	d := newDesk(t)
	p := d.issued(100_00)
	d.Must(d.first, locks(d.lock(p, d.first, "A", rulestest.Day)))
	d.Must(d.first, d.pay(p, "A", 33_33, true))
	if r := d.is(p, partly); p.secret.Fen(r.ScaledRest) != 66_67 {
		t.Fatalf("%d fen left", p.secret.Fen(r.ScaledRest))
	}
	d.Must(d.second, locks(d.lock(p, d.second, "B", rulestest.Day)))
	d.Want(fault.SplitSum, d.second, d.pay(p, "B", 66_68, false))
	d.Must(d.second, d.pay(p, "B", 66_67, false))
	if r := d.is(p, reimbursed); p.secret.Fen(r.ScaledRest) != 0 {
		t.Fatalf("%d fen left", p.secret.Fen(r.ScaledRest))
	}
}

// TestManyParts: sixteen payments of one fen each, and not seventeen.
func TestManyParts(t *testing.T) {
	d := newDesk(t)
	p := d.issued(1000)
	for range ereceipt.MaxParts {
		d.Must(d.first, locks(d.lock(p, d.first, "A", rulestest.Day)))
		d.Must(d.first, d.pay(p, "A", 1, true))
	}
	d.Want(fault.SplitSum, d.first, locks(d.lock(p, d.first, "A", rulestest.Day)))
	if r := d.is(p, partly); p.secret.Fen(r.ScaledRest) != 1000-ereceipt.MaxParts {
		t.Fatalf("%d fen left", p.secret.Fen(r.ScaledRest))
	}
}

// TestExpiry: a lock ends by the clock: for others at its moment, in the record with the
// next block.
func TestExpiry(t *testing.T) {
	d := newDesk(t)
	p := d.issued(fen)
	d.Must(d.first, locks(d.lock(p, d.first, "A", 3*rulestest.Minute)))
	d.Wait(3 * rulestest.Minute)
	r := d.is(p, supervised)
	if r.LastLock.GetOrg() != d.first || !r.LastLock.Expired {
		t.Errorf("the last lock is %v", r.LastLock)
	}
	d.Want(fault.LockExpired, d.first, d.pay(p, "A", fen, false))
	d.Want(fault.LockExpired, d.first, release(p))
	d.Want(fault.NotLockedFirst, d.second, release(p))
	d.Must(d.second, locks(d.lock(p, d.second, "B", rulestest.Day)))
	d.Want(fault.LockNotOwner, d.first, d.pay(p, "A", fen, false))

	// A lock that was released and taken again is not opened by the first one's end.
	d.Must(d.second, release(p))
	d.Must(d.second, locks(d.lock(p, d.second, "B", 2*rulestest.Minute)))
	d.Must(d.second, release(p))
	d.Must(d.second, locks(d.lock(p, d.second, "B", rulestest.Day)))
	d.Wait(3 * rulestest.Minute)
	d.is(p, locked)
	d.Wait(300 * rulestest.Day)
	d.Want(fault.PeriodClosed, d.first, locks(d.lock(p, d.first, "A", rulestest.Day)))
}

// TestBatch: of fifty receipts one is not free, and none is locked.
func TestBatch(t *testing.T) {
	d := newDesk(t)
	var papers []*paper
	all := &ereceiptv1.IssueReceipts{Range: d.rangeID}
	both := &ereceiptv1.SuperviseReceipts{}
	for range ereceipt.MaxBatch {
		p := d.paper(fen)
		papers = append(papers, p)
		all.Receipts = append(all.Receipts, d.new(p))
		both.Receipts = append(both.Receipts, d.supervision(p))
	}
	d.Must(d.unit, all)
	d.Must(d.Authority, both)
	d.Must(d.second, locks(d.lock(papers[49], d.second, "B", rulestest.Day)))
	batch := locks()
	for _, p := range papers {
		batch.Locks = append(batch.Locks, d.lock(p, d.first, "A", rulestest.Day))
	}
	d.Want(fault.AlreadyLocked, d.first, batch)
	if d.Outcome.Item != 50 {
		t.Errorf("element %d is named", d.Outcome.Item)
	}
	for _, p := range papers[:49] {
		d.is(p, supervised)
	}
	batch.Locks[49] = batch.Locks[0]
	d.Want(fault.AlreadyLocked, d.first, batch) // the same twice
	batch.Locks = batch.Locks[:49]
	d.Must(d.first, batch)
	if g, _ := ereceipt.FindRange(d.View(), d.rangeID); g.Issued != 50 {
		t.Errorf("%d issued", g.Issued)
	}
}

// TestFlush: in full before anybody paid; after somebody paid only when the money is back; in
// part as long as it is there.
func TestFlush(t *testing.T) {
	d := newDesk(t)
	p := d.issued(fen)
	d.Must(d.first, locks(d.lock(p, d.first, "A", rulestest.Day)))
	all, _ := d.flush(p, 0)
	d.Want(fault.AlreadyLocked, d.unit, all)
	d.Must(d.first, release(p))
	all, red := d.flush(p, 0)
	d.Want(fault.Forbidden, d.first, all)
	d.Must(d.unit, all)
	d.is(p, flushed)
	d.Want(fault.RedFlushed, d.first, locks(d.lock(p, d.first, "A", rulestest.Day)))
	again, _ := d.flush(p, 0)
	d.Want(fault.RedFlushed, d.unit, again)
	ofRed, _ := d.flush(red, 0)
	d.Want(fault.RedOfRed, d.unit, ofRed)
	d.Must(d.Authority, &ereceiptv1.SuperviseReceipts{Receipts: []*ereceiptv1.Supervision{d.supervision(red)}})
	d.Want(fault.RedOfRed, d.first, locks(d.lock(red, d.first, "A", rulestest.Day)))

	paid := d.issued(fen)
	d.Must(d.first, locks(d.lock(paid, d.first, "A", rulestest.Day)))
	d.Must(d.first, d.pay(paid, "A", 100, true))
	d.Must(d.second, locks(d.lock(paid, d.second, "B", rulestest.Day)))
	d.Must(d.second, d.pay(paid, "B", 200, true))
	back := func() *ereceiptv1.ReturnReimbursement {
		return &ereceiptv1.ReturnReimbursement{Handle: paid.handle, ClaimCommitment: claim("A")}
	}
	d.Want(fault.IllegalTransition, d.first, back())
	whole, _ := d.flush(paid, 0)
	d.Must(d.unit, whole)
	d.is(paid, pending)
	d.Want(fault.RedFlushed, d.first, locks(d.lock(paid, d.first, "A", rulestest.Day)))
	d.Want(fault.NotFound, d.second, back())
	d.Must(d.first, back())
	d.is(paid, pending)
	d.Want(fault.IllegalTransition, d.first, back())
	d.Must(d.second, &ereceiptv1.ReturnReimbursement{Handle: paid.handle, ClaimCommitment: claim("B")})
	d.is(paid, flushed)
}

// TestPartialFlush keeps the remainder.
func TestPartialFlush(t *testing.T) {
	d := newDesk(t)
	p := d.issued(1000)
	part, _ := d.flush(p, 300)
	d.Must(d.unit, part)
	if r := d.is(p, supervised); p.secret.Fen(r.ScaledRest) != 700 || len(r.Flushes) != 1 {
		t.Fatalf("%d fen left after %v", p.secret.Fen(r.ScaledRest), r.Flushes)
	}
	over, _ := d.flush(p, 701)
	d.Want(fault.RedAmountExceeds, d.unit, over)
	d.Must(d.first, locks(d.lock(p, d.first, "A", rulestest.Day)))
	d.Want(fault.SplitSum, d.first, d.pay(p, "A", 701, true))
	d.Must(d.first, d.pay(p, "A", 500, true))
	paid, _ := d.flush(p, 201)
	d.Want(fault.RedAfterReimbursed, d.unit, paid)
	rest, _ := d.flush(p, 200)
	d.Must(d.unit, rest)
	d.Must(d.second, locks(d.lock(p, d.second, "B", rulestest.Day)))
	d.Want(fault.SplitSum, d.second, d.pay(p, "B", 1, true))
}

// TestLockOrder walks the checks of a lock in their order.
func TestLockOrder(t *testing.T) {
	var d *desk
	var p *paper
	type try = rulestest.Try[*ereceiptv1.LockReceipts]
	one := func(t *try) *ereceiptv1.NewLock { return t.Message.Locks[0] }
	rulestest.Order(t, func(t *testing.T) *try {
		d = newDesk(t)
		p = d.issued(fen)
		return &try{World: d.World, Account: d.first, Message: locks(d.lock(p, d.first, "A", rulestest.Day))}
	}, []rulestest.Breach[*ereceiptv1.LockReceipts]{
		{Name: "a person", Want: fault.Forbidden, Break: func(t *try) { t.Account = t.Person(1) }},
		{Name: "no handle", Want: fault.Missing, Break: func(t *try) { one(t).Handle = nil }},
		{Name: "short handle", Want: fault.Malformed, Break: func(t *try) {
			if one(t).Handle != nil {
				one(t).Handle = []byte{1}
			}
		}},
		{Name: "no such receipt", Want: fault.NotFound, Break: func(t *try) { one(t).Handle = make([]byte, 32) }},
		{Name: "no claim", Want: fault.Missing, Break: func(t *try) { one(t).ClaimCommitment = nil }},
		{Name: "a month and a day", Want: fault.OutOfRange, Break: func(t *try) { one(t).UntilMs = t.Now + 31*rulestest.Day }},
		{Name: "locked", Want: fault.AlreadyLocked, Break: func(t *try) { t.Must(d.second, locks(d.lock(p, d.second, "B", rulestest.Day))) }},
		{Name: "check code", Want: fault.CheckCodeBad, Break: func(t *try) { one(t).CheckCommitment = claim("000000") }},
		{Name: "amount", Want: fault.AmountMismatch, Break: func(t *try) { one(t).ScaledAmount++ }},
		{Name: "payer", Want: fault.PayerMismatch, Break: func(t *try) { one(t).PayerCommitment = claim("another") }},
		{Name: "the other insurer's signature", Want: fault.HoldingUnproved, Break: func(t *try) { d.hold(p, d.second, one(t)) }},
	})
}

// TestIssueOrder walks the checks of an issue in their order.
func TestIssueOrder(t *testing.T) {
	var d *desk
	type try = rulestest.Try[*ereceiptv1.IssueReceipts]
	one := func(t *try) *ereceiptv1.NewReceipt { return t.Message.Receipts[0] }
	rulestest.Order(t, func(t *testing.T) *try {
		d = newDesk(t)
		return &try{World: d.World, Account: d.unit, Message: &ereceiptv1.IssueReceipts{Range: d.rangeID, Receipts: []*ereceiptv1.NewReceipt{d.new(d.paper(fen))}}}
	}, []rulestest.Breach[*ereceiptv1.IssueReceipts]{
		{Name: "no range", Want: fault.CodeRangeNotAllotted, Break: func(t *try) { t.Message.Range = "x" }},
		{Name: "another unit", Want: fault.CodeRangeNotAllotted, Break: func(t *try) { t.Account = d.first }},
		{Name: "ended", Want: fault.CodeRangeNotAllotted, Break: func(t *try) {
			t.Must(t.Authority, &ereceiptv1.EndRange{Range: d.rangeID, Reason: "撤销"})
			t.Want(fault.IllegalTransition, t.Authority, &ereceiptv1.EndRange{Range: d.rangeID, Reason: "撤销"})
		}},
		{Name: "content", Want: fault.Malformed, Break: func(t *try) { one(t).ContentHash = []byte{1} }},
		{Name: "holding key", Want: fault.Malformed, Break: func(t *try) { one(t).HoldingKey = []byte{4} }},
		{Name: "amount", Want: fault.OutOfRange, Break: func(t *try) { one(t).ScaledAmount = 1 }},
		{Name: "closed", Want: fault.OutOfRange, Break: func(t *try) { one(t).ClosesMs = t.Now }},
		{Name: "signature", Want: fault.UnitSigBad, Break: func(t *try) { one(t).UnitSignature = []byte("no") }},
	})
}

// TestRanges: numbers are allotted once, and a number has one handle, so that it is issued once.
func TestRanges(t *testing.T) {
	d := newDesk(t)
	d.Want(fault.Forbidden, d.unit, d.allot("0000200000", "0000200009"))
	d.Want(fault.AlreadyExists, d.Authority, d.allot("0000100000", "0000200000"))
	d.Want(fault.OutOfRange, d.Authority, d.allot("0000200001", "0000200000"))
	d.Want(fault.Malformed, d.Authority, d.allot("1", "2"))
	d.Must(d.Authority, d.allot("0000200000", "0000200001"))
	small := code + "-0000200000"
	p := d.paper(fen)
	message := func(p *paper) *ereceiptv1.IssueReceipts {
		return &ereceiptv1.IssueReceipts{Range: small, Receipts: []*ereceiptv1.NewReceipt{d.new(p)}}
	}
	d.Must(d.unit, message(p))
	d.Want(fault.NumberRepeated, d.unit, message(p))
	d.Must(d.unit, message(d.paper(fen)))
	d.Want(fault.CodeRangeNotAllotted, d.unit, message(d.paper(fen)))
	bad := d.supervision(p)
	bad.Signature = d.sign(d.Authority, []byte("something else"))
	d.Want(fault.SuperviseSigBad, d.Authority, &ereceiptv1.SuperviseReceipts{Receipts: []*ereceiptv1.Supervision{bad}})
}

// TestGolden pins the facts after a fixed history of every verb. A change of it is a change of
// the chain: it needs a note in docs/decisions.
func TestGolden(t *testing.T) {
	d := newDesk(t)
	p := d.issued(fen)
	d.Must(d.unit, &ereceiptv1.DeliverReceipts{Handles: [][]byte{p.handle}})
	d.Must(d.first, locks(d.lock(p, d.first, "A", rulestest.Day)))
	d.Must(d.first, release(p))
	d.Must(d.first, locks(d.lock(p, d.first, "A", rulestest.Day)))
	d.Must(d.first, d.pay(p, "A", 100, true))
	part, _ := d.flush(p, 50)
	d.Must(d.unit, part)
	all, _ := d.flush(p, 0)
	d.Must(d.unit, all)
	d.Must(d.first, &ereceiptv1.ReturnReimbursement{Handle: p.handle, ClaimCommitment: claim("A")})
	d.Must(d.Authority, &ereceiptv1.EndRange{Range: d.rangeID, Reason: "换票"})
	const want = "c9413bee7c57d221f8d98234f9b9e5aa8b5e9dea76547c862cc2990e59ca9454"
	if got := d.TreeRoot(); got != want {
		t.Errorf("tree root %s, want %s", got, want)
	}
}
