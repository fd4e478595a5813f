package deliver

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"mulian/gateway/connect"
)

func testBook(t testing.TB, path string) *book {
	t.Helper()
	b, err := openBook(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.close() })
	return b
}

// firms is a subscription that is followed by a feed.
func firms(t testing.TB, b *book, id string) *subscription {
	t.Helper()
	s := &subscription{
		ID: id, Agreement: "a", Entry: "e" + id, Asker: "x/g/main", Source: "plan", Table: connect.TableName{Schema: "public", Name: "firms"},
		Reading: reading{Key: []string{"id"}}, Columns: []byte{1}, Sensing: sensingFeed, Ready: true,
	}
	if err := b.add(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return found(t, b, id)
}

func found(t testing.TB, b *book, id string) *subscription {
	t.Helper()
	s, err := b.find(context.Background(), id)
	if err != nil || s == nil {
		t.Fatalf("subscription %s: %v, %v", id, s, err)
	}
	return s
}

func keysFrom(ids ...int) (out []connect.Row) {
	for _, id := range ids {
		out = append(out, connect.Row{connect.IntegerValue(int64(id))})
	}
	return out
}

func (b *book) touchAll(t testing.TB, id string, ids ...int) {
	t.Helper()
	s := found(t, b, id)
	if err := b.within(context.Background(), func(tx *sql.Tx) error { return b.touch(tx, s, keysFrom(ids...), 1) }); err != nil {
		t.Fatal(err)
	}
}

// TestPagesOfTheBook: a page keeps its number and its keys until the next one is asked
// for; a key that is touched meanwhile comes once more.
func TestPagesOfTheBook(t *testing.T) {
	path := filepath.Join(t.TempDir(), "subscriptions.db")
	b := testBook(t, path)
	firms(t, b, "one")
	peek := func(after uint64, number uint64, gap bool, want ...int) []touched {
		t.Helper()
		got, keys, isGap, err := b.peek(t.Context(), found(t, b, "one"), after, 3)
		var ids []string
		for _, k := range keys {
			ids = append(ids, k.key[0].Text)
		}
		var wanted []string
		for _, w := range want {
			wanted = append(wanted, fmt.Sprint(w))
		}
		if err != nil || got != number || isGap != gap || !slices.Equal(ids, wanted) {
			t.Fatalf("after %d: page %d of keys %v, gap %t, %v; want %d, %v, %t", after, got, ids, isGap, err, number, wanted, gap)
		}
		return keys
	}
	give := func(number uint64, keys []touched) {
		t.Helper()
		if err := b.give(t.Context(), found(t, b, "one"), number, keys[len(keys)-1].turn); err != nil {
			t.Fatal(err)
		}
	}
	peek(0, 0, false)
	peek(1, 0, true) // the asker is ahead of us
	b.touchAll(t, "one", 5, 7, 5, 9, 11)
	keys := peek(0, 1, false, 7, 5, 9) // 5 was touched twice: its last turn counts
	give(1, keys)
	b.touchAll(t, "one", 7)
	peek(0, 1, false, 5, 9) // again, without what has come anew
	if err := b.given(t.Context(), found(t, b, "one")); err != nil {
		t.Fatal(err)
	}
	peek(0, 0, true) // that page is gone
	keys = peek(1, 2, false, 11, 7)
	if s := found(t, b, "one"); s.Touched != 2 {
		t.Errorf("%d keys wait, want 2", s.Touched)
	}
	// A restart changes nothing.
	if err := b.close(); err != nil {
		t.Fatal(err)
	}
	b = testBook(t, path)
	peek(1, 2, false, 11, 7)
	give(2, keys)
	b.touchAll(t, "one", 13)
	peek(1, 2, false, 11, 7)
	if err := b.given(t.Context(), found(t, b, "one")); err != nil {
		t.Fatal(err)
	}
	peek(2, 3, false, 13)
	// Another subscription to the same entry by the same asker ends the first.
	s := found(t, b, "one")
	s.ID = "two"
	if err := b.add(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if gone, err := b.find(t.Context(), "one"); err != nil || gone != nil {
		t.Errorf("the first: %v, %v", gone, err)
	}
}

// TestAFullDiskLosesNothing: what does not fit is not half there, the position is that of
// before, and when there is room again it goes on.
func TestAFullDiskLosesNothing(t *testing.T) {
	b := testBook(t, filepath.Join(t.TempDir(), "subscriptions.db"))
	firms(t, b, "one")
	b.touchAll(t, "one", 1, 2, 3)
	if _, err := b.db.Exec("PRAGMA max_page_count = 12"); err != nil {
		t.Fatal(err)
	}
	var many []int
	for i := range 5000 {
		many = append(many, i)
	}
	s := found(t, b, "one")
	take := func() error {
		return b.within(t.Context(), func(tx *sql.Tx) error {
			if err := b.touch(tx, s, keysFrom(many...), 1); err != nil {
				return err
			}
			return b.stand(tx, "plan", "P2")
		})
	}
	if err := take(); err == nil {
		t.Fatal("5000 keys fit on 12 pages")
	}
	at, err := b.position(t.Context(), "plan")
	if s := found(t, b, "one"); s.Touched != 3 || at != "" || err != nil {
		t.Fatalf("after the failure %d keys wait, position %q, %v", s.Touched, at, err)
	}
	if _, err := b.db.Exec("PRAGMA max_page_count = 100000"); err != nil {
		t.Fatal(err)
	}
	s = found(t, b, "one")
	if err := take(); err != nil {
		t.Fatal(err)
	}
	if at, err = b.position(t.Context(), "plan"); found(t, b, "one").Touched != 5000 || at != "P2" || err != nil {
		t.Errorf("%d keys wait, position %q, %v", found(t, b, "one").Touched, at, err)
	}
}

// TestADamagedBook: it is set aside, and an empty one takes its place.
func TestADamagedBook(t *testing.T) {
	path := filepath.Join(t.TempDir(), "subscriptions.db")
	if err := os.WriteFile(path, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openBook(path); err == nil {
		t.Fatal("it was read")
	}
	b, err := openBookAnew(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	firms(t, b, "one")
	if aside, err := filepath.Glob(path + ".damaged-*"); err != nil || len(aside) != 1 {
		t.Errorf("set aside: %v, %v", aside, err)
	}
}

// TestEachTouchIsGiven: random touches, pages that are lost, given twice or applied, and
// restarts. Every touch is followed by a page with its key that is applied after it.
func TestEachTouchIsGiven(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		path := filepath.Join(t.TempDir(), "subscriptions.db")
		b := quickly(t, path)
		firms(t, b, "one")
		version, seen := map[string]int{}, map[string]int{} // at the source, at the receiver
		applied := uint64(0)
		for range rapid.IntRange(1, 15).Draw(r, "steps") {
			switch rapid.SampledFrom([]string{"touch", "touch", "touch", "page", "page", "lost", "lost", "restart"}).Draw(r, "step") {
			case "touch":
				ids := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 5).Draw(r, "ids")
				for _, id := range ids {
					version[fmt.Sprint(id)]++
				}
				b.touchAll(t, "one", ids...)
			case "page":
				applied = takePage(r, b, applied, rapid.IntRange(1, 4).Draw(r, "most"), version, seen, false)
			case "lost":
				takePage(r, b, applied, rapid.IntRange(1, 4).Draw(r, "most"), version, seen, true)
			case "restart":
				b.close()
				b = quickly(t, path)
			}
		}
		for before := applied + 1; applied != before; {
			before = applied
			applied = takePage(r, b, applied, 4, version, seen, false)
		}
		for id, v := range version {
			if seen[id] != v {
				r.Fatalf("key %s is at %d, the receiver has %d", id, v, seen[id])
			}
		}
		b.close()
	})
}

// quickly is testBook without waiting for the disk: this process is not killed.
func quickly(t testing.TB, path string) *book {
	t.Helper()
	b := testBook(t, path)
	if _, err := b.db.Exec("PRAGMA synchronous = OFF"); err != nil {
		t.Fatal(err)
	}
	return b
}

// takePage asks for the page after one as the provider does, and applies it unless it is
// lost on the way.
func takePage(r *rapid.T, b *book, applied uint64, most int, version, seen map[string]int, lost bool) uint64 {
	ctx := context.Background()
	s, err := b.find(ctx, "one")
	if err == nil && applied == s.Number {
		err = b.given(ctx, s)
	}
	if err != nil {
		r.Fatal(err)
	}
	number, keys, gap, err := b.peek(ctx, s, applied, most)
	if err != nil || gap {
		r.Fatalf("page after %d: gap %t, %v", applied, gap, err)
	}
	if number == 0 {
		return applied
	}
	until := s.Until
	if len(keys) > 0 {
		until = keys[len(keys)-1].turn
	}
	if err := b.give(ctx, s, number, until); err != nil {
		r.Fatal(err)
	}
	if lost {
		return applied
	}
	for _, k := range keys {
		seen[k.key[0].Text] = version[k.key[0].Text]
	}
	return number
}
