package ledger

import (
	"maps"
	"math"
	"testing"

	"mulian/state/machine"
)

func TestImpossibleValidatorSetsAreRefused(t *testing.T) {
	a, b := [32]byte{1}, [32]byte{2}
	both := powers{a: 10, b: 10}
	for _, c := range []struct {
		name    string
		before  powers
		changes []machine.Validator
		want    powers // nil = refused
	}{
		{"nothing", both, nil, both},
		{"one more", powers{a: 10}, []machine.Validator{{PublicKey: b, Power: 10}}, both},
		{"one less", both, []machine.Validator{{PublicKey: b}}, powers{a: 10}},
		{"twice: the last counts", both, []machine.Validator{{PublicKey: b, Power: 5}, {PublicKey: b, Power: 7}}, powers{a: 10, b: 7}},
		{"who is not there", powers{a: 10}, []machine.Validator{{PublicKey: b}}, powers{a: 10}},
		{"exchange", powers{a: 10}, []machine.Validator{{PublicKey: a}, {PublicKey: b, Power: 1}}, powers{b: 1}},
		{"nobody left", both, []machine.Validator{{PublicKey: a}, {PublicKey: b}}, nil},
		{"an empty genesis", nil, nil, nil},
		{"negative", both, []machine.Validator{{PublicKey: a, Power: -1}}, nil},
		{"too much", both, []machine.Validator{{PublicKey: a, Power: math.MaxInt64}}, nil},
		{"too much together", powers{a: maxTotalPower}, []machine.Validator{{PublicKey: b, Power: 1}}, nil},
	} {
		before := maps.Clone(c.before)
		got, err := applyUpdates(c.before, c.changes)
		if (err != nil) != (c.want == nil) || !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, %v; want %v", c.name, got, err, c.want)
		}
		if !maps.Equal(before, c.before) {
			t.Errorf("%s: the set before was changed", c.name)
		}
	}
}
