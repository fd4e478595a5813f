package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path"
	"slices"
	"strings"
)

// deterministic lists the packages that run identically on every validator, and
// what they are built of.
var deterministic = []string{"rules", "internal/canon", "internal/code", "internal/policy", "internal/consent", "internal/itemset", "client/light/step"}

// pure lists all that those packages may import from outside: it has neither
// clock nor chance, opens nothing and starts nothing. A new line here needs the
// same to be true of it, in every function; see also impure.
var pure = []string{
	"bytes", "cmp", "embed", "encoding", "encoding/base32", "encoding/base64", "encoding/binary", "encoding/hex", "errors", "fmt", "hash", "hash/crc32",
	"io", "iter", "maps", "math/big", "math/bits", "slices", "sort", "strconv", "strings", "time", "unicode", "unicode/utf16", "unicode/utf8",
	"crypto/sha256", "crypto/sha512", "crypto/subtle", "regexp", "math",
	"reflect", // a method of cel-go's values takes a type of it; see also impureMethod
	"google.golang.org/protobuf/proto", "google.golang.org/protobuf/reflect/protoreflect", "google.golang.org/protobuf/reflect/protoregistry",
	"google.golang.org/protobuf/types/known", "google.golang.org/protobuf/encoding/protowire", "google.golang.org/protobuf/types/descriptorpb",
	"golang.org/x/text/unicode/norm", "golang.org/x/text/width", // Unicode tables: pinned by go.mod, so part of the protocol's version
	"cel.dev/cel-go", "cel.dev/expr", // a parser, a checker and an interpreter of values: pinned by go.mod, so part of the protocol's version; its zones and clocks are not in the profile (internal/policy)
	"github.com/emmansun/gmsm/sm3",
}

// impure names functions of pure packages that are not.
var impure = map[string]string{
	"time.Now": clock, "time.Since": clock, "time.Until": clock, "time.Sleep": clock, "time.After": clock, "time.AfterFunc": clock,
	"time.Tick": clock, "time.NewTimer": clock, "time.NewTicker": clock,
	"time.LoadLocation": "reads a file of the machine: use a fixed zone",
	"time.Local":        "is the machine's zone: use UTC or a fixed zone",
	"fmt.Print":         printed, "fmt.Printf": printed, "fmt.Println": printed,
	"google.golang.org/protobuf/proto.Marshal": "may encode differently from build to build: encode through internal/canon",
}

const (
	clock   = "reads the machine's clock: take Env's time"
	printed = "speaks to the machine's terminal"
)

// impureMethod likewise, for methods.
var impureMethod = map[string]string{
	"(time.Time).Local": "is the machine's zone: use UTC or a fixed zone",
	"(google.golang.org/protobuf/reflect/protoreflect.Message).Range": "walks fields in no fixed order: walk the descriptor's fields",
	"(reflect.Value).MapKeys":                                     "walks a map: its order differs from run to run",
	"(reflect.Value).MapRange":                                    "walks a map: its order differs from run to run",
	"(google.golang.org/protobuf/reflect/protoreflect.Map).Range": "walks a map: its order differs from run to run",
}

// localTime names functions whose answer lies in the machine's zone until UTC is
// called on it.
var localTime = []string{"time.Unix", "time.UnixMilli", "time.UnixMicro"}

// forTests reports whether a folder holds a kit for tests ("rulestest"): no
// validator runs it. The floors fence lets only such packages import testing.
func forTests(dir string) bool { return strings.HasSuffix(dir, "test") }

// excuse lets a loop in any order pass; what follows says why it is sound:
//
//	for id := range open { // any order: only counts
const excuse = "// any order: "

// determinism looks in the deterministic packages for what two validators could
// see differently.
func determinism(t *tree) []finding {
	var dirs []string
	for _, f := range t.goes {
		if !f.test && !forTests(f.dir) && !slices.Contains(dirs, f.dir) && slices.ContainsFunc(deterministic, func(d string) bool { return under(f.dir, d) }) {
			dirs = append(dirs, f.dir)
		}
	}
	load := newLoader(t)
	var out []finding
	for _, dir := range dirs {
		_, info := load.check(dir, false)
		compiled := load.sources(dir)
		for _, f := range t.goes {
			if f.dir != dir || f.test {
				continue
			}
			if !slices.Contains(compiled, f.ast) {
				out = append(out, t.at(f, f.ast.Package, "is compiled on some machines only"))
				continue
			}
			v := &visit{tree: t, file: f, info: info, excused: excusedLines(t, f)}
			ast.Walk(v, f.ast)
			out = append(out, v.out...)
		}
	}
	return out
}

func excusedLines(t *tree, f *goFile) map[int]bool {
	lines := map[int]bool{}
	for _, g := range f.ast.Comments {
		for _, c := range g.List {
			if reason, ok := strings.CutPrefix(c.Text, excuse); ok && reason != "" {
				lines[t.fset.Position(c.Pos()).Line] = true
			}
		}
	}
	return lines
}

// A visit walks one file; above holds the path from the file to the node.
type visit struct {
	tree    *tree
	file    *goFile
	info    *types.Info
	excused map[int]bool
	above   []ast.Node
	out     []finding
}

// Visit implements ast.Visitor.
func (v *visit) Visit(n ast.Node) ast.Visitor {
	if n == nil {
		v.above = v.above[:len(v.above)-1]
		return nil
	}
	if what := v.judge(n); what != "" {
		v.out = append(v.out, v.tree.at(v.file, n.Pos(), "%s", what))
	}
	v.above = append(v.above, n)
	return v
}

func (v *visit) judge(n ast.Node) string {
	switch n := n.(type) {
	case *ast.ImportSpec:
		return v.judgeImport(strings.Trim(n.Path.Value, `"`))
	case *ast.RangeStmt:
		return v.judgeRange(n)
	case *ast.GoStmt:
		return "starts a goroutine: the scheduler differs from run to run"
	case *ast.SelectStmt:
		return "selects: the choice differs from run to run"
	case *ast.ChanType, *ast.SendStmt:
		return "uses a channel: one state has one goroutine"
	case *ast.BasicLit:
		if n.Kind == token.FLOAT || n.Kind == token.IMAG {
			return "floating point: count in the smallest unit instead"
		}
	case *ast.AssignStmt:
		for _, left := range n.Lhs {
			if what := v.judgeAssigned(left); what != "" {
				return what
			}
		}
	case *ast.IncDecStmt:
		return v.judgeAssigned(n.X)
	case *ast.Ident:
		return v.judgeIdent(n)
	case *ast.SelectorExpr:
		return v.judgeSelector(n)
	}
	return ""
}

func (v *visit) judgeImport(to string) string {
	first, _, _ := strings.Cut(to, "/")
	if first == module {
		return ""
	}
	for _, p := range pure {
		if to == p || strings.Contains(p, ".") && under(to, p) {
			return ""
		}
	}
	return fmt.Sprintf("imports %s, which is not listed as pure: every validator runs this alike, without clock, chance, network, files, threads or log", to)
}

func (v *visit) judgeRange(n *ast.RangeStmt) string {
	if v.excused[v.tree.fset.Position(n.Pos()).Line] {
		return ""
	}
	of := v.info.TypeOf(n.X)
	if of == nil || of == types.Typ[types.Invalid] {
		return "ranges over something whose type this fence cannot see: give it a variable of a plain type, or say // any order: why"
	}
	switch of.Underlying().(type) {
	case *types.Map:
		return "ranges over a map: its order differs from run to run"
	case *types.Chan:
		return "uses a channel: one state has one goroutine"
	}
	return ""
}

// judgeAssigned finds writes to package variables: they are an input that is
// neither state nor message, and two histories in one process would share them.
func (v *visit) judgeAssigned(left ast.Expr) string {
	for {
		switch x := left.(type) {
		case *ast.IndexExpr:
			left = x.X
			continue
		case *ast.SelectorExpr:
			left = x.X
			continue
		case *ast.StarExpr:
			left = x.X
			continue
		case *ast.ParenExpr:
			left = x.X
			continue
		case *ast.Ident:
			variable, ok := v.info.Uses[x].(*types.Var)
			if ok && variable.Pkg() != nil && variable.Parent() == variable.Pkg().Scope() && !v.inInit() {
				return fmt.Sprintf("writes the package variable %s: what lasts belongs into the state", x.Name)
			}
		}
		return ""
	}
}

func (v *visit) inInit() bool {
	for _, n := range v.above {
		if f, ok := n.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			return true
		}
	}
	return false
}

func (v *visit) judgeIdent(n *ast.Ident) string {
	name, ok := v.info.Uses[n].(*types.TypeName)
	if !ok {
		return ""
	}
	b, ok := types.Unalias(name.Type()).(*types.Basic)
	switch {
	case ok && b.Info()&(types.IsFloat|types.IsComplex) != 0:
		return "floating point: count in the smallest unit instead"
	case ok && b.Kind() == types.Uintptr:
		return "an address differs from run to run"
	}
	return ""
}

func (v *visit) judgeSelector(n *ast.SelectorExpr) string {
	pkg, _ := n.X.(*ast.Ident)
	used, ok := v.info.Uses[pkg].(*types.PkgName)
	if !ok {
		if fn, ok := v.info.Uses[n.Sel].(*types.Func); ok && !v.excused[v.tree.fset.Position(n.Pos()).Line] {
			return impureMethod[fn.FullName()]
		}
		return ""
	}
	full := used.Imported().Path() + "." + n.Sel.Name
	line := v.tree.fset.Position(n.Pos()).Line
	switch {
	case impure[full] != "":
		return impure[full]
	case slices.Contains(localTime, full) && !v.calledUTC():
		return "answers in the machine's zone: call UTC() on it at once"
	case path.Dir(full) == "." && slices.Contains([]string{"maps.Keys", "maps.Values", "maps.All"}, full) && !v.sorted() && !v.excused[line]:
		return "walks a map: its order differs from run to run; wrap it in slices.Sorted"
	}
	if c, ok := v.info.Uses[n.Sel].(*types.Func); ok && used.Imported().Path() == "math" {
		return fmt.Sprintf("math.%s counts in floating point", c.Name())
	}
	return ""
}

// calledUTC reports whether the call that is being walked is the X of X.UTC().
func (v *visit) calledUTC() bool {
	n := len(v.above)
	if n < 2 {
		return false
	}
	_, call := v.above[n-1].(*ast.CallExpr)
	sel, ok := v.above[n-2].(*ast.SelectorExpr)
	return call && ok && sel.Sel.Name == "UTC"
}

// sorted reports whether the call that is being walked is the argument of a sort.
func (v *visit) sorted() bool {
	n := len(v.above)
	if n < 2 {
		return false
	}
	outer, ok := v.above[n-2].(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := outer.Fun.(*ast.SelectorExpr)
	return ok && strings.HasPrefix(sel.Sel.Name, "Sorted")
}
