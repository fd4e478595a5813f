package governance

import (
	"strings"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/standard"
	"mulian/rules/act"
	"mulian/rules/identity"
	"mulian/state"
)

var (
	suspensions = state.NewTable[governancev1.Suspension]("governance/suspension") // by suspensionKey; also those that have ended
	// lasting holds the suspensions that last, by suspensionKey.
	lasting = state.NewIndex("governance/lasting")
	// ending holds those that end by themselves: "<ends_ms, ordered>/<key>" -> key.
	ending = state.NewIndex("governance/ending")
)

// suspensionKey names an account, or a key of it. No account's id has a "#".
func suspensionKey(s *governancev1.Suspension) string {
	if s.GetKey() == "" {
		return s.GetAccount()
	}
	return s.GetAccount() + "#" + s.GetKey()
}

func endingKey(s *governancev1.Suspension) string {
	return state.Ordered(s.EndsMs) + "/" + suspensionKey(s)
}

// touched are the records that a suspension changes.
func touched(s *governancev1.Suspension) []string {
	return []string{subject("suspension", suspensionKey(s)), "identity/account/" + s.Account}
}

// checkNamed refuses what cannot name an account or key, and what the ledger sets.
func checkNamed(rule string, s *governancev1.Suspension) error {
	switch {
	case s.GetAccount() == "":
		return act.Refuse(fault.Missing, rule, "account is missing")
	case len(s.Account) > MaxAccount || strings.Contains(s.Account, "#") || len(s.Key) != 0 && len(s.Key) != 16:
		return act.Refuse(fault.Malformed, rule, "%.40q with key %.40q is no account or key", s.Account, s.Key)
	case s.SinceMs != 0 || s.EndsMs != 0 || s.EndedMs != 0:
		return act.Refuse(fault.Malformed, rule, "times are set by the ledger")
	}
	return nil
}

// checkSuspend takes the emergency suspension of an account or key that is active, whose
// last suspension is over for as long as one lasts, so that a few do not stop it for ever.
// If it silences a member, the others have to hold more than half of all weights, so
// that a few do not silence the many; and whatever of the member was suspended last has to
// be over for as long.
func checkSuspend(a *act.Act, rule string, s *governancev1.Suspension) error {
	if err := checkNamed(rule, s); err != nil {
		return err
	}
	if err := act.Text(rule, "cause", s.Cause, MaxBallotReason, true); err != nil {
		return err
	}
	acc, ok := identity.Lookup(a.Tx, s.Account)
	if !ok {
		return act.Refuse(fault.NotFound, rule, "there is no account %.100q", s.Account)
	}
	if s.Key == "" && acc.State != identityv1.AccountState_ACCOUNT_STATE_ACTIVE {
		return act.Refuse(fault.IllegalTransition, rule, "%s is %s", acc.Id, acc.State)
	}
	if s.Key != "" {
		k, ok := identity.FindKey(a.Tx, acc, s.Key)
		switch {
		case !ok:
			return act.Refuse(fault.NotFound, rule, "%s has no key %s", acc.Id, s.Key)
		case k.State != identityv1.KeyState_KEY_STATE_ACTIVE || k.Suspended:
			return act.Refuse(fault.IllegalTransition, rule, "key %s of %s is revoked or suspended", k.Id, acc.Id)
		}
	}
	if last, ok := suspensions.Get(a.Tx, suspensionKey(s)); ok {
		if err := checkPause(a, rule, last); err != nil {
			return err
		}
	}
	member, ok := act.Members.Get(a.Tx, s.Account)
	if !ok || s.Key != "" && speaks(acc, s.Key, emergencyEnds(a)) {
		return nil
	}
	return checkSilence(a, rule, member)
}

// emergencyEnds is when an emergency that begins now ends by itself.
func emergencyEnds(a *act.Act) int64 {
	return a.TimeMs + int64(standard.SuspensionDays(Parameters(a.Tx)))*dayMs
}

// checkPause refuses another emergency while a suspension has not been over for as long as
// one lasts.
func checkPause(a *act.Act, rule string, last *governancev1.Suspension) error {
	if again := last.EndedMs + emergencyEnds(a) - a.TimeMs; last.EndedMs != 0 && a.TimeMs < again {
		return act.Refuse(fault.IllegalTransition, rule, "%s was suspended until %d, and is not again in an emergency before %d", suspensionKey(last), last.EndedMs, again)
	}
	return nil
}

// checkSilence is the part of checkSuspend for what silences a member.
func checkSilence(a *act.Act, rule string, member *governancev1.Member) error {
	var all, left uint64
	mute := silenced(a.Tx, a.TimeMs)
	for _, m := range Members(a.Tx) {
		all += uint64(m.Weight)
		if m.Org != member.Org && !mute[m.Org] {
			left += uint64(m.Weight)
		}
	}
	if left*2 <= all {
		return act.Refuse(fault.IllegalTransition, rule, "without %s only %d of %d votes could be cast, and no emergency silences half of them", member.Org, left, all)
	}
	var err error
	suspensions.Range(a.Tx, member.Org, "", func(_ string, s *governancev1.Suspension) bool {
		if s.Account == member.Org {
			err = checkPause(a, rule, s)
		}
		return err == nil
	})
	return err
}

// speaks reports whether the organisation has a ROOT key that signs at that time, the one
// but set aside.
func speaks(acc *identityv1.Account, but string, timeMs int64) bool {
	for _, k := range acc.GetKeys() {
		if k.Id != but && k.Level == identityv1.KeyLevel_KEY_LEVEL_ROOT && identity.Signs(k, timeMs) {
			return true
		}
	}
	return false
}

// silenced holds the members that cannot vote now, since they or all their ROOT keys
// are suspended by vote.
func silenced(v state.View, timeMs int64) map[string]bool {
	out := map[string]bool{}
	lasting.Range(v, "", "", func(key, _ string) bool {
		org, _, _ := strings.Cut(key, "#")
		if !act.Members.Has(v, org) {
			return true
		}
		acc, ok := identity.Shared(v, org)
		if !ok || acc.State != identityv1.AccountState_ACCOUNT_STATE_ACTIVE || !speaks(acc, "", timeMs) {
			out[org] = true
		}
		return true
	})
	return out
}

// checkLasting takes the name of a suspension that lasts.
func checkLasting(v state.View, rule string, s *governancev1.Suspension) (*governancev1.Suspension, error) {
	if err := checkNamed(rule, s); err != nil {
		return nil, err
	}
	if s.Cause != "" {
		return nil, act.Refuse(fault.Malformed, rule, "the cause stands already; say why in the proposal's reason")
	}
	now, ok := suspensions.Get(v, suspensionKey(s))
	if !ok || now.EndedMs != 0 {
		return nil, act.Refuse(fault.NotFound, rule, "%.100q is not suspended by vote", suspensionKey(s))
	}
	return now, nil
}

func checkConfirm(v state.View, rule string, s *governancev1.Suspension) error {
	now, err := checkLasting(v, rule, s)
	if err == nil && now.EndsMs == 0 {
		err = act.Refuse(fault.IllegalTransition, rule, "the suspension of %s is confirmed already", suspensionKey(s))
	}
	return err
}

func checkLift(v state.View, rule string, s *governancev1.Suspension) error {
	_, err := checkLasting(v, rule, s)
	return err
}

// suspend stops account or key until its end or a vote. Validators of a member keep
// their power: docs/decisions/0025.
func suspend(a *act.Act, s *governancev1.Suspension) {
	now := &governancev1.Suspension{Account: s.Account, Key: s.Key, Cause: s.Cause, SinceMs: a.TimeMs, EndsMs: emergencyEnds(a)}
	if silenced(a.Tx, a.TimeMs)[s.Account] {
		now.EndsMs = silentUntil(a.Tx, s.Account, now.EndsMs)
	}
	key := suspensionKey(now)
	suspensions.Put(a.Tx, key, now)
	lasting.Put(a.Tx, key, "")
	ending.Put(a.Tx, endingKey(now), key)
	identity.SuspendByVote(a.Tx, s.Account, s.Key, s.Cause)
	recount.Put(a.Tx, "", "")
}

// silentUntil bounds the end of another emergency of a member that is silenced already:
// its account after its key, say, does not make the silence longer.
func silentUntil(v state.View, org string, ends int64) int64 {
	last := int64(0)
	for _, s := range Suspended(v) {
		if s.Account == org {
			last = max(last, s.EndsMs)
		}
	}
	if last == 0 { // confirmed
		return ends
	}
	return min(ends, last)
}

// confirm makes a suspension last until it is lifted.
func confirm(a *act.Act, s *governancev1.Suspension) {
	now, _ := suspensions.Get(a.Tx, suspensionKey(s))
	ending.Delete(a.Tx, endingKey(now))
	now.EndsMs = 0
	suspensions.Put(a.Tx, suspensionKey(s), now)
	recount.Put(a.Tx, "", "")
}

// lift ends a suspension. Its record stays, for when it ended counts.
func lift(a *act.Act, key string) {
	now, _ := suspensions.Get(a.Tx, key)
	if now.EndsMs != 0 {
		ending.Delete(a.Tx, endingKey(now))
	}
	now.EndedMs = a.TimeMs
	suspensions.Put(a.Tx, key, now)
	lasting.Delete(a.Tx, key)
	identity.ResumeByVote(a.Tx, now.Account, now.Key)
	recount.Put(a.Tx, "", "")
}

// endSuspensions ends those whose time is over, at most MaxExpired; the rest follow at
// the end of the next blocks.
func endSuspensions(a *act.Act) {
	var keys []string
	ending.Range(a.Tx, "", "", func(at, key string) bool {
		if at >= state.Ordered(a.TimeMs+1) {
			return false
		}
		keys = append(keys, key)
		return len(keys) < MaxExpired
	})
	for _, key := range keys {
		now, _ := suspensions.Get(a.Tx, key)
		lift(a, key)
		a.Emit("governance/suspension_ended", "", touched(now)...)
	}
}

// Suspended returns the suspensions that last, by key.
func Suspended(v state.View) (out []*governancev1.Suspension) {
	lasting.Range(v, "", "", func(key, _ string) bool {
		s, _ := suspensions.Get(v, key)
		out = append(out, s)
		return true
	})
	return out
}
