package prooffile

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"connectrpc.com/connect"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// Bounds of the looking for acts. An object may have been touched a million times
// (an agreement by each anchor of its numbers): its beginning and its end are read.
const (
	actsPage = 200
	tailPage = 500
	maxActs  = 4 // events in the file of one object: each is about 1.5 KB
)

// machine are verbs that say nothing about the will of a person: they are shown
// only if an object has no other.
var machine = []string{"trace/anchor_head", "share/start_delivery", "share/complete_delivery", "share/record_use"}

// acts chooses the events of an object that a reader wants to see: how it began,
// and the newest of each other verb, fewest first to be dropped the routine ones.
// The index that answers may leave some out: the file claims no completeness.
func (m *Maker) acts(ctx context.Context, key string) ([]act, error) {
	head, more, err := m.trace(ctx, key, -1, actsPage)
	if err != nil || len(head) == 0 {
		return nil, err
	}
	steps := head
	if more {
		tail, err := m.tail(ctx, key)
		if err != nil {
			return nil, err
		}
		steps = append(steps, tail...)
	}
	return choose(own(key, steps)), nil
}

// own drops the acts of other nouns, unless there are no others: a request for an
// entry touches the entry, and is another story.
func own(key string, steps []*tracev1.TraceStep) []*tracev1.TraceStep {
	noun, _, _ := strings.Cut(key, "/")
	mine := slices.DeleteFunc(slices.Clone(steps), func(s *tracev1.TraceStep) bool { return !strings.HasPrefix(s.GetEvent().GetVerb(), noun+"/") })
	if len(mine) == 0 {
		return steps
	}
	return mine
}

// choose takes the first step, and from the end backwards the newest of each verb:
// acts of persons before those of machines.
func choose(steps []*tracev1.TraceStep) []act {
	chosen, seen := []act{{steps[0].GetSeq(), steps[0].GetEvent().GetTxId()}}, map[string]bool{steps[0].GetEvent().GetVerb(): true}
	first := steps[0].GetEvent().GetVerb()
	for _, routine := range []bool{false, true} {
		for _, s := range slices.Backward(steps) {
			verb := s.GetEvent().GetVerb()
			if len(chosen) == maxActs || slices.Contains(machine, verb) != routine || s.GetSeq() == steps[0].GetSeq() {
				continue
			}
			if seen[verb] && verb != first || routine && len(chosen) > 1 {
				continue
			}
			if verb == first {
				first = "" // its newest one beside the very first
			}
			seen[verb] = true
			chosen = append(chosen, act{s.GetSeq(), s.GetEvent().GetTxId()})
		}
	}
	return chosen
}

// trace reads a page of the events that touch an object. None if the index does
// not know it: what the genesis has made has no event.
func (m *Maker) trace(ctx context.Context, key string, after int64, limit uint32) ([]*tracev1.TraceStep, bool, error) {
	req := &tracev1.TraceRequest{Object: key, Direct: true, Limit: limit}
	if after >= 0 {
		req.After = strconv.FormatInt(after, 10)
	}
	res, err := m.c.Trace.Trace(ctx, connect.NewRequest(req))
	if err != nil {
		if err = wire.Fault(err); fault.Is(err, fault.NotFound) {
			return nil, false, nil
		}
		return nil, false, err
	}
	steps := slices.DeleteFunc(res.Msg.GetSteps(), func(s *tracev1.TraceStep) bool { return !slices.Contains(s.GetEvent().GetObjects(), key) })
	return steps, res.Msg.GetNext() != "", nil
}

// tail reads the newest events of an object: it looks behind ever earlier places
// of the log until there are some.
func (m *Maker) tail(ctx context.Context, key string) ([]*tracev1.TraceStep, error) {
	st, err := m.c.Status(ctx)
	if err != nil {
		return nil, err
	}
	for back := int64(256); ; back *= 4 {
		from := max(0, st.GetEvents()-back)
		steps, more, err := m.trace(ctx, key, from, tailPage)
		if err != nil {
			return nil, err
		}
		if len(steps) > 0 && (!more || from == 0) {
			return steps, nil
		}
		if more || from == 0 { // many: the last page of them
			return m.lastPage(ctx, key, steps)
		}
	}
}

// lastPage follows a dense run of events to its end, a bounded number of pages.
func (m *Maker) lastPage(ctx context.Context, key string, steps []*tracev1.TraceStep) ([]*tracev1.TraceStep, error) {
	for range 20 {
		if len(steps) == 0 {
			return nil, nil
		}
		next, more, err := m.trace(ctx, key, steps[len(steps)-1].GetSeq(), tailPage)
		if err != nil {
			return nil, err
		}
		if len(next) == 0 {
			return steps, nil
		}
		if steps = next; !more {
			return steps, nil
		}
	}
	return steps, nil
}

// anchorOf finds the event with which a head was anchored at a height: the log's
// events ascend by height, so their place is found by halving.
func (m *Maker) anchorOf(ctx context.Context, head string, height int64) (*act, error) {
	st, err := m.c.Status(ctx)
	if err != nil {
		return nil, err
	}
	low, high := int64(0), st.GetEvents()
	for low < high {
		mid := low + (high-low)/2
		page, err := m.events(ctx, mid, 1)
		if err != nil {
			return nil, err
		}
		if len(page) == 1 && page[0].GetHeight() < height {
			low = mid + 1
		} else {
			high = mid
		}
	}
	for {
		page, err := m.events(ctx, low, tailPage)
		if err != nil {
			return nil, err
		}
		for i, e := range page {
			if e.GetHeight() > height {
				return nil, nil
			}
			if e.GetVerb() == "trace/anchor_head" && slices.Contains(e.GetObjects(), head) {
				return &act{low + int64(i), e.GetTxId()}, nil
			}
		}
		if len(page) == 0 {
			return nil, nil
		}
		low += int64(len(page))
	}
}

func (m *Maker) events(ctx context.Context, from int64, limit uint32) ([]*tracev1.Event, error) {
	res, err := m.c.Ledger.ListEvents(ctx, connect.NewRequest(&ledgerv1.ListEventsRequest{From: from, Limit: limit}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	return res.Msg.GetEvents(), nil
}
