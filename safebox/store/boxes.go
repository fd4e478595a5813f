package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"mulian/internal/fault"
)

// Quota bounds one box. The zero value is [DefaultQuota].
type Quota struct {
	Items int   // finished or begun
	Bytes int64 // of bodies, finished or begun
}

// DefaultQuota is 10,000 items and 2 GiB. Our own choice.
var DefaultQuota = Quota{Items: 10_000, Bytes: 2 << 30}

// Boxes keeps boxes on a medium. Any number of goroutines may use it; one process at a time
// has the medium.
type Boxes struct {
	blobs Blobs
	quota Quota
	boxes sync.Map // account -> *box
}

// box is what is known of one box; its lock is held over the medium, so that the count is
// that of the medium.
type box struct {
	mu     sync.Mutex
	loaded bool
	items  map[string]item
	bytes  int64
}

// item is one that was begun.
type item struct {
	bytes int64
	done  bool
}

// Stored is an item as a list shows it.
type Stored struct {
	Item       string
	BodyBytes  uint64
	HeadSHA256 [32]byte
}

// New keeps boxes on a medium.
func New(b Blobs, q Quota) *Boxes {
	if q.Items <= 0 {
		q.Items = DefaultQuota.Items
	}
	if q.Bytes <= 0 {
		q.Bytes = DefaultQuota.Bytes
	}
	return &Boxes{blobs: b, quota: q}
}

// PutVault keeps a box's vault file.
func (s *Boxes) PutVault(ctx context.Context, account string, raw []byte) error {
	if err := checkIDs(account, noItem); err != nil {
		return err
	}
	if len(raw) == 0 || len(raw) > MaxVault {
		return fault.Newf(fault.TooLong, "a vault file of %d bytes", len(raw))
	}
	return onMedium(s.blobs.Put(ctx, account+"/vault", raw))
}

// Vault returns a box's vault file. NotFound.
func (s *Boxes) Vault(ctx context.Context, account string) ([]byte, error) {
	if err := checkIDs(account, noItem); err != nil {
		return nil, err
	}
	raw, err := s.blobs.Get(ctx, account+"/vault", MaxVault)
	return raw, onMedium(err)
}

// plan of an upload: length of the body and hash of the head that will finish it.
func encodePlan(body uint64, head [32]byte) []byte {
	return append(binary.BigEndian.AppendUint64(nil, body), head[:]...)
}

// Start begins an upload, or goes on with one: it returns the parts that are missing, at
// most 1024 of them. done says that the item is there already, by that head. The same item
// begun with another head or length starts over. TooLong, BoxFull; Idempotency if the item
// is there with another head.
func (s *Boxes) Start(ctx context.Context, account, id string, body uint64, head [32]byte) (missing []uint32, done bool, err error) {
	if err := checkIDs(account, id); err != nil {
		return nil, false, err
	}
	if body == 0 || body > MaxBody {
		return nil, false, fault.Newf(fault.TooLong, "a body of %d bytes, at most %d", body, MaxBody)
	}
	b, err := s.open(ctx, account)
	if err != nil {
		return nil, false, err
	}
	defer b.mu.Unlock()
	was, begun := b.items[id]
	if was.done {
		raw, err := s.blobs.Get(ctx, headName(account, id), MaxHead)
		if err != nil {
			return nil, false, onMedium(err)
		}
		if sha256.Sum256(raw) != head {
			return nil, false, fault.Newf(fault.Idempotency, "item %s is there with another head", id)
		}
		return nil, true, nil
	}
	next := encodePlan(body, head)
	have, err := s.blobs.Get(ctx, planName(account, id), 40)
	if err != nil && !errors.Is(err, ErrNone) {
		return nil, false, onMedium(err)
	}
	if string(have) != string(next) {
		if !begun && len(b.items) >= s.quota.Items {
			return nil, false, fault.Newf(fault.BoxFull, "the box has %d items", len(b.items))
		}
		if b.bytes-was.bytes+int64(body) > s.quota.Bytes {
			return nil, false, fault.Newf(fault.BoxFull, "the box has %d bytes, %d more are over its quota", b.bytes, body)
		}
		if err := s.destroy(ctx, account, id); err != nil { // what is left of another attempt
			return nil, false, err
		}
		if err := s.blobs.Put(ctx, planName(account, id), next); err != nil {
			return nil, false, onMedium(err)
		}
		b.bytes += int64(body) - was.bytes
		b.items[id] = item{bytes: int64(body)}
	}
	missing, err = s.missing(ctx, account, id, body, 1024)
	return missing, false, err
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
		raw, err := s.blobs.Get(ctx, headName(account, id), MaxHead)
		if err == nil && sha256.Sum256(raw) != sum {
			return fault.Newf(fault.Idempotency, "item %s is there with another head", id)
		}
		return onMedium(err)
	}
	plan, err := s.blobs.Get(ctx, planName(account, id), 40)
	if err != nil {
		return onMedium(err)
	}
	if string(plan) != string(encodePlan(uint64(it.bytes), sum)) || len(head) > MaxHead {
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
	// If the power fails here the item is finished and its plan is still there: load knows.
	b.items[id] = item{bytes: it.bytes, done: true}
	return onMedium(s.blobs.Delete(ctx, planName(account, id)))
}

// List returns a page of a box's finished items by id, and where the next one begins.
func (s *Boxes) List(ctx context.Context, account, after string, limit int) (page []Stored, next string, err error) {
	if err := checkIDs(account, noItem); err != nil {
		return nil, "", err
	}
	b, err := s.open(ctx, account)
	if err != nil {
		return nil, "", err
	}
	defer b.mu.Unlock()
	if limit <= 0 || limit > MaxList {
		limit = MaxList
	}
	for _, id := range sorted(b.items) {
		if id <= after || !b.items[id].done {
			continue
		}
		if len(page) == limit {
			return page, page[limit-1].Item, nil
		}
		raw, err := s.blobs.Get(ctx, headName(account, id), MaxHead)
		if err != nil {
			return nil, "", onMedium(err)
		}
		page = append(page, Stored{Item: id, BodyBytes: uint64(b.items[id].bytes), HeadSHA256: sha256.Sum256(raw)})
	}
	return page, "", nil
}

// Head returns a finished item's head. NotFound.
func (s *Boxes) Head(ctx context.Context, account, id string) ([]byte, error) {
	if err := checkIDs(account, id); err != nil {
		return nil, err
	}
	raw, err := s.blobs.Get(ctx, headName(account, id), MaxHead)
	return raw, onMedium(err)
}

// Part returns a part of a finished item's body. NotFound.
func (s *Boxes) Part(ctx context.Context, account, id string, n uint32) ([]byte, error) {
	if _, err := s.Head(ctx, account, id); err != nil {
		return nil, err
	}
	raw, err := s.blobs.Get(ctx, partName(account, id, n), PartBytes)
	return raw, onMedium(err)
}

// PutHead replaces the head of a finished item: its key was wrapped again. VersionConflict
// if the one that is there is not before.
func (s *Boxes) PutHead(ctx context.Context, account, id string, head []byte, before [32]byte) error {
	if err := checkIDs(account, id); err != nil {
		return err
	}
	if len(head) == 0 || len(head) > MaxHead {
		return fault.Newf(fault.TooLong, "a head of %d bytes", len(head))
	}
	b, err := s.open(ctx, account)
	if err != nil {
		return err
	}
	defer b.mu.Unlock()
	have, err := s.blobs.Get(ctx, headName(account, id), MaxHead)
	if err != nil {
		return onMedium(err)
	}
	if sha256.Sum256(have) != before {
		return fault.Newf(fault.VersionConflict, "the head of item %s has changed since it was read", id)
	}
	return onMedium(s.blobs.Put(ctx, headName(account, id), head))
}

// Erase destroys an item, finished or begun: first what holds its key, then the rest. there
// says whether there was anything.
func (s *Boxes) Erase(ctx context.Context, account, id string) (there bool, err error) {
	if err := checkIDs(account, id); err != nil {
		return false, err
	}
	b, err := s.open(ctx, account)
	if err != nil {
		return false, err
	}
	defer b.mu.Unlock()
	it, there := b.items[id]
	if err := s.destroy(ctx, account, id); err != nil {
		return there, err
	}
	delete(b.items, id)
	b.bytes -= it.bytes
	return there, nil
}

// destroy removes all blobs of an item, the head first.
func (s *Boxes) destroy(ctx context.Context, account, id string) error {
	if err := s.blobs.Delete(ctx, headName(account, id)); err != nil {
		return onMedium(err)
	}
	prefix := itemPrefix(account, id)
	for {
		names, err := s.blobs.List(ctx, prefix, "", 1000)
		if err != nil || len(names) == 0 {
			return onMedium(err)
		}
		for _, name := range names {
			if err := s.blobs.Delete(ctx, name); err != nil {
				return onMedium(err)
			}
		}
	}
}

// open locks a box and knows what is in it.
func (s *Boxes) open(ctx context.Context, account string) (*box, error) {
	got, _ := s.boxes.LoadOrStore(account, &box{})
	b := got.(*box)
	b.mu.Lock()
	if b.loaded {
		return b, nil
	}
	if err := s.load(ctx, account, b); err != nil {
		b.mu.Unlock()
		return nil, err
	}
	b.loaded = true
	return b, nil
}

// load reads a box's names. An item with a head is finished, whatever else a crash has left;
// one with a plan is begun; parts of neither are removed.
func (s *Boxes) load(ctx context.Context, account string, b *box) error {
	b.items, b.bytes = map[string]item{}, 0
	seen, after := map[string]byte{}, ""
	for {
		names, err := s.blobs.List(ctx, account+"/i/", after, 1000)
		if err != nil {
			return onMedium(err)
		}
		for _, name := range names {
			id, file, _ := strings.Cut(strings.TrimPrefix(name, account+"/i/"), "/")
			seen[id] |= map[string]byte{"head": 1, "plan": 2}[file]
		}
		if len(names) < 1000 {
			break
		}
		after = names[len(names)-1]
	}
	for id, what := range seen {
		size, err := s.sizeOf(ctx, account, id, what)
		if err != nil {
			return err
		}
		if size < 0 {
			if err := s.destroy(ctx, account, id); err != nil {
				return err
			}
			continue
		}
		b.items[id] = item{bytes: size, done: what&1 != 0}
		b.bytes += size
	}
	return nil
}

// sizeOf returns the length of an item's body, -1 if a crash in the middle of an erasure has
// left parts that belong to nothing.
func (s *Boxes) sizeOf(ctx context.Context, account, id string, what byte) (int64, error) {
	switch {
	case what&1 != 0:
		head, err := s.blobs.Get(ctx, headName(account, id), 1)
		if err != nil || len(head) == 0 || head[0] == 0 { // zeros: the crash came after the wipe
			return -1, ignoreNone(err)
		}
		var sum int64
		for n := uint32(0); ; n++ {
			size, err := s.blobs.Size(ctx, partName(account, id, n))
			if errors.Is(err, ErrNone) {
				return sum, nil
			}
			if err != nil {
				return 0, onMedium(err)
			}
			sum += size
		}
	case what&2 != 0:
		plan, err := s.blobs.Get(ctx, planName(account, id), 40)
		if err != nil || len(plan) != 40 || binary.BigEndian.Uint64(plan) == 0 || binary.BigEndian.Uint64(plan) > MaxBody {
			return -1, ignoreNone(err)
		}
		return int64(binary.BigEndian.Uint64(plan)), nil
	}
	return -1, nil
}

func ignoreNone(err error) error {
	if errors.Is(err, ErrNone) {
		return nil
	}
	return onMedium(err)
}

// Accounts returns up to limit accounts that have something here, after one.
func (s *Boxes) Accounts(ctx context.Context, after string, limit int) ([]string, error) {
	var out []string
	cursor := ""
	if after != "" {
		cursor = after + "/zzzz"
	}
	for len(out) < limit {
		names, err := s.blobs.List(ctx, "", cursor, 1)
		if err != nil || len(names) == 0 {
			return out, onMedium(err)
		}
		account, _, _ := strings.Cut(names[0], "/")
		out = append(out, account)
		cursor = account + "/zzzz" // behind everything of that box
	}
	return out, nil
}

// onMedium makes faults of a medium's errors.
func onMedium(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNone):
		return fault.Newf(fault.NotFound, "there is no such thing in this box")
	case faulty(err):
		return err
	}
	return fault.Wrap(fault.Inaccessible, err, "the store of boxes")
}

// noItem stands where no item is named.
const noItem = "00000000000000000000000000000000"

// checkIDs holds the form of an account's and an item's id: they become names of files.
func checkIDs(account, id string) error {
	if len(account) < 3 || len(account) > 100 || strings.ContainsAny(account, "/.:") || checkName(account) != nil {
		return fault.Newf(fault.Malformed, "%.100q is no account with a box", account)
	}
	if len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" {
		return fault.Newf(fault.Malformed, "%.40q is no item", id)
	}
	return nil
}

func itemPrefix(account, id string) string { return account + "/i/" + id + "/" }
func headName(account, id string) string   { return itemPrefix(account, id) + "head" }
func planName(account, id string) string   { return itemPrefix(account, id) + "plan" }
func partName(account, id string, n uint32) string {
	return fmt.Sprintf("%sbody/%06d", itemPrefix(account, id), n)
}

func parts(body uint64) uint32 { return uint32((body + PartBytes - 1) / PartBytes) }

func partLength(body uint64, n uint32) int64 {
	return int64(min(PartBytes, body-uint64(n)*PartBytes))
}

func sorted(m map[string]item) []string { return slices.Sorted(maps.Keys(m)) }

// faulty says that the error is a fault already.
func faulty(err error) bool {
	_, ok := errors.AsType[*fault.Fault](err)
	return ok
}
