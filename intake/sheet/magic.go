package sheet

import (
	"bytes"
	"strings"
	"unicode"

	"mulian/internal/fault"
)

// signatures are the first bytes of what people give a name ending in .csv or
// .xls. Workbooks and a zip of one file are read; the others are refused with what to do.
var signatures = []struct {
	kind  string
	bytes string
}{
	{"zip", "PK\x03\x04"},
	{"ole2", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"},
	{"pdf", "%PDF-"},
	{"rar", "Rar!\x1a"},
	{"7z", "7z\xbc\xaf\x27\x1c"},
	{"bzip2", "BZh"},
	{"xz", "\xfd7zXZ\x00"},
	{"zstd", "\x28\xb5\x2f\xfd"},
	{"image", "\x89PNG"},
	{"image", "\xff\xd8\xff"},
	{"sqlite", "SQLite format 3\x00"},
}

// magic names what the first bytes of a file say: zip, ole2, text, empty, or a kind
// that is refused. What a text is, kindOf says.
func magic(head []byte) string {
	if len(head) == 0 {
		return "empty"
	}
	for _, s := range signatures {
		if bytes.HasPrefix(head, []byte(s.bytes)) {
			return s.kind
		}
	}
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		return "text"
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return "binary"
	}
	return "text"
}

// refuse says what the file is and what to do with it.
func refuse(l Lang, name, kind string) error {
	var text string
	switch kind {
	case xmlText:
		text = l.Say("%s 是 XML 文件，但不是 RDF/XML（DCAT）：请从门户下载 csv、xlsx、JSON 或 RDF", "%s is XML, but no RDF/XML (DCAT): take the csv, xlsx, JSON or RDF of the same list", name)
	case "html":
		text = l.Say("%s 是网页：请在浏览器或 Excel 中打开后另存为 .xlsx，再导入", "%s is a web page: open it in Excel, save it as .xlsx, and import that", name)
	case "rar", "7z", "bzip2", "xz", "zstd":
		text = l.Say("%s 是 %s 压缩包：请先解开（gzip 可直接导入）", "%s is packed with %s: unpack it first (gzip is read as it is)", name, kind)
	case "sqlite":
		text = l.Say("%s 是 SQLite 数据库：请用 mulian source add 接入", "%s is a SQLite database: connect it with mulian source add", name)
	default:
		text = l.Say("%s 不是表格也不是 JSON（%s）", "%s is neither a table nor JSON (%s)", name, kind)
	}
	return fault.Newf(fault.Malformed, "%s", text)
}

// blankText reports whether nothing visible is in s. A zero-width space and the
// mark U+FEFF count as nothing: portals leave them in exported cells.
func blankText(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return !unicode.IsSpace(r) && r != '\u200b' && r != '\ufeff' && r != 0
	}) < 0
}
