package intake

import (
	"context"
	"slices"
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
)

// kept is a sender that keeps what it is sent.
type kept struct{ entries []*cataloguev1.Entry }

func (k *kept) Send(_ context.Context, b Batch) error {
	k.entries = append(k.entries, b.Entries...)
	return nil
}

// TestItemsAreLaidOnColumns: an entry whose table is on the ledger can be delivered
// after the import: its items lie on the columns of their technical names, each
// column under one item; what has no column stays unmapped.
func TestItemsAreLaidOnColumns(t *testing.T) {
	path := file(t, "list.csv", "资源名称,提供方,更新周期,库表,信息项名称,字段英文名称,数据类型\n"+
		"取水许可,水务局,每日,permit,许可证号,PERMIT_NO,字符\n"+
		"取水许可,水务局,每日,permit,取水量,volume,数字\n"+
		"取水许可,水务局,每日,permit,备注,remark,字符\n")
	p, _ := mustPlan(t, path, Options{})
	target := newChain(t).target()
	target.Table = func(org, text string) (string, bool) { return org + "/g/main:db." + text, text == "permit" }
	target.Columns = func(table string) []string { return []string{"permit_no", "volume", "owner"} }
	k := &kept{}
	mustApply(t, p, target, k)
	if len(k.entries) != 1 || k.entries[0].GetTable() != water+"/g/main:db.permit" {
		t.Fatalf("sent %v", k.entries)
	}
	var columns []string
	for _, it := range k.entries[0].GetItems() {
		columns = append(columns, it.GetColumn())
	}
	if want := []string{"permit_no", "volume", ""}; !slices.Equal(columns, want) {
		t.Errorf("items lie on %q, want %q", columns, want)
	}
}
