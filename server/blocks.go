package server

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"mulian/client"
	"mulian/client/sentence"
	consolev1 "mulian/gen/mulian/console/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/index"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// Bounds of lists of blocks and of what is followed; our own choice.
const (
	maxBlocks      = 50
	defaultBlocks  = 20
	maxLookedAt    = 500
	maxLookedBytes = 32 << 20 // of envelopes; blocks of 1,000 messages have 300 KiB
	maxFollowed1s  = 1000     // objects of one message
	maxTxObjects   = 8        // of one transaction in a list
	maxTxLines     = 20       // likewise; a transaction may have 1,000 messages
	followInterval = time.Second
)

// teller makes transactions readable, in one language.
type teller struct {
	lang  sentence.Language
	names sentence.Names
	most  int // sentences of a transaction; 0 = all
}

func (c consoleAPI) teller(ctx context.Context, asked string, req connect.AnyRequest) teller {
	return teller{lang: language(asked, req), names: c.s.people(ctx)}
}

// transaction says what an envelope of a block does. One that cannot be read has no lines.
func (t teller) transaction(envelope []byte, o *txv1.Outcome) (*consolev1.Transaction, *txv1.Body) {
	env, body, out := &txv1.Envelope{}, &txv1.Body{}, &consolev1.Transaction{Outcome: o}
	if decode(envelope, env) != nil {
		return out, body
	}
	first, more := env.GetBody(), []string(nil)
	if t.most > 0 {
		first, more = beginning(env.GetBody(), t.most)
	}
	if decode(first, body) != nil {
		return out, body
	}
	id := client.ID(env.GetBody())
	out.TxId, out.Account, out.Key = id[:], body.GetAccount(), env.GetSignature().GetKey()
	out.AccountName = t.names(out.Account)
	for _, m := range body.GetMessages() {
		out.Lines = append(out.Lines, sentence.Message(t.lang, m, t.names))
		out.Verbs = append(out.Verbs, verbOf(m))
	}
	out.Verbs = append(out.Verbs, more...)
	if code := fault.Code(o.GetCode()); code != fault.OK {
		out.Refusal = code.String()
		if x, ok := fault.Explain(code); ok && t.lang == sentence.Chinese {
			out.Refusal += " " + x.TitleZh
		} else if ok {
			out.Refusal += " " + x.TitleEn
		}
	}
	return out, body
}

// Fields of the schema that are read without the rest.
var (
	envelopeBody = fieldNumber(&txv1.Envelope{}, "body")
	bodyAccount  = fieldNumber(&txv1.Body{}, "account")
	bodyMessages = fieldNumber(&txv1.Body{}, "messages")
)

func fieldNumber(m proto.Message, name protoreflect.Name) protowire.Number {
	return m.ProtoReflect().Descriptor().Fields().ByName(name).Number()
}

// fieldOf is the last value of a field of bytes or text, nil if there is none.
func fieldOf(raw []byte, want protowire.Number) (value []byte) {
	for len(raw) > 0 {
		number, kind, n := protowire.ConsumeTag(raw)
		if n < 0 {
			return value
		}
		size := protowire.ConsumeFieldValue(number, kind, raw[n:])
		if size < 0 {
			return value
		}
		if number == want && kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(raw[n:])
		}
		raw = raw[n+size:]
	}
	return value
}

// beginning is a body with its first messages alone, and the verbs of the others: a list says no
// more of them. What cannot be read so is left as it is, for who decodes it.
func beginning(body []byte, most int) (first []byte, more []string) {
	kinds := (&txv1.Message{}).ProtoReflect().Descriptor().Fields()
	messages := 0
	for rest := body; len(rest) > 0; {
		number, kind, n := protowire.ConsumeTag(rest)
		if n < 0 {
			return body, nil
		}
		size := protowire.ConsumeFieldValue(number, kind, rest[n:])
		if size < 0 {
			return body, nil
		}
		if number == bodyMessages && kind == protowire.BytesType {
			messages++
		}
		if number != bodyMessages || messages <= most {
			first = append(first, rest[:n+size]...)
		} else {
			m, _ := protowire.ConsumeBytes(rest[n:])
			verb := ""
			if of, _, bad := protowire.ConsumeTag(m); bad > 0 {
				if f := kinds.ByNumber(of); f != nil {
					verb = string(f.Name())
				}
			}
			more = append(more, verb)
		}
		rest = rest[n+size:]
	}
	return first, more
}

// verbOf is how the schema names a message; "" for one without content.
func verbOf(m *txv1.Message) string {
	r := m.ProtoReflect()
	if f := r.WhichOneof(r.Descriptor().Oneofs().Get(0)); f != nil {
		return string(f.Name())
	}
	return ""
}

// anchorsOnly reports whether a transaction is nothing but the routine of a gateway.
func anchorsOnly(tx *consolev1.Transaction) bool {
	return len(tx.Verbs) > 0 && !slices.ContainsFunc(tx.Verbs, func(v string) bool { return v != "anchor_head" })
}

// block makes those of a block's transactions readable that are asked for.
func (t teller) block(b *ledgerv1.GetBlockResponse, m *consolev1.ListBlocksRequest) *consolev1.Block {
	out := &consolev1.Block{Height: b.GetHeight(), TimeMs: b.GetTimeMs(), Hash: b.GetHash()}
	for i, raw := range b.GetEnvelopes() {
		if m.GetAccount() != "" && string(fieldOf(fieldOf(raw, envelopeBody), bodyAccount)) != m.GetAccount() {
			continue
		}
		var o *txv1.Outcome
		if i < len(b.GetOutcomes()) {
			o = b.GetOutcomes()[i]
		}
		tx, _ := t.transaction(raw, o)
		if m.GetQuiet() && anchorsOnly(tx) {
			continue
		}
		tx.Height, tx.Index, tx.TimeMs = b.GetHeight(), uint32(i), b.GetTimeMs()
		out.Transactions = append(out.Transactions, tx)
	}
	return out
}

// ListBlocks implements ConsoleService.
func (c consoleAPI) ListBlocks(ctx context.Context, req *connect.Request[consolev1.ListBlocksRequest]) (*connect.Response[consolev1.ListBlocksResponse], error) {
	m := req.Msg
	if err := checkText(m.GetAccount()); err != nil {
		return nil, wire.Error(err)
	}
	if m.GetAbove() < 0 {
		return nil, wire.Error(fault.Newf(fault.OutOfRange, "above %d: 0 or more", m.GetAbove()))
	}
	st, err := c.s.chain.Status(ctx)
	if err != nil {
		return nil, wire.Error(err)
	}
	height := st.GetHeight()
	if m.GetBelow() > 0 {
		height = min(height, m.GetBelow()-1)
	}
	out, limit, t := &consolev1.ListBlocksResponse{}, int(min(cmp.Or(m.GetLimit(), defaultBlocks), maxBlocks)), c.teller(ctx, m.GetLanguage(), req)
	t.most = maxTxLines
	every := !m.GetFilled() && m.GetAccount() == "" && !m.GetQuiet()
	if m.GetObjects() {
		c.s.fresh(ctx)
	}
	for looked, size := 0, 0; height > m.GetAbove() && len(out.Blocks) < limit && looked < maxLookedAt && size < maxLookedBytes && ctx.Err() == nil; looked++ {
		b, err := c.s.chain.Block(ctx, height)
		if fault.Is(err, fault.Pruned) {
			height = m.GetAbove()
			break
		}
		if err != nil {
			return nil, wire.Error(err)
		}
		height--
		for _, raw := range b.GetEnvelopes() {
			size += len(raw)
		}
		made := t.block(b, m)
		if len(made.Transactions) == 0 && !every {
			continue
		}
		if m.GetObjects() {
			for _, tx := range made.Transactions {
				if err := c.addObjects(ctx, tx); err != nil {
					return nil, wire.Error(err)
				}
			}
		}
		out.Blocks = append(out.Blocks, made)
	}
	if height > m.GetAbove() {
		out.Next = height + 1
	}
	return respond(out, nil)
}

// addObjects adds what a transaction has changed, as far as the index is.
func (c consoleAPI) addObjects(ctx context.Context, tx *consolev1.Transaction) error {
	steps, err := c.s.index.OfTx(ctx, tx.TxId, maxTxObjects) // each event has an object; a refused one has changed nothing
	if err != nil {
		return err
	}
	keys := objectsOf(steps)
	tx.Objects = keys[:min(len(keys), maxTxObjects)]
	return nil
}

// GetTransaction implements ConsoleService.
func (c consoleAPI) GetTransaction(ctx context.Context, req *connect.Request[consolev1.GetTransactionRequest]) (*connect.Response[consolev1.GetTransactionResponse], error) {
	id := req.Msg.GetTxId()
	if len(id) != txIDSize {
		return nil, wire.Error(fault.Newf(fault.Malformed, "a transaction id has %d bytes, not %d", txIDSize, len(id)))
	}
	tx, err := c.s.chain.Tx(ctx, id)
	if err != nil {
		return nil, wire.Error(err)
	}
	told, body := c.teller(ctx, req.Msg.GetLanguage(), req).transaction(tx.GetEnvelope(), tx.GetOutcome())
	told.Height, told.Index, told.TimeMs = tx.GetHeight(), tx.GetIndex(), tx.GetTimeMs()
	out := &consolev1.GetTransactionResponse{Transaction: told, SizeBytes: uint32(len(tx.GetEnvelope()))}
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(body)
	if err != nil {
		return nil, wire.Error(fmt.Errorf("transaction %x: %w", id, err))
	}
	out.Json = string(raw)
	c.s.fresh(ctx)
	steps, _, _, err := c.s.index.Trace(ctx, hex.EncodeToString(id), true, -1, maxPage)
	if err != nil && !fault.Is(err, fault.NotFound) { // a refused one has changed nothing
		return nil, wire.Error(err)
	}
	out.Objects = objectsOf(steps)
	return respond(out, nil)
}

func objectsOf(steps []index.Step) (keys []string) {
	for _, st := range steps {
		for _, key := range st.Event.GetObjects() {
			if !slices.Contains(keys, key) && len(keys) < maxPage {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// pending is what has happened since the last message of a Follow.
type pending struct {
	mu     sync.Mutex // guards the rest
	out    *consolev1.FollowResponse
	known  map[string]bool
	signal chan struct{} // of capacity 1: there is something
}

// add takes what the chain tells; it never waits.
func (p *pending) add(u *ledgerv1.WatchResponse) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out == nil {
		p.out, p.known = &consolev1.FollowResponse{}, map[string]bool{}
	}
	p.out.Height, p.out.TimeMs, p.out.Next = u.GetHeight(), u.GetTimeMs(), u.GetNext()
	p.out.Events += uint32(len(u.GetEvents()))
	for _, e := range u.GetEvents() {
		for _, key := range e.GetObjects() {
			switch {
			case p.known[key]:
			case len(p.out.Objects) >= maxFollowed1s:
				p.out.All = true
			default:
				p.known[key] = true
				p.out.Objects = append(p.out.Objects, key)
			}
		}
	}
	select {
	case p.signal <- struct{}{}:
	default:
	}
}

func (p *pending) take() *consolev1.FollowResponse {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.out
	p.out = nil
	return out
}

// Follow implements ConsoleService: what happens within a second goes out as one message,
// the first at once.
func (c consoleAPI) Follow(ctx context.Context, req *connect.Request[consolev1.FollowRequest], stream *connect.ServerStream[consolev1.FollowResponse]) error {
	if req.Msg.GetFrom() < -1 {
		return wire.Error(fault.Newf(fault.OutOfRange, "from %d: -1 or more", req.Msg.GetFrom()))
	}
	ctx, done := c.s.streaming(ctx)
	defer done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p, ended := &pending{signal: make(chan struct{}, 1)}, make(chan error, 1)
	go func() { // ends with ctx; waited for below
		ended <- c.s.chain.Watch(ctx, req.Msg.GetFrom(), func(u *ledgerv1.WatchResponse) error { p.add(u); return nil })
	}()
	for {
		select {
		case err := <-ended:
			return wire.Error(err)
		case <-p.signal:
		}
		if m := p.take(); m != nil {
			if err := stream.Send(m); err != nil {
				cancel()
				<-ended
				return err
			}
		}
		select {
		case err := <-ended:
			return wire.Error(err)
		case <-time.After(followInterval):
		}
	}
}
