package bench

import "testing"

// TestProofMeasures runs the whole bench over a small state: the figures are there,
// and what they promise of the size holds for one that is larger too.
func TestProofMeasures(t *testing.T) {
	r, err := Proof(t.Context(), Options{Dir: t.TempDir(), Entries: 2000})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"make_ms", "verify_ms", "bytes", "engine_ms", "duty_bytes", "entry_bytes", "duty_verify_cpu_us", "entry_verify_cpu_us", "transaction_bytes", "absence_bytes", "access_bytes", "changes_bytes", "checkpoint_bytes"} {
		if r.Value(name) <= 0 {
			t.Errorf("%s is %v", name, r.Value(name))
		}
	}
	if r.Value("bytes") != max(r.Value("duty_bytes"), r.Value("entry_bytes")) || r.Value("verify_ms") < r.Value("entry_verify_ms") {
		t.Errorf("what is told is not the worse kind: %+v", r.Figures)
	}
	for _, name := range []string{"transaction_bytes", "absence_bytes", "access_bytes", "checkpoint_bytes"} {
		if r.Value(name) > 16<<10 {
			t.Errorf("%s is %v", name, r.Value(name))
		}
	}
	if r.Value("changes_bytes") > 32<<10 {
		t.Errorf("%v bytes over sixteen changes of the validators", r.Value("changes_bytes"))
	}
	if r.Value("bytes") > 16<<10 || r.Figures[0].Name != "make_ms" || r.Figures[1].Name != "verify_ms" || r.Figures[2].Name != "bytes" {
		t.Errorf("%+v", r.Figures)
	}
}
