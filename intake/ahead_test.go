package intake

import (
	"fmt"
	"testing"
)

// TestAheadIsInOrder: each file gets the plan that MakePlan makes of it, in order, and
// who leaves the loop is not waited for by anybody.
func TestAheadIsInOrder(t *testing.T) {
	var paths []string
	for i := range 5 {
		paths = append(paths, list(t, 10*(i+1)))
	}
	paths[3] += ".gone"
	open := func(i int) (string, Options) { return paths[i], Options{} }
	at := 0
	for i, p := range Ahead(t.Context(), len(paths), open) {
		switch {
		case i != at:
			t.Errorf("%d in the place of %d", i, at)
		case (p.Err != nil) != (i == 3):
			t.Errorf("%d: %v", i, p.Err)
		case i != 3 && (p.Report.Entries != 10*(i+1) || p.Plan.Path != paths[i]):
			t.Errorf("%d: %s", i, fmt.Sprint(p.Report))
		}
		at++
	}
	if at != len(paths) {
		t.Errorf("%d of %d files", at, len(paths))
	}
	for i := range Ahead(t.Context(), len(paths), open) {
		if i == 1 {
			break
		}
	}
	for range Ahead(t.Context(), 0, open) {
		t.Error("a file of none")
	}
}
