package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"strconv"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/wire"
	"mulian/state/proof"
)

// Happened proves that an event which a server has told of stands in the log of the ledger,
// word for word. It looks for it at its first object, from that place of the log on; -1 =
// from the beginning. VerificationFailed if the log has something else there; StaleHeight if
// the server does not show its place, or not yet.
func (v *Verified) Happened(ctx context.Context, e *tracev1.Event, from int64) error {
	want, err := canon.Marshal(e)
	if err != nil {
		return fault.Wrap(fault.Malformed, err, "event")
	}
	seq, err := v.place(ctx, e, from)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, proofWait)
	defer cancel()
	res, err := v.c.Ledger.ProveEvent(ctx, connect.NewRequest(&ledgerv1.ProveEventRequest{Seq: seq}))
	if err != nil {
		return wire.Fault(err)
	}
	m := res.Msg
	p := &proof.Event{Height: m.GetHeight(), Seq: m.GetSeq(), Size: m.GetSize(), Event: m.GetEvent()}
	if len(m.GetTreeRoot()) != sha256.Size || len(m.GetHashes()) > proof.MaxPath || m.GetSeq() != seq || !bytes.Equal(m.GetEvent(), want) {
		return fault.Newf(fault.VerificationFailed, "event %d of the ledger's log is another", seq)
	}
	copy(p.TreeRoot[:], m.GetTreeRoot())
	for _, h := range m.GetHashes() {
		if len(h) != sha256.Size {
			return fault.Newf(fault.VerificationFailed, "the way of event %d has a hash of %d bytes", seq, len(h))
		}
		p.Path = append(p.Path, proof.Hash(h))
	}
	at, err := v.header(ctx, p.Height+1)
	if err != nil {
		return err
	}
	if err := proof.VerifyEvent(at.AppHash, want, p); err != nil {
		return fault.Wrap(fault.VerificationFailed, err, "event %d", seq)
	}
	return nil
}

// place finds where in the log an event stands, by the server's word.
func (v *Verified) place(ctx context.Context, e *tracev1.Event, from int64) (int64, error) {
	if len(e.GetObjects()) == 0 {
		return 0, fault.Newf(fault.Missing, "the event names no object")
	}
	req := &tracev1.TraceRequest{Object: e.GetObjects()[0], Direct: true, Limit: tracePage}
	if from > 0 {
		req.After = strconv.FormatInt(from-1, 10)
	}
	ctx, cancel := context.WithTimeout(ctx, placeWait)
	defer cancel()
	for {
		res, err := v.c.Trace.Trace(ctx, connect.NewRequest(req))
		if err != nil {
			if err = wire.Fault(err); fault.Is(err, fault.NotFound) {
				break
			}
			return 0, err
		}
		for _, s := range res.Msg.GetSteps() {
			if proto.Equal(s.GetEvent(), e) {
				return s.GetSeq(), nil
			}
		}
		if next := res.Msg.GetNext(); next == "" || next == req.After {
			break
		}
		req.After = res.Msg.GetNext()
	}
	return 0, fault.Newf(fault.StaleHeight, "the server does not show where in the log the event of %s stands", req.Object)
}

// Bounds of looking for an event. Our own choice.
const (
	tracePage = 500
	placeWait = 30 * time.Second
)
