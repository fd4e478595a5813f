package main

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/reflect/protoreflect"

	"mulian/client"
	"mulian/gateway/deliver"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/consent"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/itemset"
	"mulian/internal/qr"
	"mulian/internal/rowkey"
)

// enumFlag is a flag that takes the words of an enum: "verify" for GRANT_MODE_VERIFY.
func enumFlag(flag, text string, zero protoreflect.Enum) (protoreflect.EnumNumber, error) {
	var known []string
	values := zero.Descriptor().Values()
	for i := range values.Len() {
		v := values.Get(i)
		if v.Number() == 0 {
			continue
		}
		word := strings.ReplaceAll(plain(v), " ", "_")
		if word == text {
			return v.Number(), nil
		}
		known = append(known, word)
	}
	return 0, fault.Newf(fault.Usage, "%s %.40q: %s", flag, text, strings.Join(known, ", "))
}

// registration is what the flags of register-use say.
type registration struct {
	use                          *grantv1.IntendedUse
	items, optional              []string
	notice, mode, basis, kind    string // kind of consent
	opening                      string
	standing, separate, covertly bool
}

func (a *app) grantRegister() *cobra.Command {
	r := &registration{use: &grantv1.IntendedUse{}}
	u := r.use
	c := &cobra.Command{
		Use:   "register-use LOCAL-ID ENTRY",
		Short: a.t("登记使用（数据使用方）", "register an intended use (data user)"),
		Long: a.t("--mode：verify 只答是否、view 查看、deliver 提供副本、compute 只给结果。--basis：consent 同意、duty 法定职责（须 --duty、--law）、contract 合同。\n--confidential：账本上不写用哪个目录（如医疗），只有加盐的摘要；打开它的内容写到 --opening，随请求交给数据主体。",
			"--mode: verify answers yes or no, view shows, deliver gives a copy, compute a result. --basis: consent, duty (a statutory one, with\n--duty and --law), contract. With --confidential the ledger does not say which entry it is (a medical one), it has a salted hash;\nwhat opens it is written to --opening, and goes to the owner with each request."),
		Example: "  mulian grant register-use transfer 11110000000021928B:certificate --items no,owner --title 用电过户 --purpose utility --notice notice.txt --contact 95598 --as 11110000000025678C\n" +
			"  mulian grant register-use consult 11110000000021928B:record --items code --title 会诊 --purpose medical --confidential --opening consult.json --notice notice.txt --contact 12320 --as 11110000000025678C",
		Args: exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			if err := r.complete(cmd, cl, args[1]); err != nil {
				return err
			}
			return a.simple(cmd, &grantv1.RegisterUse{LocalId: args[0], Use: u})
		},
	}
	p := c.Flags()
	p.StringSliceVar(&r.items, "items", nil, a.t("信息项代码", "codes of the items"))
	p.StringSliceVar(&r.optional, "optional", nil, a.t("其中可由数据主体去掉的", "those of them that an owner may leave out"))
	p.StringVar(&u.Title, "title", "", a.t("服务名称", "name of the service"))
	p.StringVar(&u.Purpose, "purpose", "", a.t("用途代码", "code of the purpose"))
	p.StringVar(&r.notice, "notice", "", a.t("告知书文件", "file of the notice"))
	p.StringVar(&u.NoticeUrl, "notice-url", "", a.t("告知书网址", "where the notice is"))
	p.StringVar(&u.Contact, "contact", "", a.t("咨询投诉方式", "where owners ask and complain"))
	p.StringVar(&r.mode, "mode", "", a.t("使用方式，默认 view，有 --keep-days 时为 deliver", "what it gets; default view, with --keep-days deliver"))
	p.StringVar(&r.basis, "basis", "consent", a.t("处理依据", "why it may: consent, duty, contract"))
	p.StringVar(&u.Duty, "duty", "", a.t("法定职责编号（--basis duty）", "the statutory duty (--basis duty)"))
	p.StringVar(&u.LegalBasis, "law", "", a.t("法律条款", "law and article"))
	p.StringVar(&r.kind, "consent", "express", a.t("同意方式：express separate written single", "kind of consent: express, separate, written, single"))
	p.Uint32Var(&u.MaxDays, "days", 30, a.t("最长期限", "longest term"))
	p.Uint32Var(&u.MaxUses, "uses", 0, a.t("长期授权最多使用次数，0 为不限", "most uses of a standing grant; 0 = not counted"))
	p.Uint32Var(&u.MinIntervalSeconds, "interval", 0, a.t("两次使用至少间隔的秒数", "least seconds between two uses"))
	p.Uint32Var(&u.DataLifeDays, "keep-days", 0, a.t("副本保存天数，0 为不留存", "days that a copy is kept; 0 = shown only"))
	p.BoolVar(&r.standing, "standing", false, a.t("长期授权", "a standing grant"))
	p.BoolVar(&r.separate, "separate", false, a.t("单独同意（敏感个人信息必需），同 --consent separate", "separate consent (needed for sensitive items): --consent separate"))
	p.BoolVar(&r.covertly, "confidential", false, a.t("账本上不写是哪个目录", "the ledger does not say which entry"))
	p.StringVar(&r.opening, "opening", "", a.t("把打开摘要的内容写到哪个文件", "file for what opens the hashes"))
	return c
}

// complete fills in the use from the flags and the entry.
func (r *registration) complete(cmd *cobra.Command, cl *client.Client, entry string) error {
	u, e := r.use, &cataloguev1.Entry{}
	if err := needObject(cmd.Context(), cl, "catalogue/entry/"+entry, e); err != nil {
		return err
	}
	var err error
	if u.Items, err = itemset.OfCodes(e, r.items...); err != nil {
		return fault.Newf(fault.Usage, "--items: %v", err)
	}
	if u.OptionalItems, err = itemset.OfCodes(e, r.optional...); err != nil {
		return fault.Newf(fault.Usage, "--optional: %v", err)
	}
	raw, err := os.ReadFile(r.notice)
	if err != nil {
		return fault.Wrap(fault.Usage, err, "--notice")
	}
	sum := sha256.Sum256(raw)
	u.NoticeHash = sum[:]
	if err := r.words(); err != nil {
		return err
	}
	u.Kind = grantv1.GrantKind_GRANT_KIND_STANDING
	if !r.standing {
		u.Kind, u.MaxUses = grantv1.GrantKind_GRANT_KIND_ONCE, 1
	}
	if r.covertly {
		return r.conceal(cmd, cl, e)
	}
	u.Entry, u.EntryVersion = e.GetId(), e.GetVersion()
	return nil
}

// words reads mode, basis and kind of consent.
func (r *registration) words() error {
	u := r.use
	if r.mode == "" {
		r.mode = "view"
		if u.DataLifeDays > 0 {
			r.mode = "deliver"
		}
	}
	mode, err := enumFlag("--mode", r.mode, u.Mode)
	if err != nil {
		return err
	}
	basis, err := enumFlag("--basis", r.basis, u.Basis)
	if err != nil {
		return err
	}
	u.Mode, u.Basis = grantv1.GrantMode(mode), grantv1.GrantBasis(basis)
	if u.Basis == grantv1.GrantBasis_GRANT_BASIS_DUTY {
		return nil // no consent is asked
	}
	if r.separate || r.covertly && r.kind == "express" {
		r.kind = "separate"
	}
	kind, err := enumFlag("--consent", r.kind, u.ConsentKind)
	u.ConsentKind = grantv1.ConsentKind(kind)
	return err
}

// conceal makes the use a confidential one, and writes what opens it.
func (r *registration) conceal(cmd *cobra.Command, cl *client.Client, e *cataloguev1.Entry) error {
	if r.opening == "" {
		return fault.Newf(fault.Usage, "--confidential: --opening names the file for what opens it")
	}
	t := &cataloguev1.Table{}
	if err := needObject(cmd.Context(), cl, "catalogue/table/"+e.GetTable(), t); err != nil {
		return err
	}
	u, o := r.use, &opening{Entry: e.GetId(), Version: e.GetVersion()}
	var err error
	if u.EntryCommitment, o.EntrySalt, err = commit(deliver.EntryText(o.Entry, o.Version)); err != nil {
		return err
	}
	u.ItemCount, u.Providers = uint32(len(e.GetItems())), []string{t.GetGateway()}
	return o.write(r.opening)
}

// asking is what the flags of ask say.
type asking struct {
	request            *grantv1.DataRequest
	days, minutes      int
	business, scope    string
	items              []string
	match              bool
	of, opening        string // of the use; of the request
	row, proof, rowKey string
	pages              string // where owners open their boxes
}

func (a *app) grantAsk() *cobra.Command {
	x := &asking{request: &grantv1.DataRequest{}}
	r := x.request
	c := &cobra.Command{
		Use:   "ask USE",
		Short: a.t("请求用数（数据使用方）；不写 --owner 则由扫码人决定", "ask for data (data user); without --owner whoever scans decides"),
		Long: a.t("--scope 限定行的范围，--match 生成两位核对码：显示在本方屏幕上，数据主体输入，三次不对即关闭请求。账本上只有加盐的摘要；打开它们的内容写到 --opening，\n连同机密使用登记时的 --use-opening，一并交给数据主体。依法定职责的请求（--basis duty 的登记）由本方写明行：--row、--proof、--row-key。",
			"--scope narrows the row, --match makes two digits that your screen shows and the owner types; wrong three times closes the request.\nThe ledger has salted hashes alone; what opens them is written to --opening and goes to the owner, with that of a confidential use\n(--use-opening). Of a use with --basis duty you name the row yourself: --row, --proof, --row-key."),
		Example: "  mulian grant ask 11110000000025678C:transfer --owner p-0123456789abcdef0123456789abcdef --gateway 11110000000025678C/g/main --business-file contract.txt --as 11110000000025678C\n" +
			"  mulian grant ask 11110000000025678C:transfer --gateway 11110000000025678C/g/main --business-file contract.txt --match --opening asked.json --as 11110000000025678C",
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.ask(cmd, args[0], x) },
	}
	p := c.Flags()
	p.StringVar(&r.Owner, "owner", "", a.t("数据主体账户", "account of the owner"))
	p.StringSliceVar(&x.items, "items", nil, a.t("信息项，默认登记的全部", "items; default all that are registered"))
	p.StringVar(&r.Gateway, "gateway", "", a.t("接收数据的本方网关", "own gateway that receives"))
	p.StringVar(&x.business, "business-file", "", a.t("合同号或办件号所在文件（只上链加盐的摘要）", "file with the number of contract or case (the ledger gets a salted hash)"))
	p.StringVar(&x.scope, "scope", "", a.t("行的范围：关于信息项的条件", "which rows: a condition on the items"))
	p.BoolVar(&x.match, "match", false, a.t("生成两位核对码", "make a match number of two digits"))
	p.StringVar(&x.of, "use-opening", "", a.t("机密使用登记时写的文件", "file that registering a confidential use wrote"))
	p.StringVar(&x.opening, "opening", "", a.t("把打开摘要的内容写到哪个文件", "file for what opens the hashes"))
	p.StringVar(&x.row, "row", "", a.t("法定职责：指明行的文件", "by duty: file that names the row"))
	p.StringVar(&x.proof, "proof", "", a.t("法定职责：核验机构给的证明文件", "by duty: the proof of identity that the authority gave"))
	p.StringVar(&x.rowKey, "row-key", "", a.t("法定职责：加密的行标识写到哪里", "by duty: where the sealed row key goes"))
	p.StringVar(&x.pages, "pages", "", a.t("数据主体打开保险箱的网址，默认为所连的服务器", "address at which owners open their boxes; default: the server that is asked"))
	p.IntVar(&x.days, "days", 20, a.t("授权期限", "term of the grant"))
	p.IntVar(&x.minutes, "answer-minutes", 14, a.t("多少分钟内答复", "minutes in which it is answered"))
	return c
}

func (a *app) ask(cmd *cobra.Command, use string, x *asking) error {
	ctx, r := cmd.Context(), x.request
	cl, err := a.client()
	if err != nil {
		return err
	}
	u, gw := &grantv1.IntendedUse{}, &identityv1.Account{}
	if err := needObject(ctx, cl, "grant/register/"+use, u); err != nil {
		return err
	}
	if err := needObject(ctx, cl, "identity/account/"+r.Gateway, gw); err != nil {
		return err
	}
	o, err := readOpening(x.of)
	if err != nil {
		return err
	}
	r.Nonce = make([]byte, consent.NonceBytes)
	rand.Read(r.Nonce)
	now := time.Now()
	r.Use, r.Items, r.OptionalItems, r.NoticeHash, r.MaxUses = u.GetId(), u.GetItems(), u.GetOptionalItems(), u.GetNoticeHash(), u.GetMaxUses()
	r.MinIntervalSeconds, r.DataLifeDays, r.RecipientKey = u.GetMinIntervalSeconds(), u.GetDataLifeDays(), gw.GetGateway().GetSealingKey().GetId()
	r.ToMs, r.NotAfterMs = now.AddDate(0, 0, x.days).UnixMilli(), now.Add(time.Duration(x.minutes)*time.Minute).UnixMilli()
	e := &cataloguev1.Entry{}
	if id := openedEntry(u, o); id != "" {
		if err := needObject(ctx, cl, "catalogue/entry/"+id, e); err != nil {
			return err
		}
	}
	if len(x.items) > 0 {
		if r.Items, err = itemset.OfCodes(e, x.items...); err != nil {
			return fault.Newf(fault.Usage, "--items: %v", err)
		}
		r.OptionalItems = itemset.Minus(r.OptionalItems, itemset.Minus(r.OptionalItems, r.Items))
	}
	number, err := x.commit(o)
	if err != nil {
		return err
	}
	o.Request = consent.RequestID(u.GetOrg(), r.Nonce)
	if err := o.check(r, u); err != nil {
		return err
	}
	if err := a.byDuty(cmd, cl, x, u, e, o.Request); err != nil {
		return err
	}
	if x.opening != "" && !a.dryRun {
		if err := o.write(x.opening); err != nil {
			return fmt.Errorf("nothing was asked: %w", err)
		}
	}
	got, err := a.act(ctx, cl, &grantv1.RequestData{Request: r})
	if err != nil || got == nil {
		return err
	}
	v := map[string]any{"ok": true, "ids": got.IDs, "business_salt": o.BusinessSalt}
	link := x.link(cl.URL(), u, o)
	if number != "" {
		v["match_number"], v["match_salt"] = number, o.MatchSalt
	}
	if link != "" {
		v["link"] = link
	}
	return a.print(v, func(w io.Writer) {
		fmt.Fprintf(w, a.t("%s\n  真实背景的盐，入卷保存：%s\n", "%s\n  salt of the business reference, for the file: %s\n"), strings.Join(got.IDs, "\n"), o.BusinessSalt)
		if number != "" {
			fmt.Fprintf(w, a.t("  显示在屏幕上的核对码：%s\n", "  match number for your screen: %s\n"), number)
		}
		if code, err := qr.Draw(link); link != "" && err == nil {
			fmt.Fprintf(w, a.t("  请数据主体扫码，或打开链接：\n%s  %s\n", "  the owner scans this, or opens the link:\n%s  %s\n"), code.Terminal(), link)
		}
		if x.opening != "" {
			fmt.Fprintf(w, a.t("  把 %s 交给数据主体\n", "  give %s to the owner\n"), x.opening)
		}
	})
}

// link leads the owner to the request in his box, or is empty if no page can answer it: a duty asks
// nobody, and a confidential use is opened with its file. The salt of a match number stands behind #,
// which no browser sends to a server.
func (x *asking) link(server string, u *grantv1.IntendedUse, o *opening) string {
	if u.GetEntry() == "" || u.GetBasis() == grantv1.GrantBasis_GRANT_BASIS_DUTY {
		return ""
	}
	at := strings.TrimSuffix(x.pages, "/")
	if at == "" {
		at = server
	}
	at += "/box/ask/" + o.Request
	if o.MatchSalt != "" {
		at += "#" + o.MatchSalt
	}
	return at
}

// openedEntry is the entry of a use, or that of the opening of a confidential one.
func openedEntry(u *grantv1.IntendedUse, o *opening) string {
	if u.GetEntry() != "" {
		return u.GetEntry()
	}
	return o.Entry
}

// commit fills in the commitments of the request, and keeps their openings.
func (x *asking) commit(o *opening) (number string, err error) {
	r := x.request
	raw, err := os.ReadFile(x.business)
	if err != nil {
		return "", fault.Wrap(fault.Usage, err, "--business-file")
	}
	o.Business = string(raw)
	if r.BusinessReference, o.BusinessSalt, err = commit(o.Business); err != nil {
		return "", err
	}
	if (x.scope != "" || x.match) && x.opening == "" {
		return "", fault.Newf(fault.Usage, "--scope, --match: --opening names the file for what opens them")
	}
	if x.scope != "" {
		o.Scope = x.scope
		if r.ScopeCommitment, o.ScopeSalt, err = commit(x.scope); err != nil {
			return "", err
		}
	}
	if x.match {
		number, r.MatchCommitment, o.MatchSalt, err = newMatch()
	}
	return number, err
}

// byDuty seals the key of the row that a data user takes by a statutory duty.
func (a *app) byDuty(cmd *cobra.Command, cl *client.Client, x *asking, u *grantv1.IntendedUse, e *cataloguev1.Entry, id string) error {
	if u.GetBasis() != grantv1.GrantBasis_GRANT_BASIS_DUTY {
		if x.row != "" || x.proof != "" {
			return fault.Newf(fault.Usage, "--row and --proof are of a use by duty: else the owner names his row himself")
		}
		return nil
	}
	if x.row == "" || x.proof == "" || x.rowKey == "" {
		return fault.Newf(fault.Usage, "by duty --row, --proof and --row-key are needed")
	}
	k, err := (&answer{row: x.row, proof: x.proof}).key()
	if err != nil {
		return err
	}
	x.request.RowKeyCommitment = rowkey.Commitment(k)
	gw, err := readsTable(cmd.Context(), cl, e)
	if err != nil {
		return err
	}
	raw, err := sealed(gw, consent.GrantID(id, x.request.Owner), x.request.Owner, k)
	if err != nil || a.dryRun {
		return err
	}
	return durable.CreateFile(x.rowKey, raw, 0o600)
}
