package mysql

import (
	sqldriver "database/sql/driver"
	"fmt"
	"strconv"
	"strings"

	"mulian/gateway/connect"
)

// kindOf gives the kind of MySQL's types; those that are not here are Text in the form
// that MySQL prints (char, text, enum, set, time, MariaDB's uuid and inet6).
func kindOf(base, full string) connect.Kind {
	switch strings.ToLower(base) {
	case "tinyint":
		if strings.HasPrefix(full, "tinyint(1)") && !strings.Contains(full, "unsigned") {
			return connect.Boolean
		}
		return connect.Integer
	case "bit":
		if full == "bit(1)" {
			return connect.Boolean
		}
		return connect.Integer
	case "smallint", "mediumint", "int", "integer", "bigint", "year":
		return connect.Integer
	case "decimal", "numeric":
		return connect.Decimal
	case "float", "double":
		return connect.Float
	case "date":
		return connect.Date
	case "datetime":
		return connect.Timestamp
	case "timestamp":
		return connect.Instant
	case "json":
		return connect.JSON
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector",
		"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection":
		return connect.Bytes
	}
	return connect.Text
}

// notWhatWasDescribed is the reason of a value whose column is no longer what its
// description says.
const notWhatWasDescribed = "the column's type has changed"

// appendText adds the canonical text of what the server sent for a column. kind is the
// column's, but for a tinyint(1) that holds another number than 0 and 1: that is carried
// as the Integer that it is. reason is not empty if it cannot be carried. Whether the text
// is canonical the caller asks of the value.
func appendText(out []byte, f columnForm, v sqldriver.Value) (_ []byte, kind connect.Kind, reason string) {
	kind = f.kind
	switch x := v.(type) {
	case int64:
		switch {
		case kind == connect.Boolean && (x == 0 || x == 1):
			return strconv.AppendBool(out, x == 1), kind, ""
		case kind == connect.Boolean, kind == connect.Integer:
			return strconv.AppendInt(out, x, 10), connect.Integer, ""
		}
	case float32:
		if kind == connect.Float {
			return appendFloat(out, float64(x), 32), kind, ""
		}
	case float64:
		if kind == connect.Float {
			return appendFloat(out, x, 64), kind, ""
		}
	case string:
		return appendBytes(out, f, []byte(x))
	case []byte:
		return appendBytes(out, f, x)
	}
	return out, kind, notWhatWasDescribed
}

func appendFloat(out []byte, x float64, bits int) []byte {
	if x == 0 {
		return append(out, '0')
	}
	return strconv.AppendFloat(out, x, 'g', -1, bits)
}

func appendBytes(out []byte, f columnForm, x []byte) (_ []byte, kind connect.Kind, reason string) {
	switch f.kind {
	case connect.Text, connect.JSON, connect.Bytes:
		return append(out, x...), f.kind, ""
	case connect.Integer, connect.Boolean:
		if f.base != "bit" {
			return append(out, x...), f.kind, "" // beyond 63 bits
		}
		var n uint64
		for _, b := range x {
			n = n<<8 | uint64(b)
		}
		if f.kind == connect.Boolean {
			return strconv.AppendBool(out, n == 1), f.kind, ""
		}
		return strconv.AppendUint(out, n, 10), f.kind, ""
	case connect.Decimal:
		if len(x) > 1 && (x[0] == '-' || x[0] == '0' && x[1] != '.') { // zerofill, or a zero with a sign
			v, ok := connect.DecimalValue(string(x))
			if !ok {
				return out, f.kind, notWhatWasDescribed
			}
			return append(out, v.Text...), f.kind, ""
		}
		return append(out, x...), f.kind, ""
	case connect.Date, connect.Timestamp, connect.Instant:
		return appendTime(out, f.kind, x)
	}
	return out, f.kind, notWhatWasDescribed
}

// appendTime brings "2006-01-02 15:04:05.999000" into the canonical form.
func appendTime(out []byte, kind connect.Kind, x []byte) (_ []byte, _ connect.Kind, reason string) {
	if len(x) < 10 || x[4] != '-' || x[7] != '-' {
		return out, kind, notWhatWasDescribed
	}
	if x[5] == '0' && x[6] == '0' || x[8] == '0' && x[9] == '0' {
		return out, kind, "a zero date (month or day is 0) is no date: share a view that makes it NULL"
	}
	if kind == connect.Date {
		return append(out, x...), kind, ""
	}
	if len(x) < 19 {
		return out, kind, notWhatWasDescribed
	}
	at := len(out)
	out = append(out, x...)
	out[at+10] = 'T'
	if len(x) > 19 {
		for out[len(out)-1] == '0' {
			out = out[:len(out)-1]
		}
		if out[len(out)-1] == '.' {
			out = out[:len(out)-1]
		}
	}
	if kind == connect.Instant {
		out = append(out, 'Z')
	}
	return out, kind, ""
}

// readOne makes the canonical value of one value. reason is not empty if it cannot be carried.
func readOne(f columnForm, v sqldriver.Value) (connect.Value, string) {
	if v == nil {
		return connect.Null, ""
	}
	b, kind, reason := appendText(nil, f, v)
	out := connect.Value{Kind: kind, Text: string(b)}
	if reason == "" {
		if err := out.Check(); err != nil {
			reason = err.Error()
		}
	}
	if reason != "" {
		return connect.Null, reason
	}
	return out, ""
}

// decimalDigits counts a decimal's digits before and after the point that matter; ok is
// false for what is no number.
func decimalDigits(s string) (whole, fraction int, ok bool) {
	if s == "NaN" || strings.HasSuffix(s, "infinity") {
		return 0, 0, false
	}
	w, f, _ := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	return len(strings.TrimLeft(w, "0")), len(strings.TrimRight(f, "0")), true
}

// bind is the parameter for a value that is compared with a column of this form. NULL is
// for one that no value of the column equals; possible is false where a comparison by
// order cannot be made with it.
func bind(f columnForm, v connect.Value) (arg sqldriver.Value, possible bool) {
	switch f.kind {
	case connect.Integer, connect.Boolean:
		if v.Kind == connect.Boolean {
			return map[string]int64{"true": 1}[v.Text], true
		}
		if i, err := strconv.ParseInt(v.Text, 10, 64); err == nil && v.Kind != connect.Bytes {
			return i, true
		}
		if u, err := strconv.ParseUint(v.Text, 10, 64); err == nil && v.Kind != connect.Bytes {
			return u, true
		}
		return nil, false
	case connect.Decimal:
		d, ok := connect.DecimalValue(v.Text)
		whole, fraction, number := decimalDigits(d.Text)
		if !ok || !number || fraction > 30 || whole+fraction > 65 {
			return nil, false
		}
		return d.Text, true
	case connect.Float:
		x, err := strconv.ParseFloat(v.Text, 64)
		if _, ok := connect.FloatValue(v.Text); err != nil || !ok || x-x != 0 {
			return nil, false
		}
		if f.base == "float" {
			x = float64(float32(x))
		}
		return x, true
	case connect.Date:
		if strings.HasSuffix(v.Text, "infinity") || v.Kind != connect.Date && v.Kind != connect.Text {
			return nil, false
		}
		return v.Text, true
	case connect.Timestamp, connect.Instant:
		return bindTime(v)
	}
	return v.Text, true
}

// bindTime gives microseconds; a finer time equals none of MySQL's.
func bindTime(v connect.Value) (arg sqldriver.Value, possible bool) {
	t := strings.TrimSuffix(v.Text, "Z")
	if len(t) < 19 || t[10] != 'T' {
		return nil, false
	}
	return t, len(t) <= len("2006-01-02T15:04:05.999999")
}

// typed gives a parameter the type that it is compared in.
func typed(f columnForm, v connect.Value, key bool, param string) string {
	switch f.kind {
	case connect.Decimal:
		// As many digits after the point as the value has: MySQL's decimals have 65 in all.
		_, fraction, _ := decimalDigits(v.Text)
		return fmt.Sprintf("CAST(%s AS DECIMAL(65,%d))", param, min(fraction, 30))
	case connect.Date:
		return "CAST(" + param + " AS DATE)"
	case connect.Timestamp, connect.Instant:
		return "CAST(" + param + " AS DATETIME(6))"
	case connect.Text, connect.JSON:
		if key && !f.byBytes {
			return "CAST(" + param + " AS BINARY)"
		}
	}
	return param
}

// bytesOf is a quoted column's text as UTF-8 bytes, which compare as they are.
func bytesOf(quoted string) string { return "CAST(CONVERT(" + quoted + " USING utf8mb4) AS BINARY)" }

// byOrder is what a column is ordered and compared by.
func byOrder(f columnForm, quoted string) string {
	switch {
	case f.kind == connect.Decimal && f.marked:
		return "CAST(" + quoted + " AS DECIMAL(65,30))"
	case (f.kind == connect.Text || f.kind == connect.JSON) && !f.byBytes:
		return bytesOf(quoted)
	}
	return quoted
}
