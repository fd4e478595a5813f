package light

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"testing"

	governancev1 "mulian/gen/mulian/governance/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// council is four validators of power 10 and their votes for one block.
func council(t *testing.T, h Header) (set []*governancev1.Validator, votes []*ledgerv1.SM2Vote) {
	t.Helper()
	for i := range byte(4) {
		key, err := sm.FromSeed(sm.SM2, [32]byte{i + 1})
		if err != nil {
			t.Fatal(err)
		}
		public := sha256.Sum256([]byte{i})
		set = append(set, &governancev1.Validator{PublicKey: public[:], Power: 10, Name: fmt.Sprint(i), Sm2Key: key.Public().Bytes()})
		sig, err := key.Sign(canon.Frame("mulian/vote/v1", []byte("trial"), binary.BigEndian.AppendUint64(nil, uint64(h.Height)), h.Hash[:]))
		if err != nil {
			t.Fatal(err)
		}
		address := sha256.Sum256(public[:])
		votes = append(votes, &ledgerv1.SM2Vote{Address: address[:20], PublicKey: key.Public().Bytes(), Signature: sig})
	}
	return set, votes
}

// TestSM2CertificateNeedsTwoThirds breaks a good certificate in every place that counts.
func TestSM2CertificateNeedsTwoThirds(t *testing.T) {
	for _, tt := range []struct {
		name   string
		signed int64 // 0 = refused
		change func(chain *string, h *Header, set *[]*governancev1.Validator, votes *[]*ledgerv1.SM2Vote)
	}{
		{"all", 40, func(*string, *Header, *[]*governancev1.Validator, *[]*ledgerv1.SM2Vote) {}},
		{"three of four", 30, func(_ *string, _ *Header, _ *[]*governancev1.Validator, v *[]*ledgerv1.SM2Vote) { *v = (*v)[1:] }},
		{"two of four", 0, func(_ *string, _ *Header, _ *[]*governancev1.Validator, v *[]*ledgerv1.SM2Vote) { *v = (*v)[2:] }},
		{"none", 0, func(_ *string, _ *Header, _ *[]*governancev1.Validator, v *[]*ledgerv1.SM2Vote) { *v = nil }},
		{"exactly two thirds", 0, func(_ *string, _ *Header, s *[]*governancev1.Validator, v *[]*ledgerv1.SM2Vote) {
			*s, *v = (*s)[:3], (*v)[:2]
		}},
		{"one voice four times", 0, func(_ *string, _ *Header, _ *[]*governancev1.Validator, v *[]*ledgerv1.SM2Vote) {
			*v = append((*v)[:1:1], (*v)[0], (*v)[0], (*v)[0])
		}},
		{"two keys are not pinned", 0, func(_ *string, _ *Header, s *[]*governancev1.Validator, _ *[]*ledgerv1.SM2Vote) {
			(*s)[0].Sm2Key, (*s)[1].Sm2Key = nil, nil
		}},
		{"one key is not pinned", 30, func(_ *string, _ *Header, s *[]*governancev1.Validator, _ *[]*ledgerv1.SM2Vote) { (*s)[0].Sm2Key = nil }},
		{"one votes with another's key", 30, func(_ *string, _ *Header, _ *[]*governancev1.Validator, v *[]*ledgerv1.SM2Vote) {
			(*v)[0].PublicKey, (*v)[0].Signature = (*v)[1].PublicKey, (*v)[1].Signature
		}},
		{"a stranger", 30, func(_ *string, _ *Header, _ *[]*governancev1.Validator, v *[]*ledgerv1.SM2Vote) {
			(*v)[0].Address[0] ^= 1
		}},
		{"a signature is broken", 0, func(_ *string, _ *Header, _ *[]*governancev1.Validator, v *[]*ledgerv1.SM2Vote) {
			(*v)[3].Signature[20] ^= 1
		}},
		{"another block", 0, func(_ *string, h *Header, _ *[]*governancev1.Validator, _ *[]*ledgerv1.SM2Vote) { h.Hash[0] ^= 1 }},
		{"another height", 0, func(_ *string, h *Header, _ *[]*governancev1.Validator, _ *[]*ledgerv1.SM2Vote) { h.Height++ }},
		{"another chain", 0, func(c *string, _ *Header, _ *[]*governancev1.Validator, _ *[]*ledgerv1.SM2Vote) { *c = "other" }},
		{"a validator twice", 0, func(_ *string, _ *Header, s *[]*governancev1.Validator, _ *[]*ledgerv1.SM2Vote) {
			*s = append(*s, (*s)[0])
		}},
		{"power that overflows", 0, func(_ *string, _ *Header, s *[]*governancev1.Validator, _ *[]*ledgerv1.SM2Vote) {
			(*s)[0].Power = 1 << 63
		}},
		{"no validators", 0, func(_ *string, _ *Header, s *[]*governancev1.Validator, _ *[]*ledgerv1.SM2Vote) { *s = nil }},
		{"too many votes", 0, func(_ *string, _ *Header, _ *[]*governancev1.Validator, v *[]*ledgerv1.SM2Vote) {
			for len(*v) <= MaxValidators {
				*v = append(*v, (*v)[0])
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			chain, h := "trial", Header{Height: 7, Hash: sha256.Sum256([]byte("block"))}
			set, votes := council(t, h)
			tt.change(&chain, &h, &set, &votes)
			signed, err := VerifySM2(chain, h, votes, set)
			if tt.signed == 0 && !fault.Is(err, fault.VerificationFailed) || tt.signed > 0 && (err != nil || signed != tt.signed) {
				t.Errorf("%d, %v; want %d", signed, err, tt.signed)
			}
		})
	}
}
