package bench

import "testing"

// TestCatalogueMeasures: a small catalogue gives every figure of the contract, in order.
func TestCatalogueMeasures(t *testing.T) {
	r, err := Catalogue(t.Context(), Options{Dir: t.TempDir(), Entries: 500})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"entries_per_second", "bare_per_second", "ratio", "cpu_us_per_entry", "bare_cpu_us_per_row", "peak_mib", "disk_bytes_per_entry", "p50_ms", "p99_ms"}
	if len(r.Figures) != len(want) {
		t.Fatalf("%d figures: %+v", len(r.Figures), r.Figures)
	}
	for i, f := range r.Figures {
		if f.Name != want[i] || f.Value <= 0 {
			t.Errorf("figure %d: %+v, want %s", i, f, want[i])
		}
	}
	if r.Value("p99_ms") < r.Value("p50_ms") || r.Value("bare_per_second") < r.Value("entries_per_second") {
		t.Errorf("%+v", r.Figures)
	}
}
