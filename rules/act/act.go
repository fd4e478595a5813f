// Package act is what every rule is called with: one act of one signer in one
// block. It is the only input of a rule beside the message itself and the state;
// there is no clock, no chance and no other source.
//
// It is not authentication: package rules has found the account and checked the
// signature before a rule sees an [Act].
//
// # Invariants
//
//  1. A rule that returns an error has changed nothing: its writes are dropped.
//  2. TimeMs never falls from block to block.
//  3. Two acts never make the same id (see [Act.NewID]).
package act

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/state"
)

// Roles is the table of the rights that the consortium has given, by
// "<role number>/<account>". Only package governance writes it; it stands here
// because every rule may ask for a role.
var Roles = state.NewTable[governancev1.RoleGrant]("governance/role")

// Act is one message of a transaction, or one step that the ledger takes by
// itself at the end of a block (then Account and Key are nil).
type Act struct {
	Tx      *state.Tx
	ChainID string
	Height  int64    // of the block being made
	TimeMs  int64    // block time, Unix milliseconds
	TxID    [32]byte // zero at the end of a block
	Index   uint32   // of the message in its transaction
	Account *identityv1.Account
	Key     *identityv1.Key

	// SteppedUp says that an identity authority has seen the signer for this transaction.
	SteppedUp bool

	// IDs collects what NewID made, in order; it is part of the agreed result.
	IDs []string

	made uint32
}

// Signer returns the id of the account that signs, "" at the end of a block.
func (a *Act) Signer() string { return a.Account.GetId() }

// Org returns the organisation for which the signer acts: its own id for an
// organisation, "" for persons and firms.
func (a *Act) Org() string { return a.Account.GetOrg() }

// Level is what the signing key counts as in this act: its level; without a step-up at
// most OFFICER for a passkey that can be copied to other devices, and MACHINE for one that
// may have been copied by others.
func (a *Act) Level() identityv1.KeyLevel {
	level := a.Key.GetLevel()
	switch p := a.Key.GetPasskey(); {
	case p == nil || a.SteppedUp:
		return level
	case p.CloneSuspected:
		return min(level, identityv1.KeyLevel_KEY_LEVEL_MACHINE)
	case p.BackupEligible:
		return min(level, identityv1.KeyLevel_KEY_LEVEL_OFFICER)
	}
	return level
}

// Need refuses unless the signing key counts as at least the level: with CloneSuspected or
// LevelTooLow if a step-up would do, else with Forbidden.
func (a *Act) Need(level identityv1.KeyLevel) error {
	switch counts := a.Level(); {
	case counts >= level:
		return nil
	case a.Key.GetLevel() < level:
		return fault.Newf(fault.Forbidden, "key %s of %s has level %s, %s is needed", a.Key.GetId(), a.Signer(), a.Key.GetLevel(), level)
	case a.Key.GetPasskey().GetCloneSuspected():
		return fault.Newf(fault.CloneSuspected, "key %s of %s may have been copied: it counts as %s, %s is needed, until a step-up", a.Key.GetId(), a.Signer(), counts, level)
	default:
		return fault.Newf(fault.LevelTooLow, "key %s of %s is a synced passkey and counts as %s: %s needs a step-up", a.Key.GetId(), a.Signer(), counts, level)
	}
}

// NeedStepUp refuses with LevelTooLow unless an identity authority has seen the signer for
// this transaction.
func (a *Act) NeedStepUp() error {
	if !a.SteppedUp {
		return fault.Newf(fault.LevelTooLow, "%s has to be seen by an identity authority for this", a.Signer())
	}
	return nil
}

// NeedOrg refuses with Forbidden unless the signer acts for the organisation
// with a key of at least the level.
func (a *Act) NeedOrg(org string, level identityv1.KeyLevel) error {
	if a.Org() == "" || a.Org() != org {
		return fault.Newf(fault.Forbidden, "%s does not act for %s", a.Signer(), org)
	}
	return a.Need(level)
}

// Has reports whether the signer, or the organisation that it acts for, holds
// the role.
func (a *Act) Has(role governancev1.Role) bool {
	return a.Account != nil && Holds(a.Tx, a.Account, role)
}

// Holds reports whether the account, or the organisation that it acts for, holds the role.
func Holds(v state.View, acc *identityv1.Account, role governancev1.Role) bool {
	if _, ok := Roles.Get(v, RoleKey(role, acc.GetId())); ok {
		return true
	}
	if acc.GetOrg() == "" {
		return false
	}
	_, ok := Roles.Get(v, RoleKey(role, acc.GetOrg()))
	return ok
}

// NeedRole refuses with Forbidden unless the signer has the role and a key of at
// least the level.
func (a *Act) NeedRole(role governancev1.Role, level identityv1.KeyLevel) error {
	if !a.Has(role) {
		return fault.Newf(fault.Forbidden, "%s does not hold the role %s", a.Signer(), role)
	}
	return a.Need(level)
}

// RoleKey returns the key of a role grant in [Roles].
func RoleKey(role governancev1.Role, account string) string {
	return fmt.Sprintf("%d/%s", int32(role), account)
}

// NewID makes an id of 16 hex digits that no other act makes: from the
// transaction's id, the message's index and a counter. 64 bits: with 2^32 ids
// the chance of one collision is one half, so makers still check that it is free.
func (a *Act) NewID() string {
	var n [16]byte
	binary.BigEndian.PutUint64(n[:8], uint64(a.Height))
	binary.BigEndian.PutUint32(n[8:12], a.Index)
	binary.BigEndian.PutUint32(n[12:], a.made)
	a.made++
	sum := sha256.Sum256(append(append([]byte("mulian-id-v1\x00"), a.TxID[:]...), n[:]...))
	id := hex.EncodeToString(sum[:8])
	a.IDs = append(a.IDs, id)
	return id
}

// Emit appends an event to the ledger's log. objects are state keys
// ("share/request/<id>"), the subject first; note is a short remainder for
// machines ("accepted"). No personal data: events are public for ever.
func (a *Act) Emit(verb, note string, objects ...string) {
	ev := &tracev1.Event{
		Height: a.Height, TimeMs: a.TimeMs, Message: a.Index,
		Actor: a.Signer(), Verb: verb, Objects: objects, Note: note,
	}
	if a.Account != nil {
		ev.TxId = a.TxID[:]
	}
	raw, err := canon.Marshal(ev)
	if err != nil {
		// Only invalid UTF-8 in an id could do this, and ids are checked on entry.
		panic(fmt.Sprintf("rules/act: event %s: %v", verb, err))
	}
	a.Tx.Emit(raw)
}

// Refuse makes the refusal of a rule: code, the rule's name ("share/answer") and
// a text for people.
func Refuse(code fault.Code, rule, format string, args ...any) error {
	return &fault.Fault{Code: code, Rule: rule, Text: fmt.Sprintf(format, args...)}
}

// RefuseItem is Refuse for the i-th element (from 0) of a message's list.
func RefuseItem(code fault.Code, rule string, i int, format string, args ...any) error {
	return &fault.Fault{Code: code, Rule: rule, Item: int32(i) + 1, Text: fmt.Sprintf(format, args...)}
}
