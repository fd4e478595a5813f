package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/logbook"
)

func (a *app) logbookCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "logbook", Aliases: []string{"操作簿"},
		Short: a.t("操作簿：谁在本机对节点和网关做过什么", "the logbook: what operators did to this node and its gateways"),
		Long: a.t(`启动、停止、重载、配置变更、备份、恢复、换密钥、裁剪、控制接口的命令，各占一行，带操作系统用户，写入 HOME/logbook（网关写在自己的目录里）。
每行含上一行的摘要：改动、删除、插入都能查出是哪一行。整本重写只有对照别处记下的摘要（--noted）才能查出，所以每行的摘要同时写入程序日志。
密钥、口令从不写入；配置的改动写明前后的值，可能含秘密的只写名称。`,
			`Start, stop, reload, changes of the configuration, backup, restore, replaced keys, pruning and commands over the control socket: a line
each, with the user of the operating system, in HOME/logbook (a gateway's in its own folder). Each line holds the hash of the one before:
what was changed, removed or added is found, and where. That the whole book was written anew shows only against a hash noted elsewhere
(--noted); so the hash of each line goes to the program's log, too. Never a key or a password; of settings the value before and after, and
of those that may hold a secret only the name.`),
		Example: "  mulian logbook show\n  mulian logbook verify",
	}
	c.AddCommand(a.logbookShow(), a.logbookVerify())
	return c
}

// logbooks are the books meant: of the gateway named, else of this home.
func (a *app) book(args []string) (*logbook.Book, error) {
	if len(args) == 0 {
		return logbook.In(a.home, nil), nil
	}
	account, err := a.oneGateway(args)
	if err != nil {
		return nil, err
	}
	return logbook.In(a.gatewayHome(account), nil), nil
}

func (a *app) logbookShow() *cobra.Command {
	var last int
	c := &cobra.Command{
		Use: "show [GATEWAY]", Args: atMost(1), Short: a.t("列出最近的操作", "the latest acts"),
		Example: "  mulian logbook show --last 20\n  mulian logbook show 11110000000021928B/g/main",
		RunE: func(cmd *cobra.Command, args []string) error {
			if last < 1 || last > 100_000 {
				return fault.Newf(fault.Usage, "--last %d: 1 .. 100000", last)
			}
			b, err := a.book(args)
			if err != nil {
				return err
			}
			var acts []logbook.Act
			report, err := b.Verify(cmd.Context(), "", func(act logbook.Act) {
				if acts = append(acts, act); len(acts) > 2*last {
					acts = slices.Delete(acts, 0, last)
				}
			})
			if err != nil {
				return err
			}
			acts = acts[max(0, len(acts)-last):]
			if !report.OK() {
				a.say("%s", a.t("! 操作簿不完整：mulian logbook verify", "! the logbook is not whole: mulian logbook verify"))
			}
			return a.print(map[string]any{"acts": acts, "whole": report.OK()}, func(w io.Writer) { a.showActs(w, acts) })
		},
	}
	c.Flags().IntVar(&last, "last", 50, a.t("最近多少条", "how many"))
	return c
}

func (a *app) showActs(w io.Writer, acts []logbook.Act) {
	rows := [][]string{{"", a.t("时间", "TIME"), a.t("用户", "USER"), a.t("操作", "ACT"), a.t("内容", "FACTS")}}
	for _, act := range acts {
		who := act.Who.User
		if who == "" {
			who = itoa(act.Who.UID)
		}
		if act.Who.Sudo != "" {
			who += "(" + act.Who.Sudo + ")"
		}
		var facts []string
		for _, k := range slices.Sorted(maps.Keys(act.Facts)) {
			facts = append(facts, k+"="+act.Facts[k])
		}
		if act.Who.Key != "" {
			facts = append(facts, "key="+act.Who.Key)
		}
		rows = append(rows, []string{fmt.Sprint(act.Number), act.At, who, act.Verb, strings.Join(facts, "  ")})
	}
	table(w, rows)
}

func (a *app) logbookVerify() *cobra.Command {
	var noted string
	c := &cobra.Command{
		Use: "verify [GATEWAY]", Args: atMost(1), Short: a.t("核验操作簿有没有被改动（退出码 7 表示有）", "whether the logbook was tampered with (exit 7: it was)"),
		Example: "  mulian logbook verify\n  mulian logbook verify --noted 6f1c…   # a hash from the program's log",
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := a.book(args)
			if err != nil {
				return err
			}
			report, err := b.Verify(cmd.Context(), noted, nil)
			if err != nil {
				return err
			}
			err = a.print(map[string]any{"ok": report.OK(), "report": report}, func(w io.Writer) {
				if report.OK() {
					fmt.Fprintf(w, a.t("✓ 操作簿完好：%d 条（%d 至 %d）\n  末行摘要 %s\n", "✓ the logbook is whole: %d acts (%d to %d)\n  hash of the last: %s\n"), report.Acts, report.First, report.Last, report.Hash)
					return
				}
				for _, f := range report.Findings {
					fmt.Fprintf(w, "✗ %s:%d %s\n", f.File, f.Line, f.Text)
				}
			})
			if err == nil && !report.OK() {
				return quietExit(fault.VerificationFailed.Exit())
			}
			return err
		},
	}
	c.Flags().StringVar(&noted, "noted", "", a.t("别处记下的一行的摘要，必须在簿中", "hash of a line as noted elsewhere; it has to be in the book"))
	return c
}

// noteAct writes an operator's act down. A book that cannot be written is told, and stops
// nobody: a full disk must not keep an operator from mending it.
func (a *app) noteAct(ctx context.Context, home string, log *slog.Logger, verb string, facts map[string]string) {
	a.noteActOf(ctx, home, log, logbook.Me(), verb, facts)
}

func (a *app) noteActOf(ctx context.Context, home string, log *slog.Logger, who logbook.Who, verb string, facts map[string]string) {
	if _, err := os.Stat(home); err != nil {
		return // there is no home yet: nothing was done to one
	}
	if err := logbook.In(home, log).Write(context.WithoutCancel(ctx), who, verb, facts); err != nil {
		fmt.Fprintf(a.err, "mulian: %s %s\n", a.t("操作簿写不进去：", "the logbook takes nothing:"), err)
	}
}

// settingsFile remembers the settings of the last start, to tell what has changed since.
const settingsFile = "settings.txt"

// noteSettings writes down what of a configuration has changed since the last start or
// reload. What may be secret is kept as it is shown only.
func (a *app) noteSettings(ctx context.Context, home string, log *slog.Logger, now map[string]string) {
	shown := map[string]string{}
	for k, v := range now {
		shown[k] = strings.ReplaceAll(logbook.Shown(k, v), "\n", " ")
	}
	path := filepath.Join(home, "logbook", settingsFile)
	before := map[string]string{}
	raw, err := os.ReadFile(path)
	known := err == nil && len(raw) <= maxConfig
	for _, line := range strings.Split(string(raw), "\n") {
		if k, v, ok := strings.Cut(line, "\t"); ok {
			before[k] = v
		}
	}
	diff := logbook.Diff(before, shown)
	if known && len(diff) == 0 {
		return
	}
	if known {
		a.noteAct(ctx, home, log, "config.change", diff)
	}
	var text strings.Builder
	for _, k := range slices.Sorted(maps.Keys(shown)) {
		fmt.Fprintf(&text, "%s\t%s\n", k, shown[k])
	}
	if err := durable.ReplaceFile(path, []byte(text.String()), 0o600); err != nil {
		fmt.Fprintf(a.err, "mulian: %s %s\n", a.t("操作簿写不进去：", "the logbook takes nothing:"), err)
	}
}

// operated runs a service and writes down that it was started, with which settings, and how
// it ended.
func (a *app) operated(ctx context.Context, home, what string, settings []setting, run func() error) error {
	log := slog.New(slog.NewTextHandler(a.err, nil))
	a.noteAct(ctx, home, log, what+".start", map[string]string{"version": version})
	a.noteSettings(ctx, home, log, settingTexts(settings))
	err := run()
	facts := map[string]string{"how": "asked to"}
	if err != nil {
		facts["how"] = fault.CodeOf(err).String()
	}
	a.noteAct(ctx, home, log, what+".stop", facts)
	return err
}

func settingTexts(list []setting) map[string]string {
	out := make(map[string]string, len(list))
	for _, s := range list {
		out[s.Key] = fmt.Sprint(s.Value)
	}
	return out
}
