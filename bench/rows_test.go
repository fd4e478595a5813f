package bench

import (
	"context"
	"fmt"
	"os"
	"testing"

	"mulian/internal/fault"
)

// TestMain is the other process of a bench too: see [PartCommand].
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == PartCommand[0] && os.Args[2] == PartCommand[1] {
		profile := ""
		if len(os.Args) > 5 {
			profile = os.Args[5]
		}
		if err := RunGateway(context.Background(), os.Args[3], profile); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) > 3 && os.Args[1] == MemberCommand[0] && os.Args[2] == MemberCommand[1] {
		if err := RunMember(context.Background(), os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestDeliverAndQueryMeasure: both end with the figures that were promised, and with
// rows that are equal on both sides (Deliver would fail otherwise).
func TestDeliverAndQueryMeasure(t *testing.T) {
	for name, c := range map[string]struct {
		run   func(context.Context, Options) (Result, error)
		first []string // of the figures, in this order
		rows  int
	}{
		"deliver": {Deliver, []string{"rows_per_second", "copy_rows_per_second", "ratio", "peak_mib"}, 3000},
		"query":   {Query, []string{"per_second", "p99_added_ms"}, 500},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := c.run(t.Context(), Options{Rows: c.rows, Seconds: 1, SQLite: true})
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range c.first {
				if i >= len(r.Figures) || r.Figures[i].Name != want {
					t.Fatalf("figure %d is not %s: %v", i, want, r.Figures)
				}
			}
			if r.Figures[0].Value <= 0 {
				t.Errorf("nothing was measured: %v", r.Figures)
			}
		})
	}
}

// killedRows are enough that a fast machine is still in the middle at an eighth of them.
const killedRows = 400_000

// TestAKilledGatewayDeliversTheSame: either of the two dies in the middle, and both sides
// are equal afterwards (Deliver would fail otherwise).
func TestAKilledGatewayDeliversTheSame(t *testing.T) {
	for _, victim := range []string{"provider", "asker"} {
		t.Run(victim, func(t *testing.T) {
			r, err := Deliver(t.Context(), Options{Rows: killedRows, SQLite: true, Kill: victim})
			if err != nil {
				t.Fatal(err)
			}
			if at := r.Value("killed_at_rows"); at <= 0 || at >= killedRows {
				t.Errorf("killed at %v rows", at)
			}
			if r.Value("provider_peak_mib") <= 0 || r.Value("asker_peak_mib") <= 0 {
				t.Errorf("memory was not measured: %v", r.Figures)
			}
		})
	}
	if _, err := Deliver(t.Context(), Options{Kill: "both"}); !fault.Is(err, fault.Usage) {
		t.Errorf("kill both: %v", err)
	}
}

// TestDriftMeasures: both ways end with the figures that were promised.
func TestDriftMeasures(t *testing.T) {
	r, err := Drift(t.Context(), Options{Rows: 200, Seconds: 1})
	if fault.CodeOf(err) == fault.SourceUnreachable && os.Getenv("MULIAN_REQUIRE_SERVERS") != "1" {
		t.Skip("SKIP no postgres: " + err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ddl_to_ledger_p50_ms", "ddl_to_ledger_p95_ms", "rows_to_receiver_p50_ms", "rows_to_receiver_p95_ms"} {
		if r.Value(name) <= 0 {
			t.Errorf("%s was not measured: %v", name, r.Figures)
		}
	}
}

// TestRowsComeInAnyNumber: as many as were asked for, each under its key.
func TestRowsComeInAnyNumber(t *testing.T) {
	p := &sqlitePair{from: t.TempDir() + "/from.db", to: t.TempDir() + "/to.db"}
	if err := p.fill(t.Context(), 1234); err != nil {
		t.Fatal(err)
	}
	one, done, err := p.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	if err := one(t.Context(), 1234); err != nil {
		t.Error(err)
	}
	if err := one(t.Context(), 1235); err == nil {
		t.Error("a row that was not made is there")
	}
}
