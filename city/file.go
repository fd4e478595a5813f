package city

import (
	"context"
	"encoding/csv"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"mulian/city/content"
	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake"
	"mulian/internal/code"
	"mulian/internal/durable"
	"mulian/internal/fault"
)

// catalogueFile is the planning commission's list, as its office keeps it.
const catalogueFile = "规划自然资源委-数据目录.csv"

// header is that of the forms made after the guide of 2017: one row for each item.
var header = []string{
	"资源名称", "资源代码", "提供单位", "资源摘要", "资源分类", "资源格式", "共享类型", "共享条件", "共享方式", "开放类型", "更新周期", "数据分级", "是否涉及个人信息", "对应职责", "所属系统", "库表",
	"信息项名称", "字段英文名称", "数据类型", "数据长度",
}

// writeCatalogue writes a department's entries as a file, with the byte order mark
// that spreadsheets want. An older one is replaced.
func writeCatalogue(path string, d *content.Department) error {
	if err := durable.MkdirPrivate(filepath.Dir(path)); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("\ufeff")
	w := csv.NewWriter(&b)
	if err := w.Write(header); err != nil {
		return err
	}
	for _, e := range d.Entries {
		local := strings.TrimPrefix(e.Id, d.Code+":")
		var methods []string
		for _, m := range e.Methods {
			methods = append(methods, code.Methods.ZH(code.Method(m)))
		}
		for _, it := range e.Items {
			technical, length := it.TechnicalName, ""
			if technical == "" {
				technical = it.Code
			}
			if it.Length > 0 {
				length = strconv.Itoa(int(it.Length))
			}
			if err := w.Write([]string{
				e.Name, local, d.Name, e.Abstract, e.Category, code.ResourceFormats.ZH(code.ResourceFormat(e.Format)),
				code.ShareTypes.ZH(code.ShareType(e.ShareType)), e.GetConditions().GetScope(), strings.Join(methods, "、"),
				code.OpenTypes.ZH(code.OpenType(e.OpenType)), code.UpdateCycles.ZH(code.UpdateCycle(e.UpdateCycle)), code.Grades.ZH(code.Grade(e.Grade)),
				code.Personals.ZH(code.Personal(e.Personal)), strings.Join(e.Duties, "、"), d.System.Name, e.Source, it.Name, technical, typeWords[it.Type], length,
			}); err != nil {
				return err
			}
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	return durable.ReplaceFile(path, []byte(b.String()), 0o600)
}

// typeWords are the field's words for our types of values.
var typeWords = map[string]string{"text": "字符型", "integer": "数字型", "decimal": "高精度型", "date": "日期型", "timestamp": "日期时间型", "boolean": "布尔型"}

// importCatalogue imports the planning commission's file as its officer would with
// mulian catalogue import.
func (s *story) importCatalogue(ctx context.Context) (int64, []string, error) {
	path := s.path(importDir, catalogueFile)
	if err := writeCatalogue(path, planning); err != nil {
		return 0, nil, err
	}
	plan, report, err := intake.MakePlan(ctx, path, intake.Options{})
	if err != nil {
		return 0, nil, err
	}
	if report.Rejected > 0 || report.Accepted == 0 {
		return 0, nil, fault.Newf(fault.Malformed, "%s: %d entries rejected, %d accepted: %v", path, report.Rejected, report.Accepted, report.Problems)
	}
	sender := &importer{City: s.City, department: planning}
	target := intake.Target{
		Org: func(name string) (string, bool) { return planning.Code, name == planning.Name },
		System: func(_, name string) (string, bool) {
			return planning.System.Id, name == planning.System.Name
		},
		Table: func(_, name string) (string, bool) { return tableID(planning, name), true },
		Known: func(id string) (intake.Standing, bool) { return s.standing(ctx, id) },
	}
	applied, err := intake.Apply(ctx, plan, target, sender)
	if err != nil {
		return 0, nil, err
	}
	if applied.Held+applied.Refused > 0 {
		return 0, nil, told(path, applied)
	}
	height, err := s.height(ctx, sender.receipt)
	return height, []string{
		fmt.Sprintf(s.tell.t("%s：%d 行，%d 条目录，逐条挂职责", "%s: %d rows, %d entries, each on a duty"), catalogueFile, report.Rows, report.Entries),
		fmt.Sprintf(s.tell.t("新增 %d，未变 %d，退回 %d", "new or changed %d, unchanged %d, rejected %d"), applied.Sent-sender.unchanged, applied.Unchanged+applied.Resumed+sender.unchanged, report.Rejected),
	}, err
}

func (c *City) standing(ctx context.Context, id string) (have intake.Standing, ok bool) {
	var e cataloguev1.Entry
	if found, err := c.chain.Get(ctx, "catalogue/entry/"+id, &e); err != nil || !found || len(e.GetContentHash()) != len(have.Content) {
		return have, false
	}
	return intake.Standing{Content: [32]byte(e.GetContentHash()), Origin: e.GetOrigin()}, true
}

// importer signs the batches of an import as its department.
type importer struct {
	*City
	department *content.Department
	receipt    *client.Receipt
	unchanged  int // sent, and there already: the file does not say on which columns they lie
}

// Send implements [intake.Sender]. An item lies on the column with its technical
// name, and rows are about whom their number names: the file has no columns of its own for that.
func (i *importer) Send(ctx context.Context, b intake.Batch) error {
	for _, e := range b.Entries {
		if e.Table == "" {
			continue
		}
		e.OwnerItem = ownerItem(e)
		if err := i.lay(ctx, e); err != nil {
			return err
		}
	}
	r, err := i.send(ctx, i.department, &cataloguev1.PutSystems{Systems: []*cataloguev1.System{i.department.System}}, &cataloguev1.SubmitEntries{Entries: b.Entries})
	if err == nil {
		i.receipt = r
	}
	return err
}

// lay puts an entry's items on the columns of its table. What the ledger has already
// stays: a steward may have moved an item when its column was renamed.
func (i *importer) lay(ctx context.Context, e *cataloguev1.Entry) error {
	table, was := &cataloguev1.Table{}, &cataloguev1.Entry{}
	if err := i.get(ctx, "catalogue/table/"+e.Table, table); err != nil {
		return err
	}
	known, err := i.chain.Get(ctx, "catalogue/entry/"+e.Id, was)
	if err != nil {
		return err
	}
	if known {
		i.unchanged++
	}
	laid := map[string]*cataloguev1.Item{}
	for _, it := range was.GetItems() {
		laid[it.GetCode()] = it
	}
	for _, it := range e.Items {
		if at := laid[it.Code]; at != nil {
			it.Column, it.PrimaryKey = at.Column, at.PrimaryKey
			continue
		}
		for _, c := range table.GetColumns() {
			if c.GetName() == it.TechnicalName {
				it.Column, it.PrimaryKey = c.GetName(), c.GetPrimaryKey()
			}
		}
	}
	return nil
}

// told is the fault of a file of ours that the ledger did not take whole: somebody
// has imported other content over the city's.
func told(path string, applied *intake.Applied) error {
	why := ""
	if len(applied.Problems) > 0 {
		p := applied.Problems[0]
		why = fmt.Sprintf("; line %d: %s", p.Line, p.Message)
	}
	return fault.Newf(fault.AlreadyExists, "%s: %d of its entries are held, %d refused%s; the story needs them as they were: begin with another --home", path, applied.Held, applied.Refused, why)
}
