package export

import (
	"encoding/json"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake"
	"mulian/internal/code"
)

// column is one column of the form: its header in both languages, and what stands
// below it. Every header is one that package intake reads (the round trip holds
// that), but for those of Ledger, which tell and are not read.
type column[M any] struct {
	zh, en string
	text   func(e *export, m M) string
	wide   float64 // in characters; 0 = 14
}

type (
	entryColumn = column[*cataloguev1.Entry]
	itemColumn  = column[*cataloguev1.Item]
)

// entryColumns follow the 2017 guide (发改高技〔2017〕1272号): what names the entry
// first, then how it is shared, then the rest. The first identityColumns stand in
// every row of the entry, so that a sheet can be filtered; the others in its first.
var entryColumns = []entryColumn{
	{"资源代码", "Resource code", func(_ *export, m *cataloguev1.Entry) string { return m.GetId() }, 34},
	{"资源名称", "Resource name", func(_ *export, m *cataloguev1.Entry) string { return m.GetName() }, 36},
	{"资源提供方", "Provider", func(e *export, m *cataloguev1.Entry) string { return e.org(m.GetProvider()).Name }, 24},
	{"提供方代码", "Provider code", func(_ *export, m *cataloguev1.Entry) string { return m.GetProvider() }, 21},
	{"数源单位", "Source organisation", func(_ *export, m *cataloguev1.Entry) string { return m.GetSourceOrg() }, 21},
	{"资源摘要", "Abstract", func(_ *export, m *cataloguev1.Entry) string { return m.GetAbstract() }, 48},
	{"资源分类", "Category", func(_ *export, m *cataloguev1.Entry) string { return m.GetCategory() }, 20},
	{"职责", "Duties", func(_ *export, m *cataloguev1.Entry) string { return codes(m.GetDuties()) }, 30},
	{"事项编码", "Matters", func(_ *export, m *cataloguev1.Entry) string { return list(m.GetMatters()) }, 20},
	{"所属系统", "System", func(_ *export, m *cataloguev1.Entry) string { return m.GetSystem() }, 24},
	{"库表", "Table", func(_ *export, m *cataloguev1.Entry) string { return m.GetTable() }, 30},
	{"资源格式", "Format", func(e *export, m *cataloguev1.Entry) string { return label(e, code.ResourceFormats, m.GetFormat()) }, 0},
	{"提供方式", "Delivery", func(e *export, m *cataloguev1.Entry) string { return methods(e, m.GetMethods()) }, 16},
	{"共享类型", "Share type", func(e *export, m *cataloguev1.Entry) string { return label(e, code.ShareTypes, m.GetShareType()) }, 16},
	{"共享条件", "Share condition", func(_ *export, m *cataloguev1.Entry) string { return m.GetConditions().GetScope() }, 30},
	{"共享用途", "Share purposes", func(_ *export, m *cataloguev1.Entry) string { return list(m.GetConditions().GetPurposes()) }, 20},
	{"有条件共享方式", "Share methods", func(e *export, m *cataloguev1.Entry) string { return methods(e, m.GetConditions().GetMethods()) }, 16},
	{"共享附加要求", "Share extra", func(_ *export, m *cataloguev1.Entry) string { return m.GetConditions().GetExtra() }, 20},
	{"不予共享依据", "Deny basis", func(_ *export, m *cataloguev1.Entry) string { return m.GetDenyBasis().GetText() }, 30},
	{"不予共享法规", "Deny law", func(_ *export, m *cataloguev1.Entry) string { return m.GetDenyBasis().GetLaw() }, 20},
	{"不予共享条款", "Deny article", func(_ *export, m *cataloguev1.Entry) string { return m.GetDenyBasis().GetArticle() }, 0},
	{"开放类型", "Open type", func(e *export, m *cataloguev1.Entry) string { return label(e, code.OpenTypes, m.GetOpenType()) }, 16},
	{"开放条件", "Open condition", func(_ *export, m *cataloguev1.Entry) string { return m.GetOpenCondition() }, 20},
	{"更新周期", "Update cycle", func(e *export, m *cataloguev1.Entry) string { return label(e, code.UpdateCycles, m.GetUpdateCycle()) }, 0},
	{"数据分级", "Grade", func(e *export, m *cataloguev1.Entry) string { return label(e, code.Grades, m.GetGrade()) }, 0},
	{"敏感级别", "Sensitivity", func(_ *export, m *cataloguev1.Entry) string { return number(m.GetSensitivity()) }, 0},
	{"是否涉及个人信息", "Personal", func(e *export, m *cataloguev1.Entry) string { return label(e, code.Personals, m.GetPersonal()) }, 18},
	{"数据加工程度", "Processing", func(e *export, m *cataloguev1.Entry) string { return label(e, code.Processings, m.GetProcessing()) }, 18},
	{"行政区划代码", "Coverage region", func(_ *export, m *cataloguev1.Entry) string { return m.GetCoverageRegion() }, 0},
	{"时间范围", "Coverage time", func(_ *export, m *cataloguev1.Entry) string { return m.GetCoverageTime() }, 0},
	{"保存天数", "Retention days", func(_ *export, m *cataloguev1.Entry) string { return number(m.GetRetentionDays()) }, 0},
	{"账本时效秒数", "Staleness seconds", func(_ *export, m *cataloguev1.Entry) string { return number(m.GetStalenessSeconds()) }, 0},
	{"自动答复", "Automatic answer", func(e *export, m *cataloguev1.Entry) string {
		if m.GetStandingOrder() != nil && !m.GetStandingOrder().GetAutomatic() {
			return e.say("否", "no")
		}
		return yes(e, m.GetStandingOrder().GetAutomatic())
	}, 0},
	{"自动答复最长天数", "Automatic days", func(_ *export, m *cataloguev1.Entry) string { return number(m.GetStandingOrder().GetMaxDays()) }, 18},
	{"自动答复每日次数", "Automatic calls per day", func(_ *export, m *cataloguev1.Entry) string {
		return number(m.GetStandingOrder().GetMaxCallsPerDay())
	}, 18},
	{"自动答复申请单位", "Automatic requesters", func(_ *export, m *cataloguev1.Entry) string { return list(m.GetStandingOrder().GetRequesters()) }, 21},
	{"其他编码", "Aliases", func(_ *export, m *cataloguev1.Entry) string { return list(m.GetAliases()) }, 0},
	{"关键字", "Keywords", func(_ *export, m *cataloguev1.Entry) string { return list(m.GetKeywords()) }, 20},
	{"许可协议", "Licence", func(_ *export, m *cataloguev1.Entry) string { return m.GetLicence() }, 20},
	{"首次发布日期", "Issued", func(_ *export, m *cataloguev1.Entry) string { return m.GetIssued() }, 0},
	{"数据更新日期", "Modified", func(_ *export, m *cataloguev1.Entry) string { return m.GetModified() }, 0},
	{"网页地址", "Landing page", func(_ *export, m *cataloguev1.Entry) string { return m.GetLandingPage() }, 30},
	{"语言", "Languages", func(_ *export, m *cataloguev1.Entry) string { return codes(m.GetLanguages()) }, 0},
	{"来源标识", "Origin", func(_ *export, m *cataloguev1.Entry) string { return m.GetOrigin() }, 20},
	{"账本状态", "Ledger state", func(e *export, m *cataloguev1.Entry) string { return stateWord(e, m.GetState()) }, 0},
	{"账本版本", "Ledger version", func(_ *export, m *cataloguev1.Entry) string { return strconv.FormatUint(m.GetVersion(), 10) }, 0},
}

// identityColumns is how many columns stand in every row of an entry.
const identityColumns = 4

var itemColumns = []itemColumn{
	{"信息项代码", "Item code", func(_ *export, m *cataloguev1.Item) string { return m.GetCode() }, 20},
	{"信息项名称", "Item name", func(_ *export, m *cataloguev1.Item) string { return m.GetName() }, 24},
	{"字段英文名称", "Technical name", func(_ *export, m *cataloguev1.Item) string { return m.GetTechnicalName() }, 20},
	{"数据类型", "Data type", func(e *export, m *cataloguev1.Item) string { return typeWord(e, m.GetType()) }, 0},
	{"数据长度", "Length", func(_ *export, m *cataloguev1.Item) string { return number(m.GetLength()) }, 0},
	{"小数位数", "Precision", func(_ *export, m *cataloguev1.Item) string { return number(m.GetPrecision()) }, 0},
	{"信息项代码表", "Code table", func(_ *export, m *cataloguev1.Item) string { return m.GetCodeTable() }, 0},
	{"信息项共享类型", "Item share type", func(e *export, m *cataloguev1.Item) string { return label(e, code.ShareTypes, m.GetShareType()) }, 16},
	{"信息项开放类型", "Item open type", func(e *export, m *cataloguev1.Item) string { return label(e, code.OpenTypes, m.GetOpenType()) }, 16},
	{"信息项个人信息", "Item personal", func(e *export, m *cataloguev1.Item) string { return label(e, code.Personals, m.GetPersonal()) }, 18},
	{"是否主键", "Primary key", func(e *export, m *cataloguev1.Item) string { return yes(e, m.GetPrimaryKey()) }, 0},
	{"是否时间水印", "Watermark", func(e *export, m *cataloguev1.Item) string { return yes(e, m.GetWatermark()) }, 0},
	{"对应库表字段", "Mapped column", func(_ *export, m *cataloguev1.Item) string { return m.GetColumn() }, 20},
}

// filesColumn holds the files of an entry in csv, which has no second sheet: a list in
// JSON, each file under the schema's names.
var filesColumn = entryColumn{intake.FilesColumn[0], intake.FilesColumn[1], func(_ *export, m *cataloguev1.Entry) string {
	if len(m.GetResources()) == 0 {
		return ""
	}
	list := make([]json.RawMessage, len(m.GetResources()))
	for i, r := range m.GetResources() {
		raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(r)
		if err != nil {
			return "" // a text of the ledger that is no UTF-8: there is none
		}
		list[i] = raw
	}
	raw, _ := json.Marshal(list) // of valid JSON; it writes it without blanks
	return string(raw)
}, 30}

// fileRow is one row of the sheet of files.
type fileRow struct {
	code string
	file *cataloguev1.Resource
}

// fileColumns stand in the order of [intake.FilesHeaders].
var fileColumns = fileColumnsOf([]func(e *export, r fileRow) string{
	func(_ *export, r fileRow) string { return r.code },
	func(_ *export, r fileRow) string { return r.file.GetUrl() },
	func(_ *export, r fileRow) string { return r.file.GetTitle() },
	func(_ *export, r fileRow) string { return r.file.GetFormat() },
	func(_ *export, r fileRow) string { return r.file.GetMediaType() },
	func(_ *export, r fileRow) string {
		if r.file.GetBytes() == 0 {
			return ""
		}
		return strconv.FormatUint(r.file.GetBytes(), 10)
	},
	func(_ *export, r fileRow) string { return r.file.GetModified() },
	func(e *export, r fileRow) string { return yes(e, r.file.GetApi()) },
})

func fileColumnsOf(texts []func(*export, fileRow) string) []column[fileRow] {
	out := make([]column[fileRow], len(texts))
	for i, h := range intake.FilesHeaders {
		out[i] = column[fileRow]{h.ZH, h.EN, texts[i], map[int]float64{0: 34, 1: 48, 2: 36}[i]}
	}
	return out
}

// header is the header row of the sheet 目录.
func (e *export) header() []string {
	return append(headerOf(e, e.columns), headerOf(e, itemColumns)...)
}

// formRows calls row for each row of an entry: one for each item, and one for an
// entry that has none. The slice is used again.
func (e *export) formRows(m *cataloguev1.Entry, row func([]string) error) error {
	cells := make([]string, len(e.columns)+len(itemColumns))
	for i, c := range e.columns {
		cells[i] = c.text(e, m)
	}
	if len(m.GetItems()) == 0 {
		return row(cells)
	}
	for n, it := range m.GetItems() {
		if n == 1 {
			clear(cells[identityColumns:len(e.columns)])
		}
		for i, c := range itemColumns {
			cells[len(e.columns)+i] = c.text(e, it)
		}
		if err := row(cells); err != nil {
			return err
		}
	}
	return nil
}

// label writes a value of a code list as people and programs read it: "2 有条件共享".
func label[T ~uint8, V ~int32](e *export, t code.Table[T], v V) string {
	if v <= 0 || v > 255 || !t.Valid(T(v)) {
		return ""
	}
	return t.Code(T(v)) + " " + e.say(t.ZH(T(v)), t.EN(T(v)))
}

func methods(e *export, ms []cataloguev1.Method) string {
	words := make([]string, len(ms))
	for i, m := range ms {
		words[i] = e.say(code.Methods.ZH(code.Method(m)), code.Methods.EN(code.Method(m)))
	}
	return codes(words)
}

// codes joins what has no comma in it.
func codes(members []string) string { return strings.Join(members, "；") }

// list puts members below each other in one cell: a member may hold any comma.
func list(members []string) string {
	if len(members) == 1 && strings.ContainsAny(members[0], ",，、;；|") {
		return members[0] + "\n" // it is a list, of lines, with one line
	}
	return strings.Join(members, "\n")
}

func number(n uint32) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(n), 10)
}

func yes(e *export, v bool) string {
	if !v {
		return ""
	}
	return e.say("是", "yes")
}

// typeWord is the type as the form has it; a type that the form has no word for
// stands as it is.
func typeWord(e *export, logical string) string {
	t, ok := formTypes[logical]
	if !ok {
		return logical
	}
	return e.say(code.ColumnTypes.ZH(t), logical)
}

var formTypes = map[string]code.ColumnType{
	"text": code.ColumnText, "integer": code.ColumnNumber, "decimal": code.ColumnPrecise, "boolean": code.ColumnBool,
	"date": code.ColumnDate, "timestamp": code.ColumnDateTime, "float": code.ColumnDecimal,
}

func stateWord(e *export, s cataloguev1.EntryState) string {
	w := intake.StateWords[s]
	return e.say(w[0], w[1])
}

// local is the part of an id behind its organisation.
func local(id, org string) string { return strings.TrimPrefix(id, org+":") }
