package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	rpc "connectrpc.com/connect"
	"github.com/spf13/cobra"

	"mulian/client"
	"mulian/gateway/connect"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// sourceGrant prints what a database's administrator runs once. It looks at the database
// with an account that sees the tables, and writes nothing anywhere.
func (a *app) sourceGrant() *cobra.Command {
	var role, host, catalogued string
	var tables []string
	var feed bool
	c := &cobra.Command{
		Use:   "grant-sql URL",
		Short: a.t("打印最小权限账号所需的 SQL：只读所列字段", "print the SQL of the least account: it reads the listed columns and nothing else"),
		Long: a.t("URL 用能看到这些表的账号打开，仅查看结构，不改动任何东西。打印的语句由数据库管理员执行；其中不含密码。\n加 --catalogued 时只授权已编入目录的信息项所在字段（连同主键和更新标记字段）。",
			"URL is opened with an account that sees the tables, to look at their structure; nothing is changed. The database's\nadministrator runs what is printed; no password is in it. With --catalogued only those columns are granted that catalogue\nitems lie in, and beside them the key and the watermark."),
		Example: `  mulian source grant-sql "postgres://admin@127.0.0.1/permits?passfile=pgpass" --role mulian_reader --table land_permit
  mulian source grant-sql "mysql://admin@127.0.0.1/permits?passfile=pass" --role mulian_reader --feed \
      --catalogued 11110000000021928B/g/main:permits`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			schema, err := inspect(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			wanted := schema.Tables
			if catalogued != "" {
				if wanted, err = a.cataloguedColumns(cmd.Context(), schema, catalogued); err != nil {
					return err
				}
			}
			if wanted, err = onlyTables(wanted, tables); err != nil {
				return err
			}
			statements, err := connect.GrantStatements(args[0], connect.Grant{Role: role, Host: host, Tables: wanted, Feed: feed})
			if err != nil {
				return databaseFault(err)
			}
			return a.print(map[string]any{"role": role, "tables": len(wanted), "statements": statements}, func(w io.Writer) {
				for _, s := range statements {
					fmt.Fprintln(w, s)
				}
			})
		},
	}
	f := c.Flags()
	f.StringVar(&role, "role", "mulian_reader", a.t("要建立的账号（文件：用户组）", "the account to be made (of files: the group)"))
	f.StringVar(&host, "host", "", a.t("MySQL：账号可从哪里登录，默认任意主机", "MySQL: from where the account may come; anywhere if left out"))
	f.StringSliceVar(&tables, "table", nil, a.t("只授权这些表", "only these tables"))
	f.StringVar(&catalogued, "catalogued", "", a.t("只授权已编目的字段：GATEWAY:SOURCE", "only the columns that are catalogued: GATEWAY:SOURCE"))
	f.BoolVar(&feed, "feed", false, a.t("另加变更订阅所需的权限（可选）", "also what following changes needs (optional)"))
	return c
}

// onlyTables picks tables by their name, with or without its schema; none: all.
func onlyTables(all []connect.Table, names []string) ([]connect.Table, error) {
	if len(names) == 0 {
		if len(all) == 0 {
			return nil, fault.Newf(fault.NotFound, "no table that could be granted")
		}
		return all, nil
	}
	var out []connect.Table
	for _, name := range names {
		i := slices.IndexFunc(all, func(t connect.Table) bool { return name == t.TableName.String() || name == t.Name })
		if i < 0 {
			return nil, fault.Newf(fault.NotFound, "no table %s that could be granted; mulian source inspect shows those that are there", name)
		}
		out = append(out, all[i])
	}
	return out, nil
}

// mostCatalogued bounds the pages of the ledger that are read for one source.
const mostCatalogued = 1_000

// cataloguedColumns leaves of a database's tables what entries of the ledger hang on.
func (a *app) cataloguedColumns(ctx context.Context, schema *connect.Schema, of string) ([]connect.Table, error) {
	gw, source, ok := strings.Cut(of, ":")
	if !ok || gw == "" || source == "" {
		return nil, fault.Newf(fault.Usage, "--catalogued %q: GATEWAY:SOURCE", of)
	}
	cl, err := a.client()
	if err != nil {
		return nil, err
	}
	var out []connect.Table
	req := &cataloguev1.ListTablesRequest{Gateway: gw, Limit: 500}
	for range mostCatalogued {
		res, err := cl.Catalogue.ListTables(ctx, rpc.NewRequest(req))
		if err != nil {
			return nil, wire.Fault(err)
		}
		for _, t := range res.Msg.GetTables() {
			if t.GetSource() != source || t.GetGone() {
				continue
			}
			columns, err := neededColumns(ctx, cl, t)
			if err != nil {
				return nil, err
			}
			if i := slices.IndexFunc(schema.Tables, func(s connect.Table) bool { return s.TableName.String() == t.GetName() }); i >= 0 && len(columns) > 0 {
				out = append(out, narrowed(schema.Tables[i], columns))
			}
		}
		if req.After = res.Msg.GetNext(); req.After == "" {
			return out, nil
		}
	}
	return nil, fault.Newf(fault.TooLong, "the gateway %s has too many tables", gw)
}

// neededColumns are those of a table that catalogue items lie in, its key and its
// watermark; none if no entry hangs on it.
func neededColumns(ctx context.Context, cl *client.Client, t *cataloguev1.Table) (map[string]bool, error) {
	needed := map[string]bool{}
	req := &cataloguev1.ListEntriesRequest{Table: t.GetId(), Limit: 500}
	for range mostCatalogued {
		res, err := cl.Catalogue.ListEntries(ctx, rpc.NewRequest(req))
		if err != nil {
			return nil, wire.Fault(err)
		}
		for _, e := range res.Msg.GetEntries() {
			for _, item := range e.GetItems() {
				if item.GetColumn() != "" {
					needed[item.GetColumn()] = true
				}
			}
		}
		if req.After = res.Msg.GetNext(); req.After != "" {
			continue
		}
		if len(needed) == 0 {
			return nil, nil
		}
		for _, col := range t.GetColumns() {
			if col.GetPrimaryKey() || col.GetName() == t.GetWatermarkColumn() {
				needed[col.GetName()] = true
			}
		}
		return needed, nil
	}
	return nil, errors.New("the ledger lists entries without end")
}

// narrowed is a table with some of its columns.
func narrowed(t connect.Table, columns map[string]bool) connect.Table {
	all := t.Columns
	t.Columns = nil
	for _, c := range all {
		if columns[c.Name] {
			t.Columns = append(t.Columns, c)
		}
	}
	return t
}
