package main

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"mulian/client"
	"mulian/client/keyring"
	"mulian/custody/custodian"
	custodyv1 "mulian/gen/mulian/custody/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/safebox"
)

func (a *app) counterVault() *cobra.Command {
	c := &cobra.Command{
		Use:   "vault",
		Short: a.t("没有设备的人的保险箱：开通，经托管机构打开", "the vault of a person without a device: make it, have the custodian open it"),
		Long: a.t(`make 和 ask 写在 mulian counter sign ACCOUNT … -- 之后：它们是本人的操作，要登记、确认。open 在托管机构代签之后，于同一台终端上进行。`,
			`make and ask stand behind mulian counter sign ACCOUNT ... --: they are acts of the person, recorded and confirmed. open follows on
the same terminal, after the custodian has signed.`),
		Example: "  mulian counter sign p-0123456789abcdef0123456789abcdef --presence face2.jpg --as 11110000000011111F/p/window1 -- counter vault ask --file vault.bin --terminal terminal.key\n" +
			"  mulian counter vault open p-0123456789abcdef0123456789abcdef --file vault.bin --terminal terminal.key --custodian http://127.0.0.1:7431",
	}
	c.AddCommand(a.vaultMake(), a.vaultAsk(), a.vaultOpen())
	return c
}

// arrangementOf reads the custody of an account: NotFound.
func arrangementOf(ctx context.Context, cl *client.Client, account string) (*custodyv1.Custody, error) {
	c := &custodyv1.Custody{}
	return c, needObject(ctx, cl, "custody/custody/"+account, c)
}

// own is the account of --as.
func (a *app) own() string {
	account, _, _ := strings.Cut(a.as, "#")
	return account
}

func (a *app) vaultMake() *cobra.Command {
	var file, code string
	c := &cobra.Command{
		Use:   "make",
		Short: a.t("开通保险箱：托管机构能打开，另印一份恢复码", "make a vault that the custodian opens, and a printed recovery code as well"),
		Long: a.t("恢复码写入 --code（0600）：打印后交给本人，再销毁文件。保险库文件不是秘密，但要保存好。",
			"The recovery code is written to --code (0600): print it for the person and destroy the file. The vault's file is no secret, but keep it."),
		Example: "  mulian counter sign p-0123456789abcdef0123456789abcdef --presence face1.jpg --as 11110000000011111F/p/window1 -- counter vault make --file vault.bin --code code.txt",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			cl, err := a.client()
			if err != nil {
				return err
			}
			arrangement, err := arrangementOf(ctx, cl, a.own())
			if err != nil {
				return err
			}
			v := safebox.NewVault(a.own())
			if err := v.Add(ctx, safebox.ByCustody(&custodian.Remote{Arrangement: arrangement}), "custody"); err != nil {
				return err
			}
			printed := safebox.NewRecoveryCode()
			u, err := safebox.ByRecoveryCode(printed)
			if err == nil {
				err = v.Add(ctx, u, "paper")
			}
			if err != nil {
				return err
			}
			return a.registerVault(ctx, cl, v, file, code, printed)
		},
	}
	c.Flags().StringVar(&file, "file", "", a.t("保险库文件写到哪里", "where the vault's file is written"))
	c.Flags().StringVar(&code, "code", "", a.t("恢复码写到哪里", "where the recovery code is written"))
	_, _ = c.MarkFlagRequired("file"), c.MarkFlagRequired("code")
	return c
}

// registerVault writes file and code before the ledger hears of the vault.
func (a *app) registerVault(ctx context.Context, cl *client.Client, v *safebox.Vault, file, code, printed string) error {
	raw, hash, err := v.File()
	if err != nil {
		return err
	}
	keys, err := v.PublicKeys()
	if err != nil {
		return err
	}
	if !a.dryRun {
		if err := durable.CreateFile(file, raw, 0o600); err != nil {
			return fmt.Errorf("nothing was made: %w", err)
		}
		if err := durable.CreateFile(code, []byte(printed+"\n"), 0o600); err != nil {
			return fmt.Errorf("nothing was made: %w", err)
		}
	}
	s, err := a.signerOn(ctx, cl, keyring.Officer, keyring.Root)
	if err != nil {
		return err
	}
	r, err := a.actAs(ctx, cl, s, &safeboxv1.RegisterVault{Keys: keys, Unlockers: v.Kinds(), UnlockersHash: hash})
	if err != nil {
		return err
	}
	return a.receipt(r)
}

// custodyBox is the box of a vault's file that a custodian opens.
func custodyBox(path, account string) (*safeboxv1.VaultFile, *safeboxv1.UnlockerBox, error) {
	raw, err := readAtMost(path, safebox.MaxFile)
	if err != nil {
		return nil, nil, err
	}
	f, err := safebox.ParseFile(raw, nil)
	if err != nil {
		return nil, nil, fault.Wrap(fault.Malformed, err, "%s", path)
	}
	if f.GetAccount() != account {
		return nil, nil, fault.Newf(fault.Usage, "%s is the vault of %s", path, f.GetAccount())
	}
	for _, b := range f.GetUnlockers() {
		if b.GetKind() == safebox.Custody {
			return f, b, nil
		}
	}
	return nil, nil, fault.Newf(fault.NotFound, "%s: no custodian opens this vault", path)
}

func (a *app) vaultAsk() *cobra.Command {
	var file, terminal string
	c := &cobra.Command{
		Use:     "ask",
		Short:   a.t("请托管机构打开保险箱，只交给这台终端", "ask for the vault to be opened, for this terminal alone"),
		Example: "  mulian counter sign p-0123456789abcdef0123456789abcdef --presence face2.jpg --as 11110000000011111F/p/window1 -- counter vault ask --file vault.bin --terminal terminal.key",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, box, err := custodyBox(file, a.own())
			if err != nil {
				return err
			}
			key, err := ecdh.P256().GenerateKey(rand.Reader)
			if err != nil {
				return fmt.Errorf("make the terminal's key: %w", err)
			}
			if !a.dryRun {
				if err := durable.CreateFile(terminal, key.Bytes(), 0o600); err != nil {
					return fmt.Errorf("nothing was asked: %w", err)
				}
			}
			hash := sha256.Sum256(box.GetBox())
			return a.simple(cmd, &custodyv1.UnwrapVault{BoxHash: hash[:], Receiver: key.PublicKey().Bytes()})
		},
	}
	c.Flags().StringVar(&file, "file", "", a.t("保险库文件", "the vault's file"))
	c.Flags().StringVar(&terminal, "terminal", "", a.t("终端的一次性密钥写到哪里（0600）", "where the terminal's key for this once is written (0600)"))
	_, _ = c.MarkFlagRequired("file"), c.MarkFlagRequired("terminal")
	return c
}

func (a *app) vaultOpen() *cobra.Command {
	var file, terminal, url string
	c := &cobra.Command{
		Use:   "open ACCOUNT",
		Short: a.t("取托管机构的答复，在这台终端打开保险箱", "get the custodian's answer and open the vault on this terminal"),
		Long: a.t("打开后与账本上的公钥核对。一小时内可重取，之后要重新登记。",
			"Opened, its keys are compared with those on the ledger. It can be fetched again within the hour; after that it has to be asked anew."),
		Example: "  mulian counter vault open p-0123456789abcdef0123456789abcdef --file vault.bin --terminal terminal.key --custodian http://127.0.0.1:7431",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			cl, err := a.client()
			if err != nil {
				return err
			}
			v, n, err := a.openByCustody(ctx, cl, args[0], file, terminal, url)
			if err != nil {
				return err
			}
			same, err := sameKeys(ctx, cl, v)
			if fault.Is(err, fault.NotFound) {
				return fault.Newf(fault.NotFound, a.t("保险箱已打开（第 %d 次），但账本上还没有它：登记要等一天", "the vault is open, opening %d, but the ledger does not have it: its registration waits a day"), n)
			}
			if err != nil {
				return err
			}
			if !same {
				return fault.Newf(fault.VerificationFailed, "what was opened are not the keys of the vault of %s on the ledger", args[0])
			}
			return a.print(map[string]any{"ok": true, "account": args[0], "unwrap": n, "key_version": v.KeyVersion()}, func(w io.Writer) {
				fmt.Fprintf(w, a.t("✓ 保险箱已打开（第 %d 次），密钥与账本一致\n", "✓ the vault is open (opening %d), its keys are those on the ledger\n"), n)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&file, "file", "", a.t("保险库文件", "the vault's file"))
	f.StringVar(&terminal, "terminal", "", a.t("终端的一次性密钥", "the terminal's key"))
	f.StringVar(&url, "custodian", "", a.t("托管程序的地址", "address of the custodian's program"))
	for _, name := range []string{"file", "terminal", "custodian"} {
		_ = c.MarkFlagRequired(name)
	}
	return c
}

// openByCustody opens a vault with what was asked for this terminal; it is the newest opening
// with the terminal's key.
func (a *app) openByCustody(ctx context.Context, cl *client.Client, account, file, terminal, url string) (*safebox.Vault, uint64, error) {
	f, _, err := custodyBox(file, account)
	if err != nil {
		return nil, 0, err
	}
	raw, err := readAtMost(terminal, 32)
	if err != nil {
		return nil, 0, err
	}
	key, err := ecdh.P256().NewPrivateKey(raw)
	if err != nil {
		return nil, 0, fault.Wrap(fault.Malformed, err, "%s", terminal)
	}
	arrangement, err := arrangementOf(ctx, cl, account)
	if err != nil {
		return nil, 0, err
	}
	for n := arrangement.GetUnwraps(); n > 0; n-- {
		w := &custodyv1.Unwrap{}
		if err := needObject(ctx, cl, fmt.Sprintf("custody/unwrap/%s/%010d", account, n), w); err != nil {
			return nil, 0, err
		}
		if string(w.GetReceiver()) != string(key.PublicKey().Bytes()) {
			continue
		}
		v, err := safebox.OpenVault(ctx, f, safebox.ByCustody(&custodian.Remote{
			Arrangement: arrangement, URL: url, Asked: w, KeyVersion: f.GetKeyVersion(), Terminal: key, HTTP: client.HTTPClient(),
		}))
		return v, n, err
	}
	return nil, 0, fault.Newf(fault.NotFound, "%s", a.t("账本上还没有这台终端的开箱请求：等另一科室确认、托管机构代签", "the ledger has no opening for this terminal yet: another desk confirms it, then the custodian signs"))
}

// sameKeys compares an open vault with the ledger's record of it.
func sameKeys(ctx context.Context, cl *client.Client, v *safebox.Vault) (bool, error) {
	on := &safeboxv1.Vault{}
	if err := needObject(ctx, cl, "safebox/vault/"+v.Account(), on); err != nil {
		return false, err
	}
	for _, k := range on.GetKeys() {
		mine, err := v.PublicKeys(k.GetSuite())
		if err != nil {
			return false, err
		}
		if len(mine) != 1 || string(mine[0].GetPublicKey()) != string(k.GetPublicKey()) {
			return false, nil
		}
	}
	return len(on.GetKeys()) > 0, nil
}
