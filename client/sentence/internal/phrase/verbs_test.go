package phrase

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestEveryVerbOfTheRulesHasItsLine reads the sources of the rules and follows every
// verb to the place where it is emitted: each has its line in the table, in both
// languages, and no line is for a verb that is emitted nowhere.
func TestEveryVerbOfTheRulesHasItsLine(t *testing.T) {
	emitted := map[string]string{} // verb, and where
	folders, err := filepath.Glob("../../../../rules/*")
	if err != nil || len(folders) < 5 {
		t.Fatalf("the sources of the rules: %d, %v", len(folders), err)
	}
	for _, dir := range folders {
		if st, err := os.Stat(dir); err == nil && st.IsDir() && !strings.HasSuffix(dir, "test") && filepath.Base(dir) != "act" {
			newRoom(t, dir).follow(emitted)
		}
	}
	if len(emitted) < 45 {
		t.Fatalf("only %d verbs found: the rules emit otherwise than this test reads", len(emitted))
	}
	for verb, where := range emitted {
		if p, ok := verbs[verb]; !ok || p.Chinese == "" || p.English == "" || p.Chinese == p.English {
			t.Errorf("%s: the verb %s has no line in verbs.go", where, verb)
		}
	}
	for verb := range verbs {
		if _, ok := emitted[verb]; !ok {
			t.Errorf("verbs.go: no rule emits %s", verb)
		}
	}
}

// room is the sources of one package.
type room struct {
	t     *testing.T
	dir   string
	files []*ast.File
	set   *token.FileSet
	words map[string][]string // constants and tables of words of the package
}

func newRoom(t *testing.T, dir string) *room {
	r := &room{t: t, dir: filepath.Base(dir), set: token.NewFileSet(), words: map[string][]string{}}
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(r.set, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		r.files = append(r.files, f)
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok {
				note(g, r.words)
			}
		}
	}
	return r
}

// note puts what a declaration names into words: one for a constant, all for a list.
func note(g *ast.GenDecl, words map[string][]string) {
	for _, s := range g.Specs {
		v, ok := s.(*ast.ValueSpec)
		if !ok {
			continue
		}
		for i, name := range v.Names {
			if i >= len(v.Values) {
				break
			}
			ast.Inspect(v.Values[i], func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					text, _ := strconv.Unquote(lit.Value)
					words[name.Name] = append(words[name.Name], text)
				}
				return true
			})
		}
	}
}

// follow finds what reaches Emit: directly, or through functions of the package
// that hand a parameter of theirs on to it.
func (r *room) follow(out map[string]string) {
	emitters := map[string]int{"Emit": 0} // function, and which argument is the verb
	for range 4 {                         // no chain is longer
		for _, f := range r.files {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
					r.function(fn, emitters, out)
				}
			}
		}
	}
}

func (r *room) function(fn *ast.FuncDecl, emitters map[string]int, out map[string]string) {
	params := map[string]int{}
	for _, field := range fn.Type.Params.List {
		for _, name := range field.Names {
			params[name.Name] = len(params)
		}
	}
	local := map[string][]string{}
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		if g, ok := n.(*ast.GenDecl); ok {
			note(g, local)
		}
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		at, ok := emitters[calledName(call.Fun)]
		if !ok || at >= len(call.Args) {
			return true
		}
		arg := call.Args[at]
		if id, ok := arg.(*ast.Ident); ok && local[id.Name] == nil {
			if i, ok := params[id.Name]; ok {
				emitters[fn.Name.Name] = i
				return true
			}
		}
		where := r.dir + ": " + r.set.Position(call.Pos()).String()
		texts := r.texts(arg, local)
		if len(texts) == 0 {
			r.t.Errorf("%s: a verb that this test cannot follow", where)
		}
		for _, text := range texts {
			out[text] = where
		}
		return true
	})
}

func calledName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// texts are the words that an expression can be.
func (r *room) texts(e ast.Expr, local map[string][]string) []string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, _ := strconv.Unquote(e.Value)
		return []string{text}
	case *ast.Ident:
		if w := local[e.Name]; w != nil {
			return w
		}
		return r.words[e.Name]
	case *ast.IndexExpr:
		return r.texts(e.X, local)
	case *ast.BinaryExpr:
		var out []string
		for _, a := range r.texts(e.X, local) {
			for _, b := range r.texts(e.Y, local) {
				out = append(out, a+b)
			}
		}
		return out
	}
	return nil
}
