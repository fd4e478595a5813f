package foreign

import (
	"fmt"
	"strings"

	"mulian/client/light/step"
	foreignv1 "mulian/gen/mulian/foreign/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/state"
)

// The tables. Their encoding is part of the chain.
var (
	chains     = state.NewTable[foreignv1.ForeignChain]("foreign/chain")         // by chain id
	headers    = state.NewTable[foreignv1.ForeignHeader]("foreign/header")       // by "<chain id>/<height, ordered>"
	references = state.NewTable[foreignv1.ForeignReference]("foreign/reference") // by "<chain id>/<key there>"
)

const (
	active  = foreignv1.ForeignState_FOREIGN_STATE_ACTIVE
	frozen  = foreignv1.ForeignState_FOREIGN_STATE_FROZEN
	removed = foreignv1.ForeignState_FOREIGN_STATE_REMOVED
)

// ChainKey, HeaderKey and ReferenceKey return the keys of the objects as events and
// proofs name them.
func ChainKey(chainID string) string { return chains.Name() + "/" + chainID }

// HeaderKey: see [ChainKey].
func HeaderKey(chainID string, height int64) string {
	return headers.Name() + "/" + headerKey(chainID, height)
}

// ReferenceKey: see [ChainKey].
func ReferenceKey(chainID, key string) string {
	return references.Name() + "/" + referenceKey(chainID, key)
}

func headerKey(chainID string, height int64) string { return chainID + "/" + state.Ordered(height) }

func referenceKey(chainID, key string) string { return chainID + "/" + key }

// FindChain returns the foreign chain with that id, and whether it is followed or frozen.
// The caller owns it.
func FindChain(v state.View, chainID string) (*foreignv1.ForeignChain, bool) {
	if !isChainID(chainID) {
		return nil, false
	}
	c, ok := chains.Get(v, chainID)
	return c, ok && c.State != removed
}

// FindReference returns what was proved last of a key of a foreign chain, and whether
// anything was. Its time and root say what it is worth. The caller owns it.
func FindReference(v state.View, chainID, key string) (*foreignv1.ForeignReference, bool) {
	if !isChainID(chainID) || len(key) > MaxKeyBytes {
		return nil, false
	}
	return references.Get(v, referenceKey(chainID, key))
}

// findHeader returns a kept header.
func findHeader(v state.View, chainID string, height int64) (*foreignv1.ForeignHeader, bool) {
	if height < 1 {
		return nil, false
	}
	return headers.Get(v, headerKey(chainID, height))
}

// isChainID holds what the genesis of a chain holds, so that a key has one chain in it.
func isChainID(id string) bool {
	if len(id) < minChainID || len(id) > maxChainID {
		return false
	}
	return !strings.ContainsFunc(id, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' })
}

// followed returns the chain if its headers and proofs count now: NotFound, ForeignFrozen,
// or Expired if its newest header is older than the chain's root allows.
func followed(a *act.Act, rule, chainID string) (*foreignv1.ForeignChain, error) {
	c, ok := FindChain(a.Tx, chainID)
	switch {
	case !ok:
		return nil, act.Refuse(fault.NotFound, rule, "the chain %.60q is not followed here", chainID)
	case c.State == frozen:
		return nil, act.Refuse(fault.ForeignFrozen, rule, "%s is frozen: two headers of height %d were shown; a vote gives it another root", chainID, c.Equivocation.GetHeight())
	case lapsed(a, c, c.TimeMs):
		return nil, act.Refuse(fault.Expired, rule, "the newest header of %s is older than %d s: a vote gives it another root", chainID, c.MaxAgeSeconds)
	}
	return c, nil
}

// lapsed tells whether a header of that time is too old to prove anything.
func lapsed(a *act.Act, c *foreignv1.ForeignChain, timeMs int64) bool {
	return a.TimeMs-timeMs > int64(c.MaxAgeSeconds)*secondMs
}

// early tells whether a header of that time is ahead of our clock by more than is allowed.
func early(a *act.Act, c *foreignv1.ForeignChain, timeMs int64) bool {
	return timeMs-a.TimeMs > int64(c.MaxDriftSeconds)*secondMs
}

// trusted is what is believed of a chain, as package step takes it.
func trusted(c *foreignv1.ForeignChain) step.Trusted {
	t := step.Trusted{ChainID: c.ChainId, Height: c.Height, Hash: [32]byte(c.HeaderHash), TimeMs: c.TimeMs, Next: c.NextValidatorsHash}
	for _, v := range c.Validators {
		t.Validators = append(t.Validators, step.Validator{PublicKey: v.PublicKey, Power: v.Power})
	}
	return t
}

// believe makes a block the newest one of the chain and keeps its header; by is who brought
// it, empty for a vote.
func believe(a *act.Act, c *foreignv1.ForeignChain, b *step.Block, by string) {
	c.Height, c.HeaderHash, c.TimeMs, c.NextValidatorsHash = b.Height, b.Hash[:], b.TimeMs, b.Next
	c.Validators = c.Validators[:0]
	for _, v := range b.Validators {
		c.Validators = append(c.Validators, &foreignv1.ForeignValidator{PublicKey: v.PublicKey, Power: v.Power})
	}
	headers.Put(a.Tx, headerKey(c.ChainId, b.Height), &foreignv1.ForeignHeader{
		ChainId: c.ChainId, Height: b.Height, Hash: b.Hash[:], AppHash: b.AppHash[:], TimeMs: b.TimeMs, ValidatorsHash: b.Set[:],
		By: by, AtMs: a.TimeMs,
	})
	c.Kept++
	for c.Kept > MaxKept {
		headers.Delete(a.Tx, oldest(a.Tx, c.ChainId))
		c.Kept--
	}
}

// oldest returns the key of the lowest header that is kept of a chain.
func oldest(v state.View, chainID string) (key string) {
	headers.Range(v, chainID+"/", "", func(k string, _ *foreignv1.ForeignHeader) bool {
		key = k
		return false
	})
	return key
}

// forget removes all kept headers of a chain.
func forget(tx *state.Tx, c *foreignv1.ForeignChain) {
	for ; c.Kept > 0; c.Kept-- {
		headers.Delete(tx, oldest(tx, c.ChainId))
	}
}

// Check returns the first breach of the invariants 1 and 2 that a chain shows in that
// state, or nil. It is for tests and audits: no verb asks it.
func Check(v state.View, c *foreignv1.ForeignChain) error {
	var kept uint32
	var last *foreignv1.ForeignHeader
	var err error
	headers.Range(v, c.ChainId+"/", "", func(key string, h *foreignv1.ForeignHeader) bool {
		switch {
		case key != headerKey(c.ChainId, h.Height) || h.ChainId != c.ChainId:
			err = fmt.Errorf("header %s is of %s, height %d", key, h.ChainId, h.Height)
		case last != nil && h.TimeMs <= last.TimeMs:
			err = fmt.Errorf("header %s is not later than the one before", key)
		}
		kept, last = kept+1, h
		return err == nil
	})
	switch {
	case err != nil:
		return err
	case c.State == removed && kept == 0 && c.Kept == 0:
		return nil
	case kept != c.Kept || kept < 1 || kept > MaxKept:
		return fmt.Errorf("%s keeps %d headers and says %d", c.ChainId, kept, c.Kept)
	case last.Height != c.Height || string(last.Hash) != string(c.HeaderHash):
		return fmt.Errorf("%s: the newest kept header is %d, the chain says %d", c.ChainId, last.Height, c.Height)
	case (c.State == frozen) != (c.Equivocation != nil):
		return fmt.Errorf("%s is %s with equivocation %v", c.ChainId, c.State, c.Equivocation)
	}
	return nil
}
