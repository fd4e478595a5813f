package intake

import (
	"cmp"
	"context"
	"crypto/sha256"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/intake/sheet"
	"mulian/internal/canon"
	"mulian/internal/fault"
)

// Batch is what one transaction of one organisation can carry: at most 200
// entries, 500 duties or matters, or 1,000 codes of one table, and 512 KiB. Exactly
// one list is not empty.
type Batch struct {
	Org     string // who has to sign; empty for Orgs
	Entries []*cataloguev1.Entry
	Duties  []*cataloguev1.Duty
	Matters []*cataloguev1.Matter
	Codes   []*cataloguev1.Code
	Table   *cataloguev1.CodeTable    // with Codes
	Orgs    []*identityv1.RegisterOrg // without keys
}

// Sender brings batches to the ledger.
type Sender interface {
	// Send returns nil when the whole batch is committed: then it is durable. A
	// fault with Item says which element, from 1, the ledger refused; nothing of
	// the batch was taken then. A fault of class 11 or 13 without Item refuses the
	// batch as a whole. Any other error ends the import, which can be resumed:
	// unchanged content sent again must be no change.
	//
	// Batches of different organisations are sent at once, those of one
	// organisation one after the other, in the order of the file.
	Send(ctx context.Context, b Batch) error
}

// Standing is what the ledger has of an object that a draft would make.
type Standing struct {
	Content   [32]byte // hash of what its owner states
	Origin    string   // of an entry: where it was imported from; empty if nowhere
	Withdrawn bool     // of an entry: its id is spent
	Waits     bool     // of an entry: a change of it waits for review or counter-signatures before it is in force
	Pending   bool     // of an entry: Content is of a change that waits so
}

// Target says where an import goes: what the file says in words, by code. Every
// function may be nil, and then finds nothing; they are called by one goroutine.
type Target struct {
	Org     func(name string) (code string, ok bool)    // an organisation by its name
	Instead func(code, name string) (string, bool)      // who stands for an owner that the file names with his code: himself, if he is on board; nil: himself
	Like    func(name string) []string                  // organisations whose name is probably another spelling of name, the best first: for suggestions
	Duty    func(org, text string) (ids []string)       // duties of org by code or title; text "" asks for those of an entry that names none
	HasDuty func(org, id string) bool                   // whether org has a duty; nil: it has
	System  func(org, text string) (id string, ok bool) // a system of org by code or name
	Table   func(org, text string) (id string, ok bool) // a table of org by id or name
	Columns func(table string) []string                 // columns of a table on the ledger, to lay items on
	Known   func(id string) (Standing, bool)            // what the ledger has under an id

	// Entry is what the owner of an entry stated last, for the few whose content is
	// not that of the list: without what the ledger sets by itself. It may be changed
	// by nobody. nil: a list takes the place of the whole entry.
	Entry func(id string) (*cataloguev1.Entry, error)

	Owner      string                       // organisation for what has no owner (--owner); empty holds it back
	ShareType  cataloguev1.ShareType        // for entries that state none (--share); unspecified holds them back
	Conditions *cataloguev1.ShareConditions // with ShareType conditional
	Source     string                       // label of the catalogue; entries keep it in their origin. Empty: no origin
	TakeOver   bool                         // entries that another source brought become this one's
	Review     bool                         // the consortium reviews what is published
	Revive     bool                         // what was withdrawn on the ledger comes back, under a new id
	Journal    string                       // file that makes the import resumable; empty for none
	AtOnce     int                          // batches under way at once; 0 = 16
	Progress   func(Applied)                // called after each batch, by one goroutine at a time; it must not block
}

// Applied says what became of the drafts of a plan. At the end
//
//	Sent + Unchanged + Resumed + Held + Refused + Out == accepted + doubtful of the report
//	New + Changed == Sent
type Applied struct {
	Sent      int `json:"sent"`      // committed by this import
	New       int `json:"new"`       // of these, the ledger had nothing under their id
	Changed   int `json:"changed"`   // of these, it had other content
	Unchanged int `json:"unchanged"` // the ledger has what the list states of them
	Waiting   int `json:"waiting"`   // of those sent and unchanged: entries or changes that wait for review or counter-signatures
	Resumed   int `json:"resumed"`   // committed by an earlier run of this import
	Held      int `json:"held"`      // not sent: something that only a person can say is missing
	Refused   int `json:"refused"`   // by the ledger
	Out       int `json:"left_out"`  // not sent: the list says that they are withdrawn or not published
	Batches   int `json:"batches"`

	Problems []Problem      `json:"problems"` // of what was held or refused
	LeftOut  int            `json:"problems_left_out"`
	Counts   map[string]int `json:"problem_counts"`
}

// Apply sends what the plan has accepted, and what is doubtful, in batches of one
// organisation each. It holds at most 8,000 drafts in memory that wait for their
// batch, and 16 batches that wait for the ledger. After an error the result says how
// far it came; the same call with the same journal goes on.
func Apply(ctx context.Context, p *Plan, t Target, s Sender) (*Applied, error) {
	j, err := openJournal(t.Journal, p.digest)
	if err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "import journal")
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	a := &apply{plan: p, target: t, sender: s, journal: j, open: make(map[string]*waiting), lines: make(map[[16]byte]int), lanes: newLanes(t.AtOnce), stop: stop}
	a.problems.Counts = make(map[string]int)
	a.columns = statedIn(p.present)
	err = p.Each(ctx, func(d *Draft) error { return a.take(ctx, d) })
	for err == nil && len(a.open) > 0 {
		err = a.flush(ctx, a.fullest())
	}
	a.lanes.wait()
	if failed := context.Cause(ctx); failed != nil {
		err = failed // why sending failed, rather than that reading was stopped by it
	}
	if closed := j.close(err == nil); err == nil && closed != nil {
		err = fault.Wrap(fault.Damaged, closed, "import journal")
	}
	return a.result(), err
}

// apply is one run. One goroutine reads and fills batches; the lanes send them.
type apply struct {
	plan    *Plan
	target  Target
	sender  Sender
	journal *journal
	lanes   *lanes
	stop    context.CancelCauseFunc // ends the run with the error of a lane

	open    map[string]*waiting // batches that fill, by organisation
	count   int                 // drafts in them
	columns []stated            // what the list has a column for
	lines   map[[16]byte]int    // line of each entry, by its id: two spellings of one owner may give the same

	mu       sync.Mutex // guards done and problems
	done     Applied
	problems Report // for its bounded list
}

// waiting is one batch that fills.
type waiting struct {
	org   string
	parts []part
	bytes int
}

// part is one draft of a batch.
type part struct {
	draft *Draft
	key   [16]byte // of the journal
	known bool     // the ledger has its id, with other content
	waits bool     // the ledger keeps it as a change that waits for signatures or review
}

func (a *apply) result() *Applied {
	out := a.done
	// Batches of many organisations are answered at once: their order says nothing.
	slices.SortStableFunc(a.problems.Problems, func(x, y Problem) int { return cmp.Compare(x.Line, y.Line) })
	out.Problems, out.LeftOut, out.Counts = a.problems.Problems, a.problems.LeftOut, a.problems.Counts
	if out.Problems == nil {
		out.Problems = []Problem{}
	}
	return &out
}

// count1 adds one to a number of the result.
func (a *apply) count1(n *int) {
	a.mu.Lock()
	*n++
	a.mu.Unlock()
}

// tell records a problem.
func (a *apply) tell(p sheet.Problem) {
	a.mu.Lock()
	a.problems.add(p)
	a.mu.Unlock()
}

// take resolves d and puts it to the others of its organisation.
func (a *apply) take(ctx context.Context, d *Draft) error {
	why := a.resolve(d)
	if why == nil && a.leaveOut(d) {
		return nil
	}
	if why == nil && d.Entry != nil {
		why = a.place(d)
	}
	if why != nil {
		a.hold(why)
		return nil
	}
	have, known := a.known(d.id())
	if d.Entry != nil {
		if why = a.complete(d); why != nil && !(known && a.target.Entry != nil) {
			a.hold(why)
			return nil
		}
	}
	m := d.message()
	content, err := contentOf(m)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "line %d", d.Line)
	}
	key := journalKey(d.id(), content)
	if a.journal.done[key] {
		a.count1(&a.done.Resumed)
		return nil
	}
	x := part{draft: d, key: key, known: known, waits: have.Waits || !known && d.Entry != nil && a.target.Review}
	if known {
		same, why, err := a.settle(d, content, have)
		switch {
		case err != nil:
			return fault.Wrap(fault.CodeOf(err), err, "line %d", d.Line)
		case same:
			a.mu.Lock()
			a.done.Unchanged++
			if have.Pending {
				a.done.Waiting++
			}
			a.mu.Unlock()
			return nil
		case why != nil:
			a.hold(why)
			return nil
		}
		m = d.message()
	}
	return a.fill(ctx, x, proto.Size(m))
}

// hold counts a draft that is not sent, and tells why.
func (a *apply) hold(why *sheet.Problem) {
	a.count1(&a.done.Held)
	a.tell(*why)
}

// fill puts a draft into its organisation's batch.
func (a *apply) fill(ctx context.Context, x part, size int) error {
	org := x.draft.Code
	if x.draft.Kind == OrgList {
		org = ""
	}
	w := a.open[org]
	if w != nil && w.bytes+size > batchBytes {
		if err := a.flush(ctx, w); err != nil {
			return err
		}
		w = nil
	}
	if w == nil {
		w = &waiting{org: org}
		a.open[org] = w
	}
	w.parts, w.bytes = append(w.parts, x), w.bytes+size
	a.count++
	switch {
	case len(w.parts) >= batchOf[x.draft.Kind]:
		return a.flush(ctx, w)
	case a.count >= maxWaiting:
		return a.flush(ctx, a.fullest())
	}
	return nil
}

func (a *apply) known(id string) (Standing, bool) {
	if a.target.Known == nil {
		return Standing{}, false
	}
	return a.target.Known(id)
}

// fullest returns the batch with the most drafts; of equal ones the first by code.
func (a *apply) fullest() *waiting {
	var best *waiting
	for _, w := range a.open {
		if best == nil || len(w.parts) > len(best.parts) || len(w.parts) == len(best.parts) && w.org < best.org {
			best = w
		}
	}
	return best
}

// flush hands w to its organisation's lane. It waits while too many batches are
// under way.
func (a *apply) flush(ctx context.Context, w *waiting) error {
	delete(a.open, w.org)
	a.count -= len(w.parts)
	return a.lanes.hand(ctx, w.org, func() {
		if err := a.send(ctx, w); err != nil {
			a.stop(err)
		}
	})
}

func (a *apply) refuse(d *Draft, f *fault.Fault) {
	a.count1(&a.done.Refused)
	a.tell(sheet.Problem{Line: d.Line, Code: f.Code, Message: f.Text, Suggestion: a.plan.opts.Lang.Say("运行 mulian explain %d 查看说明", "run mulian explain %d", uint32(f.Code))})
}

// batch is what is sent of w.
func (w *waiting) batch() Batch {
	b := Batch{Org: w.org}
	for _, x := range w.parts {
		switch d := x.draft; {
		case d.Entry != nil:
			b.Entries = append(b.Entries, d.Entry)
		case d.Duty != nil:
			b.Duties = append(b.Duties, d.Duty)
		case d.Matter != nil:
			b.Matters = append(b.Matters, d.Matter)
		case d.Value != nil:
			b.Codes, b.Table = append(b.Codes, d.Value), d.CodeTable
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
	case d.Matter != nil:
		return d.Matter
	case d.Value != nil:
		return d.Value
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
	case d.Matter != nil:
		return d.Matter.Id
	case d.Value != nil:
		return d.Value.Table + "/" + d.Value.Code
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
