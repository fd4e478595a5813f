package bench

import (
	"context"
	"os"
	"testing"

	"mulian/internal/fault"
)

// TestStateMeasures: the figures that were promised, in their order, and a folder that is
// gone afterwards, also when it was stopped.
func TestStateMeasures(t *testing.T) {
	dir := t.TempDir()
	r, err := State(t.Context(), Options{Keys: 20_000, Seconds: 1, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"us_per_update", "cpu_us_per_update", "store_us_per_update"} {
		if i >= len(r.Figures) || r.Figures[i].Name != want || r.Figures[i].Value <= 0 {
			t.Fatalf("figure %d is not %s: %v", i, want, r.Figures)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := State(ctx, Options{Keys: 20_000, Dir: dir}); !fault.Is(err, fault.Cancelled) {
		t.Errorf("stopped: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
