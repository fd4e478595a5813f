package intake

import (
	"context"
	"crypto/sha256"
	"errors"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/intake/sheet"
	"mulian/internal/canon"
	"mulian/internal/fault"
)

// Batch is what one transaction of one organisation can carry: at most 200
// entries or 500 duties, and 512 KiB. Exactly one list is not empty.
type Batch struct {
	Org     string // who has to sign; empty for Orgs
	Entries []*cataloguev1.Entry
	Duties  []*cataloguev1.Duty
	Orgs    []*identityv1.RegisterOrg // without keys
}

// Sender brings batches to the ledger.
type Sender interface {
	// Send returns nil when the whole batch is committed: then it is durable. A
	// fault with Item says which element, from 1, the ledger refused; nothing of
	// the batch was taken then. A fault of class 11 or 13 without Item refuses the
	// batch as a whole. Any other error ends the import, which can be resumed:
	// unchanged content sent again must be no change.
	Send(ctx context.Context, b Batch) error
}

// Target says where an import goes: what the file says in words, by code. Every
// function may be nil, and then finds nothing.
type Target struct {
	Org     func(name string) (code string, ok bool)    // an organisation by its name
	Duty    func(org, text string) (ids []string)       // duties of org by code or title; text "" asks for those of an entry that names none
	System  func(org, text string) (id string, ok bool) // a system of org by code or name
	Table   func(org, text string) (id string, ok bool) // a table of org by id or name
	Columns func(table string) []string                 // columns of a table on the ledger, to lay items on
	Hash    func(id string) (content [32]byte, ok bool) // content hash that the ledger has of an entry

	Owner      string                       // organisation for what has no owner (--owner); empty holds it back
	ShareType  cataloguev1.ShareType        // for entries that state none (--share); unspecified holds them back
	Conditions *cataloguev1.ShareConditions // with ShareType conditional
	Journal    string                       // file that makes the import resumable; empty for none
	Progress   func(Applied)                // called after each batch; it must not block
}

// Applied says what became of the drafts of a plan. At the end
//
//	Sent + Unchanged + Resumed + Held + Refused == accepted + doubtful of the report
type Applied struct {
	Sent      int `json:"sent"`      // committed by this import
	Unchanged int `json:"unchanged"` // the ledger has them with the same content
	Resumed   int `json:"resumed"`   // committed by an earlier run of this import
	Held      int `json:"held"`      // not sent: something that only a person can say is missing
	Refused   int `json:"refused"`   // by the ledger
	Batches   int `json:"batches"`

	Problems []Problem      `json:"problems"` // of what was held or refused
	LeftOut  int            `json:"problems_left_out"`
	Counts   map[string]int `json:"problem_counts"`
}

// Apply sends what the plan has accepted, and what is doubtful, in batches of one
// organisation each. It holds at most 4,000 drafts in memory. After an error the
// result says how far it came; the same call with the same journal goes on.
func Apply(ctx context.Context, p *Plan, t Target, s Sender) (*Applied, error) {
	j, err := openJournal(t.Journal, p.digest)
	if err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "import journal")
	}
	a := &apply{plan: p, target: t, sender: s, journal: j, open: make(map[string]*waiting)}
	a.problems.Counts = make(map[string]int)
	err = p.Each(ctx, func(d *Draft) error { return a.take(ctx, d) })
	for err == nil && len(a.open) > 0 {
		err = a.flush(ctx, a.fullest())
	}
	if closed := j.close(err == nil); err == nil && closed != nil {
		err = fault.Wrap(fault.Damaged, closed, "import journal")
	}
	return a.result(), err
}

// apply is one run.
type apply struct {
	plan    *Plan
	target  Target
	sender  Sender
	journal *journal

	open     map[string]*waiting // batches that fill, by organisation
	count    int                 // drafts in them
	done     Applied
	problems Report // for its bounded list
}

// waiting is one batch that fills.
type waiting struct {
	org    string
	drafts []*Draft
	keys   [][16]byte
	bytes  int
}

func (a *apply) result() *Applied {
	out := a.done
	out.Problems, out.LeftOut, out.Counts = a.problems.Problems, a.problems.LeftOut, a.problems.Counts
	if out.Problems == nil {
		out.Problems = []Problem{}
	}
	return &out
}

// take resolves d and puts it to the others of its organisation.
func (a *apply) take(ctx context.Context, d *Draft) error {
	if why := a.resolve(d); why != nil {
		a.done.Held++
		a.problems.add(*why)
		return nil
	}
	m := d.message()
	content, err := contentOf(m)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "line %d", d.Line)
	}
	key := journalKey(d.id(), content)
	if a.journal.done[key] {
		a.done.Resumed++
		return nil
	}
	if a.target.Hash != nil {
		if have, ok := a.target.Hash(d.id()); ok && have == content {
			a.done.Unchanged++
			return nil
		}
	}
	org := d.Code
	if d.Kind == OrgList {
		org = ""
	}
	w := a.open[org]
	if w == nil {
		w = &waiting{org: org}
		a.open[org] = w
	}
	size := proto.Size(m)
	if w.bytes+size > batchBytes && len(w.drafts) > 0 {
		if err := a.flush(ctx, w); err != nil {
			return err
		}
		w = &waiting{org: org}
		a.open[org] = w
	}
	w.drafts, w.keys, w.bytes = append(w.drafts, d), append(w.keys, key), w.bytes+size
	a.count++
	limit := batchEntries
	if d.Kind == DutyList {
		limit = batchDuties
	}
	switch {
	case len(w.drafts) >= limit:
		return a.flush(ctx, w)
	case a.count >= maxWaiting:
		return a.flush(ctx, a.fullest())
	}
	return nil
}

// fullest returns the batch with the most drafts; of equal ones the first by code.
func (a *apply) fullest() *waiting {
	var best *waiting
	for _, w := range a.open {
		if best == nil || len(w.drafts) > len(best.drafts) || len(w.drafts) == len(best.drafts) && w.org < best.org {
			best = w
		}
	}
	return best
}

// flush sends w, leaving out what the ledger refuses of it.
func (a *apply) flush(ctx context.Context, w *waiting) error {
	delete(a.open, w.org)
	a.count -= len(w.drafts)
	for len(w.drafts) > 0 {
		if err := ctx.Err(); err != nil {
			return fault.Wrap(fault.CodeOf(err), err, "import stopped")
		}
		err := a.sender.Send(ctx, batchOf(w))
		if err == nil {
			// The power fails here: the batch is committed and not in the journal. It
			// is sent again, and the ledger finds nothing changed.
			if err := a.journal.add(w.keys); err != nil {
				return fault.Wrap(fault.DiskFull, err, "import journal")
			}
			a.done.Sent += len(w.drafts)
			break
		}
		f, ok := errors.AsType[*fault.Fault](err)
		if !ok || f.Code < 11000 || f.Code >= 12000 && f.Code < 13000 || f.Code >= 14000 {
			return err
		}
		if f.Item < 1 || int(f.Item) > len(w.drafts) {
			for _, d := range w.drafts {
				a.refuse(d, f)
			}
			break
		}
		a.refuse(w.drafts[f.Item-1], f)
		w.drafts = append(w.drafts[:f.Item-1:f.Item-1], w.drafts[f.Item:]...)
		w.keys = append(w.keys[:f.Item-1:f.Item-1], w.keys[f.Item:]...)
	}
	a.done.Batches++
	if a.target.Progress != nil {
		a.target.Progress(a.done)
	}
	return nil
}

func (a *apply) refuse(d *Draft, f *fault.Fault) {
	a.done.Refused++
	a.problems.add(sheet.Problem{Line: d.Line, Code: f.Code, Message: f.Text, Suggestion: a.plan.opts.Lang.Say("运行 mulian explain %d 查看说明", "run mulian explain %d", uint32(f.Code))})
}

func batchOf(w *waiting) Batch {
	b := Batch{Org: w.org}
	for _, d := range w.drafts {
		switch {
		case d.Entry != nil:
			b.Entries = append(b.Entries, d.Entry)
		case d.Duty != nil:
			b.Duties = append(b.Duties, d.Duty)
		default:
			b.Orgs = append(b.Orgs, proto.CloneOf(d.Org)) // the sender adds keys, and may be asked again
		}
	}
	return b
}

// message is the part of d that is sent.
func (d *Draft) message() proto.Message {
	switch {
	case d.Entry != nil:
		return d.Entry
	case d.Duty != nil:
		return d.Duty
	}
	return d.Org
}

// id is the id on the ledger, once d is resolved.
func (d *Draft) id() string {
	switch {
	case d.Entry != nil:
		return d.Entry.Id
	case d.Duty != nil:
		return d.Duty.Id
	}
	return d.Code
}

// contentOf is the content hash of the ledger: SHA-256 of the canonical bytes of
// what the provider states. A draft has nothing else.
func contentOf(m proto.Message) ([32]byte, error) {
	raw, err := canon.Marshal(m)
	if err != nil {
		return [32]byte{}, err
	}
	return sha256.Sum256(raw), nil
}
