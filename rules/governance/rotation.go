package governance

import (
	"google.golang.org/protobuf/proto"

	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/state"
)

// checkRotation takes another key for a validator that is there. The engine takes both
// changes in one step, so that the power of all is the same before and after; the node
// with the new key has to follow the chain by then.
func checkRotation(v state.View, rule string, r *governancev1.ValidatorRotation) error {
	if len(r.GetOldKey()) != 32 {
		return act.Refuse(fault.Malformed, rule, "old_key: %d bytes, an Ed25519 key has 32", len(r.GetOldKey()))
	}
	old, ok := validators.Get(v, validatorKey(r.OldKey))
	if !ok {
		return act.Refuse(fault.NotFound, rule, "there is no validator with the old key")
	}
	next := &governancev1.Validator{PublicKey: r.NewKey, Power: old.Power, Org: old.Org, Name: old.Name, Sm2Key: r.NewSm2Key}
	if err := checkNode(rule, next); err != nil {
		return err
	}
	if validators.Has(v, validatorKey(r.NewKey)) {
		return act.Refuse(fault.Duplicate, rule, "the new key is that of a validator")
	}
	// The old key's own pin may be given again: it stands for the same node.
	return checkPin(v, rule, &governancev1.Validator{PublicKey: r.OldKey, Sm2Key: r.NewSm2Key})
}

// rotate gives the validator its new key. An SM2 key that is not replaced stays.
func rotate(tx *state.Tx, r *governancev1.ValidatorRotation) {
	old, _ := validators.Get(tx, validatorKey(r.OldKey))
	next := proto.CloneOf(old)
	next.PublicKey = r.NewKey
	if len(r.NewSm2Key) > 0 {
		next.Sm2Key = r.NewSm2Key
	}
	putValidator(tx, &governancev1.Validator{PublicKey: r.OldKey})
	putValidator(tx, next)
}
