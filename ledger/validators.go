package ledger

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"

	abci "github.com/cometbft/cometbft/abci/types"

	"mulian/state"
	"mulian/state/machine"
)

// maxTotalPower is the engine's bound of all voting power together.
const maxTotalPower = math.MaxInt64 / 8

// powers is a validator set.
type powers map[[32]byte]int64

func readValidators(v state.View) powers {
	set := powers{}
	prefix := []byte(validatorPrefix)
	v.Range(prefix, nil, func(key, value []byte) bool {
		if len(key) != len(prefix)+32 || len(value) != 8 {
			panic(fmt.Errorf("%w: validator record %x", state.ErrDamaged, key))
		}
		set[[32]byte(key[len(prefix):])] = int64(binary.BigEndian.Uint64(value))
		return true
	})
	return set
}

// applyUpdates returns the set after changes, which is before if there are none. It
// refuses what the engine cannot carry out: no validator left, powers that are
// negative or too large. To remove one who is not there changes nothing.
func applyUpdates(before powers, changes []machine.Validator) (powers, error) {
	after := maps.Clone(before)
	if after == nil {
		after = powers{}
	}
	for _, c := range changes {
		switch {
		case c.Power < 0:
			return nil, fmt.Errorf("validator %x: negative power", c.PublicKey)
		case c.Power == 0:
			delete(after, c.PublicKey)
		default:
			after[c.PublicKey] = c.Power
		}
	}
	var total int64
	for _, p := range after {
		if p > maxTotalPower-total {
			return nil, fmt.Errorf("all powers together are above %d", int64(maxTotalPower))
		}
		total += p
	}
	if total == 0 {
		return nil, fmt.Errorf("no validator is left")
	}
	return after, nil
}

// writeValidators writes the difference and returns it as the engine takes it, in
// the order of keys.
func writeValidators(tx *state.Tx, before, after powers) []abci.ValidatorUpdate {
	diff := powers{}
	for k, p := range after {
		if before[k] != p {
			diff[k] = p
		}
	}
	for k := range before {
		if after[k] == 0 {
			diff[k] = 0
		}
	}
	for _, k := range diff.sorted() {
		key := append([]byte(validatorPrefix), k[:]...)
		if diff[k] == 0 {
			tx.Delete(key, state.Plain)
			continue
		}
		tx.Put(key, binary.BigEndian.AppendUint64(nil, uint64(diff[k])), state.Plain)
	}
	return toUpdates(diff)
}

func (p powers) sorted() [][32]byte {
	return slices.SortedFunc(maps.Keys(p), func(a, b [32]byte) int { return slices.Compare(a[:], b[:]) })
}

func toUpdates(p powers) []abci.ValidatorUpdate {
	out := make([]abci.ValidatorUpdate, 0, len(p))
	for _, k := range p.sorted() {
		out = append(out, abci.Ed25519ValidatorUpdate(k[:], p[k]))
	}
	return out
}
