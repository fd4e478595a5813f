package client

import (
	"crypto/sha256"
	"fmt"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/canon"
	"mulian/internal/sm"
)

// SignGenesis makes the genesis file: the genesis in its one byte form, signed by
// each of the signers, who have to be its founders with a ROOT key. In production
// each founder signs on his own machine (see [AddSignature]); a trial has all keys
// in one place.
func SignGenesis(g *governancev1.Genesis, founders ...Signer) ([]byte, error) {
	raw, err := canon.Marshal(g)
	if err != nil {
		return nil, fmt.Errorf("client: genesis: %w", err)
	}
	file := &governancev1.SignedGenesis{Genesis: raw}
	for _, s := range founders {
		if err := AddSignature(file, s); err != nil {
			return nil, err
		}
	}
	out, err := canon.Marshal(file)
	if err != nil {
		return nil, fmt.Errorf("client: genesis: %w", err)
	}
	if _, err := ParseGenesis(out); err != nil {
		return nil, err
	}
	return out, nil
}

// AddSignature adds a founder's signature to a genesis file.
func AddSignature(file *governancev1.SignedGenesis, s Signer) error {
	sig, err := s.Key.Sign(append([]byte(GenesisDomain), file.GetGenesis()...))
	if err != nil {
		return fmt.Errorf("client: sign the genesis: %w", err)
	}
	file.Signatures = append(file.Signatures, &governancev1.FounderSignature{Org: s.Account, Key: s.Key.Public().ID(), Signature: sig})
	return nil
}

// GenesisHash is what gateways and strangers pin.
func GenesisHash(file *governancev1.SignedGenesis) [32]byte { return sha256.Sum256(file.GetGenesis()) }

// PublicKey is a key as the ledger keeps it.
func PublicKey(k sm.PublicKey, level identityv1.KeyLevel, label string) *identityv1.Key {
	return &identityv1.Key{Id: k.ID(), Algorithm: identityv1.KeyAlgorithm(k.Algorithm()), PublicKey: k.Bytes(), Level: level, Label: label}
}
