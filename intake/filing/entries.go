package filing

import (
	"context"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// stored are the entries of the ledger that an import looks at because its list says
// something else of them. Lists stand in the order of ids mostly (our exports always
// do), so after a few questions in that order the next page is read at once.
//
// It holds one page: at most pageOf entries.
type stored struct {
	desk  *Desk
	page  map[string]*cataloguev1.Entry
	last  string // id that was asked last
	run   int    // questions in the order of ids, one after the other
	waits func(id string) bool
}

const (
	pageOf    = 100 // entries read at once: some 200 KiB, at most 25 MiB
	pageAfter = 3   // questions in order before a page is read
)

// entry is intake.Target.Entry: of an entry with a change that waits it is the change,
// for that is what its owner has said last.
func (s *stored) entry(ctx context.Context, id string) (*cataloguev1.Entry, error) {
	after := s.last
	if s.last = id; after != "" && after < id && sameOwner(after, id) {
		s.run++
	} else {
		s.run = 0
	}
	if s.waits(id) {
		p := &cataloguev1.PendingChange{}
		ok, err := s.desk.Client.Get(ctx, "catalogue/pending/"+id, p)
		if err != nil {
			return nil, err
		}
		if ok && !p.GetUnlock() && p.GetNext() != nil {
			return stripped(p.Next), nil
		}
	}
	if e := s.page[id]; e != nil {
		return e, nil
	}
	if s.run >= pageAfter {
		if err := s.turn(ctx, after, id); err != nil {
			return nil, err
		}
		if e := s.page[id]; e != nil {
			return e, nil
		}
	}
	e := &cataloguev1.Entry{}
	ok, err := s.desk.Client.Get(ctx, "catalogue/entry/"+id, e)
	if err != nil {
		return nil, err
	}
	if !ok { // it was there a moment ago, and entries are never deleted
		return nil, fault.Newf(fault.NotFound, "entry %s", id)
	}
	return stripped(e), nil
}

// turn reads the page behind an entry.
func (s *stored) turn(ctx context.Context, after, id string) error {
	org, _, _ := strings.Cut(id, ":")
	res, err := s.desk.Client.Ledger.ListObjects(ctx, connect.NewRequest(&ledgerv1.ListObjectsRequest{Prefix: "catalogue/entry/" + org + ":", After: "catalogue/entry/" + after, Limit: pageOf}))
	if err != nil {
		return wire.Fault(err)
	}
	s.page = make(map[string]*cataloguev1.Entry, pageOf)
	for _, o := range res.Msg.GetObjects() {
		e := &cataloguev1.Entry{}
		if err := proto.Unmarshal(o.GetValue(), e); err != nil {
			return fault.Wrap(fault.Damaged, err, "the server's answer for %s is no entry", o.GetKey())
		}
		s.page[e.GetId()] = stripped(e)
	}
	return nil
}

func sameOwner(a, b string) bool {
	x, _, _ := strings.Cut(a, ":")
	y, _, _ := strings.Cut(b, ":")
	return x == y
}

// stripped takes off what the ledger sets by itself.
func stripped(e *cataloguev1.Entry) *cataloguev1.Entry {
	e.State, e.Version, e.CreatedMs, e.UpdatedMs, e.Lock, e.ContentHash = 0, 0, 0, 0, nil, nil
	e.ReturnedReason, e.SuspendedCause, e.SuspendedBy = "", "", ""
	for _, it := range e.GetItems() {
		it.State = 0
	}
	return e
}
