package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/keyring"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/safebox"
	"mulian/safebox/boxcall"
	"mulian/safebox/owner"
)

func (a *app) boxCommand() *cobra.Command {
	x := &boxed{app: a}
	c := &cobra.Command{
		Use:     "box",
		Aliases: []string{"保险箱"},
		Short:   a.t("保险箱：只有本人打得开的资料库；存、取、给副本、移交、亮证", "safe box: a store that only its owner can open; put, get, give copies, hand over, show"),
		Long: a.t(`保险箱里的一切在本机加密后才离开，存放方只看见编号、长度和时间。账本上只有公钥和加盐的承诺值。

第一次使用：
  mulian owner open                      开户，记下显示的账户编号
  export MULIAN_AS=p-…                   以后不必再写 --as
  mulian box init                        建保险箱：设口令；恢复码只显示一次，抄在纸上
  mulian box put 合同.pdf                存一份文件
  mulian box list                        看里面有什么
  mulian box get 合同.pdf -o 取回.pdf    取回

口令和恢复码都没有了，谁也打不开保险箱，包括运营方；部门存入的资料可以请部门重新存入，自己存的就没有了。
口令从不写在命令行上：在终端里输入，或用 --passphrase-file 文件（仅本人可读），或环境变量 MULIAN_BOX_PASSPHRASE_FILE 指明这样的文件。`,
			`Everything is encrypted on this machine before it leaves it; who stores it sees numbers, lengths and times. The ledger has public
keys and salted commitments.

First steps:
  mulian owner open                      open an account, and note its id
  export MULIAN_AS=p-…                   then --as need not be typed again
  mulian box init                        make the box: choose a passphrase; write the recovery code, shown once, on paper
  mulian box put contract.pdf            put a file in
  mulian box list                        see what is in it
  mulian box get contract.pdf -o back.pdf

Without passphrase and recovery code nobody opens the box, its operator included. What departments put in can be asked for again;
what you put in yourself is then lost.
A passphrase never stands on the command line: type it when asked, or name a file that only you can read with --passphrase-file or
in $MULIAN_BOX_PASSPHRASE_FILE.`),
		Example: "  mulian box init --as p-0123456789abcdef0123456789abcdef\n  mulian box put contract.pdf --title 租房合同\n  mulian box list",
	}
	f := c.PersistentFlags()
	f.StringVar(&x.door, "door", env("MULIAN_BOX_DOOR", ""), a.t("保险箱所在服务器的地址，默认为 --server", "URL of the server that keeps the box; default that of --server")+" ($MULIAN_BOX_DOOR)")
	f.StringVar(&x.genesis, "genesis", env("MULIAN_GENESIS", ""), a.t("创世文件：读账本时逐项核对证明，不必相信服务器", "genesis file: what is read of the ledger is proved, the server need not be trusted")+" ($MULIAN_GENESIS)")
	c.AddCommand(x.init(), x.status(), x.unlockers(), x.put(), x.list(), x.get(), x.erase(), x.give(), x.offer(), x.offers(), x.accept(), x.decline(), x.cancel(), x.share(), x.receive(),
		x.scan(), x.show(), x.rewrap(), x.recover())
	return c
}

// boxed is what the commands of a box share.
type boxed struct {
	*app
	door, genesis string

	passphrase, code string // files
	shares           []string

	by safebox.Unlocker // with which open opened the vault
}

// opens adds the flags by which a vault is opened.
func (x *boxed) opens(c *cobra.Command) *cobra.Command {
	f := c.Flags()
	f.StringVar(&x.passphrase, "passphrase-file", env("MULIAN_BOX_PASSPHRASE_FILE", ""), x.t("口令所在文件（仅本人可读）", "file with the passphrase (readable by you alone)")+" ($MULIAN_BOX_PASSPHRASE_FILE)")
	f.StringVar(&x.code, "code-file", "", x.t("用恢复码打开：恢复码所在文件", "open with the recovery code: file that has it"))
	f.StringArrayVar(&x.shares, "share-file", nil, x.t("用分片打开：分片所在文件，给两个", "open with shares: a file with one, given twice"))
	return c
}

// box is the box of --as at the door of the server.
func (x *boxed) box(ctx context.Context) (*owner.Box, error) {
	account, _, _ := strings.Cut(x.as, "#")
	if account == "" {
		return nil, fault.Newf(fault.Usage, "%s", x.t("谁的保险箱？用 --as 账户 指明，或设 MULIAN_AS（还没有账户：mulian owner open）", "whose box? name the account with --as or in MULIAN_AS (none yet: mulian owner open)"))
	}
	cl, err := x.client()
	if err != nil {
		return nil, err
	}
	at := cl
	if x.door != "" {
		at = client.New(strings.TrimSuffix(x.door, "/"))
	}
	st, err := at.Status(ctx)
	if err != nil {
		return nil, err
	}
	if st.GetBoxDoor() == "" {
		return nil, fault.Newf(fault.NotFound, x.t("服务器 %s 不存放保险箱；用 --door 指明存放的那台", "the server %s keeps no boxes; name the one that does with --door"), at.URL())
	}
	s, err := x.signerOn(ctx, cl, keyring.Machine, keyring.Officer, keyring.Root)
	if err != nil {
		return nil, err
	}
	b := &owner.Box{
		Account: account, Chain: cl, Dir: x.path("box"), DryRun: x.dryRun, Send: x.sends(cl),
		Door: &boxcall.Caller{Door: boxcall.Dial(at.URL()), Chain: st.GetChainId(), Name: st.GetBoxDoor(), Signer: s},
	}
	if x.genesis == "" {
		return b, nil
	}
	raw, err := readAtMost(x.genesis, maxStdin)
	if err != nil {
		return nil, err
	}
	g, err := client.ParseGenesis(raw)
	if err != nil {
		return nil, err
	}
	proved := cl.Verify(g)
	b.Get = func(ctx context.Context, key string, m proto.Message) (bool, error) {
		found, _, err := proved.Get(ctx, key, m)
		return found, err
	}
	return b, nil
}

// sends shows what is signed, asks a person who is there, and sends.
func (x *boxed) sends(cl *client.Client) func(context.Context, identityv1.KeyLevel, ...proto.Message) (*client.Receipt, error) {
	return func(ctx context.Context, level identityv1.KeyLevel, messages ...proto.Message) (*client.Receipt, error) {
		labels := []string{keyring.Officer, keyring.Root, keyring.Machine}
		if level == identityv1.KeyLevel_KEY_LEVEL_ROOT {
			labels = []string{keyring.Root, keyring.Officer}
		}
		s, err := x.signerOn(ctx, cl, labels...)
		if err != nil {
			return nil, err
		}
		return x.actAs(ctx, cl, s, messages...)
	}
}

// dry makes of "nothing was sent" the success that a dry run is.
func dry(err error) error {
	if errors.Is(err, owner.ErrUnsent) {
		return nil
	}
	return err
}

// maxSecret bounds a file with a passphrase, a code or a share.
const maxSecret = 1 << 10

// readSecret reads the first line of a file that nobody else can read.
func readSecret(path string) (string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return "", fault.Wrap(fault.Inaccessible, err, "read a secret")
	}
	if st.Mode().IsRegular() && st.Mode().Perm()&0o077 != 0 {
		return "", fault.Newf(fault.Inaccessible, "%s can be read by others: chmod 600", path)
	}
	raw, err := readAtMost(path, maxSecret)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	if line = strings.TrimSpace(line); line == "" {
		return "", fault.Newf(fault.Empty, "%s has nothing in its first line", path)
	}
	return line, nil
}

// ask asks a person at the terminal; what he types is not shown if it is secret. Usage with
// otherwise if nobody is there.
func (x *boxed) ask(question, otherwise string, secret bool) (string, error) {
	if !terminal(x.in) {
		return "", fault.Newf(fault.Usage, "%s", otherwise)
	}
	fmt.Fprint(x.err, question)
	if !secret {
		line, err := bufio.NewReader(io.LimitReader(x.in, maxSecret)).ReadString('\n')
		if err != nil && line == "" {
			return "", fault.Newf(fault.Cancelled, "%s", x.t("没有输入", "nothing was typed"))
		}
		return strings.TrimSpace(line), nil
	}
	f, _ := x.in.(*os.File)
	raw, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(x.err)
	if err != nil {
		return "", fault.Wrap(fault.Cancelled, err, "read what is typed")
	}
	return strings.TrimSpace(string(raw)), nil
}

// agreed asks for a yes. Where nobody can be asked --yes has to stand on the command line:
// what is disclosed or destroyed is not undone.
func (x *boxed) agreed(question string) error {
	if x.yes || x.dryRun {
		return nil
	}
	line, err := x.ask(question, x.t("这里没有人可以询问：要做就加 --yes", "nobody can be asked here: say --yes to do it"), false)
	if err != nil {
		return err
	}
	if l := strings.ToLower(line); l != "y" && l != "yes" && l != "是" {
		return fault.Newf(fault.Cancelled, "%s", x.t("没有做，什么也没有改变", "not done; nothing was changed"))
	}
	return nil
}
