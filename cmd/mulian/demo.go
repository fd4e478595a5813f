package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"mulian/city"
	"mulian/internal/durable"
	"mulian/internal/fault"
)

func (a *app) demoCommand() *cobra.Command {
	var opts city.Options
	var exit, still bool
	var port int
	c := &cobra.Command{
		Use:     "demo",
		Aliases: []string{"dev"},
		Short:   a.t("在一个进程里启动一座城市，看两个部门共享数据", "a city in one process: watch two departments share data"),
		Long: a.t(`53 个部门、它们的数据库和网关、一条单验证节点的链，在一个进程里。先讲一遍故事：导入、锁定、申请、授权、确认、
交付、核对、使用、查询、追溯、验证；然后城市继续运转，直到 Ctrl-C。再次启动从原处继续，并再讲一遍。
数据在 --home（默认 ./.mulian）；删掉这个目录就从头开始。部门名称和职责是公开事实，企业、项目和数据行是虚构的。`,
			`53 departments, their databases and gateways, and a chain of one validator, in one process. It first tells one story:
import, lock, request, answer, confirm, deliver, compare, use, query, trace, verify; then the city lives on until Ctrl-C.
A second start continues where it was and tells the story again. Everything is in --home (default ./.mulian); delete that
folder to begin anew. Departments and duties are public facts; firms, projects and rows are invented.`),
		Example: "  mulian demo\n  mulian demo --exit --json",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.server != "" {
				return fault.Newf(fault.Usage, "demo runs its own server; --server is for the other commands")
			}
			if port != 0 {
				opts.Listen = fmt.Sprintf("127.0.0.1:%d", port)
			}
			if opts.Listen != "" {
				if err := checkAddress("--port/--listen", opts.Listen); err != nil {
					return err
				}
			}
			opts.Home, opts.Version, opts.Language = a.home, version, a.language()
			if !a.json && !a.quiet {
				opts.Out, opts.Terminal = a.out, terminal(a.out)
			}
			return a.demo(cmd.Context(), opts, exit, still)
		},
	}
	f := c.Flags()
	f.BoolVar(&exit, "exit", false, a.t("故事讲完就退出", "end after the story"))
	f.BoolVar(&still, "still", false, a.t("故事之后不演日常", "no daily life after the story"))
	f.IntVar(&port, "port", 0, a.t("服务器端口（默认 8080，被占用则换空闲端口）", "port of the server (default 8080, or a free one if that is taken)"))
	f.StringVar(&opts.Listen, "listen", "", a.t("服务器地址 host:port", "address of the server, host:port"))
	c.MarkFlagsMutuallyExclusive("port", "listen")
	return c
}

// demo brings the city up, tells the story, and lets the city live until ctx ends.
func (a *app) demo(ctx context.Context, opts city.Options, exit, still bool) (err error) {
	c, err := city.Open(ctx, opts)
	if err != nil {
		return a.stopped(ctx, err)
	}
	defer func() {
		closed := c.Close()
		if err == nil {
			err = closed
		}
	}()
	if err := durable.ReplaceFile(a.path(urlFile), []byte(c.URL()+"\n"), 0o600); err != nil {
		return fmt.Errorf("server address: %w", err)
	}
	defer os.Remove(a.path(urlFile))
	report, err := c.Tell(ctx)
	switch {
	case err != nil && (exit || ctx.Err() != nil || c.Err() != nil):
		return a.stopped(ctx, err)
	case err != nil: // somebody has changed something: the city goes on, and he can look at it
		a.fail(err)
	case a.json:
		if err := json.NewEncoder(a.out).Encode(report); err != nil {
			return err
		}
	}
	if exit {
		return nil
	}
	if err := c.FileWaiting(ctx); err != nil && ctx.Err() == nil {
		a.fail(err) // the inbox is emptier than it would be
	}
	if opts.Out != nil {
		a.invite(opts.Out, c, still)
	}
	return a.live(ctx, c, still)
}

// live waits for Ctrl-C, or for a part that fails.
func (a *app) live(ctx context.Context, c *city.City, still bool) error {
	living, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if still {
			<-living.Done()
			return
		}
		c.Live(living)
	}()
	var err error
	select {
	case <-ctx.Done():
	case <-c.Failed():
		err = c.Err()
	}
	stop()
	<-ended
	if err == nil && !a.json {
		a.say("%s", a.t("\n城市停下了；再次运行 mulian demo 从这里继续。", "\nThe city has stopped; mulian demo goes on from here."))
	}
	return err
}

// invite says where the city is and what to try next.
func (a *app) invite(w io.Writer, c *city.City, still bool) {
	flag := ""
	if a.home != ".mulian" {
		flag = " --home " + shellWord(a.home)
	}
	fmt.Fprintf(w, a.t("\n控制台 %s   保险箱 %s/box   每个席位一次点击就进入（仅演示）\n接口 %s/openapi.yaml   指标 %s/metrics\n另开一个终端试一试：\n", "\nConsole %s   safe box %s/box   every seat is one click away (demo only)\nAPI %s/openapi.yaml   metrics %s/metrics\nTry in another terminal:\n"), c.Pages(), c.Pages(), c.URL(), c.URL())
	for _, l := range c.Next() {
		fmt.Fprintf(w, "  mulian %s%s\n", l, flag)
	}
	fmt.Fprintf(w, a.t("改一改：用任何 SQLite 工具给 %s 的某一列改名，几秒后 mulian source drift list%s\n", "Change something: rename a column of\n  %s\nwith any SQLite tool, and some seconds later: mulian source drift list%s\n"), a.path("databases", "planning.db"), flag)
	if still {
		fmt.Fprintln(w, a.t("Ctrl-C 停下。", "Ctrl-C stops it."))
		return
	}
	fmt.Fprintf(w, "%s\n\n", a.t("城市的日常（Ctrl-C 停下）：", "Daily life of the city (Ctrl-C stops it):"))
}

// plainWord is what a shell takes as it stands.
var plainWord = regexp.MustCompile(`^[\p{L}\p{N}_@%+=:,./-]+$`)

// shellWord writes s so that a shell takes it as one word.
func shellWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// stopped says of an interrupted start that nothing is broken.
func (a *app) stopped(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return fault.Newf(fault.Cancelled, "%s", a.t("中途停下；再次运行从这里继续", "stopped on the way; the next start goes on from here"))
}
