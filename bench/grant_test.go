package bench

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// TestGrantTellsItsFigures runs the whole bench for a second: each figure is there, those of
// the contract first and in their order, and the folder is gone.
func TestGrantTellsItsFigures(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some twenty seconds")
	}
	dir := t.TempDir()
	r, err := Grant(t.Context(), Options{Dir: dir, Seconds: 1})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := r.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var figures map[string]float64
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &figures); err != nil {
		t.Fatal(err)
	}
	names := []string{
		"tps", "p50_ms", "p99_ms", "check_p95_ms", "check_p50_ms", "decide_p95_ms", "issue_ms", "present_ms", "verify_ms",
		"sm2_issue_ms", "sm2_present_ms", "sm2_verify_ms", "saturated_p50_ms", "saturated_p99_ms", "cpu_us_per_grant",
		"note_p50_ms", "note_p95_ms", "decide_p50_ms", "row_p50_ms", "row_p95_ms",
	}
	for i, name := range names {
		if i >= len(r.Figures) || r.Figures[i].Name != name || figures[name] <= 0 {
			t.Errorf("figure %d: %s is %v", i, name, figures[name])
		}
	}
	if figures["decide_p95_ms"] > figures["check_p95_ms"] {
		t.Errorf("the decision takes %v ms, the check that it is a part of %v", figures["decide_p95_ms"], figures["check_p95_ms"])
	}
	wantEmpty(t, dir)
}
