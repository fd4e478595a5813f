package deliver

import (
	"context"
	"errors"
	"testing"
	"time"

	"mulian/gateway/connect"
	"mulian/internal/fault"
)

// behind is a source with a feed that stands, and then tells of one old transaction, in two
// pieces.
type behind struct {
	connect.Source
	committed time.Time
	told      func(piece int)
}

var errTold = errors.New("all is told")

func (b *behind) Follow(_ context.Context, tables []connect.TableName, _ connect.Position, fn func(connect.Change) error) error {
	for i, c := range []connect.Change{
		{Position: "P0"},
		{Position: "P0", Committed: b.committed, Rows: []connect.RowChange{{Table: tables[0], Op: connect.RowUpdate, Key: keysFrom(3)[0]}}},
		{Position: "P1", Committed: b.committed, Last: true},
		{Position: "P2"},
	} {
		if err := fn(c); err != nil {
			return err
		}
		b.told(i)
	}
	return errTold
}

func (b *behind) Acknowledge(context.Context, connect.Position) error { return nil }

func (b *behind) Followable(context.Context, []connect.TableName) error { return nil }

func (b *behind) TableVersion(context.Context, connect.TableName) (string, error) { return "1", nil }

var _ connect.Feeder = (*behind)(nil)

// TestAFeedThatIsBehindSaysSo: what is seen of a source is as old as the transaction that its
// feed tells of.
func TestAFeedThatIsBehindSaysSo(t *testing.T) {
	l := newLooker(t, 10)
	l.subscribe(&subscription{ID: "one", Sensing: sensingFeed, Reading: reading{Key: []string{"id"}}})
	s := found(t, l.subs.book, "one")
	began := time.Now()
	feed := &behind{Source: l.source, committed: began.Add(-3 * time.Hour)}
	feed.told = func(piece int) {
		seen := l.subs.sightOf(s)
		late := piece == 1 || piece == 2
		if seen.code != fault.OK || late && !seen.at.Equal(feed.committed) || !late && seen.at.Before(began) {
			t.Errorf("after piece %d it is seen as of %s (%s)", piece, seen.at, seen.code)
		}
	}
	l.source = feed
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := l.follow(ctx); !errors.Is(err, errTold) {
		t.Fatal(err)
	}
	if s := found(t, l.subs.book, "one"); s.Touched != 1 {
		t.Errorf("%d keys wait", s.Touched)
	}
}
