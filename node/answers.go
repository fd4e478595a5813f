package node

import (
	"context"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/rules"
	"mulian/state"
	"mulian/state/proof"
)

const (
	// maxAnswerBytes bounds a page of objects or events: the default limit of the
	// Connect and gRPC clients of others is 4 MiB.
	maxAnswerBytes = 3 << 20
	// maxObjects and maxEvents are the longest pages (mulian.ledger.v1).
	maxObjects   = 1000
	maxEvents    = ledger.MaxEventsPerRead
	defaultLimit = 100
	// watchBatch is how many events one message of Watch carries.
	watchBatch = 256
	// signOfLife is how long Watch is silent at most; the proto promises 5 s.
	signOfLife = 4 * time.Second
)

// Submit hands in a signed envelope and waits until it is in a block. A refusal in
// the block is an Outcome with a code, not an error. Faults as of
// [ledger.Ledger.Submit].
func (n *Node) Submit(ctx context.Context, envelope []byte) (*ledgerv1.SubmitResponse, error) {
	c, err := n.ledger.Submit(ctx, envelope)
	if err != nil {
		return nil, coded(err)
	}
	outcome, err := outcomeOf(c)
	return &ledgerv1.SubmitResponse{TxId: c.ID[:], Outcome: outcome, Text: c.Text}, err
}

// Tx tells what became of a transaction: NotFound while it is in no block. The
// envelope is empty if its block is no longer kept, here and in the archive.
func (n *Node) Tx(ctx context.Context, id []byte) (*ledgerv1.GetTxResponse, error) {
	if len(id) != 32 {
		return nil, fault.Newf(fault.Malformed, "a transaction id has 32 bytes, not %d", len(id))
	}
	c, ok, err := n.ledger.Tx([32]byte(id))
	if err != nil {
		return nil, coded(err)
	}
	if !ok {
		return nil, fault.Newf(fault.NotFound, "transaction %x is in no block of this node; it may still come, or was never sent", id)
	}
	raw, err := n.envelope(ctx, c)
	if err != nil && !fault.Is(err, fault.Pruned) {
		return nil, coded(err)
	}
	outcome, err := outcomeOf(c)
	return &ledgerv1.GetTxResponse{Envelope: raw, Outcome: outcome, Height: c.Height, Index: c.Index, TimeMs: c.TimeMs}, err
}

// Object reads one object. height 0 is the latest one; a proof is only of the
// latest: OutOfRange otherwise. With a proof the answer is what the proof shows, so
// that a derived record, which has none, counts as absent. Pruned, NotFound (height
// not yet there).
func (n *Node) Object(_ context.Context, key string, height int64, prove bool) (*ledgerv1.GetObjectResponse, error) {
	if prove {
		if height != 0 {
			return nil, fault.Newf(fault.OutOfRange, "proofs are of the latest height only; an event proves what was before")
		}
		p, err := n.ledger.ProveKey([]byte(key))
		if err != nil {
			return nil, coded(err)
		}
		return &ledgerv1.GetObjectResponse{Value: p.Value, Found: p.Exists, Height: p.Height, Proof: p.ToWire()}, nil
	}
	if height > 0 {
		value, ok, at, err := n.past.get(n.ledger, key, height)
		if err != nil {
			return nil, coded(err)
		}
		return &ledgerv1.GetObjectResponse{Value: value, Found: ok, Height: at}, nil
	}
	v, err := n.ledger.At(height)
	if err != nil {
		return nil, coded(err)
	}
	defer v.Close()
	value, ok := v.Get([]byte(key))
	return &ledgerv1.GetObjectResponse{Value: value, Found: ok, Height: v.Height()}, nil
}

// Objects reads a page of objects by prefix, in key order, after req.After.
func (n *Node) Objects(_ context.Context, req *ledgerv1.ListObjectsRequest) (*ledgerv1.ListObjectsResponse, error) {
	v, err := n.ledger.At(req.GetHeight())
	if err != nil {
		return nil, coded(err)
	}
	defer v.Close()
	limit := int(min(req.GetLimit(), maxObjects))
	if limit == 0 {
		limit = defaultLimit
	}
	var from []byte
	if req.GetAfter() != "" {
		from = []byte(req.GetAfter() + "\x00")
	}
	res := &ledgerv1.ListObjectsResponse{Height: v.Height()}
	size := 0
	v.Range([]byte(req.GetPrefix()), from, func(key, value []byte) bool {
		if !utf8.Valid(key) {
			return true // the ledger's own records; the rules' keys are text
		}
		size += len(key) + len(value)
		if len(res.Objects) == limit || size > maxAnswerBytes && len(res.Objects) > 0 {
			res.More = true
			return false
		}
		res.Objects = append(res.Objects, &ledgerv1.Object{Key: string(key), Value: append([]byte(nil), value...)})
		return true
	})
	return res, nil
}

// Header returns header, commit and validators of a block; 0 = the latest. Its SM2
// certificate comes with it, if this node has voted on the block or seen its votes: a
// block that was taken over from others has none here. With orLater, if the block is no
// longer kept, it is the first one above whose header is: see [ledger.Ledger.HeaderFrom].
func (n *Node) Header(_ context.Context, height int64, orLater bool) (*ledgerv1.GetHeaderResponse, error) {
	read := n.ledger.Header
	if orLater {
		read = n.ledger.HeaderFrom
	}
	h, err := read(height)
	if err != nil {
		return nil, coded(err)
	}
	res := &ledgerv1.GetHeaderResponse{LightBlock: h.LightBlock, Height: h.Height, TimeMs: h.TimeMs, AppHash: h.AppHash}
	votes, err := n.ledger.SM2Certificate(h.Height)
	if err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Pruned) {
		return nil, coded(err)
	}
	for _, v := range votes {
		res.Sm2Votes = append(res.Sm2Votes, &ledgerv1.SM2Vote{Address: v.Address, PublicKey: v.Key.Bytes(), Signature: v.Signature})
	}
	return res, nil
}

// Block returns a block's transactions and outcomes; 0 = the latest.
func (n *Node) Block(_ context.Context, height int64) (*ledgerv1.GetBlockResponse, error) {
	b, err := n.ledger.Block(height)
	if err != nil {
		return nil, coded(err)
	}
	res := &ledgerv1.GetBlockResponse{Height: b.Height, TimeMs: b.TimeMs, Hash: b.Hash, Envelopes: b.Envelopes}
	for _, c := range b.Results {
		outcome, err := outcomeOf(c)
		if err != nil {
			return nil, err
		}
		res.Outcomes = append(res.Outcomes, outcome)
	}
	return res, nil
}

// Events reads the event log from a sequence number on; NotFound behind its end.
func (n *Node) Events(_ context.Context, from int64, limit int) (*ledgerv1.ListEventsResponse, error) {
	if limit <= 0 {
		limit = defaultLimit
	}
	raw, err := n.ledger.Events(from, min(limit, maxEvents))
	if err != nil {
		return nil, coded(err)
	}
	events, err := decode(raw)
	if err != nil {
		return nil, err
	}
	return &ledgerv1.ListEventsResponse{Events: events, Next: from + int64(len(events)), Size: n.ledger.State().Events()}, nil
}

// Watch calls fn with events from a sequence number on (-1 = from now), in order
// and without gaps, and with an empty message at least every 5 s. It ends with ctx,
// when the node stops, or with the error of fn, which it returns as it is.
func (n *Node) Watch(ctx context.Context, from int64, fn func(*ledgerv1.WatchResponse) error) error {
	w := n.ledger.Watch(from)
	for {
		raw, err := w.Next(ctx, watchBatch, signOfLife)
		if err != nil {
			return coded(err)
		}
		events, err := decode(raw)
		if err != nil {
			return err
		}
		head := n.ledger.State().Head()
		if err := fn(&ledgerv1.WatchResponse{Events: events, Next: w.Position(), Height: head.Height, TimeMs: head.UnixMs}); err != nil {
			return err
		}
	}
}

// ProveEvent returns an event with the proof that it is in the log of the first
// size events; 0 = all of them, then it leads to the app hash of header Height+1.
func (n *Node) ProveEvent(_ context.Context, seq, size int64) (*ledgerv1.ProveEventResponse, error) {
	p, err := n.ledger.ProveEvent(seq, size)
	if err != nil {
		return nil, coded(err)
	}
	root, err := proof.RootFromPath(proof.EventLeaf(p.Event), p.Seq, p.Size, p.Path)
	if err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "the log's proof of event %d does not hold", seq)
	}
	res := &ledgerv1.ProveEventResponse{Event: p.Event, Seq: p.Seq, Size: p.Size, LogRoot: root[:], TreeRoot: p.TreeRoot[:], Height: p.Height}
	for i := range p.Path {
		res.Hashes = append(res.Hashes, p.Path[i][:])
	}
	return res, nil
}

// Status tells how the node is. Indexed is -1: the node has no index of its own.
func (n *Node) Status(context.Context) (*ledgerv1.GetStatusResponse, error) {
	if err := n.ledger.Err(); err != nil {
		return nil, coded(err)
	}
	s := n.ledger.Status()
	return &ledgerv1.GetStatusResponse{
		ChainId: s.ChainID, Height: s.Height, TimeMs: s.TimeMs, AppHash: s.AppHash[:], Version: n.version, Events: s.Events,
		Validators: uint32(s.Validators), Peers: uint32(s.Peers), CatchingUp: s.CatchingUp, Indexed: -1,
		DiskBytes: s.DiskBytes, StartedMs: s.StartedMs, GenesisHash: n.genesisHash[:], Nodes: n.nodes,
		Transactions: s.Committed, Pending: int64(s.Pending), Stalled: s.Stalled,
		Protocol: n.protocol(), ProgramProtocol: rules.Protocol(),
		PowerTotal: s.Votes.Total, PowerPresent: s.Votes.Signed, Missing: s.Votes.Missing,
	}, nil
}

// Genesis returns the signed genesis file.
func (n *Node) Genesis(context.Context) ([]byte, error) { return n.ledger.Genesis(), nil }

func decode(raw []state.Event) ([]*tracev1.Event, error) {
	events := make([]*tracev1.Event, len(raw))
	for i, e := range raw {
		events[i] = new(tracev1.Event)
		if err := proto.Unmarshal(e.Bytes, events[i]); err != nil {
			return nil, fault.Wrap(fault.Damaged, err, "event %d cannot be read", e.Seq)
		}
	}
	return events, nil
}

func outcomeOf(c *ledger.Committed) (*txv1.Outcome, error) {
	outcome := new(txv1.Outcome)
	if err := proto.Unmarshal(c.Data, outcome); err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "the result of transaction %x cannot be read", c.ID)
	}
	return outcome, nil
}

// coded gives an error without a code the code Internal.
func coded(err error) error { return fault.Wrap(fault.CodeOf(err), err, "the ledger answers") }
