package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"mulian/client"
	"mulian/client/keyring"
	identityv1 "mulian/gen/mulian/identity/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/recovery"
	"mulian/internal/sm"
)

func (a *app) recoveryCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "recovery",
		Aliases: []string{"恢复"},
		Short:   a.t("账户恢复：事先安排、窗口或亲友认可、否决、查看", "recover an account whose keys are lost: arrange, vouch, veto, watch"),
		Long: a.t(`密钥丢了，账户换一把新密钥：由身份核验机构两个不同科室的人员、或事先约定的亲友、或恢复码加一把剩下的密钥来认可，然后锁定
一段时间；其间账户任何一把未报失的密钥都能否决。期满由账本自己执行，无需再办：旧密钥全部作废，长期授权暂停，委托中止。`,
			`An account gets a new key when the old ones are lost: two officers of an identity authority at different desks vouch for it, or guardians
named beforehand, or a recovery code with a key that is left. Then it is locked, and any key that is not reported lost can veto. At the
end of the lock the ledger itself carries it out: the old keys end, standing grants pause, mandates are suspended.`),
		Example: "  mulian recovery request p-0123456789abcdef0123456789abcdef --out request.json\n  mulian recovery open request.json --face matched --evidence file.pdf --as 11110000000021928B/p/officer-a",
	}
	c.AddCommand(a.recoveryArrange(), a.recoveryKeep(), a.recoveryPolicy(), a.recoveryRequest(), a.recoveryOpen(), a.recoveryApprove(),
		a.recoveryVeto(), a.recoveryCancel(), a.recoveryReview(), a.recoveryDeath(), a.recoveryList(), a.recoveryShow(), a.recoveryWatch())
	return c
}

// guardianCard is what a guardian keeps: with it he can vouch, and without it nobody finds
// out that he is one.
type guardianCard struct {
	Account  string `json:"account"`
	Guardian string `json:"guardian"`
	Salt     string `json:"salt"` // hex, 32 bytes
}

// maxSmallFile bounds files that people hand over: cards, codes, requests.
const maxSmallFile = 64 << 10

// readCard reads a card; Inaccessible if others can read it.
func readCard(path string) (c guardianCard, salt []byte, err error) {
	raw, err := readPrivate(path)
	if err != nil {
		return c, nil, err
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, nil, fault.Wrap(fault.Malformed, err, "%s", path)
	}
	if salt, err = hex.DecodeString(c.Salt); err != nil || len(salt) != recovery.SaltBytes {
		return c, nil, fault.Newf(fault.Malformed, "%s: the salt has %d bytes, not %d", path, len(salt), recovery.SaltBytes)
	}
	return c, salt, nil
}

// readPrivate reads a small file that nobody else may read.
func readPrivate(path string) ([]byte, error) {
	if st, err := os.Stat(path); err == nil && st.Mode().Perm()&0o077 != 0 {
		return nil, fault.Newf(fault.Inaccessible, "%s can be read by others: chmod 600", path)
	}
	return readAtMost(path, maxSmallFile)
}

// readCode reads a recovery code as it was printed or typed.
func readCode(path string) (sm.PrivateKey, error) {
	raw, err := readPrivate(path)
	if err != nil {
		return sm.PrivateKey{}, err
	}
	code, err := recovery.ParseCode(string(raw))
	if err != nil {
		return sm.PrivateKey{}, fault.Wrap(fault.Malformed, err, "%s", path)
	}
	return code.Key()
}

// arrangement is what the flags of arrange say.
type arrangement struct {
	guardians              []string
	threshold, lockHours   uint32
	cards, code            string
	noGuardians, forgetKey bool

	written []string // files that go again if nothing was arranged
}

func (a *app) recoveryArrange() *cobra.Command {
	r := &arrangement{}
	c := &cobra.Command{
		Use:   "arrange",
		Short: a.t("安排本账户日后如何恢复：亲友名单、恢复码、更长的锁定（账户持有人，根密钥）", "arrange how this account is recovered: guardians, a printed code, a longer lock (its holder, root key)"),
		Long: a.t(`账本上只有加盐的摘要，看不出亲友是谁。--cards 目录里每位亲友一个文件，交给他本人保存；--code-file 写出恢复码，印好后删去文件。
没有写明的部分保持原样。首次安排立即生效；以后的变更要等一个亲友锁定期，期间用任何一把密钥都能撤回（recovery keep）。`,
			`The ledger has salted hashes: nobody sees who the guardians are. In the folder of --cards each guardian has a file, for him to keep;
--code-file is a fresh recovery code: print it and remove the file. What is not named stays as it is. The first arrangement counts at
once; a change waits as long as a lock of guardians, and any key of the account drops it (recovery keep).`),
		Example: "  mulian recovery arrange --guardian p-00000000000000000000000000000001,p-00000000000000000000000000000002 --threshold 2 --cards cards --code-file code.txt --as p-0123456789abcdef0123456789abcdef",
		Args:    exactly(0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.arrange(cmd, r) },
	}
	f := c.Flags()
	f.StringSliceVar(&r.guardians, "guardian", nil, a.t("亲友的账户，至多 9 个", "accounts of guardians, at most 9"))
	f.Uint32Var(&r.threshold, "threshold", 2, a.t("其中几位认可即可", "how many of them have to vouch"))
	f.StringVar(&r.cards, "cards", "", a.t("写出亲友文件的目录", "folder in which the guardians' files are written"))
	f.StringVar(&r.code, "code-file", "", a.t("写出新恢复码的文件", "file for a fresh recovery code"))
	f.Uint32Var(&r.lockHours, "lock-hours", 0, a.t("每种途径至少锁定多少小时", "shortest lock of every path, in hours"))
	f.BoolVar(&r.noGuardians, "no-guardians", false, a.t("不再有亲友", "no guardians any more"))
	f.BoolVar(&r.forgetKey, "no-code", false, a.t("恢复码作废", "the recovery code ends"))
	c.MarkFlagsMutuallyExclusive("guardian", "no-guardians")
	c.MarkFlagsMutuallyExclusive("code-file", "no-code")
	c.MarkFlagsRequiredTogether("guardian", "cards")
	return c
}

func (a *app) arrange(cmd *cobra.Command, r *arrangement) error {
	ctx := cmd.Context()
	cl, err := a.client()
	if err != nil {
		return err
	}
	account, was := a.authority(), &recoveryv1.RecoveryPolicy{}
	if _, err := cl.Get(ctx, "recovery/policy/"+account, was); err != nil {
		return err
	}
	m := &recoveryv1.SetRecoveryPolicy{Guardians: was.Guardians, Threshold: was.Threshold, CodeKey: was.CodeKey, LockHours: was.LockHours, Version: was.Version}
	if cmd.Flags().Changed("lock-hours") {
		m.LockHours = r.lockHours
	}
	if r.noGuardians {
		m.Guardians, m.Threshold = nil, 0
	}
	if r.forgetKey {
		m.CodeKey = nil
	}
	defer func() {
		for _, path := range r.written {
			_ = os.Remove(path) // of an arrangement that there is not
		}
	}()
	if err := a.writeCards(r, account, m); err != nil {
		return err
	}
	if err := a.writeCode(r, m); err != nil {
		return err
	}
	got, err := a.actAsRoot(ctx, cl, m)
	if fault.CodeOf(err) == fault.Unreachable || fault.CodeOf(err) == fault.Timeout {
		r.written = nil // it may have been arranged
	}
	if err != nil || got == nil {
		return err
	}
	files := r.written
	r.written = nil
	return a.print(map[string]any{"ok": true, "height": got.Height, "files": files, "waits": was.Version > 0}, func(w io.Writer) {
		for _, f := range files {
			fmt.Fprintln(w, f)
		}
		if was.Version > 0 {
			fmt.Fprintln(w, a.t("变更待生效：mulian recovery policy 查看，recovery keep 撤回", "the change waits: mulian recovery policy shows until when, recovery keep drops it"))
		}
	})
}

// writeCards draws a salt for each guardian and writes what he keeps.
func (a *app) writeCards(r *arrangement, account string, m *recoveryv1.SetRecoveryPolicy) error {
	if len(r.guardians) == 0 {
		return nil
	}
	m.Guardians, m.Threshold = nil, r.threshold
	for _, g := range r.guardians {
		salt := make([]byte, recovery.SaltBytes)
		rand.Read(salt)
		sum := recovery.Commitment(salt, g)
		m.Guardians = append(m.Guardians, sum[:])
		raw, err := json.Marshal(guardianCard{Account: account, Guardian: g, Salt: hex.EncodeToString(salt)})
		if err != nil {
			return err
		}
		if a.dryRun {
			continue
		}
		if err := durable.MkdirPrivate(r.cards); err != nil {
			return err
		}
		if err := r.write(filepath.Join(r.cards, strings.ReplaceAll(g, "/", "~")+".card"), append(raw, '\n')); err != nil {
			return err
		}
	}
	slices.SortFunc(m.Guardians, bytes.Compare)
	return nil
}

func (a *app) writeCode(r *arrangement, m *recoveryv1.SetRecoveryPolicy) error {
	if r.code == "" {
		return nil
	}
	var code recovery.Code
	rand.Read(code[:])
	key, err := code.Key()
	if err != nil {
		return err
	}
	m.CodeKey = key.Public().Bytes()
	if a.dryRun {
		return nil
	}
	return r.write(r.code, []byte(code.String()+"\n"))
}

func (r *arrangement) write(path string, raw []byte) error {
	if err := durable.CreateFile(path, raw, 0o600); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fault.Newf(fault.AlreadyExists, "%s: it is there already, and perhaps needed; nothing was arranged", path)
		}
		return fmt.Errorf("nothing was arranged: %w", err)
	}
	r.written = append(r.written, path)
	return nil
}

func (a *app) recoveryKeep() *cobra.Command {
	return &cobra.Command{
		Use:     "keep",
		Short:   a.t("撤回待生效的恢复安排变更（账户持有人，任何密钥）", "drop the change of the arrangement that waits (its holder, any key)"),
		Example: "  mulian recovery keep --as p-0123456789abcdef0123456789abcdef",
		Args:    exactly(0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.simple(cmd, &recoveryv1.KeepRoster{}) },
	}
}

func (a *app) recoveryRequest() *cobra.Command {
	var out, alg string
	c := &cobra.Command{
		Use:   "request ACCOUNT",
		Short: a.t("在新设备上生成新密钥，写出恢复请求（账户持有人）", "make a new key on this device and write the request of its recovery (holder)"),
		Long: a.t("请求里有账户、新公钥和新密钥的签名，没有秘密。私钥留在本机。手机页面写出同样的文件。",
			"The request has the account, the new public key and a signature with it: nothing secret. The private key stays here. A phone's page\nwrites the same file."),
		Example: "  mulian recovery request p-0123456789abcdef0123456789abcdef --out request.json",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			algorithm, err := sm.ParseAlgorithm(alg)
			if err != nil {
				return fault.Newf(fault.Usage, "--algorithm %q: sm2, p256 or ed25519", alg)
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			chain, err := cl.ChainID(cmd.Context())
			if err != nil {
				return err
			}
			acc := &identityv1.Account{}
			if err := needObject(cmd.Context(), cl, "identity/account/"+args[0], acc); err != nil {
				return err
			}
			onLedger := map[string]identityv1.KeyLevel{}
			for _, k := range acc.GetKeys() {
				onLedger[k.GetId()] = k.GetLevel()
			}
			key, label, err := a.freshKey(args[0], keyring.Root, "", algorithm, onLedger)
			if err != nil {
				return err
			}
			m := &recoveryv1.OpenRecovery{Account: args[0], NewKey: client.PublicKey(key.Public(), identityv1.KeyLevel_KEY_LEVEL_ROOT, label)}
			if m.Possession, err = key.Sign(recovery.KeyMessage(chain, m.Account, m.NewKey.Id)); err != nil {
				return err
			}
			raw, err := protojson.MarshalOptions{UseProtoNames: true, Multiline: true}.Marshal(m)
			if err != nil {
				return err
			}
			if !a.dryRun {
				if err := durable.ReplaceFile(out, append(raw, '\n'), 0o600); err != nil {
					return err
				}
			}
			return a.print(map[string]any{"ok": true, "account": m.Account, "key": m.NewKey.Id, "label": label, "file": out}, func(w io.Writer) {
				fmt.Fprintf(w, "%s  %s  %s\n", m.NewKey.Id, label, out)
			})
		},
	}
	c.Flags().StringVar(&out, "out", "request.json", a.t("写入的文件", "file to write"))
	c.Flags().StringVar(&alg, "algorithm", "p256", a.t("密钥算法：sm2 p256 ed25519", "algorithm of the key: sm2 p256 ed25519"))
	return c
}
