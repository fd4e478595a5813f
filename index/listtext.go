package index

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
)

// A list with a text stands in the order of the keys, and the table of words in that of its
// rows. What few objects have is found in the one and sorted into the other. What many have
// is not: the keys are walked from where the page begins, and of each object it is asked
// whether it has the words.

// Bounds of such a walk; our own choice.
const (
	fewFound  = 5_000  // up to so many are sorted
	maxWalked = 10_000 // objects of one page; a page that needs more is sorted
)

// query is the expression of a list with a text: every word has to be there, the last one
// without blanks may be a beginning. "" if there is no word in it.
func (f Filter) query() string {
	text := f.Text
	if r := []rune(text); len(r) > maxQueryRunes {
		text = string(r[:maxQueryRunes])
	}
	q := &query{text: text}
	q.read()
	if len(q.words) == 0 || orders[f.Kind] == 0 {
		return ""
	}
	last, _ := utf8.DecodeLastRuneInString(q.words[len(q.words)-1])
	q.begins = plain(last).class == latin
	q.facets = fmt.Sprintf(`({facet} : "k%d")`, orders[f.Kind])
	if org := key(f.Org); f.Kind == Entry && org != "" && len(org) <= 4*maxWordBytes {
		q.facets += fmt.Sprintf(` AND ({facet} : "o%s")`, org) // the filter by organisation stands, too
	}
	return q.all()
}

// byText says that the list is narrowed by a text and by nothing else.
func (f Filter) byText() bool {
	text := f.Text
	f.Text = ""
	return strings.TrimSpace(text) != "" && f.all()
}

// listed is the page of a list that more than few objects are in by their words; nil if they are
// not, or so far apart that sorting them is less work.
func listed[M any, P Message[M]](ctx context.Context, x *Index, f Filter, few int) (page []P, next string, total int64, err error) {
	q := f.query()
	if q == "" {
		return nil, "", 0, nil
	}
	count := func(most int) (n int64, err error) {
		if err = x.read.QueryRowContext(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)", q, most).Scan(&n); err != nil {
			err = fmt.Errorf("index: count %s: %w", f.Kind, err)
		}
		return n, err
	}
	if n, err := count(few + 1); n <= int64(few) || err != nil {
		return nil, "", 0, err
	}
	limit, last := f.limit(), ""
	for walked, after, batch := 0, f.Kind+f.After, 2*limit; walked < maxWalked; walked, batch = walked+batch, maxLimit {
		rows, err := x.withWords(ctx, q, f.Kind, after, batch)
		if err != nil {
			return nil, "", 0, err
		}
		for _, r := range rows {
			if after = r.key; !r.has {
				continue
			}
			if len(page) == limit {
				total, err = count(countUpTo)
				return page, strings.TrimPrefix(last, f.Kind), total, err
			}
			p := P(new(M))
			if err := proto.Unmarshal(r.value, p); err != nil {
				return nil, "", 0, fmt.Errorf("index: %s: %w", r.key, err)
			}
			page, last = append(page, p), r.key
		}
		if len(rows) < batch {
			if len(page) == 0 {
				return nil, "", 0, nil
			}
			total, err = count(countUpTo)
			return page, "", total, err
		}
	}
	return nil, "", 0, nil
}

// worded is an object, and whether it has some words.
type worded struct {
	key   string
	value []byte
	row   int64 // its own in the table of words
	has   bool
}

// withWords reads the objects of a kind behind a key, and asks of each for the words.
func (x *Index) withWords(ctx context.Context, q, kind, after string, limit int) ([]worded, error) {
	rows, err := x.read.QueryContext(ctx, "SELECT o.key, o.value, d.ids FROM object o CROSS JOIN doc d ON d.key = o.key WHERE o.kind = ? AND o.key > ? ORDER BY o.key LIMIT ?", kind, after, limit)
	if err != nil {
		return nil, fmt.Errorf("index: list %s: %w", kind, err)
	}
	defer rows.Close()
	var out []worded
	args := []any{q}
	for rows.Next() {
		var w worded
		var ids []byte
		if err := rows.Scan(&w.key, &w.value, &ids); err != nil {
			return nil, fmt.Errorf("index: list %s: %w", kind, err)
		}
		if len(ids) >= 8 {
			w.row = int64(binary.BigEndian.Uint64(ids)) // an object's own row is its first
		}
		out, args = append(out, w), append(args, w.row)
	}
	if err := rows.Err(); err != nil || len(out) == 0 {
		return out, err
	}
	found, err := x.seqs(ctx, "SELECT rowid FROM words WHERE words MATCH ? AND rowid IN ("+strings.TrimSuffix(strings.Repeat("?,", len(out)), ",")+")", args...)
	if err != nil {
		return nil, fmt.Errorf("index: list %s: %w", kind, err)
	}
	has := make(map[int64]bool, len(found))
	for _, row := range found {
		has[row] = true
	}
	for i := range out {
		out[i].has = has[out[i].row]
	}
	return out, nil
}
