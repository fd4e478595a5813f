package ledger

import (
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/state"
	"mulian/state/machine"
)

// Rehearse carries out a genesis in memory and forgets it: whoever is about to
// install one learns here that the rules would refuse it, and what the validators
// are. The fault is that of the rules.
func Rehearse(m machine.Machine, chainID string, timeMs int64, signed []byte) ([]machine.Validator, error) {
	log := newFailure(slog.New(slog.DiscardHandler))
	opts := state.StoreOptions(8 << 20)
	opts.FS, opts.Logger = vfs.NewMem(), storeLog{quiet{log: log.log, failure: log}}
	kv, err := pebble.Open("", opts)
	if err != nil {
		return nil, storeFault(err, "open a store in memory")
	}
	defer kv.Close()
	db, err := state.Open(kv, []byte(statePrefix), state.Options{})
	if err != nil {
		return nil, storeFault(err, "open a state in memory")
	}
	block := db.Begin(0, timeMs)
	defer block.Discard()
	tx := block.Tx()
	defer tx.Drop()
	verify := func(public sm.PublicKey, message, signature []byte) bool { return public.Verify(message, signature) }
	first, err := m.Genesis(tx, machine.Env{ChainID: chainID, TimeMs: timeMs, Verify: verify}, signed)
	if err != nil {
		return nil, fault.Wrap(fault.CodeOf(err), err, "the genesis is refused")
	}
	if _, err := applyUpdates(nil, first); err != nil {
		return nil, fault.Wrap(fault.OutOfRange, err, "the genesis is refused")
	}
	return first, nil
}
