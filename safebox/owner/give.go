package owner

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	identityv1 "mulian/gen/mulian/identity/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/safebox"
)

// Terms are what a copy is given under: they stand in it, and are what the offer commits to.
type Terms struct {
	To      string // account that has a box
	Purpose string
	Until   time.Time // until when the copy counts
	Fields  []string  // of a JSON object or a credential; none: the whole
	Answer  time.Time // until when it can be accepted
}

// Given is an offer that is on the ledger, with its ciphertext in the receiver's box.
type Given struct {
	Transfer string
	Item     string // that it becomes there
	Card     *safeboxv1.ItemCard
}

// Give offers an annotated copy of an item 加注件: sealed to the receiver's vault, good for
// him alone, for that purpose and until that time. The original stays. Errors are those of
// the ledger's OfferTransfer, and OutOfRange, Missing for the terms.
func (o *Opened) Give(ctx context.Context, it *Item, t Terms) (*Given, error) {
	card, open, err := o.copied(ctx, it, t)
	if err != nil {
		return nil, err
	}
	commitment, id, err := safebox.Commitment(card)
	if err != nil {
		return nil, err
	}
	terms, err := safebox.Terms(card)
	if err != nil {
		return nil, err
	}
	m := &safeboxv1.OfferTransfer{Item: it.ID, To: t.To, Kind: safeboxv1.TransferKind_TRANSFER_KIND_COPY, CopyCommitment: commitment, TermsCommitment: terms, ExpiresMs: t.Answer.UnixMilli()}
	return o.offer(ctx, m, card, safebox.Place{Item: id, Version: 1, Account: t.To}, it.head.GetSuite(), officer, open)
}

// copied makes the card of a copy, and says where its content comes from.
func (o *Opened) copied(ctx context.Context, it *Item, t Terms) (*safeboxv1.ItemCard, func() (io.ReadCloser, error), error) {
	switch {
	case it.Err != nil:
		return nil, nil, it.Err
	case t.Purpose == "" || len([]rune(t.Purpose)) > maxText:
		return nil, nil, fault.Newf(fault.Missing, "purpose: 1 to %d characters, they stand on the copy", maxText)
	case !t.Until.After(o.now()):
		return nil, nil, fault.Newf(fault.OutOfRange, "until: the copy would have ended before it is given")
	case len(t.Fields) > MaxFields:
		return nil, nil, fault.Newf(fault.TooLong, "%d fields, at most %d", len(t.Fields), MaxFields)
	}
	card := &safeboxv1.ItemCard{
		Salt: safebox.NewSalt(), Schema: it.Card.GetSchema(), Title: it.Card.GetTitle(), MediaType: it.Card.GetMediaType(), Issuer: it.Card.GetIssuer(), MadeMs: it.Card.GetMadeMs(),
		Entry: it.Card.GetEntry(), Bytes: it.Card.GetBytes(), ContentSha256: it.Card.GetContentSha256(),
		Copy: &safeboxv1.CopyNote{Of: it.ID, From: o.Account, To: t.To, Purpose: t.Purpose, NotAfterMs: t.Until.UnixMilli(), Fields: t.Fields, MadeMs: o.now().UnixMilli()},
	}
	if len(t.Fields) == 0 && card.MediaType != CredentialType {
		return card, func() (io.ReadCloser, error) {
			r, err := o.Content(ctx, it)
			return io.NopCloser(r), err
		}, nil
	}
	raw, err := o.All(ctx, it)
	if err != nil {
		return nil, nil, err
	}
	if raw, card.MediaType, err = narrow(raw, card.MediaType, t.Fields); err != nil {
		return nil, nil, err
	}
	if card.Bytes, card.ContentSha256, err = measure(Bytes(raw)); err != nil {
		return nil, nil, err
	}
	return card, Bytes(raw), nil
}

// All reads an item into memory. TooLong over MaxNarrow.
func (o *Opened) All(ctx context.Context, it *Item) ([]byte, error) {
	if it.Card.GetBytes() > MaxNarrow {
		return nil, fault.Newf(fault.TooLong, "item %s has %d bytes; at most %d are taken apart", it.ID, it.Card.GetBytes(), MaxNarrow)
	}
	r, err := o.Content(ctx, it)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// HandOver offers the item itself: when it is accepted it has another owner, and is gone
// from this box. Errors are those of the ledger's OfferTransfer.
func (o *Opened) HandOver(ctx context.Context, it *Item, to string, answer time.Time) (*Given, error) {
	if it.Err != nil {
		return nil, it.Err
	}
	if it.Card.GetMediaType() == CredentialType { // with the holder's key in it: who has it presents as the holder
		return nil, fault.Newf(fault.Forbidden, "a credential is bound to its holder and is not handed over: give a copy, or let it be issued to him")
	}
	m := &safeboxv1.OfferTransfer{Item: it.ID, To: to, Kind: safeboxv1.TransferKind_TRANSFER_KIND_HAND_OVER, ExpiresMs: answer.UnixMilli()}
	at := safebox.Place{Item: it.ID, Version: it.head.GetVersion() + 1, Account: to}
	return o.offer(ctx, m, it.Card, at, it.head.GetSuite(), root, func() (io.ReadCloser, error) {
		r, err := o.Content(ctx, it)
		return io.NopCloser(r), err
	})
}

// offer puts an offer on the ledger and its ciphertext into the receiver's box. What could
// not be laid there is cancelled.
func (o *Opened) offer(ctx context.Context, m *safeboxv1.OfferTransfer, card *safeboxv1.ItemCard, at safebox.Place, suite safeboxv1.SealSuite, level identityv1.KeyLevel, open func() (io.ReadCloser, error)) (*Given, error) {
	to, err := o.Vault(ctx, m.To)
	if fault.Is(err, fault.VaultMissing) {
		return nil, fault.Newf(fault.RecipientNotEligible, "%.100s has no box: it is opened with mulian box init", m.To)
	}
	if err != nil {
		return nil, err
	}
	s, err := seal(card, at, to, suite)
	if err != nil {
		return nil, err
	}
	if m.WrapHash, err = headHash(s.head); err != nil {
		return nil, err
	}
	m.KeyVersion = to.GetKeyVersion()
	r, err := o.send(ctx, level, m)
	if err != nil {
		return nil, err
	}
	if len(r.IDs) == 0 {
		return nil, fault.Newf(fault.VerificationFailed, "the server shows an offer without its id")
	}
	g := &Given{Transfer: r.IDs[0], Item: at.Item, Card: card}
	if err := s.lay(ctx, o.Box, open); err != nil {
		_, undone := o.send(context.WithoutCancel(ctx), officer, &safeboxv1.CancelTransfer{Transfer: g.Transfer})
		return nil, errors.Join(fmt.Errorf("offer %s is cancelled, what it offers could not be laid down: %w", g.Transfer, err), undone)
	}
	return g, nil
}

func headHash(head *safeboxv1.ItemHead) ([]byte, error) {
	raw, err := canon.Marshal(head)
	if err != nil {
		return nil, err
	}
	return digestOf(raw), nil
}

// Offered is an offer to this box whose content was opened and is what its giver signed.
type Offered struct {
	Transfer *safeboxv1.Transfer
	Item     *Item
}

// Look opens what an open offer would bring, and reads all of it. NotFound if there is no such
// offer to this box, or nothing lies there yet; VerificationFailed if what lies there is not
// what was offered, Damaged if its content was changed or is not whole: then decline.
func (o *Opened) Look(ctx context.Context, transfer string) (*Offered, error) {
	t := &safeboxv1.Transfer{}
	ok, err := o.get(ctx, "safebox/transfer/"+transfer, t)
	switch {
	case err != nil:
		return nil, err
	case !ok || t.GetTo() != o.Account:
		return nil, fault.Newf(fault.NotFound, "there is no offer %.40s to this box", transfer)
	case t.GetState() != safeboxv1.TransferState_TRANSFER_STATE_OFFERED:
		return nil, fault.Newf(fault.IllegalTransition, "offer %s is %s", t.GetId(), t.GetState())
	}
	id := t.GetItem()
	if t.GetKind() == safeboxv1.TransferKind_TRANSFER_KIND_COPY {
		if len(t.GetCopyCommitment()) != 32 {
			return nil, fault.Newf(fault.VerificationFailed, "the server shows an offer of a copy without its commitment")
		}
		id = hex.EncodeToString(t.GetCopyCommitment()[:16])
	}
	_, sum, err := o.Door.Head(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return nil, fault.Newf(fault.NotFound, "what offer %s brings does not lie in this box (yet): ask %s", t.GetId(), t.GetFrom())
	}
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(sum[:], t.GetWrapHash()) {
		return nil, fault.Newf(fault.VerificationFailed, "what lies in this box is not what offer %s was signed for", t.GetId())
	}
	it, err := o.Item(ctx, id)
	if err == nil {
		err = it.Err
	}
	if err != nil {
		return nil, err
	}
	if err := o.sameAsOffered(ctx, t, it.Card); err != nil {
		return nil, err
	}
	return &Offered{t, it}, o.whole(ctx, it)
}

// whole reads an item to its end, and keeps nothing: who accepts what he has not read may have
// accepted nothing.
func (o *Opened) whole(ctx context.Context, it *Item) error {
	r, err := o.Content(ctx, it)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return err
}

// sameAsOffered holds a card against the offer that brings it.
func (o *Opened) sameAsOffered(ctx context.Context, t *safeboxv1.Transfer, card *safeboxv1.ItemCard) error {
	commitment, _, err := safebox.Commitment(card)
	if err != nil {
		return fault.Wrap(fault.Damaged, err, "offer %s", t.GetId())
	}
	if t.GetKind() == safeboxv1.TransferKind_TRANSFER_KIND_HAND_OVER {
		held, err := o.Held(ctx, t.GetItem())
		if err == nil && !bytes.Equal(commitment, held.GetCommitment()) {
			err = fault.Newf(fault.VerificationFailed, "offer %s brings another item than %s", t.GetId(), t.GetItem())
		}
		return err
	}
	terms, err := safebox.Terms(card)
	note := card.GetCopy()
	if err != nil || !bytes.Equal(commitment, t.GetCopyCommitment()) || !bytes.Equal(terms, t.GetTermsCommitment()) ||
		note.GetTo() != o.Account || note.GetFrom() != t.GetFrom() || note.GetOf() != t.GetItem() {
		return fault.Newf(fault.VerificationFailed, "the copy of offer %s, or its note, is not what %s signed", t.GetId(), t.GetFrom())
	}
	return nil
}

// Accept takes what Look has opened; its id in this box is returned.
func (o *Opened) Accept(ctx context.Context, f *Offered) (item string, err error) {
	level := officer
	if f.Transfer.GetKind() == safeboxv1.TransferKind_TRANSFER_KIND_HAND_OVER {
		level = root
	}
	_, err = o.send(ctx, level, &safeboxv1.AcceptTransfer{Transfer: f.Transfer.GetId()})
	return f.Item.ID, err
}

// Decline refuses an offer, Cancel takes one back; the door destroys what was laid ready.
func (b *Box) Decline(ctx context.Context, transfer string) error {
	_, err := b.send(ctx, officer, &safeboxv1.DeclineTransfer{Transfer: transfer})
	return err
}

// Cancel: see [Box.Decline].
func (b *Box) Cancel(ctx context.Context, transfer string) error {
	_, err := b.send(ctx, officer, &safeboxv1.CancelTransfer{Transfer: transfer})
	return err
}
