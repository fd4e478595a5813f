package owner

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
	"mulian/safebox"
)

// Content is what goes into a box: its name, its kind, and bytes that can be read twice.
type Content struct {
	Title     string
	Schema    string // what kind of thing it is: "contract/1"; default "file/1"
	MediaType string
	Entry     string // catalogue entry it comes from, if any
	Single    bool   // a single-owner token: it is handed over, never copied
	Suite     safeboxv1.SealSuite
	// Open returns the bytes from their beginning.
	Open func() (io.ReadCloser, error)
}

// Bytes is content that is in memory.
func Bytes(raw []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }
}

// Item is an item as its owner sees it.
type Item struct {
	ID    string
	Card  *safeboxv1.ItemCard // nil: it does not open, Err says why
	Err   error
	Held  *safeboxv1.BoxItem // nil: it lies in the box, the ledger has it not (yet)
	Bytes uint64             // as it is stored
	Stale bool               // closed to earlier keys: Rewrap

	head *safeboxv1.ItemHead
	key  safebox.Key
}

// Put encrypts content to the vault's public keys and puts it into the box; nothing has to
// be opened for that. UnlockersShort while the vault opens in one kind of way only.
func (b *Box) Put(ctx context.Context, c Content) (id string, err error) {
	v, err := b.Vault(ctx, b.Account)
	if err != nil {
		return "", err
	}
	if len(v.GetUnlockers()) < 2 {
		return "", fault.Newf(fault.UnlockersShort, "the vault of %s opens in one kind of way only: add another one first (mulian box unlockers add)", b.Account)
	}
	card := &safeboxv1.ItemCard{Salt: safebox.NewSalt(), Schema: c.Schema, Title: c.Title, MediaType: c.MediaType, Issuer: b.Account, MadeMs: b.now().UnixMilli(), Entry: c.Entry}
	if card.Schema == "" {
		card.Schema = "file/1"
	}
	if err := checkCard(card); err != nil {
		return "", err
	}
	if card.Bytes, card.ContentSha256, err = measure(c.Open); err != nil {
		return "", err
	}
	commitment, id, err := safebox.Commitment(card)
	if err != nil {
		return "", err
	}
	s, err := seal(card, safebox.Place{Item: id, Version: 1, Account: b.Account}, v, c.Suite)
	if err != nil {
		return "", err
	}
	if !b.DryRun {
		if err := s.lay(ctx, b, c.Open); err != nil {
			return "", err
		}
	}
	_, err = b.send(ctx, machine, &safeboxv1.SelfDeposit{Items: []*safeboxv1.NewItem{{Commitment: commitment, Single: c.Single, KeyVersion: v.GetKeyVersion()}}})
	if err != nil && !b.DryRun && !unknown(err) {
		_, undone := b.Door.Erase(ctx, id)
		err = errors.Join(err, undone)
	}
	return id, err
}

// unknown says that an act may still come onto the ledger.
func unknown(err error) bool {
	return fault.Is(err, fault.Timeout) || fault.Is(err, fault.Unreachable)
}

func checkCard(card *safeboxv1.ItemCard) error {
	for _, x := range []struct {
		name, text string
		most       int
	}{{"title", card.GetTitle(), maxTitle}, {"schema", card.GetSchema(), 100}, {"media type", card.GetMediaType(), 100}, {"entry", card.GetEntry(), 200}} {
		if len([]rune(x.text)) > x.most {
			return fault.Newf(fault.TooLong, "%s: at most %d characters", x.name, x.most)
		}
	}
	if card.GetTitle() == "" {
		return fault.Newf(fault.Missing, "title: an item without a name cannot be found again")
	}
	return nil
}

// measure reads content once for its length and hash. TooLong, Empty.
func measure(open func() (io.ReadCloser, error)) (uint64, []byte, error) {
	r, err := open()
	if err != nil {
		return 0, nil, err
	}
	defer r.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(r, safebox.MaxBytes+1))
	switch {
	case err != nil:
		return 0, nil, fmt.Errorf("read the content: %w", err)
	case n > safebox.MaxBytes:
		return 0, nil, fault.Newf(fault.TooLong, "content of more than %d bytes", safebox.MaxBytes)
	case n == 0:
		return 0, nil, fault.Newf(fault.Empty, "the content is empty")
	}
	return uint64(n), h.Sum(nil), nil
}

// sealed is a card with its head, before its body is written.
type sealed struct {
	card *safeboxv1.ItemCard
	head *safeboxv1.ItemHead
	key  safebox.Key
	at   safebox.Place
}

// seal makes a key and closes it to a vault; suite 0 is the hybrid one.
func seal(card *safeboxv1.ItemCard, at safebox.Place, to *safeboxv1.Vault, suite safeboxv1.SealSuite) (*sealed, error) {
	if suite == 0 {
		suite = safebox.Hybrid
	}
	suite = safebox.Best(to, suite)
	key, err := safebox.NewKey(suite)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the vault of %s", at.Account)
	}
	head, err := safebox.SealHead(key, at, card, to)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "seal to the vault of %s", at.Account)
	}
	return &sealed{card: card, head: head, key: key, at: at}, nil
}

// lay encrypts the body into the box of its place.
func (s *sealed) lay(ctx context.Context, b *Box, open func() (io.ReadCloser, error)) error {
	return b.Door.Lay(ctx, s.head, func(w io.Writer) error {
		r, err := open()
		if err != nil {
			return err
		}
		defer r.Close()
		return safebox.SealBody(w, s.key, s.at, s.card, r)
	})
}

// Items lists what lies in the box, by id, with what the ledger has of it.
func (o *Opened) Items(ctx context.Context) ([]*Item, error) {
	list, err := o.Door.List(ctx)
	if err != nil {
		return nil, err
	}
	var out []*Item
	for _, s := range list {
		it, err := o.Item(ctx, s.GetItem())
		if fault.Is(err, fault.NotFound) {
			continue // erased meanwhile
		}
		if unreadable(err) {
			it, err = &Item{ID: s.GetItem(), Err: err}, nil
			it.Held, err = o.Held(ctx, it.ID)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, it)
	}
	return out, nil
}

// unreadable says that an item is not what it should be: its neighbours may be.
func unreadable(err error) bool {
	return fault.Is(err, fault.Damaged) || fault.Is(err, fault.VerificationFailed)
}

// Item reads the head of one item and opens its card. That it does not open is told by Err
// of the item, not by an error. NotFound.
func (o *Opened) Item(ctx context.Context, id string) (*Item, error) {
	head, _, err := o.Door.Head(ctx, id)
	if err != nil {
		return nil, err
	}
	it := &Item{ID: id, Bytes: head.GetBodyBytes(), head: head}
	for _, w := range head.GetWraps() {
		it.Stale = it.Stale || w.GetKeyVersion() != o.vault.KeyVersion()
	}
	if it.key, it.Err = o.vault.Unwrap(head); it.Err == nil {
		it.Card, it.Err = safebox.OpenCard(it.key, head)
	}
	if it.Err != nil {
		it.Err = fault.Wrap(fault.Damaged, it.Err, "item %s", id)
	}
	if it.Held, err = o.Held(ctx, id); err != nil {
		return nil, err
	}
	if it.Card != nil && it.Held != nil {
		commitment, _, err := safebox.Commitment(it.Card)
		if err != nil || !bytes.Equal(commitment, it.Held.GetCommitment()) {
			it.Card, it.Err = nil, fault.Newf(fault.VerificationFailed, "item %s is not what the ledger has a commitment of", id)
		}
	}
	return it, nil
}

// Find returns the item that a person means: its id, the beginning of an id (4 characters at
// least), or its title. NotFound; DuplicateName if several fit.
func (o *Opened) Find(ctx context.Context, meant string) (*Item, error) {
	if raw, err := hex.DecodeString(meant); err == nil && len(raw) == 16 {
		it, err := o.Item(ctx, meant)
		if err == nil {
			err = it.Err
		}
		return it, err
	}
	all, err := o.Items(ctx)
	if err != nil {
		return nil, err
	}
	var found *Item
	for _, it := range all {
		if it.Card.GetTitle() != meant && (len(meant) < 4 || len(it.ID) < len(meant) || it.ID[:len(meant)] != meant) {
			continue
		}
		if found != nil {
			return nil, fault.Newf(fault.DuplicateName, "%.60q means %s and %s: give more of the id", meant, found.ID, it.ID)
		}
		found = it
	}
	if found == nil {
		return nil, fault.Newf(fault.NotFound, "there is no item %.60q in this box", meant)
	}
	return found, found.Err
}

// Content reads an item: every byte is checked before it is returned, and the end comes only
// after the whole was. Damaged if anything was changed.
func (o *Opened) Content(ctx context.Context, it *Item) (io.Reader, error) {
	if it.Err != nil {
		return nil, it.Err
	}
	r, err := safebox.OpenBody(o.Door.Body(ctx, it.head), it.key, safebox.PlaceOf(it.head), it.Card)
	if err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "item %s", it.ID)
	}
	return checked{r, it.ID}, nil
}

// checked gives the errors of a body their codes.
type checked struct {
	r  io.Reader
	id string
}

// Read implements [io.Reader].
func (c checked) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if errors.Is(err, safebox.ErrOpen) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fault.Wrap(fault.Damaged, err, "item %s", c.id)
	}
	return n, err
}

// Erased is what Erase did with one item.
type Erased struct {
	ID     string
	Ledger bool // its erasure is recorded; false: it never was on the ledger
	Stored bool // there was ciphertext, and it is destroyed
}

// Erase destroys items for good: first it is recorded, then keys, salt and content are
// destroyed at the door. TransferLocked while one is offered to somebody.
func (b *Box) Erase(ctx context.Context, ids ...string) ([]Erased, error) {
	var out []Erased
	var record []string
	for _, id := range ids {
		held, err := b.Held(ctx, id)
		if err != nil {
			return nil, err
		}
		if held != nil && held.GetOwner() != b.Account {
			return nil, fault.Newf(fault.NotOwner, "item %s is in another's box", id)
		}
		out = append(out, Erased{ID: id, Ledger: held != nil})
		if held.GetState() == safeboxv1.ItemState_ITEM_STATE_HELD {
			record = append(record, id)
		}
	}
	if len(record) > 0 {
		m := &safeboxv1.EraseItems{Items: record, Basis: safeboxv1.ErasureBasis_ERASURE_BASIS_OWNER}
		if _, err := b.send(ctx, officer, m); err != nil {
			return nil, err
		}
	}
	if b.DryRun {
		return out, ErrUnsent
	}
	for i := range out {
		var err error
		if out[i].Stored, err = b.Door.Erase(ctx, out[i].ID); err != nil {
			return out, fmt.Errorf("the erasure of %s is on the ledger, and the door destroys it by itself: %w", out[i].ID, err)
		}
	}
	return out, nil
}
