package client

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client/light"
	governancev1 "mulian/gen/mulian/governance/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/internal/wire"
	"mulian/state/proof"
)

// GenesisDomain stands before the genesis bytes in what founders sign.
const GenesisDomain = "mulian-genesis-v1\x00"

// Genesis is a genesis file that every founder signed.
type Genesis struct {
	*governancev1.Genesis
	Hash [32]byte // SHA-256 of the signed genesis bytes: what a stranger pins
}

// ParseGenesis reads a genesis file and checks every founder's signature by a
// ROOT key that the genesis itself names. Whether these are the right founders
// only its hash tells, obtained on another way.
func ParseGenesis(file []byte) (*Genesis, error) {
	var signed governancev1.SignedGenesis
	if err := canon.Check(file, &signed); err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "genesis file")
	}
	g := &governancev1.Genesis{}
	if err := canon.Check(signed.GetGenesis(), g); err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "genesis")
	}
	if len(g.GetFounders()) == 0 || len(g.GetValidators()) == 0 {
		return nil, fault.Newf(fault.Missing, "a genesis has at least one founder and one validator")
	}
	message := append([]byte(GenesisDomain), signed.GetGenesis()...)
	for _, f := range g.GetFounders() {
		if !founderSigned(f, message, signed.GetSignatures()) {
			return nil, fault.Newf(fault.VerificationFailed, "the genesis is not signed by its founder %s", f.GetCode())
		}
	}
	return &Genesis{Genesis: g, Hash: sha256.Sum256(signed.GetGenesis())}, nil
}

func founderSigned(f *governancev1.Founder, message []byte, sigs []*governancev1.FounderSignature) bool {
	for _, s := range sigs {
		if s.GetOrg() != f.GetCode() {
			continue
		}
		for _, k := range f.GetKeys() {
			pub, err := sm.ParsePublic(sm.Algorithm(k.GetAlgorithm()), k.GetPublicKey())
			if err == nil && pub.ID() == s.GetKey() && k.GetLevel() == 3 && pub.Verify(message, s.GetSignature()) {
				return true
			}
		}
	}
	return false
}

// Verified reads objects with their proofs, from a server that need not be
// trusted: each value is checked against a header that the consortium signed. It
// is safe for concurrent use.
type Verified struct {
	c *Client

	mu    sync.Mutex // guards trust
	trust *light.Trust
}

// Verify returns a reader that trusts nothing but the genesis.
func (c *Client) Verify(g *Genesis) *Verified {
	var set []light.Validator
	for _, v := range g.GetValidators() {
		set = append(set, light.Validator{PublicKey: ed25519.PublicKey(bytes.Clone(v.GetPublicKey())), Power: int64(v.GetPower())})
	}
	return &Verified{c: c, trust: light.New(g.GetChainId(), set)}
}

// proofWait bounds the waiting for the header that carries a state's hash: it is
// in the next block, which the engine makes at once.
const proofWait = 5 * time.Second

// Get reads the object at key into m and proves it. at is the header that
// carries the proof: the object was so after block at.Height-1, at block time
// at.Time. VerificationFailed if the server's answer is not proved, or is of a state
// before one that this reader had believed already: a right that was withdrawn does
// not come back.
func (v *Verified) Get(ctx context.Context, key string, m proto.Message) (found bool, at light.Header, err error) {
	ctx, cancel := context.WithTimeout(ctx, proofWait)
	defer cancel()
	before := v.Head() // of the time of asking: others read at the same time
	res, err := v.c.Ledger.GetObject(ctx, connect.NewRequest(&ledgerv1.GetObjectRequest{Key: key, Prove: true}))
	if err != nil {
		return false, at, wire.Fault(err)
	}
	var value []byte
	if res.Msg.GetFound() {
		value = append([]byte{}, res.Msg.GetValue()...) // not nil, even if empty
	}
	p, err := proof.FromWire(res.Msg.GetProof(), []byte(key), value)
	if err != nil {
		return false, at, fault.Wrap(fault.VerificationFailed, err, "%s", key)
	}
	if at, err = v.header(ctx, p.Height+1); err != nil {
		return false, at, err
	}
	if at.Height < before.Height {
		return false, at, fault.Newf(fault.VerificationFailed, "%s is of height %d, the server had shown %d before", key, p.Height, before.Height-1)
	}
	if err := proof.VerifyKey(at.AppHash, []byte(key), value, p); err != nil {
		return false, at, &fault.Fault{Code: fault.VerificationFailed, Text: fmt.Sprintf("%s at height %d", key, p.Height), Err: err}
	}
	if value == nil {
		return false, at, nil
	}
	if err := proto.Unmarshal(value, m); err != nil {
		return false, at, &fault.Fault{Code: fault.Damaged, Text: fmt.Sprintf("%s is no such object", key), Err: err}
	}
	return true, at, nil
}

// header fetches and believes the header of a height, waiting for its block. The newest that
// was believed is not fetched again: between two blocks each proof leads to it.
func (v *Verified) header(ctx context.Context, height int64) (light.Header, error) {
	if last := v.Head(); last.Height == height {
		return last, nil
	}
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		res, err := v.c.Ledger.GetHeader(ctx, connect.NewRequest(&ledgerv1.GetHeaderRequest{Height: height}))
		if err == nil {
			v.mu.Lock()
			h, err := v.trust.Verify(res.Msg.GetLightBlock())
			v.mu.Unlock()
			if err == nil && h.Height != height {
				err = fault.Newf(fault.VerificationFailed, "asked for header %d, got %d", height, h.Height)
			}
			return h, err
		}
		if err = wire.Fault(err); fault.CodeOf(err) != fault.NotFound {
			return light.Header{}, err
		}
		select {
		case <-ctx.Done():
			return light.Header{}, err
		case <-time.After(wait):
		}
	}
}

// Head returns the newest header that was believed.
func (v *Verified) Head() light.Header {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.trust.Last()
}
