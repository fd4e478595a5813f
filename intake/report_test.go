package intake

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"mulian/intake/sheet"
	"mulian/internal/fault"
)

// TestEqualProblemsAreOne: a list of codes that all have the same thing wrong with them is
// told in one problem, with how many there are and where they begin.
func TestEqualProblemsAreOne(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("代码,名称\n")
	for i := range 300 {
		fmt.Fprintf(&b, "%d.02E+17,名称 %d\n", 1+i%9, i)
	}
	_, r := mustPlan(t, file(t, "gbt.csv", b.String()), Options{Lang: sheet.English, Kind: CodeList})
	got := Group(r.Problems)
	lines := 0
	for _, g := range got {
		if g.Line > 0 && (g.Count < 1 || g.Lines[0] != g.Line || len(g.Lines) > mostLines) {
			t.Errorf("%+v", g)
		}
		lines += g.Count
	}
	if len(got) > 20 || lines < 300 || lines > len(r.Problems) {
		t.Errorf("%d problems are %d, of %d lines", len(r.Problems), len(got), lines)
	}
	whole := Group([]Problem{{Code: fault.Doubtful, Message: "a"}, {Code: fault.Doubtful, Message: "a"}})
	if len(whole) != 2 || whole[0].Count != 0 {
		t.Errorf("of the file as a whole: %+v", whole)
	}
	raw, err := json.Marshal(whole[0])
	if err != nil || strings.Contains(string(raw), "count") {
		t.Errorf("%s, %v", raw, err)
	}
}
