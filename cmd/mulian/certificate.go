package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"mulian/client"
	"mulian/client/evidence"
	"mulian/client/evidence/certificate"
	"mulian/client/prooffile"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
)

// paperFile is the certificate's name in its folder.
const paperFile = "certificate.pdf"

func (a *app) evidenceCertificate() *cobra.Command {
	return &cobra.Command{
		Use:   "certificate FILE...",
		Short: a.t("出具存证证书：PDF 和证明文件", "make the certificate: a PDF and the proof file"),
		Long: a.t(`在证据夹里写好证书 certificate.pdf（中英文，A4）和证明文件 *.mulian-proof.json。证书上来自账本的每一项都取自已经验证的证明文件。
证据夹就是可以交给法院的证据包：原文件、evidence.json（含盐值）、证明文件、证书。`,
			`Writes certificate.pdf (Chinese and English, A4) and the proof file *.mulian-proof.json into the evidence folder. Whatever the
paper says of the ledger comes from the proof file, after it was verified. The folder is what is handed to a court, with the
file: evidence.json (which holds the salt), proof and certificate.`),
		Example: "  mulian evidence certificate 批复.pdf\n  mulian evidence certificate 批复.pdf.evidence --json",
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
			desk := certifier{a, maker, cl.Verify(g), g}
			var made []map[string]any
			for _, arg := range args {
				v, err := desk.certify(cmd.Context(), evidence.FolderOf(arg))
				if err != nil {
					return err
				}
				made = append(made, v)
			}
			return a.print(map[string]any{"ok": true, "certificates": made}, func(w io.Writer) {
				for _, v := range made {
					fmt.Fprintf(w, "✓ %s\n  %s\n", visible(fmt.Sprint(v["certificate"])), visible(fmt.Sprint(v["proof"])))
				}
				a.say(a.t("核验：mulian evidence verify %s --genesis-hash %x", "check it: mulian evidence verify %s --genesis-hash %x"), shellWord(fmt.Sprint(made[0]["folder"])), g.Hash)
			})
		},
	}
}

// certifier makes certificates of one chain.
type certifier struct {
	a      *app
	maker  *prooffile.Maker
	proved *client.Verified
	g      *client.Genesis
}

// certify writes proof and paper into the folder. A proof that is there and holds is
// kept, so that the paper stays the same.
func (d certifier) certify(ctx context.Context, folder string) (map[string]any, error) {
	o, err := evidence.ReadOpening(folder)
	if err != nil {
		return nil, err
	}
	if !o.Anchored() {
		return nil, fault.Newf(fault.NotFound, d.a.t("%s 还没有上链：mulian evidence anchor FILE", "%s is not anchored yet: mulian evidence anchor FILE"), folder)
	}
	proof := filepath.Join(folder, o.ProofFile())
	report, err := d.prove(ctx, o, proof)
	if err != nil {
		return nil, err
	}
	org, err := d.organisation(ctx, o.Account)
	if err != nil {
		return nil, err
	}
	var paper bytes.Buffer
	if err := certificate.Write(&paper, &certificate.Certificate{Opening: o, Proof: report, Org: org}); err != nil {
		return nil, err
	}
	path := filepath.Join(folder, paperFile)
	if err := durable.ReplaceFile(path, paper.Bytes(), 0o600); err != nil {
		return nil, fault.Wrap(fault.Inaccessible, err, "write %s", path)
	}
	return map[string]any{"id": o.ID, "folder": folder, "certificate": path, "proof": proof, "height": o.Height, "bytes": paper.Len()}, nil
}

func (d certifier) prove(ctx context.Context, o *evidence.Opening, path string) (*prooffile.Report, error) {
	if raw, err := readBounded(path, prooffile.MaxFile+1); err == nil {
		if r, err := evidence.CheckProof(o, raw, d.g.Hash); err == nil {
			return r, nil
		}
	}
	raw, err := d.maker.Object(ctx, "evidence/item/"+o.ID)
	if err != nil {
		return nil, err
	}
	r, err := evidence.CheckProof(o, raw, d.g.Hash)
	if err != nil {
		return nil, err
	}
	if err := durable.ReplaceFile(path, raw, 0o600); err != nil {
		return nil, fault.Wrap(fault.Inaccessible, err, "write %s", path)
	}
	return r, nil
}

// organisation is the proved name of the organisation for which the account acts, ""
// for a person or firm.
func (d certifier) organisation(ctx context.Context, account string) (string, error) {
	acc := &identityv1.Account{}
	if _, _, err := d.proved.Get(ctx, "identity/account/"+account, acc); err != nil {
		return "", err
	}
	if acc.GetOrg() != "" && acc.GetOrg() != account {
		org := &identityv1.Account{}
		if _, _, err := d.proved.Get(ctx, "identity/account/"+acc.GetOrg(), org); err != nil {
			return "", err
		}
		return org.GetProfile().GetName() + " " + acc.GetName(), nil
	}
	return acc.GetProfile().GetName(), nil
}
