package intake

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mulian/internal/fault"
)

// TestWhatHelpsAgainstOneNameForTwo: --tell-apart is named only where it is off and the
// entries have codes.
func TestWhatHelpsAgainstOneNameForTwo(t *testing.T) {
	const bare = "资源名称,资源提供方,摘要\n水文,水务局,甲\n水文,水务局,乙\n"
	const coded = "资源名称,资源代码,资源提供方,摘要\n水文,A1,水务局,甲\n水文,A2,水务局,乙\n"
	for _, c := range []struct {
		list        string
		apart       bool
		wants, lack string
	}{
		{bare, true, "=code", "--tell-apart"},
		{bare, false, "=code", "--tell-apart"},
		{coded, false, "--tell-apart", "=code"},
	} {
		path := filepath.Join(t.TempDir(), "list.csv")
		if err := os.WriteFile(path, []byte(c.list), 0o600); err != nil {
			t.Fatal(err)
		}
		_, rep, err := MakePlan(t.Context(), path, Options{TellApart: c.apart})
		if err != nil || rep.Rejected != 1 {
			t.Fatalf("%+v, %v", rep, err)
		}
		found := false
		for _, p := range rep.Problems {
			if p.Code == fault.DuplicateName {
				found = true
				if !strings.Contains(p.Suggestion, c.wants) || strings.Contains(p.Suggestion, c.lack) {
					t.Errorf("tell apart %t: %s", c.apart, p.Suggestion)
				}
			}
		}
		if !found {
			t.Errorf("%v", rep.Problems)
		}
	}
}
