package share

import (
	"strings"

	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/catalogue"
)

const (
	filedObjection    = sharev1.ObjectionState_OBJECTION_STATE_FILED
	answeredObjection = sharev1.ObjectionState_OBJECTION_STATE_ANSWERED
	closedObjection   = sharev1.ObjectionState_OBJECTION_STATE_CLOSED
)

// afterObjection lists the states that can follow each one.
var afterObjection = [...][]sharev1.ObjectionState{
	filedObjection:    {answeredObjection, closedObjection},
	answeredObjection: {closedObjection},
	closedObjection:   nil,
}

// parties of what an objection or a dispute is about.
type parties struct {
	table string   // that the subject is in
	orgs  []string // between whom it is; of an entry the provider alone
}

// partiesOf finds the subject, a key as events name it: NotFound.
func partiesOf(a *act.Act, rule, subject string) (*parties, error) {
	for _, table := range []string{"catalogue/entry", requests.Name(), agreements.Name(), objections.Name()} {
		id, ok := strings.CutPrefix(subject, table+"/")
		if !ok {
			continue
		}
		p := &parties{table: table}
		switch table {
		case requests.Name():
			if r, ok := requests.Get(a.Tx, id); ok {
				p.orgs = []string{r.Requester, r.Provider}
			}
		case agreements.Name():
			if g, ok := agreements.Get(a.Tx, id); ok {
				p.orgs = []string{g.Consumer, g.Provider}
			}
		case objections.Name():
			if o, ok := objections.Get(a.Tx, id); ok {
				p.orgs = []string{o.FiledBy, o.Against}
			}
		default:
			if e, ok := catalogue.FindEntry(a.Tx, id); ok {
				p.orgs = []string{e.Provider}
			}
		}
		if p.orgs != nil {
			return p, nil
		}
	}
	return nil, act.Refuse(fault.NotFound, rule, "there is no %.120q: an entry, request, agreement or objection by its key", subject)
}

// against is the other side of whoever signs; Forbidden if he is no party. Of an
// entry everybody but its provider is one.
func (p *parties) against(a *act.Act, rule string) (string, error) {
	org := a.Org()
	other := p.orgs[len(p.orgs)-1]
	if org == other && len(p.orgs) == 2 {
		return p.orgs[0], nil
	}
	if org == "" || org == other || len(p.orgs) == 2 && org != p.orgs[0] {
		return "", act.Refuse(fault.Forbidden, rule, "%s is no party that could say this against %s", a.Signer(), other)
	}
	return other, nil
}

// FileObjection complains about an entry (目录纠错), a request, an agreement's use, or
// something else of them. Signed by a party, OFFICER; about an entry by any
// organisation but its provider. The other side has the clock OBJECTION to answer.
//
// Forbidden (key), NotFound (subject), Forbidden (no party), OutOfRange, Missing (kind),
// CodeInconsistent (another kind of subject), Missing, TooLong, Malformed (statement,
// evidence), AlreadyExists (an open one about the same).
func FileObjection(a *act.Act, m *sharev1.FileObjection) error {
	const rule = "share/file_objection"
	c, err := complain(a, rule, "objection", m.GetSubject())
	if err != nil {
		return err
	}
	wants := map[sharev1.ObjectionKind]string{
		sharev1.ObjectionKind_OBJECTION_KIND_CATALOGUE: "catalogue/entry", sharev1.ObjectionKind_OBJECTION_KIND_APPLICATION: requests.Name(),
		sharev1.ObjectionKind_OBJECTION_KIND_USE: agreements.Name(),
	}[m.Kind]
	switch err := act.Listed(rule, "kind", m.Kind); {
	case err != nil:
		return err
	case m.Kind == 0:
		return act.Refuse(fault.Missing, rule, "the kind is missing")
	case wants != "" && wants != c.table, c.table == objections.Name():
		return act.Refuse(fault.CodeInconsistent, rule, "an objection of kind %s is not about %s", m.Kind, c.table)
	}
	if err := c.check(a, rule, "objection", m.Statement, maxStatement, m.EvidenceHash); err != nil {
		return err
	}
	o := &sharev1.Objection{
		Id:   newID(a, func(id string) bool { return objections.Has(a.Tx, id) }),
		Kind: m.Kind, Subject: m.Subject, FiledBy: a.Org(), Against: c.other, Account: a.Signer(), Statement: m.Statement, EvidenceHash: m.EvidenceHash,
		State: filedObjection, CreatedMs: a.TimeMs,
	}
	o.Clock = begin(a, governancev1.Clock_CLOCK_OBJECTION, dueObjection, o.Id)
	contestedIndex.Put(a.Tx, c.open, o.Id)
	putObjection(a, rule, o)
	return nil
}

func objectionKey(id string) string { return objections.Name() + "/" + id }

func putObjection(a *act.Act, verb string, o *sharev1.Objection, also ...string) {
	objections.Put(a.Tx, o.Id, o)
	a.Emit(verb, lower(o.State), append([]string{objectionKey(o.Id), o.Subject}, also...)...)
}

// stepObjection returns the objection if the signer may bring it to that state.
func stepObjection(a *act.Act, rule, id string, to sharev1.ObjectionState, party func(*sharev1.Objection) string) (*sharev1.Objection, error) {
	return stepOf(a, rule, "objection", objections, id, to, afterObjection[:], func(o *sharev1.Objection) error {
		return partyOrAuthority(a, rule, party(o))
	})
}

// AnswerObjection answers it. Signed by the side that it is against, or the
// AUTHORITY in its place, OFFICER.
//
// NotFound, Forbidden, IllegalTransition, Missing, TooLong, Malformed (answer).
func AnswerObjection(a *act.Act, m *sharev1.AnswerObjection) error {
	const rule = "share/answer_objection"
	o, err := stepObjection(a, rule, m.GetObjection(), answeredObjection, (*sharev1.Objection).GetAgainst)
	if err != nil {
		return err
	}
	if err := act.Text(rule, "answer", m.Answer, maxStatement, true); err != nil {
		return err
	}
	stop(a, o.Clock)
	o.State, o.Answer, o.AnsweredBy, o.AnsweredMs = answeredObjection, m.Answer, a.Signer(), a.TimeMs
	putObjection(a, rule, o)
	return nil
}

// CloseObjection ends it, with whether it was solved and a mark of 1 to 5 for the
// answer. Signed by whoever filed it, or the AUTHORITY, OFFICER.
//
// A mark is that of whoever filed it, for an answer that is there.
//
// NotFound, Forbidden, IllegalTransition, OutOfRange (score, or one where nothing was
// answered), TooLong, Malformed (comment).
func CloseObjection(a *act.Act, m *sharev1.CloseObjection) error {
	const rule = "share/close_objection"
	o, err := stepObjection(a, rule, m.GetObjection(), closedObjection, (*sharev1.Objection).GetFiledBy)
	if err != nil {
		return err
	}
	if err := act.First(checkMark(rule, m.Score, a.Org() == o.FiledBy && o.State == answeredObjection), act.Text(rule, "comment", m.Comment, maxEffect, false)); err != nil {
		return err
	}
	stop(a, o.Clock)
	contestedIndex.Delete(a.Tx, key("objection", o.Subject, o.FiledBy))
	o.State, o.Solved, o.Score, o.Comment, o.ClosedMs = closedObjection, m.Solved, m.Score, m.Comment, a.TimeMs
	putObjection(a, rule, o, mark(a, o.Against, m.Score)...)
	return nil
}

// objectionDue marks an objection that was not answered in time.
func objectionDue(a *act.Act, due, id string) {
	o, ok := objections.Get(a.Tx, id)
	if !ok || !ranOut(o.Clock, due) {
		return
	}
	objections.Put(a.Tx, id, o)
	standing := note(a, o.Against, func(s *sharev1.Standing) { s.LateObjections++ })
	a.Emit("share/overdue", clockName(o.Clock), objectionKey(id), o.Subject, standing)
}
