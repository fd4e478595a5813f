package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	rpc "connectrpc.com/connect"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/keyring"
	"mulian/gateway"
	"mulian/gateway/deposit"
	"mulian/gateway/issue"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

func (a *app) depositCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "deposit",
		Aliases: []string{"归集"},
		Short:   a.t("数据归集：部门把材料存进所有人的保险箱", "deposits: a department puts documents into their owners' safe boxes"),
		Long: a.t(`材料在本机加密给所有人的保险库，放到存箱的服务器上，最后上链；所有人不必在线。部门自己存好之后也打不开。
中断了不要紧：网关运行时自动接着做，或用 mulian deposit resume。`,
			`A document is encrypted here to its owner's vault, laid at the server that keeps the box, and put on the ledger last; the owner need
not be there. Once it is deposited the department cannot open it either. If it is interrupted the running gateway goes on with it, or
mulian deposit resume does.`),
		Example: "  mulian deposit put licence.pdf --owner p-1f0c… --schema business-licence/1 --title 营业执照 --as 11110000000021928B\n  mulian deposit list",
	}
	c.AddCommand(a.depositPut(), a.depositList(), a.depositResume())
	return c
}

// depositor is who deposits at a gateway of this machine. What it reads is proved.
func (a *app) depositor(ctx context.Context, cl *client.Client, gw string) (*deposit.Depositor, *gateway.Config, error) {
	account, err := a.oneGateway([]string{gw})
	if err != nil {
		return nil, nil, err
	}
	cfg, err := readGateway(filepath.Join(a.gatewayHome(account), gatewayFile))
	if err != nil {
		return nil, nil, err
	}
	file, err := os.ReadFile(cfg.Genesis)
	if err != nil {
		return nil, nil, fault.Wrap(fault.NotFound, err, "genesis")
	}
	genesis, err := client.ParseGenesis(file)
	if err != nil {
		return nil, nil, err
	}
	signer, err := keyring.Ring{Dir: cfg.KeysDir()}.Signer(account, keyring.Machine)
	if err != nil {
		return nil, nil, err
	}
	d := gateway.OpenDepositor(cfg, genesis.GetChainId(), signer)
	proved := cl.Verify(genesis)
	d.Get = func(ctx context.Context, key string, m proto.Message) (bool, error) {
		found, _, err := proved.Get(ctx, key, m)
		return found, err
	}
	d.Send = func(ctx context.Context, messages ...proto.Message) error {
		_, err := a.actAs(ctx, cl, signer, messages...)
		return err
	}
	return d, cfg, nil
}

func (a *app) depositPut() *cobra.Command {
	var gw, suite string
	var it deposit.Item
	c := &cobra.Command{
		Use:     "put FILE",
		Short:   a.t("把一份材料存进所有人的保险箱", "put a document into its owner's box"),
		Long:    a.t("FILE 为 - 时读标准输入。标题和种类也加密，链上只有承诺值。", "FILE - reads standard input. Title and schema are encrypted, too; the ledger has a commitment only."),
		Example: "  mulian deposit put licence.pdf --owner p-1f0c… --schema business-licence/1 --title 营业执照 --media-type application/pdf --as 11110000000021928B",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			d, _, err := a.depositor(cmd.Context(), cl, gw)
			if err != nil {
				return err
			}
			if it.Suite, err = suiteNamed(suite); err != nil {
				return err
			}
			content, done, err := a.content(args[0])
			if err != nil {
				return err
			}
			defer done()
			it.Content = content
			if a.dryRun {
				return a.wouldDeposit(cmd.Context(), d, it)
			}
			out, err := d.Deposit(cmd.Context(), it)
			if err != nil {
				return err
			}
			v := map[string]any{"ok": true, "item": out.Item, "owner": out.Owner, "bytes": out.Bytes}
			return a.print(v, func(w io.Writer) {
				fmt.Fprintf(w, a.t("✓ 已存入 %s 的保险箱：%s，%d 字节\n", "✓ in the box of %s: %s, %d bytes\n"), out.Owner, out.Item, out.Bytes)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&it.Owner, "owner", "", a.t("所有人的账户", "the owner's account"))
	f.StringVar(&it.Schema, "schema", "", a.t("种类与版本，如 business-licence/1（加密）", "kind and version, like business-licence/1 (encrypted)"))
	f.StringVar(&it.Title, "title", "", a.t("标题（加密）", "title (encrypted)"))
	f.StringVar(&it.MediaType, "media-type", "application/octet-stream", a.t("媒体类型（加密）", "media type (encrypted)"))
	f.StringVar(&it.Entry, "entry", "", a.t("来自哪个目录条目（加密）", "the catalogue entry it comes from (encrypted)"))
	f.BoolVar(&it.Single, "single", false, a.t("唯一凭据：只能移交，不能复制", "a single-owner token: handed over, never copied"))
	f.StringVar(&suite, "suite", "", a.t("加密套件 sm、p256 或 hybrid；默认保险库有的最强者", "sm, p256 or hybrid; default the strongest that the vault has"))
	f.StringVar(&gw, "gateway", "", a.t("哪个网关；只有一个时可省略", "which gateway; may be left out if there is only one"))
	_ = c.MarkFlagRequired("owner")
	_ = c.MarkFlagRequired("schema")
	return c
}

// suiteNamed reads the name of a suite; empty is the best one.
func suiteNamed(name string) (safeboxv1.SealSuite, error) {
	n, ok := safeboxv1.SealSuite_value["SEAL_SUITE_"+strings.ToUpper(name)]
	if name == "" {
		return 0, nil
	}
	if !ok || n == 0 {
		return 0, fault.Newf(fault.Usage, "--suite %q: sm, p256 or hybrid", name)
	}
	return safeboxv1.SealSuite(n), nil
}

// maxPiped bounds what is deposited from standard input: it is held in memory.
const maxPiped = 64 << 20

// content opens what is to be deposited. The caller calls done.
func (a *app) content(path string) (c io.ReadSeeker, done func(), err error) {
	if path == "-" {
		raw, err := io.ReadAll(io.LimitReader(a.in, maxPiped+1))
		if err == nil && len(raw) > maxPiped {
			err = fault.Newf(fault.TooLong, "more than %d bytes on standard input: name a file", maxPiped)
		}
		return bytes.NewReader(raw), func() {}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fault.Wrap(fault.Usage, err, "what is to be deposited")
	}
	return f, func() { f.Close() }, nil
}

// wouldDeposit is the dry run: the vault is there, and nothing else happens.
func (a *app) wouldDeposit(ctx context.Context, d *deposit.Depositor, it deposit.Item) error {
	v := &safeboxv1.Vault{}
	found, err := d.Get(ctx, "safebox/vault/"+it.Owner, v)
	if err != nil {
		return err
	}
	if !found {
		return fault.Newf(fault.VaultMissing, "%.100s has no box", it.Owner)
	}
	return a.print(map[string]any{"ok": true, "dry_run": true, "owner": it.Owner, "key_version": v.GetKeyVersion()}, func(w io.Writer) {
		fmt.Fprintf(w, a.t("将加密给 %s 的保险库（密钥第 %d 版）；什么也没有发送\n", "would be sealed to the vault of %s (keys of version %d); nothing was sent\n"), it.Owner, v.GetKeyVersion())
	})
}

func (a *app) depositList() *cobra.Command {
	var gw, owner string
	c := &cobra.Command{
		Use:     "list",
		Short:   a.t("本网关存入的材料（账本所记），以及没做完的", "what this gateway has deposited, as the ledger has it, and what is not done"),
		Example: "  mulian deposit list --owner p-1f0c…",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			d, cfg, err := a.depositor(cmd.Context(), cl, gw)
			if err != nil {
				return err
			}
			open, err := d.Tickets(cmd.Context())
			if err != nil {
				return err
			}
			var items []*safeboxv1.BoxItem
			after, total := "", int64(0)
			for len(items) < 500 {
				res, err := cl.Safebox.ListBoxItems(cmd.Context(), rpc.NewRequest(&safeboxv1.ListBoxItemsRequest{Owner: owner, Depositor: cfg.Account, After: after, Limit: 500}))
				if err != nil {
					return wire.Fault(err)
				}
				items, total = append(items, res.Msg.GetItems()...), res.Msg.GetTotal()
				if after = res.Msg.GetNext(); after == "" {
					break
				}
			}
			return a.showDeposits(items, total, open)
		},
	}
	c.Flags().StringVar(&owner, "owner", "", a.t("只看一个所有人", "of one owner only"))
	c.Flags().StringVar(&gw, "gateway", "", a.t("哪个网关；只有一个时可省略", "which gateway; may be left out if there is only one"))
	return c
}

func (a *app) showDeposits(items []*safeboxv1.BoxItem, total int64, open []deposit.Ticket) error {
	rows := [][]string{{a.t("材料", "ITEM"), a.t("所有人", "OWNER"), a.t("状态", "STATE"), a.t("时间", "AT")}}
	list := []map[string]any{}
	for _, it := range items {
		state := strings.ToLower(strings.TrimPrefix(it.GetState().String(), "ITEM_STATE_"))
		at := time.UnixMilli(it.GetAtMs()).UTC().Format(time.RFC3339)
		list = append(list, map[string]any{"item": it.GetId(), "owner": it.GetOwner(), "state": state, "at": at, "height": it.GetHeight()})
		rows = append(rows, []string{it.GetId(), it.GetOwner(), state, at})
	}
	for _, t := range open {
		state := a.t("没做完", "not done")
		if t.Refused != "" {
			state = a.t("被拒绝，请重新存入：", "refused, deposit it anew: ") + t.Refused
		}
		rows = append(rows, []string{t.Item, t.Owner, state, t.At.Format(time.RFC3339)})
	}
	v := map[string]any{"items": list, "total": total, "open": append([]deposit.Ticket{}, open...)}
	return a.print(v, func(w io.Writer) { table(w, rows) })
}

func (a *app) depositResume() *cobra.Command {
	var gw string
	var forget bool
	c := &cobra.Command{
		Use:     "resume",
		Short:   a.t("接着做中断的存入（网关运行时自动做）", "go on with deposits that were interrupted (a running gateway does it by itself)"),
		Example: "  mulian deposit resume\n  mulian deposit resume --forget",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			d, _, err := a.depositor(cmd.Context(), cl, gw)
			if err != nil {
				return err
			}
			out, bad := d.Resume(cmd.Context()) // what became of the tickets that it could read
			done, failed := []deposit.Ticket{}, []deposit.Ticket{}
			for _, o := range out {
				if o.Err == nil {
					done = append(done, o.Ticket)
					continue
				}
				failed = append(failed, o.Ticket)
				a.say("%s %s: %v", o.Item, fault.CodeOf(o.Err), o.Err)
			}
			forgotten := []deposit.Ticket{}
			if forget {
				forgotten, err = d.Forget(cmd.Context())
				bad = cmp.Or(bad, err)
			}
			if bad != nil && len(done)+len(failed)+len(forgotten) == 0 {
				return bad
			}
			v := map[string]any{"ok": len(failed) == 0 && bad == nil, "done": done, "failed": failed, "forgotten": len(forgotten)}
			err = a.print(v, func(w io.Writer) {
				fmt.Fprintf(w, a.t("完成 %d 份，没完成 %d 份，忘掉 %d 份\n", "%d done, %d not done, %d forgotten\n"), len(done), len(failed), len(forgotten))
			})
			return cmp.Or(err, bad)
		},
	}
	c.Flags().BoolVar(&forget, "forget", false, a.t("清除被拒绝的记录", "remove what is kept of refused ones"))
	c.Flags().StringVar(&gw, "gateway", "", a.t("哪个网关；只有一个时可省略", "which gateway; may be left out if there is only one"))
	return c
}

// credentialSchema is the kind of an item that holds what `credential issue` writes.
const credentialSchema = "mulian-credential/1"

// push makes an order bring its credential into the owner's box; end is called when the
// transaction has come, or not.
func (a *app) push(ctx context.Context, cl *client.Client, gw, owner, title string, r *issue.Order) (laid func() *deposit.Laid, end func() error, err error) {
	d, _, err := a.depositor(ctx, cl, gw)
	if err != nil {
		return nil, nil, err
	}
	var all []*deposit.Laid // of each try; the last one counts
	r.Push = func(ctx context.Context, made *issue.Issued) (proto.Message, error) {
		raw, err := sdjwtFile(made)
		if err != nil {
			return nil, err
		}
		l, err := d.LayDown(ctx, deposit.Item{Owner: owner, Schema: credentialSchema, Title: title, MediaType: "application/json", Content: bytes.NewReader(raw)})
		if err != nil {
			return nil, err
		}
		all = append(all, l)
		return l.Message, nil
	}
	laid = func() *deposit.Laid { return all[len(all)-1] }
	return laid, func() error {
		for _, l := range all {
			if err := l.End(ctx); err != nil {
				return err
			}
		}
		return nil
	}, nil
}
