package rules

import (
	"strconv"

	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/state"
	"mulian/state/machine"
)

// used holds, for each account, the minute of its last transaction and how many it
// has had in it: "<minute, ordered>/<count>". It counts what was carried out; a
// transaction that is refused leaves no trace in the state, and is the
// business of the node's own door.
var used = state.NewIndex("rules/quota")

// quota refuses with Busy if the account has used up its transactions of this
// minute. Else it returns the record for one more, "" if there is no quota.
func (t *transaction) quota(v state.View, env machine.Env) (record string, err error) {
	if t.perMin == 0 {
		return "", nil
	}
	minute := state.Ordered(env.TimeMs / minuteMs)
	count := uint64(0)
	if was, ok := used.Get(v, t.account.Id); ok && was[:len(minute)] == minute {
		count, _ = strconv.ParseUint(was[len(minute)+1:], 10, 32) // we wrote it
	}
	if count >= uint64(t.perMin) {
		return "", act.Refuse(fault.Busy, "tx/quota", "%s has had %d transactions in this minute, at most %d", t.account.Id, count, t.perMin)
	}
	return minute + "/" + strconv.FormatUint(count+1, 10), nil
}
