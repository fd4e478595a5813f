package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mulian/state/proof"
)

// keys are chosen to be close to each other: one begins another, and they hold the
// bytes that an encoding may trip over. Those that begin with i are Plain.
var keys = []string{
	"a", "a\x00", "a\x00\x00", "a\x00\x01", "a\x00\xff", "a\x01", "a/", "a/b", "ab", "b", "b\xff", "b\xff\xff", "c", "\x00", "\x00\x01",
	"\xff", "\xff\xff", "\xff\xffa", "i", "i/1", "i/2", "i\xff",
}

func authOf(key string) Auth {
	if key[0] == 'i' {
		return Plain
	}
	return Proved
}

// model is the state in the plainest form.
type model struct {
	records map[string]string
	events  []string
}

func (m model) clone() model { return model{maps.Clone(m.records), slices.Clone(m.events)} }

// proved is what a view of an old height shows.
func (m model) proved() model {
	out := m.clone()
	maps.DeleteFunc(out.records, func(k, _ string) bool { return authOf(k) == Plain })
	return out
}

// pairs are the records from from on that begin with prefix, at most n.
func (m model) pairs(prefix, from string, n int) (out [][2]string) {
	for _, k := range slices.Sorted(maps.Keys(m.records)) {
		if strings.HasPrefix(k, prefix) && k >= from && len(out) < n {
			out = append(out, [2]string{k, m.records[k]})
		}
	}
	return out
}

func pairs(v View, prefix, from string, n int) (out [][2]string) {
	v.Range([]byte(prefix), []byte(from), func(k, value []byte) bool {
		out = append(out, [2]string{string(k), string(value)})
		return len(out) < n
	})
	return out
}

// appHash is the definition in the package comment, without any code of ours.
func (m model) appHash() [32]byte {
	type leaf struct{ key, value [32]byte }
	var root func(leaves []leaf, bit int) [32]byte
	root = func(leaves []leaf, bit int) (h [32]byte) {
		switch len(leaves) {
		case 0:
			return h
		case 1:
			return sha256.Sum256(slices.Concat([]byte{0}, leaves[0].key[:], leaves[0].value[:]))
		}
		var half [2][]leaf
		for _, l := range leaves {
			b := l.key[bit/8] >> (7 - bit%8) & 1
			half[b] = append(half[b], l)
		}
		l, r := root(half[0], bit+1), root(half[1], bit+1)
		return sha256.Sum256(slices.Concat([]byte{1}, l[:], r[:]))
	}
	var log func(events []string) [32]byte
	log = func(events []string) [32]byte {
		switch n := len(events); n {
		case 0:
			return sha256.Sum256(nil)
		case 1:
			return sha256.Sum256([]byte("\x00" + events[0]))
		default:
			k := 1
			for 2*k < n {
				k *= 2
			}
			l, r := log(events[:k]), log(events[k:])
			return sha256.Sum256(slices.Concat([]byte{1}, l[:], r[:]))
		}
	}
	var leaves []leaf
	for k, v := range m.proved().records {
		leaves = append(leaves, leaf{sha256.Sum256([]byte(k)), sha256.Sum256([]byte(v))})
	}
	t, l := root(leaves, 0), log(m.events)
	return sha256.Sum256(slices.Concat([]byte("mulian-state-v1"), t[:], l[:], binary.BigEndian.AppendUint64(nil, uint64(len(m.events)))))
}

// history is a store beside its model.
type history struct {
	kv     *pebble.DB
	db     *DB
	opts   Options
	now    model
	past   map[int64]model // after each block
	oldest int64
}

func TestHistoriesMatchTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := &history{
			now: model{records: map[string]string{}}, past: map[int64]model{},
			opts: Options{KeepVersions: rapid.SampledFrom([]int64{0, 0, 1, 3}).Draw(t, "keep"), CachePages: 1},
		}
		var err error
		if h.kv, err = pebble.Open("store", &pebble.Options{FS: vfs.NewMem(), Logger: quiet{}}); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := h.kv.Close(); err != nil {
				t.Fatal(err)
			}
		}()
		h.reopen(t)
		if h.db.Committed() || h.db.AppHash() != h.now.appHash() {
			t.Fatal("an empty store is not as described")
		}
		height := rapid.Int64Range(0, 3).Draw(t, "first height")
		for range rapid.IntRange(1, 10).Draw(t, "blocks") {
			h.block(t, height)
			if rapid.Bool().Draw(t, "reopen") {
				h.reopen(t)
			}
			if rapid.IntRange(0, 5).Draw(t, "prune") == 0 {
				h.prune(t, rapid.Int64Range(0, height+2).Draw(t, "keep from"))
			}
			h.check(t)
			height += rapid.SampledFrom([]int64{1, 1, 1, 4}).Draw(t, "step")
		}
	})
}

func (h *history) reopen(t *rapid.T) {
	var err error
	if h.db, err = Open(h.kv, []byte("p"), h.opts); err != nil {
		t.Fatal(err)
	}
}

func (h *history) block(t *rapid.T, height int64) {
	b := h.db.Begin(height, height*10)
	defer b.Discard()
	next := h.now.clone()
	for range rapid.IntRange(0, 4).Draw(t, "transactions") {
		next = h.transaction(t, b, next)
	}
	app := b.Finish()
	if app != next.appHash() {
		t.Fatalf("block %d: app hash %x, want %x", height, app, next.appHash())
	}
	if rapid.IntRange(0, 5).Draw(t, "discard") == 0 {
		return
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	h.now, h.past[height] = next, next
	if h.db.AppHash() != app || h.db.Height() != height || h.db.Head().UnixMs != height*10 {
		t.Fatalf("after block %d the head is %+v", height, h.db.Head())
	}
	if h.opts.KeepVersions > 0 {
		h.oldest = max(h.oldest, height-h.opts.KeepVersions+1)
	}
}

func (h *history) transaction(t *rapid.T, b *Block, before model) model {
	tx, m := b.Tx(), before.clone()
	defer tx.Drop()
	for range rapid.IntRange(0, 12).Draw(t, "steps") {
		key := rapid.SampledFrom(keys).Draw(t, "key")
		switch rapid.IntRange(0, 5).Draw(t, "what") {
		case 0, 1:
			value := rapid.SampledFrom([]string{"", "1", "2", "\x00", "long " + strings.Repeat("x", 100)}).Draw(t, "value")
			tx.Put([]byte(key), []byte(value), authOf(key))
			m.records[key] = value
		case 2:
			tx.Delete([]byte(key), authOf(key))
			delete(m.records, key)
		case 3:
			tx.Emit([]byte(key))
			m.events = append(m.events, key)
		case 4:
			compareRange(t, tx, m)
		case 5:
			value, ok := tx.Get([]byte(key))
			if want, there := m.records[key]; ok != there || string(value) != want {
				t.Fatalf("Get(%q) = %q, %t, want %q, %t", key, value, ok, want, there)
			}
		}
	}
	if rapid.IntRange(0, 2).Draw(t, "drop") == 0 {
		tx.Drop()
		if d := cmp.Diff(before.pairs("", "", 99), pairs(b, "", "", 99)); d != "" {
			t.Fatalf("a dropped transaction left something (-before +after):\n%s", d)
		}
		return before
	}
	tx.Keep()
	compareRange(t, b, m)
	return m
}

func compareRange(t *rapid.T, v View, m model) {
	prefix := rapid.SampledFrom(append(keys, "")).Draw(t, "prefix")
	from := rapid.SampledFrom(append(keys, "")).Draw(t, "from")
	n := rapid.SampledFrom([]int{1, 3, 99}).Draw(t, "stop after")
	if d := cmp.Diff(m.pairs(prefix, from, n), pairs(v, prefix, from, n)); d != "" {
		t.Fatalf("Range(%q, %q) at %d, %d records (-want +got):\n%s", prefix, from, v.Height(), n, d)
	}
}

func (h *history) prune(t *rapid.T, keepFrom int64) {
	if err := h.db.Prune(keepFrom); err != nil {
		t.Fatal(err)
	}
	h.oldest = max(h.oldest, min(keepFrom, h.db.Height()))
	if got, err := h.db.Oldest(); err != nil || got != h.oldest {
		t.Fatalf("Prune(%d): oldest %d, %v, want %d", keepFrom, got, err, h.oldest)
	}
}

// check compares all that can be read with the model.
func (h *history) check(t *rapid.T) {
	if err := h.db.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(h.past) == 0 {
		return
	}
	last := h.db.Height()
	for height, m := range h.past {
		s, err := h.db.At(height)
		if height < h.oldest {
			if !errors.Is(err, ErrPruned) {
				t.Fatalf("At(%d) with oldest %d: %v", height, h.oldest, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if height < last {
			m = m.proved()
		}
		h.compare(t, s, m)
		s.Close()
	}
	if _, err := h.db.At(last + 1); !errors.Is(err, ErrFuture) {
		t.Fatalf("At(%d): %v", last+1, err)
	}
	h.checkProofs(t)
	h.checkEvents(t)
}

func (h *history) compare(t *rapid.T, s *Snapshot, m model) {
	if s.AppHash() != m.appHash() {
		t.Fatalf("height %d: app hash %x, want %x", s.Height(), s.AppHash(), m.appHash())
	}
	if d := cmp.Diff(m.pairs("", "", 99), pairs(s, "", "", 99)); d != "" {
		t.Fatalf("height %d (-want +got):\n%s", s.Height(), d)
	}
	compareRange(t, s, m)
	for _, key := range keys {
		value, ok := s.Get([]byte(key))
		if want, there := m.records[key]; ok != there || string(value) != want {
			t.Fatalf("height %d: Get(%q) = %q, %t, want %q, %t", s.Height(), key, value, ok, want, there)
		}
	}
}

func (h *history) checkProofs(t *rapid.T) {
	for _, key := range keys {
		p, err := h.db.Prove([]byte(key))
		if err != nil {
			t.Fatal(err)
		}
		var value []byte // stays nil if absent
		if v, ok := h.now.records[key]; ok && authOf(key) == Proved {
			value = append([]byte{}, v...)
		}
		if err := proof.VerifyKey(h.db.AppHash(), []byte(key), value, p); err != nil {
			t.Fatalf("%q: %v", key, err)
		}
	}
}

func (h *history) checkEvents(t *rapid.T) {
	size := int64(len(h.now.events))
	if h.db.Events() != size {
		t.Fatalf("%d events, want %d", h.db.Events(), size)
	}
	all, err := h.db.EventRange(0, 9999)
	if err != nil || int64(len(all)) != size {
		t.Fatalf("%d events, %v, want %d", len(all), err, size)
	}
	for seq, want := range h.now.events {
		e, err := h.db.Event(int64(seq))
		if err != nil || !cmp.Equal(e, all[seq]) || string(e.Bytes) != want || int64(len(h.past[e.Height].events)) <= e.Seq {
			t.Fatalf("event %d: %+v, %v, want %q", seq, e, err, want)
		}
		p, err := h.db.ProveEvent(int64(seq), 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := proof.VerifyEvent(h.db.AppHash(), []byte(want), p); err != nil {
			t.Fatalf("event %d: %v", seq, err)
		}
	}
	for height, m := range h.past {
		if height < h.oldest || len(m.events) == 0 {
			continue
		}
		p, err := h.db.ProveEventAt(0, height)
		if err != nil {
			t.Fatal(err)
		}
		if err := proof.VerifyEvent(m.appHash(), []byte(m.events[0]), p); err != nil {
			t.Fatalf("event 0 at height %d: %v", height, err)
		}
		h.checkConsistency(t, height)
	}
	if _, err := h.db.Event(size); !errors.Is(err, ErrNoEvent) {
		t.Fatalf("event %d: %v", size, err)
	}
}

func (h *history) checkConsistency(t *rapid.T, height int64) {
	head, err := h.db.HeadAt(height)
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.db.ConsistencyProof(head.LogSize, h.db.Events())
	if err != nil {
		t.Fatal(err)
	}
	if err := proof.VerifyConsistency(head.LogRoot, h.db.Head().LogRoot, p); err != nil {
		t.Fatalf("log of height %d: %v", height, err)
	}
}

func TestEscapeKeepsTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bytesOf := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 0xfe, 0xff}), 0, 5)
		a, b := bytesOf.Draw(t, "a"), bytesOf.Draw(t, "b")
		ea, eb := escape(nil, a), escape(nil, b)
		if bytes.Compare(a, b) != bytes.Compare(ea, eb) {
			t.Fatalf("%x and %x become %x and %x", a, b, ea, eb)
		}
		back, err := unescape(ea)
		if err != nil || !bytes.Equal(back, a) {
			t.Fatalf("%x becomes %x and again %x, %v", a, ea, back, err)
		}
		if len(ea) > 0 && bytes.HasPrefix(eb, ea) && !bytes.Equal(a, b) {
			t.Fatalf("%x begins %x", ea, eb)
		}
	})
}
