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
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

func (a *app) recoveryList() *cobra.Command {
	m := &recoveryv1.ListRecoveriesRequest{Limit: 500}
	c := &cobra.Command{
		Use:     "list",
		Short:   a.t("列出恢复", "list recoveries"),
		Example: "  mulian recovery list --account p-0123456789abcdef0123456789abcdef --running",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Recovery.ListRecoveries(cmd.Context(), connect.NewRequest(m))
			if err != nil {
				return wire.Fault(err)
			}
			rows := [][]string{{a.t("恢复", "RECOVERY"), a.t("账户", "ACCOUNT"), a.t("途径", "PATH"), a.t("状态", "STATE"), a.t("认可", "VOUCHED"), a.t("到期", "DUE")}}
			for _, r := range res.Msg.GetRecoveries() {
				rows = append(rows, []string{r.GetId(), r.GetAccount(), a.word(r.GetPath()), a.word(r.GetState()), vouched(r), day(r.GetDueMs())})
			}
			return a.print(res.Msg, func(w io.Writer) { table(w, rows) })
		},
	}
	c.Flags().StringVar(&m.Account, "account", "", a.t("哪个账户的", "of which account"))
	c.Flags().BoolVar(&m.Running, "running", false, a.t("只列未结束的", "only those that are not over"))
	return c
}

func vouched(r *recoveryv1.Recovery) string {
	return fmt.Sprintf("%d/%d", len(r.GetApprovals()), r.GetNeeded())
}

func (a *app) recoveryPolicy() *cobra.Command {
	return &cobra.Command{
		Use:     "policy ACCOUNT",
		Short:   a.t("查看账户的恢复安排、正在进行的和上一次恢复", "show how an account is recovered, what runs and what was"),
		Example: "  mulian recovery policy p-0123456789abcdef0123456789abcdef",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Recovery.GetRecoveryPolicy(cmd.Context(), connect.NewRequest(&recoveryv1.GetRecoveryPolicyRequest{Account: args[0]}))
			if err != nil {
				return wire.Fault(err)
			}
			m := res.Msg
			return a.print(m, func(w io.Writer) {
				rows := [][]string{{a.t("安排", "arranged"), a.arranged(m.GetPolicy())}}
				if p := m.GetPolicy().GetPending(); p != nil {
					rows = append(rows, []string{a.t("待生效", "waits"), a.arranged(p) + "  " + day(m.GetPolicy().GetPendingMs())})
				}
				for _, r := range m.GetRunning() {
					rows = append(rows, []string{a.t("正在恢复", "runs"), r.GetId() + "  " + a.word(r.GetState()) + "  " + day(r.GetDueMs())})
				}
				if l := m.GetLast(); l != nil {
					rows = append(rows, []string{a.t("上次恢复", "recovered"), l.GetRecovery() + "  " + day(l.GetExecutedMs())})
				}
				if d := m.GetDeath(); d != nil && !d.GetWithdrawn() {
					rows = append(rows, []string{a.t("持有人死亡", "holder died"), day(d.GetAtMs())})
				}
				table(w, rows)
			})
		},
	}
}

// arranged says a policy in a line.
func (a *app) arranged(p *recoveryv1.RecoveryPolicy) string {
	if p == nil {
		return a.t("没有安排；窗口总可以恢复", "nothing; a counter can always recover it")
	}
	var parts []string
	if n := len(p.GetGuardians()); n > 0 {
		parts = append(parts, fmt.Sprintf(a.t("%d 位亲友中 %d 位", "%[2]d of %[1]d guardians"), n, p.GetThreshold()))
	}
	if len(p.GetCodeKey()) > 0 {
		parts = append(parts, a.t("恢复码", "recovery code"))
	}
	if p.GetLockHours() > 0 {
		parts = append(parts, fmt.Sprintf(a.t("至少锁定 %d 小时", "locked %d hours at least"), p.GetLockHours()))
	}
	if len(parts) == 0 {
		return a.t("没有亲友，没有恢复码", "no guardians, no code")
	}
	return strings.Join(parts, a.t("，", ", "))
}

// readRecovery reads an attempt from the ledger itself.
func readRecovery(ctx context.Context, cl *client.Client, id string) (*recoveryv1.Recovery, error) {
	r := &recoveryv1.Recovery{}
	ok, err := cl.Get(ctx, "recovery/recovery/"+id, r)
	if err == nil && !ok {
		err = fault.Newf(fault.NotFound, "there is no recovery %.40s: mulian recovery list", id)
	}
	return r, err
}

func (a *app) recoveryShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   a.t("查看一次恢复：谁认可、锁到何时、结果", "show a recovery: who vouched, until when it is locked, what became of it"),
		Example: "  mulian recovery show 0123456789abcdef0123456789abcdef",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			r, err := readRecovery(cmd.Context(), cl, args[0])
			if err != nil {
				return err
			}
			return a.print(r, func(w io.Writer) { table(w, a.recoveryRows(r)) })
		},
	}
}

func (a *app) recoveryRows(r *recoveryv1.Recovery) [][]string {
	rows := [][]string{
		{a.t("恢复", "recovery"), r.GetId()},
		{a.t("账户", "account"), r.GetAccount()},
		{a.t("途径", "path"), a.word(r.GetPath())},
		{a.t("状态", "state"), a.word(r.GetState())},
		{a.t("新密钥", "new key"), r.GetNewKey().GetId() + "  " + r.GetNewKey().GetLabel()},
	}
	for _, x := range r.GetApprovals() {
		rows = append(rows, []string{a.t("认可", "vouched"), strings.TrimRight(day(x.GetAtMs())+"  "+x.GetBy()+"  "+a.word(x.GetFace()), " ")})
	}
	if r.GetDueMs() != 0 {
		rows = append(rows, []string{a.dueName(r.GetState()), day(r.GetDueMs())})
	}
	if k := r.GetVetoKey(); k != "" {
		rows = append(rows, []string{a.t("否决的密钥", "vetoed with"), k})
	}
	for _, by := range r.GetReviewers() {
		rows = append(rows, []string{a.t("复核", "reviewed"), by})
	}
	if r.GetEndedMs() != 0 {
		rows = append(rows, []string{a.t("结束", "ended"), strings.TrimRight(day(r.GetEndedMs())+"  "+r.GetEndedBy(), " ")})
	}
	if x, ok := fault.Explain(fault.Code(r.GetCode())); ok && r.GetCode() != 0 {
		rows = append(rows, []string{a.t("原因", "because"), x.Code.String() + " " + a.t(x.TitleZh, x.TitleEn)})
	}
	if r.GetCause() != "" {
		rows = append(rows, []string{a.t("说明", "cause"), visible(r.GetCause())})
	}
	return rows
}

// dueName says what the due time of an attempt in that state is.
func (a *app) dueName(s recoveryv1.RecoveryState) string {
	switch s {
	case recoveryv1.RecoveryState_RECOVERY_STATE_LOCKED:
		return a.t("可否决至", "veto until")
	case recoveryv1.RecoveryState_RECOVERY_STATE_REVIEW:
		return a.t("复核期限", "review until")
	}
	return a.t("认可期限", "vouch until")
}

func (a *app) recoveryWatch() *cobra.Command {
	var patience time.Duration
	c := &cobra.Command{
		Use:     "watch ID",
		Short:   a.t("看着一次恢复直到结束：执行了状态 0，否则 1", "watch a recovery until it is over: exit 0 if it was executed, else 1"),
		Example: "  mulian recovery watch 0123456789abcdef0123456789abcdef --timeout 1h",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			if patience > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, patience)
				defer cancel()
			}
			return a.watchRecovery(ctx, cl, args[0])
		},
	}
	c.Flags().DurationVar(&patience, "timeout", 0, a.t("最多看多久，0 为不限", "how long at most; 0: until it is over"))
	return c
}

// watchRecovery shows each state of an attempt once. The end is a matter of hours: a look in
// a second is enough.
func (a *app) watchRecovery(ctx context.Context, cl *client.Client, id string) error {
	shown := ""
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		r, err := readRecovery(ctx, cl, id)
		if err != nil && ctx.Err() == nil {
			return err
		}
		if now := a.word(r.GetState()) + vouched(r); err == nil && now != shown {
			shown = now
			if err := a.print(r, func(w io.Writer) {
				fmt.Fprintf(w, "%s  %s  %s %s\n", a.word(r.GetState()), vouched(r), a.dueName(r.GetState()), day(max(r.GetDueMs(), r.GetEndedMs())))
			}); err != nil {
				return err
			}
		}
		switch {
		case err == nil && r.GetEndedMs() != 0 && r.GetState() == recoveryv1.RecoveryState_RECOVERY_STATE_EXECUTED:
			return nil
		case err == nil && r.GetEndedMs() != 0:
			return quietExit(1)
		}
		select {
		case <-ctx.Done():
			return fault.Newf(fault.Timeout, "%s", a.t("还没有结束", "it is not over yet"))
		case <-tick.C:
		}
	}
}
