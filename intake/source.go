package intake

import (
	"strconv"
	"strings"
	"unicode/utf8"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake/sheet"
	"mulian/internal/fault"
)

// An entry remembers where it was imported from: its origin is
//
//	<source>#<identifier>
//
// The source is the label of the catalogue, the same for each of its versions. The
// identifier is the file's own, or, in a file without any, the local part of the id
// with the owner as the file spells him. The origin stands on the ledger, so that
// an import from another machine knows what an earlier one of this source brought.

// originOf is the origin of a draft. An identifier that is too long is replaced by
// one derived from it.
func originOf(source string, d *Draft) string {
	if source == "" {
		return d.Entry.GetOrigin()
	}
	name := d.Local
	if d.ours && strings.Contains(d.Entry.GetOrigin(), "#") {
		return d.Entry.Origin // an export tells where the entry came from; it came from there still
	}
	switch {
	case d.Entry.GetOrigin() != "":
		name = strings.TrimPrefix(d.Entry.Origin, source+"#") // taken twice it stays
	case d.Local == localOf(d.Entry.GetName()):
		name += "@" + oneLine(d.Owner)
	}
	if utf8.RuneCountInString(source)+1+utf8.RuneCountInString(name) > maxOrigin {
		name = localOf(name)
	}
	return source + "#" + name
}

// sourceOf is the source of an origin.
func sourceOf(origin string) string {
	source, _, ok := strings.Cut(origin, "#")
	if !ok {
		return ""
	}
	return source
}

// place gives an entry its origin, and another id where the ledger has withdrawn
// the one that it would have: an id is never used again. It returns why the entry is
// held back, or nil.
func (a *apply) place(d *Draft) *sheet.Problem {
	d.Entry.Origin = originOf(a.target.Source, d)
	id, revived := a.living(d.Entry.Id)
	if id != d.Entry.Id && revived && !a.target.Revive {
		return &sheet.Problem{
			Line: d.Line, Code: fault.IllegalTransition,
			Message:    a.plan.opts.Lang.Say("目录 %s 已在账本上撤销，暂不提交", "entry %s was withdrawn on the ledger; it is held back", d.Entry.Id),
			Suggestion: a.plan.opts.Lang.Say("确需恢复用 --revive：以新编号提交", "to bring it back, under a new id: --revive"),
		}
	}
	d.Entry.Id = id
	sum := pairSum(d.Code, id)
	if at, ok := a.lines[sum]; ok {
		return &sheet.Problem{
			Line: d.Line, Field: string(Owner), Code: fault.AlreadyExists,
			Message:    a.plan.opts.Lang.Say("与第 %d 行是同一条目录：单位的写法不同", "the same entry as in line %d: the owner is spelt in another way", at),
			Suggestion: a.plan.opts.Lang.Say("核对哪一条有效", "see which of them holds"),
		}
	}
	a.lines[sum] = d.Line
	return nil
}

// living is the id under which the ledger has an entry, or would take it: id itself,
// or, as often as it was withdrawn, id with .2, .3 and so on. revived tells that
// nothing is there yet under another than id.
func (a *apply) living(id string) (free string, revived bool) {
	free = id
	for n := 2; n < maxRevivals; n++ {
		have, ok := a.known(free)
		if !ok || !have.Withdrawn {
			return free, !ok && free != id
		}
		org, local, _ := strings.Cut(id, ":")
		suffix := "." + strconv.Itoa(n)
		if len(local)+len(suffix) > maxLocal {
			local = localOf(local)
		}
		free = org + ":" + local + suffix
	}
	return free, true
}

// settle says what of d is to be sent: nothing where the ledger has it already, else
// what the list states laid over what the ledger has; or why it is not d's to change.
// What another source brought stays as that one has it: two lists that differ in what
// they say of one entry would else change it back and forth for ever. An export of
// ours belongs to no source of its own: with it a department changes what it has.
func (a *apply) settle(d *Draft, content [32]byte, have Standing) (same bool, why *sheet.Problem, err error) {
	if have.Content == content {
		return true, nil, nil
	}
	if d.Entry == nil {
		return false, nil, nil
	}
	mine := d.Entry.Origin
	source := sourceOf(have.Origin)
	version := source != "" && source == a.target.Source
	next, kept := d.Entry, []string(nil)
	if a.target.Entry != nil {
		old, err := a.target.Entry(d.Entry.Id)
		if err != nil {
			return false, nil, err
		}
		l := layer{d: d, table: old.Table, same: version, whole: !d.ours && (version || a.target.TakeOver), columns: a.columns}
		next = l.over(old)
		kept = l.kept
	}
	next.Origin = have.Origin
	sum, err := contentOf(next)
	if err != nil {
		return false, nil, err
	}
	if sum == have.Content {
		a.tellKept(d, kept)
		return true, nil, nil // it came by another way, and says the same
	}
	foreign := mine != have.Origin && source != a.target.Source && (source != "" || have.Origin == "") // another source's, or the department's own
	switch {
	case a.target.TakeOver && d.ours:
		next.Origin = originOf(a.target.Source, &Draft{Local: d.Local, Entry: &cataloguev1.Entry{Name: d.Entry.Name}, Owner: d.Owner})
	case a.target.TakeOver, !d.ours && !foreign:
		next.Origin = mine
	case d.ours:
	default:
		return false, a.belongs(d, source), nil
	}
	d.Entry = next
	a.tellKept(d, kept)
	return false, nil, nil
}

// belongs says whose an entry is that this list may not change.
func (a *apply) belongs(d *Draft, source string) *sheet.Problem {
	lang := a.plan.opts.Lang
	p := &sheet.Problem{
		Line: d.Line, Field: string(Name), Code: fault.AlreadyExists,
		Message:    lang.Say("“%s”由部门自己编目，内容与来源 %s 不同，暂不提交", "%q is the department's own, and %s has other content; it is held back", brief(d.Entry.Name), a.target.Source),
		Suggestion: lang.Say("以本文件为准用 --take-over", "if this file holds: --take-over"),
	}
	if source != "" {
		p.Message = lang.Say("“%s”已由来源 %s 导入，内容不同，暂不提交", "%q was imported from %s, with other content; it is held back", brief(d.Entry.Name), source)
	}
	return p
}
