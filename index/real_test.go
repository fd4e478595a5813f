package index

import (
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/hanzi"
)

// sharedFile is a file of the real inputs beside the repository.
func sharedFile(t *testing.T, path string) string {
	t.Helper()
	dir := os.Getenv("MULIAN_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared")
	}
	path = filepath.Join(dir, "data", path)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIP no shared data: %v", err)
	}
	return path
}

// TestRealNamesAreFound: of a portal's real list in traditional characters each name
// leads to itself first, as it is written, in simplified characters, and by its first
// half; and what is marked in it is all of it.
func TestRealNamesAreFound(t *testing.T) {
	f, err := os.Open(sharedFile(t, "catalogues/tw/cities/01_taipei.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rows = rows[1:]
	w := newWorld()
	for _, r := range rows {
		e := &cataloguev1.Entry{Id: "tp:" + r[0], Provider: "tp", Name: r[1]}
		for i, name := range strings.Split(r[9], ",") {
			e.Items = append(e.Items, &cataloguev1.Item{Code: fmt.Sprint(i), Name: name})
		}
		w.entry(e)
	}
	x := reopen(t, filepath.Join(t.TempDir(), "x.db"))
	take(t, x, w)
	r := rand.New(rand.NewPCG(1, 1))
	for range 120 {
		row := rows[r.IntN(len(rows))]
		name := row[1]
		if len([]rune(name)) > maxWords { // later words do not count
			continue
		}
		for _, text := range []string{name, simplified(name)} {
			hits := search(t, x, &cataloguev1.SearchRequest{Text: text, Limit: 5}).GetHits()
			if len(hits) == 0 || key(hits[0].GetTitle()) != key(name) {
				t.Errorf("%s: %v", text, hits)
				continue
			}
			m := hits[0].GetMarked()[0]
			if len(m.GetSpans()) == 0 || key(m.GetText()) != key(name) {
				t.Errorf("%s: marked %v", text, m)
			}
		}
		// One or two letters or digits are no beginning: too much begins with them.
		half := string([]rune(name)[:max(len([]rune(name))/2, 2)])
		if res := search(t, x, &cataloguev1.SearchRequest{Text: half, Limit: 100}); res.GetTotal() == 0 && (lastLatin(half) == "" || len(lastLatin(half)) >= minCode) {
			t.Errorf("%s: nothing", half)
		}
	}
}

// lastLatin is the run of letters and digits at the end.
func lastLatin(text string) string {
	words := queryWords(text)
	if last := words[len(words)-1]; last[0] < 0x80 {
		return last
	}
	return ""
}

func simplified(text string) string { return strings.Map(hanzi.Simplified, text) }
