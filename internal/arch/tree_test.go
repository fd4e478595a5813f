package arch

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// module is the Go module's path, in the house and in testdata/bad.
const module = "mulian"

// The house is judged as it is built for a server, on whatever machine the test
// runs: the files for Linux, without cgo.
func init() {
	build.Default.GOOS, build.Default.GOARCH, build.Default.CgoEnabled = "linux", "amd64", false
	if build.Default.GOROOT == "" { // built with -trimpath
		if out, err := exec.Command("go", "env", "GOROOT").Output(); err == nil {
			build.Default.GOROOT = strings.TrimSpace(string(out))
		}
	}
}

// A finding is one broken rule at one line.
type finding struct {
	path string // below the root, with slashes
	line int
	what string
}

func (f finding) String() string { return fmt.Sprintf("%s:%d: %s", f.path, f.line, f.what) }

// A fence looks at a whole tree and returns what breaks its rule.
type fence struct {
	name string
	look func(*tree) []finding
}

// fences that look at one tree of sources. Those that compare with one certain
// file of the house (dependencies, README) have a test of their own.
var fences = []fence{
	{"floors", floors},
	{"determinism", determinism},
	{"package comments", packageComments},
	{"documented names", documentedNames},
	{"file length", fileLength},
	{"names", names},
	{"open ends", openEnds},
	{"words", words},
	{"papers", papers},
}

// A tree is one Go module's sources, read and parsed once.
type tree struct {
	root  string
	fset  *token.FileSet
	goes  []*goFile
	texts []string // every other text file that a person wrote, below the root
}

type goFile struct {
	path      string // below the root, with slashes
	dir       string
	test      bool // a _test.go file
	generated bool // written by a program
	lines     int
	ast       *ast.File
}

// top is the first folder of the file's path: its room in the house.
func (f *goFile) top() string { top, _, _ := strings.Cut(f.path, "/"); return top }

func (t *tree) at(f *goFile, pos token.Pos, format string, args ...any) finding {
	return finding{f.path, t.fset.Position(pos).Line, fmt.Sprintf(format, args...)}
}

// skipped folders hold no source of this module: tools/ are modules of their
// own, testdata is what tests feed on, dist and node_modules are not ours.
var skipped = []string{"testdata", "tools", "node_modules", "dist", "vendor"}

// texts are the ends of names of the files that the papers fence reads.
var textFile = regexp.MustCompile(`(\.(md|yaml|yml|sh|proto|txt|ts|tsx|mk)|/?Makefile|\.ci/run)$`)

func readTree(root string) (*tree, error) {
	t := &tree{root: root, fset: token.NewFileSet()}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			hidden := strings.HasPrefix(d.Name(), ".") && d.Name() != ".ci"
			if rel != "." && (hidden || slices.Contains(skipped, d.Name())) {
				return filepath.SkipDir
			}
			return nil
		}
		if textFile.MatchString(rel) {
			t.texts = append(t.texts, rel)
		}
		if !strings.HasSuffix(rel, ".go") {
			return nil
		}
		src, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(t.fset, rel, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		t.goes = append(t.goes, &goFile{
			path: rel, dir: path.Dir(rel), test: strings.HasSuffix(rel, "_test.go"),
			generated: ast.IsGenerated(parsed), lines: strings.Count(string(src), "\n"), ast: parsed,
		})
		return nil
	})
	return t, err
}

// house is the tree that this file stands in.
var house = sync.OnceValues(func() (*tree, error) { return readTree("../..") })

func readHouse(t *testing.T) *tree {
	t.Helper()
	tree, err := house()
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestFences(t *testing.T) {
	house := readHouse(t)
	for _, f := range fences {
		t.Run(f.name, func(t *testing.T) {
			for _, found := range f.look(house) {
				t.Error(found)
			}
		})
	}
}

// want marks a line of testdata/bad at which a fence must speak.
var want = regexp.MustCompile(`want "([^"]+)"`)

// TestFencesBite runs all fences over a small bad house and holds that every
// line marked there is found, and no other.
func TestFencesBite(t *testing.T) {
	bad, err := readTree("testdata/bad")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{} // "path:line" -> what was said
	for _, f := range fences {
		for _, x := range f.look(bad) {
			at := fmt.Sprintf("%s:%d", x.path, x.line)
			found[at] = append(found[at], x.what)
		}
	}
	paths := slices.Clone(bad.texts)
	for _, f := range bad.goes {
		paths = append(paths, f.path)
	}
	for _, p := range paths {
		src, err := os.ReadFile(filepath.Join(bad.root, p))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(src), "\n") {
			at := fmt.Sprintf("%s:%d", p, i+1)
			for _, m := range want.FindAllStringSubmatch(line, -1) {
				j := slices.IndexFunc(found[at], func(s string) bool { return strings.Contains(s, m[1]) })
				if j < 0 {
					t.Errorf("%s: no fence says %q; said: %q", at, m[1], found[at])
					continue
				}
				found[at] = slices.Delete(found[at], j, j+1)
			}
		}
	}
	for at, said := range found {
		for _, s := range said {
			t.Errorf("%s: not marked, but a fence says: %s", at, s)
		}
	}
}
