package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mulian/client"
	"mulian/client/annotated"
	"mulian/client/keyring"
	"mulian/gateway/issue"
	credentialv1 "mulian/gen/mulian/credential/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/qr"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
)

// maxPicture bounds a photograph of a code.
const maxPicture = 16 << 20

func (a *app) credentialHolder() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "holder",
		Short: a.t("为持有人生成凭证密钥，写出公钥（JWK）", "make the key that an owner's credentials are bound to, and write its public part (JWK)"),
		Long: a.t("密钥留在本机（holder），不是签交易的密钥；公钥交给签发机构。已有密钥时只写出公钥。",
			"The key stays here (holder) and signs no transactions; its public part goes to the issuer. If there is one already, its public part is written."),
		Example: "  mulian credential holder --out holder.jwk --as p-0123456789abcdef0123456789abcdef",
		Args:    exactly(0),
		RunE: func(*cobra.Command, []string) error {
			account, _, _ := strings.Cut(a.as, "#")
			if account == "" {
				return fault.Newf(fault.Usage, "%s", a.t("用 --as 指明账户", "name the account with --as"))
			}
			key, err := a.keys().Key(account, keyring.Holder)
			if fault.Is(err, fault.NotFound) && !a.dryRun {
				key, err = a.keys().New(account, keyring.Holder, sm.P256)
			}
			if err != nil {
				return err
			}
			jwk, err := sdjwt.JWK(key.Public())
			if err != nil {
				return fault.Wrap(fault.Malformed, err, "the holder's key")
			}
			if err := durable.ReplaceFile(out, append(sdjwt.AppendJSON(nil, jwk), '\n'), 0o644); err != nil {
				return fmt.Errorf("the public key could not be written: %w", err)
			}
			return a.print(map[string]any{"ok": true, "key": key.Public().ID(), "file": out}, func(w io.Writer) { fmt.Fprintf(w, "%s  %s\n", key.Public().ID(), out) })
		},
	}
	c.Flags().StringVar(&out, "out", "holder.jwk", a.t("写入的文件", "file to write"))
	return c
}

// copyOrder is what a person says of a copy.
type copyOrder struct {
	id, to, cause, until, out string
	fields                    []string
	inward                    bool
}

func (a *app) credentialCopy() *cobra.Command {
	var o copyOrder
	c := &cobra.Command{
		Use:   "copy FILE",
		Short: a.t("为一个接收方、一个事由制作有期限的加注件（PDF 和 JSON）", "make an annotated copy of a credential for one recipient, one cause and a time (PDF and JSON)"),
		Long: a.t(`只含 --fields 选定的字段；写明制作者、制作时间、制作事由、接收方和有效期，PDF 有水印和核验二维码。账本上只有承诺值。
加注件不得转交：别人出示即核验不通过。凭证暂停或吊销，加注件随之失效。持有人的凭证密钥（mulian credential holder）在加注件上签名。`,
			`It has only the fields of --fields, and names maker, time, cause, recipient and end; the PDF has a watermark and a code to check it by. The
ledger has commitments alone. A copy is not passed on: shown by somebody else it does not hold. It ends with the credential. The holder's
key (mulian credential holder) signs it.`),
		Example: "  mulian credential copy permit.json --fields permit_no,area --to 11110000000025678C --cause 办理贷款 --until 2026-12-31 --out copy --as p-0123456789abcdef0123456789abcdef",
		Args:    exactly(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.makeCopy(cmd.Context(), args[0], o) },
	}
	f := c.Flags()
	f.StringSliceVar(&o.fields, "fields", nil, a.t("出示哪些字段", "fields that are shown"))
	f.StringVar(&o.to, "to", "", a.t("接收方：机构代码或账户", "for whom: organisation or account"))
	f.StringVar(&o.cause, "cause", "", a.t("制作事由", "what for"))
	f.StringVar(&o.until, "until", "", a.t("有效期的最后一天", "last day on which it holds"))
	f.StringVar(&o.out, "out", "copy", a.t("写入的文件，加 .pdf 和 .json", "file to write, with .pdf and .json behind it"))
	f.StringVar(&o.id, "id", "", a.t("凭证编号；文件里有时可省略", "id of the credential; may be left out if the file has it"))
	f.BoolVar(&o.inward, "sm2", false, a.t("文件里有两份孪生凭证时用 SM2 的一份", "of a file with both twins take the SM2 one"))
	for _, name := range []string{"fields", "to", "cause", "until"} {
		_ = c.MarkFlagRequired(name)
	}
	return c
}

func (a *app) makeCopy(ctx context.Context, path string, o copyOrder) error {
	order, err := a.orderOf(path, o)
	if err != nil {
		return err
	}
	cl, err := a.client()
	if err != nil {
		return err
	}
	if err := describeCopy(ctx, cl, order); err != nil {
		return err
	}
	signer, err := a.signerOn(ctx, cl, keyring.Officer, keyring.Root, keyring.Machine)
	if err != nil {
		return err
	}
	order.Maker = signer.Account
	if order.MakerName, err = nameOf(ctx, cl, signer.Account); err != nil {
		return err
	}
	if key, err := a.keys().Key(signer.Account, keyring.Holder); err == nil {
		order.Holder = key
	} else if !fault.Is(err, fault.NotFound) {
		return err
	}
	made, err := annotated.Make(*order)
	if err != nil {
		return err
	}
	record, err := made.Record()
	if err != nil {
		return err
	}
	// If the power fails after this the record is that of a copy that nobody has.
	r, err := a.actAs(ctx, cl, signer, &credentialv1.RecordCopies{Copies: []*credentialv1.AnnotatedCopy{record}})
	if err != nil || r == nil {
		return err
	}
	if err := writeCopy(made, o.out); err != nil {
		return fmt.Errorf("the copy %s is recorded, but could not be written: %w", record.GetId(), err)
	}
	v := map[string]any{"ok": true, "id": record.GetId(), "code": made.Code, "pdf": o.out + ".pdf", "file": o.out + ".json", "height": r.Height, "bound": made.Bound}
	return a.print(v, func(w io.Writer) { fmt.Fprintf(w, "%s\n  %s.pdf  %s.json\n", made.Code, o.out, o.out) })
}

// orderOf reads the credential and the words of the command line.
func (a *app) orderOf(path string, o copyOrder) (*annotated.Order, error) {
	text, err := readCredential(path, o.inward)
	if err != nil {
		return nil, err
	}
	if o.id == "" {
		raw, err := readAtMost(path, 4*sdjwt.MaxText)
		if err != nil {
			return nil, err
		}
		var made issue.Issued
		if json.Unmarshal(raw, &made) == nil {
			o.id = made.ID
		}
	}
	if len(o.id) != 32 {
		return nil, fault.Newf(fault.Usage, "%s", a.t("文件里没有凭证编号：用 --id 指明", "the file has no id of the credential: name it with --id"))
	}
	until, err := beijingDay(o.until)
	if err != nil {
		return nil, err
	}
	return &annotated.Order{
		Text: text, Credential: o.id, Fields: o.fields, Recipient: o.to, Cause: o.cause, Expires: time.UnixMilli(until), Now: time.Now(), Titles: map[string]string{},
	}, nil
}

// describeCopy adds what the ledger knows: names of type, issuer and recipient, titles.
func describeCopy(ctx context.Context, cl *client.Client, o *annotated.Order) error {
	anchor, kind := &credentialv1.Credential{}, &credentialv1.CredentialType{}
	if err := needObject(ctx, cl, "credential/item/"+o.Credential, anchor); err != nil {
		return err
	}
	if err := annotated.CheckCredential(anchor, o.Now.UnixMilli()); err != nil {
		return err
	}
	if err := needObject(ctx, cl, fmt.Sprintf("credential/type/%s/%016x", anchor.GetType(), anchor.GetVersion()), kind); err != nil {
		return err
	}
	o.Title = kind.GetName()
	for _, f := range kind.GetFields() {
		o.Titles[f.GetName()] = f.GetTitle()
	}
	var err error
	if o.IssuerName, err = nameOf(ctx, cl, anchor.GetIssuer()); err != nil {
		return err
	}
	recipient := &identityv1.Account{}
	if err := needObject(ctx, cl, "identity/account/"+o.Recipient, recipient); err != nil {
		return err
	}
	o.RecipientName = recipient.GetProfile().GetName()
	return nil
}

// nameOf is the public name of an organisation; persons have none.
func nameOf(ctx context.Context, cl *client.Client, account string) (string, error) {
	acc := &identityv1.Account{}
	_, err := cl.Get(ctx, "identity/account/"+account, acc)
	return acc.GetProfile().GetName(), err
}

func writeCopy(c *annotated.Copy, out string) error {
	raw, err := c.Marshal()
	if err != nil {
		return err
	}
	var pdf bytes.Buffer
	if err := c.Paper(&pdf); err != nil {
		return err
	}
	if err := durable.ReplaceFile(out+".json", raw, 0o600); err != nil {
		return err
	}
	return durable.ReplaceFile(out+".pdf", pdf.Bytes(), 0o600)
}

func (a *app) credentialEndCopy() *cobra.Command {
	return &cobra.Command{
		Use:     "end-copy ID...",
		Short:   a.t("提前作废自己制作的加注件", "end copies that one has made before their time"),
		Example: "  mulian credential end-copy 0123456789abcdef0123456789abcdef --as p-0123456789abcdef0123456789abcdef",
		Args:    atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.simple(cmd, &credentialv1.EndCopies{Ids: args})
		},
	}
}

func (a *app) credentialVerifyCopy() *cobra.Command {
	var presenter string
	c := &cobra.Command{
		Use:   "verify-copy FILE|CODE",
		Short: a.t("核验加注件：核验码、接收方、期限、证照状态；有 JSON 文件时连同内容", "check an annotated copy: code, recipient, end, status; with its JSON file what it says, too"),
		Long: a.t(`给出 JSON 文件、核验码（MULIAN:V/…）或拍下二维码的图片。--presenter 是出示它的机构或账户：不是接收方即不通过；不给则不核对，并说明。
核验码在本机换算，服务器只看到记录编号。退出码 0 成立，5 不成立。`,
			`Give the JSON file, the code (MULIAN:V/…) or a picture of it. --presenter is the organisation or account that shows it: another one than its
recipient is refused; without it that is not looked at, and said. The code stays on this machine, the server sees the record's id.
Exit status 0: it holds, 5: it does not.`),
		Example: "  mulian credential verify-copy copy.json --presenter 11110000000025678C\n  mulian credential verify-copy photo.png --presenter 11110000000025678C",
		Args:    exactly(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.verifyCopy(cmd.Context(), args[0], presenter) },
	}
	c.Flags().StringVar(&presenter, "presenter", "", a.t("谁出示：机构代码或账户", "who shows it: organisation or account"))
	return c
}

// readCopy reads what names a copy: a code, a picture of one, or its file (then c is set).
func readCopy(arg string) (p qr.Payload, c *annotated.Copy, err error) {
	if upper := strings.ToUpper(arg); strings.HasPrefix(upper, "MULIAN:") || strings.HasPrefix(upper, "HTTPS://") {
		p, err = annotated.ParseCode(arg)
		return p, nil, err
	}
	if ext := strings.ToLower(filepath.Ext(arg)); ext == ".png" || ext == ".jpg" || ext == ".jpeg" {
		raw, err := readAtMost(arg, maxPicture)
		if err != nil {
			return p, nil, err
		}
		text, err := qr.Read(raw)
		if err != nil {
			return p, nil, fault.Wrap(fault.Malformed, err, "%s", arg)
		}
		p, err = annotated.ParseCode(text)
		return p, nil, err
	}
	raw, err := readAtMost(arg, annotated.MaxFile)
	if err != nil {
		return p, nil, err
	}
	if c, err = annotated.Parse(raw); err != nil {
		return p, nil, err
	}
	p, err = annotated.ParseCode(c.Code)
	return p, c, err
}

func (a *app) verifyCopy(ctx context.Context, arg, presenter string) error {
	p, c, err := readCopy(arg)
	if err != nil {
		return err
	}
	cl, err := a.client()
	if err != nil {
		return err
	}
	record, anchor, now := &credentialv1.AnnotatedCopy{}, &credentialv1.Credential{}, time.Now()
	if err := needObject(ctx, cl, "credential/copy/"+annotated.ID(p.Short), record); err != nil {
		return err
	}
	if err := annotated.CheckCode(record, p, presenter, now.UnixMilli()); err != nil {
		return err
	}
	id := annotated.CredentialOf(p.Short, record)
	if err := needObject(ctx, cl, "credential/item/"+id, anchor); err != nil {
		return err
	}
	if err := annotated.CheckCredential(anchor, now.UnixMilli()); err != nil {
		return err
	}
	v := map[string]any{
		"ok": true, "id": record.GetId(), "maker": record.GetMaker(), "made_ms": record.GetMadeMs(), "expires_ms": record.GetExpiresMs(), "recipient_checked": presenter != "",
		"credential": id, "issuer": anchor.GetIssuer(), "type": anchor.GetType(), "content_checked": c != nil,
	}
	if c != nil {
		var policy sdjwt.Policy
		if err := a.trust(ctx, cl, &policy); err != nil {
			return err
		}
		if _, err := c.Check(ctx, record, anchor, presenter, now, policy.Keys); err != nil {
			return err
		}
		v["cause"], v["fields"], v["holder_signed"] = c.Cause, c.Fields, c.Bound
	}
	return a.print(v, func(w io.Writer) { a.tellCopy(w, record, anchor, c, presenter) })
}

func (a *app) tellCopy(w io.Writer, r *credentialv1.AnnotatedCopy, anchor *credentialv1.Credential, c *annotated.Copy, presenter string) {
	fmt.Fprintf(w, a.t("✓ 加注件 %s 成立，截至 %s\n  证照 %s，签发机构 %s，有效\n  制作者 %s\n", "✓ the copy %s holds, until %s\n  credential of type %s, issued by %s, in force\n  made by %s\n"),
		r.GetId(), day(r.GetExpiresMs()), anchor.GetType(), anchor.GetIssuer(), r.GetMaker())
	if presenter == "" {
		fmt.Fprint(w, a.t("! 没有核对出示人：用 --presenter 指明\n", "! whether it was passed on was not looked at: name who shows it with --presenter\n"))
	}
	if c == nil {
		fmt.Fprint(w, a.t("! 只核对了核验码；字段内容请用 JSON 文件核验\n", "! only the code was checked; what the paper says is checked with its JSON file\n"))
		return
	}
	for _, f := range c.Fields {
		fmt.Fprintf(w, "  %s  %s\n", visible(f.Title+" "+f.Name), visible(f.Value))
	}
}
