package main

import (
	"github.com/spf13/cobra"

	"mulian/bench"
	"mulian/internal/fault"
)

// maxBenchKeys bounds the filling: ten gigabytes on the disk.
const maxBenchKeys = 10_000_000

func (a *app) benchStateCommand() *cobra.Command {
	var o bench.Options
	c := &cobra.Command{
		Use:   "state",
		Short: a.t("可验证状态：已有若干键时，更新一个键要多少微秒，对照不带树的同一存储", "state: microseconds of one update of the authenticated state of so many keys, beside the same store without a tree"),
		Long: a.t(`先放 --keys 个键（41 字节键、200 字节值），再逐区块更新：每区块一千次，一半是新键，每次一个事件，每区块提交一次、不刷盘
（引擎会重放）。对照：同样的键值写进同一种存储，不带树、历史和事件。`,
			`Fills the state with --keys keys (41 bytes each, values of 200), then updates it block by block: a thousand updates each, half
of them of new keys, an event each, one commit a block, not synced (the engine replays). The counterpart writes the same keys
and values into the same kind of store without tree, history and events.`),
		Example: "  mulian bench state\n  mulian bench state --keys 5000000 --seconds 20 --json",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Keys < 1 || o.Keys > maxBenchKeys {
				return fault.Newf(fault.Usage, "--keys %d: 1 to %d are possible", o.Keys, maxBenchKeys)
			}
			return a.measure(cmd.Context(), &o, bench.State)
		},
	}
	c.Flags().IntVar(&o.Keys, "keys", 1_000_000, a.t("计时前已有多少个键", "keys before the clock starts"))
	a.benchFlags(c, &o, 10)
	return c
}
