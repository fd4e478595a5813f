package light

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	governancev1 "mulian/gen/mulian/governance/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/canon"
	"mulian/internal/sm"
)

// voteDomain stands in what a validator's SM2 key signs; see ledger.VoteMessage.
const voteDomain = "mulian/vote/v1"

// VerifySM2 checks a block's SM2 certificate: that validators with more than 2/3 of
// all power have signed the block of that header with the SM2 keys that the
// consortium has pinned for them. validators are those in force at the header's
// height, from the genesis or from proved objects "governance/validator/<key in hex>".
// It returns the power that signed.
//
// It stands beside [Trust.Verify], which checks the same with the engine's Ed25519
// keys, and rests on SM2 and SM3 alone but for the header's hash: whoever wants national
// cryptography asks for both. It needs no Trust: the header may come from one that was
// verified, or its hash from anywhere.
//
// VerificationFailed if the power does not suffice, a pinned key's signature does
// not hold, or a validator of the set stands twice. A vote of somebody who is no validator, or
// with a key that is not pinned, counts for nothing: such keys are nobody's word.
func VerifySM2(chainID string, h Header, votes []*ledgerv1.SM2Vote, validators []*governancev1.Validator) (signed int64, err error) {
	if len(votes) > MaxValidators || len(validators) == 0 || len(validators) > MaxValidators {
		return 0, refuse("%d SM2 votes of %d validators, at most %d are possible", len(votes), len(validators), MaxValidators)
	}
	var all int64
	pinned := make(map[string]*governancev1.Validator, len(validators))
	for i, v := range validators {
		sum := sha256.Sum256(v.GetPublicKey())
		if pinned[string(sum[:20])] != nil || v.GetPower() == 0 || v.GetPower() > uint64(maxPower) {
			return 0, refuse("validator %d stands twice or has no usable power", i)
		}
		pinned[string(sum[:20])] = v
		all += int64(v.GetPower())
	}
	message := canon.Frame(voteDomain, []byte(chainID), binary.BigEndian.AppendUint64(nil, uint64(h.Height)), h.Hash[:])
	for _, vote := range votes {
		v := pinned[string(vote.GetAddress())]
		if v == nil || len(v.GetSm2Key()) == 0 || !bytes.Equal(v.GetSm2Key(), vote.GetPublicKey()) {
			continue
		}
		delete(pinned, string(vote.GetAddress())) // a second vote of his counts for nothing
		key, err := sm.ParsePublic(sm.SM2, v.GetSm2Key())
		if err != nil || !key.Verify(message, vote.GetSignature()) {
			return 0, refuse("the SM2 signature of validator %s does not hold", hex.EncodeToString(vote.GetAddress()))
		}
		signed += int64(v.GetPower())
	}
	if signed*3 <= all*2 {
		return signed, refuse("signed with pinned SM2 keys by %d of %d voting power, more than 2/3 are needed", signed, all)
	}
	return signed, nil
}
