package intake

import (
	"context"
	"errors"
	"io"
	"unicode/utf8"

	"mulian/intake/sheet"
	"mulian/internal/code"
	"mulian/internal/fault"
)

// Portals publish data sets of one title under one organisation, told apart by
// their identifiers alone: one a year, one a branch. The ledger wants names that
// differ. With Options.TellApart each of them gets its own code behind its name, all
// of them and not the later ones, so that the order of the file does not matter.

// alike finds the names that stand for several entries of one owner.
func (p *Plan) findAlike(ctx context.Context) error {
	if !p.opts.TellApart || p.Kind != EntryList {
		return nil
	}
	rd, err := p.read(ctx)
	if err != nil {
		return err
	}
	defer rd.close()
	b := p.builder()
	first := make(map[[16]byte][16]byte) // owner and name -> owner and code of the first
	p.alike = make(map[[16]byte]bool)
	for {
		r, err := rd.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		d, _, _ := b.build(r)
		owner, name := nameOf(d)
		if owner == "" || name == "" {
			continue
		}
		sum, id := pairSum(owner, name), pairSum(owner, d.Local)
		if other, ok := first[sum]; !ok {
			first[sum] = id
		} else if other != id {
			p.alike[sum] = true
		}
	}
}

// nameOf is the owner and the name of a draft as the ledger compares them.
func nameOf(d *Draft) (owner, name string) {
	if d.Entry == nil {
		return "", ""
	}
	if owner = d.Code; owner == "" {
		owner, _ = code.Key(d.Owner)
	}
	name, _ = code.Key(d.Entry.Name)
	return owner, name
}

// draft builds the draft of r; see [builder.build].
func (p *Plan) draft(b *builder, r *record) (*Draft, []sheet.Problem, verdict) {
	d, problems, v := b.build(r)
	if len(p.alike) == 0 {
		return d, problems, v
	}
	owner, name := nameOf(d)
	if owner == "" || !p.alike[pairSum(owner, name)] || d.Local == localOf(d.Entry.Name) {
		return d, problems, v
	}
	if longer := d.Entry.Name + "（" + d.Local + "）"; utf8.RuneCountInString(longer) <= maxName {
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
