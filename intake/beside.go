package intake

import (
	"context"
	"slices"
	"strings"

	"mulian/intake/sheet"
	"mulian/internal/fault"
)

// A file may hold more than the list that is read: our own form has duties, systems and
// tables beside the entries, a workbook has other sheets. The duties of our own exports
// are planned with the entries, which hang on them, and are sent before them; of the rest
// the report says that it is not read.

// DutySheets are the names of the sheet of duties of our workbooks.
var DutySheets = [2]string{"职责", "Duties"}

// besideLists are the other lists of our own form.
var besideLists = []string{"systems", "tables"}

// Duties is the plan of the duties that the file holds beside its entries; nil if it
// holds none, or the kind of the list was named.
func (p *Plan) Duties() *Plan { return p.duties }

// besides looks at what the file holds beside the list that was read.
func (p *Plan) besides(ctx context.Context, f *sheet.File, rep *Report) error {
	var unread []string
	switch {
	case f.Format == "json" && p.native && p.Kind == EntryList:
		if err := p.planDuties(ctx, "", rep); err != nil {
			return err
		}
		for _, list := range besideLists {
			if p.holds(list) {
				unread = append(unread, list)
			}
		}
	case len(f.Sheets) > 1 && p.opts.Sheet == "":
		for _, name := range f.Sheets {
			if name != f.Shape && (p.shelf == nil || !slices.Contains(FilesSheets[:], name)) {
				unread = append(unread, name)
			}
		}
		if at := slices.IndexFunc(unread, func(n string) bool { return slices.Contains(DutySheets[:], n) }); at >= 0 && p.ours && p.Kind == EntryList {
			if err := p.planDuties(ctx, unread[at], rep); err != nil {
				return err
			}
			unread = slices.Delete(unread, at, at+1)
		}
	}
	if len(unread) == 0 {
		return nil
	}
	lang := p.opts.Lang
	told := sheet.Problem{
		Code:    fault.Doubtful,
		Message: lang.Say("文件中还有未读取的清单：%s", "the file holds lists that are not read: %s", briefly(unread)),
	}
	if len(f.Sheets) > 1 {
		told.Suggestion = lang.Say("其中有要导入的，用 --sheet 指定，再导入一次", "if one of them is to be imported: once more, with --sheet")
	}
	rep.add(told)
	return nil
}

// planDuties plans the duties; sheetName is that of a workbook's.
func (p *Plan) planDuties(ctx context.Context, sheetName string, rep *Report) error {
	if p.opts.Kind != 0 {
		return nil // entries alone were asked for
	}
	duties, own, err := MakePlan(ctx, p.Path, Options{Lang: p.opts.Lang, Encoding: p.opts.Encoding, Sheet: sheetName, Kind: DutyList})
	switch {
	case fault.Is(err, fault.Empty), fault.Is(err, fault.Missing):
		return nil // a list without any
	case err != nil:
		return err
	case own.Entries == 0:
		return nil
	}
	p.duties = duties
	rep.add(sheet.Problem{
		Code: fault.Doubtful, Field: string(Duties),
		Message: p.opts.Lang.Say("文件中另有 %d 条职责（拒绝 %d 条），先于目录导入", "the file holds %d duties as well (%d rejected); they are imported before the entries", own.Entries, own.Rejected),
	})
	for _, pr := range own.Problems {
		if own.Rejected > 0 || own.Doubtful > 0 {
			rep.add(sheet.Problem{Line: pr.Line, Field: strings.TrimSuffix("duties."+pr.Field, "."), Code: pr.Code, Message: pr.Message, Suggestion: pr.Suggestion})
		}
	}
	return nil
}

// holds reports whether a list of our own form has an element.
func (p *Plan) holds(list string) bool {
	f, err := sheet.Open(p.Path, sheet.Options{Encoding: p.opts.Encoding, List: list, Lang: p.opts.Lang})
	if err != nil {
		return false
	}
	defer f.Close()
	r, err := f.Next()
	return err == nil && !r.Broken && f.Shape == list
}
