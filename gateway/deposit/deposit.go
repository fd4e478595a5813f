package deposit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
	"mulian/safebox"
)

// Depositor deposits for one account of an organisation. Safe for concurrent use.
type Depositor struct {
	Account string // who signs
	Dir     string // of the tickets; 0700
	// Get reads an object of the ledger by its key. Whoever answers could show keys of his
	// own as the owner's: a reader that proves what it reads is meant.
	Get func(ctx context.Context, key string, m proto.Message) (bool, error)
	// Lay brings an item to the door that keeps its owner's box.
	Lay func(ctx context.Context, head *safeboxv1.ItemHead, write func(io.Writer) error) error
	// Send signs and sends messages, and waits for the block.
	Send func(ctx context.Context, messages ...proto.Message) error
	Now  func() time.Time // nil: time.Now
}

// Item is what is deposited. Everything but Owner and Single is encrypted.
type Item struct {
	Owner     string
	Schema    string // "estate-certificate/1"
	Title     string
	MediaType string
	Entry     string // catalogue entry from which it comes; optional
	Single    bool   // a single-owner token: handed over, never copied
	Content   io.ReadSeeker
	Suite     safeboxv1.SealSuite // 0: [safebox.Best] of the owner's vault
}

// Done says where a deposit is.
type Done struct {
	Item  string `json:"item"`
	Owner string `json:"owner"`
	Bytes uint64 `json:"bytes"` // of the content
}

func (d *Depositor) now() time.Time {
	if d.Now != nil {
		return d.Now()
	}
	return time.Now()
}

// Deposit seals, lays and records an item. After an error that may pass, and after a kill,
// [Depositor.Resume] finishes it.
//
// Missing, TooLong (the item), VaultMissing (the owner has no box), NotFound (no door keeps
// it), BoxFull, and what the ledger refuses.
func (d *Depositor) Deposit(ctx context.Context, it Item) (*Done, error) {
	for try := 1; ; try++ {
		t, done, err := d.seal(ctx, it, true)
		if err != nil {
			return nil, err
		}
		err = d.finish(ctx, t)
		if final(err) { // whoever asked is told: nothing is left to be done
			err = errors.Join(err, t.destroy(context.WithoutCancel(ctx)))
		}
		err = errors.Join(err, t.medium.Close())
		if fault.Is(err, fault.VersionConflict) && try < attempts { // his keys changed: seal again
			continue
		}
		if err != nil {
			return nil, err
		}
		return done, nil
	}
}

// Laid is an item at the door that the ledger does not have yet.
type Laid struct {
	Done
	Message *safeboxv1.Deposit // for the caller's transaction

	ticket *ticket
}

// LayDown seals an item and lays it at the door, for a transaction of the caller's own. The
// caller ends it with [Laid.End], whatever became of the transaction.
func (d *Depositor) LayDown(ctx context.Context, it Item) (*Laid, error) {
	t, done, err := d.seal(ctx, it, false)
	if err != nil {
		return nil, err
	}
	if err := d.lay(ctx, t); err != nil {
		return nil, errors.Join(err, t.destroy(ctx), t.medium.Close())
	}
	return &Laid{Done: *done, Message: t.message(), ticket: t}, nil
}

// End destroys the ticket. What the ledger does not have is destroyed at the door when its
// time is over.
func (l *Laid) End(ctx context.Context) error {
	return errors.Join(l.ticket.destroy(context.WithoutCancel(ctx)), l.ticket.medium.Close())
}

// seal encrypts an item to its owner's vault and writes the ticket.
func (d *Depositor) seal(ctx context.Context, it Item, alone bool) (*ticket, *Done, error) {
	for name, bad := range map[string]bool{"schema": len(it.Schema) > maxSchema, "title": len(it.Title) > maxTitle, "media type": len(it.MediaType) > maxMedia, "entry": len(it.Entry) > maxEntry} {
		if bad {
			return nil, nil, fault.Newf(fault.TooLong, "the %s of a deposit", name)
		}
	}
	if it.Schema == "" || !utf8.ValidString(it.Schema+it.Title+it.MediaType+it.Entry) {
		return nil, nil, fault.Newf(fault.Missing, "a deposit needs a schema, and texts in UTF-8")
	}
	vault := &safeboxv1.Vault{}
	if ok, err := d.Get(ctx, "safebox/vault/"+it.Owner, vault); err != nil || !ok {
		if err == nil {
			err = fault.Newf(fault.VaultMissing, "%.100s has no box: its owner makes one (mulian box)", it.Owner)
		}
		return nil, nil, err
	}
	card, err := d.card(it)
	if err != nil {
		return nil, nil, err
	}
	commitment, id, err := safebox.Commitment(card)
	if err != nil {
		return nil, nil, err
	}
	key, err := safebox.NewKey(safebox.Best(vault, it.Suite))
	if err != nil {
		return nil, nil, err
	}
	at := safebox.Place{Item: id, Version: 1, Account: it.Owner}
	head, err := safebox.SealHead(key, at, card, vault)
	if err != nil {
		return nil, nil, err
	}
	t, err := newTicket(d.Dir)
	if err != nil {
		return nil, nil, err
	}
	t.plan = plan{
		Owner: it.Owner, Item: id, Commitment: hex.EncodeToString(commitment), KeyVersion: vault.GetKeyVersion(), Single: it.Single, Alone: alone, AtMs: d.now().UnixMilli(), head: head,
	}
	err = t.write(ctx, func(w io.Writer) error { return safebox.SealBody(w, key, at, card, it.Content) })
	if err != nil {
		return nil, nil, errors.Join(err, t.destroy(context.WithoutCancel(ctx)), t.medium.Close())
	}
	return t, &Done{Item: id, Owner: it.Owner, Bytes: card.GetBytes()}, nil
}

// card reads the content once, and leaves it at its beginning.
func (d *Depositor) card(it Item) (*safeboxv1.ItemCard, error) {
	sum := sha256.New()
	_, err := it.Content.Seek(0, io.SeekStart)
	if err == nil {
		var n int64
		n, err = io.Copy(sum, io.LimitReader(it.Content, safebox.MaxBytes+1))
		if err == nil && n > safebox.MaxBytes {
			return nil, fault.Newf(fault.TooLong, "more than %d bytes", safebox.MaxBytes)
		}
		if err == nil {
			_, err = it.Content.Seek(0, io.SeekStart)
		}
		if err == nil {
			return &safeboxv1.ItemCard{
				Salt: safebox.NewSalt(), Schema: it.Schema, Title: it.Title, MediaType: it.MediaType, Issuer: d.Account, MadeMs: d.now().UnixMilli(),
				Bytes: uint64(n), ContentSha256: sum.Sum(nil), Entry: it.Entry,
			}, nil
		}
	}
	return nil, fmt.Errorf("read what is to be deposited: %w", err)
}

func (d *Depositor) lay(ctx context.Context, t *ticket) error {
	return d.Lay(ctx, t.plan.head, func(w io.Writer) error { return t.body(ctx, w) })
}

// finish lays and records what a ticket holds, and destroys it. After an error it is as it was.
func (d *Depositor) finish(ctx context.Context, t *ticket) error {
	item := &safeboxv1.BoxItem{}
	found, err := d.Get(ctx, "safebox/item/"+t.plan.Item, item)
	if err != nil {
		return err
	}
	if !found { // if it is, the last life was ended between the block and the end of the ticket
		if err = d.lay(ctx, t); err == nil {
			err = d.Send(ctx, t.message())
		}
	}
	if err != nil {
		return err
	}
	return t.destroy(context.WithoutCancel(ctx)) // a stop in the middle would only make the next start do it
}

// final says that trying again with the same ciphertext is of no use.
func final(err error) bool {
	switch fault.CodeOf(err) {
	case fault.VersionConflict, fault.VaultMissing, fault.NotFound, fault.Suspended, fault.DuplicateName, fault.BoxFull, fault.ItemErased, fault.Forbidden, fault.Malformed, fault.Idempotency:
		return true
	}
	return false
}
