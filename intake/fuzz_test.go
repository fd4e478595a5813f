package intake

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"mulian/internal/fault"
)

// FuzzPlan holds that no file makes a plan panic or end without a code, that every
// entry has one verdict, and that a second reading yields as many drafts.
func FuzzPlan(f *testing.F) {
	for _, seed := range []string{
		"资源名称,提供方\n水情,水务局\n", "职权名称,实施主体\n处罚,交通局\n", "机构名称,统一社会信用代码\n水务局,11110000000021928Y\n",
		"{\"name\":\"a\",\"info\":\"资源名称\\t水情#资源所有权单位\\t水务局#更新周期 每日\"}\n{\"name\":\"b\",\"info\":{\"来源部门\":\"更新频率\",\"x\":\"描述\"}}",
		"[{\"title\":\"a\",\"organization\":{\"title\":\"b\"},\"resources\":[{\"format\":\"CSV\"}]}]", "信息资源名称,信息项名称,数据类型\na,b,c\n,d,e\n",
		"{\"name\":\"\xff\",\"abstract\":\"a\xffb\"}", "资源名称,提供方,资源代码\n水\xff情,水务局,\xff1\n",
		"{\"dataset\":[{\"title\":\"a\",\"publisher\":{\"name\":\"b\"},\"keyword\":[\"k\"],\"modified\":\"R/P1D\",\"distribution\":[{\"accessURL\":\"http://x\"}],\"contactPoint\":{\"fn\":\"x\"}}]}",
		"const a=[{\"department\":\"局\",\"items\":[{\"main_item\":\"x\",\"sub_items\":[{\"name\":\"a\",\"link\":\"http://x?itemCode=%ff&taskType=1&deptCode=11511301008778183N\"}]}]}];",
		"code,name,cityCode\n1101,北京,11\n2.02E+17,x,\n", "A Name,B Name,A Code,B Code\na,b,1,2\na,c,1,3\n", "政务服务事项名称,实施主体,实施编码,申请材料\n备案,局,A1,身份证、照片\n",
		"水务局,河湖水情信息,2020-12-31\n水务局,水库水情,2020-12-30\n",
		"@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> . [] a dcat:Dataset ; dct:title \"x\" ; dcat:distribution [ dcat:accessURL <http://x> ] .",
		"{\"@context\":{\"@vocab\":\"http://www.w3.org/ns/dcat#\"},\"@graph\":[{\"@type\":\"Dataset\",\"http://purl.org/dc/terms/title\":\"x\"}]}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 1<<16 {
			return
		}
		path := filepath.Join(t.TempDir(), "list")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		p, r, err := MakePlan(context.Background(), path, Options{})
		if err != nil {
			if c := fault.CodeOf(err); c == fault.Internal {
				t.Fatalf("no code: %v", err)
			}
			return
		}
		n := 0
		if err := p.Each(context.Background(), func(d *Draft) error {
			if n++; d.Local == "" {
				t.Fatalf("draft of line %d without a code", d.Line)
			}
			if _, err := contentOf(d.message()); err != nil {
				t.Fatalf("line %d cannot be sent: %v", d.Line, err)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if r.Accepted+r.Rejected+r.Doubtful+r.Duplicates != r.Entries || n != r.Accepted+r.Doubtful {
			t.Fatalf("%+v, %d drafts", r, n)
		}
	})
}
