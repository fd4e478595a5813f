package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/safebox"
	"mulian/safebox/owner"
)

// fresh is what a vault is to be opened with from now on.
type fresh struct {
	x                                *boxed
	phrase, codeOut, sharesOut       string // files, folder
	withPhrase, withCode, withShares bool

	code  string   // that was made, to be printed once
	files []string // of shares
}

// into adds the flags that say where what is made goes.
func (n *fresh) into(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&n.codeOut, "code-out", "", n.x.t("把新恢复码写入这个新文件（0600），不显示在屏幕上", "write the new recovery code to this new file (0600) instead of showing it"))
	f.StringVar(&n.sharesOut, "shares", "", n.x.t("另做三个分片（任意两个可打开），写入这个文件夹，分别交给三个人或机构", "make three shares as well, any two of which open it: files of this folder, for three people or offices"))
}

// ways makes what is wanted. Files are written before anything is signed: what is lost then
// opens nothing.
func (n *fresh) ways() (out []owner.Way, err error) {
	if n.withPhrase {
		phrase, err := n.passphrase()
		if err != nil {
			return nil, err
		}
		out = append(out, owner.Way{Unlocker: safebox.ByPassphrase(phrase), Label: "passphrase"})
	}
	if n.withCode {
		n.code = safebox.NewRecoveryCode()
		u, err := safebox.ByRecoveryCode(n.code)
		if err != nil {
			return nil, err
		}
		if n.codeOut != "" && !n.x.dryRun {
			if err := n.create(n.codeOut, n.code); err != nil {
				return nil, err
			}
		}
		out = append(out, owner.Way{Unlocker: u, Label: "paper"})
	}
	if n.withShares || n.sharesOut != "" {
		u, err := n.sharing()
		if err != nil {
			return nil, err
		}
		out = append(out, owner.Way{Unlocker: u, Label: "2 of 3 shares"})
	}
	return out, nil
}

func (n *fresh) passphrase() (string, error) {
	if n.phrase != "" {
		return readSecret(n.phrase)
	}
	where := n.x.t("新口令在哪里？用文件（仅本人可读）指明", "where is the new passphrase? name a file that only you can read")
	one, err := n.x.ask(n.x.t("新口令（至少 8 个字，越长越好）：", "new passphrase (8 characters at least, longer is better): "), where, true)
	if err != nil {
		return "", err
	}
	two, err := n.x.ask(n.x.t("再输一遍：", "once more: "), where, true)
	if err == nil && one != two {
		err = fault.Newf(fault.Usage, "%s", n.x.t("两次不一样，什么也没有改变", "the two differ; nothing was changed"))
	}
	return one, err
}

func (n *fresh) sharing() (safebox.Unlocker, error) {
	if n.sharesOut == "" {
		return nil, fault.Newf(fault.Usage, "%s", n.x.t("分片写到哪个文件夹？--shares 文件夹", "which folder do the shares go to? --shares FOLDER"))
	}
	s, err := safebox.NewSharing()
	if err != nil {
		return nil, err
	}
	if n.x.dryRun {
		return s.Unlocker(), nil
	}
	if err := durable.MkdirPrivate(n.sharesOut); err != nil {
		return nil, err
	}
	for _, share := range s.Shares {
		path := filepath.Join(n.sharesOut, fmt.Sprintf("share-%d.txt", share.Number))
		if err := n.create(path, share.Text()); err != nil {
			return nil, err
		}
		n.files = append(n.files, path)
	}
	return s.Unlocker(), nil
}

// create writes a secret to a file that was not there.
func (n *fresh) create(path, secret string) error {
	err := durable.CreateFile(path, []byte(secret+"\n"), 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fault.Newf(fault.AlreadyExists, n.x.t("%s 已经在这里，什么也没有改变", "%s is here already; nothing was changed"), path)
	}
	return err
}

// tell adds what was made to an answer.
func (n *fresh) tell(v map[string]any) map[string]any {
	if n.code != "" && n.codeOut == "" {
		v["recovery_code"] = n.code
	}
	if n.codeOut != "" && n.withCode {
		v["code_file"] = n.codeOut
	}
	if len(n.files) > 0 {
		v["share_files"] = n.files
	}
	return v
}

// show prints what was made, for a person: the code once.
func (n *fresh) show(w io.Writer) {
	if n.code != "" && n.codeOut == "" {
		fmt.Fprintf(w, n.x.t("\n恢复码，只显示这一次。抄在纸上，和手机、电脑分开放：\n\n    %s\n\n", "\nThe recovery code, shown this once. Write it on paper and keep it away from phone and computer:\n\n    %s\n\n"), n.code)
	} else if n.code != "" {
		fmt.Fprintf(w, n.x.t("恢复码在 %s：打印或抄下后删去这个文件\n", "the recovery code is in %s: print it or write it down, then delete that file\n"), n.codeOut)
	}
	if len(n.files) > 0 {
		fmt.Fprintf(w, n.x.t("分片：%s\n  每个交给不同的人或机构（监护人、公证处或银行、登记机关），然后从本机删去\n", "shares: %s\n  give each to another person or office (guardian, notary or bank, registrar), then delete them here\n"), strings.Join(n.files, " "))
	}
}

func (x *boxed) init() *cobra.Command {
	n := &fresh{x: x, withPhrase: true}
	var noCode bool
	c := &cobra.Command{
		Use:   "init",
		Short: x.t("建保险箱：设口令，得到恢复码", "make the box: choose a passphrase, get a recovery code"),
		Long: x.t("保险库的密钥在本机生成，用口令和恢复码各封一份；没有任何人另有一份。自己的资料要有两种打开方式才能存入，口令和恢复码就是两种。",
			"The vault's key is made on this machine and closed once with the passphrase and once with the recovery code; nobody else has one.\nYour own files are taken once the box opens in two kinds of ways: passphrase and recovery code are two."),
		Example: "  mulian box init --as p-0123456789abcdef0123456789abcdef\n  mulian box init --shares shares --as p-0123456789abcdef0123456789abcdef",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := x.box(cmd.Context())
			if err != nil {
				return err
			}
			n.withCode = !noCode
			ways, err := n.ways()
			if err != nil {
				return err
			}
			if err := b.Make(cmd.Context(), ways...); err != nil {
				return n.failed(err)
			}
			return x.print(n.tell(map[string]any{"ok": true, "account": b.Account, "unlockers": len(ways)}), func(w io.Writer) {
				fmt.Fprintf(w, x.t("✓ %s 的保险箱已建好\n", "✓ the box of %s is made\n"), b.Account)
				n.show(w)
			})
		},
	}
	n.into(c)
	c.Flags().StringVar(&n.phrase, "passphrase-file", env("MULIAN_BOX_PASSPHRASE_FILE", ""), x.t("口令所在文件（仅本人可读）", "file with the passphrase (readable by you alone)")+" ($MULIAN_BOX_PASSPHRASE_FILE)")
	c.Flags().BoolVar(&noCode, "no-code", false, x.t("不做恢复码（那么须另有一种打开方式才能存自己的资料）", "make no recovery code (then another way is needed before it takes your own files)"))
	return c
}

func (x *boxed) unlockers() *cobra.Command {
	c := &cobra.Command{
		Use:     "unlockers",
		Short:   x.t("打开保险箱的方式：查看、增加、去掉", "the ways in which the box opens: list, add, remove"),
		Example: "  mulian box unlockers list\n  mulian box unlockers add shares --shares shares",
	}
	c.AddCommand(x.unlockersList(), x.unlockersAdd(), x.unlockersRemove())
	return c
}

func (x *boxed) unlockersList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: x.t("列出打开方式", "list the ways in which the box opens"), Args: exactly(0),
		Example: "  mulian box unlockers list --as p-0123456789abcdef0123456789abcdef",
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := x.box(cmd.Context())
			if err != nil {
				return err
			}
			f, v, err := b.File(cmd.Context())
			if err != nil {
				return err
			}
			list, rows := []map[string]any{}, [][]string{{x.t("序号", "NO"), x.t("方式", "KIND"), x.t("名称", "LABEL")}}
			for i, u := range f.GetUnlockers() {
				list = append(list, map[string]any{"number": i + 1, "kind": u.GetKind().String(), "label": u.GetLabel()})
				rows = append(rows, []string{strconv.Itoa(i + 1), x.word(u.GetKind()), u.GetLabel()})
			}
			return x.print(map[string]any{"account": b.Account, "version": v.GetVersion(), "unlockers": list}, func(w io.Writer) { table(w, rows) })
		},
	}
}

func (x *boxed) unlockersAdd() *cobra.Command {
	n := &fresh{x: x}
	c := &cobra.Command{
		Use:   "add KIND",
		Short: x.t("增加一种打开方式：passphrase 口令、code 恢复码、shares 三个分片", "add a way: passphrase, code (recovery code), shares (2 of 3)"),
		Long: x.t("先用现有的方式打开，再加新的。通行密钥和托管在网页和柜台上添加。",
			"Opens the box as it opens now, and adds another way. Passkeys and custody are added on the page and at the counter."),
		Example: "  mulian box unlockers add shares --shares shares\n  mulian box unlockers add code",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch args[0] {
			case "passphrase":
				n.withPhrase = true
			case "code":
				n.withCode = true
			case "shares":
				n.withShares = true
			default:
				return x.usage(cmd, x.t("没有 %q 这种方式：passphrase code shares", "no such way: %q (passphrase code shares)"), args[0])
			}
			o, err := x.open(cmd.Context())
			if err != nil {
				return err
			}
			ways, err := n.ways()
			if err != nil {
				return err
			}
			for _, w := range ways {
				if err := o.AddUnlocker(cmd.Context(), w); err != nil {
					return n.failed(err)
				}
			}
			return x.print(n.tell(map[string]any{"ok": true}), func(w io.Writer) {
				fmt.Fprintln(w, x.t("✓ 已增加", "✓ added"))
				n.show(w)
			})
		},
	}
	n.into(c)
	c.Flags().StringVar(&n.phrase, "new-passphrase-file", "", x.t("新口令所在文件（仅本人可读）", "file with the new passphrase (readable by you alone)"))
	return x.opens(c)
}

func (x *boxed) unlockersRemove() *cobra.Command {
	return x.opens(&cobra.Command{
		Use:   "remove NO",
		Short: x.t("去掉一种打开方式（序号见 unlockers list）", "take a way away (its number: unlockers list)"),
		Long: x.t("拿着旧的恢复码或口令、又有旧备份的人，仍能打开当时的内容：丢了的请用 mulian box rewrap --new-keys 换新密钥。",
			"Who has an old code or passphrase and an old backup still opens what was in the box then: after a loss, change the keys with\nmulian box rewrap --new-keys."),
		Example: "  mulian box unlockers remove 2",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			i, err := strconv.Atoi(args[0])
			if err != nil {
				return x.usage(cmd, x.t("%q 不是序号", "%q is no number"), args[0])
			}
			o, err := x.open(cmd.Context())
			if err != nil {
				return err
			}
			if err := o.RemoveUnlocker(cmd.Context(), i-1); err != nil {
				return dry(err)
			}
			return x.print(map[string]any{"ok": true}, func(w io.Writer) { fmt.Fprintln(w, x.t("✓ 已去掉", "✓ removed")) })
		},
	})
}

// rewrapped tells what wrapping again has done.
func (x *boxed) rewrapped(r *owner.Rewrapped, n *fresh) error {
	v := map[string]any{"ok": len(r.Lost) == 0, "rewrapped": r.Changed, "lost": append([]string{}, r.Lost...), "earlier_keys_destroyed": r.Forgot}
	err := x.print(n.tell(v), func(w io.Writer) {
		fmt.Fprintf(w, x.t("✓ %d 份资料已用新密钥重新封装\n", "✓ %d items are closed to the newest keys\n"), r.Changed)
		for _, id := range r.Lost {
			fmt.Fprintf(w, x.t("  %s 打不开：没有它的密钥（部门存入的可请其重新存入；确实不要了就 mulian box erase %[1]s）\n", "  %s does not open: no key of it is left (a department can deposit it again; if it is not wanted: mulian box erase %[1]s)\n"), id)
		}
		n.show(w)
	})
	if err == nil && len(r.Lost) > 0 {
		return quietExit(1)
	}
	return err
}

func (x *boxed) rewrap() *cobra.Command {
	n := &fresh{x: x}
	var newKeys bool
	c := &cobra.Command{
		Use:   "rewrap",
		Short: x.t("把每份资料的密钥重新封装到最新密钥，然后销毁旧密钥；可中断、可重做", "close each item's key to the newest keys, then destroy the earlier ones; may be stopped and repeated"),
		Long: x.t("--new-keys 先换新密钥：原来的恢复码、分片、通行密钥都不再有效，会给新的恢复码。怀疑有人得到过口令、恢复码或旧设备时这样做。",
			"--new-keys changes the keys first: earlier codes, shares and passkeys no longer open the box, and there is a new recovery code.\nDo so when somebody may have had a passphrase, a code or an old device."),
		Example: "  mulian box rewrap\n  mulian box rewrap --new-keys",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := x.open(cmd.Context())
			if err != nil {
				return err
			}
			if newKeys {
				var ways []owner.Way
				if k := x.by.Kind(); k == safebox.Passphrase {
					ways = append(ways, owner.Way{Unlocker: x.by, Label: "passphrase"})
				} else {
					n.withPhrase = true
				}
				n.withCode = true
				more, err := n.ways()
				if err != nil {
					return err
				}
				if err := o.Rotate(cmd.Context(), append(ways, more...)...); err != nil {
					return n.failed(err)
				}
			}
			r, err := o.Rewrap(cmd.Context())
			if err != nil {
				return x.halfway(err, n)
			}
			return x.rewrapped(r, n)
		},
	}
	n.into(c)
	c.Flags().StringVar(&n.phrase, "new-passphrase-file", "", x.t("新口令所在文件（仅本人可读）", "file with the new passphrase (readable by you alone)"))
	c.Flags().BoolVar(&newKeys, "new-keys", false, x.t("先换新密钥", "change the keys first"))
	return x.opens(c)
}

// failed shows a new code although something failed, if the vault may open with it by now.
func (n *fresh) failed(err error) error {
	if errors.Is(err, owner.ErrHalfway) {
		n.show(n.x.err)
	}
	return dry(err)
}

// halfway shows a new code although wrapping again failed: the vault has it by then.
func (x *boxed) halfway(err error, n *fresh) error {
	if n.code != "" && dry(err) != nil {
		n.show(x.err)
		return fmt.Errorf("%s: %w", x.t("新密钥已生效，重新封装没有完成：再运行 mulian box rewrap", "the new keys count, wrapping again did not finish: run mulian box rewrap"), err)
	}
	return dry(err)
}

func (x *boxed) recover() *cobra.Command {
	n := &fresh{x: x, withPhrase: true, withCode: true}
	c := &cobra.Command{
		Use:   "recover",
		Short: x.t("忘了口令或丢了设备：用恢复码或两个分片打开，换新密钥、新口令、新恢复码", "passphrase or device lost: open with the recovery code or two shares; new keys, passphrase and code"),
		Long: x.t(`账户的签名密钥也丢了的，先恢复账户（柜台或监护人），本机要有新的签名密钥。
恢复后，原来的口令、恢复码、分片和通行密钥都不再有效；每份资料重新封装到新密钥。`,
			`If the account's signing keys are lost as well, recover the account first (counter or guardians): this machine needs a new one.
Afterwards the old passphrase, code, shares and passkeys no longer open the box, and each item is closed to the new keys.`),
		Example: "  mulian box recover --code-file code.txt\n  mulian box recover --share-file share-1.txt --share-file share-3.txt",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			x.passphrase = "" // the one that was lost; an environment that names it is of before
			if x.code == "" && len(x.shares) == 0 {
				code, err := x.ask(x.t("恢复码：", "recovery code: "), x.t("用什么恢复？--code-file 文件，或 --share-file 给两个", "recover with what? --code-file FILE, or --share-file twice"), true)
				if err != nil {
					return err
				}
				return x.recoverBy(cmd, n, func(*safeboxv1.VaultFile) (safebox.Unlocker, error) { return x.byCode(code) })
			}
			return x.recoverBy(cmd, n, x.unlocker)
		},
	}
	n.into(c)
	c.Flags().StringVar(&n.phrase, "new-passphrase-file", "", x.t("新口令所在文件（仅本人可读）", "file with the new passphrase (readable by you alone)"))
	c.Flags().StringVar(&x.code, "code-file", "", x.t("恢复码所在文件", "file with the recovery code"))
	c.Flags().StringArrayVar(&x.shares, "share-file", nil, x.t("分片所在文件，给两个", "a file with a share, given twice"))
	return c
}

func (x *boxed) recoverBy(cmd *cobra.Command, n *fresh, by func(*safeboxv1.VaultFile) (safebox.Unlocker, error)) error {
	b, err := x.box(cmd.Context())
	if err != nil {
		return err
	}
	f, public, err := b.File(cmd.Context())
	if err != nil {
		return err
	}
	u, err := by(f)
	if err != nil {
		return err
	}
	o, err := b.UnlockFile(cmd.Context(), f, public, u)
	if err != nil {
		return err
	}
	ways, err := n.ways()
	if err != nil {
		return err
	}
	if err := o.Rotate(cmd.Context(), ways...); err != nil {
		return n.failed(err)
	}
	r, err := o.Rewrap(cmd.Context())
	if err != nil {
		return x.halfway(err, n)
	}
	return x.rewrapped(r, n)
}
