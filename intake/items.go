package intake

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/code"
	"mulian/internal/fault"
)

// items reads the items of an entry: one from each row where the sheet has a row
// for each, else from a text that lists their names. A text that is no list, such
// as a sentence, is left alone: what it says stays in the abstract's place.
func (b *builder) items(e *cataloguev1.Entry, r *record) {
	switch {
	case len(r.items) > 0:
		b.itemRows(e, r)
	case r.text(Items) != "":
		b.itemList(e, r)
	}
}

func (b *builder) itemRows(e *cataloguev1.Entry, r *record) {
	taken := make(map[string]bool)
	for _, row := range r.items {
		text := func(f Field) string { return oneLine(row[f].text) }
		name := text(ItemName)
		if utf8.RuneCountInString(name) > maxItemName {
			b.tell(doubtful, r, ItemName, fault.TooLong, b.lang.Say("信息项“%s”的名称过长", "the name of the item %q is too long", brief(name)), "")
			name = string([]rune(name)[:maxItemName])
		}
		it := &cataloguev1.Item{Name: name, TechnicalName: first(text(ItemTechnical), 100), Code: text(ItemCode)}
		if it.Code == "" || len(it.Code) > maxLocal {
			it.Code = itemCode(it.TechnicalName, name)
		}
		if taken[it.Code] {
			b.tell(doubtful, r, ItemName, fault.AlreadyExists, b.lang.Say("信息项“%s”重复，只取第一个", "the item %q is there twice; the first one counts", brief(name)), "")
			continue
		}
		taken[it.Code] = true
		formItem(it, text)
		for f, path := range map[Field]string{ItemKey: "primary_key", ItemMark: "watermark"} {
			if isNo(text(f)) {
				b.blank = append(b.blank, "items."+it.Code+"/"+path)
			}
		}
		if n, err := strconv.ParseUint(strings.TrimSuffix(text(ItemLength), ".0"), 10, 32); err == nil {
			it.Length = uint32(n)
		}
		if t, err := code.ColumnTypes.Parse(text(ItemType)); err == nil {
			it.Type = columnType(t)
		} else if s := text(ItemType); s == "bytes" || s == "json" { // of ours, which the code list does not have
			it.Type = s
		}
		if t, err := code.ShareTypes.Parse(text(ItemShare)); err == nil {
			if it.ShareType = cataloguev1.ShareType(t); it.ShareType < e.ShareType {
				b.tell(rejected, r, ItemShare, fault.CodeInconsistent, b.lang.Say("信息项“%s”的共享类型比整条目录宽", "the item %q is shared more freely than its entry", brief(name)), b.lang.Say("收紧该项，或放宽整条", "tighten the item or loosen the entry"))
			}
		}
		if t, err := code.OpenTypes.Parse(text(ItemOpen)); err == nil {
			it.OpenType = cataloguev1.OpenType(t)
		}
		e.Items = append(e.Items, it)
	}
}

// itemList reads names in one cell. It is a list if it has two parts or more, and
// each is as short as a name.
func (b *builder) itemList(e *cataloguev1.Entry, r *record) {
	text := strings.NewReplacer(`\r`, "\n", `\n`, "\n", `\t`, "\n").Replace(r.text(Items))
	parts := split(strings.TrimRight(text, "。.等 "))
	for _, p := range parts {
		if utf8.RuneCountInString(p) > 40 || strings.Contains(p, "。") {
			b.tell(accepted, r, Items, fault.Doubtful, b.lang.Say("信息项说明不是名称列表，未导入", "the text on items is no list of names; it is not imported"), b.lang.Say("一格一项，或用顿号分隔", "write one item a row, or separate them with commas"))
			return
		}
	}
	if len(parts) > maxItems {
		b.tell(doubtful, r, Items, fault.TooLong, b.lang.Say("信息项超过 %d 个，其余不导入", "more than %d items; the rest is not imported", maxItems), "")
		parts = parts[:maxItems]
	}
	taken := make(map[string]bool)
	for _, p := range parts {
		c := itemCode("", p)
		if !taken[c] {
			taken[c] = true
			e.Items = append(e.Items, &cataloguev1.Item{Code: c, Name: p})
		}
	}
}

var technical = regexp.MustCompile(`^[A-Za-z][0-9A-Za-z_]*$`)

// itemCode is the technical name where it can be a code, else it is derived from
// the name, as the local part of an entry's id is.
func itemCode(technicalName, name string) string {
	if technical.MatchString(technicalName) && len(technicalName) <= maxLocal {
		return technicalName
	}
	if technical.MatchString(name) && len(name) <= maxLocal {
		return name
	}
	return localOf(name)
}

// columnType is the logical type of the schema for a type of the field systems.
func columnType(t code.ColumnType) string {
	switch t {
	case code.ColumnNumber:
		return "integer"
	case code.ColumnText:
		return "text"
	case code.ColumnDate:
		return "date"
	case code.ColumnDateTime, code.ColumnTime:
		return "timestamp"
	case code.ColumnBool:
		return "boolean"
	case code.ColumnDecimal:
		return "float"
	case code.ColumnPrecise:
		return "decimal"
	}
	return ""
}

func first(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n])
}

// dateForms are the forms that say one day and no other.
var dateForms = []string{
	"2006-01-02", "2006-1-2", "2006/1/2", "2006.1.2", "2006年1月2日", "20060102", "2006-01", "2006/1", "2006年1月", "2006",
	"2006-01-02 15:04:05", "2006/1/2 15:04:05", "2006-01-02 15:04", "2006/1/2 15:04", "2006-01-02 15:04:05.999999",
	time.RFC3339, time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04:05.999999",
}

var (
	minguo = regexp.MustCompile(`^(?:民國|民国)?([0-9]{2,3})[./年-]([0-9]{1,2})[./月-]([0-9]{1,2})日?$`)
	serial = regexp.MustCompile(`^[1-9][0-9]{4}(\.[0-9]+)?$`)
)

// date looks at a date that says no day. A month or a year alone is in order and
// stays in the file; one that says two days, or none, is a sign of a damaged column,
// and a person should look.
func (b *builder) date(r *record, f Field) {
	text := r.text(f)
	r.rest = append(r.rest, r.fields[f])
	for _, form := range dateForms {
		if t, err := time.Parse(form, text); err == nil && t.Year() >= 1900 && t.Year() < 2100 {
			return
		}
	}
	hint := b.lang.Say("写成 2020-12-31", "write 2020-12-31")
	if m := minguo.FindStringSubmatch(text); m != nil {
		if y, _ := strconv.Atoi(m[1]); y >= 80 && y < 200 {
			hint = b.lang.Say("是否为民国纪年，即 %s？", "is it a year of the Republic, that is %s?", fmt.Sprintf("%d-%02s-%02s", y+1911, m[2], m[3]))
		}
	} else if serial.MatchString(text) {
		days, _ := strconv.ParseFloat(text, 64)
		hint = b.lang.Say("是否为表格软件的日序号，即 %s？", "is it a spreadsheet's day number, that is %s?",
			time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(days)).Format("2006-01-02"))
	}
	b.tell(doubtful, r, f, fault.OutOfRange, b.lang.Say("日期“%s”不能确定是哪一天", "the date %q does not say which day", brief(text)), hint)
}
