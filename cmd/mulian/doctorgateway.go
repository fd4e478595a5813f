package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	rpc "connectrpc.com/connect"

	"mulian/gateway/connect"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/wire"
)

// Limits of doctor's verdicts over a gateway; our own choices.
const (
	slowSource   = time.Second      // a look at the structure: a query then takes a noticeable part of it
	oldView      = 30 * time.Second // half of the strictest staleness that entries usually have
	manyUnmarked = 1000             // records that the ledger does not have yet: seconds of a busy gateway
	sourceWait   = 10 * time.Second
)

// examineLocal looks at the gateways that are installed on this machine, whether or
// not they run: configuration, databases, log, disk.
func (a *app) examineLocal(ctx context.Context) []finding {
	accounts, err := a.localGateways()
	if err != nil {
		return []finding{{Group: a.t("本机网关", "gateways here"), Name: a.path("gateways"), Mark: "fail", Value: err.Error()}}
	}
	var out []finding
	for _, account := range accounts {
		out = append(out, a.examineOne(ctx, account)...)
	}
	return out
}

func (a *app) examineOne(ctx context.Context, account string) []finding {
	g := a.t("本机网关 ", "gateway here ") + account
	path := filepath.Join(a.gatewayHome(account), gatewayFile)
	cfg, err := readGateway(path)
	if err != nil && !there(path) && (a.runsHere(ctx, account) || there(a.path("databases"))) {
		return a.examineLodger(ctx, g, account)
	}
	if err != nil {
		return []finding{{
			Group: g, Name: a.t("配置", "configuration"), Mark: "fail", Value: err.Error(), Cause: a.t("配置文件有误或不存在", "the file is wrong or missing"),
			Effect: a.t("不能启动，也不能重载", "it can neither start nor reload"), Fix: a.t("改正 ", "correct ") + path,
		}}
	}
	out := []finding{{Group: g, Name: a.t("配置", "configuration"), Mark: "ok", Value: path}}
	out = append(out, a.examineRunning(ctx, g, account)...)
	for _, s := range cfg.Sources {
		url, err := s.Address()
		out = append(out, a.examineSource(ctx, g, s.Name, url, err)...)
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(existing(cfg.Home), &st); err == nil && st.Bavail*uint64(st.Bsize) < fewBytes {
		out = append(out, finding{
			Group: g, Name: a.t("磁盘剩余", "free disk"), Mark: "warn", Value: fmt.Sprintf("%.1f GiB", float64(st.Bavail*uint64(st.Bsize))/(1<<30)),
			Cause:  a.t("空间不足 2 GiB", "less than 2 GiB"),
			Effect: a.t("日志写不下时网关停止放行；交付的暂存也在这里", "a gateway that cannot write its log releases nothing; the pages of deliveries are here, too"),
			Fix:    a.t("腾出空间，或把 home 放到更大的盘", "make room, or put home on a larger disk"),
		})
	}
	return out
}

// examineLodger looks at a gateway without a configuration of its own: the city of the
// demo runs it within its own process, with its databases beside it.
func (a *app) examineLodger(ctx context.Context, g, account string) []finding {
	if !a.runsHere(ctx, account) {
		return []finding{{
			Group: g, Name: a.t("运行", "runs"), Mark: "warn", Value: a.t("没有在运行", "no"), Cause: a.t("它随演示城市运行，城市停着", "it runs within the demo's city, which has stopped"),
			Effect: a.t("本部门的数据取不到", "the department's data cannot be fetched"), Fix: "mulian demo",
		}}
	}
	own := finding{Group: g, Name: a.t("配置", "configuration"), Mark: "ok", Value: a.t("在演示城市的进程里，没有配置文件", "within the demo's process, without a file")}
	return append([]finding{own}, a.examineRunning(ctx, g, account)...)
}

func (a *app) examineRunning(ctx context.Context, g, account string) []finding {
	name := a.t("运行", "runs")
	_, ctl, err := a.control([]string{account})
	if err != nil {
		return []finding{{
			Group: g, Name: name, Mark: "warn", Value: a.t("没有在运行", "no"), Cause: a.t("没有启动，或已退出", "not started, or it has ended"),
			Effect: a.t("本部门的数据取不到，漂移无人监测", "the department's data cannot be fetched, and nobody watches for drift"), Fix: "mulian gateway run " + account,
		}}
	}
	res, err := ctl.State(ctx, rpc.NewRequest(&gatewayv1.StateRequest{}))
	if err != nil {
		return []finding{{
			Group: g, Name: name, Mark: "fail", Value: wire.Fault(err).Error(), Cause: a.t("控制口没有应答", "its socket does not answer"),
			Effect: a.t("可能已退出", "it may have ended"), Fix: "mulian gateway run " + account,
		}}
	}
	s := res.Msg
	f := finding{Group: g, Name: name, Mark: "ok", Value: fmt.Sprintf(a.t("自 %s", "since %s"), time.UnixMilli(s.GetOpenedMs()).Format(time.DateTime))}
	if s.GetTrouble() != "" {
		f.Mark, f.Value, f.Cause = "fail", a.t("不放行", "it releases nothing"), s.GetTrouble()
		f.Effect, f.Fix = a.t("所有请求被拒绝", "all requests are refused"), a.t("看网关日志；日志落后于账本时用最新的备份恢复", "look at its log; if the access log is behind the ledger, restore the newest backup")
	}
	out := []finding{f}
	if behind := s.GetLogSize() - s.GetAnchoredSize(); behind > manyUnmarked {
		out = append(out, finding{
			Group: g, Name: a.t("未上链的访问记录", "access records not anchored"), Mark: "warn", Value: fmt.Sprint(behind), Cause: a.t("账本写不进去，或太忙", "the ledger cannot be reached, or is busy"),
			Effect: a.t("超过过时限度后停止放行（12020）", "beyond the staleness nothing is released (12020)"), Fix: "mulian status",
		})
	}
	// One that gives nothing looks at the ledger when it asks, and not before.
	if age := time.Duration(s.GetViewAgeMs()) * time.Millisecond; len(s.GetSources()) > 0 && (age > oldView || age < 0) {
		out = append(out, finding{
			Group: g, Name: a.t("链视图的年龄", "age of its view"), Mark: "warn", Value: age.Round(time.Second).String(), Cause: a.t("很久没有看到新的区块", "no new block was seen for long"),
			Effect: a.t("超过协议的过时限度后停止放行（12020）", "beyond an agreement's staleness nothing is released (12020)"), Fix: "mulian status",
		})
	}
	return out
}

// examineSource opens a database as the gateway would, and looks at its structure, what its
// account may do, and what it keeps for the gateway.
func (a *app) examineSource(ctx context.Context, g, name, url string, err error) []finding {
	f := finding{Group: g, Name: a.t("数据源 ", "source ") + name, Mark: "ok"}
	ctx, cancel := context.WithTimeout(ctx, sourceWait)
	defer cancel()
	began := time.Now()
	var db connect.Source
	var schema *connect.Schema
	if err == nil {
		db, err = connect.Open(ctx, url)
	}
	if err == nil {
		defer db.Close()
		schema, err = db.Inspect(ctx)
	}
	took := time.Since(began)
	switch {
	case err != nil:
		f.Mark, f.Value, f.Cause = "fail", a.t("打不开", "cannot be opened"), databaseFault(err).Error()
		f.Effect, f.Fix = a.t("这个库的数据交付不了", "nothing of it can be delivered"), "mulian source inspect URL"
		return []finding{f}
	case took > slowSource:
		f.Mark, f.Value, f.Cause = "warn", took.Round(time.Millisecond).String(), a.t("数据库慢或网络远", "the database is slow, or far away")
		f.Effect, f.Fix = a.t("查询也会慢", "queries will be slow, too"), a.t("看数据库负载和网络", "look at the database's load and the network")
	default:
		f.Value = fmt.Sprintf(a.t("%d 张表，%s", "%d tables, %s"), len(schema.Tables), took.Round(time.Millisecond))
	}
	out := append([]finding{f}, a.examineRights(ctx, f, db)...)
	return append(out, a.examineFeed(ctx, f, db)...)
}

// examineRights tells what the account may do that the gateway never does.
func (a *app) examineRights(ctx context.Context, of finding, db connect.Source) []finding {
	r, ok := db.(connect.Restricted)
	if !ok {
		return nil
	}
	excess, err := r.Excess(ctx)
	if err != nil || len(excess) == 0 {
		return nil
	}
	return []finding{{
		Group: of.Group, Name: of.Name + a.t(" 的账号", ", its account"), Mark: "warn", Value: strings.Join(excess, "; "),
		Cause:  a.t("账号的权限超过 SELECT", "the account may do more than SELECT"),
		Effect: a.t("谁拿到网关的口令文件，谁就有这些权限；网关自己从不使用", "who gets hold of the gateway's password file has these rights; the gateway never uses them"),
		Fix:    a.t("按 mulian source grant-sql 换一个最小权限的账号", "mulian source grant-sql prints an account with the least rights"),
	}}
}

// examineFeed tells when the database keeps its log for this gateway in vain.
func (a *app) examineFeed(ctx context.Context, of finding, db connect.Source) []finding {
	keeper, ok := db.(connect.FeedKeeper)
	if !ok {
		return nil
	}
	lag, err := keeper.FeedLag(ctx)
	if err != nil || !lag.There {
		return nil
	}
	return []finding{a.feedFinding(of, lag, keeper.DropSQL(), time.Now())}
}

func (a *app) feedFinding(of finding, lag connect.FeedLag, drop []string, now time.Time) finding {
	mib := func(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }
	f := finding{Group: of.Group, Name: of.Name + a.t(" 的变更流", ", its feed"), Mark: "ok", Value: fmt.Sprintf(a.t("保留日志 %s，上限 %s", "keeps %s of its log, at most %s"), mib(lag.Bytes), mib(lag.Limit))}
	if lag.Limit == 0 {
		f.Value = fmt.Sprintf(a.t("保留日志 %s，没有上限", "keeps %s of its log, without a bound"), mib(lag.Bytes))
	}
	if !lag.Warn(now) {
		return f
	}
	f.Mark = "warn"
	switch {
	case lag.Lost:
		f.Cause, f.Effect = a.t("复制槽超过了上限，数据库已放弃它", "the slot passed its bound and the database gave it up"), a.t("订阅方要重新取全量", "followers take the whole again")
		f.Fix = a.t("不用管：网关下次跟随时会新建；经常如此就加大 max_slot_wal_keep_size", "nothing: the gateway makes another when it follows again; if this happens often, raise max_slot_wal_keep_size")
		return f
	case lag.Active:
		f.Cause = a.t("网关跟不上，或数据库里有很久没有结束的事务", "the gateway does not keep up, or a transaction of the database has been open for long")
	case !lag.IdleSince.IsZero():
		f.Cause = fmt.Sprintf(a.t("自 %s 起没有网关在跟随", "no gateway has followed since %s"), lag.IdleSince.Local().Format(time.DateTime))
	default:
		f.Cause = a.t("没有网关在跟随", "no gateway follows")
	}
	f.Effect = a.t("数据库为它保留日志，占用磁盘；到上限后订阅方要重新取全量", "the database keeps its log on its disk; beyond the bound followers take the whole again")
	f.Fix = a.t("启动网关；不再需要就删除：", "run the gateway; if it is not needed any more: ") + strings.Join(drop, " ")
	return f
}
