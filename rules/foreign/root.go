package foreign

import (
	"mulian/client/light/step"
	foreignv1 "mulian/gen/mulian/foreign/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/state"
)

// RootKind names which of the votes on a trust root one is.
type RootKind uint8

// The votes on a trust root.
const (
	Register RootKind = iota + 1 // the chain is not followed yet
	Replace                      // it is followed
	Thaw                         // it is frozen
)

// CheckRoot returns the first reason why a trust root cannot be voted in now, or nil. In
// this order: Malformed, AlreadyExists or WrongChain (id), Malformed (name, hash),
// OutOfRange (level, age, drift), what the light block does not hold (TooLong, Malformed,
// WrongChain, VerificationFailed), then the chain as it stands: AlreadyExists, TooLong,
// NotFound, IllegalTransition.
func CheckRoot(v state.View, rule, own string, kind RootKind, r *foreignv1.TrustRoot) error {
	switch {
	case r == nil:
		return act.Refuse(fault.Missing, rule, "the trust root is missing")
	case !isChainID(r.ChainId):
		return act.Refuse(fault.Malformed, rule, "chain_id %.60q: 3 to 50 of a-z, 0-9 and -", r.ChainId)
	case r.ChainId == own:
		return act.Refuse(fault.WrongChain, rule, "%s is this chain", own)
	}
	if err := act.First(
		act.Line(rule, "name", r.Name, maxName, false),
		act.Hash(rule, "genesis_hash", r.GenesisHash, true),
	); err != nil {
		return err
	}
	switch {
	case r.TrustLevel != foreignv1.TrustLevel_TRUST_LEVEL_ONE_THIRD && r.TrustLevel != foreignv1.TrustLevel_TRUST_LEVEL_TWO_THIRDS:
		return act.Refuse(fault.OutOfRange, rule, "trust_level %d: 1 to 2 are possible", r.TrustLevel)
	case r.MaxAgeSeconds < minAge || r.MaxAgeSeconds > maxAge:
		return act.Refuse(fault.OutOfRange, rule, "max_age_seconds %d: %d to %d are possible", r.MaxAgeSeconds, minAge, maxAge)
	case r.MaxDriftSeconds < minDrift || r.MaxDriftSeconds > maxDrift:
		return act.Refuse(fault.OutOfRange, rule, "max_drift_seconds %d: %d to %d are possible", r.MaxDriftSeconds, minDrift, maxDrift)
	}
	if _, err := readRoot(r); err != nil {
		return err
	}
	return checkStanding(v, rule, kind, r.ChainId)
}

func readRoot(r *foreignv1.TrustRoot) (*step.Block, error) {
	b, err := step.Read(r.ChainId, r.LightBlock)
	if err != nil {
		return nil, err
	}
	return b, b.Sign()
}

// checkStanding looks at the chain as it is.
func checkStanding(v state.View, rule string, kind RootKind, chainID string) error {
	c, ok := FindChain(v, chainID)
	switch {
	case kind == Register && ok:
		return act.Refuse(fault.AlreadyExists, rule, "%s is followed: replace its root, or thaw it", chainID)
	case kind == Register && count(v) >= MaxChains:
		return act.Refuse(fault.TooLong, rule, "%d chains are followed, at most %d", MaxChains, MaxChains)
	case kind == Register:
		return nil
	case !ok:
		return act.Refuse(fault.NotFound, rule, "the chain %s is not followed here", chainID)
	case kind == Replace && c.State != active:
		return act.Refuse(fault.IllegalTransition, rule, "%s is %s: thaw it", chainID, c.State)
	case kind == Thaw && c.State != frozen:
		return act.Refuse(fault.IllegalTransition, rule, "%s is %s, not frozen", chainID, c.State)
	}
	return nil
}

func count(v state.View) (n int) {
	chains.Range(v, "", "", func(_ string, c *foreignv1.ForeignChain) bool {
		if c.State != removed {
			n++
		}
		return true
	})
	return n
}

// PutRoot makes the root, which [CheckRoot] has just passed, the one that the chain is
// followed from. It returns the keys of what it wrote, for the event of the vote.
func PutRoot(a *act.Act, r *foreignv1.TrustRoot) (keys []string) {
	b, err := readRoot(r)
	if err != nil {
		panic("rules/foreign: a root that does not hold was accepted: " + err.Error())
	}
	c := &foreignv1.ForeignChain{
		ChainId: r.ChainId, Name: r.Name, GenesisHash: r.GenesisHash, TrustLevel: r.TrustLevel, MaxAgeSeconds: r.MaxAgeSeconds, MaxDriftSeconds: r.MaxDriftSeconds,
		State: active, Root: 1, RootHeight: b.Height, RootHash: b.Hash[:], RootMs: a.TimeMs,
	}
	if was, ok := chains.Get(a.Tx, r.ChainId); ok {
		forget(a.Tx, was)
		c.Root = was.Root + 1
	}
	believe(a, c, b, "")
	chains.Put(a.Tx, c.ChainId, c)
	return []string{ChainKey(c.ChainId), HeaderKey(c.ChainId, b.Height)}
}

// CheckRemove returns the reason why a chain cannot be removed now, or nil: NotFound.
func CheckRemove(v state.View, rule, chainID string) error {
	if _, ok := FindChain(v, chainID); !ok {
		return act.Refuse(fault.NotFound, rule, "the chain %.60q is not followed here", chainID)
	}
	return nil
}

// Remove ends the following of a chain, which [CheckRemove] has just passed. What was
// proved of it stays, and its record, so that a later root has a number of its own. It
// returns the chain's key.
func Remove(a *act.Act, chainID string) (key string) {
	c, _ := chains.Get(a.Tx, chainID)
	forget(a.Tx, c)
	c.State, c.Equivocation, c.Validators = removed, nil, nil
	chains.Put(a.Tx, chainID, c)
	return ChainKey(chainID)
}
