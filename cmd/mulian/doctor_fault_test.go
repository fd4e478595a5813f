package main

import (
	"strings"
	"testing"
	"time"
)

// TestDoctorFindsTheClock: an hour either way, by the server's time or the latest block's.
func TestDoctorFindsTheClock(t *testing.T) {
	a := &app{lang: "en"}
	for _, c := range []struct {
		ahead, sinceBlock time.Duration
		mark, value       string
	}{
		{0, time.Hour, "ok", "not behind"}, // an idle chain
		{time.Hour, 2 * time.Hour, "fail", "1h0m0s ahead of the server's"},
		{-time.Hour, 10 * time.Minute, "fail", "1h0m0s behind the server's"},
		{0, -time.Hour, "fail", "1h0m0s behind the latest block"},
		{-time.Second, -time.Second, "ok", "not behind"},
	} {
		if f := a.examineClock(c.ahead, c.sinceBlock); f.Mark != c.mark || !strings.Contains(f.Value, c.value) || c.mark == "fail" && (f.Cause == "" || f.Effect == "" || f.Fix == "") {
			t.Errorf("%s, %s: %+v", c.ahead, c.sinceBlock, f)
		}
	}
}
