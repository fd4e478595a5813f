package intake

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/intake/sheet"
	"mulian/internal/code"
	"mulian/internal/fault"
)

// Kind is what a file lists.
type Kind int

// The kinds.
const (
	EntryList Kind = iota + 1
	DutyList
	OrgList
	MatterList
	CodeList
)

// String returns the plural that the command line uses.
func (k Kind) String() string {
	switch k {
	case EntryList:
		return "entries"
	case DutyList:
		return "duties"
	case OrgList:
		return "organisations"
	case MatterList:
		return "matters"
	case CodeList:
		return "codes"
	}
	return "unknown"
}

// A Draft is one record made ready for the ledger, but for its owner: the file
// names the owner in words, the ledger by its code. Exactly one of Entry, Duty,
// Org, Matter and Value is there.
type Draft struct {
	Kind     Kind
	Line     int    // where it begins in the file
	Owner    string // as the file spells it, without blanks around; empty when there is none
	Code     string // the owner's 统一社会信用代码, when the file has it and it is well formed
	Local    string // the local part of the id; derived from the name where the file has no code
	Doubtful bool   // it can be taken, and a person should look; the report says why

	Entry *cataloguev1.Entry      // without id, provider and system until the owner is resolved
	Duty  *cataloguev1.Duty       // without id and org until then
	Org   *identityv1.RegisterOrg // without keys: those come from the organisation itself

	Matter    *cataloguev1.Matter    // without id and org until the owner is resolved
	Value     *cataloguev1.Code      // one value of a code table; Local is its code
	CodeTable *cataloguev1.CodeTable // with Value: the table it belongs to, the same for all values of a file; without org until then

	ours    bool            // the record stands under its id of the ledger: it was exported by us
	native  bool            // in our own form, that can say everything of it
	linked  bool            // in our own DCAT
	partial bool            // in a form that cannot, and wants values that it has not
	blank   []string        // paths that the record states as empty; of an item "items.<code>/<field>"
	laid    map[string]bool // codes of items that found their column by themselves
	order   byOrder
	state   cataloguev1.EntryState // that an export of ours tells; 0 where none is told
	was     string                 // the owner's code in the file, where another stands for him

	DutyRefs []string // duties as the file names them: codes or titles
	Source   string   // 数源单位 as the file names it, when it is not the owner
	System   string   // system as the file names it
	Table    string   // table as the file names it
}

// verdict is what becomes of a record. Every entry of a file gets exactly one.
type verdict uint8

const (
	accepted verdict = iota + 1
	doubtful
	rejected
	duplicate
)

// builder makes drafts of records.
type builder struct {
	lang     sheet.Lang
	opts     *Options
	kind     Kind
	spelling map[string]spelling // of owners that are spelt in several ways
	present  map[Field]bool      // fields of which the file has a column

	found   []sheet.Problem // of the record at hand
	blank   []string        // what it states as empty
	worst   verdict
	counts  counts
	guessed bool // what the columns are
	keys    keys
	words   words
	table   *cataloguev1.CodeTable // of a list of codes
}

// tell records a problem of the record at hand and what it does to it; accepted
// leaves the verdict as it is.
func (b *builder) tell(v verdict, r *record, f Field, c fault.Code, message, suggestion string) {
	b.worst = max(b.worst, v)
	b.found = append(b.found, sheet.Problem{Line: r.line, Field: string(f), Code: c, Message: message, Suggestion: suggestion})
}

// build makes the draft of r, its problems and its verdict (not duplicate: that
// is the plan's to know). The draft of a rejected record may be incomplete.
func (b *builder) build(r *record) (*Draft, []sheet.Problem, verdict) {
	b.found, b.worst, b.blank = r.problems, accepted, nil
	d := &Draft{Kind: b.kind, Line: r.line}
	before := b.counts.contacts
	if len(r.problems) > 0 || b.guessed {
		b.worst = doubtful
	}
	switch {
	case r.broken:
		b.worst = rejected
	case r.native != nil:
		b.native(d, r)
	case b.kind == DutyList:
		b.duty(d, r)
	case b.kind == OrgList:
		b.org(d, r)
	case b.kind == MatterList:
		b.matter(d, r)
	case b.kind == CodeList:
		b.value(d, r)
	default:
		b.entry(d, r)
	}
	b.placeless(r)
	if b.counts.contacts += r.contacts; b.counts.contacts > before {
		b.counts.contactRows++
	}
	d.Doubtful, d.blank = b.worst == doubtful, b.blank
	return d, b.found, b.worst
}

// places are the fields that a list of each kind has a place for; entries have one for
// every field.
var places = map[Kind][]Field{
	DutyList:   {DutyName, DutyCode, DutyPower, DutySource, DutyArticle, DutyFrom, DutyTo, DutyRetired, Owner, OwnerCode, SourceOrg, Matters, Serial, Ignored, Contact},
	OrgList:    {OrgName, OrgShort, OrgLevel, OrgRegion, OwnerCode, Code, Serial, Ignored, Contact},
	MatterList: {MatterName, MatterCode, MatterPower, MatterInputs, MatterCategory, MatterGuide, Duties, Owner, OwnerCode, SourceOrg, Serial, Ignored, Contact},
	CodeList:   {ValueName, ValueCode, ValueParent, Owner, OwnerCode, Serial, Ignored, Contact},
}

// placeless puts what a list of this kind has no place for to what is told as unused.
func (b *builder) placeless(r *record) {
	list, ok := places[b.kind]
	if !ok || r.native != nil {
		return
	}
	for f, c := range r.fields {
		if !slices.Contains(list, f) {
			r.rest = append(r.rest, c)
		}
	}
}

// moment is the beginning of a day in milliseconds, or 0.
func (b *builder) moment(r *record, f Field) int64 {
	day := b.day(r, f)
	if day == "" {
		return 0
	}
	t, err := time.Parse(time.DateOnly, day[:10])
	if err != nil {
		return 0
	}
	return t.UnixMilli()
}

// entry fills d from r. An entry without an owner is doubtful and not rejected:
// it can be imported for an owner that a person names (--owner), and is held back
// until then; it is never given to anybody silently.
func (b *builder) entry(d *Draft, r *record) {
	e := &cataloguev1.Entry{}
	d.Entry = e
	e.Name = b.name(r, Name, maxName)
	org, local, ours := ownID(r.text(Code))
	if ours {
		d.Code = org // unless the file names another owner
	}
	b.owner(d, r)
	if d.ours = ours && d.Code == org; d.ours {
		d.state = stateOf(r.text(LedgerState))
	}
	d.partial = d.ours && !r.row // our tables hold all that a department writes (export.Lacks)
	if lost := r.text(Code); d.ours {
		d.Local = local
	} else if code.DamageOf(lost) != 0 {
		b.tell(doubtful, r, Code, fault.CodeDamaged, b.lang.Say("代码 %s 已被表格软件改成数字，原值丢失", "the code %s was turned into a number by a spreadsheet; it is lost", lost),
			b.lang.Say("在源表中把该列设为文本后重新导出", "make the column text in the source and export again"))
		d.Local = b.localOf(e.Name)
	} else {
		d.Local = b.local(r, Code, e)
	}
	e.Abstract = b.withoutMail(r, b.cut(r, Abstract, maxAbstract))
	if d.partial && e.Abstract == e.Name {
		e.Abstract = "" // the standard wants a description: our export puts the name there
	}
	e.Category = themes(b.cut(r, Category, maxCategory))
	e.CoverageTime = b.cut(r, Period, 100)
	if e.OpenCondition = b.withoutMail(r, b.cut(r, OpenCondition, 1000)); placeholder.MatchString(e.OpenCondition) || isYes(e.OpenCondition) {
		e.OpenCondition = ""
	}
	if region := code.Clean(r.text(Region)); region != "" && code.CheckRegion(region) == nil {
		e.CoverageRegion = region
	} else if region != "" {
		r.rest = append(r.rest, r.fields[Region])
	}
	b.lists(e, r)
	b.sharing(e, r)
	b.form(e, r)
	b.items(e, r)
	b.published(e, r)
	d.System, d.Table = r.text(System), r.text(Table)
	if s := r.text(SourceOrg); s != d.Owner {
		d.Source = s
	}
	d.DutyRefs = split(r.text(Duties))
	e.Matters = split(r.text(Matters))
	b.stated(e, d, r)
	if len(d.DutyRefs) > maxDuties {
		b.tell(rejected, r, Duties, fault.TooLong, b.lang.Say("职责超过 %d 条", "more than %d duties", maxDuties), "")
	}
}

// stated asks for what the ledger wants of every entry where the file has a column
// for it. Where it has none, the report says so once, and the import takes it from
// its flags (--share, --duty).
func (b *builder) stated(e *cataloguev1.Entry, d *Draft, r *record) {
	if b.present[ShareType] && r.text(ShareType) == "" {
		b.tell(doubtful, r, ShareType, fault.Missing, b.lang.Say("没有共享类型", "there is no share type"), b.lang.Say("补上，或用 --share 指定", "add it, or name one with --share"))
	}
	if b.present[Duties] && len(d.DutyRefs) == 0 {
		b.tell(doubtful, r, Duties, fault.NoDuty, b.lang.Say("没有对应的职责", "there is no duty"), b.lang.Say("补上，或用 --duty 指定", "add it, or name one with --duty"))
	}
	for _, step := range strings.Split(e.Category, "/") {
		if _, err := code.Grades.Parse(step); errors.Is(err, code.ErrSecret) && utf8.RuneCountInString(step) <= 2 {
			b.tell(rejected, r, Category, fault.Secret, b.lang.Say("“%s”：涉密内容不得导入（国务院令第809号第三条）", "%q: classified matter must not be imported (order 809, article 3)", step), "")
		}
	}
}

// duty fills d from r.
func (b *builder) duty(d *Draft, r *record) {
	d.Duty = &cataloguev1.Duty{}
	d.Duty.Title = b.name(r, DutyName, maxTitle)
	org, local, ours := ownID(r.text(DutyCode))
	if ours {
		d.Code = org
	}
	b.owner(d, r)
	if d.Local = local; !ours || d.Code != org {
		d.Local = b.local(r, DutyCode, nil)
	}
	if d.Local == "" {
		d.Local = b.localOf(d.Duty.Title)
	}
	d.Duty.Source = b.cut(r, DutySource, 500)
	d.Duty.PowerType = b.power(r, DutyPower)
	d.Duty.Article = b.cut(r, DutyArticle, 200)
	d.Duty.ValidFromMs, d.Duty.ValidToMs = b.moment(r, DutyFrom), b.moment(r, DutyTo)
	d.Duty.Retired = isYes(r.text(DutyRetired))
	if m := split(r.text(Matters)); len(m) > 0 {
		d.Duty.MatterCode = m[0]
	}
}

// org fills d from r. An organisation is nothing without its code: no code, or
// a wrong one, rejects it.
func (b *builder) org(d *Draft, r *record) {
	name := b.name(r, OrgName, maxName)
	d.Org = &identityv1.RegisterOrg{Profile: &identityv1.OrgProfile{Name: name, ShortName: b.cut(r, OrgShort, 50)}}
	if region := code.Clean(r.text(OrgRegion)); code.CheckRegion(region) == nil {
		d.Org.Profile.Region = region
	}
	if t, err := code.Tiers.Parse(r.text(OrgLevel)); err == nil {
		d.Org.Profile.Level = identityv1.OrgLevel(t)
	}
	text := r.text(OwnerCode)
	if text == "" {
		text = r.text(Code)
	}
	switch c := code.Clean(text); {
	case c == "":
		b.tell(rejected, r, OwnerCode, fault.Missing, b.lang.Say("没有统一社会信用代码", "there is no 统一社会信用代码"), b.lang.Say("补上 18 位代码", "add the code of 18 characters"))
	case code.DamageOf(c) != 0 && code.CheckUSCC(c) != nil:
		b.tell(rejected, r, OwnerCode, fault.CodeDamaged, b.lang.Say("代码 %s 已被表格软件改动，原值丢失", "the code %s was changed by a spreadsheet; it is lost", c),
			b.lang.Say("在源表中把该列设为文本后重新导出", "make the column text in the source and export again"))
	case code.CheckUSCC(c) != nil:
		b.tell(rejected, r, OwnerCode, fault.CodeInconsistent, b.lang.Say("统一社会信用代码 %s 不成立：%v", "%s is no 统一社会信用代码: %v", c, code.CheckUSCC(c)), b.lang.Say("对照证照改正", "correct it from the certificate"))
	default:
		d.Code, d.Org.Code, d.Local = c, c, c
	}
}

// name reads the name, without which there is nothing to import.
func (b *builder) name(r *record, f Field, limit int) string {
	name := oneLine(r.text(f))
	key, ok := b.keys.key(name)
	switch {
	case name == "" || key == "" && ok:
		b.tell(rejected, r, f, fault.Missing, b.lang.Say("没有名称", "there is no name"), b.lang.Say("补上名称，或用 --map 指定名称所在的列", "add it, or say with --map in which column it is"))
	case utf8.RuneCountInString(name) > limit:
		b.tell(rejected, r, f, fault.TooLong, b.lang.Say("名称超过 %d 字", "the name is longer than %d characters", limit), b.lang.Say("缩短名称，其余写入摘要", "shorten it; the rest belongs into the abstract"))
	case !ok:
		b.tell(rejected, r, f, fault.Undecodable, b.lang.Say("名称中有无法识别的字", "there is a character in the name that cannot be read"), b.lang.Say("对照原文改正", "correct it from the original"))
	}
	return name
}

// manyLines are the fields whose text may have several lines on the ledger.
var manyLines = map[Field]bool{Abstract: true, ShareCondition: true, ShareExtra: true, DenyBasis: true, OpenCondition: true}

// cut reads a text and cuts it at its bound; what is cut makes the entry doubtful.
func (b *builder) cut(r *record, f Field, limit int) string {
	t := printable(r.text(f))
	if !manyLines[f] {
		t = oneLine(t)
	}
	if utf8.RuneCountInString(t) <= limit {
		return t
	}
	b.tell(doubtful, r, f, fault.TooLong, b.lang.Say("超过 %d 字，其后部分不导入", "longer than %d characters; the rest is not imported", limit), b.lang.Say("缩短后重新导入", "shorten it and import again"))
	return string([]rune(t)[:limit])
}

var placeholder = regexp.MustCompile(`(?i)^(x+|无|無|暂无|暫無|未知|不详|空|null|none|n/?a|nil|test|测试|[-—/\\.?？*]+)$`)

// owner reads who the entry belongs to.
func (b *builder) owner(d *Draft, r *record) {
	raw, text := r.fields[Owner].text, r.text(Owner)
	if !b.present[Owner] && b.present[SourceOrg] {
		raw, text = r.fields[SourceOrg].text, r.text(SourceOrg)
	}
	d.Owner = text
	b.ownerCode(d, r)
	switch {
	case text == "" && d.Code != "":
	case text == "":
		hint := b.lang.Say("用 --owner 指定提供单位，否则该条暂不提交", "name the provider with --owner; until then it is held back")
		if s := r.text(SourceOrg); s != "" {
			hint = b.lang.Say("是否为 %s？用 --owner 指定", "is it %s? name it with --owner", s)
		}
		b.tell(doubtful, r, Owner, fault.Missing, b.lang.Say("没有提供单位", "there is no owner"), hint)
	case linkable(text): // RDF that names the publisher, and does not say who that is
		d.Owner = ""
		b.tell(doubtful, r, Owner, fault.OwnerUnclear, b.lang.Say("提供单位只有网址 %s，没有名称", "the owner is only an address: %s", brief(text)), b.lang.Say("用 --owner 指定提供单位", "name the provider with --owner"))
	case placeholder.MatchString(text):
		d.Owner = ""
		b.tell(doubtful, r, Owner, fault.OwnerUnclear, b.lang.Say("提供单位“%s”不是单位名称", "the owner %q names nobody", text), b.lang.Say("用 --owner 指定提供单位", "name the provider with --owner"))
	default:
		if s, ok := b.spelling[raw]; ok {
			b.tell(doubtful, r, Owner, fault.OwnerUnclear, b.lang.Say("提供单位“%s”在本文件中有 %d 种写法", "the owner %q is spelt in %d ways in this file", raw, s.ways), b.lang.Say("是否就是“%[1]s”？若是：--merge \"%[2]s=%[1]s\"", "is it %[1]q? If so: --merge \"%[2]s=%[1]s\"", s.usual, text))
		}
	}
}

// ownerCode reads the owner's code. A wrong one does not stand for anybody.
func (b *builder) ownerCode(d *Draft, r *record) {
	text := r.text(OwnerCode)
	c := code.Clean(text)
	switch {
	case c == "":
	case code.CheckUSCC(c) == nil:
		d.Code = c
	case code.DamageOf(text) != 0:
		b.tell(doubtful, r, OwnerCode, fault.CodeDamaged, b.lang.Say("代码 %s 已被表格软件改成数字，原值丢失", "the code %s was turned into a number by a spreadsheet; it is lost", text),
			b.lang.Say("在源表中把该列设为文本后重新导出", "make the column text in the source and export again"))
	default:
		b.tell(doubtful, r, OwnerCode, fault.CodeInconsistent, b.lang.Say("统一社会信用代码 %s 不成立：%v", "%s is no 统一社会信用代码: %v", c, code.CheckUSCC(c)), b.lang.Say("对照证照改正", "correct it from the certificate"))
	}
}

var localCode = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]*$`)

// local is the local part of the id: the file's own code where it has a usable
// one, else one derived from the name. A code that cannot be part of an id, such
// as one with a slash, becomes an alias of the entry.
func (b *builder) local(r *record, f Field, e *cataloguev1.Entry) string {
	c := code.Clean(r.text(f))
	switch {
	case c == "" && e == nil:
		return ""
	case c == "":
		return b.localOf(e.Name)
	case len(c) <= maxLocal && localCode.MatchString(c):
		return c
	}
	if e == nil {
		return localOf(c)
	}
	if utf8.RuneCountInString(c) <= maxAlias && !strings.Contains(c, "://") { // an address stays as the origin
		e.Aliases = append(e.Aliases, c)
	}
	return localOf(c)
}

// localOf derives a local code: "N" and 80 bits of the SHA-256 of the name as
// names are compared. With the owner's code before it, it makes the id: the same
// name of the same owner gives the same id in every import, whatever else of the
// entry has changed. 80 bits: among 100,000 entries of one owner two collide with
// a chance of 4 in 10^15.
func localOf(name string) string {
	key, _ := code.Key(name)
	return localOfKey(key)
}

func (b *builder) localOf(name string) string {
	key, _ := b.keys.key(name)
	return localOfKey(key)
}

func localOfKey(key string) string {
	sum := sha256.Sum256([]byte("mulian/intake/local/1\x00" + key))
	return "N" + base32.StdEncoding.EncodeToString(sum[:10])
}

// oneLine makes one line of a text: the ledger's names and terms are.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// printable takes out the controls that the ledger takes in no text.
func printable(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return '\n'
		case unicode.IsControl(r) && r != '\n' && r != '\t':
			return -1
		}
		return r
	}, s)
}
