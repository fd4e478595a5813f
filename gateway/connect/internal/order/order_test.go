package order

import (
	"bytes"
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"mulian/gateway/connect"
)

// TestKeysCompareAsValuesDo: each list is in its order; every pair is compared.
func TestKeysCompareAsValuesDo(t *testing.T) {
	for kind, list := range map[connect.Kind][]string{
		connect.Decimal: {
			"-infinity", "-1000000000000000000000000000000", "-12.51", "-12.5", "-12", "-9.99", "-1", "-0.5", "-0.05", "0", "0.000001",
			"0.05", "0.5", "0.51", "1", "1.01", "9", "10", "10.5", "99", "100", "1234567890123456789012345678901234567890", "infinity", "NaN",
		},
		connect.Integer:   {"-9223372036854775808", "-100", "-99", "-1", "0", "1", "2", "10", "11", "100", "9223372036854775807"},
		connect.Float:     {"-infinity", "-1e+30", "-1.5", "-1", "0", "5e-324", "0.1", "1", "2", "1e+30", "infinity"},
		connect.Text:      {"", " ", "A", "AB", "B", "a", "ab", "b", "é", "中", "北", "𠮷"},
		connect.Bytes:     {"", "\x00", "\x00\x00", "\x00\x01", "\x01", "\xfe", "\xff", "\xff\x00"},
		connect.Date:      {"-infinity", "0001-01-01", "1999-12-31", "2024-02-29", "9999-12-31", "infinity"},
		connect.Timestamp: {"-infinity", "2024-01-02T03:04:05", "2024-01-02T03:04:05.1", "2024-01-02T03:04:05.12", "2024-01-02T03:04:06", "infinity"},
		connect.Instant:   {"-infinity", "2024-01-02T03:04:05Z", "2024-01-02T03:04:05.1Z", "2024-01-02T03:04:06Z", "infinity"},
		connect.Boolean:   {"false", "true"},
	} {
		for i, a := range list {
			for j, b := range list {
				ka, kb := Key(nil, connect.Value{Kind: kind, Text: a}), Key(nil, connect.Value{Kind: kind, Text: b})
				if got := bytes.Compare(ka, kb); got != max(-1, min(1, i-j)) {
					t.Errorf("%s: %q and %q compare as %d", kind, a, b, got)
				}
				if i != j && bytes.HasPrefix(ka, kb) {
					t.Errorf("%s: the key of %q begins with that of %q", kind, a, b)
				}
			}
		}
	}
	if !bytes.Equal(Key(nil, connect.Value{Kind: connect.Decimal, Text: "12.00"}), Key(nil, connect.IntegerValue(12))) {
		t.Error("12.00 and 12 are different keys")
	}
}

// TestSorterMergesManyRuns has more runs than are merged at once.
func TestSorterMergesManyRuns(t *testing.T) {
	s := NewSorter(t.TempDir())
	defer s.Close()
	rng := rand.New(rand.NewSource(1))
	const n = 70_000
	want := rng.Perm(n)
	for i, v := range want {
		v /= 2 // each key twice
		want[i] = v
		row := connect.Row{connect.IntegerValue(int64(v)), connect.IntegerValue(int64(i)), connect.Null}
		if err := s.Add(Key(nil, row[0]), row); err != nil {
			t.Fatal(err)
		}
		if i%1000 == 999 {
			if err := s.spill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(s.levels) < 2 {
		t.Fatalf("%d levels: the runs were not merged", len(s.levels))
	}
	slices.Sort(want)
	i, lastKey, lastSeq := 0, "", ""
	err := s.Each(func(_ []byte, row connect.Row) error {
		if row[0].Text != fmt.Sprint(want[i]) || len(row) != 3 || !row[2].IsNull() {
			return fmt.Errorf("row %d: %v, want %d", i, row[0].Text, want[i])
		}
		if row[0].Text == lastKey && len(row[1].Text) == len(lastSeq) && row[1].Text < lastSeq {
			return fmt.Errorf("row %d: equal keys changed places", i)
		}
		lastKey, lastSeq = row[0].Text, row[1].Text
		i++
		return nil
	})
	if err != nil || i != n {
		t.Fatalf("%d rows of %d: %v", i, n, err)
	}
}
