package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/code"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

func (a *app) catalogueCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "catalogue",
		Aliases: []string{"目录"},
		Short:   a.t("目录：导入、查询、提交、锁定、会签", "catalogue: import, find, submit, lock, counter-sign"),
		Example: `  mulian catalogue import 目录.xlsx --dry-run
  mulian catalogue list --search 规划许可`,
	}
	c.AddCommand(a.catalogueImport(), a.catalogueList(), a.catalogueShow(), a.catalogueDuties(), a.catalogueSubmit(), a.catalogueReview(), a.catalogueLock(),
		a.catalogueUnlock(), a.catalogueCountersign(), a.cataloguePending(), a.catalogueWithdraw(), a.catalogueSuspend(), a.catalogueExport(), a.catalogueCheck())
	return c
}

func (a *app) catalogueList() *cobra.Command {
	req := &cataloguev1.ListEntriesRequest{}
	var share string
	c := &cobra.Command{
		Use:     "list",
		Short:   a.t("查找目录", "find entries"),
		Example: "  mulian catalogue list --search 许可 --provider 11110000000021928B",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			if share != "" {
				st, err := code.ShareTypes.Parse(share)
				if err != nil {
					return fault.Newf(fault.Usage, "--share %q: 无条件共享, 有条件共享, 不予共享 (1 2 3)", share)
				}
				req.ShareType = cataloguev1.ShareType(st)
			}
			res, err := cl.Catalogue.ListEntries(cmd.Context(), connect.NewRequest(req))
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(res.Msg, func(w io.Writer) {
				rows := [][]string{{a.t("目录", "ENTRY"), a.t("名称", "NAME"), a.t("共享类型", "SHARE"), a.t("状态", "STATE"), a.t("版本", "VERSION")}}
				for _, e := range res.Msg.GetEntries() {
					st := a.word(e.GetState())
					if e.GetLock() != nil {
						st += a.t("，已锁", ", locked")
					}
					rows = append(rows, []string{e.GetId(), e.GetName(), a.word(e.GetShareType()), st, fmt.Sprint(e.GetVersion())})
				}
				table(w, rows)
				if res.Msg.GetNext() != "" {
					fmt.Fprintf(w, a.t("共 %d 条；下一页：--after %s\n", "%d in all; next page: --after %s\n"), res.Msg.GetTotal(), res.Msg.GetNext())
				}
			})
		},
	}
	f := c.Flags()
	f.StringVar(&req.Text, "search", "", a.t("查找的词或编号", "words or a code"))
	f.StringVar(&req.Provider, "provider", "", a.t("提供部门", "provider"))
	f.StringVar(&share, "share", "", a.t("共享类型", "share type"))
	f.StringVar(&req.After, "after", "", a.t("从哪里继续", "cursor"))
	f.Uint32Var(&req.Limit, "limit", 50, a.t("每页多少条", "page size"))
	return c
}

func (a *app) catalogueShow() *cobra.Command {
	var version uint64
	c := &cobra.Command{
		Use:     "show ENTRY",
		Short:   a.t("查看一条目录：信息项、职责、库表、漂移、版本", "show an entry: items, duties, table, drift, versions"),
		Example: "  mulian catalogue show 11110000000021928B:permits",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Catalogue.GetEntry(cmd.Context(), connect.NewRequest(&cataloguev1.GetEntryRequest{Id: args[0], Version: version}))
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(res.Msg, func(w io.Writer) { a.showEntry(w, res.Msg) })
		},
	}
	c.Flags().Uint64Var(&version, "version", 0, a.t("版本，0 为当前", "version, 0 = current"))
	return c
}

func (a *app) showEntry(w io.Writer, m *cataloguev1.GetEntryResponse) {
	e := m.GetEntry()
	rows := [][]string{
		{a.t("目录", "entry"), e.GetId()},
		{a.t("名称", "name"), e.GetName()},
		{a.t("提供部门", "provider"), e.GetProvider()},
		{a.t("状态", "state"), a.word(e.GetState()) + fmt.Sprintf("  v%d", e.GetVersion())},
		{a.t("共享类型", "share type"), a.word(e.GetShareType())},
		{a.t("更新周期", "update cycle"), a.word(e.GetUpdateCycle())},
	}
	for _, d := range m.GetDuties() {
		rows = append(rows, []string{a.t("职责", "duty"), d.GetTitle() + "  " + d.GetSource() + d.GetArticle()})
	}
	if t := m.GetTable(); t != nil {
		rows = append(rows, []string{a.t("库表", "table"), t.GetId()})
	}
	if l := e.GetLock(); l != nil {
		rows = append(rows, []string{a.t("锁", "lock"), fmt.Sprintf(a.t("v%d，变更须 %s 会签", "v%d, a change needs %s"), l.GetVersion(), strings.Join(l.GetCounterSigners(), ", "))})
	}
	if p := m.GetPending(); p != nil {
		rows = append(rows, []string{a.t("待生效变更", "pending change"), fmt.Sprintf(a.t("等待 %s", "waits for %s"), strings.Join(p.GetNeeded(), ", "))})
	}
	for _, d := range m.GetDrifts() {
		rows = append(rows, []string{a.t("漂移", "drift"), d.GetId() + "  " + a.word(d.GetClass())})
	}
	table(w, rows)
	items := [][]string{{a.t("编码", "ITEM"), a.t("名称", "NAME"), a.t("类型", "TYPE"), a.t("字段", "COLUMN"), a.t("共享", "SHARE"), a.t("状态", "STATE")}}
	for _, it := range e.GetItems() {
		items = append(items, []string{it.GetCode(), it.GetName(), it.GetType(), it.GetColumn(), a.word(it.GetShareType()), a.word(it.GetState())})
	}
	fmt.Fprintln(w)
	table(w, items)
}

func (a *app) catalogueDuties() *cobra.Command {
	req := &cataloguev1.ListDutiesRequest{Limit: 500}
	c := &cobra.Command{
		Use: "duties", Short: a.t("列出职责", "list duties"), Args: exactly(0),
		Example: "  mulian catalogue duties --org 11110000000021928B",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Catalogue.ListDuties(cmd.Context(), connect.NewRequest(req))
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(res.Msg, func(w io.Writer) {
				rows := [][]string{{a.t("职责", "DUTY"), a.t("内容", "TITLE"), a.t("依据", "SOURCE")}}
				for _, d := range res.Msg.GetDuties() {
					rows = append(rows, []string{d.GetId(), d.GetTitle(), d.GetSource() + d.GetArticle()})
				}
				table(w, rows)
			})
		},
	}
	c.Flags().StringVar(&req.Org, "org", "", a.t("部门", "organisation"))
	c.Flags().StringVar(&req.Text, "search", "", a.t("查找", "find"))
	return c
}

// maxEntryFile bounds a file with one entry: 1,000 items of some hundred bytes.
const maxEntryFile = 1 << 20

// catalogueSubmit submits one entry from a JSON file with the schema's fields: what
// `catalogue show --json` prints, edited.
func (a *app) catalogueSubmit() *cobra.Command {
	return &cobra.Command{
		Use:   "submit FILE",
		Short: a.t("提交一条目录（JSON，字段同接口文档；可由 show --json 得到）", "submit one entry (JSON with the schema's fields, as show --json prints)"),
		Example: `  mulian catalogue show 11110000000021928B:permits --json > entry.json   # edit it
  mulian catalogue submit entry.json --as 11110000000021928B`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := readEntry(args[0])
			if err != nil {
				return err
			}
			return a.simple(cmd, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{e}})
		},
	}
}

func readEntry(path string) (*cataloguev1.Entry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "entry file")
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxEntryFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(raw) > maxEntryFile {
		return nil, fault.Newf(fault.TooLong, "%s has more than %d bytes", path, maxEntryFile)
	}
	whole := &cataloguev1.GetEntryResponse{}
	if err := protojson.Unmarshal(raw, whole); err == nil && whole.GetEntry() != nil {
		return whole.GetEntry(), nil
	}
	e := &cataloguev1.Entry{}
	if err := protojson.Unmarshal(raw, e); err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "%s is no entry in JSON", path)
	}
	return e, nil
}

func (a *app) catalogueReview() *cobra.Command {
	var back bool
	var reason string
	c := &cobra.Command{
		Use: "review ENTRY...", Short: a.t("审核：发布或退回（主管部门）", "review: publish or return (authority)"), Args: atLeast(1),
		Example: "  mulian catalogue review 11110000000021928B:permits --as 111100000000300011",
		RunE: func(cmd *cobra.Command, args []string) error {
			m := &cataloguev1.ReviewEntries{Entries: args, Publish: !back, Reason: reason}
			cl, err := a.client()
			if err != nil {
				return err
			}
			for _, id := range args {
				hash, err := a.showWaiting(cmd, cl, id)
				if err != nil {
					return err
				}
				m.ContentHashes = append(m.ContentHashes, hash)
			}
			r, err := a.act(cmd.Context(), cl, m)
			if err != nil {
				return err
			}
			return a.receipt(r)
		},
	}
	c.Flags().BoolVar(&back, "return", false, a.t("退回", "return it"))
	c.Flags().StringVar(&reason, "reason", "", a.t("理由", "reason"))
	return c
}

func (a *app) catalogueLock() *cobra.Command {
	var with []string
	c := &cobra.Command{
		Use: "lock ENTRY...", Short: a.t("锁定目录，指明会签部门", "lock entries and name the counter-signers"), Args: atLeast(1),
		Example: "  mulian catalogue lock 11110000000021928B:permits --with 11110000000010003P --as 11110000000021928B",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.simple(cmd, &cataloguev1.LockEntries{Entries: args, CounterSigners: with})
		},
	}
	c.Flags().StringSliceVar(&with, "with", nil, a.t("会签部门，可重复", "counter-signing organisation; may be repeated"))
	_ = c.MarkFlagRequired("with")
	return c
}

func (a *app) catalogueUnlock() *cobra.Command {
	return &cobra.Command{
		Use: "unlock ENTRY", Short: a.t("申请解锁（须全部会签）", "ask to unlock (all counter-signers have to sign)"), Args: exactly(1),
		Example: "  mulian catalogue unlock 11110000000021928B:permits --as 11110000000021928B",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.simple(cmd, &cataloguev1.UnlockEntry{Entry: args[0]})
		},
	}
}

// catalogueCountersign signs the change that waits, as it stands now: it shows it first.
func (a *app) catalogueCountersign() *cobra.Command {
	var refuse bool
	var reason string
	c := &cobra.Command{
		Use: "countersign ENTRY", Short: a.t("会签（或不同意）一条目录的变更", "counter-sign (or refuse) the change of an entry"), Args: exactly(1),
		Example: "  mulian catalogue countersign 11110000000021928B:permits --as 11110000000010003P",
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			p := &cataloguev1.PendingChange{}
			ok, err := cl.Get(cmd.Context(), "catalogue/pending/"+args[0], p)
			if err != nil {
				return err
			}
			if !ok {
				return fault.Newf(fault.NotFound, "entry %s has no change that waits", args[0])
			}
			a.showChange(cmd, args[0], p)
			r, err := a.act(cmd.Context(), cl, &cataloguev1.CounterSign{Entry: args[0], ContentHash: p.GetNext().GetContentHash(), Refuse: refuse, Reason: reason})
			if err != nil {
				return err
			}
			return a.receipt(r)
		},
	}
	c.Flags().BoolVar(&refuse, "refuse", false, a.t("不同意", "refuse"))
	c.Flags().StringVar(&reason, "reason", "", a.t("理由", "reason"))
	return c
}

func (a *app) cataloguePending() *cobra.Command {
	req := &cataloguev1.ListPendingRequest{Limit: 500}
	c := &cobra.Command{
		Use: "pending", Short: a.t("列出等待会签或审核的变更", "list changes that wait for signatures or review"), Args: exactly(0),
		Example: "  mulian catalogue pending --needs 11110000000010003P",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Catalogue.ListPending(cmd.Context(), connect.NewRequest(req))
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(res.Msg, func(w io.Writer) {
				rows := [][]string{{a.t("目录", "ENTRY"), a.t("变更", "CHANGE"), a.t("等待", "WAITS FOR"), a.t("自", "SINCE")}}
				for _, p := range res.Msg.GetPending() {
					what := a.t("新版本", "new version")
					if p.GetUnlock() {
						what = a.t("解锁", "unlock")
					}
					rows = append(rows, []string{p.GetEntry(), what, strings.Join(p.GetNeeded(), ", "), day(p.GetSinceMs())})
				}
				table(w, rows)
			})
		},
	}
	c.Flags().StringVar(&req.Needs, "needs", "", a.t("等待哪个部门", "waits for this organisation"))
	c.Flags().StringVar(&req.Org, "org", "", a.t("提供部门", "provider"))
	return c
}

func (a *app) catalogueWithdraw() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: "withdraw ENTRY", Short: a.t("撤销目录（历史保留）", "withdraw an entry (its history stays)"), Args: exactly(1),
		Example: "  mulian catalogue withdraw 11110000000021928B:permits --reason 职责取消 --as 11110000000021928B",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.simple(cmd, &cataloguev1.WithdrawEntry{Entry: args[0], Reason: reason})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", a.t("原因", "why"))
	_ = c.MarkFlagRequired("reason")
	return c
}

func (a *app) catalogueSuspend() *cobra.Command {
	m := &cataloguev1.SuspendEntry{}
	c := &cobra.Command{
		Use: "suspend ENTRY", Short: a.t("暂停或恢复一条目录", "suspend or resume an entry"), Args: exactly(1),
		Example: "  mulian catalogue suspend 11110000000021928B:permits --cause 系统升级 --as 11110000000021928B",
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Entry = args[0]
			return a.simple(cmd, m)
		},
	}
	c.Flags().StringVar(&m.Cause, "cause", "", a.t("原因", "why"))
	c.Flags().BoolVar(&m.Resume, "resume", false, a.t("恢复", "resume"))
	return c
}

// showWaiting prints what of an entry waits for review, and returns its hash: the
// reviewer signs what he was shown.
func (a *app) showWaiting(cmd *cobra.Command, cl *client.Client, id string) ([]byte, error) {
	p := &cataloguev1.PendingChange{}
	ok, err := cl.Get(cmd.Context(), "catalogue/pending/"+id, p)
	if err != nil {
		return nil, err
	}
	if ok {
		a.showChange(cmd, id, p)
		return p.GetNext().GetContentHash(), nil
	}
	e := &cataloguev1.Entry{}
	if ok, err = cl.Get(cmd.Context(), "catalogue/entry/"+id, e); err != nil {
		return nil, err
	}
	if !ok {
		return nil, fault.Newf(fault.NotFound, "entry %s: there is none", id)
	}
	a.say("  %s  %s  %s", id, e.GetName(), a.word(e.GetState()))
	return e.GetContentHash(), nil
}

// showChange prints what a counter-signer agrees to, field by field.
func (a *app) showChange(cmd *cobra.Command, id string, p *cataloguev1.PendingChange) {
	if p.GetUnlock() {
		a.say("%s %s", a.t("变更：解除锁定", "the change: remove the lock of"), id)
		return
	}
	cl, err := a.client()
	if err != nil {
		return
	}
	now := &cataloguev1.Entry{}
	if _, err := cl.Get(cmd.Context(), "catalogue/entry/"+id, now); err != nil {
		return
	}
	for _, line := range differences(now, p.GetNext()) {
		a.say("  %s", line)
	}
}
