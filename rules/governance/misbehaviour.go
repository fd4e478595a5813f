package governance

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/rules/act"
	"mulian/state"
	"mulian/state/machine"
)

// misbehaviours is what validators are proved to have done, by [misbehaviourKey].
var misbehaviours = state.NewTable[governancev1.Misbehaviour]("governance/misbehaviour")

const misbehaveRule = "governance/misbehave"

// Misbehave records what the block proves of validators, and takes the power of each
// that did wrong. It is no verb: nobody signs it, and nobody can prevent it. It is called
// at the end of a block, before [End], which tells the engine.
//
// The power is taken whole and at once, by this rule and without a vote: signing two
// things is no accident of the network, and until it is taken the validator can do it
// again. It stays where the validator holds a third of all power or more: then the others
// hold no more than two thirds, too few to have decided anything without it, and who is
// to make blocks is for the members to say. So what is left after a removal could always
// go on without the guilty one, and the last validator is never removed. Of several in
// one block each is judged by the power that is left when its turn comes.
//
// Membership, roles and keys stay: a stolen validator key is no fault of the
// organisation's vote. A vote takes the validator in again, best with another key.
//
// A proof that is known already changes nothing; one block brings at most
// MaxMisbehaviours to the record, in its order.
func Misbehave(a *act.Act, proved []machine.Misbehaviour) {
	recorded := 0
	for _, m := range proved {
		key := misbehaviourKey(m)
		if recorded == MaxMisbehaviours || misbehaviours.Has(a.Tx, key) {
			continue
		}
		recorded++
		record := &governancev1.Misbehaviour{
			Address: m.Address[:], Wrong: governancev1.Wrong(m.Wrong), Height: m.Height, TimeMs: m.TimeMs, Power: uint64(m.Power),
			ProvedHeight: a.Height, ProvedMs: a.TimeMs,
		}
		judge(a.Tx, record)
		misbehaviours.Put(a.Tx, key, record)
		objects := []string{subject("misbehaviour", key)}
		if len(record.PublicKey) > 0 {
			objects = append(objects, subject("validator", validatorKey(record.PublicKey)), subject("member", record.Org))
		}
		a.Emit(misbehaveRule, noteOf(record.Consequence), objects...)
	}
}

// judge says who the validator is, and takes its power unless it holds a third.
func judge(tx *state.Tx, m *governancev1.Misbehaviour) {
	var guilty *governancev1.Validator
	var total uint64
	for _, n := range Validators(tx) {
		total += n.Power
		if address := sha256.Sum256(n.PublicKey); string(address[:len(m.Address)]) == string(m.Address) {
			guilty = n
		}
	}
	if guilty == nil {
		m.Consequence = governancev1.Consequence_CONSEQUENCE_GONE
		return
	}
	m.PublicKey, m.Org, m.Name = guilty.PublicKey, guilty.Org, guilty.Name
	if 3*guilty.Power >= total { // at most 300 × MaxPower
		m.Consequence = governancev1.Consequence_CONSEQUENCE_KEPT
		return
	}
	m.Consequence = governancev1.Consequence_CONSEQUENCE_REMOVED
	putValidator(tx, &governancev1.Validator{PublicKey: guilty.PublicKey})
}

// noteOf is the event's note.
func noteOf(c governancev1.Consequence) string {
	switch c {
	case governancev1.Consequence_CONSEQUENCE_REMOVED:
		return "removed"
	case governancev1.Consequence_CONSEQUENCE_KEPT:
		return "kept"
	}
	return "gone"
}

// misbehaviourKey names a proof: the engine never proves the same of one validator and
// height twice, but a validator may be proved to have done two things at one height.
func misbehaviourKey(m machine.Misbehaviour) string {
	return fmt.Sprintf("%s-%d-%s", state.Ordered(m.Height), m.Wrong, hex.EncodeToString(m.Address[:]))
}

// Misbehaviours returns all that validators were proved to have done, by height.
func Misbehaviours(v state.View) (out []*governancev1.Misbehaviour) {
	misbehaviours.Range(v, "", "", func(_ string, m *governancev1.Misbehaviour) bool {
		out = append(out, m)
		return true
	})
	return out
}
