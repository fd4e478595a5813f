package main

import (
	"fmt"
	"io"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

func (a *app) govCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "gov",
		Short:   a.t("治理：成员、角色、参数由表决改变", "governance: members, roles and parameters change by vote"),
		Example: "  mulian gov show\n  mulian gov propose change.json --title 增加成员 --as 111100000000300011#root\n  mulian gov vote 0123456789abcdef --for --as 111100000000300011#root",
	}
	c.AddCommand(a.govShow(), a.govList(), a.govPropose(), a.govVote(), a.govWithdraw())
	return c
}

func (a *app) govShow() *cobra.Command {
	return &cobra.Command{
		Use: "show [PROPOSAL]", Short: a.t("成员、角色、参数、法定期限、日历；或一项提案的逐项变更与计票", "members, roles, parameters, statutory clocks, calendar; or what a proposal alters, and its votes"),
		Args: atMost(1), Example: "  mulian gov show --json\n  mulian gov show 0123456789abcdef",
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return a.showProposal(cmd.Context(), cl, args[0])
			}
			res, err := cl.Governance.GetConsortium(cmd.Context(), connect.NewRequest(&governancev1.GetConsortiumRequest{}))
			if err != nil {
				return wire.Fault(err)
			}
			m := res.Msg
			return a.print(m, func(w io.Writer) {
				var rows [][]string
				for _, x := range m.GetMembers() {
					rows = append(rows, []string{a.t("成员", "member"), x.GetOrg(), fmt.Sprintf(a.t("票数 %d", "%d votes"), x.GetWeight())})
				}
				for _, x := range m.GetRoles() {
					rows = append(rows, []string{a.t("角色", "role"), x.GetAccount(), a.word(x.GetRole())})
				}
				for _, x := range m.GetValidators() {
					rows = append(rows, []string{a.t("验证节点", "validator"), x.GetName() + " " + x.GetOrg(), fmt.Sprint(x.GetPower())})
				}
				for _, x := range m.GetMisbehaviours() {
					who := x.GetName() + " " + x.GetOrg()
					if x.GetOrg() == "" {
						who = fmt.Sprintf("%x", x.GetAddress())
					}
					rows = append(rows, []string{a.t("节点作恶", "misbehaviour"), who, fmt.Sprintf(a.t("%s（高度 %d）：%s", "%s at height %d: %s"), a.word(x.GetWrong()), x.GetHeight(), a.word(x.GetConsequence()))})
				}
				p := m.GetParameters()
				rows = append(rows,
					[]string{a.t("表决通过", "votes decide at"), fmt.Sprintf("%d %%", p.GetVotePercent()), fmt.Sprintf(a.t("%d 天内", "within %d days"), p.GetVoteDays())},
					[]string{a.t("授权陈旧上限", "staleness"), fmt.Sprintf("%d s", p.GetStalenessSeconds()), ""})
				for _, c := range m.GetClockProfiles() {
					mark := ""
					if c.GetName() == p.GetClockProfile() {
						mark = a.t("生效", "in force")
					}
					rows = append(rows, []string{a.t("法定期限", "clocks"), c.GetName() + " " + c.GetSource(), mark})
					for _, l := range c.GetLimits() {
						rows = append(rows, []string{"", a.word(l.GetClock()), fmt.Sprintf(a.t("%d 个工作日，可延 %d", "%d working days, +%d"), l.GetDays(), l.GetExtensionDays())})
					}
				}
				for _, y := range m.GetCalendar() {
					rows = append(rows, []string{a.t("日历", "calendar"), fmt.Sprint(y.GetYear()), y.GetSource()})
				}
				table(w, append(rows, a.suspended(m)...))
			})
		},
	}
}

func (a *app) govList() *cobra.Command {
	var open bool
	c := &cobra.Command{
		Use: "list", Short: a.t("列出表决", "list proposals"), Args: exactly(0), Example: "  mulian gov list --open",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			return a.listProposals(cmd.Context(), cl, open)
		},
	}
	c.Flags().BoolVar(&open, "open", false, a.t("只看未决的", "only open ones"))
	return c
}

func (a *app) govVote() *cobra.Command {
	var yes, no bool
	m := &governancev1.CastVote{}
	c := &cobra.Command{
		Use: "vote PROPOSAL", Short: a.t("投票（成员的根密钥）", "vote (with a member's root key)"), Args: exactly(1),
		Example: "  mulian gov vote 0123456789abcdef --for --as 111100000000300011#root",
		RunE: func(cmd *cobra.Command, args []string) error {
			if yes == no {
				return fault.Newf(fault.Usage, "say --for or --against")
			}
			m.Proposal, m.Yes = args[0], yes
			return a.simple(cmd, m)
		},
	}
	c.Flags().BoolVar(&yes, "for", false, a.t("赞成", "vote yes"))
	c.Flags().BoolVar(&no, "against", false, a.t("反对", "vote no"))
	c.Flags().StringVar(&m.Reason, "reason", "", a.t("理由", "reason"))
	return c
}

func (a *app) govWithdraw() *cobra.Command {
	return &cobra.Command{
		Use: "withdraw PROPOSAL", Short: a.t("撤回自己提出的表决", "withdraw an own proposal"), Args: exactly(1),
		Example: "  mulian gov withdraw 0123456789abcdef --as 111100000000300011#root",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.simple(cmd, &governancev1.WithdrawProposal{Proposal: args[0]})
		},
	}
}
