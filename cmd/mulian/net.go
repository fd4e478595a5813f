package main

import (
	"context"
	"fmt"
	"io"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"mulian/city/trial"
	"mulian/internal/fault"
)

// startWait bounds the start of a trial's members.
const startWait = 2 * time.Minute

func (a *app) netCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "net",
		Aliases: []string{"联盟"},
		Short:   a.t("在一台机器上试运行多成员联盟，每个成员一个进程", "a consortium of several members on one machine, for trials: a process for each"),
		Example: "  mulian net up -n 4",
	}
	c.AddCommand(a.netUp())
	return c
}

func (a *app) netUp() *cobra.Command {
	var members, port int
	var chainID string
	var exit bool
	c := &cobra.Command{
		Use:   "up",
		Short: a.t("启动联盟，直到 Ctrl-C；再次启动从原处继续", "start it until Ctrl-C; a second start goes on where it was"),
		Long: a.t(`每个成员有自己的目录 HOME/net/memberN：密钥、节点、索引、服务器，与真实部署的成员目录完全一样，任何命令都可以用
--home HOME/net/memberN 在其中运行。试运行时全部密钥在一台机器上；正式联盟由创始机构 init，其他机构 join。`,
			`Each member has a folder of its own, HOME/net/memberN: keys, node, index, server, just as a member elsewhere; every command
works in it with --home HOME/net/memberN. In a trial all keys lie on one machine; in production the founder runs init and
the others join.`),
		Example: "  mulian net up -n 4\n  mulian status --home .mulian/net/member2\n  mulian net up -n 4 --exit --json",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.server != "" {
				return fault.Newf(fault.Usage, "net runs its own servers; --server is for the other commands")
			}
			return a.runNet(cmd.Context(), trial.Options{Home: a.path("net"), Members: members, ChainID: chainID, Port: port}, exit)
		},
	}
	f := c.Flags()
	f.IntVarP(&members, "members", "n", 4, a.t("成员数，1-16", "members, 1-16"))
	f.IntVar(&port, "port", 0, a.t("第一个端口，每个成员两个（默认用空闲端口）", "first port; two for each member (default: free ones)"))
	f.StringVar(&chainID, "chain", "", a.t("链名（默认 mulian-trial）", "chain id (default mulian-trial)"))
	f.BoolVar(&exit, "exit", false, a.t("第一笔交易上链后退出", "end after the first transaction is committed"))
	return c
}

// netReport is what `net up --json` prints once all members are ready.
type netReport struct {
	OK       bool        `json:"ok"`
	Chain    string      `json:"chain"`
	Genesis  string      `json:"genesis_hash"`
	ReadyMs  int64       `json:"ready_ms"`        // all members serve and know each other
	FirstMs  int64       `json:"first_tx_ms"`     // the first transaction is committed; -1: it was on an earlier start
	FirstTx  int64       `json:"first_tx_height"` // 0 if FirstMs is -1
	Members  []netMember `json:"members"`
	Restarts bool        `json:"restarted"` // the chain was there before
}

type netMember struct {
	Org  string `json:"org"`
	Name string `json:"name"`
	Home string `json:"home"`
	URL  string `json:"url"`
	Node string `json:"node"`
	PID  int    `json:"pid"`
}

func (a *app) runNet(ctx context.Context, o trial.Options, exit bool) (err error) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	w, err := trial.Found(o)
	if err != nil {
		return err
	}
	command, err := trial.Command()
	if err != nil {
		return err
	}
	a.say(a.t("启动 %d 个成员 …", "starting %d members …"), o.Members)
	starting, cancel := context.WithTimeout(ctx, startWait)
	r, err := w.Start(starting, command)
	cancel()
	if err != nil {
		return a.stopped(ctx, err)
	}
	defer func() {
		if stopped := r.Stop(); err == nil {
			err = stopped
		}
	}()
	report := netReport{OK: true, Chain: w.ChainID, Genesis: w.Hash(), ReadyMs: time.Since(began).Milliseconds(), FirstMs: -1}
	switch first, err := w.FirstUnit(ctx); {
	case err == nil:
		report.FirstMs, report.FirstTx = time.Since(began).Milliseconds(), first.Height
	case fault.Is(err, fault.AlreadyExists):
		report.Restarts = true
	default:
		return a.stopped(ctx, err)
	}
	for _, p := range r.Started {
		report.Members = append(report.Members, netMember{Org: p.Org, Name: p.Name, Home: p.Home, URL: p.URL, Node: p.Node, PID: p.PID()})
	}
	if err := a.print(report, func(out io.Writer) { a.showNet(out, report, exit) }); err != nil || exit {
		return err
	}
	return a.watchNet(ctx, r)
}

func (a *app) showNet(w io.Writer, r netReport, exit bool) {
	fmt.Fprintf(w, a.t("✓ 链 %s，%d 个成员在 %.1f 秒内就绪，创世 %s\n", "✓ chain %s, %d members ready in %.1f s, genesis %s\n"), r.Chain, len(r.Members), float64(r.ReadyMs)/1000, r.Genesis)
	if r.Restarts {
		fmt.Fprintln(w, a.t("✓ 从上次停下的地方继续", "✓ it goes on where it stopped"))
	} else {
		fmt.Fprintf(w, a.t("✓ 第一笔交易在第 %d 个区块，用时 %.1f 秒\n", "✓ first transaction in block %d, after %.1f s\n"), r.FirstTx, float64(r.FirstMs)/1000)
	}
	rows := [][]string{{a.t("成员", "MEMBER"), a.t("机构", "ORGANISATION"), a.t("服务器", "SERVER"), a.t("进程", "PROCESS")}}
	for _, m := range r.Members {
		rows = append(rows, []string{m.Home, m.Name + " " + m.Org, m.URL, itoa(m.PID)})
	}
	table(w, rows)
	if exit || len(r.Members) == 0 {
		return
	}
	fmt.Fprintf(w, a.t("另开一个终端试一试：\n  mulian status --home %[1]s\n  mulian gov show --home %[1]s\nCtrl-C 停下。\n", "Try in another terminal:\n  mulian status --home %[1]s\n  mulian gov show --home %[1]s\nCtrl-C stops it.\n"), shellWord(r.Members[0].Home))
}

// watchNet waits for Ctrl-C, and tells when a member ends.
func (a *app) watchNet(ctx context.Context, r *trial.Running) error {
	ended := make(chan *trial.Started, len(r.Started))
	for _, p := range r.Started {
		go func() {
			<-p.Ended()
			ended <- p
		}()
	}
	for left := len(r.Started); left > 0; left-- {
		select {
		case <-ctx.Done():
			a.say("%s", a.t("\n联盟停下了；再次运行 mulian net up 从这里继续。", "\nThe consortium has stopped; mulian net up goes on from here."))
			return nil
		case p := <-ended:
			if ctx.Err() == nil {
				a.say(a.t("! 成员 %d（%s）停了，日志在 %s/node.log", "! member %d (%s) has ended, its log is %s/node.log"), p.Number, p.Name, p.Home)
			}
		}
	}
	return fault.Newf(fault.Unreachable, "%s", a.t("所有成员都停了", "all members have ended"))
}
