package governance

import (
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/foreign"
)

// checkForeign is checkChange for the trust roots of other consortia's chains.
func checkForeign(a *act.Act, rule string, c *governancev1.Change) error {
	switch k := c.GetKind().(type) {
	case *governancev1.Change_RegisterForeignChain:
		return foreign.CheckRoot(a.Tx, rule, a.ChainID, foreign.Register, k.RegisterForeignChain)
	case *governancev1.Change_ReplaceForeignRoot:
		return foreign.CheckRoot(a.Tx, rule, a.ChainID, foreign.Replace, k.ReplaceForeignRoot)
	case *governancev1.Change_ThawForeignChain:
		return foreign.CheckRoot(a.Tx, rule, a.ChainID, foreign.Thaw, k.ThawForeignChain)
	case *governancev1.Change_RemoveForeignChain:
		return foreign.CheckRemove(a.Tx, rule, k.RemoveForeignChain)
	}
	return act.Refuse(fault.Missing, rule, "the change is missing")
}

// carryOutForeign is carryOut for them.
func carryOutForeign(a *act.Act, c *governancev1.Change) {
	const verb = "governance/carry_out"
	switch k := c.GetKind().(type) {
	case *governancev1.Change_RegisterForeignChain:
		a.Emit(verb, "register_foreign_chain", foreign.PutRoot(a, k.RegisterForeignChain)...)
	case *governancev1.Change_ReplaceForeignRoot:
		a.Emit(verb, "replace_foreign_root", foreign.PutRoot(a, k.ReplaceForeignRoot)...)
	case *governancev1.Change_ThawForeignChain:
		a.Emit(verb, "thaw_foreign_chain", foreign.PutRoot(a, k.ThawForeignChain)...)
	case *governancev1.Change_RemoveForeignChain:
		a.Emit(verb, "remove_foreign_chain", foreign.Remove(a, k.RemoveForeignChain))
	default:
		panic("rules/governance: a change of no kind was accepted")
	}
}
