package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// shareByGrant takes the row that an owner has granted through the running gateway of the
// data user.
func (a *app) shareByGrant() *cobra.Command {
	m := &gatewayv1.ByGrantRequest{}
	var gw, items, rowKey, scopeSalt, file string
	var claims []string
	c := &cobra.Command{
		Use:     "by-grant GRANT",
		Short:   a.t("按数据主体的授权取那一条记录，计一次使用", "take the row that an owner has granted; counts one use"),
		Example: "  mulian share by-grant 0123456789abcdef0123456789abcdef --as 11110000000025678C",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			m.Grant = args[0]
			if rowKey != "" {
				if m.RowKey, err = os.ReadFile(rowKey); err != nil {
					return fault.Wrap(fault.Usage, err, "--row-key")
				}
			}
			if m.ScopeSalt, err = hex.DecodeString(scopeSalt); err != nil {
				return fault.Wrap(fault.Usage, err, "--scope-salt")
			}
			if err := openFor(m, file); err != nil {
				return err
			}
			if items != "" {
				m.Items = strings.Split(items, ",")
			}
			if m.Claims, err = pairs("--claim", claims); err != nil {
				return err
			}
			_, ctl, err := a.control([]string{gw})
			if err != nil {
				return err
			}
			res, err := ctl.ByGrant(cmd.Context(), connect.NewRequest(m))
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(res.Msg, func(w io.Writer) { a.showGranted(w, res.Msg) })
		},
	}
	c.Flags().StringVar(&rowKey, "row-key", "", a.t("数据主体给的行标识密文文件；不写则由网关到保险箱的门口取", "file with the owner's sealed row key; without it the gateway fetches it from the door of the boxes"))
	c.Flags().StringVar(&items, "items", "", a.t("信息项，默认授权的全部", "items; default all that are granted"))
	c.Flags().StringArrayVar(&claims, "claim", nil, a.t("核验型授权：被核验的 ITEM=VALUE，可重复", "of a grant to verify: claim ITEM=VALUE, may be repeated"))
	c.Flags().StringVar(&m.Scope, "scope", "", a.t("授权中行范围的原文", "opening of the grant's row scope"))
	c.Flags().StringVar(&scopeSalt, "scope-salt", "", a.t("行范围的盐，十六进制", "salt of the row scope, in hex"))
	c.Flags().StringVar(&file, "opening", "", a.t("请求时写的文件：其中有行范围和机密登记的原文", "file that the request wrote: it has the row scope and what opens a confidential use"))
	c.Flags().StringVar(&m.Fetch, "fetch", "", a.t("取数编号：编号相同是同一次使用（断线后重取）", "number of the fetch: the same again is the same use (after a broken connection)"))
	c.Flags().StringVar(&gw, "gateway", "", a.t("用哪个网关；只有一个时可省略", "which gateway; may be left out if there is only one"))
	return c
}

// openFor takes into a question what opens its grant's scope and confidential entry, where the
// flags have not said it.
func openFor(m *gatewayv1.ByGrantRequest, file string) error {
	o, err := readOpening(file)
	if err != nil {
		return err
	}
	for _, x := range []struct {
		value, salt string
		into        *string
		saltInto    *[]byte
	}{{o.Scope, o.ScopeSalt, &m.Scope, &m.ScopeSalt}, {o.Entry, o.EntrySalt, &m.Entry, &m.EntrySalt}} {
		if x.value == "" || *x.into != "" {
			continue
		}
		*x.into = x.value
		if *x.saltInto, err = hex.DecodeString(x.salt); err != nil {
			return fault.Wrap(fault.Malformed, err, "%s", file)
		}
	}
	if m.EntryVersion == 0 {
		m.EntryVersion = o.Version
	}
	return nil
}

func (a *app) showGranted(w io.Writer, m *gatewayv1.ByGrantResponse) {
	if said := map[gatewayv1.Verdict]string{
		gatewayv1.Verdict_VERDICT_YES: a.t("相符", "yes"), gatewayv1.Verdict_VERDICT_NO: a.t("不符", "no"),
	}[m.GetVerdict()]; said != "" {
		fmt.Fprintln(w, said)
	} else {
		a.showRows(w, &gatewayv1.AskResponse{Columns: m.GetColumns(), Rows: m.GetRows(), Receipt: m.GetReceipt(), Record: m.GetRecord()})
	}
	fmt.Fprintf(w, a.t("账本登记为该授权的第 %d 次使用\n", "use %d of the grant on the ledger\n"), m.GetUse())
}
