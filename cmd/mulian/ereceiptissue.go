package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mulian/client"
	"mulian/client/keyring"
	ereceiptv1 "mulian/gen/mulian/ereceipt/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/fiscal"
)

// receiptDraft is a receipt before it is one: what the unit's till knows.
type receiptDraft struct {
	Name      string `json:"name"`
	Number    string `json:"number"`
	Date      string `json:"date"`
	PayerCode string `json:"payer_code"`
	PayerName string `json:"payer_name"`
	Items     []struct {
		Code   string `json:"code"`
		Name   string `json:"name"`
		Amount string `json:"amount"`
	} `json:"items"`
}

// issuing is the range from which a unit issues, and who signs.
type issuing struct {
	cl        *client.Client
	chain     string
	signer    client.Signer
	code      *ereceiptv1.CodeRange
	key       fiscal.RangeKey
	unitName  string
	closeDays int
}

func (a *app) issuing(ctx context.Context, id, key string, days int, labels ...string) (*issuing, error) {
	cl, err := a.client()
	if err != nil {
		return nil, err
	}
	i := &issuing{cl: cl, code: &ereceiptv1.CodeRange{}, closeDays: days}
	if i.key, err = rangeKey(key, false); err != nil {
		return nil, err
	}
	if i.chain, err = cl.ChainID(ctx); err != nil {
		return nil, err
	}
	ok, err := cl.Get(ctx, "ereceipt/range/"+id, i.code)
	if err != nil {
		return nil, err
	}
	if commitment := i.key.Commitment(); !ok || !bytes.Equal(commitment[:], i.code.GetKeyCommitment()) {
		return nil, fault.Newf(fault.CodeRangeNotAllotted, "the ledger has no range %s with the key of %s", id, key)
	}
	unit := &identityv1.Account{}
	if _, err := cl.Get(ctx, "identity/account/"+i.code.GetUnit(), unit); err != nil {
		return nil, err
	}
	i.unitName = unit.GetProfile().GetName()
	i.signer, err = a.signerOn(ctx, cl, labels...)
	return i, err
}

// document makes a receipt of the range, signed by its unit.
func (i *issuing) document(m fiscal.Particulars) (*fiscal.Document, error) {
	if m.Number < i.code.GetFirst() || m.Number > i.code.GetLast() || len(m.Number) != len(i.code.GetFirst()) {
		return nil, fault.Newf(fault.CodeRangeNotAllotted, "number %.20q is not in range %s", m.Number, i.code.GetId())
	}
	m.Code, m.UnitCode, m.UnitName = i.code.GetCode(), i.code.GetUnit(), i.unitName
	secret := i.key.Secret(m.Code, m.Number)
	m.CheckCode = secret.CheckCode(m.Code, m.Number)
	for _, it := range m.Items {
		m.Fen += it.Fen
	}
	d := &fiscal.Document{Header: fiscal.Header{Chain: i.chain, Range: i.code.GetId(), Secret: secret}, Data: m}
	if err := d.Check(); err != nil {
		return nil, fault.Newf(fault.Malformed, "receipt %s-%s: %v", m.Code, m.Number, err)
	}
	sum := d.ContentHash()
	sig, err := i.signer.Key.Sign(fiscal.UnitStatement(sum[:]))
	if err != nil {
		return nil, fmt.Errorf("sign the receipt: %w", err)
	}
	d.UnitSignature = &fiscal.Signature{Account: i.signer.Account, Key: i.signer.Key.Public().ID(), Bytes: sig}
	return d, nil
}

// persist writes a document before the ledger hears of it. One with the same content that is
// there from a run that was stopped is taken instead.
func persist(path string, d *fiscal.Document) (*fiscal.Document, error) {
	raw, err := d.Encode()
	if err != nil {
		return nil, fault.Newf(fault.Malformed, "%v", err)
	}
	err = durable.CreateFile(path, raw, 0o600)
	if !errors.Is(err, fs.ErrExist) {
		return d, err
	}
	was, err := readReceipt(path)
	if err != nil {
		return nil, err
	}
	if was.ContentHash() != d.ContentHash() || was.UnitSignature == nil {
		return nil, fault.Newf(fault.AlreadyExists, "%s is another receipt", path)
	}
	return was, nil
}

// message is the document as the ledger takes it.
func (i *issuing) message(d *fiscal.Document) (*ereceiptv1.NewReceipt, error) {
	s := d.Header.Secret
	holding, err := s.Holding()
	if err != nil {
		return nil, err
	}
	scaled, err := d.Scaled()
	if err != nil {
		return nil, fault.Newf(fault.OutOfRange, "%v", err)
	}
	handle, sum, payer, check := d.Handle(), d.ContentHash(), s.Payer(d.Data.PayerCode), s.Check(d.Data.CheckCode)
	return &ereceiptv1.NewReceipt{
		Handle: handle[:], HoldingKey: holding.Public().Bytes(), ContentHash: sum[:], PayerCommitment: payer[:], CheckCommitment: check[:], ScaledAmount: scaled,
		ClosesMs: time.Now().AddDate(0, 0, i.closeDays).UnixMilli(), UnitKey: d.UnitSignature.Key, UnitSignature: d.UnitSignature.Bytes,
	}, nil
}

func (a *app) ereceiptIssue() *cobra.Command {
	var id, key, out string
	var days int
	c := &cobra.Command{
		Use:   "issue DRAFT.json...",
		Short: a.t("按草稿开具票据，签名并登记（开票单位）", "issue receipts from drafts: sign and record them (unit)"),
		Long: a.t(`草稿是 JSON：{"name","number","date","payer_code","payer_name","items":[{"code","name","amount"}]}，金额形如 "12.00"。
先写好票据文件 代码-号码.xml（只有本人可读），再上链；中断后再运行即可继续。一次最多 50 张，要么全部成功，要么一张也没有。`,
			`A draft is JSON: {"name","number","date","payer_code","payer_name","items":[{"code","name","amount"}]}, amounts like "12.00".
The file CODE-NUMBER.xml is written first (readable by you alone), then recorded; run it again after it was stopped. At most 50 at
once, all or none.`),
		Example: "  mulian ereceipt issue draft.json --range 11010126-0000000001 --key range.key --as 11110000000021928B",
		Args:    atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			i, err := a.issuing(cmd.Context(), id, key, days, keyring.Machine, keyring.Officer, keyring.Root)
			if err != nil {
				return err
			}
			m := &ereceiptv1.IssueReceipts{Range: id}
			var paths []string
			for _, path := range args {
				data, err := readDraft(path)
				if err != nil {
					return err
				}
				d, err := i.document(data)
				if err != nil {
					return err
				}
				file := filepath.Join(out, d.Data.Code+"-"+d.Data.Number+".xml")
				if !a.dryRun {
					if d, err = persist(file, d); err != nil {
						return err
					}
				}
				n, err := i.message(d)
				if err != nil {
					return err
				}
				m.Receipts, paths = append(m.Receipts, n), append(paths, file)
			}
			r, err := a.actAs(cmd.Context(), i.cl, i.signer, m)
			if err != nil || r == nil {
				return err
			}
			return a.print(map[string]any{"ok": true, "height": r.Height, "tx": hex.EncodeToString(r.TxID[:]), "files": paths}, func(w io.Writer) {
				for _, p := range paths {
					fmt.Fprintln(w, p)
				}
			})
		},
	}
	c.Flags().StringVar(&id, "range", "", a.t("票段", "code range"))
	c.Flags().StringVar(&key, "key", "", a.t("票段密钥文件", "file of the range's key"))
	c.Flags().StringVar(&out, "out", ".", a.t("票据文件写到哪个文件夹", "folder for the files"))
	c.Flags().IntVar(&days, "days", 365, a.t("多少天内可报销或冲红", "days in which it can be reimbursed or flushed"))
	_ = c.MarkFlagRequired("range")
	_ = c.MarkFlagRequired("key")
	return c
}

// readDraft reads what the till wrote. Amounts are read as the document's are.
func readDraft(path string) (m fiscal.Particulars, err error) {
	f, err := os.Open(path)
	if err != nil {
		return m, fmt.Errorf("open the draft: %w", err)
	}
	defer f.Close()
	dec := json.NewDecoder(io.LimitReader(f, fiscal.MaxBytes))
	dec.DisallowUnknownFields()
	var t receiptDraft
	if err := dec.Decode(&t); err != nil {
		return m, fault.Newf(fault.Malformed, "%s: %v", path, err)
	}
	m = fiscal.Particulars{Name: t.Name, Number: t.Number, IssueDate: t.Date, PayerCode: t.PayerCode, PayerName: t.PayerName}
	for _, it := range t.Items {
		fen, err := fiscal.ParseFen(it.Amount)
		if err != nil {
			return m, fault.Newf(fault.Malformed, "%s: %v", path, err)
		}
		m.Items = append(m.Items, fiscal.Item{Code: it.Code, Name: it.Name, Fen: fen})
	}
	return m, nil
}

func (a *app) ereceiptSupervise() *cobra.Command {
	var key string
	c := &cobra.Command{
		Use:     "supervise FILE...",
		Short:   a.t("财政监制：核对票段、秘密值和单位签名，再签名（财政部门）", "supervise: check range, secret and the unit's signature, then sign (finance bureau)"),
		Example: "  mulian ereceipt supervise 11010126-0000000001.xml --key range.key --as 11110000000011111F",
		Args:    atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := rangeKey(key, false)
			if err != nil {
				return err
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			s, err := a.signerOn(cmd.Context(), cl, keyring.Machine, keyring.Officer, keyring.Root)
			if err != nil {
				return err
			}
			docs := make([]*fiscal.Document, len(args))
			m := &ereceiptv1.SuperviseReceipts{}
			for i, path := range args {
				if docs[i], err = readReceipt(path); err != nil {
					return err
				}
				one, err := supervised(cmd.Context(), cl, k, s, docs[i])
				if err != nil {
					return err
				}
				if one != nil {
					m.Receipts = append(m.Receipts, one)
				}
			}
			var r *client.Receipt
			if len(m.Receipts) > 0 {
				if r, err = a.actAs(cmd.Context(), cl, s, m); err != nil || r == nil {
					return err
				}
			}
			for i, path := range args {
				if err := saveReceipt(path, docs[i]); err != nil {
					return err
				}
			}
			return a.print(map[string]any{"ok": true, "supervised": len(m.Receipts), "files": args}, func(w io.Writer) {
				fmt.Fprintln(w, strings.Join(args, "\n"))
			})
		},
	}
	c.Flags().StringVar(&key, "key", "", a.t("票段密钥文件", "file of the range's key"))
	_ = c.MarkFlagRequired("key")
	return c
}

// supervised puts the finance bureau's signature into a document, after it has looked at what
// only it and the unit can see: that the secret is that of the number. nil if the ledger has
// the signature already: the document then gets that one.
func supervised(ctx context.Context, cl *client.Client, key fiscal.RangeKey, s client.Signer, d *fiscal.Document) (*ereceiptv1.Supervision, error) {
	r, err := onLedger(ctx, cl, d)
	if err != nil {
		return nil, err
	}
	if d.Header.Secret != key.Secret(d.Data.Code, d.Data.Number) {
		return nil, fault.Newf(fault.VerificationFailed, "receipt %s-%s: its secret is not that of the number", d.Data.Code, d.Data.Number)
	}
	if len(r.GetSupervisionSignature()) > 0 {
		d.Supervision = &fiscal.Signature{Account: r.GetBureau(), Key: r.GetBureauKey(), Bytes: r.GetSupervisionSignature()}
		return nil, genuine(ctx, cl, d, r)
	}
	if d.UnitSignature == nil || !bytes.Equal(d.UnitSignature.Bytes, r.GetUnitSignature()) {
		return nil, fault.Newf(fault.UnitSigBad, "receipt %s-%s: the unit's signature is not that on the ledger", d.Data.Code, d.Data.Number)
	}
	sig, err := s.Key.Sign(fiscal.SuperviseStatement(r.GetContentHash(), r.GetUnitSignature()))
	if err != nil {
		return nil, fmt.Errorf("sign the receipt: %w", err)
	}
	d.Supervision = &fiscal.Signature{Account: s.Account, Key: s.Key.Public().ID(), Bytes: sig}
	// As it will stand on the ledger, so that nothing is signed that does not verify.
	as := &ereceiptv1.EReceipt{Range: r.GetRange(), Issuer: r.GetIssuer(), Bureau: s.Account, SupervisionSignature: sig, ScaledAmount: r.GetScaledAmount()}
	if err := genuine(ctx, cl, d, as); err != nil {
		return nil, err
	}
	return &ereceiptv1.Supervision{Handle: r.GetHandle(), Key: s.Key.Public().ID(), Signature: sig}, nil
}

func (a *app) ereceiptDeliver() *cobra.Command {
	return &cobra.Command{
		Use:     "deliver FILE...",
		Short:   a.t("登记票据已交付交款人（开票单位）", "record that receipts were given to their payers (unit)"),
		Example: "  mulian ereceipt deliver 11010126-0000000001.xml --as 11110000000021928B",
		Args:    atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			handles, err := handlesOf(args)
			if err != nil {
				return err
			}
			return a.simple(cmd, &ereceiptv1.DeliverReceipts{Handles: handles})
		},
	}
}
