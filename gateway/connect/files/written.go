package files

import (
	"encoding/hex"
	"os"
	"strconv"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/delimited"
)

// loneNull is NULL in a table of one column, where nothing at all would be no record.
const loneNull = `\N`

// csvForm writes UTF-8 with commas; text in quotes, NULL as nothing, bytes as \x and hex.
type csvForm struct{}

func (csvForm) suffix() string { return ".csv" }

// takes: an integer of a delivery has 64 bits in every sink; longer ones are decimals.
func (csvForm) takes(v connect.Value) string {
	if v.Kind == connect.Integer && len(v.Text) > 18 {
		if _, err := strconv.ParseInt(v.Text, 10, 64); err != nil {
			return "integer beyond 64 bits"
		}
	}
	return ""
}

func (csvForm) write(f *os.File, columns []connect.Column) (tableWriter, error) {
	w := &csvWriter{w: delimited.NewWriter(f), fields: make([]delimited.Field, len(columns))}
	for i, c := range columns {
		w.fields[i] = delimited.Field{Text: c.Name, Quoted: true}
	}
	return w, w.w.Write(w.fields)
}

type csvWriter struct {
	w      *delimited.Writer
	fields []delimited.Field
}

func (w *csvWriter) row(row connect.Row) error {
	for i, v := range row {
		switch {
		case v.IsNull() && len(row) == 1:
			w.fields[i] = delimited.Field{Text: loneNull}
		case v.Kind == connect.Bytes:
			w.fields[i] = delimited.Field{Text: `\x` + hex.EncodeToString([]byte(v.Text))}
		default:
			w.fields[i] = delimited.Field{Text: v.Text, Quoted: v.Kind == connect.Text || v.Kind == connect.JSON}
		}
	}
	return w.w.Write(w.fields)
}

func (w *csvWriter) end() error { return w.w.Flush() }

// parquetForm writes a parquet file with the types of columnarNode, compressed with zstd.
type parquetForm struct{}

func (parquetForm) suffix() string { return ".parquet" }

func (parquetForm) takes(v connect.Value) string {
	if v.IsNull() {
		return ""
	}
	_, reason := columnarValue(v)
	return reason
}

// rowGroupBytes is how much is held in memory before a row group is written.
const rowGroupBytes = 8 << 20

func (parquetForm) write(f *os.File, columns []connect.Column) (tableWriter, error) {
	group := parquet.Group{}
	for _, c := range columns {
		node := columnarNode(c.Kind)
		if c.Nullable {
			node = parquet.Optional(node)
		}
		group[c.Name] = node
	}
	schema := parquet.NewSchema("mulian", group)
	w := &parquetWriter{
		w: parquet.NewGenericWriter[any](f, schema, parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}), parquet.PageBufferSize(256<<10),
			parquet.CreatedBy("mulian", "", "")),
		cells: make(parquet.Row, len(columns)), columns: columns, at: make([]int, len(columns)),
	}
	for i, c := range columns {
		leaf, _ := schema.Lookup(c.Name)
		w.at[i] = leaf.ColumnIndex
	}
	return w, nil
}

type parquetWriter struct {
	w       *parquet.GenericWriter[any]
	columns []connect.Column
	at      []int // by column: which leaf
	cells   parquet.Row
	bytes   int
}

func (w *parquetWriter) row(row connect.Row) error {
	for i, v := range row {
		level := 0
		if w.columns[i].Nullable && !v.IsNull() {
			level = 1
		}
		var value parquet.Value
		if !v.IsNull() {
			value, _ = columnarValue(v) // takes has seen it
		}
		w.cells[w.at[i]] = value.Level(0, level, w.at[i])
		w.bytes += len(v.Text) + 16
	}
	if _, err := w.w.WriteRows([]parquet.Row{w.cells}); err != nil {
		return err
	}
	if w.bytes < rowGroupBytes {
		return nil
	}
	w.bytes = 0
	return w.w.Flush()
}

func (w *parquetWriter) end() error { return w.w.Close() }
