package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mulian/internal/fault"
)

// Quota bounds one box. A zero field is that of [DefaultQuota].
type Quota struct {
	Items     int   // finished or begun
	Bytes     int64 // of bodies, finished or begun
	Unsettled int   // that one account has laid there and that are not settled

	UnsettledBytes int64 // of those
}

// DefaultQuota is 10,000 items, 2 GiB, and 200 unsettled ones: as many as one message of the
// ledger anchors, of together the bytes of the longest item. Our own choice.
var DefaultQuota = Quota{Items: 10_000, Bytes: 2 << 30, Unsettled: 200, UnsettledBytes: MaxBody}

// Boxes keeps boxes on a medium. Any number of goroutines may use it; one process at a time
// has the medium.
type Boxes struct {
	blobs Blobs
	quota Quota
	boxes sync.Map // account -> *box

	items, bytes, unsettled atomic.Int64 // of the boxes that were looked at
}

// Figures are what [Boxes] has, as far as it has looked.
type Figures struct{ Items, Bytes, Unsettled int64 }

// Figures returns them.
func (s *Boxes) Figures() Figures {
	return Figures{s.items.Load(), s.bytes.Load(), s.unsettled.Load()}
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
	bytes   int64
	done    bool
	by      string // who laid it down, while it is not settled
	sinceMs int64  // when it was begun; 0 = settled
}

// Kept is an item as the box's door looks at it.
type Kept struct {
	Item  string
	Done  bool      // finished: its owner sees it
	By    string    // who laid it down; empty once it is settled
	Since time.Time // when that was begun; zero once it is settled
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
	if q.Unsettled <= 0 {
		q.Unsettled = DefaultQuota.Unsettled
	}
	if q.UnsettledBytes <= 0 {
		q.UnsettledBytes = DefaultQuota.UnsettledBytes
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
	b, err := s.open(ctx, account)
	if err != nil {
		return err
	}
	defer b.mu.Unlock()
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

// note and forget keep the counts of a box, and of all, beside its items.
func (s *Boxes) note(b *box, id string, it item) {
	b.items[id] = it
	b.bytes += it.bytes
	s.items.Add(1)
	s.bytes.Add(it.bytes)
	if it.sinceMs != 0 {
		s.unsettled.Add(1)
	}
}

func (s *Boxes) forget(b *box, id string) {
	it, ok := b.items[id]
	if !ok {
		return
	}
	delete(b.items, id)
	b.bytes -= it.bytes
	s.items.Add(-1)
	s.bytes.Add(-it.bytes)
	if it.sinceMs != 0 {
		s.unsettled.Add(-1)
	}
}

// Settle notes that the ledger has a finished item: from now on it does not run out. One
// that is not finished, or not there, stays as it is.
func (s *Boxes) Settle(ctx context.Context, account, id string) error {
	if err := checkIDs(account, id); err != nil {
		return err
	}
	b, err := s.open(ctx, account)
	if err != nil {
		return err
	}
	defer b.mu.Unlock()
	it, ok := b.items[id]
	if !ok || !it.done || it.sinceMs == 0 {
		return nil
	}
	if err := s.blobs.Delete(ctx, planName(account, id)); err != nil {
		return onMedium(err)
	}
	it.by, it.sinceMs = "", 0
	b.items[id] = it
	s.unsettled.Add(-1)
	return nil
}

// Kept returns everything that is in a box, by id.
func (s *Boxes) Kept(ctx context.Context, account string) ([]Kept, error) {
	if err := checkIDs(account, noItem); err != nil {
		return nil, err
	}
	b, err := s.open(ctx, account)
	if err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	var out []Kept
	for _, id := range sorted(b.items) {
		out = append(out, kept(id, b.items[id]))
	}
	return out, nil
}

// Find returns one thing of a box, finished or not.
func (s *Boxes) Find(ctx context.Context, account, id string) (k Kept, ok bool, err error) {
	if err := checkIDs(account, id); err != nil {
		return k, false, err
	}
	b, err := s.open(ctx, account)
	if err != nil {
		return k, false, err
	}
	defer b.mu.Unlock()
	it, ok := b.items[id]
	return kept(id, it), ok, nil
}

func kept(id string, it item) Kept {
	k := Kept{Item: id, Done: it.done, By: it.by}
	if it.sinceMs != 0 {
		k.Since = time.UnixMilli(it.sinceMs)
	}
	return k
}

// Unsettled returns the accounts of the boxes, among those that were looked at, in which
// something is not settled, in order.
func (s *Boxes) Unsettled() (accounts []string) {
	s.boxes.Range(func(k, v any) bool {
		b := v.(*box)
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, it := range b.items {
			if it.sinceMs != 0 {
				accounts = append(accounts, k.(string))
				break
			}
		}
		return true
	})
	slices.Sort(accounts)
	return accounts
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
	_, there = b.items[id]
	if err := s.destroy(ctx, account, id); err != nil {
		return there, err
	}
	s.forget(b, id)
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
// one with a plan and no head is begun; parts of neither are removed.
func (s *Boxes) load(ctx context.Context, account string, b *box) error {
	for id := range b.items { // of an attempt that ended in the middle
		s.forget(b, id)
	}
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
		it, ok, err := s.look(ctx, account, id, what)
		if err != nil {
			return err
		}
		if !ok {
			if err := s.destroy(ctx, account, id); err != nil {
				return err
			}
			continue
		}
		s.note(b, id, it)
	}
	return nil
}

// look tells what an item is of which there is a head (what&1) or a plan (what&2); not ok if
// a crash in the middle of an erasure has left what belongs to nothing.
func (s *Boxes) look(ctx context.Context, account, id string, what byte) (it item, ok bool, err error) {
	var plan Upload
	planned := false
	if what&2 != 0 {
		raw, err := s.blobs.Get(ctx, planName(account, id), maxPlan)
		if err != nil {
			return it, false, ignoreNone(err)
		}
		plan, planned = decodePlan(raw) // zeros: the crash came while it was settled or erased
	}
	if what&1 == 0 {
		return item{bytes: int64(plan.Bytes), by: plan.By, sinceMs: plan.At.UnixMilli()}, planned, nil
	}
	head, err := s.blobs.Get(ctx, headName(account, id), 1)
	if err != nil || len(head) == 0 || head[0] == 0 { // zeros: the crash came after the wipe
		return it, false, ignoreNone(err)
	}
	it.done = true
	if planned {
		it.by, it.sinceMs = plan.By, plan.At.UnixMilli()
	}
	for n := uint32(0); ; n++ {
		size, err := s.blobs.Size(ctx, partName(account, id, n))
		if errors.Is(err, ErrNone) {
			return it, true, nil
		}
		if err != nil {
			return it, false, onMedium(err)
		}
		it.bytes += size
	}
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
