package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"mulian/client/report"
	consolev1 "mulian/gen/mulian/console/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
)

func (a *app) reportCommand() *cobra.Command {
	var month, org, output string
	c := &cobra.Command{
		Use:     "report",
		Aliases: []string{"月报"},
		Short:   a.t("月报：各机构一个月里的申请、协议、目录、漂移、异议", "what happened in a month, by organisation: requests, agreements, catalogue, drift, objections"),
		Long: a.t(`按区块时间（北京时间）统计一个自然月。数字都来自账本，同一高度在任何成员的节点上都一样；月份未完则截至当前高度。
-o 写成 xlsx，同一高度的文件逐字节相同；各数字的定义写在“说明”页和 docs/spec/reports.md。`,
			`Counts a calendar month by the time of the blocks (Beijing). Every number comes from the ledger and is the same on each member's node at the
same height; a month that is not over is counted up to the present one. With -o it is a workbook, the same bytes for the same height; its
second sheet and docs/spec/reports.md say what each number counts.`),
		Example: "  mulian report\n  mulian report --month 2026-11 -o report.xlsx\n  mulian report --month 2026-10 --org 11110000MULN00002P --json",
		Args:    exactly(0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.report(cmd.Context(), month, org, output) },
	}
	f := c.Flags()
	f.StringVar(&month, "month", "", a.t("月份，如 2026-11；默认最新区块所在的月份", "month, like 2026-11; default: that of the latest block"))
	f.StringVar(&org, "org", "", a.t("只要一个机构（代码）", "one organisation only (code)"))
	f.StringVarP(&output, "output", "o", "", a.t("写成 xlsx 文件", "write a workbook (xlsx)"))
	return c
}

func (a *app) report(ctx context.Context, month, org, output string) error {
	if output != "" && !strings.HasSuffix(output, ".xlsx") {
		return fault.Newf(fault.Usage, a.t("-o %s：文件名须以 .xlsx 结尾", "-o %s: the name has to end with .xlsx"), output)
	}
	cl, err := a.client()
	if err != nil {
		return err
	}
	res, err := cl.Overview.GetReport(ctx, connect.NewRequest(&consolev1.GetReportRequest{Month: month, Org: org}))
	if err != nil {
		return err
	}
	r := res.Msg
	if output == "" {
		return a.print(r, func(w io.Writer) { a.reportText(w, r) })
	}
	err = durable.ReplaceWith(output, 0o644, func(w io.Writer) error { return report.Workbook(w, a.language(), r) })
	if os.IsNotExist(err) || os.IsPermission(err) {
		return fault.Wrap(fault.Inaccessible, err, "%s", output)
	}
	if err != nil {
		return err
	}
	return a.print(map[string]any{"file": output, "month": r.GetMonth(), "height": r.GetHeight(), "running": r.GetRunning(), "orgs": r.GetOrgsTotal()}, func(w io.Writer) {
		fmt.Fprintf(w, a.t("✓ %s：%s，%d 个机构，账本高度 %d\n", "✓ %s: %s, %d organisations, height %d\n"), output, r.GetMonth(), r.GetOrgsTotal(), r.GetHeight())
	})
}

// reportText says a report for people: of each organisation what is not 0.
func (a *app) reportText(w io.Writer, r *consolev1.GetReportResponse) {
	fmt.Fprintf(w, a.t("%s  %d 个机构  账本高度 %d", "%s  %d organisations  height %d"), r.GetMonth(), r.GetOrgsTotal(), r.GetHeight())
	if r.GetRunning() {
		fmt.Fprint(w, a.t("（月份未完）", " (the month is not over)"))
	}
	fmt.Fprintln(w)
	show := func(title string, counts []*consolev1.ReportCount) {
		fmt.Fprintf(w, "\n%s\n", title)
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, c := range counts {
			n := fmt.Sprint(c.GetN())
			if c.GetFigure() == consolev1.ReportFigure_REPORT_FIGURE_ANSWER_MEDIAN_MS {
				n = fmt.Sprintf("%.2f", float64(c.GetN())/3_600_000)
			}
			fmt.Fprintf(tw, "  %s\t%s\n", n, report.Title(a.language(), c.GetFigure()))
		}
		_ = tw.Flush() // to the terminal
	}
	for _, o := range r.GetOrgs() {
		show(strings.TrimSpace(o.GetOrg()+"  "+o.GetName()), o.GetCounts())
	}
	if len(r.GetOrgs()) != 1 {
		show(a.t("合计", "All"), r.GetSum())
	}
}
