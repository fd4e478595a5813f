package intake

import (
	"net/url"
	"strings"
	"unicode/utf8"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake/sheet"
	"mulian/internal/code"
	"mulian/internal/fault"
)

// matter fills d from r: one thing that people come for. Its code is its own id on
// the ledger, so one without a code is given one from its name.
func (b *builder) matter(d *Draft, r *record) {
	m := &cataloguev1.Matter{}
	d.Matter = m
	m.Name = b.name(r, MatterName, maxTitle)
	b.owner(d, r)
	text := oneLine(r.text(MatterCode))
	switch {
	case text == "":
		m.Code = localOf(m.Name)
		b.tell(doubtful, r, MatterCode, fault.Missing, b.lang.Say("没有事项编码，由名称生成", "there is no code; one was derived from the name"), b.lang.Say("补上事项编码", "add the code"))
	case code.DamageOf(text) != 0 && code.DamageOf(text) != code.Rounded:
		m.Code = localOf(m.Name)
		b.tell(doubtful, r, MatterCode, fault.CodeDamaged, b.lang.Say("代码 %s 已被表格软件改成数字，原值丢失", "the code %s was turned into a number by a spreadsheet; it is lost", text),
			b.lang.Say("在源表中把该列设为文本后重新导出", "make the column text in the source and export again"))
	case len(text) > maxMatterCode || !localCode.MatchString(text):
		m.Code = localOf(text)
		b.tell(doubtful, r, MatterCode, fault.Malformed, b.lang.Say("事项编码“%s”不能作编号，另行生成", "the code %q cannot be an id; another was derived from it", brief(text)), "")
	default:
		m.Code = text
	}
	d.Local = m.Code
	m.PowerType = b.power(r, MatterPower)
	m.Category = b.cut(r, MatterCategory, maxMatterCategory)
	if guide := oneLine(r.text(MatterGuide)); linkable(guide) {
		m.Guide = guide
	} else if guide != "" {
		r.rest = append(r.rest, r.fields[MatterGuide])
	}
	for _, in := range split(r.text(MatterInputs)) {
		if len(m.Inputs) < maxInputs && !contains(m.Inputs, in) {
			m.Inputs = append(m.Inputs, first(in, maxInput))
		}
	}
	d.DutyRefs = split(r.text(Duties))
}

// unfold takes a record apart that holds many matters: a department with its groups
// and what is in them, as service portals write them for their own pages:
//
//	{"department":…, "items":[{"main_item":…, "sub_items":[{"name":…, "link":…}]}]}
//
// Each matter becomes a record of its own, under our names of fields; the address of
// its page says its code, its power type and its department's code. It returns nil
// for any other record.
func unfold(in sheet.Record) []sheet.Record {
	owner, groups := "", []sheet.Field(nil)
	for _, f := range in.Fields {
		switch {
		case f.Column > 0:
			return nil
		case len(f.Parts) > 0 && groupsOf(f.Parts):
			groups = f.Parts
		case len(f.Parts) == 0 && owner == "":
			owner = f.Text
		}
	}
	if owner == "" || groups == nil {
		return nil
	}
	var out []sheet.Record
	for _, g := range groups {
		title, list := "", []sheet.Field(nil)
		for _, f := range g.Parts {
			switch {
			case len(f.Parts) > 0:
				list = f.Parts
			case title == "":
				title = f.Text
			}
		}
		for _, m := range list {
			out = append(out, sheet.Record{Line: in.Line, Problems: in.Problems, Fields: matterFields(owner, title, m.Parts)})
		}
	}
	return out
}

// groupsOf reports whether each of a list is a group: a text and a list of objects
// with a name and an address.
func groupsOf(groups []sheet.Field) bool {
	found := false
	for _, g := range groups {
		for _, f := range g.Parts {
			if len(f.Parts) == 0 {
				continue
			}
			name, link := "", ""
			for _, p := range f.Parts[0].Parts {
				switch p.Name {
				case "name", "title":
					name = p.Text
				case "link", "url", "href":
					link = p.Text
				}
			}
			if name == "" || link == "" {
				return false
			}
			found = true
		}
	}
	return found
}

// matterFields are the fields of one matter. What its address says is read from it
// and nothing is guessed: an organisation's code is taken when it is one, or when the
// matter's code holds one that agrees with the short code of the department.
func matterFields(owner, group string, parts []sheet.Field) []sheet.Field {
	out := []sheet.Field{{Name: string(Owner), Text: owner}}
	put := func(f Field, text string) {
		if text != "" {
			out = append(out, sheet.Field{Name: string(f), Text: text})
		}
	}
	if group != "未分类" {
		put(MatterCategory, group)
	}
	for _, p := range parts {
		switch p.Name {
		case "name", "title":
			put(MatterName, p.Text)
		case "link", "url", "href":
			put(MatterGuide, p.Text)
			u, err := url.Parse(p.Text)
			if err != nil {
				continue
			}
			q := u.Query()
			put(MatterCode, q.Get("itemCode"))
			put(MatterPower, q.Get("taskType"))
			put(OwnerCode, creditCodeIn(q.Get("deptCode"), q.Get("itemCode")))
		default:
			out = append(out, p)
		}
	}
	return out
}

// creditCodeIn finds the 统一社会信用代码 of a department: its code, or the part of the
// matter's code that holds the department's short code in its places 9 to 17.
func creditCodeIn(department, matter string) string {
	if c := code.Clean(department); code.CheckUSCC(c) == nil {
		return c
	}
	short := strings.ReplaceAll(code.Clean(department), "-", "")
	for _, part := range strings.Split(matter, "-") {
		c := code.Clean(part)
		if utf8.RuneCountInString(c) == code.USCCLength && code.CheckUSCC(c) == nil && len(short) == 9 && c[8:17] == short {
			return c
		}
	}
	return ""
}
