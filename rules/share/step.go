package share

import (
	"fmt"
	"slices"

	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/state"
)

// stepped is an object whose states follow each other: a correction, an objection, a
// dispute.
type stepped[V any, S fmt.Stringer] interface {
	state.Message[V]
	GetId() string
	GetState() S
}

// stepOf returns the object if it can go to that state: NotFound; what need says of it;
// IllegalTransition. after lists the states that can follow each one.
func stepOf[V any, P stepped[V, S], S interface {
	fmt.Stringer
	~int32
}](a *act.Act, rule, what string, of state.Table[V, P], id string, to S, after [][]S, need func(P) error) (P, error) {
	p, ok := of.Get(a.Tx, id)
	if !ok {
		return nil, act.Refuse(fault.NotFound, rule, "there is no %s %.40q", what, id)
	}
	if err := need(p); err != nil {
		return nil, err
	}
	if s := p.GetState(); !slices.Contains(after[s], to) {
		return nil, illegal(rule, what, p.GetId(), s, to, after[s])
	}
	return p, nil
}

// partOf returns an agreement with the object that is kept under a number of it: an
// amendment, a violation. NotFound.
func partOf[V any, P state.Message[V]](a *act.Act, rule, what string, of state.Table[V, P], id string, number uint64) (*sharev1.Agreement, P, error) {
	g, err := findAgreement(a, rule, id)
	if err != nil {
		return nil, nil, err
	}
	p, ok := of.Get(a.Tx, numbered(g.Id, number))
	if !ok {
		return nil, nil, act.Refuse(fault.NotFound, rule, "there is no %s %d of agreement %s", what, number, g.Id)
	}
	return g, p, nil
}

// complaint is what an objection and a dispute begin with: who says something of what,
// against whom.
type complaint struct {
	*parties
	other string // against whom
	open  string // where an open one about the same is kept
}

// complain finds the subject and the other side. Signed by a party, OFFICER.
//
// Forbidden (key), NotFound (subject), Forbidden (no party).
func complain(a *act.Act, rule, what, subject string) (*complaint, error) {
	if err := a.NeedOrg(a.Org(), officer); err != nil {
		return nil, err
	}
	p, err := partiesOf(a, rule, subject)
	if err != nil {
		return nil, err
	}
	other, err := p.against(a, rule)
	if err != nil {
		return nil, err
	}
	return &complaint{parties: p, other: other, open: key(what, subject, a.Org())}, nil
}

// check refuses what is said badly, or a second time while the first is open: Missing,
// TooLong, Malformed (statement, evidence), AlreadyExists.
func (c *complaint) check(a *act.Act, rule, what, statement string, longest int, evidence []byte) error {
	if err := act.First(
		act.Text(rule, "statement", statement, longest, true),
		act.Hash(rule, "evidence_hash", evidence, false),
	); err != nil {
		return err
	}
	if id, taken := contestedIndex.Get(a.Tx, c.open); taken {
		return act.Refuse(fault.AlreadyExists, rule, "%s %s about the same is open", what, id)
	}
	return nil
}
