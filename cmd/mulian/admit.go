package main

import (
	"context"
	"fmt"
	"io"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/keyring"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

func (a *app) orgApplications() *cobra.Command {
	return &cobra.Command{
		Use: "applications", Short: a.t("等待加入的机构", "organisations that ask to come on board"), Args: exactly(0),
		Example: "  mulian org applications",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			list, err := applications(cmd.Context(), cl)
			if err != nil {
				return err
			}
			rows := [][]string{{a.t("代码", "CODE"), a.t("名称", "NAME"), a.t("根密钥指纹", "ROOT KEY"), a.t("节点", "NODE"), a.t("提交于", "MADE")}}
			out := make([]any, 0, len(list))
			for _, f := range list {
				m := f.application
				rows = append(rows, []string{m.GetCode(), visible(m.GetProfile().GetName()), f.key, visible(m.GetNodeAddress()), day(m.GetMadeMs())})
				out = append(out, map[string]any{"code": m.GetCode(), "name": m.GetProfile().GetName(), "root_key": f.key, "node": m.GetNodeAddress(), "power": m.GetValidator().GetPower(), "made_ms": m.GetMadeMs()})
			}
			return a.print(map[string]any{"applications": out}, func(w io.Writer) { table(w, rows) })
		},
	}
}

// applied is an application with the key that signed it.
type applied struct {
	application *governancev1.Application
	key         string
}

// applications asks the server which wait there, and checks each.
func applications(ctx context.Context, cl *client.Client) ([]applied, error) {
	res, err := cl.Governance.ListApplications(ctx, connect.NewRequest(&governancev1.ListApplicationsRequest{}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	var out []applied
	for _, file := range res.Msg.GetApplications() {
		m, err := client.ParseApplication(file)
		if err != nil {
			return nil, err
		}
		out = append(out, applied{m, file.GetKey()})
	}
	return out, nil
}

func (a *app) orgAdmit() *cobra.Command {
	var key string
	var weight uint32
	c := &cobra.Command{
		Use:   "admit CODE",
		Short: a.t("接纳申请加入的机构：登记并提出表决", "take an applicant on board: register it and propose its admission"),
		Long: a.t(`登记由主管部门的经办密钥签名，接纳的表决用成员的根密钥提出，本成员的一票随即计为赞成；其他成员用 mulian gov vote 表决。
先用 mulian org applications 查看，并以其他途径核对根密钥指纹。`,
			`The registration is signed with the authority's officer key; the admission is proposed with the member's root key, whose own
vote counts as yes at once; the others vote with mulian gov vote. Look at mulian org applications first, and compare the
fingerprint of the root key by another way.`),
		Example: "  mulian org admit 11110000MULN000178 --root-key 9f3c… --as 11110000MULN00076B",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.admit(cmd.Context(), args[0], key, weight)
		},
	}
	c.Flags().StringVar(&key, "root-key", "", a.t("以其他途径核对过的根密钥指纹", "fingerprint that was compared by another way"))
	c.Flags().Uint32Var(&weight, "weight", 1, a.t("表决权数", "votes of the member"))
	return c
}

func (a *app) admit(ctx context.Context, org, key string, weight uint32) error {
	cl, err := a.client()
	if err != nil {
		return err
	}
	list, err := applications(ctx, cl)
	if err != nil {
		return err
	}
	var found []applied
	for _, x := range list {
		if x.application.GetCode() == org && (key == "" || x.key == key) {
			found = append(found, x)
		}
	}
	switch {
	case len(found) > 0 && key == "":
		return fault.Newf(fault.Usage, "%s", a.t("以其他途径核对根密钥指纹，再用 --root-key 给出：谁都可以用别人的代码提出申请", "compare the fingerprint of the root key by another way, and give it with --root-key: anybody can apply under another's code"))
	case len(found) == 0:
		return fault.Newf(fault.NotFound, a.t("没有 %s 的申请在此等候（mulian org applications 列出全部）", "no application of %s waits here (mulian org applications lists them)"), org)
	}
	m := found[0].application
	st, err := cl.Status(ctx)
	if err != nil {
		return err
	}
	if err := client.OfChain(m, st.GetChainId(), st.GetGenesisHash()); err != nil {
		return err
	}
	var acc identityv1.Account
	registered, err := cl.Get(ctx, "identity/account/"+org, &acc)
	if err != nil {
		return err
	}
	if registered && !active(&acc, found[0].key) {
		return fault.Newf(fault.Forbidden, a.t("%s 已用其他密钥登记，这份申请不是它的", "%s is registered with other keys: this application is not its own"), org)
	}
	if !registered {
		officer, err := a.signerOn(ctx, cl, keyring.Officer, keyring.Root)
		if err != nil {
			return err
		}
		if r, err := a.actAs(ctx, cl, officer, &identityv1.RegisterOrg{Code: m.GetCode(), Profile: m.GetProfile(), Keys: m.GetKeys()}); r == nil || err != nil {
			return err
		}
	}
	root, err := a.signerOn(ctx, cl, keyring.Root)
	if err != nil {
		return err
	}
	r, err := a.actAs(ctx, cl, root, &governancev1.Propose{
		Title: fmt.Sprintf("接纳 %s（%s）", m.GetProfile().GetName(), org),
		Change: &governancev1.Change{Kind: &governancev1.Change_Admit{Admit: &governancev1.Admission{
			Member: &governancev1.Member{Org: org, Weight: weight}, Validator: proto.CloneOf(m.GetValidator()),
		}}},
	})
	if err != nil {
		return err
	}
	return a.receipt(r)
}
