package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/keyring"
	"mulian/client/sentence"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/intake"
	"mulian/intake/sheet"
	"mulian/internal/code"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// importFlags are the choices of `catalogue import`.
type importFlags struct {
	encoding, sheet, kind, owner, duty, share, condition string
	level, region                                        string
	columns                                              []string
	problems                                             int
}

func (a *app) catalogueImport() *cobra.Command {
	var fl importFlags
	c := &cobra.Command{
		Use:   "import FILE",
		Short: a.t("导入目录、职责或机构清单（csv、xlsx、json，编码自动识别）", "import entries, duties or organisations (csv, xlsx, json; encoding found by itself)"),
		Long: a.t(`读取清单，逐条给出结论（可导入、存疑、拒绝、重复），什么也不会悄悄丢掉。
--dry-run 不需要节点。导入可以中断后继续；再导入一次不会改变任何东西。
每个部门的目录由该部门的密钥签名；本机没有密钥的部门会列在报告里。`,
			`Reads a list and gives every record its verdict (accepted, doubtful, rejected, duplicate); nothing is dropped silently.
--dry-run needs no node. An import that was stopped goes on; a second import changes nothing.
Entries are signed with the key of their department; departments without a key here are named in the report.`),
		Example: `  mulian catalogue import 目录.xlsx --dry-run
  mulian catalogue import list.csv --owner 11110000000021928B --duty 综合管理 --map "数据集=name"`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.runImport(cmd.Context(), args[0], fl) },
	}
	f := c.Flags()
	f.StringVar(&fl.encoding, "encoding", "", a.t("编码，默认自动识别", "encoding; default: found by itself"))
	f.StringVar(&fl.sheet, "sheet", "", a.t("工作表", "sheet of a workbook"))
	f.StringVar(&fl.kind, "kind", "", a.t("清单种类：entries duties organisations，默认由表头判断", "what the file lists: entries duties organisations; default: from the headers"))
	f.StringArrayVar(&fl.columns, "map", nil, a.t("表头对应，如 \"数据集=name\"，可重复", "header=field, may be repeated"))
	f.StringVar(&fl.owner, "owner", "", a.t("没有提供单位的记录归哪个部门（代码）", "organisation (code) for records without an owner"))
	f.StringVar(&fl.duty, "duty", "", a.t("没有写明职责的目录挂在哪条职责上（没有则登记）", "title of the duty for entries that name none; filed if it is not there"))
	f.StringVar(&fl.share, "share", "", a.t("没有写明共享类型的按哪一种", "share type for entries that state none"))
	f.StringVar(&fl.condition, "condition", "", a.t("配合 --share 有条件共享：共享范围", "with --share conditional: the scope"))
	f.StringVar(&fl.level, "level", "", a.t("没有写明级别的机构：国家级 省级 市级 县级", "level of organisations that state none: 国家级 省级 市级 县级 (1-4)"))
	f.StringVar(&fl.region, "region", "", a.t("没有写明区划的机构的行政区划代码", "region code of organisations that state none"))
	f.IntVar(&fl.problems, "problems", 20, a.t("列出多少条问题", "how many problems to list"))
	return c
}

// profile is what --level and --region say of organisations whose line is silent.
func (fl importFlags) profile() (*identityv1.OrgProfile, error) {
	p := &identityv1.OrgProfile{Region: fl.region}
	if fl.level != "" {
		t, err := code.Tiers.Parse(fl.level)
		if err != nil {
			return nil, fault.Newf(fault.Usage, "--level %q: 国家级 省级 市级 县级 (1-4)", fl.level)
		}
		p.Level = identityv1.OrgLevel(t)
	}
	return p, nil
}

func (a *app) sheetLang() sheet.Lang {
	if a.language() == sentence.Chinese {
		return sheet.Chinese
	}
	return sheet.English
}

func (a *app) runImport(ctx context.Context, path string, fl importFlags) error {
	seen := a.counted(a.t("已读", "read"))
	opts := intake.Options{Lang: a.sheetLang(), Encoding: fl.encoding, Sheet: fl.sheet, Progress: seen.at}
	var err error
	if opts.Map, err = intake.ParseMap(opts.Lang, fl.columns); err != nil {
		return err
	}
	switch fl.kind {
	case "":
	case "entries":
		opts.Kind = intake.EntryList
	case "duties":
		opts.Kind = intake.DutyList
	case "organisations":
		opts.Kind = intake.OrgList
	default:
		return fault.Newf(fault.Usage, "--kind %q: entries, duties or organisations", fl.kind)
	}
	plan, report, err := intake.MakePlan(ctx, path, opts)
	seen.end()
	if err != nil {
		return err
	}
	if a.dryRun {
		return a.print(report, func(w io.Writer) { a.showReport(w, report, fl.problems) })
	}
	a.say("%s", reportLine(a, report))
	applied, err := a.apply(ctx, plan, report, fl)
	if applied != nil {
		both := struct {
			*intake.Report
			Applied *intake.Applied `json:"applied"`
		}{report, applied}
		if perr := a.print(both, func(w io.Writer) {
			a.showReport(w, report, fl.problems)
			a.showApplied(w, applied, fl.problems)
		}); perr != nil {
			return perr
		}
	}
	return err
}

func reportLine(a *app, r *intake.Report) string {
	return fmt.Sprintf(a.t("%s：%s %s，%d 行，%d 条：可导入 %d，存疑 %d，拒绝 %d，完全重复 %d", "%s: %s %s, %d rows, %d records: %d accepted, %d doubtful, %d rejected, %d exact repeats"),
		r.File, r.Format, r.Encoding, r.Rows, r.Entries, r.Accepted, r.Doubtful, r.Rejected, r.Duplicates)
}

func (a *app) showReport(w io.Writer, r *intake.Report, most int) {
	fmt.Fprintln(w, reportLine(a, r))
	a.showProblems(w, r.Problems, r.LeftOut, most)
}

func (a *app) showApplied(w io.Writer, p *intake.Applied, most int) {
	fmt.Fprintf(w, a.t("上链 %d，未变 %d，续传 %d，暂缓 %d，被拒 %d（%d 笔交易）\n", "on the chain %d, unchanged %d, resumed %d, held %d, refused %d (%d transactions)\n"),
		p.Sent, p.Unchanged, p.Resumed, p.Held, p.Refused, p.Batches)
	a.showProblems(w, p.Problems, p.LeftOut, most)
}

func (a *app) showProblems(w io.Writer, problems []intake.Problem, leftOut, most int) {
	for i, p := range problems {
		if i == most {
			leftOut += len(problems) - most
			break
		}
		where := fmt.Sprintf(a.t("第 %d 行", "line %d"), p.Line)
		if p.Line == 0 {
			where = a.t("全文件", "file")
		}
		if p.Field != "" {
			where += " " + p.Field
		}
		line := fmt.Sprintf("  %s  %s  %s", where, p.Code, p.Message)
		if p.Suggestion != "" {
			line += " → " + p.Suggestion
		}
		fmt.Fprintln(w, line)
	}
	if leftOut > 0 {
		fmt.Fprintf(w, a.t("  另有 %d 个问题（--problems 可多列，--json 全列）\n", "  and %d more (--problems lists more, --json all)\n"), leftOut)
	}
}

// apply sends a plan to the chain. What was sent is noted in a journal below the
// home, so that an import that was stopped goes on where it was.
func (a *app) apply(ctx context.Context, plan *intake.Plan, report *intake.Report, fl importFlags) (*intake.Applied, error) {
	cl, err := a.client()
	if err != nil {
		return nil, err
	}
	profile, err := fl.profile()
	if err != nil {
		return nil, err
	}
	t, err := a.target(ctx, cl, plan.Kind, fl, profile)
	if err != nil {
		return nil, err
	}
	if t.Journal, err = a.journalOf(plan.Path); err != nil {
		return nil, err
	}
	p := a.progress(a.t("上链", "sending"), report.Accepted+report.Doubtful)
	t.Progress = func(done intake.Applied) {
		p.at(done.Sent + done.Unchanged + done.Resumed + done.Held + done.Refused)
	}
	applied, err := intake.Apply(ctx, plan, t, importSender{a, cl, profile})
	p.end()
	return applied, err
}

// journalOf is where the import of a file notes how far it came. Two files of one
// name share it: the second then begins anew, and the ledger knows what it has.
func (a *app) journalOf(path string) (string, error) {
	dir := a.path("imports")
	if err := durable.MkdirPrivate(dir); err != nil {
		return "", fmt.Errorf("journal of the import: %w", err)
	}
	name := filepath.Base(path)
	if len(name) > 200 { // a file's name has at most 255 bytes
		sum := sm.SHA256([]byte(name))
		name = hex.EncodeToString(sum[:])
	}
	return filepath.Join(dir, name+".journal"), nil
}

// importSender signs each batch with the key of its organisation, if it is here.
type importSender struct {
	a       *app
	cl      *client.Client
	profile *identityv1.OrgProfile // for organisations that state less
}

func (s importSender) Send(ctx context.Context, b intake.Batch) error {
	if len(b.Orgs) > 0 {
		return s.orgs(ctx, b.Orgs)
	}
	signer, err := s.a.signerOf(ctx, s.cl, b.Org, keyring.Officer, keyring.Root)
	if fault.Is(err, fault.NotFound) {
		return fault.Newf(fault.OwnerUnclear, s.a.t("本机没有 %s 的密钥；由该部门自己导入，或把密钥放进 %s", "no key of %s here: that department imports its own part, or puts its key into %s"), b.Org, s.a.keys().Dir)
	}
	if err != nil {
		return err
	}
	if len(b.Duties) > 0 {
		_, err = s.cl.Send(ctx, signer, &cataloguev1.PutDuties{Duties: b.Duties})
		return err
	}
	_, err = s.cl.Send(ctx, signer, &cataloguev1.SubmitEntries{Entries: b.Entries})
	return err
}

// orgs registers organisations as --as, the authority, with keys made here.
func (s importSender) orgs(ctx context.Context, orgs []*identityv1.RegisterOrg) error {
	authority, err := s.a.signerOn(ctx, s.cl, keyring.Officer, keyring.Root)
	if err != nil {
		return err
	}
	var messages []proto.Message
	for i, o := range orgs {
		p := o.GetProfile()
		p.Level, p.Region = cmp.Or(p.GetLevel(), s.profile.GetLevel()), cmp.Or(p.GetRegion(), s.profile.GetRegion())
		if p.Level == 0 || p.Region == "" {
			return &fault.Fault{Code: fault.Missing, Item: int32(i + 1), Text: s.a.t("没有级别或区划：用 --level 和 --region 指定", "it states no level or no region: name them with --level and --region")}
		}
		if o.Keys, err = s.a.orgKeys(o.GetCode()); err != nil {
			return err
		}
		messages = append(messages, o)
	}
	_, err = s.cl.Send(ctx, authority, messages...)
	return err
}
