package custody

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	custodyv1 "mulian/gen/mulian/custody/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/governance"
	"mulian/rules/identity"
	"mulian/rules/mandate"
	"mulian/rules/recovery"
	"mulian/state"
)

// txDomain stands before a body in what is hashed to the transaction's id, and stepUpDomain
// before what is signed of a presence: both are package rules', whose tests hold that they are.
const (
	txDomain     = "mulian-tx-v1\x00"
	stepUpDomain = "mulian-step-up-v1\x00"
)

// TxID is the id of the transaction with that body.
func TxID(body []byte) [32]byte { return sha256.Sum256(append([]byte(txDomain), body...)) }

// RecordCustodyUse puts on the ledger what the key of an account is to sign.
//
// In this order: NotFound; Forbidden (role, level, desk, the custodian's own); IllegalTransition
// (not active); KeyRevoked; NotProofed, ProofingExpired; TooLong (20 wait); what is wrong with
// the body; AlreadyExists (recorded before); Missing, PresenceMismatch, PresenceReplayed.
func RecordCustodyUse(a *act.Act, m *custodyv1.RecordCustodyUse) error {
	const rule = "custody/record_custody_use"
	c, err := find(a.Tx, rule, m.Account)
	if err != nil {
		return err
	}
	o, err := officer(a, rule, c.Custodian, nil)
	if err != nil {
		return err
	}
	switch {
	case c.State != active:
		return act.Refuse(fault.IllegalTransition, rule, "the custody of %s is %s", c.Account, c.State)
	case !keySigns(a.Tx, c, a.TimeMs):
		return act.Refuse(fault.KeyRevoked, rule, "key %s of %s was revoked, or reported lost", c.Key, c.Account)
	}
	if _, err := identity.Proofed(a.Tx, c.Account, identityv1.ProofingLevel_PROOFING_LEVEL_BASIC, a.TimeMs); err != nil {
		return err
	}
	if c.Waiting >= MaxWaiting {
		return act.Refuse(fault.TooLong, rule, "%d uses of %s wait, at most %d", c.Waiting, c.Account, MaxWaiting)
	}
	body, kind, err := checkBody(a, rule, c, m.Body)
	if err != nil {
		return err
	}
	id := TxID(m.Body)
	if was, ok := byTx.Get(a.Tx, hexOf(id[:])); ok {
		return act.Refuse(fault.AlreadyExists, rule, "transaction %x is recorded as use %s", id[:8], was)
	}
	if err := checkPresence(a, rule, id, m.Presence); err != nil {
		return err
	}
	c.Uses, c.Waiting = c.Uses+1, c.Waiting+1
	custodies.Put(a.Tx, c.Account, c)
	u := &custodyv1.CustodyUse{
		Account: c.Account, Number: c.Uses, TxId: id[:], Body: m.Body, Kind: kind, Custodian: c.Custodian, Officers: []*custodyv1.CustodyOfficer{o},
		Presence: m.Presence, State: open, RecordedMs: a.TimeMs, ExpiresMs: body.ExpiresMs,
	}
	byTx.Put(a.Tx, hexOf(id[:]), numbered(u.Account, u.Number))
	evidence.Put(a.Tx, hexOf(m.Presence.Evidence), numbered(u.Account, u.Number))
	due(a, u.ExpiresMs, dueUse, numbered(u.Account, u.Number))
	keepUse(a, rule, u)
	return nil
}

// checkBody returns the body, and how long it waits: TooLong, Malformed, WrongChain,
// CodeInconsistent (another account), OutOfRange (salt), Empty, Missing; Expired, OutOfRange (its end).
func checkBody(a *act.Act, rule string, c *custodyv1.Custody, raw []byte) (*txv1.Body, custodyv1.CustodyActKind, error) {
	if len(raw) > MaxBody {
		return nil, 0, act.Refuse(fault.TooLong, rule, "a body of %d bytes, at most %d", len(raw), MaxBody)
	}
	b := new(txv1.Body)
	if err := canon.Check(raw, b); err != nil {
		code := fault.Malformed
		if errors.Is(err, canon.ErrTooLarge) || errors.Is(err, canon.ErrTooMany) {
			code = fault.TooLong
		}
		return nil, 0, act.Refuse(code, rule, "body: %v", err)
	}
	switch limit := int(governance.Parameters(a.Tx).MaxMessages); {
	case b.ChainId != a.ChainID:
		return nil, 0, act.Refuse(fault.WrongChain, rule, "the body is for %.60q, this is %s", b.ChainId, a.ChainID)
	case b.Account != c.Account:
		return nil, 0, act.Refuse(fault.CodeInconsistent, rule, "the body is of account %.60q", b.Account)
	case len(b.Salt) < minSalt || len(b.Salt) > maxSalt: // as rules.checkBody: else it could never be carried out
		return nil, 0, act.Refuse(fault.OutOfRange, rule, "a salt of %d bytes: %d to %d are possible", len(b.Salt), minSalt, maxSalt)
	case len(b.Messages) == 0:
		return nil, 0, act.Refuse(fault.Empty, rule, "the body has no message")
	case len(b.Messages) > limit:
		return nil, 0, act.Refuse(fault.TooLong, rule, "%d messages, at most %d", len(b.Messages), limit)
	}
	kind := once
	for i, m := range b.Messages {
		if m.GetKind() == nil {
			return nil, 0, act.RefuseItem(fault.Missing, rule, i, "the message says nothing")
		}
		kind = max(kind, kindOf(a.Tx, m))
	}
	switch left := b.ExpiresMs - a.TimeMs - window(kind); {
	case left <= 0:
		return nil, 0, act.Refuse(fault.Expired, rule, "the body ends at %d, before it could be signed", b.ExpiresMs)
	case left > MaxTermMs:
		return nil, 0, act.Refuse(fault.OutOfRange, rule, "the body ends at %d: at most %d ms after it can be signed are possible", b.ExpiresMs, int64(MaxTermMs))
	}
	return b, kind, nil
}

// window is how long an act of the kind waits.
func window(kind custodyv1.CustodyActKind) int64 {
	if kind == standing {
		return UndoMs
	}
	return 0
}

// checkPresence: an account of the officer's own organisation, and not the officer himself, has
// signed that the person was there for this transaction, and on what that rests has counted for
// no other.
func checkPresence(a *act.Act, rule string, id [32]byte, p *identityv1.StepUp) error {
	if p == nil {
		return act.Refuse(fault.Missing, rule, "presence is missing")
	}
	if err := act.Hash(rule, "presence.evidence", p.Evidence, true); err != nil {
		return err
	}
	if p.Method != identityv1.ProofingMethod_PROOFING_METHOD_FACE && p.Method != identityv1.ProofingMethod_PROOFING_METHOD_COUNTER {
		return act.Refuse(fault.OutOfRange, rule, "presence.method %d: FACE, or COUNTER with the scan of a signature", p.Method)
	}
	if len(p.Authority) > maxAccount {
		return act.Refuse(fault.PresenceMismatch, rule, "%.50q is no account", p.Authority)
	}
	if p.Authority == a.Signer() {
		return act.Refuse(fault.PresenceMismatch, rule, "%s records the use: another account, the face terminal's, says that the person is there", p.Authority)
	}
	authority, ok := identity.Shared(a.Tx, p.Authority)
	if !ok || authority.Org != a.Org() || identity.Suspended(a.Tx, authority) || !act.Holds(a.Tx, authority, governancev1.Role_ROLE_IDENTITY) {
		return act.Refuse(fault.PresenceMismatch, rule, "%s is not of the officer's identity authority", p.Authority)
	}
	k, ok := identity.FindKey(a.Tx, authority, p.Key)
	if !ok || !identity.Signs(k, a.TimeMs) {
		return act.Refuse(fault.PresenceMismatch, rule, "%s has no key %.40q that signs now", authority.Id, p.Key)
	}
	message := binary.BigEndian.AppendUint32(append([]byte(stepUpDomain), id[:]...), uint32(p.Method))
	public, err := identity.ParseKey(k)
	if err != nil || !public.Verify(append(message, p.Evidence...), p.Signature) {
		return act.Refuse(fault.PresenceMismatch, rule, "the presence is not signed for transaction %x", id[:8])
	}
	if was, ok := evidence.Get(a.Tx, hexOf(p.Evidence)); ok {
		return act.Refuse(fault.PresenceReplayed, rule, "this evidence of presence has counted for use %s", was)
	}
	return nil
}

// ConfirmCustodyUse is the second officer's word. What counts once may be signed at once; what
// stands, after [UndoMs].
//
// NotFound; Forbidden (role, level, desk); SameDesk; IllegalTransition; Expired;
// VersionConflict (another transaction than he has read).
func ConfirmCustodyUse(a *act.Act, m *custodyv1.ConfirmCustodyUse) error {
	const rule = "custody/confirm_custody_use"
	u, err := findUse(a.Tx, rule, m.Account, m.Number)
	if err != nil {
		return err
	}
	o, err := officer(a, rule, u.Custodian, u.Officers)
	if err != nil {
		return err
	}
	switch effective := a.TimeMs + window(u.Kind); {
	case u.State != open:
		return act.Refuse(fault.IllegalTransition, rule, "use %d of %s is %s", u.Number, u.Account, word(u.State))
	case effective >= u.ExpiresMs:
		return act.Refuse(fault.Expired, rule, "use %d of %s ends at %d, before it could be signed at %d", u.Number, u.Account, u.ExpiresMs, effective)
	case !bytes.Equal(m.TxId, u.TxId):
		return act.Refuse(fault.VersionConflict, rule, "use %d of %s is for transaction %x", u.Number, u.Account, u.TxId)
	default:
		u.EffectiveMs = effective
	}
	u.State, u.Officers = confirmed, append(u.Officers, o)
	keepUse(a, rule, u)
	return nil
}

// UndoCustodyUse ends a use before it is carried out.
//
// NotFound; Forbidden (neither the account, nor an officer with a desk, nor who acts for the
// person); Missing, TooLong, Malformed (cause); IllegalTransition (over).
func UndoCustodyUse(a *act.Act, m *custodyv1.UndoCustodyUse) error {
	const rule = "custody/undo_custody_use"
	u, err := findUse(a.Tx, rule, m.Account, m.Number)
	if err != nil {
		return err
	}
	if a.Signer() != u.Account && !mandate.ActsFor(a.Tx, a.Signer(), u.Account, a.TimeMs) {
		if _, err := recovery.NeedDesk(a, rule); err != nil {
			return err
		}
	}
	if err := act.Text(rule, "cause", m.Cause, maxCause, true); err != nil {
		return err
	}
	if u.State != open && u.State != confirmed {
		return act.Refuse(fault.IllegalTransition, rule, "use %d of %s is %s", u.Number, u.Account, word(u.State))
	}
	u.Cause = m.Cause
	finish(a, rule, u, undone)
	return nil
}

// Waits reports whether the transaction is one that a use was recorded for: such a body may end
// later than others.
func Waits(v state.View, txID [32]byte) bool { return byTx.Has(v, hexOf(txID[:])) }

// Allowed returns the number of the use under which a key in custody may sign this transaction
// now, or why it may not: CustodyUnrecorded; CustodyUnconfirmed; CustodyUndone; Expired;
// Replayed; UndoWindow.
func Allowed(v state.View, account string, txID [32]byte, timeMs int64) (use uint64, err error) {
	const rule = "tx/custody"
	at, ok := byTx.Get(v, hexOf(txID[:]))
	if !ok {
		return 0, act.Refuse(fault.CustodyUnrecorded, rule, "the key of %s is in custody, and no use of it is recorded for transaction %x", account, txID[:8])
	}
	u, ok := uses.Get(v, at)
	if !ok || u.Account != account {
		panic("rules/custody: " + at + " is said to be the use of a transaction of " + account) // the id is a hash of the account, too
	}
	switch {
	case u.State == open:
		return 0, act.Refuse(fault.CustodyUnconfirmed, rule, "use %d of %s waits for the second officer", u.Number, account)
	case u.State == undone:
		return 0, act.Refuse(fault.CustodyUndone, rule, "use %d of %s was undone at %d", u.Number, account, u.EndedMs)
	case u.State == expired:
		return 0, act.Refuse(fault.Expired, rule, "use %d of %s has run out", u.Number, account)
	case u.State == executed:
		return 0, act.Refuse(fault.Replayed, rule, "use %d of %s was carried out", u.Number, account)
	case timeMs < u.EffectiveMs:
		return 0, act.Refuse(fault.UndoWindow, rule, "use %d of %s can be undone until %d", u.Number, account, u.EffectiveMs)
	}
	return u.Number, nil
}

// Executed says that the transaction of a use is carried out; if it is refused after all,
// nothing of this stays, and the use waits for its end: the id is spent.
func Executed(a *act.Act, number uint64) {
	u, ok := uses.Get(a.Tx, numbered(a.Signer(), number))
	if !ok || u.State != confirmed {
		panic("rules/custody: a use of " + a.Signer() + " was carried out that is not confirmed")
	}
	finish(a, "custody/executed", u, executed)
}
