// Package light checks the engine's signed headers without the engine: whoever
// holds the genesis, or its hash, can tell whether a header was really committed
// by the consortium.
//
// It is not a node and not a store: it keeps the last header that it believed,
// and nothing else. It trusts no server: a lying one is refused here.
//
//	genesis ──New──▶ Trust ──Verify(block)──▶ Trust (newer)
//	checkpoint ─At─▶  ▲         │ refused
//	                            ▼
//	                        VerificationFailed, Trust unchanged
//
// # Invariants
//
//  1. Verify believes a header only if more than 2/3 of the voting power of its
//     own validator set signed it, and more than 1/3 of the last believed set did
//     (light client rule of Tendermint: one honest validator of the old set has
//     then vouched for the new one).
//  2. The believed height never falls, and a higher block is of a later time.
//  3. A second, different header at the believed height is refused as a fork.
//  4. An SM2 certificate counts only signatures by keys that the consortium has
//     pinned, each validator once, of more than 2/3 of all power ([VerifySM2]).
//
// There is no trusting period: validators of a consortium are known organisations
// that answer for their keys, not anonymous stake (spec/engine.md, section 6). The
// price: whoever holds keys of more than 1/3 of the power of a set that was once in force
// can lead a reader who trusts that set astray, however old it is. Who fears it begins at a
// checkpoint ([At]) that is younger than the change of the validators.
//
// More than 1/3 is the engine's own level (cometbft light.DefaultTrustLevel): if at most 1/3
// of a set lies, one of those who signed does not, and it signs no block that the consortium
// has not committed. Less would prove nothing, more would only cost more blocks as long as
// that holds.
//
// Sources: CometBFT v0.40.0 types/block.go (header hash), types/canonical.go
// (what a vote signs), light/verifier.go.
package light

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
)

// Bounds of a light block: our consortia have far fewer validators.
const (
	MaxBytes      = 1 << 20
	MaxValidators = 1000
	maxPower      = int64(1) << 60 / MaxValidators // sums cannot overflow
)

// What a place in a commit says (types.BlockIDFlag).
const (
	flagAbsent = 1 // the validator did not sign
	flagCommit = 2 // it signed this block
	flagNil    = 3 // it signed that there was none
)

// Header is what a believed block says.
type Header struct {
	Height  int64
	Time    time.Time
	AppHash [32]byte // state after block Height-1
	Hash    [32]byte
}

// Validator of a trusted set.
type Validator struct {
	PublicKey ed25519.PublicKey
	Power     int64
}

// Trust is the last believed header and its validators. It is not safe for
// concurrent use: its owner guards it.
type Trust struct {
	chainID string
	last    Header
	next    []byte // hash of the validators that the last header names for the next height
	set     []*ledgerv1.ConsensusValidator
	kept    []byte // hash of the validators of a checkpoint whose block was not seen yet; else nil
}

// New trusts the validators of a genesis that the caller has checked.
func New(chainID string, genesis []Validator) *Trust {
	t := &Trust{chainID: chainID}
	for _, v := range genesis {
		sum := sha256.Sum256(v.PublicKey)
		t.set = append(t.set, &ledgerv1.ConsensusValidator{
			Address: sum[:20], PubKey: &ledgerv1.ConsensusKey{Ed25519: v.PublicKey}, VotingPower: v.Power,
		})
	}
	return t
}

// At trusts one header by its height and hash, and its validators by their hash: a
// checkpoint that the caller keeps. The first block to be verified has to be that one,
// with its validators; from then on it is as any other believed header.
func At(chainID string, height int64, hash, validators [32]byte) *Trust {
	return &Trust{chainID: chainID, last: Header{Height: height, Hash: hash}, kept: validators[:]}
}

// Last returns the newest believed header; Height 0 if there is none yet.
func (t *Trust) Last() Header { return t.last }

// Verify believes the light block (cometbft LightBlock, protobuf) or refuses it
// with VerificationFailed. An older height than the last one is checked against
// the last set and returned, but does not become the last.
func (t *Trust) Verify(raw []byte) (Header, error) {
	if len(raw) > MaxBytes {
		return Header{}, refuse("a light block of %d bytes, at most %d", len(raw), MaxBytes)
	}
	var b ledgerv1.LightBlock
	if err := proto.Unmarshal(raw, &b); err != nil {
		return Header{}, refuse("it is no light block: %v", err)
	}
	return t.VerifyBlock(&b)
}

// VerifyBlock is Verify of a decoded block.
func (t *Trust) VerifyBlock(b *ledgerv1.LightBlock) (Header, error) {
	h, c, set := b.GetSignedHeader().GetHeader(), b.GetSignedHeader().GetCommit(), b.GetValidatorSet().GetValidators()
	if err := checkShape(t.chainID, h, c, set); err != nil {
		return Header{}, err
	}
	out := Header{Height: h.GetHeight(), Time: h.GetTime().AsTime(), Hash: headerHash(h)}
	copy(out.AppHash[:], h.GetAppHash())
	if !bytes.Equal(c.GetBlockId().GetHash(), out.Hash[:]) {
		return Header{}, refuse("the commit is for another header")
	}
	if got := setHash(set); !bytes.Equal(got[:], h.GetValidatorsHash()) {
		return Header{}, refuse("the validator set is not that of the header")
	}
	if out.Height == t.last.Height && out.Hash != t.last.Hash {
		return Header{}, refuse("two different headers at height %d: the chain has forked", out.Height)
	}
	if out.Height > t.last.Height && !t.last.Time.IsZero() && !out.Time.After(t.last.Time) {
		return Header{}, refuse("block %d is not later than block %d", out.Height, t.last.Height)
	}
	signed, err := signers(t.chainID, c, set)
	if err != nil {
		return Header{}, err
	}
	own, all := power(set, signed), power(set, nil)
	if own*3 <= all*2 {
		return Header{}, refuse("signed by %d of %d voting power, more than 2/3 are needed", own, all)
	}
	if err := t.vouched(h, signed); err != nil {
		return Header{}, err
	}
	if out.Height > t.last.Height || t.kept != nil {
		t.last, t.set, t.next, t.kept = out, set, h.GetNextValidatorsHash(), nil
	}
	return out, nil
}

// vouched checks that the trusted validators stand behind the new set: by name if
// the header is the next one, by more than 1/3 of their power otherwise.
func (t *Trust) vouched(h *ledgerv1.Header, signed map[string]bool) error {
	if t.kept != nil {
		if h.GetHeight() != t.last.Height || !bytes.Equal(h.GetValidatorsHash(), t.kept) {
			return unvouched("it is not the block %d of the checkpoint", t.last.Height)
		}
		return nil
	}
	if t.last.Height > 0 && h.GetHeight() == t.last.Height+1 {
		if !bytes.Equal(h.GetValidatorsHash(), t.next) {
			return unvouched("its validators are not those that the header before names")
		}
		return nil
	}
	old, all := power(t.set, signed), power(t.set, nil)
	if old*3 <= all {
		return unvouched("signed by %d of %d voting power of the validators trusted so far, more than 1/3 are needed", old, all)
	}
	return nil
}

func checkShape(chainID string, h *ledgerv1.Header, c *ledgerv1.Commit, set []*ledgerv1.ConsensusValidator) error {
	switch {
	case h == nil || c == nil:
		return refuse("header or commit is missing")
	case h.GetChainId() != chainID:
		return refuse("header of chain %q, not %q", h.GetChainId(), chainID)
	case h.GetHeight() <= 0 || c.GetHeight() != h.GetHeight():
		return refuse("header of height %d with a commit of height %d", h.GetHeight(), c.GetHeight())
	case h.GetTime().CheckValid() != nil:
		return refuse("the header's time is no time")
	case len(h.GetAppHash()) != 0 && len(h.GetAppHash()) != sha256.Size:
		return refuse("an app hash of %d bytes", len(h.GetAppHash()))
	case len(set) == 0 || len(set) > MaxValidators:
		return refuse("%d validators, 1 to %d are possible", len(set), MaxValidators)
	case len(c.GetSignatures()) != len(set):
		return refuse("%d signatures of %d validators", len(c.GetSignatures()), len(set))
	}
	for i, s := range c.GetSignatures() {
		if !shaped(s) {
			return refuse("vote %d is none", i)
		}
	}
	for i, v := range set {
		key := v.GetPubKey().GetEd25519()
		if len(key) != ed25519.PublicKeySize || v.GetVotingPower() <= 0 || v.GetVotingPower() > maxPower {
			return refuse("validator %d has no usable key or power", i)
		}
	}
	return nil
}

// shaped tells whether a vote has what its flag says, and nothing that nobody signs.
func shaped(s *ledgerv1.CommitSig) bool {
	switch s.GetBlockIdFlag() {
	case flagAbsent: // its time is none: the zero of Go, or that of Unix in the vectors of tendermint-rs
		at := s.GetTimestamp().AsTime()
		return len(s.GetValidatorAddress()) == 0 && len(s.GetSignature()) == 0 && (at.IsZero() || at.Equal(time.Unix(0, 0)))
	case flagCommit, flagNil:
		return len(s.GetValidatorAddress()) == 20 && len(s.GetSignature()) > 0 && len(s.GetSignature()) <= ed25519.SignatureSize
	}
	return false
}

// signers returns the keys whose signature over the block holds. A signature for
// this block that does not hold refuses the whole: an honest server never sends one.
func signers(chainID string, c *ledgerv1.Commit, set []*ledgerv1.ConsensusValidator) (map[string]bool, error) {
	out := make(map[string]bool, len(set))
	for i, s := range c.GetSignatures() {
		if s.GetBlockIdFlag() != flagCommit {
			continue
		}
		key := set[i].GetPubKey().GetEd25519()
		sum := sha256.Sum256(key)
		if !bytes.Equal(s.GetValidatorAddress(), sum[:20]) {
			return nil, refuse("signature %d is of another validator", i)
		}
		if s.GetTimestamp().CheckValid() != nil || !ed25519.Verify(key, voteBytes(chainID, c, s), s.GetSignature()) {
			return nil, refuse("the signature of validator %s does not hold", hex.EncodeToString(sum[:20]))
		}
		if out[string(key)] {
			return nil, refuse("validator %s stands twice in the set", hex.EncodeToString(sum[:20]))
		}
		out[string(key)] = true
	}
	return out, nil
}

// power sums the voting power of those in set that are in signed; of all if
// signed is nil.
func power(set []*ledgerv1.ConsensusValidator, signed map[string]bool) int64 {
	var sum int64
	for _, v := range set {
		if signed == nil || signed[string(v.GetPubKey().GetEd25519())] {
			sum += v.GetVotingPower()
		}
	}
	return sum
}

// ErrUnvouched is in the refusal of a header that its own validators have signed,
// and the trusted ones do not stand behind: a nearer header may lead there.
var ErrUnvouched = errors.New("the trusted validators do not stand behind it")

func unvouched(format string, args ...any) error {
	return &fault.Fault{Code: fault.VerificationFailed, Text: "header refused: " + fmt.Sprintf(format, args...), Err: ErrUnvouched}
}

// HeaderHash is the hash by which the engine names a block.
func HeaderHash(h *ledgerv1.Header) [32]byte { return headerHash(h) }

// VoteBytes is what a validator signs with its vote for the block of a commit.
func VoteBytes(chainID string, c *ledgerv1.Commit, s *ledgerv1.CommitSig) []byte {
	return voteBytes(chainID, c, s)
}

// SetHash is the hash by which a header names its validators.
func SetHash(set []*ledgerv1.ConsensusValidator) [32]byte { return setHash(set) }

func refuse(format string, args ...any) error {
	return fault.Newf(fault.VerificationFailed, "header refused: %s", fmt.Sprintf(format, args...))
}
