package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// lifeCommands are those of an agreement after both have signed it.
func (a *app) lifeCommands() []*cobra.Command {
	return []*cobra.Command{
		a.shareAmend(), a.shareRenew(), a.shareSign(), a.shareDrop(), a.shareViolation(), a.shareRectify(), a.shareSettle(),
		a.shareDispose(), a.shareFeedback(), a.shareOverdue(), a.shareStanding(), a.correctionCommand(), a.objectionCommand(), a.disputeCommand(),
	}
}

// onAgreement runs fn with an agreement as it stands on the ledger, and sends what it
// makes.
func (a *app) onAgreement(cmd *cobra.Command, id string, make func(*client.Client, *sharev1.Agreement) (proto.Message, error)) error {
	cl, err := a.client()
	if err != nil {
		return err
	}
	var g sharev1.Agreement
	ok, err := cl.Get(cmd.Context(), "share/agreement/"+id, &g)
	if err == nil && !ok {
		err = fault.Newf(fault.NotFound, a.t("没有协议 %s", "agreement %s: there is none"), id)
	}
	if err != nil {
		return err
	}
	m, err := make(cl, &g)
	if err != nil {
		return err
	}
	r, err := a.act(cmd.Context(), cl, m)
	if err != nil {
		return err
	}
	return a.receipt(r)
}

// hashOf is the SM3 of a file whose content stays here; nil for no file.
func hashOf(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Wrap(fault.Inaccessible, err, "open %s", path)
	}
	defer f.Close()
	h := sm.NewSM3()
	if _, err := io.Copy(h, f); err != nil {
		return nil, fault.Wrap(fault.Inaccessible, err, "read %s", path)
	}
	return h.Sum(nil), nil
}

// numberOr is the number in args[1], else the one that waits.
func numberOr(args []string, waits uint64, what string) (uint64, error) {
	if len(args) < 2 {
		if waits == 0 {
			return 0, fault.Newf(fault.NotFound, "agreement %s: no %s waits", args[0], what)
		}
		return waits, nil
	}
	n, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil || n == 0 {
		return 0, fault.Newf(fault.Usage, "%q is no number of one", args[1])
	}
	return n, nil
}

// between is cobra.RangeArgs with our usage error.
func between(low, high int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < low {
			return atLeast(low)(c, args)
		}
		return atMost(high)(c, args)
	}
}

func (a *app) shareAmend() *cobra.Command {
	var parts, remove []string
	var reason string
	want := &sharev1.Terms{}
	c := &cobra.Command{
		Use:   "amend AGREEMENT",
		Short: a.t("提议变更协议（任一方；另一方签署后生效，条例第25条）", "propose other terms (either party; in force when the other has signed, art. 25)"),
		Example: "  mulian share amend 0123456789abcdef --part 11110000000021928B:permits=code,name,issued --reason 增加签发日期 --as 11110000000025678C\n" +
			"  mulian share amend 0123456789abcdef --scope 本单位及下属事业单位 --reason 使用范围变化 --as 11110000000025678C",
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onAgreement(cmd, args[0], func(_ *client.Client, g *sharev1.Agreement) (proto.Message, error) {
				terms := proto.CloneOf(g.GetTerms())
				if err := editParts(terms, parts, remove); err != nil {
					return nil, err
				}
				changed := cmd.Flags().Changed
				for _, f := range []struct {
					flag string
					set  func()
				}{
					{"purpose", func() { terms.Purpose = want.Purpose }},
					{"scope", func() { terms.ScopeOfUse = want.ScopeOfUse }},
					{"system", func() { terms.AppSystem = want.AppSystem }},
					{"matter", func() { terms.Matter = want.Matter }},
					{"basis", func() { terms.LegalBasis = want.LegalBasis }},
					{"duty", func() { terms.Duty = want.Duty }},
					{"max-per-day", func() { terms.MaxCallsPerDay = want.MaxCallsPerDay }},
					{"max-rows", func() { terms.MaxRowsPerCall = want.MaxRowsPerCall }},
					{"max-calls", func() { terms.MaxCalls = want.MaxCalls }},
					{"data-life", func() { terms.DataLifeDays = want.DataLifeDays }},
				} {
					if changed(f.flag) {
						f.set()
					}
				}
				return &sharev1.ProposeAmendment{Agreement: g.GetId(), Version: g.GetVersion(), Terms: terms, Reason: reason}, nil
			})
		},
	}
	f := c.Flags()
	f.StringArrayVar(&parts, "part", nil, a.t("目录=信息项,信息项：换掉或新增这一条，可重复", "ENTRY=item,item: replace or add this entry's items; may be repeated"))
	f.StringArrayVar(&remove, "remove", nil, a.t("不再共享的目录，可重复", "entry that is no longer shared; may be repeated"))
	f.StringVar(&want.Purpose, "purpose", "", a.t("用途", "purpose"))
	f.StringVar(&want.ScopeOfUse, "scope", "", a.t("使用范围", "scope of use"))
	f.StringVar(&want.AppSystem, "system", "", a.t("应用系统", "system that will use it"))
	f.StringVar(&want.Matter, "matter", "", a.t("办事场景", "matter"))
	f.StringVar(&want.LegalBasis, "basis", "", a.t("法律依据", "legal basis"))
	f.StringVar(&want.Duty, "duty", "", a.t("依据的职责", "duty that needs it"))
	f.Uint32Var(&want.MaxCallsPerDay, "max-per-day", 0, a.t("每天最多调用次数", "most calls a day"))
	f.Uint64Var(&want.MaxRowsPerCall, "max-rows", 0, a.t("每次最多行数", "most rows in a call"))
	f.Uint64Var(&want.MaxCalls, "max-calls", 0, a.t("总调用次数", "most calls in all"))
	f.Uint32Var(&want.DataLifeDays, "data-life", 0, a.t("数据保存天数", "days after which the copy is destroyed"))
	a.why(c, &reason)
	return c
}

// why adds the flag --reason, which is required.
func (a *app) why(c *cobra.Command, reason *string) {
	c.Flags().StringVar(reason, "reason", "", a.t("理由", "why"))
	_ = c.MarkFlagRequired("reason")
}

// editParts replaces, adds and removes entries of the terms.
func editParts(t *sharev1.Terms, parts, remove []string) error {
	for _, text := range parts {
		entry, items, ok := strings.Cut(text, "=")
		if !ok || entry == "" || items == "" {
			return fault.Newf(fault.Usage, "--part %q: ENTRY=item,item", text)
		}
		p := &sharev1.Part{Entry: entry, Items: strings.Split(items, ",")}
		replaced := false
		for i, was := range t.GetParts() {
			if was.GetEntry() == entry {
				t.Parts[i], replaced = p, true
			}
		}
		if !replaced {
			t.Parts = append(t.Parts, p)
		}
	}
	for _, entry := range remove {
		n := len(t.GetParts())
		kept := t.Parts[:0]
		for _, p := range t.GetParts() {
			if p.GetEntry() != entry {
				kept = append(kept, p)
			}
		}
		if t.Parts = kept; len(kept) == n {
			return fault.Newf(fault.NotFound, "--remove %s: it is no part of the agreement", entry)
		}
	}
	return nil
}

func (a *app) shareRenew() *cobra.Command {
	var days uint32
	var reason string
	c := &cobra.Command{
		Use:     "renew AGREEMENT",
		Short:   a.t("提议续期（到期之前；另一方签署后生效）", "propose a longer term (before its end; in force when the other has signed)"),
		Example: "  mulian share renew 0123456789abcdef --days 180 --reason 业务继续 --as 11110000000025678C",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onAgreement(cmd, args[0], func(_ *client.Client, g *sharev1.Agreement) (proto.Message, error) {
				return &sharev1.ProposeRenewal{Agreement: g.GetId(), Version: g.GetVersion(), Days: days, Reason: reason}, nil
			})
		},
	}
	c.Flags().Uint32Var(&days, "days", 0, a.t("延长的天数", "days more"))
	_ = c.MarkFlagRequired("days")
	a.why(c, &reason)
	return c
}

func (a *app) shareSign() *cobra.Command {
	return &cobra.Command{
		Use:     "sign AGREEMENT [NUMBER]",
		Short:   a.t("签署对方提议的变更或续期", "sign the amendment or renewal that the other side proposed"),
		Example: "  mulian share sign 0123456789abcdef --as 11110000000021928B",
		Args:    between(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onAgreement(cmd, args[0], func(cl *client.Client, g *sharev1.Agreement) (proto.Message, error) {
				n, err := numberOr(args, g.GetAmendment(), "amendment")
				if err != nil {
					return nil, err
				}
				var m sharev1.Amendment
				if _, err := cl.Get(cmd.Context(), fmt.Sprintf("share/amendment/%s/%010d", g.GetId(), n), &m); err != nil {
					return nil, err
				}
				a.tellAmendment(&m)
				return &sharev1.SignAmendment{Agreement: g.GetId(), Number: n}, nil
			})
		},
	}
}

// tellAmendment shows what will be signed, beside the sentence of the act.
func (a *app) tellAmendment(m *sharev1.Amendment) {
	a.say(a.t("第 %d 号%s，%s 提议：%s", "number %d, %s, proposed by %s: %s"), m.GetNumber(), a.word(m.GetKind()), m.GetProposedBy(), m.GetReason())
	if m.GetDays() > 0 {
		a.say(a.t("  续期 %d 天", "  %d days more"), m.GetDays())
	}
	t := m.GetTerms()
	for _, p := range t.GetParts() {
		a.say("  %s  %s", p.GetEntry(), strings.Join(p.GetItems(), ","))
	}
	if t != nil {
		a.say(a.t("  用途 %s；使用范围 %s；应用系统 %s；数据保存 %d 天", "  purpose %s; scope %s; system %s; data life %d days"), t.GetPurpose(), t.GetScopeOfUse(), t.GetAppSystem(), t.GetDataLifeDays())
	}
}

func (a *app) shareDrop() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:     "drop AGREEMENT [NUMBER]",
		Short:   a.t("撤回自己的提议，或不同意对方的提议", "withdraw the own proposal, or decline the other side's"),
		Example: "  mulian share drop 0123456789abcdef --reason 另行协商 --as 11110000000021928B",
		Args:    between(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onAgreement(cmd, args[0], func(_ *client.Client, g *sharev1.Agreement) (proto.Message, error) {
				n, err := numberOr(args, g.GetAmendment(), "amendment")
				return &sharev1.DropAmendment{Agreement: g.GetId(), Number: n, Reason: reason}, err
			})
		},
	}
	a.why(c, &reason)
	return c
}

func (a *app) shareViolation() *cobra.Command {
	var finding, evidence string
	var days uint32
	c := &cobra.Command{
		Use:     "violation AGREEMENT",
		Short:   a.t("认定违规：立即停止供数，限期整改（提供方或主管部门）", "record a violation: nothing is released until it is made good (provider or authority)"),
		Example: "  mulian share violation 0123456789abcdef --finding 超范围使用 --days 5 --as 11110000000021928B",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			hash, err := hashOf(evidence)
			if err != nil {
				return err
			}
			return a.simple(cmd, &sharev1.RecordViolation{Agreement: args[0], Finding: finding, EvidenceHash: hash, Days: days})
		},
	}
	c.Flags().StringVar(&finding, "finding", "", a.t("违规事实（不含个人信息）", "what was done (no personal data)"))
	c.Flags().StringVar(&evidence, "evidence", "", a.t("证据文件；只有指纹上链", "file that shows it; only its hash goes on the ledger"))
	c.Flags().Uint32Var(&days, "days", 5, a.t("整改期限（工作日）", "working days to make it good"))
	_ = c.MarkFlagRequired("finding")
	return c
}

func (a *app) shareRectify() *cobra.Command {
	var measures, report string
	c := &cobra.Command{
		Use:     "rectify AGREEMENT [NUMBER]",
		Short:   a.t("报告违规已整改（使用方）", "report that a violation is made good (consumer)"),
		Example: "  mulian share rectify 0123456789abcdef --measures 已停用越权账号 --as 11110000000025678C",
		Args:    between(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			hash, err := hashOf(report)
			if err != nil {
				return err
			}
			return a.onAgreement(cmd, args[0], func(_ *client.Client, g *sharev1.Agreement) (proto.Message, error) {
				n, err := numberOr(args, g.GetViolation(), "violation")
				return &sharev1.RectifyViolation{Agreement: g.GetId(), Number: n, Measures: measures, MeasuresHash: hash}, err
			})
		},
	}
	c.Flags().StringVar(&measures, "measures", "", a.t("整改措施", "what was done"))
	c.Flags().StringVar(&report, "report", "", a.t("整改报告文件；只有指纹上链", "file that shows it; only its hash goes on the ledger"))
	_ = c.MarkFlagRequired("measures")
	return c
}

func (a *app) shareSettle() *cobra.Command {
	var accept, terminate bool
	var reason, filing string
	c := &cobra.Command{
		Use:   "settle AGREEMENT [NUMBER]",
		Short: a.t("复核整改：认可并恢复，或终止协议（认定者或主管部门）", "settle a violation: accept, or end the agreement (its finder or the authority)"),
		Example: "  mulian share settle 0123456789abcdef --accept --as 11110000000021928B\n" +
			"  mulian share settle 0123456789abcdef --terminate --reason 逾期未整改 --filing 备〔2026〕8号 --as 11110000000021928B",
		Args: between(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if accept == terminate {
				return fault.Newf(fault.Usage, "say --accept, or --terminate --reason")
			}
			return a.onAgreement(cmd, args[0], func(_ *client.Client, g *sharev1.Agreement) (proto.Message, error) {
				n, err := numberOr(args, g.GetViolation(), "violation")
				return &sharev1.SettleViolation{Agreement: g.GetId(), Number: n, Accept: accept, Decision: reason, Filing: filing}, err
			})
		},
	}
	c.Flags().BoolVar(&accept, "accept", false, a.t("认可整改，恢复履行", "made good: the agreement goes on"))
	c.Flags().BoolVar(&terminate, "terminate", false, a.t("终止协议", "end the agreement"))
	c.Flags().StringVar(&reason, "reason", "", a.t("理由（终止时必填）", "reason (required to end it)"))
	c.Flags().StringVar(&filing, "filing", "", a.t("协商备案号（提供方终止时必填）", "filing number (required of the provider to end it)"))
	return c
}

// disposalMethods are the words of --method.
var disposalMethods = map[string]sharev1.DisposalMethod{
	"deleted": sharev1.DisposalMethod_DISPOSAL_METHOD_DELETED, "overwritten": sharev1.DisposalMethod_DISPOSAL_METHOD_OVERWRITTEN,
	"medium": sharev1.DisposalMethod_DISPOSAL_METHOD_MEDIUM, "key": sharev1.DisposalMethod_DISPOSAL_METHOD_KEY,
	"none-kept": sharev1.DisposalMethod_DISPOSAL_METHOD_NONE_KEPT,
}

func (a *app) shareDispose() *cobra.Command {
	var method, file, reason string
	var copies uint32
	var upTo uint64
	c := &cobra.Command{
		Use:   "dispose AGREEMENT",
		Short: a.t("证明数据已销毁（使用方；协议终止后须在期限内）", "certify that the data is destroyed (consumer; due after the end)"),
		Example: "  mulian share dispose 0123456789abcdef --method overwritten --certificate 销毁证明.pdf --copies 2 --reason 协议终止 --as 11110000000025678C\n" +
			"  mulian share dispose 0123456789abcdef --method deleted --certificate 销毁证明.pdf --copies 1 --up-to 3 --reason 保存期满 --as 11110000000025678C",
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, ok := disposalMethods[method]
			if !ok {
				return fault.Newf(fault.Usage, "--method %q: deleted, overwritten, medium, key or none-kept", method)
			}
			hash, err := hashOf(file)
			if err != nil {
				return err
			}
			return a.onAgreement(cmd, args[0], func(cl *client.Client, g *sharev1.Agreement) (proto.Message, error) {
				d := &sharev1.FileDisposal{Agreement: g.GetId(), Reason: reason, Method: m, CertificateHash: hash, UpToDelivery: upTo, Copies: copies}
				if upTo == 0 {
					d.UpToDelivery = g.GetDeliveries()
				}
				for _, id := range g.GetProviderGateways() {
					var s tracev1.Sequence
					if ok, err := cl.Get(cmd.Context(), "trace/sequence/"+g.GetId()+"/"+id, &s); err != nil {
						return nil, err
					} else if ok {
						d.Receipts = append(d.Receipts, &sharev1.LastReceipt{Gateway: id, Number: s.GetLast()})
					}
				}
				return d, nil
			})
		},
	}
	f := c.Flags()
	f.StringVar(&method, "method", "", a.t("方式：deleted（删除含备份） overwritten（覆写） medium（销毁介质） key（销毁密钥） none-kept（未留存）", "how: deleted (with backups), overwritten, medium, key, none-kept"))
	f.StringVar(&file, "certificate", "", a.t("销毁证明文件；只有指纹上链", "the signed certificate; only its hash goes on the ledger"))
	f.Uint32Var(&copies, "copies", 0, a.t("销毁的份数", "how many copies were destroyed"))
	f.Uint64Var(&upTo, "up-to", 0, a.t("销毁到第几次交付为止；0 为全部", "copies of the deliveries up to this one; 0 = all"))
	_ = c.MarkFlagRequired("method")
	_ = c.MarkFlagRequired("certificate")
	a.why(c, &reason)
	return c
}

func (a *app) shareFeedback() *cobra.Command {
	var m sharev1.FileFeedback
	c := &cobra.Command{
		Use:     "feedback AGREEMENT",
		Short:   a.t("反馈使用成效（使用方）", "say what the data brought (consumer)"),
		Example: "  mulian share feedback 0123456789abcdef --effect 少交两份材料 --cases 120 --materials 2 --score 5 --as 11110000000025678C",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Agreement = args[0]
			return a.simple(cmd, &m)
		},
	}
	f := c.Flags()
	f.StringVar(&m.Effect, "effect", "", a.t("成效", "effect"))
	f.Uint64Var(&m.Cases, "cases", 0, a.t("支撑的办件数", "cases that it served"))
	f.Uint32Var(&m.Materials, "materials", 0, a.t("少交的材料数", "papers that applicants no longer bring"))
	f.Uint32Var(&m.Score, "score", 0, a.t("给提供方打分 1-5", "mark for the provider, 1-5"))
	_ = c.MarkFlagRequired("effect")
	return c
}

// lifeRows are the lines of `mulian share show` on what became of an agreement.
func (a *app) lifeRows(m *sharev1.GetAgreementResponse) (rows [][]string) {
	g := m.GetAgreement()
	if g.GetSuspendedBy() != "" {
		rows = append(rows, []string{a.t("中止", "suspended"), g.GetSuspendedBy() + "  " + g.GetSuspendedCause()})
	}
	if g.GetEndReason() != "" {
		rows = append(rows, []string{a.t("终止", "end"), strings.TrimSpace(g.GetEndReason() + "  " + g.GetFiling())})
	}
	for _, x := range m.GetAmendments() {
		rows = append(rows, []string{a.t("变更", "amendment"), fmt.Sprintf("%d  %s  %s  %s  %s", x.GetNumber(), a.word(x.GetKind()), a.word(x.GetState()), x.GetProposedBy(), x.GetReason())})
	}
	for _, x := range m.GetViolations() {
		rows = append(rows, []string{a.t("违规", "violation"), fmt.Sprintf("%d  %s  %s  %s", x.GetNumber(), a.word(x.GetState()), x.GetFinding(), a.clock(x.GetClock()))})
	}
	if g.GetDisposal() != nil {
		rows = append(rows, []string{a.t("销毁期限", "disposal clock"), a.clock(g.GetDisposal())})
	}
	for _, x := range m.GetDisposals() {
		rows = append(rows, []string{a.t("销毁", "disposal"), fmt.Sprintf("%d  %s  %d %s", x.GetNumber(), a.word(x.GetMethod()), x.GetCopies(), a.t("份", "copies"))})
	}
	for _, x := range m.GetFeedbacks() {
		rows = append(rows, []string{a.t("成效", "feedback"), fmt.Sprintf("%d  %s", x.GetNumber(), x.GetEffect())})
	}
	return rows
}

// beijingDay reads "2026-12-31" as the end of that day in Beijing; 0 for "".
func beijingDay(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	day, err := time.ParseInLocation("2006-01-02", text, time.FixedZone("UTC+8", 8*3600))
	if err != nil {
		return 0, fault.Newf(fault.Usage, "%q: a day like 2026-12-31", text)
	}
	return day.AddDate(0, 0, 1).UnixMilli(), nil
}
