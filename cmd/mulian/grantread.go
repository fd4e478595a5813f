package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	grantv1 "mulian/gen/mulian/grant/v1"
	"mulian/internal/consent"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

func (a *app) grantRequests() *cobra.Command {
	m := &grantv1.ListDataRequestsRequest{Limit: 500}
	c := &cobra.Command{
		Use:     "requests",
		Short:   a.t("列出用数请求", "list data requests"),
		Example: "  mulian grant requests --owner p-0123456789abcdef0123456789abcdef --json",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Grant.ListDataRequests(cmd.Context(), connect.NewRequest(m))
			if err != nil {
				return wire.Fault(err)
			}
			rows := [][]string{{a.t("请求", "REQUEST"), a.t("使用登记", "USE"), a.t("数据主体", "OWNER"), a.t("状态", "STATE"), a.t("答复期限", "ANSWER BY")}}
			for _, r := range res.Msg.GetRequests() {
				rows = append(rows, []string{r.GetId(), r.GetUse(), r.GetOwner(), a.word(r.GetState()), day(r.GetNotAfterMs())})
			}
			return a.print(res.Msg, func(w io.Writer) { table(w, rows) })
		},
	}
	c.Flags().StringVar(&m.Owner, "owner", "", a.t("数据主体账户", "account of the owner"))
	c.Flags().StringVar(&m.Org, "org", "", a.t("数据使用方", "data user"))
	return c
}

func (a *app) grantRead() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:     "read REQUEST",
		Short:   a.t("读请求的全文：同意时签的就是它", "read the whole text of a request: what is signed when one agrees"),
		Example: "  mulian grant read 0123456789abcdef0123456789abcdef",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			o, err := readOpening(file)
			if err != nil {
				return err
			}
			q, err := readQuestion(cmd.Context(), cl, args[0], o)
			if err != nil {
				return err
			}
			text := q.text(a, consent.Choice{})
			v := map[string]any{"ok": true, "state": plain(q.request.GetState().Descriptor().Values().ByNumber(q.request.GetState().Number())), "text": text, "hash": hex.EncodeToString(consent.TextHash(consent.Text(a.t(consent.Chinese, consent.English), q.facts, consent.Choice{})))}
			return a.print(v, func(w io.Writer) { fmt.Fprint(w, text) })
		},
	}
	c.Flags().StringVar(&file, "opening", "", a.t("数据使用方随请求给的文件", "file that the data user gave with the request"))
	return c
}

func (a *app) grantList() *cobra.Command {
	m := &grantv1.ListGrantsRequest{Limit: 500}
	c := &cobra.Command{
		Use:     "list",
		Short:   a.t("列出授权", "list grants"),
		Example: "  mulian grant list --owner p-0123456789abcdef0123456789abcdef --live",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Grant.ListGrants(cmd.Context(), connect.NewRequest(m))
			if err != nil {
				return wire.Fault(err)
			}
			rows := [][]string{{a.t("授权", "GRANT"), a.t("使用登记", "USE"), a.t("状态", "STATE"), a.t("使用", "USES"), a.t("截止", "UNTIL"), a.t("信息项", "ITEMS")}}
			for _, g := range res.Msg.GetGrants() {
				rows = append(rows, []string{g.GetId(), g.GetUse(), a.word(g.GetState()), usesOf(g), day(g.GetNotAfterMs()), strings.Join(g.GetItemCodes(), ",")})
			}
			return a.print(res.Msg, func(w io.Writer) { table(w, rows) })
		},
	}
	c.Flags().StringVar(&m.Owner, "owner", "", a.t("数据主体账户", "account of the owner"))
	c.Flags().StringVar(&m.Grantee, "grantee", "", a.t("数据使用方", "data user"))
	c.Flags().BoolVar(&m.Live, "live", false, a.t("只列没有结束的", "only those that are not over"))
	return c
}

// usesOf is "1/1", or "3" of a grant whose uses are not bounded.
func usesOf(g *grantv1.Grant) string {
	if g.GetMaxUses() == 0 {
		return fmt.Sprint(g.GetUses())
	}
	return fmt.Sprintf("%d/%d", g.GetUses(), g.GetMaxUses())
}

func (a *app) grantShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show GRANT",
		Short:   a.t("查看一项授权", "show a grant"),
		Example: "  mulian grant show 0123456789abcdef0123456789abcdef --json",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Grant.GetGrant(cmd.Context(), connect.NewRequest(&grantv1.GetGrantRequest{Id: args[0]}))
			if err != nil {
				return wire.Fault(err)
			}
			g := res.Msg.GetGrant()
			rows := [][]string{
				{a.t("授权", "grant"), g.GetId()},
				{a.t("状态", "state"), a.word(g.GetState())},
				{a.t("数据主体", "owner"), g.GetOwner()},
				{a.t("数据使用方", "data user"), g.GetGrantee() + "  " + res.Msg.GetUse().GetTitle()},
				{a.t("数据", "data"), g.GetEntry() + "  " + strings.Join(g.GetItemCodes(), ",")},
				{a.t("数源网关", "provided by"), strings.Join(g.GetProviders(), ",")},
				{a.t("使用", "uses"), usesOf(g)},
				{a.t("期限", "term"), day(g.GetNotBeforeMs()) + " — " + day(g.GetNotAfterMs())},
				{a.t("未了结的删除义务", "deletions owed"), fmt.Sprint(g.GetDutiesOpen())},
			}
			if g.GetEndedMs() != 0 {
				rows = append(rows, []string{a.t("结束", "ended"), day(g.GetEndedMs()) + "  " + g.GetEndCause()})
			}
			return a.print(res.Msg, func(w io.Writer) { table(w, rows) })
		},
	}
}

func (a *app) grantUses() *cobra.Command {
	m := &grantv1.FindUsageRequest{Limit: 500}
	c := &cobra.Command{
		Use:     "uses [GRANT]",
		Short:   a.t("谁用过我的数据：一项授权的全部使用，或 --owner 的", "who has used my data: all uses of a grant, or of an owner's with --owner"),
		Long:    a.t("一项授权的使用编号连续，账本上有总数：缺一次即报错。", "The uses of a grant are numbered without gaps, and the ledger has their number: if one is missing, this fails."),
		Example: "  mulian grant uses 0123456789abcdef0123456789abcdef\n  mulian grant uses --owner p-0123456789abcdef0123456789abcdef",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			if (len(args) == 1) == (m.Owner != "") {
				return fault.Newf(fault.Usage, "%s", a.t("指明一项授权，或用 --owner 指明数据主体", "name a grant, or an owner with --owner"))
			}
			m.Grant = strings.Join(args, "")
			all := &grantv1.FindUsageResponse{}
			for {
				res, err := cl.Grant.FindUsage(cmd.Context(), connect.NewRequest(m))
				if err != nil {
					return wire.Fault(err)
				}
				all.Uses = append(all.Uses, res.Msg.GetUses()...)
				all.Total, all.Sequence, all.Height, m.After = res.Msg.GetTotal(), res.Msg.GetSequence(), res.Msg.GetHeight(), res.Msg.GetNext()
				if m.After == "" || len(res.Msg.GetUses()) == 0 {
					break
				}
			}
			if m.Grant != "" {
				g := &grantv1.Grant{} // the number of uses is the ledger's word, not the index's
				if err := needObject(cmd.Context(), cl, "grant/grant/"+m.Grant, g); err != nil {
					return err
				}
				if err := withoutGaps(all.Uses, g.GetSequence()); err != nil {
					return err
				}
			}
			return a.print(all, func(w io.Writer) { a.showUses(w, all, m.Grant != "") })
		},
	}
	c.Flags().StringVar(&m.Owner, "owner", "", a.t("数据主体账户", "account of the owner"))
	return c
}

// withoutGaps sorts uses by number: VerificationFailed unless they are 1 to n.
func withoutGaps(uses []*grantv1.Use, n uint64) error {
	slices.SortFunc(uses, func(x, y *grantv1.Use) int { return int(x.GetNumber()) - int(y.GetNumber()) })
	for i, u := range uses {
		if u.GetNumber() != uint64(i)+1 {
			return fault.Newf(fault.VerificationFailed, "use %d is missing in what the server shows", i+1)
		}
	}
	if uint64(len(uses)) < n {
		return fault.Newf(fault.VerificationFailed, "the server shows %d uses, the ledger has counted %d", len(uses), n)
	}
	return nil
}

func (a *app) showUses(w io.Writer, m *grantv1.FindUsageResponse, one bool) {
	rows := [][]string{{a.t("授权", "GRANT"), a.t("第几次", "USE"), a.t("何时", "WHEN"), a.t("由谁提供", "BY"), a.t("结果", "OUTCOME"), a.t("高度", "HEIGHT")}}
	for _, u := range m.GetUses() {
		rows = append(rows, []string{u.GetGrant(), fmt.Sprint(u.GetNumber()), day(u.GetAtMs()), u.GetProvider(), a.word(u.GetOutcome()), fmt.Sprint(u.GetHeight())})
	}
	table(w, rows)
	if one {
		fmt.Fprintf(w, a.t("共 %d 次，编号连续，与账本的总数一致\n", "%d uses, numbered without gaps, as many as the ledger has counted\n"), len(m.GetUses()))
	}
}

func (a *app) grantDuties() *cobra.Command {
	m := &grantv1.ListDutiesRequest{Limit: 500}
	c := &cobra.Command{
		Use:     "duties",
		Short:   a.t("列出删除义务", "list deletion duties"),
		Example: "  mulian grant duties --grantee 11110000000025678C --overdue",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Grant.ListDuties(cmd.Context(), connect.NewRequest(m))
			if err != nil {
				return wire.Fault(err)
			}
			rows := [][]string{{a.t("授权", "GRANT"), a.t("第几次", "USE"), a.t("数据使用方", "DATA USER"), a.t("状态", "STATE"), a.t("期限", "DUE"), a.t("法律依据", "LAW")}}
			for _, d := range res.Msg.GetDuties() {
				rows = append(rows, []string{d.GetGrant(), fmt.Sprint(d.GetNumber()), d.GetGrantee(), a.word(d.GetState()), day(d.GetDueMs()), d.GetLaw()})
			}
			return a.print(res.Msg, func(w io.Writer) { table(w, rows) })
		},
	}
	c.Flags().StringVar(&m.Owner, "owner", "", a.t("数据主体账户", "account of the owner"))
	c.Flags().StringVar(&m.Grantee, "grantee", "", a.t("数据使用方", "data user"))
	c.Flags().StringVar(&m.Grant, "grant", "", a.t("授权编号", "id of the grant"))
	c.Flags().BoolVar(&m.Overdue, "overdue", false, a.t("只列逾期的", "only those that are overdue"))
	return c
}
