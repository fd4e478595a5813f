package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	rpc "connectrpc.com/connect"
	"github.com/spf13/cobra"

	"mulian/client"
	"mulian/gateway/issue"
	credentialv1 "mulian/gen/mulian/credential/v1"
	"mulian/internal/fault"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
	"mulian/internal/wire"
)

// sdjwtFile is the form in which a credential is handed over.
func sdjwtFile(made *issue.Issued) ([]byte, error) {
	raw, err := json.MarshalIndent(made, "", "  ")
	return append(raw, '\n'), err
}

// readCredential reads a presentation: the text itself, or a file of credential issue, of which
// it takes the twin that is asked for.
func readCredential(path string, inward bool) (string, error) {
	raw, err := readAtMost(path, 4*sdjwt.MaxText)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(raw))
	if !strings.HasPrefix(text, "{") {
		return text, nil
	}
	var made issue.Issued
	if err := json.Unmarshal(raw, &made); err != nil {
		return "", fault.Wrap(fault.Malformed, err, "%s", path)
	}
	if inward {
		return made.Inward, nil
	}
	return made.Outward, nil
}

func (a *app) credentialList() *cobra.Command {
	var m credentialv1.ListCredentialsRequest
	c := &cobra.Command{
		Use: "list", Short: a.t("列出已锚定的凭证", "list anchored credentials"), Args: exactly(0),
		Example: "  mulian credential list --issuer 11110000000021928B",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Credential.ListCredentials(cmd.Context(), rpc.NewRequest(&m))
			if err != nil {
				return wire.Fault(err)
			}
			return a.printProto(res.Msg)
		},
	}
	c.Flags().StringVar(&m.Issuer, "issuer", "", a.t("签发机构", "issuer"))
	c.Flags().StringVar(&m.Type, "type", "", a.t("凭证类型", "credential type"))
	c.Flags().Uint32Var(&m.Limit, "limit", 50, a.t("最多几条", "at most so many"))
	return c
}

func (a *app) credentialStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status ID", Short: a.t("账本上一份凭证的状态", "the status of a credential on the ledger"), Args: exactly(1),
		Example: "  mulian credential status 0123456789abcdef0123456789abcdef",
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Credential.GetCredential(cmd.Context(), rpc.NewRequest(&credentialv1.GetCredentialRequest{Id: args[0]}))
			if err != nil {
				return wire.Fault(err)
			}
			return a.printProto(res.Msg.GetCredential())
		},
	}
}

// causes by their words on the command line.
var statusCauses = map[string]credentialv1.StatusCause{
	"source": credentialv1.StatusCause_STATUS_CAUSE_SOURCE_CHANGED, "holder": credentialv1.StatusCause_STATUS_CAUSE_HOLDER_ASKED,
	"mistake": credentialv1.StatusCause_STATUS_CAUSE_MISTAKE, "key": credentialv1.StatusCause_STATUS_CAUSE_KEY_LOST,
	"law": credentialv1.StatusCause_STATUS_CAUSE_LAW, "settled": credentialv1.StatusCause_STATUS_CAUSE_SETTLED,
}

func (a *app) credentialSet(verb, zh, en string, to credentialv1.CredentialState) *cobra.Command {
	var cause, note string
	c := &cobra.Command{
		Use: verb + " ID", Short: a.t(zh, en), Args: exactly(1),
		Example: "  mulian credential " + verb + " 0123456789abcdef0123456789abcdef --cause holder --as 11110000000021928B",
		RunE: func(cmd *cobra.Command, args []string) error {
			x, ok := statusCauses[cause]
			if cause != "" && !ok {
				return fault.Newf(fault.Usage, "--cause %q: source holder mistake key law settled", cause)
			}
			return a.simple(cmd, &credentialv1.SetCredentialStatus{Changes: []*credentialv1.StatusChange{{Id: args[0], State: to, Cause: x, Note: note}}})
		},
	}
	c.Flags().StringVar(&cause, "cause", "", a.t("事由：source holder mistake key law settled", "cause: source holder mistake key law settled"))
	c.Flags().StringVar(&note, "note", "", a.t("说明，不得含个人信息", "note, no personal data"))
	return c
}

func (a *app) credentialVerify() *cobra.Command {
	var inward bool
	var nonce, audience string
	var require []string
	c := &cobra.Command{
		Use:   "verify FILE",
		Short: a.t("核验凭证或出示：签名、有效期、持有人、账本上的状态", "verify a credential or presentation: signatures, validity, holder, status on the ledger"),
		Long: a.t("--nonce 和 --audience 要求持有人证明；不给则只核验凭证本身。退出码 0 成立，1 不成立。",
			"--nonce and --audience ask for the holder's proof; without them the credential alone is checked. Exit status 0: it holds."),
		Example: "  mulian credential verify shown.txt --nonce n-0S6 --audience https://verifier.example --require permit_no",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readCredential(args[0], inward)
			if err != nil {
				return err
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			p := sdjwt.Policy{Now: time.Now(), Holder: nonce != "" || audience != "", Request: sdjwt.Request{Nonce: nonce, Audience: audience}}
			for _, r := range require {
				p.Require = append(p.Require, sdjwt.Path{r})
			}
			if err := a.trust(cmd.Context(), cl, &p); err != nil {
				return err
			}
			v, err := sdjwt.Verify(cmd.Context(), text, p)
			if r, refused := err.(*sdjwt.Refusal); refused {
				return fault.Newf(r.Reason.Fault(), "%s: %v", r.Reason, r.Err)
			}
			if err != nil {
				return err
			}
			out := map[string]any{"ok": true, "issuer": v.Signature.Issuer, "type": v.Signature.Type, "algorithm": string(v.Signature.Algorithm), "holder_proved": v.Bound, "claims": v.Claims}
			return a.print(out, func(w io.Writer) {
				fmt.Fprintf(w, "✓ %s  %s\n%s\n", v.Signature.Issuer, v.Signature.Type, sdjwt.AppendJSON(nil, v.Claims))
			})
		},
	}
	c.Flags().BoolVar(&inward, "sm2", false, a.t("文件里有两份孪生凭证时核验 SM2 的一份", "of a file with both twins take the SM2 one"))
	c.Flags().StringVar(&nonce, "nonce", "", a.t("要求持有人证明所用的随机数", "nonce that the holder had to bind to"))
	c.Flags().StringVar(&audience, "audience", "", a.t("核验方自己的标识", "the verifier's own name"))
	c.Flags().StringSliceVar(&require, "require", nil, a.t("必须出示的字段", "fields that have to be shown"))
	return c
}

// trust makes the policy believe the issuers that the ledger knows, and ask the ledger for the
// status.
func (a *app) trust(ctx context.Context, cl *client.Client, p *sdjwt.Policy) error {
	var issuers []*credentialv1.Issuer
	for after := ""; ; {
		res, err := cl.Credential.ListIssuers(ctx, rpc.NewRequest(&credentialv1.ListIssuersRequest{After: after, Limit: 500}))
		if err != nil {
			return wire.Fault(err)
		}
		issuers = append(issuers, res.Msg.GetIssuers()...)
		if after = res.Msg.GetNext(); after == "" {
			break
		}
	}
	var known *credentialv1.Issuer
	p.Keys = func(s sdjwt.Signature) (key sm.PublicKey, err error) {
		i := slices.IndexFunc(issuers, func(i *credentialv1.Issuer) bool { return i.GetUrl() == s.Issuer })
		if i < 0 {
			return key, fault.Newf(fault.IssuerNotAuthorised, "no issuer on the ledger has the URL %.100q", s.Issuer)
		}
		var keys []issue.Key
		if known, keys, err = issue.Keys(ctx, cl.Get, issuers[i].GetOrg()); err != nil {
			return key, err
		}
		return issue.Trust(known, keys)(s)
	}
	p.Status = func(ctx context.Context, at sdjwt.StatusAt) (sdjwt.Status, error) {
		return issue.StatusOf(ctx, cl.Get, known, at)
	}
	return nil
}

func (a *app) credentialShow() *cobra.Command {
	var inward bool
	c := &cobra.Command{
		Use:     "show FILE",
		Short:   a.t("显示凭证内容，不核验", "show what a credential says, without verifying it"),
		Example: "  mulian credential show permit.json",
		Args:    exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := readCredential(args[0], inward)
			if err != nil {
				return err
			}
			t, err := sdjwt.Parse(text)
			if err != nil {
				return fault.Wrap(fault.Malformed, err, "%s", args[0])
			}
			claims, shown, err := t.Expand()
			if err != nil {
				return fault.Wrap(fault.Malformed, err, "%s", args[0])
			}
			v := map[string]any{"header": t.Issuer.Header, "claims": claims, "disclosures": len(shown), "bound": t.Binding != "", "verified": false}
			return a.print(v, func(w io.Writer) {
				fmt.Fprintf(w, "%s\n%s\n", sdjwt.AppendJSON(nil, t.Issuer.Header), sdjwt.AppendJSON(nil, claims))
			})
		},
	}
	c.Flags().BoolVar(&inward, "sm2", false, a.t("文件里有两份孪生凭证时显示 SM2 的一份", "of a file with both twins take the SM2 one"))
	return c
}
