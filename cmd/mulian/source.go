package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	rpc "connectrpc.com/connect"
	"github.com/spf13/cobra"

	"mulian/gateway"
	"mulian/gateway/connect"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

func (a *app) sourceCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "source",
		Short: a.t("数据源：连接、结构、登记目录、漂移", "sources: connect, structure, file an entry, drift"),
		Example: `  mulian source inspect sqlite:permits.db
  mulian source drift list`,
	}
	c.AddCommand(a.sourceAdd(), a.sourceRemove(), a.sourceInspect(), a.sourceGrant(), a.sourceCompare(), a.sourceTest(), a.sourceList(), a.sourceFile(), a.sourceDrift())
	return c
}

// inspectTimeout bounds looking at a database from the command line.
const inspectTimeout = 30 * time.Second

func (a *app) sourceAdd() *cobra.Command {
	var gw string
	var tables []string
	c := &cobra.Command{
		Use:   "add NAME URL",
		Short: a.t("给网关增加一个只读数据源（先连上看一看）", "add a source to a gateway (it is looked at first)"),
		Long: a.t(`URL 的写法：
  sqlite:文件                                   SQLite
  postgres://用户@主机:端口/库?passfile=文件    PostgreSQL（以及说同一协议的数据库）
  mysql://用户@主机:端口/库?passfile=文件       MySQL、MariaDB
  files:文件夹                                  文件夹里的 csv、tsv（可 .gz）、xlsx、parquet
  documents:文件夹                              其中每个文件夹是一批原样交付的文件（pdf、图纸……）
  api:映射文件                                  用 OpenAPI 3 描述的 HTTP/JSON 接口
文件夹和接口如何成为库表，见 docs/sources.md。`, `A URL is one of:
  sqlite:FILE                                  SQLite
  postgres://USER@HOST:PORT/NAME?passfile=FILE PostgreSQL, and what speaks its protocol
  mysql://USER@HOST:PORT/NAME?passfile=FILE    MySQL, MariaDB
  files:FOLDER                                 csv, tsv (also .gz), xlsx and parquet in a folder
  documents:FOLDER                             each folder in it is files that are handed over as they are
  api:MAPPING                                  an HTTP/JSON interface described by OpenAPI 3
How folders and interfaces become tables: docs/sources.md.`),
		Example: `  mulian source add permits sqlite:/var/lib/permits.db --gateway 11110000000021928B/g/main
  mulian source add reports files:/srv/reports
  mulian source add archive documents:/srv/archive
  mulian source add firms api:/etc/mulian/firms.yaml`,
		Args: exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			account, err := a.oneGateway([]string{gw})
			if err != nil {
				return err
			}
			path := filepath.Join(a.gatewayHome(account), gatewayFile)
			cfg, err := readGateway(path)
			if err != nil {
				return err
			}
			schema, err := inspect(cmd.Context(), args[1])
			if err != nil {
				return err
			}
			cfg.Sources = append(cfg.Sources, gateway.Source{Name: args[0], URL: placed(args[1]), Tables: tables})
			if err := cfg.Check(); err != nil {
				return err
			}
			if !a.dryRun {
				if err := a.writeGateway(path, cfg); err != nil {
					return err
				}
			}
			running := a.runsHere(cmd.Context(), account)
			next := "mulian gateway run " + account
			if running {
				next = "mulian gateway reload " + account
			}
			v := map[string]any{"ok": true, "gateway": account, "source": args[0], "tables": len(schema.Tables), "config": path, "reload_needed": running, "next": next}
			return a.print(v, func(w io.Writer) {
				fmt.Fprintf(w, a.t("✓ %s：%d 张表。", "✓ %s: %d tables. "), args[0], len(schema.Tables))
				if running {
					fmt.Fprint(w, a.t("网关正在运行，还没有读到：", "The gateway runs and does not have it yet: "))
				}
				fmt.Fprintf(w, a.t("执行 %s 后登记并开始监测\n", "after %s they are registered and watched\n"), next)
			})
		},
	}
	c.Flags().StringVar(&gw, "gateway", "", a.t("哪个网关；只有一个时可省略", "which gateway; may be left out if there is only one"))
	c.Flags().StringSliceVar(&tables, "table", nil, a.t("只登记这些表", "only these tables"))
	return c
}

func inspect(ctx context.Context, url string) (*connect.Schema, error) {
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	db, err := connect.Open(ctx, url)
	if err != nil {
		return nil, databaseFault(err)
	}
	defer db.Close()
	s, err := db.Inspect(ctx)
	return s, databaseFault(err)
}

// databaseFault gives an error of a database its code: a wrong URL is the caller's,
// a refused account is denied, everything else is no answer.
func databaseFault(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, connect.ErrInvalid):
		return fault.Wrap(fault.Usage, err, "the database's URL")
	case errors.Is(err, connect.ErrDenied):
		return fault.Wrap(fault.Forbidden, err, "the database")
	}
	return fault.Wrap(fault.SourceUnreachable, err, "the database")
}

// tryOut opens a database, counts its tables, and asks what its account may do too much.
func tryOut(ctx context.Context, url string) (tables int, unread []connect.Unread, excess []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	db, err := connect.Open(ctx, url)
	if err != nil {
		return 0, nil, nil, databaseFault(err)
	}
	defer db.Close()
	s, err := db.Inspect(ctx)
	if err != nil {
		return 0, nil, nil, databaseFault(err)
	}
	if r, ok := db.(connect.Restricted); ok {
		if excess, err = r.Excess(ctx); err != nil {
			return 0, nil, nil, databaseFault(err)
		}
	}
	return len(s.Tables), s.Unread, excess, nil
}

func (a *app) sourceInspect() *cobra.Command {
	return &cobra.Command{
		Use:     "inspect URL",
		Short:   a.t("看一个数据库的结构及其指纹（不需要节点）", "look at a database's structure and its fingerprint (needs no node)"),
		Example: "  mulian source inspect sqlite:permits.db\n  mulian source inspect \"postgres://reader@127.0.0.1/permits?passfile=pgpass\"\n  mulian source inspect \"mysql://reader@127.0.0.1/permits?passfile=pass\"",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := inspect(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.print(s, func(w io.Writer) {
				for _, t := range s.Tables {
					fmt.Fprintf(w, "%s  %s\n", t.TableName, t.Hash())
					var rows [][]string
					for _, c := range t.Columns {
						null := ""
						if c.Nullable {
							null = a.t("可空", "nullable")
						}
						rows = append(rows, []string{"  " + c.Name, c.Kind.String(), c.Type, null, c.Comment})
					}
					table(w, rows)
				}
				a.tellUnread(w, s.Unread)
			})
		},
	}
}

// tellUnread lists what of a source cannot be read.
func (a *app) tellUnread(w io.Writer, unread []connect.Unread) {
	for _, u := range unread {
		fmt.Fprintf(w, a.t("! %s 读不出来：%s\n", "! %s cannot be read: %s\n"), visible(u.Name.String()), visible(u.Reason))
	}
}

func (a *app) sourceTest() *cobra.Command {
	return &cobra.Command{
		Use:     "test [GATEWAY]",
		Short:   a.t("逐个连接网关的数据源，原样打印错误", "connect to each source of a gateway and print the exact error"),
		Example: "  mulian source test 11110000000021928B/g/main",
		Args:    atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			account, err := a.oneGateway(args)
			if err != nil {
				return err
			}
			cfg, err := readGateway(filepath.Join(a.gatewayHome(account), gatewayFile))
			if err != nil {
				return err
			}
			type result struct {
				Source string `json:"source"`
				OK     bool   `json:"ok"`
				Tables int    `json:"tables"`
				Error  string `json:"error,omitempty"`
				// Excess is what the account may do beside SELECT.
				Excess []string `json:"excess,omitempty"`
				// Unread is what of it cannot be read; the rest can.
				Unread []connect.Unread `json:"unread,omitempty"`
			}
			var out []result
			bad := false
			for _, s := range cfg.Sources {
				r := result{Source: s.Name, OK: true}
				url, err := s.Address()
				if err == nil {
					r.Tables, r.Unread, r.Excess, err = tryOut(cmd.Context(), url)
				}
				if err != nil {
					r.OK, r.Error, bad = false, err.Error(), true
				}
				out = append(out, r)
			}
			if err := a.print(out, func(w io.Writer) {
				for _, r := range out {
					if r.OK {
						fmt.Fprintf(w, a.t("✓ %s：%d 张表\n", "✓ %s: %d tables\n"), r.Source, r.Tables)
					} else {
						fmt.Fprintf(w, "✗ %s: %s\n", r.Source, r.Error)
					}
					a.tellUnread(w, r.Unread)
					if len(r.Excess) > 0 {
						fmt.Fprintf(w, a.t("  ! 账号的权限超过 SELECT：%s（mulian source grant-sql 打印最小权限的账号）\n", "  ! its account may do more than SELECT: %s (mulian source grant-sql prints the least one)\n"), strings.Join(r.Excess, "; "))
					}
				}
			}); err != nil {
				return err
			}
			if bad {
				return quietExit(fault.SourceUnreachable.Exit())
			}
			return nil
		},
	}
}

func (a *app) sourceList() *cobra.Command {
	req := &cataloguev1.ListTablesRequest{Limit: 500}
	c := &cobra.Command{
		Use: "list", Short: a.t("链上登记的库表", "tables on the ledger"), Args: exactly(0), Example: "  mulian source list --org 11110000000021928B",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			res, err := cl.Catalogue.ListTables(cmd.Context(), rpc.NewRequest(req))
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(res.Msg, func(w io.Writer) {
				rows := [][]string{{a.t("库表", "TABLE"), a.t("字段", "COLUMNS"), a.t("行数约", "ROWS ABOUT"), a.t("指纹", "FINGERPRINT")}}
				for _, t := range res.Msg.GetTables() {
					rows = append(rows, []string{t.GetId(), itoa(len(t.GetColumns())), i64(t.GetRowsEstimate()), hex.EncodeToString(t.GetSchemaHash())[:16]})
				}
				table(w, rows)
			})
		},
	}
	c.Flags().StringVar(&req.Org, "org", "", a.t("部门", "organisation"))
	c.Flags().StringVar(&req.Gateway, "gateway", "", a.t("网关", "gateway"))
	return c
}

// sourceFile files a registered table as a catalogue entry: one item for each
// column, to be edited later.
func (a *app) sourceFile() *cobra.Command {
	var id, name, duty, share, scope, cycle, owner string
	var methods []string
	c := &cobra.Command{
		Use:   "file TABLE",
		Short: a.t("把一张已登记的库表编成目录：每个字段一个信息项", "file a registered table as an entry: an item for each column"),
		Long: a.t("documents: 数据源的文件夹编成格式为文件夹、方式为文件的目录，其他为库表，方式为查询和批量；--method 另定方式。",
			"A folder of a documents: source becomes an entry of format folder, handed over as files; everything else one of format table,\nfor queries and batches. --method says other methods."),
		Example: `  mulian source file 11110000000021928B/g/main:permits.land_permit --id permits --name 建设用地规划许可证 \
      --duty 11110000000021928B:1 --as 11110000000021928B
  mulian source file 11110000000021928B/g/main:archive.drawings --id drawings --name 规划图纸 \
      --duty 11110000000021928B:1 --method file --as 11110000000021928B`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			t := &cataloguev1.Table{}
			ok, err := cl.Get(cmd.Context(), "catalogue/table/"+args[0], t)
			if err != nil {
				return err
			}
			if !ok {
				return fault.Newf(fault.NotFound, "table %s is not on the ledger; mulian source list shows those that are", args[0])
			}
			e, err := entryOf(t, id, name, duty, share, scope, cycle, methods)
			if err != nil {
				return err
			}
			if owner != "" {
				e.OwnerItem, e.Personal = owner, cataloguev1.Personal_PERSONAL_YES
			}
			r, err := a.act(cmd.Context(), cl, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{e}})
			if err != nil || r == nil {
				return err
			}
			return a.print(map[string]any{"ok": true, "entry": e.GetId(), "height": r.Height, "items": len(e.GetItems())}, func(w io.Writer) { fmt.Fprintln(w, e.GetId()) })
		},
	}
	f := c.Flags()
	f.StringVar(&id, "id", "", a.t("目录的本地编号", "local id of the entry"))
	f.StringVar(&name, "name", "", a.t("目录名称", "name of the entry"))
	f.StringVar(&duty, "duty", "", a.t("依据的职责", "duty that it hangs on"))
	f.StringVar(&share, "share", "1", a.t("共享类型", "share type"))
	f.StringVar(&scope, "scope", "", a.t("有条件共享时的共享范围", "scope, if it is conditional"))
	f.StringVar(&cycle, "cycle", "每日", a.t("更新周期", "update cycle"))
	f.StringVar(&owner, "owner-item", "", a.t("个人信息：哪个信息项是数据主体的证件号码", "personal rows: the item that has the number of the owner's document"))
	f.StringSliceVar(&methods, "method", nil, a.t("交付方式：query batch file，可多个；默认由库表得出", "how it is handed over: query batch file, may be several; default from the table"))
	for _, required := range []string{"id", "name", "duty"} {
		_ = c.MarkFlagRequired(required)
	}
	return c
}

func (a *app) sourceDrift() *cobra.Command {
	c := &cobra.Command{
		Use: "drift", Short: a.t("漂移：库表与目录不一致", "drift: tables that differ from the catalogue"),
		Example: "  mulian source drift list\n  mulian source drift settle ID --updated --as 11110000000021928B",
	}
	c.AddCommand(a.driftList(), a.driftSettle())
	return c
}

func (a *app) driftList() *cobra.Command {
	req := &cataloguev1.ListDriftsRequest{Limit: 500}
	var all bool
	c := &cobra.Command{
		Use: "list", Short: a.t("未处理的漂移", "open drift"), Args: exactly(0), Example: "  mulian source drift list --all",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			req.OpenOnly = !all
			res, err := cl.Catalogue.ListDrifts(cmd.Context(), rpc.NewRequest(req))
			if err != nil {
				return wire.Fault(err)
			}
			return a.print(res.Msg, func(w io.Writer) {
				if len(res.Msg.GetDrifts()) == 0 {
					fmt.Fprintln(w, a.t("没有未处理的漂移", "no open drift"))
				}
				for _, d := range res.Msg.GetDrifts() {
					fmt.Fprintf(w, "%s  %s  %s  %s\n", d.GetId(), a.word(d.GetClass()), day(d.GetAtMs()), a.settlement(d))
					for _, ch := range d.GetChanges() {
						line := fmt.Sprintf("    %s %s  %s → %s", ch.GetKind(), ch.GetColumn(), ch.GetBefore(), ch.GetAfter())
						if ch.GetCandidate() != "" {
							line += fmt.Sprintf(a.t("  是否改名为 %s？（--remap）", "  was it renamed to %s? (--remap)"), ch.GetCandidate())
						}
						fmt.Fprintln(w, line)
					}
					for _, e := range d.GetEntries() {
						fmt.Fprintf(w, a.t("    影响目录 %s\n", "    affects entry %s\n"), e)
					}
				}
			})
		},
	}
	c.Flags().StringVar(&req.Org, "org", "", a.t("部门", "organisation"))
	c.Flags().BoolVar(&all, "all", false, a.t("包括已处理的", "settled ones too"))
	return c
}

func (a *app) driftSettle() *cobra.Command {
	var updated, back, alarm bool
	var note string
	var remaps []string
	c := &cobra.Command{
		Use:   "settle DRIFT",
		Short: a.t("处理漂移：目录随库表更新、库表已回滚、误报", "settle a drift: the catalogue follows, the table was put back, false alarm"),
		Example: `  mulian source drift settle "11110000000021928B/g/main:permits.land_permit@1" --updated \
      --remap 11110000000021928B:permits,unit=owner --as 11110000000021928B`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m := &cataloguev1.SettleDrift{Drift: args[0], Note: note}
			n := 0
			for _, s := range []struct {
				on bool
				to cataloguev1.Settlement
			}{{updated, cataloguev1.Settlement_SETTLEMENT_UPDATED}, {back, cataloguev1.Settlement_SETTLEMENT_ROLLED_BACK}, {alarm, cataloguev1.Settlement_SETTLEMENT_FALSE_ALARM}} {
				if s.on {
					m.Settlement = s.to
					n++
				}
			}
			if n != 1 {
				return fault.Newf(fault.Usage, "say one of --updated, --rolled-back, --false-alarm")
			}
			for _, r := range remaps {
				entry, rest, ok := strings.Cut(r, ",")
				item, column, ok2 := strings.Cut(rest, "=")
				if !ok || !ok2 {
					return fault.Newf(fault.Usage, "--remap %q: ENTRY,ITEM=COLUMN", r)
				}
				m.Remaps = append(m.Remaps, &cataloguev1.Remap{Entry: entry, Item: item, Column: column})
			}
			return a.simple(cmd, m)
		},
	}
	f := c.Flags()
	f.BoolVar(&updated, "updated", false, a.t("目录随库表更新", "the catalogue follows the table"))
	f.BoolVar(&back, "rolled-back", false, a.t("库表已恢复原样", "the table was put back"))
	f.BoolVar(&alarm, "false-alarm", false, a.t("误报", "false alarm"))
	f.StringArrayVar(&remaps, "remap", nil, a.t("信息项现在在哪个字段：ENTRY,ITEM=COLUMN，可重复", "where an item lies now: ENTRY,ITEM=COLUMN, may be repeated"))
	f.StringVar(&note, "note", "", a.t("说明", "note"))
	return c
}

// settlement says how a drift was ended, or that it is open and until when.
func (a *app) settlement(d *cataloguev1.Drift) string {
	if d.GetSettlement() != cataloguev1.Settlement_SETTLEMENT_UNSPECIFIED {
		return a.word(d.GetSettlement())
	}
	open := a.t("未处理", "open")
	if d.GetDueMs() > 0 {
		open += a.t("，限 ", ", due ") + day(d.GetDueMs())
	}
	return open
}
