package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/foreign"
	"mulian/client/keyring"
	foreignv1 "mulian/gen/mulian/foreign/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
)

func (a *app) foreignCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "foreign",
		Aliases: []string{"对端链"},
		Short:   a.t("对端链：信任另一联盟的链，跟进其区块头，采信其证明", "foreign chains: trust another consortium's chain, follow its headers, accept its proofs"),
		Long: a.t(`两个联盟各有各的链。成员表决登记对方链的信任根；此后任何账户都可以把对方的区块头和证明带到本链，每个验证节点自行
按轻客户端规则核对。对方若对同一高度签出两个不同的区块头，任何人出示即冻结，只有再次表决才能解冻。`,
			`Two consortia have a chain each. The members vote on a trust root of the other chain; from then on any account brings its
headers and proofs, and every validator here checks them by the light client's rules. Two headers of one height, each signed by
the other consortium, freeze it as soon as anybody shows them; only another vote thaws it.`),
		Example: `  mulian foreign register http://node.neighbour.example:8080 --genesis 9f3c… --name 邻市 --as 111100000000300011#root
  mulian foreign accept catalogue/entry/11110000000021928B:1 --from http://node.neighbour.example:8080 --open --as 11110000000021928B`,
	}
	c.AddCommand(a.foreignRoot(register), a.foreignRoot(replace), a.foreignRoot(thaw), a.foreignRemove(), a.foreignList(), a.foreignShow(),
		a.foreignFollow(), a.foreignProve(), a.foreignAccept(), a.foreignFreeze())
	return c
}

// rootVote is one of the votes on a trust root.
type rootVote struct {
	verb, zh, en string // of the command
	title        string // of the proposal
	change       func(*foreignv1.TrustRoot) *governancev1.Change
}

var (
	register = rootVote{"register", "提出登记另一联盟的链", "propose to trust another consortium's chain", "登记对端链", func(r *foreignv1.TrustRoot) *governancev1.Change {
		return &governancev1.Change{Kind: &governancev1.Change_RegisterForeignChain{RegisterForeignChain: r}}
	}}
	replace = rootVote{"replace", "提出更换对端链的信任根或条件", "propose another root, or other terms, for a chain that is followed", "更换对端链信任根", func(r *foreignv1.TrustRoot) *governancev1.Change {
		return &governancev1.Change{Kind: &governancev1.Change_ReplaceForeignRoot{ReplaceForeignRoot: r}}
	}}
	thaw = rootVote{"thaw", "提出以新的信任根解冻对端链", "propose to thaw a chain that is frozen, with another root", "解冻对端链", func(r *foreignv1.TrustRoot) *governancev1.Change {
		return &governancev1.Change{Kind: &governancev1.Change_ThawForeignChain{ThawForeignChain: r}}
	}}
)

func (a *app) foreignRoot(v rootVote) *cobra.Command {
	var genesis, level, title string
	var days uint32
	var drift time.Duration
	var t foreign.Terms
	c := &cobra.Command{
		Use:   v.verb + " URL",
		Short: a.t(v.zh, v.en),
		Long: a.t(`从对方的服务器取最新区块，由创世哈希逐步证明，再以它为信任根提出表决（成员的根密钥；本成员的一票计为赞成）。
创世哈希必须以其他途径从对方联盟取得：服务器说的不算。其他成员表决前各自运行一次 --dry-run，比对创世哈希即可。`,
			`Takes the newest block of the other chain from a server, proves it from the genesis' hash, and proposes it as the root (with a
member's root key, whose own vote counts as yes). Get the hash from the other consortium by another way: the server's word is none.
Members who vote compare the genesis' hash, and may prove the same with --dry-run.`),
		Example: fmt.Sprintf("  mulian foreign %s http://node.neighbour.example:8080 --genesis 9f3c… --name 邻市 --as 111100000000300011#root", v.verb),
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			hash, err := hex.DecodeString(genesis)
			if err != nil || len(hash) != 32 {
				return fault.Newf(fault.Usage, "%s", a.t("--genesis：对方创世的 SHA-256，64 位十六进制，以其他途径取得", "--genesis: the SHA-256 of the other genesis, 64 hexadecimal digits, from another source"))
			}
			if t.Level, err = trustLevel(level); err != nil {
				return err
			}
			if days == 0 || days > 366 || drift < time.Second || drift > time.Hour {
				return fault.Newf(fault.Usage, "--max-age-days 1-366, --max-drift 1s-1h")
			}
			t.MaxAge, t.MaxDrift = time.Duration(days)*24*time.Hour, drift
			r, err := foreign.Root(cmd.Context(), serverAt(args[0]), [32]byte(hash), t)
			if err != nil {
				return err
			}
			s, err := a.signerOn(cmd.Context(), cl, keyring.Root)
			if err != nil {
				return err
			}
			receipt, err := a.actAs(cmd.Context(), cl, s, &governancev1.Propose{Title: title + " " + r.GetChainId(), Change: v.change(r)})
			if err != nil {
				return err
			}
			return a.receipt(receipt)
		},
	}
	p := c.Flags()
	p.StringVar(&genesis, "genesis", "", a.t("对方创世的哈希，以其他途径取得", "hash of the other genesis, from another source"))
	p.StringVar(&t.Name, "name", "", a.t("便于人看的名称", "a name for people"))
	p.StringVar(&level, "level", "1/3", a.t("跳过区块时须有多少已信任的投票权签名：1/3 或 2/3", "how much of the trusted power signs a header that is not the next: 1/3 or 2/3"))
	p.Uint32Var(&days, "max-age-days", 90, a.t("多少天前的区块头不再采信", "headers older than so many days prove nothing"))
	p.DurationVar(&drift, "max-drift", 30*time.Second, a.t("对方时钟最多可超前多少", "how far the other clock may be ahead"))
	p.StringVar(&title, "title", v.title, a.t("表决标题", "title of the proposal"))
	_ = c.MarkFlagRequired("genesis")
	return c
}

func trustLevel(text string) (foreignv1.TrustLevel, error) {
	switch text {
	case "1/3":
		return foreignv1.TrustLevel_TRUST_LEVEL_ONE_THIRD, nil
	case "2/3":
		return foreignv1.TrustLevel_TRUST_LEVEL_TWO_THIRDS, nil
	}
	return 0, fault.Newf(fault.Usage, "--level %q: 1/3, 2/3", text)
}

func (a *app) foreignRemove() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: "remove CHAIN", Short: a.t("提出不再跟进一条对端链（已采信的留存）", "propose to follow a chain no longer (what was proved stays)"), Args: exactly(1),
		Example: "  mulian foreign remove neighbour-city --as 111100000000300011#root",
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			s, err := a.signerOn(cmd.Context(), cl, keyring.Root)
			if err != nil {
				return err
			}
			receipt, err := a.actAs(cmd.Context(), cl, s, &governancev1.Propose{
				Title: "移除对端链 " + args[0], Reason: reason, Change: &governancev1.Change{Kind: &governancev1.Change_RemoveForeignChain{RemoveForeignChain: args[0]}},
			})
			if err != nil {
				return err
			}
			return a.receipt(receipt)
		},
	}
	c.Flags().StringVar(&reason, "reason", "", a.t("理由", "reason"))
	return c
}

// relay is a relayer from a server of the chain there to our ledger, which asks before it
// signs as every command does.
func (a *app) relay(ctx context.Context, from string) (*foreign.Relay, error) {
	here, err := a.client()
	if err != nil {
		return nil, err
	}
	r := &foreign.Relay{Here: here, There: serverAt(from)}
	if r.Chain, err = r.There.ChainID(ctx); err != nil {
		return nil, err
	}
	r.Send = func(ctx context.Context, messages ...proto.Message) (*client.Receipt, error) {
		return a.act(ctx, here, messages...)
	}
	return r, nil
}
