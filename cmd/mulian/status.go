package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/wire"
)

func (a *app) statusCommand() *cobra.Command {
	var watch bool
	c := &cobra.Command{
		Use:     "status",
		Aliases: []string{"状态"},
		Short:   a.t("一屏看清：高度、对象、索引、磁盘", "one screen: height, objects, index, disk"),
		Example: "  mulian status --watch",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			for {
				st, err := cl.Status(cmd.Context())
				if err != nil {
					return err
				}
				n, err := cl.Catalogue.Count(cmd.Context(), connect.NewRequest(&cataloguev1.CountRequest{}))
				if err != nil {
					return wire.Fault(err)
				}
				if err := a.print(map[string]any{"status": st, "counts": n.Msg, "genesis": hex.EncodeToString(st.GetGenesisHash()), "server": cl.URL()}, func(w io.Writer) { a.showStatus(w, cl.URL(), st, n.Msg) }); err != nil || !watch {
					return err
				}
				select {
				case <-cmd.Context().Done():
					return nil
				case <-time.After(2 * time.Second):
				}
			}
		},
	}
	c.Flags().BoolVar(&watch, "watch", false, a.t("每 2 秒刷新", "again every 2 s"))
	return c
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
		{a.t("版本", "version"), st.GetVersion(), a.t("启动于", "started"), day(st.GetStartedMs())},
	})
	a.showUpgrade(w, st)
	if hash := st.GetGenesisHash(); len(hash) > 0 {
		fmt.Fprintf(w, "%s%x\n", a.t("创世        ", "genesis        "), hash)
	}
}

func i64(n int64) string { return strconv.FormatInt(n, 10) }
func itoa(n int) string  { return strconv.Itoa(n) }
