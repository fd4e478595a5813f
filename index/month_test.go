package index

import (
	"fmt"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
)

// TestMonths: what happened is counted in the month that it is in Beijing, for whose it is, and a
// file that is made anew, in one batch or many, comes to the same.
func TestMonths(t *testing.T) {
	at := func(text string) int64 {
		m, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return m.UnixMilli()
	}
	w := newWorld()
	put := func(when, verb, note, actor, key string, m any) {
		switch m := m.(type) {
		case *sharev1.Request:
			w.put(verb, key, m)
		case *sharev1.Agreement:
			w.put(verb, key, m)
		case *cataloguev1.Entry:
			w.put(verb, key, m)
		default:
			t.Fatalf("%T", m)
		}
		ev := w.events[len(w.events)-1]
		ev.TimeMs, ev.Note, ev.Actor = at(when), note, actor
	}
	request := func(id string) *sharev1.Request {
		return &sharev1.Request{Id: id, Provider: "org1", Requester: "org2", CreatedMs: at("2026-10-30T09:00:00+08:00")}
	}
	put("2026-10-30T09:00:00+08:00", "share/file_request", "received", "org2/p/a", Request+"r1", request("r1"))
	put("2026-10-31T23:59:59+08:00", "share/file_request", "received", "org2/p/a", Request+"r2", request("r2"))
	put("2026-11-01T00:00:00+08:00", "share/confirm_agreement", "active", "org2/p/a", Agreement+"a1", &sharev1.Agreement{Id: "a1", Provider: "org1", Consumer: "org2"}) // comes after the answers by its name: the order of a batch
	put("2026-11-01T00:00:00+08:00", "share/answer", "accepted", "org1/p/a", Request+"r1", request("r1"))
	put("2026-11-01T08:00:00+08:00", "share/answer", "refused", "org1/p/a", Request+"r2", request("r2"))
	put("2026-11-02T09:00:00+08:00", "catalogue/put_tables", "1", "org1/g/main", Entry+"org1:e", &cataloguev1.Entry{Id: "org1:e", Provider: "org1"}) // not counted
	var first map[int32][]Monthly
	var ids string
	for name, one := range map[string]bool{"one batch": true, "a batch each": false} {
		x := reopen(t, filepath.Join(t.TempDir(), "index.db"))
		for n := range w.events {
			if !one {
				feedAll(t, x, &world{events: w.events[:n+1], history: w.history}, int64(n+1))
			}
		}
		take(t, x, w)
		got := map[int32][]Monthly{}
		for _, month := range []int32{MonthOf(at("2026-10-15T00:00:00+08:00")), MonthOf(at("2026-11-15T00:00:00+08:00"))} {
			if err := x.Month(t.Context(), month, func(m Monthly) { got[month] = append(got[month], m) }); err != nil {
				t.Fatal(err)
			}
		}
		const october, november = 2026*12 + 9, 2026*12 + 10
		want := map[int32][]Monthly{
			october: {{"share/file_request", "received", "org1", "org2", Request, 2}},
			november: {
				{"share/answer", "accepted", "org1", "org2", Request, 1},
				{"share/answer", "refused", "org1", "org2", Request, 1},
				{"share/confirm_agreement", "", "org1", "org2", Agreement, 1},
			},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		if first != nil && !reflect.DeepEqual(first, got) {
			t.Errorf("%s differs from the other way", name)
		}
		first = got
		var all []int64
		if err := x.eachMonth(t.Context(), november, func(id int64, _ Monthly) { all = append(all, id) }); err != nil {
			t.Fatal(err)
		}
		if ids != "" && ids != fmt.Sprint(all) {
			t.Errorf("%s: counts %v, the other way %s", name, all, ids)
		}
		ids = fmt.Sprint(all)
		var seqs []int64
		for below, last := int64(0), false; !last; { // two of three, then the last
			steps, next, err := x.MonthEvents(t.Context(), november, func(m Monthly) bool { return m.Org == "org1" }, below, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range steps {
				seqs = append(seqs, s.Seq)
			}
			below, last = next, next == 0
		}
		if fmt.Sprint(seqs) != "[4 3 2]" {
			t.Errorf("%s: the events of November are %v", name, seqs)
		}
		times, err := x.AnswerTimes(t.Context(), november)
		const hour = 3_600_000
		if err != nil || fmt.Sprint(times) != fmt.Sprintf("map[org1:[%d %d]]", 39*hour, 47*hour) {
			t.Errorf("%s: answers took %v, %v", name, times, err)
		}
	}
}
