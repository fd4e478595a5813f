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

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/consent"
	"mulian/internal/fault"
	"mulian/internal/itemset"
	"mulian/internal/wire"
)

func (a *app) grantCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "grant",
		Aliases: []string{"授权"},
		Short:   a.t("授权：数据使用方登记、请求，数据主体同意、暂停、撤回", "grants: data users register and ask, owners agree, pause and revoke"),
		Long: a.t("数据使用方先登记使用，再逐笔请求；数据主体看到全文后用自己的密钥签名，账本按全文核对。每次使用先上链后提供。",
			"A data user registers a use and then asks, each time anew; the owner sees the whole text and signs with a key of his own,\nand the ledger holds the signature against that text. Each use is on the ledger before anything is released."),
		Example: "  mulian grant requests --owner p-0123456789abcdef0123456789abcdef\n  mulian grant give 0123456789abcdef0123456789abcdef --row-key-file id.txt --as p-0123456789abcdef0123456789abcdef",
	}
	c.AddCommand(a.grantRegister(), a.grantAsk(), a.grantRequests(), a.grantShow(), a.grantGive(), a.grantDecline(), a.grantHold(true), a.grantHold(false),
		a.grantRevoke(), a.grantWho(), a.grantDuties(), a.grantAttest())
	return c
}

func (a *app) grantRegister() *cobra.Command {
	u := &grantv1.IntendedUse{Basis: grantv1.GrantBasis_GRANT_BASIS_CONSENT, Mode: grantv1.GrantMode_GRANT_MODE_VIEW, Kind: grantv1.GrantKind_GRANT_KIND_ONCE, MaxUses: 1}
	var items []string
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
			ok, err := cl.Get(cmd.Context(), "catalogue/entry/"+args[1], e)
			if err == nil && !ok {
				err = fault.Newf(fault.NotFound, a.t("没有目录 %s", "entry %s: there is none"), args[1])
			}
			if err != nil {
				return err
			}
			if u.Items, err = itemset.OfCodes(e, items...); err != nil {
				return fault.Newf(fault.Usage, "--items: %v", err)
			}
			raw, err := os.ReadFile(notice)
			if err != nil {
				return err
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
			ok, err := cl.Get(cmd.Context(), "grant/register/"+args[0], u)
			if err == nil && ok {
				ok, err = cl.Get(cmd.Context(), "identity/account/"+r.Gateway, gw)
			}
			if err == nil && !ok {
				err = fault.Newf(fault.NotFound, a.t("没有登记 %s 或网关 %s", "use %s or gateway %s: there is none"), args[0], r.Gateway)
			}
			if err != nil {
				return err
			}
			raw, err := os.ReadFile(business)
			if err != nil {
				return err
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
	p.StringVar(&r.Gateway, "gateway", "", a.t("接收数据的本方网关", "own gateway that receives"))
	p.StringVar(&business, "business-file", "", a.t("合同号或办件号所在文件（只上链加盐的摘要）", "file with the number of contract or case (the ledger gets a salted hash)"))
	p.IntVar(&days, "days", 20, a.t("授权期限", "term of the grant"))
	p.IntVar(&minutes, "answer-minutes", 14, a.t("多少分钟内答复", "minutes in which it is answered"))
	return c
}

func (a *app) grantRequests() *cobra.Command {
	m := &grantv1.ListDataRequestsRequest{}
	c := &cobra.Command{
		Use:     "requests",
		Short:   a.t("列出用数请求", "list data requests"),
		Example: "  mulian grant requests --owner p-0123456789abcdef0123456789abcdef --json",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Grant.ListDataRequests(cmd.Context(), connect.NewRequest(m))
			if err != nil {
				return wire.Fault(err)
			}
			return a.printProto(res.Msg)
		},
	}
	c.Flags().StringVar(&m.Owner, "owner", "", a.t("数据主体账户", "account of the owner"))
	c.Flags().StringVar(&m.Org, "org", "", a.t("数据使用方", "data user"))
	return c
}

func (a *app) grantShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show GRANT",
		Short:   a.t("查看一项授权", "show a grant"),
		Example: "  mulian grant show 0123456789abcdef0123456789abcdef --json",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Grant.GetGrant(cmd.Context(), connect.NewRequest(&grantv1.GetGrantRequest{Id: args[0]}))
			if err != nil {
				return wire.Fault(err)
			}
			return a.printProto(res.Msg)
		},
	}
}

func (a *app) grantGive() *cobra.Command {
	var rowKey string
	c := &cobra.Command{
		Use:     "give REQUEST",
		Short:   a.t("看过全文后同意（数据主体）", "agree after reading the whole text (owner)"),
		Example: "  mulian grant give 0123456789abcdef0123456789abcdef --row-key-file id.txt --as p-0123456789abcdef0123456789abcdef",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			language := a.t(consent.Chinese, consent.English)
			res, err := cl.Grant.GetDataRequest(cmd.Context(), connect.NewRequest(&grantv1.GetDataRequestRequest{Id: args[0], Language: language}))
			if err != nil {
				return wire.Fault(err)
			}
			raw, err := os.ReadFile(rowKey)
			if err != nil {
				return err
			}
			salt := make([]byte, consent.SaltBytes)
			rand.Read(salt)
			sum, err := consent.RowKey(salt, strings.TrimSpace(string(raw)))
			if err != nil {
				return err
			}
			a.say("%s", res.Msg.GetText())
			got, err := a.act(cmd.Context(), cl, &grantv1.GiveGrant{
				Request: args[0], RequestHash: res.Msg.GetRequest().GetHash(), UiTextHash: consent.TextHash(res.Msg.GetText()), Language: language, RowKeyCommitment: sum,
			})
			if err != nil || got == nil {
				return err
			}
			return a.print(map[string]any{"ok": true, "ids": got.IDs, "row_key_salt": hex.EncodeToString(salt)}, func(w io.Writer) {
				fmt.Fprintln(w, strings.Join(got.IDs, "\n"))
			})
		},
	}
	c.Flags().StringVar(&rowKey, "row-key-file", "", a.t("证件号码所在文件（只上链加盐的摘要）", "file with the key of the row (the ledger gets a salted hash)"))
	return c
}

func (a *app) grantDecline() *cobra.Command {
	var notMe bool
	c := &cobra.Command{
		Use:     "decline REQUEST",
		Short:   a.t("不同意；--not-me 表示不是本人发起", "say no; --not-me: I have not started this"),
		Example: "  mulian grant decline 0123456789abcdef0123456789abcdef --not-me --as p-0123456789abcdef0123456789abcdef",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cause := grantv1.DeclineCause_DECLINE_CAUSE_REFUSED
			if notMe {
				cause = grantv1.DeclineCause_DECLINE_CAUSE_NOT_ME
			}
			return a.simple(cmd, &grantv1.DeclineRequest{Request: args[0], Cause: cause})
		},
	}
	c.Flags().BoolVar(&notMe, "not-me", false, a.t("不是本人发起", "not started by me"))
	return c
}

// grantHold is pause, or resume.
func (a *app) grantHold(stop bool) *cobra.Command {
	use, short := "resume", a.t("恢复授权（数据主体）", "let a grant go on (owner)")
	if stop {
		use, short = "pause", a.t("暂停授权（数据主体）", "pause a grant (owner)")
	}
	return &cobra.Command{
		Use: use + " GRANT", Short: short, Args: exactly(1),
		Example: "  mulian grant " + use + " 0123456789abcdef0123456789abcdef --as p-0123456789abcdef0123456789abcdef",
		RunE: func(cmd *cobra.Command, args []string) error {
			if stop {
				return a.simple(cmd, &grantv1.PauseGrant{Grant: args[0]})
			}
			return a.simple(cmd, &grantv1.ResumeGrant{Grant: args[0]})
		},
	}
}

func (a *app) grantRevoke() *cobra.Command {
	m := &grantv1.RevokeGrant{}
	c := &cobra.Command{
		Use:     "revoke GRANT",
		Short:   a.t("撤回授权，已提供的限期删除（数据主体）", "revoke a grant; what was delivered has to be deleted (owner)"),
		Example: "  mulian grant revoke 0123456789abcdef0123456789abcdef --as p-0123456789abcdef0123456789abcdef",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Grant = args[0]
			return a.simple(cmd, m)
		},
	}
	c.Flags().StringVar(&m.Cause, "cause", "", a.t("原因", "cause"))
	return c
}

func (a *app) grantWho() *cobra.Command {
	m := &grantv1.FindUsageRequest{}
	c := &cobra.Command{
		Use:     "who",
		Short:   a.t("谁用过我的数据；按授权查时附总数", "who has used my data; of one grant with its count"),
		Example: "  mulian grant who --owner p-0123456789abcdef0123456789abcdef",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Grant.FindUsage(cmd.Context(), connect.NewRequest(m))
			if err != nil {
				return wire.Fault(err)
			}
			return a.printProto(res.Msg)
		},
	}
	c.Flags().StringVar(&m.Owner, "owner", "", a.t("数据主体账户", "account of the owner"))
	c.Flags().StringVar(&m.Grant, "grant", "", a.t("授权编号", "id of the grant"))
	return c
}

func (a *app) grantDuties() *cobra.Command {
	m := &grantv1.ListDutiesRequest{}
	c := &cobra.Command{
		Use:     "duties",
		Short:   a.t("列出删除义务", "list deletion duties"),
		Example: "  mulian grant duties --grantee 11110000000025678C --overdue",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Grant.ListDuties(cmd.Context(), connect.NewRequest(m))
			if err != nil {
				return wire.Fault(err)
			}
			return a.printProto(res.Msg)
		},
	}
	c.Flags().StringVar(&m.Owner, "owner", "", a.t("数据主体账户", "account of the owner"))
	c.Flags().StringVar(&m.Grantee, "grantee", "", a.t("数据使用方", "data user"))
	c.Flags().BoolVar(&m.Overdue, "overdue", false, a.t("只列逾期的", "only those that are overdue"))
	return c
}

func (a *app) grantAttest() *cobra.Command {
	m := &grantv1.AttestDeletion{}
	var evidence string
	c := &cobra.Command{
		Use:     "attest GRANT",
		Short:   a.t("证明已删除（数据使用方）", "attest a deletion (data user)"),
		Example: "  mulian grant attest 0123456789abcdef0123456789abcdef --first 1 --last 1 --protocol shredded.pdf --as 11110000000025678C",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := os.ReadFile(evidence)
			if err != nil {
				return err
			}
			sum := sha256.Sum256(raw)
			m.Grant, m.EvidenceHash = args[0], sum[:]
			return a.simple(cmd, m)
		},
	}
	p := c.Flags()
	p.Uint64Var(&m.First, "first", 1, a.t("从第几次使用", "from which use"))
	p.Uint64Var(&m.Last, "last", 1, a.t("到第几次使用", "to which use"))
	p.StringVar(&evidence, "protocol", "", a.t("销毁记录文件", "file of the protocol of deletion"))
	return c
}
