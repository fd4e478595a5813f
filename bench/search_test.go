package bench

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// TestSearchKeepsItsContract: every search of the load is answered, the figures of the
// contract come first, and the folder is gone.
func TestSearchKeepsItsContract(t *testing.T) {
	dir := t.TempDir()
	r, err := Search(t.Context(), Options{Dir: dir, Entries: 400})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := r.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	last := lines[len(lines)-1]
	var figures map[string]float64
	if err := json.Unmarshal([]byte(last), &figures); err != nil {
		t.Fatalf("%s: %v", last, err)
	}
	if !strings.HasPrefix(last, `{"entries":400,"p50_ms":`) || figures["p99_ms"] < figures["p50_ms"] || figures["p50_ms"] <= 0 || figures["bare_p50_ms"] <= 0 ||
		figures["disk_bytes_per_entry"] < 500 {
		t.Errorf("figures: %s", last)
	}
	if n := DiskBytes(dir); n != 0 {
		t.Errorf("%d bytes are left", n)
	}
}
