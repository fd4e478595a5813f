package main

import (
	"github.com/spf13/cobra"

	"mulian/bench"
	"mulian/internal/fault"
)

// maxBenchEntries bounds the synthetic catalogue: a gigabyte of state.
const maxBenchEntries = 1_000_000

func (a *app) benchCatalogueCommand() *cobra.Command {
	var o bench.Options
	c := &cobra.Command{
		Use:   "catalogue",
		Short: a.t("目录：整份清单导入，从读文件到可检索，每秒条数、内存、处理器时间，对照直接写 SQLite", "catalogue: a whole list from file to index, entries a second, memory, processor time, beside plain SQLite"),
		Long: a.t(`合成一份清单，40 个单位轮流提供：读取、判定、由各单位签名、经真实规则上链、进入索引，全部计时。
对照：同一文件逐行写入一张 SQLite 表，每 200 行一次落盘事务。`,
			`A synthetic list whose entries 40 organisations provide in turn is read, judged, signed by them, committed through the real
rules and taken into the index; all of that is timed. The counterpart reads the same file into one SQLite table, 200 rows in
each synced transaction.`),
		Example: "  mulian bench catalogue --entries 20000\n  mulian bench catalogue --entries 100000 --json",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Entries < 1 || o.Entries > maxBenchEntries {
				return fault.Newf(fault.Usage, "--entries %d: 1 to %d are possible", o.Entries, maxBenchEntries)
			}
			o.Seconds = 1 // it lasts as long as its entries
			return a.measure(cmd.Context(), &o, bench.Catalogue)
		},
	}
	c.Flags().IntVar(&o.Entries, "entries", 20_000, a.t("条数", "entries"))
	a.benchPlaces(c, &o)
	return c
}
