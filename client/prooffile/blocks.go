package prooffile

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"mulian/client/light"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// checkBlocks walks from the genesis' validators, or from the checkpoint, to the last block: each is signed
// by more than 2/3 of its own validators' power, and the validators believed before
// stand behind it (package client/light).
func (v *verifier) checkBlocks() *refusal {
	trust := v.founding.trust()
	if v.from != nil {
		trust = v.from.trust()
	}
	for i, b := range v.blocks {
		at := fmt.Sprintf("blocks[%d]", i)
		if i > 0 && b.header.GetHeight() <= v.blocks[i-1].header.GetHeight() {
			return refuse(stepHeader, at+".height", "blocks ascend, and %d follows %d", b.header.GetHeight(), v.blocks[i-1].header.GetHeight())
		}
		if i > 0 && !b.header.GetTime().AsTime().After(v.blocks[i-1].header.GetTime().AsTime()) {
			return refuse(stepHeader, at+".time", "blocks ascend in time, and %s follows %s", stamp(b.header.GetTime()), stamp(v.blocks[i-1].header.GetTime()))
		}
		if r := v.checkBlock(trust, b, at); r != nil {
			return r
		}
	}
	v.last = v.blocks[len(v.blocks)-1]
	if len(v.last.header.GetAppHash()) != 32 {
		return refuse(stepHeader, fmt.Sprintf("blocks[%d].app_hash", len(v.blocks)-1), "the block carries no state")
	}
	return v.checkSM2()
}

// trust begins with the validators of the genesis.
func (g *founding) trust() *light.Trust {
	set := make([]light.Validator, len(g.validators))
	for i, x := range g.validators {
		set[i] = light.Validator{PublicKey: ed25519.PublicKey(x.key), Power: x.power}
	}
	return light.New(g.chain, set)
}

func (v *verifier) checkBlock(trust *light.Trust, b *block, at string) *refusal {
	h := b.header
	h.ChainId = v.founding.chain
	if hash := light.HeaderHash(h); !bytes.Equal(hash[:], b.hash) {
		return refuse(stepHeader, at+".hash", "expected %x, the hash of these fields on the chain %s, the file says %x", hash, h.ChainId, b.hash)
	}
	set := b.set()
	if hash := light.SetHash(set); !bytes.Equal(hash[:], h.GetValidatorsHash()) {
		return refuse(stepValidators, at+".validators", "expected the set %x that the header names, this is %x", h.GetValidatorsHash(), hash)
	}
	if _, err := trust.VerifyBlock(&ledgerv1.LightBlock{
		SignedHeader: &ledgerv1.SignedHeader{Header: h, Commit: b.commit()}, ValidatorSet: &ledgerv1.ValidatorSet{Validators: set},
	}); errors.Is(err, light.ErrUnvouched) {
		return refuse(stepTrust, at, "%s", cause(err))
	} else if err != nil {
		return refuse(stepCommit, at+".validators", "%s", cause(err))
	}
	signed, all := b.power(func(x *voter) bool { return x.sig != nil })
	v.power = fmt.Sprintf("%d of %d", signed, all)
	v.says(stepCommit, "block %d, %x, signed by %s of the voting power", h.GetHeight(), b.hash, v.power)
	return nil
}

// cause is a fault's own text.
func cause(err error) string {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return f.Text
	}
	return err.Error()
}

// set returns the validators as the engine writes them.
func (b *block) set() []*ledgerv1.ConsensusValidator {
	out := make([]*ledgerv1.ConsensusValidator, len(b.voters))
	for i, x := range b.voters {
		out[i] = &ledgerv1.ConsensusValidator{Address: address(x.key), PubKey: &ledgerv1.ConsensusKey{Ed25519: x.key}, VotingPower: x.vote}
	}
	return out
}

// address is how the engine names a validator.
func address(key []byte) []byte {
	s := sha256.Sum256(key)
	return s[:20]
}

// Flags of a vote (cometbft types.BlockIDFlag).
const (
	flagAbsent = 1
	flagCommit = 2
)

func (b *block) commit() *ledgerv1.Commit {
	c := &ledgerv1.Commit{Height: b.header.GetHeight(), Round: int32(b.round), BlockId: &ledgerv1.BlockID{Hash: b.hash, PartSetHeader: b.parts}}
	for _, x := range b.voters {
		s := &ledgerv1.CommitSig{BlockIdFlag: flagAbsent}
		if x.sig != nil {
			s = &ledgerv1.CommitSig{BlockIdFlag: flagCommit, ValidatorAddress: address(x.key), Timestamp: x.at, Signature: x.sig}
		}
		c.Signatures = append(c.Signatures, s)
	}
	return c
}

// power sums the power of those that do, and of all.
func (b *block) power(do func(*voter) bool) (some, all int64) {
	for _, x := range b.voters {
		if all += x.vote; do(x) {
			some += x.vote
		}
	}
	return some, all
}

// voteDomain is that of package ledger: what a validator's SM2 key signs.
const voteDomain = "mulian/vote/v1"

func voteMessage(chain string, height int64, hash []byte) []byte {
	return canon.Frame(voteDomain, []byte(chain), binary.BigEndian.AppendUint64(nil, uint64(height)), hash)
}

// checkSM2 checks the second signatures of the last block. They are there for all
// that count towards more than 2/3 of the power, or for none; and only of
// validators whose SM2 key the genesis pins, for another key would be anybody's.
func (v *verifier) checkSM2() *refusal {
	v.sm2 = "none"
	count := 0
	for i, b := range v.blocks {
		for j, x := range b.voters {
			if x.sm2 == nil {
				continue
			}
			at := fmt.Sprintf("blocks[%d].validators[%d].sm2", i, j)
			pin := v.founding.sm2Of(x.key)
			if b != v.last || pin == nil {
				return refuse(stepSM2, at, "the genesis pins no key for it, or the block is not the last one")
			}
			key, err := sm.ParsePublic(sm.SM2, pin)
			if err != nil || !key.Verify(voteMessage(v.founding.chain, b.header.GetHeight(), b.hash), x.sm2) {
				return refuse(stepSM2, at, "the signature is not that of the key that the genesis pins")
			}
			count++
		}
	}
	if count == 0 {
		return nil
	}
	signed, all := v.last.power(func(x *voter) bool { return x.sm2 != nil })
	v.sm2 = fmt.Sprintf("%d of %d", signed, all)
	if signed*3 <= all*2 {
		return refuse(stepSM2, fmt.Sprintf("blocks[%d].validators", len(v.blocks)-1), "signed with SM2 by %s voting power, more than 2/3 are needed", v.sm2)
	}
	v.says(stepSM2, "block %d, signed with SM2 by %s of the voting power", v.last.header.GetHeight(), v.sm2)
	return nil
}
