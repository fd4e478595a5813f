package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mulian/client"
	"mulian/client/keyring"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/index"
	"mulian/internal/code"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/hostcert"
	"mulian/internal/standard"
	"mulian/internal/tracing"
	"mulian/node"
	"mulian/safebox/store"
	"mulian/server"
	"mulian/server/hooks"
)

// genesisFile is the signed genesis in a home.
const genesisFile = "genesis.bin"

func (a *app) initCommand() *cobra.Command {
	var chainID, name, region, host string
	c := &cobra.Command{
		Use:   "init CODE",
		Short: a.t("创建一条新链：创始机构、密钥、创世文件", "make a new chain: the founding organisation, its keys, the genesis"),
		Long: a.t(`在 --home 里生成创始机构的密钥、节点密钥和创世文件。创始机构是第一个成员，持有主管部门角色；
其他机构由它登记，成员、角色、参数之后都由表决改变。已经有链的目录不会被改动。`,
			`Makes the founder's keys, the node's keys and the genesis in --home. The founder is the first member and holds the
authority's role; it registers the others. Members, roles and parameters change by vote from then on. A home with a chain is left as it is.`),
		Example: "  mulian init 111100000000300011 --name 北京市政务服务和数据管理局 --chain beijing-1",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if host != "" {
				if err := hostcert.CheckName(host); err != nil {
					return err
				}
			}
			return a.makeChain(args[0], name, region, chainID, host)
		},
	}
	c.Flags().StringVar(&chainID, "chain", "mulian-1", a.t("链名，3-50 个小写字母、数字、连字符", "chain id, 3-50 of a-z 0-9 -"))
	c.Flags().StringVar(&name, "name", "", a.t("创始机构全称", "full name of the founder"))
	c.Flags().StringVar(&host, "host", "", a.t("成员打开页面所用的域名：写进创世参数（通行密钥）和本节点的 https 配置", "name under which the pages are opened: goes into the genesis (passkeys) and into this node's https"))
	c.Flags().StringVar(&region, "region", "110000", a.t("行政区划代码", "region code"))
	_ = c.MarkFlagRequired("name")
	return c
}

// makeChain makes everything a new chain needs. The genesis file is written last:
// a home without it is not a chain, and the same command can be given again.
func (a *app) makeChain(org, name, region, chainID, host string) error {
	if err := code.CheckUSCC(org); err != nil {
		return fault.Wrap(fault.CodeInconsistent, err, "%s", org)
	}
	if _, err := os.Stat(a.path(genesisFile)); err == nil {
		return fault.Newf(fault.AlreadyExists, "%s is a chain already; take another --home", a.home)
	}
	if a.dryRun {
		v := map[string]any{"ok": true, "dry_run": true, "chain": chainID, "home": a.home, "authority": org}
		return a.print(v, func(w io.Writer) {
			fmt.Fprintf(w, a.t("将在 %s 创建链 %s，创始机构 %s（%s）\n", "would make the chain %[2]s in %[1]s, founded by %[3]s (%[4]s)\n"), a.home, chainID, name, org)
		})
	}
	if err := durable.MkdirPrivate(a.home); err != nil {
		return fmt.Errorf("home: %w", err)
	}
	keys, err := a.orgKeys(org)
	if err != nil {
		return err
	}
	root, err := a.keys().Signer(org, keyring.Root)
	if err != nil {
		return err
	}
	id, err := node.Keys(a.path("node"))
	if err != nil {
		return err
	}
	parameters := standard.Parameters()
	if host != "" {
		parameters.PasskeyRpIds, parameters.PasskeyOrigins = []string{host}, []string{node.Origin(host, httpsPort)}
		if err := a.writeHTTPS(host); err != nil {
			return err
		}
	}
	file, err := client.SignGenesis(&governancev1.Genesis{
		ChainId: chainID, TimeMs: time.Now().UnixMilli(), Parameters: parameters, ClockProfiles: []*governancev1.ClockProfile{standard.Clocks809()},
		Calendar:   []*governancev1.CalendarYear{standard.Calendar2025(), standard.Calendar2026()},
		Founders:   []*governancev1.Founder{{Code: org, Weight: 1, Keys: keys, Profile: &identityv1.OrgProfile{Name: name, Region: region, Level: identityv1.OrgLevel_ORG_LEVEL_CITY}}},
		Roles:      []*governancev1.RoleGrant{{Role: governancev1.Role_ROLE_AUTHORITY, Account: org}},
		Validators: []*governancev1.Validator{{PublicKey: id.Validator[:], Power: 10, Org: org, Name: "v1", Sm2Key: id.SM2.Bytes()}},
	}, root)
	if err != nil {
		return err
	}
	if _, err := node.Init(a.path("node"), file); err != nil {
		return err
	}
	if err := durable.CreateFile(a.path(genesisFile), file, 0o600); err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	g, err := client.ParseGenesis(file)
	if err != nil {
		return err
	}
	v := map[string]any{"ok": true, "chain": chainID, "genesis_hash": hex.EncodeToString(g.Hash[:]), "home": a.home, "authority": org}
	return a.print(v, func(w io.Writer) {
		fmt.Fprintf(w, a.t("✓ 链 %s 已创建，创世 %x\n下一步：mulian node --home %s\n然后：mulian org register CODE --name 名称 --as %s\n", "✓ chain %s made, genesis %x\nnext: mulian node --home %s\nthen: mulian org register CODE --name NAME --as %s\n"), chainID, g.Hash, a.home, org)
	})
}

func (a *app) nodeCommand() *cobra.Command {
	var setup string
	var asRoot bool
	var rootDays int
	c := &cobra.Command{
		Use:     "node",
		Aliases: []string{"节点"},
		Short:   a.t("运行本成员：节点、索引和服务器", "run this member: node, index and server"),
		Example: `  mulian init 111100000000300011 --name 北京市政务服务和数据管理局
  mulian node`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if setup == "" && asRoot || !asRoot && cmd.Flags().Changed("root-days") {
				return fault.Newf(fault.Usage, "--root is for the link of --setup CODE, and --root-days for that of --root: mulian node --setup CODE --root")
			}
			if rootDays < 1 || rootDays > server.MaxRootDays {
				return fault.Newf(fault.Usage, "--root-days is %d: 1 to %d are possible", rootDays, server.MaxRootDays)
			}
			cfg, settings, err := a.config()
			if err != nil {
				return err
			}
			if _, err := os.Stat(a.path(genesisFile)); err != nil {
				return fault.Newf(fault.NotFound, "%s is no chain yet: mulian init CODE --name NAME, or mulian demo", a.home)
			}
			m, err := a.openMember(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			if err := a.letSignIn(m, cfg); err != nil {
				return errors.Join(err, m.Node.Close())
			}
			if setup != "" {
				offer := a.offerSetup
				if asRoot {
					offer = func(m *node.Member, org string) error { return a.offerRoot(m, org, rootDays) }
				}
				if err := offer(m, setup); err != nil {
					return errors.Join(err, m.Node.Close())
				}
			}
			return a.operated(cmd.Context(), a.home, "node", settings, func() error { return a.serving(cmd.Context(), m.URL(), m.Run) })
		},
	}
	c.Flags().StringVar(&setup, "setup", "", a.t("给该机构的第一个人一个设置链接：30 分钟内有效，只能用一次（机构的根密钥须在 --home 里）", "give the first person of that organisation a setup link: 30 minutes, once (its ROOT key has to be in --home)"))
	c.Flags().BoolVar(&asRoot, "root", false, a.t("与 --setup 同用：链接给一台设备该机构自己账户的根密钥（通行密钥，有截止），能在浏览器里表决，也能做机构能做的一切", "with --setup: the link gives one device a ROOT key of the organisation's own account (a passkey, with an end): it votes in the browser, and can do all that the organisation can"))
	c.Flags().IntVar(&rootDays, "root-days", defaultKeyDays, a.t("与 --root 同用：该密钥多少天后截止，1 到 365", "with --root: days after which that key ends, 1 to 365"))
	c.AddCommand(a.nodeInitCommand(), a.nodeCert(), a.nodeBackup(), a.nodeRestore(), a.nodeRelease())
	return c
}

// offerSetup lets the first person of an organisation bring his key by a link.
func (a *app) offerSetup(m *node.Member, org string) error {
	root, err := a.keys().Signer(org, keyring.Root)
	if err != nil {
		return err
	}
	s, token := server.NewSetup(client.New(m.URL()), root, org, nil)
	m.Server.Offer(s)
	a.say("%s %s/setup/%s", a.t("首次登录（30 分钟内有效，仅一次）：", "first sign-in (30 minutes, once):"), m.Pages(), token)
	return nil
}

// offerRoot lets one device bring a ROOT key of the organisation by a link, and says what that is.
func (a *app) offerRoot(m *node.Member, org string, days int) error {
	root, err := a.keys().Signer(org, keyring.Root)
	if err != nil {
		return err
	}
	s, token, err := server.NewRootSetup(client.New(m.URL()), root, org, days, nil)
	if err != nil {
		return err
	}
	m.Server.Offer(s)
	a.say(a.t("注意：打开下面这个链接的设备得到 %s 的根密钥，%d 天后截止。它能代表该机构表决和提案，能增删该机构的密钥和岗位，能交出该机构。\n只在本机构负责人自己的设备上打开，不要转发；设备丢失立即撤销：mulian key revoke %s 密钥 --cause lost",
		"Mind: the device that opens this link gets a ROOT key of %s, which ends after %d days. It votes and proposes as the organisation, gives and takes its keys and posts, and can give the organisation away.\nOpen it on the responsible person's own device alone, and forward it to nobody; lost, revoke it at once: mulian key revoke %s KEY --cause lost"), org, days, org)
	a.say("%s %s/setup/%s", a.t("根密钥设备（30 分钟内有效，仅一次）：", "device with a ROOT key (30 minutes, once):"), m.Pages(), token)
	return nil
}

// openMember starts the member of this home.
func (a *app) openMember(ctx context.Context, cfg *Config) (*node.Member, error) {
	log, err := a.logger(cfg.Log)
	if err != nil {
		return nil, err
	}
	if err := checkAddress("listen", cfg.Listen); err != nil {
		return nil, err
	}
	if err := cfg.Node.checkRole(); err != nil {
		return nil, err
	}
	https, err := a.https(cfg.HTTPS, log)
	if err != nil {
		return nil, err
	}
	boxes, err := cfg.Box.boxes(a.path("boxes"))
	if err != nil {
		return nil, err
	}
	guard, err := hooks.NewGuard(cfg.Hooks.Allow)
	if err != nil {
		return nil, err
	}
	tracer, err := tracing.Open(ctx, tracing.Config{Endpoint: cfg.Tracing.Endpoint, Ratio: cfg.Tracing.Ratio, Service: "mulian-node", Version: version, Instance: cfg.Listen})
	if err != nil {
		return nil, err
	}
	return node.OpenMember(ctx, node.MemberConfig{
		Listen: cfg.Listen, Index: a.path("index.db"), Tracer: tracer, Boxes: boxes, HTTPS: https, Hooks: guard,
		Node: node.Config{
			Home: a.path("node"), Listen: cfg.Node.Listen, External: cfg.Node.External, Peers: cfg.Node.Peers, Closed: cfg.Node.Closed,
			TimeoutCommit: cfg.Node.TimeoutCommit, Heartbeat: cfg.Node.Heartbeat, KeepBlocks: cfg.Node.KeepBlocks, SnapshotEvery: cfg.Node.SnapshotEvery, Version: version, Logger: log,
			Archive: cfg.Node.Archive,
		},
	})
}

// boxes are the settings as a member takes them: OutOfRange below zero.
func (c BoxConfig) boxes(folder string) (node.Boxes, error) {
	if c.Items < 0 || c.Megabytes < 0 || c.Unsettled < 0 || c.Patience < 0 {
		return node.Boxes{}, fault.Newf(fault.OutOfRange, "box: items, megabytes, unsettled and patience cannot be negative")
	}
	return node.Boxes{
		Off: c.Off, Dir: cmp.Or(c.Folder, folder), Quota: store.Quota{Items: c.Items, Bytes: int64(c.Megabytes) << 20, Unsettled: c.Unsettled}, Patience: c.Patience,
	}, nil
}

// serverCommand runs index and server over another member's node: for reading.
func (a *app) serverCommand() *cobra.Command {
	var upstream, listen string
	c := &cobra.Command{
		Use:   "server",
		Short: a.t("运行只读服务器：跟随另一个成员，自己建索引", "run a reading server: follow another member with an index of its own"),
		Long: a.t("授权只给当事方看：要让本服务器也有授权，用 --as 指明有主管、运营或审计角色的账户。",
			"Grants are for their parties: for this server to have them, too, name with --as an account with the role of authority, operator or auditor."),
		Example: "  mulian server --upstream http://10.0.0.5:8080 --listen 127.0.0.1:8090 --home ./reader",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := a.config()
			if err != nil {
				return err
			}
			log, err := a.logger(cfg.Log)
			if err != nil {
				return err
			}
			if listen == "" {
				listen = cfg.Listen
			}
			if err := checkAddress("--listen", listen); err != nil {
				return err
			}
			up := client.New(strings.TrimSuffix(upstream, "/"))
			if a.as != "" { // grants are shown to parties, and to who audits or runs nodes
				up.ReadBy(func(ctx context.Context) (client.Signer, error) { return a.readsAs(ctx, up) })
			}
			if _, err := up.Status(cmd.Context()); err != nil {
				return err
			}
			x, err := index.Open(a.path("index.db"))
			if err != nil {
				return err
			}
			l, err := net.Listen("tcp", listen)
			if err != nil {
				x.Close()
				return fault.Wrap(fault.Busy, err, "the address %s cannot be taken", listen)
			}
			chain := server.Remote(up)
			s := server.New(chain, x, server.Options{Version: version, Logger: log})
			return a.serving(cmd.Context(), "http://"+l.Addr().String(), func(ctx context.Context) error {
				ctx, cancel := context.WithCancel(ctx)
				indexed := make(chan error, 1)
				go func() { indexed <- x.Run(ctx, chain) }()
				err := s.Serve(ctx, l)
				cancel()
				<-indexed
				return errors.Join(err, x.Close())
			})
		},
	}
	c.Flags().StringVar(&upstream, "upstream", "", a.t("被跟随成员的服务器地址", "URL of the member to follow"))
	c.Flags().StringVar(&listen, "listen", "", a.t("监听地址", "address to listen on"))
	_ = c.MarkFlagRequired("upstream")
	return c
}

// serving leaves the address in the home while run serves, for the commands that
// are given beside it.
func (a *app) serving(ctx context.Context, url string, run func(context.Context) error) error {
	if err := durable.ReplaceFile(a.path(urlFile), []byte(url+"\n"), 0o600); err != nil {
		return fmt.Errorf("server address: %w", err)
	}
	defer os.Remove(a.path(urlFile))
	a.say("%s %s", a.t("✓ 正在服务：", "✓ serving at"), url)
	return run(ctx)
}
