package drift

import (
	"fmt"
	"slices"
	"strings"

	"mulian/gateway/connect"
)

// Compare tells how a table differs from what it was, in the order: table,
// columns as they were, columns that came, keys, indexes. The tables' names are not
// compared. The result is empty exactly if the hashes are equal (names aside).
func Compare(before, after connect.Table) []Change {
	c := comparison{table: before.TableName, before: before, after: after}
	if before.View != after.View {
		c.add(Change{Kind: TableBecame, Class: Review, Columns: names(before.Columns), Was: viewWord(before.View), Is: viewWord(after.View)})
	}
	if before.Comment != after.Comment {
		c.add(Change{Kind: TableComment, Class: Compatible, Was: before.Comment, Is: after.Comment})
	}
	c.columns()
	c.keys()
	c.indexes()
	return c.out
}

// CompareSchemas does the same for whole databases: tables that went, changed
// and came, by name.
func CompareSchemas(before, after *connect.Schema) []Change {
	var out []Change
	came := map[connect.TableName]connect.Table{}
	for _, t := range after.Tables {
		came[t.TableName] = t
	}
	var gone []connect.Table
	for _, was := range before.Tables {
		is, ok := came[was.TableName]
		if !ok {
			gone = append(gone, was)
			continue
		}
		delete(came, was.TableName)
		out = append(out, Compare(was, is)...)
	}
	for _, was := range gone {
		change := Change{Kind: TableDropped, Class: Breaking, Table: was.TableName, Columns: names(was.Columns)}
		for _, is := range after.Tables { // in order, so that the answer is stable
			if _, free := came[is.TableName]; free && sameShape(was, is) {
				change.Question, change.Candidate = RenameCandidate, is.TableName.String()
				break
			}
		}
		out = append(out, change)
	}
	for _, is := range after.Tables {
		if _, ok := came[is.TableName]; ok {
			out = append(out, Change{Kind: TableAdded, Class: Compatible, Table: is.TableName})
		}
	}
	return out
}

func sameShape(a, b connect.Table) bool {
	return a.View == b.View && slices.EqualFunc(a.Columns, b.Columns, func(x, y connect.Column) bool {
		return x.Name == y.Name && x.Kind == y.Kind && x.Type == y.Type
	})
}

// comparison collects the changes of one table.
type comparison struct {
	table         connect.TableName
	before, after connect.Table
	out           []Change
}

// maxWords bounds Was and Is: a report is to be read, and a comment can be long.
const maxWords = 200

func (c *comparison) add(ch Change) {
	ch.Table, ch.Was, ch.Is = c.table, clip(ch.Was), clip(ch.Is)
	c.out = append(c.out, ch)
}

func clip(s string) string {
	if len(s) <= maxWords {
		return s
	}
	return strings.ToValidUTF8(s[:maxWords], "") + "..."
}

func (c *comparison) columns() {
	candidates := c.renames()
	moved := c.moved()
	for _, was := range c.before.Columns {
		is, ok := c.after.Column(was.Name)
		if !ok {
			ch := Change{Kind: ColumnDropped, Class: Breaking, Columns: []string{was.Name}, Was: was.Type}
			if name, asked := candidates[was.Name]; asked {
				ch.Question, ch.Candidate = RenameCandidate, name
			}
			c.add(ch)
			continue
		}
		c.column(was, is)
		if moved[was.Name] {
			c.add(Change{Kind: ColumnMoved, Class: Compatible, Columns: []string{was.Name}, Was: fmt.Sprint(was.Position), Is: fmt.Sprint(is.Position)})
		}
	}
	for _, is := range c.after.Columns {
		if _, ok := c.before.Column(is.Name); ok {
			continue
		}
		class := Compatible
		if !is.Nullable {
			class = Review
		}
		c.add(Change{Kind: ColumnAdded, Class: class, Columns: []string{is.Name}, Is: is.Type})
	}
}

// column compares a column that is on both sides.
func (c *comparison) column(was, is connect.Column) {
	one := []string{was.Name}
	if was.Type != is.Type || was.Kind != is.Kind {
		kind, class := compareTypes(was, is)
		c.add(Change{Kind: kind, Class: class, Columns: one, Was: was.Type, Is: is.Type})
	}
	switch {
	case was.Nullable && !is.Nullable:
		c.add(Change{Kind: NotNullSet, Class: Breaking, Columns: one})
	case !was.Nullable && is.Nullable:
		c.add(Change{Kind: NotNullDropped, Class: Review, Columns: one})
	}
	if was.HasDefault != is.HasDefault {
		c.add(Change{Kind: DefaultChanged, Class: Compatible, Columns: one})
	}
	if was.Comment != is.Comment {
		c.add(Change{Kind: ColumnComment, Class: Compatible, Columns: one, Was: was.Comment, Is: is.Comment})
	}
}

// moved tells which common columns changed their place: their position differs
// though the columns that went and came do not account for it. If only gaps
// closed, the document differs by the dropped column already.
func (c *comparison) moved() map[string]bool {
	was, is := commonOrder(c.before, c.after), commonOrder(c.after, c.before)
	out := map[string]bool{}
	for i, name := range was {
		if is[i] != name {
			out[name] = true
		}
	}
	// Same order and the same set of columns, but other position numbers: a document
	// that no driver of ours makes, yet it has another hash, so say it.
	if len(out) == 0 && len(was) == len(c.before.Columns) && len(was) == len(c.after.Columns) {
		for _, b := range c.before.Columns {
			if a, _ := c.after.Column(b.Name); a.Position != b.Position {
				out[b.Name] = true
			}
		}
	}
	return out
}

// commonOrder lists the columns of t that other has too, in t's order.
func commonOrder(t, other connect.Table) []string {
	var out []string
	for _, col := range t.Columns {
		if _, ok := other.Column(col.Name); ok {
			out = append(out, col.Name)
		}
	}
	return out
}

// renames pairs columns that went with columns that came: same kind and type,
// and in the same gap between the columns that stayed.
func (c *comparison) renames() map[string]string {
	came := gaps(c.after, c.before)
	out := map[string]string{}
	for gap, gone := range gaps(c.before, c.after) {
		for _, was := range gone {
			for i, is := range came[gap] {
				if was.Kind == is.Kind && respell(was.Type) == respell(is.Type) {
					out[was.Name] = is.Name
					came[gap] = slices.Delete(came[gap], i, i+1)
					break
				}
			}
		}
	}
	return out
}

// gaps groups the columns of t that other lacks by the number of common columns before them.
func gaps(t, other connect.Table) map[int][]connect.Column {
	out, common := map[int][]connect.Column{}, 0
	for _, col := range t.Columns {
		if _, ok := other.Column(col.Name); ok {
			common++
			continue
		}
		out[common] = append(out[common], col)
	}
	return out
}

func (c *comparison) keys() {
	was, is := c.before.PrimaryKey, c.after.PrimaryKey
	if !slices.Equal(was, is) {
		c.add(Change{Kind: KeyChanged, Class: Review, Columns: union(was, is), Was: strings.Join(was, ", "), Is: strings.Join(is, ", ")})
	}
}

func (c *comparison) indexes() {
	came := map[string]connect.Index{}
	for _, ix := range c.after.Indexes {
		came[ix.Name] = ix
	}
	for _, was := range c.before.Indexes {
		is, ok := came[was.Name]
		delete(came, was.Name)
		switch {
		case !ok:
			c.index(was.Unique, was.Columns, indexText(was), "")
		case indexText(was) != indexText(is):
			c.index(was.Unique || is.Unique, union(was.Columns, is.Columns), indexText(was), indexText(is))
		}
	}
	for _, is := range c.after.Indexes {
		if _, ok := came[is.Name]; ok {
			c.index(is.Unique, is.Columns, "", indexText(is))
		}
	}
}

func (c *comparison) index(unique bool, columns []string, was, is string) {
	ch := Change{Kind: IndexChanged, Class: Compatible, Columns: columns, Was: was, Is: is}
	if unique {
		ch.Kind, ch.Class = KeyChanged, Review
	}
	c.add(ch)
}

func indexText(ix connect.Index) string {
	text := fmt.Sprintf("%s (%s)", ix.Name, strings.Join(ix.Columns, ", "))
	if ix.Unique {
		text = "unique " + text
	}
	if ix.Partial {
		text += " where ..."
	}
	return text
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func names(columns []connect.Column) []string {
	var out []string
	for _, c := range columns {
		out = append(out, c.Name)
	}
	return out
}

func viewWord(view bool) string {
	if view {
		return "view"
	}
	return "table"
}
