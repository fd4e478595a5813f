package bench

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"mulian/internal/fault"
)

// TestConsoleKeepsItsContract: a small settlement is made by the real rules, every list
// answers, the kept folder is opened again, and one of another size is refused.
func TestConsoleKeepsItsContract(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // without a browser: the lists alone
	t.Setenv("MULIAN_CHROMIUM", "")
	o := Options{Keep: filepath.Join(t.TempDir(), "kept"), Entries: 300, Records: 3000}
	r, err := Console(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"list_p95_ms", "list_8_p95_ms", "catalogue_p95_ms", "catalogue_8_p99_ms", "events_p50_ms", "map_p95_ms", "overview_anew_p50_ms", "peak_mib"} {
		if r.Value(name) <= 0 {
			t.Errorf("%s is %v", name, r.Value(name))
		}
	}
	if r.Value("records") < 3000 || r.Value("entries") < 300 || r.Value("list_p95_ms") < r.Value("catalogue_p95_ms") {
		t.Errorf("%+v", r.Figures)
	}
	var out bytes.Buffer
	if err := r.WriteJSON(&out); err != nil || !strings.Contains(out.String(), "no Chromium") || !strings.Contains(out.String(), `"chromium":0`) {
		t.Errorf("%v: %s", err, out.String())
	}
	var said bytes.Buffer
	o.Progress = &said
	if again, err := Console(t.Context(), o); err != nil || again.Value("entries") != r.Value("entries") || !strings.Contains(said.String(), "earlier run") {
		t.Errorf("again: %v\n%s", err, said.String())
	}
	o.Records++
	if _, err := Console(t.Context(), o); !fault.Is(err, fault.Usage) {
		t.Errorf("another size: %v", err)
	}
}
