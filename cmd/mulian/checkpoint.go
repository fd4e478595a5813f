package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"mulian/client/prooffile"
	"mulian/internal/durable"
	"mulian/internal/fault"
)

func (a *app) checkpointCommand() *cobra.Command {
	var out, from string
	var height int64
	c := &cobra.Command{
		Use:     "checkpoint",
		Aliases: []string{"检查点"},
		Short:   a.t("写下一个可信的区块：以后的证明从这里开始", "write down a block to trust: later proofs begin there"),
		Long: a.t(`把一个区块写成六行文字（链、创世、高度、区块、验证节点集），写之前从创世（或更早的检查点 --from）逐步验证到它。
审计人员自己保存它：从检查点开始的证明不带更早的区块，已经离开的验证节点的密钥再也骗不了他。它不是证明：拿别人的检查点
就是信任那个人，请与几个成员核对哈希。`,
			`Writes a block as six lines (chain, genesis, height, block, validators) after it was proved from the genesis, or from an
earlier checkpoint (--from). An auditor keeps it: a proof that begins there carries no block before it, and the keys of
validators that had left by then cannot deceive him any more. It is no proof: whoever takes one from somebody else trusts
him; compare its hashes with several members.`),
		Example: "  mulian checkpoint -o checkpoint.txt\n  mulian checkpoint --height 1200 --from checkpoint.txt --json",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if height < 0 {
				return fault.Newf(fault.Usage, "--height %d", height)
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			m, err := a.makerFrom(cmd.Context(), cl, from)
			if err != nil {
				return err
			}
			point, err := m.Checkpoint(cmd.Context(), height)
			if err != nil {
				return err
			}
			if out != "" {
				if err := durable.ReplaceFile(out, []byte(point.String()), 0o644); err != nil {
					return fmt.Errorf("write %s: %w", out, err)
				}
			}
			v := map[string]any{
				"ok": true, "file": out, "chain": point.Chain, "genesis": fmt.Sprintf("%x", point.Genesis), "height": point.Height,
				"block": fmt.Sprintf("%x", point.Hash), "validators": fmt.Sprintf("%x", point.Validators),
			}
			return a.print(v, func(w io.Writer) {
				if fmt.Fprint(w, point); out != "" {
					fmt.Fprintf(w, a.t("✓ %s：mulian verify 文件 --checkpoint %s\n", "✓ %s: mulian verify FILE --checkpoint %s\n"), out, shellWord(out))
				}
			})
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", a.t("写到哪个文件；默认只显示", "file to write; default: it is only shown"))
	c.Flags().StringVar(&from, "from", "", a.t("从更早的检查点验证，而不是从创世", "prove it from an earlier checkpoint instead of the genesis"))
	c.Flags().Int64Var(&height, "height", 0, a.t("哪个区块；默认最新", "height of the block; default the last one"))
	return c
}

// readCheckpoint reads the file with a checkpoint that the person keeps.
func readCheckpoint(path string) (prooffile.Checkpoint, error) {
	raw, err := readBounded(path, prooffile.MaxCheckpoint+1)
	if err != nil {
		return prooffile.Checkpoint{}, err
	}
	c, err := prooffile.ParseCheckpoint(raw)
	return c, fault.Wrap(fault.Malformed, err, "%s", path)
}
