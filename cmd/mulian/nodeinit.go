package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"mulian/client"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/node"
)

// beginning is what `mulian node init` was told.
type beginning struct {
	from             []string // members' servers
	genesis          string   // its hash, from elsewhere
	trust            string   // HEIGHT:HASH
	listen, external string
}

func (a *app) nodeInitCommand() *cobra.Command {
	var b beginning
	c := &cobra.Command{
		Use:   "init",
		Short: a.t("从快照建立一个新节点，不必重放全部区块", "make a new node from a snapshot instead of all blocks"),
		Long: a.t(`在 --home 里生成节点密钥和配置，从 --from 取创世文件并与 --genesis-hash 核对，再取最新快照。服务器不必可信：
快照之后的区块头必须由创世（或 --trust 检查点）所信任的验证节点以超过三分之二的投票权签名，每一块都核对哈希，
最后由恢复出的状态算出的应用哈希必须与该区块头一致；说谎的服务器被指出并不再询问。给出多个服务器时，一个说谎或失败不影响加入。
中断后再次运行，从已取得的块继续。之后用 mulian node 运行，它向其他节点取快照之后的区块；全部事件都在快照里，索引由它们重建。`,
			`Makes the node's keys and configuration in --home, takes the genesis from --from and compares it with --genesis-hash, then the
newest snapshot. No server has to be trusted: the header after the snapshot must be signed by more than 2/3 of the power of
validators whom the genesis (or the checkpoint of --trust) vouches for, every chunk must have its hash, and the app hash that is
computed from the restored state must be the header's. A server that lies is named and not asked again; with several, one that
lies or fails does not end it. Interrupted, the same command goes on with the chunks that are there. Then run mulian node: it
fetches the blocks since then from the other nodes. All events are in the snapshot, and the index is made from them.`),
		Example: "  mulian node init --from http://10.0.0.5:8080,http://10.0.0.6:8080 --genesis-hash 5b1c…e0 --node-listen 10.0.0.9:26656 --home ./reader",
		Args:    exactly(0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.beginNode(cmd.Context(), b) },
	}
	f := c.Flags()
	f.StringSliceVar(&b.from, "from", nil, a.t("成员的服务器地址，可多个，用逗号分隔", "URLs of members' servers, one or more, with commas"))
	f.StringVar(&b.genesis, "genesis-hash", "", a.t("创世哈希（64 位十六进制），从其他途径取得", "hash of the genesis, 64 hex digits, from elsewhere"))
	f.StringVar(&b.trust, "trust", "", a.t("可信的检查点 高度:区块哈希，代替创世的验证节点", "a trusted checkpoint HEIGHT:HASH instead of the validators of the genesis"))
	f.StringVar(&b.listen, "node-listen", "127.0.0.1:26656", a.t("其他节点连接本节点的地址", "where other nodes connect to this one, host:port"))
	f.StringVar(&b.external, "node-external", "", a.t("告诉其他节点的地址，若与上面不同", "the address that others are told, if it is another"))
	for _, need := range []string{"from", "genesis-hash"} {
		_ = c.MarkFlagRequired(need)
	}
	return c
}

// beginNode makes the home of a node that follows the chain, with its state. Each step finds
// what an earlier try has done.
func (a *app) beginNode(ctx context.Context, b beginning) error {
	if err := checkAddress("--node-listen", b.listen); err != nil {
		return err
	}
	height, hash, err := parseTrust(b.trust)
	if err != nil {
		return err
	}
	for i, u := range b.from {
		if !strings.Contains(u, "://") {
			u = "http://" + u
		}
		b.from[i] = strings.TrimSuffix(u, "/")
	}
	file, nodes, chain, err := a.greet(ctx, b)
	if err != nil {
		return err
	}
	if a.dryRun {
		return a.print(map[string]any{"ok": true, "dry_run": true, "chain": chain, "home": a.home}, func(w io.Writer) {
			fmt.Fprintf(w, a.t("将在 %s 建立链 %s 的一个节点\n", "would make a node of the chain %[2]s in %[1]s\n"), a.home, chain)
		})
	}
	if err := a.nodeHome(b.listen, b.external, nodes, file); err != nil {
		return err
	}
	begin := time.Now()
	out, err := a.syncNode(ctx, node.SyncConfig{Servers: b.from, TrustHeight: height, TrustHash: hash})
	if fault.Is(err, fault.AlreadyExists) && !there(a.path(genesisFile)) {
		out, err = new(node.Synced), nil // an earlier try ended after the state, before the line below
	}
	if err != nil {
		return err
	}
	if err := durable.ReplaceFile(a.path(genesisFile), file, 0o600); err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	v := map[string]any{}
	if out.Height > 0 {
		v = syncedRow(out)
	}
	v["ok"], v["chain"], v["home"], v["seconds"] = true, chain, a.home, time.Since(begin).Seconds()
	return a.print(v, func(w io.Writer) {
		if out.Height == 0 {
			fmt.Fprintf(w, a.t("✓ 状态此前已恢复\n下一步：mulian node --home %s\n", "✓ the state was restored before\nnext: mulian node --home %s\n"), a.home)
			return
		}
		fmt.Fprintf(w, a.t("✓ 高度 %d 的状态已恢复并核对，应用哈希 %x\n下一步：mulian node --home %s\n", "✓ the state of height %d is restored and compared, app hash %x\nnext: mulian node --home %s\n"), out.Height, out.AppHash, a.home)
	})
}

// greet takes the genesis, and the nodes to follow, from the first server that has the right one.
func (a *app) greet(ctx context.Context, b beginning) (file []byte, nodes []string, chain string, err error) {
	var first error
	for _, url := range b.from {
		c := client.New(url)
		st, err := c.Status(ctx)
		if err == nil {
			file, err = a.trustedGenesis(ctx, c, b.genesis)
		}
		if err == nil && len(st.GetNodes()) > 0 {
			return file, st.GetNodes(), st.GetChainId(), nil
		}
		if err == nil {
			err = fault.Newf(fault.Usage, "%s tells no node that others reach: set node.listen (and node.external) in the mulian.yaml of that member", url)
		}
		if fault.Is(err, fault.Usage) && len(b.from) == 1 || first == nil {
			first = err
		}
	}
	return nil, nil, "", first
}

// nodeHome makes the node's keys, its configuration and its genesis.
func (a *app) nodeHome(listen, external string, nodes []string, file []byte) error {
	if have, err := os.ReadFile(a.path(genesisFile)); err == nil && !bytes.Equal(have, file) {
		return fault.Newf(fault.AlreadyExists, "%s is of another chain; take another --home", a.home)
	}
	if err := durable.MkdirPrivate(a.home); err != nil {
		return fmt.Errorf("home: %w", err)
	}
	if _, err := os.Stat(a.path(configFile)); errors.Is(err, fs.ErrNotExist) {
		raw, err := yaml.Marshal(map[string]any{"node": map[string]any{"listen": listen, "external": external, "peers": nodes}})
		if err != nil {
			return fmt.Errorf("configuration: %w", err)
		}
		raw = append([]byte("# mulian config explain tells what each key means.\n"), raw...)
		if err := durable.CreateFile(a.path(configFile), raw, 0o600); err != nil {
			return fmt.Errorf("configuration: %w", err)
		}
	}
	_, err := node.Init(a.path("node"), file)
	return err
}

// syncNode gets the state of the node in this home from a snapshot, and shows how far it is.
func (a *app) syncNode(ctx context.Context, cfg node.SyncConfig) (*node.Synced, error) {
	settings, _, err := a.config()
	if err != nil {
		return nil, err
	}
	log, err := a.logger(settings.Log)
	if err != nil {
		return nil, err
	}
	var fetched, built *progress
	cfg.Home, cfg.Logger = a.path("node"), log
	cfg.Progress = func(fetching bool, done, all int) {
		p, what := &built, a.t("恢复", "restored")
		if fetching {
			p, what = &fetched, a.t("已取", "fetched")
		}
		if *p == nil {
			*p = a.progress(what, max(all, 1))
		}
		(*p).at(done)
	}
	out, err := node.Sync(ctx, cfg)
	for _, p := range []*progress{fetched, built} {
		if p != nil {
			p.end()
		}
	}
	if err != nil {
		return nil, err
	}
	for _, l := range out.Refused {
		a.say("! %s %v", l.Server, l.Err)
	}
	return out, nil
}

func syncedRow(out *node.Synced) map[string]any {
	refused := []map[string]any{}
	for _, l := range out.Refused {
		refused = append(refused, map[string]any{"server": l.Server, "code": fault.CodeOf(l.Err), "cause": l.Err.Error()})
	}
	return map[string]any{
		"height": out.Height, "app_hash": hex.EncodeToString(out.AppHash[:]), "header_hash": hex.EncodeToString(out.Header[:]),
		"chunks": out.Chunks, "refused": refused,
	}
}

// parseTrust reads HEIGHT:HASH; nothing is height 0.
func parseTrust(text string) (height int64, hash [32]byte, err error) {
	if text == "" {
		return 0, hash, nil
	}
	h, x, _ := strings.Cut(strings.TrimSpace(text), ":")
	height, err = strconv.ParseInt(h, 10, 64)
	raw, herr := hex.DecodeString(x)
	if err != nil || herr != nil || height < 1 || len(raw) != 32 {
		return 0, hash, fault.Newf(fault.Usage, "--trust %.100q: HEIGHT:HASH, a block's height and its hash of 64 hex digits", text)
	}
	return height, [32]byte(raw), nil
}
