package ereceipt

import (
	"encoding/hex"

	ereceiptv1 "mulian/gen/mulian/ereceipt/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/fiscal"
	"mulian/internal/sm"
	"mulian/rules/act"
	"mulian/rules/identity"
)

// IssueReceipts issues 1 to 50 receipts of a range. Signed for the unit that has the range,
// MACHINE. All or nothing.
//
// In this order: Forbidden (level), Empty, TooLong (list), CodeRangeNotAllotted; then receipt
// by receipt Missing, Malformed (handle, key, hashes), OutOfRange (amount, close),
// NumberRepeated, UnitSigBad.
func IssueReceipts(a *act.Act, m *ereceiptv1.IssueReceipts) error {
	const rule = "ereceipt/issue_receipts"
	if err := a.Need(machine); err != nil {
		return err
	}
	if err := act.Count(rule, len(m.Receipts), MaxBatch); err != nil {
		return err
	}
	g, err := usable(a, rule, m.Range, len(m.Receipts))
	if err != nil {
		return err
	}
	for i, n := range m.Receipts {
		r, err := issue(a, rule, g, n)
		if err != nil {
			return act.In(rule, i, err)
		}
		put(a, rule, "", r, RangeKey(g.Id))
	}
	g.Issued += uint64(len(m.Receipts))
	ranges.Put(a.Tx, g.Id, g)
	return nil
}

// issue makes the record of one receipt.
func issue(a *act.Act, rule string, g *ereceiptv1.CodeRange, n *ereceiptv1.NewReceipt) (*ereceiptv1.EReceipt, error) {
	if err := act.First(
		act.Hash(rule, "handle", n.GetHandle(), true),
		act.Hash(rule, "content_hash", n.GetContentHash(), true),
		act.Hash(rule, "payer_commitment", n.GetPayerCommitment(), true),
		act.Hash(rule, "check_commitment", n.GetCheckCommitment(), true),
	); err != nil {
		return nil, err
	}
	if _, err := sm.ParsePublic(sm.SM2, n.HoldingKey); err != nil {
		return nil, act.Refuse(fault.Malformed, rule, "holding_key: %v", err)
	}
	switch {
	case n.ScaledAmount < fiscal.MinScaled || n.ScaledAmount > fiscal.MaxScaled:
		return nil, act.Refuse(fault.OutOfRange, rule, "scaled_amount: %d to %d", fiscal.MinScaled, uint64(fiscal.MaxScaled))
	case n.ClosesMs <= a.TimeMs || n.ClosesMs > a.TimeMs+MaxTermMs:
		return nil, act.Refuse(fault.OutOfRange, rule, "closes_ms: within five years from now")
	case receipts.Has(a.Tx, hex.EncodeToString(n.Handle)):
		return nil, act.Refuse(fault.NumberRepeated, rule, "receipt %x was issued before", n.Handle)
	}
	signer, ok := signs(a, n.UnitKey, fiscal.UnitStatement(n.ContentHash), n.UnitSignature)
	if !ok {
		return nil, act.Refuse(fault.UnitSigBad, rule, "receipt %x: the signature by key %.40q does not hold", n.Handle, n.UnitKey)
	}
	return &ereceiptv1.EReceipt{
		Handle: n.Handle, Range: g.Id, Unit: g.Unit, State: issued, HoldingKey: n.HoldingKey, ContentHash: n.ContentHash,
		PayerCommitment: n.PayerCommitment, CheckCommitment: n.CheckCommitment, ScaledAmount: n.ScaledAmount, ScaledRest: n.ScaledAmount,
		ClosesMs: n.ClosesMs, UnitKey: n.UnitKey, UnitSignature: n.UnitSignature, Issuer: signer, IssuedMs: a.TimeMs,
	}, nil
}

// signs finds an active key of the signing account, or of its organisation, and checks a
// detached signature by it. It returns whose key it is.
func signs(a *act.Act, key string, statement, signature []byte) (account string, ok bool) {
	list := []*identityv1.Account{a.Account}
	if org, ok := identity.Org(a.Tx, a.Org()); ok && org.Id != a.Signer() {
		list = append(list, org)
	}
	for _, acc := range list {
		k, ok := identity.FindKey(a.Tx, acc, key)
		if !ok || k.Suspended || !identity.Signs(k, a.TimeMs) {
			continue
		}
		public, err := identity.ParseKey(k)
		return acc.Id, err == nil && public.Verify(statement, signature)
	}
	return "", false
}

// SuperviseReceipts puts the finance bureau's signature under 1 to 50 receipts. Signed by an
// account that holds ROLE_FINANCE_BUREAU, MACHINE. All or nothing.
//
// In this order: Forbidden, Empty, TooLong; then receipt by receipt Missing, Malformed
// (handle), NotFound, IllegalTransition (not ISSUED), SuperviseSigBad.
func SuperviseReceipts(a *act.Act, m *ereceiptv1.SuperviseReceipts) error {
	const rule = "ereceipt/supervise_receipts"
	if err := a.NeedRole(governancev1.Role_ROLE_FINANCE_BUREAU, machine); err != nil {
		return err
	}
	if err := act.Count(rule, len(m.Receipts), MaxBatch); err != nil {
		return err
	}
	for i, s := range m.Receipts {
		if err := act.In(rule, i, supervise(a, rule, s)); err != nil {
			return err
		}
	}
	return nil
}

func supervise(a *act.Act, rule string, s *ereceiptv1.Supervision) error {
	r, err := find(a, rule, s.GetHandle())
	if err != nil {
		return err
	}
	if r.State != issued {
		return act.Refuse(fault.IllegalTransition, rule, "receipt %x is %s", r.Handle, r.State)
	}
	signer, ok := signs(a, s.Key, fiscal.SuperviseStatement(r.ContentHash, r.UnitSignature), s.Signature)
	if !ok {
		return act.Refuse(fault.SuperviseSigBad, rule, "receipt %x: the signature by key %.40q does not hold", r.Handle, s.Key)
	}
	r.State, r.Bureau, r.BureauKey, r.SupervisionSignature, r.SupervisedMs = supervised, signer, s.Key, s.Signature, a.TimeMs
	put(a, rule, "", r, RangeKey(r.Range))
	return nil
}

// DeliverReceipts tells that the payers have their documents. Signed for the unit, MACHINE.
// All or nothing.
//
// In this order: Forbidden (level), Empty, TooLong; then receipt by receipt Missing, Malformed
// (handle), NotFound, Forbidden (another unit's), SuperviseMissing, IllegalTransition
// (delivered, flushed).
func DeliverReceipts(a *act.Act, m *ereceiptv1.DeliverReceipts) error {
	const rule = "ereceipt/deliver_receipts"
	if err := a.Need(machine); err != nil {
		return err
	}
	if err := act.Count(rule, len(m.Handles), MaxBatch); err != nil {
		return err
	}
	for i, h := range m.Handles {
		if err := act.In(rule, i, deliver(a, rule, h)); err != nil {
			return err
		}
	}
	return nil
}

func deliver(a *act.Act, rule string, handle []byte) error {
	r, err := find(a, rule, handle)
	if err != nil {
		return err
	}
	switch {
	case r.Unit != a.Org():
		return act.Refuse(fault.Forbidden, rule, "receipt %x is another unit's", r.Handle)
	case r.SupervisedMs == 0 && r.State == issued:
		return act.Refuse(fault.SuperviseMissing, rule, "receipt %x: the finance bureau has not signed", r.Handle)
	case r.DeliveredMs != 0 || r.State == flushed || r.State == pending:
		return act.Refuse(fault.IllegalTransition, rule, "receipt %x is %s, delivered at %d", r.Handle, r.State, r.DeliveredMs)
	}
	r.DeliveredMs = a.TimeMs
	if r.State == supervised {
		r.State = delivered
	}
	put(a, rule, "", r)
	return nil
}
