package sqlite

import (
	"encoding/json"
	"strconv"
	"strings"

	"mulian/gateway/connect"
)

// kindOf gives the kind that a declared type promises. It knows the names of
// SQLite's affinity rules, and those that Load declares (declared, below).
func kindOf(declared string) connect.Kind {
	base, _, _ := strings.Cut(strings.ToUpper(declared), "(")
	base = strings.TrimSpace(base)
	switch base {
	case "BOOLEAN", "BOOL":
		return connect.Boolean
	case "DATE":
		return connect.Date
	case "DATETIME", "TIMESTAMP":
		return connect.Timestamp
	case "TIMESTAMPTZ", "INSTANT":
		return connect.Instant
	case "JSON", "JSON_TEXT", "JSONB":
		return connect.JSON
	case "DECIMAL", "DECIMAL_TEXT", "NUMERIC", "NUMBER", "MONEY":
		return connect.Decimal
	case "BYTEA", "BINARY", "VARBINARY":
		return connect.Bytes
	}
	switch {
	case strings.Contains(base, "INT"):
		return connect.Integer
	case strings.Contains(base, "CHAR"), strings.Contains(base, "CLOB"), strings.Contains(base, "TEXT"):
		return connect.Text
	case strings.Contains(base, "BLOB"):
		return connect.Bytes
	case strings.Contains(base, "REAL"), strings.Contains(base, "FLOA"), strings.Contains(base, "DOUB"):
		return connect.Float
	}
	return connect.Text
}

// declared is the type that a Load declares for a kind. The affinity that SQLite
// derives from it must keep our text as it is: TEXT for decimals and JSON, where
// NUMERIC would round; NUMERIC does no harm to dates, which do not look like numbers.
func declared(k connect.Kind) string {
	switch k {
	case connect.Integer:
		return "INTEGER"
	case connect.Decimal:
		return "DECIMAL_TEXT"
	case connect.Boolean:
		return "BOOLEAN"
	case connect.Date:
		return "DATE"
	case connect.Timestamp:
		return "TIMESTAMP"
	case connect.Instant:
		return "TIMESTAMPTZ"
	case connect.Bytes:
		return "BLOB"
	case connect.Float:
		return "REAL"
	case connect.JSON:
		return "JSON_TEXT"
	}
	return "TEXT"
}

// keepsText tells whether a declared type has TEXT or BLOB affinity (SQLite's
// rules 1 to 3, in their order: INT anywhere counts first).
func keepsText(declared string) bool {
	d := strings.ToUpper(declared)
	if strings.Contains(d, "INT") {
		return false
	}
	return d == "" || strings.Contains(d, "CHAR") || strings.Contains(d, "CLOB") || strings.Contains(d, "TEXT") || strings.Contains(d, "BLOB")
}

// read makes the canonical value of what SQLite stored in a column of kind k.
// reason is not empty if it cannot be carried.
func read(k connect.Kind, stored any) (v connect.Value, reason string) {
	switch x := stored.(type) {
	case nil:
		return connect.Null, ""
	case int64:
		return readInteger(k, x), ""
	case float64:
		return readFloat(k, x), ""
	case []byte:
		v = connect.BytesValue(x)
	case string:
		v = readText(k, x)
	}
	if err := v.Check(); err != nil {
		return connect.Null, err.Error()
	}
	return v, ""
}

func readInteger(k connect.Kind, i int64) connect.Value {
	v := connect.IntegerValue(i)
	switch {
	case k == connect.Boolean && (i == 0 || i == 1):
		return connect.BooleanValue(i == 1)
	case k == connect.Decimal:
		v.Kind = connect.Decimal
	case k == connect.Float:
		v, _ = connect.FloatValue(v.Text)
	}
	return v
}

func readFloat(k connect.Kind, f float64) connect.Value {
	if k == connect.Decimal {
		if v, ok := connect.DecimalValue(strconv.FormatFloat(f, 'f', -1, 64)); ok {
			return v
		}
	}
	v, _ := connect.FloatValue(strconv.FormatFloat(f, 'g', -1, 64))
	return v
}

// readText gives s the column's kind if it has the form of it, else it is Text.
func readText(k connect.Kind, s string) connect.Value {
	text := connect.TextValue(s)
	v, ok := text, true
	switch k {
	case connect.Decimal:
		v, ok = connect.DecimalValue(s)
	case connect.Date:
		if v, ok = connect.DateValue(s); !ok {
			v, ok = connect.TimeValue(s)
		}
	case connect.Timestamp, connect.Instant:
		if v, ok = connect.TimeValue(s); ok && strings.HasSuffix(s, "infinity") {
			v.Kind = k
		}
	case connect.JSON:
		if len(s) <= connect.MaxValueBytes && json.Valid([]byte(s)) {
			v = connect.Value{Kind: connect.JSON, Text: s}
		}
	}
	if !ok {
		return text
	}
	return v
}

// readKey is a key's value as it is stored, for Batch.Last: not canonical, so
// that it compares with the column again.
func readKey(stored any) connect.Value {
	switch x := stored.(type) {
	case int64:
		return connect.IntegerValue(x)
	case float64:
		v, _ := connect.FloatValue(strconv.FormatFloat(x, 'g', -1, 64))
		return v
	case []byte:
		return connect.BytesValue(x)
	case string:
		return connect.TextValue(x)
	}
	return connect.Null
}

// bind is the parameter for a value that is compared with a column (key: as
// readKey gave it). Points of time are in the form of dialect.Compare.
func bind(c connect.Column, v connect.Value, key bool) any {
	if !key && (c.Kind == connect.Timestamp || c.Kind == connect.Instant) {
		return strings.TrimSuffix(v.Text, "Z")
	}
	stored, _ := store(v)
	return stored
}

// store is what SQLite is given for a value. reason is not empty if SQLite
// would not give the same value back.
func store(v connect.Value) (stored any, reason string) {
	switch v.Kind {
	case 0:
		return nil, ""
	case connect.Integer:
		i, err := strconv.ParseInt(v.Text, 10, 64)
		if err != nil {
			return nil, "integer beyond 64 bits"
		}
		return i, ""
	case connect.Boolean:
		if v.Text == "true" {
			return int64(1), ""
		}
		return int64(0), ""
	case connect.Float:
		f, err := strconv.ParseFloat(v.Text, 64)
		if err != nil || f != f {
			return nil, "SQLite stores NaN as NULL"
		}
		return f, ""
	case connect.Bytes:
		return []byte(v.Text), ""
	}
	return v.Text, ""
}
