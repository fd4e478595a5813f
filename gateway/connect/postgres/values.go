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

// appendText adds the canonical text of what PostgreSQL printed. reason is not empty
// if it cannot be carried. Whether the text is canonical the caller asks of the value.
func appendText(out []byte, kind connect.Kind, text []byte) (_ []byte, reason string) {
	var v connect.Value
	ok := true
	switch kind {
	case connect.Boolean:
		return append(out, connect.BooleanValue(bytes.Equal(text, []byte("t"))).Text...), ""
	case connect.Bytes:
		raw, err := hex.AppendDecode(out, bytes.TrimPrefix(text, []byte(`\x`)))
		if err == nil {
			return raw, ""
		}
		ok = false
	case connect.Float:
		v, ok = connect.FloatValue(string(text))
	case connect.Timestamp, connect.Instant:
		if plainTime(text, kind) {
			at := len(out)
			out = append(out, text...)
			out[at+10] = 'T'
			if kind == connect.Instant {
				out = append(out[:len(out)-3], 'Z')
			}
			return out, ""
		}
		v, ok = connect.TimeValue(string(text))
	default:
		return append(out, text...), ""
	}
	if !ok {
		return out, fmt.Sprintf("%s outside what can be carried (years 0000 to 9999)", kind)
	}
	return append(out, v.Text...), ""
}

// plainTime tells whether a point of time has the form that nearly all have: a year of
// four digits, in UTC where it names a zone, no zeros at the end of a fraction.
func plainTime(text []byte, kind connect.Kind) bool {
	if kind == connect.Instant {
		rest, utc := bytes.CutSuffix(text, []byte("+00"))
		if !utc {
			return false
		}
		text = rest
	}
	return len(text) >= 19 && len(text) <= 29 && text[4] == '-' && text[10] == ' ' &&
		(len(text) == 19 || text[19] == '.' && text[len(text)-1] >= '1' && text[len(text)-1] <= '9')
}

// read makes the canonical value of PostgreSQL's text. reason is not empty if
// it cannot be carried.
func read(oid uint32, text []byte) (v connect.Value, reason string) {
	return readAs(kindOf(oid), text)
}

// readAs is read for a column whose kind is known.
func readAs(kind connect.Kind, text []byte) (v connect.Value, reason string) {
	if text == nil {
		return connect.Null, ""
	}
	v.Kind = kind
	b, reason := appendText(nil, v.Kind, text)
	if reason != "" {
		return connect.Null, reason
	}
	v.Text = string(b)
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

// appendEscaped copies up to what has to be escaped: most texts have nothing.
func appendEscaped(out []byte, s string) []byte {
	from := 0
	for i := range len(s) {
		c := s[i]
		if c > '\r' && c != '\\' {
			continue
		}
		var short byte
		switch c {
		case '\\':
			short = '\\'
		case '\n':
			short = 'n'
		case '\r':
			short = 'r'
		case '\t':
			short = 't'
		default:
			continue
		}
		out = append(out, s[from:i]...)
		out = append(out, '\\', short)
		from = i + 1
	}
	return append(out, s[from:]...)
}
