package main

import "testing"

// What the demo invites to try can be copied, whatever the home is called.
func TestShellWord(t *testing.T) {
	for s, want := range map[string]string{
		"/srv/mulian":  "/srv/mulian",
		"/srv/数据":      "/srv/数据",
		"/srv/a b":     "'/srv/a b'",
		"/srv/it's $x": `'/srv/it'\''s $x'`,
		"/srv/a;rm":    "'/srv/a;rm'",
	} {
		if got := shellWord(s); got != want {
			t.Errorf("shellWord(%q) = %s, want %s", s, got, want)
		}
	}
}
