package custody

import (
	"bytes"

	custodyv1 "mulian/gen/mulian/custody/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/rules/act"
)

const (
	asked   = custodyv1.UnwrapState_UNWRAP_STATE_ASKED
	given   = custodyv1.UnwrapState_UNWRAP_STATE_GIVEN
	failed  = custodyv1.UnwrapState_UNWRAP_STATE_FAILED
	tooLate = custodyv1.UnwrapState_UNWRAP_STATE_EXPIRED
)

func unwrapKey(w *custodyv1.Unwrap) string {
	return unwraps.Name() + "/" + numbered(w.Account, w.Number)
}

// UnwrapVault asks the custodian to open the signer's vault for one receiver. Only the key in
// custody asks, so two officers and a presence stand behind it.
//
// NotFound; Forbidden (another key); Missing, Malformed (box_hash, receiver);
// CodeInconsistent (the receiver is the custodian's own key).
func UnwrapVault(a *act.Act, m *custodyv1.UnwrapVault) error {
	const rule = "custody/unwrap_vault"
	c, err := find(a.Tx, rule, a.Signer())
	if err != nil {
		return err
	}
	if a.Key.GetCustodian() == "" {
		return act.Refuse(fault.Forbidden, rule, "who has a key of his own opens his vault himself")
	}
	if err := act.Hash(rule, "box_hash", m.BoxHash, true); err != nil {
		return err
	}
	if _, err := sm.ParsePublic(sm.P256, m.Receiver); err != nil {
		return act.Refuse(fault.Malformed, rule, "receiver: %v", err)
	}
	if bytes.Equal(m.Receiver, c.SealKey) {
		return act.Refuse(fault.CodeInconsistent, rule, "receiver: this is the custodian's own key")
	}
	c.Unwraps++
	custodies.Put(a.Tx, c.Account, c)
	w := &custodyv1.Unwrap{
		Account: c.Account, Number: c.Unwraps, Custodian: c.Custodian, BoxHash: m.BoxHash, Receiver: m.Receiver, TxId: a.TxID[:],
		State: asked, AskedMs: a.TimeMs, ExpiresMs: a.TimeMs + UnwrapMs,
	}
	due(a, w.ExpiresMs, dueUnwrap, numbered(w.Account, w.Number))
	keepUnwrap(a, rule, w)
	return nil
}

func keepUnwrap(a *act.Act, rule string, w *custodyv1.Unwrap) {
	unwraps.Put(a.Tx, numbered(w.Account, w.Number), w)
	tell(a, rule, "", w.Account, unwrapKey(w), custodyKey(w.Account))
}

// CloseUnwrap says what the custodian gives, before he does.
//
// NotFound; Forbidden (another custodian); IllegalTransition; Expired; Malformed (result_hash).
func CloseUnwrap(a *act.Act, m *custodyv1.CloseUnwrap) error {
	const rule = "custody/close_unwrap"
	if _, err := find(a.Tx, rule, m.Account); err != nil {
		return err
	}
	w, ok := unwraps.Get(a.Tx, numbered(m.Account, m.Number))
	if !ok {
		return act.Refuse(fault.NotFound, rule, "%s has no unwrap %d", m.Account, m.Number)
	}
	if err := needCustodian(a, rule, w.Custodian); err != nil {
		return err
	}
	switch {
	case w.State != asked:
		return act.Refuse(fault.IllegalTransition, rule, "unwrap %d of %s is %s", w.Number, w.Account, w.State)
	case a.TimeMs >= w.ExpiresMs:
		return act.Refuse(fault.Expired, rule, "unwrap %d of %s could be answered until %d", w.Number, w.Account, w.ExpiresMs)
	}
	if err := act.Hash(rule, "result_hash", m.ResultHash, false); err != nil {
		return err
	}
	w.State, w.ResultHash, w.EndedMs = given, m.ResultHash, a.TimeMs
	if len(m.ResultHash) == 0 {
		w.State = failed
	}
	keepUnwrap(a, rule, w)
	return nil
}
