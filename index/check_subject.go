package index

import (
	"hash/fnv"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"mulian/internal/code"
	"mulian/internal/hanzi"
)

// What an entry is about, as far as its name says: lists of toilets, libraries and
// offices have the same items (名称, 地址, 电话, 经度, 纬度), and different data. Items that
// are alike are a sign only where the names have something in common, or where so many
// of the items are of one subject that the name does not matter.

// Names have a subject in common when they share a third of what the shorter one says.
// fewestTelling is how many items that are not in generalItems two entries share whose
// names have nothing in common, and alikeStrangers how alike they are, in per cent, to
// be told. Our own choice, looked at on 52,000 entries of the portals.
const (
	fewestTelling  = 8
	alikeStrangers = 90
)

// generalItems are items of things of any kind: where, when, how many, whom to ask.
var generalItems = func() map[uint64]bool {
	out := map[uint64]bool{}
	for _, name := range strings.Fields(`名称 机构名称 单位名称 设施名称 场所名称 标题 内容 说明 描述 简介 类型 类别 种类 分类 性质 等级 级别 地址 详细地址 地点 位置 区县 行政区 行政区划 行政区域 所属区 所属区域 街道 乡镇 社区 邮编 邮政编码
		经度 纬度 坐标 x坐标 y坐标 x y 电话 联系电话 传真 邮箱 网址 联系人 负责人 管理单位 主管单位 主管部门 单位 部门 数量 数值 金额 比例 计量单位 指标 指标名称 年份 年度 年 月 月份 季度 日期 时间 开始日期 结束日期 开放时间 营业时间 服务时间 发布日期 统计时间
		name title address district longitude latitude lon lat phone telephone email url type category date year month value unit quantity number description`) {
		out[itemHash(itemShape(name))] = true
	}
	return out
}()

func itemHash(shape string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(shape)) //nolint:errcheck // it never fails
	return h.Sum64()
}

// itemShape is the name of an item in one form.
func itemShape(name string) string { return strings.Map(hanzi.Simplified, nameShape(name)) }

var (
	places = regexp.MustCompile(`^\p{Han}{1,6}?[省市县区旗州盟]`)
	// emptyWords say that it is data, and not of what.
	emptyWords = regexp.MustCompile(`基本信息|信息|数据|资料|名单|清单|名录|目录|列表|一览表|一览|汇总表|汇总|明细表|明细|统计表|统计|季报表|月报表|年报|报表|情况|概况|公示|公告|公开|各区|全市|本市|[0-9]+(年度|年|月份|月|季度|版)?|[零一二三四五六七八九十〇]+(年度|年|月份|月|季度)|\.(csv|xlsx?|json|xml|rdf)$`)
	emptyLatin = map[string]bool{"the": true, "of": true, "and": true, "for": true, "in": true, "by": true, "to": true, "a": true, "on": true, "data": true, "dataset": true, "list": true, "information": true, "statistics": true, "report": true, "annual": true, "table": true, "csv": true, "api": true}
)

// subjectOf are hashes of what a name says of its subject, ascending, each once: pairs
// of characters, and words of letters.
func subjectOf(name string) []uint64 {
	key, ok := code.Key(name)
	if !ok {
		return nil
	}
	key = strings.Map(hanzi.Simplified, strings.ToLower(key))
	for range 2 {
		if at := places.FindStringIndex(key); at != nil && at[1] < len(key) {
			key = key[at[1]:]
		}
	}
	var out []uint64
	for word := range strings.FieldsFuncSeq(strings.ToLower(name), func(r rune) bool { return r < 'a' || r > 'z' }) {
		if !emptyLatin[word] && len(word) > 2 {
			out = append(out, itemHash(word))
		}
	}
	for part := range strings.FieldsFuncSeq(emptyWords.ReplaceAllString(key, " "), func(r rune) bool { return r < utf8.RuneSelf || noSound.MatchString(string(r)) }) {
		runes := []rune(part)
		for i := range runes {
			if i+1 < len(runes) {
				out = append(out, itemHash(string(runes[i:i+2])))
			} else if i == 0 {
				out = append(out, itemHash(part))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// asideOf is what stands in the brackets of a name, in order. Of two names that differ
// in nothing else, but have each an own one (批发, 零售), each says what it is about.
func asideOf(name string) string {
	key, ok := code.Key(name)
	if !ok {
		return ""
	}
	return strings.Map(hanzi.Simplified, strings.ToLower(strings.Join(asides.FindAllString(key, -1), "")))
}

// sameName reports whether two entries have one name.
func sameName(x, y *shape) bool {
	return x.name != "" && x.name == y.name && (x.aside == y.aside || x.aside == "" || y.aside == "")
}

// sameSubject reports whether what two entries of different names share makes one
// subject of them.
func sameSubject(x, y *shape, likeness int) bool {
	if x.name == y.name { // and what stands in the brackets differs
		return false
	}
	shared := both(x.subject, y.subject, nil)
	if least := min(len(x.subject), len(y.subject)); least > 0 && shared*3 >= least {
		return true
	}
	return likeness >= alikeStrangers && both(x.items, y.items, generalItems) >= fewestTelling
}

// both counts what two ascending lists share, but for what is in without.
func both(x, y []uint64, without map[uint64]bool) (n int) {
	for i, k := 0, 0; i < len(x) && k < len(y); {
		switch {
		case x[i] == y[k]:
			if !without[x[i]] {
				n++
			}
			i, k = i+1, k+1
		case x[i] < y[k]:
			i++
		default:
			k++
		}
	}
	return n
}
