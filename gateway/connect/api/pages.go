package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"mulian/gateway/connect"
)

// maxCalls bounds the calls of one Query or Scan beside paging: one for each combination
// of values of its conditions.
const maxCalls = connect.MaxConditionValues

// walkPages reads all rows that the interface gives for params: page after page to the end.
type walkPages struct {
	c      *client
	e      *endpoint
	most   int // pages
	params map[string]string
	row    func(at string, raw json.RawMessage) error

	pages    int
	rows     int64
	total    int64 // as the interface says; -1: it does not
	cursors  map[string]bool
	first    *url.URL // and what its answer said of its state
	tag      string
	modified string
	digest   [sha256.Size]byte // of the rows of the last page
}

// page is what is known after one page.
type page struct {
	rows int64
	next string // cursor or URL
}

func (w *walkPages) run(ctx context.Context) error {
	p := &w.e.mapping.Paging
	w.total, w.cursors = -1, map[string]bool{}
	number := 1
	if p.First != nil {
		number = *p.First
	}
	if p.Kind == "offset" {
		number = 0
	}
	var at *url.URL // of kind link
	cursor := ""
	for {
		if w.pages++; w.pages > w.most {
			return fmt.Errorf("%w: the interface goes on after %d pages", connect.ErrTooLarge, w.most)
		}
		extra := map[string]string{}
		switch {
		case p.Kind == "page" || p.Kind == "offset":
			extra[p.param()] = strconv.Itoa(number)
		case p.Kind == "cursor" && cursor != "":
			extra[p.param()] = cursor
		}
		got, err := w.one(ctx, at, extra)
		if err != nil {
			return err
		}
		w.rows += got.rows
		end := p.Kind == "" || got.rows == 0 && (p.Kind == "page" || p.Kind == "offset") || w.total >= 0 && w.rows >= w.total || (p.Kind == "cursor" || p.Kind == "link") && got.next == ""
		if end {
			return w.ended(ctx)
		}
		switch p.Kind {
		case "page":
			number++
		case "offset":
			number += int(got.rows)
		case "cursor", "link":
			if w.cursors[got.next] {
				return fmt.Errorf("%w: the interface leads back to a page that was read", connect.ErrInvalid)
			}
			w.cursors[got.next] = true
			cursor = got.next
			if p.Kind == "link" {
				next, err := at0(at, w.first).Parse(got.next)
				if err != nil || !w.c.same(next) {
					return fmt.Errorf("%w: the next page is on another host", connect.ErrDenied)
				}
				at = next
			}
		}
	}
}

func at0(at, first *url.URL) *url.URL {
	if at != nil {
		return at
	}
	return first
}

// ended looks whether the interface is still in the state in which the first page was, as far as it
// tells.
func (w *walkPages) ended(ctx context.Context) error {
	if w.total >= 0 && w.rows != w.total {
		return fmt.Errorf("%w: the interface names %d rows and gives %d", connect.ErrChanged, w.total, w.rows)
	}
	if w.pages == 1 || w.tag == "" && w.modified == "" || w.e.method != http.MethodGet {
		return nil
	}
	return w.c.call(ctx, http.MethodGet, w.first, "", func(res *http.Response, body io.Reader) error {
		_, err := io.Copy(io.Discard, body)
		if err == nil && (res.Header.Get("ETag") != w.tag || res.Header.Get("Last-Modified") != w.modified) {
			err = fmt.Errorf("%w: the interface's first page has another ETag or Last-Modified", connect.ErrChanged)
		}
		return err
	})
}

// one reads one page.
func (w *walkPages) one(ctx context.Context, at *url.URL, extra map[string]string) (got page, err error) {
	e, p := w.e, &w.e.mapping.Paging
	u, body := at, ""
	if at == nil {
		if u, body, err = e.request(w.c.base, w.params, extra); err != nil {
			return got, err
		}
	}
	if w.first == nil {
		w.first = u
	}
	var want []string
	for _, pointer := range []string{p.Next, p.Total} {
		if pointer != "" {
			want = append(want, pointer)
		}
	}
	err = w.c.call(ctx, e.method, u, body, func(res *http.Response, raw io.Reader) error {
		if media, _, _ := strings.Cut(strings.ToLower(res.Header.Get("Content-Type")), ";"); media != "" && !strings.HasSuffix(media, "json") {
			return fmt.Errorf("%w: the interface answers with %.40q, not with JSON", connect.ErrInvalid, media)
		}
		if w.pages == 1 {
			w.tag, w.modified = res.Header.Get("ETag"), res.Header.Get("Last-Modified")
		}
		h := sha256.New()
		beside, err := readAnswer(e, raw, want, func(at string, raw json.RawMessage) error {
			got.rows++
			h.Write(raw)
			return w.row(at, raw)
		})
		if err != nil {
			return err
		}
		sum := [sha256.Size]byte(h.Sum(nil))
		if w.pages > 1 && got.rows > 0 && sum == w.digest && (p.Kind == "page" || p.Kind == "offset") {
			return fmt.Errorf("%w: the interface gives the same page again: it does not know the parameter %s", connect.ErrInvalid, p.param())
		}
		w.digest = sum
		if p.Kind == "link" {
			got.next = nextLink(res.Header.Values("Link"))
		}
		return w.besides(p, beside, &got)
	})
	if errors.Is(err, errNotFound) && e.single {
		return page{}, nil
	}
	return got, err
}

// besides reads the next cursor and the total.
func (w *walkPages) besides(p *Paging, beside seen, got *page) error {
	if raw, ok := beside[p.Next]; ok && p.Kind == "cursor" && string(raw) != "null" {
		switch typeOf(raw) {
		case "string":
			_ = json.Unmarshal(raw, &got.next) // it is one
		case "integer":
			got.next = string(raw)
		case "boolean":
		default:
			return fmt.Errorf("%w: the cursor at %s is no text", connect.ErrInvalid, p.Next)
		}
	}
	if p.Total == "" {
		return nil
	}
	n, err := strconv.ParseInt(strings.Trim(string(beside[p.Total]), `"`), 10, 64)
	if err != nil || n < 0 {
		return fmt.Errorf("%w: the number of rows at %s is none", connect.ErrInvalid, p.Total)
	}
	if w.total >= 0 && n != w.total {
		return fmt.Errorf("%w: the number of rows went from %d to %d", connect.ErrChanged, w.total, n)
	}
	w.total = n
	return nil
}

// request is the call's URL and body: parameters in the path, and in the query or, of a POST, in a JSON
// object.
func (e *endpoint) request(base *url.URL, params, extra map[string]string) (*url.URL, string, error) {
	all := map[string]string{}
	for _, m := range []map[string]string{e.mapping.Fixed, params, extra} {
		for k, v := range m {
			all[k] = v
		}
	}
	p := &e.mapping.Paging
	if name := p.sizeParam(); name != "" {
		all[name] = strconv.Itoa(p.Size)
	}
	path := e.path
	for _, name := range e.inPath {
		if v := all[name]; v == "" || v == "." || v == ".." {
			return nil, "", fmt.Errorf("%w: a value that cannot stand in a path, for %s", connect.ErrInvalid, name)
		}
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(all[name]))
		delete(all, name)
	}
	u := *base
	u.RawPath = base.EscapedPath() + path
	u.Path, _ = url.PathUnescape(u.RawPath) // what PathEscape made; a document's path is plain
	if e.method == http.MethodPost {
		body := map[string]any{}
		for k, v := range all {
			body[k] = v
			if n, err := strconv.Atoi(v); err == nil && (k == p.param() || k == p.sizeParam()) {
				body[k] = n
			}
		}
		text, _ := json.Marshal(body) // strings and numbers always encode
		return &u, string(text), nil
	}
	query := url.Values{}
	for k, v := range all {
		query.Set(k, v)
	}
	u.RawQuery = query.Encode()
	return &u, "", nil
}

// nextLink is the target of rel="next" (RFC 8288).
func nextLink(headers []string) string {
	for _, h := range headers {
		for _, one := range strings.Split(h, ",") {
			target, params, _ := strings.Cut(strings.TrimSpace(one), ">")
			for _, param := range strings.Split(params, ";") {
				name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
				if strings.EqualFold(name, "rel") && slices.Contains(strings.Fields(strings.Trim(value, `"`)), "next") && strings.HasPrefix(target, "<") {
					return target[1:]
				}
			}
		}
	}
	return ""
}

// calls are the parameters of the calls that together give all rows that fulfil where. Rows are looked
// at again afterwards: an interface that gives more is not believed.
func (e *endpoint) calls(where []connect.Condition) ([]map[string]string, error) {
	out := []map[string]string{{}}
	given := map[string]bool{}
	for _, c := range where {
		param, ok := e.mapping.Params[c.Column]
		if c.Op == connect.OpAfter {
			param, ok = e.mapping.After[c.Column]
		}
		if !ok || given[param] {
			continue
		}
		given[param] = true
		var next []map[string]string
		done := map[string]bool{}
		for _, v := range c.Values {
			if done[v.Text] {
				continue
			}
			done[v.Text] = true
			for _, before := range out {
				one := map[string]string{param: v.Text}
				for k, x := range before {
					one[k] = x
				}
				next = append(next, one)
			}
		}
		if len(next) > maxCalls {
			return nil, fmt.Errorf("%w: %d calls for one question", connect.ErrTooLarge, len(next))
		}
		out = next
	}
	for _, name := range e.inPath {
		if _, fixed := e.mapping.Fixed[name]; !fixed && !given[name] {
			return nil, fmt.Errorf("%w: %s answers by %s only: a condition on it is needed", connect.ErrInvalid, e.table.TableName, name)
		}
	}
	return out, nil
}
