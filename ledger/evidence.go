package ledger

import (
	abci "github.com/cometbft/cometbft/abci/types"

	"mulian/state/machine"
)

// wrongs are the engine's kinds of misbehaviour as the rules know them. A kind that is
// not here, of a later engine, is not handed on: rules that do not know it could not
// agree about it.
var wrongs = map[abci.MisbehaviorType]machine.Wrong{
	abci.MisbehaviorType_DUPLICATE_VOTE:      machine.DoubleSign,
	abci.MisbehaviorType_LIGHT_CLIENT_ATTACK: machine.LightClientAttack,
}

// misbehaviours is the evidence of a decided block as the rules take it, in its order.
// Every validator has checked the evidence before it voted for the block; after a crash
// or in a node that catches up it comes from the stored block, the same.
func misbehaviours(of []abci.Misbehavior) (out []machine.Misbehaviour) {
	for _, m := range of {
		wrong, ok := wrongs[m.Type]
		if !ok || len(m.Validator.Address) != 20 {
			continue
		}
		out = append(out, machine.Misbehaviour{
			Address: [20]byte(m.Validator.Address), Wrong: wrong, Height: m.Height, TimeMs: m.Time.UnixMilli(), Power: m.Validator.Power,
		})
	}
	return out
}

// tamper puts something between the engine and our answers to it.
type tamper func(abci.Application) abci.Application

// application is what the engine asks.
func (c *Config) application(honest abci.Application) abci.Application {
	if c.tamper == nil {
		return honest
	}
	return c.tamper(honest)
}
