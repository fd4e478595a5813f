package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake/sheet"
	"mulian/internal/fault"
)

// Options say how to import a file; the zero value needs none of them.
type Options struct {
	Lang     sheet.Lang
	Encoding string           // when it is found wrongly
	Sheet    string           // of a workbook; empty takes the first with a header
	Kind     Kind             // 0 finds out from the headers
	Map      map[string]Field // of [ParseMap]

	// CodeTable is the id of the table to which a list of codes belongs; empty takes
	// the name of the file.
	CodeTable string

	// NoHeader says that the table has no header row; Map names its columns #1, #2 …
	NoHeader bool

	// TellApart puts the code behind the name of entries that have one name and one
	// owner, and codes that differ; else all but the first of them are rejected.
	TellApart bool

	Progress func(rows int) // called every 1,000 rows while the file is judged; it must not block; may be nil
}

// Plan is a file that was read to its end and judged. It holds one byte for each
// entry, and reads the file again when it is applied: memory is bounded however
// large the file is.
type Plan struct {
	Path string
	Kind Kind

	opts     Options
	digest   [32]byte
	verdicts []verdict
	spelling map[string]spelling
	present  map[Field]bool
	owners   map[string]int    // drafts of each owner that is named without a code
	coded    map[string]string // code of each owner that is named with one

	noHeader bool             // the table has none
	columns  map[string]Field // Options.Map, and what was guessed of columns without a header
	guessed  []string         // these, for the report

	opened *reader // at its beginning, for the next pass

	glance       glance
	like         *sheet.File            // the file as it was opened before: what was found then is not sought again
	table        *cataloguev1.CodeTable // of a list of codes
	duties       *Plan                  // that stand beside the entries; see [Plan.Duties]
	native       bool                   // a record is in our own form
	ours         bool                   // a record stands under its id of the ledger
	tableGuessed bool                   // from the form of its codes
	shelf        *shelf                 // of a workbook of ours: the sheet of files
	alike        map[[16]byte]bool      // owners with names that stand for several entries
}

// MakePlan reads the file twice and returns the plan and the report. It needs no node
// and changes nothing. The faults are those of [sheet.Open]; Missing when no
// column can be the name of anything (the text lists the columns, and names
// --map); Cancelled.
func MakePlan(ctx context.Context, path string, opts Options) (*Plan, *Report, error) {
	p := &Plan{Path: path, Kind: opts.Kind, opts: opts}
	if err := p.headless(ctx); err != nil {
		return nil, nil, err
	}
	owners, err := p.survey(ctx)
	if err != nil {
		return nil, nil, err
	}
	p.spelling = spellings(owners)
	rep, err := p.judge(ctx)
	if err != nil {
		return nil, nil, err
	}
	return p, rep, nil
}

// survey is the first pass: what the file lists, and how owners are spelt.
func (p *Plan) survey(ctx context.Context) (map[string]int, error) {
	if p.Kind == 0 {
		if err := p.findKind(ctx); err != nil {
			return nil, err
		}
	}
	rd, err := p.read(ctx)
	if err != nil {
		return nil, err
	}
	defer rd.close()
	rd.sort.light = true
	p.digest = rd.file.Digest
	if p.shelf, err = p.readShelf(rd.file); err != nil {
		return nil, err
	}
	rd.shelf = p.shelf
	owners := make(map[string]int)
	present := make(map[Field]bool)
	for _, h := range rd.file.Header {
		present[rd.sort.fieldOf(h)] = true
	}
	for {
		r, err := rd.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		p.glance.at(r)
		for f := range r.seen {
			present[f] = true
		}
		for _, f := range []Field{Owner, SourceOrg} {
			if o := r.fields[f].text; o != "" && len(owners) < maxOwners {
				owners[string(f)+"\x00"+o]++
			}
		}
	}
	p.present = present
	p.table, p.tableGuessed = tableFor(p.Path, p.opts.CodeTable, p.glance.codes)
	column := string(Owner)
	if !present[Owner] && present[SourceOrg] {
		column = string(SourceOrg)
	}
	counts := make(map[string]int)
	for k, n := range owners {
		if f, name, _ := strings.Cut(k, "\x00"); f == column {
			counts[name] += n
		}
	}
	return counts, p.needName(present, rd.file)
}

// findKind looks at the headers, or at the keys of the first records.
func (p *Plan) findKind(ctx context.Context) error {
	rd, err := p.read(ctx)
	if err != nil {
		return err
	}
	defer rd.close()
	seen := make(map[Field]bool)
	for _, h := range rd.file.Header {
		seen[rd.sort.fieldOf(h)] = true
	}
	for n := 0; n < surveyRecords; n++ {
		r, err := rd.next()
		if err != nil {
			break // the next pass tells it
		}
		for f := range r.seen {
			seen[f] = true
		}
	}
	p.Kind = kindOf(seen)
	return nil
}

// kindOf is what a list with these fields lists.
func kindOf(seen map[Field]bool) Kind {
	switch {
	case seen[MatterName] || seen[MatterCode] || seen[MatterInputs] && !seen[Name]:
		return MatterList
	case seen[ValueCode] && seen[ValueName]:
		return CodeList
	case seen[Name]:
		return EntryList
	case seen[DutyName]:
		return DutyList
	case seen[OrgName] && seen[OwnerCode], seen[Owner] && seen[OwnerCode] && !seen[Abstract]:
		return OrgList
	}
	return EntryList
}

// judge is the second pass: every entry gets its verdict.
func (p *Plan) judge(ctx context.Context) (*Report, error) {
	rd, err := p.read(ctx)
	if err != nil {
		return nil, err
	}
	defer rd.close()
	f := rd.file
	rep := &Report{
		File: f.Name, Format: f.Format, Encoding: f.Encoding, Kind: p.Kind.String(), Shape: f.Shape, Sheets: f.Sheets,
		Problems: []Problem{}, Counts: make(map[string]int),
	}
	rep.add(f.Notes...)
	j := &judge{plan: p, rep: rep, build: p.builder(), sums: make(map[[16]byte]int32), names: make(map[[16]byte]int32), ids: make(map[[16]byte]int32), unused: make(map[string]int)}
	for {
		r, err := rd.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		p.verdicts = append(p.verdicts, j.one(r))
		if was := rep.Rows; p.opts.Progress != nil && (was+r.rows)/progressRows != was/progressRows {
			p.opts.Progress(was + r.rows)
		}
		rep.Rows += r.rows
	}
	if f.Digest != p.digest {
		return nil, fault.Newf(fault.VersionConflict, "%s", p.opts.Lang.Say("%s 在读取时被改动", "%s was changed while it was read", f.Name))
	}
	rep.Blank = f.Blank()
	rep.Rows += rep.Blank
	rep.Entries = len(p.verdicts)
	p.toldApart(rep)
	p.tellShelf(rep, rd.shelved)
	rep.add(p.tellHeadless()...)
	rep.add(j.build.summary()...)
	j.unusedColumns()
	j.unstated()
	j.tellOut()
	if err := p.besides(ctx, f, rep); err != nil {
		return nil, err
	}
	rep.settle()
	return rep, nil
}

func (p *Plan) builder() *builder {
	return &builder{lang: p.opts.Lang, opts: &p.opts, kind: p.Kind, spelling: p.spelling, present: p.present, table: p.table, guessed: len(p.guessed) > 0}
}

// judge holds what the second pass has to remember of the records before.
type judge struct {
	plan   *Plan
	rep    *Report
	build  *builder
	sums   map[[16]byte]int32 // line of the first record with that content
	names  map[[16]byte]int32 // of the first with that owner and name
	ids    map[[16]byte]int32 // of the first with that owner and local code
	out    int                // entries that the list says are withdrawn or not published
	unused map[string]int     // columns with text that have no place with us
}

// one judges r and counts it.
func (j *judge) one(r *record) (v verdict) {
	d, problems, v := j.build.build(r)
	j.plan.native, j.plan.ours = j.plan.native || d.native, j.plan.ours || d.ours
	if d.Entry != nil && d.outOfForce() && v != rejected {
		j.out++
	}
	for _, c := range r.rest {
		if len(j.unused) < 1000 || j.unused[c.name] > 0 { // the bound holds for files of nothing but new keys
			j.unused[c.name]++
		}
	}
	defer func() { j.plan.owned(d, v) }()
	lang := j.plan.opts.Lang
	if at, ok := j.sums[r.sum]; ok && !r.broken {
		v = duplicate
		problems = append(problems, sheet.Problem{
			Line: r.line, Code: fault.Duplicate,
			Message: lang.Say("与第 %d 行完全相同", "the same as line %d", at), Suggestion: lang.Say("不再导入，可以删去", "it is not imported again; it can be deleted"),
		})
	} else {
		j.sums[r.sum] = int32(r.line)
		if p, worse := j.clash(d, r, v); p != nil {
			v, problems = max(v, worse), append(problems, *p)
		}
	}
	j.rep.add(problems...)
	if r.broken {
		j.rep.Broken++
	}
	switch v {
	case accepted:
		j.rep.Accepted++
	case doubtful:
		j.rep.Doubtful++
	case rejected:
		j.rep.Rejected++
	case duplicate:
		j.rep.Duplicates++
	}
	return v
}

// owned counts the drafts of an owner.
func (p *Plan) owned(d *Draft, v verdict) {
	if v == rejected || v == duplicate || d.Owner == "" || namesNobody(d.Owner) {
		return
	}
	if d.Code != "" {
		if p.coded == nil {
			p.coded = make(map[string]string)
		}
		if _, ok := p.coded[d.Owner]; !ok && len(p.coded) < maxOwners {
			p.coded[d.Owner] = d.Code
		}
		return
	}
	if p.owners == nil {
		p.owners = make(map[string]int)
	}
	if len(p.owners) < maxOwners || p.owners[d.Owner] > 0 {
		p.owners[d.Owner]++
	}
}

// Owners returns how many drafts can be imported of each owner that the file names
// without a code, by his name as it is spelt. Texts that name no organisation, such
// as an address or a state, are not among them.
func (p *Plan) Owners() map[string]int { return p.owners }

// Coded returns the codes of the owners that the file names with one, by name; of an
// owner with several the first.
func (p *Plan) Coded() map[string]string { return p.coded }

// clash finds an earlier entry of the same owner with the same name or the same
// code, and other content. The ledger takes one of them; which one is right is for
// a person to say, so the later is rejected; one that can be told apart by its code is
// doubtful. Without an owner nothing clashes: two departments may have an entry of one
// name.
func (j *judge) clash(d *Draft, r *record, v verdict) (p *sheet.Problem, worse verdict) {
	owner := d.Code
	if owner == "" {
		owner, _ = j.build.keys.often(d.Owner)
	}
	if d.Value != nil { // a code is one in its table, whoever keeps it
		owner = d.CodeTable.Id
	}
	if v == rejected || owner == "" {
		return nil, v
	}
	lang := j.plan.opts.Lang
	id := pairSum(owner, d.Local)
	line, taken := j.ids[id]
	if d.Entry != nil && d.state != withdrawn { // what the list says is withdrawn claims no name
		key, _ := j.build.keys.key(d.Entry.Name)
		if n := revival(d.Local); n != "" { // what was withdrawn and came back stands in our exports twice, as X and X.2
			key += "\x00" + n
		}
		sum := pairSum(owner, key)
		at, clashes := j.names[sum]
		switch {
		case clashes && (taken || !j.plan.tellsApart(d, sum)):
			return &sheet.Problem{
				Line: r.line, Field: string(Name), Code: fault.DuplicateName,
				Message:    lang.Say("第 %d 行已有同一单位的同名目录，内容不同", "line %d has an entry of that name and owner, with other content", at),
				Suggestion: j.plan.howToTellApart(d),
			}, rejected
		case clashes:
			p = &sheet.Problem{
				Line: r.line, Field: string(Name), Code: fault.DuplicateName,
				Message:    lang.Say("第 %d 行已有同一单位的同名目录，代码不同：各在名称后加上代码", "line %d has an entry of that name and owner, under another code: each gets its code behind its name", at),
				Suggestion: lang.Say("若是同一数据，删去一条", "if they are the same data, delete one of them"),
			}
			worse = doubtful
		}
		j.names[sum] = int32(r.line)
	}
	if taken {
		return &sheet.Problem{
			Line: r.line, Field: string(Code), Code: fault.AlreadyExists,
			Message:    lang.Say("代码 %s 已用于第 %d 行", "the code %s is used in line %d", d.Local, line),
			Suggestion: lang.Say("核对代码", "see which of them has the code"),
		}, rejected
	}
	j.ids[id] = int32(r.line)
	return p, worse
}

// revival is the number that an id got when it came back; empty if it never did.
func revival(local string) string {
	n := local[strings.LastIndexByte(local, '.')+1:]
	if v, err := strconv.Atoi(n); err != nil || v < 2 || v > maxRevivals+1 || len(n) == len(local) {
		return ""
	}
	return n
}

// unstated tells what the ledger wants of every entry and this file has of none.
func (j *judge) unstated() {
	lang := j.plan.opts.Lang
	if j.plan.Kind == CodeList {
		j.rep.add(j.plan.tellTable())
	}
	if j.plan.Kind != EntryList {
		return
	}
	if !j.plan.present[ShareType] {
		j.rep.add(sheet.Problem{
			Field: string(ShareType), Code: fault.Doubtful,
			Message:    lang.Say("文件没有共享类型", "the file states no share types"),
			Suggestion: lang.Say("导入时用 --share 指定", "name one with --share when you import it"),
		})
	}
	if !j.plan.present[Duties] {
		j.rep.add(sheet.Problem{
			Field: string(Duties), Code: fault.NoDuty,
			Message:    lang.Say("文件没有职责", "the file names no duties"),
			Suggestion: lang.Say("先导入职责，再用 --duty 指定", "import the duties first, then name one with --duty"),
		})
	}
}

// unusedColumns tells, once a column, what of the file has no place with us. It
// stays in the file, and the report says so.
func (j *judge) unusedColumns() {
	names := make([]string, 0, len(j.unused))
	for n := range j.unused {
		names = append(names, n)
	}
	sort.Strings(names)
	lang, sorter := j.plan.opts.Lang, j.build.sorterFor()
	told, more := 0, 0
	for _, n := range names {
		f, places := sorter.fieldOf(n), j.unused[n]
		if f == Serial || f == Ignored {
			continue
		}
		if told++; told > maxUnused {
			more++
			continue
		}
		p := sheet.Problem{Field: n, Code: fault.Doubtful, Suggestion: lang.Say("如有对应字段，用 --map \"%s=字段\"", "if it is one of our fields: --map \"%s=field\"", n)}
		switch {
		case f == Updated || f == Issued:
			p.Message, p.Suggestion = lang.Say("“%s”列的 %d 个日期不是某一天，或与另一列同义，未导入", "%[2]d dates of the column %[1]q say no day, or mean what another column says; they are not imported", n, places), ""
		case f == Contact:
			continue // counted as a whole
		case f != "":
			p.Message = lang.Say("“%s”列表示 %s，其中 %d 处不是可用的取值，或与另一列的内容不同，未导入", "the column %q means %s; in %d places its text is no such value, or another column says something else, and it is not imported", n, f, places)
		default:
			p.Unused = places
			p.Message = lang.Say("“%s”列没有对应的字段，%d 处内容不导入", "the column %q has no field of ours; its text in %d places is not imported", n, places)
		}
		j.rep.add(p)
	}
	if more > 0 {
		j.rep.add(sheet.Problem{Code: fault.Doubtful, Message: lang.Say("另有 %d 列没有对应的字段，其内容不导入", "%d more columns have no field of ours; their text is not imported", more)})
	}
}

func (b *builder) sorterFor() *sorter { return &sorter{lang: b.lang, extra: b.opts.Map, kind: b.kind} }

// reader reads the entries of the plan's file: it sorts records and joins the
// rows that belong to one entry.
type reader struct {
	ctx   context.Context
	file  *sheet.File
	sort  *sorter
	ahead *record
	end   error
	n     int
	codes *unfolder      // of a list of codes
	asked bool           // whether it is one
	queue []sheet.Record // taken out of one record, and not yet given

	shelf   *shelf // the sheet of files; nil for none
	shelved int    // files of it that entries had
}

// read opens the file for one more pass.
func (p *Plan) read(ctx context.Context) (*reader, error) {
	if rd := p.opened; rd != nil {
		p.opened = nil
		return rd, nil
	}
	f, err := sheet.Open(p.Path, sheet.Options{Encoding: p.opts.Encoding, Sheet: p.opts.Sheet, List: nativeLists[p.Kind], Known: known(p.columns), NoHeader: p.opts.NoHeader || p.noHeader, Lang: p.opts.Lang, Like: p.like})
	if err != nil {
		return nil, err
	}
	p.like = f
	return &reader{ctx: ctx, file: f, shelf: p.shelf, sort: &sorter{lang: p.opts.Lang, extra: p.columns, kind: p.Kind}}, nil
}

func (rd *reader) close() { rd.file.Close() }

// one reads one record.
func (rd *reader) one() (*record, error) {
	if rd.n++; rd.n%256 == 0 {
		if err := rd.ctx.Err(); err != nil {
			return nil, fault.Wrap(fault.CodeOf(err), err, "import stopped")
		}
	}
	in, first, err := rd.take()
	if err != nil {
		return nil, err
	}
	r := rd.sort.sort(in)
	if !first {
		r.rows = 0
	}
	return r, nil
}

// next returns the next entry, of one row or more.
func (rd *reader) next() (*record, error) {
	r := rd.ahead
	rd.ahead = nil
	if r == nil {
		if rd.end != nil {
			return nil, rd.end
		}
		var err error
		if r, err = rd.one(); err != nil {
			rd.end = err
			return nil, err
		}
	}
	for r.row && len(r.items) > 0 {
		n, err := rd.one()
		if err != nil {
			rd.end = err
			break
		}
		if !r.continues(n) {
			rd.ahead = n
			break
		}
		r.join(n)
	}
	if rd.shelf != nil {
		rd.shelved += rd.shelf.attach(r)
	}
	return r, nil
}

// Each calls yield for every draft that can be imported, in the order of the
// file; accepted and doubtful ones, those without an owner too. It stops at the
// first error. VersionConflict when the file is no longer the one that was
// planned.
func (p *Plan) Each(ctx context.Context, yield func(*Draft) error) error {
	return p.each(ctx, func(d *Draft, v verdict) error {
		if v == rejected || v == duplicate {
			return nil
		}
		return yield(d)
	})
}

// each is Each for the rejected ones and the repeats, too.
func (p *Plan) each(ctx context.Context, yield func(*Draft, verdict) error) error {
	rd, err := p.read(ctx)
	if err != nil {
		return err
	}
	defer rd.close()
	if rd.file.Digest != p.digest {
		return fault.Newf(fault.VersionConflict, "%s", p.opts.Lang.Say("%s 在预检之后被改动：请重新导入", "%s was changed after it was planned: import it again", rd.file.Name))
	}
	b := p.builder()
	for i := 0; ; i++ {
		r, err := rd.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if i >= len(p.verdicts) {
			return fmt.Errorf("intake: %s has more entries than were planned", p.Path)
		}
		d, _, _ := p.draft(b, r)
		if err := yield(d, p.verdicts[i]); err != nil {
			return err
		}
	}
}
