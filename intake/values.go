package intake

import (
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake/sheet"
	"mulian/internal/code"
	"mulian/internal/fault"
)

// A list of codes has nothing but codes and what they mean, and perhaps the codes
// above them. Its header says so: every column is one of these.
//
//	code, name [, parent …]                    provinceCode, cityCode: the nearest is the parent
//	code, name, province, city, area           the digits of the code, one column a level
//	A Name, B Name, A Code, B Code [, …Code]   two levels in each row: B's code is "A:B"

// levels are the columns of codes above, from the nearest to the farthest.
var levels = []string{"parent", "areacode", "citycode", "provincecode", "countycode", "districtcode", "上级代码", "父代码", "父级代码"}

// digits are the columns that hold parts of the code.
var digits = map[string]bool{"province": true, "city": true, "area": true, "town": true, "street": true}

// codeColumns says how a header is one of a list of codes.
type codeColumns struct {
	code, name, parent string
	upperCode          string // of two levels in each row
	upperName          string
	parts              []string // columns whose texts together are the parent
}

var pairColumn = regexp.MustCompile(`(?i)^(.+?) ?(name|code)$`)

// codeList looks at a header. ok is false for what lists anything else.
func codeList(header []string) (c codeColumns, ok bool) {
	byKey := make(map[string]string)
	for _, h := range header {
		k := headerKey(h)
		if k == "" || byKey[k] != "" {
			return c, false
		}
		byKey[k] = h
	}
	c.code, c.name = either(byKey, "code", "代码", "编码", "代码值"), either(byKey, "name", "名称", "代码名称", "代码含义")
	if c.code == "" || c.name == "" {
		return twoLevels(header)
	}
	for k, h := range byKey {
		switch {
		case h == c.code, h == c.name:
		case digits[k]:
		case contains(levels, k):
		default:
			return c, false
		}
	}
	c.parent = either(byKey, levels...)
	if c.parent == "" && byKey["province"] != "" && byKey["city"] != "" {
		c.parts = []string{byKey["province"], byKey["city"]}
	}
	return c, len(header) >= 2
}

func either(byKey map[string]string, keys ...string) string {
	for _, k := range keys {
		if h := byKey[k]; h != "" {
			return h
		}
	}
	return ""
}

// twoLevels looks for "Agency Name, Bureau Name, Agency Code, Bureau Code".
func twoLevels(header []string) (c codeColumns, ok bool) {
	var names []string
	columns := make(map[string]string)
	for _, h := range header {
		m := pairColumn.FindStringSubmatch(strings.TrimSpace(h))
		if m == nil {
			return c, false
		}
		kind, what := strings.ToLower(m[2]), strings.ToLower(m[1])
		columns[kind+" "+what] = h
		if kind == "name" {
			names = append(names, what)
		}
	}
	if len(names) != 2 || columns["code "+names[0]] == "" || columns["code "+names[1]] == "" {
		return c, false
	}
	return codeColumns{
		code: columns["code "+names[1]], name: columns["name "+names[1]],
		upperCode: columns["code "+names[0]], upperName: columns["name "+names[0]],
	}, true
}

// unfolder makes records of codes of the rows: under our names of fields, and one
// more for each code of the upper level, before the first that belongs to it.
type unfolder struct {
	columns codeColumns
	seen    map[string]bool
}

func (u *unfolder) unfold(in sheet.Record) []sheet.Record {
	text := make(map[string]string, len(in.Fields))
	for _, f := range in.Fields {
		text[f.Name] = strings.TrimSpace(f.Text)
	}
	if len(in.Fields) == 0 {
		return []sheet.Record{in}
	}
	c := u.columns
	own, parent := text[c.code], text[c.parent]
	for _, p := range c.parts {
		parent += text[p]
	}
	if parent == own {
		parent = ""
	}
	var out []sheet.Record
	if upper := text[c.upperCode]; c.upperCode != "" {
		own, parent = upper+":"+own, upper
		if !u.seen[upper] && upper != "" {
			if len(u.seen) < maxOwners {
				u.seen[upper] = true
			}
			out = append(out, codeRecord(in, nil, upper, text[c.upperName], ""))
		}
	}
	used := map[string]bool{c.code: true, c.name: true, c.parent: true, c.upperCode: true, c.upperName: true}
	for _, p := range c.parts {
		used[p] = true
	}
	var rest []sheet.Field
	for _, f := range in.Fields {
		if !used[f.Name] && !digits[headerKey(f.Name)] && !contains(levels, headerKey(f.Name)) {
			rest = append(rest, f)
		}
	}
	rec := codeRecord(in, rest, own, text[c.name], parent)
	rec.Problems = in.Problems
	return append(out, rec)
}

func codeRecord(in sheet.Record, rest []sheet.Field, own, name, parent string) sheet.Record {
	return sheet.Record{Line: in.Line, Broken: in.Broken, Fields: append([]sheet.Field{
		{Name: string(ValueCode), Text: own}, {Name: string(ValueName), Text: name}, {Name: string(ValueParent), Text: parent},
	}, rest...)}
}

// value fills d from r: one value of a code table. A code that a spreadsheet has
// ruined is no code: unlike an entry, a value has nothing else to be known by.
func (b *builder) value(d *Draft, r *record) {
	text := strings.TrimSpace(r.text(ValueCode))
	v := &cataloguev1.Code{Code: text, Name: oneLine(r.text(ValueName)), Parent: oneLine(r.text(ValueParent))}
	d.Value, d.CodeTable, d.Local = v, b.table, text
	b.ownerCode(d, r)
	d.Owner = r.text(Owner)
	damage := code.DamageOf(text)
	switch {
	case text == "":
		b.tell(rejected, r, ValueCode, fault.Missing, b.lang.Say("没有代码", "there is no code"), b.lang.Say("补上代码", "add it"))
	case damage == code.Exponent || damage == code.Decimal || damage == code.ErrorText:
		b.tell(rejected, r, ValueCode, fault.CodeDamaged, b.lang.Say("代码 %s 已被表格软件改成数字，原值丢失", "the code %s was turned into a number by a spreadsheet; it is lost", text),
			b.lang.Say("在源表中把该列设为文本后重新导出", "make the column text in the source and export again"))
	case len(text) > maxLocal || strings.ContainsAny(text, "/\t\n\r\ufffd"):
		b.tell(rejected, r, ValueCode, fault.Malformed, b.lang.Say("“%s”不能作代码", "%q cannot be a code", brief(text)), b.lang.Say("至多 64 字节，不含斜线", "at most 64 bytes, without a slash"))
	}
	if len(v.Parent) > maxLocal {
		v.Parent = ""
		r.rest = append(r.rest, r.fields[ValueParent])
	}
	switch {
	case v.Name == "" || placeholder.MatchString(v.Name):
		b.tell(rejected, r, ValueName, fault.Missing, b.lang.Say("代码 %s 没有含义", "the code %s has no meaning", text), b.lang.Say("补上名称", "add its name"))
	case utf8.RuneCountInString(v.Name) > maxName:
		b.tell(doubtful, r, ValueName, fault.TooLong, b.lang.Say("超过 %d 字，其后部分不导入", "longer than %d characters; the rest is not imported", maxName), "")
		v.Name = first(v.Name, maxName)
	}
}

var chineseRegion = regexp.MustCompile(`^[1-8][0-9]([0-9]{2}([0-9]{2}([0-9]{3})?)?)?$`)

// tableFor names the table that a file of codes is: as a person says, by the form of
// its codes where that is the one of the administrative divisions, else by the file.
func tableFor(file, said string, codes []string) (t *cataloguev1.CodeTable, guessed bool) {
	if said != "" {
		return &cataloguev1.CodeTable{Id: said, Name: said}, false
	}
	base := filepath.Base(file)
	for _, end := range []string{".gz", ".zip", ".csv", ".json", ".xlsx", ".xls", ".txt"} {
		base = strings.TrimSuffix(base, end)
	}
	base = first(oneLine(strings.ToValidUTF8(base, "")), 30)
	longest := 0
	if len(codes) == 0 {
		longest = -1
	}
	for _, c := range codes {
		if !chineseRegion.MatchString(c) || len(c) <= 6 && code.CheckRegion((c + "010101")[:max(6, len(c))]) != nil {
			longest = -1
			break
		}
		longest = max(longest, len(c))
	}
	switch {
	case longest == 9:
		return &cataloguev1.CodeTable{Id: "GB/T 10114", Name: "县级以下行政区划代码", Standard: "GB/T 10114"}, true
	case longest > 0:
		return &cataloguev1.CodeTable{Id: "GB/T 2260", Name: "中华人民共和国行政区划代码", Standard: "GB/T 2260"}, true
	case base == "":
		base = "codes"
	}
	return &cataloguev1.CodeTable{Id: base, Name: base}, false
}

// tellTable says which table a list of codes was taken for.
func (p *Plan) tellTable() sheet.Problem {
	lang := p.opts.Lang
	out := sheet.Problem{
		Field: "code_table", Code: fault.Doubtful,
		Message:    lang.Say("代码表以文件命名为 %s", "the code table is named after the file: %s", p.table.Id),
		Suggestion: lang.Say("另有名称的用 --code-table 指定", "if it has another name: --code-table"),
	}
	if p.tableGuessed {
		out.Message = lang.Say("代码的形式是行政区划代码，归入代码表 %s", "its codes have the form of the administrative divisions: it is taken for the code table %s", p.table.Id)
	} else if p.opts.CodeTable != "" {
		out.Message, out.Suggestion = lang.Say("代码表 %s", "code table %s", p.table.Id), ""
	}
	return out
}
