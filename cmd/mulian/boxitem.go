package main

import (
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/safebox"
	"mulian/safebox/owner"
)

// suites by their words on the command line.
var suites = map[string]safeboxv1.SealSuite{"hybrid": safebox.Hybrid, "p256": safebox.P256, "sm": safebox.SM}

func (x *boxed) put() *cobra.Command {
	var y owner.Content
	var suite string
	c := &cobra.Command{
		Use:   "put FILE",
		Short: x.t("存入一份文件：在本机加密，存放方看不见内容和名称", "put a file in: encrypted here; who stores it sees neither content nor name"),
		Long: x.t("存入不需要口令：用保险库的公钥加密。要有两种打开方式才能存自己的资料（mulian box status）。- 表示标准输入。",
			"No passphrase is needed to put something in: it is encrypted to the vault's public keys. The box takes your own files once it\nopens in two kinds of ways (mulian box status). - is the standard input."),
		Example: "  mulian box put contract.pdf --title 租房合同\n  mulian box put seal.xml --suite sm --as p-0123456789abcdef0123456789abcdef",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var ok bool
			if y.Suite, ok = suites[suite]; !ok {
				return x.usage(cmd, "--suite %q: hybrid p256 sm", suite)
			}
			b, err := x.box(cmd.Context())
			if err != nil {
				return err
			}
			if y.Title == "" && args[0] != stdin {
				y.Title = filepath.Base(args[0])
			}
			if y.MediaType == "" {
				y.MediaType, _, _ = strings.Cut(mime.TypeByExtension(filepath.Ext(args[0])), ";")
			}
			if y.Open, err = x.content(args[0]); err != nil {
				return err
			}
			id, err := b.Put(cmd.Context(), y)
			if err != nil {
				return dry(err)
			}
			return x.print(map[string]any{"ok": true, "id": id, "title": y.Title}, func(w io.Writer) { fmt.Fprintf(w, "%s  %s\n", id, y.Title) })
		},
	}
	f := c.Flags()
	f.StringVar(&y.Title, "title", "", x.t("名称，默认为文件名；同内容一样加密", "its name, default that of the file; encrypted like the content"))
	f.StringVar(&y.Schema, "kind", "file/1", x.t("种类，如 contract/1", "what kind of thing it is, like contract/1"))
	f.StringVar(&y.MediaType, "type", "", x.t("媒体类型，默认按扩展名", "media type, default from the name's extension"))
	f.BoolVar(&y.Single, "single", false, x.t("单一持有的凭据：只能移交，不能给副本", "a single-owner token: it is handed over, never copied"))
	f.StringVar(&suite, "suite", "hybrid", x.t("密码套件：hybrid 抗量子混合、p256、sm 国密", "seal suite: hybrid (against quantum computers), p256, sm (SM2/SM4)"))
	return c
}

// maxTyped bounds what is put in from the standard input: it is held in memory, for it has
// to be read twice and must not lie on the disk as it is.
const maxTyped = 64 << 20

// content is a file, or what comes in on the standard input.
func (x *boxed) content(path string) (func() (io.ReadCloser, error), error) {
	if path != stdin {
		return func() (io.ReadCloser, error) {
			f, err := os.Open(path)
			if err != nil {
				return nil, fault.Wrap(fault.Inaccessible, err, "read what is to be put in")
			}
			return f, nil
		}, nil
	}
	raw, err := io.ReadAll(io.LimitReader(x.in, maxTyped+1))
	if err == nil && len(raw) > maxTyped {
		err = fault.Newf(fault.TooLong, x.t("标准输入超过 %d 字节：请存为文件再存入", "more than %d bytes on stdin: put it in as a file"), maxTyped)
	}
	return owner.Bytes(raw), err
}

// shown is a text of somebody else as it may stand on a terminal.
func shown(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\ufffd'
		}
		return r
	}, text)
}

// itemRow is an item as list and get tell it.
type itemRow struct {
	ID        string   `json:"id"`
	Title     string   `json:"title"`
	Kind      string   `json:"kind"`
	Type      string   `json:"type"`
	Bytes     uint64   `json:"bytes"`
	From      string   `json:"from"`
	Number    uint64   `json:"number"`
	Origin    string   `json:"origin"`
	Single    bool     `json:"single"`
	State     string   `json:"state"` // held, unrecorded, closed (does not open)
	Rewrap    bool     `json:"rewrap"`
	Purpose   string   `json:"purpose,omitempty"`
	Fields    []string `json:"fields,omitempty"`
	NotAfter  string   `json:"not_after,omitempty"`
	CopyOf    string   `json:"copy_of,omitempty"`
	Made      string   `json:"made"`
	Transfers []string `json:"offers,omitempty"`
	Why       string   `json:"why,omitempty"`
}

func (x *boxed) row(it *owner.Item) itemRow {
	c, h := it.Card, it.Held
	r := itemRow{
		ID: it.ID, Title: c.GetTitle(), Kind: c.GetSchema(), Type: c.GetMediaType(), Bytes: c.GetBytes(), From: h.GetDepositor(), Number: h.GetNumber(),
		Origin: x.word(h.GetOrigin()), Single: h.GetSingle(), State: "held", Rewrap: it.Stale, CopyOf: h.GetCopyOf(), Made: day(c.GetMadeMs()), Transfers: h.GetOffers(),
	}
	if n := c.GetCopy(); n != nil {
		r.Purpose, r.Fields, r.NotAfter, r.CopyOf = n.GetPurpose(), n.GetFields(), day(n.GetNotAfterMs()), n.GetOf()
	}
	if h == nil || h.GetState() != safeboxv1.ItemState_ITEM_STATE_HELD {
		r.State = "unrecorded"
	}
	if it.Err != nil {
		r.State, r.Why = "closed", it.Err.Error()
	}
	return r
}

// stateWord is a row's state for people.
func (x *boxed) stateWord(r itemRow) string {
	switch {
	case r.State == "closed":
		return x.t("打不开", "does not open")
	case r.State == "unrecorded":
		return x.t("账本上还没有", "not on the ledger yet")
	case len(r.Transfers) > 0:
		return x.t("已提出转交", "offered")
	case r.Rewrap:
		return x.t("待重新封装", "to be rewrapped")
	}
	return ""
}

func (x *boxed) list() *cobra.Command {
	return x.opens(&cobra.Command{
		Use: "list", Short: x.t("列出保险箱里的资料", "list what is in the box"), Args: exactly(0),
		Example: "  mulian box list\n  mulian box list --json --passphrase-file pass.txt",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := x.open(cmd.Context())
			if err != nil {
				return err
			}
			items, err := o.Items(cmd.Context())
			if err != nil {
				return err
			}
			list, rows := []itemRow{}, [][]string{{x.t("编号", "ID"), x.t("名称", "TITLE"), x.t("来路", "ORIGIN"), x.t("字节", "BYTES"), x.t("时间", "MADE"), x.t("状态", "STATE")}}
			for _, it := range items {
				r := x.row(it)
				list = append(list, r)
				rows = append(rows, []string{r.ID[:8], shown(r.Title), r.Origin, fmt.Sprint(r.Bytes), r.Made, x.stateWord(r)})
			}
			return x.print(map[string]any{"account": o.Account, "items": list}, func(w io.Writer) {
				if len(list) == 0 {
					fmt.Fprintln(w, x.t("保险箱是空的；存一份：mulian box put 文件", "the box is empty; put something in: mulian box put FILE"))
					return
				}
				table(w, rows)
			})
		},
	})
}

func (x *boxed) get() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "get ITEM",
		Short: x.t("取回一份资料：编号、编号的开头，或名称", "get an item: its id, the beginning of its id, or its title"),
		Long: x.t("每个字节先核对再写出；被改动的一个字节也不会写出。-o - 写到标准输出；不写 -o 就用它的名称存到当前目录，已有同名文件则拒绝。",
			"Every byte is checked before it is written. -o - writes to the standard output; without -o it goes into this folder under its title,\nand nothing that is there already is replaced."),
		Example: "  mulian box get 租房合同 -o contract.pdf\n  mulian box get 0f3a9c21 -o -",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := x.open(cmd.Context())
			if err != nil {
				return err
			}
			it, err := o.Find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			r, err := o.Content(cmd.Context(), it)
			if err != nil {
				return err
			}
			path := out
			switch path {
			case stdin:
				_, err := io.Copy(x.out, r)
				return err
			case "":
				if path, err = fileName(it); err != nil {
					return err
				}
				if _, err := os.Lstat(path); err == nil {
					return fault.Newf(fault.AlreadyExists, x.t("%s 已经在这里：用 -o 另起名", "%s is here already: name another with -o"), path)
				}
			}
			if err := durable.ReplaceWith(path, 0o600, func(w io.Writer) error { _, err := io.Copy(w, r); return err }); err != nil {
				return err
			}
			row := x.row(it)
			return x.print(map[string]any{"ok": true, "file": path, "item": row}, func(w io.Writer) {
				fmt.Fprintf(w, x.t("✓ %s → %s（%d 字节）\n", "✓ %s → %s (%d bytes)\n"), shown(row.Title), path, row.Bytes)
				x.note(w, it.Card.GetCopy())
			})
		},
	}
	c.Flags().StringVarP(&out, "out", "o", "", x.t("写到哪个文件，- 为标准输出", "file to write, - is the standard output"))
	return x.opens(c)
}

// note shows what is written on a copy.
func (x *boxed) note(w io.Writer, n *safeboxv1.CopyNote) {
	if n == nil {
		return
	}
	fmt.Fprintf(w, x.t("  副本：%s 给 %s，用途：%s，有效至 %s\n", "  a copy: made by %s for %s, purpose: %s, good until %s\n"), n.GetFrom(), n.GetTo(), shown(n.GetPurpose()), day(n.GetNotAfterMs()))
	if len(n.GetFields()) > 0 {
		fmt.Fprintf(w, x.t("  只有这些字段：%s\n", "  only these fields: %s\n"), shown(strings.Join(n.GetFields(), ", ")))
	}
}

// fileName is a title as the name of a file here: whoever sent an item cannot choose a place.
func fileName(it *owner.Item) (string, error) {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) || r == 0x7f {
			return '_'
		}
		return r
	}, it.Card.GetTitle())
	name = strings.TrimLeft(name, ".-")
	if name == "" || len(name) > 200 {
		return "", fault.Newf(fault.Usage, "item %s: its title is no name for a file: -o FILE", it.ID)
	}
	return name, nil
}

func (x *boxed) erase() *cobra.Command {
	c := &cobra.Command{
		Use:   "erase ID...",
		Short: x.t("擦除：先上链记录，再销毁密钥、盐和内容；不可恢复", "erase for good: recorded on the ledger, then keys, salt and content are destroyed"),
		Long: x.t(`用完整编号（mulian box list --json 里的 id）。账本上留下的承诺值从此只是随机数。
擦除前做的备份里仍有密文和封装的密钥：还要更进一步，擦除后用 mulian box rewrap --new-keys 换密钥，并销毁旧的恢复码。`,
			`Takes whole ids (id in mulian box list --json). The commitment that stays on the ledger is a random number from then on.
Backups made before it still have ciphertext and wrapped keys: who needs more changes the keys afterwards with mulian box rewrap
--new-keys and destroys the old recovery code.`),
		Example: "  mulian box erase 0123456789abcdef0123456789abcdef",
		Args:    atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, id := range args {
				if len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" {
					return x.usage(cmd, x.t("%q 不是完整编号（32 个十六进制字）：擦除不认简写", "%q is no whole id (32 hexadecimal digits): nothing is erased by an abbreviation"), id)
				}
			}
			b, err := x.box(cmd.Context())
			if err != nil {
				return err
			}
			if err := x.agreed(fmt.Sprintf(x.t("擦除 %d 份资料，不可恢复？[y/N] ", "erase %d items, for good? [y/N] "), len(args))); err != nil {
				return err
			}
			done, err := b.Erase(cmd.Context(), args...)
			if err != nil {
				return dry(err)
			}
			list := []map[string]any{}
			for _, e := range done {
				list = append(list, map[string]any{"id": e.ID, "recorded": e.Ledger, "destroyed": true, "was_stored": e.Stored})
			}
			return x.print(map[string]any{"ok": true, "items": list}, func(w io.Writer) {
				for _, e := range done {
					fmt.Fprintf(w, x.t("✓ %s 已擦除\n", "✓ %s is erased\n"), e.ID)
				}
			})
		},
	}
	return c
}
