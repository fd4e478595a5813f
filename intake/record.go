package intake

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"slices"
	"strings"

	"mulian/intake/sheet"
	"mulian/internal/fault"
)

// cell is one value of a record with the name it had in the file.
type cell struct {
	name string // as the file has it, for messages
	text string
	list bool // the file has it as a list; its members stand on lines
}

// record is one row or object, its values sorted to our fields.
type record struct {
	line      int
	rows      int // rows of the file in it: more than one for an entry with a row for each item
	broken    bool
	row       bool // of a table: the row after it may belong to the same entry
	problems  []sheet.Problem
	fields    map[Field]cell      // the best header of those that have text
	ranks     map[Field]int       // how good that header is
	rest      []cell              // what has no field, or a field that was taken
	items     []map[Field]cell    // one for each row, when the sheet has a row for each item
	seen      map[Field]string    // fields the record has at all, with their header
	sum       [16]byte            // of all names and texts: equal records have equal sums
	native    []sheet.Field       // of our own form: the object as it stands
	linked    bool                // native was made of our own DCAT, which cannot say everything
	files     []map[string]string // the parts of each distribution; at most as many as the ledger takes
	moreFiles int                 // beyond them
	ownFiles  bool                // they are those of our own table, which says of them what the ledger has
	contacts  int                 // names, addresses and numbers of persons; nothing of them is kept
}

// text returns the text of f without the white space around it.
func (r *record) text(f Field) string { return strings.TrimSpace(r.fields[f].text) }

// sorter sorts the values of records to our fields.
type sorter struct {
	lang  sheet.Lang
	extra map[string]Field // of --map
	kind  Kind
	light bool               // for the first pass: what is there, owners and codes; no sums, no files
	keys  map[string]meaning // what headers mean, as far as it was asked before
}

// sort makes a record of what sheet has read.
func (s *sorter) sort(in sheet.Record) *record {
	r := &record{
		line: in.Line, rows: 1, broken: in.Broken, problems: in.Problems,
		fields: make(map[Field]cell), ranks: make(map[Field]int), seen: make(map[Field]string),
	}
	if !s.light {
		r.sum = sumOf(in.Fields)
	}
	r.row = len(in.Fields) > 0 && in.Fields[0].Column > 0
	if s.kind == EntryList && isContract(in.Fields) {
		in.Fields = fromContract(in.Fields)
	} else if s.kind == EntryList && isOwnLinked(in.Fields) {
		in.Fields, r.linked = fromLinked(in.Fields), true
	}
	if isNative(s.kind, in.Fields) {
		s.takeNative(r, in.Fields)
		return r
	}
	for _, f := range in.Fields {
		s.put(r, "", f)
	}
	s.itemRow(r)
	return r
}

// fieldOf is what a header means in a file of this kind.
func (s *sorter) fieldOf(header string) Field { return s.meaning(header).field }

// meaning remembers what it found: a file has few headers and many records.
func (s *sorter) meaning(header string) meaning {
	if len(header) > maxHeader {
		return meaning{}
	}
	m, ok := s.keys[header]
	if !ok {
		m = s.seek(header)
		if s.keys == nil {
			s.keys = make(map[string]meaning)
		}
		if len(s.keys) < maxKeys {
			s.keys[header] = m
		}
	}
	return m
}

// seek looks first at --map, then at the headers that mean different things in
// lists of different kinds.
func (s *sorter) seek(header string) meaning {
	if f, ok := s.extra[headerKey(header)]; ok {
		return meaning{f, -1}
	}
	m := fieldOf(header)
	switch s.kind {
	case OrgList:
		if m.field == Owner || m.field == Name {
			m.field = OrgName
		}
	case DutyList:
		switch m.field {
		case Code:
			m.field = DutyCode
		case Name:
			m.field = DutyName
		case OrgName:
			m.field = Owner
		}
	case EntryList:
		switch m.field {
		case OrgName, OrgParent: // 主管部门 in a list of entries answers for them
			m = meaning{Owner, m.rank + 100}
		case DutyCode, DutyName:
			m.field = Duties
		}
	}
	return m
}

// put sorts one value, with what is packed into it.
func (s *sorter) put(r *record, path string, f sheet.Field) {
	name := f.Name
	if path != "" {
		name = path
		if f.Name != "" {
			name += "." + f.Name
		}
	}
	field := s.fieldOf(name)
	if field == "" && path != "" && wrappers[path] {
		field = s.fieldOf(f.Name)
		name = f.Name
	}
	switch {
	case field == Contact:
		r.contacts += leaves(f)
	case field == Resources && strings.HasPrefix(f.Text, "[") && s.packedFiles(r, name, f.Text):
	case field == Resources && (len(f.Parts) > 0 || linkable(f.Text)):
		s.putFiles(r, name, f)
	case len(f.Parts) > 0 && shifted(f.Parts, s):
		s.putShifted(r, f)
	case len(f.Parts) > 0 && f.Parts[0].Name == "": // a list
		s.putList(r, name, f)
	case len(f.Parts) > 0:
		for _, p := range f.Parts {
			s.put(r, name, p)
		}
	case field == "" && s.packed(f.Text):
		s.putPacked(r, f.Text)
	default:
		r.take(s.meaning(name), cell{name: name, text: f.Text})
	}
}

// take gives a value to its field. Of two with text the better header wins, and
// of equally good ones the first in the file.
func (r *record) take(m meaning, c cell) {
	if m.field != "" {
		if _, ok := r.seen[m.field]; !ok {
			r.seen[m.field] = c.name
		}
	}
	old, taken := r.fields[m.field]
	switch {
	case strings.TrimSpace(c.text) == "":
	case m.field == "":
		r.rest = append(r.rest, c)
	case taken && m.rank >= r.ranks[m.field]:
		if old.text != c.text {
			r.rest = append(r.rest, c)
		}
	default:
		if taken && old.text != c.text {
			r.rest = append(r.rest, old)
		}
		r.fields[m.field], r.ranks[m.field] = c, m.rank
	}
}

// leaves counts the texts in a value that say something.
func leaves(f sheet.Field) int {
	if t := strings.TrimSpace(f.Text); t != "" && !strings.HasPrefix(f.Name, "@") && !placeholder.MatchString(t) {
		return 1
	}
	n := 0
	for _, p := range f.Parts {
		n += leaves(p)
	}
	return n
}

// putFiles takes the distributions: a list of them, or one.
func (s *sorter) putFiles(r *record, name string, f sheet.Field) {
	if r.seen[Resources] = name; s.light {
		return
	}
	list := f.Parts
	if len(f.Parts) == 0 || f.Parts[0].Name != "" {
		list = []sheet.Field{f}
	}
	for _, p := range list {
		if len(r.files) >= maxResources {
			r.moreFiles++
			continue
		}
		r.files = append(r.files, s.fileParts(r, name, p))
	}
}

// pairsOf reports whether a list is one of keys and values, as CKAN's extras are.
func pairsOf(parts []sheet.Field) bool {
	for _, p := range parts {
		if key, value := pairOf(p); key == "" || value.Name == "" {
			return false
		}
	}
	return true
}

func pairOf(p sheet.Field) (key string, value sheet.Field) {
	for _, q := range p.Parts {
		switch q.Name {
		case "key":
			key = q.Text
		case "value":
			value = q
		}
	}
	return key, value
}

// putList joins a list of texts; of a list of objects it joins the texts of
// those keys that mean something, each once: the formats of the distributions.
func (s *sorter) putList(r *record, name string, f sheet.Field) {
	if len(f.Parts[0].Parts) == 0 {
		var texts []string
		for _, p := range f.Parts {
			switch {
			case len(p.Parts) > 0:
				r.rest = append(r.rest, cell{name: name, text: "…"})
			case p.Text != "" && len(texts) < maxItems:
				texts = append(texts, p.Text)
			}
		}
		c := cell{name: name, text: strings.Join(texts, "；"), list: true}
		switch s.fieldOf(name) {
		case Keywords, Languages:
			c.text = strings.Join(texts, "\n")
		case Code: // of several the first is the id
			if c.text = ""; len(texts) > 0 {
				c.text = texts[0]
			}
		}
		r.take(s.meaning(name), c)
		return
	}
	if pairsOf(f.Parts) {
		for _, p := range f.Parts {
			key, value := pairOf(p)
			s.put(r, "", sheet.Field{Name: key, Text: value.Text, Parts: value.Parts})
		}
		return
	}
	if s.fieldOf(name) == Items {
		r.seen[Items] = name
		s.putItems(r, name, f.Parts)
		return
	}
	byKey := make(map[string][]string)
	var keys []string
	for _, p := range f.Parts {
		for _, q := range p.Parts {
			key := name + "." + q.Name
			switch {
			case len(q.Parts) > 0:
				r.rest = append(r.rest, cell{name: key, text: "…"})
			case q.Text == "":
			case s.fieldOf(key) == "":
				r.rest = append(r.rest, cell{name: key, text: q.Text})
			case byKey[key] == nil:
				keys = append(keys, key)
				byKey[key] = []string{q.Text}
			case len(byKey[key]) < maxItems && !slices.Contains(byKey[key], q.Text):
				byKey[key] = append(byKey[key], q.Text)
			}
		}
	}
	for _, k := range keys {
		sep := "；"
		if s.fieldOf(k) == Keywords {
			sep = "\n"
		}
		r.take(s.meaning(k), cell{name: k, text: strings.Join(byKey[k], sep), list: true})
	}
}

// itemKeys are the keys of an item in our own exports and in ODCS, beside the
// headers of a sheet.
var itemKeys = map[string]Field{
	"name": ItemName, "title": ItemName, "label": ItemName, "technicalname": ItemTechnical, "column": ItemTechnical, "physicalname": ItemTechnical,
	"type": ItemType, "logicaltype": ItemType, "length": ItemLength, "code": ItemCode, "id": ItemCode, "sharetype": ItemShare, "opentype": ItemOpen,
}

// putItems reads the items of an object that has them as a list of objects.
func (s *sorter) putItems(r *record, name string, parts []sheet.Field) {
	for _, p := range parts {
		item := make(map[Field]cell)
		for _, q := range p.Parts {
			f, ok := itemKeys[headerKey(q.Name)]
			if g := s.fieldOf(q.Name); strings.HasPrefix(string(g), "item.") {
				f, ok = g, true
			}
			switch {
			case len(q.Parts) > 0:
				r.rest = append(r.rest, cell{name: name + "." + q.Name, text: "…"})
			case q.Text == "":
			case !ok || item[f].text != "":
				r.rest = append(r.rest, cell{name: name + "." + q.Name, text: q.Text})
			default:
				item[f] = cell{name: q.Name, text: q.Text}
			}
		}
		switch {
		case item[ItemName].text == "":
			r.rest = append(r.rest, cell{name: name, text: "…"})
		case len(r.items) < maxItems:
			r.items = append(r.items, item)
		default:
			r.rest = append(r.rest, cell{name: name, text: item[ItemName].text})
		}
	}
}

// packed reports whether a text holds a whole record, as Beijing's portal was
// collected: name TAB value # name TAB value …
func (s *sorter) packed(text string) bool {
	name, _, ok := strings.Cut(text, "\t")
	return ok && s.fieldOf(name) != ""
}

// putPacked takes such a text apart. A part that begins with no name of a field
// belongs to the value before it: values may hold a #. Where blanks stand for
// the tab the value is not taken but proposed: what was meant is for a person to
// say.
func (s *sorter) putPacked(r *record, text string) {
	var names, values []string
	for _, part := range strings.Split(text, "#") {
		name, value, tab := strings.Cut(part, "\t")
		head, tail, _ := strings.Cut(part, " ")
		switch {
		case tab && len(name) < 100 && (s.fieldOf(name) != "" || len(names) > 0 && !strings.ContainsAny(name, " 。，,")):
			names, values = append(names, name), append(values, value)
		case s.fieldOf(head) != "" && strings.TrimSpace(tail) != "":
			field, value := s.fieldOf(head), strings.TrimSpace(tail)
			r.problems = append(r.problems, sheet.Problem{
				Line: r.line, Field: string(field), Code: fault.Malformed,
				Message:    s.lang.Say("“%s”与其值之间缺少分隔符，未取用", "the mark between %q and its value is missing; the value was not taken", head),
				Suggestion: s.lang.Say("是否为 %s？", "is it %s?", value),
			})
		case len(values) > 0:
			values[len(values)-1] += "#" + part
		default:
			r.rest = append(r.rest, cell{name: "", text: part})
		}
	}
	for i, name := range names {
		r.take(s.meaning(name), cell{name: name, text: values[i]})
	}
}

// shifted reports whether the keys of an object have slipped by one, as in 3,079
// of Guangxi's 5,411 entries: a blank value was dropped when keys and values were
// paired off, so that from there on each value stands as the key of the next name:
//
//	"所属行业": "发布时间", "2021-04-21 09:51:58": "最后更新时间", …
//
// Two names in the place of values, and one value in the place of a key, are the
// evidence.
func shifted(parts []sheet.Field, s *sorter) bool {
	slipped, strays := 0, 0
	for _, p := range parts {
		if len(p.Text) > maxHeader || s.fieldOf(p.Text) == "" || equalHeaders(p.Name, p.Text) {
			continue
		}
		if slipped++; s.fieldOf(p.Name) == "" {
			strays++
		}
	}
	return slipped >= 2 && strays >= 1
}

func equalHeaders(a, b string) bool { return headerKey(a) == headerKey(b) }

// putShifted pairs them again: what is a name of a field begins a pair, and what
// follows is its value unless it is a name itself. The entry is doubtful.
func (s *sorter) putShifted(r *record, f sheet.Field) {
	var words []string
	for _, p := range f.Parts {
		words = append(words, p.Name, p.Text)
	}
	var guessed []string
	isName := func(w string) bool { return s.fieldOf(w) != "" || slices.Contains(slippedNames, w) }
	for i := 0; i < len(words); i++ {
		if !isName(words[i]) {
			r.rest = append(r.rest, cell{name: f.Name, text: words[i]})
			continue
		}
		value := ""
		if i+1 < len(words) && !isName(words[i+1]) {
			i++
			value = words[i]
			s.put(r, "", sheet.Field{Name: words[i-1], Text: value})
			if f := s.fieldOf(words[i-1]); i%2 == 0 && f != "" && f != Contact { // a pair that the file has not so
				guessed = append(guessed, words[i-1]+"="+brief(value))
			}
			continue
		}
		s.put(r, "", sheet.Field{Name: words[i]})
	}
	r.problems = append(r.problems, sheet.Problem{
		Line: r.line, Field: f.Name, Code: fault.Malformed,
		Message:    s.lang.Say("名称与取值错位一格，已重新配对：%s", "names and values have slipped by one; they were paired again: %s", strings.Join(guessed, "；")),
		Suggestion: s.lang.Say("核对这些取值", "check these values"),
	})
}

// slippedNames are names that occur beside ours where keys slip, and that have no
// field.
var slippedNames = []string{"数据量", "文件数", "部门电话", "部门邮箱", "联系电话", "浏览量", "下载量"}

// itemRow moves the item's fields of a row into a list of one.
func (s *sorter) itemRow(r *record) {
	item := make(map[Field]cell)
	for f, c := range r.fields {
		if strings.HasPrefix(string(f), "item.") {
			item[f] = c
			delete(r.fields, f)
		}
	}
	if _, ok := item[ItemName]; ok {
		r.items = append(r.items, item)
	}
}

// continues reports whether next is one more item row of r: it has an item, and
// names no other entry. Forms merge the cells of the entry over its items, or
// repeat them.
func (r *record) continues(next *record) bool {
	if !r.row || len(r.items) == 0 || len(next.items) == 0 || next.broken || len(r.items) >= maxItems {
		return false
	}
	for _, f := range []Field{Name, Owner, Code} {
		if t := next.text(f); t != "" && t != r.text(f) {
			return false
		}
	}
	return true
}

// join adds the item row next to r.
func (r *record) join(next *record) {
	r.rows += next.rows
	r.items = append(r.items, next.items...)
	r.problems = append(r.problems, next.problems...)
	r.add(next.sum)
}

// add puts more content into the record's sum.
func (r *record) add(sum [16]byte) {
	for at := 0; at < len(r.sum); at += 8 {
		binary.BigEndian.PutUint64(r.sum[at:], mix(binary.BigEndian.Uint64(r.sum[at:]), binary.BigEndian.Uint64(sum[at:])))
	}
}

// Sums of contents live as long as this process: they are hashes with a seed of its
// own, so that no file can be made to collide.
var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// sumOf is a sum of all names and texts. The order of the keys of an object does not
// count, that of a list and of a table's columns does.
func sumOf(fields []sheet.Field) (sum [16]byte) {
	binary.BigEndian.PutUint64(sum[:8], sumWith(seeds[0], fields))
	binary.BigEndian.PutUint64(sum[8:], sumWith(seeds[1], fields))
	return sum
}

func sumWith(seed maphash.Seed, fields []sheet.Field) uint64 {
	keyed := len(fields) > 0 && fields[0].Column == 0 && fields[0].Name != ""
	sum := uint64(len(fields))
	for i := range fields {
		f := &fields[i]
		h := mix(maphash.String(seed, f.Name), maphash.String(seed, f.Text))
		if f.Parts != nil {
			h = mix(h, sumWith(seed, f.Parts))
		}
		if keyed {
			sum += mix(h, 0)
		} else {
			sum = mix(sum, h)
		}
	}
	return sum
}

// mix puts two numbers into one, each bit of which depends on all of theirs, and on
// their order.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9E3779B97F4A7C15, bits.RotateLeft64(b, 32)^0xD1B54A32D192ED03)
	return hi ^ lo ^ bits.RotateLeft64(a, 17)
}

// pairSum is a sum of two texts: what is remembered of each entry's owner and name.
func pairSum(a, b string) (sum [16]byte) {
	for i, seed := range seeds {
		binary.BigEndian.PutUint64(sum[8*i:], mix(maphash.String(seed, a), maphash.String(seed, b)))
	}
	return sum
}
