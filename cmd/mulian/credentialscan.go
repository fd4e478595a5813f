package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mulian/client"
	"mulian/client/caller"
	"mulian/client/keyring"
	"mulian/gateway"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/qr"
	"mulian/internal/sdjwt"
)

func (a *app) credentialShowCode() *cobra.Command {
	var gw string
	var fields []string
	c := &cobra.Command{
		Use:   "show-code FILE",
		Short: a.t("亮证：出示选定字段的一次性二维码，60 秒有效", "show a licence: a one-time code for chosen fields, good for 60 seconds"),
		Long: a.t(`持有人的凭证密钥当场签名，出示内容放在网关；二维码里没有数据，只有登记过的核验方登录后才能取到，且只能取一次。`,
			`The holder's key signs at once, and what is shown lies at the gateway. There is no data in the code: only a registered verifier gets it, after
he has logged in, once.`),
		Example: "  mulian credential show-code permit.json --fields permit_no --gateway 11110000000021928B/g/main --as p-0123456789abcdef0123456789abcdef",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readCredential(args[0], false)
			if err != nil {
				return err
			}
			return a.showCode(cmd.Context(), text, gw, fields)
		},
	}
	c.Flags().StringVar(&gw, "gateway", "", a.t("在哪个网关出示", "gateway at which it is shown"))
	c.Flags().StringSliceVar(&fields, "fields", nil, a.t("出示哪些字段", "fields that are shown"))
	_, _ = c.MarkFlagRequired("gateway"), c.MarkFlagRequired("fields")
	return c
}

func (a *app) showCode(ctx context.Context, text, gw string, fields []string) error {
	cl, err := a.client()
	if err != nil {
		return err
	}
	door, err := doorOf(ctx, cl, gw)
	if err != nil {
		return err
	}
	account, _, _ := strings.Cut(a.as, "#")
	key, err := a.keys().Key(account, keyring.Holder)
	if err != nil {
		return err
	}
	t, err := sdjwt.Parse(text)
	if err != nil {
		return fault.Wrap(fault.Malformed, err, "the credential")
	}
	var paths []sdjwt.Path
	for _, f := range fields {
		paths = append(paths, sdjwt.Path{f})
	}
	shown, err := t.PresentOnly(paths...)
	if err != nil {
		return fault.Wrap(fault.Malformed, err, "the credential")
	}
	var nonce struct {
		Nonce    string `json:"nonce"`
		Audience string `json:"audience"`
	}
	if err := postDoor(ctx, door+"/S/nonce", []byte("{}"), &nonce); err != nil {
		return err
	}
	if shown, err = sdjwt.Bind(shown, sdjwt.Request{Audience: nonce.Audience, Nonce: nonce.Nonce}, key, time.Now()); err != nil {
		return fault.Wrap(fault.HolderProofBad, err, "bind what is shown")
	}
	raw, err := json.Marshal(map[string]string{"presentation": shown, "nonce": nonce.Nonce})
	if err != nil {
		return err
	}
	var opened struct {
		Code    string `json:"code"`
		Session string `json:"session"`
		Expires string `json:"expires"`
	}
	if err := postDoor(ctx, door+"/S", raw, &opened); err != nil {
		return err
	}
	v := map[string]any{"ok": true, "code": opened.Code, "expires": opened.Expires}
	return a.print(v, func(w io.Writer) {
		if c, err := qr.Draw(opened.Code); err == nil {
			fmt.Fprint(w, c.Terminal())
		}
		fmt.Fprintf(w, a.t("%s\n60 秒内出示，只能用一次\n", "%s\nshow it within 60 seconds; it is good once\n"), opened.Code)
	})
}

func (a *app) credentialScan() *cobra.Command {
	var gw, use string
	c := &cobra.Command{
		Use:   "scan CODE|PICTURE",
		Short: a.t("核验亮证二维码（登记过的核验方）", "look at a licence that is shown by a code (registered verifier)"),
		Long: a.t("以机构密钥登录并指明自己登记的使用（mulian grant use）；内容只给一次，随即核验签名、持有人和账本上的状态。",
			"Logs in with the organisation's key and names a use that it has registered (mulian grant use); the content is given once, and its signatures,\nholder and status on the ledger are checked at once."),
		Example: "  mulian credential scan MULIAN:S/0123456789ABCDEFGHJKMNPQRS --gateway 11110000000021928B/g/main --use 11110000000025678C:window --as 11110000000025678C",
		Args:    exactly(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.scan(cmd.Context(), args[0], gw, use) },
	}
	c.Flags().StringVar(&gw, "gateway", "", a.t("在哪个网关出示", "gateway at which it is shown"))
	c.Flags().StringVar(&use, "use", "", a.t("本机构登记的使用", "use that the organisation has registered"))
	_, _ = c.MarkFlagRequired("gateway"), c.MarkFlagRequired("use")
	return c
}

func (a *app) scan(ctx context.Context, arg, gw, use string) error {
	code, err := shownCode(arg)
	if err != nil {
		return err
	}
	cl, err := a.client()
	if err != nil {
		return err
	}
	door, err := doorOf(ctx, cl, gw)
	if err != nil {
		return err
	}
	signer, err := a.signerOn(ctx, cl, keyring.Machine, keyring.Officer, keyring.Root)
	if err != nil {
		return err
	}
	chain, err := cl.ChainID(ctx)
	if err != nil {
		return err
	}
	raw, err := caller.Sign(signer, chain, gw, gateway.ShowWhat, gateway.ShowCall{Use: use}, time.Now())
	if err != nil {
		return err
	}
	var shown struct {
		Presentation string `json:"presentation"`
		Audience     string `json:"audience"`
	}
	if err := postDoor(ctx, door+"/S/"+strings.TrimPrefix(code.String(), "MULIAN:S/"), raw, &shown); err != nil {
		return err
	}
	t, err := sdjwt.Parse(shown.Presentation)
	if err != nil {
		return fault.Wrap(fault.Malformed, err, "what is shown")
	}
	binding, err := sdjwt.ParseJWS(t.Binding)
	if err != nil {
		return fault.Wrap(fault.KeyBindingMissing, err, "what is shown")
	}
	// The nonce was the gateway's; that it was fresh is its word, that it is bound to now is checked here.
	p := sdjwt.Policy{Now: time.Now(), Holder: true, Request: sdjwt.Request{Audience: shown.Audience, Nonce: binding.Payload.Text("nonce")}}
	if err := a.trust(ctx, cl, &p); err != nil {
		return err
	}
	v, err := sdjwt.Verify(ctx, shown.Presentation, p)
	if r, refused := err.(*sdjwt.Refusal); refused { //nolint:errorlint // Verify returns it as it is
		return fault.Newf(r.Reason.Fault(), "%s: %v", r.Reason, r.Err)
	}
	if err != nil {
		return err
	}
	out := map[string]any{"ok": true, "issuer": v.Signature.Issuer, "type": v.Signature.Type, "claims": v.Claims, "holder_proved": v.Bound}
	return a.print(out, func(w io.Writer) {
		fmt.Fprintf(w, "✓ %s  %s\n%s\n", v.Signature.Issuer, v.Signature.Type, sdjwt.AppendJSON(nil, v.Claims))
	})
}

// shownCode reads a code to show, or a picture of one.
func shownCode(arg string) (qr.Payload, error) {
	text := arg
	if !strings.HasPrefix(strings.ToUpper(arg), "MULIAN:") {
		raw, err := readAtMost(arg, maxPicture)
		if err != nil {
			return qr.Payload{}, err
		}
		if text, err = qr.Read(raw); err != nil {
			return qr.Payload{}, fault.Wrap(fault.Malformed, err, "%s", arg)
		}
	}
	p, err := qr.Parse(strings.ToUpper(strings.TrimSpace(text)))
	if err != nil || p.Kind != qr.Show {
		return p, fault.Newf(fault.Malformed, "not the code of a licence that is shown: MULIAN:S/<26 letters>")
	}
	return p, nil
}

// doorOf is the address of a gateway's door.
func doorOf(ctx context.Context, cl *client.Client, gw string) (string, error) {
	acc := &identityv1.Account{}
	if err := needObject(ctx, cl, "identity/account/"+gw, acc); err != nil {
		return "", err
	}
	return strings.TrimSuffix(acc.GetGateway().GetUrl(), "/"), nil
}

// postDoor is a call to the door for wallets, which refuses with a code and a sentence.
func postDoor(ctx context.Context, to string, raw []byte, into any) error {
	ctx, cancel := context.WithTimeout(ctx, gatewayWait)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(raw))
	if err != nil {
		return fault.Wrap(fault.Malformed, err, "%.200q is no address", to)
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return fault.Wrap(fault.Unreachable, err, "the gateway")
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxGatewayAnswer))
	if err != nil {
		return fault.Wrap(fault.Unreachable, err, "the gateway")
	}
	if res.StatusCode != http.StatusOK {
		var no struct {
			Code string `json:"error"`
			Text string `json:"error_description"`
		}
		var code uint32
		if json.Unmarshal(body, &no) != nil || scanCode(no.Code, &code) != nil {
			return fault.Newf(fault.Unreachable, "the gateway answers with status %d", res.StatusCode)
		}
		return fault.Newf(fault.Code(code), "%.300s", no.Text)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fault.Wrap(fault.Malformed, err, "the gateway's answer")
	}
	return nil
}

// scanCode reads MUL-13018.
func scanCode(text string, code *uint32) error {
	_, err := fmt.Sscanf(text, "MUL-%d", code)
	return err
}
