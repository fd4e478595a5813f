package code

// How an entry is shared, opened and delivered; how often it is brought up to date.

// ShareType is 共享类型 (order 809, article 18).
type ShareType uint8

// The share types, from open to closed: a greater value is tighter.
const (
	ShareUnconditional ShareType = 1
	ShareConditional   ShareType = 2
	ShareDenied        ShareType = 3
)

// ShareTypes is the list of [ShareType].
var ShareTypes = Table[ShareType]{"共享类型", []Row[ShareType]{
	{ShareUnconditional, "1", "无条件共享", "unconditional", []string{"01", "001", "无条件", "无条件共享类", "普遍共享"}},
	{ShareConditional, "2", "有条件共享", "conditional", []string{"02", "002", "有条件", "有条件共享类", "授权共享", "依申请共享"}},
	{ShareDenied, "3", "不予共享", "denied", []string{"03", "003", "不予", "不共享", "不予共享类", "非共享", "不可共享", "notshared"}},
}}

// TighterThan says that t allows less than u.
func (t ShareType) TighterThan(u ShareType) bool { return t > u }

// String returns the Chinese label.
func (t ShareType) String() string { return ShareTypes.ZH(t) }

// OpenType is 开放类型, opening to the public.
type OpenType uint8

// The open types, from open to closed.
const (
	OpenUnconditional OpenType = 1
	OpenConditional   OpenType = 2
	OpenDenied        OpenType = 3
)

// OpenTypes is the list of [OpenType].
var OpenTypes = Table[OpenType]{"开放类型", []Row[OpenType]{
	{OpenUnconditional, "1", "无条件开放", "unconditional", []string{"01", "001", "无条件", "无条件开放类", "完全开放"}},
	{OpenConditional, "2", "有条件开放", "conditional", []string{"02", "002", "有条件", "有条件开放类", "依申请开放"}},
	{OpenDenied, "3", "不予开放", "denied", []string{"03", "003", "不予", "不开放", "不予开放类", "非开放", "不可开放"}},
}}

// String returns the Chinese label.
func (t OpenType) String() string { return OpenTypes.ZH(t) }

// ShareMethod is 共享方式 of the 2017 guide: the way in which data goes over.
type ShareMethod uint8

// The share methods.
const (
	ByPlatform ShareMethod = 1
	ByMail     ShareMethod = 2
	ByMedium   ShareMethod = 3
)

// ShareMethods is the list of [ShareMethod].
var ShareMethods = Table[ShareMethod]{"共享方式", []Row[ShareMethod]{
	{ByPlatform, "1", "共享平台", "platform", []string{"01", "平台", "共享平台方式", "数据共享交换平台", "共享交换平台"}},
	{ByMail, "2", "邮件", "mail", []string{"02", "电子邮件", "邮件方式", "email"}},
	{ByMedium, "3", "介质", "medium", []string{"03", "拷贝", "介质交换", "拷盘", "光盘", "u盘"}},
}}

// String returns the Chinese label.
func (m ShareMethod) String() string { return ShareMethods.ZH(m) }

// Method is 交付方式, the way of delivery of order 809, article 22.
type Method uint8

// The ways of delivery.
const (
	MethodQuery Method = 1 // one record by its key, through an interface
	MethodBatch Method = 2 // a whole table in pages
	MethodFile  Method = 3
)

// Methods is the list of [Method].
var Methods = Table[Method]{"交付方式", []Row[Method]{
	{MethodQuery, "1", "服务接口", "query", []string{"接口", "api", "api接口", "接口服务", "数据接口", "服务调用", "查询", "查询核验", "核验", "在线查询"}},
	{MethodBatch, "2", "批量交换", "batch", []string{"批量", "库表交换", "库表", "数据库", "库表推送", "数据交换"}},
	{MethodFile, "3", "文件下载", "file", []string{"文件", "文件交换", "下载"}},
}}

// String returns the Chinese label.
func (m Method) String() string { return Methods.ZH(m) }

// UpdateCycle is 更新周期 in the national code.
type UpdateCycle uint8

// The update cycles.
const (
	RealTime   UpdateCycle = 1
	Daily      UpdateCycle = 2
	Weekly     UpdateCycle = 3
	Monthly    UpdateCycle = 4
	Quarterly  UpdateCycle = 5
	HalfYearly UpdateCycle = 6
	Yearly     UpdateCycle = 7
	Irregular  UpdateCycle = 8
	Historical UpdateCycle = 9
)

// UpdateCycles is the list of [UpdateCycle]. The one-digit codes are those of field
// systems (dictionary GXZQ); their 8 其他 is taken for 008 不定期, the nearest: our
// own choice.
var UpdateCycles = Table[UpdateCycle]{"更新周期", []Row[UpdateCycle]{
	{RealTime, "001", "实时", "real time", []string{"1", "01", "实时更新", "即时"}},
	{Daily, "002", "每日", "daily", []string{"2", "02", "每天", "日", "天", "按日", "按天", "每日更新"}},
	{Weekly, "003", "每周", "weekly", []string{"3", "03", "周", "按周", "每周更新"}},
	{Monthly, "004", "每月", "monthly", []string{"4", "04", "月", "按月", "每月更新"}},
	{Quarterly, "005", "每季度", "quarterly", []string{"5", "05", "季", "季度", "每季", "按季", "按季度", "每季度更新"}},
	{HalfYearly, "006", "每半年", "half-yearly", []string{"6", "06", "半年", "按半年", "每半年更新"}},
	{Yearly, "007", "每年", "yearly", []string{"7", "07", "年", "年度", "按年", "每年更新", "annually"}},
	{Irregular, "008", "不定期", "irregular", []string{"8", "08", "其他", "其它", "不定期更新", "按需", "按需更新"}},
	{Historical, "009", "历史存量", "historical", []string{"9", "09", "存量", "不更新", "一次性", "静态"}},
}}

// String returns the Chinese label.
func (c UpdateCycle) String() string { return UpdateCycles.ZH(c) }

// Days returns the days after which data of this cycle is late, before the tolerance
// of the entry; 0 where nothing is ever late. Real time counts as a day, for that
// is the grain of the statutory clocks: our own choice.
func (c UpdateCycle) Days() int {
	switch c {
	case RealTime, Daily:
		return 1
	case Weekly:
		return 7
	case Monthly:
		return 31
	case Quarterly:
		return 92
	case HalfYearly:
		return 184
	case Yearly:
		return 366
	}
	return 0
}
