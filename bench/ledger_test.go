package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"mulian/internal/fault"
)

// TestLedgerTellsItsFigures runs the whole bench for a second: each figure of the
// contract is there, in its place, and above zero, and the folder is gone.
func TestLedgerTellsItsFigures(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some ten seconds")
	}
	dir := t.TempDir()
	r, err := Ledger(t.Context(), Options{Dir: dir, Seconds: 1, Validators: 2, Flood: true})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := r.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	last := lines[len(lines)-1]
	if !strings.HasPrefix(last, `{"tps":`) {
		t.Errorf("the last line is %s", last)
	}
	var figures map[string]float64
	if err := json.Unmarshal([]byte(last), &figures); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tps", "p50_ms", "p99_ms", "engine_tps", "ratio", "disk_bytes_per_tx", "cpu_us_per_tx", "peak_mib", "paced_p50_ms", "paced_p99_ms", "busy_p50_ms", "busy_p99_ms", "half_p50_ms", "half_p99_ms", "calm_p99_ms", "flooded_p99_ms", "flood_tps"} {
		if figures[name] <= 0 {
			t.Errorf("%s is %v", name, figures[name])
		}
	}
	if figures["p99_ms"] < figures["p50_ms"] {
		t.Errorf("p99 %v is below p50 %v", figures["p99_ms"], figures["p50_ms"])
	}
	wantEmpty(t, dir)
}

// TestStoppedLedgerLeavesNothing: Ctrl-C in the middle.
func TestStoppedLedgerLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	if _, err := Ledger(ctx, Options{Dir: dir, Seconds: 30}); !fault.Is(err, fault.Cancelled) {
		t.Errorf("stopped with %v", err)
	}
	wantEmpty(t, dir)
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestPercentilesAreOfNearestRank(t *testing.T) {
	var times Times
	if times.Percentile(99) != 0 {
		t.Error("a percentile of nothing")
	}
	for n := 200; n > 0; n-- {
		times.Add(time.Duration(n))
	}
	for p, want := range map[float64]time.Duration{0: 1, 0.5: 1, 50: 100, 99: 198, 99.5: 199, 100: 200} {
		if got := times.Percentile(p); got != want {
			t.Errorf("p%v is %d, want %d", p, got, want)
		}
	}
}

func TestNumbersHaveTheDigitsThatMeanSomething(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 8123: "8123", 8123.4: "8123", 0.12345: "0.1235", 9.87654: "9.877", 45.678: "45.7", -0.5: "-0.5000"} {
		if got := number(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}

func TestTextHasEveryFigure(t *testing.T) {
	r := Result{Bench: "x", Figures: []Figure{{Name: "tps", Value: 1, Unit: "tx/s", Goal: "≥ 2"}, {Name: "ratio", Value: 0.5}}, Notes: []string{"how"}}
	var out bytes.Buffer
	if err := r.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"tps", "≥ 2", "0.5000", "how"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	if r.Value("ratio") != 0.5 || r.Value("none") != 0 {
		t.Error("Value")
	}
}
