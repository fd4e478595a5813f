package trace

import (
	"slices"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/identity"
	"mulian/rules/share"
	"mulian/state"
)

// Bounds of investigative secrecy; part of the chain.
const (
	// MaxSecretDays is how long one order seals what is recorded: three months, as an
	// approval of technical investigation measures (Criminal Procedure Law art. 151);
	// each extension is an order of its own.
	MaxSecretDays = 92
	// MaxSealedDays is how far ahead one order may set the date on which everything has
	// to be open. Our own choice.
	MaxSealedDays = 366
	// MaxSealedInAll is how long after the first of several orders that extend each
	// other. Our own choice: the longest term of an agreement.
	MaxSealedInAll = 1826
	// MaxOrders is how many orders an agreement can have: five years of three months
	// each, three times.
	MaxOrders = 60

	maxBasis  = 1000
	maxReason = 500
	dayMs     = 24 * 60 * 60 * 1000
)

// secrecies keeps the orders of each agreement, by agreement.
var secrecies = state.NewTable[tracev1.Secrecy]("trace/secrecy")

const officer = identityv1.KeyLevel_KEY_LEVEL_OFFICER

// OrderSecrecy seals the records of the accesses under an agreement from this block on.
// Signed by an account that holds ROLE_SECRECY_OFFICE, OFFICER, and is no party: nobody
// orders secrecy for himself. The order, its dates and who can read what is sealed are on
// the ledger for everybody; the records' numbers and places stay in the log.
//
// In this order: Forbidden (role); NotFound (agreement); Forbidden (a party);
// CodeInconsistent (entitled is not the consumer); Missing, TooLong, Malformed (basis,
// case); OutOfRange (dates); Forbidden (the reader is no AUDITOR, or a party); Missing,
// OutOfRange, Malformed, CodeInconsistent (his key); IllegalTransition (the agreement is
// over; the latest order holds and is not the one extended, or is open already);
// OutOfRange (shorter than what it extends; five years); TooLong (orders).
func OrderSecrecy(a *act.Act, m *tracev1.OrderSecrecy) error {
	const rule = "trace/order_secrecy"
	if err := a.NeedRole(governancev1.Role_ROLE_SECRECY_OFFICE, officer); err != nil {
		return err
	}
	g, ok := share.FindAgreement(a.Tx, m.GetAgreement())
	switch {
	case !ok:
		return act.Refuse(fault.NotFound, rule, "there is no agreement %.40q", m.GetAgreement())
	case party(g, a.Org()):
		return act.Refuse(fault.Forbidden, rule, "%s is a party of agreement %s: another office has to order it", a.Signer(), g.Id)
	case m.Entitled != g.Consumer:
		return act.Refuse(fault.CodeInconsistent, rule, "the accesses under agreement %s are those of %s", g.Id, g.Consumer)
	}
	if err := act.First(
		act.Text(rule, "legal_basis", m.LegalBasis, maxBasis, true),
		act.Hash(rule, "case_hash", m.CaseHash, true),
	); err != nil {
		return err
	}
	switch {
	case m.UntilMs <= a.TimeMs || m.UntilMs > a.TimeMs+MaxSecretDays*dayMs:
		return act.Refuse(fault.OutOfRange, rule, "until_ms: within %d days from now", MaxSecretDays)
	case m.UnsealMs < m.UntilMs || m.UnsealMs > a.TimeMs+MaxSealedDays*dayMs:
		return act.Refuse(fault.OutOfRange, rule, "unseal_ms: not before until_ms, within %d days from now", MaxSealedDays)
	case !act.Roles.Has(a.Tx, act.RoleKey(governancev1.Role_ROLE_AUDITOR, m.Reader)) || party(g, m.Reader):
		return act.Refuse(fault.Forbidden, rule, "%.100q is no auditor that could read what is sealed", m.Reader)
	}
	if err := checkReader(rule, m.ReaderKey); err != nil {
		return err
	}
	s, err := extended(a, rule, g, m)
	if err != nil {
		return err
	}
	s.Orders = append(s.Orders, &tracev1.SecrecyOrder{
		Number: uint64(len(s.Orders)) + 1, Org: a.Org(), By: a.Signer(), Entitled: m.Entitled, LegalBasis: m.LegalBasis, CaseHash: m.CaseHash,
		FromMs: a.TimeMs, UntilMs: m.UntilMs, UnsealMs: m.UnsealMs, SubjectOpen: m.SubjectOpen, Reader: m.Reader, ReaderKey: m.ReaderKey, Extends: m.Extends,
	})
	secrecies.Put(a.Tx, g.Id, s)
	share.Secret(a, g.Id, uint64(len(s.Orders)))
	a.Emit(rule, "ordered", secrecyKey(g.Id), "share/agreement/"+g.Id)
	return nil
}

func party(g *sharev1.Agreement, org string) bool {
	return org == "" || org == g.Provider || org == g.Consumer
}

func secrecyKey(agreement string) string { return secrecies.Name() + "/" + agreement }

// checkReader takes a key to which can be sealed.
func checkReader(rule string, k *identityv1.Key) error {
	switch public, err := identity.ParseKey(k); {
	case k == nil:
		return act.Refuse(fault.Missing, rule, "the reader's key is missing")
	case k.Algorithm != identityv1.KeyAlgorithm_KEY_ALGORITHM_SM2 && k.Algorithm != identityv1.KeyAlgorithm_KEY_ALGORITHM_P256:
		return act.Refuse(fault.OutOfRange, rule, "nothing can be sealed to a key of algorithm %d: SM2 or P-256", k.Algorithm)
	case err != nil:
		return act.Refuse(fault.Malformed, rule, "the reader's key: %v", err)
	case k.Id != public.ID():
		return act.Refuse(fault.CodeInconsistent, rule, "the reader's key %.20q: its bytes give the id %s", k.Id, public.ID())
	case k.Level != 0 || k.State != 0 || k.AddedMs != 0 || k.EndsMs != 0 || k.RevokedMs != 0 || k.Label != "":
		return act.Refuse(fault.Malformed, rule, "the reader's key has algorithm, bytes and id only")
	}
	return nil
}

// extended returns the orders of an agreement if another one can follow.
func extended(a *act.Act, rule string, g *sharev1.Agreement, m *tracev1.OrderSecrecy) (*tracev1.Secrecy, error) {
	if share.Over(g.State) {
		return nil, act.Refuse(fault.IllegalTransition, rule, "agreement %s is over", g.Id)
	}
	s, ok := secrecies.Get(a.Tx, g.Id)
	if !ok {
		s = &tracev1.Secrecy{Agreement: g.Id}
	}
	last := uint64(len(s.Orders))
	switch {
	case m.Extends != 0 && m.Extends != last:
		return nil, act.Refuse(fault.IllegalTransition, rule, "agreement %s: order %d is the latest, not %d", g.Id, last, m.Extends)
	case m.Extends == 0 && last > 0 && a.TimeMs < ends(s.Orders[last-1]):
		return nil, act.Refuse(fault.IllegalTransition, rule, "agreement %s: order %d holds; it can be extended or lifted", g.Id, last)
	case m.Extends != 0 && a.TimeMs >= opens(s.Orders[last-1]):
		return nil, act.Refuse(fault.IllegalTransition, rule, "agreement %s: what was sealed under order %d is open", g.Id, last)
	}
	// An order that is extended holds to its own end: the latest of those that extend each
	// other is the last to end only if none is shorter than the one before.
	if m.Extends != 0 && (m.UntilMs < s.Orders[last-1].UntilMs || m.UnsealMs < s.Orders[last-1].UnsealMs) {
		return nil, act.Refuse(fault.OutOfRange, rule, "agreement %s: order %d cannot be made shorter; it can be lifted", g.Id, last)
	}
	if m.Extends != 0 {
		first := s.Orders[last-1]
		for first.Extends != 0 {
			first = s.Orders[first.Extends-1]
		}
		if m.UnsealMs > first.FromMs+MaxSealedInAll*dayMs {
			return nil, act.Refuse(fault.OutOfRange, rule, "agreement %s: %d days after order %d everything has to be open", g.Id, MaxSealedInAll, first.Number)
		}
	}
	return s, act.AtMost(rule, "orders", int(last)+1, MaxOrders)
}

// ends is the first moment at which an order does not seal any more.
func ends(o *tracev1.SecrecyOrder) int64 {
	if o.LiftedMs != 0 {
		return min(o.LiftedMs, o.UntilMs)
	}
	return o.UntilMs
}

// opens is the first moment at which what was sealed under an order that none extends
// has to be open.
func opens(o *tracev1.SecrecyOrder) int64 {
	if o.LiftedMs != 0 {
		return o.LiftedMs
	}
	return o.UnsealMs
}

// LiftSecrecy ends the latest order of an agreement, with all that it extends: what was
// sealed has to be open from this block on. Signed for the organisation that ordered it,
// OFFICER.
//
// NotFound; Forbidden; IllegalTransition (not the latest, or open already); Missing,
// TooLong, Malformed (reason).
func LiftSecrecy(a *act.Act, m *tracev1.LiftSecrecy) error {
	const rule = "trace/lift_secrecy"
	s, ok := secrecies.Get(a.Tx, m.GetAgreement())
	if !ok || m.Order == 0 || m.Order > uint64(len(s.Orders)) {
		return act.Refuse(fault.NotFound, rule, "there is no order %d of secrecy for agreement %.40q", m.GetOrder(), m.GetAgreement())
	}
	o := s.Orders[m.Order-1]
	if err := a.NeedOrg(o.Org, officer); err != nil {
		return err
	}
	if m.Order != uint64(len(s.Orders)) || a.TimeMs >= opens(o) {
		return act.Refuse(fault.IllegalTransition, rule, "order %d of agreement %s is not the latest, or open already", m.Order, s.Agreement)
	}
	if err := act.Text(rule, "reason", m.Reason, maxReason, true); err != nil {
		return err
	}
	o.LiftedMs = a.TimeMs
	secrecies.Put(a.Tx, s.Agreement, s)
	a.Emit(rule, "lifted", secrecyKey(s.Agreement), "share/agreement/"+s.Agreement)
	return nil
}

// count adds what a head brings of sealed and opened records to the sequences.
func count(a *act.Act, rule, gateway string, all []*tracev1.SecrecyCount) ([]string, error) {
	var objects []string
	for i, c := range all {
		if i > 0 && (c.Agreement < all[i-1].Agreement || c.Agreement == all[i-1].Agreement && c.Order <= all[i-1].Order) {
			return nil, act.RefuseItem(fault.CodeInconsistent, rule, i, "agreements and orders have to ascend, each once")
		}
		s, ok := sequences.Get(a.Tx, sequenceKey(c.Agreement, gateway))
		if !ok {
			return nil, act.RefuseItem(fault.NotFound, rule, i, "%s has no numbers in agreement %.40q", gateway, c.Agreement)
		}
		orders, _ := secrecies.Get(a.Tx, c.Agreement)
		if c.Order == 0 || c.Order > uint64(len(orders.GetOrders())) {
			return nil, act.RefuseItem(fault.Forbidden, rule, i, "agreement %s: nobody ordered secrecy %d", c.Agreement, c.Order)
		}
		at := slices.IndexFunc(s.Secrecy, func(x *tracev1.SecrecyCount) bool { return x.Order >= c.Order })
		if at < 0 || s.Secrecy[at].Order != c.Order {
			if at < 0 {
				at = len(s.Secrecy)
			}
			s.Secrecy = slices.Insert(s.Secrecy, at, &tracev1.SecrecyCount{Order: c.Order})
		}
		x := s.Secrecy[at]
		if c.Sealed+c.Opened == 0 || c.Sealed > maxSize || c.Opened > maxSize || x.Opened+c.Opened > x.Sealed+c.Sealed || x.Sealed+c.Sealed > maxSize {
			return nil, act.RefuseItem(fault.OutOfRange, rule, i, "agreement %s, order %d: %d sealed, %d opened", c.Agreement, c.Order, c.Sealed, c.Opened)
		}
		x.Sealed, x.Opened = x.Sealed+c.Sealed, x.Opened+c.Opened
		s.AtMs = a.TimeMs
		sequences.Put(a.Tx, sequenceKey(c.Agreement, gateway), s)
		objects = append(objects, sequences.Name()+"/"+sequenceKey(c.Agreement, gateway))
	}
	return objects, nil
}

// FindSecrecy returns the orders of an agreement, and whether there are any.
func FindSecrecy(v state.View, agreement string) (*tracev1.Secrecy, bool) {
	return secrecies.Get(v, agreement)
}
