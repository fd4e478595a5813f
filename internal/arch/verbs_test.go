package arch

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const verbsFile = "docs/spec/verbs.md"

var (
	verbOfTx  = regexp.MustCompile(`(?m)^    mulian\.\w+\.v1\.(\w+) (\w+) = \d+;`)
	verbCell  = regexp.MustCompile("^(`\\w+` ?)+$")
	nextTitle = regexp.MustCompile(`^## (.+)$`)
)

// TestEveryVerbHasItsPlace: docs/spec/verbs.md names every verb of the ledger once. Those under
// "On a page of the console" and "In the safe box" are signed by a source of the pages, the
// others by none.
func TestEveryVerbHasItsPlace(t *testing.T) {
	root := filepath.Join("..", "..")
	schema, err := os.ReadFile(filepath.Join(root, "proto", "mulian", "tx", "v1", "tx.proto"))
	if err != nil {
		t.Fatal(err)
	}
	paper, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(verbsFile)))
	if err != nil {
		t.Fatal(err)
	}
	place := map[string]string{} // verb -> heading
	title := ""
	for i, line := range strings.Split(string(paper), "\n") {
		if m := nextTitle.FindStringSubmatch(line); m != nil {
			title = m[1]
		}
		cells := strings.Split(line, "|")
		if len(cells) < 4 || !verbCell.MatchString(strings.TrimSpace(cells[1])) {
			continue
		}
		for _, verb := range strings.Fields(strings.ReplaceAll(cells[1], "`", "")) {
			if before, ok := place[verb]; ok {
				t.Errorf("%s:%d: %s stands under %q already", verbsFile, i+1, verb, before)
			}
			place[verb] = title
		}
	}
	pages, box := signedBy(t, filepath.Join(root, "console", "src", "pages")), signedBy(t, filepath.Join(root, "console", "src", "box"))
	verbs := verbOfTx.FindAllStringSubmatch(string(schema), -1)
	if len(verbs) < 140 {
		t.Fatalf("only %d verbs found: tx.proto is written otherwise than this test reads", len(verbs))
	}
	for _, m := range verbs {
		verb, is := m[1], "Not on a page"
		switch act := "case: '" + camel(m[2]) + "'"; {
		case strings.Contains(pages, act):
			is = "On a page of the console"
		case strings.Contains(box, act):
			is = "In the safe box"
		}
		if place[verb] != is {
			t.Errorf("%s: %s stands under %q, the sources say %q", verbsFile, verb, place[verb], is)
		}
		delete(place, verb)
	}
	for verb := range place {
		t.Errorf("%s: %s is no verb of tx.proto", verbsFile, verb)
	}
}

// signedBy is the source text of a folder of pages.
func signedBy(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(strings.TrimSuffix(path, "x"), ".ts") {
			return err
		}
		src, err := os.ReadFile(path)
		all.Write(src)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// camel is a field's name as TypeScript has it.
func camel(name string) string {
	parts := strings.Split(name, "_")
	for i := 1; i < len(parts); i++ {
		parts[i] = strings.ToUpper(parts[i][:1]) + parts[i][1:]
	}
	return strings.Join(parts, "")
}
