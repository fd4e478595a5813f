package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	gatewayv1 "mulian/gen/mulian/gateway/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// conditionFlags are the flags that say which rows are given, how, when and how many.
type conditionFlags struct {
	scope                       string
	predicates, masks, windows  []string
	predicateDay, predicateEach uint32
	rowsDay, rows, bytes        uint64
}

func (t *conditionFlags) add(a *app, c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&t.scope, "row-scope", "", a.t("行范围，Mulian-CEL 条件：district == \"110101\"", "which rows, a Mulian-CEL condition: district == \"110101\""))
	f.StringArrayVar(&t.predicates, "predicate", nil, a.t("只答是否：名称(参数:类型): 条件，可重复；有则不给任何数据", "answer yes or no only: NAME(PARAMETER:TYPE): CONDITION, may be repeated; then no rows are given"))
	f.Uint32Var(&t.predicateDay, "predicate-per-day", 0, a.t("每项核验每天最多答复次数", "most answers of each predicate in a day"))
	f.Uint32Var(&t.predicateEach, "predicate-per-subject", 0, a.t("每项核验每天对同一主体最多答复次数，0 为 10", "most answers of each predicate about one subject in a day, 0 = 10"))
	f.StringArrayVar(&t.masks, "mask", nil, a.t("脱敏：信息项=keep:前,后|hash|month|year|round:单位|region:位数，可重复", "mask: ITEM=keep:FIRST,LAST|hash|month|year|round:UNIT|region:DIGITS, may be repeated"))
	f.StringArrayVar(&t.windows, "window", nil, a.t("时间窗（北京时间）：mon-fri 08:00-18:00，或 working 09:00-17:00，可重复", "when (Beijing time): mon-fri 08:00-18:00, or working 09:00-17:00; may be repeated"))
	f.Uint64Var(&t.rowsDay, "max-rows-per-day", 0, a.t("每天最多行数", "most rows in a day"))
	f.Uint64Var(&t.rows, "max-rows-total", 0, a.t("总行数", "most rows in all"))
	f.Uint64Var(&t.bytes, "max-bytes", 0, a.t("总字节数（密文）", "most bytes in all, as sealed"))
}

// set writes what the flags say into the terms, whose parts are there.
func (t *conditionFlags) set(terms *sharev1.Terms) error {
	terms.RowScope, terms.MaxRowsPerDay, terms.MaxRows, terms.MaxBytes = t.scope, t.rowsDay, t.rows, t.bytes
	if n := len(t.predicates) + len(t.masks); n > 0 && len(terms.Parts) != 1 {
		return fault.Newf(fault.Usage, "--predicate and --mask are for one entry; apply for each by itself")
	}
	for _, text := range t.predicates {
		p, err := parsePredicate(text)
		if err != nil {
			return err
		}
		p.Entry, p.MaxPerDay, p.MaxPerSubject = terms.Parts[0].Entry, t.predicateDay, t.predicateEach
		terms.Predicates = append(terms.Predicates, p)
	}
	for _, text := range t.masks {
		m, err := parseMask(text)
		if err != nil {
			return err
		}
		m.Entry = terms.Parts[0].Entry
		terms.Masks = append(terms.Masks, m)
	}
	for _, text := range t.windows {
		w, err := parseWindow(text)
		if err != nil {
			return err
		}
		terms.Windows = append(terms.Windows, w)
	}
	return nil
}

// parsePredicate reads "name: condition" and "name(parameter:type, …): condition".
func parsePredicate(text string) (*sharev1.Predicate, error) {
	wrong := fault.Newf(fault.Usage, "--predicate %q: NAME: CONDITION, or NAME(PARAMETER:TYPE, ...): CONDITION", text)
	head, rest := text, ""
	p := &sharev1.Predicate{}
	if i, j := strings.IndexByte(text, '('), strings.IndexByte(text, ':'); i >= 0 && i < j {
		end := strings.IndexByte(text, ')')
		if end < i || !strings.HasPrefix(strings.TrimSpace(text[end+1:]), ":") {
			return nil, wrong
		}
		for _, one := range strings.Split(text[i+1:end], ",") {
			name, kind, ok := strings.Cut(one, ":")
			if !ok {
				return nil, wrong
			}
			p.Parameters = append(p.Parameters, &sharev1.Parameter{Name: strings.TrimSpace(name), Type: strings.TrimSpace(kind)})
		}
		head, rest = text[:i], strings.TrimPrefix(strings.TrimSpace(text[end+1:]), ":")
	} else {
		var ok bool
		if head, rest, ok = strings.Cut(text, ":"); !ok {
			return nil, wrong
		}
	}
	p.Name, p.Condition = strings.TrimSpace(head), strings.TrimSpace(rest)
	if p.Name == "" || p.Condition == "" {
		return nil, wrong
	}
	return p, nil
}

var maskKinds = map[string]sharev1.MaskKind{
	"keep": sharev1.MaskKind_MASK_KIND_KEEP, "hash": sharev1.MaskKind_MASK_KIND_HASH, "month": sharev1.MaskKind_MASK_KIND_MONTH,
	"year": sharev1.MaskKind_MASK_KIND_YEAR, "round": sharev1.MaskKind_MASK_KIND_ROUND, "region": sharev1.MaskKind_MASK_KIND_REGION,
}

func parseMask(text string) (*sharev1.Mask, error) {
	wrong := fault.Newf(fault.Usage, "--mask %q: ITEM=keep:2,4, ITEM=hash, ITEM=month, ITEM=year, ITEM=round:100 or ITEM=region:4", text)
	item, how, ok := strings.Cut(text, "=")
	name, numbers, _ := strings.Cut(how, ":")
	m := &sharev1.Mask{Item: item, Kind: maskKinds[name]}
	if !ok || m.Kind == 0 {
		return nil, wrong
	}
	var n []uint64
	for _, one := range strings.Split(numbers, ",") {
		if numbers == "" {
			break
		}
		x, err := strconv.ParseUint(strings.TrimSpace(one), 10, 32)
		if err != nil {
			return nil, wrong
		}
		n = append(n, x)
	}
	switch {
	case name == "keep" && len(n) == 2:
		m.First, m.Last = uint32(n[0]), uint32(n[1])
	case name == "round" && len(n) == 1:
		m.Unit = n[0]
	case name == "region" && len(n) == 1:
		m.First = uint32(n[0])
	case len(n) > 0 || name == "keep" || name == "round" || name == "region":
		return nil, wrong
	}
	return m, nil
}

var weekdays = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// parseWindow reads days, hours, or both: "mon-fri 08:00-18:00", "sat,sun", "working", "09:00-17:00".
func parseWindow(text string) (*sharev1.Window, error) {
	wrong := fault.Newf(fault.Usage, "--window %q: mon-fri 08:00-18:00, sat,sun, working 09:00-17:00", text)
	w := &sharev1.Window{}
	for _, word := range strings.Fields(text) {
		if word == "working" {
			w.WorkingDays = true
			continue
		}
		if from, to, ok := strings.Cut(word, "-"); ok && strings.Contains(word, ":") {
			var a, b bool
			w.FromMinute, a = minute(from)
			w.ToMinute, b = minute(to)
			if !a || !b || w.ToMinute <= w.FromMinute {
				return nil, wrong
			}
			continue
		}
		days, ok := parseDays(word)
		if !ok {
			return nil, wrong
		}
		w.Days |= days
	}
	if w.Days == 0 && !w.WorkingDays && w.ToMinute == 0 {
		return nil, wrong
	}
	return w, nil
}

func parseDays(word string) (days uint32, ok bool) {
	number := func(s string) int {
		for i, d := range weekdays {
			if s == d {
				return i
			}
		}
		return -1
	}
	for _, one := range strings.Split(word, ",") {
		from, to, through := strings.Cut(one, "-")
		if !through {
			to = from
		}
		i, j := number(from), number(to)
		if i < 0 || j < i {
			return 0, false
		}
		for ; i <= j; i++ {
			days |= 1 << i
		}
	}
	return days, true
}

func minute(s string) (uint32, bool) {
	h, m, ok := strings.Cut(s, ":")
	hours, err1 := strconv.ParseUint(h, 10, 8)
	minutes, err2 := strconv.ParseUint(m, 10, 8)
	n := uint32(hours*60 + minutes)
	return n, ok && err1 == nil && err2 == nil && minutes < 60 && n <= 24*60
}

// conditionRows show what of the terms says which rows are given, how, when and how many.
func (a *app) conditionRows(t *sharev1.Terms) (rows [][]string) {
	if t.GetRowScope() != "" {
		rows = append(rows, []string{a.t("行范围", "row scope"), t.GetRowScope()})
	}
	for _, p := range t.GetPredicates() {
		head := p.GetName()
		if len(p.GetParameters()) > 0 {
			var list []string
			for _, x := range p.GetParameters() {
				list = append(list, x.GetName()+":"+x.GetType())
			}
			head += "(" + strings.Join(list, ", ") + ")"
		}
		rows = append(rows, []string{a.t("只答是否", "yes or no"), head + ": " + p.GetCondition()})
	}
	for _, m := range t.GetMasks() {
		for name, kind := range maskKinds {
			if kind != m.GetKind() {
				continue
			}
			switch name {
			case "keep":
				name += fmt.Sprintf(":%d,%d", m.GetFirst(), m.GetLast())
			case "round":
				name += fmt.Sprintf(":%d", m.GetUnit())
			case "region":
				name += fmt.Sprintf(":%d", m.GetFirst())
			}
			rows = append(rows, []string{a.t("脱敏", "mask"), m.GetItem() + "=" + name})
		}
	}
	for _, w := range t.GetWindows() {
		rows = append(rows, []string{a.t("时间窗", "window"), windowText(w)})
	}
	for _, x := range []struct {
		name string
		n    uint64
	}{
		{a.t("每天最多行数", "rows a day"), t.GetMaxRowsPerDay()}, {a.t("总行数", "rows in all"), t.GetMaxRows()}, {a.t("总字节数", "bytes in all"), t.GetMaxBytes()},
	} {
		if x.n > 0 {
			rows = append(rows, []string{x.name, strconv.FormatUint(x.n, 10)})
		}
	}
	return rows
}

// windowText is a window as --window takes it.
func windowText(w *sharev1.Window) string {
	var words, days []string
	if w.GetWorkingDays() {
		words = append(words, "working")
	}
	for i, d := range weekdays {
		if w.GetDays()&(1<<i) != 0 {
			days = append(days, d)
		}
	}
	if len(days) > 0 {
		words = append(words, strings.Join(days, ","))
	}
	if to := w.GetToMinute(); w.GetFromMinute() > 0 || to > 0 {
		if to == 0 {
			to = 24 * 60
		}
		words = append(words, fmt.Sprintf("%02d:%02d-%02d:%02d", w.GetFromMinute()/60, w.GetFromMinute()%60, to/60, to%60))
	}
	return strings.Join(words, " ")
}

// shareAsk asks whether a predicate holds for the row of a key, through the running gateway.
func (a *app) shareAsk() *cobra.Command {
	m := &gatewayv1.AskRequest{}
	var gw string
	var where, set []string
	c := &cobra.Command{
		Use:     "ask AGREEMENT [ENTRY]",
		Short:   a.t("按协议核验一条记录，只得到是、否或未知", "ask a predicate of an agreement about one record: yes, no or unknown"),
		Example: "  mulian share ask 0123456789abcdef --predicate larger --set least=100 --where permit_no=地字第110101202600001号 --as 11110000000025678C",
		Args:    between(1, 2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			m.Agreement = args[0]
			if len(args) == 2 {
				m.Entry = args[1]
			}
			if m.Where, err = pairs("--where", where); err != nil {
				return err
			}
			if m.Parameters, err = pairs("--set", set); err != nil {
				return err
			}
			_, ctl, err := a.control([]string{gw})
			if err != nil {
				return err
			}
			res, err := ctl.Ask(cmd.Context(), connect.NewRequest(m))
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(res.Msg, func(w io.Writer) {
				said := map[gatewayv1.Verdict]string{
					gatewayv1.Verdict_VERDICT_YES: a.t("是", "yes"), gatewayv1.Verdict_VERDICT_NO: a.t("否", "no"), gatewayv1.Verdict_VERDICT_UNKNOWN: a.t("未知", "unknown"),
				}[res.Msg.GetVerdict()]
				fmt.Fprintf(w, a.t("%s\n（协议第 %d 次，核验项 %s，双方已签回执）\n", "%s\n(number %d of the agreement, predicate %s, signed by both)\n"), said, res.Msg.GetRecord().GetSeq(), m.GetPredicate())
			})
		},
	}
	c.Flags().StringVar(&m.Predicate, "predicate", "", a.t("协议中核验项的名称", "name of the predicate in the agreement"))
	c.Flags().StringArrayVar(&set, "set", nil, a.t("参数 名称=值，可重复", "parameter NAME=VALUE, may be repeated"))
	c.Flags().StringArrayVar(&where, "where", nil, a.t("主键 ITEM=VALUE，全部主键项", "key ITEM=VALUE, all items of the primary key"))
	c.Flags().StringVar(&gw, "gateway", "", a.t("用哪个网关；只有一个时可省略", "which gateway; may be left out if there is only one"))
	_ = c.MarkFlagRequired("predicate")
	_ = c.MarkFlagRequired("where")
	return c
}

func pairs(flag string, texts []string) (out []*gatewayv1.KeyValue, err error) {
	for _, text := range texts {
		k, v, ok := strings.Cut(text, "=")
		if !ok {
			return nil, fault.Newf(fault.Usage, "%s %q: NAME=VALUE", flag, text)
		}
		out = append(out, &gatewayv1.KeyValue{Item: k, Value: v})
	}
	return out, nil
}
