package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/index"
	"mulian/internal/sm"
)

// A finding of doctor: what was looked at, how it is, and if it is not well its
// cause, effect and fix.
type finding struct {
	Group  string `json:"group"`
	Name   string `json:"name"`
	Mark   string `json:"mark"` // ok, warn, fail, skip
	Value  string `json:"value"`
	Cause  string `json:"cause,omitempty"`
	Effect string `json:"effect,omitempty"`
	Fix    string `json:"fix,omitempty"`
}

// Limits of doctor's verdicts; our own choices, with the reason beside each.
const (
	slowSync    = 20 * time.Millisecond // a block needs some nine syncs: beyond this a commit takes a quarter of a second
	fewBytes    = 2 << 30               // the engine's write-ahead log alone may take 1 GiB
	fewFiles    = 4096                  // Pebble keeps up to a thousand files open
	largeSkew   = 5 * time.Second       // validators refuse a proposal whose time is further away
	largeLag    = 1000                  // events; the index takes thousands a second
	syncSamples = 8
)

func (a *app) doctorCommand() *cobra.Command {
	var strict bool
	c := &cobra.Command{
		Use:     "doctor",
		Aliases: []string{"体检"},
		Short:   a.t("体检：环境、时间、密钥、链、网关；只读", "check-up: environment, time, keys, chain, gateways; reads only"),
		Long: a.t("每项：✓ 正常，! 注意，✗ 有问题，– 不适用。有问题的给出原因、影响和修复命令。退出码 0 正常，1 有问题，--strict 时 2 为有注意项。",
			"Each line: ✓ well, ! look, ✗ wrong, – does not apply. What is wrong is told with cause, effect and fix. Exit 0 well, 1 wrong, with --strict 2 when there is something to look at."),
		Example: "  mulian doctor --json",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			found := a.examine(cmd.Context())
			bad, warn := 0, 0
			for _, f := range found {
				switch f.Mark {
				case "fail":
					bad++
				case "warn":
					warn++
				}
			}
			err := a.print(map[string]any{"ok": bad == 0, "failures": bad, "warnings": warn, "findings": found}, func(w io.Writer) { a.showFindings(w, found) })
			switch {
			case err != nil:
				return err
			case bad > 0:
				return quietExit(1)
			case strict && warn > 0:
				return quietExit(2)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&strict, "strict", false, a.t("有注意项时退出码为 2", "exit 2 when there is something to look at"))
	return c
}

// quietExit ends with a status and no message: the answer is printed already.
type quietExit int

func (q quietExit) Error() string { return fmt.Sprintf("exit %d", int(q)) }

func (a *app) examine(ctx context.Context) []finding {
	found := a.examineMachine()
	found = append(found, a.examineKeys()...)
	found = append(found, a.examineSignIn(ctx)...)
	found = append(found, a.examineLocal(ctx)...)
	cl, err := a.client()
	if err != nil {
		return append(found, finding{Group: a.t("链", "chain"), Name: a.t("服务器", "server"), Mark: "skip", Value: a.t("没有在运行", "none runs")})
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return append(append(found, a.examineChain(ctx, cl)...), a.examineGateways(ctx, cl)...)
}

func (a *app) examineMachine() []finding {
	g := a.t("环境", "environment")
	var out []finding
	f := finding{Group: g, Name: a.t("国密自检 SM2 SM3 SM4", "self-test SM2 SM3 SM4"), Mark: "ok", Value: a.t("通过", "passed")}
	if err := sm.SelfTest(); err != nil {
		f.Mark, f.Value, f.Cause = "fail", err.Error(), a.t("程序或硬件计算有误", "the program or the machine computes wrongly")
		f.Effect, f.Fix = a.t("签名和加密不可信", "signatures and seals cannot be trusted"), a.t("更换机器或重新安装程序", "use another machine or install the program again")
	}
	out = append(out, f, a.examineSync(g))
	dir := existing(a.home)
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err == nil {
		free := st.Bavail * uint64(st.Bsize)
		f := finding{Group: g, Name: a.t("磁盘剩余", "free disk"), Mark: "ok", Value: fmt.Sprintf("%.1f GiB", float64(free)/(1<<30))}
		if free < fewBytes {
			f.Mark, f.Cause = "warn", a.t("空间不足 2 GiB", "less than 2 GiB")
			f.Effect, f.Fix = a.t("磁盘写满时节点会停下（已确认的不会丢）", "the node stops when the disk is full (what was acknowledged is kept)"), a.t("腾出空间，或把 --home 放到更大的盘", "make room, or put --home on a larger disk")
		}
		out = append(out, f)
	}
	var rl syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &rl); err == nil {
		f := finding{Group: g, Name: a.t("可打开文件数", "open files"), Mark: "ok", Value: fmt.Sprint(rl.Cur)}
		if rl.Cur < fewFiles {
			f.Mark, f.Cause = "warn", a.t("限额太小", "the limit is small")
			f.Effect, f.Fix = a.t("连接多时会失败", "many connections will fail"), "ulimit -n 65536"
		}
		out = append(out, f)
	}
	return out
}

// examineSync measures the syncing of 4 KiB in the home's file system.
func (a *app) examineSync(group string) finding {
	f := finding{Group: group, Name: a.t("落盘耗时（4 KiB）", "fsync of 4 KiB"), Mark: "ok"}
	file, err := os.CreateTemp(existing(a.home), ".doctor-*")
	if err != nil {
		f.Mark, f.Value, f.Cause = "fail", err.Error(), a.t("目录不可写", "the folder cannot be written")
		f.Effect, f.Fix = a.t("无法启动", "nothing can start"), a.t("检查 --home 的权限", "check the rights of --home")
		return f
	}
	defer os.Remove(file.Name())
	defer file.Close()
	worst := time.Duration(0)
	for range syncSamples {
		start := time.Now()
		if _, err := file.Write(make([]byte, 4096)); err != nil {
			f.Mark, f.Value = "fail", err.Error()
			return f
		}
		if err := file.Sync(); err != nil {
			f.Mark, f.Value = "fail", err.Error()
			return f
		}
		worst = max(worst, time.Since(start))
	}
	f.Value = worst.Round(10 * time.Microsecond).String()
	if worst > slowSync {
		f.Mark, f.Cause = "warn", a.t("磁盘慢", "the disk is slow")
		f.Effect, f.Fix = a.t("每个区块变慢", "each block takes longer"), a.t("用固态盘", "use a solid state disk")
	}
	return f
}

func (a *app) examineKeys() []finding {
	g := a.t("密钥", "keys")
	entries, err := a.keys().List()
	if err != nil {
		return []finding{{Group: g, Name: a.keys().Dir, Mark: "fail", Value: err.Error()}}
	}
	if len(entries) == 0 {
		return []finding{{Group: g, Name: a.keys().Dir, Mark: "skip", Value: a.t("没有密钥", "no keys")}}
	}
	var out []finding
	for _, e := range entries {
		st, err := os.Stat(e.Path) // the key itself is never read
		if err != nil || st.Mode().Perm()&0o077 != 0 {
			out = append(out, finding{
				Group: g, Name: filepath.Base(e.Path), Mark: "fail", Value: fmt.Sprint(errOr(err, st)), Cause: a.t("别人可以读", "others can read it"),
				Effect: a.t("不会被使用；可能已泄露", "it is not used; it may be known to others"), Fix: "chmod 600 " + e.Path,
			})
		}
	}
	if len(out) == 0 {
		out = append(out, finding{Group: g, Name: a.keys().Dir, Mark: "ok", Value: fmt.Sprintf(a.t("%d 把，均仅本人可读", "%d, readable by their owner alone"), len(entries))})
	}
	return out
}

func errOr(err error, st fs.FileInfo) any {
	if err != nil {
		return err
	}
	return st.Mode().Perm()
}

func (a *app) examineChain(ctx context.Context, cl *client.Client) []finding {
	g := a.t("链", "chain")
	st, err := cl.Status(ctx)
	if err != nil {
		return []finding{{
			Group: g, Name: a.t("服务器", "server"), Mark: "fail", Value: err.Error(), Cause: a.t("没有应答", "no answer"),
			Effect: a.t("不能读也不能写", "nothing can be read or written"), Fix: "mulian node / mulian demo",
		}}
	}
	out := []finding{{Group: g, Name: a.t("服务器", "server"), Mark: "ok", Value: fmt.Sprintf("%s  %s  %s %d", cl.URL(), st.GetChainId(), a.t("高度", "height"), st.GetHeight())}}
	out = append(out, a.examineGenesis(ctx, cl, st))
	if lag := st.GetEvents() - st.GetIndexed(); st.GetIndexed() >= 0 {
		f := finding{Group: g, Name: a.t("索引落后", "index lag"), Mark: "ok", Value: fmt.Sprint(lag)}
		if lag > largeLag {
			f.Mark, f.Cause = "warn", a.t("正在追赶，或索引坏了", "it is catching up, or the index is damaged")
			f.Effect, f.Fix = a.t("列表和搜索不是最新", "lists and searches are not the newest"), a.t("等一会儿；不动就删掉 index.db 重启", "wait; if it stands still delete index.db and start again")
		}
		out = append(out, f)
	}
	off, _ := cl.ClockOff(ctx) // a server that tells no time has told its latest block's
	out = append(out, a.examineClock(off, time.Since(time.UnixMilli(st.GetTimeMs()))))
	out = append(out, a.examineHooks(st)...)
	n, err := cl.Catalogue.Count(ctx, connect.NewRequest(&cataloguev1.CountRequest{}))
	if err == nil && n.Msg.GetOpenDrifts() > 0 {
		out = append(out, finding{
			Group: g, Name: a.t("未处理的漂移", "open drift"), Mark: "warn", Value: fmt.Sprint(n.Msg.GetOpenDrifts()), Cause: a.t("库表结构与目录不一致", "tables differ from the catalogue"),
			Effect: a.t("受影响的信息项停止交付（13018）", "affected items are not delivered (13018)"), Fix: "mulian source drift list",
		})
	}
	return out
}

// examineHooks says of the hooks how many fail, and for how long. Nothing of a server without any.
func (a *app) examineHooks(st *ledgerv1.GetStatusResponse) []finding {
	if st.GetHooks() == 0 {
		return nil
	}
	f := finding{Group: a.t("链", "chain"), Name: a.t("事件推送", "hooks"), Mark: "ok", Value: fmt.Sprintf(a.t("%d 个，都在推送", "%d, none fails"), st.GetHooks())}
	if n := st.GetHooksFailing(); n > 0 {
		f.Mark, f.Value = "warn", fmt.Sprintf(a.t("%d 个中 %d 个失败", "%d, of which %d fail"), st.GetHooks(), n)
		if ms := st.GetHooksFailingMs(); ms > 0 {
			f.Value += fmt.Sprintf(a.t("，最长 %.1f 小时", ", for up to %.1f h"), time.Since(time.UnixMilli(ms)).Hours())
		}
		f.Cause = a.t("接收程序没有应答 2xx，或 hooks.allow 不再允许它", "a receiver does not answer 2xx, or hooks.allow no longer has it")
		f.Effect, f.Fix = a.t("事件在账本上等着，三天后该推送停用", "the events wait on the ledger; after three days the hook is turned off"), a.t("各账户：mulian hook list", "each account: mulian hook list")
	}
	return []finding{f}
}

// examineClock judges by how much this clock is ahead of the server's, and of the latest
// block's time: no block is of the future.
func (a *app) examineClock(ahead, sinceBlock time.Duration) finding {
	f := finding{Group: a.t("时间", "time"), Name: a.t("本机时钟", "this clock"), Mark: "ok", Value: a.t("与服务器一致，不早于最新区块", "as the server's, and not behind the latest block")}
	switch {
	case sinceBlock < -largeSkew:
		f.Value = fmt.Sprintf(a.t("比最新区块慢 %s", "%s behind the latest block"), -sinceBlock.Round(time.Second))
	case ahead < -largeSkew:
		f.Value = fmt.Sprintf(a.t("比服务器慢 %s", "%s behind the server's"), -ahead.Round(time.Second))
	case ahead > largeSkew:
		f.Value = fmt.Sprintf(a.t("比服务器快 %s", "%s ahead of the server's"), ahead.Round(time.Second))
	default:
		return f
	}
	f.Mark, f.Cause, f.Fix = "fail", a.t("时钟没有校准（本机或服务器）", "a clock is not synchronised (this one, or the server's)"), "timedatectl set-ntp true"
	f.Effect = a.t("签名会被判为过期或为时过长；网关停止放行（12020）", "signatures are taken as expired or too long; a gateway releases nothing (12020)")
	return f
}

// examineGenesis compares the server's genesis with the one of this home, and the
// newest header with the genesis: is this the right chain, and does it hold?
func (a *app) examineGenesis(ctx context.Context, cl *client.Client, st *ledgerv1.GetStatusResponse) finding {
	f := finding{Group: a.t("链", "chain"), Name: a.t("创世文件与区块签名", "genesis and signatures"), Mark: "ok"}
	res, err := cl.Ledger.GetGenesis(ctx, connect.NewRequest(&ledgerv1.GetGenesisRequest{}))
	if err != nil {
		f.Mark, f.Value = "fail", err.Error()
		return f
	}
	file := res.Msg.GetSignedGenesis()
	if own, err := os.ReadFile(a.path("genesis.bin")); err == nil && string(own) != string(file) {
		f.Mark, f.Value = "fail", a.t("服务器的创世与本机不同", "the server's genesis is not the one of this home")
		f.Cause, f.Effect, f.Fix = a.t("连到了另一条链", "it is another chain"), a.t("不要签名", "sign nothing"), "--server"
		return f
	}
	g, err := client.ParseGenesis(file)
	if err == nil {
		_, _, err = cl.Verify(g).Get(ctx, index.Parameters, &governancev1.Parameters{})
	}
	if err != nil {
		f.Mark, f.Value = "fail", err.Error()
		f.Cause, f.Effect, f.Fix = a.t("证明不成立", "a proof does not hold"), a.t("这个服务器的话不可信", "this server cannot be believed"), a.t("换一个成员的服务器核对", "check with another member's server")
		return f
	}
	f.Value = fmt.Sprintf(a.t("成立，创世 %x…，%d 个验证节点", "hold, genesis %x…, %d validators"), g.Hash[:4], st.GetValidators())
	return f
}

func (a *app) examineGateways(ctx context.Context, cl *client.Client) []finding {
	g := a.t("网关", "gateways")
	res, err := cl.Identity.ListAccounts(ctx, connect.NewRequest(&identityv1.ListAccountsRequest{Kind: identityv1.AccountKind_ACCOUNT_KIND_GATEWAY, Limit: 100}))
	if err != nil {
		return []finding{{Group: g, Name: a.t("登记的网关", "registered gateways"), Mark: "fail", Value: err.Error()}}
	}
	if len(res.Msg.GetAccounts()) == 0 {
		return []finding{{Group: g, Name: a.t("登记的网关", "registered gateways"), Mark: "skip", Value: "0"}}
	}
	var out []finding
	for _, acc := range res.Msg.GetAccounts() {
		f := finding{Group: g, Name: acc.GetId(), Mark: "ok", Value: acc.GetGateway().GetUrl()}
		if err := healthy(ctx, acc.GetGateway().GetUrl()); err != nil {
			f.Mark, f.Cause = "fail", err.Error()
			f.Effect, f.Fix = a.t("该部门的数据暂时取不到", "its department's data cannot be fetched"), "mulian gateway run"
		}
		out = append(out, f)
	}
	return out
}

func healthy(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+"/healthz", nil)
	if err != nil {
		return err
	}
	res, err := client.HTTPClient().Do(req)
	if err != nil {
		return errors.Unwrap(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 200))
		return fmt.Errorf("%s: %s", res.Status, strings.TrimSpace(string(text)))
	}
	return nil
}

func (a *app) showFindings(w io.Writer, found []finding) {
	var groups []string // in the order in which they come
	for _, f := range found {
		if !slices.Contains(groups, f.Group) {
			groups = append(groups, f.Group)
		}
	}
	found = slices.Clone(found)
	slices.SortStableFunc(found, func(x, y finding) int {
		return slices.Index(groups, x.Group) - slices.Index(groups, y.Group)
	})
	group := ""
	for _, f := range found {
		if f.Group != group {
			fmt.Fprintln(w, f.Group)
			group = f.Group
		}
		fmt.Fprintf(w, "  %s %s  %s\n", map[string]string{"ok": "✓", "warn": "!", "fail": "✗", "skip": "–"}[f.Mark], f.Name, f.Value)
		for _, l := range [][2]string{{a.t("原因：", "cause: "), f.Cause}, {a.t("影响：", "effect: "), f.Effect}, {a.t("修复：", "fix: "), f.Fix}} {
			if l[1] != "" {
				fmt.Fprintf(w, "      %s%s\n", l[0], l[1])
			}
		}
	}
}

// existing returns the nearest folder that is there.
func existing(dir string) string {
	for {
		if st, err := os.Stat(dir); err == nil && st.IsDir() {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "."
		}
		dir = up
	}
}
