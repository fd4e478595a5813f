package client

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/internal/wire"
)

// Domain stands before the body in what is hashed to a transaction's id, and
// SignDomain before the id in what is signed.
const (
	Domain     = "mulian-tx-v1\x00"
	SignDomain = "mulian-tx-sign-v1\x00"
)

// ID returns the id of a transaction from the bytes of its body.
func ID(body []byte) [32]byte { return sha256.Sum256(append([]byte(Domain), body...)) }

// Signed returns what is signed of a transaction.
func Signed(id [32]byte) []byte { return append([]byte(SignDomain), id[:]...) }

// Lifetime is how long an envelope of ours counts. Long enough for a slow
// consortium and some seconds of clock skew, short enough that "unknown" soon
// becomes "never"; the ledger allows at most 10 minutes.
const Lifetime = 2 * time.Minute

// MaxEnvelope is the largest envelope that a server takes, in bytes. The consortium
// may have set a smaller bound; it tells so itself.
const MaxEnvelope = 1 << 20

// defaultTimeout is how long Send waits when the context has no end.
const defaultTimeout = 30 * time.Second

// Signer is who signs: an account and one of its keys.
type Signer struct {
	Account string
	Key     sm.PrivateKey
}

// Envelope is a signed transaction, ready to be sent as often as needed.
type Envelope struct {
	Raw  []byte // mulian.tx.v1.Envelope
	ID   [32]byte
	Body *txv1.Body
}

// Receipt says that a transaction is in a committed block.
type Receipt struct {
	TxID   [32]byte
	Height int64
	IDs    []string // ids that it made, in order
}

// Msg wraps the message of a verb ("share.v1.FileRequest") into the envelope's
// union. It panics for a message that is no verb: a mistake of the programmer.
func Msg(m proto.Message) *txv1.Message {
	out := &txv1.Message{}
	r := out.ProtoReflect()
	fields := r.Descriptor().Oneofs().ByName("kind").Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); f.Message().FullName() == m.ProtoReflect().Descriptor().FullName() {
			r.Set(f, protoreflect.ValueOfMessage(m.ProtoReflect()))
			return out
		}
	}
	panic(fmt.Sprintf("client: %s is no verb of a transaction", m.ProtoReflect().Descriptor().FullName()))
}

// Sign makes an envelope that counts for [Lifetime] from now.
func Sign(chainID string, s Signer, now time.Time, messages ...proto.Message) (*Envelope, error) {
	d, err := Prepare(chainID, s.Account, now, messages...)
	if err != nil {
		return nil, err
	}
	return d.Sign(s.Key)
}

// SignBody signs a body as it is.
func SignBody(body *txv1.Body, key sm.PrivateKey) (*Envelope, error) {
	d, err := draft(body)
	if err != nil {
		return nil, err
	}
	return d.Sign(key)
}

// Send signs the messages as one transaction, all or nothing, and waits until it
// is committed. A refusal is a *fault.Fault with the ledger's code; Timeout means
// that the outcome is unknown.
func (c *Client) Send(ctx context.Context, s Signer, messages ...proto.Message) (*Receipt, error) {
	chainID, err := c.ChainID(ctx)
	if err != nil {
		return nil, err
	}
	env, err := Sign(chainID, s, c.now(), messages...)
	if err != nil {
		return nil, err
	}
	return c.Submit(ctx, env)
}

// Submit sends an envelope and waits. While the server cannot be reached or is
// busy it tries again, with the same bytes, until the context or the envelope
// ends: the ledger carries out an envelope once.
func (c *Client) Submit(ctx context.Context, env *Envelope) (*Receipt, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, defaultTimeout)
		defer cancel()
	}
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		res, err := c.Ledger.Submit(ctx, connect.NewRequest(&ledgerv1.SubmitRequest{Envelope: env.Raw}))
		if err == nil {
			return receipt(env, res.Msg)
		}
		err = wire.Fault(err)
		switch fault.CodeOf(err) {
		case fault.Unreachable, fault.Busy:
		default:
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(wait):
		}
	}
}

func receipt(env *Envelope, res *ledgerv1.SubmitResponse) (*Receipt, error) {
	o := res.GetOutcome()
	if o.GetCode() != 0 {
		return nil, &fault.Fault{Code: fault.Code(o.GetCode()), Rule: o.GetRule(), Item: o.GetItem(), Text: res.GetText()}
	}
	return &Receipt{TxID: env.ID, Height: o.GetHeight(), IDs: o.GetIds()}, nil
}
