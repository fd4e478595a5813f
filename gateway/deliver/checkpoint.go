package deliver

import (
	"context"
	"encoding"
	"encoding/json"
	"time"

	"mulian/gateway/connect"
	"mulian/internal/fault"
	"mulian/internal/seal"
)

// A receiver of files that was killed goes on at the page after its last checkpoint, which
// the folder keeps (connect.Resumable). A database keeps none: its transaction has gone with
// the process.
const (
	// checkpointPages is how many pages lie between two at least: what is taken twice after a
	// kill, at most, if the disk is not slow. Our own choice.
	checkpointPages = 8
	// checkpointShare is how many times as long as one took must pass before the next.
	checkpointShare = 20
)

// arrived is the note of a checkpoint: what the asker knows of the pages before Next.
type arrived struct {
	Next   uint64 `json:"next"`
	Bytes  uint64 `json:"bytes"`
	Header []byte `json:"header"`
	Hash   []byte `json:"hash"` // state of the digest over header and pages
}

// checkpoint makes one, if the sink can and it is time.
func (in *arrival) checkpoint() error {
	to, can := in.load.(connect.Resumable)
	if !can || to.Repeated() || in.next-in.noted < checkpointPages || time.Now().Before(in.rest) {
		return nil
	}
	state, err := in.hash.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return err
	}
	note, err := json.Marshal(arrived{Next: in.next, Bytes: in.bytes, Header: in.header, Hash: state})
	if err != nil {
		return err
	}
	began := time.Now()
	in.own.begin()
	err = to.Checkpoint(in.own, note)
	in.own.done()
	in.noted, in.rest = in.next, time.Now().Add(checkpointShare*time.Since(began))
	return in.own.fault(fault.SourceUnreachable, sinkFault(err), "the own database")
}

// resumes goes on where an earlier process was, if there is such a place; false: there is one
// that says nothing, and the load has to begin anew.
func (in *arrival) resumes() bool {
	from, can := in.load.(connect.Resumable)
	if !can || from.Resumed() == nil {
		return true
	}
	var at arrived
	if json.Unmarshal(from.Resumed(), &at) != nil {
		return false
	}
	aad := deliveryAAD(pagesDomain, in.asker.cfg.ChainID, in.to.account.GetId(), in.asker.cfg.Gateway, in.f.Agreement, in.f.Delivery)
	if at.Next >= seal.MaxPages {
		return false
	}
	opener, err := seal.NewOpenerOfAt(in.asker.sealKeys(), at.Header, aad, uint32(at.Next))
	if err != nil || in.hash.(encoding.BinaryUnmarshaler).UnmarshalBinary(at.Hash) != nil {
		in.hash.Reset()
		return false
	}
	in.opener, in.header, in.next, in.bytes, in.noted = opener, at.Header, at.Next, at.Bytes, at.Next
	in.asker.cfg.Logger.Info("fetch goes on", "agreement", in.f.Agreement, "delivery", in.f.Delivery, "page", at.Next)
	return true
}

// leave keeps what has come for the next process or try, where it is the same pages that
// will come.
func (in *arrival) leave(ctx context.Context, err error) {
	to, can := in.load.(connect.Resumable)
	if !can {
		return
	}
	switch fault.CodeOf(err) {
	case fault.Unreachable, fault.Timeout, fault.StaleHeight:
	default: // Busy, SourceUnreachable: the provider begins anew
		if ctx.Err() == nil {
			return
		}
	}
	if err := to.Leave(); err != nil {
		in.asker.cfg.Logger.Info("what has come of a fetch could not be kept", "agreement", in.f.Agreement, "delivery", in.f.Delivery, "err", err)
	}
}
