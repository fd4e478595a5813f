package governance

import (
	"slices"

	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/internal/standard"
	"mulian/rules/act"
	"mulian/state"
)

// checkParameters refuses with OutOfRange what lies outside its bounds, and with
// NotFound a clock profile that is not there.
func checkParameters(v state.View, rule string, p *governancev1.Parameters) error {
	if err := checkSettings(rule, p); err != nil {
		return err
	}
	if !clocks.Has(v, p.ClockProfile) {
		return act.Refuse(fault.NotFound, rule, "there is no clock profile %.40q", p.ClockProfile)
	}
	return nil
}

// checkSettings checks what of the parameters needs no state.
func checkSettings(rule string, p *governancev1.Parameters) error {
	for _, n := range []struct {
		field          string
		value, lo, hi  uint32
		zeroIsPossible bool
	}{
		{"vote_percent", p.GetVotePercent(), minVotePercent, maxVotePercent, false},
		{"vote_days", p.GetVoteDays(), minVoteDays, maxVoteDays, false},
		{"tx_lifetime_seconds", p.GetTxLifetimeSeconds(), minTxLifetime, maxTxLifetime, false},
		{"max_tx_bytes", p.GetMaxTxBytes(), minTxBytes, maxTxBytes, false},
		{"max_messages", p.GetMaxMessages(), minMessages, maxMessages, false},
		{"staleness_seconds", p.GetStalenessSeconds(), minStaleness, maxStaleness, false},
		{"anchor_seconds", p.GetAnchorSeconds(), minAnchor, maxAnchor, false},
		{"max_agreement_days", p.GetMaxAgreementDays(), minAgreement, maxAgreement, false},
		{"default_agreement_days", p.GetDefaultAgreementDays(), minAgreement, p.GetMaxAgreementDays(), false},
		{"tx_per_minute", p.GetTxPerMinute(), minQuota, maxQuota, true},
		{"suspension_percent", p.GetSuspensionPercent(), minSuspensionPercent, maxVotePercent, true},
		{"suspension_days", p.GetSuspensionDays(), minSuspensionDays, maxSuspensionDays, true},
		{"absence_days", p.GetAbsenceDays(), minAbsenceDays, maxAbsenceDays, true},
		{"grant_cooling_seconds", p.GetGrantCoolingSeconds(), 1, maxGrantCooling, true},
		{"grant_deletion_days", p.GetGrantDeletionDays(), 1, maxGrantDeletion, true},
		{"recovery_counter_hours", p.GetRecoveryCounterHours(), minRecoveryHours, maxRecoveryHours, true},
		{"recovery_guardian_hours", p.GetRecoveryGuardianHours(), minRecoveryHours, maxRecoveryHours, true},
		{"recovery_code_hours", p.GetRecoveryCodeHours(), minRecoveryHours, maxRecoveryHours, true},
		{"recovery_open_hours", p.GetRecoveryOpenHours(), minRecoveryHours, maxRecoveryHours, true},
	} {
		if (n.value < n.lo || n.value > n.hi) && (n.value != 0 || !n.zeroIsPossible) {
			return act.Refuse(fault.OutOfRange, rule, "%s is %d: %d to %d are possible", n.field, n.value, n.lo, n.hi)
		}
	}
	if away, silent := standard.AbsenceDays(p), standard.SuspensionDays(p); away < 2*silent {
		return act.Refuse(fault.OutOfRange, rule, "absence_days is %d: who is silenced for suspension_days, %d, needs as long again to show that it is there", away, silent)
	}
	if err := checkPasskeySites(rule, p); err != nil {
		return err
	}
	if err := checkPurposes(rule, p.GrantPurposes); err != nil {
		return err
	}
	return checkThresholds(rule, p.Thresholds)
}

// checkThresholds takes kinds of change that there are, each once and in the order of
// their names, with a share that decides. The share of an emergency stands by itself.
func checkThresholds(rule string, list []*governancev1.Threshold) error {
	for i, t := range list {
		switch {
		case !slices.Contains(standard.Kinds(), t.GetKind()):
			return act.RefuseItem(fault.OutOfRange, rule, i, "there is no change %.40q", t.GetKind())
		case t.Kind == "suspend":
			return act.RefuseItem(fault.OutOfRange, rule, i, "for suspend there is suspension_percent")
		case i > 0 && list[i-1].Kind >= t.Kind:
			return act.RefuseItem(fault.Malformed, rule, i, "thresholds have to ascend by kind")
		case t.Percent < minVotePercent || t.Percent > maxVotePercent:
			return act.RefuseItem(fault.OutOfRange, rule, i, "%s at %d %%: %d to %d are possible", t.Kind, t.Percent, minVotePercent, maxVotePercent)
		}
	}
	return nil
}

// checkProfile takes a profile that has each clock once, in the order of their
// numbers, and none looser than order 809: neither the period, nor the period with
// its extension. The clocks that the order does not know have only their bounds.
func checkProfile(rule string, p *governancev1.ClockProfile) error {
	if err := checkProfileName(rule, p.GetName()); err != nil {
		return err
	}
	if err := act.Line(rule, "source", p.Source, MaxSource, true); err != nil {
		return err
	}
	law := standard.Clocks809().Limits
	if len(p.Limits) != len(law) {
		return act.Refuse(fault.Missing, rule, "%d periods: a profile has each of %d clocks once", len(p.Limits), len(law))
	}
	for i, l := range p.Limits {
		switch {
		case l.GetClock() != law[i].Clock:
			return act.RefuseItem(fault.Malformed, rule, i, "clock %s: %s has to stand here", l.GetClock(), law[i].Clock)
		case l.Days < 1 || l.Days > MaxDays || l.ExtensionDays > MaxDays:
			return act.RefuseItem(fault.OutOfRange, rule, i, "%s: %d days and %d more: 1 to %d are possible", l.Clock, l.Days, l.ExtensionDays, MaxDays)
		case l.Clock >= governancev1.Clock_CLOCK_COMPLETE: // not in the order
		case l.Days > law[i].Days || l.Days+l.ExtensionDays > law[i].Days+law[i].ExtensionDays:
			return act.RefuseItem(fault.OutOfRange, rule, i, "%s: %d days and %d more are looser than order 809, which gives %d and %d", l.Clock, l.Days, l.ExtensionDays, law[i].Days, law[i].ExtensionDays)
		}
	}
	return nil
}

func checkProfileName(rule, name string) error {
	if name == "" || len(name) > MaxProfileName {
		return act.Refuse(fault.Malformed, rule, "name %.60q: 1 to %d characters", name, MaxProfileName)
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return act.Refuse(fault.Malformed, rule, "name %q: small letters, digits and - are possible", name)
		}
	}
	return nil
}

// checkCalendar takes a year whose holidays are weekdays and whose worked days are
// weekends, both ascending and in the year.
func checkCalendar(rule string, y *governancev1.CalendarYear) error {
	if y.GetYear() < FirstYear || y.Year > LastYear {
		return act.Refuse(fault.OutOfRange, rule, "year %d: %d to %d are possible", y.GetYear(), FirstYear, LastYear)
	}
	if err := act.Line(rule, "source", y.Source, MaxSource, true); err != nil {
		return err
	}
	for _, list := range []struct {
		field   string
		dates   []uint32
		weekend bool
	}{{"holidays", y.Holidays, false}, {"workdays", y.Workdays, true}} {
		if len(list.dates) > MaxExceptions {
			return act.Refuse(fault.TooLong, rule, "%s: %d days, at most %d", list.field, len(list.dates), MaxExceptions)
		}
		for i, date := range list.dates {
			day, ok := numberOf(date)
			switch {
			case !ok || date/10_000 != y.Year:
				return act.RefuseItem(fault.OutOfRange, rule, i, "%s: %d is no day of %d", list.field, date, y.Year)
			case isWeekend(day) != list.weekend:
				return act.RefuseItem(fault.OutOfRange, rule, i, "%s: %d is an exception from nothing: holidays are weekdays, workdays are weekends", list.field, date)
			}
		}
		if !slices.IsSorted(list.dates) || len(slices.Compact(slices.Clone(list.dates))) != len(list.dates) {
			return act.Refuse(fault.Malformed, rule, "%s have to ascend", list.field)
		}
	}
	return nil
}
