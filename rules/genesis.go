package rules

import (
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/governance"
	"mulian/rules/identity"
	"mulian/state"
	"mulian/state/machine"
)

// genesisDomain stands before the genesis bytes in what founders sign.
const genesisDomain = "mulian-genesis-v1\x00"

// Genesis implements [machine.Machine]. It refuses, in this order: a file or
// genesis that is not in its one byte form or over a bound (Malformed, TooLong); a
// chain or time that is not the engine's (WrongChain, OutOfRange); a signature that
// is not there or does not hold (BadAuthorisation); and what
// [governance.Found] refuses.
func (consortium) Genesis(tx *state.Tx, env machine.Env, signedGenesis []byte) ([]machine.Validator, error) {
	const rule = "genesis"
	file, g := new(governancev1.SignedGenesis), new(governancev1.Genesis)
	if err := canon.Check(signedGenesis, file); err != nil {
		return nil, act.Refuse(malformed(err), rule, "%v", err)
	}
	if err := canon.Check(file.Genesis, g); err != nil {
		return nil, act.Refuse(malformed(err), rule, "%v", err)
	}
	switch {
	case g.ChainId != env.ChainID:
		return nil, act.Refuse(fault.WrongChain, rule, "the founders signed %.60q, the engine is configured for %.60q", g.ChainId, env.ChainID)
	case g.TimeMs != env.TimeMs || g.TimeMs <= 0:
		return nil, act.Refuse(fault.OutOfRange, rule, "the founders signed the time %d, the engine says %d", g.TimeMs, env.TimeMs)
	}
	if err := checkFounders(env, file, g); err != nil {
		return nil, err
	}
	return governance.Found(&act.Act{Tx: tx, ChainID: env.ChainID, Height: env.Height, TimeMs: g.TimeMs}, g)
}

// checkFounders wants exactly one signature of each founder, in the order in which
// the genesis names them, by one of his ROOT keys.
func checkFounders(env machine.Env, file *governancev1.SignedGenesis, g *governancev1.Genesis) error {
	const rule = "genesis/signatures"
	if len(g.Founders) == 0 || len(g.Founders) > governance.MaxMembers {
		return act.Refuse(fault.OutOfRange, rule, "%d founders: 1 to %d are possible", len(g.Founders), governance.MaxMembers)
	}
	if len(file.Signatures) != len(g.Founders) {
		return act.Refuse(fault.BadAuthorisation, rule, "%d signatures of %d founders", len(file.Signatures), len(g.Founders))
	}
	signed := append([]byte(genesisDomain), file.Genesis...)
	for i, f := range g.Founders {
		s := file.Signatures[i]
		k, ok := governance.RootKey(f, s.Key)
		if s.Org != f.Code || !ok {
			return act.RefuseItem(fault.BadAuthorisation, rule, i, "signature of %.40q by key %.40q stands where a ROOT key of %.40q has to sign", s.Org, s.Key, f.Code)
		}
		public, err := identity.ParseKey(k)
		if err != nil || !env.Verify(public, signed, s.Signature) {
			return act.RefuseItem(fault.BadAuthorisation, rule, i, "the signature of %s does not hold", f.Code)
		}
	}
	return nil
}
