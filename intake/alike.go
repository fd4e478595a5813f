package intake

import (
	"unicode/utf8"

	"mulian/intake/sheet"
	"mulian/internal/code"
	"mulian/internal/fault"
)

// Portals publish data sets of one title under one organisation, told apart by
// their identifiers alone: one a year, one a branch. The ledger wants names that
// differ. With Options.TellApart, the command line's default, each of them gets its own code behind its name, all
// of them and not the later ones, so that the order of the file does not matter.

// tellsApart reports whether a draft with the name of an earlier entry of its owner
// can be told apart by its code, and notes that the name stands for several.
func (p *Plan) tellsApart(d *Draft, sum [16]byte) bool {
	if !p.opts.TellApart || d.Local == localOf(d.Entry.Name) || utf8.RuneCountInString(withCode(d)) > maxName {
		return false
	}
	if p.alike == nil {
		p.alike = make(map[[16]byte]bool)
	}
	p.alike[sum] = true
	return true
}

// howToTellApart is what helps against two entries of one name and owner: --tell-apart
// where it is off and there are codes, else codes where the list has none.
func (p *Plan) howToTellApart(d *Draft) string {
	lang := p.opts.Lang
	switch {
	case d.Local == localOf(d.Entry.Name):
		return lang.Say("核对哪一条有效；若是不同的数据，改名，或给每条一个代码（已有代码列的用 --map \"表头=code\" 指定）",
			"see which of them holds; if they are different data, rename one, or give each a code of its own (if a column has it: --map \"header=code\")")
	case !p.opts.TellApart:
		return lang.Say("核对哪一条有效，或改名；--tell-apart 在名称后加上各自的代码", "see which of them holds, or rename one; --tell-apart puts their codes behind the names")
	}
	return lang.Say("核对哪一条有效，或改名", "see which of them holds, or rename one")
}

func withCode(d *Draft) string { return d.Entry.Name + "（" + d.Local + "）" }

// nameOf is the owner and the name of a draft as the ledger compares them.
func nameOf(d *Draft) (owner, name string) {
	if d.Entry == nil || d.state == withdrawn {
		return "", ""
	}
	if owner = d.Code; owner == "" {
		owner, _ = code.Key(d.Owner)
	}
	name, _ = code.Key(d.Entry.Name)
	return owner, name
}

// draft builds the draft of r; see [builder.build]. The file was judged before: which
// names stand for several entries is known.
func (p *Plan) draft(b *builder, r *record) (*Draft, []sheet.Problem, verdict) {
	d, problems, v := b.build(r)
	if len(p.alike) == 0 {
		return d, problems, v
	}
	owner, name := nameOf(d)
	if owner == "" || !p.alike[pairSum(owner, name)] || d.Local == localOf(d.Entry.Name) {
		return d, problems, v
	}
	if longer := withCode(d); utf8.RuneCountInString(longer) <= maxName {
		d.Entry.Name = longer
	}
	return d, problems, v
}

// toldApart tells it in the report.
func (p *Plan) toldApart(rep *Report) {
	if n := len(p.alike); n > 0 {
		rep.add(sheet.Problem{
			Field: string(Name), Code: fault.Doubtful,
			Message: p.opts.Lang.Say("%d 个名称在同一单位下各有多条，已在名称后加上代码", "%d names stand for several entries of one owner; each has its code behind its name", n),
		})
	}
}
