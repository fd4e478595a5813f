package rules

import (
	"errors"

	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/catalogue"
	"mulian/rules/credential"
	"mulian/rules/custody"
	"mulian/rules/ereceipt"
	"mulian/rules/governance"
	"mulian/rules/grant"
	"mulian/rules/mandate"
	"mulian/rules/recovery"
	"mulian/rules/safebox"
	"mulian/rules/share"
	"mulian/state"
	"mulian/state/machine"
)

// New returns the state machine. It holds nothing: any number may be used at once.
func New() machine.Machine { return consortium{} }

// consortium implements [machine.Machine].
type consortium struct{}

// Check implements [machine.Machine]: all checks that stand before the messages, in
// the order of Apply. What the messages come to is known only in their block.
func (consortium) Check(v state.View, env machine.Env, raw []byte) error {
	t, err := open(v, env, raw)
	if err != nil {
		return err
	}
	_, err = t.quota(v, env)
	return err
}

// Apply implements [machine.Machine].
func (consortium) Apply(tx *state.Tx, env machine.Env, raw []byte) machine.Result {
	t, err := open(tx, env, raw)
	if err != nil {
		return result(env, err, 0, nil)
	}
	record, err := t.quota(tx, env)
	if err != nil {
		return result(env, err, 0, nil) // the same bytes may come again in the next minute
	}
	if record != "" {
		used.Put(tx, t.account.Id, record)
	}
	message, ids, err := t.carryOut(tx, env)
	r := result(env, err, message, ids)
	r.Remember = true // the signature held
	return r
}

// End implements [machine.Machine]. All nouns share one act, so that the ids they
// make differ.
func (consortium) End(tx *state.Tx, env machine.Env) []machine.Validator {
	a := &act.Act{Tx: tx, ChainID: env.ChainID, Height: env.Height, TimeMs: env.TimeMs}
	governance.Misbehave(a, env.Misbehaviours) // before End, which tells the engine
	changes := governance.End(a)
	grant.End(a)
	share.End(a)
	safebox.End(a)
	catalogue.End(a)
	for _, account := range recovery.End(a) { // who has new keys: what the old ones gave is looked at again
		mandate.Recovered(a, account)
		grant.PauseStanding(a, account)
		safebox.Recovered(a, account)
	}
	mandate.End(a)
	custody.End(a)
	ereceipt.End(a)
	credential.End(a)
	return changes
}

// ID implements [machine.Machine].
func (consortium) ID(raw []byte) ([32]byte, error) {
	e, err := openEnvelope(raw, canon.Check)
	if err != nil {
		return [32]byte{}, err
	}
	return idOf(e.Body), nil
}

// result makes the agreed result of a transaction from what a rule returned.
func result(env machine.Env, err error, message int, ids []string) machine.Result {
	out := &txv1.Outcome{Height: env.Height}
	r := machine.Result{Code: fault.CodeOf(err)}
	if err == nil {
		out.Ids = ids
	} else {
		out.Code, out.Message, r.Text = uint32(r.Code), uint32(message), err.Error()
		if f, ok := errors.AsType[*fault.Fault](err); ok {
			out.Rule, out.Item = f.Rule, f.Item
		}
	}
	raw, err := canon.Marshal(out)
	if err != nil {
		panic("rules: outcome: " + err.Error()) // rule names and ids are ours
	}
	r.Data = raw
	return r
}
