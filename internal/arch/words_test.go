package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// wordList is docs/words.md as the fence reads it: the table rows
//
//	| <a id="duty"></a>职责 | duty | `Duty`, `DutyID` | meaning |
//
// in all sections. Identifiers may be a head word (Duty allows SubmitDuty and
// PutDuties) or a whole name (CounterSign).
type wordList struct {
	identifiers map[string]bool
	anchors     map[string]bool
	wrong       []finding // rows that break the list's own rule
}

const wordsFile = "docs/words.md"

var (
	wordRow    = regexp.MustCompile(`^\| <a id="([a-z0-9-]+)"></a>([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|`)
	identifier = regexp.MustCompile("`([^`]+)`")
)

func readWords(root string) (*wordList, error) {
	src, err := os.ReadFile(filepath.Join(root, wordsFile))
	if err != nil {
		return nil, err
	}
	w := &wordList{identifiers: map[string]bool{}, anchors: map[string]bool{}}
	seen := map[string]int{} // Chinese or English word -> line
	for i, line := range strings.Split(string(src), "\n") {
		wrong := func(format string, args ...any) {
			w.wrong = append(w.wrong, finding{wordsFile, i + 1, fmt.Sprintf(format, args...)})
		}
		m := wordRow.FindStringSubmatch(line)
		if m == nil {
			if strings.HasPrefix(line, "| <a") {
				wrong("the row is not | <a id=\"word\"></a>中文 | English | `Identifier` | meaning |")
			}
			continue
		}
		anchor, chinese, english, idents, meaning := m[1], strings.TrimSpace(m[2]), strings.TrimSpace(m[3]), m[4], strings.TrimSpace(m[5])
		if w.anchors[anchor] {
			wrong("the anchor %s stands twice", anchor)
		}
		w.anchors[anchor] = true
		if english == "" || meaning == "" {
			wrong("%s: the English word or the meaning is missing", anchor)
		}
		for _, word := range []string{chinese, english} {
			if word == "" || word == "-" {
				continue
			}
			if at := seen[word]; at > 0 {
				wrong("%s stands in line %d already: one thing, one word", word, at)
			}
			seen[word] = i + 1
		}
		for _, id := range identifier.FindAllStringSubmatch(idents, -1) {
			w.identifiers[id[1]] = true
		}
	}
	return w, nil
}

// has reports whether a type of this name is named by the list.
func (w *wordList) has(name string) bool {
	head := headWord(name)
	for _, n := range []string{name, head, strings.TrimSuffix(head, "s"), strings.TrimSuffix(head, "es"), strings.TrimSuffix(head, "ies") + "y"} {
		if w.identifiers[n] {
			return true
		}
	}
	return false
}

// schemaName is a declaration in a .proto file.
var schemaName = regexp.MustCompile(`^\s*(?:message|enum)\s+(\w+)`)

// words: the state machine and the schema name their things by docs/words.md,
// and each noun that has a folder has an anchor there.
func words(t *tree) []finding {
	w, err := readWords(t.root)
	if err != nil {
		return []finding{{wordsFile, 1, err.Error()}}
	}
	out := w.wrong
	const ask = "%s is not a word of " + wordsFile + ": use the listed word or list this one"
	for _, f := range t.goes {
		if f.test || !under(f.path, "rules") || forTests(f.dir) {
			continue
		}
		if parts := strings.Split(f.dir, "/"); len(parts) == 2 && !w.anchors[parts[1]] {
			out = append(out, t.at(f, f.ast.Package, ask, "the folder "+parts[1]))
		}
		for _, decl := range f.ast.Decls {
			d, ok := decl.(*ast.GenDecl)
			if !ok || d.Tok != token.TYPE {
				continue
			}
			for _, spec := range d.Specs {
				if name := spec.(*ast.TypeSpec).Name.Name; ast.IsExported(name) && !w.has(name) {
					out = append(out, t.at(f, spec.Pos(), ask, name))
				}
			}
		}
	}
	for _, path := range t.texts {
		if !strings.HasSuffix(path, ".proto") {
			continue
		}
		if parts := strings.Split(path, "/"); len(parts) > 3 && !w.anchors[parts[2]] {
			out = append(out, finding{path, 1, fmt.Sprintf(ask, "the folder "+parts[2])})
		}
		src, err := os.ReadFile(filepath.Join(t.root, path))
		if err != nil {
			return append(out, finding{path, 1, err.Error()})
		}
		for i, line := range strings.Split(string(src), "\n") {
			if m := schemaName.FindStringSubmatch(line); m != nil && !w.has(m[1]) {
				out = append(out, finding{path, i + 1, fmt.Sprintf(ask, m[1])})
			}
		}
	}
	return out
}

// lawDir holds the articles that the product rests on.
const lawDir = "docs/laws"

// TestLawsNameTheirRule holds that each article we rely on says which part of
// the house keeps it, or that it is planned, and that the part exists.
func TestLawsNameTheirRule(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("../..", lawDir, "*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no law in %s: %v", lawDir, err)
	}
	row := regexp.MustCompile(`^\| ([0-9]+(?:\([0-9]\))?) \|.*\| ([^|]+) \|$`)
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		articles := 0
		for i, line := range strings.Split(string(src), "\n") {
			m := row.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			articles++
			parts := identifier.FindAllStringSubmatch(m[2], -1)
			if len(parts) == 0 {
				t.Errorf("%s:%d: article %s names neither a folder nor planned work", file, i+1, m[1])
			}
			for _, p := range parts {
				if strings.HasPrefix(m[2], "planned") {
					continue
				}
				if _, err := os.Stat(filepath.Join("../..", p[1])); err != nil {
					t.Errorf("%s:%d: article %s: %s does not exist", file, i+1, m[1], p[1])
				}
			}
		}
		if articles == 0 {
			t.Errorf("%s: no row | article | promise | kept by |", file)
		}
	}
}
