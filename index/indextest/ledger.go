package indextest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
)

// perEvent is how many entries one transaction brings, as an import does.
const perEvent = 200

// Ledger is a ledger whose events bring a catalogue: organisations, duties, and then
// entries, 200 a transaction. It keeps nothing: each object is made when it is asked for.
type Ledger struct {
	Catalogue
	Entries int

	spent atomic.Int64
}

// Size is how many events there are.
func (l *Ledger) Size() int64 { return 1 + int64((l.Entries+perEvent-1)/perEvent) }

// Spent is how long the ledger's own answers have taken: not the index's time.
func (l *Ledger) Spent() time.Duration { return time.Duration(l.spent.Load()) }

// Events implements the feed of the index.
func (l *Ledger) Events(_ context.Context, from int64, limit int) (*ledgerv1.ListEventsResponse, error) {
	defer l.clock(time.Now())
	out := &ledgerv1.ListEventsResponse{Size: l.Size()}
	for n := from; n < l.Size() && len(out.Events) < limit; n++ {
		ev := &tracev1.Event{Height: n + 1, TimeMs: (n + 1) * 1000, Verb: "catalogue/submit_entries", Actor: l.Org(0), TxId: fmt.Appendf(nil, "%032d", n)}
		if n == 0 {
			for i := range Orgs {
				ev.Objects = append(ev.Objects, "identity/account/"+l.Org(i), "catalogue/duty/"+l.Duty(i).GetId())
			}
		} else {
			for i := int(n-1) * perEvent; i < min(int(n)*perEvent, l.Entries); i++ {
				ev.Objects = append(ev.Objects, "catalogue/entry/"+l.Entry(i).GetId())
			}
		}
		out.Events = append(out.Events, ev)
	}
	out.Next = from + int64(len(out.Events))
	return out, nil
}

// Object implements the feed of the index.
func (l *Ledger) Object(_ context.Context, key string, _ int64, _ bool) (*ledgerv1.GetObjectResponse, error) {
	defer l.clock(time.Now())
	var m proto.Message
	switch {
	case strings.HasPrefix(key, "catalogue/entry/"):
		i, err := strconv.Atoi(key[strings.LastIndexByte(key, ':')+1:])
		if err != nil {
			return nil, fmt.Errorf("entry %s: %w", key, err)
		}
		m = l.Entry(i)
	default:
		for i := range Orgs {
			if key == "identity/account/"+l.Org(i) {
				m = l.Account(i)
			} else if d := l.Duty(i); key == "catalogue/duty/"+d.GetId() {
				m = d
			}
		}
	}
	if m == nil {
		return &ledgerv1.GetObjectResponse{}, nil
	}
	value, err := proto.Marshal(m)
	return &ledgerv1.GetObjectResponse{Value: value, Found: true}, err
}

// Watch implements the feed of the index: nothing new ever comes.
func (l *Ledger) Watch(ctx context.Context, _ int64, _ func(*ledgerv1.WatchResponse) error) error {
	<-ctx.Done()
	return ctx.Err()
}

func (l *Ledger) clock(begin time.Time) { l.spent.Add(int64(time.Since(begin))) }
