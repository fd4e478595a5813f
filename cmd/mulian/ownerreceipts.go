package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	rpc "connectrpc.com/connect"
	"github.com/spf13/cobra"

	"mulian/client"
	"mulian/client/caller"
	"mulian/client/keyring"
	"mulian/gateway"
	"mulian/gateway/consentreceipt"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/sdjwt"
	"mulian/internal/wire"
)

// gatewayWait bounds a call to a gateway, maxGatewayAnswer what is read of its answer.
const (
	gatewayWait      = 30 * time.Second
	maxGatewayAnswer = 16 << 20
)

func (a *app) ownerReceipts() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "receipts [GRANT]",
		Short: a.t("取回授权回执：数源网关对每次授予、使用、撤回签发的凭据", "get the receipts of grants: a provider's signed word on each grant, use and revocation"),
		Long: a.t(`向各数源网关取回本人的回执，逐份验证签名（签发机构的密钥取自账本）。回执只有信息项名称，没有值；--out 把回执存成文件，
可以拿给任何人核验。编号与通知编号一致，缺号可见。`,
			`Asks the providers' gateways for one's receipts, and verifies each signature by the issuer's keys on the ledger. A receipt has names of
items, never a value. --out keeps them as files, which anybody can verify. Their numbers are those of the notifications: gaps are seen.`),
		Example: "  mulian owner receipts --out receipts --as p-0123456789abcdef0123456789abcdef",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.ownersReceipts(cmd.Context(), strings.Join(args, ""), out)
		},
	}
	c.Flags().StringVar(&out, "out", "", a.t("把回执存进这个文件夹", "folder in which the receipts are kept"))
	return c
}

// verifiedReceipt is a receipt whose signature holds.
type verifiedReceipt struct {
	consentreceipt.Kept
	Gateway string       `json:"gateway"`
	Claims  sdjwt.Object `json:"claims"`
}

func (a *app) ownersReceipts(ctx context.Context, grant, out string) error {
	cl, err := a.client()
	if err != nil {
		return err
	}
	signer, err := a.signerOn(ctx, cl, keyring.Machine, keyring.Officer, keyring.Root)
	if err != nil {
		return err
	}
	gateways, err := providersOf(ctx, cl, signer.Account, grant)
	if err != nil {
		return err
	}
	var all []verifiedReceipt
	silent := []string{}
	for _, gw := range gateways {
		got, err := a.receiptsAt(ctx, cl, signer, gw, grant)
		if fault.Is(err, fault.VerificationFailed) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			silent = append(silent, gw)
			a.say(a.t("! %s 没有给出回执：%v", "! %s gave no receipts: %v"), gw, err)
		}
		all = append(all, got...)
	}
	slices.SortFunc(all, func(x, y verifiedReceipt) int { return int(x.Number) - int(y.Number) })
	for _, r := range all {
		if out == "" {
			break
		}
		raw, err := json.Marshal(r.Kept)
		if err != nil {
			return err
		}
		if err := durable.MkdirPrivate(out); err != nil {
			return err
		}
		if err := durable.ReplaceFile(filepath.Join(out, r.ID+".json"), append(raw, '\n'), 0o600); err != nil {
			return err
		}
	}
	v := map[string]any{"ok": len(silent) == 0, "receipts": append([]verifiedReceipt{}, all...), "silent": silent}
	if err := a.print(v, func(w io.Writer) { a.showReceipts(w, all) }); err != nil {
		return err
	}
	if len(silent) > 0 {
		return quietExit(3)
	}
	return nil
}

func (a *app) showReceipts(w io.Writer, all []verifiedReceipt) {
	events := map[string]string{"given": "授予", "used": "使用", "changed": "变更", "revoked": "撤回", "expired": "到期", "deleted": "删除"}
	rows := [][]string{{a.t("编号", "NUMBER"), a.t("授权", "GRANT"), a.t("事项", "EVENT"), a.t("何时", "WHEN"), a.t("由谁签发", "SIGNED BY")}}
	for _, r := range all {
		rows = append(rows, []string{fmt.Sprint(r.Number), r.Grant, a.t(events[r.Event], r.Event), day(r.AtMs), r.Gateway})
	}
	table(w, rows)
}

// providersOf are the gateways that may release under an owner's grants.
func providersOf(ctx context.Context, cl *client.Client, owner, grant string) (out []string, err error) {
	m := &grantv1.ListGrantsRequest{Owner: owner, Limit: 500}
	for {
		res, err := cl.Grant.ListGrants(ctx, rpc.NewRequest(m))
		if err != nil {
			return nil, wire.Fault(err)
		}
		for _, g := range res.Msg.GetGrants() {
			if grant != "" && g.GetId() != grant {
				continue
			}
			out = append(out, g.GetProviders()...)
		}
		if m.After = res.Msg.GetNext(); m.After == "" || len(res.Msg.GetGrants()) == 0 {
			break
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// receiptsAt asks one gateway for all it has, and verifies it. VerificationFailed.
func (a *app) receiptsAt(ctx context.Context, cl *client.Client, s client.Signer, gw, grant string) (out []verifiedReceipt, err error) {
	acc := &identityv1.Account{}
	if err := needObject(ctx, cl, "identity/account/"+gw, acc); err != nil {
		return nil, err
	}
	var policy sdjwt.Policy
	if err := a.trust(ctx, cl, &policy); err != nil {
		return nil, err
	}
	policy.Now, policy.Status = time.Now(), nil
	for ask := (gateway.ReceiptsCall{Grant: grant}); ; {
		var answer gateway.ReceiptsAnswer
		if err := callGateway(ctx, cl, s, acc, "/receipts", gateway.ReceiptsWhat, ask, &answer); err != nil {
			return out, err
		}
		for _, k := range answer.Receipts {
			r, err := verifyReceipt(ctx, k, s.Account, policy)
			if err != nil {
				return nil, err
			}
			r.Gateway = gw
			out = append(out, r)
		}
		if ask.After = answer.Next; ask.After == 0 || len(answer.Receipts) == 0 {
			return out, nil
		}
	}
}

// verifyReceipt holds both twins against the issuer's keys, and against each other.
func verifyReceipt(ctx context.Context, k consentreceipt.Kept, owner string, p sdjwt.Policy) (r verifiedReceipt, err error) {
	r.Kept = k
	for i, text := range []string{k.Outward, k.Inward} {
		v, err := sdjwt.Verify(ctx, text, p)
		if err != nil {
			return r, fault.Newf(fault.VerificationFailed, "receipt %.80s: %v", k.ID, err)
		}
		if v.Claims.Text("receipt_id") != k.ID || v.Claims.Text("event") != k.Event || v.Claims.Text("grant") != k.Grant || k.Owner != owner ||
			v.Signature.Type != consentreceipt.Type(v.Signature.Issuer) {
			return r, fault.Newf(fault.VerificationFailed, "receipt %.80s says something else than the gateway does", k.ID)
		}
		if i == 0 {
			r.Claims = v.Claims
		} else if !r.Claims.Same(v.Claims) {
			return r, fault.Newf(fault.VerificationFailed, "the twins of receipt %.80s differ", k.ID)
		}
	}
	return r, nil
}

// callGateway signs a call to a gateway's own door and reads its answer.
func callGateway(ctx context.Context, cl *client.Client, s client.Signer, gw *identityv1.Account, path, what string, ask, into any) error {
	chain, err := cl.ChainID(ctx)
	if err != nil {
		return err
	}
	raw, err := caller.Sign(s, chain, gw.GetId(), what, ask, time.Now())
	if err != nil {
		return err
	}
	return postDoor(ctx, strings.TrimSuffix(gw.GetGateway().GetUrl(), "/")+path, raw, into)
}
