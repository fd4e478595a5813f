package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/order"
)

func init() {
	connect.Register(connect.Driver{Source: open}, "api")
}

// documentAge is how long a document is used for rows without looking at it again.
// Inspect always looks.
const documentAge = time.Minute

// source is an interface that is read.
type source struct {
	path   string // of the mapping
	closed atomic.Bool

	mu   sync.Mutex
	last *state
}

// state is one reading of the mapping and the document. It never changes.
type state struct {
	mapping *Mapping
	client  *client
	doc     *document
	at      time.Time
}

func open(ctx context.Context, rawURL string) (connect.Source, error) {
	_, path, _ := strings.Cut(rawURL, ":")
	if after, ok := strings.CutPrefix(path, "//"); ok {
		path = after
	}
	if path == "" || strings.ContainsAny(path, "?#") {
		return nil, fmt.Errorf("%w: the URL is api:FILE, a mapping or an OpenAPI document", connect.ErrInvalid)
	}
	s := &source{path: path}
	if _, err := s.read(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *source) Close() error {
	s.closed.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil {
		s.last.client.http.CloseIdleConnections()
	}
	return nil
}

// read reads mapping and document anew.
func (s *source) read(ctx context.Context) (*state, error) {
	if s.closed.Load() {
		return nil, fmt.Errorf("%w: closed", connect.ErrUnreachable)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	m, err := readMapping(s.path)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(s.path)
	st := &state{mapping: m, at: time.Now()}
	var text []byte
	remote := strings.HasPrefix(m.OpenAPI, "http://") || strings.HasPrefix(m.OpenAPI, "https://")
	if !remote {
		if text, err = readFile(beside(dir, m.OpenAPI), maxDocument); err != nil {
			return nil, err
		}
		if st.doc, err = parseDocument(text, m); err != nil {
			return nil, err
		}
	}
	server, fromDocument := m.Server, false
	if server == "" && st.doc != nil {
		server, fromDocument = st.doc.server, true
	}
	at, err := baseURL(server, fromDocument, m.Auth)
	if err != nil {
		return nil, err
	}
	if st.client, err = newClient(m, dir, at); err != nil {
		return nil, err
	}
	if remote {
		if text, err = st.client.document(ctx, m.OpenAPI); err != nil {
			return nil, err
		}
		if st.doc, err = parseDocument(text, m); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil {
		s.last.client.http.CloseIdleConnections()
	}
	s.last = st
	return st, nil
}

// document fetches the OpenAPI document from the interface's own host.
func (c *client) document(ctx context.Context, raw string) (text []byte, err error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: the document's URL", connect.ErrInvalid)
	}
	err = c.call(ctx, http.MethodGet, u, "", func(_ *http.Response, body io.Reader) error {
		text, err = io.ReadAll(io.LimitReader(body, maxDocument+1))
		if err == nil && len(text) > maxDocument {
			err = fmt.Errorf("%w: a document of more than %d bytes", connect.ErrTooLarge, maxDocument)
		}
		return err
	})
	return text, err
}

// find is the table's endpoint, by a document that is not old.
func (s *source) find(ctx context.Context, n connect.TableName) (*state, *endpoint, error) {
	s.mu.Lock()
	st := s.last
	s.mu.Unlock()
	fresh := s.closed.Load() || time.Since(st.at) > documentAge
	for {
		if fresh {
			var err error
			if st, err = s.read(ctx); err != nil {
				return nil, nil, err
			}
		}
		if e := st.doc.tables[n.Name]; e != nil && n.Schema == "" {
			return st, e, nil
		}
		if fresh {
			return nil, nil, fmt.Errorf("%w: %s", connect.ErrNoTable, n)
		}
		fresh = true
	}
}

func (s *source) Inspect(ctx context.Context) (*connect.Schema, error) {
	st, err := s.read(ctx)
	if err != nil {
		return nil, err
	}
	out := &connect.Schema{}
	for _, e := range st.doc.tables {
		out.Tables = append(out.Tables, e.table)
	}
	out.Normalise()
	return out, out.Check()
}

func (s *source) Query(ctx context.Context, sel connect.Selection) (out []connect.Row, err error) {
	err = s.run(ctx, sel, true, func(b connect.Batch) error {
		out = append(out, b.Rows...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *source) Scan(ctx context.Context, sel connect.Selection, fn func(connect.Batch) error) error {
	return s.run(ctx, sel, false, fn)
}

func (s *source) run(ctx context.Context, sel connect.Selection, query bool, fn func(connect.Batch) error) error {
	st, e, err := s.find(ctx, sel.Table)
	if err != nil {
		return err
	}
	plan, err := order.NewPlan(e.table, sel, query, st.mapping.Temp)
	if err != nil {
		return err
	}
	calls, err := e.calls(sel.Where)
	if err != nil {
		return err
	}
	return plan.Run(ctx, func(yield func(connect.Row) error) error {
		_, err := st.rows(ctx, e, plan.Reads, calls, yield)
		return err
	}, fn)
}

// rows hands the columns of all rows of the calls to yield.
func (st *state) rows(ctx context.Context, e *endpoint, columns []connect.Column, calls []map[string]string, yield func(connect.Row) error) (n int64, err error) {
	fields := make([]*field, len(columns))
	for i, c := range columns {
		for j := range e.fields {
			if e.fields[j].column.Name == c.Name {
				fields[i] = &e.fields[j]
			}
		}
	}
	row := make(connect.Row, len(columns))
	most := st.mapping.MaxPages
	if most == 0 {
		most = 100_000
	}
	for _, params := range calls {
		w := &walkPages{c: st.client, e: e, most: most, params: params, row: func(at string, raw json.RawMessage) error {
			n++
			if err := e.read(fields, at, n, raw, row); err != nil {
				return err
			}
			return yield(row)
		}}
		if err := w.run(ctx); err != nil {
			return n, err
		}
	}
	return n, nil
}

func (s *source) Freshness(ctx context.Context, table connect.TableName, watermark string) (f connect.Freshness, err error) {
	st, e, err := s.find(ctx, table)
	if err != nil {
		return f, err
	}
	var columns []connect.Column
	if watermark != "" {
		c, ok := e.table.Column(watermark)
		if !ok {
			return f, fmt.Errorf("%w: %s.%q", connect.ErrNoColumn, table, watermark)
		}
		columns = append(columns, c)
	}
	calls, err := e.calls(nil)
	if err != nil {
		return f, err
	}
	var most []byte
	f.Rows, err = st.rows(ctx, e, columns, calls, func(row connect.Row) error {
		if len(row) == 0 || row[0].IsNull() {
			return nil
		}
		if key := order.Key(nil, row[0]); most == nil || bytes.Compare(key, most) > 0 {
			most, f.Watermark = key, row[0]
		}
		return nil
	})
	return f, err
}
