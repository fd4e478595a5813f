package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"mulian/gateway/connect"
)

// maxPiece bounds what is read beyond the last piece of JSON that was understood: one row, or what
// stands beside the rows. It is held in memory. A longest value, half of it escaped.
const maxPiece = 48 << 20

// pieces ends an answer of which a piece does not end.
type pieces struct {
	r    io.Reader
	read int64
	dec  *json.Decoder
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.read-p.dec.InputOffset() > maxPiece {
		return 0, fmt.Errorf("%w: a row of more than %d bytes", connect.ErrTooLarge, maxPiece)
	}
	n, err := p.r.Read(b)
	p.read += int64(n)
	return n, err
}

// maxDepth of the JSON of one row. The deepest interface that we know of has eight.
const maxDepth = 64

// seen is what an answer holds beside its rows, by JSON pointer.
type seen map[string]json.RawMessage

// reader reads one answer as a stream: only one row is in memory.
type reader struct {
	dec  *json.Decoder
	want []string // pointers of what is looked for beside the rows
	out  seen
	row  func(at string, raw json.RawMessage) error
	done bool // the rows were there
}

// readAnswer calls row for each row of e in body. at is the row's JSON pointer.
func readAnswer(e *endpoint, body io.Reader, want []string, row func(at string, raw json.RawMessage) error) (seen, error) {
	in := &pieces{r: body}
	in.dec = json.NewDecoder(in)
	r := &reader{dec: in.dec, want: want, out: seen{}, row: row}
	err := r.value(e, "", e.rows)
	if err == nil {
		var more json.RawMessage
		if end := r.dec.Decode(&more); !errors.Is(end, io.EOF) {
			err = badJSON(end)
		}
	}
	if err == nil && !r.done {
		err = &connect.ValueError{Table: e.table.TableName, Column: e.mapping.Rows, Reason: "the answer has no rows there"}
	}
	return r.out, err
}

// badJSON is an error of the answer's form, without its content.
func badJSON(err error) error {
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return fmt.Errorf("%w: something after the answer", connect.ErrInvalid)
	case errors.As(err, &syntax):
		return fmt.Errorf("%w: the answer is not JSON, at byte %d", connect.ErrInvalid, syntax.Offset)
	case errors.As(err, &wrong):
		return fmt.Errorf("%w: the answer has another form, at byte %d", connect.ErrInvalid, wrong.Offset)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("%w: the answer ends in its middle", connect.ErrUnreachable)
	}
	return err
}

// value reads the value at; rest is where the rows are, from here.
func (r *reader) value(e *endpoint, at string, rest []string) error {
	if len(rest) == 0 {
		return r.rows(e, at)
	}
	if t, err := r.dec.Token(); err != nil || t != json.Delim('{') {
		return r.noRows(e, err)
	}
	for r.dec.More() {
		t, err := r.dec.Token()
		if err != nil {
			return badJSON(err)
		}
		name, _ := t.(string)
		here := at + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		if name == rest[0] && !r.done {
			err = r.value(e, here, rest[1:])
		} else {
			err = r.aside(here)
		}
		if err != nil {
			return err
		}
	}
	_, err := r.dec.Token()
	if err != nil {
		return badJSON(err)
	}
	return nil
}

func (r *reader) noRows(e *endpoint, err error) error {
	if err != nil {
		return badJSON(err)
	}
	return &connect.ValueError{Table: e.table.TableName, Column: e.mapping.Rows, Reason: "the answer has another form than its schema"}
}

// aside reads a value that is no row, and keeps what is looked for in it.
func (r *reader) aside(at string) error {
	var raw json.RawMessage
	if err := r.dec.Decode(&raw); err != nil {
		return badJSON(err)
	}
	for _, w := range r.want {
		rest, below := strings.CutPrefix(w, at)
		if !below || rest != "" && rest[0] != '/' {
			continue
		}
		path, err := pointer(rest)
		if err != nil {
			return err
		}
		if v, ok := along(raw, path); ok {
			r.out[w] = v
		}
	}
	return nil
}

// along follows names into raw.
func along(raw json.RawMessage, path []string) (json.RawMessage, bool) {
	for _, name := range path {
		var object map[string]json.RawMessage
		if json.Unmarshal(raw, &object) != nil {
			return nil, false
		}
		next, ok := object[name]
		if !ok {
			return nil, false
		}
		raw = next
	}
	return raw, true
}

// rows reads the array of rows, or the single record.
func (r *reader) rows(e *endpoint, at string) error {
	r.done = true
	if e.single {
		var raw json.RawMessage
		if err := r.dec.Decode(&raw); err != nil {
			return badJSON(err)
		}
		return r.row(at, raw)
	}
	if t, err := r.dec.Token(); err != nil || t != json.Delim('[') {
		if err == nil && t == nil { // null: no rows
			return nil
		}
		return r.noRows(e, err)
	}
	for i := 0; r.dec.More(); i++ {
		var raw json.RawMessage
		if err := r.dec.Decode(&raw); err != nil {
			return badJSON(err)
		}
		if err := r.row(fmt.Sprintf("%s/%d", at, i), raw); err != nil {
			return err
		}
	}
	if _, err := r.dec.Token(); err != nil {
		return badJSON(err)
	}
	return nil
}

// read makes the values of fields of one row. The error names the JSON pointer, never a value.
func (e *endpoint) read(fields []*field, at string, n int64, raw json.RawMessage, row connect.Row) error {
	fail := func(f *field, reason string) error {
		return &connect.ValueError{Table: e.table.TableName, Column: f.column.Name, Row: n, Reason: reason + " (at " + at + "/" + strings.Join(f.path, "/") + ")"}
	}
	if deeper(raw, maxDepth) {
		return &connect.ValueError{Table: e.table.TableName, Row: n, Reason: "a row that is too deep (at " + at + ")"}
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil || object == nil {
		return &connect.ValueError{Table: e.table.TableName, Row: n, Reason: "a row that is no object (at " + at + ")"}
	}
	for i, f := range fields {
		value, ok := object[f.path[0]]
		if ok && len(f.path) > 1 {
			value, ok = along(value, f.path[1:])
		}
		if !ok || string(value) == "null" && f.column.Kind != connect.JSON || string(value) == "null" && f.column.Nullable {
			if !f.column.Nullable {
				return fail(f, "no value where the schema promises one")
			}
			row[i] = connect.Null
			continue
		}
		v, reason := f.value(value)
		if reason == "" {
			if err := v.Check(); err != nil {
				reason = err.Error()
			}
		}
		if reason != "" {
			return fail(f, reason)
		}
		row[i] = v
	}
	return nil
}

// deeper tells whether JSON nests deeper than most.
func deeper(raw []byte, most int) bool {
	depth, in := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case in && c == '\\':
			i++
		case c == '"':
			in = !in
		case in:
		case c == '{' || c == '[':
			if depth++; depth > most {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// typeOf is the JSON type of a value, as schemas name it.
func typeOf(raw json.RawMessage) string {
	switch raw[0] {
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "array"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	if bytes.ContainsAny(raw, ".eE") {
		return "number"
	}
	return "integer"
}

// value makes the value of a JSON text. reason is not empty if it is not what the schema promises.
func (f *field) value(raw json.RawMessage) (v connect.Value, reason string) {
	typ := typeOf(raw)
	if len(f.types) > 0 && !slices.Contains(f.types, typ) && (typ != "integer" || !slices.Contains(f.types, "number")) {
		return v, fmt.Sprintf("a %s where the schema promises %s", typ, strings.Join(f.types, " or "))
	}
	if typ != "string" || f.column.Kind == connect.JSON && !slices.Equal(f.types, []string{"string"}) {
		return f.plain(typ, string(raw))
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil || !utf8.Valid(raw) || strings.ContainsRune(s, utf8.RuneError) && loneSurrogate(raw) {
		return v, "a string that is no Unicode text"
	}
	if f.most > 0 && utf8.RuneCountInString(s) > f.most {
		return v, fmt.Sprintf("a text of more than %d characters", f.most)
	}
	if len(f.enum) > 0 && !slices.Contains(f.enum, s) {
		return v, "a text that the schema does not list"
	}
	return f.text(s)
}

// loneSurrogate tells whether a JSON string escapes half a character, which encoding/json
// replaces without a word. U+FFFD itself may be escaped, or stand there.
func loneSurrogate(raw []byte) bool {
	lower := bytes.ToLower(raw)
	return bytes.Contains(lower, []byte(`\ud`))
}

// plain is a value that is no JSON string.
func (f *field) plain(typ, s string) (v connect.Value, reason string) {
	ok := false
	switch k := f.column.Kind; {
	case k == connect.JSON:
		return connect.Value{Kind: k, Text: s}, ""
	case k == connect.Boolean && typ == "boolean":
		return connect.Value{Kind: k, Text: s}, ""
	case typ != "integer" && typ != "number":
		return v, fmt.Sprintf("a %s in a column of kind %s", typ, k)
	case k == connect.Integer:
		v, ok = connect.Value{Kind: k, Text: s}, s != "-0"
	case k == connect.Decimal:
		v, ok = connect.DecimalValue(s)
	case k == connect.Float:
		v, ok = connect.FloatValue(s)
	}
	if !ok {
		return v, fmt.Sprintf("a %s that is no %s", typ, f.column.Kind)
	}
	return v, ""
}

// text is a value that is a JSON string.
func (f *field) text(s string) (v connect.Value, reason string) {
	k, ok := f.column.Kind, false
	switch k {
	case connect.Text, connect.JSON:
		v, ok = connect.Value{Kind: k, Text: s}, true
	case connect.Integer:
		v, ok = connect.Value{Kind: k, Text: s}, true // Check knows
	case connect.Decimal:
		v, ok = connect.DecimalValue(s)
	case connect.Float:
		v, ok = connect.FloatValue(s)
	case connect.Date:
		v, ok = connect.DateValue(s)
	case connect.Timestamp, connect.Instant:
		v, ok = connect.TimeValue(s)
		if ok && strings.HasSuffix(v.Text, "infinity") {
			v.Kind = k
		}
		ok = ok && v.Kind == k
	case connect.Bytes:
		raw, err := base64.StdEncoding.DecodeString(s)
		v, ok = connect.BytesValue(raw), err == nil
	}
	if !ok {
		return v, fmt.Sprintf("a string that is no %s", k)
	}
	return v, ""
}
