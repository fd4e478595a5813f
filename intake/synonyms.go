package intake

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
		"dct:title", "schema:name",
	},
	Code: {
		"资源代码", "信息资源代码", "资源编码", "目录编码", "目录代码", "数据目录代码", "信息资源标识", "资源标识符", "数据集编码", "资源唯一标识",
		"資料集識別碼", "資料集代碼", "資源代碼", "識別碼",
		"identifier", "id", "uuid", "code", "dataset id", "resource code", "catalogue code",
		"dct:identifier", "adms:identifier", "adms:identifier.skos:notation", "dc:identifier", "@id",
	},
	Owner: {
		"资源提供方", "信息资源提供方", "数据提供方", "提供方", "提供单位", "提供部门", "来源部门", "数据提供单位", "数据提供部门", "资源提供单位", "资源提供部门", "资源所有权单位", "责任部门", "责任单位", "所属部门", "所属单位", "发布单位", "发布部门", "数据来源部门", "实施主体", "行使主体", "行使机关", "机构", "单位", "部门",
		"資料集提供機關", "提供機關", "提供機關名稱", "提供單位", "資料提供機關", "資料提供單位", "主管機關", "部門",
		"owner", "provider", "publisher", "publisher.name", "agency", "department", "organization.title", "organisation.title", "organization.name", "organisation.name", "organization", "organisation",
		"dct:publisher", "dct:publisher.foaf:name", "dct:publisher.skos:prefLabel", "dct:publisher.schema:name", "publisher_name", "department_name", "org_title", "dct:creator.foaf:name",
	},
	OwnerCode: {
		"提供方代码", "信息资源提供方代码", "资源提供方代码", "提供单位代码", "统一社会信用代码", "机构代码", "单位代码", "部门代码", "组织机构代码",
		"提供機關代碼", "統一社會信用代碼", "owner code", "provider code", "organization code", "organisation code", "uscc",
		"dct:publisher.dct:identifier",
	},
	SourceOrg: {"数源单位", "数源部门", "来源单位", "資料來源", "資料來源(部會單位)", "资料来源", "source organisation", "source organization", "来源机构", "数据来源单位", "source org"},
	Abstract: {
		"资源摘要", "信息资源摘要", "摘要", "资源描述", "数据描述", "描述", "简介", "资源简介", "目录摘要", "目录描述",
		"資料集描述", "資料集說明", "資源描述", "資料描述", "說明", "abstract", "description", "notes", "summary",
		"dct:description", "schema:description",
	},
	Items: {"信息项", "数据项", "主要字段", "字段", "字段说明", "信息项信息", "主要欄位", "主要欄位說明", "欄位說明", "資料集欄位", "items", "fields", "columns"},
	Category: {
		"资源分类", "信息资源分类", "主题", "主题分类", "所属主题", "数据分类", "分类", "类别", "所属领域", "领域", "所属行业", "目录路径",
		"分類", "分類及編號", "主題", "服務分類", "category", "topic", "theme", "group", "groups.title",
		"dcat:theme", "dcat:theme.skos:preflabel", "themes", "sector", "dct:subject",
	},
	FormatOf:       {"资源格式", "信息资源格式", "资源类型", "数据格式", "文件格式", "格式", "資料格式", "檔案格式", "資料資源格式", "format", "media type", "distribution.format", "distribution.mediatype", "resources.format", "资源文件格式", "urn:mulian:vocabulary:format"},
	Methods:        {"共享方式", "提供方式", "数据提供方式", "共享方式类型", "methods", "delivery"},
	ShareType:      {"共享类型", "共享属性", "信息资源共享类型", "数据共享类型", "共享範圍", "共享類型", "share type", "sharing", "urn:mulian:vocabulary:sharetype"},
	ShareCondition: {"共享条件", "共享条件说明", "有条件共享条件", "共享條件", "share condition", "conditions of sharing", "urn:mulian:vocabulary:sharecondition"},
	DenyBasis:      {"不予共享依据", "不予共享理由", "不共享依据", "不予共享法律依据", "不予共享依據", "deny basis", "basis for not sharing", "urn:mulian:vocabulary:denybasis"},
	OpenType:       {"开放类型", "开放属性", "开放状态", "是否向社会开放", "开放等级", "開放類型", "開放狀態", "open type", "accesslevel", "access level", "dct:accessrights"},
	OpenCondition:  {"开放条件", "開放條件", "open condition", "rights", "urn:mulian:vocabulary:opencondition", "dct:rights", "access level comment"},
	UpdateCycle: {
		"更新周期", "更新频率", "更新频度", "数据更新周期", "信息更新周期", "更新週期", "更新頻率", "資料更新頻率",
		"update cycle", "update frequency", "frequency", "accrualperiodicity",
		"dct:accrualperiodicity", "frequency of update", "更新間隔", "更新頻度",
	},
	Grade:    {"数据分级", "数据级别", "安全级别", "安全等级", "资源级别", "資料分級", "grade", "data grade", "urn:mulian:vocabulary:grade"},
	Personal: {"是否涉及个人信息", "个人信息", "含个人信息", "personal", "personal information", "urn:mulian:vocabulary:personal"},
	System:   {"所属系统", "来源系统", "信息系统", "信息系统名称", "所属信息系统", "业务系统", "系统名称", "所屬系統", "system", "system name"},
	Table:    {"库表", "库表名称", "表名", "数据表", "物理表名", "对应库表", "資料表", "table", "table name"},
	Duties:   {"职责", "职责编码", "对应职责", "三定职责", "职责事项", "職責", "duty", "duties", "urn:mulian:vocabulary:duty"},
	Matters:  {"事项编码", "关联事项", "政务服务事项", "办事事项", "事項編碼", "matter", "matters", "matter code"},
	Region:   {"行政区划", "行政区划代码", "覆盖区域", "行政區劃", "spatial", "coverage region", "dct:spatial.dct:identifier", "dct:spatial"},
	Period:   {"时间范围", "覆盖时间", "收录期间", "temporal", "coverage time", "收录时间", "收錄期間", "收录期间", "temporal coverage", "dct:temporal", "dct:temporal.rdfs:label"},
	Updated: {
		"modified", "dct:modified", "数据更新日期", "更新时间", "最后更新时间", "更新日期", "最後更新時間", "更新時間", "資料更新時間",
		"last_update", "last_modified", "updated", "metadata_modified", "修改时间",
	},
	Issued: {
		"issued", "dct:issued", "首次发布日期", "发布日期", "发布时间", "资源出版日期", "出版日期", "上架日", "上架日期", "發布日期", "发布于",
		"建立日期", "created_at", "created", "release date", "metadata_created",
	},
	Keywords: {
		"keyword", "keywords", "关键字", "关键词", "关键字说明", "标签", "標籤/關鍵字", "標籤", "關鍵字", "tag", "tags", "tags.display_name", "dcat:keyword", "资源标签", "数据标签",
	},
	Resources:   {"resources", "distribution", "distributions", "dcat:distribution"},
	ResourceURL: {"下载地址", "下载链接", "資料下載網址", "資料資源下載網址", "download url", "downloadurl", "accessurl", "access url", "web service"},
	Licence: {
		"licence", "license", "license_url", "license_title", "license_id", "dct:license", "dct:license.@id", "dct:license.rdfs:label", "dct:license.dct:title", "许可协议", "授权方式", "使用许可",
		"授權方式", "授權說明", "授權",
	},
	LandingPage: {
		"landing page", "landingpage", "dcat:landingpage", "dcat:landingpage.@id", "网页地址", "页面地址", "资源链接", "資料連結網址", "資料集網址", "資料集說明網址", "page", "url", "详情页", "foaf:page",
	},
	Languages: {"language", "languages", "dct:language", "语言", "語言", "urn:mulian:vocabulary:language"},
	Origin:    {"来源标识", "origin", "urn:mulian:vocabulary:origin"},
	PeriodFrom: {
		"收錄期間(起)", "收录期间(起)", "开始时间", "起始时间", "temporal_coverage.start", "dct:temporal.schema:startdate", "dct:temporal.dcat:startdate", "temporal start",
	},
	PeriodTo: {
		"收錄期間(迄)", "收录期间(止)", "收录期间(迄)", "结束时间", "截止时间", "temporal_coverage.end", "dct:temporal.schema:enddate", "dct:temporal.dcat:enddate", "temporal end",
	},
	Contact: {
		"contactpoint", "contactpoints", "contacts", "dcat:contactpoint", "contact", "contact name", "contact email", "contact phone", "maintainer", "maintainer_email", "author", "author_email", "creator_user_id",
		"dcatde:maintainer", "dcatde:originator", "dcatde:creator", "dct:creator", "dct:contributor", "mbox", "publisher.mbox", "publisher.email", "dct:publisher.foaf:mbox", "dct:publisher.foaf:phone",
		"owner.first_name", "owner.last_name", "owner.email", "owner.page", "owner.avatar", "owner.avatar_thumbnail", "owner.slug", "owner.uri", "owner.id", "owner.class",
		"联系人", "联系人姓名", "联系电话", "联系方式", "联系邮箱", "电子邮箱", "邮箱", "部门电话", "部门邮箱", "负责人", "经办人", "办公电话", "手机", "手机号", "手机号码", "传真", "咨询电话", "投诉电话", "监督电话", "通信地址",
		"聯絡人", "聯絡人姓名", "聯絡人電話", "聯絡人電子郵件", "聯絡電話", "聯絡信箱", "提供機關聯絡人", "提供機關聯絡人姓名", "提供機關聯絡人電話", "提供機關聯絡人電子郵件", "資料提供機關聯絡人", "電子郵件", "電話",
		"email", "e-mail", "telephone", "phone", "fax", "責任者", "問い合わせ先", "担当者",
	},
	Serial: {"@type", "@context", "publisher.@type", "序号", "编号", "行号", "序號", "編號", "項次", "no", "no.", "#", "serial"},

	ItemName:      {"信息项名称", "数据项名称", "字段中文名称", "字段中文名", "信息項名稱", "item name", "field name"},
	ItemCode:      {"信息项代码", "信息项编码", "数据项编码", "item code"},
	ItemTechnical: {"字段英文名称", "字段英文名", "英文字段名", "字段名", "字段代码", "technical name", "column name"},
	ItemType:      {"数据类型", "字段类型", "信息项类型", "資料類型", "item type", "field type", "data type"},
	ItemLength:    {"数据长度", "字段长度", "长度", "資料長度", "length", "field length"},
	ItemShare:     {"信息项共享类型", "数据项共享类型", "字段共享类型", "item share type"},
	ItemOpen:      {"信息项开放类型", "数据项开放类型", "字段开放类型", "item open type"},

	DutyName:    {"职权名称", "权力名称", "权力事项名称", "职责名称", "事项名称", "職權名稱", "職責名稱", "duty name"},
	DutyCode:    {"职权编号", "职责代码", "职责编号", "职权代码", "权力编码", "职权编码", "权力事项编码", "基本编码", "職權編號", "duty code"},
	DutyPower:   {"职权种类", "职权类别", "权力类型", "权力类别", "职权类型", "事项类型", "職權種類", "power type"},
	DutyArticle: {"设定依据条款", "依据条款", "legal basis: article"},
	DutyFrom:    {"生效日期", "valid from"},
	DutyTo:      {"失效日期", "valid to"},
	DutyRetired: {"已废止", "retired"},
	DutySource:  {"设定依据", "依据", "设立依据", "实施依据", "法律依据", "职责依据", "三定依据", "設定依據", "legal basis"},

	OrgName:   {"机构名称", "单位名称", "部门名称", "组织机构名称", "机构全称", "机构名称(全称)", "機構名稱", "單位名稱", "機關名稱", "organisation name", "organization name", "agency name", "org name"},
	OrgShort:  {"机构简称", "单位简称", "简称", "簡稱", "short name"},
	OrgLevel:  {"机构级别", "行政级别", "机构层级", "級別", "level"},
	OrgRegion: {"所在地区划", "机构所属区划", "区划代码", "region"},
	OrgParent: {"上级机构", "上级单位", "主管部门", "上級機關", "parent"},

	MatterName:     {"政务服务事项名称", "实施事项名称", "办理事项名称", "办事事项名称", "服务事项名称", "业务办理项名称", "matter name"},
	MatterCode:     {"实施清单编码", "实施编码", "业务办理项编码", "办理项编码"},
	MatterPower:    {"matter power type"},
	MatterInputs:   {"申请材料", "办理材料", "所需材料", "材料清单", "材料名称", "inputs", "materials"},
	MatterCategory: {"matter category"},
	MatterGuide:    {"办事指南", "办事指南地址", "办事指南链接", "guide"},
	ValueName:      {"代码名称", "代码含义", "code meaning", "value name"},
	ValueCode:      {"代码值", "value code"},
	ValueParent:    {"上级代码", "父代码", "父级代码", "parent code"},
}
