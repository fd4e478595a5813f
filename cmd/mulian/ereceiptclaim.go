package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mulian/client/keyring"
	ereceiptv1 "mulian/gen/mulian/ereceipt/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/fiscal"
)

// claim is the number of a claim and the salt of its commitment, as an organisation keeps them
// beside a receipt that it has locked: all of them, for money may have to come back.
type claim struct {
	Number string `json:"claim"`
	Salt   string `json:"salt"`
}

// maxClaims bounds the file beside a receipt: more attempts than any receipt has parts.
const maxClaims = 200

func claimPath(receipt string) string { return receipt + ".claims" }

// readClaims reads the claims beside a receipt; none if it was never locked from here.
func readClaims(receipt string) (list []claim, err error) {
	raw, err := os.ReadFile(claimPath(receipt))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("read the claims: %w", err)
	}
	return list, nil
}

func (c claim) commitment() ([]byte, error) {
	salt, err := hex.DecodeString(c.Salt)
	if err != nil || len(salt) != 32 {
		return nil, fault.Newf(fault.Malformed, "a claim's salt has 64 hexadecimal digits")
	}
	sum := fiscal.Claim([32]byte(salt), c.Number)
	return sum[:], nil
}

// claimed returns the commitment of the newest claim beside a receipt that fits: of the lock,
// of a payment. NotLockedFirst if none does.
func claimed(receipt string, fits func(commitment []byte) bool) ([]byte, error) {
	list, err := readClaims(receipt)
	if err != nil {
		return nil, err
	}
	for _, c := range slices.Backward(list) {
		sum, err := c.commitment()
		if err != nil {
			return nil, err
		}
		if fits(sum) {
			return sum, nil
		}
	}
	return nil, fault.Newf(fault.NotLockedFirst, "%s has no claim for which the receipt is locked or was paid", claimPath(receipt))
}

// keepClaim returns the commitment of a claim, and writes the claim down first if it is new.
func keepClaim(receipt, number string) ([]byte, error) {
	list, err := readClaims(receipt)
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		if c.Number == number {
			return c.commitment()
		}
	}
	if len(list) >= maxClaims {
		return nil, fault.Newf(fault.TooLong, "%s has %d claims", claimPath(receipt), len(list))
	}
	var salt [32]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return nil, err
	}
	c := claim{Number: number, Salt: hex.EncodeToString(salt[:])}
	raw, err := json.Marshal(append(list, c))
	if err != nil {
		return nil, err
	}
	if err := durable.ReplaceFile(claimPath(receipt), raw, 0o600); err != nil {
		return nil, err
	}
	return c.commitment()
}

func (a *app) ereceiptLock() *cobra.Command {
	var number, payer string
	var term time.Duration
	c := &cobra.Command{
		Use:   "lock FILE...",
		Short: a.t("锁定票据以便报销：同一时刻只有一家机构能成功", "lock receipts for reimbursement: one organisation at a time"),
		Long: a.t(`用票据里的密钥签名，证明持有原件；索赔号加盐后上链，盐值留在 FILE.claims。--payer 用你自己的案卷里的交款人证件号，与票据不符即被拒绝。`,
			`Signs with the key that follows from the document, so that only a holder can lock; the claim's number goes on the ledger salted, the salt
stays in FILE.claims. Take --payer from your own file: another payer than the receipt's is refused.`),
		Example: "  mulian ereceipt lock 11010126-0000000001.xml --claim C-2026-1 --for 72h --as 11110000000025678C",
		Args:    atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			s, err := a.signerOn(cmd.Context(), cl, keyring.Machine, keyring.Officer, keyring.Root)
			if err != nil {
				return err
			}
			chain, err := cl.ChainID(cmd.Context())
			if err != nil {
				return err
			}
			org, _, _ := strings.Cut(s.Account, "/")
			until := time.Now().Add(term).UnixMilli()
			m := &ereceiptv1.LockReceipts{}
			for _, path := range args {
				d, r, err := receiptAt(cmd.Context(), cl, path)
				if err != nil {
					return err
				}
				if err := genuine(cmd.Context(), cl, d, r); err != nil {
					return err
				}
				if payer != "" {
					d.Data.PayerCode = payer
				}
				l, err := newLock(path, number, chain, org, until, d)
				if err != nil {
					return err
				}
				m.Locks = append(m.Locks, l)
			}
			r, err := a.actAs(cmd.Context(), cl, s, m)
			if err != nil {
				return err
			}
			return a.receipt(r)
		},
	}
	c.Flags().StringVar(&number, "claim", "", a.t("索赔号（不上链）", "number of the claim (stays here)"))
	c.Flags().StringVar(&payer, "payer", "", a.t("你的案卷里的交款人证件号", "who paid, by your own file"))
	c.Flags().DurationVar(&term, "for", 72*time.Hour, a.t("锁定多久，最长 720h", "how long, at most 720h"))
	_ = c.MarkFlagRequired("claim")
	return c
}

// newLock makes the lock of one receipt.
func newLock(path, number, chain, org string, untilMs int64, d *fiscal.Document) (*ereceiptv1.NewLock, error) {
	sum, err := keepClaim(path, number)
	if err != nil {
		return nil, err
	}
	s := d.Header.Secret
	holding, err := s.Holding()
	if err != nil {
		return nil, err
	}
	handle, payer, check := d.Handle(), s.Payer(d.Data.PayerCode), s.Check(d.Data.CheckCode)
	scaled, err := d.Scaled()
	if err != nil {
		return nil, err
	}
	sig, err := holding.Sign(fiscal.HoldStatement(chain, org, handle[:], sum, untilMs))
	if err != nil {
		return nil, err
	}
	return &ereceiptv1.NewLock{
		Handle: handle[:], ClaimCommitment: sum, UntilMs: untilMs, PayerCommitment: payer[:], CheckCommitment: check[:], ScaledAmount: scaled, HoldingSignature: sig,
	}, nil
}

func (a *app) ereceiptRelease() *cobra.Command {
	return &cobra.Command{
		Use:     "release FILE...",
		Short:   a.t("释放锁定", "release locks"),
		Example: "  mulian ereceipt release 11010126-0000000001.xml --as 11110000000025678C",
		Args:    atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			handles, err := handlesOf(args)
			if err != nil {
				return err
			}
			return a.simple(cmd, &ereceiptv1.ReleaseReceipts{Handles: handles})
		},
	}
}

func (a *app) ereceiptReimburse() *cobra.Command {
	var amount string
	var open bool
	c := &cobra.Command{
		Use:     "reimburse FILE",
		Short:   a.t("登记已按票据报销的金额", "record what was paid against a receipt"),
		Example: "  mulian ereceipt reimburse 11010126-0000000001.xml --amount 333.30 --open-rest --as 11110000000025678C",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			fen, err := fiscal.ParseFen(amount)
			if err != nil {
				return fault.Newf(fault.Usage, "--amount: %v", err)
			}
			d, r, err := receiptAt(cmd.Context(), cl, args[0])
			if err != nil {
				return err
			}
			sum, err := claimed(args[0], func(sum []byte) bool { return r.GetLock() == nil || bytes.Equal(sum, r.GetLock().GetClaimCommitment()) })
			if fault.Is(err, fault.NotLockedFirst) && r.GetLock() != nil {
				sum, err = r.GetLock().GetClaimCommitment(), nil // of somebody else: the ledger says so in its own words
			}
			if err != nil {
				return err
			}
			scaled, err := d.Header.Secret.Part(fen, len(r.GetReimbursements())+len(r.GetFlushes()))
			if err != nil {
				return fault.Newf(fault.OutOfRange, "%v", err)
			}
			return a.simple(cmd, &ereceiptv1.ReimburseReceipts{Reimbursements: []*ereceiptv1.NewReimbursement{{Handle: r.GetHandle(), ClaimCommitment: sum, Scaled: scaled, OpenRest: open}}})
		},
	}
	c.Flags().StringVar(&amount, "amount", "", a.t("金额，如 333.30", "amount, like 333.30"))
	c.Flags().BoolVar(&open, "open-rest", false, a.t("余额留给其他承担方", "leave the rest to others who pay"))
	_ = c.MarkFlagRequired("amount")
	return c
}

func (a *app) ereceiptReturn() *cobra.Command {
	return &cobra.Command{
		Use:     "return FILE",
		Short:   a.t("登记已冲红票据的报销款已退回", "record that the money paid for a flushed receipt came back"),
		Example: "  mulian ereceipt return 11010126-0000000001.xml --as 11110000000025678C",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			_, r, err := receiptAt(cmd.Context(), cl, args[0])
			if err != nil {
				return err
			}
			sum, err := claimed(args[0], func(sum []byte) bool {
				return slices.ContainsFunc(r.GetReimbursements(), func(p *ereceiptv1.Reimbursement) bool {
					return p.GetReturnedMs() == 0 && bytes.Equal(sum, p.GetClaimCommitment())
				})
			})
			if err != nil {
				return err
			}
			return a.simple(cmd, &ereceiptv1.ReturnReimbursement{Handle: r.GetHandle(), ClaimCommitment: sum})
		},
	}
}

func (a *app) ereceiptRed() *cobra.Command {
	var id, key, number, amount, reason string
	c := &cobra.Command{
		Use:   "red FILE",
		Short: a.t("冲红：开一张红票作废全部或部分（开票单位）", "flush: cancel all or a part with a red receipt (unit)"),
		Long: a.t(`红票文件写在原票旁边。已锁定的票据不能冲红；已报销的只能全额冲红，等报销方退款后完成。`,
			`The red receipt's file is written beside the other. A locked receipt is not flushed; one that was reimbursed is flushed as a whole, and it is
done when who paid has the money back.`),
		Example: "  mulian ereceipt red 11010126-0000000001.xml --number 0000000002 --amount 12.00 --reason 退费 --range 11010126-0000000001 --key range.key --as 11110000000021928B",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			i, err := a.issuing(cmd.Context(), id, key, 365, keyring.Officer, keyring.Root)
			if err != nil {
				return err
			}
			d, r, err := receiptAt(cmd.Context(), i.cl, args[0])
			if err != nil {
				return err
			}
			if d.Data.RedOf != "" {
				return fault.Newf(fault.RedOfRed, "%s is a red receipt; it cancels number %s", args[0], d.Data.RedOf)
			}
			m := &ereceiptv1.FlushReceipt{Handle: r.GetHandle(), Range: id, Reason: reason}
			fen := d.Data.Fen
			for _, f := range r.GetFlushes() { // an earlier part is not taken back twice
				fen -= d.Header.Secret.PartFen(f.GetScaled())
			}
			if amount != "" {
				if fen, err = fiscal.ParseFen(amount); err != nil {
					return fault.Newf(fault.Usage, "--amount: %v", err)
				}
				if m.Scaled, err = d.Header.Secret.Part(fen, len(r.GetReimbursements())+len(r.GetFlushes())); err != nil {
					return fault.Newf(fault.OutOfRange, "%v", err)
				}
			}
			red, err := i.document(fiscal.Particulars{
				Name: d.Data.Name, Number: number, IssueDate: time.Now().In(time.FixedZone("UTC+8", 8*3600)).Format("20060102"), PayerCode: d.Data.PayerCode, PayerName: d.Data.PayerName,
				RedOf: d.Data.Number, Items: []fiscal.Item{{Name: "冲红", Fen: -fen}},
			})
			if err != nil {
				return err
			}
			if !a.dryRun {
				if red, err = persist(filepath.Join(filepath.Dir(args[0]), red.Data.Code+"-"+red.Data.Number+".xml"), red); err != nil {
					return err
				}
			}
			if m.Red, err = i.message(red); err != nil {
				return err
			}
			receipt, err := a.actAs(cmd.Context(), i.cl, i.signer, m)
			if err != nil {
				return err
			}
			return a.receipt(receipt)
		},
	}
	f := c.Flags()
	f.StringVar(&number, "number", "", a.t("红票的号码", "number of the red receipt"))
	f.StringVar(&id, "range", "", a.t("红票的票段", "code range of the red receipt"))
	f.StringVar(&key, "key", "", a.t("票段密钥文件", "file of the range's key"))
	f.StringVar(&amount, "amount", "", a.t("部分冲红的金额；不写即全额", "amount of a part; all without it"))
	f.StringVar(&reason, "reason", "", a.t("原因（上链，不要写个人信息）", "reason (on the ledger: nothing personal)"))
	for _, name := range []string{"number", "range", "key", "reason"} {
		_ = c.MarkFlagRequired(name)
	}
	return c
}
