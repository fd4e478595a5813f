package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	rpc "connectrpc.com/connect"
	"github.com/spf13/cobra"

	"mulian/gateway/connect"
	"mulian/gateway/drift/ranges"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// compared is the answer of source compare.
type compared struct {
	Equal       bool        `json:"equal"`
	Rows        int64       `json:"rows"`       // of the first
	OtherRows   int64       `json:"other_rows"` // of the second
	Columns     []string    `json:"columns"`
	Key         []string    `json:"key"`
	Differences []different `json:"differences"`
	Narrowed    bool        `json:"narrowed"` // false: some ranges are wider than they had to be
	// Questions that were put to the other gateway; 0: both were read here.
	Questions uint32 `json:"questions,omitempty"`
}

type different struct {
	After connect.Row `json:"after"` // null: from the beginning
	UpTo  connect.Row `json:"up_to"` // null: to the end
	Rows  int64       `json:"rows"`
	Other int64       `json:"other_rows"`
}

// sourceCompare finds where a copy differs from its origin, by digests of ranges of the key.
func (a *app) sourceCompare() *cobra.Command {
	var table, other, agreement, entry, gw string
	var columns, key []string
	c := &cobra.Command{
		Use:   "compare [URL OTHER-URL] --table NAME",
		Short: a.t("比对两处的同一张表：相同，或在哪些主键区间不同", "compare a table in two databases, or with the other department's: where it differs"),
		Long: a.t("按主键区间逐级比对带密钥的摘要，不逐行取出对方数据，内存与行数无关。区间以第一个库的主键值为界。\n相同时状态为 0，不同时为 1。不需要节点。\n给出 --agreement 时，由运行中的网关把本部门的表与对方目录按协议比对：每次询问算一次调用，记入对方的访问日志；不传任何行。",
			`Keyed digests of ranges of the primary key are compared, range by range; no row of the other side is shown, and memory does
not depend on the number of rows. The ranges are bounded by keys of the first database. Status 0: equal, 1: not. Needs no node.
With --agreement the running gateway compares the own table with the entry at the other department's gateway, as far as it is
agreed: each question is a call of the agreement and stands in that gateway's access log; no row is carried.`),
		Example: `  mulian source compare --agreement 0123456789abcdef --table permits --as 11110000000025678C
  mulian source compare sqlite:own.db "postgres://reader@127.0.0.1/permits?passfile=pgpass" --table permits --other land_permit`,
		Args: between(0, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if agreement != "" {
				if len(args)+len(columns)+len(key)+len(other) > 0 {
					return fault.Newf(fault.Usage, "with --agreement the entry says what is compared: no databases, no --columns, no --key, no --other")
				}
				return a.compareCopy(cmd.Context(), gw, &gatewayv1.CompareRequest{Agreement: agreement, Entry: entry, Table: table})
			}
			if len(args) != 2 || entry != "" || gw != "" {
				return fault.Newf(fault.Usage, "two databases, or --agreement")
			}
			if other == "" {
				other = table
			}
			mine, err := openTable(cmd.Context(), args[0], table)
			if err != nil {
				return err
			}
			defer mine.source.Close()
			theirs, err := openTable(cmd.Context(), args[1], other)
			if err != nil {
				return err
			}
			defer theirs.source.Close()
			res, err := compareTables(cmd.Context(), mine, theirs, columns, key)
			if err != nil {
				return err
			}
			return a.sayCompared(res)
		},
	}
	f := c.Flags()
	f.StringVar(&agreement, "agreement", "", a.t("按此协议与对方网关比对", "compare with the other gateway under this agreement"))
	f.StringVar(&entry, "entry", "", a.t("目录；协议只有一条时可省略", "the entry; may be left out if the agreement has one"))
	f.StringVar(&gw, "gateway", "", a.t("用哪个网关；只有一个时可省略", "which gateway; may be left out if there is only one"))
	f.StringVar(&table, "table", "", a.t("第一个库里的表", "the table in the first database"))
	f.StringVar(&other, "other", "", a.t("第二个库里的表（默认同名）", "the table in the second one (default: the same name)"))
	f.StringSliceVar(&columns, "columns", nil, a.t("比对的字段（默认两边都有的）", "columns to compare (default: those that both have)"))
	f.StringSliceVar(&key, "key", nil, a.t("主键字段（默认表的主键）", "columns of the key (default: the table's)"))
	_ = c.MarkFlagRequired("table")
	return c
}

func (a *app) sayCompared(res *compared) error {
	if err := a.print(res, func(w io.Writer) { a.writeCompared(w, res) }); err != nil {
		return err
	}
	if !res.Equal {
		return quietExit(1)
	}
	return nil
}

// compareCopy has the running gateway compare with the provider's.
func (a *app) compareCopy(ctx context.Context, gw string, m *gatewayv1.CompareRequest) error {
	_, ctl, err := a.control([]string{gw})
	if err != nil {
		return err
	}
	got, err := ctl.Compare(ctx, rpc.NewRequest(m))
	if err != nil {
		return wire.Fault(err)
	}
	r := got.Msg
	res := &compared{
		Equal: len(r.GetDifferences()) == 0, Rows: r.GetRows(), OtherRows: r.GetOtherRows(), Columns: r.GetColumns(), Key: r.GetKey(),
		Narrowed: r.GetNarrowed(), Questions: r.GetQuestions(), Differences: []different{},
	}
	for _, d := range r.GetDifferences() {
		res.Differences = append(res.Differences, different{After: keyTexts(d.GetAfter()), UpTo: keyTexts(d.GetUpTo()), Rows: d.GetRows(), Other: d.GetOtherRows()})
	}
	return a.sayCompared(res)
}

// keyTexts is a key as it is shown: a text for each column; nil for none.
func keyTexts(r *gatewayv1.ResultRow) (out connect.Row) {
	for _, v := range r.GetValues() {
		out = append(out, connect.TextValue(v.GetText()))
	}
	return out
}

// openedTable is a table of an open database.
type openedTable struct {
	source connect.Source
	is     connect.Table
}

func openTable(ctx context.Context, url, name string) (openedTable, error) {
	source, err := connect.Open(ctx, url)
	if err != nil {
		return openedTable{}, databaseFault(err)
	}
	schema, err := source.Inspect(ctx)
	if err == nil {
		for _, t := range schema.Tables {
			if t.Name == name || t.TableName.String() == name {
				return openedTable{source, t}, nil
			}
		}
		err = fault.Newf(fault.NotFound, "no table %s", name)
	} else {
		err = databaseFault(err)
	}
	return openedTable{}, errors.Join(err, source.Close())
}

func compareTables(ctx context.Context, mine, theirs openedTable, columns, key []string) (*compared, error) {
	if len(columns) == 0 {
		for _, col := range mine.is.Columns {
			if _, both := theirs.is.Column(col.Name); both {
				columns = append(columns, col.Name)
			}
		}
	}
	for _, k := range [][]string{mine.is.PrimaryKey, theirs.is.PrimaryKey} {
		if len(key) == 0 {
			key = k
		}
	}
	for _, k := range key {
		if !slices.Contains(columns, k) {
			columns = append(columns, k)
		}
	}
	var digestKey ranges.Key
	_, _ = rand.Read(digestKey[:]) // never fails; of this run alone
	first := &ranges.Table{Source: mine.source, Name: mine.is.TableName, Columns: columns, Key: key}
	second := &ranges.Table{Source: theirs.source, Name: theirs.is.TableName, Columns: columns, Key: key}
	r, err := ranges.Compare(ctx, digestKey, first, second)
	switch {
	case errors.Is(err, connect.ErrNoKey), errors.Is(err, connect.ErrNoColumn), errors.Is(err, connect.ErrInvalid):
		return nil, fault.Wrap(fault.Usage, err, "compare")
	case err != nil:
		return nil, databaseFault(err)
	}
	res := &compared{Equal: r.Equal(), Rows: r.Mine, OtherRows: r.Theirs, Columns: columns, Key: key, Narrowed: r.Narrowed, Differences: []different{}}
	for _, d := range r.Differences {
		res.Differences = append(res.Differences, different{After: d.Span.After, UpTo: d.Span.UpTo, Rows: d.Mine, Other: d.Theirs})
	}
	return res, nil
}

func (a *app) writeCompared(w io.Writer, r *compared) {
	if r.Equal {
		fmt.Fprintf(w, a.t("✓ 相同：%d 行，字段 %s\n", "✓ equal: %d rows, columns %s\n"), r.Rows, strings.Join(r.Columns, ", "))
		return
	}
	fmt.Fprintf(w, a.t("不同：%d 行与 %d 行，%d 个区间\n", "they differ: %d rows and %d, in %d ranges\n"), r.Rows, r.OtherRows, len(r.Differences))
	for _, d := range r.Differences {
		fmt.Fprintf(w, a.t("  %s 之后至 %s：%d 行与 %d 行\n", "  after %s up to %s: %d rows and %d\n"),
			keyWords(d.After, a.t("开头", "the beginning")), keyWords(d.UpTo, a.t("末尾", "the end")), d.Rows, d.Other)
	}
}

func keyWords(k connect.Row, none string) string {
	if k == nil {
		return none
	}
	var parts []string
	for _, v := range k {
		parts = append(parts, v.Text)
	}
	return strings.Join(parts, ", ")
}
