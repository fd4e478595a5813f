package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
	"mulian/safebox/owner"
)

// answerDays bounds how long an offer stands, as the ledger does.
const answerDays = 30

// answerBy is the end of an offer that stands so many days.
func answerBy(days int) (time.Time, error) {
	if days < 1 || days > answerDays {
		return time.Time{}, fault.Newf(fault.OutOfRange, "--answer-days %d: 1 to %d", days, answerDays)
	}
	return time.Now().Add(time.Duration(days)*24*time.Hour - time.Minute), nil // the block's clock may be a little behind ours
}

// given prints an offer that was made.
func (x *boxed) given(g *owner.Given, to string) error {
	return x.print(map[string]any{"ok": true, "transfer": g.Transfer, "item": g.Item, "to": to}, func(w io.Writer) {
		fmt.Fprintf(w, x.t("%s\n  %s 用 mulian box accept %[1]s 接收；收回：mulian box cancel %[1]s\n", "%s\n  %s takes it with mulian box accept %[1]s; to take it back: mulian box cancel %[1]s\n"), g.Transfer, to)
	})
}

func (x *boxed) give() *cobra.Command {
	var t owner.Terms
	var until string
	var days int
	c := &cobra.Command{
		Use:   "give ITEM ACCOUNT",
		Short: x.t("给副本：加密给对方，写明用途和期限；原件仍在自己手里", "give a copy, sealed to the receiver, with purpose and end on it; you keep the original"),
		Long: x.t(`副本上写着谁给谁、用途、有效至哪天，只对那个人有效；对方再转给别人，核验不通过。
--fields 只给 JSON 或凭证里的这些字段。已经给出的副本收不回来：对方接收之前可以 cancel。`,
			`On the copy stand who gave it to whom, what for and until when; it counts for that receiver alone, and fails a check when he passes
it on. --fields gives only these fields of a JSON file or a credential. What was accepted is not taken back; before that: cancel.`),
		Example: "  mulian box give 租房合同 f-0123456789abcdef0123456789abcdef --purpose 办理落户 --until 2027-06-30\n  mulian box give 0f3a9c21 p-89abcdef0123456789abcdef01234567 --fields name,issued --purpose 应聘 --until 2027-01-31",
		Args:    exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			end, err := beijingDay(until)
			if err != nil {
				return err
			}
			t.To, t.Until = args[1], time.UnixMilli(end)
			if t.Answer, err = answerBy(days); err != nil {
				return err
			}
			o, err := x.open(cmd.Context())
			if err != nil {
				return err
			}
			it, err := o.Find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			x.say(x.t("%s 的副本给 %s；用途：%s；有效至 %s；字段：%s", "a copy of %s for %s; purpose: %s; good until %s; fields: %s"),
				shown(it.Card.GetTitle()), t.To, t.Purpose, day(end), x.fieldWords(t.Fields))
			g, err := o.Give(cmd.Context(), it, t)
			if err != nil {
				return dry(err)
			}
			return x.given(g, t.To)
		},
	}
	f := c.Flags()
	f.StringVar(&t.Purpose, "purpose", "", x.t("用途，写在副本上", "what for; it stands on the copy"))
	f.StringVar(&until, "until", "", x.t("副本有效到哪一天", "last day on which the copy counts"))
	f.StringSliceVar(&t.Fields, "fields", nil, x.t("只给这些字段，默认全部", "only these fields; default all"))
	f.IntVar(&days, "answer-days", 14, x.t("对方多少天内接收", "days in which it is to be accepted"))
	_, _ = c.MarkFlagRequired("purpose"), c.MarkFlagRequired("until")
	return x.opens(c)
}

func (x *boxed) fieldWords(fields []string) string {
	if len(fields) == 0 {
		return x.t("全部", "all")
	}
	return strings.Join(fields, ", ")
}

func (x *boxed) offer() *cobra.Command {
	var days int
	c := &cobra.Command{
		Use:   "offer ITEM ACCOUNT",
		Short: x.t("移交：对方接收后就是他的，自己这里不再有（根密钥签名）", "hand an item over: once accepted it is the other's, and gone here (root key)"),
		Long: x.t("用于只能有一个持有人的凭据（报销权、存单、保函）。任何高度只有一个持有人；对方接收之前仍是自己的。",
			"For what has one holder at a time (a right to reimbursement, a deposit slip, a guarantee). At any height there is exactly one; until the\nother accepts it is yours."),
		Example: "  mulian box offer 保函 f-0123456789abcdef0123456789abcdef",
		Args:    exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			answer, err := answerBy(days)
			if err != nil {
				return err
			}
			o, err := x.open(cmd.Context())
			if err != nil {
				return err
			}
			it, err := o.Find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			x.say(x.t("%s 移交给 %s", "%s is handed over to %s"), shown(it.Card.GetTitle()), args[1])
			g, err := o.HandOver(cmd.Context(), it, args[1], answer)
			if err != nil {
				return dry(err)
			}
			return x.given(g, args[1])
		},
	}
	c.Flags().IntVar(&days, "answer-days", 14, x.t("对方多少天内接收", "days in which it is to be accepted"))
	return x.opens(c)
}

func (x *boxed) offers() *cobra.Command {
	return &cobra.Command{
		Use: "offers", Short: x.t("待接收的：别人给我的，我给别人的", "open offers, to me and from me"), Args: exactly(0),
		Example: "  mulian box offers --as p-0123456789abcdef0123456789abcdef",
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := x.box(cmd.Context())
			if err != nil {
				return err
			}
			list, rows := []map[string]any{}, [][]string{{x.t("编号", "OFFER"), x.t("方向", "WAY"), x.t("对方", "WHO"), x.t("种类", "KIND"), x.t("截止", "UNTIL")}}
			for _, incoming := range []bool{true, false} {
				way, transfers := x.t("给我", "to me"), []*safeboxv1.Transfer(nil)
				if transfers, err = b.Transfers(cmd.Context(), incoming); err != nil {
					return err
				}
				for _, t := range transfers {
					who := t.GetFrom()
					if !incoming {
						way, who = x.t("我给", "from me"), t.GetTo()
					}
					list = append(list, map[string]any{"id": t.GetId(), "incoming": incoming, "from": t.GetFrom(), "to": t.GetTo(), "item": t.GetItem(), "kind": t.GetKind().String(), "expires": day(t.GetExpiresMs())})
					rows = append(rows, []string{t.GetId(), way, who, x.word(t.GetKind()), day(t.GetExpiresMs())})
				}
			}
			return x.print(map[string]any{"account": b.Account, "offers": list}, func(w io.Writer) {
				if len(list) == 0 {
					fmt.Fprintln(w, x.t("没有待接收的", "there are no open offers"))
					return
				}
				table(w, rows)
			})
		},
	}
}

func (x *boxed) accept() *cobra.Command {
	return x.opens(&cobra.Command{
		Use:   "accept OFFER",
		Short: x.t("看过之后接收", "look at what is offered, and accept it"),
		Long: x.t("先在本机打开，核对与对方签名的要约一字不差，显示名称和加注，再询问是否签名。",
			"Opens it on this machine first, holds it against the offer that its giver signed, shows title and note, and then asks for your signature."),
		Example: "  mulian box accept 0123456789abcdef",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := x.open(cmd.Context())
			if err != nil {
				return err
			}
			f, err := o.Look(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			c := f.Item.Card
			x.say(x.t("%s（%s，%d 字节），来自 %s", "%s (%s, %d bytes), from %s"), shown(c.GetTitle()), shown(c.GetSchema()), c.GetBytes(), f.Transfer.GetFrom())
			if !x.quiet && !x.json {
				x.note(x.err, c.GetCopy())
			}
			id, err := o.Accept(cmd.Context(), f)
			if err != nil {
				return dry(err)
			}
			return x.print(map[string]any{"ok": true, "item": id, "title": c.GetTitle(), "from": f.Transfer.GetFrom()}, func(w io.Writer) { fmt.Fprintf(w, "%s  %s\n", id, shown(c.GetTitle())) })
		},
	})
}

func (x *boxed) decline() *cobra.Command {
	return x.endOffer("decline", x.t("不接收", "decline an offer"), x.t("✓ 没有接收", "✓ declined"), (*owner.Box).Decline)
}

func (x *boxed) cancel() *cobra.Command {
	return x.endOffer("cancel", x.t("收回自己提出、对方还没有接收的", "take an offer back that was not accepted yet"), x.t("✓ 已收回", "✓ taken back"), (*owner.Box).Cancel)
}

// endOffer is a command that ends an open offer without opening the box.
func (x *boxed) endOffer(verb, short, done string, end func(*owner.Box, context.Context, string) error) *cobra.Command {
	return &cobra.Command{
		Use: verb + " OFFER", Short: short, Args: exactly(1),
		Example: "  mulian box " + verb + " 0123456789abcdef",
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := x.box(cmd.Context())
			if err != nil {
				return err
			}
			if err := end(b, cmd.Context(), args[0]); err != nil {
				return dry(err)
			}
			return x.print(map[string]any{"ok": true}, func(w io.Writer) { fmt.Fprintln(w, done) })
		},
	}
}
