package sm

import (
	"crypto/cipher"
	"crypto/sha256"
	"fmt"
	"hash"

	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"
)

// SM3 returns the SM3 hash of b (GB/T 32905-2016).
func SM3(b []byte) [32]byte { return sm3.Sum(b) }

// SHA256 returns the SHA-256 hash of b.
func SHA256(b []byte) [32]byte { return sha256.Sum256(b) }

// NewSM3 returns a running SM3 hash, for content that does not fit in memory.
func NewSM3() hash.Hash { return sm3.New() }

// SM4KeySize is the length of an SM4 key in bytes.
const SM4KeySize = 16

// NewSM4GCM returns SM4 in Galois counter mode, with nonces of 12 and tags of 16
// bytes. The caller guards that no nonce comes twice under one key.
func NewSM4GCM(key []byte) (cipher.AEAD, error) {
	block, err := sm4.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("SM4 key: %w", err)
	}
	return cipher.NewGCM(block)
}
