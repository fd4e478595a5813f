package deliver

import (
	"context"
	"slices"

	"mulian/gateway/connect"
)

// RowWatch is told of the rows of one source that change, beside the subscriptions: a source
// is followed once, for all who want to know.
type RowWatch struct {
	// Tables are those that are watched now. It is asked again after each [Subscriptions.Nudge].
	Tables func() []connect.TableName
	// Changed is told which rows have changed; nil rows: the feed begins here, and whatever was
	// before it is not known. It must not wait.
	Changed func(ctx context.Context, rows []connect.RowChange)
}

// WatchRows has the rows of a source watched, by one watcher, as far as the source tells its
// changes. SourceUnreachable if there is no such source.
func (x *Subscriptions) WatchRows(source string, w RowWatch) error {
	n, err := x.sensor(source)
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.watch = &w
	n.mu.Unlock()
	n.nudge()
	return nil
}

// Nudge says that other tables are watched than before.
func (x *Subscriptions) Nudge(source string) {
	x.mu.Lock()
	n := x.sensors[source]
	x.mu.Unlock()
	if n != nil {
		n.nudge()
	}
}

// Fed tells whether the changes of a table's rows are told by its source now.
func (x *Subscriptions) Fed(source string, table connect.TableName) bool {
	x.mu.Lock()
	n := x.sensors[source]
	x.mu.Unlock()
	if n == nil {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Contains(n.following, table)
}

// watched are the tables of the watcher.
func (n *sensor) watched() []connect.TableName {
	n.mu.Lock()
	w := n.watch
	n.mu.Unlock()
	if w == nil {
		return nil
	}
	return w.Tables()
}

// follows notes which tables the feed tells from now on.
func (n *sensor) follows(tables []connect.TableName) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.following = tables
}

// tell passes changes on to the watcher.
func (n *sensor) tell(ctx context.Context, rows []connect.RowChange) {
	n.mu.Lock()
	w := n.watch
	n.mu.Unlock()
	if w != nil {
		w.Changed(ctx, rows)
	}
}
