package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// shareSubscribe keeps a table equal with an entry, through the running gateway of the
// consumer: taken whole once, then each change.
func (a *app) shareSubscribe() *cobra.Command {
	m := &gatewayv1.FollowRequest{}
	var gw string
	var watch bool
	c := &cobra.Command{
		Use:   "subscribe AGREEMENT [ENTRY]",
		Short: a.t("订阅一条目录：先整表取来，此后每次变化都跟上", "subscribe to an entry: take it whole, then follow each change"),
		Long: a.t("网关先整表取一次，此后只取变化的行，与页号一起在一个事务中写入，重复或乱序的页不改变任何东西。\n提供方数据库能告知变化时（SENSING_FEED）数秒内到达；按水位列感知（SENSING_WATERMARK）时看不到删除；两者皆无时（SENSING_COMPARE）整表比对后重取。\n命令在追平后返回；网关继续，重启后也继续，直到 unsubscribe。",
			"The gateway takes the table whole once, then only rows that changed, each page with its number in one transaction: a page that is repeated or late changes nothing.\nWhere the provider's database tells its changes (SENSING_FEED) they arrive within seconds; by a watermark column (SENSING_WATERMARK) deletions are not seen; with neither (SENSING_COMPARE) the whole is compared and taken again.\nThe command returns when the table has caught up; the gateway goes on, after a restart too, until unsubscribe."),
		Example: "  mulian share subscribe 0123456789abcdef --as 11110000000025678C\n  mulian share subscribe 0123456789abcdef --into firms --watch --as 11110000000025678C",
		Args:    between(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Agreement = args[0]
			if len(args) == 2 {
				m.Entry = args[1]
			}
			return a.follow(cmd.Context(), gw, m, watch)
		},
	}
	c.Flags().StringVar(&m.Into, "into", "", a.t("目标表，默认由目录编号得出", "table in the own database; default from the entry's id"))
	c.Flags().BoolVar(&watch, "watch", false, a.t("追平后不返回，逐次显示变化（Ctrl-C 结束显示，订阅继续）", "do not return, show each change (Ctrl-C ends the showing, not the subscription)"))
	c.Flags().StringVar(&gw, "gateway", "", a.t("用哪个网关；只有一个时可省略", "which gateway; may be left out if there is only one"))
	return c
}

// follow begins a following and shows it until it has caught up, or for ever.
func (a *app) follow(ctx context.Context, gw string, m *gatewayv1.FollowRequest, watch bool) error {
	_, ctl, err := a.control([]string{gw})
	if err != nil {
		return err
	}
	stream, err := ctl.Follow(ctx, connect.NewRequest(m))
	if err != nil {
		return wire.Fault(err)
	}
	defer stream.Close()
	shown := ""
	for stream.Receive() {
		p, f := stream.Msg(), stream.Msg().GetFollowing()
		equal := f.GetState() == "following" && f.GetAtMs() != 0
		switch {
		case f.GetProblem() != "" && f.GetProblem() != shown:
			shown = f.GetProblem()
			a.say(a.t("  %s：%s", "  %s: %s"), a.followState(f.GetState(), 0), shown)
		case f.GetState() == "taking" && p.GetExpected() > 0:
			a.say(a.t("  整表：已收到 %d / %d 行", "  whole: %d of %d rows"), p.GetRows(), p.GetExpected())
		case equal:
			shown = ""
			if err := a.print(f, func(w io.Writer) {
				fmt.Fprintf(w, a.t("✓ %s 与 %s 一致：第 %d 页，自启动以来写入 %d 行、删除 %d 行（%s）\n", "✓ %s is equal with %s: page %d, %d rows put and %d deleted since the gateway's start (%s)\n"),
					f.GetTable(), f.GetEntry(), f.GetNumber(), f.GetUpserted(), f.GetDeleted(), f.GetSensing())
			}); err != nil || !watch {
				return err
			}
		}
	}
	if err := stream.Err(); err != nil && ctx.Err() == nil {
		return wire.Fault(err)
	}
	if errors.Is(ctx.Err(), context.Canceled) && watch {
		return nil
	}
	return fault.Newf(fault.Unreachable, "the gateway ended the stream; it goes on with the subscription by itself")
}

func (a *app) shareUnsubscribe() *cobra.Command {
	m := &gatewayv1.FollowRequest{Stop: true}
	var gw string
	c := &cobra.Command{
		Use:     "unsubscribe AGREEMENT [ENTRY]",
		Short:   a.t("结束订阅；本部门的表保持原样", "end a subscription; the own table stays as it is"),
		Example: "  mulian share unsubscribe 0123456789abcdef --as 11110000000025678C",
		Args:    between(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Agreement = args[0]
			if len(args) == 2 {
				m.Entry = args[1]
			}
			_, ctl, err := a.control([]string{gw})
			if err != nil {
				return err
			}
			stream, err := ctl.Follow(cmd.Context(), connect.NewRequest(m))
			if err != nil {
				return wire.Fault(err)
			}
			defer stream.Close()
			for stream.Receive() {
			}
			if err := stream.Err(); err != nil {
				return wire.Fault(err)
			}
			return a.print(map[string]any{"ok": true, "agreement": m.Agreement}, func(w io.Writer) {
				fmt.Fprintln(w, a.t("✓ 订阅已结束", "✓ the subscription has ended"))
			})
		},
	}
	c.Flags().StringVar(&gw, "gateway", "", a.t("用哪个网关；只有一个时可省略", "which gateway; may be left out if there is only one"))
	return c
}

// shareSubscriptions lists both sides: what this gateway follows, and who follows its
// tables.
func (a *app) shareSubscriptions() *cobra.Command {
	var gw string
	c := &cobra.Command{
		Use:     "subscriptions",
		Short:   a.t("本网关的订阅：订阅了什么，谁在订阅", "subscriptions of this gateway: what it follows, and who follows its tables"),
		Example: "  mulian share subscriptions --as 11110000000025678C",
		Args:    exactly(0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.listSubscriptions(cmd.Context(), gw) },
	}
	c.Flags().StringVar(&gw, "gateway", "", a.t("用哪个网关；只有一个时可省略", "which gateway; may be left out if there is only one"))
	return c
}

// listSubscriptions shows what a running gateway of this machine follows, and who follows it.
func (a *app) listSubscriptions(ctx context.Context, gw string) error {
	_, ctl, err := a.control([]string{gw})
	if err != nil {
		return err
	}
	res, err := ctl.State(ctx, connect.NewRequest(&gatewayv1.StateRequest{}))
	if err != nil {
		return wire.Fault(err)
	}
	out := &gatewayv1.StateResponse{Gateway: res.Msg.GetGateway(), Following: res.Msg.GetFollowing(), Subscribers: res.Msg.GetSubscribers()}
	return a.print(out, func(w io.Writer) { a.showSubscriptions(w, out) })
}

// followStates are the states of a following and of a subscriber, in Chinese.
var followStates = map[string]string{
	"taking": "取整表中", "following": "跟进中", "stale": "提供方感知中断", "quota": "等待配额", "window": "等待时段", "waiting": "等待",
	"beginning": "准备中", "given": "已取完", "again": "须整表重取", "unsensed": "感知中断",
}

// followState shows a state; "waiting" is another word where it is the provider's keys that wait.
func (a *app) followState(state string, keys uint64) string {
	if state == "waiting" && keys > 0 {
		return fmt.Sprintf(a.t("%d 行待取", "%d keys wait"), keys)
	}
	return a.t(cmp.Or(followStates[state], state), state)
}

// lag shows a span of time; -1 is never.
func (a *app) lag(ms int64) string {
	if ms < 0 {
		return a.t("未曾一致", "never equal")
	}
	return (time.Duration(ms) * time.Millisecond).Round(100 * time.Millisecond).String()
}

func (a *app) showSubscriptions(w io.Writer, s *gatewayv1.StateResponse) {
	if len(s.GetFollowing())+len(s.GetSubscribers()) == 0 {
		fmt.Fprintln(w, a.t("没有订阅", "no subscriptions"))
		return
	}
	at := func(ms int64) string {
		if ms == 0 {
			return "–"
		}
		return time.UnixMilli(ms).Format(time.DateTime)
	}
	if len(s.GetFollowing()) > 0 {
		rows := [][]string{{a.t("本网关订阅", "followed"), a.t("表", "table"), a.t("状态", "state"), a.t("滞后", "lag"), a.t("再问于", "asks at"), a.t("页", "page"), a.t("写入/删除", "put/deleted"), a.t("整表次数", "taken"), a.t("一致于", "equal at"), a.t("问题", "problem")}}
		for _, f := range s.GetFollowing() {
			rows = append(rows, []string{
				f.GetEntry(), f.GetTable(), a.followState(f.GetState(), 0), a.lag(f.GetLagMs()), at(f.GetUntilMs()), strconv.FormatUint(f.GetNumber(), 10),
				fmt.Sprintf("%d/%d", f.GetUpserted(), f.GetDeleted()), strconv.FormatUint(f.GetTaken(), 10), at(f.GetAtMs()), f.GetProblem(),
			})
		}
		table(w, rows)
	}
	if len(s.GetSubscribers()) > 0 {
		rows := [][]string{{a.t("被订阅", "entry"), a.t("订阅者", "subscriber"), a.t("状态", "state"), a.t("滞后", "lag"), a.t("页", "page"), a.t("最近", "last asked"), a.t("感知", "sensing"), a.t("感知于", "sensed at"), a.t("问题", "problem")}}
		for _, x := range s.GetSubscribers() {
			rows = append(rows, []string{
				x.GetEntry(), x.GetAsker(), a.followState(x.GetState(), x.GetWaiting()), a.lag(x.GetLagMs()), strconv.FormatUint(x.GetNumber(), 10), at(x.GetSeenMs()),
				x.GetSensing().String(), at(x.GetSensedMs()), x.GetProblem(),
			})
		}
		table(w, rows)
	}
}
