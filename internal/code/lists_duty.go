package code

// Powers and places of government, and what people say back.

// PowerType is 行政权力类型.
type PowerType uint8

// The power types.
const (
	PowerLicence      PowerType = 1
	PowerPenalty      PowerType = 2
	PowerCoercion     PowerType = 3
	PowerLevy         PowerType = 4
	PowerPayment      PowerType = 5
	PowerInspection   PowerType = 6
	PowerConfirmation PowerType = 7
	PowerReward       PowerType = 8
	PowerRuling       PowerType = 9
	PowerRequisition  PowerType = 10
	PowerOther        PowerType = 11
	PublicService     PowerType = 12
)

// PowerTypes is the list of [PowerType]. Codes 01 to 10 and 20 are those of the
// national list of government service matters; 行政征用 has none there, "11" is ours.
var PowerTypes = Table[PowerType]{"行政权力类型", []Row[PowerType]{
	{PowerLicence, "01", "行政许可", "licence", []string{"1", "许可", "审批", "行政审批"}},
	{PowerPenalty, "02", "行政处罚", "penalty", []string{"2", "处罚"}},
	{PowerCoercion, "03", "行政强制", "coercion", []string{"3", "强制"}},
	{PowerLevy, "04", "行政征收", "levy", []string{"4", "征收"}},
	{PowerPayment, "05", "行政给付", "payment", []string{"5", "给付"}},
	{PowerInspection, "06", "行政检查", "inspection", []string{"6", "检查", "行政监督检查"}},
	{PowerConfirmation, "07", "行政确认", "confirmation", []string{"7", "确认"}},
	{PowerReward, "08", "行政奖励", "reward", []string{"8", "奖励"}},
	{PowerRuling, "09", "行政裁决", "ruling", []string{"9", "裁决"}},
	{PowerOther, "10", "其他行政权力", "other power", []string{"其他", "其它", "其他权力", "其他类", "其他职权"}},
	{PowerRequisition, "11", "行政征用", "requisition", []string{"征用"}},
	{PublicService, "20", "公共服务", "public service", []string{"公共服务事项"}},
}}

// String returns the Chinese label.
func (p PowerType) String() string { return PowerTypes.ZH(p) }

// Tier is 数据层级: the level of government whose data it is.
type Tier uint8

// The tiers.
const (
	TierNation   Tier = 1
	TierProvince Tier = 2
	TierCity     Tier = 3
	TierCounty   Tier = 4
)

// Tiers is the list of [Tier].
var Tiers = Table[Tier]{"数据层级", []Row[Tier]{
	{TierNation, "1", "国家", "nation", []string{"01", "国家级", "中央"}},
	{TierProvince, "2", "省", "province", []string{"02", "省级", "直辖市", "自治区"}},
	{TierCity, "3", "市", "city", []string{"03", "市级", "地市", "地市级", "设区市"}},
	{TierCounty, "4", "县区", "county", []string{"04", "县", "区县", "县级", "区", "区级", "县(区)", "区(县)"}},
}}

// String returns the Chinese label.
func (t Tier) String() string { return Tiers.ZH(t) }

// Channel is 提供渠道, the network over which a resource can be reached.
type Channel uint8

// The channels.
const (
	GovernmentNet Channel = 1
	Internet      Channel = 2
	DepartmentNet Channel = 3
)

// Channels is the list of [Channel].
var Channels = Table[Channel]{"提供渠道", []Row[Channel]{
	{GovernmentNet, "1", "政务外网", "government extranet", []string{"01", "电子政务外网", "外网"}},
	{Internet, "2", "互联网", "internet", []string{"02", "因特网"}},
	{DepartmentNet, "3", "部门专网", "department network", []string{"03", "专网", "业务专网"}},
}}

// String returns the Chinese label.
func (c Channel) String() string { return Channels.ZH(c) }

// SystemLevel is 来源系统分级: who built the system the data comes from.
type SystemLevel uint8

// The system levels.
const (
	SystemOwn      SystemLevel = 1
	SystemNation   SystemLevel = 2
	SystemProvince SystemLevel = 3
	SystemCity     SystemLevel = 4
	SystemCounty   SystemLevel = 5
)

// SystemLevels is the list of [SystemLevel].
var SystemLevels = Table[SystemLevel]{"来源系统分级", []Row[SystemLevel]{
	{SystemOwn, "01", "自建系统", "own", []string{"1", "自建"}},
	{SystemNation, "02", "国直系统", "national", []string{"2", "国直", "国垂", "国家垂直系统"}},
	{SystemProvince, "03", "省直系统", "provincial", []string{"3", "省直", "省垂", "省垂直系统"}},
	{SystemCity, "04", "市直系统", "city", []string{"4", "市直", "市垂", "市垂直系统"}},
	{SystemCounty, "05", "县直系统", "county", []string{"5", "县直", "区直", "县垂"}},
}}

// String returns the Chinese label.
func (s SystemLevel) String() string { return SystemLevels.ZH(s) }

// Scenario is 应用场景.
type Scenario uint8

// The scenarios of use.
const (
	ForMatters     Scenario = 1
	ForPublic      Scenario = 2
	ForSupervision Scenario = 3
	ForOther       Scenario = 4
)

// Scenarios is the list of [Scenario].
var Scenarios = Table[Scenario]{"应用场景", []Row[Scenario]{
	{ForMatters, "1", "政务服务", "government service", []string{"01"}},
	{ForPublic, "2", "公共服务", "public service", []string{"02"}},
	{ForSupervision, "3", "监管", "supervision", []string{"03", "监管执法", "行政监管"}},
	{ForOther, "4", "其他", "other", []string{"04", "其它"}},
}}

// String returns the Chinese label.
func (s Scenario) String() string { return Scenarios.ZH(s) }

// Feedback is 反馈类型: what a user of data reports.
type Feedback uint8

// The kinds of feedback.
const (
	FeedbackCatalogue Feedback = 1
	FeedbackQuality   Feedback = 2
	FeedbackMismatch  Feedback = 3
	FeedbackAPI       Feedback = 4
	FeedbackOther     Feedback = 5
)

// Feedbacks is the list of [Feedback].
var Feedbacks = Table[Feedback]{"反馈类型", []Row[Feedback]{
	{FeedbackCatalogue, "1", "目录信息错误", "catalogue error", nil},
	{FeedbackQuality, "2", "数据质量问题", "data quality", nil},
	{FeedbackMismatch, "3", "挂接资源和目录不一致", "resource differs from catalogue", []string{"目录与资源不一致"}},
	{FeedbackAPI, "4", "接口问题", "interface problem", nil},
	{FeedbackOther, "5", "其他", "other", []string{"其它"}},
}}

// String returns the Chinese label.
func (f Feedback) String() string { return Feedbacks.ZH(f) }

// Objection is 异议类型.
type Objection uint8

// The kinds of objection.
const (
	ObjectCatalogue Objection = 1
	ObjectAnswer    Objection = 2
	ObjectUse       Objection = 3
	ObjectOther     Objection = 4
)

// Objections is the list of [Objection].
var Objections = Table[Objection]{"异议类型", []Row[Objection]{
	{ObjectCatalogue, "1", "目录纠错", "catalogue correction", nil},
	{ObjectAnswer, "2", "申请异议", "objection to an answer", nil},
	{ObjectUse, "3", "使用异议", "objection to a use", nil},
	{ObjectOther, "4", "其他", "other", []string{"其它"}},
}}

// String returns the Chinese label.
func (o Objection) String() string { return Objections.ZH(o) }

// Control is 使用控制模板 (TC609, 5.2.2.5): the primitives of a sharing policy.
type Control uint8

// The use controls.
const (
	ControlContent     Control = 1
	ControlDeliveredBy Control = 2
	ControlUsedBy      Control = 3
	ControlUser        Control = 4
	ControlOperation   Control = 5
	ControlCount       Control = 6
	ControlTerm        Control = 7
	ControlVisible     Control = 8
	ControlScope       Control = 9
	ControlNotify      Control = 10
	ControlDestroy     Control = 11
)

// Controls is the list of [Control]. The draft gives no codes; these are its order.
var Controls = Table[Control]{"使用控制模板", []Row[Control]{
	{ControlContent, "1", "限定内容", "content", nil},
	{ControlDeliveredBy, "2", "限定交付连接器", "delivering connector", []string{"交付连接器"}},
	{ControlUsedBy, "3", "限定使用连接器", "using connector", []string{"使用连接器"}},
	{ControlUser, "4", "限定使用者", "user", []string{"使用者"}},
	{ControlOperation, "5", "限定使用操作", "operation", []string{"使用操作"}},
	{ControlCount, "6", "限定使用次数", "count", []string{"次数", "使用次数"}},
	{ControlTerm, "7", "限定使用时长", "term", []string{"时长", "使用时长"}},
	{ControlVisible, "8", "限定可见范围", "visible range", []string{"可见范围"}},
	{ControlScope, "9", "限定可用范围", "usable range", []string{"可用范围"}},
	{ControlNotify, "10", "使用时通知", "notify on use", nil},
	{ControlDestroy, "11", "使用后销毁", "destroy after use", nil},
}}

// String returns the Chinese label.
func (c Control) String() string { return Controls.ZH(c) }
