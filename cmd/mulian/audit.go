package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"mulian/client/audit"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// auditFlags are those of each role.
type auditFlags struct {
	evidence, genesis string
	apart             string // folder of its own for what is remembered: what one grant's party reads is not all
	others            []string
	bound             time.Duration
	forget            bool
}

func (f *auditFlags) add(a *app, c *cobra.Command) *cobra.Command {
	p := c.Flags()
	p.StringVar(&f.evidence, "evidence", "", a.t("证据文件写到哪个文件夹", "folder for files of evidence"))
	p.StringVar(&f.genesis, "genesis", "", a.t("信任的创世文件，默认 --home 里的", "genesis file to trust; default that of --home"))
	p.StringArrayVar(&f.others, "checkpoint", nil, a.t("别的读者拿到的检查点文件，可重复：比对分叉", "file with a checkpoint that another reader was given, may be repeated: to find forks"))
	p.DurationVar(&f.bound, "anchored-within", audit.DefaultBound, a.t("记录最迟多久要锚定", "how soon a record has to be on the ledger"))
	p.BoolVar(&f.forget, "no-memory", false, a.t("不用也不改上次记住的检查点", "neither use nor change what was remembered of the last run"))
	return c
}

func (a *app) auditCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "audit",
		Aliases: []string{"审计"},
		Short:   a.t("审计：网关的访问日志有没有隐瞒、改写、越权", "audit: did a gateway hide, rewrite or overstep anything in its access log"),
		Long: a.t(`把网关公开的日志与账本上的日志头、上次见到的检查点、别的读者拿到的检查点、消费方手里的收据逐一核对。每个发现可以写成一份
证据文件（--evidence），任何人用 mulian verify 离线检查。没有发现退出状态 0，有发现 1。上次看到哪里记在 --home 的 audit 里，下次接着看；
日志被倒回或改写，下次就会发现。`,
			`Holds the log that a gateway publishes against its heads on the ledger, the checkpoint seen last time, those that other readers
were given, and the receipts that askers have in hand. Each finding can be written as a file of evidence (--evidence), which anyone
checks offline with mulian verify. Exit status 0 without a finding, 1 with one. How far a log was read is remembered in audit of
--home: the next run goes on there, and sees a log that was rewound or rewritten.`),
		Example: "  mulian audit consumer\n  mulian audit owner 11110000000021928B --evidence evidence",
	}
	c.AddCommand(a.auditConsumer(), a.auditOwner(), a.auditGrant(), a.auditSupervisor())
	return c
}

func (a *app) auditGrant() *cobra.Command {
	f := &auditFlags{}
	return f.add(a, &cobra.Command{
		Use:     "grant GRANT",
		Aliases: []string{"授权"},
		Short:   a.t("数据主体：按我的授权提供的每一次，账本都先登记了使用吗", "as an owner: has the ledger counted each use before anything left under my grant"),
		Long: a.t("逐条核对授权所指数源网关的访问日志：编号连续，每次提供都有账本登记的使用，且是同一次请求。没有登记就提供的写成证据文件。账户用 --as 指明。",
			"Holds the access logs of the grant's gateways against the ledger: numbers without gaps, and for each release a use that the ledger\nhas counted for that request. A release without one becomes a file of evidence. Name the account with --as."),
		Example: "  mulian audit grant 0123456789abcdef0123456789abcdef --evidence evidence --as p-0123456789abcdef0123456789abcdef",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := hex.DecodeString(args[0]); err != nil || len(args[0]) != 32 {
				return fault.Newf(fault.Usage, "%.60q: %s", args[0], a.t("授权编号是 32 位十六进制数", "the id of a grant has 32 hexadecimal digits"))
			}
			f.apart = args[0]
			return a.audit(cmd.Context(), f, func(ctx context.Context, x *audit.Auditor) (*audit.Report, error) { return x.Grant(ctx, args[0]) })
		},
	})
}

func (a *app) auditConsumer() *cobra.Command {
	f := &auditFlags{}
	var file string
	c := &cobra.Command{
		Use:     "consumer [GATEWAY]",
		Aliases: []string{"使用方"},
		Short:   a.t("使用方：我的收据与对方的日志、账本的日志头对得上吗", "as a consumer: do my receipts fit the providers' logs and the ledger's heads"),
		Long: a.t("核对本机网关收到的每一张收据（网关要在运行），或 --receipts 文件里的收据（mulian gateway receipts 的输出）。",
			"Checks each receipt of what the gateway of this machine has received (it has to run), or those in the file of --receipts (as mulian gateway receipts writes them)."),
		Example: "  mulian audit consumer\n  mulian audit consumer --receipts receipts.jsonl --evidence evidence",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.audit(cmd.Context(), f, func(ctx context.Context, x *audit.Auditor) (*audit.Report, error) {
				return x.Consumer(ctx, func(fn func(*tracev1.Receipt) error) error {
					if file != "" {
						return readReceipts(file, fn)
					}
					return a.receiptsOf(ctx, args, gatewayv1.ReceiptKind_RECEIPT_KIND_RECEIVED, 0, fn)
				})
			})
		},
	}
	c.Flags().StringVar(&file, "receipts", "", a.t("收据文件，每行一张 JSON", "file of receipts, one in JSON on each line"))
	return f.add(a, c)
}

func (a *app) auditOwner() *cobra.Command {
	f := &auditFlags{}
	return f.add(a, &cobra.Command{
		Use:     "owner ORG",
		Aliases: []string{"提供方"},
		Short:   a.t("提供方：从我的目录里读走的一切，逐协议从 1 到 n 齐全吗", "as a department: all that was read from my entries, complete from 1 to n for each agreement"),
		Example: "  mulian audit owner 11110000000021928B",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.audit(cmd.Context(), f, func(ctx context.Context, x *audit.Auditor) (*audit.Report, error) { return x.Owner(ctx, args[0]) })
		},
	})
}

func (a *app) auditSupervisor() *cobra.Command {
	f := &auditFlags{}
	return f.add(a, &cobra.Command{
		Use:     "supervisor",
		Aliases: []string{"监管"},
		Short:   a.t("监管：联盟里所有网关", "as the supervisor: all gateways of the consortium"),
		Example: "  mulian audit supervisor --evidence evidence --json",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.audit(cmd.Context(), f, func(ctx context.Context, x *audit.Auditor) (*audit.Report, error) { return x.Supervisor(ctx) })
		},
	})
}

// auditFolder is where an audit remembers what it saw.
const auditFolder = "audit"

// audit runs one audit and prints what it came to: exit status 1 if something was found.
func (a *app) audit(ctx context.Context, f *auditFlags, run func(context.Context, *audit.Auditor) (*audit.Report, error)) error {
	cl, err := a.client()
	if err != nil {
		return err
	}
	cfg := audit.Config{Chain: cl, Evidence: f.evidence, Bound: f.bound}
	if !f.forget {
		cfg.Store = a.path(auditFolder, f.apart)
	}
	path := f.genesis
	if path == "" {
		path = a.path(genesisFile)
	}
	if there(path) || f.genesis != "" {
		cfg.Genesis, err = readBounded(path, 1<<20+1)
	} else {
		var res *connect.Response[ledgerv1.GetGenesisResponse]
		if res, err = cl.Ledger.GetGenesis(ctx, connect.NewRequest(&ledgerv1.GetGenesisRequest{})); err == nil {
			cfg.Genesis = res.Msg.GetSignedGenesis()
			a.say(a.t("! 本机没有创世文件：采用服务器的，请另行核对下面的哈希", "! no genesis in this home: the server's is taken; compare the hash below on another way"))
		}
		err = wire.Fault(err)
	}
	if err != nil {
		return err
	}
	for _, name := range f.others {
		note, err := readBounded(name, 1<<16)
		if err != nil {
			return err
		}
		cfg.Others = append(cfg.Others, note)
	}
	bars := map[string]*progress{}
	cfg.Progress = func(gateway string, done, total uint64) {
		if bars[gateway] == nil {
			bars[gateway] = a.progress(gateway, int(total))
		}
		bars[gateway].at(int(done))
	}
	x, err := audit.New(cfg)
	if err != nil {
		return err
	}
	r, err := run(ctx, x)
	for _, b := range bars {
		b.end()
	}
	if err != nil {
		return err
	}
	if err := a.print(r, func(w io.Writer) { a.tellAudit(w, r) }); err != nil {
		return err
	}
	if !r.OK {
		return quietExit(1)
	}
	return nil
}

func (a *app) tellAudit(w io.Writer, r *audit.Report) {
	for _, l := range r.Logs {
		fmt.Fprintf(w, a.t("日志 %s：%d 条，已锚定 %d，本次读 %d–%d\n", "log of %s: %d records, %d anchored, read %d–%d\n"), l.Gateway, l.Checkpoint, l.Anchored, l.From+min(1, l.To-l.From), l.To)
	}
	for _, s := range r.Sequences {
		mark := a.t("齐全", "complete")
		if !s.Complete {
			mark = a.t("不齐", "NOT complete")
		}
		what := a.t("协议", "agreement")
		if len(s.Agreement) == 32 {
			what = a.t("授权", "grant")
		}
		fmt.Fprintf(w, a.t("%s %s 在 %s：编号 %d–%d %s，放行 %d，拒绝 %d\n", "%s %s at %s: numbers %d–%d %s, %d granted, %d refused\n"), what, s.Agreement, s.Gateway, s.First, s.Last, mark, s.Granted, s.Refused)
	}
	for _, s := range r.Secrecy {
		fmt.Fprintf(w, a.t("协议 %s 在 %s：第 %d 号保密决定，密封 %d 条，已公开 %d 条，%s 前全部公开\n", "agreement %s at %s: order %d of secrecy, %d records sealed, %d open, all on %s\n"), s.Agreement, s.Gateway, s.Order, s.Sealed, s.Opened, day(s.OpensMs))
	}
	if x := r.Receipts; x != nil {
		fmt.Fprintf(w, a.t("收据 %d 张：与日志一致 %d，未到锚定期 %d，旧式 %d\n", "%d receipts: %d as in the log, %d not due yet, %d of the old form\n"), x.Checked, x.Matching, x.Waiting, x.Old)
	}
	for _, f := range r.Findings {
		fmt.Fprintf(w, "✗ %s  %s", a.rule(f.Rule), visible(f.Gateway))
		if f.Agreement != "" {
			fmt.Fprintf(w, "  %s#%d", visible(f.Agreement), f.Number)
		}
		if f.Place > 0 {
			fmt.Fprintf(w, a.t("  第 %d 条", "  place %d"), f.Place)
		}
		fmt.Fprintf(w, "\n  %s\n", visible(f.Says))
		if f.File != "" {
			fmt.Fprintf(w, a.t("  证据：mulian verify %s --genesis-hash %s\n", "  evidence: mulian verify %s --genesis-hash %s\n"), shellWord(f.File), r.Genesis)
		} else {
			fmt.Fprintf(w, a.t("  没有证据文件：%s\n", "  no file of evidence: %s\n"), visible(f.Unproved))
		}
	}
	if r.More > 0 {
		fmt.Fprintf(w, a.t("还有 %d 个发现没有列出\n", "%d more findings are not listed\n"), r.More)
	}
	if r.Unread > 0 {
		fmt.Fprintf(w, a.t("%d 次按授权的提供没有核对：你不是这些授权的当事方\n", "%d releases under grants were not looked at: you are no party of these\n"), r.Unread)
	}
	if r.OK {
		fmt.Fprintln(w, a.t("✓ 没有发现", "✓ nothing was found"))
	}
}

// rule names a finding in the person's language.
func (a *app) rule(name string) string {
	zh := map[string]string{
		"contradicted": "与收据矛盾", "misplaced": "错位", "twice": "编号重复", "gap": "缺号", "unanchored": "未锚定", "outside": "超出协议", "revoked": "撤销后放行", "counts": "数量不符",
		"forked": "日志分叉", "rewritten": "日志被改写", "rewound": "日志被倒回", "withheld": "日志被扣留", "unreachable": "连不上", "uncounted": "计数不符", "without-use": "未登记使用即提供", "unsigned": "收据无效",
		"unplaced": "无位置", "unreadable": "读不懂", "secrecy": "不合保密决定", "unopened": "到期未公开", "misopened": "公开内容不符",
	}
	if zh[name] == "" {
		return name
	}
	return a.t(zh[name], name)
}

// maxReceiptLine bounds one receipt in JSON: 60 KiB of record in base64, and signatures.
const maxReceiptLine = 256 << 10

// readReceipts reads receipts, one in JSON on each line.
func readReceipts(path string, fn func(*tracev1.Receipt) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fault.Wrap(fault.NotFound, err, "receipts")
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxReceiptLine)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		r := &tracev1.Receipt{}
		if err := protojson.Unmarshal(lines.Bytes(), r); err != nil {
			return fault.Wrap(fault.Malformed, err, "%s, line %d", path, n)
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	return fault.Wrap(fault.Malformed, lines.Err(), "%s", path)
}

// receiptsOf reads the receipts of a running gateway of this machine.
func (a *app) receiptsOf(ctx context.Context, args []string, kind gatewayv1.ReceiptKind, within time.Duration, fn func(*tracev1.Receipt) error) error {
	_, ctl, err := a.control(args)
	if err != nil {
		return err
	}
	stream, err := ctl.Receipts(ctx, connect.NewRequest(&gatewayv1.ReceiptsRequest{Kind: kind, WithinSeconds: uint32(within / time.Second)}))
	if err != nil {
		return wire.Fault(err)
	}
	for stream.Receive() {
		for _, r := range stream.Msg().GetReceipts() {
			if err := fn(r); err != nil {
				return errors.Join(err, stream.Close())
			}
		}
	}
	if err := stream.Err(); err != nil {
		return wire.Fault(err)
	}
	return stream.Close()
}

func (a *app) gatewayReceipts() *cobra.Command {
	var kind string
	var within time.Duration
	c := &cobra.Command{
		Use:     "receipts [ACCOUNT]",
		Aliases: []string{"收据"},
		Short:   a.t("导出本机网关的收据：收到的、给出的、对方没有会签的", "write out the receipts of a gateway of this machine: received, given, not counter-signed"),
		Long: a.t("每行一张 JSON。received：本网关收到数据的收据，双方签名；given：本网关放行、对方已会签的；missing：放行之后 --within 内对方没有会签的，只有本网关的签名。",
			"One in JSON on each line. received: of what this gateway received, signed by both; given: of what it released, counter-signed by the asker; missing: of releases that the asker has not counter-signed within --within, signed by this gateway alone."),
		Example: "  mulian gateway receipts --kind received > receipts.jsonl\n  mulian gateway receipts 11110000000021928B/g/main --kind missing",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			value, ok := gatewayv1.ReceiptKind_value["RECEIPT_KIND_"+strings.ToUpper(kind)]
			if !ok || value == 0 {
				return fault.Newf(fault.Usage, "--kind %q: received, given, missing", kind)
			}
			n := 0
			err := a.receiptsOf(cmd.Context(), args, gatewayv1.ReceiptKind(value), within, func(r *tracev1.Receipt) error {
				n++
				return a.printProto(r)
			})
			if err == nil {
				a.say(a.t("%d 张收据", "%d receipts"), n)
			}
			return err
		},
	}
	c.Flags().StringVar(&kind, "kind", "received", a.t("哪一种：received given missing", "which: received, given, missing"))
	c.Flags().DurationVar(&within, "within", time.Minute, a.t("missing：多久没有会签算缺", "of missing: after how long without a counter-signature"))
	return c
}
