// Package standard holds what a consortium begins with unless its founders say
// otherwise: the periods of the State Council's order 809 and of some provinces,
// the working days of the years that are announced, and default parameters.
//
// It is content for a genesis, made by people from published texts; it decides
// nothing. What is in force stands in the ledger's state and changes by vote
// (package rules/governance, which also holds that no profile is looser than
// [Clocks809]).
//
// # Invariants
//
//  1. Each function returns a fresh value that the caller may change.
//  2. Each value passes the checks of rules/governance; a test there holds it.
//
// Sources: State Council order No. 809 (政务数据共享条例, in force 2025-08-01); the
// State Council's notices of holidays, 国办发明电〔2024〕12号 for 2025 and
// 国办发明电〔2025〕7号 for 2026; local rules as named in each profile.
package standard

import governancev1 "mulian/gen/mulian/governance/v1"

// Profile is the name of the clock profile that [Parameters] puts in force.
const Profile = "809"

// Parameters returns the default parameters, as the comments of the message say
// them. tx_per_minute is 0: a quota is for a consortium that has strangers.
func Parameters() *governancev1.Parameters {
	return &governancev1.Parameters{
		ClockProfile:         Profile,
		VotePercent:          67,
		VoteDays:             30,
		TxLifetimeSeconds:    600,
		MaxTxBytes:           1 << 20,
		MaxMessages:          1000,
		StalenessSeconds:     5,
		AnchorSeconds:        3,
		DefaultAgreementDays: 365,
		MaxAgreementDays:     1826,
	}
}

// Clocks returns all profiles of this package, [Clocks809] first.
func Clocks() []*governancev1.ClockProfile {
	return []*governancev1.ClockProfile{Clocks809(), ClocksHeilongjiang(), ClocksShanxi(), ClocksGuizhou()}
}

// Clocks809 returns the periods of order 809. Art. 17: ten working days for an
// update of the catalogue, five more with leave, two to review it. Art. 21: one
// working day to answer for an unconditional entry, ten for a conditional one, ten
// more with leave. Art. 22: twenty to deliver. Art. 26: ten to correct. The periods
// to complete a request, to destroy what was given, to answer an objection, to decide
// a dispute and to make a violation good are not in the order; they are our own choice.
func Clocks809() *governancev1.ClockProfile {
	return &governancev1.ClockProfile{
		Name: Profile,
		Limits: limits([11][2]uint32{
			{10, 5},  // catalogue update
			{2, 0},   // catalogue review
			{1, 10},  // answer, unconditional
			{10, 10}, // answer, conditional
			{20, 0},  // deliver
			{10, 0},  // correction
			{10, 0},  // complete a request
			{10, 0},  // destroy what was given
			{10, 0},  // answer an objection
			{20, 0},  // decide a dispute
			{60, 0},  // make a violation good: the longest
		}),
		Source: "政务数据共享条例(国务院令第809号)",
	}
}

// ClocksHeilongjiang returns the periods of the rules of Heilongjiang of 2025:
// three working days for an update, one for a conditional answer, five for a
// correction; a conditional entry that states no conditions is unconditional.
func ClocksHeilongjiang() *governancev1.ClockProfile {
	p := Clocks809()
	p.Name, p.Source = "heilongjiang-2025", "黑龙江省政务数据共享规定(2025);其余依国务院令第809号"
	p.UnstatedIsUnconditional = true
	set(p, governancev1.Clock_CLOCK_CATALOGUE_UPDATE, 3, 5)
	set(p, governancev1.Clock_CLOCK_ANSWER_CONDITIONAL, 1, 10)
	set(p, governancev1.Clock_CLOCK_CORRECTION, 5, 0)
	return p
}

// ClocksShanxi returns the periods of the rules of Shanxi of 2024: the authority
// checks in two working days, the provider answers in five.
func ClocksShanxi() *governancev1.ClockProfile {
	p := Clocks809()
	p.Name, p.Source = "shanxi-2024", "山西省政务数据共享规定(2024);其余依国务院令第809号"
	set(p, governancev1.Clock_CLOCK_ANSWER_CONDITIONAL, 5, 10)
	return p
}

// ClocksGuizhou returns the periods of the rules of Guizhou: ten working days to
// answer, fifteen to deliver. Its fifteen more to deliver are older than order 809,
// which allows twenty in all: five remain.
func ClocksGuizhou() *governancev1.ClockProfile {
	p := Clocks809()
	p.Name, p.Source = "guizhou", "贵州省政务数据共享规定,期限不超过国务院令第809号"
	set(p, governancev1.Clock_CLOCK_DELIVER, 15, 5)
	return p
}

// limits makes the list for the clocks 1 to 11, each with days and extension.
func limits(days [11][2]uint32) []*governancev1.ClockLimit {
	out := make([]*governancev1.ClockLimit, len(days))
	for i, d := range days {
		out[i] = &governancev1.ClockLimit{Clock: governancev1.Clock(i + 1), Days: d[0], ExtensionDays: d[1]}
	}
	return out
}

func set(p *governancev1.ClockProfile, clock governancev1.Clock, days, extension uint32) {
	l := p.Limits[clock-1]
	l.Days, l.ExtensionDays = days, extension
}

// Calendars returns the years that the State Council has announced.
func Calendars() []*governancev1.CalendarYear {
	return []*governancev1.CalendarYear{Calendar2025(), Calendar2026()}
}

// Calendar2025 returns the exceptions of 2025: new year 1 January; spring festival
// 28 January to 4 February; tomb-sweeping 4 to 6 April; labour day 1 to 5 May;
// dragon boat 31 May to 2 June; national day and mid-autumn 1 to 8 October.
func Calendar2025() *governancev1.CalendarYear {
	return &governancev1.CalendarYear{
		Year: 2025,
		Holidays: []uint32{
			20250101,
			20250128, 20250129, 20250130, 20250131, 20250203, 20250204,
			20250404,
			20250501, 20250502, 20250505,
			20250602,
			20251001, 20251002, 20251003, 20251006, 20251007, 20251008,
		},
		Workdays: []uint32{20250126, 20250208, 20250427, 20250928, 20251011},
		Source:   "国办发明电〔2024〕12号",
	}
}

// Calendar2026 returns the exceptions of 2026: new year 1 to 3 January; spring
// festival 15 to 23 February; tomb-sweeping 4 to 6 April; labour day 1 to 5 May;
// dragon boat 19 to 21 June; mid-autumn 25 to 27 September; national day 1 to 7
// October.
func Calendar2026() *governancev1.CalendarYear {
	return &governancev1.CalendarYear{
		Year: 2026,
		Holidays: []uint32{
			20260101, 20260102,
			20260216, 20260217, 20260218, 20260219, 20260220, 20260223,
			20260406,
			20260501, 20260504, 20260505,
			20260619,
			20260925,
			20261001, 20261002, 20261005, 20261006, 20261007,
		},
		Workdays: []uint32{20260104, 20260214, 20260228, 20260509, 20260920, 20261010},
		Source:   "国办发明电〔2025〕7号",
	}
}
