package governance

import (
	"encoding/hex"
	"fmt"

	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/canon"
	"mulian/rules/act"
	"mulian/state"
)

// Tables of this package, beside act.Members and act.Roles.
var (
	clocks     = state.NewTable[governancev1.ClockProfile]("governance/clocks")   // by name
	calendar   = state.NewTable[governancev1.CalendarYear]("governance/calendar") // by year, four digits
	validators = state.NewTable[governancev1.Validator]("governance/validator")   // by public key in hex
	proposals  = state.NewTable[governancev1.Proposal]("governance/proposal")     // by id
)

// Derived records of this package.
var (
	// open holds the open proposals of each member: "<org>/<id>".
	open = state.NewIndex("governance/open")
	// due holds the open proposals by their end: "<ends_ms, ordered>/<id>" -> id.
	due = state.NewIndex("governance/due")
	// changed holds the validators that this block touched, by public key in hex.
	changed = state.NewIndex("governance/changed")
	// engine holds the power of each validator as the engine was last told it.
	engine = state.NewIndex("governance/engine")
	// recount has one record while open proposals wait to be counted again.
	recount = state.NewIndex("governance/recount")
)

// parametersKey is the one record that is no row of a table.
const parametersKey = "governance/parameters"

const dayMs = 86_400_000

func subject(table, key string) string { return "governance/" + table + "/" + key }

func yearKey(year uint32) string { return fmt.Sprintf("%04d", year) }

func validatorKey(public []byte) string { return hex.EncodeToString(public) }

func dueKey(p *governancev1.Proposal) string { return state.Ordered(p.EndsMs) + "/" + p.Id }

func putParameters(tx *state.Tx, p *governancev1.Parameters) {
	raw, err := canon.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("rules/governance: parameters: %v", err)) // only for invalid UTF-8, which decoding refuses
	}
	tx.Put([]byte(parametersKey), raw, state.Proved)
}

// Parameters returns the settings in force. Before a genesis there are none, and
// it panics: no rule runs then.
func Parameters(v state.View) *governancev1.Parameters {
	raw, ok := v.Get([]byte(parametersKey))
	if !ok {
		panic("rules/governance: no parameters: the state has no genesis")
	}
	p, err := inForce.Parse(parametersKey, raw)
	if err != nil {
		panic(fmt.Sprintf("rules/governance: parameters are damaged: %v", err))
	}
	return p
}

// inForce remembers the parameters that were read last: every transaction asks for them.
var inForce state.Parsed[governancev1.Parameters, *governancev1.Parameters]

// Clocks returns the clock profile in force.
func Clocks(v state.View) *governancev1.ClockProfile {
	name := Parameters(v).ClockProfile
	p, ok := clocks.Get(v, name)
	if !ok {
		panic(fmt.Sprintf("rules/governance: clock profile %q is in force and not there", name))
	}
	return p
}

// Limit returns the period of the clock in working days, and its longest
// extension (0 = cannot be extended), by the profile in force. It panics for a
// clock that no profile has: clocks are constants of the program.
func Limit(v state.View, clock governancev1.Clock) (days, extensionDays uint32) {
	for _, l := range Clocks(v).Limits {
		if l.Clock == clock {
			return l.Days, l.ExtensionDays
		}
	}
	panic(fmt.Sprintf("rules/governance: clock %s has no limit", clock))
}

// Lookup returns the proposal with the id, and whether there is one.
func Lookup(v state.View, id string) (*governancev1.Proposal, bool) { return proposals.Get(v, id) }

// Member returns the organisation's membership, and whether it has one.
func Member(v state.View, org string) (*governancev1.Member, bool) { return act.Members.Get(v, org) }

// Members returns all members by code.
func Members(v state.View) (out []*governancev1.Member) {
	act.Members.Range(v, "", "", func(_ string, m *governancev1.Member) bool {
		out = append(out, m)
		return true
	})
	return out
}

// Validators returns all validators by public key.
func Validators(v state.View) (out []*governancev1.Validator) {
	validators.Range(v, "", "", func(_ string, n *governancev1.Validator) bool {
		out = append(out, n)
		return true
	})
	return out
}
