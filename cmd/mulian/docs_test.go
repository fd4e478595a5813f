package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write the table of commands into docs/cli.md")

const manual = "../../docs/cli.md"

// TestDocsListEveryCommand compares the table of commands with the program.
func TestDocsListEveryCommand(t *testing.T) {
	raw, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "-update -->\n", "<!-- end -->"
	from, to := strings.Index(string(raw), begin)+len(begin), strings.Index(string(raw), end)
	if from < len(begin) || to < from {
		t.Fatal("docs/cli.md has no place for the table of commands")
	}
	var b strings.Builder
	b.WriteString("\n| Command | | |\n|---|---|---|\n")
	zh := map[string]string{}
	each(tree("zh"), func(c *cobra.Command) { zh[c.CommandPath()] = c.Short })
	each(tree("en"), func(c *cobra.Command) {
		if c.HasParent() && (!c.HasSubCommands() || c.Name() == "demo" || c.CommandPath() == "mulian node") {
			line := strings.TrimSuffix(c.UseLine(), " [flags]")
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", strings.ReplaceAll(line, "|", `\|`), c.Short, zh[c.CommandPath()])
		}
	})
	b.WriteString("\n")
	if want := b.String(); string(raw[from:to]) != want {
		if !*update {
			t.Fatal("the table of commands in docs/cli.md is not what the program says: go test ./cmd/mulian -run TestDocs -update")
		}
		if err := os.WriteFile(manual, []byte(string(raw[:from])+want+string(raw[to:])), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var session = regexp.MustCompile("(?s)```console\n(.*?)```")

// TestDocsSessionsRun types the sessions of docs/cli.md one after the other, in one
// home, and wants the statuses that stand behind them.
func TestDocsSessionsRun(t *testing.T) {
	raw, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	typed := 0
	for _, block := range session.FindAllStringSubmatch(string(raw), -1) {
		for _, line := range strings.Split(strings.TrimSpace(block[1]), "\n") {
			command, remark, _ := strings.Cut(strings.TrimPrefix(line, "$ "), "  #")
			command = strings.TrimSpace(command)
			typed++
			switch status, ok := strings.CutPrefix(strings.TrimSpace(remark), "exit "); {
			case ok:
				fmt.Fprintf(&b, "exits %s %s\n", status, command)
			case strings.HasSuffix(command, " &"):
				fmt.Fprintf(&b, "exec %s &node&\nup\n", strings.TrimSuffix(command, " &"))
			default:
				fmt.Fprintf(&b, "exec %s\n", command)
			}
		}
	}
	if typed < 20 {
		t.Fatalf("only %d commands found in docs/cli.md", typed)
	}
	b.WriteString(`kill -INT node
wait node
-- duties.csv --
职权名称,职权编号,职权类别,设定依据,实施主体
核发规划许可,P-1,行政许可,《城乡规划法》第四十条,试验市规划局
-- entries.csv --
信息资源名称,提供单位,共享类型,更新周期,职责,信息项
建设工程规划许可,试验市规划局,无条件共享,每月,核发规划许可,许可证编号;项目名称;发证日期
`)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "manual.txtar"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	p := stories()
	p.Dir = dir
	testscript.Run(t, p)
}
