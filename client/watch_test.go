package client_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"mulian/client"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// TestAWatchOutlivesItsServer: the member goes down and comes back, twice; the
// watcher sees every event once and in order, and is told from where on.
func TestAWatchOutlivesItsServer(t *testing.T) {
	m := start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	seen := make(chan *tracev1.Event, 1000)
	done := make(chan error, 1)
	watcher := m.client
	go func() {
		next := int64(0)
		done <- watcher.Watch(ctx, 0, nil, func(u client.Update) error {
			if u.Next != next+int64(len(u.Events)) {
				return fmt.Errorf("%d events after %d lead to %d: a gap or a double", len(u.Events), next, u.Next)
			}
			next = u.Next
			for _, e := range u.Events {
				seen <- e
			}
			return nil
		})
	}()
	await := func(object string) {
		t.Helper()
		for {
			select {
			case e := <-seen:
				if len(e.GetObjects()) > 0 && e.GetObjects()[0] == object {
					return
				}
			case err := <-done:
				t.Fatalf("the watch ended: %v", err)
			case <-ctx.Done():
				t.Fatalf("%s was never seen", object)
			}
		}
	}
	for _, id := range []string{"1", "2", "3"} {
		m.put(id, "职责"+id)
		if id != "2" { // the second one is committed and not yet read when the server goes
			await("catalogue/duty/" + bureau + ":" + id)
		}
		if id != "3" {
			m.down()
			m.up()
		}
	}
	cancel()
	if err := <-done; !fault.Is(err, fault.Cancelled) {
		t.Errorf("ended with %v", err)
	}
}

// TestAWatchEndsWithItsCaller: an error of the caller's own comes back as it is;
// what the server refuses for good is not asked again for ever.
func TestAWatchEndsWithItsCaller(t *testing.T) {
	m := start(t)
	own := errors.New("enough")
	if err := m.client.Watch(t.Context(), 0, nil, func(client.Update) error { return own }); !errors.Is(err, own) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := m.client.Watch(ctx, -5, nil, func(client.Update) error { return nil }); !fault.Is(err, fault.OutOfRange) {
		t.Errorf("from -5: %v", err)
	}
}

// TestAWatchOfSomeVerbs brings only those, and its cursor moves all the same.
func TestAWatchOfSomeVerbs(t *testing.T) {
	m := start(t)
	m.put("1", "职责")
	stop := errors.New("seen")
	var got []string
	err := m.client.Watch(t.Context(), 0, []string{"catalogue/"}, func(u client.Update) error {
		for _, e := range u.Events {
			got = append(got, e.GetVerb())
		}
		if len(got) > 0 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || len(got) != 1 || got[0] != "catalogue/put_duties" {
		t.Errorf("%v, %v", got, err)
	}
}
