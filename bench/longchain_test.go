package bench

import "testing"

// TestLongChainMeasures runs the whole bench over a chain of 2,000 transactions: each figure
// of the contract is there, the killed process has lost nothing and the new node has the
// member's state (the run fails otherwise), and nothing is left behind.
func TestLongChainMeasures(t *testing.T) {
	dir := t.TempDir()
	r, err := LongChain(t.Context(), Options{Dir: dir, Transactions: 2000})
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"restart_seconds", "restart_killed_seconds", "member_peak_mib", "proof_make_p50_ms", "proof_make_p99_ms", "proof_verify_p50_ms", "proof_verify_p99_ms"} {
		if r.Figures[i].Name != name {
			t.Errorf("figure %d is %s, want %s", i, r.Figures[i].Name, name)
		}
	}
	for _, f := range r.Figures {
		if f.Value <= 0 {
			t.Errorf("%s is %v", f.Name, f.Value)
		}
	}
	if got := r.Value("transactions"); got != 2000 {
		t.Errorf("%v transactions", got)
	}
	for _, name := range []string{"sync_seconds", "sync_chunks", "snapshot_seconds", "disk_bytes_per_tx", "index_bytes_per_tx", "fill_peak_mib", "object_bytes", "access_bytes", "blocks"} {
		if r.Value(name) <= 0 {
			t.Errorf("%s is %v", name, r.Value(name))
		}
	}
	wantEmpty(t, dir)
}
