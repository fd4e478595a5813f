package main

import (
	"context"
	"crypto/sha256"
	"os"

	"github.com/spf13/cobra"

	"mulian/client"
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
)

// Sizes of the keys of a validator.
const (
	validatorKeyBytes = 32
	sm2KeyBytes       = 65
)

func (a *app) proposeValidator(m *governancev1.Propose) *cobra.Command {
	n := &governancev1.Validator{}
	var sm2 string
	c := &cobra.Command{
		Use: "validator KEY", Args: exactly(1), Short: a.t("增加验证节点，或改变其权重、名称、SM2 密钥；--power 0 移除", "add a validator, or change its power, name or SM2 key; --power 0 removes it"),
		Example: "  mulian gov propose validator 5f0c… --power 10 --org 11110000000010003P --name v5 --as 111100000000300011#root",
		RunE: a.proposeBy(m, func(_ context.Context, _ *client.Client, now *governancev1.GetConsortiumResponse, args []string) (*governancev1.Change, error) {
			var err error
			if n.PublicKey, err = hexKey("KEY", args[0], validatorKeyBytes); err != nil {
				return nil, err
			}
			if sm2 != "" {
				if n.Sm2Key, err = hexKey("--sm2", sm2, sm2KeyBytes); err != nil {
					return nil, err
				}
			}
			for _, was := range now.GetValidators() { // what is not said stays
				if n.Power > 0 && string(was.GetPublicKey()) == string(n.PublicKey) {
					n.Org, n.Name = firstOf(n.Org, was.GetOrg()), firstOf(n.Name, was.GetName())
				}
			}
			return &governancev1.Change{Kind: &governancev1.Change_SetValidator{SetValidator: n}}, nil
		}),
	}
	f := c.Flags()
	f.Uint64Var(&n.Power, "power", 0, a.t("权重；0 移除", "power; 0 removes it"))
	f.StringVar(&n.Org, "org", "", a.t("运行它的成员", "member that runs it"))
	f.StringVar(&n.Name, "name", "", a.t("节点名", "name of the node"))
	f.StringVar(&sm2, "sm2", "", a.t("SM2 公钥，十六进制", "SM2 public key in hex"))
	_ = c.MarkFlagRequired("power")
	return c
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (a *app) proposeRotation(m *governancev1.Propose) *cobra.Command {
	var sm2 string
	c := &cobra.Command{
		Use: "replace-validator-key OLD NEW", Args: exactly(2), Short: a.t("更换验证节点密钥：权重、名称、成员不变，同一区块内新旧交替", "replace a validator's key: power, name and member stay, old and new change in one block"),
		Long: a.t("用新密钥的节点须先作为普通节点跟上链，再表决；表决生效后第二个区块起它投票，旧密钥的节点随即可以停下。",
			"The node with the new key follows the chain first; two blocks after the vote carries it signs, and the node with the old key may stop."),
		Example: "  mulian gov propose replace-validator-key 5f0c… 9a1b… --sm2 04ab… --as 111100000000300011#root",
		RunE: a.proposeBy(m, func(_ context.Context, _ *client.Client, _ *governancev1.GetConsortiumResponse, args []string) (*governancev1.Change, error) {
			r := &governancev1.ValidatorRotation{}
			var err error
			if r.OldKey, err = hexKey("OLD", args[0], validatorKeyBytes); err != nil {
				return nil, err
			}
			if r.NewKey, err = hexKey("NEW", args[1], validatorKeyBytes); err != nil {
				return nil, err
			}
			if sm2 != "" {
				if r.NewSm2Key, err = hexKey("--sm2", sm2, sm2KeyBytes); err != nil {
					return nil, err
				}
			}
			return &governancev1.Change{Kind: &governancev1.Change_ReplaceValidatorKey{ReplaceValidatorKey: r}}, nil
		}),
	}
	c.Flags().StringVar(&sm2, "sm2", "", a.t("新的 SM2 公钥，十六进制；不写则不变", "new SM2 public key in hex; else the old one stays"))
	return c
}

func (a *app) proposeUpgrade(m *governancev1.Propose) *cobra.Command {
	u := &governancev1.Upgrade{}
	var blocks int64
	var notes string
	c := &cobra.Command{
		Use: "upgrade NAME", Args: exactly(1), Short: a.t("自某高度起采用新的规则版本", "put a new protocol into force from a height on"),
		Long: a.t("各成员须在该高度之前装好认识新版本的程序：它在此之前按旧规则工作；到时仍是旧程序的节点会停下，数据不变，换上新程序即从该高度继续。",
			"Members install the program that knows the new protocol before the height: until then it keeps to the old rules. A node with an old program stops there, its data kept, and goes on once the newer one is started."),
		Example: "  mulian gov propose upgrade two --protocol 2 --in 20000 --notes https://example.org/two --as 111100000000300011#root",
		RunE: a.proposeBy(m, func(ctx context.Context, cl *client.Client, _ *governancev1.GetConsortiumResponse, args []string) (*governancev1.Change, error) {
			st, err := cl.Status(ctx)
			if err != nil {
				return nil, err
			}
			switch {
			case (u.Height == 0) == (blocks == 0):
				return nil, fault.Newf(fault.Usage, "%s", a.t("给出 --height 或 --in 之一", "give one of --height and --in"))
			case blocks != 0:
				u.Height = st.GetHeight() + blocks
			}
			if u.Height <= st.GetHeight() {
				return nil, fault.Newf(fault.OutOfRange, a.t("高度 %d 已过，现在是 %d", "height %d is past: the chain is at %d"), u.Height, st.GetHeight())
			}
			if notes != "" {
				raw, err := os.ReadFile(notes)
				if err != nil {
					return nil, fault.Wrap(fault.NotFound, err, "notes")
				}
				sum := sha256.Sum256(raw)
				u.NotesSha256 = sum[:]
			}
			u.Name = args[0]
			return &governancev1.Change{Kind: &governancev1.Change_Upgrade{Upgrade: u}}, nil
		}),
	}
	f := c.Flags()
	f.Int64Var(&u.Height, "height", 0, a.t("生效高度", "height from which it is in force"))
	f.Int64Var(&blocks, "in", 0, a.t("从现在起多少个区块之后", "so many blocks from now"))
	f.Uint32Var(&u.Protocol, "protocol", 0, a.t("规则版本", "protocol"))
	f.StringVar(&u.Notes, "notes", "", a.t("说明在哪里", "where people read what changes"))
	f.StringVar(&notes, "notes-file", "", a.t("说明文件，其 SHA-256 写入提案", "file of the notes, whose SHA-256 is proposed"))
	_ = c.MarkFlagRequired("protocol")
	return c
}

func (a *app) proposeCancel(m *governancev1.Propose) *cobra.Command {
	return &cobra.Command{
		Use: "cancel-upgrade NAME", Args: exactly(1), Short: a.t("取消待生效的升级", "cancel the upgrade that waits"),
		Example: "  mulian gov propose cancel-upgrade two --as 111100000000300011#root",
		RunE: a.proposeBy(m, func(_ context.Context, _ *client.Client, _ *governancev1.GetConsortiumResponse, args []string) (*governancev1.Change, error) {
			return &governancev1.Change{Kind: &governancev1.Change_CancelUpgrade{CancelUpgrade: args[0]}}, nil
		}),
	}
}

func (a *app) proposeSuspension(m *governancev1.Propose, verb string) *cobra.Command {
	s := &governancev1.Suspension{}
	short := map[string]string{
		"suspend":            a.t("紧急停用账户或密钥：较低比例即生效，到期自动结束", "suspend an account or key in an emergency: a smaller share does, and it ends by itself"),
		"confirm-suspension": a.t("确认停用，直至表决解除", "confirm a suspension until a vote lifts it"),
		"lift-suspension":    a.t("解除停用", "lift a suspension"),
	}
	c := &cobra.Command{
		Use: verb + " ACCOUNT", Args: exactly(1), Short: short[verb],
		Example: "  mulian gov propose " + verb + " 11110000000010003P --key 9f3c0123456789ab --as 111100000000300011#root",
		RunE: a.proposeBy(m, func(_ context.Context, _ *client.Client, _ *governancev1.GetConsortiumResponse, args []string) (*governancev1.Change, error) {
			s.Account = args[0]
			switch verb {
			case "suspend":
				return &governancev1.Change{Kind: &governancev1.Change_Suspend{Suspend: s}}, nil
			case "confirm-suspension":
				return &governancev1.Change{Kind: &governancev1.Change_ConfirmSuspension{ConfirmSuspension: s}}, nil
			}
			return &governancev1.Change{Kind: &governancev1.Change_LiftSuspension{LiftSuspension: s}}, nil
		}),
	}
	c.Flags().StringVar(&s.Key, "key", "", a.t("只对这一把密钥（编号）", "only this key, by its id"))
	if verb == "suspend" {
		c.Flags().StringVar(&s.Cause, "cause", "", a.t("原因", "cause"))
		_ = c.MarkFlagRequired("cause")
		c.Example = "  mulian gov propose suspend 11110000000010003P --key 9f3c0123456789ab --cause 密钥失窃 --as 111100000000300011#root"
	}
	return c
}
