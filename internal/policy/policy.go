package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// Kind is the type of a field.
type Kind uint8

// The kinds that a condition can speak of. Their names are those of a catalogue's columns.
const (
	Text Kind = iota + 1
	Integer
	Decimal
	Boolean
	Date
	Timestamp // local, without a zone
	Instant
)

var kindNames = []string{"", "text", "integer", "decimal", "boolean", "date", "timestamp", "instant"}

// KindOf finds a kind by its name; false for those of which no condition can speak
// (float, bytes, json).
func KindOf(name string) (Kind, bool) {
	i := slices.Index(kindNames, name)
	return Kind(max(i, 0)), i > 0
}

// String is the kind's name.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Field is what a condition may name.
type Field struct {
	Name string
	Kind Kind
}

// Verdict is what a condition says of a row.
type Verdict uint8

// The verdicts.
const (
	Yes Verdict = iota + 1
	No
	Unknown // it depends on a value that is NULL, too large or out of range
)

// String is "yes", "no" or "unknown".
func (v Verdict) String() string {
	switch v {
	case Yes:
		return "yes"
	case No:
		return "no"
	}
	return "unknown"
}

// Value is one value of a row, in the canonical text of its kind. The zero Value is NULL.
type Value struct {
	Kind Kind
	Text string
}

// reserved are names that no field has: CEL's own, and our variables and functions.
var reserved = []string{
	"now", "today", "date", "timestamp", "decimal", "years", "known", "size", "startsWith", "endsWith", "contains",
	"true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package",
	"namespace", "return", "var", "void", "while", "has", "all", "exists", "exists_one", "map", "filter", "type", "dyn", "int", "uint",
	"double", "bool", "string", "bytes", "duration", "matches", "list",
}

// IsName tells whether a field can have that name: an ASCII letter or _, then letters,
// digits and _, at most 100; none of CEL's own words and none that this package gives.
func IsName(s string) bool {
	if s == "" || len(s) > 100 || slices.Contains(reserved, s) {
		return false
	}
	for i, c := range []byte(s) {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// NameOf is the name by which a condition speaks of an item: its code, if that is a
// name, else its technical name; empty if neither is.
func NameOf(code, technical string) string {
	switch {
	case IsName(code):
		return code
	case IsName(technical):
		return technical
	}
	return ""
}

// Rule is a condition that was checked. It may be used by many goroutines.
type Rule struct {
	source string
	ast    *cel.Ast
	run    cel.Program
	trace  cel.Program
	fields []Field // that it names, in the order of the declaration
}

// Compile checks a condition against the fields that it may name: an error says why it is
// none. It is a function of its arguments.
func Compile(source string, fields []Field) (*Rule, error) {
	if len(fields) > MaxFields {
		return nil, fmt.Errorf("%d fields to choose from, at most %d", len(fields), MaxFields)
	}
	if len(source) > 4*MaxSource { // the parser counts code points
		return nil, fmt.Errorf("a condition of %d bytes, at most %d characters", len(source), MaxSource)
	}
	opts := make([]cel.EnvOption, 0, len(fields))
	for i, f := range fields {
		if !IsName(f.Name) || slices.ContainsFunc(fields[:i], func(g Field) bool { return g.Name == f.Name }) {
			return nil, fmt.Errorf("%.100q is no name of a field, or stands twice", f.Name)
		}
		t := celType(f.Kind)
		if t == nil {
			return nil, fmt.Errorf("field %s is of a kind (%s) of which no condition can speak", f.Name, f.Kind)
		}
		if strings.Contains(source, f.Name) { // what is not named need not be declared
			opts = append(opts, cel.Variable(f.Name, t))
		}
	}
	env, err := profile.Extend(opts...)
	if err != nil {
		return nil, fmt.Errorf("the fields: %w", err)
	}
	checked, issues := env.Compile(source)
	if err := issues.Err(); err != nil {
		return nil, fmt.Errorf("the condition cannot be read: %s", firstLine(err))
	}
	r := &Rule{source: source, ast: checked}
	if err := r.check(); err != nil {
		return nil, err
	}
	for _, f := range fields {
		if r.names(f.Name) {
			r.fields = append(r.fields, f)
		}
	}
	if r.run, err = env.Program(checked, cel.CostLimit(MaxCost)); err != nil {
		return nil, fmt.Errorf("the condition cannot be carried out: %w", err)
	}
	if r.trace, err = env.Program(checked, cel.CostLimit(MaxCost), cel.EvalOptions(cel.OptTrackState)); err != nil {
		return nil, fmt.Errorf("the condition cannot be carried out: %w", err)
	}
	return r, nil
}

// firstLine is what a person needs of CEL's report: the rest shows the source again.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimPrefix(line, "ERROR: <input>:")
}

// check refuses what CEL has and the profile has not.
func (r *Rule) check() error {
	tree := r.ast.NativeRep()
	if t := tree.GetType(tree.Expr().ID()); t == nil || t.Kind() != types.BoolKind {
		return fmt.Errorf("the condition is %s, not yes or no", cel.FormatCELType(t))
	}
	if ast.ExceedsDepth(tree, maxDepth) {
		return fmt.Errorf("the condition is nested more than %d deep", maxDepth)
	}
	count := 0
	var bad error
	ast.PreOrderVisit(tree.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		count++
		switch e.Kind() {
		case ast.CallKind, ast.IdentKind, ast.ListKind, ast.LiteralKind:
		default:
			bad = fmt.Errorf("the condition uses a part of CEL that is not in the profile")
			return
		}
		if t := tree.GetType(e.ID()); !static(t) && bad == nil {
			bad = fmt.Errorf("a part of the condition is %s: only text, integer, decimal, boolean, dates and times, and lists of them", cel.FormatCELType(t))
		}
	}))
	if bad == nil && count > maxNodes {
		bad = fmt.Errorf("the condition has %d parts, at most %d", count, maxNodes)
	}
	return bad
}

// static tells whether a type is one of the profile's.
func static(t *cel.Type) bool {
	if t == nil {
		return false
	}
	switch t.Kind() {
	case types.BoolKind, types.IntKind, types.StringKind, types.TimestampKind:
		return true
	case types.ListKind:
		p := t.Parameters()
		return len(p) == 1 && p[0].Kind() != types.ListKind && static(p[0])
	}
	return t.IsExactType(decimalType)
}

func (r *Rule) names(field string) bool {
	found := false
	ast.PreOrderVisit(r.ast.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		found = found || e.Kind() == ast.IdentKind && e.AsIdent() == field
	}))
	return found
}

// Source is the condition as it was written.
func (r *Rule) Source() string { return r.source }

// Fields are those that the condition names.
func (r *Rule) Fields() []Field { return slices.Clone(r.fields) }

// Eval says whether the condition is true of the values at that moment. value returns a
// field's value; it is called for the fields that matter.
func (r *Rule) Eval(value func(field string) Value, now time.Time) Verdict {
	out, _, err := r.run.Eval(&row{rule: r, value: value, now: now})
	return verdict(out, err)
}

func verdict(out ref.Val, err error) Verdict {
	switch {
	case err != nil:
		return Unknown
	case out == types.True:
		return Yes
	case out == types.False:
		return No
	}
	return Unknown
}

// Explain is Eval, and the part of the condition that decided: of a conjunction the first
// that does not hold, otherwise the whole. It tells the source only, never a value.
func (r *Rule) Explain(value func(field string) Value, now time.Time) (Verdict, string) {
	out, details, err := r.trace.Eval(&row{rule: r, value: value, now: now})
	v := verdict(out, err)
	if v == Yes {
		return v, r.source
	}
	tree := r.ast.NativeRep()
	at := tree.Expr()
	for at.Kind() == ast.CallKind && at.AsCall().FunctionName() == andOperator {
		next := -1
		for i, arg := range at.AsCall().Args() {
			got, seen := details.State().Value(arg.ID())
			is := Unknown
			if seen {
				is = verdict(got, nil)
			}
			if is == v {
				next = i
				break
			}
		}
		if next < 0 {
			break
		}
		at = at.AsCall().Args()[next]
	}
	text, err := cel.ExprToString(at, tree.SourceInfo())
	if err != nil {
		return v, r.source
	}
	return v, text
}

// row is one row as CEL looks at it. It implements cel.Activation.
type row struct {
	rule  *Rule
	value func(field string) Value
	now   time.Time
}

// ResolveName returns the value of a variable; false for what is unknown.
func (a *row) ResolveName(name string) (any, bool) {
	switch name {
	case "now":
		return types.Timestamp{Time: a.now.UTC()}, true
	case "today":
		y, m, d := a.now.In(beijing).Date()
		return types.Timestamp{Time: time.Date(y, m, d, 0, 0, 0, 0, time.UTC)}, true
	}
	i := slices.IndexFunc(a.rule.fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return nil, false
	}
	v := a.value(name)
	if v.Kind == 0 {
		return nil, false
	}
	out := v.cel(a.rule.fields[i].Kind)
	return out, out != nil
}

// Parent is nil: a row stands alone.
func (a *row) Parent() cel.Activation { return nil }

// beijing is the zone in which days begin.
var beijing = time.FixedZone("UTC+8", 8*60*60)
