package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mulian/client/prooffile"
	"mulian/client/sentence"
	"mulian/client/tracepack"
	"mulian/internal/fault"
)

func (a *app) verifyCommand() *cobra.Command {
	var genesis, hash, checkpoint string
	c := &cobra.Command{
		Use:     "verify FILE",
		Aliases: []string{"验证"},
		Short:   a.t("验证一份证明文件：离线，只信创世", "check a proof file: offline, trusting nothing but the genesis"),
		Long: a.t(`离线检查 mulian trace export 写出的证明文件：记录的签名、在网关日志里的位置、在账本状态里的位置、区块由超过 2/3
表决权的验证节点签署、从创世到该区块的信任链。不需要节点，也不联网。信任的起点是创世：--genesis-hash（向任何一个成员
索取），或 --genesis 创世文件，否则用 --home 里的 genesis.bin；文件从检查点开始的，用 --checkpoint 指明自己保存的检查点
（mulian checkpoint）。分叉证据（mulian witness compare）和控制台导出的溯源证据包（.zip，每一步都有证明）同样用它检查。
不成立时退出状态为 7，并说明哪一步、哪一处。`,
			`Checks a file of mulian trace export without a node and without network: the signatures of the record, its place in the
gateway's log, in the ledger's state, the block's signatures by more than 2/3 of the voting power, and the chain of trust
from the genesis to that block. Trust begins with the genesis: --genesis-hash (ask any member for it), or --genesis FILE,
else genesis.bin in --home; of a file that begins at a checkpoint, --checkpoint with the one that you keep (mulian
checkpoint). The evidence of a split view (mulian witness compare) is checked likewise, and so is a trace pack of the console
(.zip, with a proof of each step). What does not hold ends with exit status 7 and says which step failed, and where.`),
		Example: "  mulian verify agreement.mulian-proof.json\n  mulian verify trace-share-agreement-0123456789abcdef.zip --genesis genesis.bin\n  mulian verify access.mulian-proof.json --genesis genesis.bin --json\n  mulian verify agreement.mulian-proof.json --checkpoint checkpoint.txt",
		Args:    exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			began := time.Now()
			verify, err := a.verifier(genesis, hash, checkpoint)
			if err != nil {
				return a.unchecked(err, began)
			}
			file, err := readBounded(args[0], tracepack.MaxZip+1)
			if err != nil {
				return a.unreadable(err, began)
			}
			if tracepack.IsZip(file) && checkpoint == "" {
				want, err := a.trusted(genesis, hash)
				if err != nil {
					return a.unchecked(err, began)
				}
				return a.packVerdict(tracepack.Check(file, want))
			}
			return a.verdict(verify(file))
		},
	}
	c.Flags().StringVar(&genesis, "genesis", "", a.t("信任的创世文件", "genesis file to trust"))
	c.Flags().StringVar(&hash, "genesis-hash", "", a.t("信任的创世哈希，64 位十六进制", "hash of the genesis to trust, 64 hex digits"))
	c.Flags().StringVar(&checkpoint, "checkpoint", "", a.t("信任的检查点文件（mulian checkpoint）", "file with the checkpoint to trust (mulian checkpoint)"))
	c.MarkFlagsMutuallyExclusive("genesis", "genesis-hash", "checkpoint")
	return c
}

// verifier is how a file is checked with what the person trusts.
func (a *app) verifier(genesis, hash, checkpoint string) (func([]byte) *prooffile.Report, error) {
	if checkpoint != "" {
		from, err := readCheckpoint(checkpoint)
		return func(file []byte) *prooffile.Report { return prooffile.VerifyFrom(file, from) }, err
	}
	want, err := a.trusted(genesis, hash)
	return func(file []byte) *prooffile.Report { return prooffile.Verify(file, want) }, err
}

// trusted returns the hash of the genesis that the person trusts.
func (a *app) trusted(genesis, hash string) (want [32]byte, err error) {
	if hash != "" {
		raw, err := hex.DecodeString(hash)
		if err != nil || len(raw) != len(want) {
			return want, fault.Newf(fault.Usage, "%s", a.t("--genesis-hash 是 64 位十六进制", "--genesis-hash is 64 hexadecimal digits"))
		}
		return [32]byte(raw), nil
	}
	if genesis == "" {
		if genesis = a.path(genesisFile); !there(genesis) {
			return want, fault.Newf(fault.Usage, a.t("%s 里没有创世文件：用 --genesis-hash 或 --genesis 指明信任哪条链", "there is no genesis in %s: say with --genesis-hash or --genesis which chain you trust"), a.home)
		}
	}
	raw, err := readBounded(genesis, prooffile.MaxFile+1)
	if err != nil {
		return want, err
	}
	return prooffile.GenesisHash(raw)
}

// unchecked is the answer when nothing could be checked: file or genesis are not there.
// With --json it has the fields of every verdict; the exit status is that of the error.
func (a *app) unchecked(err error, began time.Time) error {
	if !a.json {
		return err
	}
	v := map[string]any{"ok": false, "code": uint32(fault.CodeOf(err)), "reason": err.Error(), "milliseconds": float64(time.Since(began).Microseconds()) / 1000}
	if perr := a.print(v, nil); perr != nil {
		return perr
	}
	return quietExit(exitOf(err))
}

// unreadable is the answer for a file that is not there or cannot be read: it proves
// nothing, like one that does not hold, and ends like that.
func (a *app) unreadable(err error, began time.Time) error {
	if a.json {
		_ = a.unchecked(err, began)
	} else {
		a.fail(err)
	}
	return quietExit(notHeld)
}

func there(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// readBounded reads a file up to a bound: what is longer is cut, and refused by
// whoever reads it.
func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fault.Newf(fault.NotFound, "there is no file %s", path)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Inaccessible, bare(err), "read %s", path)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, most))
	return raw, fault.Wrap(fault.Inaccessible, bare(err), "read %s", path)
}

// bare is an error of the file system without the path, which its reader names.
func bare(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

// notHeld is the exit status for a file that does not hold, whatever its code.
const notHeld = 7

// verdict prints a report. One that does not hold ends with exit status 7.
func (a *app) verdict(r *prooffile.Report) error {
	if err := a.print(r, func(w io.Writer) { a.tellReport(w, r) }); err != nil {
		return err
	}
	if !r.OK {
		return quietExit(notHeld)
	}
	return nil
}

func (a *app) tellReport(w io.Writer, r *prooffile.Report) {
	for _, c := range r.Checks {
		fmt.Fprintf(w, "✓ %s  %s\n", pad(a.step(c.Step), 10), visible(c.In(a.chinese())))
	}
	if !r.OK {
		fmt.Fprintf(w, "✗ %s  %s %s\n  %s\n", pad(a.step(r.Step), 10), r.Code, a.t(strings.Replace(visible(r.Field), "the file", "文件", 1), visible(r.Field)), visible(r.Because(a.chinese())))
		fmt.Fprintln(w, a.t("不成立：不要相信这份文件。", "It does not hold: do not believe this file."))
		return
	}
	if r.Kind == "split" {
		fmt.Fprintf(w, a.t("\n成立：%s %s\n链 %s：验证节点签署了两份不可能同时为真的日志\n创世 %s，%.1f 毫秒，离线\n", "\nIt holds: %s %s\nchain %s: validators have signed two logs that cannot both be true\ngenesis %s, %.1f ms, offline\n"),
			a.kind(r.Kind), visible(r.Object), visible(r.Chain), r.Genesis, r.Milliseconds)
		return
	}
	fmt.Fprintf(w, a.t("\n成立：%s %s\n链 %s，高度 %d，区块时间 %s，%s 表决权签署（SM2：%s）\n", "\nIt holds: %s %s\nchain %s, height %d, block time %s, signed by %s of the voting power (SM2: %s)\n"),
		a.kind(r.Kind), visible(r.Object), visible(r.Chain), r.Height, r.Time, a.share(r.Power), a.share(r.SM2))
	if r.Checkpoint > 0 {
		fmt.Fprintf(w, a.t("从检查点开始信任：高度 %d\n", "trusted from the checkpoint of height %d on\n"), r.Checkpoint)
	}
	for _, s := range r.Signers {
		fmt.Fprintf(w, a.t("签名 %s：%s，密钥 %s（%s，%s）\n", "signed as %s: %s, key %s (%s, %s)\n"), visible(s.As), visible(s.Account), visible(s.Key), s.Algorithm, a.keyState(s.State))
	}
	if len(r.Signers) == 0 && r.Kind != "absence" {
		fmt.Fprintln(w, a.t("! 文件里没有任何人的签名：只有账本的见证", "! the file has nobody's signature: it is the ledger's word alone"))
	}
	fmt.Fprintf(w, a.t("创世 %s，%.1f 毫秒，离线\n", "genesis %s, %.1f ms, offline\n"), r.Genesis, r.Milliseconds)
}

// chinese says that the person reads Chinese.
func (a *app) chinese() bool { return a.language() == sentence.Chinese }

// share writes the part of the voting power, "3 of 4", in the person's language.
func (a *app) share(of string) string {
	if of == "none" {
		return a.t("无", of)
	}
	return a.t(strings.Replace(of, " of ", "/", 1), of)
}

// keyState writes whether a key is active or was revoked.
func (a *app) keyState(state string) string {
	return a.t(strings.Replace(strings.Replace(state, "active", "有效", 1), "revoked", "吊销于", 1), state)
}

// visible shows what a file says without letting it speak to the terminal.
func visible(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 || c == 0x200e || c == 0x200f {
			return '�'
		}
		return c
	}, s)
}

func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-columns(s))) }

// step names a check in the person's language.
func (a *app) step(name string) string {
	zh := map[string]string{
		"form": "文件形式", "genesis": "创世", "header": "区块头", "validators": "验证节点集", "commit": "区块签名", "trust": "信任链", "sm2": "国密证书",
		"state": "状态根", "object": "对象", "absence": "不存在", "split": "分叉证据", "event": "事件", "transaction": "交易", "record": "访问记录", "log": "网关日志", "key": "密钥", "signature": "签名", "statement": "陈述", "finding": "违规",
	}
	return a.t(zh[name], name)
}

func (a *app) kind(name string) string {
	zh := map[string]string{"object": "对象", "absence": "不存在", "split": "分叉证据", "event": "事件", "transaction": "交易", "access": "访问", "finding": "违规证据"}
	return a.t(zh[name], name)
}
