package view

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/gateway/receipt"
	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
)

// TestTouchedWhileItIsReadAgain: what an event has named does not count as fresh while it is
// being read, nor when that read fails.
func TestTouchedWhileItIsReadAgain(t *testing.T) {
	asked, free := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		<-free
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	chain := client.New(server.URL)
	v := New(chain, chain.Verify(&client.Genesis{Genesis: &governancev1.Genesis{ChainId: "view-test"}}), nil)
	v.Mark(receipt.Mark{Height: 10, Sent: time.Now()})
	old := &sharev1.Agreement{Id: "a"}
	v.objects["k"] = &object{value: old, height: 10}
	if _, _, fresh := v.cached("k", time.Hour); !fresh || !v.Holds("k", old) {
		t.Fatal("it is not fresh before the event")
	}
	v.Forget("k") // as an event does
	end := make(chan error, 1)
	go func() {
		end <- v.fetch(context.Background(), "k", func() proto.Message { return &sharev1.Agreement{} })
	}()
	<-asked
	if _, _, fresh := v.cached("k", time.Hour); fresh || v.Holds("k", old) {
		t.Error("while it is read the old value is fresh again")
	}
	close(free)
	if err := <-end; err == nil {
		t.Fatal("the read did not fail")
	}
	if _, _, fresh := v.cached("k", time.Hour); fresh || v.Holds("k", old) {
		t.Error("after the read failed the old value is fresh again")
	}
	go func() {
		for range asked {
		}
	}()
	if _, s, err := v.get(context.Background(), "k", func() proto.Message { return &sharev1.Agreement{} }, time.Hour); err != nil || s.Age != NoAge {
		t.Errorf("what an event named and nobody can read has the age %s, %v", s.Age, err)
	}
}

// TestReadEndsATouch: a read that succeeds makes an object fresh, but not if an event named it
// during that read, and not with a state before the one that was known.
func TestReadEndsATouch(t *testing.T) {
	fresh := &sharev1.Agreement{Id: "fresh"}
	for _, c := range []struct {
		name    string
		during  bool
		height  int64
		err     error
		touched bool
		value   proto.Message
	}{
		{"good", false, 11, nil, false, fresh},
		{"the same state", false, 10, nil, false, fresh},
		{"an event meanwhile", true, 11, nil, true, fresh},
		{"an older state", false, 9, nil, true, nil},
		{"no answer", false, 0, errors.New("no answer"), true, nil},
	} {
		o := &object{height: 10, flight: &flight{}}
		o.touch()
		o.during = false // the read begins
		if c.during {
			o.touch()
		}
		o.read(fresh, c.height, c.err)
		if o.touched != c.touched || o.flight != nil || o.value != c.value {
			t.Errorf("%s: touched %t, value %v", c.name, o.touched, o.value)
		}
	}
}

// TestOnceIsNotKeptWarm: what was asked for once, as a grant that is used up, is not read ahead;
// what was asked for again is.
func TestOnceIsNotKeptWarm(t *testing.T) {
	chain := client.New("http://127.0.0.1:1")
	v := New(chain, chain.Verify(&client.Genesis{Genesis: &governancev1.Genesis{ChainId: "view-test"}}), nil)
	for _, key := range []string{"once", "again"} {
		v.objects[key] = &object{value: &sharev1.Agreement{Id: key}, height: 10, used: time.Now()}
	}
	v.cached("again", time.Hour)
	if warm := v.inUse(); len(warm) != 1 || warm["again"] == nil {
		t.Errorf("%d objects are kept warm", len(warm))
	}
}
