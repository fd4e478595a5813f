package openid

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"time"

	"mulian/internal/sdjwt"
)

// sealer gives a request that anybody may send back to its sender, to be brought again: sealed
// under a key of this process, so that nobody reads or changes it, and nothing of it is kept
// here. What is open to anybody fills no memory. Safe for concurrent use.
type sealer struct {
	aead cipher.AEAD
	now  func() time.Time
}

// maxSealed bounds what is opened: a state of 512 bytes, a redirection, all configurations.
const maxSealed = 16 << 10

// sealed is what is in it.
type sealed struct {
	Ends    int64 // milliseconds
	Request *pushed
}

func newSealer(now func() time.Time) (*sealer, error) {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails (crypto/rand)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &sealer{aead, now}, err
}

// seal makes a text of the request that counts for one kind of use, and so long.
func (s *sealer) seal(kind string, p *pushed, life time.Duration) (string, error) {
	raw, err := json.Marshal(sealed{s.now().Add(life).UnixMilli(), p})
	if err != nil {
		return "", err
	}
	return sdjwt.Encode(s.aead.Seal(nil, nil, raw, []byte(kind))), nil
}

// open returns the request of a text of that kind whose time has not ended.
func (s *sealer) open(kind, text string) (*pushed, bool) {
	if len(text) > maxSealed {
		return nil, false
	}
	raw, err := sdjwt.Decode(text)
	if err != nil {
		return nil, false
	}
	if raw, err = s.aead.Open(nil, nil, raw, []byte(kind)); err != nil {
		return nil, false
	}
	var x sealed
	if json.Unmarshal(raw, &x) != nil || x.Request == nil || s.now().UnixMilli() >= x.Ends {
		return nil, false
	}
	return x.Request, true
}
