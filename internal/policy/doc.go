// Package policy is Mulian-CEL: the language of the conditions in an agreement. It checks
// a condition against the types of what it speaks of, says yes, no or unknown for one
// row, and tells which part of a condition can be asked of a database.
//
// It is not a script: a condition changes nothing, calls nothing and always ends. It does
// not fetch what it speaks of, and does not know agreements.
//
//	source ──Compile──▶ Rule ──Eval────────▶ Yes | No | Unknown
//	                      ├────Explain─────▶ the same, and the part that decided
//	                      └────Comparisons─▶ what a database may look at first
//
// # The profile
//
// CEL with fewer things:
//
//	types       text (string), integer (int), boolean (bool), decimal, date, timestamp and
//	            instant (timestamp), lists of these written out
//	operators   == != < <= > >= && || ! in, ? :, + - * / % of integers
//	functions   size, startsWith, endsWith, contains; date("2026-01-31"),
//	            timestamp("2026-01-31T08:00:00Z"), decimal("12.50"),
//	            years(from, to) (full years, as in ages), known(x) (x is not NULL)
//	variables   the fields, now (the moment), today (the date in Beijing)
//
// Not in it: double, bytes, maps, messages, null, dyn, macros and comprehensions, regular
// expressions, conversions, time zones. A timestamp without a zone is read as UTC. A
// field that is NULL, or whose value is out of the language's range, is unknown, and so is what depends on it: false && unknown is
// false, true || unknown is true, as in SQL.
//
// # Invariants
//
//  1. The same source and fields compile, or not, on every machine; the same values give
//     the same verdict. cel-go's version is pinned by go.mod and so part of the protocol.
//  2. Compile ends within a bound that limits.go sets, and Eval within MaxCost.
//  3. A verdict is Yes only if the condition is true of the values.
//  4. Whatever the comparisons of a Rule leave out, the Rule is not true of.
//
// Sources: github.com/google/cel-spec (language definition); spec sharing, "Policy
// language decision"; ISO/IEC 9075-2 (three-valued logic).
package policy
