package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/prooffile"
	"mulian/client/sentence"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

func (a *app) traceCommand() *cobra.Command {
	var direct bool
	var limit uint32
	c := &cobra.Command{
		Use:     "trace ID",
		Aliases: []string{"追溯"},
		Short:   a.t("追溯：职责 → 目录 → 锁定 → 申请 → 协议 → 交付 → 使用", "trace: duty → entry → lock → request → agreement → delivery → use"),
		Long:    a.t("追溯一个对象：目录、申请、协议、职责、库表、漂移或交易的编号。", "Follow one object through everything that happened to it, and to what it hangs on: the id of an entry, request, agreement, duty, table, drift or transaction."),
		Example: "  mulian trace 0123456789abcdef\n  mulian trace 11110000000021928B:permits --direct\n  mulian trace export 0123456789abcdef",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			req := connect.NewRequest(&tracev1.TraceRequest{Object: args[0], Direct: direct, Limit: limit})
			if a.language() == sentence.Chinese {
				req.Header().Set("Accept-Language", "zh-CN")
			}
			res, err := cl.Trace.Trace(cmd.Context(), req)
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(res.Msg, func(w io.Writer) {
				rows := [][]string{{a.t("序号", "SEQ"), a.t("时间", "TIME"), a.t("高度", "HEIGHT"), a.t("事件", "EVENT")}}
				for _, s := range res.Msg.GetSteps() {
					rows = append(rows, []string{fmt.Sprint(s.GetSeq()), day(s.GetEvent().GetTimeMs()), fmt.Sprint(s.GetEvent().GetHeight()), s.GetTitle()})
				}
				table(w, rows)
				for _, q := range res.Msg.GetSequences() {
					fmt.Fprintf(w, a.t("访问记录：协议 %s 在网关 %s 编号 1–%d，放行 %d，拒绝 %d，无缺号\n", "access records: agreement %s at gateway %s, numbers 1–%d, %d granted, %d refused, none missing\n"),
						q.GetAgreement(), q.GetGateway(), q.GetLast(), q.GetGranted(), q.GetRefused())
				}
			})
		},
	}
	c.AddCommand(a.secrecyCommand(), a.traceExport())
	c.Flags().BoolVar(&direct, "direct", false, a.t("只看对象本身的事件", "only events of the object itself"))
	c.Flags().Uint32Var(&limit, "limit", 200, a.t("最多多少条", "most events"))
	return c
}

// fileEnd is how proof files are named.
const fileEnd = ".mulian-proof.json"

func (a *app) traceExport() *cobra.Command {
	var out, format, checkpoint string
	var from uint64
	var state bool
	c := &cobra.Command{
		Use:     "export ID",
		Aliases: []string{"导出"},
		Short:   a.t("导出证明文件：陌生人离线可验", "write a proof file that a stranger can check offline"),
		Long: a.t(`为一个对象、事件、交易或访问写一份证明文件，mulian verify 可以离线检查它。ID 可以是目录、申请、协议、交付、职责、
漂移、存证、账户等的编号或状态键，交易编号（64 位十六进制），event:序号，网关:记录号，协议#访问编号，或收据文件
（mulian share query --json 的输出）。写之前先自己验证：服务器说谎时不会写出文件。
--state：ID 就是状态键，如 share/agreement/0123456789abcdef；没有这个键时写出它不存在的证明。
--checkpoint：文件从检查点开始（mulian checkpoint），给信任它的人，验证节点换过多少次都不变长。
--format opmon：ID 是网关，把它公开的访问日志写成 X-Road 运行监测数据，每行一条 JSON，字段对应见 client/opmon。`,
			`Writes a proof file of an object, event, transaction or access, which mulian verify checks offline. ID is the id or state
key of an entry, request, agreement, delivery, duty, drift, piece of evidence, account and so on; the id of a transaction
(64 hex digits); event:NUMBER; GATEWAY:LEAF; AGREEMENT#NUMBER of an access; or a file with a receipt
(mulian share query --json). The file is verified
before it is written: a server that lies gets none.
--state: ID is exactly a state key, share/agreement/0123456789abcdef; if nothing has it, the file proves that.
--checkpoint: the file begins at a checkpoint (mulian checkpoint), for who trusts it: however often the validators changed
before, it does not get longer.
--format opmon: ID is a gateway; its published access log is written as X-Road's operational monitoring data, one record in
JSON on each line. The package client/opmon says how the fields map.`),
		Example: "  mulian trace export 0123456789abcdef\n  mulian trace export 0123456789abcdef#1 -o access.mulian-proof.json\n  mulian trace export share/agreement/0123456789abcdef --state --checkpoint checkpoint.txt\n  mulian trace export 11110000000021928B/g/main --format opmon -o opmon.jsonl",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch format {
			case "proof":
			case "opmon":
				return a.exportOpmon(cmd.Context(), args[0], out, from)
			default:
				return fault.Newf(fault.Usage, "--format %q: proof, opmon", format)
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			m, err := a.makerFrom(cmd.Context(), cl, checkpoint)
			if err != nil {
				return err
			}
			find := func(ctx context.Context, id string) ([]byte, error) { return a.proofOf(ctx, m, id) }
			if state {
				find = m.State
			}
			file, err := find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if out == "" {
				out = strings.Trim(plainName.ReplaceAllString(args[0], "-"), "-") + fileEnd
			}
			if err := durable.ReplaceFile(out, file, 0o644); err != nil {
				return fmt.Errorf("write %s: %w", out, err)
			}
			r := m.Verify(file)
			v := map[string]any{"ok": true, "file": out, "bytes": len(file), "kind": r.Kind, "object": r.Object, "height": r.Height, "genesis": r.Genesis}
			return a.print(v, func(w io.Writer) {
				trust := "--genesis-hash " + r.Genesis
				if checkpoint != "" {
					trust = "--checkpoint " + shellWord(checkpoint)
				}
				if r.Kind == "absence" {
					fmt.Fprintf(w, a.t("! %s 不存在，文件证明这一点\n", "! there is no %s, and the file proves it\n"), visible(r.Object))
				}
				fmt.Fprintf(w, a.t("✓ %s  %d 字节，高度 %d\n验证：mulian verify %s %s\n", "✓ %s  %d bytes, height %d\ncheck it: mulian verify %s %s\n"), out, len(file), r.Height, shellWord(out), trust)
			})
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", a.t("写到哪个文件，默认由编号得出；opmon 默认标准输出", "file to write; default from the id, of opmon stdout"))
	c.Flags().StringVar(&format, "format", "proof", a.t("证明文件 proof，或运行监测 opmon", "proof, a proof file; or opmon, operational monitoring data"))
	c.Flags().BoolVar(&state, "state", false, a.t("ID 是状态键；不存在也能证明", "ID is a state key; that there is none can be proved, too"))
	c.Flags().StringVar(&checkpoint, "checkpoint", "", a.t("文件从这个检查点开始", "file with the checkpoint at which the proof begins"))
	c.Flags().Uint64Var(&from, "from", 0, a.t("opmon：从第几条记录开始（0 起）", "of opmon: record from which to go on, from 0"))
	return c
}

// plainName finds what a file's name should not have.
var plainName = regexp.MustCompile(`[^0-9A-Za-z]+`)

// maker makes proof files of the chain of this home's genesis; a home without one
// takes the server's word for which chain it is.
func (a *app) maker(ctx context.Context, cl *client.Client) (*prooffile.Maker, error) {
	if genesis := a.path(genesisFile); there(genesis) {
		raw, err := readBounded(genesis, prooffile.MaxFile+1)
		if err != nil {
			return nil, err
		}
		return prooffile.NewMaker(cl, raw)
	}
	res, err := cl.Ledger.GetGenesis(ctx, connect.NewRequest(&ledgerv1.GetGenesisRequest{}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	m, err := prooffile.NewMaker(cl, res.Msg.GetSignedGenesis())
	if err == nil {
		a.say(a.t("! 本机没有创世文件：采用服务器的创世 %x，请另行核对", "! no genesis in this home: the server's is taken, %x; compare it on another way"), m.GenesisHash())
	}
	return m, err
}

// makerFrom is the maker of files that begin at the checkpoint in a file; none: at the
// genesis.
func (a *app) makerFrom(ctx context.Context, cl *client.Client, checkpoint string) (*prooffile.Maker, error) {
	m, err := a.maker(ctx, cl)
	if err != nil || checkpoint == "" {
		return m, err
	}
	from, err := readCheckpoint(checkpoint)
	if err != nil {
		return nil, err
	}
	return m.From(from)
}

// proofOf makes the file of an id, or of the receipt in a file.
func (a *app) proofOf(ctx context.Context, m *prooffile.Maker, id string) ([]byte, error) {
	if !there(id) {
		return m.Find(ctx, id)
	}
	raw, err := readBounded(id, maxReceipt+1)
	if err != nil {
		return nil, err
	}
	r := &tracev1.Receipt{}
	asked := &gatewayv1.AskResponse{}
	lenient := protojson.UnmarshalOptions{DiscardUnknown: true}
	switch {
	case len(raw) > maxReceipt:
		return nil, fault.Newf(fault.TooLong, "%s: a receipt has at most %d bytes", id, maxReceipt)
	case lenient.Unmarshal(raw, asked) == nil && asked.GetReceipt() != nil:
		r = asked.GetReceipt()
	case lenient.Unmarshal(raw, r) == nil && len(r.GetRecord()) > 0:
	case proto.Unmarshal(raw, r) == nil && len(r.GetRecord()) > 0:
	default:
		return nil, fault.Newf(fault.Malformed, "%s: this is no receipt", id)
	}
	return m.Receipt(ctx, r, nil)
}

// maxReceipt bounds a file with an answer and its receipt.
const maxReceipt = 1 << 20
