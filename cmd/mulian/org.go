package main

import (
	"context"
	"io"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"mulian/client"
	"mulian/client/keyring"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/code"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

func (a *app) orgCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "org",
		Aliases: []string{"机构"},
		Short:   a.t("机构：登记、查看、停用", "organisations: register, show, suspend"),
		Example: "  mulian org list\n  mulian org register 11110000000021928B --name 北京市规划委员会 --as 111100000000300011",
	}
	c.AddCommand(a.orgRegister(), a.orgUnit(), a.orgList(), a.orgShow(), a.orgSuspend(), a.orgResume(), a.orgApplications(), a.orgAdmit())
	return c
}

// orgRegister makes the organisation's two keys here and registers it. The keys
// are made first; if the chain refuses, a later try finds and uses them.
func (a *app) orgRegister() *cobra.Command {
	p := &identityv1.OrgProfile{Level: identityv1.OrgLevel_ORG_LEVEL_CITY}
	c := &cobra.Command{
		Use:     "register CODE",
		Short:   a.t("登记机构（由主管部门签名），在本机生成其密钥", "register an organisation (signed by the authority); makes its keys here"),
		Example: "  mulian org register 11110000000021928B --name 北京市规划委员会 --region 110000 --as 111100000000300011",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := code.CheckUSCC(args[0]); err != nil { // before any key is made, and before anything is signed
				return fault.Wrap(fault.CodeInconsistent, err, "%.40s", args[0])
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			authority, err := a.signerOn(cmd.Context(), cl, keyring.Officer, keyring.Root)
			if err != nil {
				return err // before any key is made
			}
			keys, err := a.orgKeys(args[0])
			if err != nil {
				return err
			}
			r, err := a.actAs(cmd.Context(), cl, authority, &identityv1.RegisterOrg{Code: args[0], Profile: p, Keys: keys})
			if err != nil {
				return err
			}
			if r != nil {
				a.say(a.t("下一步：mulian catalogue import FILE --dry-run，然后去掉 --dry-run", "next: mulian catalogue import FILE --dry-run, and then without --dry-run"))
			}
			return a.receipt(r)
		},
	}
	f := c.Flags()
	f.StringVar(&p.Name, "name", "", a.t("全称", "full name"))
	f.StringVar(&p.ShortName, "short-name", "", a.t("简称", "short name"))
	f.StringVar(&p.NameEn, "name-en", "", a.t("英文名", "English name"))
	f.StringVar(&p.Region, "region", "110000", a.t("行政区划代码", "region code"))
	f.StringVar(&p.Parent, "parent", "", a.t("上级机构", "organisation above"))
	f.StringVar(&p.SharingOffice, "office", "", a.t("数据共享工作机构", "sharing office"))
	_ = c.MarkFlagRequired("name")
	return c
}

func (a *app) orgUnit() *cobra.Command {
	var name, parent string
	var post bool
	c := &cobra.Command{
		Use:     "unit LOCAL_ID",
		Short:   a.t("在本机构新设内设部门或岗位", "add a department or a post to the own organisation"),
		Example: "  mulian org unit sharing-officer --post --name 数据共享专员 --parent sharing --as 11110000000021928B#root",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kind := identityv1.AccountKind_ACCOUNT_KIND_DEPARTMENT
			if post {
				kind = identityv1.AccountKind_ACCOUNT_KIND_POST
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			s, err := a.signerOn(cmd.Context(), cl, keyring.Root, keyring.Officer)
			if err != nil {
				return err
			}
			m := &identityv1.RegisterUnit{Kind: kind, LocalId: args[0], Name: name, Parent: parent}
			if post {
				key, err := a.keyFor(s.Account+"/p/"+args[0], keyring.Officer)
				if err != nil {
					return err
				}
				m.Keys = []*identityv1.Key{client.PublicKey(key.Public(), identityv1.KeyLevel_KEY_LEVEL_OFFICER, keyring.Officer)}
			}
			r, err := a.actAs(cmd.Context(), cl, s, m)
			if err != nil {
				return err
			}
			return a.receipt(r)
		},
	}
	c.Flags().StringVar(&name, "name", "", a.t("名称", "name"))
	c.Flags().StringVar(&parent, "parent", "", a.t("所属内设部门的本地编号", "local id of the department above"))
	c.Flags().BoolVar(&post, "post", false, a.t("岗位，并在本机生成其密钥", "a post; makes its key here"))
	_ = c.MarkFlagRequired("name")
	return c
}

func (a *app) orgList() *cobra.Command {
	var text string
	c := &cobra.Command{
		Use:     "list",
		Short:   a.t("列出机构", "list organisations"),
		Example: "  mulian org list --search 水务",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Identity.ListAccounts(cmd.Context(), connect.NewRequest(&identityv1.ListAccountsRequest{Kind: identityv1.AccountKind_ACCOUNT_KIND_ORG, Text: text, Limit: 500}))
			if err != nil {
				return wire.Fault(err)
			}
			rows := [][]string{{a.t("代码", "CODE"), a.t("名称", "NAME"), a.t("状态", "STATE"), a.t("密钥", "KEYS")}}
			for _, acc := range res.Msg.GetAccounts() {
				rows = append(rows, []string{acc.GetId(), acc.GetProfile().GetName(), a.word(acc.GetState()), itoa(len(acc.GetKeys()))})
			}
			return a.print(res.Msg, func(w io.Writer) { table(w, rows) })
		},
	}
	c.Flags().StringVar(&text, "search", "", a.t("按名称查找", "find by name"))
	return c
}

func (a *app) orgShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show ACCOUNT",
		Short:   a.t("查看一个账户及其密钥", "show an account with its keys"),
		Example: "  mulian org show 11110000000021928B",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			acc := &identityv1.Account{}
			ok, err := cl.Get(cmd.Context(), "identity/account/"+args[0], acc)
			if err != nil {
				return err
			}
			if !ok {
				return fault.Newf(fault.NotFound, "account %s: there is none", args[0])
			}
			return a.print(acc, func(w io.Writer) {
				rows := [][]string{
					{a.t("账户", "account"), acc.GetId()},
					{a.t("名称", "name"), acc.GetProfile().GetName() + acc.GetName()},
					{a.t("状态", "state"), a.word(acc.GetState()) + " " + acc.GetSuspendedCause()},
				}
				if g := acc.GetGateway(); g != nil {
					rows = append(rows, []string{a.t("地址", "url"), g.GetUrl()}, []string{a.t("日志", "log"), g.GetLogOrigin()})
				}
				for _, k := range acc.GetKeys() {
					rows = append(rows, []string{a.t("密钥", "key"), k.GetId() + "  " + a.word(k.GetAlgorithm()) + "  " + a.word(k.GetLevel()) + "  " + a.word(k.GetState())})
				}
				table(w, rows)
			})
		},
	}
}

func (a *app) orgSuspend() *cobra.Command {
	var cause string
	c := &cobra.Command{
		Use: "suspend ACCOUNT", Short: a.t("停用账户", "suspend an account"), Args: exactly(1),
		Example: "  mulian org suspend 11110000000021928B/g/main --cause 密钥疑似泄露 --as 111100000000300011",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.simple(cmd, &identityv1.SuspendAccount{Account: args[0], Cause: cause})
		},
	}
	c.Flags().StringVar(&cause, "cause", "", a.t("原因", "why"))
	_ = c.MarkFlagRequired("cause")
	return c
}

func (a *app) orgResume() *cobra.Command {
	return &cobra.Command{
		Use: "resume ACCOUNT", Short: a.t("恢复账户", "resume an account"), Args: exactly(1),
		Example: "  mulian org resume 11110000000021928B/g/main --as 111100000000300011",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.simple(cmd, &identityv1.ResumeAccount{Account: args[0]})
		},
	}
}

// gatewaysOf lists an organisation's gateways.
func (a *app) gatewaysOf(ctx context.Context, cl *client.Client, org string) ([]*identityv1.Account, error) {
	res, err := cl.Identity.ListAccounts(ctx, connect.NewRequest(&identityv1.ListAccountsRequest{Kind: identityv1.AccountKind_ACCOUNT_KIND_GATEWAY, Org: org, Limit: 100}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	return res.Msg.GetAccounts(), nil
}
