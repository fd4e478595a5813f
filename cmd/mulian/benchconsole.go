package main

import (
	"github.com/spf13/cobra"

	"mulian/bench"
	"mulian/internal/fault"
)

// maxBenchRecords bounds the disk that a run takes: a record of use is about 2 KB of it.
const maxBenchRecords = 10_000_000

func (a *app) benchConsoleCommand() *cobra.Command {
	var o bench.Options
	c := &cobra.Command{
		Use:   "console",
		Short: a.t("页面：十万条目录、一百万条记录时每个列表多久答完，各页面多久首次显示内容", "console: how long every list takes with 100,000 entries and 1,000,000 records, and how soon each page shows something"),
		Long: a.t(`建一条真实的链：目录经真实导入上链，协议、交付、用数记录由规则执行。然后像页面那样逐个要列表（首页、深页、筛选、检索混合），
先一个调用者，再八个同时；期间每秒有一笔新交易，缓存不会一直有效。装有 Chromium 时还量各页面空缓存下的首次内容绘制。
--keep 指定的文件夹留下这条链，下次同样大小直接打开。`,
			`A real chain is made: entries by the real import; agreements, deliveries and records of use carried out by the rules. Then
every list is asked for as pages do it (first page, deep pages, filters, searches mixed), by one caller and by eight at once,
while a new transaction comes every second so that no cache holds for long. Where there is a Chromium, the first contentful
paint of each page with an empty cache is measured. The folder of --keep keeps the chain: a run of the same size opens it.`),
		Example: "  mulian bench console --keep /data/bench-console --json\n  mulian bench console --entries 2000 --records 5000",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Entries < 1 || o.Entries > maxBenchEntries {
				return fault.Newf(fault.Usage, "--entries %d: 1 to %d are possible", o.Entries, maxBenchEntries)
			}
			if o.Records < 1 || o.Records > maxBenchRecords {
				return fault.Newf(fault.Usage, "--records %d: 1 to %d are possible", o.Records, maxBenchRecords)
			}
			o.Seconds = 1 // it lasts as long as its lists
			return a.measure(cmd.Context(), &o, bench.Console)
		},
	}
	c.Flags().IntVar(&o.Entries, "entries", 100_000, a.t("目录条数", "entries of the catalogue"))
	c.Flags().IntVar(&o.Records, "records", 1_000_000, a.t("账本记录数", "records in the ledger's log"))
	c.Flags().StringVar(&o.Keep, "keep", "", a.t("把链留在这个文件夹，供下次使用", "keep the chain in this folder for the next run"))
	c.Flags().StringSliceVar(&o.Lists, "lists", nil, a.t("只要这些列表（逗号分隔），不量页面", "ask for these lists alone (separated by commas), and measure no pages"))
	a.benchPlaces(c, &o)
	return c
}
