package receipt

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// TestWholeAccess: a decision and its end in one write stand one behind the other under
// one number, whoever else writes, and are there after a restart.
func TestWholeAccess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l := open(t, dir)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 20 {
				a := fmt.Sprintf("a%d", i%3)
				g, e, err := l.AppendWhole(t.Context(), record(a, granted), record(a, completed))
				if err != nil {
					t.Error(err)
					return
				}
				if e.Index != g.Index+1 || e.Record.Seq != g.Record.Seq || g.Record.Seq == 0 {
					t.Errorf("decision %d of record %d, end %d of record %d", g.Record.Seq, g.Index, e.Record.Seq, e.Index)
				}
				add(t, l, record(a, refused))
			}
		})
	}
	all.Wait()
	for what, r := range map[string][2]*tracev1.AccessRecord{
		"two decisions":     {record("a", granted), record("a", refused)},
		"two ends":          {record("a", completed), record("a", completed)},
		"of two agreements": {record("a", granted), record("b", completed)},
		"of no agreement":   {record("", granted), record("", completed)},
	} {
		if _, _, err := l.AppendWhole(t.Context(), r[0], r[1]); !fault.Is(err, fault.OutOfRange) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l = open(t, dir); l.Size() != 8*20*3 || l.Last("a0") != 3*20*2 || l.Last("a2") != 2*20*2 {
		t.Errorf("%d records, %d and %d decisions", l.Size(), l.Last("a0"), l.Last("a2"))
	}
}

// TestPutOfMany: receipts that come together are all there, each once, also when they
// are more than one write may hold.
func TestPutOfMany(t *testing.T) {
	path := filepath.Join(t.TempDir(), "receipts")
	b, err := OpenBook(path)
	if err != nil {
		t.Fatal(err)
	}
	var many []*tracev1.Receipt
	for i := range 70 {
		many = append(many, &tracev1.Receipt{LeafIndex: uint64(i), Record: make([]byte, 2000)})
	}
	if err := b.Put(); err != nil {
		t.Fatal(err)
	}
	if err := b.Put(many...); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err = OpenBook(path); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	next := uint64(0)
	if err := b.Each(0, func(_ int, r *tracev1.Receipt) bool {
		if r.GetLeafIndex() != next {
			t.Errorf("receipt %d where %d should be", r.GetLeafIndex(), next)
		}
		next++
		return true
	}); err != nil || next != 70 {
		t.Errorf("%d receipts, %v", next, err)
	}
}
