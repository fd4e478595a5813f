package code

// What a resource is made of, where it comes from and where it can be reached.

// ResourceFormat is 资源格式 in the code of field systems.
type ResourceFormat uint8

// The resource formats.
const (
	FormatStructured   ResourceFormat = 1
	FormatTable        ResourceFormat = 2
	FormatUnstructured ResourceFormat = 3
	FormatFile         ResourceFormat = 4
	FormatFolder       ResourceFormat = 5
	FormatAPI          ResourceFormat = 6
	FormatLink         ResourceFormat = 7
)

// ResourceFormats is the list of [ResourceFormat].
var ResourceFormats = Table[ResourceFormat]{"资源格式", []Row[ResourceFormat]{
	{FormatStructured, "0100", "结构化", "structured", []string{"100", "结构化数据"}},
	{FormatTable, "0200", "库表", "table", []string{"200", "数据库", "数据库表", "数据表"}},
	{FormatUnstructured, "0300", "非结构化", "unstructured", []string{"300", "非结构化数据"}},
	{FormatFile, "0310", "文件", "file", []string{"310", "电子文件", "电子表格"}},
	{FormatFolder, "0320", "文件夹", "folder", []string{"320", "目录"}},
	{FormatAPI, "0400", "接口", "API", []string{"400", "服务接口", "接口服务", "数据接口"}},
	{FormatLink, "0500", "链接", "link", []string{"500", "url", "超链接"}},
}}

// String returns the Chinese label.
func (f ResourceFormat) String() string { return ResourceFormats.ZH(f) }

// Kind returns the resource kind that can carry the format, 0 for a link.
func (f ResourceFormat) Kind() ResourceType {
	switch f {
	case FormatStructured, FormatTable:
		return TypeTable
	case FormatUnstructured, FormatFile, FormatFolder:
		return TypeFile
	case FormatAPI:
		return TypeAPI
	}
	return 0
}

// GuideFormat is 信息资源格式分类 of the 2017 guide, for import and export.
type GuideFormat uint8

// The formats of the 2017 guide, which gives them no codes.
const (
	GuideDocument GuideFormat = 1
	GuideSheet    GuideFormat = 2
	GuideDatabase GuideFormat = 3
	GuideImage    GuideFormat = 4
	GuideMedia    GuideFormat = 5
	GuideOther    GuideFormat = 6
)

// GuideFormats is the list of [GuideFormat].
var GuideFormats = Table[GuideFormat]{"信息资源格式分类", []Row[GuideFormat]{
	{GuideDocument, "1", "电子文件", "document", []string{"文档", "文件", "文本", "txt", "doc", "docx", "pdf", "ofd", "wps", "html", "xml"}},
	{GuideSheet, "2", "电子表格", "spreadsheet", []string{"表格", "xls", "xlsx", "et", "csv"}},
	{GuideDatabase, "3", "数据库", "database", []string{"库表", "数据库表"}},
	{GuideImage, "4", "图形图像", "image", []string{"图像", "图片", "jpg", "png", "gif", "bmp", "tiff"}},
	{GuideMedia, "5", "流媒体", "media", []string{"音视频", "视频", "音频", "mp4", "mp3", "rm", "swf"}},
	{GuideOther, "6", "自描述格式", "self-described", []string{"自描述", "自定义格式"}},
}}

// String returns the Chinese label.
func (f GuideFormat) String() string { return GuideFormats.ZH(f) }

// ResourceType is 资源类型: what hangs on an entry.
type ResourceType uint8

// The resource types.
const (
	TypeTable ResourceType = 1
	TypeAPI   ResourceType = 2
	TypeFile  ResourceType = 3
)

// ResourceTypes is the list of [ResourceType].
var ResourceTypes = Table[ResourceType]{"资源类型", []Row[ResourceType]{
	{TypeTable, "1", "库表", "table", []string{"库表资源", "数据库", "视图"}},
	{TypeAPI, "2", "接口", "API", []string{"接口资源", "服务接口", "接口服务"}},
	{TypeFile, "3", "文件", "file", []string{"文件资源", "文件夹"}},
}}

// String returns the Chinese label.
func (r ResourceType) String() string { return ResourceTypes.ZH(r) }

// ProductForm is 产品形式 of a registered data product.
type ProductForm uint8

// The product forms.
const (
	FormDataset     ProductForm = 1
	FormAPI         ProductForm = 2
	FormApplication ProductForm = 3
	FormReport      ProductForm = 4
	FormObject      ProductForm = 5
	FormOther       ProductForm = 6
)

// ProductForms is the list of [ProductForm].
var ProductForms = Table[ProductForm]{"产品形式", []Row[ProductForm]{
	{FormDataset, "001", "数据集", "dataset", nil},
	{FormAPI, "002", "API", "interface", []string{"接口", "数据接口"}},
	{FormApplication, "003", "应用", "application", []string{"数据应用"}},
	{FormReport, "004", "报告", "report", []string{"数据报告"}},
	{FormObject, "005", "对象", "object", []string{"数据对象"}},
	{FormOther, "006", "其他", "other", []string{"其它"}},
}}

// String returns the Chinese label.
func (f ProductForm) String() string { return ProductForms.ZH(f) }

// Processing is 数据加工程度.
type Processing uint8

// The degrees of processing. The code 0 is 其他, so the values are one off.
const (
	ProcessedRaw     Processing = 1
	ProcessedMasked  Processing = 2
	ProcessedTagged  Processing = 3
	ProcessedCounted Processing = 4
	ProcessedFused   Processing = 5
	ProcessedOther   Processing = 6
)

// Processings is the list of [Processing].
var Processings = Table[Processing]{"数据加工程度", []Row[Processing]{
	{ProcessedRaw, "sjjgcd01", "原始数据", "raw", []string{"01", "1", "原始"}},
	{ProcessedMasked, "sjjgcd02", "脱敏数据", "masked", []string{"02", "2", "脱敏"}},
	{ProcessedTagged, "sjjgcd03", "标签数据", "tagged", []string{"03", "3", "标签"}},
	{ProcessedCounted, "sjjgcd04", "统计数据", "statistics", []string{"04", "4", "统计"}},
	{ProcessedFused, "sjjgcd05", "融合数据", "fused", []string{"05", "5", "融合"}},
	{ProcessedOther, "0", "其他", "other", []string{"00", "sjjgcd0", "其它"}},
}}

// String returns the Chinese label.
func (p Processing) String() string { return Processings.ZH(p) }

// Acquisition is 取得方式.
type Acquisition uint8

// The ways in which data was acquired.
const (
	AcquiredOriginal  Acquisition = 1
	AcquiredCollected Acquisition = 2
	AcquiredTraded    Acquisition = 3
	AcquiredOther     Acquisition = 4
)

// Acquisitions is the list of [Acquisition].
var Acquisitions = Table[Acquisition]{"取得方式", []Row[Acquisition]{
	{AcquiredOriginal, "001", "原始取得", "original", []string{"原始", "1"}},
	{AcquiredCollected, "002", "收集取得", "collected", []string{"收集", "2"}},
	{AcquiredTraded, "003", "交易取得", "traded", []string{"交易", "3"}},
	{AcquiredOther, "004", "其他", "other", []string{"其它", "4"}},
}}

// String returns the Chinese label.
func (a Acquisition) String() string { return Acquisitions.ZH(a) }

// ColumnType is 字段类型 in the code of field systems.
type ColumnType uint8

// The column types. Values are the field codes plus one; 4 was never given out.
const (
	ColumnNumber   ColumnType = 1
	ColumnText     ColumnType = 2
	ColumnDate     ColumnType = 3
	ColumnDateTime ColumnType = 4
	ColumnBool     ColumnType = 6
	ColumnOther    ColumnType = 7
	ColumnDecimal  ColumnType = 8
	ColumnPrecise  ColumnType = 9
	ColumnTime     ColumnType = 10
)

// ColumnTypes is the list of [ColumnType].
var ColumnTypes = Table[ColumnType]{"字段类型", []Row[ColumnType]{
	{ColumnNumber, "0", "数字型", "number", []string{"数字", "数值型", "整数", "整数型", "整型", "int", "integer", "bigint", "数值", "n"}},
	{ColumnText, "1", "字符型", "text", []string{"字符", "字符串", "字符串型", "string", "char", "varchar", "varchar2", "文本", "文本型", "c"}},
	{ColumnDate, "2", "日期型", "date", []string{"日期", "d"}},
	{ColumnDateTime, "3", "日期时间型", "date time", []string{"日期时间", "timestamp", "时间戳"}},
	{ColumnBool, "5", "布尔型", "boolean", []string{"布尔", "bool", "逻辑型"}},
	{ColumnOther, "6", "其他", "other", []string{"其它"}},
	{ColumnDecimal, "7", "小数型", "decimal fraction", []string{"小数", "浮点型", "浮点", "float", "double"}},
	{ColumnPrecise, "8", "高精度型", "high precision", []string{"高精度", "decimal", "numeric", "货币型"}},
	{ColumnTime, "9", "时间型", "time", []string{"时间"}},
}}

// String returns the Chinese label.
func (c ColumnType) String() string { return ColumnTypes.ZH(c) }
