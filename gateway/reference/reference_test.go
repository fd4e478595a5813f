package reference

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"mulian/internal/fault"
	"mulian/internal/qr"
)

func codes(at *time.Time) *Codes { return &Codes{Now: func() time.Time { return *at }} }

func ask(t *testing.T, c *Codes) Opened {
	t.Helper()
	o, err := c.Ask("bank", "till 7", []byte("content"), 0)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func state(t *testing.T, c *Codes, o Opened, want State) {
	t.Helper()
	if got, err := c.State(o.Payload, "till 7"); err != nil || got != want {
		t.Errorf("state %d, %v, want %d", got, err, want)
	}
}

// TestLife: the bank asks; the owner's phone has it once; the number is typed.
func TestLife(t *testing.T) {
	at := time.Unix(1790000000, 0)
	c := codes(&at)
	o := ask(t, c)
	state(t, c, o, Open)
	if len(o.Number) != 2 || len(o.Payload.String()) != 35 {
		t.Errorf("%+v", o)
	}
	s, err := c.Resolve(o.Payload, "phone")
	if err != nil || s.Content != nil || s.Asker != "bank" || !s.Number {
		t.Fatalf("%+v, %v", s, err)
	}
	state(t, c, o, Seen)
	if _, err := c.Resolve(o.Payload, "phone"); fault.CodeOf(err) != fault.Replayed {
		t.Errorf("again: %v", err)
	}
	if _, err := c.Match(o.Payload, "thief", o.Number); fault.CodeOf(err) != fault.Forbidden {
		t.Errorf("by another device: %v", err)
	}
	if content, err := c.Match(o.Payload, "phone", o.Number); err != nil || string(content) != "content" {
		t.Errorf("%q, %v", content, err)
	}
	state(t, c, o, Matched)
	if _, err := c.State(o.Payload, "till 8"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("another session: %v", err)
	}
}

// TestThreeWrongNumbers close a code, for the right one as well.
func TestThreeWrongNumbers(t *testing.T) {
	at := time.Unix(1790000000, 0)
	c := codes(&at)
	o := ask(t, c)
	if _, err := c.Resolve(o.Payload, "phone"); err != nil {
		t.Fatal(err)
	}
	for i, want := range []fault.Code{fault.BadAuthorisation, fault.BadAuthorisation, fault.Forbidden} {
		if _, err := c.Match(o.Payload, "phone", "00"); fault.CodeOf(err) != want {
			t.Errorf("try %d: %v", i, err)
		}
	}
	if _, err := c.Match(o.Payload, "phone", o.Number); fault.CodeOf(err) != fault.Forbidden {
		t.Errorf("the right one: %v", err)
	}
	state(t, c, o, Closed)
}

// TestNotMe ends and reports, once.
func TestNotMe(t *testing.T) {
	at := time.Unix(1790000000, 0)
	c := codes(&at)
	var reports []Report
	c.Reported = func(_ context.Context, r Report) { reports = append(reports, r) }
	o := ask(t, c)
	if err := c.NotMe(t.Context(), o.Payload, "phone"); fault.CodeOf(err) != fault.Forbidden {
		t.Errorf("before it was resolved: %v", err)
	}
	if _, err := c.Resolve(o.Payload, "phone"); err != nil {
		t.Fatal(err)
	}
	if err := c.NotMe(t.Context(), o.Payload, "phone"); err != nil {
		t.Fatal(err)
	}
	if err := c.NotMe(t.Context(), o.Payload, "phone"); fault.CodeOf(err) != fault.Forbidden {
		t.Errorf("again: %v", err)
	}
	state(t, c, o, NotMe)
	if len(reports) != 1 || reports[0] != (Report{"bank", at}) {
		t.Errorf("%+v", reports)
	}
}

// TestEnd: two minutes for a question, one for a licence; a match that came in time stays.
func TestEnd(t *testing.T) {
	at := time.Unix(1790000000, 0)
	c := codes(&at)
	o, matched, seen := ask(t, c), ask(t, c), ask(t, c)
	if _, err := c.Resolve(seen.Payload, "phone"); err != nil {
		t.Fatal(err)
	}
	show, err := c.Show("owner", "till 7", []byte("licence"))
	if err != nil || show.Number != "" || show.Payload.Kind != qr.Show {
		t.Fatalf("%+v, %v", show, err)
	}
	if _, err := c.Resolve(matched.Payload, "phone"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Match(matched.Payload, "phone", matched.Number); err != nil {
		t.Fatal(err)
	}
	other := show.Payload
	other.Kind = qr.Request
	if _, err := c.Resolve(other, "officer"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("as another kind: %v", err)
	}
	at = at.Add(ShowLife)
	if _, err := c.Resolve(show.Payload, "officer"); fault.CodeOf(err) != fault.Expired {
		t.Errorf("a licence after a minute: %v", err)
	}
	at = at.Add(MaxLife - ShowLife)
	if _, err := c.Resolve(o.Payload, "phone"); fault.CodeOf(err) != fault.Expired {
		t.Errorf("after its time: %v", err)
	}
	if _, err := c.Match(seen.Payload, "phone", seen.Number); fault.CodeOf(err) != fault.Expired {
		t.Errorf("the right number after its time: %v", err)
	}
	state(t, c, o, Ended)
	state(t, c, seen, Ended)
	state(t, c, matched, Matched)
	if _, err := codes(&at).Resolve(o.Payload, "phone"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("after a restart: %v", err)
	}
}

// TestBounds: a session has MaxSession codes, and room again when they end.
func TestBounds(t *testing.T) {
	at := time.Unix(1790000000, 0)
	c := codes(&at)
	for range MaxSession {
		ask(t, c)
	}
	if _, err := c.Ask("bank", "till 7", []byte("x"), 0); fault.CodeOf(err) != fault.Busy {
		t.Errorf("one too many: %v", err)
	}
	if _, err := c.Ask("bank", "till 8", []byte("x"), 0); err != nil {
		t.Errorf("another session: %v", err)
	}
	at = at.Add(MaxLife)
	ask(t, c)
	for _, content := range [][]byte{nil, make([]byte, MaxContent+1)} {
		if _, err := c.Ask("bank", "till 9", content, 0); fault.CodeOf(err) != fault.Malformed {
			t.Errorf("%d bytes: %v", len(content), err)
		}
	}
}

// TestOneOfMany: of 50 devices that photographed a code one has it.
func TestOneOfMany(t *testing.T) {
	at := time.Unix(1790000000, 0)
	c := codes(&at)
	o := ask(t, c)
	var mu sync.Mutex
	got := 0
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			if _, err := c.Resolve(o.Payload, fmt.Sprint("phone ", i)); err == nil {
				mu.Lock()
				got++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if got != 1 {
		t.Errorf("%d devices have it", got)
	}
}
