// Package foreign is the relayer between two consortia: it carries headers and proofs of
// one chain ("there") to the ledger of another ("here"), which checks them by itself.
//
// Nobody has to trust it: it can be late, and it can stay away, and then somebody else with
// any account does the same. It keeps nothing: where it goes on is what the ledger here
// says of the chain there.
//
//	there ──GetHeader, GetObject──▶ Relay ──UpdateForeignHeaders, AcceptForeignProof──▶ here
//	                                  │ two headers of one height
//	                                  └────────FreezeForeignChain─────────────────────▶ here
//
// # Invariants
//
//  1. Nothing is sent that package step or package proof refuses: a server there that lies
//     is found before it costs a transaction.
//  2. Of a commit only signatures are sent that hold: see package step on what a validator
//     could sign on purpose.
//  3. The header that a proof needs and the proof go in one transaction.
package foreign

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/light"
	"mulian/client/light/step"
	foreignv1 "mulian/gen/mulian/foreign/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/internal/wire"
)

const (
	// maxHeaders and maxSignatures of one message, from the schema.
	maxHeaders    = 8
	maxSignatures = 200
	// maxPath bounds how many headers lead from one that is believed to another: each is
	// there because a third of the validators changed.
	maxPath = 4096
)

// Block returns the light block of a height there (0 = the newest) as the ledger takes it:
// in its one byte form, without signatures that do not hold. It is checked no further.
func Block(ctx context.Context, there *client.Client, height int64) ([]byte, error) {
	res, err := there.Ledger.GetHeader(ctx, connect.NewRequest(&ledgerv1.GetHeaderRequest{Height: height}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	return Fit(res.Msg.GetLightBlock())
}

// Fit writes a light block in its one byte form and leaves out the signatures that do not
// hold, and those for no block.
func Fit(raw []byte) ([]byte, error) {
	b := &ledgerv1.LightBlock{}
	if len(raw) > light.MaxBytes {
		return nil, fault.Newf(fault.TooLong, "a light block of %d bytes", len(raw))
	}
	if err := proto.Unmarshal(raw, b); err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "light block")
	}
	c, set := b.GetSignedHeader().GetCommit(), b.GetValidatorSet()
	if c == nil || set == nil {
		return nil, fault.Newf(fault.Malformed, "a light block without commit or validators")
	}
	set.ProtoReflect().SetUnknown(nil) // the engine names the proposer and the sum beside the validators
	for i, v := range set.GetValidators() {
		v.ProtoReflect().SetUnknown(nil) // and each one's turn
		if i < len(c.Signatures) && !counts(b.GetSignedHeader(), c.Signatures[i], v) {
			c.Signatures[i] = &ledgerv1.CommitSig{BlockIdFlag: 1}
		}
	}
	return canon.Marshal(b)
}

func counts(h *ledgerv1.SignedHeader, s *ledgerv1.CommitSig, v *ledgerv1.ConsensusValidator) bool {
	if s.GetBlockIdFlag() != 2 || s.GetTimestamp().CheckValid() != nil {
		return false
	}
	k, err := sm.ParsePublic(sm.Ed25519, v.GetPubKey().GetEd25519())
	return err == nil && k.Verify(light.VoteBytes(h.GetHeader().GetChainId(), h.GetCommit(), s), s.GetSignature())
}

// Terms are what a consortium decides of a chain beside its root.
type Terms struct {
	Name     string
	Level    foreignv1.TrustLevel
	MaxAge   time.Duration
	MaxDrift time.Duration
}

// Root proves the newest block of the chain there from its genesis, whose hash the caller
// has from another source, and returns it as a root to vote on.
func Root(ctx context.Context, there *client.Client, genesis [32]byte, t Terms) (*foreignv1.TrustRoot, error) {
	res, err := there.Ledger.GetGenesis(ctx, connect.NewRequest(&ledgerv1.GetGenesisRequest{}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	g, err := client.ParseGenesis(res.Msg.GetSignedGenesis())
	if err != nil {
		return nil, err
	}
	if g.Hash != genesis {
		return nil, fault.Newf(fault.VerificationFailed, "the genesis of %s has the hash %x, not %x", there.URL(), g.Hash, genesis)
	}
	var set []light.Validator
	for _, v := range g.GetValidators() {
		set = append(set, light.Validator{PublicKey: v.GetPublicKey(), Power: int64(v.GetPower())})
	}
	trust := light.New(g.GetChainId(), set)
	newest, err := Block(ctx, there, 0)
	if err != nil {
		return nil, err
	}
	head, err := step.Read(g.GetChainId(), newest)
	if err != nil {
		return nil, err
	}
	path, err := walk(ctx, there, head.Height, func(raw []byte) (int64, error) {
		_, err := trust.Verify(raw)
		return trust.Last().Height, err
	})
	if err != nil {
		return nil, err
	}
	return &foreignv1.TrustRoot{
		ChainId: g.GetChainId(), Name: t.Name, GenesisHash: g.Hash[:], LightBlock: path[len(path)-1], TrustLevel: t.Level,
		MaxAgeSeconds: uint32(t.MaxAge / time.Second), MaxDriftSeconds: uint32(t.MaxDrift / time.Second),
	}, nil
}

// walk finds the blocks that lead to a height: the farthest one that is believed, then on
// from there. try believes a block or refuses it with [light.ErrUnvouched], and tells the
// height that is believed.
func walk(ctx context.Context, there *client.Client, to int64, try func(raw []byte) (int64, error)) (path [][]byte, err error) {
	goals := []int64{to}
	for len(goals) > 0 {
		goal := goals[len(goals)-1]
		raw, err := Block(ctx, there, goal)
		if err != nil {
			return nil, err
		}
		at, err := try(raw)
		middle := at + (goal-at)/2
		switch {
		case err == nil:
			path, goals = append(path, raw), goals[:len(goals)-1]
		case !errors.Is(err, light.ErrUnvouched) || middle <= at:
			return nil, err
		case len(path)+len(goals) > maxPath:
			return nil, fault.Newf(fault.TooLong, "more than %d headers lead to height %d", maxPath, to)
		default:
			goals = append(goals, middle)
		}
	}
	return path, nil
}

// Relay carries what one chain shows to the ledger of another.
type Relay struct {
	Here  *client.Client
	There *client.Client
	Chain string // id of the chain there
	// Send signs messages by any account here as one transaction, and returns when it is
	// committed: see [By]. A nil receipt without an error says that nothing was sent.
	Send func(ctx context.Context, messages ...proto.Message) (*client.Receipt, error)
}

// By signs with one key, without asking anybody: [Relay].Send of a relayer that runs by
// itself.
func By(here *client.Client, s client.Signer) func(context.Context, ...proto.Message) (*client.Receipt, error) {
	return func(ctx context.Context, messages ...proto.Message) (*client.Receipt, error) {
		return here.Send(ctx, s, messages...)
	}
}

// Followed is what the ledger here says of the chain there. NotFound if it is not
// followed, ForeignFrozen if nothing is taken of it.
func (r *Relay) Followed(ctx context.Context) (*foreignv1.ForeignChain, error) {
	c := &foreignv1.ForeignChain{}
	ok, err := r.Here.Get(ctx, "foreign/chain/"+r.Chain, c)
	switch {
	case err != nil:
		return nil, err
	case !ok || c.GetState() == foreignv1.ForeignState_FOREIGN_STATE_REMOVED:
		return nil, fault.Newf(fault.NotFound, "the chain %s is not followed here: mulian foreign register", r.Chain)
	case c.GetState() != foreignv1.ForeignState_FOREIGN_STATE_ACTIVE:
		return nil, fault.Newf(fault.ForeignFrozen, "%s is frozen since two headers of height %d were shown", r.Chain, c.GetEquivocation().GetHeight())
	}
	return c, nil
}

// path finds the blocks that lead the ledger here to a height there; 0 = the newest.
func (r *Relay) path(ctx context.Context, c *foreignv1.ForeignChain, to int64) ([][]byte, error) {
	if to == 0 {
		st, err := r.There.Status(ctx)
		if err != nil {
			return nil, err
		}
		to = st.GetHeight()
	}
	if to <= c.GetHeight() {
		return nil, nil
	}
	at := believed(c)
	return walk(ctx, r.There, to, func(raw []byte) (int64, error) {
		b, err := step.Read(c.GetChainId(), raw)
		if err != nil {
			return at.Height, err
		}
		next, err := at.Follow(b, step.Level(c.GetTrustLevel()))
		if err == nil {
			at = next
		}
		return at.Height, err
	})
}

func believed(c *foreignv1.ForeignChain) step.Trusted {
	t := step.Trusted{ChainID: c.GetChainId(), Height: c.GetHeight(), TimeMs: c.GetTimeMs(), Next: c.GetNextValidatorsHash()}
	copy(t.Hash[:], c.GetHeaderHash())
	for _, v := range c.GetValidators() {
		t.Validators = append(t.Validators, step.Validator{PublicKey: v.GetPublicKey(), Power: v.GetPower()})
	}
	return t
}

// Advance brings the headers that lead the ledger here to a height there (0 = the newest)
// and tells how many it brought. What others brought meanwhile is no fault.
func (r *Relay) Advance(ctx context.Context, to int64) (headers int, err error) {
	c, err := r.Followed(ctx)
	if err != nil {
		return 0, err
	}
	path, err := r.path(ctx, c, to)
	if err != nil {
		return 0, err
	}
	messages, err := pack(r.Chain, path)
	if err != nil {
		return 0, err
	}
	for _, m := range messages {
		switch _, err := r.Send(ctx, m); {
		case fault.Is(err, fault.VersionConflict): // another relayer was faster
			return headers, nil
		case err != nil:
			return headers, err
		}
		headers += len(m.LightBlocks)
	}
	return headers, nil
}

// pack fills messages with blocks, as many as one may have.
func pack(chainID string, path [][]byte) (out []*foreignv1.UpdateForeignHeaders, err error) {
	room := 0
	for _, raw := range path {
		b, err := step.Read(chainID, raw)
		if err != nil {
			return nil, err
		}
		if len(out) == 0 || room < b.Signatures || len(out[len(out)-1].LightBlocks) == maxHeaders {
			out, room = append(out, &foreignv1.UpdateForeignHeaders{ChainId: chainID}), maxSignatures
		}
		last := out[len(out)-1]
		last.LightBlocks, room = append(last.LightBlocks, raw), room-b.Signatures
	}
	return out, nil
}

// Freeze shows two blocks of one height to the ledger here.
func (r *Relay) Freeze(ctx context.Context, first, second []byte) (*client.Receipt, error) {
	return r.Send(ctx, &foreignv1.FreezeForeignChain{ChainId: r.Chain, First: first, Second: second})
}

// differ tells whether two blocks are two headers of one height.
func differ(chainID string, first, second []byte) (bool, error) {
	a, err := step.Read(chainID, first)
	if err != nil {
		return false, err
	}
	b, err := step.Read(chainID, second)
	if err != nil {
		return false, err
	}
	if a.Height != b.Height {
		return false, fmt.Errorf("heights %d and %d", a.Height, b.Height)
	}
	return !bytes.Equal(a.Hash[:], b.Hash[:]), nil
}

// headerKey is where the ledger here keeps a header of the chain there.
func headerKey(chainID string, height int64) string {
	return fmt.Sprintf("foreign/header/%s/%016x", chainID, height)
}
