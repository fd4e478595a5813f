package view

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"mulian/gateway/receipt"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
)

// How the view behaves on a chain, with servers that are gone, that lie and that hide,
// is held by the tests of package gateway. Here is what needs no chain.

// TestAge: a state is as old as the newest anchor that it holds, and of no age if it
// holds none.
func TestAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := New(nil, nil, nil)
		if v.Age(1<<40) != NoAge || v.Height() != 0 {
			t.Error("a view without a mark has an age")
		}
		for i := range 3 {
			v.Mark(receipt.Mark{Height: int64(10 * (i + 1)), Sent: time.Now()})
			time.Sleep(time.Second)
		}
		for height, want := range map[int64]time.Duration{9: NoAge, 10: 3 * time.Second, 19: 3 * time.Second, 20: 2 * time.Second, 30: time.Second, 1000: time.Second} {
			if got := v.Age(height); got != want {
				t.Errorf("state %d: %s, want %s", height, got, want)
			}
		}
		for i := range 2 * maxMarks {
			v.Mark(receipt.Mark{Height: int64(100 + i), Sent: time.Now()})
		}
		if len(v.marks) > maxMarks || v.Age(30) != NoAge {
			t.Errorf("%d marks, the oldest still count", len(v.marks))
		}
	})
}

// TestCached: what is fresh is given without asking; what is old or was touched is not.
func TestCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := New(nil, nil, nil)
		v.Mark(receipt.Mark{Height: 10, Sent: time.Now()})
		v.objects["k"] = &object{value: &sharev1.Agreement{Id: "a"}, height: 10}
		g, s, err := Get(context.Background(), v, "k", func() *sharev1.Agreement { return nil }, time.Second)
		if err != nil || !s.Found || g.GetId() != "a" || s.Age != 0 {
			t.Fatalf("%v, %+v, %v", g, s, err)
		}
		if _, _, fresh := v.cached("k", time.Second); !fresh {
			t.Error("it is not fresh at once")
		}
		time.Sleep(2 * time.Second)
		if _, _, fresh := v.cached("k", time.Second); fresh {
			t.Error("it is fresh after 2 s")
		}
		v.Forget("k")
		if _, _, fresh := v.cached("k", time.Hour); fresh {
			t.Error("it is fresh though an event touched it")
		}
		if len(v.inUse()) != 1 {
			t.Error("it is not kept warm")
		}
		time.Sleep(2 * warmFor)
		if len(v.inUse()) != 0 {
			t.Error("it is kept warm for ever")
		}
	})
}

// TestRefreshRests: a refresh that failed is not tried again by every request.
func TestRefreshRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		v := New(nil, nil, func(context.Context) error {
			tries++
			return errors.New("no chain")
		})
		for range 100 {
			if v.renew(context.Background()) == nil {
				t.Fatal("no chain, and a mark")
			}
		}
		if err := v.renew(context.Background()); tries != 1 || !fault.Is(err, fault.StaleHeight) {
			t.Errorf("%d tries, %v", tries, err)
		}
		time.Sleep(refreshRest)
		v.renew(context.Background())
		if tries != 2 {
			t.Errorf("%d tries after a rest", tries)
		}
	})
}

// TestRoom: the cache is bounded; what was not used for longest goes.
func TestRoom(t *testing.T) {
	v := New(nil, nil, nil)
	began := time.Now()
	for i := range maxObjects {
		v.objects[fmt.Sprint(i)] = &object{height: 1, used: began.Add(time.Duration(i))}
	}
	v.makeRoom()
	if len(v.objects) != maxObjects-1 || v.objects["0"] != nil {
		t.Errorf("%d objects", len(v.objects))
	}
}

// TestGrantsLeaveTheCatalogue: an event about a grant names its entry, and what is known of the
// entry stays; that of the grant does not.
func TestGrantsLeaveTheCatalogue(t *testing.T) {
	for verb, want := range map[string][2]bool{ // entry, grant
		"grant/record_grant_use":  {false, true},
		"grant/give_grant":        {false, true},
		"catalogue/report_drift":  {true, true},
		"catalogue/submit_entry":  {true, true},
		"governance/vote_carried": {true, true},
	} {
		if got := [2]bool{changes(verb, "catalogue/entry/x"), changes(verb, "grant/grant/x")}; got != want {
			t.Errorf("%s: %v, want %v", verb, got, want)
		}
	}
}
