package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"mulian/client"
	"mulian/client/keyring"
	"mulian/client/sentence"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/intake"
	"mulian/intake/filing"
	"mulian/intake/sheet"
	"mulian/internal/code"
	"mulian/internal/fault"
)

// importFlags are the choices of `catalogue import`.
type importFlags struct {
	encoding, sheet, kind, owner, duty, share, condition string
	level, region, source, codeTable, header             string
	columns, merge                                       []string
	problems, confirm                                    int
	register, part, withdraw, takeOver, revive, apart    bool
}

func (a *app) catalogueImport() *cobra.Command {
	var fl importFlags
	c := &cobra.Command{
		Use: "import FILE|FOLDER|-...",
		Short: a.t("导入目录、职责、事项、代码或机构清单（表格、JSON、RDF 及其 gz；格式与编码自动识别）",
			"import entries, duties, matters, codes or organisations (tables, JSON, RDF, gz of each; format and encoding found by itself)"),
		Long: a.t(`读取清单，逐条给出结论（可导入、存疑、拒绝、重复），什么也不会悄悄丢掉。--dry-run 不需要节点。
导入可以中断后继续；再导入一次不会改变任何东西，新版只提交变化。
导入只改清单写明的内容：清单没有的列、空着的格，账本上的照旧；本系统导出的各种格式原样导入不产生任何变更。
来源（--source，默认取自文件名）相同的新版所缺的目录只列出，加 --withdraw-missing 才撤销；缺得过多则整份暂缓，等待确认。
每个部门的目录由该部门的密钥签名；本机没有密钥的部门会列在报告里。账本上没有的单位暂缓，
或用 --register-owners 由主管部门代登记：代码以 `+filing.ProvisionalPrefix+` 开头，名称注明，密钥留在本机，待该单位入网后交接。
有暂缓或被账本拒绝的，退出状态为 1；0 表示可导入的都已在账本上。`,
			`Reads lists and gives every record its verdict (accepted, doubtful, rejected, duplicate); nothing is dropped silently.
--dry-run needs no node. An import that was stopped goes on; a second import changes nothing, a newer version sends its changes.
An import changes only what the list states: what it has no column for, or leaves empty, stays as the ledger has it; an export
of ours, in any format, comes back as no change.
What a newer version of the same source (--source, from the file's name if not given) lacks is listed, and withdrawn only with
--withdraw-missing; a list that lacks too much is held as a whole until that is confirmed.
Entries are signed with the key of their department; departments without a key here are named in the report. Owners that are
not on the ledger are held back, or registered by the authority with --register-owners: under a code that begins with
`+filing.ProvisionalPrefix+`, a name that says so, and a key that stays here until they come on board themselves.
The exit status is 1 when anything was held or refused by the ledger; 0 when all that could be accepted is on it.`),
		Example: `  mulian catalogue import 目录.xlsx --dry-run
  mulian catalogue import list.csv --owner 11110000000021928B --duty 综合管理 --map "数据集=name"
  mulian catalogue import portals/ --register-owners --share 1 --as 111100000000300011
  mulian catalogue import list.csv --merge "水務局=水务局" --merge "市水务局（本级）=水务局"
  curl -s https://data.example.org/data.json | mulian catalogue import - --source example --withdraw-missing`,
		Args: atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.runImport(cmd.Context(), args, fl) },
	}
	f := c.Flags()
	f.StringVar(&fl.encoding, "encoding", "", a.t("编码，默认自动识别", "encoding; default: found by itself"))
	f.StringVar(&fl.sheet, "sheet", "", a.t("工作表", "sheet of a workbook"))
	f.StringVar(&fl.header, "header", "", a.t("none：表格没有表头行，列名为 #1、#2……，用 --map \"#2=name\" 指定", "none: the table has no header row; its columns are #1, #2 …, named with --map \"#2=name\""))
	f.StringVar(&fl.kind, "kind", "", a.t("清单种类：entries duties matters codes organisations，默认由内容判断", "what the files list: entries duties matters codes organisations; default: from the content"))
	f.StringArrayVar(&fl.columns, "map", nil, a.t("表头对应，如 \"数据集=name\"，可重复", "header=field, may be repeated"))
	f.StringVar(&fl.owner, "owner", "", a.t("没有提供单位的记录归哪个部门（代码）", "organisation (code) for records without an owner"))
	f.StringArrayVar(&fl.merge, "merge", nil, a.t("提供单位的写法对应账本上的哪个单位，如 \"水務局=水务局\"（右边为名称或代码），可重复", "spelling=organisation on the ledger (its name or code) for an owner of the list; may be repeated"))
	f.StringVar(&fl.duty, "duty", "", a.t("没有写明职责的目录挂在哪条职责上（没有则登记）", "title of the duty for entries that name none; filed if it is not there"))
	f.StringVar(&fl.share, "share", "", a.t("没有写明共享类型的按哪一种", "share type for entries that state none"))
	f.StringVar(&fl.condition, "condition", "", a.t("配合 --share 有条件共享：共享范围", "with --share conditional: the scope"))
	f.StringVar(&fl.level, "level", "", a.t("没有写明级别的机构：国家级 省级 市级 县级", "level of organisations that state none: 国家级 省级 市级 县级 (1-4)"))
	f.StringVar(&fl.region, "region", "", a.t("没有写明区划的机构的行政区划代码", "region code of organisations that state none"))
	f.StringVar(&fl.source, "source", "", a.t("来源名，同一目录的各版相同；默认取自文件名，去掉日期", "label of the catalogue, the same for all its versions; default: the file's name without dates"))
	f.StringVar(&fl.codeTable, "code-table", "", a.t("代码清单属于哪个代码表（如 GB/T 2260），默认取自文件名", "id of the table that a list of codes belongs to, like GB/T 2260; default: the file's name"))
	f.BoolVar(&fl.register, "register-owners", false, a.t("代登记账本上没有的单位（--as 主管部门）", "register owners that are not on the ledger, provisionally (--as the authority)"))
	f.BoolVar(&fl.part, "part", false, a.t("只是该来源的部分清单：不比对缺失", "the list is a part of its source's: nothing is missing"))
	f.IntVar(&fl.confirm, "confirm-missing", 0, a.t("确认该来源确实少了这么多条", "confirm that the source lost so many entries"))
	f.BoolVar(&fl.withdraw, "withdraw-missing", false, a.t("撤销该来源新清单中已没有的目录", "withdraw what the source's list has no more"))
	f.BoolVar(&fl.takeOver, "take-over", false, a.t("别的来源导入过的目录改以本文件为准", "entries that another source brought follow this file from now on"))
	f.BoolVar(&fl.revive, "revive", false, a.t("已撤销的目录以新编号恢复", "bring withdrawn entries back, under a new id"))
	f.BoolVar(&fl.apart, "tell-apart", true, a.t("同一单位下名称相同而代码不同的，在名称后加上代码；=false 则拒绝后出现的", "put the code behind the name of entries of one owner and name, and codes that differ; =false rejects the later ones"))
	f.IntVar(&fl.problems, "problems", 20, a.t("每个文件列出多少条问题", "how many problems to list of each file"))
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

// order is what the flags say an import does.
func (fl importFlags) order() (o filing.Order, err error) {
	o = filing.Order{
		Owner: fl.owner, Duty: fl.duty, Register: fl.register, Part: fl.part, Confirm: fl.confirm, Withdraw: fl.withdraw,
		TakeOver: fl.takeOver, Revive: fl.revive,
	}
	for _, m := range fl.merge {
		spelling, owner, ok := strings.Cut(m, "=")
		if spelling, owner = strings.TrimSpace(spelling), strings.TrimSpace(owner); !ok || spelling == "" || owner == "" {
			return o, fault.Newf(fault.Usage, "--merge %q: \"A=B\"", m)
		}
		if o.Merge == nil {
			o.Merge = map[string]string{}
		}
		o.Merge[spelling] = owner
	}
	if fl.confirm < 0 || fl.part && (fl.withdraw || fl.confirm > 0) {
		return o, fault.Newf(fault.Usage, "--part --withdraw-missing --confirm-missing %d", fl.confirm)
	}
	if fl.share != "" {
		st, err := code.ShareTypes.Parse(fl.share)
		if err != nil {
			return o, fault.Newf(fault.Usage, "--share %q: 无条件共享, 有条件共享, 不予共享 (1 2 3)", fl.share)
		}
		if st == code.ShareDenied { // each would be refused: what is not shared names its law, one by one
			return o, fault.Newf(fault.Usage, "--share %q: what is not shared names law and article in the list; a flag cannot (order 809 art. 14)", fl.share)
		}
		o.ShareType = cataloguev1.ShareType(st)
		if fl.condition != "" {
			o.Conditions = &cataloguev1.ShareConditions{Scope: fl.condition}
		}
	}
	o.Profile, err = fl.profile()
	return o, err
}

// kinds are the values of --kind.
var kinds = []intake.Kind{intake.EntryList, intake.DutyList, intake.MatterList, intake.CodeList, intake.OrgList}

func (fl importFlags) kindOf() (intake.Kind, error) {
	for _, k := range kinds {
		if fl.kind == k.String() {
			return k, nil
		}
	}
	if fl.kind != "" {
		return 0, fault.Newf(fault.Usage, "--kind %q: entries, duties, matters, codes or organisations", fl.kind)
	}
	return 0, nil
}

func (a *app) sheetLang() sheet.Lang {
	if a.language() == sentence.Chinese {
		return sheet.Chinese
	}
	return sheet.English
}

// runImport judges every list first and then brings them to the ledger, those first
// that others rest on.
func (a *app) runImport(ctx context.Context, args []string, fl importFlags) error {
	opts := intake.Options{Lang: a.sheetLang(), Encoding: fl.encoding, Sheet: fl.sheet, TellApart: fl.apart, CodeTable: fl.codeTable, NoHeader: fl.header == "none"}
	var err error
	if fl.header != "" && fl.header != "none" {
		return fault.Newf(fault.Usage, "%s", a.t("--header 只能是 none", "--header can only be none"))
	}
	if opts.Kind, err = fl.kindOf(); err != nil {
		return err
	}
	if opts.Map, err = intake.ParseMap(opts.Lang, fl.columns); err != nil {
		return err
	}
	order, err := fl.order()
	if err != nil {
		return err
	}
	lists, done, err := a.findLists(args)
	defer done()
	if err != nil {
		return err
	}
	a.judge(ctx, lists, opts)
	if !a.dryRun {
		if err := a.applyAll(ctx, lists, order, fl); err != nil && ctx.Err() == nil {
			return err
		}
	}
	stopped := a.cutShort(ctx, lists)
	if err := a.showLists(lists, fl.problems); err != nil && stopped == nil {
		return err
	}
	if stopped != nil {
		return stopped
	}
	return a.endImport(lists)
}

// judge plans the lists, a few at once; what is wrong with one is its own.
func (a *app) judge(ctx context.Context, lists []*list, opts intake.Options) {
	lists = slices.DeleteFunc(slices.Clone(lists), func(l *list) bool { return l.Skipped != "" })
	seen := a.counted(a.t("已读", "read"))
	var mu sync.Mutex // guards seen and rows
	rows, done := make([]int, len(lists)), 0
	for i, p := range intake.Ahead(ctx, len(lists), func(i int) (string, intake.Options) {
		o := opts
		o.Progress = func(n int) {
			mu.Lock()
			defer mu.Unlock()
			done, rows[i] = done+n-rows[i], n
			seen.at(done)
		}
		return lists[i].file, o
	}) {
		l := lists[i]
		l.plan, l.Report, l.err = p.Plan, p.Report, p.Err
		if l.found && fault.Is(l.err, fault.Missing) { // a file that lies in the folder and is no list
			l.Skipped, l.err = l.err.Error(), nil
		}
		if l.err == nil && l.Report != nil && l.Path == stdin {
			l.Report.File = stdin
		}
	}
	mu.Lock()
	defer mu.Unlock()
	seen.end()
}

// applyAll sends the plans of all lists that could be read. The error is one that
// ends all of them.
func (a *app) applyAll(ctx context.Context, lists []*list, order filing.Order, fl importFlags) error {
	var ready []*list
	for _, l := range lists {
		if l.plan != nil {
			ready = append(ready, l)
		}
	}
	if len(ready) == 0 {
		return nil
	}
	cl, err := a.client()
	if err != nil {
		return err
	}
	desk := &filing.Desk{Client: cl, Keys: a.keys(), Lang: a.sheetLang(), Signer: func(ctx context.Context, account string) (client.Signer, error) {
		if account == a.authority() {
			return a.signerOn(ctx, cl, keyring.Officer, keyring.Root)
		}
		return a.signerOf(ctx, cl, account, keyring.Officer, keyring.Root)
	}, Authority: a.authority()}
	rank := map[intake.Kind]int{intake.OrgList: 1, intake.CodeList: 2, intake.DutyList: 3, intake.MatterList: 4, intake.EntryList: 5}
	slices.SortStableFunc(ready, func(x, y *list) int { return cmp.Compare(rank[x.plan.Kind], rank[y.plan.Kind]) })
	for _, l := range ready {
		order.Source = cmp.Or(fl.source, sourceName(l.Path))
		if ctx.Err() != nil {
			l.err = context.Cause(ctx) // stopped before its turn
			continue
		}
		a.applyOne(ctx, desk, l, order)
	}
	return nil
}

// applyOne sends one plan. What was sent is noted in a journal below the home, so
// that an import that was stopped goes on where it was.
func (a *app) applyOne(ctx context.Context, desk *filing.Desk, l *list, order filing.Order) {
	a.say("%s", a.reportLine(l.Report))
	if order.Journal, l.err = a.journalOf(l.Path); l.err != nil {
		return
	}
	p := a.progress(a.t("上链", "sending"), l.Accepted+l.Doubtful)
	order.Progress = func(done intake.Applied) {
		p.at(done.Sent + done.Unchanged + done.Resumed + done.Held + done.Refused + done.Out)
	}
	l.Applied, l.err = desk.Import(ctx, l.plan, order)
	p.end()
	if l.err != nil && !fault.Is(l.err, fault.PartialList) && l.Applied != nil {
		a.say("%s", a.t("同一条命令会从中断处继续", "the same command goes on from here"))
	}
}
