package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// Compare is how a Comparison compares.
type Compare uint8

// The comparisons that every source knows.
const (
	Among Compare = iota + 1 // equals one of the values
	Above                    // is greater than the value
)

// Comparison is a part of a conjunction that a database can look at first.
type Comparison struct {
	Field  string
	Is     Compare
	Values []Value
}

// Comparisons are the parts of the condition that compare a field with something written
// out, where the whole is a conjunction of such and others. whole tells that there are no
// others. A database that compares otherwise (letter case, trailing blanks) may let more
// through: who must be sure asks Eval about each row.
func (r *Rule) Comparisons() (list []Comparison, whole bool) {
	whole = true
	conjuncts(r.ast.NativeRep().Expr(), func(e ast.Expr) {
		if c, ok := r.comparison(e); ok {
			list = append(list, c)
			return
		}
		whole = false
	})
	return list, whole
}

func conjuncts(e ast.Expr, fn func(ast.Expr)) {
	if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == andOperator {
		for _, arg := range e.AsCall().Args() {
			conjuncts(arg, fn)
		}
		return
	}
	fn(e)
}

func (r *Rule) comparison(e ast.Expr) (Comparison, bool) {
	if f, ok := r.field(e); ok && f.Kind == Boolean { // a boolean stands for itself
		return Comparison{Field: f.Name, Is: Among, Values: []Value{{Boolean, "true"}}}, true
	}
	if e.Kind() != ast.CallKind || len(e.AsCall().Args()) != 2 {
		return Comparison{}, false
	}
	left, right := e.AsCall().Args()[0], e.AsCall().Args()[1]
	switch e.AsCall().FunctionName() {
	case operators.Equals:
		if _, ok := r.field(left); !ok {
			left, right = right, left
		}
		return r.compared(left, Among, right)
	case operators.In:
		if right.Kind() == ast.ListKind {
			return r.compared(left, Among, right.AsList().Elements()...)
		}
	case operators.Greater:
		return r.compared(left, Above, right)
	case operators.Less:
		return r.compared(right, Above, left)
	}
	return Comparison{}, false
}

func (r *Rule) compared(left ast.Expr, is Compare, right ...ast.Expr) (Comparison, bool) {
	f, ok := r.field(left)
	if !ok || len(right) == 0 || is == Above && f.Kind == Text { // databases order text each in its own way
		return Comparison{}, false
	}
	c := Comparison{Field: f.Name, Is: is}
	for _, e := range right {
		v, ok := written(e, f.Kind)
		if !ok {
			return Comparison{}, false
		}
		c.Values = append(c.Values, v)
	}
	return c, true
}

func (r *Rule) field(e ast.Expr) (Field, bool) {
	if e.Kind() != ast.IdentKind {
		return Field{}, false
	}
	i := slices.IndexFunc(r.fields, func(f Field) bool { return f.Name == e.AsIdent() })
	if i < 0 {
		return Field{}, false
	}
	return r.fields[i], true
}

// written is the value of something that is written out, as the kind's canonical text.
// Decimals have many texts for one number: they are left to Eval.
func written(e ast.Expr, kind Kind) (Value, bool) {
	if e.Kind() == ast.CallKind {
		return writtenTime(e.AsCall(), kind)
	}
	if e.Kind() != ast.LiteralKind {
		return Value{}, false
	}
	var v ref.Val = e.AsLiteral()
	switch v := v.(type) {
	case types.String:
		return Value{Text, string(v)}, kind == Text
	case types.Int:
		return Value{Integer, strconv.FormatInt(int64(v), 10)}, kind == Integer
	case types.Bool:
		return Value{Boolean, strconv.FormatBool(bool(v))}, kind == Boolean
	}
	return Value{}, false
}

func writtenTime(c ast.CallExpr, kind Kind) (Value, bool) {
	if len(c.Args()) != 1 || c.Args()[0].Kind() != ast.LiteralKind {
		return Value{}, false
	}
	s, ok := c.Args()[0].AsLiteral().(types.String)
	if !ok || c.FunctionName() != "date" {
		return Value{}, false
	}
	t, ok := parseDate(string(s))
	return Value{Date, t.Format(time.DateOnly)}, ok && kind == Date
}

// PartsOf are the parts of the conjunction that a condition is, each as it would be
// written; the names in it are not looked up. A condition that has all the parts of
// another is nowhere true where that one is not. Compile says whether it is one at all.
func PartsOf(source string) ([]string, error) {
	if len(source) > 4*MaxSource {
		return nil, fmt.Errorf("a condition of %d bytes", len(source))
	}
	parsed, issues := profile.Parse(source)
	if err := issues.Err(); err != nil {
		return nil, fmt.Errorf("the condition cannot be read: %s", firstLine(err))
	}
	tree := parsed.NativeRep()
	var out []string
	var bad error
	conjuncts(tree.Expr(), func(e ast.Expr) {
		text, err := cel.ExprToString(e, tree.SourceInfo())
		bad = cmp.Or(bad, err)
		out = append(out, text)
	})
	return out, bad
}
