package governance

import (
	"strconv"

	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/rules/act"
	"mulian/state"
	"mulian/state/machine"
)

// End does what is due at the end of a block: proposals run out, at most MaxExpired
// of them; emergency suspensions end; open proposals are counted again if members or
// parameters have changed; rules that were voted for the next block come into force;
// and the engine is told the changes of validators, by public key ascending.
//
// Counting again may accept what changes members again. Then the rest waits for the
// end of the next block, so that the work of one is at most MaxOpen counts.
func End(a *act.Act) []machine.Validator {
	expire(a)
	endSuspensions(a)
	countAgain(a)
	beginProtocol(a)
	return tellEngine(a.Tx)
}

func expire(a *act.Act) {
	var ids []string
	due.Range(a.Tx, "", "", func(key, id string) bool {
		if key >= state.Ordered(a.TimeMs+1) { // ends later
			return false
		}
		ids = append(ids, id)
		return len(ids) < MaxExpired
	})
	for _, id := range ids {
		p, _ := proposals.Get(a.Tx, id)
		s := governancev1.ProposalState_PROPOSAL_STATE_EXPIRED
		if org, ok := p.Change.GetKind().(*governancev1.Change_RemoveAbsent); ok {
			s = lastVerdict(a.Tx, a.TimeMs, p, org.RemoveAbsent)
		}
		carry(a, p, s)
		proposals.Put(a.Tx, id, p)
	}
}

func countAgain(a *act.Act) {
	if !recount.Has(a.Tx, "") {
		return
	}
	recount.Delete(a.Tx, "")
	var ids []string
	due.Range(a.Tx, "", state.Ordered(a.TimeMs+1), func(_, id string) bool {
		ids = append(ids, id)
		return true
	})
	for _, id := range ids {
		p, _ := proposals.Get(a.Tx, id)
		count(a, p)
		if p.State == governancev1.ProposalState_PROPOSAL_STATE_OPEN {
			continue
		}
		proposals.Put(a.Tx, id, p)
		if recount.Has(a.Tx, "") {
			return
		}
	}
}

// tellEngine returns what the engine does not know yet. A validator that came and
// went within one block is not in it: the engine stops if it is told to remove one
// that it never had.
func tellEngine(tx *state.Tx) (out []machine.Validator) {
	var keys []string
	changed.Range(tx, "", "", func(key, _ string) bool {
		keys = append(keys, key)
		return true
	})
	for _, key := range keys {
		changed.Delete(tx, key)
		now, power := validators.Get(tx, key)
		told, known := engine.Get(tx, key)
		switch {
		case power && told != powerText(now): // also if it was not known
			engine.Put(tx, key, powerText(now))
		case !power && known:
			engine.Delete(tx, key)
		default:
			continue
		}
		out = append(out, engineValidator(key, now))
	}
	return out
}

func powerText(n *governancev1.Validator) string { return strconv.FormatUint(n.Power, 10) }

// engineValidator is the validator as the engine is told it; n is nil for one that
// goes.
func engineValidator(key string, n *governancev1.Validator) machine.Validator {
	out := machine.Validator{Power: int64(n.GetPower())}
	copy(out.PublicKey[:], publicKey(key))
	return out
}
