package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"mulian/client"
	"mulian/client/prooffile"
	"mulian/client/witness"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/node"
)

func (a *app) witnessCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "witness",
		Aliases: []string{"见证"},
		Short:   a.t("见证：外人也能发现账本对不同的人给出不同的历史", "witnesses: people outside see when the ledger shows different histories to different people"),
		Long: a.t(`验证节点以自己的密钥签署事件日志的检查点（C2SP tlog-checkpoint），交给不属于联盟的见证方。见证方只联署接续上一次的
检查点（C2SP tlog-witness、cosignature/v1），拒绝回退和分叉；两份互相矛盾的检查点就是证据，凭创世哈希即可离线验证。`,
			`A validator signs checkpoints of the log of events with its own key (C2SP tlog-checkpoint) and brings them to witnesses that
do not belong to the consortium. A witness cosigns only what continues the last one (C2SP tlog-witness, cosignature/v1), and
refuses what goes back or forks; two checkpoints that contradict each other are evidence, which the genesis hash alone checks.`),
		Example: "  mulian witness sign -o log.checkpoint\n  mulian witness compare log.checkpoint https://witness.example/checkpoint/0123",
	}
	c.AddCommand(a.witnessInit(), a.witnessServe(), a.witnessSign(), a.witnessPush(), a.witnessCompare())
	return c
}

func (a *app) witnessInit() *cobra.Command {
	var name string
	c := &cobra.Command{
		Use:     "init DIRECTORY",
		Aliases: []string{"初始化"},
		Short:   a.t("生成见证方的密钥并显示公钥", "make a witness's key, and show the public one"),
		Long: a.t(`生成这个见证方的密钥（目录 0700，密钥 0600）并显示它的公钥（vkey），交给要提交检查点的成员。已经有了就只显示。`,
			`Makes the witness's key (directory 0700, key 0600) and shows its public one (vkey), for the members that will push to it. If
there is one it is only shown.`),
		Example: "  mulian witness init /var/lib/witness --name witness.example/w1",
		Args:    exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			w, err := witness.Open(args[0], name, nil)
			if err != nil {
				return err
			}
			if err := w.Close(); err != nil {
				return err
			}
			return a.print(map[string]any{"ok": true, "name": name, "key": w.Key()}, func(out io.Writer) { fmt.Fprintln(out, w.Key()) })
		},
	}
	c.Flags().StringVar(&name, "name", "", a.t("见证方的名称，如 witness.example/w1", "the witness's name, witness.example/w1"))
	_ = c.MarkFlagRequired("name")
	return c
}

func (a *app) witnessServe() *cobra.Command {
	var name, listen string
	var keys, genesis []string
	c := &cobra.Command{
		Use:     "serve DIRECTORY",
		Aliases: []string{"运行"},
		Short:   a.t("运行一个见证方：联署接续的检查点，拒绝回退和分叉", "run a witness: cosign what continues, refuse what goes back or forks"),
		Long: a.t(`在这个目录运行一个见证方，第一次运行时生成它的密钥（0600）。信任哪些日志的密钥：--genesis 从创世得到链的全部初始验证
节点，--log 逐个给出后来的。目录里的联署记录丢失后，这个见证方不能再启动：换一个新的。`,
			`Runs a witness in this directory, whose key is made the first time (0600). Whose checkpoints it takes: --genesis gives all
first validators of a chain, --log a later one. If what it has cosigned is lost, a witness does not start again: make another.`),
		Example: "  mulian witness serve /var/lib/witness --name witness.example/w1 --genesis genesis.bin",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, path := range genesis {
				more, err := logKeysOf(path)
				if err != nil {
					return err
				}
				keys = append(keys, more...)
			}
			if len(keys) == 0 {
				return fault.Newf(fault.Usage, "%s", a.t("没有任何日志：用 --genesis 或 --log", "no log to watch: --genesis or --log"))
			}
			w, err := witness.Open(args[0], name, keys)
			if err != nil {
				return err
			}
			return errors.Join(a.serveWitness(cmd.Context(), w, listen), w.Close())
		},
	}
	c.Flags().StringVar(&name, "name", "", a.t("见证方的名称，如 witness.example/w1", "the witness's name, witness.example/w1"))
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:7411", a.t("监听地址", "address to listen on"))
	c.Flags().StringArrayVar(&keys, "log", nil, a.t("信任的日志密钥（vkey），可重复", "key of a log to trust (vkey); may stand again"))
	c.Flags().StringArrayVar(&genesis, "genesis", nil, a.t("信任这份创世的验证节点，可重复", "trust the validators of this genesis file; may stand again"))
	_ = c.MarkFlagRequired("name")
	return c
}

// logKeysOf are the keys of a genesis' validators, as a witness takes them.
func logKeysOf(path string) ([]string, error) {
	raw, err := readBounded(path, prooffile.MaxFile+1)
	if err != nil {
		return nil, err
	}
	g, err := client.ParseGenesis(raw)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, v := range g.GetValidators() {
		key, err := witness.LogKey(prooffile.Origin(g.GetChainId(), g.Hash), v.GetPublicKey())
		if err != nil {
			return nil, err
		}
		out = append(out, key)
	}
	return out, nil
}

func (a *app) serveWitness(ctx context.Context, w *witness.Witness, listen string) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return fault.Wrap(fault.Usage, err, "the address %s cannot be taken (--listen)", listen)
	}
	v := map[string]any{"ok": true, "url": "http://" + l.Addr().String(), "key": w.Key()}
	if err := a.print(v, func(out io.Writer) {
		fmt.Fprintf(out, a.t("✓ 见证方在 http://%s\n密钥 %s\n", "✓ the witness answers at http://%s\nkey %s\n"), l.Addr(), w.Key())
	}); err != nil {
		l.Close()
		return err
	}
	s := &http.Server{
		Handler: w.Handler(slog.New(slog.NewTextHandler(a.err, nil))), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10,
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	select {
	case err := <-done:
		return fault.Wrap(fault.Internal, err, "serve")
	case <-ctx.Done():
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err := s.Shutdown(stop)
		<-done
		return fault.Wrap(fault.Timeout, err, "the witness did not end")
	}
}

// signLog signs the log of events as it is now with this home's validator.
func (a *app) signLog(ctx context.Context, m *prooffile.Maker) (c witness.Checkpoint, signed []byte, err error) {
	size, root, err := m.Log(ctx)
	if err != nil {
		return c, nil, err
	}
	c = witness.Checkpoint{Origin: m.Origin(), Size: size, Root: root}
	home := a.path("node")
	_, validator, err := node.Attest(home, []byte(c.String()))
	if err != nil {
		return c, nil, err
	}
	signed, err = witness.Attest(c, validator[:], func(text []byte) ([]byte, error) {
		sig, _, err := node.Attest(home, text)
		return sig, err
	})
	return c, signed, err
}

func (a *app) witnessSign() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:     "sign",
		Aliases: []string{"签署"},
		Short:   a.t("以本机验证节点的密钥签署事件日志的检查点", "sign a checkpoint of the log of events with this home's validator"),
		Long: a.t(`签署之前先从创世验证：日志的大小和根就在超过 2/3 表决权签署的区块头里。写出的文本可以公布在任何地方。`,
			`Before it signs it proves from the genesis that size and root of the log stand in a header that more than 2/3 of the voting
power signed. The text can be published anywhere.`),
		Example: "  mulian witness sign -o log.checkpoint",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := a.ownMaker(cmd.Context())
			if err != nil {
				return err
			}
			point, signed, err := a.signLog(cmd.Context(), m)
			if err != nil {
				return err
			}
			return a.tellSigned(point, signed, out)
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", a.t("写到哪个文件；默认只显示", "file to write; default: it is only shown"))
	return c
}

// tellSigned writes and shows a signed checkpoint.
func (a *app) tellSigned(c witness.Checkpoint, signed []byte, out string) error {
	if out != "" {
		if err := durable.ReplaceFile(out, signed, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", out, err)
		}
	}
	v := map[string]any{"ok": true, "origin": c.Origin, "size": c.Size, "root": fmt.Sprintf("%x", c.Root), "file": out, "checkpoint": string(signed)}
	return a.print(v, func(w io.Writer) { w.Write(signed) })
}

func (a *app) witnessPush() *cobra.Command {
	var key, out string
	var every time.Duration
	c := &cobra.Command{
		Use:     "push URL",
		Aliases: []string{"提交"},
		Short:   a.t("签署检查点并提交给见证方，取回联署", "sign a checkpoint, bring it to a witness and get its cosignature"),
		Long: a.t(`签署现在的检查点，连同从见证方上次所见到现在的一致性证明（RFC 6962）一起提交，核对见证方的联署。见证方见过的历史与这里
不一致时以状态 1 结束：有人看到了另一份日志，用 mulian witness compare 取得证据。--every 反复提交，直到停止。`,
			`Signs a checkpoint as it is now and brings it to the witness with the proof (RFC 6962) that leads from what that has seen last
to now, and checks its cosignature. If the witness has seen another history it ends with an error: somebody was shown another
log; mulian witness compare makes the evidence. --every does it again and again until it is stopped.`),
		Example: "  mulian witness push https://witness.example --key witness.example/w1+12345678+BAAA --every 10s -o log.checkpoint",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if every != 0 && every < time.Second {
				return fault.Newf(fault.Usage, "--every %s: at least 1s", every)
			}
			by, err := witness.Cosigner(key)
			if err != nil {
				return err
			}
			m, err := a.ownMaker(cmd.Context())
			if err != nil {
				return err
			}
			for {
				err := a.pushOnce(cmd.Context(), m, args[0], by, out)
				if every == 0 || fault.Is(err, fault.VerificationFailed) || cmd.Context().Err() != nil {
					return err
				}
				if err != nil {
					a.say("! %v", err)
				}
				select {
				case <-cmd.Context().Done():
					return nil
				case <-time.After(every):
				}
			}
		},
	}
	c.Flags().StringVar(&key, "key", "", a.t("见证方的密钥（vkey）", "the witness's key (vkey)"))
	c.Flags().StringVarP(&out, "output", "o", "", a.t("把联署后的检查点写到哪个文件", "file for the cosigned checkpoint"))
	c.Flags().DurationVar(&every, "every", 0, a.t("每隔多久再提交一次", "push again after that time"))
	_ = c.MarkFlagRequired("key")
	return c
}

// ownMaker makes proofs from what the server of this command says.
func (a *app) ownMaker(ctx context.Context) (*prooffile.Maker, error) {
	cl, err := a.client()
	if err != nil {
		return nil, err
	}
	return a.maker(ctx, cl)
}

func (a *app) pushOnce(ctx context.Context, m *prooffile.Maker, url string, by note.Verifier, out string) error {
	point, signed, err := a.signLog(ctx, m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cosigned, err := witness.Push(ctx, client.HTTPClient(), url, by, signed, func(ctx context.Context, old uint64) ([][]byte, error) {
		_, path, err := m.Consistency(ctx, old, point.Size, point.Root)
		return path, err
	})
	if err != nil {
		return err
	}
	return a.tellSigned(point, cosigned, out)
}

func (a *app) witnessCompare() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:     "compare CHECKPOINT CHECKPOINT",
		Aliases: []string{"比较"},
		Short:   a.t("比较两份检查点：出自同一日志，还是分叉的证据", "compare two checkpoints: of one log, or evidence of a split view"),
		Long: a.t(`比较两份检查点（文件或网址：成员公布的、见证方联署的、见证方拒绝的）。大小相同而根不同，或较新的一份不包含较早的一份，
就写出证据文件，mulian verify 凭创世哈希即可确认，并以状态 7 结束。大小不同时向服务器索取一致性证明并核对。`,
			`Compares two checkpoints (files or addresses: as a member publishes them, as a witness has cosigned or refused them). If they
have one size and two roots, or the newer one does not contain the older one, it writes a file of evidence, which mulian
verify confirms with the genesis hash alone, and ends with status 7. For two sizes it asks the server for the proof between
them, and checks it.`),
		Example: "  mulian witness compare log.checkpoint https://witness.example/checkpoint/0123 -o split.mulian-proof.json",
		Args:    exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var notes [2][]byte
			for i, from := range args {
				var err error
				if notes[i], err = checkpointFrom(cmd.Context(), from); err != nil {
					return err
				}
			}
			m, err := a.ownMaker(cmd.Context())
			if err != nil {
				return err
			}
			return a.compareNotes(cmd.Context(), m, notes, out)
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "split"+fileEnd, a.t("证据写到哪个文件", "file for the evidence"))
	return c
}

// checkpointFrom reads a signed checkpoint from a file or an address.
func checkpointFrom(ctx context.Context, from string) ([]byte, error) {
	if !strings.HasPrefix(from, "http://") && !strings.HasPrefix(from, "https://") {
		return readBounded(from, 8<<10)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return witness.Get(ctx, client.HTTPClient(), from)
}

// compareNotes tells whether two checkpoints are of one log, and writes the evidence if not.
func (a *app) compareNotes(ctx context.Context, m *prooffile.Maker, notes [2][]byte, out string) error {
	x := prooffile.Split{Notes: notes}
	one, err := m.Compare(ctx, &x)
	if err != nil {
		return err
	}
	if one {
		return a.print(map[string]any{"ok": true, "split": false}, func(w io.Writer) {
			fmt.Fprintln(w, a.t("✓ 两份检查点出自同一日志", "✓ both checkpoints are of one log"))
		})
	}
	evidence, err := m.Split(ctx, x)
	if err != nil {
		return err
	}
	if err := durable.ReplaceFile(out, evidence, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", out, err)
	}
	hash := fmt.Sprintf("%x", m.GenesisHash())
	if err := a.print(map[string]any{"ok": false, "split": true, "file": out, "bytes": len(evidence), "genesis": hash}, func(w io.Writer) {
		fmt.Fprintf(w, a.t("✗ 分叉：两份检查点不可能出自同一日志\n证据 %s，验证：mulian verify %s --genesis-hash %s\n", "✗ split view: the checkpoints cannot both be of one log\nevidence %s; check it: mulian verify %s --genesis-hash %s\n"), out, shellWord(out), hash)
	}); err != nil {
		return err
	}
	return quietExit(notHeld)
}
