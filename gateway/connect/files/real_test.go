package files

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mulian/gateway/connect"
	"mulian/gateway/connect/connecttest"
)

// realData finds the folder of published tables beside the repository.
func realData(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("MULIAN_SHARED")
	for at, err := os.Getwd(); dir == ""; at = filepath.Dir(at) {
		if err != nil || at == filepath.Dir(at) {
			t.Skip("SKIP no shared data: no go.mod above the test")
		}
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			dir = filepath.Join(filepath.Dir(at), "shared")
		}
	}
	dir = filepath.Join(dir, "data/databases/beijing")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("SKIP no shared data: no ../shared beside the repository and no MULIAN_SHARED")
	}
	return dir
}

// TestPublishedTablesAreRead: what districts publish as csv, of which some are workbooks.
// The figures were counted with other programs.
func TestPublishedTablesAreRead(t *testing.T) {
	from := realData(t)
	for name, rows := range map[string]int{
		"海淀区中关村高新技术企业库（截止2023年7月）.csv":    9_461,
		"内资企业设立登记公告数据 (1).csv":            8_376,
		"密云区应急管理局执法检查信息.csv":              4_270,
		"东城区科技型中小企业名单汇总信息（2022年度）(1).csv": 249,
		"市住房城乡建设委-新建商品房预售许可信息.csv":        6_960,
	} {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Logf("SKIP no shared data: %v", err)
			continue
		}
		files := map[string]string{"t.csv": string(text)}
		if strings.HasPrefix(string(text), "PK") { // a workbook, with a title above the header
			files["t.schema.json"] = `{"header":2}`
		}
		_, source := folder(t, files)
		schema, err := source.Inspect(t.Context())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		table := schema.Tables[0]
		if got := connecttest.All(t, source, connect.Selection{Table: table.TableName, Columns: connecttest.Names(table.Columns)}); len(got) != rows {
			t.Errorf("%s: %d rows, want %d", name, len(got), rows)
		}
	}
}
