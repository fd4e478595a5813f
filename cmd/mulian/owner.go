package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mulian/client"
	"mulian/client/keyring"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/rowkey"
	"mulian/internal/sm"
)

func (a *app) ownerCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "owner",
		Aliases: []string{"数据主体"},
		Short:   a.t("数据主体：开户、身份核验、冻结", "data owners: open an account, be identified, freeze it"),
		Example: "  mulian owner open\n  mulian owner identify p-0123456789abcdef0123456789abcdef --number-file number.txt --proof proof.json --as 11110000000021928B",
	}
	c.AddCommand(a.ownerOpen(), a.ownerIdentify(), a.ownerFreeze(), a.ownerThaw(), a.ownerSeen(), a.ownerReceipts())
	return c
}

func (a *app) ownerOpen() *cobra.Command {
	var firm bool
	var alg string
	c := &cobra.Command{
		Use:     "open",
		Short:   a.t("为个人（--firm 为企业）开户：编号随机，密钥在本机生成", "open an account for a person, or with --firm a firm: a random id, its keys are made here"),
		Example: "  mulian owner open --algorithm p256",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			algorithm, err := sm.ParseAlgorithm(alg)
			if err != nil {
				return fault.Newf(fault.Usage, "--algorithm %q: sm2, p256 or ed25519", alg)
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			number := make([]byte, 16)
			rand.Read(number)
			m := &identityv1.OpenAccount{Kind: identityv1.AccountKind_ACCOUNT_KIND_PERSON, Id: "p-" + hex.EncodeToString(number)}
			if firm {
				m.Kind, m.Id = identityv1.AccountKind_ACCOUNT_KIND_FIRM, "f-"+m.Id[2:]
			}
			var root sm.PrivateKey
			for _, k := range []struct {
				label string
				level identityv1.KeyLevel
			}{{keyring.Root, identityv1.KeyLevel_KEY_LEVEL_ROOT}, {keyring.Officer, identityv1.KeyLevel_KEY_LEVEL_OFFICER}} {
				key, err := sm.Generate(algorithm)
				if err == nil && !a.dryRun {
					err = a.keys().Add(m.Id, k.label, key)
				}
				if err != nil {
					return err
				}
				if k.label == keyring.Root {
					root = key
				}
				m.Keys = append(m.Keys, client.PublicKey(key.Public(), k.level, k.label))
			}
			r, err := a.actAs(cmd.Context(), cl, client.Signer{Account: m.Id, Key: root}, m)
			if err != nil || r == nil {
				return err
			}
			return a.print(map[string]any{"ok": true, "account": m.Id, "height": r.Height}, func(w io.Writer) { fmt.Fprintln(w, m.Id) })
		},
	}
	c.Flags().BoolVar(&firm, "firm", false, a.t("企业", "a firm"))
	c.Flags().StringVar(&alg, "algorithm", "p256", a.t("密钥算法：sm2 p256 ed25519", "algorithm of the keys: sm2 p256 ed25519"))
	return c
}

// identityProof is what the authority gives to whom it has identified: with it, and with
// nothing else, the commitment on the ledger opens.
type identityProof struct {
	Account string `json:"account"`
	Number  string `json:"number"`
	Salt    string `json:"salt"` // hex
}

// readIdentityProof reads such a file; Inaccessible if others can read it.
func readIdentityProof(path string) (*identityProof, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "--proof")
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm()&0o077 != 0 {
		return nil, fault.Newf(fault.Inaccessible, "%s can be read by others: chmod 600", path)
	}
	p := &identityProof{}
	if err := json.Unmarshal(raw, p); err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "%s", path)
	}
	return p, nil
}

func (a *app) ownerIdentify() *cobra.Command {
	var number, out, method, minor string
	var days int
	c := &cobra.Command{
		Use:   "identify ACCOUNT",
		Short: a.t("登记已核验账户持有人的身份（身份核验机构）", "record that the holder of an account was identified (identity authority)"),
		Long: a.t("证件号码只在文件里，账本上只有加盐的摘要。--proof 写出的文件（仅本人可读）交给持有人：以后由他授权查询自己的记录。\n--minor-until：该月之前，未成年人的同意须由监护人作出；账本上只有下月首日，没有生日。",
			"The number is in files alone, the ledger has a salted hash. Give the file of --proof (readable by its owner alone) to the holder:\nwith it he grants rows that are his own. --minor-until: until the end of that month a guardian says yes for a minor; the ledger\nhas the first day of the next month, and no birthday."),
		Example: "  mulian owner identify p-0123456789abcdef0123456789abcdef --number-file number.txt --proof proof.json --as 11110000000021928B",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := os.ReadFile(number)
			if err != nil {
				return fault.Wrap(fault.Usage, err, "--number-file")
			}
			n, ok := identityv1.ProofingMethod_value["PROOFING_METHOD_"+strings.ToUpper(method)]
			if !ok || n == 0 {
				return fault.Newf(fault.Usage, "--method %.40q: counter, face, network_id, id_card_chip, bank, licence, transfer", method)
			}
			salt := make([]byte, 32)
			rand.Read(salt)
			p := &identityProof{Account: args[0], Number: strings.TrimSpace(string(raw)), Salt: hex.EncodeToString(salt)}
			sum := rowkey.Proofing(salt, p.Number)
			level := identityv1.ProofingLevel_PROOFING_LEVEL_BASIC
			if identityv1.ProofingMethod(n) == identityv1.ProofingMethod_PROOFING_METHOD_COUNTER {
				level = identityv1.ProofingLevel_PROOFING_LEVEL_HIGH
			}
			until, err := monthAfter(minor)
			if err != nil {
				return err
			}
			text, err := json.Marshal(p)
			if err != nil {
				return err
			}
			if !a.dryRun {
				if err := durable.CreateFile(out, append(text, '\n'), 0o600); err != nil {
					return fmt.Errorf("nothing was recorded: %w", err)
				}
			}
			return a.simple(cmd, &identityv1.RecordProofing{
				Account: args[0], Commitment: sum[:], Method: identityv1.ProofingMethod(n), Level: level, ExpiresMs: time.Now().AddDate(0, 0, days).UnixMilli(),
				MinorUntilMs: until,
			})
		},
	}
	f := c.Flags()
	f.StringVar(&number, "number-file", "", a.t("证件号码所在文件", "file with the number of the document"))
	f.StringVar(&out, "proof", "", a.t("写给持有人的证明文件", "file that is written for the holder"))
	f.StringVar(&method, "method", "counter", a.t("核验方式：counter face network_id id_card_chip bank licence transfer", "how: counter face network_id id_card_chip bank licence transfer"))
	f.StringVar(&minor, "minor-until", "", a.t("未成年人：到哪个月为止由监护人同意（如 2031-05，当月生日）", "of a minor: the month of the birthday until which a guardian says yes (2031-05)"))
	f.IntVar(&days, "days", 365, a.t("有效天数", "days that it holds"))
	_, _ = c.MarkFlagRequired("number-file"), c.MarkFlagRequired("proof")
	return c
}

// monthAfter is the first moment in Beijing of the month behind that one ("2031-05"), so that no
// day of birth goes onto the ledger; 0 for "".
func monthAfter(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	month, err := time.ParseInLocation("2006-01", text, time.FixedZone("UTC+8", 8*3600))
	if err != nil {
		return 0, fault.Newf(fault.Usage, "%q: a month like 2031-05", text)
	}
	return month.AddDate(0, 1, 0).UnixMilli(), nil
}
