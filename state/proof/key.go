package proof

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/bits"
)

// ErrRefused is what every failed verification is, whatever its text.
var ErrRefused = errors.New("proof refused")

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrRefused}, args...)...)
}

// MaxDepth is the longest way from the root to a leaf, the bits of a key's hash.
const MaxDepth = 8 * sha256.Size

// Key proves that one key has one value, or has none.
type Key struct {
	// Height is the block after which it was so: the app hash is in the header of
	// the next one. It is where to look, not part of what is proved.
	Height   int64 `json:"height"`
	TreeRoot Hash  `json:"tree_root"`
	LogRoot  Hash  `json:"log_root"`
	LogSize  int64 `json:"log_size"`
	Key      Bytes `json:"key"`
	// Exists tells a key with an empty value from a key that is not there.
	Exists bool  `json:"exists"`
	Value  Bytes `json:"value,omitempty"`
	// Depth is how many siblings lie on the way, empty ones included.
	Depth int `json:"depth"`
	// Bitmap has one bit for each sibling from the root down, the first in the
	// highest bit of the first byte. It is set if the sibling is not empty.
	Bitmap Bytes `json:"bitmap,omitempty"`
	// Siblings are those that are not empty, from the root down.
	Siblings []Hash `json:"siblings,omitempty"`
	// Other is the leaf that stands where the key would be. Without it the place of
	// an absent key is empty. Always nil if the key exists.
	Other *OtherLeaf `json:"other_leaf,omitempty"`
}

// OtherLeaf is a leaf of which only the hashes are told.
type OtherLeaf struct {
	KeyHash   Hash `json:"key_hash"`
	ValueHash Hash `json:"value_hash"`
}

// VerifyKey returns nil if p proves that key has that value in the state with that
// app hash. A nil value asks whether the key is absent; an empty value that is not
// nil asks whether it is there and empty. Any other answer is an ErrRefused.
func VerifyKey(appHash Hash, key, value []byte, p *Key) error {
	switch {
	case p == nil:
		return refuse("there is none")
	case !bytes.Equal(p.Key, key):
		return refuse("it is about another key")
	case p.Exists != (value != nil):
		return refuse("it says exists=%t", p.Exists)
	case !bytes.Equal(p.Value, value):
		return refuse("it is about another value")
	case p.LogSize < 0:
		return refuse("negative log size")
	}
	keyHash := Hash(sha256.Sum256(key))
	start, err := p.start(keyHash)
	if err != nil {
		return err
	}
	return p.leads(appHash, keyHash, start)
}

// leads climbs from the hash at the end of the key's way, and holds what it comes to against
// the app hash.
func (p *Key) leads(appHash, keyHash, start Hash) error {
	root, err := p.climb(keyHash, start)
	switch {
	case err != nil:
		return err
	case root != p.TreeRoot:
		return refuse("the siblings lead to another tree root")
	case AppHash(root, p.LogRoot, p.LogSize) != appHash:
		return refuse("it belongs to another app hash")
	}
	return nil
}

// start returns the hash that stands at the end of the way.
func (p *Key) start(keyHash Hash) (Hash, error) {
	if p.Depth < 0 || p.Depth > MaxDepth {
		return Hash{}, refuse("depth %d", p.Depth)
	}
	switch {
	case p.Exists && p.Other != nil:
		return Hash{}, refuse("an existing key and another leaf in its place")
	case p.Exists:
		return Leaf(keyHash, sha256.Sum256(p.Value)), nil
	case p.Other == nil:
		return Empty, nil
	case p.Other.KeyHash == keyHash:
		return Hash{}, refuse("the other leaf is the key's own")
	case commonBits(p.Other.KeyHash, keyHash) < p.Depth:
		return Hash{}, refuse("the other leaf does not stand in the key's place")
	}
	return Leaf(p.Other.KeyHash, p.Other.ValueHash), nil
}

// climb hashes from the end of the way up to the root.
func (p *Key) climb(keyHash, h Hash) (Hash, error) {
	if len(p.Bitmap) != (p.Depth+7)/8 {
		return h, refuse("bitmap of %d bytes for depth %d", len(p.Bitmap), p.Depth)
	}
	left := len(p.Siblings)
	for d := 8*len(p.Bitmap) - 1; d >= 0; d-- {
		set := p.Bitmap[d/8]&(0x80>>(d%8)) != 0
		if d >= p.Depth {
			if set {
				return h, refuse("the bitmap goes deeper than the proof")
			}
			continue
		}
		sibling := Empty
		if set {
			if left--; left < 0 {
				return h, refuse("siblings are missing")
			}
			if sibling = p.Siblings[left]; sibling == Empty {
				return h, refuse("an empty sibling is written out")
			}
		}
		if Bit(keyHash, d) == 0 {
			h = Inner(h, sibling)
		} else {
			h = Inner(sibling, h)
		}
	}
	if left != 0 {
		return h, refuse("%d siblings too many", left)
	}
	return h, nil
}

// Bit returns bit i of h, the highest bit of the first byte being bit 0.
func Bit(h Hash, i int) byte { return h[i/8] >> (7 - i%8) & 1 }

func commonBits(a, b Hash) int {
	for i := range a {
		if x := a[i] ^ b[i]; x != 0 {
			return 8*i + bits.LeadingZeros8(x)
		}
	}
	return MaxDepth
}
