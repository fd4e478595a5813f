package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/consent"
	"mulian/internal/fault"
	"mulian/internal/itemset"
)

func (a *app) grantCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "grant",
		Aliases: []string{"授权"},
		Short:   a.t("授权：数据使用方登记、请求，数据主体同意、暂停、撤回", "grants: data users register and ask, owners agree, pause and revoke"),
		Long: a.t("数据使用方先登记使用，再逐笔请求；数据主体看到全文后用自己的密钥签名，账本按全文核对。每次使用先上链后提供。",
			"A data user registers a use and then asks, each time anew; the owner sees the whole text and signs with a key of his own,\nand the ledger holds the signature against that text. Each use is on the ledger before anything is released."),
		Example: "  mulian grant requests --owner p-0123456789abcdef0123456789abcdef\n  mulian grant give 0123456789abcdef0123456789abcdef --row row.txt --proof proof.json --as p-0123456789abcdef0123456789abcdef",
	}
	c.AddCommand(a.grantRegister(), a.grantAsk(), a.grantRequests(), a.grantRead(), a.grantGive(), a.grantAmend(), a.grantDecline(), a.grantHold(true), a.grantHold(false),
		a.grantRevoke(), a.grantList(), a.grantShow(), a.grantUses(), a.grantDuties(), a.grantAttest(), a.grantExempt())
	return c
}

func (a *app) grantRegister() *cobra.Command {
	u := &grantv1.IntendedUse{Basis: grantv1.GrantBasis_GRANT_BASIS_CONSENT, Mode: grantv1.GrantMode_GRANT_MODE_VIEW, Kind: grantv1.GrantKind_GRANT_KIND_ONCE, MaxUses: 1}
	var items, optional []string
	var notice string
	var isStanding, isSeparate bool
	c := &cobra.Command{
		Use:     "register-use LOCAL-ID ENTRY",
		Short:   a.t("登记使用（数据使用方）", "register an intended use (data user)"),
		Example: "  mulian grant register-use transfer 11110000000021928B:certificate --items no,owner --title 用电过户 --purpose utility --notice notice.txt --contact 95598 --as 11110000000025678C",
		Args:    exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			e := &cataloguev1.Entry{}
			if err := needObject(cmd.Context(), cl, "catalogue/entry/"+args[1], e); err != nil {
				return err
			}
			if u.Items, err = itemset.OfCodes(e, items...); err != nil {
				return fault.Newf(fault.Usage, "--items: %v", err)
			}
			if u.OptionalItems, err = itemset.OfCodes(e, optional...); err != nil {
				return fault.Newf(fault.Usage, "--optional: %v", err)
			}
			raw, err := os.ReadFile(notice)
			if err != nil {
				return fault.Wrap(fault.Usage, err, "--notice")
			}
			sum := sha256.Sum256(raw)
			u.Entry, u.EntryVersion, u.NoticeHash = e.GetId(), e.GetVersion(), sum[:]
			u.ConsentKind = grantv1.ConsentKind_CONSENT_KIND_EXPRESS
			if isSeparate {
				u.ConsentKind = grantv1.ConsentKind_CONSENT_KIND_SEPARATE
			}
			if isStanding {
				u.Kind, u.MaxUses = grantv1.GrantKind_GRANT_KIND_STANDING, 0
			}
			if u.DataLifeDays > 0 {
				u.Mode = grantv1.GrantMode_GRANT_MODE_DELIVER
			}
			return a.simple(cmd, &grantv1.RegisterUse{LocalId: args[0], Use: u})
		},
	}
	p := c.Flags()
	p.StringSliceVar(&items, "items", nil, a.t("信息项代码", "codes of the items"))
	p.StringSliceVar(&optional, "optional", nil, a.t("其中可由数据主体去掉的", "those of them that an owner may leave out"))
	p.StringVar(&u.Title, "title", "", a.t("服务名称", "name of the service"))
	p.StringVar(&u.Purpose, "purpose", "", a.t("用途代码", "code of the purpose"))
	p.StringVar(&notice, "notice", "", a.t("告知书文件", "file of the notice"))
	p.StringVar(&u.Contact, "contact", "", a.t("咨询投诉方式", "where owners ask and complain"))
	p.Uint32Var(&u.MaxDays, "days", 30, a.t("最长期限", "longest term"))
	p.Uint32Var(&u.DataLifeDays, "keep-days", 0, a.t("副本保存天数，0 为不留存", "days that a copy is kept; 0 = shown only"))
	p.BoolVar(&isStanding, "standing", false, a.t("长期授权", "a standing grant"))
	p.BoolVar(&isSeparate, "separate", false, a.t("单独同意（敏感个人信息必需）", "separate consent (needed for sensitive items)"))
	return c
}

func (a *app) grantAsk() *cobra.Command {
	r := &grantv1.DataRequest{}
	var days, minutes int
	var business string
	var items []string
	c := &cobra.Command{
		Use:     "ask USE",
		Short:   a.t("请求用数（数据使用方）；不写 --owner 则由扫码人决定", "ask for data (data user); without --owner whoever scans decides"),
		Example: "  mulian grant ask 11110000000025678C:transfer --owner p-0123456789abcdef0123456789abcdef --gateway 11110000000025678C/g/main --business-file contract.txt --as 11110000000025678C",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			u, gw := &grantv1.IntendedUse{}, &identityv1.Account{}
			if err := needObject(cmd.Context(), cl, "grant/register/"+args[0], u); err != nil {
				return err
			}
			if err := needObject(cmd.Context(), cl, "identity/account/"+r.Gateway, gw); err != nil {
				return err
			}
			raw, err := os.ReadFile(business)
			if err != nil {
				return fault.Wrap(fault.Usage, err, "--business-file")
			}
			salt := make([]byte, consent.SaltBytes)
			rand.Read(salt)
			if r.BusinessReference, err = consent.Private(salt, string(raw)); err != nil {
				return err
			}
			r.Nonce = make([]byte, consent.NonceBytes)
			rand.Read(r.Nonce)
			now := time.Now()
			r.Use, r.Items, r.OptionalItems, r.NoticeHash, r.MaxUses = u.GetId(), u.GetItems(), u.GetOptionalItems(), u.GetNoticeHash(), u.GetMaxUses()
			if len(items) > 0 {
				e := &cataloguev1.Entry{}
				if err := needObject(cmd.Context(), cl, "catalogue/entry/"+u.GetEntry(), e); err != nil {
					return err
				}
				if r.Items, err = itemset.OfCodes(e, items...); err != nil {
					return fault.Newf(fault.Usage, "--items: %v", err)
				}
				r.OptionalItems = itemset.Minus(r.OptionalItems, itemset.Minus(r.OptionalItems, r.Items))
			}
			r.MinIntervalSeconds, r.DataLifeDays, r.RecipientKey = u.GetMinIntervalSeconds(), u.GetDataLifeDays(), gw.GetGateway().GetSealingKey().GetId()
			r.ToMs, r.NotAfterMs = now.AddDate(0, 0, days).UnixMilli(), now.Add(time.Duration(minutes)*time.Minute).UnixMilli()
			got, err := a.act(cmd.Context(), cl, &grantv1.RequestData{Request: r})
			if err != nil || got == nil {
				return err
			}
			return a.print(map[string]any{"ok": true, "ids": got.IDs, "business_salt": hex.EncodeToString(salt)}, func(w io.Writer) {
				fmt.Fprintf(w, a.t("%s\n  真实背景的盐，入卷保存：%s\n", "%s\n  salt of the business reference, for the file: %s\n"), strings.Join(got.IDs, "\n"), hex.EncodeToString(salt))
			})
		},
	}
	p := c.Flags()
	p.StringVar(&r.Owner, "owner", "", a.t("数据主体账户", "account of the owner"))
	p.StringSliceVar(&items, "items", nil, a.t("信息项，默认登记的全部", "items; default all that are registered"))
	p.StringVar(&r.Gateway, "gateway", "", a.t("接收数据的本方网关", "own gateway that receives"))
	p.StringVar(&business, "business-file", "", a.t("合同号或办件号所在文件（只上链加盐的摘要）", "file with the number of contract or case (the ledger gets a salted hash)"))
	p.IntVar(&days, "days", 20, a.t("授权期限", "term of the grant"))
	p.IntVar(&minutes, "answer-minutes", 14, a.t("多少分钟内答复", "minutes in which it is answered"))
	return c
}
