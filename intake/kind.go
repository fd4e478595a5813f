package intake

import (
	"slices"
	"strings"

	"mulian/intake/sheet"
	"mulian/internal/fault"
)

// glance is what the first pass keeps of the records for its own words: what their
// keys are, whether any could be read, and the first codes.
type glance struct {
	keys   []string // of the first records, in order, at most maxKeysTold
	codes  []string
	read   int // records that could be read
	broken *sheet.Problem
}

// at looks at one record.
func (g *glance) at(r *record) {
	if r.broken {
		if g.broken == nil && len(r.problems) > 0 {
			g.broken = &r.problems[0]
		}
		return
	}
	if g.read++; g.read > surveyRecords {
		return
	}
	if c := r.text(ValueCode); c != "" {
		g.codes = append(g.codes, c)
	}
	for _, c := range r.rest {
		if c.name != "" && len(g.keys) < maxKeysTold && !slices.Contains(g.keys, c.name) {
			g.keys = append(g.keys, c.name)
		}
	}
}

// needName refuses a file in which nothing has a name, and says what is in it.
func (p *Plan) needName(present map[Field]bool, f *sheet.File) error {
	want := map[Kind]Field{EntryList: Name, DutyList: DutyName, OrgList: OrgName, MatterList: MatterName, CodeList: ValueName}[p.Kind]
	if present[want] {
		return nil
	}
	lang, g := p.opts.Lang, p.glance
	switch {
	case g.broken != nil: // what is wrong with the file comes before what it lacks
		none := lang.Say("%s 中没有可以读取的记录。", "no record of %s can be read. ", f.Name)
		if g.read > 0 {
			none = lang.Say("%s 的 %d 条可读记录都没有名称，其余不能读取。", "%s: no record that can be read (%d) has a name, and the rest cannot be read. ", f.Name, g.read)
		}
		return fault.Newf(g.broken.Code, "%s", none+lang.Say("第 %d 行：%s", "Line %d: %s", g.broken.Line, g.broken.Message))
	case g.read == 0:
		return fault.Newf(fault.Empty, "%s", lang.Say("%s 中没有记录", "there is no record in %s", f.Name))
	}
	columns := f.Header
	if len(columns) == 0 {
		columns = g.keys
	}
	found := briefly(columns)
	if f.Format != "csv" && f.Format != "xlsx" && f.Format != "xls" {
		return fault.Newf(fault.Missing, "%s", lang.Say(
			"%s 的 %d 条记录中没有可作名称的键（有：%s）：它可能不是目录。若是，用 --map \"对方的键=%s\" 指定",
			"none of the %[2]d records of %[1]s has a key that can be the name (there are: %[3]s): perhaps it is no catalogue. If it is, name it: --map \"their key=%[4]s\"", f.Name, g.read, found, want))
	}
	return fault.Newf(fault.Missing, "%s", lang.Say(
		"%s 中没有可作名称的列（有：%s）。用 --map \"对方的表头=%s\" 指定",
		"no column of %s can be the name (there are: %s). Name it: --map \"their header=%s\"", f.Name, found, want))
}

// briefly lists some names.
func briefly(names []string) string {
	more := ""
	if len(names) > maxKeysTold {
		names, more = names[:maxKeysTold], " …"
	}
	short := make([]string, len(names))
	for i, n := range names {
		short[i] = brief(oneLine(n))
	}
	return strings.Join(short, ", ") + more
}

// take returns the next record, out of one that holds many where it does: matters
// in their departments, codes of two levels in a row.
//
// first is true for the first of them: the file has one row, or one value, for all.
func (rd *reader) take() (rec sheet.Record, first bool, err error) {
	if len(rd.queue) == 0 {
		in, err := rd.file.Next()
		if err != nil {
			return in, false, err
		}
		rd.queue, first = rd.unfolded(in), true
	}
	rec = rd.queue[0]
	rd.queue = rd.queue[1:]
	return rec, first, nil
}

func (rd *reader) unfolded(in sheet.Record) []sheet.Record {
	kind := rd.sort.kind
	if kind == 0 || kind == MatterList {
		if many := unfold(in); len(many) > 0 {
			return many
		}
	}
	if (kind == 0 || kind == CodeList) && !rd.asked && !in.Broken {
		rd.asked = true
		names := make([]string, len(in.Fields))
		for i, f := range in.Fields {
			names[i] = f.Name
		}
		if c, ok := codeList(names); ok && len(rd.sort.extra) == 0 {
			rd.codes = &unfolder{columns: c, seen: make(map[string]bool)}
		}
	}
	if rd.codes != nil && !in.Broken {
		return rd.codes.unfold(in)
	}
	return []sheet.Record{in}
}
