package files

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/order"
)

// sink is a folder that is loaded into.
type sink struct {
	at   location
	form writtenForm
}

// writtenForm is csv or parquet.
type writtenForm interface {
	suffix() string
	// write begins a file of the table.
	write(f *os.File, columns []connect.Column) (tableWriter, error)
	// takes tells why a value cannot be written, or "".
	takes(v connect.Value) string
}

// tableWriter writes rows into a file.
type tableWriter interface {
	row(connect.Row) error
	// end writes what is missing; the file is synchronised by the caller.
	end() error
}

func openSink(form writtenForm) func(context.Context, string) (connect.Sink, error) {
	return func(_ context.Context, rawURL string) (connect.Sink, error) {
		at, err := parseURL(rawURL)
		if err != nil {
			return nil, err
		}
		if err := os.MkdirAll(at.dir, 0o750); err != nil {
			return nil, failure(err)
		}
		root, err := openRoot(at.dir)
		if err != nil {
			return nil, err
		}
		defer root.Close()
		return &sink{at, form}, nil
	}
}

func (s *sink) Close() error { return nil }

func (s *sink) Loaded(ctx context.Context, schema, delivery string) (connect.Receipt, bool, error) {
	if ctx.Err() != nil {
		return connect.Receipt{}, false, ctx.Err()
	}
	root, err := openRoot(s.at.dir)
	if err != nil || schema != "" {
		return connect.Receipt{}, false, err
	}
	defer root.Close()
	return receiptOf(root, delivery)
}

// maxFileName leaves room for the endings in the 255 bytes of a file's name.
const maxFileName = 220

func (s *sink) Begin(ctx context.Context, t connect.Target) (connect.Load, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	if name := t.Table.Name; t.Table.Schema != "" || strings.ContainsAny(name, "/!") || strings.HasPrefix(name, ".") || len(name) > maxFileName {
		return nil, fmt.Errorf("%w: a table that becomes a file has no schema, no / and no ! in its name, and at most %d bytes", connect.ErrInvalid, maxFileName)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	root, err := openRoot(s.at.dir)
	if err != nil {
		return nil, err
	}
	l := &load{sink: s, target: t, root: root, digest: connect.NewDigest()}
	if err := l.begin(ctx); err != nil {
		l.Rollback()
		return nil, err
	}
	return l, nil
}

// load is one delivery. Rows with a key are sorted, others are written as they come, into a
// file that has no name for readers until the commit.
type load struct {
	sink     *sink
	target   connect.Target
	root     *os.Root
	locked   *os.File
	before   connect.Receipt // of the first time, if repeated
	repeat   bool
	digest   *connect.Digest
	columns  []connect.Column // of the file
	key      []string
	create   bool
	at       []int // by column of the target: where in the file
	keyAt    []int // the key in the file
	sorter   *order.Sorter
	file     *os.File
	name     string // of file
	schema   string // of the new schema file
	writer   tableWriter
	row      connect.Row
	keyBytes []byte
	done     bool
}

func (l *load) begin(ctx context.Context) (err error) {
	if l.locked, err = lock(ctx, l.root); err != nil {
		return err
	}
	if err := recoverFolder(l.root); err != nil {
		return err
	}
	if l.before, l.repeat, err = receiptOf(l.root, l.target.Delivery); err != nil || l.repeat {
		return err
	}
	there, err := l.existing(ctx)
	if err != nil {
		return err
	}
	if there != nil {
		defer there.close()
		l.columns, l.key = there.shape.Columns, there.shape.Key
	} else {
		l.create = true
		l.columns, l.key = slices.Clone(l.target.Columns), l.target.PrimaryKey
		for i := range l.columns {
			c := &l.columns[i]
			c.Position, c.Nullable = i+1, c.Nullable && !slices.Contains(l.key, c.Name)
		}
	}
	for _, c := range l.target.Columns {
		l.at = append(l.at, l.place(c.Name))
	}
	for _, k := range l.key {
		l.keyAt = append(l.keyAt, l.place(k))
	}
	l.row = make(connect.Row, len(l.columns)+1)
	if err := l.newFile(); err != nil {
		return err
	}
	if len(l.key) > 0 {
		l.sorter = order.NewSorter(l.sink.at.temp)
	}
	if there == nil || l.target.Mode == connect.Replace {
		return nil
	}
	return there.rows(ctx, l.columns, func(row connect.Row) error {
		copy(l.row, row)
		return l.put(true)
	})
}

func (l *load) place(name string) int {
	return slices.IndexFunc(l.columns, func(c connect.Column) bool { return c.Name == name })
}

// existing opens the table that is there, and tells whether it takes the delivery.
func (l *load) existing(ctx context.Context) (*opened, error) {
	src := &source{at: l.sink.at, shapes: newMemory("", "")}
	o, err := src.find(ctx, l.target.Table)
	if errors.Is(err, connect.ErrNoTable) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	differs := ""
	switch {
	case len(o.parts) != 1 || o.parts[0].name != l.target.Table.Name+l.sink.form.suffix():
		differs = "it is not one file " + l.target.Table.Name + l.sink.form.suffix()
	case len(o.shape.declared.Columns) != len(o.shape.Columns):
		differs = "it was not made by a delivery: its schema file does not say what its columns are"
	}
	if differs != "" {
		o.close()
		return nil, fmt.Errorf("%w: %s: %s", connect.ErrTargetDiffers, l.target.Table, differs)
	}
	if err := l.target.Fits(o.table()); err != nil {
		o.close()
		return nil, err
	}
	return o, nil
}

// newFile begins the file that the table will be.
func (l *load) newFile() (err error) {
	var id [8]byte
	_, _ = rand.Read(id[:])
	l.name = tempPrefix + hex.EncodeToString(id[:])
	if l.file, err = l.root.OpenFile(l.name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o640); err != nil {
		return failure(err)
	}
	l.writer, err = l.sink.form.write(l.file, l.columns)
	return failure(err)
}

func (l *load) Repeated() bool { return l.repeat }

func (l *load) Sum() (rows int64, digest [32]byte) { return l.digest.Rows(), l.digest.Sum() }

func (l *load) Append(ctx context.Context, p *connect.Page) error {
	if l.done {
		return fmt.Errorf("%w: load has ended", connect.ErrInvalid)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return p.Each(func(row connect.Row, encoded string) error {
		if err := l.target.CheckRow(l.digest.Rows()+1, row); err != nil {
			return err
		}
		l.digest.AddEncoded(len(row), encoded)
		if l.repeat {
			return nil
		}
		clear(l.row)
		for i, v := range row {
			if l.target.Columns[i].Kind == connect.Text && !v.IsNull() {
				v.Kind = connect.Text
			}
			if reason := l.sink.form.takes(v); reason != "" {
				return &connect.ValueError{Table: l.target.Table, Column: l.target.Columns[i].Name, Row: l.digest.Rows(), Reason: reason}
			}
			l.row[l.at[i]] = v
		}
		return l.put(false)
	})
}

// put takes l.row. old: it was in the table before.
func (l *load) put(old bool) error {
	if l.sorter == nil {
		return failure(l.writer.row(l.row[:len(l.columns)]))
	}
	l.keyBytes = l.keyBytes[:0]
	for _, at := range l.keyAt {
		l.keyBytes = order.Key(l.keyBytes, l.row[at])
	}
	l.row[len(l.columns)] = connect.BooleanValue(old)
	return failure(l.sorter.Add(l.keyBytes, l.row))
}

// merge writes the sorted rows; of equal keys the later counts, or none may be.
func (l *load) merge() error {
	if l.sorter == nil {
		return nil
	}
	var key []byte
	var held connect.Row
	flush := func() error {
		if held == nil {
			return nil
		}
		return failure(l.writer.row(held[:len(l.columns)]))
	}
	err := l.sorter.Each(func(k []byte, row connect.Row) error {
		if held == nil || string(k) != string(key) {
			if err := flush(); err != nil {
				return err
			}
			key, held = append(key[:0], k...), row
			return nil
		}
		if l.target.Mode != connect.Merge {
			return fmt.Errorf("%w: two rows of %s have the same key", connect.ErrConflict, l.target.Table)
		}
		for _, at := range l.at { // columns that are not delivered stay
			held[at] = row[at]
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// crashed is where a test ends the process's work, as a power failure would.
var crashed = func(_ string) bool { return false }

var errCrashed = errors.New("crashed")

func (l *load) Commit(ctx context.Context) (connect.Receipt, error) {
	if l.done {
		return connect.Receipt{}, fmt.Errorf("%w: load has ended", connect.ErrInvalid)
	}
	defer l.Rollback()
	sum := l.digest.Sum()
	r := connect.Receipt{
		Delivery: l.target.Delivery, Table: l.target.Table, Rows: l.digest.Rows(),
		Digest: hex.EncodeToString(sum[:]), At: time.Now().UTC().Truncate(time.Microsecond),
	}
	if l.repeat {
		l.before.Repeated = true
		if r.Rows > 0 && (r.Digest != l.before.Digest || r.Rows != l.before.Rows) {
			return connect.Receipt{}, fmt.Errorf("%w: %s", connect.ErrDeliveryDiffers, r.Delivery)
		}
		return l.before, nil
	}
	if ctx.Err() != nil {
		return connect.Receipt{}, ctx.Err()
	}
	if err := l.finish(); err != nil {
		return connect.Receipt{}, err
	}
	name := l.target.Table.Name
	files := []move{{l.name, name + l.sink.form.suffix()}}
	if l.schema != "" {
		files = append([]move{{l.schema, name + schemaSuffix}}, files...)
	}
	// Power fails before here: nothing was loaded. After: all was, and readers and the next
	// load know under which names the files are.
	written, err := commitLine(l.root, line{Receipt: r, Files: files})
	if written { // what the line names is not this load's to remove any more, error or not
		l.name, l.schema = "", ""
	}
	if err != nil {
		return connect.Receipt{}, err
	}
	for _, m := range files {
		if crashed(m.To) {
			return connect.Receipt{}, errCrashed
		}
		if err := l.root.Rename(m.From, m.To); err != nil {
			return connect.Receipt{}, fmt.Errorf("the delivery is loaded, its file waits for its name: %w", failure(err))
		}
	}
	return r, syncFolder(l.root)
}

// finish writes and synchronises the files under their temporary names.
func (l *load) finish() error {
	if err := l.merge(); err != nil {
		return err
	}
	err := l.writer.end()
	if err == nil {
		err = l.file.Sync()
	}
	if err != nil || !l.create {
		return failure(err)
	}
	d := &Declared{Key: l.key, BlankRows: true}
	if len(l.columns) == 1 {
		d.Null = []string{loneNull}
	}
	for _, c := range l.columns {
		d.Columns = append(d.Columns, DeclaredColumn{Name: c.Name, Kind: c.Kind, Required: !c.Nullable, Comment: c.Comment})
	}
	l.schema = l.name + "-schema"
	f, err := l.root.OpenFile(l.schema, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return failure(err)
	}
	defer f.Close()
	return failure(d.write(f))
}

func (l *load) Rollback() error {
	if l.done {
		return nil
	}
	l.done = true
	if l.sorter != nil {
		l.sorter.Close()
	}
	if l.file != nil {
		l.file.Close()
	}
	for _, name := range []string{l.name, l.schema} {
		if name != "" {
			_ = l.root.Remove(name) // the next load finds it otherwise
		}
	}
	if l.locked != nil {
		l.locked.Close()
	}
	return l.root.Close()
}
