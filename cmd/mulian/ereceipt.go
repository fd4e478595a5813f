package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"mulian/client"
	ereceiptv1 "mulian/gen/mulian/ereceipt/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/fiscal"
	"mulian/internal/sm"
	"mulian/internal/wire"
)

func (a *app) ereceiptCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "ereceipt",
		Aliases: []string{"receipt", "财政电子票据"},
		Short:   a.t("财政电子票据：开具、监制、核验、锁定、报销、冲红", "fiscal e-receipts: issue, supervise, verify, lock, reimburse, flush"),
		Long: a.t(`票据是一份 XML 文件，有开票单位和财政部门两个签名，文件只在持有人手里。账本上没有票据代码、号码、交款人和金额，只有从文件
才能算出的标识、承诺值和缩放后的金额。报销前先锁定：同一时刻只有一家机构能锁定同一张票据，因此不会重复报销。`,
			`A receipt is an XML file with two signatures, the unit's and the finance bureau's; only its holders have it. The ledger has neither
code, number, payer nor amount, but a handle, commitments and scaled sums that only the file gives. Who wants to pay back locks
it first: one organisation at a time can, so nothing is reimbursed twice.`),
		Example: "  mulian ereceipt issue draft.json --range 11010126-0000000001 --key range.key --as 11110000000021928B\n  mulian ereceipt lock 11010126-0000000001.xml --claim C-2026-1 --as 11110000000025678C\n  mulian ereceipt verify 11010126-0000000001.xml",
	}
	c.AddCommand(a.ereceiptAllot(), a.ereceiptIssue(), a.ereceiptSupervise(), a.ereceiptDeliver(), a.ereceiptVerify(), a.ereceiptShow(),
		a.ereceiptLock(), a.ereceiptRelease(), a.ereceiptReimburse(), a.ereceiptRed(), a.ereceiptReturn(), a.ereceiptRanges())
	return c
}

func (a *app) ereceiptAllot() *cobra.Command {
	var unit, until, key string
	c := &cobra.Command{
		Use:   "allot CODE FIRST LAST",
		Short: a.t("把票据代码的一段号码分配给开票单位（财政部门）", "allot numbers of a receipt code to a unit (finance bureau)"),
		Long: a.t(`--key 指定的票段密钥文件不存在时新建（只有本人可读）。把它安全地交给开票单位：由它算出每个号码的秘密值，账本上只有它的承诺值。`,
			`The file of --key is made if there is none (readable by you alone). Give it to the unit by a safe way: it gives the secret of every number;
the ledger has its commitment only.`),
		Example: "  mulian ereceipt allot 11010126 0000000001 0000100000 --unit 11110000000021928B --until 2026-12-31 --key range.key --as 11110000000011111F",
		Args:    exactly(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			untilMs, err := beijingDay(until)
			if err != nil {
				return err
			}
			k, err := rangeKey(key, true)
			if err != nil {
				return err
			}
			commitment := k.Commitment()
			return a.simple(cmd, &ereceiptv1.AllotRange{Code: args[0], First: args[1], Last: args[2], Unit: unit, UntilMs: untilMs, KeyCommitment: commitment[:]})
		},
	}
	c.Flags().StringVar(&unit, "unit", "", a.t("开票单位", "organisation that issues"))
	c.Flags().StringVar(&until, "until", "", a.t("最后一天", "last day"))
	c.Flags().StringVar(&key, "key", "", a.t("票段密钥文件", "file of the range's key"))
	for _, f := range []string{"unit", "until", "key"} {
		_ = c.MarkFlagRequired(f)
	}
	return c
}

// rangeKey reads the key of a code range from a file of 64 hexadecimal digits; it may make one.
func rangeKey(path string, fresh bool) (k fiscal.RangeKey, err error) {
	raw, err := os.ReadFile(path)
	if fresh && os.IsNotExist(err) {
		if _, err := rand.Read(k[:]); err != nil {
			return k, err
		}
		return k, durable.CreateFile(path, []byte(hex.EncodeToString(k[:])+"\n"), 0o600)
	}
	if err != nil {
		return k, fmt.Errorf("read the range's key: %w", err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm()&0o077 != 0 {
		return k, fault.Newf(fault.Inaccessible, "%s can be read by others: chmod 600", path)
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(raw)))
	if err != nil || len(b) != len(k) {
		return k, fault.Newf(fault.Malformed, "%s: 64 hexadecimal digits are wanted", path)
	}
	return fiscal.RangeKey(b), nil
}

// readReceipt reads a receipt's file.
func readReceipt(path string) (*fiscal.Document, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the receipt: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, fiscal.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	d, err := fiscal.Parse(raw)
	if err != nil {
		return nil, fault.Newf(fault.Malformed, "%s: %v", path, err)
	}
	return d, nil
}

// saveReceipt writes a receipt's file in the place of the one before.
func saveReceipt(path string, d *fiscal.Document) error {
	raw, err := d.Encode()
	if err != nil {
		return fault.Newf(fault.Malformed, "%s: %v", path, err)
	}
	return durable.ReplaceFile(path, raw, 0o600)
}

// onLedger returns what the ledger has of a document: NotFound, and VerificationFailed if its
// content is another one.
func onLedger(ctx context.Context, cl *client.Client, d *fiscal.Document) (*ereceiptv1.EReceipt, error) {
	handle, sum := d.Handle(), d.ContentHash()
	r := &ereceiptv1.EReceipt{}
	ok, err := cl.Get(ctx, "ereceipt/receipt/"+hex.EncodeToString(handle[:]), r)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, fault.Newf(fault.NotFound, "the ledger has no receipt %s-%s of this document (handle %x)", d.Data.Code, d.Data.Number, handle)
	case string(r.GetContentHash()) != string(sum[:]):
		return nil, fault.Newf(fault.VerificationFailed, "receipt %s-%s was issued with another content", d.Data.Code, d.Data.Number)
	}
	return r, nil
}

// receiptAt reads a receipt's file and what the ledger has of it.
func receiptAt(ctx context.Context, cl *client.Client, path string) (*fiscal.Document, *ereceiptv1.EReceipt, error) {
	d, err := readReceipt(path)
	if err != nil {
		return nil, nil, err
	}
	r, err := onLedger(ctx, cl, d)
	return d, r, err
}

// handlesOf are the ledger's names of receipts.
func handlesOf(paths []string) (out [][]byte, err error) {
	for _, path := range paths {
		d, err := readReceipt(path)
		if err != nil {
			return nil, err
		}
		h := d.Handle()
		out = append(out, h[:])
	}
	return out, nil
}

// keyFinder finds the public keys of accounts on the ledger; a key that was revoked since still
// tells who signed then.
func keyFinder(ctx context.Context, cl *client.Client) func(account, key string) (sm.PublicKey, error) {
	return func(account, key string) (sm.PublicKey, error) {
		acc := &identityv1.Account{}
		if ok, err := cl.Get(ctx, "identity/account/"+account, acc); err != nil || !ok {
			return sm.PublicKey{}, fault.Newf(fault.NotFound, "there is no account %s (%v)", account, err)
		}
		for _, k := range acc.GetKeys() {
			if k.GetId() == key {
				return sm.ParsePublic(sm.Algorithm(k.GetAlgorithm()), k.GetPublicKey())
			}
		}
		return sm.PublicKey{}, fault.Newf(fault.NotFound, "%s has no key %s", account, key)
	}
}

func (a *app) ereceiptVerify() *cobra.Command {
	return &cobra.Command{
		Use:     "verify FILE...",
		Short:   a.t("核验票据：两个签名、账本记录和当前状态", "check a receipt: both signatures, what the ledger has, and its state"),
		Example: "  mulian ereceipt verify 11010126-0000000001.xml --json",
		Args:    atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			for _, path := range args {
				d, r, err := receiptAt(cmd.Context(), cl, path)
				if err != nil {
					return err
				}
				if err := genuine(cmd.Context(), cl, d, r); err != nil {
					return err
				}
				if err := a.showReceipt(d, r); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// genuine checks a document against its signatures and its record.
func genuine(ctx context.Context, cl *client.Client, d *fiscal.Document, r *ereceiptv1.EReceipt) error {
	switch {
	case d.UnitSignature == nil:
		return fault.Newf(fault.UnitSigBad, "receipt %s-%s: the unit has not signed", d.Data.Code, d.Data.Number)
	case d.Supervision == nil:
		return fault.Newf(fault.SuperviseMissing, "receipt %s-%s: the finance bureau has not signed", d.Data.Code, d.Data.Number)
	}
	if err := d.Verify(keyFinder(ctx, cl)); err != nil {
		return fault.Newf(fault.VerificationFailed, "receipt %s-%s: %v", d.Data.Code, d.Data.Number, err)
	}
	g := &ereceiptv1.CodeRange{}
	ok, err := cl.Get(ctx, "ereceipt/range/"+r.GetRange(), g)
	scaled, serr := d.Scaled()
	switch {
	case err != nil:
		return err
	case !ok || d.Data.Code != g.GetCode() || d.Data.Number < g.GetFirst() || d.Data.Number > g.GetLast() || d.Data.UnitCode != g.GetUnit():
		return fault.Newf(fault.CodeRangeNotAllotted, "number %s-%s was not allotted to %s", d.Data.Code, d.Data.Number, d.Data.UnitCode)
	case d.UnitSignature.Account != r.GetIssuer() || d.Supervision.Account != r.GetBureau() || string(d.Supervision.Bytes) != string(r.GetSupervisionSignature()):
		return fault.Newf(fault.VerificationFailed, "receipt %s-%s: its signatures are not those on the ledger", d.Data.Code, d.Data.Number)
	case serr != nil || scaled != r.GetScaledAmount():
		return fault.Newf(fault.AmountMismatch, "receipt %s-%s was issued over another amount", d.Data.Code, d.Data.Number)
	}
	return nil
}

// receiptReport is what a holder of the document learns.
type receiptReport struct {
	OK      bool   `json:"ok"`
	Handle  string `json:"handle"`
	Code    string `json:"code,omitempty"`
	Number  string `json:"number,omitempty"`
	Unit    string `json:"unit"`
	State   string `json:"state"`
	Amount  string `json:"amount,omitempty"`
	Rest    string `json:"rest,omitempty"`
	Locked  string `json:"locked_until,omitempty"`
	LockOrg string `json:"locked_by,omitempty"`
	Closes  string `json:"closes"`
}

// showReceipt prints a receipt; without the document there are no sums to show.
func (a *app) showReceipt(d *fiscal.Document, r *ereceiptv1.EReceipt) error {
	v := receiptReport{OK: true, Handle: hex.EncodeToString(r.GetHandle()), Unit: r.GetUnit(), State: strings.ToLower(strings.TrimPrefix(r.GetState().String(), "E_RECEIPT_STATE_")), Closes: day(r.GetClosesMs())}
	if d != nil {
		v.Code, v.Number, v.Amount = d.Data.Code, d.Data.Number, fiscal.Yuan(d.Data.Fen)
		v.Rest = fiscal.Yuan(d.Header.Secret.Fen(r.GetScaledRest()))
	}
	if l := r.GetLock(); l != nil && time.Now().UnixMilli() < l.GetUntilMs() {
		v.Locked, v.LockOrg = day(l.GetUntilMs()), l.GetOrg()
	}
	return a.print(v, func(w io.Writer) {
		row := func(zh, en, text string) {
			if text != "" {
				fmt.Fprintf(w, "%-10s %s\n", a.t(zh, en), visible(text))
			}
		}
		row("号码", "number", strings.Trim(v.Code+"-"+v.Number, "-"))
		row("标识", "handle", v.Handle)
		row("单位", "unit", v.Unit)
		row("状态", "state", a.word(r.GetState()))
		row("金额", "amount", v.Amount)
		row("余额", "rest", v.Rest)
		row("锁定至", "locked", strings.TrimSpace(v.Locked+" "+v.LockOrg))
		row("期限", "closes", v.Closes)
	})
}

func (a *app) ereceiptShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show FILE|HANDLE",
		Short:   a.t("查看票据的状态；有文件时显示金额和余额", "show a receipt's state; with the file also amount and rest"),
		Example: "  mulian ereceipt show 11010126-0000000001.xml",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			if h, err := hex.DecodeString(args[0]); err == nil && len(h) == 32 {
				res, err := cl.EReceipt.GetReceipt(cmd.Context(), connect.NewRequest(&ereceiptv1.GetReceiptRequest{Handle: h}))
				if err != nil {
					return wire.Fault(err)
				}
				return a.showReceipt(nil, res.Msg.GetReceipt())
			}
			d, r, err := receiptAt(cmd.Context(), cl, args[0])
			if err != nil {
				return err
			}
			return a.showReceipt(d, r)
		},
	}
}

func (a *app) ereceiptRanges() *cobra.Command {
	var unit string
	c := &cobra.Command{
		Use:     "ranges",
		Short:   a.t("列出已分配的票段", "list the code ranges that were allotted"),
		Example: "  mulian ereceipt ranges --unit 11110000000021928B",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.EReceipt.ListRanges(cmd.Context(), connect.NewRequest(&ereceiptv1.ListRangesRequest{Unit: unit}))
			if err != nil {
				return wire.Fault(err)
			}
			if a.json {
				return a.printProto(res.Msg)
			}
			return a.print(nil, func(w io.Writer) {
				for _, g := range res.Msg.GetRanges() {
					fmt.Fprintf(w, "%s  %s-%s  %s  %d  %s\n", g.GetId(), g.GetFirst(), g.GetLast(), g.GetUnit(), g.GetIssued(), day(g.GetUntilMs()))
				}
			})
		},
	}
	c.Flags().StringVar(&unit, "unit", "", a.t("只看一个开票单位", "of one unit only"))
	return c
}
