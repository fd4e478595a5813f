package arch

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// commands that README's first screen promises; each must work by copy and paste.
var commands = []string{"go run ./cmd/mulian demo", "make test"}

// unwanted lists what must not stand in a committed file, and why.
var unwanted = []struct {
	pattern *regexp.Regexp
	why     string
}{
	{regexp.MustCompile(`(^|[\s"'=(:])/(home|root|Users|work|mnt)/[A-Za-z0-9]`), "a path of one machine"},
	{regexp.MustCompile(`\b(proxy|registry|deb|mirrors?)\.[a-z0-9-]+\.(org|com|net|cn|io)\b`), "a registry's host: the ordinary client knows it"},
	{regexp.MustCompile(`@late` + `st\b`), "a version that changes under us: name the exact one"},
}

// papers: what a person reads and runs first holds, everywhere.
func papers(t *tree) []finding {
	var out []finding
	readme, err := os.ReadFile(filepath.Join(t.root, "README.md"))
	if err != nil {
		out = append(out, finding{"README.md", 1, "is missing"})
	}
	for _, c := range commands {
		if err == nil && !strings.Contains(string(readme), c) {
			out = append(out, finding{"README.md", 1, fmt.Sprintf("does not show the command %q", c)})
		}
	}
	paths := t.texts
	for _, f := range t.goes {
		paths = append(paths[:len(paths):len(paths)], f.path)
	}
	for _, path := range paths {
		src, err := os.ReadFile(filepath.Join(t.root, path))
		if err != nil {
			return append(out, finding{path, 1, err.Error()})
		}
		for _, u := range unwanted {
			if !u.pattern.Match(src) {
				continue
			}
			for i, line := range strings.Split(string(src), "\n") {
				if found := u.pattern.FindString(line); found != "" {
					out = append(out, finding{path, i + 1, fmt.Sprintf("names %s: %s", strings.TrimSpace(found), u.why)})
				}
			}
		}
	}
	return out
}
