package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"mulian/client"
	"mulian/client/keyring"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/code"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/wire"
	"mulian/node"
)

// joining is what `mulian join` was told.
type joining struct {
	org, name, region string
	via, genesis      string // a member's server; the hash of the genesis, from elsewhere
	listen            string // where other nodes reach this one
	external          string
	power             uint64
	exit              bool
}

func (a *app) joinCommand() *cobra.Command {
	var j joining
	c := &cobra.Command{
		Use:   "join CODE",
		Short: a.t("机构加入已有的联盟：密钥、同步、申请、等待表决", "an organisation joins a consortium: keys, sync, application, vote"),
		Long: a.t(`在 --home 里生成本机构的密钥和节点密钥，从 --via 取创世文件并与 --genesis 核对（创世哈希请从创始机构以其他途径取得），
启动节点追上全链，再把申请交给 --via；主管部门登记、成员表决通过后，本节点成为验证节点并继续运行。中断后再次运行从原处继续。
对方的命令：mulian org applications，然后 mulian org admit CODE --root-key 指纹 --as 主管部门，其他成员 mulian gov vote。`,
			`Makes the organisation's keys and the node's in --home, takes the genesis from --via and compares it with --genesis (which
you have from the founder by another way), runs the node until it has the whole chain, and leaves an application at --via.
Once the authority has registered the organisation and the members have voted the node validates, and goes on running.
Given again it goes on where it was. The others: mulian org applications, mulian org admit CODE --root-key KEY --as AUTHORITY, mulian gov vote.`),
		Example: "  mulian join 11110000MULN000178 --name 北京市规划和自然资源委员会 --via http://10.0.0.5:8080 --genesis 5b1c…e0 --node-listen 10.0.0.9:26656 --home ./planning",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			j.org = args[0]
			return a.join(cmd.Context(), j)
		},
	}
	f := c.Flags()
	f.StringVar(&j.name, "name", "", a.t("机构全称", "full name of the organisation"))
	f.StringVar(&j.region, "region", "110000", a.t("行政区划代码", "region code"))
	f.StringVar(&j.via, "via", "", a.t("一个成员的服务器地址", "URL of a member's server"))
	f.StringVar(&j.genesis, "genesis", "", a.t("创世哈希（64 位十六进制）", "hash of the genesis, 64 hex digits"))
	f.StringVar(&j.listen, "node-listen", "127.0.0.1:26656", a.t("其他节点连接本节点的地址", "where other nodes connect to this one, host:port"))
	f.StringVar(&j.external, "node-external", "", a.t("告诉其他节点的地址，若与上面不同", "the address that others are told, if it is another"))
	f.Uint64Var(&j.power, "power", 10, a.t("申请的投票权", "voting power that is asked for"))
	f.BoolVar(&j.exit, "exit", false, a.t("加入后退出（之后用 mulian node 运行）", "end when on board (then run mulian node)"))
	for _, need := range []string{"name", "via", "genesis"} {
		_ = c.MarkFlagRequired(need)
	}
	return c
}

// join makes the home, follows the chain, applies, and waits until the organisation is on
// board. Each step finds what an earlier try has done.
func (a *app) join(ctx context.Context, j joining) error {
	if err := code.CheckUSCC(j.org); err != nil {
		return fault.Wrap(fault.CodeInconsistent, err, "%s", j.org)
	}
	if err := checkAddress("--node-listen", j.listen); err != nil {
		return err
	}
	if !strings.Contains(j.via, "://") {
		j.via = "http://" + j.via
	}
	via := client.New(strings.TrimSuffix(j.via, "/"))
	st, err := via.Status(ctx)
	if err != nil {
		return err
	}
	file, err := a.trustedGenesis(ctx, via, j.genesis)
	if err != nil {
		return err
	}
	if a.dryRun {
		return a.print(map[string]any{"ok": true, "dry_run": true, "chain": st.GetChainId(), "home": a.home, "org": j.org}, func(w io.Writer) {
			fmt.Fprintf(w, a.t("将在 %s 为 %s 准备加入链 %s\n", "would prepare %s for %s to join the chain %s\n"), a.home, j.org, st.GetChainId())
		})
	}
	if err := a.joinerHome(j, file, st.GetNodes()); err != nil {
		return err
	}
	if err := a.shortcut(ctx, via.URL()); err != nil {
		return err
	}
	cfg, _, err := a.config()
	if err != nil {
		return err
	}
	m, err := a.openMember(ctx, cfg)
	if err != nil {
		return err
	}
	return a.serving(ctx, m.URL(), func(ctx context.Context) error {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		ended := make(chan error, 1)
		go func() {
			defer stop() // whoever waits for the chain must not wait for a node that has failed
			ended <- m.Run(ctx)
		}()
		err := a.comeOnBoard(ctx, j, m.Node.Identity().Validator, via, client.New(m.URL()), cfg.Node)
		if err != nil || j.exit {
			stop()
		}
		return cmp.Or(<-ended, err)
	})
}

// trustedGenesis takes the genesis from a server that nobody trusts: the hash decides.
func (a *app) trustedGenesis(ctx context.Context, via *client.Client, want string) ([]byte, error) {
	hash, err := hex.DecodeString(strings.TrimSpace(want))
	if err != nil || len(hash) != 32 {
		return nil, fault.Newf(fault.Usage, "--genesis %.80q: 64 hex digits, as mulian status shows them at the founder's", want)
	}
	res, err := via.Ledger.GetGenesis(ctx, connect.NewRequest(&ledgerv1.GetGenesisRequest{}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	g, err := client.ParseGenesis(res.Msg.GetSignedGenesis())
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(g.Hash[:], hash) {
		return nil, fault.Newf(fault.VerificationFailed, "%s has the genesis %x, you expect %x: another chain, or a server that lies", via.URL(), g.Hash, hash)
	}
	return res.Msg.GetSignedGenesis(), nil
}

// joinerHome makes the keys, the configuration and, last, the genesis: a home without it
// is no member's, and the same command can be given again.
func (a *app) joinerHome(j joining, file []byte, nodes []string) error {
	if have, err := os.ReadFile(a.path(genesisFile)); err == nil && !bytes.Equal(have, file) {
		return fault.Newf(fault.AlreadyExists, "%s is of another chain; take another --home", a.home)
	}
	if err := durable.MkdirPrivate(a.home); err != nil {
		return fmt.Errorf("home: %w", err)
	}
	if _, err := a.orgKeys(j.org); err != nil {
		return err
	}
	if _, err := node.Keys(a.path("node")); err != nil {
		return err
	}
	if _, err := os.Stat(a.path(configFile)); errors.Is(err, fs.ErrNotExist) {
		if len(nodes) == 0 {
			return fault.Newf(fault.Usage, "%s tells no node that others reach: set node.listen (and node.external) in the mulian.yaml of that member", j.via)
		}
		c := Config{Node: NodeConfig{Listen: j.listen, External: j.external, Peers: nodes}}
		raw, err := yaml.Marshal(map[string]any{"node": map[string]any{"listen": c.Node.Listen, "external": c.Node.External, "peers": c.Node.Peers}})
		if err != nil {
			return fmt.Errorf("configuration: %w", err)
		}
		raw = append([]byte("# mulian config explain tells what each key means.\n"), raw...)
		if err := durable.CreateFile(a.path(configFile), raw, 0o600); err != nil {
			return fmt.Errorf("configuration: %w", err)
		}
	}
	if _, err := node.Init(a.path("node"), file); err != nil {
		return err
	}
	return durable.ReplaceFile(a.path(genesisFile), file, 0o600)
}

// shortcut gets the state from a snapshot where the member has one: on a long chain that is
// minutes instead of hours. Otherwise the node fetches the blocks.
func (a *app) shortcut(ctx context.Context, via string) error {
	out, err := a.syncNode(ctx, node.SyncConfig{Servers: []string{via}})
	switch {
	case fault.Is(err, fault.AlreadyExists), fault.Is(err, fault.NotFound):
		return nil
	case fault.Is(err, fault.Pruned):
		a.say("! %v", err)
		return nil
	case err != nil:
		return err
	}
	a.say(a.t("✓ 快照：高度 %d 的状态已核对", "✓ snapshot: the state of height %d is restored and compared"), out.Height)
	return nil
}

const (
	// joinLook is how often a joiner looks whether something has come about.
	joinLook = 200 * time.Millisecond
	// joinApply is how often it leaves its application again.
	joinApply = 30 * time.Second
)

// comeOnBoard waits until the node has the chain, applies, and waits until the node
// validates.
func (a *app) comeOnBoard(ctx context.Context, j joining, validator [32]byte, via, own *client.Client, cfg NodeConfig) error {
	far, err := via.Status(ctx)
	if err != nil {
		return err
	}
	a.say(a.t("同步中：%s 的高度是 %d", "syncing: %s is at height %d"), via.URL(), far.GetHeight())
	if err := await(ctx, func() (bool, error) {
		st, err := own.Status(ctx)
		return err == nil && !st.GetCatchingUp() && st.GetHeight() >= far.GetHeight() && st.GetPeers() > 0, nil
	}); err != nil {
		return err
	}
	root, err := a.keys().Signer(j.org, keyring.Root)
	if err != nil {
		return err
	}
	a.say(a.t("已同步。根密钥指纹 %s：请主管部门以其他途径核对\n等待登记和表决（在主管部门：mulian org applications；mulian org admit %s --root-key 指纹 --as 主管部门）",
		"synced. Fingerprint of the root key %s: the authority compares it by another way\nwaiting to be registered and voted in (at the authority: mulian org applications; mulian org admit %s --root-key FINGERPRINT --as AUTHORITY)"), root.Key.Public().ID(), j.org)
	var applied time.Time
	told := false
	err = await(ctx, func() (bool, error) {
		var acc identityv1.Account
		registered, err := own.Get(ctx, "identity/account/"+j.org, &acc)
		if err != nil {
			return false, nil // our own server is about to come or to go: await and Run know
		}
		if registered && !active(&acc, root.Key.Public().ID()) {
			return false, fault.Newf(fault.Forbidden, "%s is registered with other keys than those in %s", j.org, a.keys().Dir)
		}
		if registered && !told {
			told = true
			a.say("%s", a.t("✓ 已登记，等待表决（其他成员：mulian gov list --open，mulian gov vote）", "✓ registered; waiting for the vote (the other members: mulian gov list --open, mulian gov vote)"))
		}
		var v governancev1.Validator
		if on, err := own.Get(ctx, "governance/validator/"+hex.EncodeToString(validator[:]), &v); err == nil && on {
			return true, nil
		}
		if time.Since(applied) > joinApply {
			if err := a.apply(ctx, j, root, via, own, cfg); err != nil {
				return false, err
			}
			applied = time.Now()
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	v := map[string]any{"ok": true, "chain": far.GetChainId(), "org": j.org, "home": a.home, "server": own.URL()}
	return a.print(v, func(w io.Writer) {
		fmt.Fprintf(w, a.t("✓ %s 已加入 %s，节点参与共识；下一步：mulian gateway --help\n", "✓ %s is on board of %s and its node validates; next: mulian gateway --help\n"), j.org, far.GetChainId())
	})
}

// apply leaves the application at the member's server. A server that is away for a while
// is asked again later; a refusal is final.
func (a *app) apply(ctx context.Context, j joining, root client.Signer, via, own *client.Client, cfg NodeConfig) error {
	st, err := own.Status(ctx)
	if err != nil {
		return nil
	}
	keys, err := a.orgKeys(j.org)
	if err != nil {
		return err
	}
	id, err := node.Keys(a.path("node"))
	if err != nil {
		return err
	}
	m := &governancev1.Application{
		ChainId: st.GetChainId(), GenesisHash: st.GetGenesisHash(), Code: j.org, Keys: keys, MadeMs: time.Now().UnixMilli(),
		Profile:     &identityv1.OrgProfile{Name: j.name, Region: j.region, Level: identityv1.OrgLevel_ORG_LEVEL_CITY},
		Validator:   &governancev1.Validator{PublicKey: id.Validator[:], Power: j.power, Org: j.org, Name: "v-" + j.org[len(j.org)-6:], Sm2Key: id.SM2.Bytes()},
		NodeAddress: id.NodeID + "@" + cmp.Or(cfg.External, cfg.Listen),
	}
	file, err := client.SignApplication(m, root)
	if err != nil {
		return err
	}
	_, err = via.Governance.Apply(ctx, connect.NewRequest(&governancev1.ApplyRequest{Application: file}))
	err = wire.Fault(err)
	switch fault.CodeOf(err) {
	case fault.Unreachable, fault.Busy, fault.Timeout:
		a.say("! %v", err)
		return nil
	}
	return err
}

// await asks again and again; the context's end is Cancelled.
func await(ctx context.Context, done func() (bool, error)) error {
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fault.Newf(fault.Cancelled, "stopped; the same command goes on from here")
		case <-time.After(joinLook):
		}
	}
}
