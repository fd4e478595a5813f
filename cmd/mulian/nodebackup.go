package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/node/backup"
)

func (a *app) nodeBackup() *cobra.Command {
	var to string
	var keys, check bool
	c := &cobra.Command{
		Use: "backup --to DIR", Args: exactly(0),
		Short: a.t("备份节点（可在运行中）", "back the node up (while it runs)"),
		Long: a.t(`把账本某一时刻的完整副本、创世文件和配置写进一个新目录；--keys 时还有私钥（0600，备份就要像密钥一样保管）。
私钥不变，单独备份一次并离线保管即可。索引不在其中，恢复后自动重建。目录完整后才得名，带逐文件校验值。`,
			`Writes a complete copy of the ledger of one moment, genesis and configuration into a new folder; with --keys the private keys,
too (0600: the backup has then to be kept like a key). Keys do not change: it is enough to copy them once and to keep that
offline. The index is not in it, it is made anew. The folder gets its name when it is whole, with a hash of every file.`),
		Example: "  mulian node backup --to /backup/node-2026-11-22\n  mulian node backup --check --to /backup/node-2026-11-22",
		RunE: func(cmd *cobra.Command, _ []string) error {
			p := a.progress(a.t("备份 MiB", "backup, MiB"), 0)
			defer p.end()
			if check {
				m, err := backup.Check(cmd.Context(), to, megabytes(p))
				if err != nil {
					return err
				}
				return a.print(shortManifest(m), func(w io.Writer) {
					fmt.Fprintf(w, a.t("✓ 备份完好：链 %s，高度 %d，%s，%s\n", "✓ the backup is whole: chain %s, height %d, %s, %s\n"), m.Chain, m.Height, m.At.Local().Format(time.DateTime), a.withKeys(m))
				})
			}
			began := time.Now()
			m, err := backup.Take(cmd.Context(), backup.Order{Home: a.home, To: to, Keys: keys, Version: version, Progress: megabytes(p)})
			if err != nil {
				return err
			}
			a.noteAct(cmd.Context(), a.home, nil, "node.backup", map[string]string{"to": to, "keys": fmt.Sprint(keys), "height": i64(m.Height)})
			return a.print(shortManifest(m), func(w io.Writer) {
				fmt.Fprintf(w, a.t("✓ 已备份链 %s 高度 %d：%d 字节，%s，用时 %.1f 秒\n", "✓ backup of chain %s at height %d: %d bytes, %s, %.1f s\n"), m.Chain, m.Height, m.Bytes, a.withKeys(m), time.Since(began).Seconds())
			})
		},
	}
	c.Flags().StringVar(&to, "to", "", a.t("新目录，每次备份一个", "a new folder, one for each backup"))
	c.Flags().BoolVar(&keys, "keys", false, a.t("私钥也复制", "copy the private keys, too"))
	c.Flags().BoolVar(&check, "check", false, a.t("只检查已有备份是否完好", "only check whether the backup that is there is whole"))
	_ = c.MarkFlagRequired("to")
	return c
}

// withKeys says whether keys are in a backup.
func (a *app) withKeys(m *backup.Manifest) string {
	if m.Keys {
		return a.t("含私钥", "with private keys")
	}
	return a.t("不含私钥", "without private keys")
}

// megabytes tells a progress in MiB.
func megabytes(p *progress) func(done, total int64) {
	return func(done, total int64) {
		p.total = int(total>>20) + 1
		p.at(int(done >> 20))
	}
}

// shortManifest is what programs are told of a backup: its list of files stays in it.
func shortManifest(m *backup.Manifest) map[string]any {
	return map[string]any{
		"ok": true, "chain": m.Chain, "genesis_hash": m.Genesis, "height": m.Height, "app_hash": m.AppHash, "events": m.Events, "at": m.At,
		"keys": m.Keys, "bytes": m.Bytes, "files": len(m.Files),
	}
}

func (a *app) nodeRestore() *cobra.Command {
	var p backup.Plan
	c := &cobra.Command{
		Use: "restore DIR", Args: exactly(1),
		Short: a.t("由备份重建 --home 的节点；不覆盖已有的", "make the node of --home out of a backup; nothing is overwritten"),
		Long: a.t(`先逐文件检查备份，并核对链、状态与最新区块的签名。恢复的验证节点先不签名：其他成员还在出块时，等到一个比恢复更新的区块；
如果三分之一以上的投票权都丢失、链已停住，各成员先互相核对出最高的区块高度（mulian status、备份的 height），各自用 --newest 给出。
给错会丢失区块，见 docs/runbooks/disaster.md。`,
			`Checks every file of the backup first, and chain, state and the signatures of its newest block. A restored validator does not
sign at once: while the others make blocks, it waits for one that is younger than the restore. If more than a third of the power
is lost and the chain stands still, the members first find out which height is the newest that anybody has (mulian status,
height of the backups), and each gives that with --newest. A wrong one loses blocks: docs/runbooks/disaster.md.`),
		Example: "  mulian node restore /backup/node-2026-11-22 --home ./org\n  mulian node restore /backup/node-2026-11-22 --home ./org --newest 18230",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.restoreNode(cmd.Context(), p, args[0])
		},
	}
	f := c.Flags()
	f.Int64Var(&p.Newest, "newest", 0, a.t("链已停住时：各成员核对出的最高区块高度", "if the chain stands still: the newest height that any member has"))
	f.StringVar(&p.Genesis, "genesis", "", a.t("应有的创世哈希", "hash that the genesis must have"))
	f.BoolVar(&p.NewKeys, "new-keys", false, a.t("没有私钥时生成新的（节点只跟随，验证要重新表决）", "make new keys if there are none (the node follows; validating needs a vote)"))
	return c
}

func (a *app) restoreNode(ctx context.Context, p backup.Plan, from string) error {
	bar := a.progress(a.t("恢复 MiB", "restore, MiB"), 0)
	defer bar.end()
	p.From, p.Home, p.Progress = from, a.home, megabytes(bar)
	if p.Newest < 0 {
		return fault.Newf(fault.Usage, "--newest %d", p.Newest)
	}
	if a.dryRun {
		m, err := backup.Check(ctx, from, p.Progress)
		if err != nil {
			return err
		}
		v := shortManifest(m)
		v["dry_run"] = true
		return a.print(v, func(w io.Writer) {
			fmt.Fprintf(w, a.t("备份完好，将恢复到 %s：链 %s 高度 %d\n", "the backup is whole, would restore into %s: chain %s at height %d\n"), a.home, m.Chain, m.Height)
		})
	}
	m, err := backup.Restore(ctx, p)
	if err != nil {
		return err
	}
	a.noteAct(ctx, a.home, nil, "node.restore", map[string]string{"from": from, "height": i64(m.Height), "newest": i64(p.Newest)})
	v := shortManifest(m)
	v["home"], v["newest"] = a.home, p.Newest
	return a.print(v, func(w io.Writer) {
		fmt.Fprintf(w, a.t("✓ 已恢复链 %s 高度 %d 到 %s\n", "✓ restored chain %s at height %d into %s\n"), m.Chain, m.Height, a.home)
		if p.Newest == 0 {
			fmt.Fprintln(w, a.t("本节点先跟随，出现比现在更新的区块后才签名；若整条链已停住：mulian node release --newest 高度", "this node follows first, and signs after a block that is younger than now; if the whole chain stands still: mulian node release --newest HEIGHT"))
		}
		fmt.Fprintf(w, a.t("下一步：mulian node --home %s\n", "next: mulian node --home %s\n"), shellWord(a.home))
	})
}

func (a *app) nodeRelease() *cobra.Command {
	var newest int64
	c := &cobra.Command{
		Use: "release --newest HEIGHT", Args: exactly(0),
		Short: a.t("链已停住：各成员核对最高高度后，让已恢复的验证节点继续", "the chain stands still: let a restored validator go on, at the newest height that the members agree on"),
		Long: a.t("用于恢复时没有给出 --newest 的节点，先停下它。高度必须是任何成员（含未丢失的）拥有的最高区块；给低了会产生第二段历史，丢失区块。",
			"For a node that was restored without --newest; stop it first. The height is that of the newest block which any member has, those that were not lost included; one that is too low makes a second history and loses blocks."),
		Example: "  mulian node release --newest 18230 --home ./org",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := ledger.Release(a.path("node"), newest); err != nil {
				return err
			}
			a.noteAct(cmd.Context(), a.home, nil, "node.release", map[string]string{"newest": i64(newest)})
			return a.print(map[string]any{"ok": true, "newest": newest}, func(w io.Writer) {
				fmt.Fprintf(w, a.t("✓ 启动后先取得高度 %d 之前的区块，再签名\n", "✓ when started it gets the blocks up to %d first, and then signs\n"), newest)
			})
		},
	}
	c.Flags().Int64Var(&newest, "newest", 0, a.t("任何成员拥有的最高区块高度", "the newest height that any member has"))
	_ = c.MarkFlagRequired("newest")
	return c
}
