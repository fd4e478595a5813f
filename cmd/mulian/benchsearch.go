package main

import (
	"github.com/spf13/cobra"

	"mulian/bench"
	"mulian/internal/fault"
)

func (a *app) benchSearchCommand() *cobra.Command {
	var o bench.Options
	c := &cobra.Command{
		Use:   "search",
		Short: a.t("检索：索引多快、一次检索多久、内存和磁盘，对照普通表上的 LIKE", "search: how fast the index takes entries, how long a search takes, memory and disk, beside LIKE on a plain table"),
		Long: a.t(`按种子合成目录（每条 5 个信息项）写入索引，再一个接一个地检索 2,100 次：两字词、四字词、英文词、编号、打错的编号、
只用分面、带分面计数。对照：同样的条目放进一张普通表，用 LIKE 查同样的词。`,
			`A catalogue by seed, five items an entry, is taken into an index; then 2,100 searches follow one another: words of two and
four characters, English words, codes, mistyped codes, facets alone, words with all facets counted. The counterpart asks a
plain table of the same entries for the same words with LIKE.`),
		Example: "  mulian bench search\n  mulian bench search --entries 20000 --json",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Entries < 1 || o.Entries > maxBenchEntries {
				return fault.Newf(fault.Usage, "--entries %d: 1 to %d are possible", o.Entries, maxBenchEntries)
			}
			o.Seconds = 1 // it lasts as long as its entries
			return a.measure(cmd.Context(), &o, bench.Search)
		},
	}
	c.Flags().IntVar(&o.Entries, "entries", 100_000, a.t("条数", "entries"))
	a.benchPlaces(c, &o)
	return c
}
