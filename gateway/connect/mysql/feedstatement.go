package mysql

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"mulian/gateway/connect"
)

// token is a word of a statement: a name in quotes, a plain one, or a sign.
var token = regexp.MustCompile("`(?:[^`]|``)*`" + `|"(?:[^"]|"")*"|[\pL\pN_$]+|[.,;(]`)

// comment is what may stand before and in a statement.
var comment = regexp.MustCompile(`(?s)^\s*(?:/\*[^!M].*?\*/\s*|--[^\n]*\n\s*|#[^\n]*\n\s*)*`)

// longestHead is how much of a statement is looked at: its kind and names stand first.
const longestHead = 4 << 10

// statement is an event that holds the text of a statement: the borders of transactions,
// DDL, and what was not logged by rows.
func (f *follower) statement(ctx context.Context, database, sql string, end place, when time.Time) error {
	words := token.FindAllString(strings.ToValidUTF8(comment.ReplaceAllString(sql[:min(len(sql), longestHead)], ""), ""), 200)
	if len(words) == 0 {
		return nil
	}
	if len(words) > 1 && strings.EqualFold(words[0], "SET") && strings.EqualFold(words[1], "STATEMENT") {
		for len(words) > 1 && !strings.EqualFold(words[0], "FOR") {
			words = words[1:]
		}
		words = words[min(1, len(words)-1):]
	}
	first := strings.ToUpper(words[0])
	switch first {
	case "BEGIN":
		f.begun = true
		return nil
	case "COMMIT", "ROLLBACK":
		if len(words) > 1 { // ROLLBACK TO a savepoint
			return nil
		}
		return f.commit(ctx, end, when)
	case "SAVEPOINT", "RELEASE":
		return nil
	case "INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "WITH", "CALL", "XA":
		if database == f.source.name && !f.silent {
			return fmt.Errorf("%w: a change was not logged by its rows (%s)", connect.ErrPositionLost, first)
		}
		return nil
	case "CREATE", "ALTER", "DROP", "RENAME", "TRUNCATE":
	default: // GRANT, ANALYZE, SET, FLUSH …
		if !f.begun {
			f.at = end
		}
		return nil
	}
	ddl := parseDDL(words, database, f.source.name)
	if f.begun = false; ddl == nil {
		f.at = end
		return nil
	}
	return f.ddl(ctx, ddl, words, end, when)
}

// ddl tells an event of the structure, and what it did to rows.
func (f *follower) ddl(ctx context.Context, ddl *connect.DDL, words []string, end place, when time.Time) error {
	var gone []connect.RowChange
	var ended []connect.TableName // which rows went is not told
	for _, n := range ddl.Tables {
		if f.tables[n.Name] == nil {
			continue
		}
		switch {
		case ddl.Tag == "TRUNCATE TABLE":
			gone = append(gone, connect.RowChange{Table: n, Op: connect.RowTruncate})
		case ddl.Tag != "ALTER TABLE" || contains(words, "PARTITION", "RENAME"):
			if ddl.Tag != "CREATE INDEX" && ddl.Tag != "DROP INDEX" {
				ended = append(ended, f.tables[n.Name].name)
			}
		}
	}
	if err := f.tell(connect.Change{Position: f.at.position(f.server), Committed: when, DDL: ddl}); err != nil {
		return err
	}
	switch {
	case len(ended) > 0:
		return &connect.NoFeedError{Cause: fmt.Sprintf("rows of table %s went without a change of rows (%s)", ended[0], ddl.Tag), Tables: ended}
	case ddl.Tag == "TRUNCATE TABLE" && len(ddl.Tables) == 0:
		return fmt.Errorf("%w: rows of a table went without a change of rows (%s)", connect.ErrPositionLost, ddl.Tag)
	}
	f.at = end
	if len(gone) > 0 {
		if err := f.wait(ctx, end); err != nil {
			return err
		}
	}
	return f.tell(connect.Change{Position: f.at.position(f.server), Committed: when, Rows: gone, Last: true})
}

func contains(words []string, any ...string) bool {
	for _, w := range words {
		for _, a := range any {
			if strings.EqualFold(w, a) {
				return true
			}
		}
	}
	return false
}

// parseDDL reads the kind of a statement and the tables that it names; nil if it is about
// another database or no table. Where the names do not read, there are none: look at all.
func parseDDL(words []string, database, own string) *connect.DDL {
	verb := strings.ToUpper(words[0])
	rest := words[1:]
	var object string
	skip := map[string]bool{"OR": true, "REPLACE": true, "TEMPORARY": true, "UNIQUE": true, "FULLTEXT": true, "SPATIAL": true, "ONLINE": true, "IGNORE": true, "IF": true, "NOT": true, "EXISTS": true}
	for len(rest) > 0 && object == "" {
		switch w := strings.ToUpper(rest[0]); {
		case w == "TEMPORARY":
			return nil
		case skip[w]:
		case w == "TABLE" || w == "TABLES" || w == "VIEW" || w == "INDEX":
			object = strings.TrimSuffix(w, "S")
		case verb == "TRUNCATE":
			object, rest = "TABLE", words // TRUNCATE name
		case w == "DATABASE" || w == "SCHEMA":
			object = "DATABASE"
		case w == "ALGORITHM" || w == "DEFINER" || w == "SQL" || w == "SECURITY":
			object = "VIEW"
		default: // users, routines, triggers, events
			return nil
		}
		rest = rest[1:]
	}
	d := &connect.DDL{Tag: verb + " " + object}
	if object == "INDEX" {
		for len(rest) > 0 && !strings.EqualFold(rest[0], "ON") {
			rest = rest[1:]
		}
		rest = rest[min(1, len(rest)):]
	}
	names, ok := tableNames(rest, skip, verb == "RENAME", verb == "DROP" && object != "INDEX")
	if !ok || object == "VIEW" && verb != "DROP" || object == "DATABASE" {
		if database != own && object != "DATABASE" {
			return nil
		}
		return d
	}
	for _, n := range names {
		if n.Schema == "" {
			n.Schema = database
		}
		if n.Schema == own && n.Name != connect.ControlTable && n.Name != connect.SubscriptionTable {
			d.Tables = append(d.Tables, connect.TableName{Name: n.Name})
		}
	}
	if len(d.Tables) == 0 {
		return nil
	}
	if len(d.Tables) > connect.MaxDDLTables {
		d.Tables = nil
	}
	return d
}

// tableNames reads "a.b", and of DROP a list, of RENAME pairs.
func tableNames(words []string, skip map[string]bool, rename, list bool) (out []connect.TableName, ok bool) {
	for {
		for len(words) > 0 && skip[strings.ToUpper(words[0])] {
			words = words[1:]
		}
		if len(words) == 0 || strings.ContainsAny(words[0], ".,;(") && len(words[0]) == 1 {
			return nil, false
		}
		n := connect.TableName{Name: unquote(words[0])}
		words = words[1:]
		if len(words) > 1 && words[0] == "." {
			n = connect.TableName{Schema: n.Name, Name: unquote(words[1])}
			words = words[2:]
		}
		out = append(out, n)
		switch {
		case len(words) > 1 && (list || rename) && words[0] == ",", len(words) > 1 && rename && strings.EqualFold(words[0], "TO"):
			words = words[1:]
		default:
			return out, true
		}
	}
}

func unquote(w string) string {
	if len(w) > 1 && (w[0] == '`' || w[0] == '"') {
		return strings.ReplaceAll(w[1:len(w)-1], w[:1]+w[:1], w[:1])
	}
	return w
}
