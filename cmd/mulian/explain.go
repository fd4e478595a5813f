package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mulian/internal/fault"
)

func (a *app) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "explain [CODE]",
		Aliases: []string{"解释"},
		Short:   a.t("解释错误编号：发生了什么，怎么办；不带编号则列出全部", "explain an error code: what happened, what to do; all of them without a code"),
		Example: "  mulian explain MUL-13018",
		Args:    atMost(1),
		RunE: func(_ *cobra.Command, args []string) error {
			list := fault.All()
			if len(args) == 1 {
				n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToUpper(args[0]), "MUL-"), 10, 32)
				if err != nil {
					return fault.Newf(fault.Usage, "%q is no code; codes look like MUL-13018", args[0])
				}
				x, ok := fault.Explain(fault.Code(n))
				if !ok {
					return fault.Newf(fault.NotFound, "there is no code %s", fault.Code(n))
				}
				list = []fault.Text{x}
			}
			type line struct {
				Code uint32 `json:"code"`
				Name string `json:"name"`
				Text string `json:"text"`
				Fix  string `json:"fix"`
				Exit int    `json:"exit"`
			}
			out := make([]line, len(list))
			for i, x := range list {
				out[i] = line{uint32(x.Code), x.Name, a.t(x.TitleZh, x.TitleEn), a.t(x.FixZh, x.FixEn), x.Code.Exit()}
			}
			return a.print(out, func(w io.Writer) {
				if len(list) == 1 {
					fmt.Fprintf(w, "%s %s\n%s\n%s %s\n", list[0].Code, list[0].Name, out[0].Text, a.t("怎么办：", "what to do:"), out[0].Fix)
					return
				}
				rows := [][]string{{a.t("编号", "CODE"), a.t("名称", "NAME"), a.t("含义", "MEANING")}}
				for i, x := range list {
					rows = append(rows, []string{x.Code.String(), x.Name, out[i].Text})
				}
				table(w, rows)
			})
		},
	}
}
