package code

// How grave it is when data gets into wrong hands, and how good it is.

// Grade is 数据分级: general data in four steps, important data, core data. There is
// no value for classified matter: Grades.Parse answers it with [ErrSecret].
type Grade uint8

// The grades; a greater value is graver.
const (
	General1  Grade = 1
	General2  Grade = 2
	General3  Grade = 3
	General4  Grade = 4
	Important Grade = 5
	Core      Grade = 6
)

// Grades is the list of [Grade]. 一般 without a step is taken for the gravest step, so
// that nothing is treated more lightly than its owner meant. The field systems' codes
// 1 一般 2 重要 3 核心 4 涉密 collide with the steps: [ParseFieldGrade] reads them.
var Grades = Table[Grade]{"数据分级", []Row[Grade]{
	{General1, "1", "一般1级", "general 1", []string{"一般1", "一般数据1级", "一级", "1级", "l1"}},
	{General2, "2", "一般2级", "general 2", []string{"一般2", "一般数据2级", "二级", "2级", "l2"}},
	{General3, "3", "一般3级", "general 3", []string{"一般3", "一般数据3级", "三级", "3级", "l3"}},
	{General4, "4", "一般4级", "general 4", []string{"一般4", "一般数据4级", "四级", "4级", "l4", "一般", "一般数据", "general"}},
	{Important, "5", "重要", "important", []string{"重要数据", "五级", "5级"}},
	{Core, "6", "核心", "core", []string{"核心数据", "六级", "6级"}},
}}

// fieldGrades is the list of field systems, which know no steps.
var fieldGrades = Table[Grade]{"数据分级", []Row[Grade]{
	{General4, "1", "一般", "general", []string{"01", "一般数据"}},
	{Important, "2", "重要", "important", []string{"02", "重要数据"}},
	{Core, "3", "核心", "core", []string{"03", "核心数据"}},
}}

// ParseFieldGrade reads the grade of a field system: 1 一般, 2 重要, 3 核心; 4 涉密 is
// [ErrSecret].
func ParseFieldGrade(text string) (Grade, error) {
	if key, _ := Key(text); key == "4" || key == "04" {
		return 0, ErrSecret
	}
	return fieldGrades.Parse(text)
}

// String returns the Chinese label.
func (g Grade) String() string { return Grades.ZH(g) }

// Sensitivity is 敏感级别.
type Sensitivity uint8

// The sensitivities; a greater value is graver.
const (
	Sensitive1 Sensitivity = 1
	Sensitive2 Sensitivity = 2
	Sensitive3 Sensitivity = 3
	Sensitive4 Sensitivity = 4
)

// Sensitivities is the list of [Sensitivity].
var Sensitivities = Table[Sensitivity]{"敏感级别", []Row[Sensitivity]{
	{Sensitive1, "1", "敏感1级", "not sensitive", []string{"一级", "1级", "不敏感", "公开"}},
	{Sensitive2, "2", "敏感2级", "low", []string{"二级", "2级", "低敏感"}},
	{Sensitive3, "3", "敏感3级", "sensitive", []string{"三级", "3级", "较敏感", "敏感"}},
	{Sensitive4, "4", "敏感4级", "very sensitive", []string{"四级", "4级", "高敏感", "极敏感"}},
}}

// String returns the Chinese label.
func (s Sensitivity) String() string { return Sensitivities.ZH(s) }

// SafetyLevel is 安全等级 of the NDI draft.
type SafetyLevel uint8

// The safety levels.
const (
	Safety1 SafetyLevel = 1
	Safety2 SafetyLevel = 2
	Safety3 SafetyLevel = 3
	Safety4 SafetyLevel = 4
	Safety5 SafetyLevel = 5
)

// SafetyLevels is the list of [SafetyLevel].
var SafetyLevels = Table[SafetyLevel]{"安全等级", []Row[SafetyLevel]{
	{Safety1, "level1", "安全1级", "safety 1", []string{"1", "一级", "1级"}},
	{Safety2, "level2", "安全2级", "safety 2", []string{"2", "二级", "2级"}},
	{Safety3, "level3", "安全3级", "safety 3", []string{"3", "三级", "3级"}},
	{Safety4, "level4", "安全4级", "safety 4", []string{"4", "四级", "4级"}},
	{Safety5, "level5", "安全5级", "safety 5", []string{"5", "五级", "5级"}},
}}

// String returns the Chinese label.
func (s SafetyLevel) String() string { return SafetyLevels.ZH(s) }

// Quality is 质量等级 of the NDI draft.
type Quality uint8

// The quality grades, from best to worst.
const (
	QualityA Quality = 1
	QualityB Quality = 2
	QualityC Quality = 3
	QualityD Quality = 4
)

// Qualities is the list of [Quality].
var Qualities = Table[Quality]{"质量等级", []Row[Quality]{
	{QualityA, "A", "A级", "excellent", []string{"优", "优秀"}},
	{QualityB, "B", "B级", "good", []string{"良", "良好"}},
	{QualityC, "C", "C级", "fair", []string{"中", "合格"}},
	{QualityD, "D", "D级", "poor", []string{"差", "不合格"}},
}}

// String returns the Chinese label.
func (q Quality) String() string { return Qualities.ZH(q) }

// Personal is 个人信息标识: whether an entry holds data of persons (PIPL, articles 4
// and 28).
type Personal uint8

// The kinds of personal data.
const (
	NotPersonal       Personal = 1
	PersonalData      Personal = 2
	SensitivePersonal Personal = 3
)

// Personals is the list of [Personal]. The law knows no codes; these are ours.
var Personals = Table[Personal]{"个人信息", []Row[Personal]{
	{NotPersonal, "1", "不含个人信息", "none", []string{"否", "无", "不涉及", "不含", "no"}},
	{PersonalData, "2", "含个人信息", "personal", []string{"是", "个人信息", "涉及", "一般个人信息", "yes"}},
	{SensitivePersonal, "3", "含敏感个人信息", "sensitive personal", []string{"敏感个人信息"}},
}}

// String returns the Chinese label.
func (p Personal) String() string { return Personals.ZH(p) }
