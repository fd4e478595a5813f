package state

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"mulian/state/proof"
)

var (
	words   = NewTable[wrapperspb.StringValue]("test/words")
	derived = NewDerived[wrapperspb.Int64Value]("test/derived")
	byFirst = NewIndex("test/by-first")
	structs = NewTable[structpb.Struct]("test/structs")
)

func TestTables(t *testing.T) {
	db := open(t, Options{})
	commit(t, db, 1, func(tx *Tx) {
		for _, w := range []string{"ant", "bee", "bear", "cat"} {
			words.Put(tx, w, wrapperspb.String(strings.ToUpper(w)))
			byFirst.Put(tx, w[:1]+"/"+w, w)
		}
		words.Put(tx, "", wrapperspb.String("")) // an empty message under the empty key is a record
		derived.Put(tx, "n", wrapperspb.Int64(4))
		words.Delete(tx, "cat")
		byFirst.Delete(tx, "c/cat")
	})
	v := db.View()
	defer v.Close()
	if w, ok := words.Get(v, "bee"); !ok || w.GetValue() != "BEE" {
		t.Errorf("bee = %v, %t", w, ok)
	}
	if w, ok := words.Get(v, "cat"); ok || w != nil {
		t.Errorf("a deleted record = %v, %t", w, ok)
	}
	if w, ok := words.Get(v, ""); !ok || w.GetValue() != "" {
		t.Errorf("the empty key = %v, %t", w, ok)
	}
	if !words.Has(v, "ant") || words.Has(v, "an") || !byFirst.Has(v, "b/bee") || byFirst.Has(v, "c/cat") {
		t.Error("Has is wrong")
	}
	if n, ok := derived.Get(v, "n"); !ok || n.GetValue() != 4 {
		t.Errorf("n = %v, %t", n, ok)
	}
	if s, ok := byFirst.Get(v, "b/bee"); !ok || s != "bee" {
		t.Errorf("b/bee = %q, %t", s, ok)
	}
	var got []string
	words.Range(v, "b", "bed", func(key string, p *wrapperspb.StringValue) bool {
		got = append(got, key+"="+p.GetValue())
		return true
	})
	byFirst.Range(v, "", "", func(key, value string) bool {
		got = append(got, key+"="+value)
		return len(got) < 3
	})
	if d := cmp.Diff([]string{"bee=BEE", "a/ant=ant", "b/bear=bear"}, got); d != "" {
		t.Errorf("ranges (-want +got):\n%s", d)
	}
	for key, exists := range map[string]bool{"bee": true, "cat": false} {
		p, err := db.Prove(words.Key(key))
		if err != nil || p.Exists != exists || string(p.Key) != "test/words/"+key {
			t.Errorf("proof of %s: %+v, %v", key, p, err)
		}
	}
}

// TestTableEncodingIsGolden: the bytes of a message with a map, and with them the
// app hash, must come out equal in every process and version. The figure comes from
// a Python program that writes the wire format by hand.
func TestTableEncodingIsGolden(t *testing.T) {
	fields := map[string]any{}
	for _, k := range strings.Split("qwertyuiopasdfghjkl", "") {
		fields[k] = k
	}
	const want = "e8d72a7785278f1b4ccb43f7f9565c31143bdccd4b366d0621ffd91d6a86d00f"
	for range 10 {
		db := open(t, Options{})
		commit(t, db, 1, func(tx *Tx) {
			p, err := structpb.NewStruct(fields)
			if err != nil {
				t.Fatal(err)
			}
			structs.Put(tx, "s", p)
		})
		if got := proof.Hash(db.AppHash()).String(); got != want {
			t.Fatalf("app hash %s, want %s", got, want)
		}
	}
}

func TestOrderedKeepsTheOrder(t *testing.T) {
	last := ""
	for _, n := range []int64{0, 1, 9, 10, 255, 256, 1 << 40, 1<<63 - 1} {
		if s := Ordered(n); s <= last || len(s) != 16 {
			t.Errorf("Ordered(%d) = %s after %s", n, s, last)
		} else {
			last = s
		}
	}
	mustPanic(t, "a negative number", func() { Ordered(-1) })
}

func TestTableNamesDoNotShareKeys(t *testing.T) {
	NewIndex("test/names/a-b") // beside test/names/a: the slash keeps them apart
	NewIndex("test/names/a")
	for _, name := range []string{"test/words", "test", "test/words/x", "test/names/a/b", "", "/x", "x/", "X", "a//b", "a b", "ü"} {
		mustPanic(t, name, func() { NewIndex(name) })
	}
	if names := Names(); len(names) < 6 || names[0] != "test/words" {
		t.Errorf("Names = %q", names)
	}
}

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s: no panic", what)
		}
	}()
	f()
}

func TestDamagedRecordPanics(t *testing.T) {
	db := open(t, Options{})
	commit(t, db, 1, func(tx *Tx) {
		tx.Put(words.Key("bad"), []byte{0xff, 0xff}, Proved)
	})
	v := db.View()
	defer v.Close()
	defer func() {
		if err, ok := recover().(error); !ok || !errors.Is(err, ErrDamaged) {
			t.Errorf("panic with %v, want ErrDamaged", err)
		}
	}()
	words.Get(v, "bad")
}

func TestGetReturnsWhatTheCallerOwns(t *testing.T) {
	db := open(t, Options{})
	b := db.Begin(1, 0)
	defer b.Discard()
	tx := b.Tx()
	p := wrapperspb.String("before")
	words.Put(tx, "x", p)
	p.Value = "after"
	got, _ := words.Get(tx, "x")
	if !proto.Equal(got, wrapperspb.String("before")) {
		t.Errorf("a message changed after Put shows in the table: %v", got)
	}
	got.Value = "changed"
	if again, _ := words.Get(tx, "x"); again.GetValue() != "before" {
		t.Errorf("a message changed after Get shows in the table: %v", again)
	}
}
