package main

import (
	"fmt"
	"io"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	consolev1 "mulian/gen/mulian/console/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

func (a *app) hookCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "hook", Aliases: []string{"推送"},
		Short: a.t("事件推送（webhook）：账本上的事推送给本机构的程序", "hooks: events of the ledger, posted to the own organisation's programs"),
		Long: a.t(`节点按 Standard Webhooks 规范把涉及本机构的事件 POST 给一个地址：只有类型、对象、交易、高度和时间，没有数据。内容由接收方用自己的权限向接口读取。
按顺序，至少一次；接收方没有收下就一直重试，重启不丢。同一事件每次的 webhook-id 相同。能推送到哪里由节点运营者在 mulian.yaml 的 hooks.allow 里决定。
格式和验签：docs/spec/hooks.md。账户用 --as 指明。`,
			`The node posts the events that concern the own organisation to an address, as the Standard Webhooks specification has it: type, object,
transaction, height and time, no data. What it was about the receiver reads by the API, under its own rights. In order, at least once; tried
again until the receiver takes it, over restarts. The same event has the same webhook-id each time. Where to, the node's operator decides
in mulian.yaml (hooks.allow). Format and verification: docs/spec/hooks.md. Name the account with --as.`),
		Example: "  mulian hook add https://hooks.bank.example.cn/mulian --types share.* --as 11110000MULN00002P/p/dev\n  mulian hook list --as 11110000MULN00002P/p/dev",
	}
	c.AddCommand(
		a.hookAdd(), a.hookList(), a.hookTypes(), a.hookAttempts(),
		a.hookUpdate("pause", a.t("暂停：位置保留", "pause: the place is kept"), consolev1.HookState_HOOK_STATE_PAUSED),
		a.hookUpdate("resume", a.t("恢复，或立即重试：从停下的地方接着推送", "resume, or try at once: it goes on where it stopped"), consolev1.HookState_HOOK_STATE_ACTIVE),
		a.hookRotate(), a.hookReplay(), a.hookTest(), a.hookRemove(),
	)
	return c
}

// exampleHook stands in examples.
const exampleHook = "0123456789abcdef"

func (a *app) hookAdd() *cobra.Command {
	m := &consolev1.CreateHookRequest{}
	c := &cobra.Command{
		Use: "add URL", Args: exactly(1), Short: a.t("新建推送，密钥只显示一次", "make a hook; its secret is shown once"),
		Example: "  mulian hook add https://hooks.bank.example.cn/mulian --as 11110000MULN00002P/p/dev\n  mulian hook add https://hooks.bank.example.cn/mulian --types share.*,grant.give --label 生产 --from-height 1200",
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			m.Url = args[0]
			res, err := cl.Hook.CreateHook(cmd.Context(), connect.NewRequest(m))
			if err != nil {
				return wire.Fault(err)
			}
			return a.printSecret(res.Msg, res.Msg.GetHook().GetId(), res.Msg.GetSecret())
		},
	}
	f := c.Flags()
	f.StringSliceVar(&m.Types, "types", nil, a.t("事件类型，如 share.file_request 或 share.*；默认全部（日志锚定除外）", "types of events, like share.file_request or share.*; default all but the anchors of logs"))
	f.StringVar(&m.Label, "label", "", a.t("名称，给人看", "a name, for people"))
	f.Int64Var(&m.FromHeight, "from-height", 0, a.t("从这个高度的事件开始；默认从现在", "with the events from this height on; default from now on"))
	return c
}

// printSecret prints what is seen once.
func (a *app) printSecret(v any, id, secret string) error {
	return a.print(v, func(w io.Writer) {
		fmt.Fprintf(w, "%s  %s\n%s  %s\n", a.t("推送", "hook"), id, a.t("密钥", "secret"), secret)
		fmt.Fprintln(w, a.t("密钥不会再显示：现在存进接收程序的配置。\n下一步：mulian hook test "+id, "The secret is not shown again: put it into the receiver's configuration now.\nnext: mulian hook test "+id))
	})
}

func (a *app) hookList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Args: exactly(0), Short: a.t("列出本账户的推送", "list the account's hooks"), Example: "  mulian hook list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Hook.ListHooks(cmd.Context(), connect.NewRequest(&consolev1.ListHooksRequest{}))
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(res.Msg, func(w io.Writer) { a.showHooks(w, res.Msg.GetHooks()) })
		},
	}
}

func (a *app) showHooks(w io.Writer, list []*consolev1.Hook) {
	if len(list) == 0 {
		fmt.Fprintln(w, a.t("没有推送。新建：mulian hook add URL", "no hooks. To make one: mulian hook add URL"))
		return
	}
	rows := [][]string{{a.t("推送", "HOOK"), a.t("状态", "STATE"), a.t("落后事件", "LAG"), a.t("上次收下", "LAST TAKEN"), a.t("失败", "FAILURES"), a.t("地址", "URL"), a.t("类型", "TYPES")}}
	for _, x := range list {
		state := a.word(x.GetState())
		if x.GetState() == consolev1.HookState_HOOK_STATE_OFF {
			state += ": " + a.word(x.GetEnd())
		}
		rows = append(rows, []string{x.GetId(), state, fmt.Sprint(x.GetLag()), day(x.GetTakenMs()), fmt.Sprint(x.GetFailures()), x.GetUrl(), strings.Join(x.GetTypes(), " ")})
	}
	table(w, rows)
	for _, x := range list {
		if x.GetError() != "" {
			fmt.Fprintf(w, "%s  %s\n", x.GetId(), x.GetError())
		}
	}
}

func (a *app) hookTypes() *cobra.Command {
	return &cobra.Command{
		Use: "types", Args: exactly(0), Short: a.t("列出事件类型", "list the types of events"), Example: "  mulian hook types",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			req := connect.NewRequest(&consolev1.ListHookTypesRequest{})
			req.Header().Set("Accept-Language", a.t("zh", "en"))
			res, err := cl.Hook.ListHookTypes(cmd.Context(), req)
			if err != nil {
				return wire.Fault(err)
			}
			rows := [][]string{{a.t("类型", "TYPE"), a.t("含义", "MEANING")}}
			for _, x := range res.Msg.GetTypes() {
				rows = append(rows, []string{x.GetType(), x.GetTitle()})
			}
			return a.print(res.Msg, func(w io.Writer) { table(w, rows) })
		},
	}
}

func (a *app) hookAttempts() *cobra.Command {
	m := &consolev1.ListHookAttemptsRequest{}
	c := &cobra.Command{
		Use: "attempts HOOK", Args: exactly(1), Short: a.t("列出最近的推送记录", "list the last posts"), Example: "  mulian hook attempts " + exampleHook + " --limit 20",
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			m.Id = args[0]
			res, err := cl.Hook.ListHookAttempts(cmd.Context(), connect.NewRequest(m))
			if err != nil {
				return wire.Fault(err)
			}
			rows := [][]string{{a.t("时间", "TIME"), a.t("事件", "EVENT"), a.t("高度", "HEIGHT"), a.t("类型", "TYPE"), "HTTP", a.t("毫秒", "MS"), a.t("结果", "RESULT")}}
			for _, x := range res.Msg.GetAttempts() {
				result := a.t("收下", "taken")
				if x.GetError() != "" {
					result = x.GetError()
				}
				rows = append(rows, []string{day(x.GetAtMs()), fmt.Sprint(x.GetEvent()), fmt.Sprint(x.GetHeight()), x.GetType(), fmt.Sprint(x.GetStatus()), fmt.Sprint(x.GetTookMs()), result})
			}
			return a.print(res.Msg, func(w io.Writer) { table(w, rows) })
		},
	}
	c.Flags().Uint32Var(&m.Limit, "limit", 0, a.t("最多几条（默认 50，最多 200）", "how many (default 50, at most 200)"))
	return c
}

func (a *app) hookUpdate(verb, short string, state consolev1.HookState) *cobra.Command {
	return &cobra.Command{
		Use: verb + " HOOK", Args: exactly(1), Short: short, Example: "  mulian hook " + verb + " " + exampleHook,
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Hook.UpdateHook(cmd.Context(), connect.NewRequest(&consolev1.UpdateHookRequest{Id: args[0], State: state}))
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(res.Msg, func(w io.Writer) { a.showHooks(w, []*consolev1.Hook{res.Msg.GetHook()}) })
		},
	}
}

func (a *app) hookRotate() *cobra.Command {
	return &cobra.Command{
		Use: "rotate HOOK", Args: exactly(1), Short: a.t("换密钥：新密钥只显示一次，24 小时内新旧都有签名", "a new secret, shown once; for 24 hours the old one signs as well"),
		Example: "  mulian hook rotate " + exampleHook,
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Hook.RotateHookSecret(cmd.Context(), connect.NewRequest(&consolev1.RotateHookSecretRequest{Id: args[0]}))
			if err != nil {
				return wire.Fault(err)
			}
			return a.printSecret(res.Msg, args[0], res.Msg.GetSecret())
		},
	}
}

func (a *app) hookReplay() *cobra.Command {
	var height, event, only int64
	c := &cobra.Command{
		Use: "replay HOOK", Args: exactly(1), Short: a.t("重新推送：从某高度或某事件起，或只要一个事件", "post again: from a height or an event on, or one event only"),
		Long: a.t("webhook-id 与第一次相同。--event 大于当前位置时，之间的事件被跳过：接收方永远不收的事件这样越过。",
			"The webhook-ids are those of the first time. An --event beyond the place skips those between: so one is passed that the receiver will never take."),
		Example: "  mulian hook replay " + exampleHook + " --height 1200\n  mulian hook replay " + exampleHook + " --only 5311",
		RunE: func(cmd *cobra.Command, args []string) error {
			m := &consolev1.ReplayHookRequest{Id: args[0]}
			switch f := cmd.Flags(); {
			case f.Changed("height"):
				m.From = &consolev1.ReplayHookRequest_Height{Height: height}
			case f.Changed("event"):
				m.From = &consolev1.ReplayHookRequest_Event{Event: event}
			case f.Changed("only"):
				m.From = &consolev1.ReplayHookRequest_Only{Only: only}
			default:
				return fault.Newf(fault.Usage, "%s", a.t("从哪里？--height 高度、--event 事件号，或 --only 事件号（mulian hook attempts 列出事件号）", "from where? --height, --event, or --only (mulian hook attempts lists the numbers of events)"))
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Hook.ReplayHook(cmd.Context(), connect.NewRequest(m))
			if err != nil {
				return wire.Fault(err)
			}
			if t := res.Msg.GetAttempt(); t != nil {
				return a.printAttempt(res.Msg, t)
			}
			return a.print(res.Msg, func(w io.Writer) { a.showHooks(w, []*consolev1.Hook{res.Msg.GetHook()}) })
		},
	}
	f := c.Flags()
	f.Int64Var(&height, "height", 0, a.t("从这个高度起", "from this height on"))
	f.Int64Var(&event, "event", 0, a.t("从这个事件号起", "from the event of this number on"))
	f.Int64Var(&only, "only", 0, a.t("只推送这个事件号，立即，一次", "the event of this number alone, at once, once"))
	c.MarkFlagsMutuallyExclusive("height", "event", "only")
	return c
}

func (a *app) hookTest() *cobra.Command {
	return &cobra.Command{
		Use: "test HOOK", Args: exactly(1), Short: a.t("立即推送一个测试事件", "post a test event at once"), Example: "  mulian hook test " + exampleHook,
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Hook.TestHook(cmd.Context(), connect.NewRequest(&consolev1.TestHookRequest{Id: args[0]}))
			if err != nil {
				return wire.Fault(err)
			}
			return a.printAttempt(res.Msg, res.Msg.GetAttempt())
		},
	}
}

// printAttempt prints a post that somebody asked for; status 1 if the receiver did not take it.
func (a *app) printAttempt(v any, t *consolev1.HookAttempt) error {
	err := a.print(v, func(w io.Writer) {
		if t.GetError() != "" {
			fmt.Fprintf(w, a.t("✗ 没有收下：%s（%d 毫秒）\n", "✗ not taken: %s (%d ms)\n"), t.GetError(), t.GetTookMs())
			return
		}
		fmt.Fprintf(w, a.t("✓ 收下：HTTP %d，%d 毫秒，%s\n", "✓ taken: HTTP %d, %d ms, %s\n"), t.GetStatus(), t.GetTookMs(), t.GetId())
	})
	if err == nil && t.GetError() != "" {
		return quietExit(1)
	}
	return err
}

func (a *app) hookRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove HOOK", Args: exactly(1), Short: a.t("删除推送、密钥和记录", "remove a hook with its secret and its list"), Example: "  mulian hook remove " + exampleHook,
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			if _, err := cl.Hook.DeleteHook(cmd.Context(), connect.NewRequest(&consolev1.DeleteHookRequest{Id: args[0]})); err != nil {
				return wire.Fault(err)
			}
			return a.print(map[string]bool{"ok": true}, func(w io.Writer) { fmt.Fprintln(w, a.t("✓ 已删除", "✓ removed")) })
		},
	}
}
