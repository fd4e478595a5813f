package content

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
)

// parser holds what the lines so far have said.
type parser struct{ list []*Department }

// powers are the first letters of the kinds of power.
var powers = map[string]cataloguev1.PowerType{
	"许": cataloguev1.PowerType_POWER_TYPE_LICENSING, "罚": cataloguev1.PowerType_POWER_TYPE_PENALTY,
	"强": cataloguev1.PowerType_POWER_TYPE_COMPULSION, "征": cataloguev1.PowerType_POWER_TYPE_LEVY,
	"付": cataloguev1.PowerType_POWER_TYPE_PAYMENT, "查": cataloguev1.PowerType_POWER_TYPE_INSPECTION,
	"确": cataloguev1.PowerType_POWER_TYPE_CONFIRMATION, "奖": cataloguev1.PowerType_POWER_TYPE_REWARD,
	"裁": cataloguev1.PowerType_POWER_TYPE_ADJUDICATION, "用": cataloguev1.PowerType_POWER_TYPE_EXPROPRIATION,
	"他": cataloguev1.PowerType_POWER_TYPE_OTHER, "服": cataloguev1.PowerType_POWER_TYPE_SERVICE,
}

var cycles = map[string]cataloguev1.UpdateCycle{
	"实": cataloguev1.UpdateCycle_UPDATE_CYCLE_REALTIME, "日": cataloguev1.UpdateCycle_UPDATE_CYCLE_DAILY,
	"周": cataloguev1.UpdateCycle_UPDATE_CYCLE_WEEKLY, "月": cataloguev1.UpdateCycle_UPDATE_CYCLE_MONTHLY,
	"季": cataloguev1.UpdateCycle_UPDATE_CYCLE_QUARTERLY, "半": cataloguev1.UpdateCycle_UPDATE_CYCLE_HALF_YEARLY,
	"年": cataloguev1.UpdateCycle_UPDATE_CYCLE_YEARLY, "不": cataloguev1.UpdateCycle_UPDATE_CYCLE_IRREGULAR,
}

// line reads one line of a file.
func (p *parser) line(text string) error {
	if text == "" {
		return nil
	}
	kind, rest, _ := strings.Cut(text, " ")
	fields := strings.Split(rest, " | ")
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	want := map[string]int{"=": 5, "d": 3, "e": 6, "t": 1}[kind]
	switch {
	case want == 0:
		return fmt.Errorf("%q begins no line", kind)
	case len(fields) != want:
		return fmt.Errorf("%d fields, a line %q has %d", len(fields), kind, want)
	case kind != "=" && len(p.list) == 0:
		return fmt.Errorf("no department yet")
	}
	switch kind {
	case "=":
		p.department(fields)
		return nil
	case "d":
		return p.duty(fields)
	case "e":
		return p.entry(fields)
	}
	return p.table(strings.Fields(fields[0]))
}

func (p *parser) department(f []string) {
	d := &Department{Code: creditCode(len(p.list) + 1), Short: f[0], Name: f[1], English: f[2], Category: f[3]}
	d.System = &cataloguev1.System{
		Id: d.Code + ":S01", Org: d.Code, Name: f[4], Level: cataloguev1.SystemLevel_SYSTEM_LEVEL_OWN,
		Network: cataloguev1.Network_NETWORK_GOVERNMENT, Hosting: "市级政务云",
	}
	p.list = append(p.list, d)
}

func (p *parser) last() *Department { return p.list[len(p.list)-1] }

func (p *parser) duty(f []string) error {
	d := p.last()
	power, title, _ := strings.Cut(f[0], " ")
	if powers[power] == 0 || title == "" {
		return fmt.Errorf("%q names no kind of power", f[0])
	}
	article := f[2]
	if article == "-" {
		article = ""
	}
	d.Duties = append(d.Duties, &cataloguev1.Duty{
		Id: fmt.Sprintf("%s:D%02d", d.Code, len(d.Duties)+1), Org: d.Code, Title: title,
		PowerType: powers[power], Source: f[1], Article: article,
	})
	return nil
}

func (p *parser) entry(f []string) error {
	d := p.last()
	e := &cataloguev1.Entry{
		Id: fmt.Sprintf("%s:E%02d", d.Code, len(d.Entries)+1), Name: f[0], Abstract: f[5], Provider: d.Code,
		System: d.System.Id, Category: d.Category, CoverageRegion: Region, Processing: cataloguev1.Processing_PROCESSING_RAW,
	}
	if strings.Contains(f[0], "统计") || strings.Contains(f[0], "指数") {
		e.Processing = cataloguev1.Processing_PROCESSING_STATISTIC
	}
	for _, n := range strings.Split(f[1], "、") {
		i, err := strconv.Atoi(n)
		if err != nil || i < 1 || i > len(d.Duties) {
			return fmt.Errorf("%s has no duty %q", d.Short, n)
		}
		e.Duties = append(e.Duties, d.Duties[i-1].Id)
	}
	if err := shared(e, f[2]); err != nil {
		return err
	}
	if err := form(e, f[3]); err != nil {
		return err
	}
	items(e, f[4])
	opened(e)
	d.Entries = append(d.Entries, Entry{Entry: e})
	return nil
}

var basis = regexp.MustCompile(`^《(.+)》(第.+?条) (.+)$`)

// shared reads share type, conditions and deny basis.
func shared(e *cataloguev1.Entry, text string) error {
	kind, rest, _ := strings.Cut(text, " ")
	switch {
	case kind == "无" && rest == "":
		e.ShareType = cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL
	case kind == "条" && rest != "":
		e.ShareType = cataloguev1.ShareType_SHARE_TYPE_CONDITIONAL
		e.Conditions = &cataloguev1.ShareConditions{Scope: rest}
	case kind == "禁" && basis.MatchString(rest):
		m := basis.FindStringSubmatch(rest)
		e.ShareType = cataloguev1.ShareType_SHARE_TYPE_DENIED
		e.DenyBasis = &cataloguev1.DenyBasis{Law: m[1], Article: m[2], Text: m[3]}
	default:
		return fmt.Errorf("%q says neither 无, 条 with conditions nor 禁 with law, article and text", text)
	}
	return nil
}

// form reads update cycle, grade and format: 日2, 年1文, 实4接.
func form(e *cataloguev1.Entry, text string) error {
	r := []rune(text)
	if len(r) < 2 || len(r) > 3 || cycles[string(r[0])] == 0 || r[1] < '1' || r[1] > '4' {
		return fmt.Errorf("%q is no cycle, grade and form", text)
	}
	e.UpdateCycle, e.Grade, e.Sensitivity = cycles[string(r[0])], cataloguev1.Grade(r[1]-'0'), uint32(r[1]-'0')
	switch string(r[2:]) {
	case "":
		e.Format = cataloguev1.Format_FORMAT_TABLE
		e.Methods = []cataloguev1.Method{cataloguev1.Method_METHOD_QUERY, cataloguev1.Method_METHOD_BATCH}
	case "文":
		e.Format, e.Methods = cataloguev1.Format_FORMAT_FILE, []cataloguev1.Method{cataloguev1.Method_METHOD_FILE}
	case "接":
		e.Format, e.Methods = cataloguev1.Format_FORMAT_API, []cataloguev1.Method{cataloguev1.Method_METHOD_QUERY}
	default:
		return fmt.Errorf("%q: a form is 文 or 接", text)
	}
	return nil
}

// items reads the names of the items.
func items(e *cataloguev1.Entry, text string) {
	marked := strings.Contains(text, "*")
	e.Personal = cataloguev1.Personal_PERSONAL_NONE
	for i, name := range strings.Split(text, "、") {
		name, key := strings.CutSuffix(name, "*")
		it := &cataloguev1.Item{
			Code: fmt.Sprintf("I%02d", i+1), Name: name, Type: typeOf(name), Personal: personal(name),
			PrimaryKey: key || !marked && i == 0,
		}
		if it.Type == "text" {
			it.Length = 200
		}
		if name == "统一社会信用代码" {
			it.Length, it.CodeTable = 18, "GB 32100-2015"
		}
		e.Items = append(e.Items, it)
		e.Personal = max(e.Personal, it.Personal)
	}
}

// opened says what the public may have: what is unconditional and of the lowest
// grade, else nothing personal on request, else nothing.
func opened(e *cataloguev1.Entry) {
	switch {
	case e.ShareType == cataloguev1.ShareType_SHARE_TYPE_DENIED || e.Personal != cataloguev1.Personal_PERSONAL_NONE:
		e.OpenType = cataloguev1.OpenType_OPEN_TYPE_DENIED
	case e.ShareType == cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL && e.Grade == cataloguev1.Grade_GRADE_GENERAL_1:
		e.OpenType = cataloguev1.OpenType_OPEN_TYPE_UNCONDITIONAL
	default:
		e.OpenType, e.OpenCondition = cataloguev1.OpenType_OPEN_TYPE_CONDITIONAL, "依申请开放，限于申请书载明的用途"
	}
}

// table lays the last entry's items on columns, in their order.
func (p *parser) table(words []string) error {
	d := p.last()
	if len(d.Entries) == 0 {
		return fmt.Errorf("no entry yet")
	}
	e := &d.Entries[len(d.Entries)-1]
	if len(words) != len(e.Items)+1 {
		return fmt.Errorf("%d columns for %d items of %s", len(words)-1, len(e.Items), e.Name)
	}
	e.Source = words[0]
	for i, it := range e.Items {
		it.Code, it.TechnicalName, it.Column = words[i+1], words[i+1], words[i+1]
	}
	return nil
}

// typed says how values of items are written, by the end of their names. The first
// that fits holds.
var typed = []struct{ ends, as string }{
	{"日期 有效期至 有效期起 有效期止 出版日", "date"},
	{"时间", "timestamp"},
	{"数量 人数 套数 层数 次数 件数 床位数 集数 台数 株数 序号 人口 年龄 天数 月数 客运量 进站量 换乘量 机柜数量 月龄 容量 代理师人数 存储容量", "integer"},
	{"面积 规模 资本 金额 价款 额 总投资 投资 用水量 用电量 用气量 许可水量 排水量 蓄水量 流量 水位 浓度 气温 降水量 风速 率 占比 变化 价格 指数 损失 收入 预算 时长 长度 比例 产值 生产总值 增加值 余额 库存量 能耗 震级 深度 价 年限 日照时数 再生水利用量", "decimal"},
}

// hours are times of day, and no moments.
var hours = []string{"开放时间", "首班时间", "末班时间"}

func typeOf(name string) string {
	if slices.Contains(hours, name) {
		return "text"
	}
	for _, t := range typed {
		if slices.ContainsFunc(strings.Fields(t.ends), func(end string) bool { return strings.HasSuffix(name, end) }) {
			return t.as
		}
	}
	return "text"
}

// persons are items that tell something of a person; sensitive ones are those of
// article 28 of the Personal Information Protection Law, and identity numbers.
var (
	persons = strings.Fields(`姓名 配偶姓名 母亲姓名 新生儿姓名 经营者姓名 权利人 出卖人 买受人 申请人 受援人 收养人 被收养人 借款人 举报人 信访人 诉求人 受邀人 户名 承包方代表
		联系电话 车牌号码 户籍 居住地址 用水地址 用气地址 社会保障号 学籍号 残疾人证号 所有人 交款人 患者年龄 评审专家`)
	sensitive = strings.Fields(`证件号码 检查结果 诊断 病例编号 残疾类别 残疾等级 账户余额 就诊机构 结算金额 不良反应 收入合计 财产合计 封存日期 矫正编号`)
)

func personal(name string) cataloguev1.Personal {
	switch {
	case slices.Contains(sensitive, name):
		return cataloguev1.Personal_PERSONAL_SENSITIVE
	case slices.Contains(persons, name):
		return cataloguev1.Personal_PERSONAL_YES
	}
	return cataloguev1.Personal_PERSONAL_NONE
}

// characters counts as people do.
func characters(s string) int { return utf8.RuneCountInString(s) }
