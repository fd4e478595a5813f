package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

func (a *app) shareCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "share",
		Aliases: []string{"共享"},
		Short:   a.t("共享：申请、授权、确认、共享、使用", "sharing: apply, authorise, confirm, share, use"),
		Example: `  mulian share apply 11110000000021928B:permits --items code,name,issued --purpose 取水许可核验 --duty 11110000000025678C:1 --as 11110000000025678C
  mulian share answer 0123456789abcdef --accept --as 11110000000021928B
  mulian share confirm 0123456789abcdef --as 11110000000025678C`,
	}
	c.AddCommand(a.shareApply(), a.shareAnswer(), a.shareMore(), a.shareSupplement(), a.shareExtend(), a.shareUrge(), a.shareWithdraw(), a.shareConfirm(),
		a.shareSuspend(), a.shareResume(), a.shareEnd(), a.shareList(), a.shareShow(), a.shareFetch(), a.shareQuery(), a.shareAsk(), a.shareByGrant(), a.shareUse(),
		a.shareSubscribe(), a.shareUnsubscribe(), a.shareSubscriptions())
	c.AddCommand(a.lifeCommands()...)
	return c
}

// termsFlags are the flags from which terms are made.
type termsFlags struct {
	items, method                                          string
	purpose, duty, matter, basis, system, scope, gatewayID string
	days, perDay, life                                     uint32
	rows, calls                                            uint64
	conditions                                             conditionFlags
}

func (t *termsFlags) add(a *app, c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&t.items, "items", "", a.t("信息项编码，逗号分隔；留空为全部可共享项", "item codes, with commas; empty = all that are shared"))
	f.StringVar(&t.purpose, "purpose", "", a.t("用途", "purpose"))
	f.StringVar(&t.duty, "duty", "", a.t("依据的本部门职责；只有一条时可省略", "own duty that needs it; may be left out if there is only one"))
	f.StringVar(&t.matter, "matter", "", a.t("办事场景", "matter"))
	f.StringVar(&t.basis, "basis", "", a.t("法律依据", "legal basis"))
	f.StringVar(&t.system, "system", "", a.t("应用系统", "system that will use it"))
	f.StringVar(&t.scope, "scope", "", a.t("使用范围", "scope of use"))
	f.StringVar(&t.gatewayID, "gateway", "", a.t("接收网关；只有一个时可省略", "receiving gateway; may be left out if there is only one"))
	f.StringVar(&t.method, "method", "batch", a.t("方式：batch query file", "method: batch query file"))
	f.Uint32Var(&t.days, "days", 0, a.t("期限（天），0 为默认", "term in days, 0 = default"))
	f.Uint32Var(&t.perDay, "max-per-day", 0, a.t("每天最多调用次数", "most calls a day"))
	f.Uint64Var(&t.rows, "max-rows", 0, a.t("每次最多行数", "most rows in a call"))
	f.Uint64Var(&t.calls, "max-calls", 0, a.t("总调用次数", "most calls in all"))
	f.Uint32Var(&t.life, "data-life", 0, a.t("数据保存天数", "days after which the copy is destroyed"))
	t.conditions.add(a, c)
}

func (a *app) shareApply() *cobra.Command {
	var t termsFlags
	c := &cobra.Command{
		Use:     "apply ENTRY...",
		Short:   a.t("申请共享一条或几条目录（同一提供部门）", "apply for one or more entries of one provider"),
		Example: "  mulian share apply 11110000000021928B:permits --purpose 取水许可核验 --as 11110000000025678C",
		Args:    atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			terms, gateway, err := a.terms(cmd, cl, &t, args)
			if err != nil {
				return err
			}
			r, err := a.act(cmd.Context(), cl, &sharev1.FileRequest{Terms: terms, Gateway: gateway})
			if err != nil || r == nil {
				return err
			}
			if len(r.IDs) > 0 {
				a.say(a.t("下一步（提供方）： mulian share answer %s --accept --as %s", "next (provider): mulian share answer %s --accept --as %s"), r.IDs[0], strings.SplitN(args[0], ":", 2)[0])
			}
			return a.receipt(r)
		},
	}
	t.add(a, c)
	_ = c.MarkFlagRequired("purpose")
	return c
}

// terms makes the terms of the flags, asking the server for what may be left out.
func (a *app) terms(cmd *cobra.Command, cl *client.Client, t *termsFlags, entries []string) (*sharev1.Terms, string, error) {
	if len(t.conditions.predicates) > 0 && !cmd.Flags().Changed("method") {
		t.method = "query" // predicates are answered by it
	}
	method, ok := map[string]cataloguev1.Method{"batch": cataloguev1.Method_METHOD_BATCH, "query": cataloguev1.Method_METHOD_QUERY, "file": cataloguev1.Method_METHOD_FILE}[t.method]
	if !ok {
		return nil, "", fault.Newf(fault.Usage, "--method %q: batch, query or file", t.method)
	}
	terms := &sharev1.Terms{
		Purpose: t.purpose, Duty: t.duty, Matter: t.matter, LegalBasis: t.basis, AppSystem: t.system, ScopeOfUse: t.scope, Method: method,
		Days: t.days, MaxCallsPerDay: t.perDay, MaxRowsPerCall: t.rows, MaxCalls: t.calls, DataLifeDays: t.life,
	}
	ctx := cmd.Context()
	for _, id := range entries {
		res, err := cl.Catalogue.GetEntry(ctx, connect.NewRequest(&cataloguev1.GetEntryRequest{Id: id}))
		if err != nil {
			return nil, "", wire.Fault(err)
		}
		part := &sharev1.Part{Entry: id}
		if t.items != "" {
			part.Items = strings.Split(t.items, ",")
		} else {
			for _, it := range res.Msg.GetEntry().GetItems() {
				if it.GetShareType() != cataloguev1.ShareType_SHARE_TYPE_DENIED && it.GetColumn() != "" {
					part.Items = append(part.Items, it.GetCode())
				}
			}
		}
		terms.Parts = append(terms.Parts, part)
	}
	if err := t.conditions.set(terms); err != nil {
		return nil, "", err
	}
	org, _, _ := strings.Cut(strings.SplitN(a.as, "#", 2)[0], "/")
	if terms.GetDuty() == "" {
		res, err := cl.Catalogue.ListDuties(ctx, connect.NewRequest(&cataloguev1.ListDutiesRequest{Org: org, Limit: 10}))
		if err != nil {
			return nil, "", wire.Fault(err)
		}
		d := res.Msg.GetDuties()
		if len(d) != 1 {
			lines := make([]string, len(d))
			for i := range d {
				lines[i] = fmt.Sprintf("  --duty %s   %s", d[i].GetId(), d[i].GetTitle())
			}
			return nil, "", fault.Newf(fault.Usage, "%s has %d duties; which one needs the data?\n%s", org, res.Msg.GetTotal(), strings.Join(lines, "\n"))
		}
		terms.Duty = d[0].GetId()
	}
	gateway := t.gatewayID
	if gateway == "" {
		found, err := a.gatewaysOf(ctx, cl, org)
		if err != nil {
			return nil, "", err
		}
		if len(found) > 1 {
			return nil, "", fault.Newf(fault.Usage, "%s has %d gateways; name the one that receives with --gateway", org, len(found))
		}
		if len(found) == 0 {
			return nil, "", fault.Newf(fault.Usage, a.t("%[1]s 没有接收数据的网关：mulian gateway init main --name 名称 --as %[1]s", "%[1]s has no gateway to receive with: mulian gateway init main --name NAME --as %[1]s"), org)
		}
		gateway = found[0].GetId()
	}
	return terms, gateway, nil
}

func (a *app) shareAnswer() *cobra.Command {
	var accept, refuse bool
	var reason string
	c := &cobra.Command{
		Use:     "answer REQUEST",
		Short:   a.t("答复申请：同意（并签署协议）或拒绝", "answer a request: accept (and sign the agreement) or refuse"),
		Example: "  mulian share answer 0123456789abcdef --accept --as 11110000000021928B",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if accept == refuse {
				return fault.Newf(fault.Usage, "say --accept or --refuse --reason")
			}
			return a.simple(cmd, &sharev1.Answer{Request: args[0], Accept: accept, Reason: reason})
		},
	}
	c.Flags().BoolVar(&accept, "accept", false, a.t("同意", "accept"))
	c.Flags().BoolVar(&refuse, "refuse", false, a.t("拒绝", "refuse"))
	c.Flags().StringVar(&reason, "reason", "", a.t("理由（拒绝时必填）", "reason (required to refuse)"))
	return c
}

func (a *app) shareMore() *cobra.Command {
	var missing []string
	c := &cobra.Command{
		Use:     "ask-more REQUEST",
		Short:   a.t("一次性告知需要补正的全部内容", "tell once and in full what is missing"),
		Example: "  mulian share ask-more 0123456789abcdef --missing 法律依据 --missing 应用系统 --as 11110000000021928B",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.simple(cmd, &sharev1.AskMore{Request: args[0], Missing: missing})
		},
	}
	c.Flags().StringArrayVar(&missing, "missing", nil, a.t("缺少什么，可重复", "what is missing; may be repeated"))
	_ = c.MarkFlagRequired("missing")
	return c
}

func (a *app) shareSupplement() *cobra.Command {
	var t termsFlags
	c := &cobra.Command{
		Use:     "supplement REQUEST ENTRY...",
		Short:   a.t("补正申请", "supplement a request"),
		Example: "  mulian share supplement 0123456789abcdef 11110000000021928B:permits --purpose 取水许可核验 --basis 水法第48条 --as 11110000000025678C",
		Args:    atLeast(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			terms, _, err := a.terms(cmd, cl, &t, args[1:])
			if err != nil {
				return err
			}
			r, err := a.act(cmd.Context(), cl, &sharev1.Supplement{Request: args[0], Terms: terms})
			if err != nil {
				return err
			}
			return a.receipt(r)
		},
	}
	t.add(a, c)
	_ = c.MarkFlagRequired("purpose")
	return c
}

func (a *app) shareExtend() *cobra.Command {
	var days uint32
	var reason string
	var approve, refuse bool
	c := &cobra.Command{
		Use:     "extend REQUEST",
		Short:   a.t("请求延期（提供方），或审批延期（主管部门）", "ask for more time (provider), or decide on it (authority)"),
		Example: "  mulian share extend 0123456789abcdef --days 5 --reason 系统升级 --as 11110000000021928B\n  mulian share extend 0123456789abcdef --approve --as 111100000000300011",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case approve && refuse:
				return fault.Newf(fault.Usage, "--approve or --refuse, not both")
			case approve || refuse:
				return a.simple(cmd, &sharev1.DecideExtension{Request: args[0], Approve: approve, Reason: reason})
			case days == 0 || reason == "":
				return fault.Newf(fault.Usage, "ask with --days and --reason, decide with --approve or --refuse")
			}
			return a.simple(cmd, &sharev1.AskExtension{Request: args[0], Days: days, Reason: reason})
		},
	}
	c.Flags().Uint32Var(&days, "days", 0, a.t("工作日", "working days"))
	c.Flags().StringVar(&reason, "reason", "", a.t("理由", "reason"))
	c.Flags().BoolVar(&approve, "approve", false, a.t("批准", "approve"))
	c.Flags().BoolVar(&refuse, "refuse", false, a.t("不批准", "refuse"))
	return c
}

// reasoned makes a command with one id and a required reason.
func (a *app) reasoned(use, zh, en, flag string, send func(cmd *cobra.Command, id, reason string) error) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: use, Short: a.t(zh, en), Args: exactly(1),
		Example: "  mulian share " + strings.Fields(use)[0] + " 0123456789abcdef --" + flag + " … --as 11110000000021928B",
		RunE:    func(cmd *cobra.Command, args []string) error { return send(cmd, args[0], reason) },
	}
	c.Flags().StringVar(&reason, flag, "", a.t("原因", "why"))
	_ = c.MarkFlagRequired(flag)
	return c
}

func (a *app) shareWithdraw() *cobra.Command {
	return a.reasoned("withdraw REQUEST", "撤回申请", "withdraw a request", "reason", func(cmd *cobra.Command, id, reason string) error {
		return a.simple(cmd, &sharev1.WithdrawRequest{Request: id, Reason: reason})
	})
}

func (a *app) shareUrge() *cobra.Command {
	var note string
	c := &cobra.Command{
		Use:     "urge REQUEST",
		Short:   a.t("催办逾期未答复的申请（申请方或主管部门，每 24 小时一次）", "urge an answer that is overdue (requester or authority, once in 24 hours)"),
		Example: "  mulian share urge 0123456789abcdef --note 群众等待办件 --as 11110000000025678C",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.simple(cmd, &sharev1.UrgeRequest{Request: args[0], Note: note})
		},
	}
	c.Flags().StringVar(&note, "note", "", a.t("说明", "what to say with it"))
	return c
}

func (a *app) shareConfirm() *cobra.Command {
	return &cobra.Command{
		Use:     "confirm AGREEMENT",
		Short:   a.t("确认并签署共享协议（申请方）", "confirm and sign an agreement (consumer)"),
		Example: "  mulian share confirm 0123456789abcdef --as 11110000000025678C",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			var g sharev1.Agreement
			ok, err := cl.Get(cmd.Context(), "share/agreement/"+args[0], &g)
			if err != nil {
				return err
			}
			if !ok {
				return fault.Newf(fault.NotFound, "agreement %s: there is none", args[0])
			}
			r, err := a.act(cmd.Context(), cl, &sharev1.ConfirmAgreement{Agreement: args[0], Version: g.GetVersion()})
			if err != nil {
				return err
			}
			return a.receipt(r)
		},
	}
}

func (a *app) shareSuspend() *cobra.Command {
	return a.reasoned("suspend AGREEMENT", "中止共享协议", "suspend an agreement", "cause", func(cmd *cobra.Command, id, cause string) error {
		return a.simple(cmd, &sharev1.SuspendAgreement{Agreement: id, Cause: cause})
	})
}

func (a *app) shareResume() *cobra.Command {
	return &cobra.Command{
		Use: "resume AGREEMENT", Short: a.t("恢复共享协议", "resume an agreement"), Args: exactly(1),
		Example: "  mulian share resume 0123456789abcdef --as 11110000000021928B",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.simple(cmd, &sharev1.ResumeAgreement{Agreement: args[0]})
		},
	}
}

func (a *app) shareEnd() *cobra.Command {
	var reason, filing, on string
	c := &cobra.Command{
		Use:     "end AGREEMENT",
		Short:   a.t("终止共享协议；提供方须有协商备案号（条例第27条）", "end an agreement; the provider needs the filing number of the consultation (art. 27)"),
		Example: "  mulian share end 0123456789abcdef --reason 业务结束 --as 11110000000025678C\n  mulian share end 0123456789abcdef --on 2026-12-31 --reason 职责调整 --filing 备〔2026〕12号 --as 11110000000021928B",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ends, err := beijingDay(on)
			if err != nil {
				return err
			}
			return a.simple(cmd, &sharev1.EndAgreement{Agreement: args[0], Reason: reason, Filing: filing, EndsMs: ends})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", a.t("原因", "why"))
	c.Flags().StringVar(&filing, "filing", "", a.t("协商备案号", "filing number"))
	c.Flags().StringVar(&on, "on", "", a.t("到这一天终了为止仍然有效（如 2026-12-31）；不写则立即终止", "it holds to the end of this day (like 2026-12-31); without it, it ends now"))
	_ = c.MarkFlagRequired("reason")
	return c
}

func (a *app) shareUse() *cobra.Command {
	var m sharev1.RecordUse
	c := &cobra.Command{
		Use:     "use AGREEMENT",
		Short:   a.t("登记一次使用", "account for a use"),
		Example: "  mulian share use 0123456789abcdef --case 取水2026-0017 --rows 1 --as 11110000000025678C",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Agreement = args[0]
			cl, err := a.client()
			if err != nil {
				return err
			}
			if m.Purpose == "" {
				var g sharev1.Agreement
				if _, err := cl.Get(cmd.Context(), "share/agreement/"+args[0], &g); err != nil {
					return err
				}
				m.Purpose = g.GetTerms().GetPurpose()
			}
			r, err := a.act(cmd.Context(), cl, &m)
			if err != nil {
				return err
			}
			return a.receipt(r)
		},
	}
	f := c.Flags()
	f.StringVar(&m.Purpose, "purpose", "", a.t("用途，默认为协议的用途", "purpose; default the agreement's"))
	f.StringVar(&m.MatterCase, "case", "", a.t("办件编号", "number of the case"))
	f.Uint64Var(&m.Rows, "rows", 0, a.t("使用的行数", "rows used"))
	f.StringVar(&m.Effect, "effect", "", a.t("成效", "effect"))
	return c
}

func (a *app) shareList() *cobra.Command {
	var provider, requester string
	var overdue, agreements, subscriptions bool
	c := &cobra.Command{
		Use:     "list",
		Short:   a.t("列出申请、协议或订阅", "list requests, agreements or subscriptions"),
		Example: "  mulian share list --provider 11110000000021928B\n  mulian share list --agreements\n  mulian share list --subscriptions --as 11110000000025678C",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if subscriptions {
				return a.listSubscriptions(cmd.Context(), "")
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			if agreements {
				res, err := cl.Share.ListAgreements(cmd.Context(), connect.NewRequest(&sharev1.ListAgreementsRequest{Provider: provider, Consumer: requester, Limit: 500}))
				if err != nil {
					return wire.Fault(err)
				}
				return a.print(res.Msg, func(w io.Writer) { table(w, a.agreementRows(res.Msg.GetAgreements())) })
			}
			res, err := cl.Share.ListRequests(cmd.Context(), connect.NewRequest(&sharev1.ListRequestsRequest{Provider: provider, Requester: requester, Overdue: overdue, Limit: 500}))
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(res.Msg, func(w io.Writer) { table(w, a.requestRows(res.Msg.GetRequests())) })
		},
	}
	f := c.Flags()
	f.StringVar(&provider, "provider", "", a.t("提供部门", "provider"))
	f.StringVar(&requester, "requester", "", a.t("申请部门", "requester"))
	f.BoolVar(&overdue, "overdue", false, a.t("只看超期的", "only overdue ones"))
	f.BoolVar(&agreements, "agreements", false, a.t("列出协议", "list agreements"))
	f.BoolVar(&subscriptions, "subscriptions", false, a.t("列出本机网关的订阅，同 share subscriptions", "list the subscriptions of this machine's gateway, as share subscriptions"))
	return c
}

func (a *app) requestRows(rs []*sharev1.Request) [][]string {
	rows := [][]string{{a.t("申请", "REQUEST"), a.t("状态", "STATE"), a.t("申请方", "REQUESTER"), a.t("提供方", "PROVIDER"), a.t("用途", "PURPOSE"), a.t("到期", "DUE")}}
	for _, r := range rs {
		due := day(r.GetClock().GetDueMs())
		if r.GetClock().GetOverdue() {
			due += " !"
		}
		rows = append(rows, []string{r.GetId(), a.word(r.GetState()), r.GetRequester(), r.GetProvider(), r.GetTerms().GetPurpose(), due})
	}
	return rows
}

func (a *app) agreementRows(gs []*sharev1.Agreement) [][]string {
	rows := [][]string{{a.t("协议", "AGREEMENT"), a.t("状态", "STATE"), a.t("提供方", "PROVIDER"), a.t("使用方", "CONSUMER"), a.t("用途", "PURPOSE"), a.t("到期", "ENDS")}}
	for _, g := range gs {
		rows = append(rows, []string{g.GetId(), a.word(g.GetState()), g.GetProvider(), g.GetConsumer(), g.GetTerms().GetPurpose(), day(g.GetEndsMs())})
	}
	return rows
}

func (a *app) shareShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   a.t("查看一份申请或协议", "show a request or an agreement"),
		Example: "  mulian share show 0123456789abcdef",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			g, err := cl.Share.GetAgreement(cmd.Context(), connect.NewRequest(&sharev1.GetAgreementRequest{Id: args[0]}))
			if err == nil {
				return a.print(g.Msg, func(w io.Writer) { a.showAgreement(w, g.Msg) })
			}
			if !fault.Is(wire.Fault(err), fault.NotFound) {
				return wire.Fault(err)
			}
			r, err := cl.Share.GetRequest(cmd.Context(), connect.NewRequest(&sharev1.GetRequestRequest{Id: args[0]}))
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(r.Msg, func(w io.Writer) { a.showRequest(w, r.Msg.GetRequest()) })
		},
	}
}

func (a *app) showRequest(w io.Writer, r *sharev1.Request) {
	rows := [][]string{
		{a.t("申请", "request"), r.GetId()},
		{a.t("状态", "state"), a.word(r.GetState())},
		{a.t("申请方", "requester"), r.GetRequester()},
		{a.t("提供方", "provider"), r.GetProvider()},
		{a.t("用途", "purpose"), r.GetTerms().GetPurpose()},
		{a.t("法定期限", "statutory clock"), a.clock(r.GetClock())},
	}
	for _, p := range r.GetTerms().GetParts() {
		rows = append(rows, []string{a.t("目录", "entry"), p.GetEntry() + "  " + strings.Join(p.GetItems(), ",")})
	}
	rows = append(rows, a.conditionRows(r.GetTerms())...)
	for _, m := range r.GetMissing() {
		rows = append(rows, []string{a.t("需补正", "missing"), m})
	}
	if r.GetReason() != "" {
		rows = append(rows, []string{a.t("理由", "reason"), r.GetReason()})
	}
	if r.GetAgreement() != "" {
		rows = append(rows, []string{a.t("协议", "agreement"), r.GetAgreement()})
	}
	table(w, rows)
}

func (a *app) showAgreement(w io.Writer, m *sharev1.GetAgreementResponse) {
	g := m.GetAgreement()
	rows := [][]string{
		{a.t("协议", "agreement"), g.GetId()},
		{a.t("状态", "state"), a.word(g.GetState())},
		{a.t("提供方", "provider"), g.GetProvider()},
		{a.t("使用方", "consumer"), g.GetConsumer()},
		{a.t("用途", "purpose"), g.GetTerms().GetPurpose()},
		{a.t("期限", "term"), day(g.GetStartsMs()) + " – " + day(g.GetEndsMs())},
		{a.t("交付期限", "delivery clock"), a.clock(g.GetClock())},
	}
	rows = append(rows, a.conditionRows(g.GetTerms())...)
	rows = append(rows, a.lifeRows(m)...)
	for _, d := range m.GetDeliveries() {
		rows = append(rows, []string{a.t("交付", "delivery"), fmt.Sprintf("%d  %s  %d %s", d.GetNumber(), a.word(d.GetState()), d.GetRows(), a.t("行", "rows"))})
	}
	for _, u := range m.GetUses() {
		rows = append(rows, []string{a.t("使用", "use"), fmt.Sprintf("%d  %s  %s", u.GetNumber(), u.GetPurpose(), u.GetMatterCase())})
	}
	table(w, rows)
}

func (a *app) clock(c *sharev1.ClockRun) string {
	if c == nil {
		return "-"
	}
	out := a.word(c.GetClock()) + " → " + day(c.GetDueMs())
	if c.GetStoppedMs() > 0 {
		out += " ✓"
	}
	if c.GetOverdue() {
		out += a.t(" 超期", " overdue")
	}
	return out
}

// day shows a moment in Beijing time; "" for none.
func day(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).In(time.FixedZone("UTC+8", 8*3600)).Format("2006-01-02 15:04")
}
