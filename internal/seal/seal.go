package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hpke"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"mulian/internal/canon"
	"mulian/internal/sm"
)

// Why sealing or opening is refused.
var (
	ErrKind     = errors.New("nothing can be sealed to this kind of key: want SM2 or P-256")
	ErrBound    = errors.New("over a bound of sealing")
	ErrHeader   = errors.New("not a header of sealed content")
	ErrOpen     = errors.New("the sealed content cannot be opened: other key, other context, or changed on the way")
	ErrOrder    = errors.New("the page is not the next one")
	ErrTrailing = errors.New("the last page has already been taken")
	ErrCut      = errors.New("the sealed content ends before its last page")
)

const (
	suiteSM2  = 1
	suiteHPKE = 2
	version   = 1
	domain    = "mulian/seal/v1"
	exporter  = "mulian/seal/v1/key"
)

// stream is the key of a session, the same on both sides.
type stream struct {
	aead    cipher.AEAD
	binding [32]byte // of header and aad; the AEAD's associated data
	next    uint32   // index of the next page
	ended   bool     // the last page is done
}

func (s *stream) nonce(index uint32, last bool) []byte {
	n := make([]byte, 12)
	binary.BigEndian.PutUint32(n[7:], index)
	if last {
		n[11] = 1
	}
	return n
}

// Sealer seals the pages of one session. One goroutine uses it at a time.
type Sealer struct{ s stream }

// NewSealer begins a session to pub. aad is what both sides know and nobody may
// change (agreement, sequence, receiver); it is bound, not sent. The header goes
// to the receiver before the first box.
func NewSealer(pub sm.PublicKey, aad []byte) (s *Sealer, header []byte, err error) {
	if len(aad) > MaxAAD {
		return nil, nil, fmt.Errorf("%w: %d bytes of associated data, at most %d", ErrBound, len(aad), MaxAAD)
	}
	var aead cipher.AEAD
	switch pub.Algorithm() {
	case sm.SM2:
		key := make([]byte, sm.SM4KeySize)
		rand.Read(key) // never fails: crypto/rand ends the process instead
		enc, err := pub.EncryptSM2(key)
		if err != nil {
			return nil, nil, fmt.Errorf("seal to key %s: %w", pub.ID(), err)
		}
		header = join(suiteSM2, enc)
		if aead, err = sm.NewSM4GCM(key); err != nil {
			return nil, nil, err
		}
	case sm.P256:
		enc, key, err := encapsulate(pub, aad, exporter)
		if err != nil {
			return nil, nil, fmt.Errorf("seal to key %s: %w", pub.ID(), err)
		}
		header = join(suiteHPKE, enc)
		if aead, err = newAESGCM(key); err != nil {
			return nil, nil, err
		}
	default:
		return nil, nil, ErrKind
	}
	return &Sealer{stream{aead: aead, binding: bind(header, aad)}}, header, nil
}

// Seal returns the box of the next page; last says that no page follows. A page may
// be empty. After an error the session is as before.
func (s *Sealer) Seal(page []byte, last bool) ([]byte, error) {
	switch {
	case s.s.ended:
		return nil, ErrTrailing
	case len(page) > MaxPage:
		return nil, fmt.Errorf("%w: page of %d bytes, at most %d", ErrBound, len(page), MaxPage)
	case s.s.next == MaxPages:
		return nil, fmt.Errorf("%w: %d pages", ErrBound, MaxPages)
	}
	box := s.s.aead.Seal(make([]byte, 0, len(page)+Overhead), s.s.nonce(s.s.next, last), page, s.s.binding[:])
	s.s.next++
	s.s.ended = last
	return box, nil
}

// Opener opens the pages of one session, in their order. One goroutine uses it at
// a time.
type Opener struct {
	s      stream
	others []*Opener // by other keys, before the first page was opened
}

// NewOpener begins to open what was sealed to priv under this header and aad. A
// wrong key or aad may show here or at the first page, as [ErrOpen].
func NewOpener(priv sm.PrivateKey, header, aad []byte) (*Opener, error) {
	return NewOpenerAt(priv, header, aad, 0)
}

// NewOpenerOf is [NewOpener] with the first of several keys that opens the first page: a
// receiver that has changed his key still has the one before.
func NewOpenerOf(keys []sm.PrivateKey, header, aad []byte) (*Opener, error) {
	return NewOpenerOfAt(keys, header, aad, 0)
}

// NewOpenerOfAt is [NewOpenerOf] as [NewOpenerAt] goes on.
func NewOpenerOfAt(keys []sm.PrivateKey, header, aad []byte, index uint32) (*Opener, error) {
	var first *Opener
	err := ErrOpen
	for _, k := range keys {
		o, keyErr := NewOpenerAt(k, header, aad, index)
		switch {
		case keyErr != nil && first == nil:
			err = keyErr
		case keyErr != nil:
		case first == nil:
			first = o
		default:
			first.others = append(first.others, o)
		}
	}
	if first == nil {
		return nil, err
	}
	return first, nil
}

// NewOpenerAt goes on at page index after an interruption. The caller has pages 0
// to index-1 from an earlier Opener of the same header, and remembers that number
// durably together with them; otherwise pages could be left out unseen.
func NewOpenerAt(priv sm.PrivateKey, header, aad []byte, index uint32) (*Opener, error) {
	if len(aad) > MaxAAD || index >= MaxPages {
		return nil, fmt.Errorf("%w: %d bytes of associated data, page %d", ErrBound, len(aad), index)
	}
	suite, enc, err := split(header)
	if err != nil {
		return nil, err
	}
	var aead cipher.AEAD
	switch {
	case suite == suiteSM2 && priv.Algorithm() == sm.SM2:
		key, err := priv.DecryptSM2(enc)
		if err != nil || len(key) != sm.SM4KeySize {
			return nil, ErrOpen
		}
		if aead, err = sm.NewSM4GCM(key); err != nil {
			return nil, err
		}
	case suite == suiteHPKE && priv.Algorithm() == sm.P256:
		key, err := decapsulate(priv, enc, aad, exporter)
		if err != nil {
			return nil, err
		}
		if aead, err = newAESGCM(key); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("%w: sealed with suite %d, the key is %s", ErrOpen, suite, priv.Algorithm())
	}
	return &Opener{s: stream{aead: aead, binding: bind(header, aad), next: index}}, nil
}

// Open returns the page in box, which must be the page index and the next one:
// [ErrOrder], [ErrTrailing], [ErrBound], [ErrOpen]. last must be what the sealer
// said. After an error the session is as before and the right box can follow.
func (o *Opener) Open(index uint32, box []byte, last bool) ([]byte, error) {
	page, err := o.open(index, box, last)
	for i := 0; errors.Is(err, ErrOpen) && i < len(o.others); i++ {
		if page, otherErr := o.others[i].open(index, box, last); otherErr == nil {
			*o = *o.others[i]
			return page, nil
		}
	}
	if err == nil {
		o.others = nil
	}
	return page, err
}

func (o *Opener) open(index uint32, box []byte, last bool) ([]byte, error) {
	switch {
	case o.s.ended:
		return nil, ErrTrailing
	case index != o.s.next:
		return nil, fmt.Errorf("%w: page %d, want %d", ErrOrder, index, o.s.next)
	case index >= MaxPages || len(box) > MaxPage+Overhead:
		return nil, fmt.Errorf("%w: page %d in %d bytes", ErrBound, index, len(box))
	}
	page, err := o.s.aead.Open(nil, o.s.nonce(index, last), box, o.s.binding[:])
	if err != nil {
		return nil, fmt.Errorf("page %d: %w", index, ErrOpen)
	}
	o.s.next++
	o.s.ended = last
	return page, nil
}

// Next returns the index of the page that Open wants.
func (o *Opener) Next() uint32 { return o.s.next }

// Complete returns nil if the last page was opened, else [ErrCut]. A receiver asks
// before it uses what it got as the whole.
func (o *Opener) Complete() error {
	if !o.s.ended {
		return fmt.Errorf("%w: %d pages came", ErrCut, o.s.next)
	}
	return nil
}

// Seal closes one page of content: header and box in one piece.
func Seal(pub sm.PublicKey, aad, content []byte) ([]byte, error) {
	s, header, err := NewSealer(pub, aad)
	if err != nil {
		return nil, err
	}
	box, err := s.Seal(content, true)
	if err != nil {
		return nil, err
	}
	return append(header, box...), nil
}

// Open opens what [Seal] closed.
func Open(priv sm.PrivateKey, aad, sealed []byte) ([]byte, error) {
	n, err := headerLen(sealed)
	if err != nil {
		return nil, err
	}
	o, err := NewOpener(priv, sealed[:n], aad)
	if err != nil {
		return nil, err
	}
	return o.Open(0, sealed[n:], true)
}

func bind(header, aad []byte) [32]byte { return canon.Digest(domain, header, aad) }

func join(suite byte, enc []byte) []byte {
	h := []byte{'M', 'S', version, suite}
	h = binary.BigEndian.AppendUint16(h, uint16(len(enc)))
	return append(h, enc...)
}

// headerLen returns how many of the first bytes of b are the header.
func headerLen(b []byte) (int, error) {
	if len(b) < 6 || b[0] != 'M' || b[1] != 'S' {
		return 0, ErrHeader
	}
	if b[2] != version {
		return 0, fmt.Errorf("%w: version %d, want %d", ErrHeader, b[2], version)
	}
	n := 6 + int(binary.BigEndian.Uint16(b[4:]))
	if n > MaxHeader || n > len(b) {
		return 0, fmt.Errorf("%w: length %d", ErrHeader, n)
	}
	return n, nil
}

func split(header []byte) (suite byte, enc []byte, err error) {
	n, err := headerLen(header)
	if err != nil {
		return 0, nil, err
	}
	if n != len(header) {
		return 0, nil, fmt.Errorf("%w: %d bytes follow it", ErrHeader, len(header)-n)
	}
	return header[3], header[6:], nil
}

// info binds the aad already to the key; it is short whatever the aad is.
func info(aad []byte) []byte {
	d := canon.Digest(domain, []byte{suiteHPKE}, aad)
	return d[:]
}

// encapsulate makes a secret that only the key's holder can have too; use keeps the
// secrets of different uses apart.
func encapsulate(pub sm.PublicKey, aad []byte, use string) (enc, key []byte, err error) {
	ec, err := pub.KeyExchange()
	if err != nil {
		return nil, nil, err
	}
	pk, err := hpke.NewDHKEMPublicKey(ec)
	if err != nil {
		return nil, nil, err
	}
	enc, sender, err := hpke.NewSender(pk, hpke.HKDFSHA256(), hpke.AES256GCM(), info(aad))
	if err != nil {
		return nil, nil, err
	}
	key, err = sender.Export(use, 32)
	return enc, key, err
}

func decapsulate(priv sm.PrivateKey, enc, aad []byte, use string) (key []byte, err error) {
	ec, err := priv.KeyExchange()
	if err != nil {
		return nil, err
	}
	sk, err := hpke.NewDHKEMPrivateKey(ec)
	if err != nil {
		return nil, err
	}
	recipient, err := hpke.NewRecipient(enc, sk, hpke.HKDFSHA256(), hpke.AES256GCM(), info(aad))
	if err != nil {
		return nil, ErrOpen // the encapsulated key is no point of the curve
	}
	return recipient.Export(use, 32)
}

func newAESGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
