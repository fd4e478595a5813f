package foreign

import (
	"context"
	"crypto/sha256"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/light/step"
	foreignv1 "mulian/gen/mulian/foreign/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/wire"
	"mulian/state/proof"
)

const (
	// headerWait bounds the waiting for the block that carries a state's hash: the engine
	// makes it at once.
	headerWait = 10 * time.Second
	// attempts to have a proof accepted while others bring newer headers.
	attempts = 5
)

// Prove asks a server there for an object, or its absence, with its proof and the block
// that carries it, and checks that they fit; whether the block is the consortium's own,
// the ledger here decides. open shows the object there to everybody; else its hash alone
// goes.
func Prove(ctx context.Context, there *client.Client, key string, open bool) (*foreignv1.ForeignProof, error) {
	chainID, err := there.ChainID(ctx)
	if err != nil {
		return nil, err
	}
	res, err := there.Ledger.GetObject(ctx, connect.NewRequest(&ledgerv1.GetObjectRequest{Key: key, Prove: true}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	var value []byte
	if res.Msg.GetFound() {
		value = append([]byte{}, res.Msg.GetValue()...)
	}
	k, err := proof.FromWire(res.Msg.GetProof(), []byte(key), value)
	if err != nil {
		return nil, fault.Wrap(fault.VerificationFailed, err, "%s", key)
	}
	raw, err := blockWhenMade(ctx, there, k.Height+1)
	if err != nil {
		return nil, err
	}
	b, err := step.Read(chainID, raw)
	if err != nil {
		return nil, err
	}
	if err := proof.VerifyKey(b.AppHash, []byte(key), value, k); err != nil {
		return nil, fault.Wrap(fault.VerificationFailed, err, "%s at height %d", key, k.Height)
	}
	state, err := canon.Marshal(res.Msg.GetProof())
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "proof of %s", key)
	}
	m := &foreignv1.AcceptForeignProof{ChainId: chainID, Height: b.Height, Key: key, StateProof: state}
	switch {
	case value != nil && open:
		m.Value = value
	case value != nil:
		sum := sha256.Sum256(value)
		m.ValueHash = sum[:]
	}
	return &foreignv1.ForeignProof{Proof: m, LightBlock: raw}, nil
}

// blockWhenMade waits for the block of a height.
func blockWhenMade(ctx context.Context, there *client.Client, height int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, headerWait)
	defer cancel()
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 200*time.Millisecond) {
		raw, err := Block(ctx, there, height)
		if err == nil || !fault.Is(err, fault.NotFound) {
			return raw, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(wait):
		}
	}
}

// Accept proves an object of the chain there and has it accepted here, with the headers
// that lead to it. If others bring newer headers meanwhile it proves again.
func (r *Relay) Accept(ctx context.Context, key string, open bool) (*foreignv1.ForeignReference, error) {
	var last error
	for range attempts {
		p, err := Prove(ctx, r.There, key, open)
		if err != nil {
			return nil, err
		}
		ref, err := r.AcceptProof(ctx, p)
		if err == nil || !fault.Is(err, fault.VersionConflict) && !fault.Is(err, fault.NotFound) {
			return ref, err
		}
		if _, err := r.Followed(ctx); err != nil { // what was not found is the chain itself
			return nil, err
		}
		last = err
		select {
		case <-ctx.Done():
			return nil, last
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil, last
}

// AcceptProof has a proof accepted that was made before, perhaps by another. The reference
// is nil if nothing was sent.
func (r *Relay) AcceptProof(ctx context.Context, p *foreignv1.ForeignProof) (*foreignv1.ForeignReference, error) {
	c, err := r.Followed(ctx)
	if err != nil {
		return nil, err
	}
	m := proto.CloneOf(p.GetProof())
	if m.GetChainId() != r.Chain {
		return nil, fault.Newf(fault.WrongChain, "a proof of chain %.60q, not %s", m.GetChainId(), r.Chain)
	}
	var messages []proto.Message
	if m.GetHeight() > c.GetHeight() {
		packed, err := r.lead(ctx, c, p)
		if err != nil {
			return nil, err
		}
		for _, u := range packed[:len(packed)-1] {
			if _, err := r.Send(ctx, u); err != nil {
				return nil, err
			}
		}
		messages = append(messages, packed[len(packed)-1])
	} else if err := r.rebase(ctx, c, m); err != nil {
		return nil, err
	}
	if done, err := r.Send(ctx, append(messages, m)...); err != nil || done == nil {
		return nil, err
	}
	ref := &foreignv1.ForeignReference{}
	if ok, err := r.Here.Get(ctx, "foreign/reference/"+r.Chain+"/"+m.GetKey(), ref); err != nil || !ok {
		return nil, fault.Newf(fault.Internal, "the proof was accepted, and the server does not show it: %v", err)
	}
	return ref, nil
}

// lead is the messages that lead the ledger here to the block of a proof; the last ends
// with it. If the block is believed at once the chain there need not be asked.
func (r *Relay) lead(ctx context.Context, c *foreignv1.ForeignChain, p *foreignv1.ForeignProof) ([]*foreignv1.UpdateForeignHeaders, error) {
	b, err := step.Read(r.Chain, p.GetLightBlock())
	if err != nil {
		return nil, err
	}
	path := [][]byte{p.GetLightBlock()}
	if _, err := believed(c).Follow(b, step.Level(c.GetTrustLevel())); err != nil {
		if r.There == nil {
			return nil, err
		}
		if path, err = r.path(ctx, c, b.Height); err != nil {
			return nil, err
		}
	}
	return pack(r.Chain, path)
}

// rebase puts the proof under a header that is kept here: its own, or the newest one if
// nothing has changed there since.
func (r *Relay) rebase(ctx context.Context, c *foreignv1.ForeignChain, m *foreignv1.AcceptForeignProof) error {
	w := &ledgerv1.StateProof{}
	if err := canon.Check(m.GetStateProof(), w); err != nil {
		return fault.Wrap(fault.Malformed, err, "proof of %s", m.GetKey())
	}
	for _, height := range []int64{c.GetHeight(), m.GetHeight()} {
		h := &foreignv1.ForeignHeader{}
		ok, err := r.Here.Get(ctx, headerKey(r.Chain, height), h)
		if err != nil {
			return err
		}
		if ok && len(h.GetAppHash()) == sha256.Size && holds(m, w, proof.Hash(h.GetAppHash())) {
			m.Height = height
			return nil
		}
	}
	return fault.Newf(fault.VersionConflict, "header %d of %s is not kept here, and there has been another state since: make the proof again", m.GetHeight(), r.Chain)
}

func holds(m *foreignv1.AcceptForeignProof, w *ledgerv1.StateProof, app proof.Hash) bool {
	var value []byte
	if len(m.GetValue()) > 0 {
		value = m.GetValue()
	}
	k, err := proof.FromWire(w, []byte(m.GetKey()), value)
	if err != nil {
		return false
	}
	if len(m.GetValueHash()) == sha256.Size {
		return proof.VerifyKeyHash(app, k.Key, proof.Hash(m.GetValueHash()), k) == nil
	}
	return proof.VerifyKey(app, k.Key, value, k) == nil
}
