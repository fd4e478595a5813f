package index

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// Filter says which objects of one kind are wanted; zero values are no filter.
type Filter struct {
	Kind   string // prefix constant: Entry, Request, ...
	Org    string // see project.go for what it means for which kind
	Peer   string
	States []int32
	Class  int32
	Flag   bool // only those with the flag
	NoFlag bool // only those without
	Ref    string
	Parent string // only children of this key
	Under  string // only keys that begin so behind the kind: "GB/T 2260/"
	Text   string
	After  string // cursor of the last answer
	Limit  uint32 // default 50, at most 500
}

// Message is a pointer to the generated type M.
type Message[M any] interface {
	*M
	proto.Message
}

// Bounds of one page.
const (
	defaultLimit = 50
	maxLimit     = 500
	// countUpTo bounds the counting of a filtered list: beyond it the total is
	// "at least". Our own choice: a person does not page that far.
	countUpTo = 100_000
)

// List returns a page of objects in key order, the cursor of the next page ("" at
// the end) and how many there are in all.
func List[M any, P Message[M]](ctx context.Context, x *Index, f Filter) (page []P, next string, total int64, err error) {
	if f.byText() {
		if page, next, total, err = listed[M, P](ctx, x, f, fewFound); page != nil || err != nil {
			return page, next, total, err
		}
	}
	from, args := f.where()
	count := fmt.Sprintf("SELECT COUNT(*) FROM (SELECT 1 %s LIMIT %d)", from, countUpTo)
	if f.all() { // counted as they come: nobody walks over a million for a number
		count = fmt.Sprintf("SELECT MIN(COALESCE(SUM(n), 0), %d) FROM total WHERE kind = ?", countUpTo)
	}
	if err := x.read.QueryRowContext(ctx, count, args...).Scan(&total); err != nil {
		return nil, "", 0, fmt.Errorf("index: count %s: %w", f.Kind, err)
	}
	limit := f.limit()
	if f.After != "" {
		from += " AND o.key > ?"
		args = append(args, f.Kind+f.After)
	}
	rows, err := x.read.QueryContext(ctx, fmt.Sprintf("SELECT o.key, o.value %s ORDER BY o.key LIMIT %d", from, limit+1), args...)
	if err != nil {
		return nil, "", 0, fmt.Errorf("index: list %s: %w", f.Kind, err)
	}
	defer rows.Close()
	last := ""
	for rows.Next() {
		if len(page) == limit {
			return page, strings.TrimPrefix(last, f.Kind), total, nil
		}
		var value []byte
		if err := rows.Scan(&last, &value); err != nil {
			return nil, "", 0, fmt.Errorf("index: list %s: %w", f.Kind, err)
		}
		p := P(new(M))
		if err := proto.Unmarshal(value, p); err != nil {
			return nil, "", 0, fmt.Errorf("index: %s: %w", last, err)
		}
		page = append(page, p)
	}
	return page, "", total, rows.Err()
}

// Get reads one object; false if there is none.
func Get[M any, P Message[M]](ctx context.Context, x *Index, key string) (P, bool, error) {
	page, _, _, err := list[M, P](ctx, x, "FROM object o WHERE o.key = ?", key)
	if err != nil || len(page) == 0 {
		return nil, false, err
	}
	return page[0], true, nil
}

// GetAll reads objects of one type by their keys, by one query for each 500 of them. What is not
// there is not in the answer.
func GetAll[M any, P Message[M]](ctx context.Context, x *Index, keys []string) (map[string]P, error) {
	out := make(map[string]P, len(keys))
	for part := range slices.Chunk(keys, maxLimit) {
		in, args := marks(part)
		if err := getPart(ctx, x, out, "SELECT key, value FROM object WHERE key IN ("+in+")", args); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func getPart[M any, P Message[M]](ctx context.Context, x *Index, into map[string]P, query string, args []any) error {
	rows, err := x.read.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("index: objects: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		var value []byte
		if err := rows.Scan(&key, &value); err != nil {
			return fmt.Errorf("index: objects: %w", err)
		}
		p := P(new(M))
		if err := proto.Unmarshal(value, p); err != nil {
			return fmt.Errorf("index: %s: %w", key, err)
		}
		into[key] = p
	}
	return rows.Err()
}

// Children returns the objects of a kind that hang on a parent, at most maxLimit. It does
// not count them, as [List] does.
func Children[M any, P Message[M]](ctx context.Context, x *Index, kind, parent string) ([]P, error) {
	// The + keeps SQLite from the index by kind: each key is looked up once.
	page, _, _, err := list[M, P](ctx, x, fmt.Sprintf("FROM object o WHERE +o.kind = ? AND o.key IN (SELECT child FROM link WHERE parent = ? AND child >= ? AND child < ?) ORDER BY o.key LIMIT %d", maxLimit),
		kind, parent, kind, kind+"\U0010FFFF")
	return page, err
}

// Numbered returns the objects of a kind whose keys are "<id>/<number>", in that order, at most
// maxLimit: deliveries and uses of an agreement stand side by side, and are read without their
// links.
func Numbered[M any, P Message[M]](ctx context.Context, x *Index, kind, id string) ([]P, error) {
	page, _, _, err := list[M, P](ctx, x, fmt.Sprintf("FROM object o WHERE o.key > ? AND o.key < ? ORDER BY o.key LIMIT %d", maxLimit), kind+id+"/", kind+id+"0") // '0' follows '/'
	return page, err
}

func list[M any, P Message[M]](ctx context.Context, x *Index, from string, args ...any) ([]P, string, int64, error) {
	rows, err := x.read.QueryContext(ctx, "SELECT o.value "+from, args...)
	if err != nil {
		return nil, "", 0, fmt.Errorf("index: %w", err)
	}
	defer rows.Close()
	var page []P
	for rows.Next() {
		var value []byte
		if err := rows.Scan(&value); err != nil {
			return nil, "", 0, fmt.Errorf("index: %w", err)
		}
		p := P(new(M))
		if err := proto.Unmarshal(value, p); err != nil {
			return nil, "", 0, fmt.Errorf("index: %w", err)
		}
		page = append(page, p)
	}
	return page, "", int64(len(page)), rows.Err()
}

// all says that nothing of the kind is left out.
func (f Filter) all() bool {
	return f.Org == "" && f.Peer == "" && len(f.States) == 0 && f.Class == 0 && !f.Flag && !f.NoFlag && f.Ref == "" && f.Parent == "" && f.Under == "" && strings.TrimSpace(f.Text) == ""
}

func (f Filter) limit() int {
	switch {
	case f.Limit == 0:
		return defaultLimit
	case f.Limit > maxLimit:
		return maxLimit
	}
	return int(f.Limit)
}

// where builds the FROM and WHERE of a filter. Only constants enter the text.
func (f Filter) where() (string, []any) {
	from, cond, args := "FROM object o", []string{"o.kind = ?"}, []any{f.Kind}
	add := func(c string, a ...any) { cond, args = append(cond, c), append(args, a...) }
	if f.Org != "" {
		add("o.org = ?", f.Org)
	}
	if f.Peer != "" {
		add("o.peer = ?", f.Peer)
	}
	if len(f.States) > 0 {
		marks := strings.TrimSuffix(strings.Repeat("?,", len(f.States)), ",")
		states := make([]any, len(f.States))
		for i, s := range f.States {
			states[i] = s
		}
		add("o.state IN ("+marks+")", states...)
	}
	if f.Class != 0 {
		add("o.class = ?", f.Class)
	}
	if f.Flag {
		add("o.flag = 1")
	}
	if f.NoFlag {
		add("o.flag = 0")
	}
	if f.Ref != "" {
		add("o.ref = ?", f.Ref)
	}
	if f.Under != "" {
		add("o.key >= ? AND o.key < ?", f.Kind+f.Under, f.Kind+f.Under+"\U0010FFFF")
	}
	if f.Parent != "" {
		// The kind is the beginning of its keys: an agreement with a thousand uses has its
		// few deliveries side by side.
		add("o.key IN (SELECT child FROM link WHERE parent = ? AND child >= ? AND child < ?)", f.Parent, f.Kind, f.Kind+"\U0010FFFF")
	}
	if q := f.query(); q != "" {
		add(fmt.Sprintf("o.key IN (SELECT d.key FROM words w JOIN doc d ON d.seq = (w.rowid >> 12) & 0xffffffff WHERE words MATCH ? LIMIT %d)", countUpTo), q)
	} else if strings.TrimSpace(f.Text) != "" {
		add("0") // a query without a letter or digit finds nothing
	}
	return from + " WHERE " + strings.Join(cond, " AND "), args
}

// Versions lists an entry's versions, newest first.
func (x *Index) Versions(ctx context.Context, entry string) ([]*cataloguev1.Version, error) {
	rows, err := x.read.QueryContext(ctx, "SELECT version, height, at_ms, actor, hash FROM entry_version WHERE entry = ? ORDER BY version DESC LIMIT ?", entry, maxLimit)
	if err != nil {
		return nil, fmt.Errorf("index: versions of %s: %w", entry, err)
	}
	defer rows.Close()
	var out []*cataloguev1.Version
	for rows.Next() {
		v := &cataloguev1.Version{}
		if err := rows.Scan(&v.Version, &v.Height, &v.AtMs, &v.By, &v.ContentHash); err != nil {
			return nil, fmt.Errorf("index: versions of %s: %w", entry, err)
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// Totals returns how many objects there are of each kind.
func (x *Index) Totals(ctx context.Context) (map[string]int64, error) {
	rows, err := x.read.QueryContext(ctx, "SELECT kind, n FROM total")
	if err != nil {
		return nil, fmt.Errorf("index: totals: %w", err)
	}
	defer rows.Close()
	out := map[string]int64{}
	for rows.Next() {
		var kind string
		var n int64
		if err := rows.Scan(&kind, &n); err != nil {
			return nil, fmt.Errorf("index: totals: %w", err)
		}
		out[kind] = n
	}
	return out, rows.Err()
}

// Flagged counts the objects of a kind whose flag is set: open drifts, locked
// entries, overdue requests.
func (x *Index) Flagged(ctx context.Context, kind string) (n int64, err error) {
	err = x.read.QueryRowContext(ctx, "SELECT COUNT(*) FROM object WHERE kind = ? AND flag = 1", kind).Scan(&n)
	return n, err
}

// Classed counts the objects of a kind and class: accounts that are gateways.
func (x *Index) Classed(ctx context.Context, kind string, class int32) (n int64, err error) {
	err = x.read.QueryRowContext(ctx, "SELECT COUNT(*) FROM object WHERE kind = ? AND class = ?", kind, class).Scan(&n)
	return n, err
}

// Accesses counts the access records that gateways have anchored.
func (x *Index) Accesses(ctx context.Context) (n int64, err error) {
	heads, _, _, err := List[tracev1.Head](ctx, x, Filter{Kind: Head, Limit: maxLimit})
	for _, h := range heads {
		n += int64(h.GetSize())
	}
	return n, err
}

// errNone is what lookups of a single object return.
func errNone(what, id string) error {
	return fault.Newf(fault.NotFound, "%s %s: there is none", what, id)
}
