package postgres

import "testing"

func TestHasEnded(t *testing.T) {
	for _, c := range []struct {
		snapshot string
		xid      uint32
		want     bool
	}{
		{"100:100:", 99, true},
		{"100:100:", 100, false}, // not begun, by this snapshot
		{"98:100:98", 98, false},
		{"98:100:98", 99, true},
		{"98:105:98,101,103", 101, false},
		{"98:105:98,101,103", 102, true},
		{"98:105:98,101,103", 104, true},
		{"4294967294:4294967299:4294967297", 1, false}, // the second round of 32 bits
		{"4294967294:4294967299:4294967297", 2, true},
		{"4294967294:4294967299:4294967297", 4294967295, true},
		{"4294967294:4294967299:4294967297", 3, false},
	} {
		if got, err := hasEnded(c.snapshot, c.xid); got != c.want || err != nil {
			t.Errorf("%d in %s: %v, %v", c.xid, c.snapshot, got, err)
		}
	}
	for _, bad := range []string{"", "1:2", "1:x:", "1:2:x"} {
		if _, err := hasEnded(bad, 1); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
