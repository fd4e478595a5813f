package logbook

import (
	"fmt"
	"net/url"
	"strings"
)

// secretWords are in the names of settings whose value is not written down.
var secretWords = []string{"password", "passwd", "secret", "token", "credential", "private"}

// Diff tells which settings differ, as facts of an act: "8080 → 9090". A value that may
// hold a secret is named, not shown; of a URL neither user nor query is.
func Diff(before, now map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range now {
		if old, had := before[k]; !had || old != v {
			out[k] = fmt.Sprintf("%s → %s", Shown(k, old), Shown(k, v))
		}
	}
	for k, old := range before {
		if _, has := now[k]; !has {
			out[k] = Shown(k, old) + " → "
		}
	}
	return out
}

// Shown is a setting's value as it may be written down.
func Shown(key, value string) string {
	key = strings.ToLower(key)
	for _, w := range secretWords {
		if strings.Contains(key, w) && value != "" {
			return "(…)"
		}
	}
	if strings.Contains(value, "PRIVATE KEY") {
		return "(…)"
	}
	if u, err := url.Parse(value); err == nil && u.Scheme != "" && u.Host != "" {
		if u.User != nil {
			u.User = url.User("…")
		}
		if u.RawQuery != "" {
			u.RawQuery = "…"
		}
		return u.String()
	}
	return value
}
