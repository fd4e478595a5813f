package main

import (
	"testing"

	"mulian/internal/fault"
)

// TestWindowsAsWritten: what is read of a window is written again as it was.
func TestWindowsAsWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"mon-fri 08:00-18:00": "mon,tue,wed,thu,fri 08:00-18:00", "sat,sun": "sat,sun", "working": "working", "working 09:00-17:30": "working 09:00-17:30", "00:00-24:00": "00:00-24:00",
	} {
		w, err := parseWindow(text)
		if err != nil || windowText(w) != want {
			t.Errorf("%q: %v, %q, want %q", text, err, windowText(w), want)
		}
	}
	for _, text := range []string{"", "monday", "fri-mon", "18:00-08:00", "08:00", "25:00-26:00", "08:60-09:00", "mon-fri-sat"} {
		if w, err := parseWindow(text); !fault.Is(err, fault.Usage) {
			t.Errorf("%q is taken for %v", text, w)
		}
	}
}

// TestPredicatesAndMasksAsWritten: names, parameters and numbers, and what is none.
func TestPredicatesAndMasksAsWritten(t *testing.T) {
	t.Parallel()
	p, err := parsePredicate(`larger(least:decimal, day: date): area > least && issued > day`)
	if err != nil || p.Name != "larger" || p.Condition != "area > least && issued > day" || len(p.Parameters) != 2 || p.Parameters[1].Name != "day" || p.Parameters[1].Type != "date" {
		t.Errorf("%v, %v", p, err)
	}
	if p, err = parsePredicate(`adult: years(birth, today) >= 18`); err != nil || p.Name != "adult" || len(p.Parameters) != 0 || p.Condition != "years(birth, today) >= 18" {
		t.Errorf("%v, %v", p, err)
	}
	for _, text := range []string{"", "adult", "adult:", ": x == 1", "a(b): x == 1", "a(b:text x == 1", "a(b:text) x: y"} {
		if p, err := parsePredicate(text); !fault.Is(err, fault.Usage) {
			t.Errorf("%q is taken for %v", text, p)
		}
	}
	for _, text := range []string{"", "no", "no=", "no=keep", "no=keep:1", "no=keep:1,2,3", "no=hash:1", "no=round", "no=region:x", "no=blur"} {
		if m, err := parseMask(text); !fault.Is(err, fault.Usage) {
			t.Errorf("%q is taken for %v", text, m)
		}
	}
	if m, err := parseMask("no=keep:3,4"); err != nil || m.Item != "no" || m.First != 3 || m.Last != 4 {
		t.Errorf("%v, %v", m, err)
	}
}
