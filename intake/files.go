package intake

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mulian/intake/sheet"
	"mulian/internal/fault"
)

// The files of an entry in our own tables (intake/export). A row of the form is an
// item, so its files stand elsewhere: in a workbook on a sheet of their own, a row for
// each, found by the entry's code; in csv, which has one sheet, in one cell as JSON.
//
//	目录  资源代码 … items          文件  资源代码  文件网址  文件标题 …
//	      1111…:permits  ◀──────────────  1111…:permits  https://…

// FilesSheets are the names of that sheet, in both languages, and FilesHeaders those of
// its columns: the code of the entry first, then the parts of a file.
var (
	FilesSheets  = [2]string{"文件", "Files"}
	FilesColumn  = [2]string{"文件（JSON）", "Files (JSON)"}
	FilesHeaders = []struct{ Part, ZH, EN string }{
		{"code", "资源代码", "Resource code"},
		{"url", "文件网址", "File address"},
		{"title", "文件标题", "File title"},
		{"format", "文件类型", "File type"},
		{"media", "文件媒体类型", "File media type"},
		{"bytes", "文件字节数", "File bytes"},
		{"modified", "文件更新日期", "File modified"},
		{"api", "是否接口", "Interface"},
	}
)

// shelf are the files of a workbook's own sheet.
type shelf struct {
	of   map[string][]map[string]string // by the code of the entry, at most maxResources+1 of each
	rows int
}

// filePart is the part of a file that a header of the sheet means; "" for none.
func filePart(header string) string {
	for _, h := range FilesHeaders {
		if k := headerKey(header); k == headerKey(h.ZH) || k == headerKey(h.EN) {
			return h.Part
		}
	}
	return ""
}

// readShelf reads the sheet of files of the plan's workbook; nil where there is none.
func (p *Plan) readShelf(f *sheet.File) (*shelf, error) {
	at := slices.IndexFunc(f.Sheets, func(name string) bool { return slices.Contains(FilesSheets[:], name) })
	if p.Kind != EntryList || f.Format != "xlsx" || at < 0 || f.Shape == f.Sheets[at] {
		return nil, nil
	}
	own, err := sheet.Open(p.Path, sheet.Options{Sheet: f.Sheets[at], Lang: p.opts.Lang, Known: func(s string) bool { return filePart(s) != "" }})
	if fault.Is(err, fault.Empty) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer own.Close()
	parts := map[string]bool{}
	for _, h := range own.Header {
		parts[filePart(h)] = true
	}
	if !parts["code"] || !parts["url"] { // a sheet of somebody else's that has the name
		return nil, nil
	}
	s := &shelf{of: map[string][]map[string]string{}}
	for {
		rec, err := own.Next()
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil {
			return nil, err
		}
		s.put(rec)
	}
}

func (s *shelf) put(rec sheet.Record) {
	parts := map[string]string{}
	for _, f := range rec.Fields {
		if p, text := filePart(f.Name), strings.TrimSpace(f.Text); p != "" && text != "" {
			parts[p] = text
		}
	}
	code := parts["code"]
	delete(parts, "code")
	if parts["api"] = ""; slices.ContainsFunc(rec.Fields, func(f sheet.Field) bool { return filePart(f.Name) == "api" && isYes(f.Text) }) {
		parts["api"] = "true"
	}
	s.rows++
	if len(s.of[code]) <= maxResources { // one more than the ledger takes tells that there are more
		s.of[code] = append(s.of[code], parts)
	}
}

// attach gives an entry its files of the sheet. taken counts them.
func (s *shelf) attach(r *record) (taken int) {
	if r.broken {
		return 0
	}
	r.seen[Resources] = FilesSheets[0]
	r.ownFiles = true
	files := s.of[r.text(Code)]
	if n := len(files); n > maxResources {
		r.moreFiles, files = n-maxResources, files[:maxResources]
	}
	for _, f := range files {
		r.files = append(r.files, f)
		for _, k := range slices.Sorted(maps.Keys(f)) {
			r.add(pairSum(k, f[k]))
		}
	}
	return len(files)
}

// tellShelf tells the files whose entry the list does not have.
func (p *Plan) tellShelf(rep *Report, taken int) {
	if p.shelf == nil || p.shelf.rows == taken {
		return
	}
	rep.add(sheet.Problem{
		Field: string(Resources), Code: fault.Doubtful,
		Message: p.opts.Lang.Say("“文件”表的 %d 行中有 %d 行没有导入：表中没有该代码的目录，或一条目录的文件过多",
			"of the %d rows of the sheet of files %d are not imported: no entry of the list has that code, or an entry has too many", p.shelf.rows, p.shelf.rows-taken),
		Suggestion: p.opts.Lang.Say("核对资源代码", "see whether the codes are right"),
	})
}

// packedFiles takes a cell that holds files as JSON; it reports whether it does.
func (s *sorter) packedFiles(r *record, name string, text string) bool {
	var list []map[string]any
	if json.Unmarshal([]byte(text), &list) != nil {
		return false
	}
	f := sheet.Field{Name: name}
	for _, o := range list {
		var one sheet.Field
		for _, k := range slices.Sorted(maps.Keys(o)) {
			switch v := o[k].(type) {
			case string:
				one.Parts = append(one.Parts, sheet.Field{Name: k, Text: v})
			case bool:
				one.Parts = append(one.Parts, sheet.Field{Name: k, Text: strconv.FormatBool(v)})
			case float64:
				one.Parts = append(one.Parts, sheet.Field{Name: k, Text: strconv.FormatFloat(v, 'f', -1, 64)})
			}
		}
		f.Parts = append(f.Parts, one)
	}
	if len(f.Parts) > 0 {
		s.putFiles(r, name, f)
	}
	r.ownFiles = headerKey(name) == headerKey(FilesColumn[0]) || headerKey(name) == headerKey(FilesColumn[1])
	return true
}
