package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"mulian/gateway/connect"
)

// columnarBatch is how many values of each column are read at once.
const columnarBatch = 256

// leaf is one column of a parquet file that can be read as a column of a table: no list,
// and in no group.
type leaf struct {
	name string
	at   int // among the file's leaves
	typ  parquet.Type
	read func(parquet.Value) (connect.Value, string)
	kind connect.Kind
}

// openColumnar reads the file's footer. The library panics on some broken files: that is
// an error of the file.
func (p *part) openColumnar() (f *parquet.File, leaves []leaf, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = p.brokenError()
		}
	}()
	if p.gz {
		return nil, nil, fmt.Errorf("%w: file %s: a parquet file is compressed inside", connect.ErrInvalid, p.name)
	}
	f, err = parquet.OpenFile(p.f, p.stamp.Size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: file %s is no parquet file: %w", connect.ErrInvalid, p.name, err)
	}
	for _, field := range f.Schema().Fields() {
		if !field.Leaf() || field.Repeated() {
			return nil, nil, fmt.Errorf("%w: file %s, column %q is a list or a group, not a value", connect.ErrInvalid, p.name, field.Name())
		}
		column, ok := f.Schema().Lookup(field.Name())
		if !ok {
			return nil, nil, fmt.Errorf("%w: file %s, column %q", connect.ErrInvalid, p.name, field.Name())
		}
		l := leaf{name: field.Name(), at: column.ColumnIndex, typ: field.Type()}
		l.kind, l.read = columnarKind(field.Type())
		leaves = append(leaves, l)
	}
	return f, leaves, nil
}

func (p *part) brokenError() error {
	return fmt.Errorf("%w: file %s is a broken parquet file", connect.ErrInvalid, p.name)
}

// columnarColumns are the columns with the file's own types.
func (p *part) columnarColumns() ([]connect.Column, error) {
	_, leaves, err := p.openColumnar()
	if err != nil {
		return nil, err
	}
	var out []connect.Column
	for _, l := range leaves {
		out = append(out, connect.Column{Name: l.name, Kind: l.kind, Type: strings.ToLower(l.typ.String())})
	}
	return out, nil
}

// cursor reads one column of one row group, page by page.
type cursor struct {
	leaf   leaf
	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	buf    []parquet.Value
	at, n  int
}

func (c *cursor) close() {
	if c.page != nil {
		parquet.Release(c.page)
	}
	if c.pages != nil {
		c.pages.Close()
	}
	c.page, c.pages = nil, nil
}

// next is the column's next value; io.EOF after the last.
func (c *cursor) next() (parquet.Value, error) {
	for c.at == c.n {
		if c.values != nil {
			n, err := c.values.ReadValues(c.buf)
			if c.at, c.n = 0, n; n > 0 {
				break
			}
			if err != nil && !errors.Is(err, io.EOF) {
				return parquet.Value{}, err
			}
			parquet.Release(c.page)
			c.page, c.values = nil, nil
		}
		page, err := c.pages.ReadPage()
		if err != nil {
			return parquet.Value{}, err
		}
		c.page, c.values = page, page.Values()
	}
	c.at++
	return c.buf[c.at-1], nil
}

// eachColumnarRow reads the columns at in lockstep, and no others.
func (p *part) eachColumnarRow(ctx context.Context, at []int, fn func(n int64, row connect.Row) error) error {
	f, leaves, err := p.openColumnar()
	if err != nil {
		return err
	}
	n := int64(0)
	for _, group := range f.RowGroups() {
		if err := p.eachGroupRow(ctx, group, leaves, at, &n, fn); err != nil {
			return err
		}
	}
	return nil
}

func (p *part) eachGroupRow(ctx context.Context, group parquet.RowGroup, leaves []leaf, at []int, n *int64, fn func(n int64, row connect.Row) error) (err error) {
	cursors := make([]cursor, len(at))
	defer func() {
		for i := range cursors {
			cursors[i].close()
		}
	}()
	ours := true // a panic of fn is not the file's
	defer func() {
		if !ours {
			return
		}
		if r := recover(); r != nil {
			err = p.brokenError()
		}
	}()
	for i, c := range at {
		chunk := group.ColumnChunks()[leaves[c].at]
		cursors[i] = cursor{leaf: leaves[c], pages: chunk.Pages(), buf: make([]parquet.Value, columnarBatch)}
	}
	row := make(connect.Row, len(at))
	for range group.NumRows() {
		*n++
		if *n%512 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		for i := range cursors {
			v, err := cursors[i].next()
			if err != nil {
				return fmt.Errorf("%w: file %s ends or breaks in row %d: %w", connect.ErrInvalid, p.name, *n, err)
			}
			reason := ""
			if row[i], reason = cursors[i].leaf.value(v); reason != "" {
				return &connect.ValueError{Column: cursors[i].leaf.name, Row: *n, Reason: reason + " (file " + p.name + ")"}
			}
		}
		ours = false
		err := fn(*n, row)
		ours = true
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *leaf) value(v parquet.Value) (connect.Value, string) {
	if v.IsNull() {
		return connect.Null, ""
	}
	return l.read(v)
}

// columnarKind is the kind of a parquet type, and how its values are read.
func columnarKind(t parquet.Type) (connect.Kind, func(parquet.Value) (connect.Value, string)) {
	if lt := t.LogicalType(); lt != nil {
		if kind, read := logicalKind(t, lt); read != nil {
			return kind, read
		}
	}
	switch t.Kind() {
	case parquet.Boolean:
		return connect.Boolean, func(v parquet.Value) (connect.Value, string) { return connect.BooleanValue(v.Boolean()), "" }
	case parquet.Int32:
		return connect.Integer, func(v parquet.Value) (connect.Value, string) { return connect.IntegerValue(int64(v.Int32())), "" }
	case parquet.Int64:
		return connect.Integer, func(v parquet.Value) (connect.Value, string) { return connect.IntegerValue(v.Int64()), "" }
	case parquet.Int96: // nanoseconds of a day, and the Julian day: what older Hive and Spark write
		return connect.Timestamp, func(v parquet.Value) (connect.Value, string) {
			i := v.Int96()
			day := int64(i[2]) - 2_440_588 // Julian day of 1970-01-01
			nanos := int64(i[1])<<32 | int64(i[0])
			return point(time.Unix(day*86_400, nanos).UTC(), connect.Timestamp)
		}
	case parquet.Float:
		return connect.Float, func(v parquet.Value) (connect.Value, string) {
			return float(float64(v.Float()))
		}
	case parquet.Double:
		return connect.Float, func(v parquet.Value) (connect.Value, string) { return float(v.Double()) }
	}
	return connect.Bytes, func(v parquet.Value) (connect.Value, string) { return connect.BytesValue(v.ByteArray()), "" }
}

func float(f float64) (connect.Value, string) {
	v, _ := connect.FloatValue(strconv.FormatFloat(f, 'g', -1, 64))
	return v, ""
}

func logicalKind(t parquet.Type, lt *format.LogicalType) (connect.Kind, func(parquet.Value) (connect.Value, string)) {
	text := func(v parquet.Value) (connect.Value, string) { return connect.TextValue(string(v.ByteArray())), "" }
	switch {
	case lt.UTF8 != nil, lt.Enum != nil:
		return connect.Text, text
	case lt.Json != nil:
		return connect.JSON, func(v parquet.Value) (connect.Value, string) {
			return connect.Value{Kind: connect.JSON, Text: string(v.ByteArray())}, ""
		}
	case lt.UUID != nil:
		return connect.Text, func(v parquet.Value) (connect.Value, string) {
			b := v.ByteArray()
			if len(b) != 16 {
				return connect.Null, "a UUID has 16 bytes"
			}
			return connect.TextValue(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])), ""
		}
	case lt.Decimal != nil:
		return connect.Decimal, decimalReader(t.Kind(), int(lt.Decimal.Scale))
	case lt.Date != nil && t.Kind() == parquet.Int32:
		return connect.Date, readDay
	case lt.Timestamp != nil && t.Kind() == parquet.Int64:
		kind := connect.Timestamp
		if lt.Timestamp.IsAdjustedToUTC {
			kind = connect.Instant
		}
		return kind, momentReader(kind, lt.Timestamp.Unit)
	case lt.Integer != nil && !lt.Integer.IsSigned && t.Kind() == parquet.Int64:
		return connect.Integer, func(v parquet.Value) (connect.Value, string) {
			return connect.Value{Kind: connect.Integer, Text: strconv.FormatUint(v.Uint64(), 10)}, ""
		}
	case lt.Integer != nil && !lt.Integer.IsSigned && t.Kind() == parquet.Int32:
		return connect.Integer, func(v parquet.Value) (connect.Value, string) {
			return connect.IntegerValue(int64(v.Uint32())), ""
		}
	case lt.Time != nil:
		return connect.Text, timeReader(t.Kind(), lt.Time.Unit)
	}
	return 0, nil
}

// The ends of the ranges stand for the infinities, as DuckDB and PostgreSQL have it.
const (
	dayForever    = math.MaxInt32
	momentForever = math.MaxInt64
)

func readDay(v parquet.Value) (connect.Value, string) {
	switch d := v.Int32(); d {
	case dayForever:
		return connect.Value{Kind: connect.Date, Text: "infinity"}, ""
	case -dayForever:
		return connect.Value{Kind: connect.Date, Text: "-infinity"}, ""
	default:
		return point(time.Unix(int64(d)*86_400, 0).UTC(), connect.Date)
	}
}

// point is a time of the years 0 to 9999 in its canonical form.
func point(t time.Time, k connect.Kind) (connect.Value, string) {
	if y := t.Year(); y < 0 || y > 9999 {
		return connect.Null, "a year beyond 0000 to 9999"
	}
	switch k {
	case connect.Date:
		return connect.Value{Kind: k, Text: t.Format("2006-01-02")}, ""
	case connect.Instant:
		return connect.InstantValue(t), ""
	}
	return connect.Value{Kind: k, Text: t.Format("2006-01-02T15:04:05.999999999")}, ""
}

func momentReader(kind connect.Kind, unit format.TimeUnit) func(parquet.Value) (connect.Value, string) {
	per := unitsPerSecond(unit)
	return func(v parquet.Value) (connect.Value, string) {
		n := v.Int64()
		switch n {
		case momentForever:
			return connect.Value{Kind: kind, Text: "infinity"}, ""
		case -momentForever:
			return connect.Value{Kind: kind, Text: "-infinity"}, ""
		}
		seconds, rest := n/per, n%per
		if rest < 0 {
			seconds, rest = seconds-1, rest+per
		}
		return point(time.Unix(seconds, rest*(1_000_000_000/per)).UTC(), kind)
	}
}

func unitsPerSecond(unit format.TimeUnit) int64 {
	switch {
	case unit.Millis != nil:
		return 1_000
	case unit.Nanos != nil:
		return 1_000_000_000
	}
	return 1_000_000
}

// timeReader reads a time of day, which has no kind of its own.
func timeReader(k parquet.Kind, unit format.TimeUnit) func(parquet.Value) (connect.Value, string) {
	per := unitsPerSecond(unit)
	return func(v parquet.Value) (connect.Value, string) {
		n := int64(0)
		if k == parquet.Int32 {
			n = int64(v.Int32())
		} else {
			n = v.Int64()
		}
		if n < 0 || n >= 86_400*per {
			return connect.Null, "a time of day beyond 24 hours"
		}
		return connect.TextValue(time.Unix(n/per, n%per*(1_000_000_000/per)).UTC().Format("15:04:05.999999999")), ""
	}
}

// decimalReader reads a number with a fixed scale: whole number, or big-endian two's complement.
func decimalReader(k parquet.Kind, scale int) func(parquet.Value) (connect.Value, string) {
	return func(v parquet.Value) (connect.Value, string) {
		n := new(big.Int)
		switch k {
		case parquet.Int32:
			n.SetInt64(int64(v.Int32()))
		case parquet.Int64:
			n.SetInt64(v.Int64())
		default:
			b := v.ByteArray()
			n.SetBytes(b)
			if len(b) > 0 && b[0]&0x80 != 0 {
				n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
			}
		}
		if scale < 0 || scale > 16_383 {
			return connect.Null, "a decimal of that scale"
		}
		sign, digits := "", n.String()
		if n.Sign() < 0 {
			sign, digits = "-", digits[1:]
		}
		if len(digits) <= scale {
			digits = strings.Repeat("0", scale-len(digits)+1) + digits
		}
		text := sign + digits
		if scale > 0 {
			text = sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
		}
		return connect.Value{Kind: connect.Decimal, Text: text}, ""
	}
}

// columnarValue is the parquet value of a delivered value; reason is not empty if
// parquet has none. Decimals and JSON stay text: theirs has any scale, parquet's one.
func columnarValue(v connect.Value) (_ parquet.Value, reason string) {
	switch v.Kind {
	case connect.Integer:
		i, err := strconv.ParseInt(v.Text, 10, 64)
		if err != nil {
			return parquet.Value{}, "integer beyond 64 bits"
		}
		return parquet.Int64Value(i), ""
	case connect.Boolean:
		return parquet.BooleanValue(v.Text == "true"), ""
	case connect.Float:
		f, _ := strconv.ParseFloat(v.Text, 64)
		return parquet.DoubleValue(f), ""
	case connect.Date:
		switch v.Text {
		case "infinity":
			return parquet.Int32Value(dayForever), ""
		case "-infinity":
			return parquet.Int32Value(-dayForever), ""
		}
		t, err := time.Parse("2006-01-02", v.Text)
		if err != nil {
			return parquet.Value{}, "not a date"
		}
		return parquet.Int32Value(int32(t.Unix() / 86_400)), "" //nolint:gosec // years 0 to 9999
	case connect.Timestamp, connect.Instant:
		return columnarMoment(v.Text)
	}
	return parquet.ByteArrayValue([]byte(v.Text)), ""
}

func columnarMoment(text string) (_ parquet.Value, reason string) {
	switch text {
	case "infinity":
		return parquet.Int64Value(momentForever), ""
	case "-infinity":
		return parquet.Int64Value(-momentForever), ""
	}
	t, err := time.Parse("2006-01-02T15:04:05.999999999", strings.TrimSuffix(text, "Z"))
	if err != nil {
		return parquet.Value{}, "not a point of time"
	}
	if t.Nanosecond()%1000 != 0 {
		return parquet.Value{}, "parquet keeps microseconds, the time is finer"
	}
	return parquet.Int64Value(t.UnixMicro()), ""
}

// columnarNode is the parquet type in which values of a column are delivered.
func columnarNode(k connect.Kind) parquet.Node {
	switch k {
	case connect.Integer:
		return parquet.Int(64)
	case connect.Boolean:
		return parquet.Leaf(parquet.BooleanType)
	case connect.Float:
		return parquet.Leaf(parquet.DoubleType)
	case connect.Date:
		return parquet.Date()
	case connect.Timestamp:
		return parquet.TimestampAdjusted(parquet.Microsecond, false)
	case connect.Instant:
		return parquet.TimestampAdjusted(parquet.Microsecond, true)
	case connect.Bytes:
		return parquet.Leaf(parquet.ByteArrayType)
	case connect.JSON:
		return parquet.JSON()
	}
	return parquet.String()
}
