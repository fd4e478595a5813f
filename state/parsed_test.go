package state_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/state"
)

// TestParsedFollowsTheBytes: what is remembered is never given for other bytes, and there
// is a bound to how much is.
func TestParsedFollowsTheBytes(t *testing.T) {
	var m state.Parsed[tracev1.Event, *tracev1.Event]
	raw := func(note string) []byte {
		b, err := proto.Marshal(&tracev1.Event{Note: note})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	parse := func(key, note string) *tracev1.Event {
		e, err := m.Parse(key, raw(note))
		if err != nil || e.GetNote() != note {
			t.Fatalf("%s: %v, %v, want the note %q", key, e, err, note)
		}
		return e
	}
	first := parse("a", "one")
	if parse("a", "one") != first {
		t.Error("the same bytes are parsed again")
	}
	if parse("a", "two") == first || parse("b", "two") == first {
		t.Error("other bytes are taken for the same")
	}
	if first.GetNote() != "one" {
		t.Error("a record that was given out has changed")
	}
	for i := range 10_000 {
		parse(fmt.Sprint(i), "x")
	}
	parse("a", "one")
	if _, err := m.Parse("a", []byte{0xff}); err == nil {
		t.Error("damaged bytes are parsed")
	}
	long := make([]byte, 8<<10)
	for i := range long {
		long[i] = 'x'
	}
	if first := parse("long", string(long)); first == parse("long", string(long)) {
		t.Error("a long record is remembered")
	}
}
