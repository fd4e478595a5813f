package index

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/code"
	"mulian/internal/fault"
)

// How good a catalogue is: what Check looks for, entry by entry, and what of it
// makes a department's score.
//
//	object ──one read transaction──▶ facts of each entry ──▶ findings, in order ──▶ pages
//	                                       └─▶ candidates for duplicates (check_alike.go)
//
// The whole catalogue is judged at once, for duplicates are found between
// departments; the result is kept until the index has moved on, so that paging
// costs nothing. Entries that are withdrawn are not looked at.

// tolerancePercent of the update cycle is what data may be old before it is stale:
// the watch of gateways uses the same (gateway/drift, FreshnessRule).
const tolerancePercent = 150

// Bounds of an answer of Check.
const (
	defaultFindings = 100
	maxFindings     = 1000
)

// Weights of the parts of a score, 100 in all. Our own choice: what the law asks for
// weighs most (order 809, articles 13, 17 and 19; PIPL, article 13), and then what
// keeps an entry from being delivered.
var weights = [...]uint32{
	findNoDuty: 15, findNoTable: 10, findNoOwner: 5, findStale: 15, findDuplicate: 10, findPersonal: 15,
	findUnmapped: 10, findNoItems: 5, findNoAbstract: 5, findCodeTable: 5, findDrifted: 5,
}

const (
	findNoDuty     = cataloguev1.FindingKind_FINDING_KIND_NO_DUTY
	findNoTable    = cataloguev1.FindingKind_FINDING_KIND_NO_TABLE
	findNoOwner    = cataloguev1.FindingKind_FINDING_KIND_NO_OWNER
	findStale      = cataloguev1.FindingKind_FINDING_KIND_STALE
	findDuplicate  = cataloguev1.FindingKind_FINDING_KIND_DUPLICATE
	findPersonal   = cataloguev1.FindingKind_FINDING_KIND_PERSONAL_NO_BASIS
	findUnmapped   = cataloguev1.FindingKind_FINDING_KIND_UNMAPPED_ITEM
	findNoItems    = cataloguev1.FindingKind_FINDING_KIND_NO_ITEMS
	findNoAbstract = cataloguev1.FindingKind_FINDING_KIND_NO_ABSTRACT
	findCodeTable  = cataloguev1.FindingKind_FINDING_KIND_UNKNOWN_CODE_TABLE
	findDrifted    = cataloguev1.FindingKind_FINDING_KIND_DRIFTED
)

// fact is what is remembered of one entry.
type fact struct {
	id, name, org string
	found         []flaw
}

// flaw is one finding of an entry, before it is put into words.
type flaw struct {
	kind     cataloguev1.FindingKind
	item     string // code, when it is one
	detail   string // names, dates: what the words are made with
	other    int32  // of a duplicate: its fact
	likeness uint32
	n, of    int32
}

// checked is the result for one state of the index.
type checked struct {
	next, height, atMs int64
	facts              []fact // by organisation, then id
	scores             []*cataloguev1.Score
}

// checker keeps the last result. Computing is one at a time: whoever comes meanwhile
// waits for the result and takes it, if it is new enough for him.
type checker struct {
	mu   sync.Mutex
	last *checked
}

// Check answers a page of what is wrong with the catalogue. The scores stand on the
// first page only.
//
// Its cost is one pass over all entries when the index has moved since the last
// first page, and nothing otherwise. A later page is of the state of the first one,
// unless a newer one was asked for meanwhile; its cursor holds all the same.
func (x *Index) Check(ctx context.Context, req *cataloguev1.CheckRequest) (*cataloguev1.CheckResponse, error) {
	c, err := x.checked(ctx, req.GetAfter() != "")
	if err != nil {
		return nil, err
	}
	out := &cataloguev1.CheckResponse{Height: c.height, AtMs: c.atMs}
	if req.GetAfter() == "" {
		for _, s := range c.scores {
			if req.GetOrg() == "" || s.GetOrg() == req.GetOrg() {
				out.Scores = append(out.Scores, s)
			}
		}
	}
	limit := int(cmp.Or(req.GetLimit(), defaultFindings))
	limit = min(limit, maxFindings)
	w := checkWords{zh: req.GetLanguage() != "en"}
	for i := range c.facts {
		f := &c.facts[i]
		if req.GetOrg() != "" && f.org != req.GetOrg() {
			continue
		}
		for j := range f.found {
			l := &f.found[j]
			if len(req.GetKinds()) > 0 && !slices.Contains(req.GetKinds(), l.kind) {
				continue
			}
			out.Total++
			switch {
			case cursor(f, l) <= req.GetAfter() && req.GetAfter() != "":
			case len(out.Findings) < limit:
				out.Findings = append(out.Findings, w.finding(c, f, l))
			case out.Next == "": // there is one more
				last := out.Findings[limit-1]
				out.Next = fmt.Sprintf("%s %02d", last.GetEntry(), last.GetKind())
			}
		}
	}
	return out, nil
}

// cursor orders findings by entry (and so by organisation), then kind. An entry has
// at most one of a kind. A blank sorts before every character of an id.
func cursor(f *fact, l *flaw) string { return fmt.Sprintf("%s %02d", f.id, l.kind) }

// checked returns the result for the index as it is now; with any, whatever there is.
func (x *Index) checked(ctx context.Context, anyState bool) (*checked, error) {
	x.check.mu.Lock()
	defer x.check.mu.Unlock()
	next, _ := x.Next()
	if c := x.check.last; c != nil && (anyState || c.next >= next) {
		return c, nil
	}
	c, err := x.judge(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, fault.Wrap(fault.CodeOf(ctx.Err()), ctx.Err(), "check of the catalogue")
		}
		return nil, err
	}
	x.check.last = c
	return c, nil
}

// judge looks at the whole catalogue in one read transaction.
func (x *Index) judge(ctx context.Context) (*checked, error) {
	tx, err := x.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("index: check: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	j := &catalogueCheck{result: &checked{}, parts: map[string]*[len(weights)]part{}}
	for _, read := range []func(context.Context, *sql.Tx) error{j.readTime, j.readAround, j.readEntries} {
		if err := read(ctx, tx); err != nil {
			return nil, err
		}
	}
	j.duplicates()
	j.settle()
	return j.result, nil
}

// part counts what is good of one kind in one department.
type part struct{ good, all int64 }

// catalogueCheck holds what one pass over the catalogue needs to know.
type catalogueCheck struct {
	result *checked
	parts  map[string]*[len(weights)]part

	orgs   map[string]orgFact
	duties map[string]dutyFact
	tables map[string]tableFact
	codes  map[string]bool   // code tables, by tableKey of their id and name
	drifts map[string]string // entry -> open drift that is none of staleness
	stale  map[string]string // entry -> open drift of staleness
	shapes []shape           // what is compared of each entry, see check_alike.go
	users  map[uint64]users  // departments that have an item
}

type (
	orgFact   struct{ name, region string }
	dutyFact  struct{ inForce, sourced, decides bool }
	tableFact struct{ gone, watched bool }
)

// decisions are the powers by which an office decides itself: what it records of them
// is its own data. Levies, payments, inspections and services also gather data of
// others, which may be gathered twice.
var decisions = map[cataloguev1.PowerType]bool{
	cataloguev1.PowerType_POWER_TYPE_LICENSING: true, cataloguev1.PowerType_POWER_TYPE_PENALTY: true, cataloguev1.PowerType_POWER_TYPE_COMPULSION: true,
	cataloguev1.PowerType_POWER_TYPE_CONFIRMATION: true, cataloguev1.PowerType_POWER_TYPE_REWARD: true, cataloguev1.PowerType_POWER_TYPE_ADJUDICATION: true,
}

// readTime takes the block time of the last event, against which data is old.
func (j *catalogueCheck) readTime(ctx context.Context, tx *sql.Tx) error {
	var raw []byte
	err := tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(CASE name WHEN 'next' THEN value END),0), COALESCE(MAX(CASE name WHEN 'height' THEN value END),0) FROM meta").Scan(&j.result.next, &j.result.height)
	if err == nil {
		err = tx.QueryRowContext(ctx, "SELECT raw FROM event ORDER BY seq DESC LIMIT 1").Scan(&raw)
	}
	if err == sql.ErrNoRows {
		return nil
	}
	ev := &tracev1.Event{}
	if err == nil {
		err = proto.Unmarshal(raw, ev)
	}
	if err != nil {
		return fmt.Errorf("index: check: %w", err)
	}
	j.result.atMs = ev.GetTimeMs()
	return nil
}

// readAround reads what entries refer to.
func (j *catalogueCheck) readAround(ctx context.Context, tx *sql.Tx) error {
	now := j.result.atMs
	j.orgs, j.duties, j.tables = map[string]orgFact{}, map[string]dutyFact{}, map[string]tableFact{}
	j.users = map[uint64]users{}
	j.codes, j.drifts, j.stale = map[string]bool{}, map[string]string{}, map[string]string{}
	err := scan(ctx, tx, Account, fmt.Sprintf("class = %d", identityv1.AccountKind_ACCOUNT_KIND_ORG), func(a *identityv1.Account) {
		j.orgs[a.GetId()] = orgFact{cmp.Or(a.GetProfile().GetName(), a.GetName()), a.GetProfile().GetRegion()}
	})
	if err != nil {
		return err
	}
	err = scan(ctx, tx, Duty, "", func(d *cataloguev1.Duty) {
		in := !d.GetRetired() && d.GetValidFromMs() <= now && (d.GetValidToMs() == 0 || now < d.GetValidToMs())
		j.duties[d.GetId()] = dutyFact{in, in && strings.TrimSpace(d.GetSource()) != "", decisions[d.GetPowerType()]}
	})
	if err != nil {
		return err
	}
	err = scan(ctx, tx, Table, "", func(t *cataloguev1.Table) {
		j.tables[t.GetId()] = tableFact{t.GetGone(), t.GetWatermarkColumn() != ""}
	})
	if err != nil {
		return err
	}
	err = scan(ctx, tx, CodeTable, "", func(t *cataloguev1.CodeTable) {
		j.codes[tableKey(t.GetId())], j.codes[tableKey(t.GetName())] = true, true
	})
	if err != nil {
		return err
	}
	return scan(ctx, tx, Drift, "flag = 1", func(d *cataloguev1.Drift) {
		into := j.drifts
		switch d.GetClass() {
		case cataloguev1.DriftClass_DRIFT_CLASS_COMPATIBLE:
			return
		case cataloguev1.DriftClass_DRIFT_CLASS_STALE:
			into = j.stale
		}
		for _, e := range d.GetEntries() {
			if into[e] == "" {
				into[e] = d.GetId()
			}
		}
	})
}

// scan calls fn for every object of a kind, in the order of the keys.
func scan[M any, P Message[M]](ctx context.Context, tx *sql.Tx, kind, cond string, fn func(P)) error {
	if cond != "" {
		cond = " AND " + cond
	}
	rows, err := tx.QueryContext(ctx, "SELECT value FROM object WHERE kind = ?"+cond+" ORDER BY key", kind)
	if err != nil {
		return fmt.Errorf("index: check %s: %w", kind, err)
	}
	defer rows.Close()
	var value sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&value); err != nil {
			return fmt.Errorf("index: check %s: %w", kind, err)
		}
		p := P(new(M))
		if err := proto.Unmarshal(value, p); err != nil {
			return fmt.Errorf("index: check %s: %w", kind, err)
		}
		fn(p)
	}
	return rows.Err()
}

func (j *catalogueCheck) readEntries(ctx context.Context, tx *sql.Tx) error {
	return scan(ctx, tx, Entry, fmt.Sprintf("state <> %d", cataloguev1.EntryState_ENTRY_STATE_WITHDRAWN), j.entry)
}

// entry finds what is wrong with one entry alone, in the order of the kinds.
func (j *catalogueCheck) entry(e *cataloguev1.Entry) {
	at := int32(len(j.result.facts))
	f := fact{id: e.GetId(), name: e.GetName(), org: e.GetProvider()}
	p := j.parts[f.org]
	if p == nil {
		p = new([len(weights)]part)
		j.parts[f.org] = p
	}
	count := func(kind cataloguev1.FindingKind, good, all int, l flaw) {
		p[kind].good, p[kind].all = p[kind].good+int64(good), p[kind].all+int64(all)
		if good < all {
			l.kind, l.n, l.of = kind, int32(all-good), int32(all)
			f.found = append(f.found, l)
		}
	}
	one := func(kind cataloguev1.FindingKind, good bool, l flaw) {
		n := 0
		if good {
			n = 1
		}
		count(kind, n, 1, l)
	}
	inForce, sourced := j.dutiesOf(e)
	one(findNoDuty, inForce, flaw{detail: strings.Join(e.GetDuties(), ", ")})
	t, known := j.tables[e.GetTable()]
	has := known && !t.gone
	one(findNoTable, has, flaw{detail: e.GetTable()})
	one(findNoOwner, j.knowsOwner(e), flaw{detail: cmp.Or(e.GetSourceOrg(), e.GetProvider())})
	if fresh, judged, why := j.fresh(e, t); judged {
		one(findStale, fresh, flaw{detail: why})
	}
	p[findDuplicate].good++ // taken back when one is found
	p[findDuplicate].all++
	if is, named := personal(e); is {
		one(findPersonal, sourced, named)
	}
	if has && len(e.GetItems()) > 0 {
		l, n := itemsWithout(e, func(it *cataloguev1.Item) bool { return it.GetColumn() != "" })
		count(findUnmapped, len(e.GetItems())-n, len(e.GetItems()), l)
	}
	one(findNoItems, len(e.GetItems()) > 0, flaw{})
	one(findNoAbstract, strings.TrimSpace(e.GetAbstract()) != "", flaw{})
	if named := itemsNaming(e); named > 0 {
		l, n := itemsWithout(e, func(it *cataloguev1.Item) bool {
			return !namesTable(it) || j.codes[tableKey(it.GetCodeTable())]
		})
		count(findCodeTable, named-n, named, l)
	}
	if e.GetTable() != "" {
		one(findDrifted, j.drifts[f.id] == "", flaw{detail: j.drifts[f.id]})
	}
	j.result.facts = append(j.result.facts, f)
	j.shapes = append(j.shapes, j.shapeOf(at, e))
}

func (j *catalogueCheck) dutiesOf(e *cataloguev1.Entry) (inForce, sourced bool) {
	for _, id := range e.GetDuties() {
		d := j.duties[id]
		inForce, sourced = inForce || d.inForce, sourced || d.sourced
	}
	return inForce, sourced
}

func (j *catalogueCheck) knowsOwner(e *cataloguev1.Entry) bool {
	_, provider := j.orgs[e.GetProvider()]
	_, source := j.orgs[e.GetSourceOrg()]
	return provider && (source || e.GetSourceOrg() == "")
}

// fresh says whether the data is as young as its cycle asks for; judged is false when
// nobody says how old it is. A gateway that watches the table's watermark knows
// better than a date that somebody typed.
func (j *catalogueCheck) fresh(e *cataloguev1.Entry, t tableFact) (fresh, judged bool, why string) {
	if d := j.stale[e.GetId()]; d != "" {
		return false, true, d
	}
	days := code.UpdateCycle(e.GetUpdateCycle()).Days()
	if days == 0 {
		return true, false, ""
	}
	if t.watched && !t.gone {
		return true, true, ""
	}
	last, ok := moment(e.GetModified())
	if !ok || j.result.atMs == 0 {
		return true, false, ""
	}
	age := time.UnixMilli(j.result.atMs).Sub(last)
	return age <= time.Duration(days)*24*time.Hour*tolerancePercent/100, true, e.GetModified()
}

// moment reads a date as entries have it; a day lasts until its end.
func moment(text string) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, true
	}
	t, err := time.Parse(time.DateOnly, text)
	return t.AddDate(0, 0, 1), err == nil
}

// itemsWithout names the items that are not good, the first five of them, and says
// how many there are.
func itemsWithout(e *cataloguev1.Entry, good func(*cataloguev1.Item) bool) (l flaw, n int) {
	var names []string
	for _, it := range e.GetItems() {
		if good(it) {
			continue
		}
		if n++; n <= 5 {
			names = append(names, it.GetName())
		}
		l.item = it.GetCode()
	}
	if n != 1 {
		l.item = ""
	}
	if n > 5 {
		names = append(names, "…")
	}
	l.detail = strings.Join(names, "、")
	return l, n
}

func itemsNaming(e *cataloguev1.Entry) (n int) {
	for _, it := range e.GetItems() {
		if namesTable(it) {
			n++
		}
	}
	return n
}

// formStandards say how a code is built, and list none: who names one has no table
// to file.
var formStandards = map[string]bool{"GB32100": true, "GB11643": true, "GB11714": true}

func namesTable(it *cataloguev1.Item) bool {
	return it.GetCodeTable() != "" && !formStandards[tableKey(it.GetCodeTable())]
}

// tableKey is how code tables are compared: standards are named with their year and
// without, "GB/T 2260-2007" and "GB/T 2260".
func tableKey(name string) string {
	key, _ := code.Key(name)
	key = strings.ToUpper(key)
	if i := strings.LastIndexByte(key, '-'); i > 0 && len(key)-i == 5 && strings.Trim(key[i+1:], "0123456789") == "" {
		key = key[:i]
	}
	return key
}

// settle makes the scores. A part that nothing of the department can be judged by
// does not count: its weight goes to the others, and the score names it.
func (j *catalogueCheck) settle() {
	for i := range j.result.facts {
		slices.SortStableFunc(j.result.facts[i].found, func(a, b flaw) int { return cmp.Compare(a.kind, b.kind) })
	}
	for org, p := range j.parts {
		s := &cataloguev1.Score{Org: org, OrgName: cmp.Or(j.orgs[org].name, org), Entries: p[findDuplicate].all}
		var points, weight float64
		for kind := findNoDuty; int(kind) < len(weights); kind++ {
			c := p[kind]
			if c.all == 0 {
				s.Unjudged = append(s.Unjudged, kind)
				continue
			}
			s.Parts = append(s.Parts, &cataloguev1.ScorePart{Kind: kind, Weight: weights[kind], Good: c.good, All: c.all})
			points += float64(weights[kind]) * float64(c.good) / float64(c.all)
			weight += float64(weights[kind])
		}
		s.Points = uint32(100 * points / weight) // down: 100 is only what is without fault
		j.result.scores = append(j.result.scores, s)
	}
	slices.SortFunc(j.result.scores, func(a, b *cataloguev1.Score) int {
		return cmp.Or(cmp.Compare(a.Points, b.Points), cmp.Compare(a.Org, b.Org))
	})
}
