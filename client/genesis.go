package client

import (
	"fmt"
	"time"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/internal/standard"
)

// Key returns the ledger's form of a public key. Level unspecified is for a sealing
// key, which signs nothing.
func Key(public sm.PublicKey, level identityv1.KeyLevel, label string) *identityv1.Key {
	return &identityv1.Key{
		Id: public.ID(), Algorithm: identityv1.KeyAlgorithm(public.Algorithm()), PublicKey: public.Bytes(), Level: level, Label: label,
	}
}

// NewGenesis returns a genesis with the standard parameters, clock profiles and
// calendar of package standard; the caller adds roles, and changes what he wants
// otherwise, before anybody signs.
func NewGenesis(chainID string, at time.Time, founders []*governancev1.Founder, validators []*governancev1.Validator) *governancev1.Genesis {
	return &governancev1.Genesis{
		ChainId: chainID, TimeMs: at.UnixMilli(), Founders: founders, Validators: validators,
		Parameters: standard.Parameters(), ClockProfiles: standard.Clocks(), Calendar: standard.Calendars(),
	}
}

// GenesisBytes returns the bytes that the founders sign, without the domain that
// stands before them. Malformed if the genesis cannot be encoded.
func GenesisBytes(g *governancev1.Genesis) ([]byte, error) {
	raw, err := canon.Marshal(g)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the genesis cannot be encoded")
	}
	return raw, nil
}

// SignFounder signs genesis bytes for one founder. In a consortium each founder does
// this at home, with the bytes that he has read.
func SignFounder(genesis []byte, s Signer) (*governancev1.FounderSignature, error) {
	sig, err := s.Key.Sign(append([]byte(GenesisDomain), genesis...))
	if err != nil {
		return nil, fmt.Errorf("client: sign genesis as %s: %w", s.Account, err)
	}
	return &governancev1.FounderSignature{Org: s.Account, Key: s.Key.Public().ID(), Signature: sig}, nil
}

// JoinGenesis puts genesis bytes and the founders' signatures, in any order, into
// the genesis file, and checks it as every reader does: VerificationFailed if a
// founder has not signed, or not these bytes.
func JoinGenesis(genesis []byte, signatures ...*governancev1.FounderSignature) ([]byte, error) {
	g := &governancev1.Genesis{}
	if err := canon.Check(genesis, g); err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "genesis")
	}
	signed := &governancev1.SignedGenesis{Genesis: genesis}
	for _, f := range g.GetFounders() { // the rules want them in the founders' order
		for _, s := range signatures {
			if s.GetOrg() == f.GetCode() {
				signed.Signatures = append(signed.Signatures, s)
			}
		}
	}
	file, err := canon.Marshal(signed)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the genesis file cannot be encoded")
	}
	if _, err := ParseGenesis(file); err != nil {
		return nil, err
	}
	return file, nil
}
