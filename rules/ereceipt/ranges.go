package ereceipt

import (
	"strconv"
	"strings"

	ereceiptv1 "mulian/gen/mulian/ereceipt/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/identity"
)

// AllotRange gives numbers of a code to a unit. Signed by an account that holds
// ROLE_FINANCE_BUREAU, OFFICER.
//
// In this order: Forbidden (role, level), Malformed (code, numbers), OutOfRange (last before
// first, term), NotFound (unit), Missing, Malformed (key commitment), TooLong (ranges of the
// code), AlreadyExists (numbers that are allotted, of ended ranges, too: a number is issued
// once).
func AllotRange(a *act.Act, m *ereceiptv1.AllotRange) error {
	const rule = "ereceipt/allot_range"
	if err := a.NeedRole(governancev1.Role_ROLE_FINANCE_BUREAU, officer); err != nil {
		return err
	}
	switch {
	case !digits(m.Code, codeDigits):
		return act.Refuse(fault.Malformed, rule, "code %.20q: %d digits", m.Code, codeDigits)
	case !digits(m.First, numberDigits) || !digits(m.Last, numberDigits):
		return act.Refuse(fault.Malformed, rule, "numbers %.20q to %.20q: %d digits each", m.First, m.Last, numberDigits)
	case m.Last < m.First:
		return act.Refuse(fault.OutOfRange, rule, "the last number, %s, is before the first, %s", m.Last, m.First)
	case m.UntilMs <= a.TimeMs || m.UntilMs > a.TimeMs+MaxTermMs:
		return act.Refuse(fault.OutOfRange, rule, "until_ms: within five years from now")
	}
	if _, ok := identity.Org(a.Tx, m.Unit); !ok {
		return act.Refuse(fault.NotFound, rule, "there is no organisation %.40q", m.Unit)
	}
	if err := act.Hash(rule, "key_commitment", m.KeyCommitment, true); err != nil {
		return err
	}
	if err := free(a, rule, m); err != nil {
		return err
	}
	id := m.Code + "-" + m.First
	ranges.Put(a.Tx, id, &ereceiptv1.CodeRange{
		Id: id, Code: m.Code, First: m.First, Last: m.Last, Unit: m.Unit, Bureau: a.Signer(),
		FromMs: a.TimeMs, UntilMs: m.UntilMs, KeyCommitment: m.KeyCommitment, AllottedMs: a.TimeMs,
	})
	a.Emit(rule, "", RangeKey(id), "identity/account/"+m.Unit)
	return nil
}

// digits reports whether a text is that many decimal digits.
func digits(s string, n int) bool {
	return len(s) == n && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// free refuses numbers that overlap with a range of the code.
func free(a *act.Act, rule string, m *ereceiptv1.AllotRange) (err error) {
	n := 0
	ranges.Range(a.Tx, m.Code+"-", "", func(id string, r *ereceiptv1.CodeRange) bool {
		n++
		switch {
		case n >= MaxRangesOfCode:
			err = act.Refuse(fault.TooLong, rule, "code %s has %d ranges: take another code", m.Code, n)
		case m.First <= r.Last && r.First <= m.Last:
			err = act.Refuse(fault.AlreadyExists, rule, "numbers %s to %s of code %s are those of %s", r.First, r.Last, r.Code, r.Unit)
		}
		return err == nil
	})
	return err
}

// EndRange takes back what is left of a range. Signed by an account that holds
// ROLE_FINANCE_BUREAU, OFFICER.
//
// Forbidden; NotFound; IllegalTransition (ended); Missing, TooLong, Malformed (reason).
func EndRange(a *act.Act, m *ereceiptv1.EndRange) error {
	const rule = "ereceipt/end_range"
	if err := a.NeedRole(governancev1.Role_ROLE_FINANCE_BUREAU, officer); err != nil {
		return err
	}
	r, ok := ranges.Get(a.Tx, m.Range)
	switch {
	case !ok:
		return act.Refuse(fault.NotFound, rule, "there is no code range %.40q", m.Range)
	case r.EndedMs != 0:
		return act.Refuse(fault.IllegalTransition, rule, "range %s was taken back before", r.Id)
	}
	if err := act.Text(rule, "reason", m.Reason, maxReason, true); err != nil {
		return err
	}
	r.EndedMs = a.TimeMs
	ranges.Put(a.Tx, r.Id, r)
	a.Emit(rule, "", RangeKey(r.Id), "identity/account/"+r.Unit)
	return nil
}

// usable returns a range from which the signer's organisation may issue n receipts now:
// CodeRangeNotAllotted otherwise.
func usable(a *act.Act, rule, id string, n int) (*ereceiptv1.CodeRange, error) {
	r, ok := ranges.Get(a.Tx, id)
	switch {
	case !ok:
		return nil, act.Refuse(fault.CodeRangeNotAllotted, rule, "the range %.40q was allotted to nobody", id)
	case r.Unit != a.Org():
		return nil, act.Refuse(fault.CodeRangeNotAllotted, rule, "the range %s is not %s's", r.Id, a.Org())
	case r.EndedMs != 0 || a.TimeMs >= r.UntilMs:
		return nil, act.Refuse(fault.CodeRangeNotAllotted, rule, "the range %s has ended", r.Id)
	case r.Issued+uint64(n) > capacity(r):
		return nil, act.Refuse(fault.CodeRangeNotAllotted, rule, "the range %s has %d numbers left", r.Id, capacity(r)-r.Issued)
	}
	return r, nil
}

// capacity is how many numbers a range has.
func capacity(r *ereceiptv1.CodeRange) uint64 {
	first, err1 := strconv.ParseUint(r.First, 10, 64)
	last, err2 := strconv.ParseUint(r.Last, 10, 64)
	if err1 != nil || err2 != nil || last < first {
		return 0 // AllotRange has taken digits only
	}
	return last - first + 1
}
