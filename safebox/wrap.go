package safebox

import (
	"encoding/binary"
	"fmt"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/canon"
)

// Purpose of a wrap; it is bound to it.
type purpose string

const (
	forOwner   purpose = "owner"
	forGrantee purpose = "grant"
	forKeeper  purpose = "share"
)

// Grantee is to whom, and under what, an item's key is given beyond its owner.
type Grantee struct {
	Grant    string              // id of the grant, or of the transfer
	Receiver string              // account
	Key      *safeboxv1.VaultKey // to which it is wrapped
}

// info is what a wrap is bound to.
func info(p purpose, at Place, grant, receiver string) []byte {
	return canon.Frame("mulian/box/wrap/v1", []byte(p), []byte(at.Item), binary.BigEndian.AppendUint32(nil, at.Version), []byte(at.Account), []byte(grant), []byte(receiver))
}

// WrapTo closes an item's key to the keys of its owner's vault: of these suites, or of the
// suite of its content, or of P-256 if the vault has no such key.
func WrapTo(k Key, at Place, vault *safeboxv1.Vault, suites ...safeboxv1.SealSuite) ([]*safeboxv1.KeyWrap, error) {
	if vault.GetAccount() != at.Account {
		return nil, fmt.Errorf("%w: an item in the box of %s, wrapped to the vault of %s", ErrForm, at.Account, vault.GetAccount())
	}
	if len(suites) == 0 {
		suites = []safeboxv1.SealSuite{Best(vault, k.suite)}
	}
	var out []*safeboxv1.KeyWrap
	for _, s := range suites {
		pub := keyOf(vault.GetKeys(), s)
		if pub == nil {
			return nil, fmt.Errorf("%w: %s has none of %s", ErrSuite, at.Account, s)
		}
		box, err := closeTo(pub, info(forOwner, at, "", at.Account), k.raw)
		if err != nil {
			return nil, err
		}
		out = append(out, &safeboxv1.KeyWrap{Suite: s, KeyVersion: vault.GetKeyVersion(), Box: box})
	}
	return out, nil
}

// Best returns the suite for a new item of that vault: the one that is asked for if it has
// a key of it, else the hybrid, else P-256.
func Best(vault *safeboxv1.Vault, want safeboxv1.SealSuite) safeboxv1.SealSuite {
	for _, s := range []safeboxv1.SealSuite{want, Hybrid, P256, SM} {
		if keyOf(vault.GetKeys(), s) != nil {
			return s
		}
	}
	return 0
}

func keyOf(keys []*safeboxv1.VaultKey, s safeboxv1.SealSuite) *safeboxv1.VaultKey {
	for _, k := range keys {
		if k.GetSuite() == s && s != 0 {
			return k
		}
	}
	return nil
}

// WrapGrant closes an item's key to a grantee (box-share). Only he opens it, and only as
// this grant's and this item's; the grant on the ledger has the hash of the result.
func WrapGrant(k Key, at Place, to Grantee) (*safeboxv1.KeyWrap, error) {
	if to.Grant == "" || to.Receiver == "" {
		return nil, fmt.Errorf("%w: a wrap for nobody", ErrForm)
	}
	box, err := closeTo(to.Key, info(forGrantee, at, to.Grant, to.Receiver), k.raw)
	if err != nil {
		return nil, err
	}
	return &safeboxv1.KeyWrap{Suite: to.Key.GetSuite(), Box: box}, nil
}

// itemKey makes a key of what a wrap had in it.
func itemKey(s safeboxv1.SealSuite, raw []byte) (Key, error) {
	if n := keyBytes(s); n == 0 || len(raw) != n {
		return Key{}, ErrOpen
	}
	return Key{s, raw}, nil
}
