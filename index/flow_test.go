package index

import (
	"fmt"
	"path/filepath"
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
)

// anchored is what a gateway says of an agreement: numbers so far.
func anchored(agreement string, granted, refused uint64) *tracev1.Sequence {
	return &tracev1.Sequence{Agreement: agreement, Gateway: "org0/g/main", Last: granted + refused, Granted: granted, Refused: refused}
}

// TestFlowsAreDifferences: what an anchor adds is counted in its hour, whether the anchors
// come in one batch or each in its own, and old hours are forgotten.
func TestFlowsAreDifferences(t *testing.T) {
	const hour = 3600 // events of the world are a second apart
	w := newWorld()
	w.put("share/confirm_agreement", Agreement+"a1", &sharev1.Agreement{Id: "a1", State: sharev1.AgreementState_AGREEMENT_STATE_ACTIVE, StartsMs: 500})
	for n := uint64(1); n <= 4; n++ {
		w.put("trace/anchor_head", Sequence+"a1/org0/g/main", anchored("a1", n*10, n), "")
		w.put("trace/anchor_head", Sequence+"a2/org0/g/main", anchored("a2", n, 0), "")
	}
	for _, ev := range w.events[5:] {
		ev.TimeMs += hour * 1000
	}
	for name, one := range map[string]bool{"one batch": true, "a batch each": false} {
		x := reopen(t, filepath.Join(t.TempDir(), "index.db"))
		for n := range w.events {
			if !one {
				part := &world{events: w.events[:n+1], history: w.history}
				feedAll(t, x, part, int64(n+1))
			}
		}
		take(t, x, w)
		all, err := x.Flows(t.Context(), 0, 10)
		if err != nil || fmt.Sprint(all) != "[{a1 40 4 1} {a2 4 0 1}]" {
			t.Errorf("%s: %v, %v", name, all, err)
		}
		later, err := x.TotalFlow(t.Context(), 1)
		if err != nil || later != (FlowTotal{Rights: 2, Granted: 22, Refused: 2}) {
			t.Errorf("%s: since the second hour %+v, %v", name, later, err)
		}
		hours, err := x.FlowsByHour(t.Context(), 0, 8)
		if err != nil || hours["org0/g/main"][8] != 22 || hours["org0/g/main"][9] != 22 {
			t.Errorf("%s: by hour %v, %v", name, hours, err)
		}
		ids, n, err := x.Began(t.Context(), 500, 10)
		if err != nil || n != 1 || len(ids) != 1 || ids[0] != "a1" {
			t.Errorf("%s: began %v %d, %v", name, ids, n, err)
		}
	}
	w.put("trace/anchor_head", Sequence+"a2/org0/g/main", anchored("a2", 9, 0))
	w.events[len(w.events)-1].TimeMs = (flowHours + 1) * hour * 1000
	x := reopen(t, filepath.Join(t.TempDir(), "index.db"))
	take(t, x, w)
	if kept, err := x.Flows(t.Context(), 0, 10); err != nil || fmt.Sprint(kept) != fmt.Sprintf("[{a1 20 2 1} {a2 7 0 %d}]", flowHours+1) {
		t.Errorf("after a quarter %v, %v", kept, err)
	}
}

// TestCoverage: duties without an entry are missing; a drifted entry is not locked.
func TestCoverage(t *testing.T) {
	w := newWorld()
	for i := range 3 {
		id := fmt.Sprintf("o:d%d", i)
		w.put("catalogue/put_duties", Duty+id, &cataloguev1.Duty{Id: id, Org: "o", PowerType: cataloguev1.PowerType_POWER_TYPE_LICENSING})
	}
	w.put("catalogue/put_duties", Duty+"o:old", &cataloguev1.Duty{Id: "o:old", Org: "o", PowerType: cataloguev1.PowerType_POWER_TYPE_LICENSING, Retired: true})
	entry := func(id string, st cataloguev1.EntryState, lock *cataloguev1.Lock) {
		w.put("catalogue/submit_entries", Entry+id, &cataloguev1.Entry{Id: id, Provider: "o", Duties: []string{"o:d0"}, State: st, Lock: lock})
	}
	entry("o:1", cataloguev1.EntryState_ENTRY_STATE_PUBLISHED, &cataloguev1.Lock{})
	entry("o:2", cataloguev1.EntryState_ENTRY_STATE_PUBLISHED, nil)
	entry("o:3", cataloguev1.EntryState_ENTRY_STATE_DRIFTED, &cataloguev1.Lock{})
	entry("o:4", cataloguev1.EntryState_ENTRY_STATE_WITHDRAWN, nil)
	x := reopen(t, filepath.Join(t.TempDir(), "index.db"))
	take(t, x, w)
	got, err := x.Coverage(t.Context(), int32(cataloguev1.EntryState_ENTRY_STATE_DRIFTED), int32(cataloguev1.EntryState_ENTRY_STATE_WITHDRAWN))
	want := Covered{Org: "o", Power: 1, Duties: 3, Missing: 2, Entries: 3, Locked: 1, Drifted: 1}
	if err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("coverage %+v, %v; want %+v", got, err, want)
	}
}
