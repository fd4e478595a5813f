package connect

import (
	"testing"
	"time"
)

// TestWhenAFeedIsWorthALook: what a slot keeps is told to an administrator before it hurts.
func TestWhenAFeedIsWorthALook(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const gib = 1 << 30
	for _, c := range []struct {
		name string
		lag  FeedLag
		want bool
	}{
		{"nothing there", FeedLag{Bytes: 9 * gib, Limit: 10 * gib}, false},
		{"followed, and little kept", FeedLag{There: true, Active: true, Bytes: gib, Limit: 10 * gib}, false},
		{"followed, and behind", FeedLag{There: true, Active: true, Bytes: 6 * gib, Limit: 10 * gib}, true},
		{"lost", FeedLag{There: true, Lost: true}, true},
		{"for nobody, since an hour", FeedLag{There: true, Bytes: 2 * gib, Limit: 10 * gib, IdleSince: now.Add(-time.Hour)}, false},
		{"for nobody, since two days", FeedLag{There: true, Bytes: 1, Limit: 10 * gib, IdleSince: now.Add(-48 * time.Hour)}, true},
		{"for nobody, nobody knows since when", FeedLag{There: true, Bytes: 2 * gib, Limit: 10 * gib}, true},
		{"for nobody, a moment ago", FeedLag{There: true, Bytes: gib / 2, Limit: 10 * gib}, false},
	} {
		if c.lag.Warn(now) != c.want {
			t.Errorf("%s: %t", c.name, !c.want)
		}
	}
}
