package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"mulian/client"
	"mulian/client/sentence"
	grantv1 "mulian/gen/mulian/grant/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

func (a *app) grantRetire() *cobra.Command {
	m := &grantv1.RetireUse{}
	c := &cobra.Command{
		Use:     "retire-use USE",
		Short:   a.t("停用使用登记：不再据此请求，已有的授权不受影响（数据使用方或主管部门）", "retire a registered use: nothing new is asked by it, grants go on (data user, or authority)"),
		Example: "  mulian grant retire-use 11110000000025678C:transfer --cause 改版 --as 11110000000025678C",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Use = args[0]
			return a.simple(cmd, m)
		},
	}
	c.Flags().StringVar(&m.Cause, "cause", "", a.t("原因", "cause"))
	return c
}

func (a *app) grantWithdraw() *cobra.Command {
	return &cobra.Command{
		Use:     "withdraw REQUEST",
		Short:   a.t("撤回尚未答复的用数请求（数据使用方）", "take back a data request that is not answered (data user)"),
		Example: "  mulian grant withdraw 0123456789abcdef0123456789abcdef --as 11110000000025678C",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.simple(cmd, &grantv1.WithdrawDataRequest{Request: args[0]})
		},
	}
}

func (a *app) grantVoid() *cobra.Command {
	m := &grantv1.VoidGrant{}
	c := &cobra.Command{
		Use:     "void GRANT",
		Short:   a.t("宣告授权无效：伪造的，或无权授予的（主管部门）", "void a grant that should not be: forged, or of someone who could not give it (authority)"),
		Example: "  mulian grant void 0123456789abcdef0123456789abcdef --cause 冒名授权 --as 11110000000021928B",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Grant = args[0]
			return a.simple(cmd, m)
		},
	}
	c.Flags().StringVar(&m.Cause, "cause", "", a.t("原因", "cause"))
	_ = c.MarkFlagRequired("cause")
	return c
}

func (a *app) grantReceipt() *cobra.Command {
	return &cobra.Command{
		Use:     "receipt GRANT",
		Short:   a.t("授权回执：谁、为什么、用哪些信息项、到什么时候，怎样撤回和投诉", "the consent receipt: who, what for, which items, until when, how to revoke and where to complain"),
		Long:    a.t("回执的内容取自账本。回执里的主体是只对该使用方有效的代号。", "The content comes from the ledger. The principal in it is a pseudonym towards this data user alone."),
		Example: "  mulian grant receipt 0123456789abcdef0123456789abcdef --json",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Grant.GetReceipt(cmd.Context(), connect.NewRequest(&grantv1.GetReceiptRequest{Grant: args[0], Language: a.t("zh", "en")}))
			if err != nil {
				return wire.Fault(err)
			}
			r := res.Msg.GetReceipt()
			rows := [][]string{
				{a.t("回执", "receipt"), r.GetId()},
				{a.t("因何出具", "upon"), a.word(r.GetEvent()) + "  " + day(r.GetAtMs())},
				{a.t("主体代号", "principal"), r.GetPrincipal()},
			}
			for _, c := range r.GetControllers() {
				rows = append(rows, []string{a.t("处理者", "controller"), strings.TrimSpace(c.GetName() + "  " + c.GetOrg() + "  " + c.GetContact())})
			}
			rows = append(rows,
				[]string{a.t("用途", "purpose"), r.GetPurposeText() + "  " + r.GetPurpose()},
				[]string{a.t("依据", "basis"), strings.TrimSpace(a.word(r.GetBasis()) + "  " + a.word(r.GetConsentKind()))},
				[]string{a.t("数据", "data"), strings.TrimSpace(r.GetEntry() + "  " + strings.Join(r.GetItems(), ","))},
				[]string{a.t("期限", "term"), day(r.GetNotBeforeMs()) + " — " + day(r.GetNotAfterMs())},
				[]string{a.t("已用次数", "uses"), fmt.Sprint(r.GetUses())},
				[]string{a.t("副本保存天数", "days that a copy is kept"), fmt.Sprint(r.GetDataLifeDays())},
				[]string{a.t("怎样撤回", "how to revoke"), r.GetWithdrawal()},
				[]string{a.t("投诉", "complaints"), r.GetComplaint()},
				[]string{a.t("账本", "ledger"), fmt.Sprintf("%s  %d", r.GetChainId(), r.GetHeight())},
			)
			return a.print(res.Msg, func(w io.Writer) { table(w, rows) })
		},
	}
}

func (a *app) grantFeed() *cobra.Command {
	m := &grantv1.ListNotificationsRequest{Limit: 500}
	var follow bool
	var until uint64
	c := &cobra.Command{
		Use:     "feed ACCOUNT",
		Aliases: []string{"watch"},
		Short:   a.t("通知：与我有关的每一件事，编号连续，缺一条即报错", "the notifications of an owner: all that concerns him, numbered; if one is missing, this fails"),
		Long: a.t("编号从 1 起没有缺口，账本上有总数，所以没有一条能被扣下。--follow 接着等新的，断线后从最后一条继续；--until 收到该编号即结束。",
			"The numbers go from 1 on without gaps, and the ledger has how many there are: none can be kept back. --follow goes on with what\ncomes, and after a broken connection behind the last one; --until ends with that number."),
		Example: "  mulian grant feed p-0123456789abcdef0123456789abcdef\n  mulian grant feed p-0123456789abcdef0123456789abcdef --after 12 --follow --as p-0123456789abcdef0123456789abcdef",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			m.Owner = args[0]
			x := &feed{a: a, cl: cl, owner: m.Owner, last: m.After, until: until}
			if follow || until > 0 {
				return x.follow(cmd.Context())
			}
			return x.list(cmd.Context(), m)
		},
	}
	c.Flags().Uint64Var(&m.After, "after", 0, a.t("从哪个编号之后开始", "after which number"))
	c.Flags().BoolVar(&follow, "follow", false, a.t("接着等新的", "go on with what comes"))
	c.Flags().Uint64Var(&until, "until", 0, a.t("收到该编号即结束（含 --follow）", "end with this number (with --follow)"))
	return c
}

// feed is an owner's notifications as they are read: each number follows the one before.
type feed struct {
	a           *app
	cl          *client.Client
	owner       string
	last, until uint64
}

// next checks a number and prints its notification.
func (f *feed) next(n *grantv1.Notification) error {
	if n.GetNumber() != f.last+1 {
		return fault.Newf(fault.VerificationFailed, "notification %d is missing: the server shows %d after %d", f.last+1, n.GetNumber(), f.last)
	}
	f.last = n.GetNumber()
	return f.a.print(n, func(w io.Writer) {
		e := n.GetEvent()
		fmt.Fprintf(w, "%d  %s  %s\n", n.GetNumber(), day(e.GetTimeMs()), sentence.Event(f.a.language(), e))
	})
}

// list prints what is there, and holds the last number against the counter on the ledger.
func (f *feed) list(ctx context.Context, m *grantv1.ListNotificationsRequest) error {
	for {
		m.After = f.last
		res, err := f.cl.Grant.ListNotifications(ctx, connect.NewRequest(m))
		if err != nil {
			return wire.Fault(err)
		}
		for _, n := range res.Msg.GetNotifications() {
			if err := f.next(n); err != nil {
				return err
			}
		}
		if len(res.Msg.GetNotifications()) == 0 {
			break
		}
	}
	counter := &grantv1.NotificationFeed{}
	if _, err := f.cl.Get(ctx, "grant/feed/"+f.owner, counter); err != nil {
		return err
	}
	if counter.GetCount() > f.last {
		return fault.Newf(fault.VerificationFailed, "the ledger counts %d notifications, the server shows %d", counter.GetCount(), f.last)
	}
	f.a.say(f.a.t("到第 %d 条为止齐全，与账本的总数一致", "complete to number %d, as many as the ledger counts"), f.last)
	return nil
}

// follow prints what is there and what comes, until its number or the end of ctx. A broken
// connection is made again.
func (f *feed) follow(ctx context.Context) error {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		stream, err := f.cl.Grant.WatchNotifications(ctx, connect.NewRequest(&grantv1.WatchNotificationsRequest{Owner: f.owner, After: f.last}))
		if err == nil {
			for stream.Receive() {
				wait = 50 * time.Millisecond
				if err := f.next(stream.Msg().GetNotification()); err != nil || f.until > 0 && f.last >= f.until {
					_ = stream.Close()
					return err
				}
			}
			err = stream.Err()
			_ = stream.Close()
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !fault.Is(wire.Fault(err), fault.Unreachable) && !fault.Is(wire.Fault(err), fault.Cancelled):
			return wire.Fault(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}
