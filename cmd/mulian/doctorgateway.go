package main

import (
	"context"
	"fmt"
	"path/filepath"
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
		out = append(out, a.examineSource(ctx, g, s.Name, url, err))
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
	if age := time.Duration(s.GetViewAgeMs()) * time.Millisecond; age > oldView || age < 0 {
		out = append(out, finding{
			Group: g, Name: a.t("链视图的年龄", "age of its view"), Mark: "warn", Value: age.Round(time.Second).String(), Cause: a.t("很久没有看到新的区块", "no new block was seen for long"),
			Effect: a.t("超过协议的过时限度后停止放行（12020）", "beyond an agreement's staleness nothing is released (12020)"), Fix: "mulian status",
		})
	}
	return out
}

// examineSource opens a database as the gateway would, and looks at its structure.
func (a *app) examineSource(ctx context.Context, g, name, url string, err error) finding {
	f := finding{Group: g, Name: a.t("数据源 ", "source ") + name, Mark: "ok"}
	ctx, cancel := context.WithTimeout(ctx, sourceWait)
	defer cancel()
	began := time.Now()
	var schema *connect.Schema
	if err == nil {
		schema, err = inspect(ctx, url)
	}
	took := time.Since(began)
	switch {
	case err != nil:
		f.Mark, f.Value, f.Cause = "fail", a.t("打不开", "cannot be opened"), err.Error()
		f.Effect, f.Fix = a.t("这个库的数据交付不了", "nothing of it can be delivered"), "mulian source inspect URL"
	case took > slowSource:
		f.Mark, f.Value, f.Cause = "warn", took.Round(time.Millisecond).String(), a.t("数据库慢或网络远", "the database is slow, or far away")
		f.Effect, f.Fix = a.t("查询也会慢", "queries will be slow, too"), a.t("看数据库负载和网络", "look at the database's load and the network")
	default:
		f.Value = fmt.Sprintf(a.t("%d 张表，%s", "%d tables, %s"), len(schema.Tables), took.Round(time.Millisecond))
	}
	return f
}
