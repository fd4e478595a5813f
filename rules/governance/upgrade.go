package governance

import (
	"fmt"
	"strconv"

	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/state"
)

// protocolKey is the one record of the rules in force.
const protocolKey = "governance/protocol"

// firstProtocol is in force until an upgrade was decided.
const firstProtocol = 1

// Protocol returns which rules are in force for the next block, and the upgrade that
// was decided and is not due. A rule that is new in protocol n asks whether n is in force,
// and does as it did before until then.
func Protocol(v state.View) *governancev1.Protocol {
	raw, ok := v.Get([]byte(protocolKey))
	if !ok {
		return &governancev1.Protocol{InForce: firstProtocol}
	}
	p := new(governancev1.Protocol)
	if err := canon.Check(raw, p); err != nil {
		panic(fmt.Sprintf("rules/governance: %s is damaged: %v", protocolKey, err))
	}
	return p
}

func putProtocol(tx *state.Tx, p *governancev1.Protocol) {
	raw, err := canon.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("rules/governance: protocol: %v", err)) // only for invalid UTF-8, which decoding refuses
	}
	tx.Put([]byte(protocolKey), raw, state.Proved)
}

// checkUpgrade takes an upgrade that is far enough ahead for people to install the
// program, if no other one waits.
func checkUpgrade(a *act.Act, rule string, u *governancev1.Upgrade) error {
	now := Protocol(a.Tx)
	if err := checkUpgradeName(rule, u.GetName()); err != nil {
		return err
	}
	if err := act.First(act.Line(rule, "notes", u.Notes, MaxSource, false), act.Hash(rule, "notes_sha256", u.NotesSha256, false)); err != nil {
		return err
	}
	switch {
	case u.Protocol > MaxProtocol:
		return act.Refuse(fault.OutOfRange, rule, "protocol %d: at most %d", u.Protocol, MaxProtocol)
	case u.Protocol <= now.InForce:
		return act.Refuse(fault.OutOfRange, rule, "protocol %d: %d is in force already, and none is taken back", u.Protocol, now.InForce)
	case u.Height < a.Height+MinAhead || u.Height > a.Height+MaxAhead:
		return act.Refuse(fault.OutOfRange, rule, "height %d: this is block %d, and an upgrade is %d to %d blocks ahead", u.Height, a.Height, MinAhead, MaxAhead)
	case now.Pending != nil:
		return act.Refuse(fault.IllegalTransition, rule, "the upgrade %s at height %d waits already: cancel it first", now.Pending.Name, now.Pending.Height)
	}
	return nil
}

func checkUpgradeName(rule, name string) error {
	if name == "" || len(name) > MaxProfileName {
		return act.Refuse(fault.Malformed, rule, "name %.60q: 1 to %d characters", name, MaxProfileName)
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' {
			return act.Refuse(fault.Malformed, rule, "name %q: small letters, digits, - and . are possible", name)
		}
	}
	return nil
}

// checkCancel takes the name of the upgrade that waits.
func checkCancel(v state.View, rule, name string) error {
	if u := Protocol(v).Pending; u == nil || u.Name != name {
		return act.Refuse(fault.NotFound, rule, "no upgrade %.40q waits", name)
	}
	return nil
}

// schedule makes u the upgrade that waits; nil = none.
func schedule(tx *state.Tx, u *governancev1.Upgrade) {
	p := Protocol(tx)
	p.Pending = u
	putProtocol(tx, p)
}

// beginProtocol puts an upgrade into force whose height is the next one. A program that
// does not know it sees so in the committed state, and stops before that block.
func beginProtocol(a *act.Act) {
	p := Protocol(a.Tx)
	if p.Pending == nil || p.Pending.Height > a.Height+1 {
		return
	}
	u := p.Pending
	putProtocol(a.Tx, &governancev1.Protocol{InForce: u.Protocol, SinceHeight: a.Height + 1})
	a.Emit("governance/upgraded", u.Name+" "+strconv.FormatUint(uint64(u.Protocol), 10), protocolKey)
}
