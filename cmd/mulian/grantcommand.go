package main

import (
	"github.com/spf13/cobra"
)

func (a *app) grantCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "grant",
		Aliases: []string{"授权"},
		Short:   a.t("授权：数据使用方登记、请求，数据主体同意、暂停、撤回", "grants: data users register and ask, owners agree, pause and revoke"),
		Long: a.t("数据使用方先登记使用，再逐笔请求；数据主体看到全文后用自己的密钥签名，账本按全文核对。每次使用先上链后提供。\n请求、授权和使用只给当事方看：查看时也用 --as 指明账户，本机只有一个账户时可省略。",
			"A data user registers a use and then asks, each time anew; the owner sees the whole text and signs with a key of his own,\nand the ledger holds the signature against that text. Each use is on the ledger before anything is released.\nRequests, grants and uses are shown to their parties: name the account with --as when you look, too; with one account in\nthis home it may be left out."),
		Example: "  mulian grant requests --owner p-0123456789abcdef0123456789abcdef\n  mulian grant give 0123456789abcdef0123456789abcdef --row row.txt --proof proof.json --as p-0123456789abcdef0123456789abcdef",
	}
	c.AddCommand(a.grantRegister(), a.grantRetire(), a.grantAsk(), a.grantWithdraw(), a.grantRequests(), a.grantRead(), a.grantGive(), a.grantAmend(), a.grantDecline(),
		a.grantHold(true), a.grantHold(false), a.grantRevoke(), a.grantVoid(), a.grantList(), a.grantShow(), a.grantReceipt(), a.grantUses(), a.grantFeed(), a.grantDuties(), a.grantAttest(), a.grantExempt())
	return c
}
