package index

import (
	"slices"
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
)

// TestListOfManyByText: a list by words that many entries have is walked, and is the same, page
// by page, as the one that is sorted; few are left to that one, which an organisation narrows.
func TestListOfManyByText(t *testing.T) {
	x, entries := made(t, 7, 800)
	pages := func(f Filter, list func(Filter) ([]*cataloguev1.Entry, string, int64, error)) (ids []string, total int64) {
		for f.Kind = Entry; ; {
			page, next, n, err := list(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page {
				ids = append(ids, e.GetId())
			}
			if f.After, total = next, n; next == "" {
				return ids, total
			}
		}
	}
	sorted := func(f Filter) ([]*cataloguev1.Entry, string, int64, error) {
		f.NoFlag = true // none is locked
		return List[cataloguev1.Entry](t.Context(), x, f)
	}
	walked := func(f Filter) ([]*cataloguev1.Entry, string, int64, error) {
		return listed[cataloguev1.Entry](t.Context(), x, f, 50)
	}
	for _, text := range []string{"信息", "数据"} {
		want, n := pages(Filter{Text: text, Limit: 500}, sorted)
		for _, limit := range []uint32{7, 60, 500} {
			got, total := pages(Filter{Text: text, Limit: limit}, walked)
			if len(want) <= 50 || !slices.Equal(got, want) || total != n {
				t.Errorf("%q, %d a page: %d entries of %d, want %d of %d", text, limit, len(got), total, len(want), n)
			}
		}
		org := entries[slices.IndexFunc(entries, func(e *cataloguev1.Entry) bool { return e.GetId() == want[9] })].GetProvider()
		var of []string
		for _, e := range entries {
			if e.GetProvider() == org && slices.Contains(want, e.GetId()) {
				of = append(of, e.GetId())
			}
		}
		slices.Sort(of)
		if got, total := pages(Filter{Text: text, Org: org, Limit: 3}, sorted); !slices.Equal(got, of) || total != int64(len(of)) {
			t.Errorf("%q of %s: %v of %d, want %v", text, org, got, total, of)
		}
	}
	for _, f := range []Filter{{Text: "没有这种目录"}, {Text: entries[3].GetName()}, {Text: "、"}} {
		f.Kind = Entry
		if page, _, _, err := walked(f); page != nil || err != nil {
			t.Errorf("%q is walked: %d, %v", f.Text, len(page), err)
		}
	}
}
