package seal

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"sync"
	"time"

	"mulian/internal/sm"
)

// Suites 3 and 4 are 1 and 2 for many single pages to one key: the header's
// encapsulated secret is the same for a while, and a salt of 16 random bytes gives
// each page a key of its own.
//
//	3  SM2 key    32 random bytes in SM2 ciphertext; key = HKDF-SM3(secret, salt, info)
//	4  P-256 key  the exporter's secret of HPKE "mulian/seal/v1/shared"; key = HKDF-SHA256
//
// with info = "mulian/seal/v1/page" || binding of header and aad. Header: as before, but
// what follows the length is salt || encapsulated key.
const (
	suiteSharedSM2  = 3
	suiteSharedHPKE = 4
	saltSize        = 16
	sharedExporter  = "mulian/seal/v1/shared"
	sharedInfo      = "mulian/seal/v1/page"
)

const (
	// sharedFor and sharedUses end a secret: whoever takes it from the sealer's memory
	// opens what was sealed within that time and no more. Our own choice.
	sharedFor  = time.Minute
	sharedUses = 1 << 20
	// keptSecrets bounds what an opener remembers.
	keptSecrets = 64
)

// secret is what a header's encapsulated key stands for.
type secret struct {
	suite byte
	enc   []byte // as in the header
	key   []byte
	ends  time.Time
	uses  int
}

// page derives the key of one page.
func (s *secret) page(salt, binding []byte) (cipher.AEAD, error) {
	newHash, size := sha256.New, 32
	if s.suite == suiteSharedSM2 {
		newHash, size = func() hash.Hash { return sm.NewSM3() }, sm.SM4KeySize
	}
	key, err := hkdf.Key(newHash, s.key, salt, sharedInfo+string(binding), size)
	if err != nil {
		return nil, err
	}
	if s.suite == suiteSharedSM2 {
		return sm.NewSM4GCM(key)
	}
	return newAESGCM(key)
}

// SharedSealer seals single pages to one key, faster than [NewSealer] for each: the
// public-key work is done once a minute. Many goroutines may use it.
type SharedSealer struct {
	pub sm.PublicKey

	mu  sync.Mutex // guards now
	now *secret
}

// NewSharedSealer is for pub. ErrKind: nothing can be sealed to it.
func NewSharedSealer(pub sm.PublicKey) (*SharedSealer, error) {
	if a := pub.Algorithm(); a != sm.SM2 && a != sm.P256 {
		return nil, ErrKind
	}
	return &SharedSealer{pub: pub}, nil
}

// Seal closes one page, bound to aad; [Open] and [SharedOpener] open it.
func (s *SharedSealer) Seal(aad, page []byte) (header, box []byte, err error) {
	if len(aad) > MaxAAD || len(page) > MaxPage {
		return nil, nil, fmt.Errorf("%w: page of %d bytes, %d bytes of associated data", ErrBound, len(page), len(aad))
	}
	sec, err := s.secret(time.Now())
	if err != nil {
		return nil, nil, err
	}
	salt := make([]byte, saltSize, saltSize+len(sec.enc))
	rand.Read(salt) // never fails: crypto/rand ends the process instead
	header = join(sec.suite, append(salt, sec.enc...))
	binding := bind(header, aad)
	aead, err := sec.page(header[6:6+saltSize], binding[:])
	if err != nil {
		return nil, nil, err
	}
	one := Sealer{stream{aead: aead, binding: binding}}
	box, err = one.Seal(page, true)
	return header, box, err
}

// secret gives the current one, or makes the next.
func (s *SharedSealer) secret(now time.Time) (*secret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now != nil && now.Before(s.now.ends) && s.now.uses < sharedUses {
		s.now.uses++
		return s.now, nil
	}
	next := &secret{ends: now.Add(sharedFor), uses: 1}
	var err error
	if s.pub.Algorithm() == sm.SM2 {
		next.suite, next.key = suiteSharedSM2, make([]byte, 32)
		rand.Read(next.key)
		next.enc, err = s.pub.EncryptSM2(next.key)
	} else {
		next.suite = suiteSharedHPKE
		next.enc, next.key, err = encapsulate(s.pub, nil, sharedExporter)
	}
	if err != nil {
		return nil, fmt.Errorf("seal to key %s: %w", s.pub.ID(), err)
	}
	s.now = next
	return next, nil
}

// SharedOpener opens single pages of every suite, and remembers the secrets of those of
// a [SharedSealer]. Many goroutines may use it.
type SharedOpener struct {
	priv sm.PrivateKey
	next *SharedOpener // by another key; nil: none

	mu           sync.Mutex // guards the two below
	young, older map[string]*secret
}

// NewSharedOpener opens with priv, or with one of more: keys of the receiver before he
// changed it.
func NewSharedOpener(priv sm.PrivateKey, more ...sm.PrivateKey) *SharedOpener {
	o := &SharedOpener{priv: priv, young: map[string]*secret{}}
	if len(more) > 0 {
		o.next = NewSharedOpener(more[0], more[1:]...)
	}
	return o
}

// Open returns the page in box, sealed as the only one of its session: [ErrHeader],
// [ErrBound], [ErrOpen].
func (o *SharedOpener) Open(header, aad, box []byte) ([]byte, error) {
	page, err := o.open(header, aad, box)
	if err != nil && o.next != nil && !errors.Is(err, ErrBound) {
		if page, nextErr := o.next.Open(header, aad, box); nextErr == nil {
			return page, nil
		}
	}
	return page, err
}

func (o *SharedOpener) open(header, aad, box []byte) ([]byte, error) {
	suite, enc, err := split(header)
	if err != nil {
		return nil, err
	}
	if suite != suiteSharedSM2 && suite != suiteSharedHPKE {
		one, err := NewOpener(o.priv, header, aad)
		if err != nil {
			return nil, err
		}
		return one.Open(0, box, true)
	}
	if len(enc) <= saltSize {
		return nil, ErrHeader
	}
	if len(aad) > MaxAAD {
		return nil, fmt.Errorf("%w: %d bytes of associated data", ErrBound, len(aad))
	}
	sec, err := o.secret(suite, enc[saltSize:])
	if err != nil {
		return nil, err
	}
	binding := bind(header, aad)
	aead, err := sec.page(enc[:saltSize], binding[:])
	if err != nil {
		return nil, err
	}
	one := Opener{s: stream{aead: aead, binding: binding}}
	return one.Open(0, box, true)
}

// secret opens the encapsulated key, once for each.
func (o *SharedOpener) secret(suite byte, enc []byte) (*secret, error) {
	name := string(append([]byte{suite}, enc...))
	o.mu.Lock()
	s := o.young[name]
	if s == nil {
		s = o.older[name]
	}
	o.mu.Unlock()
	if s != nil {
		return s, nil
	}
	key, err := unwrap(o.priv, suite, enc)
	if err != nil {
		return nil, err
	}
	s = &secret{suite: suite, enc: enc, key: key}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.young) >= keptSecrets { // two generations: what is in use comes again
		o.young, o.older = map[string]*secret{}, o.young
	}
	o.young[name] = s
	return s, nil
}

func unwrap(priv sm.PrivateKey, suite byte, enc []byte) (key []byte, err error) {
	switch {
	case suite == suiteSharedSM2 && priv.Algorithm() == sm.SM2:
		key, err = priv.DecryptSM2(enc)
		if err == nil && len(key) != 32 {
			err = errors.New("not of 32 bytes")
		}
	case suite == suiteSharedHPKE && priv.Algorithm() == sm.P256:
		key, err = decapsulate(priv, enc, nil, sharedExporter)
	default:
		return nil, fmt.Errorf("%w: sealed with suite %d, the key is %s", ErrOpen, suite, priv.Algorithm())
	}
	if err != nil {
		return nil, ErrOpen
	}
	return key, nil
}
