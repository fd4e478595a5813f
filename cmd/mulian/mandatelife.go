package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	mandatev1 "mulian/gen/mulian/mandate/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// mandateAnswer is accept, or decline.
func (a *app) mandateAnswer(accept bool) *cobra.Command {
	m := &mandatev1.AnswerMandate{Accept: accept}
	use, short := "decline", a.t("不接受委托（代理人）", "decline a mandate (agent)")
	if accept {
		use, short = "accept", a.t("接受委托（代理人）", "accept a mandate (agent)")
	}
	c := &cobra.Command{
		Use: use + " ID", Short: short, Args: exactly(1),
		Example: "  mulian mandate " + use + " 0123456789abcdef0123456789abcdef --as p-00000000000000000000000000000001",
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Mandate = args[0]
			return a.simple(cmd, m)
		},
	}
	c.Flags().StringVar(&m.Cause, "cause", "", a.t("原因，不写个人信息", "why; nothing personal"))
	return c
}

func (a *app) mandateWitness() *cobra.Command {
	return &cobra.Command{
		Use:     "witness ID",
		Short:   a.t("见证窗口办理的委托：另一科室的第二位人员", "witness a mandate given at a counter: the second officer, of another desk"),
		Example: "  mulian mandate witness 0123456789abcdef0123456789abcdef --as 11110000000021928B/p/officer-b",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.simple(cmd, &mandatev1.WitnessMandate{Mandate: args[0]})
		},
	}
}

func (a *app) mandateRevoke() *cobra.Command {
	m := &mandatev1.RevokeMandate{}
	c := &cobra.Command{
		Use:     "revoke ID",
		Short:   a.t("撤销委托：被代理人、代理人、签发单位或指明的人", "end a mandate: principal, agent, the office that signed it, or whom it names"),
		Example: "  mulian mandate revoke 0123456789abcdef0123456789abcdef --cause 不再需要 --as p-0123456789abcdef0123456789abcdef",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Mandate = args[0]
			return a.simple(cmd, m)
		},
	}
	c.Flags().StringVar(&m.Cause, "cause", "", a.t("原因，不写个人信息", "why; nothing personal"))
	return c
}

func (a *app) mandateSuspend() *cobra.Command {
	m := &mandatev1.SuspendMandate{}
	c := &cobra.Command{
		Use:   "suspend ID",
		Short: a.t("登记已变更，中止委托（签发单位；网关会自动做）", "suspend a mandate whose register has changed (its office; the gateway does it by itself)"),
		Long: a.t("网关配置里列了登记表（registers）的，网关看到行变了就自动中止。这个命令给没有网关看着的登记表，或要抢在前面的人。",
			"A gateway whose configuration lists the register (registers) suspends by itself. This is for registers that no gateway watches, or for who wants\nto be first."),
		Example: "  mulian mandate suspend 0123456789abcdef0123456789abcdef --cause 法定代表人变更 --as 11110000000021928B",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Mandate = args[0]
			return a.simple(cmd, m)
		},
	}
	c.Flags().StringVar(&m.Cause, "cause", "", a.t("原因，不写个人信息", "why; nothing personal"))
	return c
}

func (a *app) mandateLift() *cobra.Command {
	var cause string
	c := &cobra.Command{
		Use:   "lift ID",
		Short: a.t("解除中止：登记变更由签发单位，账户恢复由恢复了账户的一方", "lift a suspension: of its source the office, of a recovery who was recovered"),
		Long: a.t("--cause source：签发单位核对过登记表，委托照旧；principal、agent：那一方的账户恢复过，他再次同意。",
			"--cause source: the office has looked at its register and the mandate holds; principal, agent: that side's account was recovered and he says yes again."),
		Example: "  mulian mandate lift 0123456789abcdef0123456789abcdef --cause source --as 11110000000021928B",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := enumOf[mandatev1.SuspensionKind]("cause", "SUSPENSION_KIND_", cause, mandatev1.SuspensionKind_value)
			if err != nil {
				return err
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			r, err := a.actAsRoot(cmd.Context(), cl, &mandatev1.ResumeMandate{Mandate: args[0], Cause: k})
			if err != nil {
				return err
			}
			return a.receipt(r)
		},
	}
	c.Flags().StringVar(&cause, "cause", "", a.t("解除哪一种：source principal agent", "which one: source principal agent"))
	_ = c.MarkFlagRequired("cause")
	return c
}

func (a *app) mandateOperators() *cobra.Command {
	var limits []string
	var otherwise string
	c := &cobra.Command{
		Use:   "operators",
		Short: a.t("设定本企业经办人怎样共同办理（企业，根密钥）", "set how the operators of this firm act together (the firm, root key)"),
		Long: a.t("每条：目录或事项=几人同意，可加每 24 小时至多几次。没有设定时经办人不能办理。",
			"Each says: entry or matter=how many operators, and how often in 24 hours. Without any an operator cannot act."),
		Example: "  mulian mandate operators --otherwise 1 --limit 11110000000021928B:certificate=2/10 --as f-0123456789abcdef0123456789abcdef",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			was := &mandatev1.OperatorPolicy{}
			if _, err := cl.Get(cmd.Context(), "mandate/operators/"+a.authority(), was); err != nil {
				return err
			}
			m := &mandatev1.SetOperatorPolicy{Version: was.GetVersion()}
			for _, text := range append(slices.Clone(limits), "="+otherwise) {
				if text == "=" {
					continue
				}
				l, err := operatorLimit(text)
				if err != nil {
					return err
				}
				m.Limits = append(m.Limits, l)
			}
			slices.SortFunc(m.Limits, func(x, y *mandatev1.OperatorLimit) int {
				return strings.Compare(x.Entry+"\x00"+x.Matter, y.Entry+"\x00"+y.Matter)
			})
			r, err := a.actAsRoot(cmd.Context(), cl, m)
			if err != nil {
				return err
			}
			return a.receipt(r)
		},
	}
	c.Flags().StringArrayVar(&limits, "limit", nil, a.t("目录或事项=人数[/次数]", "ENTRY-OR-MATTER=OPERATORS[/USES]"))
	c.Flags().StringVar(&otherwise, "otherwise", "", a.t("其余一切：人数[/次数]", "everything else: OPERATORS[/USES]"))
	c.MarkFlagsOneRequired("limit", "otherwise")
	return c
}

// operatorLimit reads NAME=OPERATORS[/USES]. An entry's id has a colon, a matter's has none.
func operatorLimit(text string) (*mandatev1.OperatorLimit, error) {
	at := strings.LastIndexByte(text, '=')
	if at < 0 {
		return nil, fault.Newf(fault.Usage, "--limit %.100q: ENTRY-OR-MATTER=OPERATORS[/USES]", text)
	}
	l, name := &mandatev1.OperatorLimit{}, text[:at]
	if strings.Contains(name, ":") {
		l.Entry = name
	} else {
		l.Matter = name
	}
	people, uses, _ := strings.Cut(text[at+1:], "/")
	for _, n := range []struct {
		text string
		into *uint32
	}{{people, &l.Threshold}, {uses, &l.UsesADay}} {
		if n.text == "" && n.into == &l.UsesADay {
			continue
		}
		v, err := strconv.ParseUint(n.text, 10, 32)
		if err != nil {
			return nil, fault.Newf(fault.Usage, "--limit %.100q: ENTRY-OR-MATTER=OPERATORS[/USES]", text)
		}
		*n.into = uint32(v)
	}
	return l, nil
}

func (a *app) mandateAgree() *cobra.Command {
	return &cobra.Command{
		Use:   "agree FIRM DIGEST",
		Short: a.t("作为经办人同意企业的一项操作，由另一位经办人办理", "agree as an operator to an act of his firm that another operator carries out"),
		Long: a.t("摘要由办理的人给出：在他要签的命令后加 --dry-run --json，取 digests。24 小时内有效。",
			"Who carries it out gives the digest: --dry-run --json behind the command that he will sign shows it as digests. It holds for 24 hours."),
		Example: "  mulian mandate agree f-0123456789abcdef0123456789abcdef 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef --as p-00000000000000000000000000000001",
		Args:    exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			digest, err := hex.DecodeString(args[1])
			if err != nil {
				return fault.Newf(fault.Usage, "%.80q: 64 hex digits", args[1])
			}
			return a.simple(cmd, &mandatev1.ApproveAct{Firm: args[0], Digest: digest})
		},
	}
}

func (a *app) mandateList() *cobra.Command {
	m := &mandatev1.ListMandatesRequest{Limit: 500}
	var kind, state string
	c := &cobra.Command{
		Use:     "list",
		Short:   a.t("列出委托", "list mandates"),
		Example: "  mulian mandate list --principal p-0123456789abcdef0123456789abcdef --state active",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if kind != "" {
				if m.Kind, err = enumOf[mandatev1.MandateKind]("kind", "MANDATE_KIND_", kind, mandatev1.MandateKind_value); err != nil {
					return err
				}
			}
			if state != "" {
				if m.State, err = enumOf[mandatev1.MandateState]("state", "MANDATE_STATE_", state, mandatev1.MandateState_value); err != nil {
					return err
				}
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Mandate.ListMandates(cmd.Context(), connect.NewRequest(m))
			if err != nil {
				return wire.Fault(err)
			}
			rows := [][]string{{a.t("委托", "MANDATE"), a.t("种类", "KIND"), a.t("被代理人", "PRINCIPAL"), a.t("代理人", "AGENT"), a.t("状态", "STATE"), a.t("截止", "UNTIL")}}
			for _, x := range res.Msg.GetMandates() {
				rows = append(rows, []string{x.GetId(), a.word(x.GetKind()), x.GetPrincipal(), x.GetAgent(), a.mandateState(x), day(x.GetUntilMs())})
			}
			return a.print(res.Msg, func(w io.Writer) { table(w, rows) })
		},
	}
	f := c.Flags()
	f.StringVar(&m.Principal, "principal", "", a.t("被代理人", "account that is acted for"))
	f.StringVar(&m.Agent, "agent", "", a.t("代理人", "account that acts"))
	f.StringVar(&m.Office, "office", "", a.t("签发单位", "office that signed it"))
	f.StringVar(&kind, "kind", "", a.t("种类", "kind"))
	f.StringVar(&state, "state", "", a.t("状态", "state"))
	return c
}

// mandateState is the state, with why it is suspended.
func (a *app) mandateState(x *mandatev1.Mandate) string {
	var why []string
	for _, s := range x.GetSuspensions() {
		why = append(why, a.word(s))
	}
	if len(why) == 0 {
		return a.word(x.GetState())
	}
	return a.word(x.GetState()) + " (" + strings.Join(why, ", ") + ")"
}

func (a *app) mandateShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   a.t("查看一份委托", "show a mandate"),
		Example: "  mulian mandate show 0123456789abcdef0123456789abcdef --json",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Mandate.GetMandate(cmd.Context(), connect.NewRequest(&mandatev1.GetMandateRequest{Id: args[0]}))
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(res.Msg, func(w io.Writer) { table(w, a.mandateRows(res.Msg)) })
		},
	}
}

func (a *app) mandateRows(res *mandatev1.GetMandateResponse) [][]string {
	m := res.GetMandate()
	var acts []string
	for _, x := range m.GetScope().GetActs() {
		acts = append(acts, a.word(x))
	}
	of := a.t("全部目录和事项", "every entry and matter")
	if !m.GetScope().GetEverything() {
		of = strings.Join(append(slices.Clone(m.GetScope().GetEntries()), m.GetScope().GetMatters()...), ", ")
	}
	by := m.GetPrincipalBy()
	if by == "" {
		by = m.GetOfficeBy()
	}
	rows := [][]string{
		{a.t("委托", "mandate"), m.GetId()},
		{a.t("种类", "kind"), a.word(m.GetKind())},
		{a.t("状态", "state"), a.mandateState(m)},
		{a.t("被代理人", "principal"), m.GetPrincipal()},
		{a.t("代理人", "agent"), m.GetAgent()},
		{a.t("范围", "scope"), strings.Join(acts, ", ") + ": " + of},
		{a.t("至多代办", "up to"), a.word(m.GetMaxLevel())},
		{a.t("期限", "term"), day(m.GetFromMs()) + " — " + day(m.GetUntilMs())},
		{a.t("签发", "signed by"), by},
	}
	if m.GetWitnessBy() != "" {
		rows = append(rows, []string{a.t("见证", "witness"), m.GetWitnessBy()})
	}
	if e := m.GetBasis().GetEntry(); e != "" {
		rows = append(rows, []string{a.t("登记表", "register"), e})
	}
	if n := m.GetMaxUses(); n > 0 {
		rows = append(rows, []string{a.t("已用", "used"), fmt.Sprintf("%d/%d", m.GetUses(), n)})
	}
	if m.GetEndedMs() != 0 {
		rows = append(rows, []string{a.t("结束", "ended"), strings.TrimRight(day(m.GetEndedMs())+"  "+m.GetEndedBy(), " ")})
	}
	if m.GetCause() != "" {
		rows = append(rows, []string{a.t("说明", "cause"), visible(m.GetCause())})
	}
	for _, l := range res.GetOperators().GetLimits() {
		what := l.GetEntry() + l.GetMatter()
		if what == "" {
			what = a.t("其余一切", "everything else")
		}
		text := fmt.Sprintf(a.t("%s：%d 人", "%s: %d of them"), what, l.GetThreshold())
		if n := l.GetUsesADay(); n > 0 {
			text += fmt.Sprintf(a.t("，每 24 小时 %d 次", ", %d in 24 hours"), n)
		}
		rows = append(rows, []string{a.t("经办", "operators"), text})
	}
	return rows
}
