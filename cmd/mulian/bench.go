package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"mulian/bench"
	"mulian/internal/fault"
)

func (a *app) benchCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "bench",
		Aliases: []string{"压测"},
		Short:   a.t("测速：账本、可验证状态、目录、检索、交付、查询、变动感知、撤销、授权、证明，各与裸对照同场", "measure: ledger, state, catalogue, search, deliver, query, drift, revoke, grant, proof, each beside its bare counterpart"),
		Long: a.t(`每项测试在自己新建的临时目录里运行（--dir 选磁盘），不需要节点，结束或 Ctrl-C 后删除目录。
同一次运行里也测它的裸对照（引擎自带的例子、直接 COPY、直接 SQL），所以在忙碌的机器上比值仍然可比。
--json 的最后一行只有数字；前一行是机器和说明。数字的含义见 docs/performance.md。`,
			`Each bench runs in a temporary folder of its own (--dir chooses the disk), needs no node, and removes the folder at the end
or after Ctrl-C. The same run measures its bare counterpart (the engine's own example, a plain COPY, direct SQL), so that
the ratio can be compared even on a busy machine. With --json the last line has the figures alone, the line before it the
machine and the circumstances. What the figures mean: docs/performance.md.`),
		Example: "  mulian bench ledger --seconds 5\n  mulian bench ledger --json",
		Args:    exactly(0),
	}
	c.AddCommand(a.benchCatalogueCommand(), a.benchSearchCommand(), a.benchConsoleCommand(), a.benchProofCommand(), a.benchDeliverCommand(), a.benchQueryCommand(), a.benchDriftCommand(), a.benchRevokeCommand(), a.benchGrantCommand(), a.benchPartCommand(), a.benchMemberCommand(), a.benchLedgerCommand(), a.benchStateCommand(), a.benchChainCommand(), a.benchSoakCommand())
	return c
}

func (a *app) benchLedgerCommand() *cobra.Command {
	var o bench.Options
	c := &cobra.Command{
		Use:   "ledger",
		Short: a.t("账本：每秒落链交易数、延迟、每笔磁盘和处理器时间，对照引擎自带的键值例子", "ledger: transactions a second, latency, disk and processor time of each, beside the engine's own key-value example"),
		Long: a.t(`SM2 签名的真实交易（catalogue/put_duties，每笔一条职责）经真实规则验签、执行、写入可验证状态并按生产方式刷盘。
签名在计时前完成；提交走服务器用的同一入口。各阶段各用 --seconds 秒：饱和、20 笔/秒、最大值的一半、引擎对照。`,
			`SM2-signed transactions of a real verb (catalogue/put_duties, one duty each) are verified, carried out by the real rules,
committed to the provable state and synced to the disk as in production. They are signed before the clock starts and go in
by the door that the server uses. Phases of --seconds each: saturated, 20 a second, half of the maximum, the engine alone.`),
		Example: "  mulian bench ledger --seconds 10\n  mulian bench ledger --validators 4 --seconds 10 --json\n  mulian bench ledger --flood",
		Args:    exactly(0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.measure(cmd.Context(), &o, bench.Ledger) },
	}
	c.Flags().IntVar(&o.Validators, "validators", 1, a.t("验证节点数，每个一个进程，经本机网络相连", "validators, each a process, joined over the loopback network"))
	c.Flags().BoolVar(&o.Flood, "flood", false, a.t("再测一个账户尽力刷交易时其他账户的延迟", "measure, too, how long others wait while one account sends as much as it can"))
	a.benchFlags(c, &o, 10)
	return c
}

// benchFlags are those that every bench has.
func (a *app) benchFlags(c *cobra.Command, o *bench.Options, seconds int) {
	c.Flags().IntVar(&o.Seconds, "seconds", seconds, a.t("每个阶段测多少秒", "seconds of each phase"))
	a.benchPlaces(c, o)
}

// benchPlaces are where a bench works and writes.
func (a *app) benchPlaces(c *cobra.Command, o *bench.Options) {
	c.Flags().StringVar(&o.Dir, "dir", "", a.t("临时目录建在哪里（默认系统临时目录）", "where the temporary folder is made (default: the system's)"))
	c.Flags().StringVar(&o.Profile, "profile", "", a.t("把处理器剖析（pprof）写到这个文件", "write a CPU profile (pprof) to this file"))
}

// maxBenchSeconds bounds one phase: its transactions are signed before it, kept in
// memory, and live ten minutes.
const maxBenchSeconds = 60

// measure runs one bench and prints its result.
func (a *app) measure(ctx context.Context, o *bench.Options, run func(context.Context, bench.Options) (bench.Result, error)) error {
	if o.Seconds < 1 || o.Seconds > maxBenchSeconds {
		return fault.Newf(fault.Usage, "--seconds %d: 1 to %d are possible", o.Seconds, maxBenchSeconds)
	}
	if !a.quiet {
		o.Progress = a.err
	}
	r, err := run(ctx, *o)
	if err != nil {
		return err
	}
	if a.json {
		return r.WriteJSON(a.out)
	}
	return a.print(nil, func(w io.Writer) { _ = r.WriteText(w) })
}
