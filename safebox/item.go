package safebox

import (
	"bytes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/canon"
)

// Place is where an item is: what its encryption is bound to.
type Place struct {
	Item    string // id, from its commitment
	Version uint32 // of this encryption, from 1
	Account string // in whose box
}

func (p Place) parts() [][]byte {
	return [][]byte{[]byte(p.Item), binary.BigEndian.AppendUint32(nil, p.Version), []byte(p.Account)}
}

// Key is the key of one version of one item. It prints as nothing.
type Key struct {
	suite safeboxv1.SealSuite
	raw   []byte
}

// NewKey makes a random key of the suite.
func NewKey(s safeboxv1.SealSuite) (Key, error) {
	n := keyBytes(s)
	if n == 0 {
		return Key{}, fmt.Errorf("%w: %d", ErrSuite, s)
	}
	return Key{s, random(n)}, nil
}

// Suite of the content that the key encrypts.
func (k Key) Suite() safeboxv1.SealSuite { return k.suite }

// String hides the key, as does every other form of printing.
func (k Key) String() string { return "item key" }

// Format hides the key from every verb.
func (k Key) Format(f fmt.State, _ rune) { io.WriteString(f, "item key") }

// Commitment returns what the ledger has of a card, and the item's id.
func Commitment(card *safeboxv1.ItemCard) (commitment []byte, id string, err error) {
	raw, err := canon.Marshal(card)
	if err != nil {
		return nil, "", err
	}
	if len(card.GetSalt()) != 32 {
		return nil, "", fmt.Errorf("%w: a card with %d bytes of salt", ErrForm, len(card.GetSalt()))
	}
	commitment = digest("mulian/box/commitment/v1", raw)
	return commitment, hex.EncodeToString(commitment[:16]), nil
}

// NewSalt returns the salt of a new card.
func NewSalt() []byte { return random(32) }

// chunks encrypts or decrypts the chunks of one thing in order.
type chunks struct {
	aead   cipher.AEAD
	kind   byte // 1 body, 2 card
	place  Place
	schema string
	next   uint32
}

func (c *chunks) nonce(last bool) []byte {
	n := make([]byte, 12)
	n[0] = c.kind
	binary.BigEndian.PutUint32(n[7:], c.next)
	if last {
		n[11] = 1
	}
	return n
}

func (c *chunks) aad() []byte {
	parts := append(c.place.parts(), []byte(c.schema), binary.BigEndian.AppendUint32(nil, c.next))
	return canon.Frame("mulian/box/item/v1", parts...)
}

func (c *chunks) seal(chunk []byte, last bool) []byte {
	box := c.aead.Seal(nil, c.nonce(last), chunk, c.aad())
	c.next++
	return box
}

func (c *chunks) open(box []byte, last bool) ([]byte, error) {
	chunk, err := c.aead.Open(nil, c.nonce(last), box, c.aad())
	if err != nil {
		return nil, ErrOpen
	}
	c.next++
	return chunk, nil
}

func newChunks(k Key, kind byte, at Place, schema string) (*chunks, error) {
	aead, err := newAEAD(k.suite, k.raw)
	if err != nil {
		return nil, err
	}
	return &chunks{aead: aead, kind: kind, place: at, schema: schema}, nil
}

// BodyBytes returns the length of the body of so many bytes of content.
func BodyBytes(content uint64) uint64 {
	n := (content + ChunkBytes - 1) / ChunkBytes
	return content + max(1, n)*Overhead
}

// SealBody encrypts content to w: exactly the bytes, and with the hash, that the card says.
func SealBody(w io.Writer, k Key, at Place, card *safeboxv1.ItemCard, content io.Reader) error {
	if card.GetBytes() > MaxBytes {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrBound, card.GetBytes(), MaxBytes)
	}
	c, err := newChunks(k, 1, at, card.GetSchema())
	if err != nil {
		return err
	}
	sum, left, buf := sha256.New(), card.GetBytes(), make([]byte, ChunkBytes)
	for {
		n := int(min(left, ChunkBytes))
		if _, err := io.ReadFull(content, buf[:n]); err != nil {
			return fmt.Errorf("read the content: %w", err)
		}
		sum.Write(buf[:n])
		left -= uint64(n)
		if _, err := w.Write(c.seal(buf[:n], left == 0)); err != nil {
			return err
		}
		if left == 0 {
			break
		}
	}
	if more, _ := content.Read(buf[:1]); more > 0 || !bytes.Equal(sum.Sum(nil), card.GetContentSha256()) {
		return fmt.Errorf("%w: the content is not that of its card", ErrForm)
	}
	return nil
}

// Body reads the content of an encrypted body: nothing that has not been checked, and no
// end before the last chunk.
type Body struct {
	c     *chunks
	r     io.Reader
	card  *safeboxv1.ItemCard
	sum   hash.Hash
	left  uint64
	ready []byte
	box   []byte
	err   error
}

// OpenBody returns the content of body as it is read.
func OpenBody(body io.Reader, k Key, at Place, card *safeboxv1.ItemCard) (*Body, error) {
	if card.GetBytes() > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes", ErrBound, card.GetBytes())
	}
	c, err := newChunks(k, 1, at, card.GetSchema())
	if err != nil {
		return nil, err
	}
	b := &Body{c: c, r: body, card: card, sum: sha256.New(), left: card.GetBytes(), box: make([]byte, ChunkBytes+Overhead)}
	b.fill()
	return b, nil
}

// Read implements [io.Reader]. [ErrOpen] if a chunk is not what was sealed here, or the
// content is not that of its card; io.ErrUnexpectedEOF if chunks are missing.
func (b *Body) Read(p []byte) (int, error) {
	if len(b.ready) == 0 {
		if b.err == nil && b.left > 0 {
			b.fill()
		} else if b.err == nil {
			b.err = io.EOF
		}
		if len(b.ready) == 0 {
			return 0, b.err
		}
	}
	n := copy(p, b.ready)
	b.ready = b.ready[n:]
	return n, nil
}

// fill takes the next chunk; the last one only together with the hash of the whole.
func (b *Body) fill() {
	n := int(min(b.left, ChunkBytes))
	if _, err := io.ReadFull(b.r, b.box[:n+Overhead]); err != nil {
		b.err = io.ErrUnexpectedEOF
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			b.err = err
		}
		return
	}
	chunk, err := b.c.open(b.box[:n+Overhead], b.left == uint64(n))
	if err != nil {
		b.err = err
		return
	}
	b.sum.Write(chunk)
	b.left -= uint64(n)
	if b.left == 0 && !bytes.Equal(b.sum.Sum(nil), b.card.GetContentSha256()) {
		b.err = ErrOpen
		return
	}
	b.ready = chunk
}

// SealHead makes the head of an item: its card encrypted, its key wrapped to the vault.
func SealHead(k Key, at Place, card *safeboxv1.ItemCard, vault *safeboxv1.Vault, suites ...safeboxv1.SealSuite) (*safeboxv1.ItemHead, error) {
	raw, err := canon.Marshal(card)
	if err != nil {
		return nil, err
	}
	if len(raw) > MaxCard {
		return nil, fmt.Errorf("%w: a card of %d bytes", ErrBound, len(raw))
	}
	c, err := newChunks(k, 2, at, "")
	if err != nil {
		return nil, err
	}
	head := &safeboxv1.ItemHead{
		Item: at.Item, Version: at.Version, Account: at.Account, Suite: k.suite,
		Card: c.seal(raw, true), BodyBytes: BodyBytes(card.GetBytes()),
	}
	head.Wraps, err = WrapTo(k, at, vault, suites...)
	return head, err
}

// OpenCard opens the card of a head and holds it against the item's id.
func OpenCard(k Key, head *safeboxv1.ItemHead) (*safeboxv1.ItemCard, error) {
	at := PlaceOf(head)
	c, err := newChunks(k, 2, at, "")
	if err != nil {
		return nil, err
	}
	raw, err := c.open(head.GetCard(), true)
	if err != nil {
		return nil, err
	}
	card := &safeboxv1.ItemCard{}
	if err := (canon.Limits{Bytes: MaxCard}).Check(raw, card); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	_, id, err := Commitment(card)
	if err != nil {
		return nil, err
	}
	if id != at.Item || BodyBytes(card.Bytes) != head.BodyBytes {
		return nil, fmt.Errorf("%w: this card is not that of item %s", ErrForm, at.Item)
	}
	return card, nil
}

// PlaceOf returns the place that a head says it is for.
func PlaceOf(head *safeboxv1.ItemHead) Place {
	return Place{Item: head.GetItem(), Version: head.GetVersion(), Account: head.GetAccount()}
}

// ParseHead reads a head that came from a store.
func ParseHead(raw []byte) (*safeboxv1.ItemHead, error) {
	head := &safeboxv1.ItemHead{}
	if err := (canon.Limits{Bytes: MaxHead, Elements: 256}).Check(raw, head); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	if len(head.Wraps) == 0 || len(head.Wraps) > MaxWraps || slices.Contains(head.Wraps, nil) {
		return nil, fmt.Errorf("%w: %d wraps", ErrForm, len(head.Wraps))
	}
	return head, nil
}
