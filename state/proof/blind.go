package proof

import (
	"bytes"
	"crypto/sha256"
)

// VerifyKeyHash is [VerifyKey] for who knows only the SHA-256 of the value: nil if p
// proves that key has a value with that hash. The proof bears no value then.
func VerifyKeyHash(appHash Hash, key []byte, valueHash Hash, p *Key) error {
	switch {
	case p == nil:
		return refuse("there is none")
	case !bytes.Equal(p.Key, key):
		return refuse("it is about another key")
	case !p.Exists || p.Other != nil:
		return refuse("it does not say that the key is there")
	case len(p.Value) > 0:
		return refuse("it bears a value beside the hash")
	case p.LogSize < 0:
		return refuse("negative log size")
	case p.Depth < 0 || p.Depth > MaxDepth:
		return refuse("depth %d", p.Depth)
	}
	keyHash := Hash(sha256.Sum256(key))
	return p.leads(appHash, keyHash, Leaf(keyHash, valueHash))
}
