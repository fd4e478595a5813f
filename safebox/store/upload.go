package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"mulian/internal/fault"
)

// Upload is what is begun: by whom, when, how long the body is, and the hash of the head
// with which it will be finished.
type Upload struct {
	By    string
	At    time.Time
	Bytes uint64
	Head  [32]byte
}

// maxPlan bounds a plan: 48 bytes and an account.
const maxPlan = 48 + 100

// encodePlan: length of the body (8 bytes), hash of the head that will finish it (32),
// milliseconds (8), who laid it down.
func encodePlan(u Upload) []byte {
	raw := append(binary.BigEndian.AppendUint64(nil, u.Bytes), u.Head[:]...)
	return append(binary.BigEndian.AppendUint64(raw, uint64(u.At.UnixMilli())), u.By...)
}

// decodePlan: ok is false for what a crash has left of one.
func decodePlan(raw []byte) (u Upload, ok bool) {
	if len(raw) < 48 || len(raw) > maxPlan {
		return u, false
	}
	u.Bytes, u.Head = binary.BigEndian.Uint64(raw), [32]byte(raw[8:40])
	u.At, u.By = time.UnixMilli(int64(binary.BigEndian.Uint64(raw[40:]))), string(raw[48:])
	return u, u.Bytes > 0 && u.Bytes <= MaxBody && u.At.UnixMilli() > 0
}

// Start begins an upload, or goes on with one: it returns the parts that are missing, at
// most 1024 of them. done says that the item is there already, by that head. The same item
// begun with another head or length starts over. TooLong, BoxFull; Idempotency if the item
// is there with another head.
func (s *Boxes) Start(ctx context.Context, account, id string, u Upload) (missing []uint32, done bool, err error) {
	if err := checkIDs(account, id); err != nil {
		return nil, false, err
	}
	if u.Bytes == 0 || u.Bytes > MaxBody {
		return nil, false, fault.Newf(fault.TooLong, "a body of %d bytes, at most %d", u.Bytes, MaxBody)
	}
	b, err := s.open(ctx, account)
	if err != nil {
		return nil, false, err
	}
	defer b.mu.Unlock()
	if b.items[id].done {
		return nil, true, s.sameHead(ctx, account, id, u.Head)
	}
	have, err := s.blobs.Get(ctx, planName(account, id), maxPlan)
	if err != nil && !errors.Is(err, ErrNone) {
		return nil, false, onMedium(err)
	}
	if was, ok := decodePlan(have); !ok || was.Bytes != u.Bytes || was.Head != u.Head {
		if err := s.begin(ctx, b, account, id, u); err != nil {
			return nil, false, err
		}
	}
	missing, err = s.missing(ctx, account, id, u.Bytes, 1024)
	return missing, false, err
}

// begin makes room for an upload and plans it.
func (s *Boxes) begin(ctx context.Context, b *box, account, id string, u Upload) error {
	was, begun := b.items[id]
	mine, bytes := 0, int64(u.Bytes)
	for other, it := range b.items {
		if it.sinceMs != 0 && it.by == u.By && other != id {
			mine, bytes = mine+1, bytes+it.bytes
		}
	}
	switch {
	case !begun && len(b.items) >= s.quota.Items:
		return fault.Newf(fault.BoxFull, "the box has %d items", len(b.items))
	case mine >= s.quota.Unsettled || bytes > s.quota.UnsettledBytes:
		return fault.Newf(fault.BoxFull, "%d items of %s lie here and are not on the ledger, %d bytes with this one: put them there first", mine, u.By, bytes)
	case b.bytes-was.bytes+int64(u.Bytes) > s.quota.Bytes:
		return fault.Newf(fault.BoxFull, "the box has %d bytes, %d more are over its quota", b.bytes, u.Bytes)
	}
	if err := s.destroy(ctx, account, id); err != nil { // what is left of another attempt
		return err
	}
	s.forget(b, id)
	if err := s.blobs.Put(ctx, planName(account, id), encodePlan(u)); err != nil {
		return onMedium(err)
	}
	s.note(b, id, item{bytes: int64(u.Bytes), by: u.By, sinceMs: u.At.UnixMilli()})
	return nil
}

// sameHead refuses another head than the one with which the item was finished.
func (s *Boxes) sameHead(ctx context.Context, account, id string, head [32]byte) error {
	raw, err := s.blobs.Get(ctx, headName(account, id), MaxHead)
	if err == nil && sha256.Sum256(raw) != head {
		return fault.Newf(fault.Idempotency, "item %s is there with another head", id)
	}
	return onMedium(err)
}

// missing lists the parts that are not there, or not whole.
func (s *Boxes) missing(ctx context.Context, account, id string, body uint64, limit int) (out []uint32, err error) {
	for i := uint32(0); i < parts(body) && len(out) < limit; i++ {
		n, err := s.blobs.Size(ctx, partName(account, id, i))
		if err != nil && !errors.Is(err, ErrNone) {
			return nil, onMedium(err)
		}
		if err != nil || n != partLength(body, i) {
			out = append(out, i)
		}
	}
	return out, nil
}

// PutPart keeps one part of an upload that was begun; the same part again replaces it.
// IllegalTransition if no upload is open, OutOfRange for a part or a length that is not
// planned.
func (s *Boxes) PutPart(ctx context.Context, account, id string, n uint32, content []byte) error {
	if err := checkIDs(account, id); err != nil {
		return err
	}
	b, err := s.open(ctx, account)
	if err != nil {
		return err
	}
	defer b.mu.Unlock()
	it, ok := b.items[id]
	switch {
	case !ok || it.done:
		return fault.Newf(fault.IllegalTransition, "no upload of item %s is open: start it", id)
	case n >= parts(uint64(it.bytes)) || int64(len(content)) != partLength(uint64(it.bytes), n):
		return fault.Newf(fault.OutOfRange, "part %d of %d bytes is not of a body of %d", n, len(content), it.bytes)
	}
	return onMedium(s.blobs.Put(ctx, partName(account, id, n), content))
}

// Finish makes an item visible: all its parts are there, and this is the head that was
// planned. The same again is no error. IllegalTransition, CodeInconsistent (head).
func (s *Boxes) Finish(ctx context.Context, account, id string, head []byte) error {
	if err := checkIDs(account, id); err != nil {
		return err
	}
	b, err := s.open(ctx, account)
	if err != nil {
		return err
	}
	defer b.mu.Unlock()
	sum := sha256.Sum256(head)
	it, ok := b.items[id]
	if !ok {
		return fault.Newf(fault.IllegalTransition, "no upload of item %s is open: start it", id)
	}
	if it.done {
		return s.sameHead(ctx, account, id, sum)
	}
	raw, err := s.blobs.Get(ctx, planName(account, id), maxPlan)
	if err != nil {
		return onMedium(err)
	}
	if plan, ok := decodePlan(raw); !ok || plan.Bytes != uint64(it.bytes) || plan.Head != sum || len(head) > MaxHead {
		return fault.Newf(fault.CodeInconsistent, "this is not the head with which the upload of %s was begun", id)
	}
	left, err := s.missing(ctx, account, id, uint64(it.bytes), 1)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fault.Newf(fault.IllegalTransition, "part %d of item %s has not come", left[0], id)
	}
	if err := s.blobs.Put(ctx, headName(account, id), head); err != nil {
		return onMedium(err)
	}
	it.done = true
	b.items[id] = it
	return nil
}
