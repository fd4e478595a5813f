package main

import (
	"fmt"
	"io"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// shareFetch takes a whole entry through the running gateway of the consumer.
func (a *app) shareFetch() *cobra.Command {
	m := &gatewayv1.FetchRequest{}
	var gw string
	var follow bool
	c := &cobra.Command{
		Use:     "fetch AGREEMENT [ENTRY]",
		Short:   a.t("按协议把一条目录的数据取到本部门数据库（整表，一次事务）；文件则取到文件夹", "fetch an entry into the own database (whole table, one transaction), or its files into a folder"),
		Example: "  mulian share fetch 0123456789abcdef --as 11110000000025678C\n  mulian share fetch 0123456789abcdef --name '2026/*.pdf' --into drawings",
		Args:    between(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Agreement = args[0]
			if len(args) == 2 {
				m.Entry = args[1]
			}
			if follow && m.Append {
				return fault.Newf(fault.Usage, "--follow keeps the table equal; it does not append")
			}
			if follow && len(m.Names) > 0 {
				return fault.Newf(fault.Usage, "--follow keeps a table equal; files are fetched")
			}
			if follow {
				return a.follow(cmd.Context(), gw, &gatewayv1.FollowRequest{Agreement: m.Agreement, Entry: m.Entry, Into: m.Into}, true)
			}
			_, ctl, err := a.control([]string{gw})
			if err != nil {
				return err
			}
			stream, err := ctl.Fetch(cmd.Context(), connect.NewRequest(m))
			if err != nil {
				return wire.Fault(err)
			}
			defer stream.Close()
			for stream.Receive() {
				p := stream.Msg()
				if !p.GetDone() {
					a.say(a.t("  已收到 %d / %d 行", "  %d of %d rows"), p.GetRows(), p.GetExpected())
					continue
				}
				return a.print(p, func(w io.Writer) {
					fmt.Fprintf(w, a.t("✓ %s：%d 行，第 %d 次交付，%.2f 秒，高度 %d，摘要 %s\n", "✓ %s: %d rows, delivery %d, %.2f s, height %d, digest %s\n"),
						p.GetTable(), p.GetRows(), p.GetDelivery(), float64(p.GetMilliseconds())/1000, p.GetHeight(), p.GetDigest())
				})
			}
			if err := stream.Err(); err != nil {
				return wire.Fault(err)
			}
			return fault.Newf(fault.Unreachable, "the gateway ended the stream; it goes on with the fetch by itself")
		},
	}
	c.Flags().StringVar(&m.Into, "into", "", a.t("目标表（文件则为文件夹），默认由目录编号得出", "table in the own database, or folder of files; default from the entry's id"))
	c.Flags().StringArrayVar(&m.Names, "name", nil, a.t("文件交付：只取名称符合的文件，如 '2026/*.pdf'，可重复", "of files: only those whose name fits, as '2026/*.pdf', may be repeated"))
	c.Flags().BoolVar(&m.Append, "append", false, a.t("追加而不是替换", "append instead of replacing"))
	c.Flags().BoolVar(&follow, "follow", false, a.t("此后跟上每次变化，同 subscribe --watch", "follow each change after that, as subscribe --watch"))
	c.Flags().StringVar(&gw, "gateway", "", a.t("用哪个网关；只有一个时可省略", "which gateway; may be left out if there is only one"))
	return c
}

// shareQuery asks for the rows of one key through the running gateway.
func (a *app) shareQuery() *cobra.Command {
	m := &gatewayv1.AskRequest{}
	var gw, items string
	var where []string
	c := &cobra.Command{
		Use:     "query AGREEMENT [ENTRY]",
		Short:   a.t("按协议查询一个键的记录", "query the rows of one key under an agreement"),
		Example: "  mulian share query 0123456789abcdef --where permit_no=地字第110101202600001号 --as 11110000000025678C",
		Args:    between(1, 2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			m.Agreement = args[0]
			if len(args) == 2 {
				m.Entry = args[1]
			}
			if items != "" {
				m.Items = strings.Split(items, ",")
			}
			if m.Where, err = pairs("--where", where); err != nil {
				return err
			}
			_, ctl, err := a.control([]string{gw})
			if err != nil {
				return err
			}
			res, err := ctl.Ask(cmd.Context(), connect.NewRequest(m))
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(res.Msg, func(w io.Writer) { a.showRows(w, res.Msg) })
		},
	}
	c.Flags().StringArrayVar(&where, "where", nil, a.t("条件 ITEM=VALUE，可重复", "condition ITEM=VALUE, may be repeated"))
	c.Flags().StringVar(&items, "items", "", a.t("信息项，默认协议中的全部", "items; default all that are agreed"))
	c.Flags().Uint32Var(&m.Limit, "limit", 1, a.t("最多多少行", "most rows"))
	c.Flags().StringVar(&gw, "gateway", "", a.t("用哪个网关；只有一个时可省略", "which gateway; may be left out if there is only one"))
	_ = c.MarkFlagRequired("where")
	return c
}

func (a *app) showRows(w io.Writer, m *gatewayv1.AskResponse) {
	var head []string
	for _, c := range m.GetColumns() {
		head = append(head, c.GetName())
	}
	rows := [][]string{head}
	for _, r := range m.GetRows() {
		var line []string
		for _, v := range r.GetValues() {
			text := v.GetText()
			if v.GetNull() {
				text = "–"
			}
			line = append(line, text)
		}
		rows = append(rows, line)
	}
	table(w, rows)
	fmt.Fprintf(w, a.t("回执：网关 %s 访问日志第 %d 条，协议内编号 %d，双方已签\n", "receipt: record %[2]d in the access log of %[1]s, number %[3]d of the agreement, signed by both\n"),
		m.GetRecord().GetGateway(), m.GetReceipt().GetLeafIndex(), m.GetRecord().GetSeq())
}
