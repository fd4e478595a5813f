// Package indextest makes catalogues by seed, for the tests of the index and for
// measuring it: the same seed gives the same entries, whatever the machine.
//
// It is not a city: nothing in it hangs together beyond what a search needs, and
// no name in it is a real office's. The words are those of government catalogues;
// their shares are uneven on purpose, because a search is slow where words are
// common (数据, 信息, 许可) and not where they are rare.
//
//	seed ──▶ New ──▶ Entry(0..n), Duty, Account ──▶ Ledger (a Feed of the index)
//
// # Invariants
//
//  1. Entry(i) depends on the seed and i only, so that n entries of a small run
//     are the first n of a large one.
//  2. Every entry has the items that were asked for, and a valid provider code.
//
// Sources: none; the vocabulary is our own choice.
package indextest

import (
	"fmt"
	"math/rand/v2"
	"strings"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
)

// Orgs is how many organisations a catalogue has.
const Orgs = 60

// Catalogue is one made catalogue. The zero value is the catalogue of seed 0
// with entries of no items.
type Catalogue struct {
	Seed  uint64
	Items int // of each entry
}

// words of one place in a name; earlier ones are more common.
var (
	places   = strings.Fields("市级 全市 区级 海淀 朝阳 东城 西城 通州 昌平 大兴 顺义 房山 怀柔 密云 延庆 平谷 门头沟 石景山 丰台 经开区")
	subjects = strings.Fields(`企业 建设用地 取水 户籍 社会保险 不动产 医疗机构 食品经营 机动车 学校 环境影响 排污 婚姻 低保 残疾人 养老机构 道路运输 危险化学品
		特种设备 住房公积金 殡葬 林木采伐 文物 出版物 广告 计量 测绘 地名 地震 气象 防雷 消防 网约车 公共卫生 疫苗 药品 医疗器械 教师 职业资格 人才 就业 失业 工伤
		退役军人 信访 法律援助 公证 律师 仲裁 司法鉴定 社区矫正 港口 航道 渔业 种子 兽药 农机 畜禽 粮食 水利工程 河道 供水 供热 燃气 垃圾 园林 古树 城市更新 物业`)
	acts  = strings.Fields("许可 登记 备案 处罚 检查 确认 给付 奖励 核准 注销 变更 年检 监督 公示 统计 评价 审批 征收 裁决 普查")
	kinds = strings.Fields("信息 数据 证 名录 台账 结果 记录 清单 档案 目录")
	items = strings.Fields(`名称 统一社会信用代码 证件号码 姓名 法定代表人 地址 联系电话 发证日期 有效期至 发证机关 许可证编号 经营范围 状态 备注 行政区划 面积 金额 数量
		类型 等级 审批部门 办理时间 负责人 注册资本 成立日期 所属行业 经度 纬度 更新时间 唯一标识 户号 用地性质 项目名称 项目编码 处罚事由 检查结论`)
	english = strings.Fields(`licence permit registry inspection enterprise housing school hospital vehicle water land food safety environment pension employment statistics
		building transport energy archive budget penalty weather population marriage`)
	sentences = strings.Fields(`本目录记录本市范围内的办理情况，供各部门核验使用。 数据来源于业务系统，每日由网关同步。 依据职责采集，不得用于约定以外的用途。
		包含自建立以来的全部历史记录。 涉及个人信息的字段须按约定用途申请。 用于行政审批、事中事后监管和信用评价。 由主管部门定期核对，发现差异及时更正。 统计口径以年度报告为准。`)
	technical = strings.Fields("mc tyshxydm zjhm xm fddbr dz lxdh fzrq yxqz fzjg xkzbh jyfw zt bz xzqh mj je sl lx dj spbm blsj fzr zczb clrq sshy jd wd gxsj wybs hh ydxz xmmc xmbm cfsy jcjl")
)

// pick takes a word, earlier ones much more often.
func pick(r *rand.Rand, words []string) string {
	f := r.Float64()
	return words[int(f*f*float64(len(words)))]
}

func (c Catalogue) rand(kind, i uint64) *rand.Rand {
	return rand.New(rand.NewPCG(c.Seed^kind<<56, i))
}

// Org returns the code of organisation i: 18 characters with their check digit.
func (c Catalogue) Org(i int) string {
	const alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
	weights := [17]int{1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28}
	body := fmt.Sprintf("11110000%08dX", 10_000_000+i%Orgs*7919)
	sum := 0
	for k := range 17 {
		sum += strings.IndexByte(alphabet, body[k]) * weights[k]
	}
	return body + string(alphabet[(31-sum%31)%31])
}

// Account returns organisation i as the ledger has it.
func (c Catalogue) Account(i int) *identityv1.Account {
	id := c.Org(i)
	return &identityv1.Account{
		Id: id, Org: id, Kind: identityv1.AccountKind_ACCOUNT_KIND_ORG, State: identityv1.AccountState_ACCOUNT_STATE_ACTIVE,
		Profile: &identityv1.OrgProfile{Name: fmt.Sprintf("示例市第%d局", i+1), ShortName: fmt.Sprintf("第%d局", i+1)},
	}
}

// Duty returns duty i; each organisation has one for each of its entries' subjects.
func (c Catalogue) Duty(i int) *cataloguev1.Duty {
	r := c.rand(1, uint64(i))
	org := c.Org(i)
	return &cataloguev1.Duty{
		Id: fmt.Sprintf("%s:d%d", org, i), Org: org, Title: "负责" + pick(r, subjects) + pick(r, acts) + "工作", PowerType: cataloguev1.PowerType(1 + r.IntN(12)),
		Source: "《示例市机构编制规定》", Article: fmt.Sprintf("第%d条", 1+r.IntN(40)), Version: 1,
	}
}

// Entry returns entry i.
func (c Catalogue) Entry(i int) *cataloguev1.Entry {
	r := c.rand(2, uint64(i))
	o := r.IntN(Orgs)
	org := c.Org(o)
	subject, act := pick(r, subjects), pick(r, acts)
	e := &cataloguev1.Entry{
		Id: fmt.Sprintf("%s:%06d", org, i), Name: pick(r, places) + subject + act + pick(r, kinds) + fmt.Sprint(i),
		Abstract: subject + act + "。" + sentences[r.IntN(len(sentences))] + sentences[r.IntN(len(sentences))],
		Provider: org, Duties: []string{fmt.Sprintf("%s:d%d", org, o)}, Category: pick(r, subjects) + "/" + pick(r, acts),
		Format: cataloguev1.Format(1 + r.IntN(7)), ShareType: cataloguev1.ShareType(1 + r.IntN(3)), UpdateCycle: cataloguev1.UpdateCycle(1 + r.IntN(9)),
		Grade: cataloguev1.Grade(1 + r.IntN(4)), State: cataloguev1.EntryState(1 + r.IntN(7)), Version: 1,
		Keywords: []string{subject, act, pick(r, english)},
	}
	if r.IntN(3) == 0 {
		e.Aliases = []string{fmt.Sprintf("307%03d%06d/%06d", o, r.IntN(1_000_000), i)}
	}
	if r.IntN(4) == 0 {
		e.Name += " " + pick(r, english) + " " + pick(r, english)
	}
	for k := range c.Items {
		n := int(r.Float64() * float64(len(items)))
		e.Items = append(e.Items, &cataloguev1.Item{
			Code: fmt.Sprintf("%02d%s", k, technical[n]), Name: items[n], TechnicalName: technical[n], Type: "text", Length: 64, Column: technical[n],
		})
	}
	return e
}

// Query returns query i of a mixed load, and which sort it is of: "word2", "word4",
// "english", "code", "mistyped", "facets", "with_facets". n is how many entries
// the index has.
func (c Catalogue) Query(i, n int) (sort string, req *cataloguev1.SearchRequest) {
	r := c.rand(3, uint64(i))
	switch i % 7 {
	case 0:
		return "word2", &cataloguev1.SearchRequest{Text: pick(r, acts)}
	case 1:
		return "word4", &cataloguev1.SearchRequest{Text: pick(r, subjects) + pick(r, acts)}
	case 2:
		return "english", &cataloguev1.SearchRequest{Text: pick(r, english)}
	case 3:
		return "code", &cataloguev1.SearchRequest{Text: c.Entry(r.IntN(n)).GetId()}
	case 4:
		return "mistyped", &cataloguev1.SearchRequest{Text: Mistype(r, c.Entry(r.IntN(n)).GetId())}
	case 5:
		return "facets", &cataloguev1.SearchRequest{Orgs: []string{c.Org(r.IntN(Orgs))}, ShareTypes: []cataloguev1.ShareType{cataloguev1.ShareType(1 + r.IntN(3))}}
	}
	return "with_facets", &cataloguev1.SearchRequest{Text: pick(r, subjects), WithFacets: true}
}

// Mistype makes one typing error in an ASCII code: a character is another one,
// missing, doubled, or has changed places with its neighbour.
func Mistype(r *rand.Rand, code string) string {
	b := []byte(code)
	i := r.IntN(len(b) - 1)
	switch r.IntN(4) {
	case 0:
		old := b[i]
		for b[i] == old {
			b[i] = "0123456789ABCDEFGHIKLMXY"[r.IntN(24)]
		}
	case 1:
		b = append(b[:i:i], b[i+1:]...)
	case 2:
		b = append(b[:i+1:i+1], b[i:]...)
	default:
		b[i], b[i+1] = b[i+1], b[i]
	}
	return string(b)
}
