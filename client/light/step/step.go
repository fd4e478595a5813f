// Package step is one step of a light client as a function of its inputs alone: whether a
// block of another chain may be believed by whoever believes an earlier one.
//
// It is not a client: it keeps nothing, asks nobody and has no clock. The rules of every
// validator call it, and so does the relayer that looks which steps they will take; so
// its answers are part of the chain. What is hashed and signed, package light knows.
//
//	bytes ──Read──▶ Block ──Sign──▶ its own validators stand behind it
//	                          └──▶ Trusted.Follow ──▶ and so do those trusted before
//
// # Invariants
//
//  1. A block is signed if more than 2/3 of the power of the validators whom its header
//     names signed it, each counted once. One signature for the block that does not hold
//     refuses the block: a relayer leaves it out.
//  2. The next height is believed if the header before names its validators; any later one
//     if more than [Level] of the power that is trusted signed it. Earlier ones are not.
//  3. Time rises with height, and the chain stays the same.
//  4. No input costs more than MaxValidators signatures; all that costs nothing is looked
//     at before the first of them.
//
// # Signatures
//
// Ed25519 as internal/sm has it: crypto/ed25519 of the Go release that go.mod names, keys
// in their one form and not of small order. The engine itself verifies by ZIP 215, which
// takes all that this takes and, from a signer who makes them on purpose, some more. Such
// a signature is not counted here; nodes with one Go release agree, and a chain can be
// followed as long as more than 2/3 of its power signs in the common way.
//
// Sources: CometBFT v0.40.0 light/verifier.go (VerifyAdjacent, VerifyNonAdjacent),
// types/validation.go; ICS 07 (Tendermint client).
package step

import (
	"bytes"
	"crypto/sha256"

	"mulian/client/light"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// Bounds of a block. They are part of the chain.
const (
	// MaxValidators of a chain that is followed: rules/governance allows no more.
	MaxValidators = 100
	// MaxBytes of a light block: 100 validators take some 20 KB.
	MaxBytes = 64 << 10
	// MaxPower of one validator, as rules/governance has it: sums stay far below 2^63.
	MaxPower = 1_000_000
	// maxSeconds is the end of the year 2199: in milliseconds far below 2^63.
	maxSeconds = 7_258_118_399
)

const (
	flagCommit   = 2  // the validator signed this block (types.BlockIDFlagCommit)
	addressBytes = 20 // of SHA-256 of the key
)

// Level is how much of the trusted power has to stand behind a header that is not the next.
type Level uint8

// The levels, by their numbers in the schema.
const (
	OneThird  Level = 1
	TwoThirds Level = 2
)

// Validator of a trusted set.
type Validator struct {
	PublicKey []byte // Ed25519
	Power     int64
}

// Trusted is what is believed of a chain.
type Trusted struct {
	ChainID    string
	Height     int64
	Hash       [32]byte
	TimeMs     int64
	Next       []byte // hash of the validators of the next height
	Validators []Validator
}

// Block is a block whose parts fit together; whether it is signed, [Block.Sign] tells.
type Block struct {
	Height     int64
	Hash       [32]byte
	AppHash    [32]byte // state after block Height-1
	TimeMs     int64
	Set        [32]byte // hash of its validators
	Next       []byte
	Validators []Validator
	Signatures int // for this block, to be verified

	chainID string
	commit  *ledgerv1.Commit
	signed  map[string]bool // by key; nil before Sign
}

// Read decodes a light block in its one byte form and checks all that needs no signature:
// bounds, that it is of the chain, that the commit is for this header and the validators
// are those whom it names. TooLong, Malformed, WrongChain or VerificationFailed.
func Read(chainID string, raw []byte) (*Block, error) {
	if len(raw) > MaxBytes {
		return nil, fault.Newf(fault.TooLong, "a light block of %d bytes, at most %d", len(raw), MaxBytes)
	}
	m := &ledgerv1.LightBlock{}
	if err := canon.Check(raw, m); err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "light block")
	}
	h, c, set := m.GetSignedHeader().GetHeader(), m.GetSignedHeader().GetCommit(), m.GetValidatorSet().GetValidators()
	if err := checkHeader(chainID, h, c); err != nil {
		return nil, err
	}
	b := &Block{
		Height: h.GetHeight(), Hash: light.HeaderHash(h), AppHash: [32]byte(h.GetAppHash()), TimeMs: h.GetTime().AsTime().UnixMilli(),
		Next: h.GetNextValidatorsHash(), chainID: chainID, commit: c,
	}
	if !bytes.Equal(c.GetBlockId().GetHash(), b.Hash[:]) {
		return nil, refuse("the commit of height %d is for another header", b.Height)
	}
	if err := b.readValidators(set); err != nil {
		return nil, err
	}
	if b.Set = light.SetHash(set); !bytes.Equal(b.Set[:], h.GetValidatorsHash()) {
		return nil, refuse("the validators are not those whom header %d names", b.Height)
	}
	return b, nil
}

func checkHeader(chainID string, h *ledgerv1.Header, c *ledgerv1.Commit) error {
	switch {
	case h == nil || c == nil:
		return refuse("header or commit is missing")
	case h.GetChainId() != chainID:
		return fault.Newf(fault.WrongChain, "a header of chain %.60q, not %s", h.GetChainId(), chainID)
	case h.GetHeight() < 1 || c.GetHeight() != h.GetHeight():
		return refuse("a header of height %d with a commit of height %d", h.GetHeight(), c.GetHeight())
	case h.GetTime().CheckValid() != nil || h.GetTime().GetSeconds() < 0 || h.GetTime().GetSeconds() > maxSeconds:
		return refuse("the time of header %d is none", h.GetHeight())
	case len(h.GetAppHash()) != sha256.Size:
		return refuse("header %d has an app hash of %d bytes", h.GetHeight(), len(h.GetAppHash()))
	case len(h.GetNextValidatorsHash()) != sha256.Size:
		return refuse("header %d names no next validators", h.GetHeight())
	}
	return nil
}

func (b *Block) readValidators(set []*ledgerv1.ConsensusValidator) error {
	sigs := b.commit.GetSignatures()
	switch {
	case len(set) == 0 || len(set) > MaxValidators:
		return refuse("%d validators: 1 to %d are possible", len(set), MaxValidators)
	case len(sigs) != len(set):
		return refuse("%d signatures of %d validators", len(sigs), len(set))
	}
	seen := make(map[string]bool, len(set))
	for i, v := range set {
		key, power := v.GetPubKey().GetEd25519(), v.GetVotingPower()
		switch {
		case power < 1 || power > MaxPower:
			return refuse("validator %d has power %d: 1 to %d are possible", i, power, MaxPower)
		case seen[string(key)]:
			return refuse("validator %d stands twice in the set", i)
		}
		seen[string(key)] = true
		b.Validators = append(b.Validators, Validator{PublicKey: key, Power: power})
		if sigs[i].GetBlockIdFlag() == flagCommit {
			b.Signatures++
		}
	}
	return nil
}

// Sign verifies the signatures: more than 2/3 of the block's own power have to stand
// behind it. VerificationFailed.
func (b *Block) Sign() error {
	var own, all, given int64
	for i, v := range b.Validators {
		all += v.Power
		if b.commit.GetSignatures()[i].GetBlockIdFlag() == flagCommit {
			given += v.Power
		}
	}
	if given*3 <= all*2 {
		return refuse("header %d is signed by %d of %d voting power, more than 2/3 are needed", b.Height, given, all)
	}
	signed := make(map[string]bool, len(b.Validators))
	for i, v := range b.Validators {
		s := b.commit.GetSignatures()[i]
		if s.GetBlockIdFlag() != flagCommit {
			continue
		}
		if !b.holds(v.PublicKey, s) {
			return refuse("signature %d of header %d does not hold", i, b.Height)
		}
		signed[string(v.PublicKey)] = true
		own += v.Power
	}
	b.signed = signed
	return nil
}

func (b *Block) holds(key []byte, s *ledgerv1.CommitSig) bool {
	sum := sha256.Sum256(key)
	if !bytes.Equal(s.GetValidatorAddress(), sum[:addressBytes]) || s.GetTimestamp().CheckValid() != nil {
		return false
	}
	k, err := sm.ParsePublic(sm.Ed25519, key)
	return err == nil && k.Verify(light.VoteBytes(b.chainID, b.commit, s), s.GetSignature())
}

// Vouched refuses a signed block unless more than the level of the validators' power
// signed it. VerificationFailed that wraps [light.ErrUnvouched]. It panics before
// [Block.Sign].
func (b *Block) Vouched(by []Validator, level Level) error {
	if b.signed == nil {
		panic("step: nobody has looked at the signatures yet")
	}
	var old, all int64
	for _, v := range by {
		all += v.Power
		if b.signed[string(v.PublicKey)] {
			old += v.Power
		}
	}
	of := int64(1)
	if level == TwoThirds {
		of = 2
	}
	if old*3 <= all*of {
		return unvouched("header %d is signed by %d of the %d voting power that is trusted so far, more than %d/3 are needed", b.Height, old, all, of)
	}
	return nil
}

// Follow verifies a block and returns what is believed with it. VersionConflict if it is
// not newer than what is believed already, else VerificationFailed.
func (t Trusted) Follow(b *Block, level Level) (Trusted, error) {
	switch {
	case b.chainID != t.ChainID:
		return t, fault.Newf(fault.WrongChain, "a block of chain %.60q, not %s", b.chainID, t.ChainID)
	case b.Height <= t.Height:
		return t, fault.Newf(fault.VersionConflict, "header %d: %d is believed already", b.Height, t.Height)
	case b.TimeMs <= t.TimeMs:
		return t, refuse("header %d is not later than header %d", b.Height, t.Height)
	case b.Height == t.Height+1 && !bytes.Equal(b.Set[:], t.Next):
		return t, unvouched("the validators of header %d are not those whom the header before names", b.Height)
	}
	if err := b.Sign(); err != nil {
		return t, err
	}
	if b.Height > t.Height+1 {
		if err := b.Vouched(t.Validators, level); err != nil {
			return t, err
		}
	}
	return b.Trusted(), nil
}

// Trusted is what is believed with the block, by whoever believes it.
func (b *Block) Trusted() Trusted {
	return Trusted{ChainID: b.chainID, Height: b.Height, Hash: b.Hash, TimeMs: b.TimeMs, Next: b.Next, Validators: b.Validators}
}

func refuse(format string, args ...any) error {
	return fault.Newf(fault.VerificationFailed, format, args...)
}

func unvouched(format string, args ...any) error {
	return fault.Wrap(fault.VerificationFailed, light.ErrUnvouched, format, args...)
}
