package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"mulian/client"
	"mulian/client/evidence"
	"mulian/client/evidence/pack"
	"mulian/client/keyring"
	"mulian/client/prooffile"
	evidencev1 "mulian/gen/mulian/evidence/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

func (a *app) evidenceCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "evidence",
		Aliases: []string{"存证"},
		Short:   a.t("存证：把文件的指纹锚定上链，出具证书，离线核验", "evidence: anchor files, make certificates, check them offline"),
		Long: a.t(`文件留在原处；账本上只有加盐的承诺值、大小和上链之前的来源过程。文件名、哈希、说明和盐值在文件旁边的证据夹
FILE.evidence 里：丢了它就丢了证明，拿到它的人可以知道存证的是什么。`,
			`A file stays where it is; the ledger has a salted commitment, the size, and the path before the chain. Name, hashes, note
and salt are in the evidence folder FILE.evidence beside it: who loses it loses the proof, who has it can tell which file it was.`),
		Example: "  mulian evidence anchor 批复.pdf --as 11110000000021928B\n  mulian evidence certificate 批复.pdf\n  mulian evidence verify 批复.pdf.evidence 批复.pdf",
	}
	c.AddCommand(a.evidenceAnchor(), a.evidenceCertificate(), a.evidenceVerify())
	return c
}

// anchorFlags are the choices of `evidence anchor`.
type anchorFlags struct{ note, source, gateway, delivery string }

func (a *app) evidenceAnchor() *cobra.Command {
	var fl anchorFlags
	c := &cobra.Command{
		Use:   "anchor FILE...",
		Short: a.t("锚定文件或文件夹的指纹", "anchor the fingerprints of files and folders"),
		Long: a.t(`读一遍文件（任意大小），算出 SHA-256 和 SM3，写好证据夹，再签名上链，每笔交易最多 200 个文件。中断后再运行即可继续；
没有改动的文件不会再次存证，改动过的文件另存一份新证据，替代旧的。测得的来源过程一并上链：程序版本和哈希、取证时间、
校时来源和偏差（chrony、systemd-timesyncd 或内核；测不到就写“未知”）。`,
			`Reads each file once (of any size), hashes it with SHA-256 and SM3, writes the evidence folder, then signs and sends, at most
200 files in a transaction. Run it again to go on after it was stopped. A file that did not change is not anchored again; one
that did becomes new evidence, which supersedes the old. The path before the chain is measured and goes with it: version and hash
of this program, time, who disciplines the clock and how far it is off (chrony, systemd-timesyncd or the kernel; else "unknown").`),
		Example: `  mulian evidence anchor 批复.pdf --note 原件扫描 --as 11110000000021928B
  mulian evidence anchor archive/ --json --as 11110000000021928B
  mulian evidence anchor rows.csv --delivery 0123456789abcdef/1 --as 11110000000025678C`,
		Args: atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.runAnchor(cmd.Context(), args, fl) },
	}
	f := c.Flags()
	f.StringVar(&fl.note, "note", "", a.t("说明，只留在证据夹里", "a note; stays in the evidence folder"))
	f.StringVar(&fl.source, "source", "", a.t("来源，如数据库快照或变更位置（上链，不要写个人信息）", "source, like a snapshot or a position of a change feed (goes on the ledger: nothing personal)"))
	f.StringVar(&fl.gateway, "gateway", "", a.t("由哪个网关从数据库读取", "gateway that read it from a database"))
	f.StringVar(&fl.delivery, "delivery", "", a.t("按哪次交付收到：协议/次数", "delivery with which it came: AGREEMENT/NUMBER"))
	c.MarkFlagsMutuallyExclusive("source", "delivery")
	return c
}

// anchorReport is the answer of `evidence anchor`.
type anchorReport struct {
	OK       bool               `json:"ok"`
	Anchored int                `json:"anchored"`
	Already  int                `json:"already"`
	Failed   int                `json:"failed"`
	Left     int                `json:"left"` // not looked at, because the run ended
	Files    []evidence.Outcome `json:"files"`
}

func (a *app) runAnchor(ctx context.Context, paths []string, fl anchorFlags) error {
	files, err := evidence.Find(ctx, paths)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fault.Newf(fault.Empty, a.t("这里没有文件：%s", "there are no files in %s"), strings.Join(paths, ", "))
	}
	if a.dryRun {
		return a.wouldAnchor(files)
	}
	cl, err := a.client()
	if err != nil {
		return err
	}
	job, err := a.anchorJob(ctx, cl, fl)
	if err != nil {
		return err
	}
	var bytes int64
	for _, f := range files {
		bytes += f.Bytes
	}
	const unit = 1 << 20
	bar := a.progress(a.t("读取 MiB", "MiB read"), int(bytes/unit)+1)
	var read int64
	job.Seen = func(n int) {
		read += int64(n)
		bar.at(int(read / unit))
	}
	outcomes, err := job.Run(ctx, files, func(n int) { a.say(a.t("  %d / %d 个文件", "  %d of %d files"), n, len(files)) })
	bar.end()
	r := anchorReport{Files: outcomes, Left: len(files) - len(outcomes)}
	for _, o := range outcomes {
		switch o.State {
		case evidence.Anchored:
			r.Anchored++
		case evidence.Already:
			r.Already++
		case evidence.Failed:
			r.Failed++
		}
	}
	r.OK = err == nil && r.Failed == 0
	if err != nil && (!a.json || r.Anchored+r.Already == 0) {
		return err // in its own words; what was done is found again by the next run
	}
	if perr := a.print(r, func(w io.Writer) { a.showAnchored(w, r) }); perr != nil || r.OK {
		return perr
	}
	return quietExit(1)
}

// wouldAnchor is the answer of a dry run: nothing is read, written or sent.
func (a *app) wouldAnchor(files []evidence.File) error {
	return a.print(map[string]any{"ok": true, "dry_run": true, "files": files}, func(w io.Writer) {
		for _, f := range files {
			fmt.Fprintln(w, visible(f.Path))
		}
		a.say(a.t("将锚定 %d 个文件，写到旁边的 %s 文件夹", "would anchor %d files, with folders %s beside them"), len(files), "*"+evidence.Suffix)
	})
}

func (a *app) showAnchored(w io.Writer, r anchorReport) {
	states := map[evidence.State]string{evidence.Anchored: "已存证", evidence.Already: "早已存证", evidence.Failed: "失败"}
	for _, o := range r.Files {
		fmt.Fprintf(w, "%s  %s", a.t(states[o.State], string(o.State)), visible(o.File))
		if o.State == evidence.Failed {
			fmt.Fprintf(w, "  %s %s\n", o.Code, visible(o.Error))
		} else {
			fmt.Fprintf(w, "  %s  %s %d\n", o.ID, a.t("高度", "height"), o.Height)
		}
	}
	a.say(a.t("存证 %d，早已存证 %d，失败 %d", "%d anchored, %d already, %d failed"), r.Anchored, r.Already, r.Failed)
	if r.Anchored > 0 {
		a.say(a.t("下一步：mulian evidence certificate %s", "next: mulian evidence certificate %s"), shellWord(r.Files[0].File))
	}
}

// anchorJob measures what goes with every file of the run.
func (a *app) anchorJob(ctx context.Context, cl *client.Client, fl anchorFlags) (*evidence.Job, error) {
	signer, err := a.signerOn(ctx, cl, keyring.Officer, keyring.Root, keyring.Machine)
	if err != nil {
		return nil, err
	}
	g, _, err := a.genesisOn(ctx, cl)
	if err != nil {
		return nil, err
	}
	clock := evidence.MeasureClock(ctx)
	hash, err := evidence.ProgramHash(ctx)
	if err != nil {
		a.say(a.t("! 程序文件读不到，其哈希不写入：%v", "! the program's file cannot be read, its hash is left out: %v"), err)
	}
	if clock.Source == evidence.UnknownClock {
		a.say("%s", a.t("! 本机时钟没有可测得的校时来源，来源过程写为“未知”", "! nothing is known to discipline this machine's clock; the provenance says \"unknown\""))
	}
	p := evidence.Provenance{
		Capture: "file", Gateway: fl.gateway, Software: "mulian " + version, SoftwareHash: hash, Source: cmp.Or(fl.delivery, fl.source),
		ClockSource: clock.Source, ClockOffsetMs: clock.OffsetMs, ClockErrorMs: clock.ErrorMs,
	}
	switch {
	case fl.delivery != "":
		p.Capture = "delivery"
	case fl.gateway != "":
		p.Capture = "database"
	}
	return &evidence.Job{
		Ledger: &evidenceLedger{a, cl, cl.Verify(g), signer}, Chain: g.GetChainId(), Genesis: g.Hash[:], Account: signer.Account, Note: fl.note, Provenance: p,
	}, nil
}

// genesisOn returns the genesis of this home, else that of the server, and its file.
func (a *app) genesisOn(ctx context.Context, cl *client.Client) (*client.Genesis, []byte, error) {
	var raw []byte
	if path := a.path(genesisFile); there(path) {
		var err error
		if raw, err = readBounded(path, prooffile.MaxFile+1); err != nil {
			return nil, nil, err
		}
	} else {
		res, err := cl.Ledger.GetGenesis(ctx, connect.NewRequest(&ledgerv1.GetGenesisRequest{}))
		if err != nil {
			return nil, nil, wire.Fault(err)
		}
		raw = res.Msg.GetSignedGenesis()
		a.say(a.t("! 本机没有创世文件：采用服务器的创世，请另行核对", "! no genesis in this home: the server's is taken; compare its hash on another way"))
	}
	g, err := client.ParseGenesis(raw)
	return g, raw, err
}

// evidenceLedger is evidence.Ledger by a server that is not trusted: what it says of
// an anchored file is proved.
type evidenceLedger struct {
	a      *app
	cl     *client.Client
	proved *client.Verified
	signer client.Signer
}

func (l *evidenceLedger) Anchor(ctx context.Context, items []*evidencev1.Evidence) (tx [32]byte, err error) {
	r, err := l.a.actAs(ctx, l.cl, l.signer, &evidencev1.AnchorEvidence{Items: items})
	if err != nil {
		return tx, err
	}
	l.a.yes = true // the person has agreed to the run
	return r.TxID, nil
}

func (l *evidenceLedger) Lookup(ctx context.Context, id string) (*evidencev1.Evidence, error) {
	e := &evidencev1.Evidence{}
	found, _, err := l.proved.Get(ctx, "evidence/item/"+id, e)
	if err != nil || !found {
		return nil, err
	}
	return e, nil
}

// evidenceVerdict is the answer of `evidence verify`.
type evidenceVerdict struct {
	OK           bool               `json:"ok"`
	Code         fault.Code         `json:"code"`
	Reason       string             `json:"reason"`
	Milliseconds float64            `json:"milliseconds"`
	ID           string             `json:"id,omitempty"`
	Findings     []evidence.Finding `json:"findings,omitempty"`
	Proof        *prooffile.Report  `json:"proof,omitempty"`
}

func (a *app) evidenceVerify() *cobra.Command {
	var genesis, hash string
	c := &cobra.Command{
		Use:   "verify FOLDER [FILE]",
		Short: a.t("离线核验：原文件、证据夹、证明文件是否相符", "check offline that file, evidence folder and proof belong together"),
		Long: a.t(`检查原文件的哈希、证据夹里的盐值和元数据、承诺值、证明文件（只信创世，见 mulian verify），以及清单写明的每个文件：证书和
核验页由证明重新生成并逐字节比对。不联网。证据夹可以改名；不给 FILE 时取它旁边的原文件。相符时退出状态为 0，不符为 7，并
说明哪一处。`,
			`Checks the hashes of the original file, salt and metadata in the folder, the commitment, the proof file (which rests on the
genesis alone, see mulian verify), and each file of the manifest: certificate and page are made again from the proofs and
compared byte by byte. No network. The folder may be renamed; without FILE it takes the original beside it. Exit status 0 if all
of it holds, 7 if not, with the place.`),
		Example: "  mulian evidence verify 批复.pdf.evidence 批复.pdf\n  mulian evidence verify 批复.pdf.evidence --genesis genesis.bin --json",
		Args:    between(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			began := time.Now()
			want, err := a.trusted(genesis, hash)
			if err != nil {
				return a.unchecked(err, began)
			}
			file := ""
			if len(args) == 2 {
				file = args[1]
			}
			return a.checkEvidence(cmd.Context(), evidence.FindFolder(args[0]), file, want, began)
		},
	}
	c.Flags().StringVar(&genesis, "genesis", "", a.t("信任的创世文件", "genesis file to trust"))
	c.Flags().StringVar(&hash, "genesis-hash", "", a.t("信任的创世哈希，64 位十六进制", "hash of the genesis to trust, 64 hex digits"))
	c.MarkFlagsMutuallyExclusive("genesis", "genesis-hash")
	return c
}

// checkEvidence checks a folder and its file; file "": the one beside the folder.
func (a *app) checkEvidence(ctx context.Context, folder, file string, want [32]byte, began time.Time) error {
	if o, err := evidence.ReadOpening(folder); err == nil && file == "" {
		file = o.FileBeside(folder)
	}
	o, proof, findings, err := evidence.Check(ctx, folder, file, want)
	if err == nil {
		var more []evidence.Finding
		more, err = a.checkPack(ctx, folder, want)
		findings = append(findings, more...)
	}
	if code := fault.CodeOf(err); code == fault.NotFound || code == fault.Inaccessible || code == fault.Cancelled {
		return a.unchecked(err, began)
	}
	v := evidenceVerdict{OK: err == nil, Findings: findings, Proof: proof, Milliseconds: float64(time.Since(began).Microseconds()) / 1000}
	if o != nil {
		v.ID = o.ID
	}
	if err != nil {
		v.Code, v.Reason = fault.CodeOf(err), err.Error()
	}
	if err := a.print(v, func(w io.Writer) { a.tellEvidence(w, v, o) }); err != nil {
		return err
	}
	if !v.OK {
		return quietExit(notHeld)
	}
	return nil
}

// checkPack checks the papers of a folder. A folder with a proof and no papers is one that
// was not certified; papers that no manifest binds are not believed.
func (a *app) checkPack(ctx context.Context, folder string, want [32]byte) ([]evidence.Finding, error) {
	found, err := pack.Check(ctx, folder, want)
	if !fault.Is(err, fault.NotFound) {
		return found, err
	}
	for _, name := range []string{pack.PaperFile, pack.PageFile} {
		if there(filepath.Join(folder, name)) {
			return nil, fault.Newf(fault.VerificationFailed, "%s is in the folder, and no %s binds it: mulian evidence certificate makes both anew", name, pack.ManifestFile)
		}
	}
	return nil, nil
}

func (a *app) tellEvidence(w io.Writer, v evidenceVerdict, o *evidence.Opening) {
	steps := map[string]string{"opening": "证据夹", "file": "原文件", "proof": "证明文件", "manifest": "清单", "operator": "存证人", "papers": "证书"}
	for _, f := range v.Findings {
		fmt.Fprintf(w, "✓ %s  %s\n", pad(a.t(steps[f.Step], f.Step), 8), visible(a.evidenceWords(f.Says)))
	}
	if !v.OK {
		reason := a.evidenceWords(v.Reason)
		if v.Proof != nil && !v.Proof.OK {
			reason = a.step(v.Proof.Step) + "，" + v.Proof.Field + "：" + v.Proof.Because(true)
			if !a.chinese() {
				reason = v.Reason
			}
		}
		fmt.Fprintf(w, "✗ %s  %s\n%s\n", v.Code, visible(reason), a.t("不相符：不要采信。", "It does not hold: do not believe it."))
		return
	}
	at := time.UnixMilli(o.AtMs).In(time.FixedZone("UTC+8", 8*3600)).Format("2006-01-02 15:04:05")
	fmt.Fprintf(w, a.t("\n相符：%s 在区块 %d（北京时间 %s）形成时已经存在，由 %s 存证\n%.1f 毫秒，离线\n", "\nIt holds: %s existed when block %d was made (%s, Beijing time), anchored by %s\n%.1f ms, offline\n"),
		visible(o.Metadata.Name), o.Height, at, visible(o.Account), v.Milliseconds)
}
