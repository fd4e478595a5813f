package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"mulian/internal/durable"
	"mulian/internal/fault"
)

func (x *boxed) share() *cobra.Command {
	var grant string
	c := &cobra.Command{
		Use:   "share ITEM",
		Short: x.t("授权取件：按授权把一份资料整件交给数据使用方，计一次使用", "share a whole item with the data user of a grant; counts one use"),
		Long: x.t(`资料的密钥只封装给对方的保险箱，使用先上链，封装后的密钥再放到保险箱所在服务器；服务器打不开。
资料里的字段须都在授权之内，否则拒绝：用 mulian box give --fields 给加注副本。授权撤回、到期或资料擦除后，未取的随即销毁。
中途断开，再执行一次即可，不会多计使用。`,
			`The item's key is wrapped to the data user's box alone; the use is on the ledger before the wrap lies at the server, which cannot
open it. All fields of the item have to be within the grant; otherwise give an annotated copy with mulian box give --fields. What
was not fetched is destroyed when the grant ends or the item is erased. Cut off in between: type it again, no other use is counted.`),
		Example: "  mulian box share 不动产权证.json --grant 0123456789abcdef0123456789abcdef\n  mulian box share 0f3a9c21 --grant 0123456789abcdef0123456789abcdef --json",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := x.open(cmd.Context())
			if err != nil {
				return err
			}
			it, err := o.Find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			s, err := o.Share(cmd.Context(), it, grant)
			if err != nil {
				return dry(err)
			}
			return x.print(map[string]any{"ok": true, "grant": s.Grant, "number": s.Number, "item": s.Item, "to": s.To, "until": day(s.Until)}, func(w io.Writer) {
				fmt.Fprintf(w, x.t("✓ %s 可由 %s 取用至 %s，计为授权的第 %d 次使用\n  对方：mulian box receive --grant %s --out 文件\n", "✓ %s can be fetched by %s until %s, as use %d of the grant\n  there: mulian box receive --grant %s --out FILE\n"),
					shown(it.Card.GetTitle()), s.To, day(s.Until), s.Number, s.Grant)
			})
		},
	}
	c.Flags().StringVar(&grant, "grant", "", x.t("自己给出的交付型授权", "a grant to deliver that you gave"))
	_ = c.MarkFlagRequired("grant")
	return x.opens(c)
}

func (x *boxed) receive() *cobra.Command {
	var grant, out string
	var number uint64
	var stay bool
	c := &cobra.Command{
		Use:   "receive",
		Short: x.t("授权取件：取来数据主体按授权交付的资料", "fetch what an owner has shared under a grant"),
		Long: x.t(`先与账本核对：资料、封装和承诺值都须是数据主体登记的那些；超出授权的一个字节也不写出。
写好后通知服务器销毁封装，同一次使用不能再取；--stay 留着。写出的文件受授权的保存天数约束：mulian grant duties。`,
			`It is held against the ledger first: item, wrap and commitment have to be those that the owner recorded; what goes beyond the
grant is not written at all. Then the server is told to destroy the wrap, and this use is not fetched again; --stay leaves it.
How long the file may be kept the grant says: mulian grant duties.`),
		Example: "  mulian box receive --grant 0123456789abcdef0123456789abcdef --out deed.json --as 11110000MULN00010J\n  mulian box receive --grant 0123456789abcdef0123456789abcdef --out - --as 11110000MULN00010J",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out != stdin {
				if _, err := os.Lstat(out); err == nil {
					return fault.Newf(fault.AlreadyExists, x.t("%s 已经在这里：用 --out 另起名", "%s is here already: name another with --out"), out)
				}
			}
			o, err := x.open(cmd.Context())
			if err != nil {
				return err
			}
			r, err := o.Receive(cmd.Context(), grant, number)
			if err != nil {
				return err
			}
			if out == stdin {
				_, err = io.Copy(x.out, r.Content)
			} else {
				err = durable.ReplaceWith(out, 0o600, func(w io.Writer) error { _, err := io.Copy(w, r.Content); return err })
			}
			if err != nil {
				return err
			}
			if !stay && !x.dryRun {
				if err := o.Took(cmd.Context(), r); err != nil {
					return fmt.Errorf(x.t("已写到 %s，但没能让服务器销毁封装：%w", "it is in %s, and the server was not told to destroy the wrap: %w"), out, err)
				}
			}
			if out == stdin {
				return nil
			}
			c := r.Card
			return x.print(map[string]any{"ok": true, "file": out, "grant": r.Grant, "number": r.Number, "item": r.Item, "from": r.From, "title": c.GetTitle(), "issuer": c.GetIssuer(), "bytes": c.GetBytes()}, func(w io.Writer) {
				fmt.Fprintf(w, x.t("✓ %s → %s（%d 字节），来自 %s，授权的第 %d 次使用\n", "✓ %s → %s (%d bytes), from %s, use %d of the grant\n"), shown(c.GetTitle()), out, c.GetBytes(), r.From, r.Number)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&grant, "grant", "", x.t("给本机构的授权", "a grant of which this account is the data user"))
	f.StringVar(&out, "out", "", x.t("写到哪个文件，- 为标准输出", "file to write, - is the standard output"))
	f.Uint64Var(&number, "number", 0, x.t("第几次使用，默认最近一次授权取件", "number of the use; default the last that is of an item of a box"))
	f.BoolVar(&stay, "stay", false, x.t("不销毁服务器上的封装，可以再取", "leave the wrap at the server, so that it can be fetched again"))
	_, _ = c.MarkFlagRequired("grant"), c.MarkFlagRequired("out")
	return x.opens(c)
}
