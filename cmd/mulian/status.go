package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

func (a *app) statusCommand() *cobra.Command {
	var watch, gateways bool
	var servers []string
	w := &watching{a: a}
	c := &cobra.Command{
		Use:     "status",
		Aliases: []string{"状态"},
		Short:   a.t("一屏看清：高度、对象、索引、磁盘；--watch 持续刷新", "one screen: height, objects, index, disk; --watch keeps it up to date"),
		Long: a.t(`--watch 在终端原地刷新：每秒交易数、时延、投票权余量、没有投票的验证节点、待表决提案、磁盘、网关锚定时间；停掉的节点标 ✗。
不是终端时每次每个目标一行；--json 每次一行。多个 --server 可以是节点，也可以是网关。Ctrl-C 结束，退出码 0。`,
			`--watch draws over the same place on a terminal: transactions a second, latency, margin of votes, validators without a vote, open
proposals, disk, age of the gateways' anchors; what is down has a ✗. Elsewhere it is a line for each target and sample, with --json
one line for each sample. Each --server is a node's server or a gateway. Ctrl-C ends it with 0.`),
		Example: "  mulian status\n  mulian status --watch\n  mulian status --watch --server 10.0.0.5:8080 --server 10.0.0.6:8080 --gateways",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(servers) > 0 {
				a.server = servers[0]
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			if !watch && !gateways && len(servers) < 2 {
				return a.oneStatus(cmd.Context(), cl)
			}
			if w.every < 200*time.Millisecond || w.samples < 0 || len(servers) > maxTargets {
				return fault.Newf(fault.Usage, "--every >= 200ms, --samples >= 0, --server <= %d", maxTargets)
			}
			if !watch {
				w.samples = 1
			}
			w.ledger = gateways
			w.add(cl.URL())
			for _, s := range servers {
				w.add(s)
			}
			return w.run(cmd.Context())
		},
	}
	f := c.Flags()
	f.BoolVar(&watch, "watch", false, a.t("持续刷新", "again and again"))
	f.DurationVar(&w.every, "every", 2*time.Second, a.t("刷新间隔", "how often"))
	f.IntVar(&w.samples, "samples", 0, a.t("刷新多少次后结束；0 表示直到 Ctrl-C", "end after so many; 0 = with Ctrl-C"))
	f.BoolVar(&gateways, "gateways", false, a.t("账本上登记的网关也看", "look at the gateways on the ledger, too"))
	f.StringArrayVar(&servers, "server", nil, a.t("节点服务器或网关的地址，可以有多个", "URL of a node's server or of a gateway; may stand several times")+" ($MULIAN_SERVER)")
	return c
}

// oneStatus is one screen about one node.
func (a *app) oneStatus(ctx context.Context, cl *client.Client) error {
	st, err := cl.Status(ctx)
	if err != nil {
		return err
	}
	n, err := cl.Catalogue.Count(ctx, connect.NewRequest(&cataloguev1.CountRequest{}))
	if err != nil {
		return wire.Fault(err)
	}
	v := map[string]any{"status": st, "counts": n.Msg, "genesis": hex.EncodeToString(st.GetGenesisHash()), "server": cl.URL()}
	return a.print(v, func(w io.Writer) { a.showStatus(w, cl.URL(), st, n.Msg) })
}

func (a *app) showStatus(w io.Writer, url string, st *ledgerv1.GetStatusResponse, n *cataloguev1.CountResponse) {
	lag := st.GetEvents() - st.GetIndexed()
	table(w, [][]string{
		{a.t("链", "chain"), st.GetChainId(), a.t("服务器", "server"), url},
		{a.t("高度", "height"), i64(st.GetHeight()), a.t("最新区块", "latest block"), day(st.GetTimeMs())},
		{a.t("验证节点", "validators"), fmt.Sprint(st.GetValidators()), a.t("对等节点", "peers"), fmt.Sprint(st.GetPeers())},
		{a.t("事件", "events"), i64(st.GetEvents()), a.t("索引落后", "index lag"), i64(lag)},
		{a.t("部门", "organisations"), i64(n.GetOrganisations()), a.t("网关", "gateways"), i64(n.GetGateways())},
		{a.t("职责", "duties"), i64(n.GetDuties()), a.t("目录", "entries"), i64(n.GetEntries()) + a.t("，已锁 ", ", locked ") + i64(n.GetLocked())},
		{a.t("申请", "requests"), i64(n.GetRequests()) + a.t("，超期 ", ", overdue ") + i64(n.GetOverdue()), a.t("协议", "agreements"), i64(n.GetAgreements())},
		{a.t("交付", "deliveries"), i64(n.GetDeliveries()), a.t("访问记录", "access records"), i64(n.GetAccesses())},
		{a.t("未处理漂移", "open drift"), i64(n.GetOpenDrifts()), a.t("磁盘", "disk"), fmt.Sprintf("%.1f MiB", float64(st.GetDiskBytes())/(1<<20))},
		{a.t("投票权", "voting power"), fmt.Sprintf("%d / %d", st.GetPowerPresent(), st.GetPowerTotal()), a.t("待表决", "open proposals"), fmt.Sprint(st.GetOpenProposals())},
		{a.t("版本", "version"), st.GetVersion(), a.t("启动于", "started"), day(st.GetStartedMs())},
	})
	if issuer := st.GetSignIn(); issuer != "" {
		fmt.Fprintf(w, "%s%s\n", a.t("登录        ", "sign-in        "), visible(issuer))
	}
	if n := st.GetHooks(); n > 0 {
		fmt.Fprintf(w, a.t("推送        %d 个，%d 个失败\n", "hooks          %d, %d failing\n"), n, st.GetHooksFailing())
	}
	a.showUpgrade(w, st)
	if hash := st.GetGenesisHash(); len(hash) > 0 {
		fmt.Fprintf(w, "%s%x\n", a.t("创世        ", "genesis        "), hash)
	}
}

func i64(n int64) string { return strconv.FormatInt(n, 10) }
func itoa(n int) string  { return strconv.Itoa(n) }
