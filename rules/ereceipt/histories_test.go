package ereceipt_test

import (
	"testing"

	"pgregory.net/rapid"

	ereceiptv1 "mulian/gen/mulian/ereceipt/v1"
	"mulian/internal/fault"
	"mulian/internal/fiscal"
	"mulian/rules/rulestest"
)

// model is what a reader of the package comment knows of a receipt.
type model struct {
	p               *paper
	delivered, over bool // over: paid in full, or flushed
	all             bool // flushed in full
	holder          string
	until           int64
	rest            int64 // fen
	flushedFen      int64
	paid            map[string]int // organisation -> payments that did not come back
	parts           int
}

func (m *model) state() ereceiptv1.EReceiptState {
	owed := 0
	for _, n := range m.paid {
		owed += n
	}
	switch {
	case m.all && owed > 0:
		return pending
	case m.all:
		return flushed
	case m.holder != "":
		return locked
	case m.over:
		return reimbursed
	case owed > 0:
		return partly
	case m.delivered:
		return delivered
	}
	return supervised
}

// TestHistories: whatever two insurers, an employer and the unit send in any order, the
// ledger does what the model says: at most one lock, never more than the amount, exact to
// the fen though it never sees one.
func TestHistories(t *testing.T) {
	d := newDesk(t)
	orgs := []string{d.first, d.second, d.Org("雇主")}
	rapid.Check(t, func(rt *rapid.T) {
		amount := rapid.Int64Range(1, 50).Draw(rt, "fen")
		m := &model{p: d.issued(amount), rest: amount, paid: map[string]int{}}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			if m.holder != "" && d.Now >= m.until {
				m.holder = ""
			}
			org := rapid.SampledFrom(orgs).Draw(rt, "org")
			want, got, verb := step(rt, d, m, org, amount)
			if got != want {
				rt.Fatalf("%s by %s: %s (%s), the model says %s; %+v", verb, org, got, d.Text, want, m)
			}
			if m.holder != "" && d.Now >= m.until {
				m.holder = ""
			}
			r := d.receipt(m.p)
			if r.State != m.state() || m.p.secret.Fen(r.ScaledRest) != m.rest {
				rt.Fatalf("after %s: %s with %d fen, the model says %s with %d", verb, r.State, m.p.secret.Fen(r.ScaledRest), m.state(), m.rest)
			}
		}
	})
}

func step(rt *rapid.T, d *desk, m *model, org string, amount int64) (want, got fault.Code, verb string) {
	sum := rapid.Int64Range(1, amount+1).Draw(rt, "sum")
	verb = rapid.SampledFrom([]string{"lock", "lock", "release", "pay", "pay", "flush", "part", "return", "deliver", "wait"}).Draw(rt, "verb")
	switch verb {
	case "lock":
		ms := rapid.SampledFrom([]int64{rulestest.Minute, rulestest.Day}).Draw(rt, "term")
		l := d.lock(m.p, org, org, ms)
		if got = d.Do(org, locks(l)); mayLock(m, &want) {
			m.holder, m.until = org, l.UntilMs
		}
	case "release":
		got = d.Do(org, release(m.p))
		if want = held(d, m, org); want == fault.OK {
			m.holder = ""
		}
	case "pay":
		open := rapid.Bool().Draw(rt, "open rest")
		got = d.Do(org, d.pay(m.p, org, sum, open))
		if want = held(d, m, org); want == fault.OK && sum > m.rest {
			want = fault.SplitSum
		}
		if want == fault.OK {
			m.holder, m.over, m.rest, m.parts = "", !open, m.rest-sum, m.parts+1
			m.paid[org]++
		}
	case "flush", "part":
		if verb == "flush" {
			sum = 0
		}
		msg, _ := d.flush(m.p, sum)
		got = d.Do(d.unit, msg)
		if want = mayFlush(m, sum, amount); want == fault.OK && sum > 0 {
			m.rest, m.flushedFen, m.parts = m.rest-sum, m.flushedFen+sum, m.parts+1
		} else if want == fault.OK {
			m.all = true
		}
	case "return":
		got = d.Do(org, &ereceiptv1.ReturnReimbursement{Handle: m.p.handle, ClaimCommitment: claim(org)})
		return returned(m, org, got), got, verb
	case "deliver":
		got = d.Do(d.unit, &ereceiptv1.DeliverReceipts{Handles: [][]byte{m.p.handle}})
		if m.delivered || m.all {
			want = fault.IllegalTransition
		} else {
			m.delivered = true
		}
	case "wait":
		d.Wait(2 * rulestest.Minute)
	}
	return want, got, verb
}

func mayLock(m *model, want *fault.Code) bool {
	switch {
	case m.all:
		*want = fault.RedFlushed
	case m.holder != "":
		*want = fault.AlreadyLocked
	case m.over:
		*want = fault.ReimbursedElsewhere
	case m.parts >= fiscal.MaxParts:
		*want = fault.SplitSum
	}
	return *want == fault.OK
}

// held is what an organisation hears that releases or pays. The history asks the record
// whether the last lock ran out or was given up: that is no part of the promise.
func held(d *desk, m *model, org string) fault.Code {
	last := d.receipt(m.p).LastLock
	switch {
	case m.holder == org:
		return fault.OK
	case m.holder != "":
		return fault.LockNotOwner
	case last.GetExpired() && last.Org == org:
		return fault.LockExpired
	}
	return fault.NotLockedFirst
}

func mayFlush(m *model, sum, amount int64) fault.Code {
	switch {
	case m.all:
		return fault.RedFlushed
	case m.holder != "":
		return fault.AlreadyLocked
	case sum > amount-m.flushedFen:
		return fault.RedAmountExceeds
	case sum > m.rest:
		return fault.RedAfterReimbursed
	case sum > 0 && m.parts >= fiscal.MaxParts:
		return fault.TooLong
	}
	return fault.OK
}

func returned(m *model, org string, got fault.Code) fault.Code {
	n, known := m.paid[org]
	switch {
	case !known:
		return fault.NotFound
	case !m.all || n == 0:
		return fault.IllegalTransition
	}
	m.paid[org]--
	return fault.OK
}
