package index

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
)

// TestEventsOfAnActor: an organisation's events are those of all of its accounts, and no
// others whose names begin alike; whatever the pages' size, each comes once, newest first.
func TestEventsOfAnActor(t *testing.T) {
	w := newWorld()
	actors := []string{"o", "o/g/main", "o/p/a", "o1", "o-1", "other", "o0/x"}
	for i := range 700 {
		key := fmt.Sprintf("o:%d", i%50)
		w.put("catalogue/put_duties", Duty+key, &cataloguev1.Duty{Id: key, Org: "o", Title: fmt.Sprint(i)})
		w.events[i].Actor = actors[i*i%11%len(actors)]
	}
	x := reopen(t, filepath.Join(t.TempDir(), "x.db"))
	take(t, x, w)
	for _, actor := range append(actors, "o/g", "nobody") {
		for _, object := range []string{"", Duty + "o:3"} {
			var want []int64
			for i, e := range slices.Backward(w.events) {
				if (e.GetActor() == actor || strings.HasPrefix(e.GetActor(), actor+"/")) && (object == "" || slices.Contains(e.GetObjects(), object)) {
					want = append(want, int64(i))
				}
			}
			for _, limit := range []uint32{1, 3, 50, 200} {
				var got []int64
				for below := int64(0); ; {
					steps, next, err := x.Events(t.Context(), EventFilter{Actor: actor, Object: object, Below: below, Limit: limit})
					if err != nil {
						t.Fatal(err)
					}
					for _, s := range steps {
						got = append(got, s.Seq)
					}
					if below = next; next == 0 {
						break
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s, %q, %d a page: %v, want %v", actor, object, limit, got, want)
				}
			}
		}
	}
}

// TestPagesOfATrace: in pages of whatever size, a trace is the same.
func TestPagesOfATrace(t *testing.T) {
	w := newWorld()
	terms := &sharev1.Terms{Parts: []*sharev1.Part{{Entry: "p:e"}}}
	w.put("catalogue/submit_entries", Entry+"p:e", &cataloguev1.Entry{Id: "p:e", Provider: "p"}) // event 0: its number is no end
	w.put("catalogue/put_duties", Duty+"q:1", &cataloguev1.Duty{Id: "q:1", Org: "q"})            // another story
	for _, id := range []string{"1", "2"} {
		w.put("share/file_request", Request+"r"+id, &sharev1.Request{Id: "r" + id, Terms: terms}, Entry+"p:e")
		w.put("share/answer", Agreement+"a"+id, &sharev1.Agreement{Id: "a" + id, Request: "r" + id, Terms: terms}, Request+"r"+id, Entry+"p:e")
	}
	for i := range 40 {
		for _, id := range []string{"a1", "a2"} {
			w.put("share/record_use", fmt.Sprintf("%s%s/%010d", Use, id, i), &sharev1.Use{Agreement: id}, Agreement+id, Entry+"p:e")
		}
		if i%7 == 0 {
			w.put("catalogue/update_entries", Entry+"p:e", &cataloguev1.Entry{Id: "p:e", Provider: "p"})
		}
	}
	x := reopen(t, filepath.Join(t.TempDir(), "x.db"))
	take(t, x, w)
	for id, n := range map[string]int{"a1": 1 + 2 + 40 + 6, "p:e": len(w.events) - 1} {
		whole, _, next, err := x.Trace(t.Context(), id, false, -1, 500)
		if err != nil || len(whole) != n || next != -1 {
			t.Fatalf("the trace of %s has %d events, next %d, %v; want %d", id, len(whole), next, err, n)
		}
		for _, limit := range []uint32{1, 2, 7, 48, 49, 50} {
			var got []int64
			for after := int64(-1); ; {
				steps, _, next, err := x.Trace(t.Context(), id, false, after, limit)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range steps {
					got = append(got, s.Seq)
				}
				if after = next; next == -1 {
					break
				}
			}
			if !slices.EqualFunc(got, whole, func(seq int64, s Step) bool { return seq == s.Seq }) {
				t.Errorf("the trace of %s in pages of %d: %v", id, limit, got)
			}
		}
	}
}
