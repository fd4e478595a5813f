package postgres

import (
	"bytes"
	"encoding/hex"
	"fmt"

	"mulian/gateway/connect"
)

// kindByOID gives the kinds of PostgreSQL's own types; all others are Text in
// the form that PostgreSQL prints. The numbers are fixed in pg_type.dat.
var kindByOID = map[uint32]connect.Kind{
	16: connect.Boolean, 17: connect.Bytes, 20: connect.Integer, 21: connect.Integer, 23: connect.Integer, 26: connect.Integer,
	700: connect.Float, 701: connect.Float, 1700: connect.Decimal,
	1082: connect.Date, 1114: connect.Timestamp, 1184: connect.Instant, 114: connect.JSON, 3802: connect.JSON,
}

func kindOf(oid uint32) connect.Kind {
	if k, ok := kindByOID[oid]; ok {
		return k
	}
	return connect.Text
}

// declared is the type that a Load creates for a kind: the widest, and json
// rather than jsonb, which would rewrite the text.
var declared = map[connect.Kind]string{
	connect.Text: "text", connect.Integer: "bigint", connect.Decimal: "numeric", connect.Boolean: "boolean",
	connect.Date: "date", connect.Timestamp: "timestamp", connect.Instant: "timestamptz",
	connect.Bytes: "bytea", connect.Float: "double precision", connect.JSON: "json",
}

// read makes the canonical value of PostgreSQL's text. reason is not empty if
// it cannot be carried.
func read(oid uint32, text []byte) (v connect.Value, reason string) {
	if text == nil {
		return connect.Null, ""
	}
	kind := kindOf(oid)
	v, ok := connect.Value{Kind: kind}, true
	switch kind {
	case connect.Boolean:
		v = connect.BooleanValue(bytes.Equal(text, []byte("t")))
	case connect.Bytes:
		raw, err := hex.DecodeString(string(bytes.TrimPrefix(text, []byte(`\x`))))
		v, ok = connect.BytesValue(raw), err == nil
	case connect.Float:
		v, ok = connect.FloatValue(string(text))
	case connect.Timestamp, connect.Instant:
		v, ok = connect.TimeValue(string(text))
		v.Kind = kind // of the infinities
	default:
		v.Text = string(text)
	}
	if !ok {
		return connect.Null, fmt.Sprintf("%s outside what can be carried (years 0000 to 9999)", kind)
	}
	if err := v.Check(); err != nil {
		return connect.Null, err.Error()
	}
	return v, ""
}

// bind is the text of a parameter.
func bind(v connect.Value) []byte {
	if v.Kind == connect.Bytes {
		return []byte(`\x` + hex.EncodeToString([]byte(v.Text)))
	}
	return []byte(v.Text)
}

// appendCopy adds a row in the text format of COPY.
func appendCopy(out []byte, row connect.Row) []byte {
	for i, v := range row {
		if i > 0 {
			out = append(out, '\t')
		}
		switch v.Kind {
		case 0:
			out = append(out, `\N`...)
		case connect.Bytes:
			out = append(out, `\\x`...)
			out = hex.AppendEncode(out, []byte(v.Text))
		default:
			out = appendEscaped(out, v.Text)
		}
	}
	return append(out, '\n')
}

func appendEscaped(out []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; c {
		case '\\':
			out = append(out, '\\', '\\')
		case '\n':
			out = append(out, '\\', 'n')
		case '\r':
			out = append(out, '\\', 'r')
		case '\t':
			out = append(out, '\\', 't')
		default:
			out = append(out, c)
		}
	}
	return out
}
