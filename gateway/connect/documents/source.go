package documents

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"mulian/gateway/connect"
)

func init() {
	connect.Register(connect.Driver{Source: open, Sink: openSink}, "documents")
}

// columns of every table here.
var columns = []connect.Column{
	{Name: "name", Kind: connect.Text, Type: "text", Position: 1, Comment: "文件名"},
	{Name: "piece", Kind: connect.Integer, Type: "integer", Position: 2, Comment: "片段序号"},
	{Name: "size", Kind: connect.Integer, Type: "integer", Position: 3, Comment: "字节数"},
	{Name: "modified", Kind: connect.Instant, Type: "instant", Position: 4, Comment: "修改时间"},
	{Name: "sha256", Kind: connect.Text, Type: "text", Position: 5, Nullable: true, Comment: "全文摘要"},
	{Name: "content", Kind: connect.Bytes, Type: "bytes", Position: 6, Comment: "内容"},
}

// source is a folder of folders.
type source struct {
	dir      string
	patterns []string
	closed   *atomic.Bool
}

func folderOf(rawURL string) (string, error) {
	_, dir, _ := strings.Cut(rawURL, ":")
	dir = strings.TrimPrefix(dir, "//")
	if dir == "" || strings.ContainsAny(dir, "?#") {
		return "", fmt.Errorf("%w: the URL is documents:FOLDER", connect.ErrInvalid)
	}
	return dir, nil
}

func open(_ context.Context, rawURL string) (connect.Source, error) {
	dir, err := folderOf(rawURL)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, failure(err)
	}
	return &source{dir: dir, closed: &atomic.Bool{}}, root.Close()
}

// Choose returns the source as if it had only the files whose names fit one of the patterns.
// ErrInvalid: it is none of documents, or a pattern is none.
func Choose(s connect.Source, patterns []string) (connect.Source, error) {
	x, ok := s.(*source)
	if !ok {
		return nil, fmt.Errorf("%w: this is no folder of documents", connect.ErrInvalid)
	}
	if err := CheckPatterns(patterns); err != nil {
		return nil, err
	}
	return &source{dir: x.dir, patterns: slices.Clone(patterns), closed: x.closed}, nil
}

func (s *source) Close() error {
	s.closed.Store(true)
	return nil
}

func (s *source) root(ctx context.Context) (*os.Root, error) {
	if s.closed.Load() {
		return nil, fmt.Errorf("%w: closed", connect.ErrUnreachable)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	root, err := os.OpenRoot(s.dir)
	return root, failure(err)
}

func (s *source) Inspect(ctx context.Context) (*connect.Schema, error) {
	root, err := s.root(ctx)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	entries, err := readDir(root, ".", connect.MaxTables)
	if err != nil {
		return nil, err
	}
	out := &connect.Schema{}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			out.Tables = append(out.Tables, connect.Table{
				TableName: connect.TableName{Name: e.Name()}, Columns: slices.Clone(columns), PrimaryKey: []string{"name", "piece"},
			})
		}
	}
	out.Normalise()
	return out, out.Check()
}

// document is one file as it was when it was looked at.
type document struct {
	name     string // below its table's folder
	size     int64
	modified time.Time // to the second
	stamp    int64     // the same, as the system has it
}

func (d document) pieces() int64 { return max(1, (d.size+PieceBytes-1)/PieceBytes) }

// list finds the chosen files of a table, by name. Names that begin with a dot, links and
// what is no regular file are left out.
func (s *source) list(ctx context.Context, root *os.Root, n connect.TableName) (out []document, err error) {
	if n.Schema != "" || n.Name == "" || strings.HasPrefix(n.Name, ".") || strings.Contains(n.Name, "/") {
		return nil, fmt.Errorf("%w: %s", connect.ErrNoTable, n)
	}
	is, err := root.Lstat(n.Name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !is.IsDir() {
		return nil, fmt.Errorf("%w: %s", connect.ErrNoTable, n)
	}
	seen := 0
	var walk func(dir string, depth int) error
	walk = func(dir string, depth int) error {
		entries, err := readDir(root, path.Join(n.Name, dir), maxFiles)
		if err != nil {
			return err
		}
		if seen += len(entries); seen > 2*maxFiles {
			return fmt.Errorf("%w: folder %s", connect.ErrTooLarge, n)
		}
		for _, e := range entries {
			name := path.Join(dir, e.Name())
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case strings.HasPrefix(e.Name(), "."):
			case e.IsDir() && depth < maxDepth:
				if err := walk(name, depth+1); err != nil {
					return err
				}
			case e.Type().IsRegular() && chosen(s.patterns, name):
				is, err := e.Info()
				if errors.Is(err, fs.ErrNotExist) {
					continue // it has gone before it was one of these
				}
				if err != nil {
					return err
				}
				out = append(out, document{name, is.Size(), is.ModTime().UTC().Truncate(time.Second), is.ModTime().UnixNano()})
			}
		}
		return nil
	}
	if err == nil {
		err = walk("", 0)
	}
	if err == nil && len(out) > maxFiles {
		err = fmt.Errorf("%w: %d files", connect.ErrTooLarge, len(out))
	}
	slices.SortFunc(out, func(a, b document) int { return strings.Compare(a.name, b.name) })
	return out, failure(err)
}

func readDir(root *os.Root, dir string, most int) ([]fs.DirEntry, error) {
	f, err := root.Open(dir)
	if err != nil {
		return nil, failure(err)
	}
	defer f.Close()
	var out []fs.DirEntry
	for {
		some, err := f.ReadDir(1000)
		if out = append(out, some...); errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, failure(err)
		}
		if len(out) > most {
			return nil, fmt.Errorf("%w: a folder of more than %d names", connect.ErrTooLarge, most)
		}
	}
}

func (s *source) Freshness(ctx context.Context, n connect.TableName, watermark string) (connect.Freshness, error) {
	root, err := s.root(ctx)
	if err != nil {
		return connect.Freshness{}, err
	}
	defer root.Close()
	if watermark != "" && watermark != "modified" {
		return connect.Freshness{}, fmt.Errorf("%w: %s", connect.ErrNoColumn, watermark)
	}
	all, err := s.list(ctx, root, n)
	var out connect.Freshness
	var newest time.Time
	for _, d := range all {
		out.Rows += d.pieces()
		if d.modified.After(newest) {
			newest = d.modified
		}
	}
	if watermark != "" && len(all) > 0 {
		out.Watermark = connect.InstantValue(newest)
	}
	return out, err
}

func (s *source) Query(ctx context.Context, sel connect.Selection) (out []connect.Row, err error) {
	if sel.Limit < 1 || sel.Limit > connect.MaxQueryRows || !slices.ContainsFunc(sel.Where, func(c connect.Condition) bool { return c.Op == connect.OpIn }) {
		return nil, fmt.Errorf("%w: a query has a limit and a condition", connect.ErrInvalid)
	}
	enough := errors.New("enough")
	err = s.Scan(ctx, sel, func(b connect.Batch) error {
		if out = append(out, b.Rows...); len(out) >= sel.Limit {
			return enough
		}
		return nil
	})
	if errors.Is(err, enough) {
		err = nil
	}
	return out, err
}

// Scan hands out the files that are there when it begins. One that comes later belongs to the
// next scan, as in a folder into which others write all the time; one of these that has
// changed or gone when its turn comes is ErrChanged.
func (s *source) Scan(ctx context.Context, sel connect.Selection, fn func(connect.Batch) error) error {
	root, err := s.root(ctx)
	if err != nil {
		return err
	}
	defer root.Close()
	r, err := newReading(sel)
	if err != nil {
		return err
	}
	r.fn = fn
	all, err := s.list(ctx, root, sel.Table)
	if err != nil {
		return err
	}
	for _, d := range all {
		if err := r.file(ctx, root, d); err != nil {
			return err
		}
		if r.full() {
			return nil
		}
	}
	return nil
}

// reading is one scan under way.
type reading struct {
	sel     connect.Selection
	after   string // file up to which rows are passed over, and its piece
	piece   int64
	content bool // it has to be read
	rows    int
	fn      func(connect.Batch) error
}

func newReading(sel connect.Selection) (*reading, error) {
	r := &reading{sel: sel}
	known := func(name string) bool {
		return slices.ContainsFunc(columns, func(c connect.Column) bool { return c.Name == name })
	}
	if len(sel.Columns) == 0 {
		return nil, fmt.Errorf("%w: no columns", connect.ErrInvalid)
	}
	for _, c := range sel.Columns {
		if !known(c) {
			return nil, fmt.Errorf("%w: %s", connect.ErrNoColumn, c)
		}
		r.content = r.content || c == "content" || c == "sha256"
	}
	for _, w := range sel.Where {
		switch {
		case !known(w.Column):
			return nil, fmt.Errorf("%w: %s", connect.ErrNoColumn, w.Column)
		case len(w.Values) == 0, w.Column == "content", w.Column == "sha256",
			w.Op != connect.OpIn && (w.Op != connect.OpAfter || w.Column != "modified"):
			return nil, fmt.Errorf("%w: a condition on column %s", connect.ErrInvalid, w.Column)
		}
	}
	if len(sel.OrderBy) > 0 && !slices.Equal(sel.OrderBy, []string{"name", "piece"}) {
		return nil, fmt.Errorf("%w: documents are in the order of name and piece", connect.ErrInvalid)
	}
	if len(sel.After) > 0 {
		if len(sel.After) != 2 || sel.After[0].Kind != connect.Text {
			return nil, fmt.Errorf("%w: the key is name and piece", connect.ErrInvalid)
		}
		r.after = sel.After[0].Text
		if _, err := fmt.Sscan(sel.After[1].Text, &r.piece); err != nil {
			return nil, fmt.Errorf("%w: the key is name and piece", connect.ErrInvalid)
		}
	}
	return r, nil
}

func (r *reading) full() bool { return r.sel.Limit > 0 && r.rows >= r.sel.Limit }

// fits tells whether a row fulfils the conditions.
func (r *reading) fits(d document, piece int64) bool {
	for _, w := range r.sel.Where {
		v := value(w.Column, d, piece)
		if w.Op == connect.OpAfter {
			if v.Text <= w.Values[0].Text {
				return false
			}
		} else if !slices.Contains(w.Values, v) {
			return false
		}
	}
	return true
}

// value is a column that is known without reading the file.
func value(column string, d document, piece int64) connect.Value {
	switch column {
	case "name":
		return connect.TextValue(d.name)
	case "piece":
		return connect.IntegerValue(piece)
	case "size":
		return connect.IntegerValue(d.size)
	case "modified":
		return connect.InstantValue(d.modified)
	}
	return connect.Null
}

// file hands out the rows of one file.
func (r *reading) file(ctx context.Context, root *os.Root, d document) error {
	if err := connect.TextValue(d.name).Check(); err != nil {
		return &connect.ValueError{Table: r.sel.Table, Column: "name", Reason: err.Error()}
	}
	if d.name < r.after || d.name == r.after && r.piece >= d.pieces() || !r.picksPieces() && !r.fits(d, 1) {
		return nil
	}
	var f *os.File
	sum := sha256.New()
	if r.content {
		var err error
		if f, err = root.OpenFile(path.Join(r.sel.Table.Name, d.name), os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0); err != nil {
			return fmt.Errorf("%w: file: %w", connect.ErrChanged, failure(err))
		}
		defer f.Close()
	}
	for n := int64(1); n <= d.pieces() && !r.full(); n++ {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var content []byte
		if f != nil {
			content = make([]byte, min(PieceBytes, d.size-(n-1)*PieceBytes))
			if _, err := io.ReadFull(f, content); err != nil {
				return fmt.Errorf("%w: a file ended early", connect.ErrChanged)
			}
			sum.Write(content)
			if n == d.pieces() {
				if err := unchanged(f, d); err != nil {
					return err
				}
			}
		}
		if d.name == r.after && n <= r.piece || !r.fits(d, n) {
			continue
		}
		row := make(connect.Row, len(r.sel.Columns))
		for i, c := range r.sel.Columns {
			switch {
			case c == "content":
				row[i] = connect.BytesValue(content)
			case c == "sha256" && n == d.pieces():
				row[i] = connect.TextValue(hex.EncodeToString(sum.Sum(nil)))
			default:
				row[i] = value(c, d, n)
			}
		}
		r.rows++
		last := connect.Row{connect.TextValue(d.name), connect.IntegerValue(n)}
		if err := r.fn(connect.Batch{Rows: []connect.Row{row}, Last: last}); err != nil {
			return err
		}
	}
	return nil
}

// picksPieces tells whether a condition is on the piece: then any file may have one.
func (r *reading) picksPieces() bool {
	return slices.ContainsFunc(r.sel.Where, func(w connect.Condition) bool { return w.Column == "piece" })
}

// unchanged refuses a file that is not what was listed: ErrChanged.
func unchanged(f *os.File, d document) error {
	is, err := f.Stat()
	if err == nil && is.Mode().IsRegular() && is.Size() == d.size && is.ModTime().UnixNano() == d.stamp {
		return nil
	}
	return fmt.Errorf("%w: a file", connect.ErrChanged)
}

// failure gives an error of the system its meaning, without the path of this machine.
func failure(err error) error {
	reason, system := err, true
	if perr, ok := errors.AsType[*fs.PathError](err); ok {
		reason = perr.Err
	} else if lerr, ok := errors.AsType[*os.LinkError](err); ok {
		reason = lerr.Err
	} else {
		system = false
	}
	switch {
	case err == nil, errors.Is(err, connect.ErrUnreachable), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", connect.ErrDenied, reason)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %w", connect.ErrFull, reason)
	case system:
		return fmt.Errorf("%w: %w", connect.ErrUnreachable, reason)
	}
	return err
}
