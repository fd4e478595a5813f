package main

import (
	"github.com/spf13/cobra"

	"mulian/bench"
)

func (a *app) benchDeliverCommand() *cobra.Command {
	var o bench.Options
	c := &cobra.Command{
		Use:   "deliver",
		Short: a.t("交付：两个网关之间整表交付，每秒行数、内存、处理器时间，对照直接 COPY", "deliver: a whole table between two gateways, rows a second, memory, processor time, beside a plain COPY"),
		Long: a.t(`12 列的表从一个 PostgreSQL 经两个网关（各在自己的进程里）到另一个：按协议、密封、先记日志、核对、上链确认。
前后各做一次对照：COPY TO 管道接 COPY FROM。数据库默认自己启动两个私有实例；也可用 --from、--to 给出（文件，内容是 URL），
或用 --sqlite 换成两个 SQLite 文件（对照是 INSERT … SELECT）。`,
			`A table of 12 columns goes from one PostgreSQL into another through two gateways, each in a process of its own: agreed,
sealed, logged first, verified, confirmed on the ledger. Before and after, COPY TO piped into COPY FROM is the counterpart.
The databases are two private servers that the bench starts, or those of --from and --to (files that hold a URL), or with
--sqlite two SQLite files (the counterpart is INSERT … SELECT).`),
		Example: "  mulian bench deliver --rows 1000000\n  mulian bench deliver --kill provider\n  mulian bench deliver --sqlite --rows 100000 --json",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Seconds = 1 // it lasts as long as its rows
			return a.measure(cmd.Context(), &o, bench.Deliver)
		},
	}
	c.Flags().IntVar(&o.Rows, "rows", 1_000_000, a.t("行数", "rows"))
	c.Flags().StringVar(&o.Kill, "kill", "", a.t("交付中途对 provider 或 asker 的网关 kill -9 再启动，测到上链确认用时，两侧须相等", "kill -9 the gateway of the provider or the asker in the middle and start it again: time until confirmed; both sides have to be equal"))
	a.benchPlaces(c, &o)
	a.benchPairFlags(c, &o)
	return c
}

func (a *app) benchQueryCommand() *cobra.Command {
	var o bench.Options
	c := &cobra.Command{
		Use:   "query",
		Short: a.t("查询：按键取一条记录，每秒次数、多出的延迟、处理器时间，对照直接 SQL", "query: one record by key, queries a second, latency added, processor time, beside direct SQL"),
		Long: a.t(`一条记录经两个网关：查验协议、先记日志、密封、双方签收。先测饱和，再按时钟以一半的速度测延迟，同速直接 SQL 作对照。
每个阶段 --seconds 秒。数据库同 mulian bench deliver。`,
			`One record through two gateways: checked against the agreement, logged first, sealed, signed by both. First saturated, then
half of that by the clock, beside the direct SQL query at the same pace. Phases of --seconds each. The databases are as in
mulian bench deliver.`),
		Example: "  mulian bench query --seconds 10\n  mulian bench query --sqlite --seconds 5 --json",
		Args:    exactly(0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.measure(cmd.Context(), &o, bench.Query) },
	}
	c.Flags().IntVar(&o.Rows, "rows", 100_000, a.t("表的行数", "rows of the table"))
	a.benchFlags(c, &o, 10)
	a.benchPairFlags(c, &o)
	return c
}

func (a *app) benchDriftCommand() *cobra.Command {
	var o bench.Options
	c := &cobra.Command{
		Use:   "drift",
		Short: a.t("变动感知：库表结构变动到上链、行变动到接收方，各多少毫秒", "drift: milliseconds from a change of structure to the ledger, and from changed rows to the receiver"),
		Long: a.t(`真实的 PostgreSQL（200 张表）、真实的账本、两个网关各在自己的进程里。先反复给表加一列，计时从语句提交到账本所在区块提交
（事件触发器，不靠轮询）；再由对方网关跟随该表，反复改十行，计时从提交到接收方自己的库提交。每个阶段 --seconds 秒。
数据库同 mulian bench deliver；用 --from 给出的库须是 wal_level=logical，账号须能建事件触发器。`,
			`A real PostgreSQL with 200 tables, a real ledger, two gateways in processes of their own. First a column is added again and
again, timed from the statement's commit until the ledger's block is committed (event trigger, not the poll). Then the other
gateway follows the table, ten rows change again and again, timed until the receiver's own database has committed them. Phases
of --seconds each. The databases are as in mulian bench deliver; one given with --from needs wal_level=logical and an account
that can make an event trigger.`),
		Example: "  mulian bench drift --seconds 30\n  mulian bench drift --seconds 10 --json",
		Args:    exactly(0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.measure(cmd.Context(), &o, bench.Drift) },
	}
	c.Flags().IntVar(&o.Rows, "rows", 10_000, a.t("表的行数", "rows of the table"))
	a.benchFlags(c, &o, 30)
	c.Flags().StringVar(&o.From, "from", "", a.t("源库：内容是 URL 的文件", "database to read from: a file that holds its URL"))
	c.Flags().StringVar(&o.To, "to", "", a.t("目标库：内容是 URL 的文件", "database to load into: a file that holds its URL"))
	return c
}

// benchPairFlags say which databases.
func (a *app) benchPairFlags(c *cobra.Command, o *bench.Options) {
	c.Flags().StringVar(&o.From, "from", "", a.t("源库：内容是 URL 的文件", "database to read from: a file that holds its URL"))
	c.Flags().StringVar(&o.To, "to", "", a.t("目标库：内容是 URL 的文件", "database to load into: a file that holds its URL"))
	c.Flags().BoolVar(&o.SQLite, "sqlite", false, a.t("用两个 SQLite 文件", "two SQLite files instead"))
}

// benchPartCommand is how deliver and query run a gateway in a process of its own.
func (a *app) benchPartCommand() *cobra.Command {
	var profile string
	c := &cobra.Command{
		Use: "gateway CONFIG", Hidden: true, Args: exactly(1),
		Short:   a.t("测速用：在单独的进程里运行一个网关，标准输入结束时退出", "for the benches: a gateway in a process of its own, until its standard input ends"),
		Example: "  mulian bench gateway gateway.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			return bench.RunGateway(cmd.Context(), args[0], profile)
		},
	}
	c.Flags().StringVar(&profile, "profile", "", a.t("处理器剖析（pprof）文件", "file for a CPU profile (pprof)"))
	return c
}

// benchMemberCommand is how ledger runs a node in a process of its own.
func (a *app) benchMemberCommand() *cobra.Command {
	return &cobra.Command{
		Use: "member CONFIG", Hidden: true, Args: exactly(1),
		Short:   a.t("测速用：在单独的进程里运行一个节点，标准输入结束时退出", "for the benches: a node in a process of its own, until its standard input ends"),
		Example: "  mulian bench member member.json",
		RunE:    func(cmd *cobra.Command, args []string) error { return bench.RunMember(cmd.Context(), args[0]) },
	}
}
