package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	recoveryv1 "mulian/gen/mulian/recovery/v1"
	"mulian/internal/fault"
	"mulian/internal/recovery"
)

// maxEvidence bounds a file whose salted hash goes to the ledger: a scanned page or a
// photograph.
const maxEvidence = 64 << 20

// casePaper commits to a file: the ledger gets the hash, the salt belongs beside the file.
type casePaper struct {
	flag, path string
	salt       []byte
}

// commit returns the commitment, nil without a file.
func (e *casePaper) commit() ([]byte, error) {
	if e.path == "" {
		return nil, nil
	}
	raw, err := readAtMost(e.path, maxEvidence)
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "--%s", e.flag)
	}
	e.salt = make([]byte, recovery.SaltBytes)
	rand.Read(e.salt)
	sum := recovery.Evidence(e.salt, raw)
	return sum[:], nil
}

// withEvidence signs and sends a message and prints the salts that open its commitments.
func (a *app) withEvidence(cmd *cobra.Command, m proto.Message, files ...*casePaper) error {
	cl, err := a.client()
	if err != nil {
		return err
	}
	r, err := a.actAsRoot(cmd.Context(), cl, m)
	if err != nil || r == nil {
		return err
	}
	v := map[string]any{"ok": true, "height": r.Height, "tx": hex.EncodeToString(r.TxID[:]), "ids": r.IDs}
	for _, e := range files {
		if e.salt != nil {
			v[e.flag+"_salt"] = hex.EncodeToString(e.salt)
		}
	}
	return a.print(v, func(w io.Writer) {
		for _, id := range r.IDs {
			fmt.Fprintln(w, id)
		}
		for _, e := range files {
			if e.salt != nil {
				fmt.Fprintf(w, a.t("  %s 的盐，入卷保存：%x\n", "  salt of %s, for the file: %x\n"), e.path, e.salt)
			}
		}
	})
}

// vouching is how somebody vouches for a recovery.
type vouching struct {
	face, card, code string
	seen             casePaper
}

func (v *vouching) flags(a *app, c *cobra.Command) {
	v.seen.flag = "evidence"
	f := c.Flags()
	f.StringVar(&v.face, "face", "", a.t("窗口：人脸比对结果 matched、not-taken、mismatched", "counter: what the face said: matched, not-taken, mismatched"))
	f.StringVar(&v.seen.path, "evidence", "", a.t("窗口：存档的核验材料文件（只上链加盐的摘要）", "counter: file of what is kept of it (the ledger gets a salted hash)"))
	f.StringVar(&v.card, "card", "", a.t("亲友：本人保存的文件", "guardian: the file that he keeps"))
}

// read returns what the flags say: at a counter face and evidence, of a guardian the salt.
func (v *vouching) read(a *app, account string) (face recoveryv1.FaceResult, seen, salt []byte, err error) {
	if v.card != "" {
		card, salt, err := readCard(v.card)
		if err == nil && account != "" && card.Account != account {
			err = fault.Newf(fault.Usage, a.t("--card：这是账户 %s 的", "--card: this one is of the account %s"), card.Account)
		}
		return 0, nil, salt, err
	}
	if v.code != "" {
		return 0, nil, nil, nil
	}
	n, ok := recoveryv1.FaceResult_value["FACE_RESULT_"+strings.ToUpper(strings.ReplaceAll(v.face, "-", "_"))]
	if !ok || n == 0 || v.seen.path == "" {
		return 0, nil, nil, fault.Newf(fault.Usage, "%s", a.t("窗口须写 --face（matched、not-taken、mismatched）和 --evidence；亲友须写 --card", "at a counter --face (matched, not-taken, mismatched) and --evidence are needed, of a guardian --card"))
	}
	seen, err = v.seen.commit()
	return recoveryv1.FaceResult(n), seen, nil, err
}

func (a *app) recoveryOpen() *cobra.Command {
	v := &vouching{}
	c := &cobra.Command{
		Use:   "open REQUEST-FILE",
		Short: a.t("发起恢复：窗口人员、亲友（--card）、或本人凭恢复码（--code-file）", "open a recovery: an officer at a counter, a guardian (--card), or the holder with a code (--code-file)"),
		Long: a.t("窗口：两名不同科室的人员各自核对证件和本人，第二位用 recovery approve。材料留在本单位案卷，账本上只有加盐的摘要。",
			"At a counter two officers of different desks compare papers and person, each for himself; the second one signs recovery approve.\nThe papers stay in the authority's file, the ledger has a salted hash."),
		Example: "  mulian recovery open request.json --face matched --evidence file.pdf --as 11110000000021928B/p/officer-a\n" +
			"  mulian recovery open request.json --card mine.card --as p-00000000000000000000000000000001\n" +
			"  mulian recovery open request.json --code-file code.txt --as p-0123456789abcdef0123456789abcdef",
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := readAtMost(args[0], maxSmallFile)
			if err != nil {
				return err
			}
			m := &recoveryv1.OpenRecovery{}
			if err := protojson.Unmarshal(raw, m); err != nil {
				return fault.Wrap(fault.Malformed, err, "%s", args[0])
			}
			switch {
			case v.card != "":
				m.Path = recoveryv1.RecoveryPath_RECOVERY_PATH_GUARDIANS
			case v.code != "":
				m.Path = recoveryv1.RecoveryPath_RECOVERY_PATH_CODE
				if err := a.signWithCode(cmd, v.code, m); err != nil {
					return err
				}
			default:
				m.Path = recoveryv1.RecoveryPath_RECOVERY_PATH_COUNTER
			}
			if m.Face, m.Evidence, m.Salt, err = v.read(a, m.Account); err != nil {
				return err
			}
			return a.withEvidence(cmd, m, &v.seen)
		},
	}
	v.flags(a, c)
	c.Flags().StringVar(&v.code, "code-file", "", a.t("恢复码所在文件", "file with the recovery code"))
	c.MarkFlagsMutuallyExclusive("face", "card", "code-file")
	return c
}

// signWithCode adds what the code says of the new key.
func (a *app) signWithCode(cmd *cobra.Command, path string, m *recoveryv1.OpenRecovery) error {
	key, err := readCode(path)
	if err != nil {
		return err
	}
	cl, err := a.client()
	if err != nil {
		return err
	}
	chain, err := cl.ChainID(cmd.Context())
	if err != nil {
		return err
	}
	m.CodeSignature, err = key.Sign(recovery.KeyMessage(chain, m.GetAccount(), m.GetNewKey().GetId()))
	return err
}

func (a *app) recoveryApprove() *cobra.Command {
	v := &vouching{}
	c := &cobra.Command{
		Use:     "approve ID",
		Short:   a.t("也认可：窗口的第二位人员，或另一位亲友（--card）", "vouch, too: the second officer, or another guardian (--card)"),
		Example: "  mulian recovery approve 0123456789abcdef0123456789abcdef --face matched --evidence file.pdf --as 11110000000021928B/p/officer-b",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			m := &recoveryv1.ApproveRecovery{Recovery: args[0]}
			if m.Face, m.Evidence, m.Salt, err = v.read(a, ""); err != nil {
				return err
			}
			return a.withEvidence(cmd, m, &v.seen)
		},
	}
	v.flags(a, c)
	c.MarkFlagsMutuallyExclusive("face", "card")
	return c
}

func (a *app) recoveryVeto() *cobra.Command {
	m := &recoveryv1.VetoRecovery{}
	c := &cobra.Command{
		Use:   "veto ID",
		Short: a.t("否决对本账户的恢复（账户持有人，任何密钥）", "veto a recovery of the own account (its holder, any key)"),
		Long: a.t("立即终止。用已报失的密钥否决时（--as 账户#密钥名），账户冻结，由另两个科室的人员复核。",
			"It ends at once. By a key that was reported lost (--as ACCOUNT#LABEL) it freezes the account, and officers of two other desks look."),
		Example: "  mulian recovery veto 0123456789abcdef0123456789abcdef --cause 不是本人 --as p-0123456789abcdef0123456789abcdef",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Recovery = args[0]
			return a.simple(cmd, m)
		},
	}
	c.Flags().StringVar(&m.Cause, "cause", "", a.t("原因，不写个人信息", "why; nothing personal"))
	return c
}

func (a *app) recoveryCancel() *cobra.Command {
	m := &recoveryv1.CancelRecovery{}
	c := &cobra.Command{
		Use:     "cancel ID",
		Short:   a.t("取消自己发起的恢复", "cancel a recovery that one has opened oneself"),
		Example: "  mulian recovery cancel 0123456789abcdef0123456789abcdef --cause 误办 --as 11110000000021928B/p/officer-a",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Recovery = args[0]
			return a.simple(cmd, m)
		},
	}
	c.Flags().StringVar(&m.Cause, "cause", "", a.t("原因，不写个人信息", "why; nothing personal"))
	_ = c.MarkFlagRequired("cause")
	return c
}

func (a *app) recoveryReview() *cobra.Command {
	m := &recoveryv1.ReviewRecovery{}
	var end bool
	c := &cobra.Command{
		Use:   "review ID",
		Short: a.t("复核被报失密钥否决的恢复：继续（--proceed）或终止（--end）", "review a recovery that a lost key has vetoed: it goes on (--proceed) or ends (--end)"),
		Long: a.t("两名人员，科室各不相同，且都没有认可过；后一位须与前一位一致。继续则重新锁定；终止则那把密钥视为找回。",
			"Two officers of different desks that have not vouched; the second has to say what the first has said. It goes on with a new lock, or ends,\nand the key that vetoed counts as found."),
		Example: "  mulian recovery review 0123456789abcdef0123456789abcdef --proceed --cause 核对了证件 --as 11110000000021928B/p/officer-c",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if m.Proceed == end {
				return fault.Newf(fault.Usage, "%s", a.t("写明 --proceed 或 --end", "say --proceed or --end"))
			}
			m.Recovery = args[0]
			return a.simple(cmd, m)
		},
	}
	c.Flags().BoolVar(&m.Proceed, "proceed", false, a.t("继续", "it goes on"))
	c.Flags().BoolVar(&end, "end", false, a.t("终止", "it ends"))
	c.Flags().StringVar(&m.Cause, "cause", "", a.t("原因，不写个人信息", "why; nothing personal"))
	_ = c.MarkFlagRequired("cause")
	return c
}

func (a *app) recoveryDeath() *cobra.Command {
	m := &recoveryv1.RecordDeath{}
	seen := &casePaper{flag: "evidence"}
	c := &cobra.Command{
		Use:     "death ACCOUNT",
		Short:   a.t("登记持有人死亡并冻结账户；--withdraw 更正（另一科室）", "record that a holder has died, which freezes his account; --withdraw: it was wrong (another desk)"),
		Example: "  mulian recovery death p-0123456789abcdef0123456789abcdef --evidence certificate.pdf --as 11110000000021928B/p/officer-a",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			m.Account = args[0]
			if m.Evidence, err = seen.commit(); err != nil {
				return err
			}
			return a.withEvidence(cmd, m, seen)
		},
	}
	c.Flags().StringVar(&seen.path, "evidence", "", a.t("存档的材料文件（只上链加盐的摘要）", "file of what is kept of it (the ledger gets a salted hash)"))
	c.Flags().BoolVar(&m.Withdrawn, "withdraw", false, a.t("更正", "it was wrong"))
	_ = c.MarkFlagRequired("evidence")
	return c
}
