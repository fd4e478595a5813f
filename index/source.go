package index

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
)

// source is the parent of entries that came from one catalogue.
const source = "source/"

// fromSource reads the source out of an entry's origin, "<source>#<identifier>".
func fromSource(origin string) []string {
	name, _, ok := strings.Cut(origin, "#")
	if !ok {
		return nil
	}
	return some(source, name)
}

// Sourced returns a page of the entries that came from a source, withdrawn ones too,
// by id; the cursor of the next page, "" at the end; and with the first page how
// many there are in all. It is for an import that wants to know all of them: unlike
// [List] it costs the same on every page.
func Sourced(ctx context.Context, x *Index, name, after string, limit uint32) (page []*cataloguev1.Entry, next string, total int64, err error) {
	if after == "" {
		if err := x.read.QueryRowContext(ctx, "SELECT COUNT(*) FROM link WHERE parent = ?", source+name).Scan(&total); err != nil {
			return nil, "", 0, fmt.Errorf("index: count source %s: %w", name, err)
		}
	}
	n := Filter{Limit: limit}.limit()
	rows, err := x.read.QueryContext(ctx, "SELECT o.key, o.value FROM link l JOIN object o ON o.key = l.child WHERE l.parent = ? AND l.child > ? ORDER BY l.child LIMIT ?", source+name, Entry+after, n+1)
	if err != nil {
		return nil, "", 0, fmt.Errorf("index: source %s: %w", name, err)
	}
	defer rows.Close()
	last := ""
	for rows.Next() {
		if len(page) == n {
			return page, strings.TrimPrefix(last, Entry), total, nil
		}
		var value []byte
		if err := rows.Scan(&last, &value); err != nil {
			return nil, "", 0, fmt.Errorf("index: source %s: %w", name, err)
		}
		e := &cataloguev1.Entry{}
		if err := proto.Unmarshal(value, e); err != nil {
			return nil, "", 0, fmt.Errorf("index: %s: %w", last, err)
		}
		page = append(page, e)
	}
	return page, "", total, rows.Err()
}
