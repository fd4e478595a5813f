package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"mulian/client/sentence"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

func (a *app) catalogueCheck() *cobra.Command {
	req := &cataloguev1.CheckRequest{}
	var kinds []string
	c := &cobra.Command{
		Use:   "check",
		Short: a.t("检查目录质量：缺职责、缺库表、过期、重复采集、个人信息无依据，并给各部门评分", "check the catalogue: missing duties and tables, stale data, data collected twice, personal data without a basis; a score for each department"),
		Long: a.t(`逐条检查现行目录，说明问题在哪里、怎么办，并按部门评分（0-100，扣分原因逐项列出）。
过期以最新区块的时间为准；有网关看守的库表以网关报告为准。重复只在不同部门之间、地域相关、名称或信息项说的是一回事时提示，由人判断。
个人信息既看标明的，也看信息项的名称（身份证号、手机号、姓名加出生日期……）。某项标准对一个部门不适用时，其权重按比例分给其余各项，表中注明。
发现问题时退出码为 1。`, `Looks at every entry that is not withdrawn: what is wrong, what to do, and a score from 0 to 100 for each department with its reasons.
Data is stale against the time of the latest block; where a gateway watches a table, by its word. Duplicates are told between departments whose regions overlap, where names or items are of one subject; a person decides.
Personal data is what is stated as such, and what items are named (身份证号, mobile number, name with date of birth …). A part by
which a department cannot be judged weighs nothing: its weight is shared out over the others, and the table says so.
The exit status is 1 when something was found.`),
		Example: `  mulian catalogue check
  mulian catalogue check --org 11110000000021928B --kind duplicate --kind stale`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, k := range kinds {
				kind, err := findingKind(k)
				if err != nil {
					return err
				}
				req.Kinds = append(req.Kinds, kind)
			}
			req.Language = "en"
			if a.language() == sentence.Chinese {
				req.Language = "zh"
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Catalogue.Check(cmd.Context(), connect.NewRequest(req))
			if err != nil {
				return wire.Fault(err)
			}
			if err := a.print(res.Msg, func(w io.Writer) { a.showCheck(w, req, res.Msg) }); err != nil {
				return err
			}
			if res.Msg.GetTotal() > 0 {
				return quietExit(1)
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&req.Org, "org", "", a.t("只查一个部门（代码）", "one department only (code)"))
	f.StringArrayVar(&kinds, "kind", nil, a.t("只查这些问题，可重复：", "only these kinds, may be repeated: ")+strings.Join(findingKinds(), " "))
	f.StringVar(&req.After, "after", "", a.t("从哪里继续", "cursor"))
	f.Uint32Var(&req.Limit, "limit", 50, a.t("每页多少条", "page size"))
	return c
}

// findingKinds are the names of the kinds, as --kind takes them.
func findingKinds() []string {
	values := cataloguev1.FindingKind(0).Descriptor().Values()
	var out []string
	for i := 1; i < values.Len(); i++ {
		out = append(out, strings.ReplaceAll(plain(values.Get(i)), " ", "-"))
	}
	return out
}

func findingKind(name string) (cataloguev1.FindingKind, error) {
	for i, k := range findingKinds() {
		if k == strings.ToLower(strings.NewReplacer("_", "-", " ", "-").Replace(name)) {
			return cataloguev1.FindingKind(i + 1), nil
		}
	}
	return 0, fault.Newf(fault.Usage, "--kind %q: %s", name, strings.Join(findingKinds(), ", "))
}

// lowestScores is how many departments are listed, those with the lowest scores.
const lowestScores = 30

func (a *app) showCheck(w io.Writer, req *cataloguev1.CheckRequest, m *cataloguev1.CheckResponse) {
	if len(m.GetScores()) > 0 {
		rows := [][]string{{a.t("得分", "SCORE"), a.t("部门", "DEPARTMENT"), a.t("目录", "ENTRIES"), a.t("扣分最多", "LOST MOST BY"), a.t("不适用，权重并入其余", "NOT JUDGED, ITS WEIGHT SHARED OUT")}}
		for i, s := range m.GetScores() {
			if i == lowestScores {
				break
			}
			rows = append(rows, []string{fmt.Sprint(s.GetPoints()), s.GetOrgName(), fmt.Sprint(s.GetEntries()), a.reasons(s), a.unjudged(s)})
		}
		table(w, rows)
		if more := len(m.GetScores()) - lowestScores; more > 0 {
			fmt.Fprintf(w, a.t("另有 %d 个部门得分更高（--json 全列，--org 看一个部门）\n", "and %d more departments with higher scores (--json lists all, --org shows one)\n"), more)
		}
		fmt.Fprintln(w)
	}
	if m.GetTotal() == 0 {
		fmt.Fprintln(w, a.t("没有发现问题", "nothing was found"))
		return
	}
	if sum := a.byKind(m.GetScores()); sum != "" && len(req.GetKinds()) == 0 {
		fmt.Fprintf(w, "%s%s\n\n", a.t("按种类：", "by kind: "), sum)
	}
	for _, f := range m.GetFindings() {
		fmt.Fprintf(w, "%s  %s\n", a.word(f.GetKind()), f.GetEntry())
		fmt.Fprintf(w, "    %s\n    → %s\n", f.GetWhy(), f.GetWhatToDo())
		if f.GetOther() != "" {
			fmt.Fprintf(w, "    %s\n", a.t("另一条：", "the other: ")+f.GetOther())
		}
	}
	if m.GetNext() != "" {
		fmt.Fprintf(w, a.t("共 %d 个问题；下一页：--after \"%s\"\n", "%d findings in all; next page: --after \"%s\"\n"), m.GetTotal(), m.GetNext())
		return
	}
	if req.GetAfter() == "" {
		fmt.Fprintf(w, a.t("共 %d 个问题\n", "%d findings\n"), m.GetTotal())
	}
}

// byKind sums what is not good over the departments: entries, or items.
func (a *app) byKind(scores []*cataloguev1.Score) string {
	lost := map[cataloguev1.FindingKind]int64{}
	for _, s := range scores {
		for _, p := range s.GetParts() {
			if n := p.GetAll() - p.GetGood(); n > 0 {
				lost[p.GetKind()] += n
			}
		}
	}
	kinds := slices.SortedFunc(maps.Keys(lost), func(x, y cataloguev1.FindingKind) int {
		return cmp.Or(cmp.Compare(lost[y], lost[x]), cmp.Compare(x, y))
	})
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = fmt.Sprintf("%s %d", a.word(k), lost[k])
	}
	return strings.Join(out, a.t("，", ", "))
}

// reasons names the three parts by which a department loses most.
func (a *app) reasons(s *cataloguev1.Score) string {
	lost := func(p *cataloguev1.ScorePart) float64 {
		return float64(p.GetWeight()) * float64(p.GetAll()-p.GetGood()) / float64(p.GetAll())
	}
	var weight float64
	parts := make([]*cataloguev1.ScorePart, 0, len(s.GetParts()))
	for _, p := range s.GetParts() {
		weight += float64(p.GetWeight())
		if p.GetGood() < p.GetAll() {
			parts = append(parts, p)
		}
	}
	slices.SortStableFunc(parts, func(x, y *cataloguev1.ScorePart) int { return cmp.Compare(lost(y), lost(x)) })
	var out []string
	for i, p := range parts {
		if i == 3 {
			break
		}
		out = append(out, fmt.Sprintf("%s -%.0f (%d/%d)", a.word(p.GetKind()), 100*lost(p)/weight, p.GetAll()-p.GetGood(), p.GetAll()))
	}
	return strings.Join(out, a.t("，", ", "))
}

// unjudged says by which parts a department could not be judged: what they weigh is
// shared out over the others, so that 100 points can be reached all the same.
func (a *app) unjudged(s *cataloguev1.Score) string {
	var weight uint32
	for _, p := range s.GetParts() {
		weight += p.GetWeight()
	}
	if len(s.GetUnjudged()) == 0 || weight >= 100 {
		return ""
	}
	words := make([]string, len(s.GetUnjudged()))
	for i, k := range s.GetUnjudged() {
		words[i] = a.word(k)
	}
	return fmt.Sprintf(a.t("%d 分：%s", "%d: %s"), 100-weight, strings.Join(words, a.t("、", ", ")))
}
