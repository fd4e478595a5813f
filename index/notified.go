package index

import (
	"context"
	"fmt"
)

// Notified returns the events that an owner was told, from the number behind after on: each
// names "grant/feed/<owner>/<number, 10 digits>" as its last object.
func (x *Index) Notified(ctx context.Context, owner string, after uint64, limit uint32) ([]Step, error) {
	first, end := fmt.Sprintf("%s%s/%010d", GrantFeed, owner, after+1), GrantFeed+owner+"0" // '0' follows '/'
	rows, err := x.read.QueryContext(ctx, fmt.Sprintf(`SELECT e.seq, e.raw FROM event_object t JOIN event e ON e.seq = t.seq
		WHERE t.object >= ? AND t.object < ? ORDER BY t.object LIMIT %d`, Filter{Limit: limit}.limit()), first, end)
	if err != nil {
		return nil, fmt.Errorf("index: notifications: %w", err)
	}
	defer rows.Close()
	return scanSteps(rows)
}
