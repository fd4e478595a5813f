package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/intake/export"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// exportFlags are the choices of `catalogue export`.
type exportFlags struct {
	format, org, output, base string
	states                    []string
}

func (a *app) catalogueExport() *cobra.Command {
	var fl exportFlags
	c := &cobra.Command{
		Use:   "export",
		Short: a.t("导出目录：xlsx、csv、json、DCAT-AP、ODCS、data.json", "export the catalogue: xlsx, csv, json, DCAT-AP, ODCS, data.json"),
		Long: a.t("把目录连同职责、系统、库表写成一个文件；同一高度的账本，不读别的。文件写完才换上，中断不留半个文件。\n各格式装不下什么：\n", "Writes the catalogue with its duties, systems and tables into one file, all of one height of the ledger. The file gets its name when it is whole.\nWhat a format cannot hold:\n") + a.lacks() +
			a.t("\n不指定 --state 时，xlsx、csv、json、odcs 含全部状态；dcat、datajson 面向公众，只含生效中的目录。", "\nWithout --state, xlsx, csv, json and odcs hold entries in every state; dcat and datajson are for the public and hold what is in force."),
		Example: `  mulian catalogue export --format xlsx -o 目录.xlsx
  mulian catalogue export --format dcat --org 11110000000021928B -o - | gzip > catalogue.jsonld.gz`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runExport(cmd.Context(), fl) },
	}
	f := c.Flags()
	f.StringVar(&fl.format, "format", "xlsx", a.t("格式：", "format: ")+formatNames())
	f.StringVar(&fl.org, "org", "", a.t("只导出一个部门（代码）", "one department only (code)"))
	f.StringArrayVar(&fl.states, "state", nil, a.t("只要这些状态，可重复：", "only these states, may be repeated: ")+strings.Join(entryStates(), " "))
	f.StringVarP(&fl.output, "output", "o", "", a.t("写到哪个文件，- 为标准输出；默认 catalogue 加后缀", "file to write, - for standard output; default: catalogue with the format's ending"))
	f.StringVar(&fl.base, "base", "", a.t("dcat：标识的开头，如 https://data.example.gov.cn/id/", "dcat: beginning of the identifiers, such as https://data.example.gov.cn/id/"))
	return c
}

// lacks is one line for each format.
func (a *app) lacks() string {
	var b strings.Builder
	for _, f := range export.Formats {
		fmt.Fprintf(&b, "  %-9s %s\n", f, a.t(f.Lacks()))
	}
	return b.String()
}

func formatNames() string {
	names := make([]string, len(export.Formats))
	for i, f := range export.Formats {
		names[i] = string(f)
	}
	return strings.Join(names, " ")
}

// entryStates are the names of the states of an entry, as --state takes them.
func entryStates() []string {
	values := cataloguev1.EntryState(0).Descriptor().Values()
	var out []string
	for i := 1; i < values.Len(); i++ {
		out = append(out, plain(values.Get(i)))
	}
	return out
}

// inForce are the states of what a public catalogue shows.
var inForce = []cataloguev1.EntryState{
	cataloguev1.EntryState_ENTRY_STATE_PUBLISHED, cataloguev1.EntryState_ENTRY_STATE_UPDATING,
	cataloguev1.EntryState_ENTRY_STATE_DRIFTED, cataloguev1.EntryState_ENTRY_STATE_SUSPENDED,
}

// wanted are the states that --state names, or those of the format; none = all.
func (fl exportFlags) wanted(f export.Format) ([]cataloguev1.EntryState, error) {
	if len(fl.states) == 0 {
		if f.Public() {
			return inForce, nil
		}
		return nil, nil
	}
	var out []cataloguev1.EntryState
	for _, name := range fl.states {
		at := slices.Index(entryStates(), strings.ToLower(name))
		if at < 0 {
			return nil, fault.Newf(fault.Usage, "--state %q: %s", name, strings.Join(entryStates(), ", "))
		}
		out = append(out, cataloguev1.EntryState(at+1))
	}
	return out, nil
}

func (a *app) runExport(ctx context.Context, fl exportFlags) error {
	format, err := export.Parse(fl.format)
	if err != nil {
		return err
	}
	states, err := fl.wanted(format)
	if err != nil {
		return err
	}
	if fl.output == "-" && a.json {
		return fault.Newf(fault.Usage, "%s", a.t("-o - 与 --json 不能同用：标准输出只有一个", "-o - and --json exclude each other: there is one standard output"))
	}
	cl, err := a.client()
	if err != nil {
		return err
	}
	src, err := a.source(ctx, cl, fl.org, states)
	if err != nil {
		return err
	}
	p := a.counted(a.t("已导出", "exported"))
	opts := export.Options{Lang: a.sheetLang(), Base: fl.base, Progress: p.at}
	if fl.output == "-" {
		_, err := export.Write(ctx, a.out, format, src, opts)
		p.end()
		return err
	}
	path := fl.output
	if path == "" {
		path = "catalogue" + format.Ending()
	}
	done, err := writeExport(ctx, path, format, src, opts)
	p.end()
	if err != nil {
		return err
	}
	return a.print(done, func(w io.Writer) {
		fmt.Fprintf(w, a.t("✓ %s：%d 条目录，%d 个信息项", "✓ %s: %d entries, %d items"), done.File, done.Entries, done.Items)
		if format == export.Native || format == export.Workbook {
			fmt.Fprintf(w, a.t("，%d 条职责，%d 个系统，%d 张库表", ", %d duties, %d systems, %d tables"), done.Duties, done.Systems, done.Tables)
		}
		fmt.Fprintf(w, a.t("；账本高度 %d，%.1f MB\n", "; height %d, %.1f MB\n"), done.Height, float64(done.Bytes)/1e6)
	})
}

// exported is the answer of `catalogue export`.
type exported struct {
	File   string        `json:"file"`
	Format export.Format `json:"format"`
	Height int64         `json:"height"`
	Bytes  int64         `json:"bytes"`
	export.Summary
}

func writeExport(ctx context.Context, path string, f export.Format, src export.Source, opts export.Options) (*exported, error) {
	done := &exported{File: path, Format: f, Height: src.Height}
	// The power fails here: the file at path is the old one, until the new one is whole.
	err := durable.ReplaceWith(path, 0o644, func(w io.Writer) error {
		var err error
		done.Summary, err = export.Write(ctx, w, f, src, opts)
		return err
	})
	if os.IsNotExist(err) || os.IsPermission(err) {
		return nil, fault.Wrap(fault.Inaccessible, err, "%s", path)
	}
	if err != nil {
		return nil, err
	}
	if st, err := os.Stat(path); err == nil {
		done.Bytes = st.Size()
	}
	return done, nil
}

// source reads the catalogue from the ledger's state at one height.
func (a *app) source(ctx context.Context, cl *client.Client, org string, states []cataloguev1.EntryState) (export.Source, error) {
	st, err := cl.Status(ctx)
	if err != nil {
		return export.Source{}, err
	}
	orgs, err := orgNames(ctx, cl)
	if err != nil {
		return export.Source{}, err
	}
	if _, ok := orgs[org]; org != "" && !ok {
		return export.Source{}, fault.Newf(fault.NotFound, a.t("没有机构 %s", "there is no organisation %s"), org)
	}
	of, tablesOf := "", ""
	if org != "" {
		of, tablesOf = org+":", org+"/"
	}
	h := st.GetHeight()
	return export.Source{
		Chain: st.GetChainId(), Height: h, At: time.UnixMilli(st.GetTimeMs()),
		Entries: objects(ctx, cl, "catalogue/entry/"+of, h, func(e *cataloguev1.Entry) bool { return len(states) == 0 || slices.Contains(states, e.GetState()) }),
		Duties:  objects(ctx, cl, "catalogue/duty/"+of, h, func(*cataloguev1.Duty) bool { return true }),
		Systems: objects(ctx, cl, "catalogue/system/"+of, h, func(*cataloguev1.System) bool { return true }),
		Tables:  objects(ctx, cl, "catalogue/table/"+tablesOf, h, func(*cataloguev1.Table) bool { return true }),
		Org:     func(code string) export.Org { return orgs[code] },
	}, nil
}

// objects are those under a prefix as they were at a height, page by page.
func objects[M any, P interface {
	*M
	proto.Message
}](ctx context.Context, cl *client.Client, prefix string, height int64, keep func(P) bool,
) iter.Seq2[P, error] {
	return func(yield func(P, error) bool) {
		for after := ""; ; {
			res, err := cl.Ledger.ListObjects(ctx, connect.NewRequest(&ledgerv1.ListObjectsRequest{Prefix: prefix, After: after, Limit: 500, Height: height}))
			if err != nil {
				yield(nil, wire.Fault(err))
				return
			}
			for _, o := range res.Msg.GetObjects() {
				after = o.GetKey()
				m := P(new(M))
				if err := proto.Unmarshal(o.GetValue(), m); err != nil {
					yield(nil, fault.Wrap(fault.Damaged, err, "%s", after))
					return
				}
				if keep(m) && !yield(m, nil) {
					return
				}
			}
			if !res.Msg.GetMore() || len(res.Msg.GetObjects()) == 0 {
				return
			}
		}
	}
}

// orgNames are the names of all organisations by their code.
func orgNames(ctx context.Context, cl *client.Client) (map[string]export.Org, error) {
	out := map[string]export.Org{}
	for after := ""; ; {
		res, err := cl.Identity.ListAccounts(ctx, connect.NewRequest(&identityv1.ListAccountsRequest{Kind: identityv1.AccountKind_ACCOUNT_KIND_ORG, After: after, Limit: 500}))
		if err != nil {
			return nil, wire.Fault(err)
		}
		for _, acc := range res.Msg.GetAccounts() {
			out[acc.GetId()] = export.Org{Name: acc.GetProfile().GetName(), NameEN: acc.GetProfile().GetNameEn()}
		}
		if after = res.Msg.GetNext(); after == "" {
			return out, nil
		}
	}
}
