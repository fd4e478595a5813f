package audit

import (
	"os"
	"path/filepath"
	"testing"

	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
)

// TestMemory: what is remembered of a gateway comes back, is nobody else's to read, and is
// refused when it is of another chain or damaged.
func TestMemory(t *testing.T) {
	a := &Auditor{cfg: Config{Store: filepath.Join(t.TempDir(), "store")}, genesis: "aa"}
	const gateway = "11110000MULN00002P/g/main"
	m, err := a.remember(gateway)
	if err != nil || m.Size != 0 || m.Agreements == nil {
		t.Fatalf("never seen: %+v, %v", m, err)
	}
	m.Size, m.Scanned, m.Checkpoint, m.Placed = 9, 7, []byte("note"), true
	m.Agreements["x"] = numbers{Last: 3, Place: 5, Granted: 2, Refused: 1}
	if err := a.keep(m); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(a.memoryPath(gateway))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	back, err := a.remember(gateway)
	if err != nil || back.Size != 9 || back.Scanned != 7 || back.Agreements["x"] != m.Agreements["x"] || !back.Placed {
		t.Errorf("%+v, %v", back, err)
	}
	a.genesis = "bb"
	if _, err := a.remember(gateway); !fault.Is(err, fault.WrongChain) {
		t.Errorf("of another chain: %v", err)
	}
	a.genesis = "aa"
	if err := os.WriteFile(a.memoryPath(gateway), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := a.remember(gateway); !fault.Is(err, fault.Damaged) {
		t.Errorf("damaged: %v", err)
	}
	a.cfg.Store = ""
	if m, err = a.remember(gateway); err != nil || m.Size != 0 || a.keep(m) != nil {
		t.Errorf("without a store: %+v, %v", m, err)
	}
}

// TestWhatDiffers says in what the log's record is not that of the receipt.
func TestWhatDiffers(t *testing.T) {
	have := &tracev1.AccessRecord{Agreement: "x", Seq: 1, Outcome: tracev1.Outcome_OUTCOME_COMPLETED, Rows: 1}
	for want, r := range map[string]*tracev1.AccessRecord{
		"access 2 of agreement x":               {Agreement: "x", Seq: 2},
		"OUTCOME_FAILED":                        {Agreement: "x", Seq: 1, Outcome: tracev1.Outcome_OUTCOME_FAILED},
		"2 rows, 0 bytes; the receipt has 1, 0": {Agreement: "x", Seq: 1, Outcome: have.Outcome, Rows: 2},
		"the same numbers, other fields":        {Agreement: "x", Seq: 1, Outcome: have.Outcome, Rows: 1, Purpose: "p"},
	} {
		raw, err := canon.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := differ(raw, have); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := differ([]byte{0xff}, have); got != "no record" {
		t.Errorf("%q", got)
	}
}
