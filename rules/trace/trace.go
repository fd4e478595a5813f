package trace

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	identityv1 "mulian/gen/mulian/identity/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/grant"
	"mulian/rules/identity"
	"mulian/rules/share"
	"mulian/state"
	"mulian/state/proof"
)

// Bounds of one message; part of the chain.
const (
	// MaxRanges bounds the agreements whose numbers one anchor moves; a gateway with
	// more sends the rest with the same head again.
	MaxRanges = 1000
	// MaxConsistency: a proof between trees of less than 2^63 leaves is shorter.
	MaxConsistency = 64
	// maxSize keeps sizes within the signed numbers that proofs count with.
	maxSize = 1 << 62
)

// The facts. Their encoding is part of the chain.
var (
	heads     = act.Heads                                          // by gateway
	sequences = state.NewTable[tracev1.Sequence]("trace/sequence") // by agreement/gateway
)

// totals keeps how many numbers of all agreements a gateway has anchored: the sum
// of its sequences.
var totals = state.NewIndex("trace/x/total") // gateway -> decimal number

// AnchorHead moves a gateway's head on. Signed by the gateway for itself, MACHINE.
// The same size with the same root is its sign of life.
//
// In this order: Forbidden; TooLong (consistency, ranges), Missing, Malformed
// (root, proof), OutOfRange (size); LogRewritten (smaller; same size, other root;
// proof that does not hold); then range by range CodeInconsistent (not ascending),
// NotFound (agreement), Forbidden (not its provider's gateway), OutOfRange (last
// before first; granted and refused are not as many), ReceiptGap (does not follow
// the last number); CodeInconsistent (more numbers than leaves); then count by count of
// what is sealed CodeInconsistent (not ascending), NotFound (no numbers in the agreement),
// Forbidden (no such order), OutOfRange (more opened than sealed, or none of either).
func AnchorHead(a *act.Act, m *tracev1.AnchorHead) error {
	const rule = "trace/anchor_head"
	if a.Signer() != m.GetGateway() {
		return act.Refuse(fault.Forbidden, rule, "%s cannot anchor the log of %.80q", a.Signer(), m.GetGateway())
	}
	if _, ok := identity.Gateway(a.Tx, m.Gateway); !ok {
		return act.Refuse(fault.Forbidden, rule, "%s is no gateway", a.Signer())
	}
	if err := a.Need(identityv1.KeyLevel_KEY_LEVEL_MACHINE); err != nil {
		return err
	}
	if err := checkHead(rule, m); err != nil {
		return err
	}
	was, ok := heads.Get(a.Tx, m.Gateway)
	if !ok {
		empty := proof.EmptyLog()
		was = &tracev1.Head{Gateway: m.Gateway, Root: empty[:]}
	}
	if err := continues(rule, was, m); err != nil {
		return err
	}
	objects, err := advance(a, rule, m)
	if err != nil {
		return err
	}
	heads.Put(a.Tx, m.Gateway, &tracev1.Head{
		Gateway: m.Gateway, Size: m.Size, Root: m.Root,
		AtMs: a.TimeMs, Height: a.Height, Anchors: was.Anchors + 1,
	})
	secret, err := count(a, rule, m.Gateway, m.Secrecy)
	if err != nil {
		return err
	}
	for _, o := range secret {
		if !slices.Contains(objects, o) {
			objects = append(objects, o)
		}
	}
	a.Emit(rule, strconv.FormatUint(m.Size, 10), append([]string{heads.Name() + "/" + m.Gateway}, objects...)...)
	return nil
}

func checkHead(rule string, m *tracev1.AnchorHead) error {
	if err := act.First(
		act.AtMost(rule, "consistency", len(m.Consistency), MaxConsistency),
		act.AtMost(rule, "ranges", len(m.Ranges), MaxRanges),
		act.AtMost(rule, "secrecy", len(m.Secrecy), MaxRanges),
		act.Hash(rule, "root", m.Root, true),
	); err != nil {
		return err
	}
	for _, h := range m.Consistency {
		if err := act.Hash(rule, "consistency", h, true); err != nil {
			return err
		}
	}
	if m.Size > maxSize {
		return act.Refuse(fault.OutOfRange, rule, "a log of %d leaves", m.Size)
	}
	return nil
}

// continues refuses with LogRewritten a head whose tree does not contain that of
// the last one.
func continues(rule string, was *tracev1.Head, m *tracev1.AnchorHead) error {
	switch {
	case m.Size < was.Size:
		return act.Refuse(fault.LogRewritten, rule, "the log of %s had %d leaves, now %d", m.Gateway, was.Size, m.Size)
	case m.Size == was.Size && !bytes.Equal(m.Root, was.Root):
		return act.Refuse(fault.LogRewritten, rule, "the log of %s has another root at %d leaves", m.Gateway, m.Size)
	}
	if was.Size == 0 { // every log continues the empty one
		if len(m.Consistency) > 0 {
			return act.Refuse(fault.LogRewritten, rule, "the log of %s had no leaves: there is nothing to prove", m.Gateway)
		}
		return nil
	}
	path := make([]proof.Hash, len(m.Consistency))
	for i, h := range m.Consistency {
		path[i] = proof.Hash(h)
	}
	err := proof.VerifyConsistency(proof.Hash(was.Root), proof.Hash(m.Root),
		&proof.Consistency{OldSize: int64(was.Size), NewSize: int64(m.Size), Path: path})
	if err != nil {
		return act.Refuse(fault.LogRewritten, rule, "the log of %s does not continue what it was at %d leaves: %v", m.Gateway, was.Size, err)
	}
	return nil
}

// advance moves the sequences on and returns the keys of what changed.
func advance(a *act.Act, rule string, m *tracev1.AnchorHead) ([]string, error) {
	if len(m.Ranges) == 0 {
		return nil, nil
	}
	total, err := totalOf(a.Tx, m.Gateway)
	if err != nil {
		return nil, err
	}
	var objects []string
	for i, r := range m.Ranges {
		if i > 0 && m.Ranges[i-1].Agreement >= r.Agreement {
			return nil, act.RefuseItem(fault.CodeInconsistent, rule, i, "agreements have to ascend, each once")
		}
		if err := next(a, rule, m.Gateway, r); err != nil {
			return nil, act.In(rule, i, err)
		}
		total += r.Last - r.First + 1 // next has bounded it by maxSize
		if total > m.Size {
			return nil, act.RefuseItem(fault.CodeInconsistent, rule, i, "%d numbers in a log of %d leaves", total, m.Size)
		}
		right := "grant/grant/" + r.Agreement
		if _, agreed := share.FindAgreement(a.Tx, r.Agreement); agreed {
			right = "share/agreement/" + r.Agreement
			if r.Granted > 0 {
				share.Served(a, r.Agreement)
			}
		}
		objects = append(objects, sequences.Name()+"/"+sequenceKey(r.Agreement, m.Gateway), right)
	}
	totals.Put(a.Tx, m.Gateway, strconv.FormatUint(total, 10))
	return objects, nil
}

// next moves one sequence on by a range.
func next(a *act.Act, rule, gateway string, r *tracev1.Range) error {
	gateways, ok := releasing(a.Tx, r.Agreement)
	switch {
	case !ok:
		return act.Refuse(fault.NotFound, rule, "there is no agreement or grant %.40q", r.Agreement)
	case !slices.Contains(gateways, gateway):
		return act.Refuse(fault.Forbidden, rule, "%s is no gateway of the provider in agreement %s", gateway, r.Agreement)
	case r.First == 0 || r.Last < r.First || r.Last > maxSize:
		return act.Refuse(fault.OutOfRange, rule, "agreement %s: numbers %d to %d", r.Agreement, r.First, r.Last)
	case r.Granted > r.Last-r.First+1 || r.Refused != r.Last-r.First+1-r.Granted:
		return act.Refuse(fault.OutOfRange, rule, "agreement %s: %d granted and %d refused are not numbers %d to %d", r.Agreement, r.Granted, r.Refused, r.First, r.Last)
	}
	s, ok := sequences.Get(a.Tx, sequenceKey(r.Agreement, gateway))
	if !ok {
		s = &tracev1.Sequence{Agreement: r.Agreement, Gateway: gateway}
	}
	if r.First != s.Last+1 {
		return act.Refuse(fault.ReceiptGap, rule, "agreement %s: numbers %d to %d, %d is the next one", r.Agreement, r.First, r.Last, s.Last+1)
	}
	s.Last, s.AtMs = r.Last, a.TimeMs
	s.Granted += r.Granted
	s.Refused += r.Refused
	sequences.Put(a.Tx, sequenceKey(r.Agreement, gateway), s)
	return nil
}

// releasing returns the gateways that may release under an agreement, or under an owner's
// grant: their ids have 16 and 32 digits.
func releasing(v state.View, right string) ([]string, bool) {
	if g, ok := share.FindAgreement(v, right); ok {
		return g.ProviderGateways, true
	}
	g, ok := grant.FindGrant(v, right)
	return g.GetProviders(), ok
}

func sequenceKey(agreement, gateway string) string { return agreement + "/" + gateway }

func totalOf(v state.View, gateway string) (uint64, error) {
	text, ok := totals.Get(v, gateway)
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read the total of %s: %w", gateway, err)
	}
	return n, nil
}

// FindHead returns the last anchored head of a gateway's log, and whether there is
// one. The caller owns it.
func FindHead(v state.View, gateway string) (*tracev1.Head, bool) { return heads.Get(v, gateway) }

// FindSequence returns how far the numbers of an agreement at a gateway are
// anchored, and whether there are any.
func FindSequence(v state.View, agreement, gateway string) (*tracev1.Sequence, bool) {
	return sequences.Get(v, sequenceKey(agreement, gateway))
}

// Check returns the first breach of the invariants 2 and 3 that a gateway shows in
// that state, or nil. It is for tests and audits: no verb asks it.
func Check(v state.View, gateway string) error {
	h, _ := heads.Get(v, gateway)
	sum := uint64(0)
	var err error
	sequences.Range(v, "", "", func(_ string, s *tracev1.Sequence) bool {
		if s.Gateway == gateway {
			sum += s.Last
			if s.Granted+s.Refused != s.Last {
				err = fmt.Errorf("agreement %s at %s: %d granted, %d refused, %d in all", s.Agreement, gateway, s.Granted, s.Refused, s.Last)
			}
		}
		return err == nil
	})
	total, readErr := totalOf(v, gateway)
	switch {
	case err != nil:
		return err
	case readErr != nil:
		return readErr
	case sum != total || sum > h.GetSize():
		return fmt.Errorf("%s: %d numbers, %d counted, %d leaves", gateway, sum, total, h.GetSize())
	}
	return nil
}
