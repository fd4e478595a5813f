package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"mulian/internal/fault"
)

// usageText is cobra's usage text with room for our words, the examples first: most
// people come for them.
const usageText = `{{if .HasExample}}%[1]s
{{.Example}}

{{end}}%[2]s
  {{if .HasAvailableSubCommands}}{{.CommandPath}} %[3]s{{else}}{{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}

%[4]s{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{if gt (len .Aliases) 0}}

%[8]s
  {{.NameAndAliases}}{{end}}{{if .HasAvailableLocalFlags}}

%[5]s
{{.LocalFlags.FlagUsages%[9]s | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

%[6]s
{{.InheritedFlags.FlagUsages%[9]s | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableSubCommands}}

%[7]s{{end}}
`

// defaultOf is how the library tells the default of a flag.
var defaultOf = regexp.MustCompile(` \(default ("[^"\n]*"|[^)\n]*)\)`)

// ours gives cobra's own parts our languages and our errors: usage, help, version
// and the completion.
func (a *app) ours(root *cobra.Command) {
	if a.t("zh", "en") == "zh" {
		cobra.AddTemplateFunc("flagsZh", func(usages string) string { return defaultOf.ReplaceAllString(usages, "（默认 $1）") })
		root.SetUsageTemplate(fmt.Sprintf(usageText, "例子：", "用法：", "命令", "命令：", "选项：", "通用选项：", `每个命令的说明：{{.CommandPath}} 命令 --help`, "别名：", " | flagsZh"))
	} else {
		root.SetUsageTemplate(fmt.Sprintf(usageText, "Examples:", "Usage:", "COMMAND", "Commands:", "Flags:", "Global flags:", `More about a command: {{.CommandPath}} COMMAND --help`, "Aliases:", ""))
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(a.helpCommand(root))
	root.AddCommand(a.completionCommand(), a.versionCommand())
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return a.usage(c, "%s", err)
	})
	strict(a, root)
}

// usage is a wrong command line: what is wrong with it, and where to read on.
func (a *app) usage(c *cobra.Command, format string, args ...any) *fault.Fault {
	return fault.Newf(fault.Usage, "%s\n  %s --help", fmt.Sprintf(format, args...), c.CommandPath())
}

// strict makes a noun without a verb print its help, an unknown verb a usage error
// with a suggestion, and gives -h its text in our language.
func strict(a *app, c *cobra.Command) {
	c.InitDefaultHelpFlag()
	if f := c.Flags().Lookup("help"); f != nil {
		f.Usage = a.t("显示说明", "show this help")
	}
	if c.HasSubCommands() && c.Run == nil && c.RunE == nil {
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			return a.unknown(c, args[0])
		}
	}
	for _, sub := range c.Commands() {
		strict(a, sub)
	}
}

// unknown refuses a command that is not there and names those that are meant.
func (a *app) unknown(c *cobra.Command, name string) error {
	c.SuggestionsMinimumDistance = 2
	text := fmt.Sprintf(a.t("%[2]s 没有命令 %[1]q", "there is no command %q of %s"), name, c.CommandPath())
	if s := c.SuggestionsFor(name); len(s) > 0 {
		text += fmt.Sprintf(a.t("；你是不是想用 %s？", "; did you mean %s?"), strings.Join(s, ", "))
	}
	return a.usage(c, "%s", text)
}

func (a *app) helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND...]",
		Short:   a.t("命令的说明", "what a command does"),
		Example: "  mulian help catalogue import",
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				if c == nil {
					c = root
				}
				return a.unknown(c, append(rest, args...)[0])
			}
			c.InitDefaultHelpFlag()
			return c.Help()
		},
	}
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   a.t("版本", "version of this program"),
		Example: "  mulian version --json",
		Args:    exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if !a.json {
				_, err := fmt.Fprintln(a.out, version)
				return err
			}
			return json.NewEncoder(a.out).Encode(map[string]string{"version": version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
		},
	}
}

// shells are those that cobra can complete for.
var shells = []string{"bash", "zsh", "fish", "powershell"}

func (a *app) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: a.t("命令补全脚本：bash zsh fish powershell", "completion script for bash, zsh, fish or powershell"),
		Example: `  source <(mulian completion bash)
  mulian completion zsh > "${fpath[1]}/_mulian"`,
		Args:      exactly(1),
		ValidArgs: shells,
		RunE: func(c *cobra.Command, args []string) error {
			switch root := c.Root(); args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.out, true)
			case "zsh":
				return root.GenZshCompletion(a.out)
			case "fish":
				return root.GenFishCompletion(a.out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.out)
			}
			return a.usage(c, a.t("不认识的 shell：%q（%s）", "no such shell: %q (%s)"), args[0], strings.Join(shells, " "))
		},
	}
}
