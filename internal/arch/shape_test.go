package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// maxLines of a source file: what a reader keeps in mind (STYLE: the good
// codebases of the field stay below 600).
const maxLines = 600

func fileLength(t *tree) []finding {
	var out []finding
	for _, f := range t.goes {
		if !f.generated && f.lines > maxLines {
			out = append(out, finding{f.path, f.lines, fmt.Sprintf("%d lines: cut it where its reader would (at most %d)", f.lines, maxLines)})
		}
	}
	return out
}

// A file that is too long is not kept in testdata only to be found there.
func TestLongFileIsFound(t *testing.T) {
	long := &tree{goes: []*goFile{{path: "a.go", lines: 601}, {path: "b.go", lines: 600}, {path: "c.go", lines: 900, generated: true}}}
	if got := fileLength(long); len(got) != 1 || got[0].path != "a.go" {
		t.Errorf("got %v", got)
	}
}

// packageComments: every package says what it is, in one file. Test-only
// folders need none.
func packageComments(t *tree) []finding {
	said := map[string]int{}
	first := map[string]*goFile{}
	for _, f := range t.goes {
		if f.test {
			continue
		}
		if first[f.dir] == nil {
			first[f.dir] = f
		}
		if f.ast.Doc != nil {
			said[f.dir]++
		}
	}
	var out []finding
	for dir, f := range first {
		if f.generated {
			continue
		}
		if said[dir] == 0 {
			out = append(out, t.at(f, f.ast.Package, "package %s has no comment: what it is, what it is not, the life of its noun, its invariants", f.ast.Name.Name))
		}
		if said[dir] > 1 {
			out = append(out, t.at(f, f.ast.Package, "package %s has %d comments: one file speaks for it", f.ast.Name.Name, said[dir]))
		}
	}
	return out
}

// selfEvident methods are documented by the interface that asks for them.
var selfEvident = []string{
	"Error", "String", "Unwrap", "Is", "As", "Len", "Less", "Swap", "LogValue", "Format", "Close", "Read", "Write", "ServeHTTP",
	"MarshalText", "UnmarshalText", "MarshalJSON", "UnmarshalJSON", "MarshalYAML", "UnmarshalYAML", "Scan", "Value",
}

// documentedNames: every exported name says what it promises.
func documentedNames(t *tree) []finding {
	var out []finding
	for _, f := range t.goes {
		if f.test || f.generated || f.ast.Name.Name == "main" {
			continue
		}
		for _, decl := range f.ast.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Doc == nil && d.Name.IsExported() && (d.Recv == nil || exportedReceiver(d) && !slices.Contains(selfEvident, d.Name.Name)) {
					out = append(out, t.at(f, d.Pos(), "%s is exported and not documented", d.Name.Name))
				}
			case *ast.GenDecl:
				out = append(out, documentedSpecs(t, f, d)...)
			}
		}
	}
	return out
}

func documentedSpecs(t *tree, f *goFile, d *ast.GenDecl) []finding {
	var out []finding
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && s.Doc == nil && d.Doc == nil && s.Comment == nil {
				out = append(out, t.at(f, s.Pos(), "%s is exported and not documented", s.Name.Name))
			}
		case *ast.ValueSpec:
			for _, name := range s.Names {
				if name.IsExported() && s.Doc == nil && d.Doc == nil && s.Comment == nil {
					out = append(out, t.at(f, s.Pos(), "%s is exported and not documented", name.Name))
				}
			}
		}
	}
	return out
}

func exportedReceiver(d *ast.FuncDecl) bool {
	x := d.Recv.List[0].Type
	for {
		switch e := x.(type) {
		case *ast.StarExpr:
			x = e.X
		case *ast.IndexExpr:
			x = e.X
		case *ast.IndexListExpr:
			x = e.X
		case *ast.Ident:
			return e.IsExported()
		default:
			return false
		}
	}
}

// empty lists words that say nothing about the thing that bears them.
var empty = []string{"util", "helper", "common", "manager", "service", "base", "core", "data", "info", "handle", "process", "misc", "wrapper", "impl"}

func saysNothing(word string) bool {
	word = strings.ToLower(word)
	return slices.Contains(empty, word) || slices.Contains(empty, strings.TrimSuffix(word, "s"))
}

// names: no package, and no type by its head word, is called by an empty word.
func names(t *tree) []finding {
	var out []finding
	seen := map[string]bool{}
	for _, f := range t.goes {
		if f.generated {
			continue
		}
		if !seen[f.dir] && saysNothing(f.ast.Name.Name) {
			out = append(out, t.at(f, f.ast.Package, "package %s: the name says nothing", f.ast.Name.Name))
		}
		seen[f.dir] = true
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if s, ok := n.(*ast.TypeSpec); ok && saysNothing(headWord(s.Name.Name)) {
				out = append(out, t.at(f, s.Pos(), "type %s: the name says nothing", s.Name.Name))
			}
			return true
		})
	}
	return out
}

// headWord is the last word of a name in camel case: Agreement of
// SuspendAgreement, ID of OrgID.
func headWord(name string) string {
	if stem, plural := strings.CutSuffix(name, "s"); plural && stem != "" && unicode.IsUpper(rune(stem[len(stem)-1])) {
		return headWord(stem) + "s" // URLs
	}
	r := []rune(name)
	i := len(r) - 1
	for ; i > 0; i-- {
		if unicode.IsUpper(r[i]) && (unicode.IsLower(r[i-1]) || unicode.IsDigit(r[i-1]) || i+1 < len(r) && unicode.IsLower(r[i+1])) {
			break
		}
	}
	return string(r[i:])
}

func TestHeadWord(t *testing.T) {
	for name, want := range map[string]string{"SuspendAgreement": "Agreement", "OrgID": "ID", "SM2Key": "Key", "X": "X", "entry": "entry", "HTTPServer": "Server", "P256": "P256", "URLs": "URLs"} {
		if got := headWord(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// openEnd is a note to come back that names no reason to.
var openEnd = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)

// openEnds: what is not done is an issue, not a note in the source.
func openEnds(t *tree) []finding {
	var out []finding
	for _, f := range t.goes {
		for _, g := range f.ast.Comments {
			for _, c := range g.List {
				if m := openEnd.FindString(c.Text); m != "" && !f.generated {
					out = append(out, t.at(f, c.Pos(), "%s: finish it or leave it out", m))
				}
			}
		}
	}
	return out
}

// maxFunction lines hold for 95 of 100 functions; a long table or switch may be
// among the other five.
const maxFunction = 60

func TestFunctionsAreShort(t *testing.T) {
	house := readHouse(t)
	var lengths []int
	for _, f := range house.goes {
		if f.generated || f.test {
			continue
		}
		for _, decl := range f.ast.Decls {
			if d, ok := decl.(*ast.FuncDecl); ok {
				lengths = append(lengths, lineOf(house, d.End())-lineOf(house, d.Pos())+1)
			}
		}
	}
	if len(lengths) == 0 {
		t.Fatal("no function found")
	}
	slices.Sort(lengths)
	if p95 := lengths[len(lengths)*95/100]; p95 > maxFunction {
		t.Errorf("of %d functions, one in twenty has more than %d lines (at most %d)", len(lengths), p95, maxFunction)
	}
}

func lineOf(t *tree, p token.Pos) int { return t.fset.Position(p).Line }
