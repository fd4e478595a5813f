package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"mulian/client/wallet"
	grantv1 "mulian/gen/mulian/grant/v1"
	"mulian/internal/dcql"
	"mulian/internal/fault"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
	"mulian/safebox/owner"
)

// receive takes an offer and puts the credential into the box. The box is looked at first:
// an offer is good once.
func (s *scanning) receive(ctx context.Context, link string) error {
	b, err := s.box(ctx)
	if err != nil {
		return err
	}
	v, err := b.Vault(ctx, b.Account)
	if err != nil {
		return err
	}
	if len(v.GetUnlockers()) < 2 {
		return fault.Newf(fault.UnlockersShort, "%s", s.t("保险箱只有一种打开方式，先增加一种：mulian box unlockers add code；要约还没有用掉", "the box opens in one kind of way: add another first (mulian box unlockers add code); the offer is not spent"))
	}
	w := s.wallet()
	o, err := w.Offer(ctx, link)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.err, s.t("%s（%s）要发给你：%s\n", "%s (%s) offers you: %s\n"), shown(o.Name), shown(o.Issuer), shown(strings.Join(o.Configurations, ", ")))
	if err := s.agreed(s.t("领取并存入保险箱？[y/N] ", "take it and put it into the box? [y/N] ")); err != nil {
		return err
	}
	if s.dryRun {
		return nil
	}
	code := s.txCode
	if o.Digits > 0 && code == "" {
		if code, err = s.ask(s.t("取件码：", "code: "), s.t("取件码：--code（签发方告诉你的）", "the code: --code (as the issuer told you)"), false); err != nil {
			return err
		}
	}
	key, err := sm.Generate(sm.P256)
	if err != nil {
		return err
	}
	got, accepted, err := w.Accept(ctx, o, code, []sdjwt.Signer{key})
	if err != nil {
		return err
	}
	ids, err := s.keepAll(ctx, b, o, got, key)
	event := wallet.Accepted
	if err != nil {
		event = wallet.Failure
	}
	if terr := w.Tell(ctx, accepted, event); terr != nil {
		s.say(s.t("签发方没有得到回执：%v", "the issuer could not be told: %v"), terr)
	}
	if err != nil {
		return err
	}
	return s.print(map[string]any{"ok": true, "issuer": o.Issuer, "items": ids}, func(out io.Writer) {
		for i, id := range ids {
			fmt.Fprintf(out, "%s  %s\n", id, shown(got[i].Type))
		}
	})
}

func (s *scanning) keepAll(ctx context.Context, b *owner.Box, o *wallet.Offered, got []wallet.Received, key sm.PrivateKey) (ids []string, err error) {
	for _, r := range got {
		raw, err := owner.KeepCredential(r, key, o.Issuer)
		if err != nil {
			return ids, err
		}
		title := r.Configuration
		if o.Name != "" {
			title = o.Name + " " + title
		}
		id, err := b.Put(ctx, owner.Content{Title: cutTo(title, 100), Schema: owner.CredentialSchema, MediaType: owner.CredentialType, Open: owner.Bytes(raw)})
		if err != nil {
			return ids, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func cutTo(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most])
	}
	return text
}

// answer shows what a request asks and what would be shown, and shows it if its owner says so.
func (s *scanning) answer(ctx context.Context, link string) error {
	o, err := s.open(ctx)
	if err != nil {
		return err
	}
	w := s.wallet()
	r, err := w.Resolve(ctx, link)
	if err != nil {
		return err
	}
	if err := s.grants(ctx, o, r); err != nil {
		return err
	}
	held, titles, err := credentials(ctx, o)
	if err != nil {
		return err
	}
	choices, err := r.Choose(held)
	if err != nil && !errors.Is(err, dcql.ErrNone) {
		return err
	}
	none := err != nil
	fmt.Fprintf(s.err, s.t("%s 要看：\n", "%s wants to see:\n"), shown(r.Name))
	disclosed, err := s.disclosures(held, titles, choices)
	if err != nil {
		return err
	}
	if none {
		fmt.Fprintln(s.err, s.t("  保险箱里没有合适的凭证", "  no credential in the box fits"))
	}
	if s.dryRun {
		return nil
	}
	if none || s.refuse {
		return s.declined(ctx, w, r, none)
	}
	if err := s.agreed(s.t("出示这些，不多也不少？[y/N] ", "show these, no more and no less? [y/N] ")); err != nil {
		if fault.Is(err, fault.Cancelled) {
			return s.declined(ctx, w, r, false)
		}
		return err
	}
	back, err := w.Answer(ctx, r, held, choices)
	if err != nil {
		return err
	}
	return s.print(map[string]any{"ok": true, "verifier": r.Name, "shown": disclosed, "return": back}, func(out io.Writer) {
		fmt.Fprintln(out, s.t("✓ 已出示", "✓ shown"))
		if back != "" {
			fmt.Fprintf(out, s.t("  回到：%s\n", "  go back to: %s\n"), shown(back))
		}
	})
}

func (s *scanning) declined(ctx context.Context, w *wallet.Wallet, r *wallet.Request, none bool) error {
	if _, err := w.Decline(ctx, r); err != nil {
		return err
	}
	if err := s.print(map[string]any{"ok": false, "declined": true, "none": none}, func(out io.Writer) {
		fmt.Fprintln(out, s.t("没有出示；对方只知道没有答复", "nothing was shown; the asker learns only that it was not answered"))
	}); err != nil {
		return err
	}
	return quietExit(1)
}

// grants holds what the holder's key signs along against the ledger: grants of this owner,
// for that request.
func (s *scanning) grants(ctx context.Context, o *owner.Opened, r *wallet.Request) error {
	for _, td := range r.Transactions {
		g := &grantv1.Grant{}
		ok, err := o.Chain.Get(ctx, "grant/grant/"+td.Grant, g)
		if err != nil {
			return err
		}
		if !ok {
			return fault.Newf(fault.TransactionInvalid, s.t("请求所依据的授权 %.40s 账本上没有：先看请求并同意（mulian grant requests --owner %s）", "the grant %.40s on which the request rests is not on the ledger: agree to it first (mulian grant requests --owner %s)"), td.Grant, o.Account)
		}
		hash, err := hex.DecodeString(td.Request)
		if err != nil {
			if hash, err = base64.RawURLEncoding.DecodeString(td.Request); err != nil {
				return fault.Newf(fault.TransactionInvalid, "the hash of the data request")
			}
		}
		if g.GetOwner() != o.Account || !bytes.Equal(hash, g.GetRequestHash()) {
			return fault.Newf(fault.TransactionInvalid, s.t("授权 %.40s 不是你给的，或不是这个请求的", "the grant %.40s is not yours, or is for another request"), td.Grant)
		}
		fmt.Fprintf(s.err, s.t("依据你的授权 %s（给 %s，%s）\n", "under your grant %s (to %s, %s)\n"), g.GetId(), g.GetGrantee(), s.word(g.GetState()))
	}
	return nil
}

// credentials are those of the box, with their titles.
func credentials(ctx context.Context, o *owner.Opened) (held []wallet.Held, titles []string, err error) {
	items, err := o.Items(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, it := range items {
		if it.Card.GetMediaType() != owner.CredentialType || it.Card.GetCopy() != nil {
			continue
		}
		raw, err := o.All(ctx, it)
		if err != nil {
			return nil, nil, err
		}
		h, err := owner.ReadCredential(raw)
		if err != nil {
			return nil, nil, err
		}
		held, titles = append(held, h), append(titles, it.Card.GetTitle())
	}
	return held, titles, nil
}

// disclosures shows which fields, with their values, the choices would show.
func (s *scanning) disclosures(held []wallet.Held, titles []string, choices []dcql.Choice) ([]map[string]any, error) {
	out := []map[string]any{}
	for _, c := range choices {
		t, err := sdjwt.Parse(held[c.Held].Text)
		if err != nil {
			return nil, fault.Wrap(fault.Damaged, err, "a credential in the box")
		}
		claims, _, err := t.Expand()
		if err != nil {
			return nil, fault.Wrap(fault.Damaged, err, "a credential in the box")
		}
		fmt.Fprintf(s.err, "  %s\n", shown(titles[c.Held]))
		var fields []string
		for _, p := range c.Paths {
			fields = append(fields, pathText(p))
			for _, v := range p.At(claims) {
				fmt.Fprintf(s.err, "    %s: %s\n", shown(pathText(p)), shown(valueText(v)))
			}
		}
		if len(c.Paths) == 0 {
			fmt.Fprintln(s.err, s.t("    只出示持有，不出示任何字段", "    that you hold it, and no field"))
		}
		out = append(out, map[string]any{"credential": titles[c.Held], "fields": fields})
	}
	return out, nil
}

// pathText writes a path as people read it: address.city.
func pathText(p sdjwt.Path) string {
	var out []string
	for _, step := range p {
		if step == nil {
			step = "*"
		}
		out = append(out, fmt.Sprint(step))
	}
	return strings.Join(out, ".")
}

func valueText(v any) string {
	if text, ok := v.(string); ok {
		return text
	}
	return string(sdjwt.AppendJSON(nil, v))
}
