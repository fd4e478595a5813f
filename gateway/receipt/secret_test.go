package receipt

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	identityv1 "mulian/gen/mulian/identity/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/secrecy"
	"mulian/internal/sm"
)

// secretly opens a log in which the accesses under agreement s are secret.
func secretly(t *testing.T, dir string, s *tracev1.Secrecy) *Log {
	t.Helper()
	cfg := config(t, dir)
	cfg.Secrecy = func(_ context.Context, agreement string) (*tracev1.Secrecy, error) {
		switch {
		case agreement != "s":
			return nil, nil
		case s == nil:
			return nil, fault.Newf(fault.StaleHeight, "the ledger is out of sight")
		}
		return s, nil
	}
	l, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func order(t *testing.T) (*tracev1.Secrecy, sm.PrivateKey) {
	k, err := sm.Generate(sm.P256)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UnixMilli()
	return &tracev1.Secrecy{Agreement: "s", Orders: []*tracev1.SecrecyOrder{{
		Number: 1, FromMs: now - 1000, UntilMs: now + 3_600_000, UnsealMs: now + 7_200_000,
		ReaderKey: &identityv1.Key{Id: k.Public().ID(), Algorithm: identityv1.KeyAlgorithm_KEY_ALGORITHM_P256, PublicKey: k.Public().Bytes()},
	}}}, k
}

// leafOf is a record as it stands in the log.
func leafOf(t *testing.T, e Entry) *tracev1.AccessRecord {
	t.Helper()
	r := &tracev1.AccessRecord{}
	if err := proto.Unmarshal(e.Raw, r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestSecretRecords: while an order holds, decision and end stand in the log without
// content, under their numbers and places; this gateway still knows them, also after a
// start; what it publishes is what was sealed, and counted.
func TestSecretRecords(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	s, reader := order(t)
	l := secretly(t, dir, s)
	add(t, l, record("open", granted))
	d, e, err := l.AppendWhole(t.Context(), record("s", granted), record("s", completed))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []Entry{d, e} {
		leaf := leafOf(t, x)
		if bytes.Contains(x.Raw, []byte("排水许可审批")) || bytes.Contains(x.Raw, []byte("project")) || leaf.Seq != 1 || leaf.Place != x.Index+1 || leaf.AtMs == 0 || leaf.GetSealed().GetOrder() != 1 {
			t.Errorf("in the log: %v", leaf)
		}
		if x.Record.Purpose != "排水许可审批" || x.Record.Place != x.Index+1 || x.Opening == nil {
			t.Errorf("for the gateway: %v", x.Record)
		}
		if got, _, err := secrecy.OpenBox(reader, leaf); err != nil || got.Purpose != "排水许可审批" {
			t.Errorf("for the reader: %v, %v", got, err)
		}
	}
	// The order ends, and the gateway starts again: the end of an access that was sealed is.
	granted2 := add(t, l, record("s", granted))
	s.Orders[0].UntilMs = time.Now().UnixMilli() - 1
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = secretly(t, dir, s)
	back, err := l.Record(granted2.Index)
	if err != nil || back.Record.Purpose != "排水许可审批" {
		t.Fatal(back.Record, err)
	}
	end := proto.CloneOf(back.Record)
	end.Outcome, end.AtMs = completed, 0
	if e := add(t, l, end); leafOf(t, e).GetSealed().GetOrder() != 1 || leafOf(t, e).Purpose != "" {
		t.Errorf("the end of a secret access: %v", leafOf(t, e))
	}
	if e := add(t, l, record("s", granted)); leafOf(t, e).Sealed != nil {
		t.Error("after the order records are sealed")
	}
	if got := l.Secrets(); len(got) != 4 || got[0] != (Secret{Place: 2, Agreement: "s", Order: 1}) {
		t.Fatalf("%v", got)
	}
	p, err := l.Publish(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	pub := leafOf(t, p)
	if whole, err := secrecy.Open(leafOf(t, d), pub.GetSealed().GetOpening()); err != nil || whole.Purpose != "排水许可审批" || pub.Outcome != opened || pub.Seq != 1 || pub.GetSealed().GetOpening().GetPlace() != 2 {
		t.Errorf("published %v: %v, %v", pub, whole, err)
	}
	if _, err := l.Publish(t.Context(), 2); !fault.Is(err, fault.NotFound) {
		t.Errorf("twice: %v", err)
	}
	if _, err := l.Publish(t.Context(), 1); !fault.Is(err, fault.NotFound) {
		t.Errorf("not sealed: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = secretly(t, dir, s)
	if got := l.Secrets(); len(got) != 3 {
		t.Errorf("%v", got)
	}
	ranges, counts, end2, err := l.ranges(0, l.Size())
	if err != nil || end2 != l.Size() || len(ranges) != 2 || ranges[1].Last != 3 || len(counts) != 1 || counts[0].Sealed != 4 || counts[0].Opened != 1 {
		t.Errorf("%v, %v, %d, %v", ranges, counts, end2, err)
	}
	sameWithoutMemory(t, l)
}

// sameWithoutMemory holds that an anchor says the same whether the log remembers the
// records, reads all of them, or reads those that it has forgotten.
func sameWithoutMemory(t *testing.T, l *Log) {
	t.Helper()
	recent, size := l.recent, l.Size()
	if uint64(len(recent)) != size {
		t.Fatalf("%d of %d records are remembered", len(recent), size)
	}
	for from := range size {
		wantRanges, wantCounts, wantEnd, wantErr := l.ranges(from, size)
		for kept := range recent {
			l.recent = recent[len(recent)-kept:]
			ranges, counts, end, err := l.ranges(from, size)
			same := slices.EqualFunc(ranges, wantRanges, func(x, y *tracev1.Range) bool { return proto.Equal(x, y) }) &&
				slices.EqualFunc(counts, wantCounts, func(x, y *tracev1.SecrecyCount) bool { return proto.Equal(x, y) })
			if !same || end != wantEnd || fault.CodeOf(err) != fault.CodeOf(wantErr) {
				t.Errorf("from %d with %d remembered: %v, %v, %d, %v; want %v, %v, %d, %v", from, kept, ranges, counts, end, err, wantRanges, wantCounts, wantEnd, wantErr)
			}
			l.recent = recent
		}
	}
}

// TestFlippedOpening: a bit that flipped in an opening costs none that follows: the log is
// not opened, and nothing of the file is cut, as long as one of them is needed. What is cut
// in the end is set aside.
func TestFlippedOpening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	s, _ := order(t)
	l := secretly(t, dir, s)
	for range 5 {
		add(t, l, record("s", granted))
	}
	second := l.kept[2][0]
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "openings")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(whole)
	bad[second+frameHead+20] ^= 4
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		notOpened(t, dir, "mulian gateway restore")
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, bad) {
			t.Fatalf("%d of %d bytes are left, %v", len(now), len(bad), err)
		}
	}
	torn := append(bytes.Clone(whole), whole[:second/2]...)
	if err := os.WriteFile(path, torn, 0o600); err != nil {
		t.Fatal(err)
	}
	l = secretly(t, dir, s)
	for place := range uint64(5) {
		if _, err := l.Publish(t.Context(), place+1); err != nil {
			t.Error(err)
		}
	}
	asides, err := filepath.Glob(path + ".cut-*")
	if err != nil || len(asides) != 1 {
		t.Fatal(asides, err)
	}
	if cut, err := os.ReadFile(asides[0]); err != nil || !bytes.Equal(cut, torn[len(whole):]) {
		t.Errorf("%d bytes are set aside, %d were cut, %v", len(cut), len(torn)-len(whole), err)
	}
}

// TestSecrecyFailsClosed: where nobody can tell whether a decision is secret it is not
// logged, and so nothing released; the end of one in the clear is.
func TestSecrecyFailsClosed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l := secretly(t, dir, &tracev1.Secrecy{})
	g := add(t, l, record("s", granted))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = secretly(t, dir, nil)
	if _, err := l.Append(t.Context(), record("s", granted)); !fault.Is(err, fault.StaleHeight) {
		t.Errorf("a decision: %v", err)
	}
	end := proto.CloneOf(g.Record)
	end.Outcome, end.AtMs = completed, 0
	add(t, l, end)
	if l.Size() != 2 {
		t.Errorf("%d records", l.Size())
	}
}

// TestLostOpenings: power fails after an opening was written and before its record, and
// its place is taken by another; and openings may be lost. The log is what it was.
func TestLostOpenings(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	s, _ := order(t)
	l := secretly(t, dir, s)
	add(t, l, record("s", granted))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	other := secretly(t, filepath.Join(t.TempDir(), "other"), s)
	add(t, other, record("s", granted))
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	stray, err := os.ReadFile(filepath.Join(other.cfg.Dir, "openings"))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(filepath.Join(dir, "openings"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		file  []byte
		whole bool
	}{
		"a stray one before": {append(bytes.Clone(stray), kept...), true},
		"a stray one behind": {append(bytes.Clone(kept), stray...), true},
		"a torn end":         {append(bytes.Clone(kept), stray[:9]...), true},
		"another's alone":    {stray, false},
		"none":               {nil, false},
	} {
		if err := os.WriteFile(filepath.Join(dir, "openings"), tt.file, 0o600); err != nil {
			t.Fatal(err)
		}
		l := secretly(t, dir, s)
		e, err := l.Record(0)
		if err != nil || (e.Record.Purpose != "") != tt.whole {
			t.Errorf("%s: %v, %v", name, e.Record, err)
		}
		if lost := l.Lost(); (lost != nil) == tt.whole || lost != nil && !fault.Is(lost, fault.Damaged) {
			t.Errorf("%s: found at open: %v", name, lost)
		}
		if !tt.whole {
			if _, err := l.Publish(t.Context(), 1); !fault.Is(err, fault.Damaged) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOpeningsEndTooSoon: the openings are gone, or cut exactly behind one of them, which no
// checksum shows. Open finds it and says which; what is not sealed, and what is sealed from
// now on, is logged as ever; and with the file back nothing is lost.
func TestOpeningsEndTooSoon(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	path := filepath.Join(dir, "openings")
	s, _ := order(t)
	l := secretly(t, dir, s)
	add(t, l, record("open", granted))
	add(t, l, record("s", granted))
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	add(t, l, record("s", granted))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		kept []byte
		says string
	}{
		"gone": {nil, "in 2 of 2 records, from record 1 on"}, "cut behind the first": {first, "in 1 of 2 records, from record 2 on"}, "whole": {whole, ""},
	} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if tt.kept != nil {
			if err := os.WriteFile(path, tt.kept, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		l := secretly(t, dir, s)
		switch lost := l.Lost(); {
		case (lost == nil) != (tt.says == ""):
			t.Errorf("%s: %v", name, lost)
		case lost != nil && (!fault.Is(lost, fault.Damaged) || !strings.Contains(lost.Error(), tt.says)):
			t.Errorf("%s: %v, want %q", name, lost, tt.says)
		}
		if e, err := l.Record(0); err != nil || e.Record.Purpose == "" {
			t.Errorf("%s: what is not sealed: %v, %v", name, e.Record, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	l = secretly(t, dir, s)
	add(t, l, record("open", granted))
	if e := add(t, l, record("s", granted)); e.Opening == nil {
		t.Error("what is sealed now has no opening")
	}
}
