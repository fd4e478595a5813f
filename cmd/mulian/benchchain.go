package main

import (
	"github.com/spf13/cobra"

	"mulian/bench"
	"mulian/internal/fault"
)

// Bounds of a long chain; our own choice: the most takes half an hour on two cores.
const (
	minBenchChain = 1000
	maxBenchChain = 5_000_000
)

func (a *app) benchChainCommand() *cobra.Command {
	var o bench.Options
	c := &cobra.Command{
		Use:   "chain",
		Short: a.t("长链：许多交易之后，重启、证明旧事、新节点同步各多久，每笔磁盘，内存", "chain: after many transactions, time to restart, to prove what is old, to bring a new node on board; disk of each, memory"),
		Long: a.t(`经真实引擎和规则放上 --transactions 笔交易（SM2 签名，每笔一条职责，成员带索引和服务），然后测：正常关闭后和负载中 kill -9
后重启到可用多久；经成员的服务为链上最早的对象和访问生成、验证证明文件多久；新节点从快照同步到同一高度多久；每笔占用的磁盘，
内存峰值。被杀后丢了已确认的交易、或新节点状态不同，即失败。`,
			`Puts --transactions transactions through the real engine and rules (SM2, one duty each; the member has its index and
server), and then measures: the start until it is ready, after a close and after kill -9 under load; making and verifying
proof files of the chain's first objects and accesses through the member's server; a new node from nothing, with a snapshot,
to the same height; disk of each transaction; peaks of memory. It fails if the kill has lost what was acknowledged, or the
new node has another state.`),
		Example: "  mulian bench chain --transactions 50000\n  mulian bench chain --transactions 1000000 --json",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Transactions < minBenchChain || o.Transactions > maxBenchChain {
				return fault.Newf(fault.Usage, "--transactions %d: %d to %d are possible", o.Transactions, minBenchChain, maxBenchChain)
			}
			o.Seconds = 1 // it lasts as long as its transactions
			return a.measure(cmd.Context(), &o, bench.LongChain)
		},
	}
	c.Flags().IntVar(&o.Transactions, "transactions", 1_000_000, a.t("链上先放多少笔交易", "transactions on the chain before anything is measured"))
	a.benchPlaces(c, &o)
	return c
}
