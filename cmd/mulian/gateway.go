package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"connectrpc.com/connect"
	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"mulian/client/keyring"
	"mulian/gateway"
	_ "mulian/gateway/connect/all" // every database that a gateway can open
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/gen/mulian/gateway/v1/gatewayv1connect"
	identityv1 "mulian/gen/mulian/identity/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/internal/wire"
)

// gatewayFile is a gateway's configuration in its home.
const gatewayFile = "gateway.yaml"

// gatewayHome is where a gateway of this home lives; the city uses the same.
func (a *app) gatewayHome(account string) string {
	return a.path("gateways", strings.ReplaceAll(account, "/", "~"))
}

func (a *app) gatewayCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "gateway",
		Short: a.t("网关：部门唯一的门", "gateway: a department's only door"),
		Example: `  mulian gateway init main --name 规划委网关 --source permits=sqlite:permits.db --as 11110000000021928B
  mulian gateway run 11110000000021928B/g/main`,
	}
	c.AddCommand(a.gatewayInit(), a.gatewayRun(), a.gatewayReload(), a.gatewayRotate(), a.gatewayUnit(), a.gatewayBackup(), a.gatewayRestore(), a.gatewayList(), a.gatewayState(), a.gatewayReceipts())
	return c
}

func (a *app) gatewayInit() *cobra.Command {
	var name, listen, url, sink, alg string
	var sources []string
	c := &cobra.Command{
		Use:   "init LOCAL_ID",
		Short: a.t("为本机构新建网关：密钥、登记、配置文件", "make a gateway for the own organisation: keys, registration, configuration"),
		Long: a.t("在本机生成网关的三把密钥，由 --as 的机构签名登记，写好 gateway.yaml。再次执行会接着做没做完的。\n数据库口令不写在 URL 里：用 passfile=FILE。",
			"Makes the gateway's three keys here, registers it (signed by the organisation of --as) and writes gateway.yaml. Given again, it goes on where it stopped.\nPasswords do not stand in the URL: use passfile=FILE."),
		Example: `  mulian gateway init main --name 规划委网关 --listen 127.0.0.1:9001 \
      --source permits="postgres://reader@127.0.0.1/permits?passfile=/etc/mulian/pgpass" --as 11110000000021928B`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			algorithm, err := sm.ParseAlgorithm(alg)
			if err != nil || algorithm == sm.Ed25519 {
				return fault.Newf(fault.Usage, "--algorithm %q: sm2 or p256", alg)
			}
			s, err := a.signer(keyring.Root, keyring.Officer)
			if err != nil {
				return err
			}
			cfg := gateway.Config{Account: s.Account + "/g/" + args[0], Listen: listen, URL: url, Sink: gateway.Sink{URL: placed(sink)}}
			for _, text := range sources {
				n, u, ok := strings.Cut(text, "=")
				if !ok {
					return fault.Newf(fault.Usage, "--source %q: NAME=URL", text)
				}
				cfg.Sources = append(cfg.Sources, gateway.Source{Name: n, URL: placed(u)})
			}
			if cfg.URL == "" {
				cfg.URL = "http://" + listen
			}
			return a.makeGateway(cmd, s.Account, cfg, name, algorithm)
		},
	}
	f := c.Flags()
	f.StringVar(&name, "name", "", a.t("名称", "name"))
	f.StringVar(&listen, "listen", "127.0.0.1:9001", a.t("监听地址", "address to listen on"))
	f.StringVar(&url, "url", "", a.t("其他网关访问的地址，默认由 --listen 得出", "URL for other gateways; default from --listen"))
	f.StringArrayVar(&sources, "source", nil, a.t("只读数据库 NAME=URL，可重复", "database to read, NAME=URL, may be repeated"))
	f.StringVar(&sink, "sink", "", a.t("接收数据的本部门数据库", "own database into which deliveries go"))
	f.StringVar(&alg, "algorithm", "sm2", a.t("密钥算法：sm2 p256", "algorithm of its keys: sm2 p256"))
	_ = c.MarkFlagRequired("name")
	return c
}

func (a *app) makeGateway(cmd *cobra.Command, org string, cfg gateway.Config, name string, alg sm.Algorithm) error {
	ctx := cmd.Context()
	cl, err := a.client()
	if err != nil {
		return err
	}
	chain, err := cl.ChainID(ctx)
	if err != nil {
		return err
	}
	cfg.Home, cfg.Keys, cfg.Server = a.gatewayHome(cfg.Account), a.keys().Dir, cl.URL()
	cfg.Genesis = filepath.Join(cfg.Home, genesisFile)
	if err := cfg.Check(); err != nil {
		return err
	}
	if a.dryRun {
		return a.print(map[string]any{"ok": true, "dry_run": true, "gateway": cfg.Account, "url": cfg.URL, "home": cfg.Home}, func(w io.Writer) {
			fmt.Fprintf(w, a.t("将登记网关 %s（%s），配置写入 %s\n", "would register the gateway %s (%s), configuration in %s\n"), cfg.Account, cfg.URL, cfg.Home)
		})
	}
	if err := durable.MkdirPrivate(cfg.Home); err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	keys, err := gateway.MakeKeys(a.keys(), cfg.Account, alg)
	if err != nil {
		return err
	}
	g, err := cl.Ledger.GetGenesis(ctx, connect.NewRequest(&ledgerv1.GetGenesisRequest{}))
	if err != nil {
		return wire.Fault(err)
	}
	if err := durable.ReplaceFile(cfg.Genesis, g.Msg.GetSignedGenesis(), 0o600); err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	there, err := cl.Get(ctx, "identity/account/"+cfg.Account, &identityv1.Account{})
	if err != nil {
		return err
	}
	if !there {
		if _, err := a.act(ctx, cl, keys.Registration(chain, cfg.Account, name, cfg.URL)); err != nil {
			return err
		}
	}
	if err := a.writeGateway(filepath.Join(cfg.Home, gatewayFile), &cfg); err != nil {
		return err
	}
	v := map[string]any{"ok": true, "gateway": cfg.Account, "home": cfg.Home, "config": filepath.Join(cfg.Home, gatewayFile), "org": org}
	return a.print(v, func(w io.Writer) {
		fmt.Fprintf(w, a.t("✓ 网关 %s 已登记\n下一步：mulian gateway run %s\n", "✓ gateway %s registered\nnext: mulian gateway run %s\n"), cfg.Account, cfg.Account)
	})
}

// readGateway reads a gateway's configuration; unknown keys are errors.
func readGateway(path string) (*gateway.Config, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && there(filepath.Join(filepath.Dir(path), gateway.ControlSocket)) {
		return nil, fault.Newf(fault.NotFound, "there is no %s: this gateway runs within another program (mulian demo), which has its configuration", path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Newf(fault.NotFound, "there is no gateway configuration %s; make one with mulian gateway init", path)
	}
	if err != nil {
		return nil, fmt.Errorf("gateway configuration: %w", err)
	}
	if len(raw) > maxConfig {
		return nil, fault.Newf(fault.TooLong, "%s has more than %d bytes", path, maxConfig)
	}
	cfg := &gateway.Config{}
	if err := yaml.UnmarshalWithOptions(raw, cfg, yaml.Strict()); err != nil {
		return nil, fault.Newf(fault.Malformed, "%s:\n%s", path, yaml.FormatError(err, false, true))
	}
	return cfg, cfg.Check()
}

func (a *app) gatewayRun() *cobra.Command {
	var file, logLevel string
	c := &cobra.Command{
		Use:     "run [ACCOUNT]",
		Short:   a.t("运行网关", "run a gateway"),
		Example: "  mulian gateway run 11110000000021928B/g/main\n  mulian gateway run --config /etc/mulian/gateway.yaml",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := file
			if path == "" {
				account, err := a.oneGateway(args)
				if err != nil {
					return err
				}
				path = filepath.Join(a.gatewayHome(account), gatewayFile)
			}
			return a.serveGateway(cmd, path, logLevel)
		},
	}
	c.Flags().StringVar(&file, "config", "", a.t("配置文件", "configuration file"))
	c.Flags().StringVar(&logLevel, "log", "info", a.t("日志级别", "log level"))
	return c
}

// oneGateway is the account named, or the only gateway of this home (of the
// organisation of --as, if that is given).
func (a *app) oneGateway(args []string) (string, error) {
	if len(args) > 0 && args[0] != "" {
		return args[0], nil
	}
	found, err := a.localGateways()
	if err != nil {
		return "", err
	}
	org, _, _ := strings.Cut(strings.SplitN(a.as, "#", 2)[0], "/")
	var fit []string
	for _, g := range found {
		if org == "" || strings.HasPrefix(g, org+"/") {
			fit = append(fit, g)
		}
	}
	switch len(fit) {
	case 0:
		return "", fault.Newf(fault.NotFound, "no gateway of %s in %s; make one with mulian gateway init", org, a.path("gateways"))
	case 1:
		return fit[0], nil
	}
	return "", fault.Newf(fault.Usage, "which gateway? %s", strings.Join(fit, ", "))
}

func (a *app) localGateways() ([]string, error) {
	dirs, err := os.ReadDir(a.path("gateways"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("gateways: %w", err)
	}
	var out []string
	for _, d := range dirs {
		if d.IsDir() {
			out = append(out, strings.ReplaceAll(d.Name(), "~", "/"))
		}
	}
	return out, nil
}

func (a *app) gatewayList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: a.t("链上登记的网关", "gateways on the ledger"), Args: exactly(0), Example: "  mulian gateway list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Identity.ListAccounts(cmd.Context(), connect.NewRequest(&identityv1.ListAccountsRequest{Kind: identityv1.AccountKind_ACCOUNT_KIND_GATEWAY, Limit: 500}))
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(res.Msg, func(w io.Writer) {
				rows := [][]string{{a.t("网关", "GATEWAY"), a.t("名称", "NAME"), a.t("地址", "URL"), a.t("状态", "STATE")}}
				for _, g := range res.Msg.GetAccounts() {
					up := a.t("应答", "answers")
					if err := healthy(cmd.Context(), g.GetGateway().GetUrl()); err != nil {
						up = a.t("无应答", "does not answer")
					}
					rows = append(rows, []string{g.GetId(), g.GetName(), g.GetGateway().GetUrl(), up})
				}
				table(w, rows)
			})
		},
	}
}

func (a *app) gatewayState() *cobra.Command {
	return &cobra.Command{
		Use: "status [ACCOUNT]", Short: a.t("本机一个网关的状态", "how a gateway of this machine is"), Args: atMost(1), Example: "  mulian gateway status 11110000000021928B/g/main",
		RunE: func(cmd *cobra.Command, args []string) error {
			_, ctl, err := a.control(args)
			if err != nil {
				return err
			}
			res, err := ctl.State(cmd.Context(), connect.NewRequest(&gatewayv1.StateRequest{}))
			if err != nil {
				return wire.Fault(err)
			}
			s := res.Msg
			return a.print(s, func(w io.Writer) {
				table(w, [][]string{
					{a.t("网关", "gateway"), s.GetGateway()},
					{a.t("地址", "url"), s.GetUrl()},
					{a.t("访问日志", "access log"), fmt.Sprintf(a.t("%d 条，已锚定 %d", "%d records, %d anchored"), s.GetLogSize(), s.GetAnchoredSize())},
					{a.t("链视图", "view of the chain"), fmt.Sprintf(a.t("高度 %d，%.1f 秒前", "height %d, %.1f s old"), s.GetViewHeight(), float64(s.GetViewAgeMs())/1000)},
					{a.t("未会签", "not counter-signed"), fmt.Sprintf(a.t("%d 张收据", "%d receipts"), s.GetUncountersigned())},
					{a.t("数据源", "sources"), strings.Join(s.GetSources(), ", ")},
				})
				if len(s.GetFollowing())+len(s.GetSubscribers()) > 0 {
					a.showSubscriptions(w, s)
				}
			})
		},
	}
}

// control reaches a running gateway of this machine.
func (a *app) control(args []string) (string, gatewayv1connect.ControlServiceClient, error) {
	account, err := a.oneGateway(args)
	if err != nil {
		return "", nil, err
	}
	home := a.gatewayHome(account)
	if _, err := os.Stat(filepath.Join(home, gateway.ControlSocket)); err != nil {
		return "", nil, fault.Newf(fault.Unreachable, "the gateway %s does not run here (start it: mulian gateway run %s)", account, account)
	}
	return account, gateway.Control(home), nil
}

// runsHere reports whether a gateway of this machine answers.
func (a *app) runsHere(ctx context.Context, account string) bool {
	_, ctl, err := a.control([]string{account})
	if err != nil {
		return false
	}
	_, err = ctl.State(ctx, connect.NewRequest(&gatewayv1.StateRequest{}))
	return err == nil
}
