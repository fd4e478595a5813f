package sheet

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// shared returns the path of a file of the real inputs, and skips the test where
// they are not there.
func shared(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("MULIAN_SHARED")
	if root == "" {
		dir, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				break
			}
			if dir == filepath.Dir(dir) {
				t.Fatal("no go.mod above the test")
			}
			dir = filepath.Dir(dir)
		}
		root = filepath.Join(filepath.Dir(dir), "shared")
	}
	path := filepath.Join(root, "data", filepath.FromSlash(name))
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		t.Skipf("SKIP no shared data: %s", name)
	}
	return path
}

// count reads the file to its end.
type count struct {
	records, broken, problems int
	first, last               Record
}

func readAll(t testing.TB, f *File) count {
	t.Helper()
	var c count
	for {
		rec, err := f.Next()
		if err == io.EOF {
			return c
		}
		if err != nil {
			t.Fatalf("after record %d, line %d: %v", c.records, c.last.Line, err)
		}
		if c.records == 0 {
			c.first = rec
		}
		c.records, c.last = c.records+1, rec
		c.problems += len(rec.Problems)
		if rec.Broken {
			c.broken++
		}
	}
}

// TestReadsWhatPortalsPublish holds format, encoding and number of records of
// real files against the figures that were counted when they were collected.
func TestReadsWhatPortalsPublish(t *testing.T) {
	for _, want := range []struct {
		file, format, shape, encoding string
		records, blank, problems      int
		first                         string // text of the second field of the first record
	}{
		{"catalogues/cn/beijing_catalogue_2021.json", "json", "objects", "utf-8", 1130, 0, 0, "环境与资源保护/特定区域环境保护"},
		{"catalogues/cn/guangxi_catalogue_2021.json", "json", "lines", "utf-8", 5411, 0, 0, "生态环境"},
		{"catalogues/tw/taipei_2018_big5.csv", "csv", "comma", "cp950", 1127, 0, 0, "臺北捷運車站無障礙設施異常公告"},
		{"catalogues/tw/data_gov_tw_list_2018.csv", "csv", "comma", "utf-8", 35955, 0, 0, "蒙藏補助團體私人情形季報表"},
		{"catalogues/tw/cities/14_taitung.csv", "csv", "comma", "utf-8", 500, 0, 0, "100年 臺東縣統計區死亡人口年齡與原住民別統計_二級發布區.csv"},
		{"catalogues/fr/datagouv_2019-06-13-14-09.jsonl.gz", "json", "lines", "utf-8", 108, 0, 0, ""},
		{"catalogues/us/omb_bureau_codes.csv", "csv", "comma", "utf-8", 368, 0, 0, "Senate"},
		{"matters/huairou_powers/区公安局行政处罚.csv", "csv", "comma", "gb18030", 1072, 1898, 0, ""},
		{"matters/huairou_powers/区气象局行政处罚.csv", "csv", "comma", "gb18030", 83, 103, 0, ""},
		{"databases/beijing/海淀区中关村高新技术企业库（截止2023年7月）.csv", "csv", "comma", "gb18030", 9461, 0, 0, ""},
		{"databases/beijing/市住房城乡建设委-新建商品房预售许可信息.csv", "csv", "comma", "utf-8", 6960, 0, 0, ""},
		{"databases/beijing/东城区科技型中小企业名单汇总信息（2022年度）(1).csv", "xlsx", "Sheet1", "utf-8", 249, 16130, 0, ""},
		{"databases/beijing/企业用户用气缴费信息.csv", "xlsx", "企业用户用气缴费信息", "utf-8", 1000, 0, 0, ""},
		{"databases/beijing/丰台区施工许可证信息.csv", "xls", "Sheet1", "utf-8", 134, 0, 0, "丰台区住房和城乡建设委员会"},
		{"databases/beijing/政府采购项目采购合同信息表.csv", "xls", "SQL Results", "utf-8", 1899, 0, 0, "DD23091813507820[20]"},
		{"catalogues/us/dol.data.json", "json", "dataset", "utf-8", 453, 0, 0, "public"},
		{"changes/gsa/gsa_2025-07-21_b3de34a.data.json.gz", "json", "dataset", "utf-8", 343, 0, 0, ""},
		{"catalogues/de/bremen-catalog.rdf.gz", "rdf/xml", "graph", "utf-8", 153, 0, 0, ""},
		{"catalogues/de/destatis-catalog.rdf.gz", "rdf/xml", "graph", "utf-8", 135, 0, 0, ""},
		{"matters/guangan_district_matters.js", "json", "script", "utf-8", 34, 0, 0, ""},
		{"dcat-ap/2.1.1/example1.nt", "turtle", "graph", "utf-8", 1, 0, 0, ""},
	} {
		t.Run(filepath.Base(want.file), func(t *testing.T) {
			f, err := Open(shared(t, want.file), Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			c := readAll(t, f)
			if f.Format != want.format || f.Shape != want.shape || f.Encoding != want.encoding {
				t.Errorf("read as %s, %s, %s; want %s, %s, %s", f.Format, f.Shape, f.Encoding, want.format, want.shape, want.encoding)
			}
			if c.records != want.records || f.Blank() != want.blank || c.broken != 0 || c.problems != want.problems {
				t.Errorf("%d records, %d blank, %d broken, %d problems; want %d, %d, 0, %d",
					c.records, f.Blank(), c.broken, c.problems, want.records, want.blank, want.problems)
			}
			if want.first != "" && c.first.Fields[1].Text != want.first {
				t.Errorf("first record says %q", c.first.Fields[1].Text)
			}
		})
	}
}
