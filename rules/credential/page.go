package credential

import (
	"math/bits"

	credentialv1 "mulian/gen/mulian/credential/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
)

// bitsOf returns the two bits of a state. SUPERSEDED is INVALID for whoever checks: a
// verifier that does not know the application's own values must refuse it, too.
func bitsOf(s credentialv1.CredentialState) byte {
	switch s {
	case valid:
		return 0
	case suspended:
		return 2
	}
	return 1
}

func statusAt(p *credentialv1.StatusPage, at uint64) byte {
	if p == nil {
		return 0
	}
	return p.Statuses[at/4] >> (at % 4 * 2) & 3
}

func isTaken(p *credentialv1.StatusPage, at uint64) bool {
	return p != nil && p.Taken[at/8]>>(at%8)&1 == 1
}

func countTaken(p *credentialv1.StatusPage) (n uint64) {
	for _, b := range p.GetTaken() {
		n += uint64(bits.OnesCount8(b))
	}
	return n
}

// take marks the index of a new credential: StatusListFull, OutOfRange (index, a list that
// may not be opened yet), AlreadyExists.
func take(a *act.Act, rule string, c *credentialv1.Credential) error {
	if c.Index >= ListEntries || c.List >= MaxLists {
		return act.Refuse(fault.OutOfRange, rule, "list %d, index %d: a list has %d", c.List, c.Index, ListEntries)
	}
	l, ok := lists.Get(a.Tx, listKey(c.Issuer, c.List))
	if !ok {
		if c.List > 0 {
			before, _ := lists.Get(a.Tx, listKey(c.Issuer, c.List-1))
			if before.GetTaken() < ReadyAt {
				return act.Refuse(fault.OutOfRange, rule, "list %d is opened when list %d is half full", c.List, c.List-1)
			}
		}
		l = &credentialv1.StatusList{Issuer: c.Issuer, List: c.List, OpenedMs: a.TimeMs}
	}
	if l.Taken >= MaxTaken {
		return act.Refuse(fault.StatusListFull, rule, "list %d of %s is full: take list %d", c.List, c.Issuer, c.List+1)
	}
	key, at := pageKey(c.Issuer, c.List, c.Index/PageEntries), c.Index%PageEntries
	p, ok := pages.Get(a.Tx, key)
	if !ok {
		p = &credentialv1.StatusPage{
			Issuer: c.Issuer, List: c.List, Page: c.Index / PageEntries,
			Statuses: make([]byte, PageEntries/4), Taken: make([]byte, PageEntries/8),
		}
	}
	if isTaken(p, at) {
		return act.Refuse(fault.AlreadyExists, rule, "index %d of list %d is taken: draw another one", c.Index, c.List)
	}
	p.Taken[at/8] |= 1 << (at % 8)
	pages.Put(a.Tx, key, p)
	l.Taken++
	l.ChangedMs, l.Height = a.TimeMs, a.Height
	lists.Put(a.Tx, listKey(c.Issuer, c.List), l)
	return nil
}

// mark writes the bits of a credential's state.
func mark(a *act.Act, c *credentialv1.Credential) {
	key, at := pageKey(c.Issuer, c.List, c.Index/PageEntries), c.Index%PageEntries
	p, ok := pages.Get(a.Tx, key)
	if !ok {
		panic("rules/credential: no page of " + c.Id) // take made it
	}
	shift := at % 4 * 2
	p.Statuses[at/4] = p.Statuses[at/4]&^(3<<shift) | bitsOf(c.State)<<shift
	pages.Put(a.Tx, key, p)
	l, _ := lists.Get(a.Tx, listKey(c.Issuer, c.List))
	l.ChangedMs, l.Height = a.TimeMs, a.Height
	lists.Put(a.Tx, listKey(c.Issuer, c.List), l)
}
