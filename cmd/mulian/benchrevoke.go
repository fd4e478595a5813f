package main

import (
	"github.com/spf13/cobra"

	"mulian/bench"
)

func (a *app) benchRevokeCommand() *cobra.Command {
	var o bench.Options
	c := &cobra.Command{
		Use:   "revoke",
		Short: a.t("撤销：中止协议后最后一次供数还能发生在多少毫秒之后", "revoke: milliseconds from a revocation to the last release under it"),
		Long: a.t(`八个请求方不停查询时，提供方中止协议；计时从发出中止到最后一个有数据的答复到达。然后恢复，反复进行 --seconds 秒。
数据库同 mulian bench deliver。`,
			`While eight askers query without a pause the provider suspends the agreement; timed from the moment at which that was sent to
the arrival of the last answer with data. Then it goes on, again and again for --seconds. The databases are as in mulian bench
deliver.`),
		Example: "  mulian bench revoke --sqlite --seconds 20 --json",
		Args:    exactly(0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.measure(cmd.Context(), &o, bench.Revoke) },
	}
	a.benchFlags(c, &o, 20)
	a.benchPairFlags(c, &o)
	return c
}
