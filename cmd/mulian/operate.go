package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"connectrpc.com/connect"
	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"mulian/client"
	"mulian/client/keyring"
	"mulian/gateway"
	"mulian/gateway/backup"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/logbook"
	"mulian/internal/sm"
	"mulian/internal/wire"
)

// serveGateway runs a gateway until the command's context ends, under systemd or not:
// READY, RELOADING, STOPPING and the watchdog's sign of life are told if it asks.
func (a *app) serveGateway(cmd *cobra.Command, path, logLevel string) error {
	log, err := a.logger(LogConfig{Level: logLevel, Format: "text"})
	if err != nil {
		return err
	}
	gateway.TuneMemory()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	s := &gateway.Keeper{
		Load:    func() (*gateway.Config, error) { return readGateway(path) },
		Options: gateway.Options{Version: version, Logger: log},
		Tell: func(t gateway.Turn) {
			// Elsewhere than under systemd these do nothing.
			_, _ = daemon.SdNotify(false, map[gateway.Turn]string{
				gateway.Ready: daemon.SdNotifyReady, gateway.Reloading: daemon.SdNotifyReloading, gateway.Stopping: daemon.SdNotifyStopping,
			}[t])
		},
	}
	if every, err := daemon.SdWatchdogEnabled(false); err == nil && every > 0 {
		ticks := time.NewTicker(every / 3)
		defer ticks.Stop()
		go func() {
			for range ticks.C {
				_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog)
			}
		}()
	}
	cfg, err := readGateway(path)
	if err != nil {
		return err
	}
	home := cfg.Home
	a.noteAct(cmd.Context(), home, log, "gateway.start", map[string]string{"version": version, "account": cfg.Account})
	s.Options.Told = func(command string, uid int) {
		a.noteActOf(cmd.Context(), home, log, logbook.UserOf(uid), "control."+command, nil)
	}
	tell := s.Tell
	s.Tell = func(t gateway.Turn) {
		tell(t)
		switch cfg, err := readGateway(path); {
		case t == gateway.Reloading:
			a.noteAct(cmd.Context(), home, log, "gateway.reload", nil)
		case t == gateway.Ready && err == nil:
			a.noteSettings(cmd.Context(), home, log, gatewaySettings(cfg))
		}
	}
	err = s.Run(cmd.Context(), hangup, func(g *gateway.Gateway) {
		a.say("%s %s  http://%s", a.t("✓ 网关正在服务：", "✓ gateway serving:"), g.Account(), g.Addr())
	})
	how := map[string]string{"how": "asked to"}
	if err != nil {
		how["how"] = fault.CodeOf(err).String()
	}
	a.noteAct(cmd.Context(), home, log, "gateway.stop", how)
	return err
}

// gatewaySettings are a gateway's settings for its logbook.
func gatewaySettings(cfg *gateway.Config) map[string]string {
	out := map[string]string{
		"account": cfg.Account, "home": cfg.Home, "keys": cfg.Keys, "server": cfg.Server, "genesis": cfg.Genesis, "listen": cfg.Listen, "url": cfg.URL,
		"sink": cfg.Sink.URL, "sink.url_file": cfg.Sink.URLFile, "documents": cfg.Documents, "poll_seconds": itoa(cfg.PollSeconds),
		"anchor_seconds": itoa(cfg.AnchorSeconds), "dsp": fmt.Sprint(cfg.DSP != nil), "openid": fmt.Sprint(cfg.OpenID != nil),
	}
	for _, s := range cfg.Sources {
		out["source."+s.Name+".url"], out["source."+s.Name+".url_file"] = s.URL, s.URLFile
		out["source."+s.Name+".tables"] = strings.Join(s.Tables, ",")
	}
	return out
}

func (a *app) gatewayReload() *cobra.Command {
	return &cobra.Command{
		Use: "reload [ACCOUNT]", Args: atMost(1), Example: "  mulian gateway reload\n  kill -HUP PID",
		Short: a.t("让运行中的网关重读配置和密钥，不断开端口", "have a running gateway read configuration and keys again; its port stays open"),
		Long: a.t("先检查新配置：文件、服务器、每个数据库。有问题就什么都不变。传输中的交付随后从断点继续。home 和 account 不能这样改。",
			"The new configuration is checked first: the file, the server, each database. If anything is wrong nothing changes. Deliveries that run go on afterwards where they were. Home and account cannot be changed in this way."),
		RunE: func(cmd *cobra.Command, args []string) error {
			account, ctl, err := a.control(args)
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			before, err := ctl.State(ctx, connect.NewRequest(&gatewayv1.StateRequest{}))
			if err != nil {
				return wire.Fault(err)
			}
			if _, err := ctl.Reload(ctx, connect.NewRequest(&gatewayv1.ReloadRequest{})); err != nil {
				return wire.Fault(err)
			}
			now, err := a.reopened(cmd, account, before.Msg.GetOpenedMs())
			if err != nil {
				return err
			}
			return a.print(map[string]any{"ok": true, "gateway": account, "sources": now.GetSources()}, func(w io.Writer) {
				fmt.Fprintf(w, a.t("✓ 网关 %s 已用新配置运行，数据源：%s\n", "✓ gateway %s runs with the new configuration, sources: %s\n"), account, strings.Join(now.GetSources(), ", "))
			})
		},
	}
}

// reopenedWithin bounds how long a reload may take until the gateway answers again.
const reopenedWithin = 30 * time.Second

// reopened waits until the gateway answers that it opened after a moment.
func (a *app) reopened(cmd *cobra.Command, account string, before int64) (*gatewayv1.StateResponse, error) {
	ctl := gateway.Control(a.gatewayHome(account))
	for end := time.Now().Add(reopenedWithin); time.Now().Before(end); {
		res, err := ctl.State(cmd.Context(), connect.NewRequest(&gatewayv1.StateRequest{}))
		if err == nil && res.Msg.GetOpenedMs() > before {
			return res.Msg, nil
		}
		select {
		case <-cmd.Context().Done():
			return nil, cmd.Context().Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil, fault.Newf(fault.Timeout, "the gateway %s does not answer after the reload; look at its log", account)
}

func (a *app) gatewayRotate() *cobra.Command {
	var base string
	c := &cobra.Command{
		Use: "rotate-key [ACCOUNT]", Args: atMost(1),
		Example: "  mulian gateway rotate-key --as 11110000000021928B\n  mulian gateway rotate-key --key seal --as 11110000000021928B",
		Short:   a.t("更换网关的签名、封装或日志密钥，不停机（由机构的根密钥签名）", "replace a gateway's signing, sealing or log key, without a pause (signed with the organisation's root key)"),
		Long: a.t(`签名密钥：新密钥先上链，运行中的网关改用它，旧密钥随后吊销。封装密钥（--key seal）和日志密钥（--key log）：新旧并用一天，之后
网关自己停用并销毁旧的，账本上有记录；旧封装密钥要等没有在途的交付才销毁。中断后再次执行会接着做。`,
			`The signing key: the new one goes to the ledger first, the running gateway takes it, then the old one is revoked. The sealing key (--key seal)
and the log's key (--key log): both are in use for a day, then the gateway ends and destroys the old one by itself, on record on the ledger; an
old sealing key not before the last delivery that is on its way has arrived. Given again after an interruption it goes on.`),
		RunE: func(cmd *cobra.Command, args []string) error {
			account, err := a.oneGateway(args)
			if err != nil {
				return err
			}
			switch base {
			case keyring.Machine:
				return a.rotateGateway(cmd, account)
			case keyring.Seal, keyring.Log:
				return a.rotateBeside(cmd, account, base)
			}
			return fault.Newf(fault.Usage, "--key %q: machine, seal or log", base)
		},
	}
	c.Flags().StringVar(&base, "key", keyring.Machine, a.t("哪把密钥：machine seal log", "which key: machine, seal, log"))
	return c
}

// rotateGateway adds a machine key, has the gateway take it, and revokes the others.
func (a *app) rotateGateway(cmd *cobra.Command, account string) error {
	ctx := cmd.Context()
	cl, err := a.client()
	if err != nil {
		return err
	}
	acc := &identityv1.Account{}
	switch ok, err := cl.Get(ctx, "identity/account/"+account, acc); {
	case err != nil:
		return err
	case !ok:
		return fault.Newf(fault.NotFound, a.t("链上没有网关 %s", "there is no gateway %s on the ledger"), account)
	}
	fresh, label, err := a.spareMachineKey(acc)
	if err != nil {
		return err
	}
	if a.dryRun {
		return a.print(map[string]any{"ok": true, "dry_run": true, "gateway": account}, func(w io.Writer) {
			fmt.Fprintf(w, a.t("将为 %s 更换签名密钥\n", "would replace the signing key of %s\n"), account)
		})
	}
	id := fresh.Public().ID()
	if !slices.ContainsFunc(acc.GetKeys(), func(k *identityv1.Key) bool { return k.GetId() == id }) {
		if _, err := a.actAsRoot(ctx, cl, &identityv1.AddKey{Account: account, Key: client.PublicKey(fresh.Public(), identityv1.KeyLevel_KEY_LEVEL_MACHINE, label)}); err != nil {
			return err
		}
	}
	reloaded := false
	if _, ctl, err := a.control([]string{account}); err == nil {
		before, err := ctl.State(ctx, connect.NewRequest(&gatewayv1.StateRequest{}))
		if err != nil {
			return wire.Fault(err)
		}
		if _, err := ctl.Reload(ctx, connect.NewRequest(&gatewayv1.ReloadRequest{})); err != nil {
			return wire.Fault(err)
		}
		if _, err := a.reopened(cmd, account, before.Msg.GetOpenedMs()); err != nil {
			return err
		}
		reloaded = true
	}
	var revoked []string
	for _, k := range acc.GetKeys() {
		if k.GetState() == identityv1.KeyState_KEY_STATE_ACTIVE && k.GetLevel() == identityv1.KeyLevel_KEY_LEVEL_MACHINE && k.GetId() != id {
			if _, err := a.actAsRoot(ctx, cl, &identityv1.RevokeKey{Account: account, Key: k.GetId(), Cause: "rotated"}); err != nil {
				return err
			}
			revoked = append(revoked, k.GetId())
		}
	}
	a.noteAct(ctx, a.gatewayHome(account), nil, "gateway.rotate_key", map[string]string{"kind": keyring.Machine, "key": id, "revoked": strings.Join(revoked, ",")})
	return a.print(map[string]any{"ok": true, "gateway": account, "key": id, "label": label, "revoked": revoked, "reloaded": reloaded}, func(w io.Writer) {
		fmt.Fprintf(w, a.t("✓ %s 的签名密钥已更换：%s（%s）\n", "✓ the signing key of %s is now %s (%s)\n"), account, id, label)
	})
}

// spareMachineKey returns the machine key of the highest number if the ledger does not
// have it revoked and has another one active (an interrupted rotation), else a new one.
func (a *app) spareMachineKey(acc *identityv1.Account) (key sm.PrivateKey, label string, err error) {
	state := map[string]identityv1.KeyState{}
	active := 0
	for _, k := range acc.GetKeys() {
		if state[k.GetId()] = k.GetState(); k.GetSuspended() {
			state[k.GetId()] = identityv1.KeyState_KEY_STATE_REVOKED // it signs nothing now: not to be changed to
			continue
		}
		if k.GetState() == identityv1.KeyState_KEY_STATE_ACTIVE {
			active++
		}
	}
	last := 1
	for n := 2; ; n++ {
		label := fmt.Sprintf("%s-%d", keyring.Machine, n)
		have, err := a.keys().Key(acc.GetId(), label)
		if fault.Is(err, fault.NotFound) {
			break
		}
		if err != nil {
			return sm.PrivateKey{}, "", err
		}
		last = n
		if s, known := state[have.Public().ID()]; !known || s == identityv1.KeyState_KEY_STATE_ACTIVE && active > 1 {
			return have, label, nil
		}
	}
	label = fmt.Sprintf("%s-%d", keyring.Machine, last+1)
	if a.dryRun {
		return sm.PrivateKey{}, label, nil
	}
	first, err := a.keys().Key(acc.GetId(), keyring.Machine)
	if err != nil {
		return sm.PrivateKey{}, "", err
	}
	key, err = a.keys().New(acc.GetId(), label, first.Algorithm())
	return key, label, err
}

// unit is the service for systemd. systemd.exec(5): what is protected is what a
// gateway does not need.
const unit = `[Unit]
Description=Mulian gateway %[1]s
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
ExecStart=%[2]s gateway run --config %[3]s
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=2
WatchdogSec=30
TimeoutStopSec=20
User=%[4]s
LimitNOFILE=65536
MemoryMax=1G
UMask=0077
NoNewPrivileges=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectSystem=strict
ProtectHome=read-only
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
ProtectProc=invisible
ProcSubset=pid
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
CapabilityBoundingSet=
ReadWritePaths=%[5]s

[Install]
WantedBy=multi-user.target
`

func (a *app) gatewayUnit() *cobra.Command {
	var user, file string
	c := &cobra.Command{
		Use: "unit [ACCOUNT]", Args: atMost(1),
		Short:   a.t("打印 systemd 服务文件（日志由 journald 轮转）", "print the service file for systemd (journald rotates the log)"),
		Example: "  mulian gateway unit --user mulian | sudo tee /etc/systemd/system/mulian-gateway.service\n  sudo systemctl enable --now mulian-gateway",
		RunE: func(_ *cobra.Command, args []string) error {
			path := file
			if path == "" {
				account, err := a.oneGateway(args)
				if err != nil {
					return err
				}
				path = filepath.Join(a.gatewayHome(account), gatewayFile)
			}
			cfg, err := readGateway(path)
			if err != nil {
				return err
			}
			program, err := os.Executable()
			if err != nil {
				return fmt.Errorf("where this program is: %w", err)
			}
			written := []string{cfg.Home}
			if sink, err := cfg.Sink.Address(); err == nil { // a wrong one is told when it is opened
				written = append(written, filled(sink)...)
			}
			if cfg.Documents != "" {
				written = append(written, cfg.Documents)
			}
			paths := []*string{&path, &program}
			for i := range written {
				paths = append(paths, &written[i])
			}
			for _, p := range paths {
				if *p, err = filepath.Abs(*p); err != nil {
					return fmt.Errorf("unit: %w", err)
				}
				if strings.ContainsAny(*p, " \t\n%\"'\\") {
					return fault.Newf(fault.Usage, a.t("systemd 不能照原样使用路径 %q：请移到没有空格和引号的地方", "systemd does not take the path %q as it is: move it to one without spaces and quotes"), *p)
				}
			}
			text := fmt.Sprintf(unit, cfg.Account, program, path, user, strings.Join(written, " "))
			return a.print(map[string]any{"unit": text}, func(w io.Writer) { fmt.Fprint(w, text) })
		},
	}
	c.Flags().StringVar(&user, "user", "mulian", a.t("以哪个系统用户运行", "system user that runs it"))
	c.Flags().StringVar(&file, "config", "", a.t("配置文件", "configuration file"))
	return c
}

// inFiles are the schemes of URLs that name a place on this machine.
var inFiles = []string{"sqlite", "files", "documents", "api", "csv", "parquet"}

// placed is a URL that means the same place wherever the gateway is started from: a
// service begins in another folder than the person who wrote it.
func placed(url string) string {
	scheme, rest, _ := strings.Cut(url, ":")
	path, query, asked := strings.Cut(rest, "?")
	if !slices.Contains(inFiles, scheme) || path == "" || strings.HasPrefix(path, "//") || strings.HasPrefix(path, ":") {
		return url
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return url
	}
	if asked {
		abs += "?" + query
	}
	return scheme + ":" + abs
}

// filled are the folders that deliveries into a URL write to.
func filled(url string) []string {
	scheme, rest, _ := strings.Cut(url, ":")
	path, _, _ := strings.Cut(strings.TrimPrefix(rest, "//"), "?")
	switch {
	case path == "":
	case scheme == "sqlite":
		return []string{filepath.Dir(path)} // its journal stands beside it
	case scheme == "csv", scheme == "parquet":
		return []string{path}
	}
	return nil
}

func (a *app) gatewayBackup() *cobra.Command {
	var to string
	var keys, check bool
	c := &cobra.Command{
		Use: "backup [ACCOUNT] --to DIR", Args: atMost(1),
		Short: a.t("备份网关（可在运行中；再次备份只复制新的）", "back a gateway up (while it runs; the next one copies only what is new)"),
		Long: a.t("复制不能重新生成的内容：访问日志、双方签名的回执、授权使用的未了结记录、假名盐、签发秘密与签发记录、配置、创世文件；--keys 时还有私钥。数据不在其中。\n丢失的是最后一次备份之后的记录，所以每分钟备份一次（systemd timer 或 cron）。",
			"Copies what cannot be made again: the access log, receipts, uses under grants that are under way, the salt of pseudonyms, an issuer's secret and records, configuration, genesis; with --keys the private keys. No data is in it.\nWhat is lost with the machine are the records after the last backup: so take one every minute (systemd timer or cron)."),
		Example: "  mulian gateway backup --to /backup/gateway\n  mulian gateway backup --check --to /backup/gateway",
		RunE: func(cmd *cobra.Command, args []string) error {
			if check {
				m, err := backup.Check(cmd.Context(), to)
				if err != nil {
					return err
				}
				return a.print(m, func(w io.Writer) {
					fmt.Fprintf(w, a.t("✓ 备份完好：%s，%s，%d 个文件\n", "✓ the backup is whole: %s, %s, %d files\n"), m.Gateway, m.At.Local().Format(time.DateTime), len(m.Files))
				})
			}
			account, err := a.oneGateway(args)
			if err != nil {
				return err
			}
			cfg, err := readGateway(filepath.Join(a.gatewayHome(account), gatewayFile))
			if err != nil {
				return err
			}
			o := backup.Order{Gateway: account, Home: cfg.Home, To: to, Version: version}
			if keys {
				o.Keys = cfg.KeysDir()
			}
			m, n, err := backup.Take(cmd.Context(), o)
			if err != nil {
				return err
			}
			a.noteAct(cmd.Context(), cfg.Home, nil, "gateway.backup", map[string]string{"to": to, "keys": fmt.Sprint(keys), "files": itoa(len(m.Files))})
			return a.print(map[string]any{"ok": true, "gateway": account, "to": to, "new_bytes": n, "files": len(m.Files), "keys": m.Keys}, func(w io.Writer) {
				fmt.Fprintf(w, a.t("✓ 已备份 %s，新增 %d 字节\n", "✓ backup of %s, %d bytes were new\n"), account, n)
			})
		},
	}
	c.Flags().StringVar(&to, "to", "", a.t("备份目录，每个网关一个", "folder of the backup, one for each gateway"))
	c.Flags().BoolVar(&keys, "keys", false, a.t("私钥也复制（备份就要像密钥一样保管）", "copy the private keys, too (the backup has then to be kept like a key)"))
	c.Flags().BoolVar(&check, "check", false, a.t("只检查已有备份是否完好", "only check whether the backup that is there is whole"))
	_ = c.MarkFlagRequired("to")
	return c
}

func (a *app) gatewayRestore() *cobra.Command {
	return &cobra.Command{
		Use: "restore DIR", Args: exactly(1), Example: "  mulian gateway restore /backup/gateway",
		Short: a.t("由备份重建网关目录；不覆盖已有的", "make a gateway's home out of a backup; nothing is overwritten"),
		Long: a.t("先完整检查备份。账本上若有比备份更新的日志头，网关会说明并停止放行（否则就是改写过的日志）：请用最新的备份；补不齐的日志到此为止，登记一个新网关。",
			"The backup is checked first. If the ledger has a later head of the access log than the backup, the gateway says so and releases nothing (its log would be a rewritten one): take the newest backup. A log that cannot be completed ends there; register a new gateway."),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := backup.Check(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			home := a.gatewayHome(m.Gateway)
			if err := durable.MkdirPrivate(filepath.Dir(home)); err != nil {
				return fmt.Errorf("restore: %w", err)
			}
			if m, err = backup.Restore(cmd.Context(), args[0], home, a.keys().Dir); err != nil {
				return err
			}
			if err := a.movedGateway(home); err != nil {
				return err
			}
			a.noteAct(cmd.Context(), home, nil, "gateway.restore", map[string]string{"from": args[0], "as_of": m.At.UTC().Format(time.RFC3339)})
			return a.print(map[string]any{"ok": true, "gateway": m.Gateway, "home": home, "at": m.At, "keys": m.Keys}, func(w io.Writer) {
				fmt.Fprintf(w, a.t("✓ 已恢复到 %s 的状态：%s\n", "✓ restored as of %s: %s\n"), m.At.Local().Format(time.DateTime), home)
				if !m.Keys {
					fmt.Fprintf(w, a.t("备份里没有私钥：先把它的 machine、seal、log 密钥文件（0600）放进 %s\n", "the private keys are not in this backup: first put its files of machine, seal and log (0600) into %s\n"), a.keys().Dir)
				}
				fmt.Fprintf(w, a.t("下一步：mulian gateway run %s\n", "next: mulian gateway run %s\n"), m.Gateway)
			})
		},
	}
}

// movedGateway writes the places of this machine into a restored configuration.
func (a *app) movedGateway(home string) error {
	path := filepath.Join(home, gatewayFile)
	cfg, err := readGateway(path)
	if fault.Is(err, fault.NotFound) {
		return nil // a gateway of another program had none
	}
	if err != nil || cfg.Home == home {
		return err
	}
	cfg.Home, cfg.Genesis, cfg.Keys = home, filepath.Join(home, genesisFile), a.keys().Dir
	return a.writeGateway(path, cfg)
}

// writeGateway writes a configuration with its manual: each key says what it means.
func (a *app) writeGateway(path string, cfg *gateway.Config) error {
	notes := yaml.CommentMap{}
	for key, text := range map[string]string{
		"home":           a.t("网关的日志、回执和未完成的交付所在目录；只属于一个网关", "folder of the access log, receipts and open deliveries; of one gateway alone"),
		"account":        a.t("网关在账本上的账号", "the gateway's account on the ledger"),
		"keys":           a.t("私钥所在目录；文件须为 0600", "folder of the private keys; files have to be 0600"),
		"server":         a.t("任一成员的服务器；不必信任它，答复都会核验", "any member's server; it need not be trusted, its answers are verified"),
		"genesis":        a.t("创世文件：信任的起点", "the signed genesis: what is trusted"),
		"listen":         a.t("供其他网关访问的监听地址", "address for other gateways"),
		"url":            a.t("其他网关访问的地址；与账本不同时启动会更正账本", "under which others reach it; corrected on the ledger at the start"),
		"sources":        a.t("本部门的数据源，只读。name 登记后不要改；url 不写口令，用 passfile=文件；tables 为空表示能读到的全部表\n 例：- name: permits\n     url: postgres://reader@127.0.0.1/permits?passfile=/etc/mulian/pgpass\n     tables: [permit]", "the department's databases, read only. Do not change a name that is registered; no password in url, use passfile=FILE; no tables = all that the account may read\n example: - name: permits\n     url: postgres://reader@127.0.0.1/permits?passfile=/etc/mulian/pgpass\n     tables: [permit]"),
		"sink":           a.t("接收数据的本部门数据库；空表示不接收", "own database into which deliveries go; empty = none"),
		"poll_seconds":   a.t("多少秒看一次表结构；0 表示 5", "how often the structure of tables is looked at, in seconds; 0 = 5"),
		"anchor_seconds": a.t("访问记录多少秒内上链；0 表示联盟规定的值", "how soon an access record is on the ledger, in seconds; 0 = the consortium's"),
		"dsp":            a.t("数据空间协议（Dataspace Protocol 2025-1）：为哪些外部连接器开放；null 表示不开放（docs/decisions/0019）", "Dataspace Protocol 2025-1: which foreign connectors are served; null = none (docs/decisions/0019)"),
	} {
		var lines []string
		for _, l := range strings.Split(text, "\n") {
			lines = append(lines, " "+l)
		}
		notes["$."+key] = []*yaml.Comment{yaml.HeadComment(lines...)}
	}
	raw, err := yaml.MarshalWithOptions(cfg, yaml.WithComment(notes))
	if err != nil {
		return fmt.Errorf("gateway configuration: %w", err)
	}
	head := a.t("# 网关配置。改后执行 mulian gateway reload（或 kill -HUP）；写错的键会被指出，不会生效一半。\n",
		"# A gateway's configuration. After a change: mulian gateway reload (or kill -HUP). A wrong key is named, and nothing is half applied.\n")
	return durable.ReplaceFile(path, append([]byte(head), raw...), 0o600)
}
