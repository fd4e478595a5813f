package main

import (
	"fmt"
	"io"

	"mulian/client/tracepack"
)

// packVerdict prints what the check of a trace pack came to. One that does not hold ends
// with exit status 7.
func (a *app) packVerdict(r *tracepack.Report) error {
	if err := a.print(r, func(w io.Writer) { a.tellPack(w, r) }); err != nil {
		return err
	}
	if !r.OK {
		return quietExit(notHeld)
	}
	return nil
}

// packParts are the parts of a pack, and what it means that one holds, with how many.
var packParts = map[string]struct{ zh, en, holdsZh, holdsEn string }{
	"zip":          {"压缩包", "zip", "", ""},
	"manifest":     {"清单", "manifest", "%d 个文件的哈希全部相符", "%d files, each with its hash"},
	"genesis":      {"创世", "genesis", "由创始成员签名，与信任的一致（%d）", "signed by its founders, the trusted one (%d)"},
	"proofs":       {"证明文件", "proofs", "%d 份全部成立", "all %d hold"},
	"trace":        {"全过程", "trace", "%d 步与各自的证明一致", "%d steps, each as its proof says"},
	"headers":      {"区块头", "headers", "%d 个，由证明得出", "%d, as the proofs have them"},
	"certificates": {"密钥", "keys", "%d 把，由证明得出", "%d, as the proofs have them"},
}

func (a *app) tellPack(w io.Writer, r *tracepack.Report) {
	for _, c := range r.Checks {
		p := packParts[c.Step]
		fmt.Fprintf(w, "✓ %s  %s\n", pad(a.t(p.zh, p.en), 10), fmt.Sprintf(a.t(p.holdsZh, p.holdsEn), c.Count))
	}
	if !r.OK {
		p := packParts[r.Step]
		fmt.Fprintf(w, "✗ %s  %s %s\n", pad(a.t(p.zh, p.en), 10), r.Code, visible(r.Field))
		if r.Proof != nil {
			fmt.Fprintf(w, "  %s，%s：%s\n", a.step(r.Proof.Step), visible(r.Proof.Field), visible(r.Proof.Because(a.chinese())))
		} else {
			fmt.Fprintf(w, "  %s\n", visible(r.Reason))
		}
		fmt.Fprintln(w, a.t("不成立：不要相信这份文件。", "It does not hold: do not believe this file."))
		return
	}
	fmt.Fprintf(w, a.t("\n成立：%s 的全过程，%d 步\n链 %s，高度 %d，区块时间 %s，%s 表决权签署（SM2：%s）\n", "\nIt holds: the trace of %s, %d steps\nchain %s, height %d, block time %s, signed by %s of the voting power (SM2: %s)\n"),
		visible(r.Object), r.Steps, visible(r.Chain), r.Height, r.Time, a.share(r.Power), a.share(r.SM2))
	for _, s := range r.Signers {
		fmt.Fprintf(w, a.t("签名 %s：%s，密钥 %s（%s，%s）\n", "signed as %s: %s, key %s (%s, %s)\n"), visible(s.As), visible(s.Account), visible(s.Key), s.Algorithm, a.keyState(s.State))
	}
	if !r.Complete {
		fmt.Fprintln(w, a.t("! 步骤更多，此包只有最早的", "! there are more steps; the pack has the earliest"))
	}
	fmt.Fprintf(w, a.t("创世 %s，%.1f 毫秒，离线\n", "genesis %s, %.1f ms, offline\n"), r.Genesis, r.Milliseconds)
}
