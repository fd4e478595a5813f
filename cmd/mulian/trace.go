package main

import (
	"fmt"
	"io"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"mulian/client/sentence"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/wire"
)

func (a *app) traceCommand() *cobra.Command {
	var direct bool
	var limit uint32
	c := &cobra.Command{
		Use:     "trace ID",
		Aliases: []string{"追溯"},
		Short:   a.t("追溯：职责 → 目录 → 锁定 → 申请 → 协议 → 交付 → 使用", "trace: duty → entry → lock → request → agreement → delivery → use"),
		Long:    a.t("追溯一个对象：目录、申请、协议、职责、库表、漂移或交易的编号。", "Follow one object through everything that happened to it, and to what it hangs on: the id of an entry, request, agreement, duty, table, drift or transaction."),
		Example: "  mulian trace 0123456789abcdef\n  mulian trace 11110000000021928B:permits --direct",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			req := connect.NewRequest(&tracev1.TraceRequest{Object: args[0], Direct: direct, Limit: limit})
			if a.language() == sentence.Chinese {
				req.Header().Set("Accept-Language", "zh-CN")
			}
			res, err := cl.Trace.Trace(cmd.Context(), req)
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(res.Msg, func(w io.Writer) {
				rows := [][]string{{a.t("序号", "SEQ"), a.t("时间", "TIME"), a.t("高度", "HEIGHT"), a.t("事件", "EVENT")}}
				for _, s := range res.Msg.GetSteps() {
					rows = append(rows, []string{fmt.Sprint(s.GetSeq()), day(s.GetEvent().GetTimeMs()), fmt.Sprint(s.GetEvent().GetHeight()), s.GetTitle()})
				}
				table(w, rows)
				for _, q := range res.Msg.GetSequences() {
					fmt.Fprintf(w, a.t("访问记录：协议 %s 在网关 %s 编号 1–%d，放行 %d，拒绝 %d，无缺号\n", "access records: agreement %s at gateway %s, numbers 1–%d, %d granted, %d refused, none missing\n"),
						q.GetAgreement(), q.GetGateway(), q.GetLast(), q.GetGranted(), q.GetRefused())
				}
			})
		},
	}
	c.Flags().BoolVar(&direct, "direct", false, a.t("只看对象本身的事件", "only events of the object itself"))
	c.Flags().Uint32Var(&limit, "limit", 200, a.t("最多多少条", "most events"))
	return c
}
