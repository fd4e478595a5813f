package main

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mulian/client/sentence"
)

// app is what every command shares: the global flags and the three streams.
type app struct {
	home   string // folder of keys, node and gateways
	server string // URL of a member's server; empty = the one that this home runs
	as     string // account that signs
	lang   string
	json   bool
	yes    bool
	quiet  bool
	dryRun bool

	through *through // at a counter: what would be signed here is recorded for a key in custody

	args     []string // of the command line: the language is needed before flags are parsed
	in       io.Reader
	out, err io.Writer
}

// Run carries out one command line and returns its exit status.
func Run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	a := &app{args: args, in: in, out: out, err: errs}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if q, ok := err.(quietExit); ok {
		return int(q)
	}
	if c, _, ferr := root.Find(args); ferr == nil && (strings.HasPrefix(err.Error(), "required flag(s)") || strings.HasPrefix(err.Error(), "if any flags in the group")) {
		err = a.usage(c, "%s", err) // cobra's own words; it has no type for them
	}
	a.json = a.json || slices.Contains(args, "--json") // it may stand behind the flag that nobody knows
	return a.fail(err)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "mulian",
		Short: a.t("目链：部门、市民、企业和银行共享数据，谁都不失去控制", "share data between departments, citizens, firms and banks; nobody loses control of it"),
		Long: a.t(`目链（Mulian）：职责、目录、授权、访问和决定记在各部门共同运行的账本上；数据留在原处，只凭登记过的权利端到端移动。

第一次使用：
  mulian demo                              在一个进程里启动一座城市，看两个部门共享数据
  mulian catalogue import FILE --dry-run   检查一份目录文件，不需要节点
  mulian help share                        一个命令的说明；每个命令都有例子`,
			`Mulian keeps duties, catalogue, authorisations, accesses and decisions on a ledger that the departments run together;
data stays where it is and moves only end to end, under a recorded right.

First steps:
  mulian demo                              a city in one process: watch two departments share data
  mulian catalogue import FILE --dry-run   check a catalogue file; needs no node
  mulian help share                        about a command; each has an example`),
		Example:       "  mulian demo\n  mulian status",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	f := root.PersistentFlags()
	f.StringVar(&a.home, "home", env("MULIAN_HOME", ".mulian"), a.t("数据目录", "folder of keys, node and gateways")+" ($MULIAN_HOME)")
	f.StringVar(&a.server, "server", env("MULIAN_SERVER", ""), a.t("服务器地址", "URL of a member's server")+" ($MULIAN_SERVER)")
	f.StringVar(&a.as, "as", env("MULIAN_AS", ""), a.t("以哪个账户签名", "account that signs")+" ($MULIAN_AS)")
	f.Var((*langFlag)(&a.lang), "lang", a.t("语言 zh 或 en，默认随 LANG", "language, zh or en; default from LANG"))
	f.BoolVar(&a.json, "json", false, a.t("输出 JSON", "print JSON"))
	f.BoolVarP(&a.yes, "yes", "y", false, a.t("不询问，直接签名", "sign without asking"))
	f.BoolVarP(&a.quiet, "quiet", "q", false, a.t("不显示进度", "no progress"))
	f.BoolVar(&a.dryRun, "dry-run", false, a.t("只显示将要做什么", "only show what would be done"))
	root.AddCommand(a.commands()...)
	a.ours(root)
	return root
}

// language is the person's language: --lang, else LC_ALL, LC_MESSAGES, LANG.
func (a *app) language() sentence.Language {
	for _, text := range []string{a.lang, a.earlyLang(), os.Getenv("LC_ALL"), os.Getenv("LC_MESSAGES"), os.Getenv("LANG")} {
		if text != "" {
			return sentence.Accept(text)
		}
	}
	return sentence.English
}

// langFlag is the value of --lang: Chinese or English, with or without a region.
type langFlag string

func (l *langFlag) String() string { return string(*l) }

// Type is the kind of value that the help shows.
func (l *langFlag) Type() string { return "string" }

// Set takes zh, en, zh-Hans, en_GB.UTF-8 and the like; there is no other language.
func (l *langFlag) Set(text string) error {
	tag, _, _ := strings.Cut(strings.ReplaceAll(strings.ToLower(text), "_", "-"), "-")
	if tag != "zh" && tag != "en" {
		return errors.New("zh (中文) / en (English)")
	}
	*l = langFlag(text)
	return nil
}

// earlyLang finds --lang before the flags are parsed: help texts are made first.
func (a *app) earlyLang() string {
	for i, arg := range a.args {
		if v, ok := strings.CutPrefix(arg, "--lang="); ok {
			return v
		}
		if arg == "--lang" && i+1 < len(a.args) {
			return a.args[i+1]
		}
	}
	return ""
}

// t returns the text in the person's language.
func (a *app) t(zh, en string) string {
	if a.language() == sentence.Chinese {
		return zh
	}
	return en
}

func env(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}
