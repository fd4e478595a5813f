package statement

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"mulian/gateway/connect"
)

var plain = Dialect{
	Param:   func(n int) string { return fmt.Sprint("$", n) },
	Read:    func(q string) string { return "read(" + q + ")" },
	Compare: func(_ connect.Column, q string) string { return "compare(" + q + ")" },
	Key:     func(_ connect.Column, q string) string { return "key(" + q + ")" },
}

func firm() connect.Table {
	t := connect.Table{TableName: connect.TableName{Schema: "s", Name: `fi"rm`}}
	for _, name := range []string{"id", "code", "secret"} {
		t.Columns = append(t.Columns, connect.Column{Name: name, Kind: connect.Text})
	}
	return t
}

// TestGoldenSelect: names quoted, values only as parameters, the key read last and once.
func TestGoldenSelect(t *testing.T) {
	sel := connect.Selection{
		Columns: []string{"code"}, Limit: 7, After: connect.Row{connect.TextValue("last")},
		Where: []connect.Condition{
			{Column: "code", Op: connect.OpIn, Values: connect.Row{connect.TextValue("'; DROP"), connect.TextValue("b")}},
			{Column: "id", Op: connect.OpAfter, Values: connect.Row{connect.IntegerValue(5)}},
		},
	}
	st, err := plain.Select(firm(), sel, []string{"id"}, " REST")
	if err != nil {
		t.Fatal(err)
	}
	want := `SELECT read("code"), read("id") FROM "s"."fi""rm" WHERE compare("code") IN ($1, $2) AND compare("id") > $3 AND (key("id")) > ($4) ORDER BY key("id") LIMIT 7`
	if st.SQL != want || st.Wanted != 1 || fmt.Sprint(st.Key) != "[1]" || len(st.Args) != 4 {
		t.Errorf("got %s, %d, %v, %d arguments\nwant %s", st.SQL, st.Wanted, st.Key, len(st.Args), want)
	}
	if strings.Contains(st.SQL, "secret") {
		t.Error("a column is read that nobody asked for")
	}
	st, err = plain.Select(firm(), connect.Selection{Columns: []string{"id", "code"}}, []string{"id"}, " REST")
	if err != nil || st.SQL != `SELECT read("id"), read("code") FROM "s"."fi""rm" ORDER BY key("id")` || fmt.Sprint(st.Key) != "[0]" {
		t.Errorf("key among the wanted columns: %+v, %v", st, err)
	}
	st, err = plain.Select(firm(), connect.Selection{Columns: []string{"id"}}, nil, " REST")
	if err != nil || st.SQL != `SELECT read("id") FROM "s"."fi""rm" REST` || st.Key != nil {
		t.Errorf("no key: %+v, %v", st, err)
	}
}

func TestSelectionIsBounded(t *testing.T) {
	in := func(n int) connect.Condition {
		c := connect.Condition{Column: "id", Op: connect.OpIn}
		for range n {
			c.Values = append(c.Values, connect.TextValue("x"))
		}
		return c
	}
	name := connect.TableName{Name: "t"}
	for what, s := range map[string]connect.Selection{
		"no table":            {Columns: []string{"a"}},
		"NUL in the table":    {Table: connect.TableName{Name: "a\x00"}, Columns: []string{"a"}},
		"no columns":          {Table: name},
		"too many columns":    {Table: name, Columns: make([]string, connect.MaxColumns+1)},
		"too many values":     {Table: name, Columns: []string{"a"}, Where: []connect.Condition{in(connect.MaxConditionValues + 1)}},
		"no values":           {Table: name, Columns: []string{"a"}, Where: []connect.Condition{in(0)}},
		"too many conditions": {Table: name, Columns: []string{"a"}, Where: make([]connect.Condition, connect.MaxConditions+1)},
		"unknown comparison":  {Table: name, Columns: []string{"a"}, Where: []connect.Condition{{Column: "a", Op: 9, Values: connect.Row{connect.TextValue("x")}}}},
		"value not canonical": {Table: name, Columns: []string{"a"}, Where: []connect.Condition{{Column: "a", Op: connect.OpIn, Values: connect.Row{{Kind: connect.Integer, Text: "x"}}}}},
		"two values after":    {Table: name, Columns: []string{"a"}, Where: []connect.Condition{{Column: "a", Op: connect.OpAfter, Values: make(connect.Row, 2)}}},
		"negative limit":      {Table: name, Columns: []string{"a"}, Limit: -1},
	} {
		if err := Check(s, false); !errors.Is(err, connect.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := Check(connect.Selection{Table: name, Columns: []string{"a"}, Where: []connect.Condition{in(connect.MaxConditionValues)}, Limit: connect.MaxQueryRows}, true); err != nil {
		t.Errorf("at the bounds: %v", err)
	}
}
