package receipt

import (
	"path/filepath"
	"testing"

	tracev1 "mulian/gen/mulian/trace/v1"
)

// TestPlaces: each record names its own place, and each decision that of the one
// before it under its agreement, over a restart too.
func TestPlaces(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	log := open(t, dir)
	before := map[string]uint64{}
	check := func(e Entry) {
		t.Helper()
		if e.Record.GetPlace() != e.Index+1 {
			t.Errorf("record %d names the place %d", e.Index, e.Record.GetPlace())
		}
		ends := e.Record.GetOutcome() == tracev1.Outcome_OUTCOME_COMPLETED
		want := before[e.Record.GetAgreement()]
		if ends {
			want = 0
		}
		if e.Record.GetPrevious() != want {
			t.Errorf("record %d of %q: previous %d, want %d", e.Index, e.Record.GetAgreement(), e.Record.GetPrevious(), want)
		}
		if !ends && e.Record.GetAgreement() != "" {
			before[e.Record.GetAgreement()] = e.Record.GetPlace()
		}
	}
	for restart := range 2 {
		for _, agreement := range []string{"a", "b", "a", "", "b", "a"} {
			granted := &tracev1.AccessRecord{Agreement: agreement, Outcome: tracev1.Outcome_OUTCOME_GRANTED, Place: 77, Previous: 78}
			if agreement != "a" {
				e, err := log.Append(t.Context(), granted)
				if err != nil {
					t.Fatal(err)
				}
				check(e)
				continue
			}
			d, e, err := log.AppendWhole(t.Context(), granted, &tracev1.AccessRecord{Agreement: agreement, Outcome: tracev1.Outcome_OUTCOME_COMPLETED})
			if err != nil {
				t.Fatal(err)
			}
			check(d)
			check(e)
		}
		if restart == 0 {
			closeLog(t, log)
			log = open(t, dir)
		}
	}
	closeLog(t, log)
}

func closeLog(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
