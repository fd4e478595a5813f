package standard

import (
	"cmp"

	governancev1 "mulian/gen/mulian/governance/v1"
)

// What counts where the consortium's parameters say 0, as those do that are older than
// these settings. All are our own choice: a third of the weights can stop a
// member for a week, not longer, and whoever says nothing for a quarter is gone.
const (
	suspensionPercent = 34
	suspensionDays    = 7
	absenceDays       = 90
)

// SuspensionPercent is the share of all weights that suspends in an emergency.
func SuspensionPercent(p *governancev1.Parameters) uint32 {
	return cmp.Or(p.GetSuspensionPercent(), suspensionPercent)
}

// SuspensionDays is after how many days an emergency suspension ends by itself, and
// how long then there is no other one.
func SuspensionDays(p *governancev1.Parameters) uint32 {
	return cmp.Or(p.GetSuspensionDays(), suspensionDays)
}

// AbsenceDays is how long a member has to be silent to be removed as absent.
func AbsenceDays(p *governancev1.Parameters) uint32 { return cmp.Or(p.GetAbsenceDays(), absenceDays) }

// ProposalDays is how long a proposal of the change is open, at most.
func ProposalDays(p *governancev1.Parameters, c *governancev1.Change) uint32 {
	if _, ok := c.GetKind().(*governancev1.Change_RemoveAbsent); ok {
		return AbsenceDays(p)
	}
	return p.GetVoteDays()
}

// Percent is the share of all weights that decides a change. emergency says that the
// change lifts a suspension that was not confirmed.
//
// A change of shares needs the highest of those in force, so that nobody lowers the
// share of something first and decides it then. A kind that does what another does,
// too, needs that one's share unless it has its own.
func Percent(p *governancev1.Parameters, c *governancev1.Change, emergency bool) uint32 {
	kind := Kind(c)
	switch k := c.GetKind().(type) {
	case *governancev1.Change_Suspend:
		return SuspensionPercent(p)
	case *governancev1.Change_LiftSuspension:
		if emergency {
			return SuspensionPercent(p)
		}
	case *governancev1.Change_SetParameters:
		if revotes(p, k.SetParameters) {
			return highest(p)
		}
	}
	if own := listed(p, kind); own != 0 {
		return own
	}
	out := uint32(0)
	for _, like := range alike[kind] {
		out = max(out, cmp.Or(listed(p, like), p.GetVotePercent()))
	}
	return cmp.Or(out, p.GetVotePercent())
}

// alike are the kinds whose work another kind does, too.
var alike = map[string][]string{
	"admit":                 {"admit_member", "set_validator"},
	"replace_validator_key": {"set_validator"},
	"remove_absent":         {"remove_member"},
}

// Kind is the name of a change's kind, as thresholds name it: that of its field. It is
// empty for a change that says nothing.
func Kind(c *governancev1.Change) string {
	r := c.ProtoReflect()
	f := r.WhichOneof(r.Descriptor().Oneofs().ByName("kind"))
	if f == nil {
		return ""
	}
	return string(f.Name())
}

// Kinds are the names of all kinds of change, in the order of the schema.
func Kinds() (out []string) {
	fields := (&governancev1.Change{}).ProtoReflect().Descriptor().Oneofs().ByName("kind").Fields()
	for i := range fields.Len() {
		out = append(out, string(fields.Get(i).Name()))
	}
	return out
}

// listed is the kind's own share, 0 if it has none.
func listed(p *governancev1.Parameters, kind string) uint32 {
	for _, t := range p.GetThresholds() {
		if t.GetKind() == kind {
			return t.GetPercent()
		}
	}
	return 0
}

// highest is the highest share in force.
func highest(p *governancev1.Parameters) uint32 {
	out := p.GetVotePercent()
	for _, t := range p.GetThresholds() {
		out = max(out, t.GetPercent())
	}
	return out
}

// revotes reports whether the new parameters decide otherwise what counts as a
// decision.
func revotes(now, next *governancev1.Parameters) bool {
	if now.GetVotePercent() != next.GetVotePercent() || len(now.GetThresholds()) != len(next.GetThresholds()) ||
		SuspensionPercent(now) != SuspensionPercent(next) || SuspensionDays(now) != SuspensionDays(next) || AbsenceDays(now) != AbsenceDays(next) {
		return true
	}
	for i, t := range now.GetThresholds() {
		if o := next.GetThresholds()[i]; t.GetKind() != o.GetKind() || t.GetPercent() != o.GetPercent() {
			return true
		}
	}
	return false
}
