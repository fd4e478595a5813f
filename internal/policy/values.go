package policy

import (
	"fmt"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/env"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

const andOperator = operators.LogicalAnd

// decimalType is the type of exact numbers.
var decimalType = types.NewObjectType("mulian.Decimal", traits.ComparerType)

// profile is the language without fields.
var profile = mustProfile()

func mustProfile() *cel.Env {
	e, err := cel.NewCustomEnv(append([]cel.EnvOption{
		cel.StdLib(cel.StdLibSubset(&env.LibrarySubset{DisableMacros: true, IncludeFunctions: kept()})),
		cel.ClearMacros(),
		cel.ParserRecursionLimit(maxDepth), cel.ParserExpressionSizeLimit(MaxSource), cel.ExpressionNodeLimit(2 * maxNodes),
		cel.Variable("now", cel.TimestampType), cel.Variable("today", cel.TimestampType),
		cel.Function("date", cel.Overload("mulian_date", []*cel.Type{cel.StringType}, cel.TimestampType, cel.UnaryBinding(dateOf))),
		cel.Function("decimal",
			cel.Overload("mulian_decimal", []*cel.Type{cel.StringType}, decimalType, cel.UnaryBinding(decimalOf)),
			cel.Overload("mulian_decimal_int", []*cel.Type{cel.IntType}, decimalType, cel.UnaryBinding(decimalOf))),
		cel.Function("years", cel.Overload("mulian_years", []*cel.Type{cel.TimestampType, cel.TimestampType}, cel.IntType, cel.BinaryBinding(years))),
	}, append(comparisons(), knowns()...)...)...)
	if err != nil {
		panic(fmt.Sprintf("policy: the profile: %v", err)) // of constants only
	}
	return e
}

// kept are the functions of CEL's own library that the profile has. Overloads of types
// that it has not are refused by what they return or take (Rule.check).
func kept() (out []*env.Function) {
	for _, name := range []string{
		operators.Conditional, operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Equals, operators.NotEquals,
		operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals, operators.In,
		operators.Add, operators.Subtract, operators.Multiply, operators.Divide, operators.Modulo, operators.Negate,
		"size", "startsWith", "endsWith", "contains",
	} {
		out = append(out, env.NewFunction(name))
	}
	return append(out, env.NewFunction("timestamp", env.NewOverload("string_to_timestamp", nil, nil)))
}

func comparisons() (out []cel.EnvOption) {
	for _, x := range []struct{ op, id string }{
		{operators.Less, "less_decimal"},
		{operators.LessEquals, "less_equals_decimal"},
		{operators.Greater, "greater_decimal"},
		{operators.GreaterEquals, "greater_equals_decimal"},
	} {
		out = append(out, cel.Function(x.op, cel.Overload(x.id, []*cel.Type{decimalType, decimalType}, cel.BoolType)))
	}
	return out
}

// knowns is known(x) for each type: it takes what is unknown, too.
func knowns() (out []cel.EnvOption) {
	for _, x := range []struct {
		id string
		t  *cel.Type
	}{
		{"known_text", cel.StringType}, {"known_integer", cel.IntType}, {"known_decimal", decimalType}, {"known_boolean", cel.BoolType}, {"known_time", cel.TimestampType},
	} {
		out = append(out, cel.Function("known", cel.Overload(x.id, []*cel.Type{x.t}, cel.BoolType, cel.OverloadIsNonStrict(),
			cel.UnaryBinding(func(v ref.Val) ref.Val { return types.Bool(!types.IsUnknownOrError(v)) }))))
	}
	return out
}

func celType(k Kind) *cel.Type {
	switch k {
	case Text:
		return cel.StringType
	case Integer:
		return cel.IntType
	case Decimal:
		return decimalType
	case Boolean:
		return cel.BoolType
	case Date, Timestamp, Instant:
		return cel.TimestampType
	}
	return nil
}

// cel is the value as CEL computes with it; nil if it is not of the declared kind, or out
// of the language's range.
func (v Value) cel(as Kind) ref.Val {
	if v.Kind != as || len(v.Text) > maxText {
		return nil
	}
	switch v.Kind {
	case Text:
		return types.String(v.Text)
	case Integer:
		if n, err := strconv.ParseInt(v.Text, 10, 64); err == nil {
			return types.Int(n)
		}
	case Decimal:
		if d, ok := parseDecimal(v.Text); ok {
			return d
		}
	case Boolean:
		return types.Bool(v.Text == "true")
	case Date:
		if t, ok := parseDate(v.Text); ok {
			return types.Timestamp{Time: t}
		}
	case Timestamp, Instant:
		if t, err := time.Parse("2006-01-02T15:04:05.999999999", strings.TrimSuffix(v.Text, "Z")); err == nil && inRange(t) {
			return types.Timestamp{Time: t}
		}
	}
	return nil
}

func parseDate(s string) (time.Time, bool) {
	t, err := time.Parse("2006-01-02", s)
	return t, err == nil && inRange(t)
}

// inRange is CEL's own range of timestamps.
func inRange(t time.Time) bool { return t.Year() >= 1 && t.Year() <= 9999 }

func dateOf(v ref.Val) ref.Val {
	t, ok := parseDate(string(v.(types.String)))
	if !ok {
		return types.NewErr("not a date")
	}
	return types.Timestamp{Time: t}
}

// years counts full years: who was born on 29 February grows older on 1 March.
func years(from, to ref.Val) ref.Val {
	a, b := from.(types.Timestamp).UTC(), to.(types.Timestamp).UTC()
	if b.Before(a) {
		return types.NewErr("years of a time that ends before it begins")
	}
	n := b.Year() - a.Year()
	if a.AddDate(n, 0, 0).After(b) {
		n--
	}
	return types.Int(n)
}

// A decimal is an exact number. It implements ref.Val and traits.Comparer.
type decimal struct{ rat *big.Rat }

func parseDecimal(s string) (decimal, bool) {
	if len(s) > maxDigits || s == "" || strings.Trim(s, "-.0123456789") != "" {
		return decimal{}, false
	}
	r, ok := new(big.Rat).SetString(s)
	return decimal{r}, ok
}

func decimalOf(v ref.Val) ref.Val {
	switch v := v.(type) {
	case types.Int:
		return decimal{new(big.Rat).SetInt64(int64(v))}
	case types.String:
		if d, ok := parseDecimal(string(v)); ok {
			return d
		}
	}
	return types.NewErr("not a decimal")
}

// Compare implements traits.Comparer.
func (d decimal) Compare(other ref.Val) ref.Val {
	o, ok := other.(decimal)
	if !ok {
		return types.MaybeNoSuchOverloadErr(other)
	}
	return types.Int(d.rat.Cmp(o.rat))
}

// Equal implements ref.Val.
func (d decimal) Equal(other ref.Val) ref.Val {
	o, ok := other.(decimal)
	return types.Bool(ok && d.rat.Cmp(o.rat) == 0)
}

// Type implements ref.Val.
func (d decimal) Type() ref.Type { return decimalType }

// Value implements ref.Val.
func (d decimal) Value() any { return d.rat }

// ConvertToType implements ref.Val: there are no conversions.
func (d decimal) ConvertToType(t ref.Type) ref.Val {
	return types.NewErr("a decimal is no %s", t.TypeName())
}

// ConvertToNative implements ref.Val: nobody outside computes with it.
func (d decimal) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("a decimal is no %s", t)
}
