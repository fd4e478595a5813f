package client

import (
	"context"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// Get reads one object of the state by its key ("share/agreement/<id>") into m,
// and tells whether there is one. It is the server's word: see [Verified].
func (c *Client) Get(ctx context.Context, key string, m proto.Message) (bool, error) {
	res, err := c.Ledger.GetObject(ctx, connect.NewRequest(&ledgerv1.GetObjectRequest{Key: key}))
	if err != nil {
		return false, wire.Fault(err)
	}
	if !res.Msg.GetFound() {
		return false, nil
	}
	if err := proto.Unmarshal(res.Msg.GetValue(), m); err != nil {
		return false, &fault.Fault{Code: fault.Damaged, Text: fmt.Sprintf("%s: the server's answer is no such object", key), Err: err}
	}
	return true, nil
}

// List calls fn for the objects under a prefix in key order, page by page, until
// fn returns false. value is the object's canonical encoding.
func (c *Client) List(ctx context.Context, prefix string, fn func(key string, value []byte) bool) error {
	after := ""
	for {
		res, err := c.Ledger.ListObjects(ctx, connect.NewRequest(&ledgerv1.ListObjectsRequest{Prefix: prefix, After: after, Limit: 500}))
		if err != nil {
			return wire.Fault(err)
		}
		for _, o := range res.Msg.GetObjects() {
			if !fn(o.GetKey(), o.GetValue()) {
				return nil
			}
			after = o.GetKey()
		}
		if !res.Msg.GetMore() || len(res.Msg.GetObjects()) == 0 {
			return nil
		}
	}
}

// Update is what Watch brings: events, or none as a sign of life.
type Update struct {
	Events []*tracev1.Event
	Next   int64 // sequence number at which a later Watch goes on
	Height int64 // of the latest block
	TimeMs int64 // of the latest block
}

// Watch calls fn with the ledger's events from a sequence number on (-1 = from
// now), in order and without gaps, and then as they happen, until the context
// ends or fn returns an error. A broken connection is made again; fn is told
// nothing meanwhile, so whoever needs freshness looks at the time of the last
// update. verbs are prefixes ("share/"), none = all. A refusal of the question
// itself (class 11: from below -1, too many verbs) is returned.
func (c *Client) Watch(ctx context.Context, from int64, verbs []string, fn func(Update) error) error {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := c.watchOnce(ctx, &from, verbs, func(u Update) error {
			wait = 50 * time.Millisecond
			return fn(u)
		})
		if stop, ok := err.(stopError); ok {
			return stop.err
		}
		if c := fault.CodeOf(err); c >= 11000 && c < 12000 {
			return err // the question is wrong, and would be the next time
		}
		if ctx.Err() != nil {
			return &fault.Fault{Code: fault.Cancelled, Text: "stopped", Err: ctx.Err()}
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// stopError carries the caller's own error out of the loop of reconnections.
type stopError struct{ err error }

func (e stopError) Error() string { return e.err.Error() }

func (c *Client) watchOnce(ctx context.Context, from *int64, verbs []string, fn func(Update) error) error {
	stream, err := c.Ledger.Watch(ctx, connect.NewRequest(&ledgerv1.WatchRequest{From: *from, Verbs: verbs}))
	if err != nil {
		return wire.Fault(err)
	}
	defer stream.Close()
	for stream.Receive() {
		m := stream.Msg()
		if err := fn(Update{Events: m.GetEvents(), Next: m.GetNext(), Height: m.GetHeight(), TimeMs: m.GetTimeMs()}); err != nil {
			return stopError{err}
		}
		*from = m.GetNext()
	}
	return wire.Fault(stream.Err())
}
