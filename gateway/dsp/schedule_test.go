package dsp

import (
	"errors"
	"testing"
	"time"
)

// TestAConnectorThatDoesNotAnswerIsGivenUp, later and later, until it speaks itself.
func TestAConnectorThatDoesNotAnswerIsGivenUp(t *testing.T) {
	s, now := &schedule{}, time.UnixMilli(1_767_225_600_000)
	s.keep([]string{"a"})
	var last time.Duration
	for n := 0; s.begin("a", now); n++ {
		if s.begin("a", now) {
			t.Fatal("two look at one record at once")
		}
		if n > maxAttempts {
			t.Fatalf("%d attempts", n)
		}
		s.end("a", now, errors.New("no answer"))
		wait := s.at["a"].due.Sub(now)
		if wait < last || wait > lastRetry {
			t.Fatalf("attempt %d waits %s after %s", n, wait, last)
		}
		last, now = wait, now.Add(wait)
	}
	if last != lastRetry || s.begin("a", now.Add(24*time.Hour)) {
		t.Errorf("the last wait was %s", last)
	}
	s.now("a")
	if !s.begin("a", now) {
		t.Error("the connector has spoken, and nobody looks")
	}
	s.keep(nil)
	s.end("a", now, nil) // what runs is not forgotten under its feet
	s.keep(nil)
	if len(s.at) != 0 {
		t.Errorf("%d records are kept", len(s.at))
	}
}
