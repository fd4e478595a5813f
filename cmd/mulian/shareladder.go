package main

import (
	"fmt"
	"io"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

func (a *app) disputeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "dispute",
		Short:   a.t("争议：协商、主管部门、共同上级主管部门、人民政府", "disputes: negotiation, authority, common superior, government"),
		Example: "  mulian share dispute raise share/agreement/0123456789abcdef --statement 交付内容不完整 --as 11110000000025678C",
	}
	c.AddCommand(a.disputeRaise(), a.disputeList(), a.disputeShow(), a.disputeDecide(), a.disputeEscalate(), a.disputeSettle(), a.disputeWithdraw())
	return c
}

func (a *app) disputeRaise() *cobra.Command {
	var statement, evidence string
	c := &cobra.Command{
		Use:     "raise SUBJECT",
		Short:   a.t("提起争议，先行协商（对象可以是目录、申请、协议或异议）", "raise one, to negotiate first (about an entry, request, agreement or objection)"),
		Example: "  mulian share dispute raise share/objection/0123456789abcdef --statement 答复不成立 --as 11110000000025678C",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			hash, err := hashOf(evidence)
			if err != nil {
				return err
			}
			return a.simple(cmd, &sharev1.RaiseDispute{Subject: args[0], Statement: statement, EvidenceHash: hash})
		},
	}
	c.Flags().StringVar(&statement, "statement", "", a.t("争议内容（不含个人信息）", "what it is about (no personal data)"))
	c.Flags().StringVar(&evidence, "evidence", "", a.t("证据文件；只有指纹上链", "file that shows it; only its hash goes on the ledger"))
	_ = c.MarkFlagRequired("statement")
	return c
}

// findDispute reads a dispute from the ledger.
func (a *app) findDispute(cmd *cobra.Command, id string) (*sharev1.Dispute, error) {
	cl, err := a.client()
	if err != nil {
		return nil, err
	}
	var d sharev1.Dispute
	ok, err := cl.Get(cmd.Context(), "share/dispute/"+id, &d)
	if err == nil && !ok {
		err = fault.Newf(fault.NotFound, a.t("没有争议 %s", "dispute %s: there is none"), id)
	}
	return &d, err
}

func (a *app) disputeDecide() *cobra.Command {
	var m sharev1.DecideDispute
	var file string
	c := &cobra.Command{
		Use:   "decide DISPUTE",
		Short: a.t("记录处理意见：协商由被提起方，以上由主管部门", "record a decision: of the negotiation the respondent, above it the authority"),
		Example: "  mulian share dispute decide 0123456789abcdef --text 补充交付 --upheld --as 11110000000021928B\n" +
			"  mulian share dispute decide 0123456789abcdef --text 补充交付 --body 省数据局 --document 1号 --upheld --as 111100000000300011",
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := a.findDispute(cmd, args[0])
			if err != nil {
				return err
			}
			m.Dispute, m.Level = args[0], d.GetLevel()
			if m.DocumentHash, err = hashOf(file); err != nil {
				return err
			}
			return a.simple(cmd, &m)
		},
	}
	f := c.Flags()
	f.StringVar(&m.Text, "text", "", a.t("处理意见", "what was decided"))
	f.BoolVar(&m.Upheld, "upheld", false, a.t("支持提起方", "the claimant is right"))
	f.StringVar(&m.Body, "body", "", a.t("处理机关（共同上级及以上必填）", "who decided (required from the common superior on)"))
	f.StringVar(&m.Document, "document", "", a.t("文号（共同上级及以上必填）", "number of the document (required from the common superior on)"))
	f.StringVar(&file, "file", "", a.t("文件；只有指纹上链", "the document; only its hash goes on the ledger"))
	_ = c.MarkFlagRequired("text")
	return c
}

func (a *app) disputeEscalate() *cobra.Command {
	var cause string
	c := &cobra.Command{
		Use:     "escalate DISPUTE",
		Short:   a.t("提请上一级处理（任一方；已有意见，或逾期未处理）", "take it to the next level (either party; after a decision, or when none came in time)"),
		Example: "  mulian share dispute escalate 0123456789abcdef --cause 协商不成 --as 11110000000025678C",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.simple(cmd, &sharev1.EscalateDispute{Dispute: args[0], Cause: cause})
		},
	}
	c.Flags().StringVar(&cause, "cause", "", a.t("原因", "why"))
	_ = c.MarkFlagRequired("cause")
	return c
}

func (a *app) disputeSettle() *cobra.Command {
	return &cobra.Command{
		Use: "accept DISPUTE", Short: a.t("接受处理意见，争议了结", "accept the decision; the dispute is settled"), Args: exactly(1),
		Example: "  mulian share dispute accept 0123456789abcdef --as 11110000000025678C",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.simple(cmd, &sharev1.SettleDispute{Dispute: args[0]})
		},
	}
}

func (a *app) disputeWithdraw() *cobra.Command {
	var cause string
	c := &cobra.Command{
		Use: "withdraw DISPUTE", Short: a.t("撤回争议（提起方）", "withdraw it (claimant)"), Args: exactly(1),
		Example: "  mulian share dispute withdraw 0123456789abcdef --cause 已解决 --as 11110000000025678C",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.simple(cmd, &sharev1.SettleDispute{Dispute: args[0], Withdraw: true, Cause: cause})
		},
	}
	c.Flags().StringVar(&cause, "cause", "", a.t("原因", "why"))
	_ = c.MarkFlagRequired("cause")
	return c
}

func (a *app) disputeList() *cobra.Command {
	var m sharev1.ListDisputesRequest
	c := &cobra.Command{
		Use: "list", Short: a.t("列出争议", "list disputes"), Args: exactly(0),
		Example: "  mulian share dispute list --respondent 11110000000021928B",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			m.Limit = 500
			res, err := cl.Share.ListDisputes(cmd.Context(), connect.NewRequest(&m))
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(res.Msg, func(w io.Writer) { table(w, a.disputeRows(res.Msg.GetDisputes())) })
		},
	}
	c.Flags().StringVar(&m.Claimant, "claimant", "", a.t("提起方", "claimant"))
	c.Flags().StringVar(&m.Respondent, "respondent", "", a.t("被提起方", "respondent"))
	c.Flags().BoolVar(&m.Overdue, "overdue", false, a.t("只看超期的", "only overdue ones"))
	return c
}

func (a *app) disputeRows(list []*sharev1.Dispute) [][]string {
	rows := [][]string{{a.t("争议", "DISPUTE"), a.t("状态", "STATE"), a.t("层级", "LEVEL"), a.t("对象", "SUBJECT"), a.t("提起方", "CLAIMANT"), a.t("被提起方", "RESPONDENT"), a.t("到期", "DUE")}}
	for _, d := range list {
		rows = append(rows, []string{d.GetId(), a.word(d.GetState()), a.word(d.GetLevel()), d.GetSubject(), d.GetClaimant(), d.GetRespondent(), due(d.GetClock())})
	}
	return rows
}

func (a *app) disputeShow() *cobra.Command {
	return &cobra.Command{
		Use: "show DISPUTE", Short: a.t("查看一件争议和各级意见", "show a dispute with the decisions of each level"), Args: exactly(1),
		Example: "  mulian share dispute show 0123456789abcdef",
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := a.findDispute(cmd, args[0])
			if err != nil {
				return err
			}
			return a.print(d, func(w io.Writer) {
				rows := [][]string{
					{a.t("争议", "dispute"), d.GetId()},
					{a.t("状态", "state"), a.word(d.GetState())},
					{a.t("层级", "level"), a.word(d.GetLevel())},
					{a.t("对象", "subject"), d.GetSubject()},
					{a.t("提起方", "claimant"), d.GetClaimant()},
					{a.t("被提起方", "respondent"), d.GetRespondent()},
					{a.t("内容", "statement"), d.GetStatement()},
					{a.t("期限", "clock"), a.clock(d.GetClock())},
				}
				for _, x := range d.GetDecisions() {
					rows = append(rows, []string{a.word(x.GetLevel()), fmt.Sprintf("%s  %s  %s", x.GetBody(), x.GetDocument(), x.GetText())})
				}
				table(w, rows)
			})
		},
	}
}

// overdueAnswer is what `mulian share overdue --json` answers: all that ran out.
type overdueAnswer struct {
	Requests    []*sharev1.Request    `json:"requests"`
	Agreements  []*sharev1.Agreement  `json:"agreements"`
	Corrections []*sharev1.Correction `json:"corrections"`
	Objections  []*sharev1.Objection  `json:"objections"`
	Disputes    []*sharev1.Dispute    `json:"disputes"`
}

func (a *app) shareOverdue() *cobra.Command {
	return &cobra.Command{
		Use: "overdue", Short: a.t("列出一切超期事项（主管部门看）", "list all that is overdue (for the authority)"), Args: exactly(0),
		Example: "  mulian share overdue",
		RunE: func(cmd *cobra.Command, _ []string) error {
			x, err := a.overdue(cmd)
			if err != nil {
				return err
			}
			return a.print(x, func(w io.Writer) {
				for _, rows := range [][][]string{
					a.requestRows(x.Requests), a.agreementRows(x.Agreements), a.correctionRows(x.Corrections), a.objectionRows(x.Objections), a.disputeRows(x.Disputes),
				} {
					if len(rows) > 1 {
						table(w, rows)
						fmt.Fprintln(w)
					}
				}
			})
		},
	}
}

func (a *app) overdue(cmd *cobra.Command) (*overdueAnswer, error) {
	cl, err := a.client()
	if err != nil {
		return nil, err
	}
	ctx := cmd.Context()
	const page = 500
	requests, err := cl.Share.ListRequests(ctx, connect.NewRequest(&sharev1.ListRequestsRequest{Overdue: true, Limit: page}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	agreements, err := cl.Share.ListAgreements(ctx, connect.NewRequest(&sharev1.ListAgreementsRequest{Overdue: true, Limit: page}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	corrections, err := cl.Share.ListCorrections(ctx, connect.NewRequest(&sharev1.ListCorrectionsRequest{Overdue: true, Limit: page}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	objections, err := cl.Share.ListObjections(ctx, connect.NewRequest(&sharev1.ListObjectionsRequest{Overdue: true, Limit: page}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	disputes, err := cl.Share.ListDisputes(ctx, connect.NewRequest(&sharev1.ListDisputesRequest{Overdue: true, Limit: page}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	return &overdueAnswer{
		Requests: requests.Msg.GetRequests(), Agreements: agreements.Msg.GetAgreements(), Corrections: corrections.Msg.GetCorrections(),
		Objections: objections.Msg.GetObjections(), Disputes: disputes.Msg.GetDisputes(),
	}, nil
}

func (a *app) shareStanding() *cobra.Command {
	return &cobra.Command{
		Use: "standing", Short: a.t("各机构的履约记录：超期次数、违规、评分", "each organisation's standing: late clocks, violations, marks"), Args: exactly(0),
		Example: "  mulian share standing",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Share.ListStandings(cmd.Context(), connect.NewRequest(&sharev1.ListStandingsRequest{Limit: 500}))
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(res.Msg, func(w io.Writer) {
				rows := [][]string{{a.t("机构", "ORG"), a.t("答复", "ANSWERS"), a.t("交付", "DELIVERIES"), a.t("校核", "CORRECTIONS"), a.t("异议", "OBJECTIONS"), a.t("整改", "RECTIFICATIONS"), a.t("销毁", "DISPOSALS"), a.t("违规", "VIOLATIONS"), a.t("平均分", "MEAN MARK")}}
				for _, s := range res.Msg.GetStandings() {
					mean := "-"
					if n := s.GetScores(); n > 0 {
						mean = fmt.Sprintf("%.1f", float64(s.GetScoreSum())/float64(n))
					}
					row := []string{s.GetOrg()}
					for _, n := range []uint64{s.GetLateAnswers(), s.GetLateDeliveries(), s.GetLateCorrections(), s.GetLateObjections(), s.GetLateRectifications(), s.GetLateDisposals(), s.GetViolations()} {
						row = append(row, fmt.Sprint(n))
					}
					rows = append(rows, append(row, mean))
				}
				table(w, rows)
			})
		},
	}
}
