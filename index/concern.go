package index

import (
	"context"
	"fmt"
	"strings"
)

// Concerns reports whether an organisation owns one of the objects or is the other side of it, or
// of what it hangs on: of a delivery the agreement, of an agreement the gateways. It says nothing
// of objects that the index has no row of. A deposited item is the business of its owner and its
// depositor; what a person does with it afterwards is nobody else's.
func (x *Index) Concerns(ctx context.Context, org string, objects []string) (bool, error) {
	var direct, around []string
	for _, key := range objects {
		direct = append(direct, key)
		if !strings.HasPrefix(key, Transfer) {
			around = append(around, key)
		}
	}
	ours := func(column string) string {
		return fmt.Sprintf("(%[1]s = ? OR %[1]s >= ? AND %[1]s < ?)", column)
	}
	names := []any{org, org + "/", org + "0"} // '0' follows '/'
	account := []any{Account + org, Account + org + "/", Account + org + "0"}
	for _, ask := range []struct {
		keys  []string
		where string
		args  []any
	}{
		{direct, "SELECT 1 FROM k JOIN object o ON o.key = k.key WHERE " + ours("o.org") + " OR " + ours("o.peer"), append(append([]any{}, names...), names...)},
		{around, "SELECT 1 FROM k JOIN link l ON l.child = k.key JOIN object o ON o.key = l.parent WHERE " + ours("o.org") + " OR " + ours("o.peer"), append(append([]any{}, names...), names...)},
		{around, "SELECT 1 FROM k JOIN link l ON l.child = k.key WHERE " + ours("l.parent"), account},
	} {
		if len(ask.keys) == 0 {
			continue
		}
		of, args := values(ask.keys)
		var found bool
		if err := x.read.QueryRowContext(ctx, fmt.Sprintf("WITH k(key) AS (VALUES %s) SELECT EXISTS(%s)", of, ask.where), append(args, ask.args...)...).Scan(&found); err != nil {
			return false, fmt.Errorf("index: whom it concerns: %w", err)
		}
		if found {
			return true, nil
		}
	}
	return false, nil
}
