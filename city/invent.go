package city

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
	"unicode/utf8"

	"mulian/internal/code"
)

// seed of all rows. Our own choice; changing it changes every database.
const seed = 20251101

// inventor makes names, places and dates that are nobody's, from one stream of
// chance for each table.
type inventor struct{ *rand.Rand }

// invent returns the inventor of a table.
func invent(table uint64) inventor { return inventor{rand.New(rand.NewPCG(seed, table))} }

// one returns one of the blank-separated words.
func (v inventor) one(words []string) string { return words[v.IntN(len(words))] }

var (
	districts = strings.Fields("东城区 西城区 朝阳区 丰台区 石景山区 海淀区 门头沟区 房山区 通州区 顺义区 昌平区 大兴区 怀柔区 平谷区 密云区 延庆区")
	// districtCodes are those of GB/T 2260, in the order of districts.
	districtCodes = strings.Fields("110101 110102 110105 110106 110107 110108 110109 110111 110112 110113 110114 110115 110116 110117 110118 110119")
	firstSyllable = strings.Fields("启 恒 瑞 泽 朗 景 澄 昱 嘉 润 翊 岚 承 沐 舒 睿 远 弘 拓 逸 谦 济 颐 晟 鸣 柏 采 望 诚 固")
	lastSyllable  = strings.Fields("安 达 合 川 禾 嵘 图 衡 野 宸 洲 立 和 林 途 原 庭 谷 枫 舟 桥 山 岳 源 平 方 海 华 北 辰")
	trades        = strings.Fields("置业 建设工程 科技 水务工程 市政建设 物业管理 新材料 园区运营 装备制造 信息技术 城市更新 环保科技 商贸 文化传播 食品 医疗器械 物流 餐饮管理 设计咨询 园林工程")
	legal         = strings.Fields("有限公司 有限公司 有限公司 有限责任公司 股份有限公司")
	places        = strings.Fields("永宁 安和 青林 云溪 清源 望河 福田 长乐 新桥 石门 柳营 南亭 东篱 西泉 北苑坡 秋实 春晖 兴业 科创 文津")
	plots         = strings.Fields("A-01 A-03 B-02 B-07 C-04 C-11 D-05 D-09 E-06 F-02")
	works         = strings.Fields("住宅 商业办公 学校 医院 供水厂站 再生水厂 道路桥梁 产业用房 文化设施 养老设施 变电站 公园绿地")
	landUses      = strings.Fields("R2二类居住用地 B1商业用地 B2商务用地 A33基础教育用地 A51医院用地 U11供水用地 U21排水用地 M1一类工业用地 S1城市道路用地 G1公园绿地")
	scopes        = strings.Fields("房地产开发;物业管理 建设工程施工;建设工程设计 软件开发;信息系统集成服务 水环境治理;市政设施管理 货物销售;技术服务 食品销售;餐饮服务 道路货物运输 园林绿化工程施工 医疗器械销售 专业设计服务")
)

// firm is a company that does not exist.
type firm struct {
	code, name, district string
	region               string
}

// firmCount is how many firms the city has.
const firmCount = 30_000

// inventFirms returns the city's firms, always the same. Codes say that they are
// invented: their body begins with MUL.
func inventFirms() []firm {
	v := invent(1)
	firms := make([]firm, firmCount)
	for i := range firms {
		at := v.IntN(len(districts))
		// Two syllables give 900 names, with trade and number as many as are needed; the
		// number is written as firms write generations of themselves.
		name := firstSyllable[i%30] + lastSyllable[i/30%30] + trades[i/900%len(trades)]
		if g := i / 900 / len(trades); g > 0 {
			name = firstSyllable[i%30] + lastSyllable[i/30%30] + firstSyllable[(i/7+g)%30] + trades[i/900%len(trades)]
		}
		firms[i] = firm{code: firmCode(districtCodes[at], i), name: "北京" + name + v.one(legal), district: districts[at], region: districtCodes[at]}
	}
	return firms
}

// firmCode makes the code of the n-th firm: 91 (company), region, body and checks.
func firmCode(region string, n int) string {
	body := fmt.Sprintf("MUL%05d", n)
	body += completed(body, "0123456789X", code.CheckOrgCode)
	head := "91" + region + body
	return head + completed(head, "0123456789ABCDEFGHJKLMNPQRTUWXY", code.CheckUSCC)
}

func completed(head, set string, check func(string) error) string {
	for _, c := range set {
		if check(head+string(c)) == nil {
			return string(c)
		}
	}
	panic("city: no check character completes " + head)
}

// day returns a day between the beginning of one year and that of another.
func (v inventor) day(from, to int) time.Time {
	first := time.Date(from, 1, 1, 0, 0, 0, 0, time.UTC)
	days := int(time.Date(to, 1, 1, 0, 0, 0, 0, time.UTC).Sub(first).Hours() / 24)
	return first.AddDate(0, 0, v.IntN(days))
}

// inOrder returns the day of the i-th of n permits since the first day of a year:
// they are numbered as they are issued.
func inOrder(i, n, from int) time.Time {
	first := time.Date(from, 1, 1, 0, 0, 0, 0, time.UTC)
	days := int(time.Date(lastYear, 1, 1, 0, 0, 0, 0, time.UTC).Sub(first).Hours() / 24)
	return first.AddDate(0, 0, i*days/n)
}

// lastYear is that of the newest permits; they end with the year before.
const lastYear = 2026

func iso(t time.Time) string { return t.Format(time.DateOnly) }

// metres returns an area with one digit behind the point.
func (v inventor) metres(limit int) string {
	return fmt.Sprintf("%d.%d", 200+v.IntN(limit), v.IntN(10))
}

// site returns an address in a district.
func (v inventor) site(district string) string {
	return fmt.Sprintf("%s%s街道%s路%d号", district, v.one(places), v.one(places), 1+v.IntN(300))
}

// project returns the name of a building project.
func (v inventor) project(district string) string {
	return strings.TrimSuffix(district, "区") + v.one(places) + v.one(plots) + "地块" + v.one(works) + "项目"
}

// sign is the one character by which permits name a district.
func sign(district string) string {
	_, n := utf8.DecodeRuneInString(district)
	return district[:n]
}

// firstDay of the daily statistics.
var firstDay = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
