package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/reflect/protoreflect"

	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

func (a *app) searchCommand() *cobra.Command {
	req := &cataloguev1.SearchRequest{}
	var kinds, shares, formats, cycles, grades, states []string
	c := &cobra.Command{
		Use:     "search TEXT...",
		Aliases: []string{"查", "检索"},
		Short:   a.t("检索：职责、目录、信息项、库表、事项、系统、代码，一处查全", "search duties, entries, items, tables, matters, systems and codes in one box"),
		Long: a.t(`词之间用空格，须全部出现；中文两字以上的词按相邻两字匹配，单字只查名称。简体繁体、全角半角、大小写不分，英文按词干。
编号可只写开头；打错一个字符（或 O/0、I/1、B/8 之类）也能找到，并说明实际指的是哪个。
排序：名称完全相同、名称、编号和别名、关键词、信息项、摘要。分面选项可重复，同一分面任一即可。不写 TEXT 则列出分面选中的全部。`,
			`All words have to be there; Chinese words of two characters and more are matched by neighbouring pairs, single characters
in names only. Simplified or traditional, full or half width, capital or small make no difference; English words match by stem.
Of a code the beginning is enough; one wrong character (or O/0, I/1, B/8 and the like) is forgiven, and you are told which was meant.
Order: whole name, name, code and alias, keyword, item, abstract. A facet's flag may be repeated: any of its values will do.
Without TEXT everything that the facets leave is listed.`),
		Example: `  mulian search 规划许可 --share 有条件共享 --facets
  mulian search 11110000000021928B --kind entry
  mulian search building permit --limit 5`,
		RunE: func(cmd *cobra.Command, args []string) error {
			for i, arg := range args { // as in mulian search '' 许可
				args[i] = strings.TrimSpace(arg)
			}
			req.Text = strings.TrimSpace(strings.Join(args, " "))
			for _, err := range []error{
				facet(a, "kind", kinds, &req.Kinds), facet(a, "share", shares, &req.ShareTypes), facet(a, "format", formats, &req.Formats),
				facet(a, "cycle", cycles, &req.UpdateCycles), facet(a, "grade", grades, &req.Grades), facet(a, "state", states, &req.States),
			} {
				if err != nil {
					return err
				}
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Catalogue.Search(cmd.Context(), connect.NewRequest(req))
			if err != nil {
				return wire.Fault(err)
			}
			if len(res.Msg.GetHits()) == 0 && !a.json {
				a.suggest(cmd, cl, req)
			}
			return a.print(res.Msg, func(w io.Writer) { a.showHits(w, req, res.Msg) })
		},
	}
	f := c.Flags()
	f.StringSliceVar(&kinds, "kind", nil, a.t("种类：目录、职责、信息项、库表、事项、系统、代码", "kind: entry, duty, item, table, matter, system, code"))
	f.StringSliceVar(&req.Orgs, "org", nil, a.t("部门的统一社会信用代码", "code of an organisation"))
	f.StringSliceVar(&shares, "share", nil, a.t("共享类型：无条件共享、有条件共享、不予共享", "share type: unconditional, conditional, denied"))
	f.StringSliceVar(&formats, "format", nil, a.t("资源格式：库表、接口、文件等", "format: table, api, file and others"))
	f.StringSliceVar(&cycles, "cycle", nil, a.t("更新周期：每日、每月等", "update cycle: daily, monthly and others"))
	f.StringSliceVar(&grades, "grade", nil, a.t("数据分级：一般1级至核心", "grade: general 1 to core"))
	f.StringSliceVar(&states, "state", nil, a.t("目录状态：已发布等", "state of an entry: published and others"))
	f.StringVar(&req.After, "after", "", a.t("从哪里继续", "cursor"))
	f.Uint32Var(&req.Limit, "limit", 20, a.t("每页多少条，最多 100", "page size, at most 100"))
	f.BoolVar(&req.WithFacets, "facets", false, a.t("按分面计数", "count the values of each facet"))
	return c
}

// facet reads the values of one facet's flag: the word of either language, as it is
// shown, or the number of the schema.
func facet[E interface {
	~int32
	protoreflect.Enum
}](a *app, flag string, texts []string, into *[]E,
) error {
	var zero E
	values := zero.Descriptor().Values()
	*into = nil
	for _, text := range texts {
		found := false
		for i := range values.Len() {
			v := values.Get(i)
			if v.Number() != 0 && slices.Contains([]string{words[v.Name()], plain(v), strings.ReplaceAll(plain(v), " ", "_"), strconv.Itoa(int(v.Number()))}, strings.ToLower(strings.TrimSpace(text))) {
				*into, found = append(*into, E(v.Number())), true
			}
		}
		if !found {
			var known []string
			for i := 1; i < values.Len(); i++ {
				known = append(known, a.t(words[values.Get(i).Name()], plain(values.Get(i))))
			}
			return fault.Newf(fault.Usage, a.t("--%s %q：可用 %s", "--%s %q: possible are %s"), flag, text, strings.Join(known, a.t("、", ", ")))
		}
	}
	return nil
}

// showHits prints a page of hits: what, where it matched, whose, how it is shared.
func (a *app) showHits(w io.Writer, req *cataloguev1.SearchRequest, m *cataloguev1.SearchResponse) {
	colour := colours(w)
	if m.GetCorrectedTo() != "" {
		fmt.Fprintf(w, a.t("没有“%s”，按 %s 检索\n", "there is no %q; these are for %s\n"), visible(req.GetText()), visible(m.GetCorrectedTo()))
	}
	for _, h := range m.GetHits() {
		title := visible(h.GetTitle())
		var rest []*cataloguev1.Marked
		for _, f := range h.GetMarked() {
			if f.GetText() == h.GetTitle() {
				title = painted(f, colour)
			} else {
				rest = append(rest, f)
			}
		}
		fmt.Fprintf(w, "%s  %s  %s\n", a.word(h.GetKind()), title, visible(h.GetId()))
		about := []string{visible(h.GetWithin()), visible(h.GetOrgName()), a.word(h.GetShareType()), a.word(h.GetFormat()), a.word(h.GetUpdateCycle()), a.word(h.GetGrade()), a.word(h.GetState())}
		if h.GetOrgName() == "" {
			about[1] = visible(h.GetOrg())
		}
		if about = slices.DeleteFunc(about, func(s string) bool { return s == "" }); len(about) > 0 {
			fmt.Fprintf(w, "    %s\n", strings.Join(about, " · "))
		}
		for _, f := range rest {
			fmt.Fprintf(w, "    %s: %s\n", a.field(f.GetField()), painted(f, colour))
		}
	}
	total := i64(m.GetTotal())
	if m.GetMoreThanCounted() {
		total = a.t("超过 ", "more than ") + total
	}
	fmt.Fprintf(w, a.t("共 %s 条\n", "%s in all\n"), total)
	if m.GetNext() != "" {
		fmt.Fprintf(w, a.t("下一页：--after %s\n", "next page: --after %s\n"), m.GetNext())
	}
	a.showFacets(w, m.GetFacets())
}

func (a *app) showFacets(w io.Writer, facets []*cataloguev1.Facet) {
	flags := map[string]string{"share_type": "share", "update_cycle": "cycle"}
	const shown = 10 // of each facet; --json has up to 100
	for _, f := range facets {
		if len(f.GetValues()) == 0 {
			continue
		}
		flag := f.GetName()
		if short, ok := flags[flag]; ok {
			flag = short
		}
		var parts []string
		for i, v := range f.GetValues() {
			if i == shown {
				parts = append(parts, "…")
				break
			}
			name := a.facetWord(f.GetName(), v.GetValue())
			if v.GetLabel() != "" {
				name = visible(v.GetLabel()) + " " + name
			}
			parts = append(parts, fmt.Sprintf("%s (%d)", name, v.GetCount()))
		}
		fmt.Fprintf(w, "--%s  %s\n", flag, strings.Join(parts, a.t("、", ", ")))
	}
}

// facetWord shows the value of a facet in the person's language.
func (a *app) facetWord(name, value string) string {
	prefix := map[string]string{
		"kind": "HIT_KIND_", "share_type": "SHARE_TYPE_", "format": "FORMAT_", "update_cycle": "UPDATE_CYCLE_", "grade": "GRADE_", "state": "ENTRY_STATE_",
	}[name]
	if zh := words[protoreflect.Name(prefix+strings.ToUpper(value))]; prefix != "" && zh != "" {
		return a.t(zh, strings.ReplaceAll(value, "_", " "))
	}
	return visible(value)
}

// field names a field of a hit.
func (a *app) field(name string) string {
	zh := map[string]string{
		"name": "名称", "title": "名称", "id": "编号", "alias": "别名代码", "origin": "来源编号", "code": "代码", "keyword": "关键词", "category": "分类", "item": "信息项",
		"technical_name": "字段名", "abstract": "摘要", "source": "依据", "article": "条款", "matter_code": "事项编码", "input": "材料", "column": "列", "hosting": "部署",
		"standard": "标准", "table": "代码表",
	}[name]
	if zh == "" {
		return name
	}
	return a.t(zh, strings.ReplaceAll(name, "_", " "))
}

// painted writes a field with what matched in bold, if there is colour.
func painted(m *cataloguev1.Marked, colour bool) string {
	text := m.GetText()
	if !colour {
		return visible(text)
	}
	var out strings.Builder
	at := 0
	for _, s := range m.GetSpans() {
		from, to := int(s.GetFrom()), int(s.GetTo())
		if from < at || to < from || to > len(text) {
			return visible(text) // a server's mistake is no reason to fall
		}
		out.WriteString(visible(text[at:from]) + "\x1b[1;33m" + visible(text[from:to]) + "\x1b[0m")
		at = to
	}
	return out.String() + visible(text[at:])
}

// colours says whether a person sees colour there.
func colours(w io.Writer) bool {
	return terminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// maxTried bounds the words that are looked for one by one when all together find nothing.
const maxTried = 5

// suggest says what could be tried when nothing was found.
func (a *app) suggest(cmd *cobra.Command, cl *client.Client, req *cataloguev1.SearchRequest) {
	tried := strings.Fields(req.GetText())
	if len(tried) > 1 {
		for _, w := range tried[:min(len(tried), maxTried)] {
			one, err := cl.Catalogue.Search(cmd.Context(), connect.NewRequest(&cataloguev1.SearchRequest{Text: w, Limit: 1}))
			if err == nil {
				a.say(a.t("  单独的“%s”：%d 条", "  %q alone: %d"), visible(w), one.Msg.GetTotal())
			}
		}
	}
	bare := &cataloguev1.SearchRequest{Text: req.GetText(), Limit: 1}
	if res, err := cl.Catalogue.Search(cmd.Context(), connect.NewRequest(bare)); err == nil && res.Msg.GetTotal() > 0 {
		a.say(a.t("  不加分面选项：%d 条", "  without the facets' flags: %d"), res.Msg.GetTotal())
		return
	}
	a.say("  %s", a.t("换个说法，或少写几个字再试；mulian search --facets 列出现有的部门和分类", "try other or fewer words; mulian search --facets tells which organisations and kinds there are"))
}
