package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/foreign"
	"mulian/client/keyring"
	foreignv1 "mulian/gen/mulian/foreign/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
)

// maxForeignFile bounds a file with a proof or a block.
const maxForeignFile = 1 << 20

// serverAt is a client of a server whose address a person typed.
func serverAt(url string) *client.Client {
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	return client.New(strings.TrimSuffix(url, "/"))
}

func (a *app) foreignFollow() *cobra.Command {
	var from string
	var witnesses []string
	var every time.Duration
	var once bool
	c := &cobra.Command{
		Use:   "follow",
		Short: a.t("作为中继跟进对端链：验证节点变更时带回区块头", "relay: bring headers when the other chain's validators change"),
		Long: a.t(`随时可停，再运行即从本链所记的高度接着走；可以同时有多个中继。平时不提交：采信证明时会自带所需的区块头。
--witness 给出对端链的其他服务器：若同一高度出示另一个有效的区块头，立即冻结该链。`,
			`Stop it when you like: it goes on from what the ledger here says, and any number may run at once. It sends nothing while the
validators stay, since an accepted proof brings the header that it needs. --witness names other servers of the same chain: if one
shows another signed header of the same height, the chain is frozen at once.`),
		Example: "  mulian foreign follow --from http://node.neighbour.example:8080 --witness http://other.neighbour.example:8080 --as 11110000000021928B",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.relay(cmd.Context(), from)
			if err != nil {
				return err
			}
			if once {
				n, err := r.Advance(cmd.Context(), 0)
				if err != nil {
					return err
				}
				return a.print(map[string]any{"ok": true, "chain": r.Chain, "headers": n}, func(w io.Writer) {
					fmt.Fprintf(w, a.t("%s：带回 %d 个区块头\n", "%s: %d headers brought\n"), r.Chain, n)
				})
			}
			s, err := a.signerOn(cmd.Context(), r.Here, keyring.Machine, keyring.Officer, keyring.Root)
			if err != nil {
				return err
			}
			r.Send = foreign.By(r.Here, s)
			w := foreign.Watch{Every: every, Tell: a.tellSeen(r.Chain)}
			for _, url := range witnesses {
				w.Witnesses = append(w.Witnesses, serverAt(url))
			}
			return r.Follow(cmd.Context(), w)
		},
	}
	f := c.Flags()
	f.StringVar(&from, "from", "", a.t("对端链的服务器", "a server of the other chain"))
	f.StringSliceVar(&witnesses, "witness", nil, a.t("对端链的其他服务器，用来比对", "other servers of it, to compare with"))
	f.DurationVar(&every, "every", 10*time.Second, a.t("多久看一次", "how often to look"))
	f.BoolVar(&once, "once", false, a.t("只带回最新的区块头，随即结束", "bring the newest header, and end"))
	_ = c.MarkFlagRequired("from")
	return c
}

// tellSeen tells what a look came to, if it is something new.
func (a *app) tellSeen(chain string) func(foreign.Seen) {
	last := ""
	return func(s foreign.Seen) {
		text := ""
		switch {
		case s.Frozen:
			text = fmt.Sprintf(a.t("%s 对高度 %d 出示了两个区块头，已冻结", "%s showed two headers of height %d and is frozen"), chain, s.Height)
		case s.Err != nil:
			text = fmt.Sprintf(a.t("%s：%v，稍后再试", "%s: %v; will try again"), chain, s.Err)
		case s.Headers > 0:
			text = fmt.Sprintf(a.t("%s 跟进到高度 %d（%d 个区块头）", "%s is followed up to height %d (%d headers)"), chain, s.Here, s.Headers)
		}
		if text != "" && text != last {
			a.say("%s", text)
		}
		last = text
	}
}

func (a *app) foreignProve() *cobra.Command {
	var from, out string
	var open bool
	c := &cobra.Command{
		Use:     "prove KEY",
		Short:   a.t("取一个对象（或其不存在）的证明，存成文件", "make the proof of an object, or of its absence, as a file"),
		Example: "  mulian foreign prove share/agreement/0123456789abcdef --from http://node.neighbour.example:8080 --out agreement.foreign",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := foreign.Prove(cmd.Context(), serverAt(from), args[0], open)
			if err != nil {
				return err
			}
			raw, err := proto.Marshal(p)
			if err != nil {
				return fmt.Errorf("write the proof: %w", err)
			}
			if err := durable.CreateFile(out, raw, 0o644); err != nil {
				return fmt.Errorf("%s: %w", out, err)
			}
			m := p.GetProof()
			absent := len(m.GetValue()) == 0 && len(m.GetValueHash()) == 0
			return a.print(map[string]any{"ok": true, "chain": m.GetChainId(), "key": m.GetKey(), "height": m.GetHeight(), "absent": absent, "open": len(m.GetValue()) > 0, "file": out, "bytes": len(raw)}, func(w io.Writer) {
				fmt.Fprintf(w, a.t("✓ %s 在 %s 高度 %d 的证明：%s（%d 字节）\n", "✓ proof of %s on %s at height %d: %s (%d bytes)\n"), m.GetKey(), m.GetChainId(), m.GetHeight(), out, len(raw))
			})
		},
	}
	f := c.Flags()
	f.StringVar(&from, "from", "", a.t("对端链的服务器", "a server of the other chain"))
	f.StringVar(&out, "out", "", a.t("写到哪个文件", "file to write"))
	f.BoolVar(&open, "open", false, a.t("证明里带上全部内容，采信后人人可见", "with the object itself, which everybody can then read"))
	_ = c.MarkFlagRequired("from")
	_ = c.MarkFlagRequired("out")
	return c
}

func (a *app) foreignAccept() *cobra.Command {
	var from, file string
	var open bool
	c := &cobra.Command{
		Use:   "accept [KEY]",
		Short: a.t("采信对端链上的对象：取证明，连同所需区块头一并上链", "have an object of the other chain accepted: proof and headers in one transaction"),
		Long: a.t(`KEY 是对象在对端链上的键：catalogue/entry/…（目录）、share/agreement/…（协议）、identity/account/…（账户）、
credential/item/…（凭证是否有效）。
不加 --open 只登记内容的摘要：持有原文的人可以出示并比对。加 --open 则原文上链，登记提供方、状态、版本和期限。`,
			`KEY is the object's key on the other chain: catalogue/entry/…, share/agreement/…, identity/account/… or
credential/item/… (whether a credential holds). Without --open the
ledger here gets the hash of the object alone: who has it can show it. With --open the object goes on the ledger here, and provider,
state, version and end are kept with the reference.`),
		Example: "  mulian foreign accept catalogue/entry/11110000000021928B:1 --from http://node.neighbour.example:8080 --open --as 11110000000021928B\n" +
			"  mulian foreign accept --file agreement.foreign --from http://node.neighbour.example:8080 --as 11110000000021928B",
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 1) == (file != "") {
				return fault.Newf(fault.Usage, "KEY, --file FILE")
			}
			r, err := a.relay(cmd.Context(), from)
			if err != nil {
				return err
			}
			var ref *foreignv1.ForeignReference
			if file == "" {
				ref, err = r.Accept(cmd.Context(), args[0], open)
			} else {
				p := &foreignv1.ForeignProof{}
				if err = readForeign(file, p); err == nil {
					ref, err = r.AcceptProof(cmd.Context(), p)
				}
			}
			if err != nil || ref == nil {
				return err
			}
			return a.print(ref, func(w io.Writer) { table(w, a.referenceRows(ref)) })
		},
	}
	f := c.Flags()
	f.StringVar(&from, "from", "", a.t("对端链的服务器", "a server of the other chain"))
	f.StringVar(&file, "file", "", a.t("先前用 prove 做好的证明", "a proof that was made before with prove"))
	f.BoolVar(&open, "open", false, a.t("公开全部内容", "show the object to everybody here"))
	_ = c.MarkFlagRequired("from")
	return c
}

func readForeign(path string, m proto.Message) error {
	raw, err := readBounded(path, maxForeignFile)
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(raw, m); err != nil {
		return fault.Wrap(fault.Malformed, err, "%s is no proof of a foreign chain", path)
	}
	return nil
}

func (a *app) foreignFreeze() *cobra.Command {
	var height int64
	c := &cobra.Command{
		Use:   "freeze CHAIN BLOCK BLOCK",
		Short: a.t("出示同一高度的两个区块头，立即冻结对端链", "show two headers of one height: the chain is frozen at once"),
		Long: a.t(`BLOCK 是存有轻区块的文件，或对端链一个服务器的地址（须加 --height）。两个区块头都须由该链的验证节点有效签名；
任何账户都可以提交。`,
			`BLOCK is a file with a light block, or the address of a server of that chain (with --height). Both headers have to be signed
by the chain's validators; any account may show them.`),
		Example: "  mulian foreign freeze neighbour-city http://node.neighbour.example:8080 http://other.neighbour.example:8080 --height 1201 --as 11110000000021928B",
		Args:    exactly(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			var blocks [2][]byte
			for i, from := range args[1:] {
				var err error
				if strings.Contains(from, "://") {
					if height < 1 {
						return fault.Newf(fault.Usage, "--height")
					}
					blocks[i], err = foreign.Block(cmd.Context(), serverAt(from), height)
				} else if blocks[i], err = readBounded(from, maxForeignFile); err == nil {
					blocks[i], err = foreign.Fit(blocks[i])
				}
				if err != nil {
					return err
				}
			}
			return a.simple(cmd, &foreignv1.FreezeForeignChain{ChainId: args[0], First: blocks[0], Second: blocks[1]})
		},
	}
	c.Flags().Int64Var(&height, "height", 0, a.t("哪个高度", "which height"))
	return c
}
