package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"mulian/client"
	"mulian/client/evidence"
	"mulian/client/evidence/pack"
	"mulian/client/prooffile"
	"mulian/internal/fault"
)

func (a *app) evidenceCertificate() *cobra.Command {
	var zipped bool
	c := &cobra.Command{
		Use:   "certificate FILE...",
		Short: a.t("出具存证证书和证据包：PDF、证明文件、离线核验页", "make the certificate and the evidence pack: PDF, proofs, a page that checks them offline"),
		Long: a.t(`在证据夹里写好可以交给法院的证据包：证书 certificate.pdf（中英文，A4）、存证和存证人的证明文件 *.mulian-proof.json、创世
genesis.bin、离线核验页 verify.html（浏览器打开即可）、说明 README.txt，以及写明每个文件的哈希、存证人和验证节点的
manifest.json。证书上来自账本的每一项都取自已经验证的证明文件。原文件存证后若已改动，则不出具，并说明。`,
			`Writes what is handed to a court into the evidence folder: certificate.pdf (Chinese and English, A4), the proof files
*.mulian-proof.json of the evidence and of who anchored it, genesis.bin, verify.html (checks all of it offline in a browser),
README.txt, and manifest.json with the hash of each file, the operator and the validators. Whatever the paper says of the ledger
comes from proofs that were verified. A file that changed since it was anchored gets none, and is told so.`),
		Example: "  mulian evidence certificate 批复.pdf\n  mulian evidence certificate 批复.pdf --zip\n  mulian evidence certificate 批复.pdf.evidence --json",
		Args:    atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			g, raw, err := a.genesisOn(cmd.Context(), cl)
			if err != nil {
				return err
			}
			maker, err := prooffile.NewMaker(cl, raw)
			if err != nil {
				return err
			}
			desk := certifier{a, maker, g, raw, zipped}
			var made []map[string]any
			for _, arg := range args {
				v, err := desk.certify(cmd.Context(), arg)
				if err != nil {
					return err
				}
				made = append(made, v)
			}
			return a.print(map[string]any{"ok": true, "certificates": made}, func(w io.Writer) {
				for _, v := range made {
					fmt.Fprintf(w, "✓ %s\n  %s\n", visible(fmt.Sprint(v["certificate"])), visible(fmt.Sprint(v["proof"])))
				}
				a.tellZips(made)
				a.say(a.t("核验：mulian evidence verify %s --genesis-hash %x", "check it: mulian evidence verify %s --genesis-hash %x"), shellWord(fmt.Sprint(made[0]["folder"])), g.Hash)
			})
		},
	}
	c.Flags().BoolVar(&zipped, "zip", false, a.t("另写一个 zip：证据夹，连同未改动的原文件", "also write a zip: the folder, with the original if it did not change"))
	return c
}

// tellZips names the zip files that were written.
func (a *app) tellZips(made []map[string]any) {
	for _, v := range made {
		if path, ok := v["zip"]; ok {
			a.say("  %s", visible(fmt.Sprint(path)))
		}
	}
}

// certifier makes certificates of one chain.
type certifier struct {
	a      *app
	maker  *prooffile.Maker
	g      *client.Genesis
	raw    []byte // genesis file
	zipped bool
}

// certify fills the folder of a file, or a folder. A proof that is there and holds is
// kept, so that the paper stays the same.
func (d certifier) certify(ctx context.Context, arg string) (map[string]any, error) {
	folder := evidence.FindFolder(arg)
	o, err := evidence.ReadOpening(folder)
	if err != nil {
		return nil, err
	}
	if !o.Anchored() {
		return nil, fault.Newf(fault.NotFound, d.a.t("%s 还没有上链：mulian evidence anchor FILE", "%s is not anchored yet: mulian evidence anchor FILE"), folder)
	}
	original, err := d.original(ctx, o, arg, folder)
	if err != nil {
		return nil, err
	}
	p := &pack.Pack{Genesis: d.raw, Program: pack.Program{Name: "mulian " + version}}
	if p.Program.SHA256, err = evidence.ProgramHash(ctx); err != nil {
		p.Program.SHA256 = nil // its name alone
	}
	if p.Opening, err = readBounded(filepath.Join(folder, evidence.OpeningFile), evidence.MaxOpening); err != nil {
		return nil, err
	}
	if p.Proof, err = d.prove(ctx, o, filepath.Join(folder, o.ProofFile())); err != nil {
		return nil, err
	}
	if err := d.proveOperator(ctx, o, folder, p); err != nil {
		return nil, err
	}
	n, err := p.Write(folder)
	if err != nil {
		return nil, err
	}
	v := map[string]any{
		"id": o.ID, "folder": folder, "certificate": filepath.Join(folder, pack.PaperFile), "proof": filepath.Join(folder, o.ProofFile()),
		"page": filepath.Join(folder, pack.PageFile), "manifest": filepath.Join(folder, pack.ManifestFile), "file": original, "height": o.Height, "bytes": n,
	}
	if !d.zipped {
		return v, nil
	}
	beside := ""
	if original == "same" {
		if beside = o.FileBeside(folder); filepath.Clean(arg) != folder {
			beside = filepath.Clean(arg)
		}
	}
	path := filepath.Join(filepath.Dir(folder), filepath.Base(folder)+".zip")
	v["zip"] = path
	return v, pack.Zip(path, folder, beside)
}

// original tells what has become of the file that was anchored: "same", "changed" or
// "absent". A file that the person names and that changed gets no certificate; beside
// a folder that he names it is a warning.
func (d certifier) original(ctx context.Context, o *evidence.Opening, arg, folder string) (string, error) {
	path, named := o.FileBeside(folder), filepath.Clean(arg) != folder
	if named {
		path = filepath.Clean(arg)
	}
	err := o.Same(ctx, path)
	switch {
	case err == nil:
		return "same", nil
	case fault.Is(err, fault.NotFound):
		return "absent", nil
	case !fault.Is(err, fault.VerificationFailed):
		return "", err
	case named:
		return "", fault.Newf(fault.VerificationFailed, d.a.t("%s 在存证（高度 %d）之后已改动：证书证明的不是它现在的内容。先运行 mulian evidence anchor 存证现在的内容；要为当时的内容出具，请指明证据夹 %s",
			"%s has changed since it was anchored at height %d: a certificate would be of what it was, not of what it is. Anchor what it is now with mulian evidence anchor; for a certificate of what it was name the folder %s"), path, o.Height, folder)
	}
	d.a.say(d.a.t("! %s 在存证之后已改动：证书证明的是当时的内容，不是它现在的内容", "! %s has changed since it was anchored: the certificate is of what it was, not of what it is"), path)
	return "changed", nil
}

func (d certifier) prove(ctx context.Context, o *evidence.Opening, path string) ([]byte, error) {
	if raw, err := readBounded(path, prooffile.MaxFile+1); err == nil {
		if _, err := evidence.CheckProof(o, raw, d.g.Hash); err == nil {
			return raw, nil
		}
	}
	raw, err := d.maker.Object(ctx, "evidence/item/"+o.ID)
	if err != nil {
		return nil, err
	}
	_, err = evidence.CheckProof(o, raw, d.g.Hash)
	return raw, err
}

// proveOperator takes the proofs of who anchored it that are there and hold, else new ones.
func (d certifier) proveOperator(ctx context.Context, o *evidence.Opening, folder string, p *pack.Pack) error {
	p.Operator, _ = readBounded(filepath.Join(folder, pack.OperatorFile), prooffile.MaxFile+1)
	p.Organisation, _ = readBounded(filepath.Join(folder, pack.OrganisationFile), prooffile.MaxFile+1)
	if p.Open(d.g.Hash) == nil {
		return nil
	}
	var err error
	if p.Operator, p.Organisation, err = pack.Fetch(ctx, d.maker, o.Account); err != nil {
		return err
	}
	return p.Open(d.g.Hash)
}
