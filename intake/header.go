package intake

import (
	"regexp"
	"strings"

	"mulian/intake/sheet"
	"mulian/internal/code"
	"mulian/internal/fault"
)

// A Field is what a column can mean to us. Its text is what reports show and
// what a person writes on the right of --map.
type Field string

// The fields of an entry. Serial is a running number, which says nothing of the
// entry and would change with every export; Ignored is what a person maps there.
const (
	Name           Field = "name"
	Code           Field = "code"
	Owner          Field = "owner"
	OwnerCode      Field = "owner_code"
	SourceOrg      Field = "source_org"
	Abstract       Field = "abstract"
	Items          Field = "items"
	Category       Field = "category"
	FormatOf       Field = "format"
	Methods        Field = "methods"
	ShareType      Field = "share_type"
	ShareCondition Field = "share_condition"
	DenyBasis      Field = "deny_basis"
	OpenType       Field = "open_type"
	OpenCondition  Field = "open_condition"
	UpdateCycle    Field = "update_cycle"
	Grade          Field = "grade"
	Personal       Field = "personal"
	System         Field = "system"
	Table          Field = "table"
	Duties         Field = "duties"
	Matters        Field = "matters"
	Region         Field = "coverage_region"
	Period         Field = "coverage_time"
	Updated        Field = "updated"
	Serial         Field = "serial"
	Ignored        Field = "ignore"
)

// The fields of an item, of which a sheet may have one row each.
const (
	ItemName      Field = "item.name"
	ItemCode      Field = "item.code"
	ItemTechnical Field = "item.technical_name"
	ItemType      Field = "item.type"
	ItemLength    Field = "item.length"
	ItemShare     Field = "item.share_type"
	ItemOpen      Field = "item.open_type"
)

// The fields of a duty and of an organisation; both share Owner and OwnerCode.
const (
	DutyName   Field = "duty.name"
	DutyCode   Field = "duty.code"
	DutyPower  Field = "duty.power_type"
	DutySource Field = "duty.source"
	OrgName    Field = "org.name"
	OrgShort   Field = "org.short_name"
	OrgLevel   Field = "org.level"
	OrgRegion  Field = "org.region"
	OrgParent  Field = "org.parent"
)

// synonyms are the headers in use: the 2017 guide (发改高技〔2017〕1272号) and the
// forms made after it, the portals of Beijing, Guangxi, Taipei and data.gov.tw,
// CKAN, data.json and our own exports. Simplified and traditional stand side by
// side. Where a record has two of them, the one that stands earlier here counts
// (CKAN's title, not its name, which is part of an address), and the report says
// that the other is not imported.
var synonyms = map[Field][]string{
	Name: {
		"title", "name", "资源名称", "信息资源名称", "数据资源名称", "目录名称", "数据目录名称", "数据集名称", "数据名称", "政务信息资源名称", "公共数据目录名称",
		"資源名稱", "資料集名稱", "資料名稱", "名稱", "名称", "标题", "標題",
		"dataset", "dataset name", "dataset title", "entry name", "resource name",
	},
	Code: {
		"资源代码", "信息资源代码", "资源编码", "目录编码", "目录代码", "数据目录代码", "信息资源标识", "资源标识符", "数据集编码", "资源唯一标识",
		"資料集識別碼", "資料集代碼", "資源代碼", "識別碼",
		"identifier", "id", "uuid", "code", "dataset id", "resource code", "catalogue code",
	},
	Owner: {
		"资源提供方", "信息资源提供方", "数据提供方", "提供方", "提供单位", "提供部门", "来源部门", "数据提供单位", "数据提供部门", "资源提供单位", "资源提供部门", "资源所有权单位", "责任部门", "责任单位", "所属部门", "所属单位", "发布单位", "发布部门", "数据来源部门", "实施主体", "行使主体", "行使机关", "机构", "单位", "部门",
		"資料集提供機關", "提供機關", "提供機關名稱", "提供單位", "資料提供機關", "資料提供單位", "主管機關", "部門",
		"owner", "provider", "publisher", "publisher.name", "agency", "department", "organization.title", "organisation.title", "organization.name", "organisation.name", "organization", "organisation",
	},
	OwnerCode: {
		"提供方代码", "信息资源提供方代码", "资源提供方代码", "提供单位代码", "统一社会信用代码", "机构代码", "单位代码", "部门代码", "组织机构代码",
		"提供機關代碼", "統一社會信用代碼", "owner code", "provider code", "organization code", "organisation code", "uscc",
	},
	SourceOrg: {"数源单位", "数源部门", "来源单位", "資料來源", "資料來源(部會單位)", "资料来源", "source organisation", "source organization"},
	Abstract: {
		"资源摘要", "信息资源摘要", "摘要", "资源描述", "数据描述", "描述", "简介", "资源简介", "目录摘要", "目录描述",
		"資料集描述", "資料集說明", "資源描述", "資料描述", "說明", "abstract", "description", "notes", "summary",
	},
	Items: {"信息项", "数据项", "主要字段", "字段", "字段说明", "信息项信息", "主要欄位", "主要欄位說明", "欄位說明", "資料集欄位", "items", "fields", "columns"},
	Category: {
		"资源分类", "信息资源分类", "主题", "主题分类", "所属主题", "数据分类", "分类", "类别", "所属领域", "领域", "所属行业", "目录路径",
		"分類", "分類及編號", "主題", "服務分類", "category", "topic", "theme", "group", "groups.title",
	},
	FormatOf:       {"资源格式", "信息资源格式", "资源类型", "数据格式", "文件格式", "格式", "資料格式", "檔案格式", "資料資源格式", "format", "media type", "distribution.format", "distribution.mediatype", "resources.format"},
	Methods:        {"共享方式", "提供方式", "数据提供方式", "共享方式类型", "methods", "delivery"},
	ShareType:      {"共享类型", "共享属性", "信息资源共享类型", "数据共享类型", "共享範圍", "共享類型", "share type", "sharing"},
	ShareCondition: {"共享条件", "共享条件说明", "有条件共享条件", "共享條件", "share condition", "conditions of sharing"},
	DenyBasis:      {"不予共享依据", "不予共享理由", "不共享依据", "不予共享法律依据", "不予共享依據", "deny basis", "basis for not sharing"},
	OpenType:       {"开放类型", "开放属性", "开放状态", "是否向社会开放", "开放等级", "開放類型", "開放狀態", "open type", "accesslevel", "access level"},
	OpenCondition:  {"开放条件", "開放條件", "open condition", "rights"},
	UpdateCycle: {
		"更新周期", "更新频率", "更新频度", "数据更新周期", "信息更新周期", "更新週期", "更新頻率", "資料更新頻率",
		"update cycle", "update frequency", "frequency", "accrualperiodicity",
	},
	Grade:    {"数据分级", "数据级别", "安全级别", "安全等级", "资源级别", "資料分級", "grade", "data grade"},
	Personal: {"是否涉及个人信息", "个人信息", "含个人信息", "personal", "personal information"},
	System:   {"所属系统", "来源系统", "信息系统", "信息系统名称", "所属信息系统", "业务系统", "系统名称", "所屬系統", "system", "system name"},
	Table:    {"库表", "库表名称", "表名", "数据表", "物理表名", "对应库表", "資料表", "table", "table name"},
	Duties:   {"职责", "职责编码", "对应职责", "三定职责", "职责事项", "職責", "duty", "duties"},
	Matters:  {"事项编码", "关联事项", "政务服务事项", "办事事项", "事項編碼", "matter", "matters", "matter code"},
	Region:   {"行政区划", "行政区划代码", "覆盖区域", "行政區劃", "spatial", "coverage region"},
	Period:   {"时间范围", "覆盖时间", "收录期间", "temporal", "coverage time"},
	Updated: {
		"更新时间", "最后更新时间", "更新日期", "发布日期", "发布时间", "资源出版日期", "出版日期", "最後更新時間", "更新時間", "上架日", "建立日期", "發布日期",
		"updated", "modified", "metadata_modified", "last_modified", "last_update", "issued",
	},
	Serial: {"序号", "编号", "行号", "序號", "編號", "項次", "no", "no.", "#", "serial"},

	ItemName:      {"信息项名称", "数据项名称", "字段中文名称", "字段中文名", "信息項名稱", "item name", "field name"},
	ItemCode:      {"信息项代码", "信息项编码", "数据项编码", "item code"},
	ItemTechnical: {"字段英文名称", "字段英文名", "英文字段名", "字段名", "字段代码", "technical name", "column name"},
	ItemType:      {"数据类型", "字段类型", "信息项类型", "資料類型", "item type", "field type", "data type"},
	ItemLength:    {"数据长度", "字段长度", "长度", "資料長度", "length", "field length"},
	ItemShare:     {"信息项共享类型", "数据项共享类型", "字段共享类型", "item share type"},
	ItemOpen:      {"信息项开放类型", "数据项开放类型", "字段开放类型", "item open type"},

	DutyName:   {"职权名称", "权力名称", "权力事项名称", "职责名称", "事项名称", "職權名稱", "職責名稱", "duty name"},
	DutyCode:   {"职权编号", "职责代码", "职责编号", "职权代码", "权力编码", "职权编码", "权力事项编码", "基本编码", "職權編號", "duty code"},
	DutyPower:  {"职权种类", "职权类别", "权力类型", "权力类别", "职权类型", "事项类型", "職權種類", "power type"},
	DutySource: {"设定依据", "依据", "设立依据", "实施依据", "法律依据", "职责依据", "三定依据", "設定依據", "legal basis"},

	OrgName:   {"机构名称", "单位名称", "部门名称", "组织机构名称", "机构全称", "机构名称(全称)", "機構名稱", "單位名稱", "機關名稱", "organisation name", "organization name", "agency name", "org name"},
	OrgShort:  {"机构简称", "单位简称", "简称", "簡稱", "short name"},
	OrgLevel:  {"机构级别", "行政级别", "机构层级", "級別", "level"},
	OrgRegion: {"所在地区划", "机构所属区划", "区划代码", "region"},
	OrgParent: {"上级机构", "上级单位", "主管部门", "上級機關", "parent"},
}

// wrappers are the keys under which portals put the record itself.
var wrappers = map[string]bool{"info": true, "result": true, "data": true, "fields": true, "metadata": true, "record": true, "attributes": true}

// byHeader is synonyms turned round; our own field names are headers, too.
var byHeader = turnRound()

// meaning is a field, and how good a header for it one is: 0 is the best.
type meaning struct {
	field Field
	rank  int
}

func turnRound() map[string]meaning {
	m := make(map[string]meaning)
	for _, headers := range []map[Field][]string{synonyms, formHeaders} {
		for f, names := range headers {
			for i, n := range names {
				m[headerKey(n)] = meaning{f, i + 1}
			}
		}
	}
	for _, headers := range []map[Field][]string{synonyms, formHeaders} { // our own names are unambiguous
		for f := range headers {
			m[headerKey(string(f))] = meaning{f, 0}
		}
	}
	return m
}

var brackets = regexp.MustCompile(`\([^()]*\)|\[[^\[\]]*\]|【[^【】]*】`)

// headerKey is the form in which headers are compared: NFKC without blanks, in
// lower case, without the star or colon that forms put beside required fields.
func headerKey(s string) string {
	if len(s) > maxHeader {
		return ""
	}
	k, ok := code.Key(s)
	if !ok {
		return ""
	}
	return strings.Trim(strings.ToLower(strings.ReplaceAll(k, "_", "")), "*:·•")
}

// fieldOf finds the field for a header, also without its remark in brackets:
// 资源名称（必填）. The field is "" when it is none of ours.
func fieldOf(header string) meaning {
	k := headerKey(header)
	if f, ok := byHeader[k]; ok {
		return f
	}
	return byHeader[strings.Trim(brackets.ReplaceAllString(k, ""), "*:")]
}

// known says whether a text is a header of ours; sheet finds the header row by it.
// The single words that are more often values than headers do not count there.
func known(extra map[string]Field) func(string) bool {
	return func(s string) bool {
		if _, ok := extra[headerKey(s)]; ok {
			return true
		}
		return fieldOf(s).field != ""
	}
}

// ParseMap reads the assignments of --map: "their header=our field". Usage names
// the one that is wrong.
func ParseMap(lang sheet.Lang, assignments []string) (map[string]Field, error) {
	m := make(map[string]Field, len(assignments))
	for _, a := range assignments {
		at := strings.LastIndexByte(a, '=')
		if at <= 0 {
			return nil, fault.Newf(fault.Usage, "%s", lang.Say("--map 要写成“对方的表头=我们的字段”：%q", "--map wants \"their header=our field\", not %q", a))
		}
		f := Field(strings.TrimSpace(a[at+1:]))
		if _, ok := byHeader[headerKey(string(f))]; (!ok || byHeader[headerKey(string(f))].field != f) && f != Ignored {
			return nil, fault.Newf(fault.Usage, "%s", lang.Say("没有字段 %q", "there is no field %q", f))
		}
		m[headerKey(a[:at])] = f
	}
	return m, nil
}
