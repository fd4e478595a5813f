package intake

import (
	"strconv"
	"strings"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/code"
	"mulian/internal/fault"
)

// The fields of the form 填报模板 that only our own exports have (intake/export), and
// that no portal publishes.
const (
	Aliases     Field = "aliases"
	Purposes    Field = "share_purposes"
	OnlyMethods Field = "share_methods"
	ShareExtra  Field = "share_extra"
	DenyLaw     Field = "deny_law"
	DenyArticle Field = "deny_article"
	Sensitivity Field = "sensitivity"
	Processing  Field = "processing"
	Retention   Field = "retention_days"
	Staleness   Field = "staleness_seconds"
	Automatic   Field = "automatic"
	AutoDays    Field = "automatic_days"
	AutoCalls   Field = "automatic_calls"
	AutoAskers  Field = "automatic_requesters"
	ItemDigits  Field = "item.precision"
	ItemTable   Field = "item.code_table"
	ItemPerson  Field = "item.personal"
	ItemKey     Field = "item.primary_key"
	ItemMark    Field = "item.watermark"
	ItemColumn  Field = "item.column"
)

// formHeaders are the headers of those fields, in both languages of the form. The
// ledger's own version is read by nobody, like a running number; its state says whether
// an entry was in force.
var formHeaders = map[Field][]string{
	Aliases:     {"其他编码", "aliases"},
	Purposes:    {"共享用途", "share purposes"},
	OnlyMethods: {"有条件共享方式", "share methods"},
	ShareExtra:  {"共享附加要求", "share extra"},
	DenyLaw:     {"不予共享法规", "deny law"},
	DenyArticle: {"不予共享条款", "deny article"},
	Sensitivity: {"敏感级别", "sensitivity"},
	Processing:  {"数据加工程度", "加工程度", "processing"},
	Retention:   {"保存天数", "retention days"},
	Staleness:   {"账本时效秒数", "staleness seconds"},
	Automatic:   {"自动答复", "automatic answer"},
	AutoDays:    {"自动答复最长天数", "automatic days"},
	AutoCalls:   {"自动答复每日次数", "automatic calls per day"},
	AutoAskers:  {"自动答复申请单位", "automatic requesters"},
	ItemDigits:  {"小数位数", "precision"},
	ItemTable:   {"信息项代码表", "code table"},
	ItemPerson:  {"信息项个人信息", "item personal"},
	ItemKey:     {"是否主键", "primary key"},
	ItemMark:    {"是否时间水印", "watermark"},
	ItemColumn:  {"对应库表字段", "mapped column"},
	Resources:   FilesColumn[:],
	LedgerState: {"账本状态", "ledger state"},
	Serial:      {"账本版本", "ledger version"},
}

// form reads what only our own form has.
func (b *builder) form(e *cataloguev1.Entry, r *record) {
	for _, a := range listOf(r.text(Aliases)) {
		if len(e.Aliases) < maxAliases {
			e.Aliases = append(e.Aliases, first(a, maxAlias))
		}
	}
	b.onlyFor(e, r)
	e.Sensitivity = uint32(term(b, r, Sensitivity, code.Sensitivities))
	e.Processing = cataloguev1.Processing(term(b, r, Processing, code.Processings))
	e.RetentionDays = b.number(r, Retention)
	e.StalenessSeconds = b.number(r, Staleness)
	o := &cataloguev1.StandingOrder{MaxDays: b.number(r, AutoDays), MaxCallsPerDay: b.number(r, AutoCalls), Requesters: listOf(r.text(AutoAskers))}
	if o.Automatic = isYes(r.text(Automatic)); isNo(r.text(Automatic)) {
		b.blank = append(b.blank, "standing_order.automatic")
	}
	if r.text(Automatic) != "" || o.MaxDays != 0 || o.MaxCallsPerDay != 0 || len(o.Requesters) > 0 {
		e.StandingOrder = o
	}
}

// onlyFor reads the conditions beside their scope.
func (b *builder) onlyFor(e *cataloguev1.Entry, r *record) {
	c := &cataloguev1.ShareConditions{Scope: e.GetConditions().GetScope(), Purposes: listOf(r.text(Purposes)), Extra: b.cut(r, ShareExtra, 1000)}
	for _, m := range split(r.text(OnlyMethods)) {
		if v, err := code.Methods.Parse(m); err == nil {
			c.Methods = append(c.Methods, cataloguev1.Method(v))
		}
	}
	if e.Conditions != nil || len(c.Purposes) > 0 || len(c.Methods) > 0 || c.Extra != "" {
		e.Conditions = c
	}
}

// conditional reports whether conditions stand in one of the fields for them.
func (r *record) conditional() bool {
	return r.text(Purposes) != "" || r.text(OnlyMethods) != "" || r.text(ShareExtra) != ""
}

func (b *builder) number(r *record, f Field) uint32 {
	text := r.text(f)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(text, ".0"), 10, 32)
	if err != nil {
		b.tell(doubtful, r, f, fault.OutOfRange, b.lang.Say("“%s”不是整数", "%q is no whole number", brief(text)), "")
	}
	return uint32(n)
}

// listOf takes a list apart: one member a line where there are several lines, as our
// form writes it, for a member may hold any mark; else at the marks in use.
func listOf(s string) []string {
	if !strings.Contains(s, "\n") {
		if s = oneLine(s); s == "" {
			return nil
		}
		return []string{s}
	}
	var out []string
	for _, line := range strings.Split(s, "\n") {
		if line = oneLine(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

func isYes(s string) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "是", "有", "yes", "y", "true", "1":
		return true
	}
	return false
}

func isNo(s string) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "否", "无", "no", "n", "false", "0":
		return true
	}
	return false
}

// formItem reads what only our own form has of an item.
func formItem(it *cataloguev1.Item, text func(Field) string) {
	if n, err := strconv.ParseUint(text(ItemDigits), 10, 32); err == nil {
		it.Precision = uint32(n)
	}
	it.CodeTable = first(text(ItemTable), maxCodeTable)
	if p, err := code.Personals.Parse(text(ItemPerson)); err == nil {
		it.Personal = cataloguev1.Personal(p)
	}
	it.PrimaryKey, it.Watermark = isYes(text(ItemKey)), isYes(text(ItemMark))
	it.Column = text(ItemColumn)
}

// ownID takes an identifier of ours apart, "<organisation>:<local code>": exports in
// other standards have it whole.
func ownID(text string) (org, local string, ok bool) {
	org, local, ok = strings.Cut(strings.TrimSpace(text), ":")
	return org, local, ok && code.CheckUSCC(org) == nil && len(local) <= maxLocal && localCode.MatchString(local)
}

func isOwnID(text string) bool {
	_, _, ok := ownID(text)
	return ok
}
