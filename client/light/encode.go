package light

import (
	"crypto/sha256"
	"math/bits"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/timestamppb"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
)

// The functions below write the bytes that the engine hashes and signs. They
// follow gogoproto's rules for "nullable = false": such a message field is
// written even when it is empty.

// headerHash is types.Header.Hash: the Merkle root over the fields, each encoded
// by itself.
func headerHash(h *ledgerv1.Header) [32]byte {
	var version []byte
	version = uintField(version, 1, h.GetVersion().GetBlock())
	version = uintField(version, 2, h.GetVersion().GetApp())
	return merkle([][]byte{
		version,
		bytesField(nil, 1, []byte(h.GetChainId())),
		uintField(nil, 1, uint64(h.GetHeight())),
		timestamp(h.GetTime()),
		blockID(h.GetLastBlockId()),
		bytesField(nil, 1, h.GetLastCommitHash()),
		bytesField(nil, 1, h.GetDataHash()),
		bytesField(nil, 1, h.GetValidatorsHash()),
		bytesField(nil, 1, h.GetNextValidatorsHash()),
		bytesField(nil, 1, h.GetConsensusHash()),
		bytesField(nil, 1, h.GetAppHash()),
		bytesField(nil, 1, h.GetLastResultsHash()),
		bytesField(nil, 1, h.GetEvidenceHash()),
		bytesField(nil, 1, h.GetProposerAddress()),
	})
}

// setHash is types.ValidatorSet.Hash over key and power.
func setHash(set []*ledgerv1.ConsensusValidator) [32]byte {
	leaves := make([][]byte, len(set))
	for i, v := range set {
		key := bytesField(nil, 1, v.GetPubKey().GetEd25519())
		leaf := messageField(nil, 1, key)
		leaves[i] = uintField(leaf, 2, uint64(v.GetVotingPower()))
	}
	return merkle(leaves)
}

// voteBytes is types.VoteSignBytes of a precommit: the length-delimited
// CanonicalVote.
func voteBytes(chainID string, c *ledgerv1.Commit, s *ledgerv1.CommitSig) []byte {
	var b []byte
	b = uintField(b, 1, 2) // SIGNED_MSG_TYPE_PRECOMMIT
	b = fixedField(b, 2, uint64(c.GetHeight()))
	b = fixedField(b, 3, uint64(int64(c.GetRound())))
	b = messageField(b, 4, blockID(c.GetBlockId()))
	b = messageField(b, 5, timestamp(s.GetTimestamp()))
	b = bytesField(b, 6, []byte(chainID))
	return protowire.AppendBytes(nil, b)
}

// blockID encodes BlockID and CanonicalBlockID, which look alike.
func blockID(id *ledgerv1.BlockID) []byte {
	var parts []byte
	parts = uintField(parts, 1, uint64(id.GetPartSetHeader().GetTotal()))
	parts = bytesField(parts, 2, id.GetPartSetHeader().GetHash())
	return messageField(bytesField(nil, 1, id.GetHash()), 2, parts)
}

func timestamp(t *timestamppb.Timestamp) []byte {
	return uintField(uintField(nil, 1, uint64(t.GetSeconds())), 2, uint64(int64(t.GetNanos())))
}

func uintField(b []byte, n protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
}

func fixedField(b []byte, n protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendFixed64(protowire.AppendTag(b, n, protowire.Fixed64Type), v)
}

func bytesField(b []byte, n protowire.Number, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return messageField(b, n, v)
}

func messageField(b []byte, n protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), v)
}

// merkle is the RFC 6962 tree hash; of no leaves the hash of nothing.
func merkle(leaves [][]byte) [32]byte {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return sha256.Sum256(append([]byte{0}, leaves[0]...))
	}
	k := 1 << (bits.Len(uint(len(leaves)-1)) - 1) // largest power of two below
	l, r := merkle(leaves[:k]), merkle(leaves[k:])
	return sha256.Sum256(append(append([]byte{1}, l[:]...), r[:]...))
}
