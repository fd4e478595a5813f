package main

import (
	"github.com/spf13/cobra"

	"mulian/bench"
)

func (a *app) benchSoakCommand() *cobra.Command {
	o := bench.Options{Seconds: 1}
	c := &cobra.Command{
		Use:   "soak",
		Short: a.t("耐久：按每秒 500 笔连续运行若干分钟，内存是否稳定", "soak: minutes on end at 500 transactions a second: does the memory stay where it is"),
		Long: a.t("每分钟记一次最大进程的内存峰值；比较第二个四分之一与最后四分之一时间的中位数。最初四分之一（缓存填充）不计。",
			"Takes the largest process's peak of memory in each minute, and compares the medians of the second quarter of the time and of\nthe last. The first quarter, in which caches fill, does not count."),
		Example: "  mulian bench soak --minutes 60\n  mulian bench soak --minutes 60 --validators 4 --json",
		Args:    exactly(0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.measure(cmd.Context(), &o, bench.Soak) },
	}
	c.Flags().IntVar(&o.Minutes, "minutes", 60, a.t("运行多少分钟", "how many minutes"))
	c.Flags().IntVar(&o.Validators, "validators", 1, a.t("验证节点数，每个一个进程", "validators, each a process"))
	a.benchPlaces(c, &o)
	return c
}
