package documents

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mulian/gateway/connect"
)

// TestALoadGoesOn: at each place of a delivery the process ends, with or without more than the
// checkpoint says on the disk; the next one goes on there, and the end is the same. What is
// damaged begins anew.
func TestALoadGoesOn(t *testing.T) {
	content := []string{"", "one two three", strings.Repeat("x", 1000)}
	var rows []connect.Row
	for i, text := range content {
		sum := sha256.Sum256([]byte(text))
		name, half := fmt.Sprintf("d/%d", i), len(text)/2
		if half == 0 {
			rows = append(rows, whole(name, text))
			continue
		}
		rows = append(rows, piece(name, 1, len(text), "", text[:half]), piece(name, 2, len(text), hex.EncodeToString(sum[:]), text[half:]))
	}
	want := connect.NewDigest()
	want.Add(rows...)
	target := connect.Target{Table: connect.TableName{Name: "in"}, Columns: columns, PrimaryKey: []string{"name", "piece"}, Mode: connect.Merge, Delivery: "x/1"}
	begin := func(s connect.Sink) connect.Resumable {
		t.Helper()
		l, err := s.Begin(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		return l.(connect.Resumable)
	}
	appendRows := func(l connect.Load, rows []connect.Row) {
		t.Helper()
		for _, r := range rows {
			p, err := connect.NewPage(len(columns), []connect.Row{r})
			if err == nil {
				err = l.Append(t.Context(), p)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for at := 1; at <= len(rows); at++ {
		for more := 0; at+more <= len(rows); more++ {
			for _, end := range []string{"left", "killed", "damaged"} {
				s, dir := into(t)
				l := begin(s)
				if l.Resumed() != nil {
					t.Fatal("a load that begins has a note")
				}
				appendRows(l, rows[:at])
				if err := l.Checkpoint(t.Context(), []byte("page 7")); err != nil {
					t.Fatal(err)
				}
				appendRows(l, rows[at:at+more])
				in := filepath.Join(dir, bookkeeping, "in", loadName("in", "x/1"))
				if end == "left" {
					if err := l.Leave(); err != nil {
						t.Fatal(err)
					}
				}
				if end == "damaged" {
					if err := os.WriteFile(filepath.Join(in, checkpointName), []byte("{"), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				next, err := connect.OpenSink(t.Context(), "documents:"+dir)
				if err != nil {
					t.Fatal(err)
				}
				l, from := begin(next), at
				if end == "damaged" {
					from = 0
				}
				if n, _ := l.Sum(); n != int64(from) || (string(l.Resumed()) == "page 7") != (from > 0) {
					t.Fatalf("%s at %d and %d more: goes on at row %d with the note %q", end, at, more, n, l.Resumed())
				}
				appendRows(l, rows[from:])
				if n, sum := l.Sum(); n != int64(len(rows)) || sum != want.Sum() {
					t.Errorf("%s at %d and %d more: another digest", end, at, more)
				}
				if _, err := l.Commit(t.Context()); err != nil {
					t.Fatalf("%s at %d and %d more: %v", end, at, more, err)
				}
				for i, text := range content {
					if b, err := os.ReadFile(filepath.Join(dir, "in", "d", fmt.Sprint(i))); err != nil || string(b) != text {
						t.Errorf("%s at %d and %d more: file %d: %d bytes, %v", end, at, more, i, len(b), err)
					}
				}
				if _, err := os.Stat(in); !os.IsNotExist(err) {
					t.Errorf("something of the load stays: %v", err)
				}
			}
		}
	}
}
