package ledger

import (
	"context"
	"encoding/binary"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/types"

	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// Every validator signs each block a second time, with its SM2 key, in the vote
// extension of its precommit:
//
//	1 | SM2 public key, 65 bytes | SM2 signature in DER of voteMessage
//
// The engine has the validator sign the extension with its Ed25519 key, so the SM2
// key is as true as that one; a verifier who wants SM2 alone takes the keys that the
// consortium has pinned (governance.Validator.sm2_key) and light.VerifySM2. A
// precommit whose SM2 signature does not hold is refused, so the extensions of a
// block's commit are its SM2 certificate.
const extensionVersion = 1

// voteDomain separates these signatures from all others.
const voteDomain = "mulian/vote/v1"

// VoteMessage is what a validator's SM2 key signs for a block.
func VoteMessage(chainID string, height int64, blockHash []byte) []byte {
	return canon.Frame(voteDomain, []byte(chainID), binary.BigEndian.AppendUint64(nil, uint64(height)), blockHash)
}

// SM2Vote is one validator's SM2 signature of a block.
type SM2Vote struct {
	Address   []byte // of the validator in the engine's set: SHA-256(Ed25519 key)[:20]
	Key       sm.PublicKey
	Signature []byte
}

// ExtendVote signs the block that we are about to precommit.
func (a *app) ExtendVote(_ context.Context, req *abci.RequestExtendVote) (*abci.ResponseExtendVote, error) {
	sig, err := a.sm2.Sign(VoteMessage(a.chainID, req.Height, req.Hash))
	if err != nil {
		return nil, err
	}
	ext := append([]byte{extensionVersion}, a.sm2.Public().Bytes()...)
	return &abci.ResponseExtendVote{VoteExtension: append(ext, sig...)}, nil
}

// VerifyVoteExtension refuses a precommit without a good SM2 signature.
func (a *app) VerifyVoteExtension(_ context.Context, req *abci.RequestVerifyVoteExtension) (*abci.ResponseVerifyVoteExtension, error) {
	vote, err := parseExtension(req.VoteExtension)
	if err != nil || !a.verdicts.check(vote.Key, VoteMessage(a.chainID, req.Height, req.Hash), vote.Signature) {
		a.log.Warn("a vote without a valid SM2 signature is refused", "height", req.Height, "validator", req.ValidatorAddress)
		return &abci.ResponseVerifyVoteExtension{Status: abci.ResponseVerifyVoteExtension_REJECT}, nil
	}
	return &abci.ResponseVerifyVoteExtension{Status: abci.ResponseVerifyVoteExtension_ACCEPT}, nil
}

func parseExtension(ext []byte) (SM2Vote, error) {
	if len(ext) <= 1+sm.PointSize || len(ext) > 1+sm.PointSize+sm.MaxSignatureSize || ext[0] != extensionVersion {
		return SM2Vote{}, fault.Newf(fault.Malformed, "vote extension of %d bytes", len(ext))
	}
	key, err := sm.ParsePublic(sm.SM2, ext[1:1+sm.PointSize])
	return SM2Vote{Key: key, Signature: ext[1+sm.PointSize:]}, err
}

// SM2Certificate returns the SM2 signatures of the validators that the commit of
// the block holds. NotFound above the last block, Pruned if it is no longer kept.
func (l *Ledger) SM2Certificate(height int64) ([]SM2Vote, error) {
	if err := l.enter(); err != nil {
		return nil, err
	}
	defer l.leave()
	if err := l.kept(height); err != nil {
		return nil, err
	}
	commit := l.node.BlockStore().LoadBlockExtendedCommit(height)
	if commit == nil { // taken over by block sync: only the next block's commit is here
		return nil, fault.Newf(fault.NotFound, "this node has no SM2 certificate of block %d; ask another validator", height)
	}
	var votes []SM2Vote
	for _, s := range commit.ExtendedSignatures {
		if s.BlockIDFlag != types.BlockIDFlagCommit {
			continue
		}
		vote, err := parseExtension(s.Extension)
		if err != nil {
			return nil, err
		}
		vote.Address = s.ValidatorAddress
		votes = append(votes, vote)
	}
	return votes, nil
}
