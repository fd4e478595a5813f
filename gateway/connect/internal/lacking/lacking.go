// Package lacking collects what a database lacks for a feed, so that its administrator is
// asked once for all of it.
//
// What it is: a list of causes with the statements that would mend them, each of the source
// or of one table. What it is not: it asks no database and mends nothing.
//
//	survey ──> Source, Table, Table ... ──> Err: nil, or one *connect.NoFeedError
//
// Invariant: Err names tables only if nothing is wrong with the source itself; without
// those tables the others can be followed.
package lacking

import (
	"fmt"
	"slices"
	"strings"

	"mulian/gateway/connect"
)

// A List is what is missing so far. The zero value is empty.
type List struct {
	causes, statements []string
	tables             []connect.TableName
	whole              bool // the source itself lacks something
}

// Source notes what keeps every table from being followed.
func (l *List) Source(cause string, statements ...string) {
	l.whole = true
	l.add(cause, statements)
}

// Table notes what keeps one table from being followed.
func (l *List) Table(n connect.TableName, cause string, statements ...string) {
	if !l.Lacks(n) {
		l.tables = append(l.tables, n)
	}
	l.add(fmt.Sprintf("table %s: %s", n, cause), statements)
}

// Lacks tells whether something was noted of a table.
func (l *List) Lacks(n connect.TableName) bool { return slices.Contains(l.tables, n) }

func (l *List) add(cause string, statements []string) {
	l.causes = append(l.causes, cause)
	for _, s := range statements {
		if !slices.Contains(l.statements, s) {
			l.statements = append(l.statements, s)
		}
	}
}

// Statements are all that would mend it.
func (l *List) Statements() []string { return slices.Clone(l.statements) }

// Err is all that is missing, a *connect.NoFeedError; nil if nothing is.
func (l *List) Err() error {
	if len(l.causes) == 0 {
		return nil
	}
	e := &connect.NoFeedError{Cause: strings.Join(l.causes, "; "), Statements: l.statements, Tables: l.tables}
	if l.whole {
		e.Tables = nil
	}
	return e
}
