package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mulian/internal/fault"
	"mulian/safebox/boxtest"
	"mulian/safebox/store"
)

const (
	owner = "p-00000000000000000000000000000001"
	one   = "00000000000000000000000000000001"
	two   = "00000000000000000000000000000002"
)

func files(t *testing.T, dir string) *store.Files {
	t.Helper()
	f, err := store.OpenFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFiles(t *testing.T) {
	dirs := map[store.Blobs]string{}
	boxtest.Run(t, func(t *testing.T) store.Blobs {
		dir := filepath.Join(t.TempDir(), "boxes")
		f := files(t, dir)
		dirs[f] = dir
		return f
	}, func(t *testing.T, b store.Blobs) store.Blobs {
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		return files(t, dirs[b])
	})
}

func TestMemory(t *testing.T) {
	boxtest.Run(t, func(*testing.T) store.Blobs { return &store.Memory{} }, nil)
}

// put uploads an item of n bytes whole and returns its head.
func put(t *testing.T, s *store.Boxes, id string, body []byte) (head []byte) {
	t.Helper()
	head = []byte("head of " + id)
	missing, done, err := s.Start(t.Context(), owner, id, upload(len(body), sha256.Sum256(head)))
	if err != nil || done {
		t.Fatalf("start: %v, %t", err, done)
	}
	for _, n := range missing {
		if err := s.PutPart(t.Context(), owner, id, n, part(body, n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Finish(t.Context(), owner, id, head); err != nil {
		t.Fatal(err)
	}
	return head
}

func upload(n int, head [32]byte) store.Upload {
	return store.Upload{By: "11110000000021928Y/g/main", At: time.UnixMilli(1), Bytes: uint64(n), Head: head}
}

func part(body []byte, n uint32) []byte {
	return body[int(n)*store.PartBytes : min(len(body), (int(n)+1)*store.PartBytes)]
}

func TestQuotaCountsWhatWasBegun(t *testing.T) {
	s := store.New(&store.Memory{}, store.Quota{Items: 2, Bytes: 10})
	head := sha256.Sum256([]byte("h"))
	start := func(id string, n uint64) error {
		_, _, err := s.Start(t.Context(), owner, id, upload(int(n), head))
		return err
	}
	if err := errors.Join(start(one, 4), start(one, 6), start(two, 4)); err != nil {
		t.Fatal(err)
	}
	if err := start(two, 5); !fault.Is(err, fault.BoxFull) {
		t.Errorf("11 of 10 bytes: %v", err)
	}
	if err := start(strings.Repeat("a", 32), 1); !fault.Is(err, fault.BoxFull) {
		t.Errorf("3 of 2 items: %v", err)
	}
	if _, err := s.Erase(t.Context(), owner, one); err != nil {
		t.Fatal(err)
	}
	if err := start(strings.Repeat("a", 32), 6); err != nil {
		t.Errorf("after an erasure there is room: %v", err)
	}
}

func TestAnUploadGoesOnAfterARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "boxes")
	f := files(t, dir)
	s := store.New(f, store.Quota{})
	body := bytes.Repeat([]byte("0123456789abcdef"), 3*store.PartBytes/16+1)
	head := []byte("head")
	sum := sha256.Sum256(head)
	if missing, _, err := s.Start(t.Context(), owner, one, upload(len(body), sum)); err != nil || len(missing) != 4 {
		t.Fatalf("%v, %v", missing, err)
	}
	for _, n := range []uint32{3, 1} {
		if err := s.PutPart(t.Context(), owner, one, n, part(body, n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Finish(t.Context(), owner, one, head); !fault.Is(err, fault.IllegalTransition) {
		t.Errorf("finished with two of four parts: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = files(t, dir)
	defer f.Close()
	s = store.New(f, store.Quota{})
	if page, _, err := s.List(t.Context(), owner, "", 0); err != nil || len(page) != 0 {
		t.Errorf("an unfinished item is listed: %v, %v", page, err)
	}
	missing, done, err := s.Start(t.Context(), owner, one, upload(len(body), sum))
	if err != nil || done || fmt.Sprint(missing) != "[0 2]" {
		t.Fatalf("missing %v, %t, %v", missing, done, err)
	}
	for _, n := range missing {
		if err := s.PutPart(t.Context(), owner, one, n, part(body, n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.PutPart(t.Context(), owner, one, 0, body[:5]); !fault.Is(err, fault.OutOfRange) {
		t.Errorf("a short part: %v", err)
	}
	if err := s.Finish(t.Context(), owner, one, []byte("other")); !fault.Is(err, fault.CodeInconsistent) {
		t.Errorf("another head: %v", err)
	}
	if err := errors.Join(s.Finish(t.Context(), owner, one, head), s.Finish(t.Context(), owner, one, head)); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for n := range uint32(4) {
		p, err := s.Part(t.Context(), owner, one, n)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p...)
	}
	if !bytes.Equal(got, body) {
		t.Error("the body came back changed")
	}
}

func TestAHeadIsReplacedOnce(t *testing.T) {
	s := store.New(&store.Memory{}, store.Quota{})
	head := put(t, s, one, []byte("body"))
	before := sha256.Sum256(head)
	if err := s.PutHead(t.Context(), owner, one, []byte("next"), before); err != nil {
		t.Fatal(err)
	}
	if err := s.PutHead(t.Context(), owner, one, []byte("late"), before); !fault.Is(err, fault.VersionConflict) {
		t.Errorf("a head was lost: %v", err)
	}
}

func TestForms(t *testing.T) {
	s := store.New(&store.Memory{}, store.Quota{})
	for _, account := range []string{"", "..", "a/b", "../etc", "911100001234567890/g/main"} {
		if err := s.PutVault(t.Context(), account, []byte("v")); !fault.Is(err, fault.Malformed) {
			t.Errorf("account %q: %v", account, err)
		}
	}
	for _, id := range []string{"", "x", strings.Repeat("A", 32), strings.Repeat("0", 31) + "/"} {
		if _, _, err := s.Start(t.Context(), owner, id, upload(1, [32]byte{})); !fault.Is(err, fault.Malformed) {
			t.Errorf("item %q: %v", id, err)
		}
	}
}

// crash is a medium that dies at its n-th change: before it, or after it was done.
type crash struct {
	store.Blobs
	left  int
	after bool
}

var errPower = errors.New("the power failed")

func (c *crash) change(do func() error) error {
	if c.left--; c.left > 0 {
		return do()
	}
	if c.left == 0 && c.after {
		return errors.Join(do(), errPower)
	}
	return errPower
}

func (c *crash) Put(ctx context.Context, name string, b []byte) error {
	return c.change(func() error { return c.Blobs.Put(ctx, name, b) })
}

func (c *crash) Delete(ctx context.Context, name string) error {
	return c.change(func() error { return c.Blobs.Delete(ctx, name) })
}

// TestKilledAtAnyPoint: whatever change of the medium is the last, an item is there whole or
// not listed; and one whose erasure began after it was finished never comes back in part.
func TestKilledAtAnyPoint(t *testing.T) {
	body := bytes.Repeat([]byte{9}, 2*store.PartBytes+5)
	head := []byte("head")
	sum := sha256.Sum256(head)
	for _, after := range []bool{false, true} {
		for n := 1; n <= 14; n++ {
			medium := &store.Memory{}
			c := &crash{medium, n, after}
			s := store.New(c, store.Quota{})
			err := func() error {
				missing, _, err := s.Start(t.Context(), owner, one, upload(len(body), sum))
				for _, p := range missing {
					err = errors.Join(err, s.PutPart(t.Context(), owner, one, p, part(body, p)))
				}
				if err != nil {
					return err
				}
				if err := s.Finish(t.Context(), owner, one, head); err != nil {
					return err
				}
				_, err = s.Erase(t.Context(), owner, one)
				return err
			}()
			s = store.New(medium, store.Quota{})
			page, _, lerr := s.List(t.Context(), owner, "", 0)
			if lerr != nil || len(page) > 1 {
				t.Fatalf("killed at %d: %v, %v", n, page, lerr)
			}
			for _, it := range page {
				for p := range uint32(3) {
					if got, err := s.Part(t.Context(), owner, it.Item, p); err != nil || !bytes.Equal(got, part(body, p)) {
						t.Errorf("killed at %d (after %t): listed, but part %d is not there: %v", n, after, p, err)
					}
				}
			}
			if err == nil && len(page) != 0 {
				t.Errorf("erased, and listed: %v", page)
			}
			put(t, store.New(medium, store.Quota{}), two, []byte("the box goes on"))
			if _, err := s.Erase(t.Context(), owner, one); err != nil {
				t.Errorf("killed at %d: erase: %v", n, err)
			}
		}
	}
}

// TestNoByteIsLeft: after an erasure no byte of an item is in the store's directory, nor in
// the blocks of the files that held it.
func TestNoByteIsLeft(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "boxes")
	f := files(t, dir)
	defer f.Close()
	s := store.New(f, store.Quota{})
	planted := []byte("planted-ciphertext-of-one")
	put(t, s, one, bytes.Repeat(planted, 60_000))
	put(t, s, two, []byte("stays"))
	path := filepath.Join(dir, "b", owner, "i", one, "body", "000000")
	second := filepath.Join(t.TempDir(), "link") // the same blocks by another name
	if err := os.Link(path, second); err != nil {
		t.Fatal(err)
	}
	if there, err := s.Erase(t.Context(), owner, one); err != nil || !there {
		t.Fatal(there, err)
	}
	if raw, err := os.ReadFile(second); err != nil || len(bytes.Trim(raw, "\x00")) != 0 {
		t.Errorf("the blocks still have content: %v", err)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if strings.Contains(path, "/i/"+one) {
			t.Errorf("%s is left", path)
		}
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if bytes.Contains(raw, planted) {
			t.Errorf("%s has a byte of it", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if page, _, err := s.List(t.Context(), owner, "", 0); err != nil || len(page) != 1 || page[0].Item != two {
		t.Errorf("%v, %v", page, err)
	}
}

// TestAReplacedHeadSurvivesAnyCrash: while a head is replaced the old or the new one is
// there, and what a crash leaves beside it is destroyed at the next start.
func TestAReplacedHeadSurvivesAnyCrash(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "boxes")
	f := files(t, dir)
	s := store.New(f, store.Quota{})
	head := put(t, s, one, []byte("body"))
	path := filepath.Join(dir, "b", owner, "i", one, "head")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	secret := []byte("a head with an old wrap")
	again := func(what string, want []byte) {
		t.Helper()
		f := files(t, dir)
		defer f.Close()
		got, err := store.New(f, store.Quota{}).Head(t.Context(), owner, one)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
		if left, err := filepath.Glob(path + "?*"); err != nil || len(left) != 0 {
			t.Errorf("%s: %v is left, %v", what, left, err)
		}
	}
	if err := errors.Join(os.Link(path, path+".old"), os.WriteFile(path+".tmp-1", []byte("half of the new"), 0o600)); err != nil {
		t.Fatal(err)
	}
	again("killed before the new one had its name", head)
	spare := filepath.Join(t.TempDir(), "spare")
	if err := errors.Join(os.WriteFile(path+".old", secret, 0o600), os.Link(path+".old", spare)); err != nil {
		t.Fatal(err)
	}
	again("killed before the old one was destroyed", head)
	if raw, err := os.ReadFile(spare); err != nil || len(bytes.Trim(raw, "\x00")) != 0 {
		t.Errorf("the old head is still on the medium: %q, %v", raw, err)
	}
	f = files(t, dir)
	defer f.Close()
	if err := store.New(f, store.Quota{}).PutHead(t.Context(), owner, one, []byte("next"), sha256.Sum256(head)); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(path + "?*"); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// TestUnsettledIsKnownAfterARestart: who laid something down and when is not forgotten, and
// what is settled stays so.
func TestUnsettledIsKnownAfterARestart(t *testing.T) {
	medium := &store.Memory{}
	s := store.New(medium, store.Quota{Unsettled: 2})
	put(t, s, one, []byte("a"))
	put(t, s, two, []byte("bc"))
	if _, _, err := s.Start(t.Context(), owner, strings.Repeat("a", 32), upload(1, [32]byte{})); !fault.Is(err, fault.BoxFull) {
		t.Errorf("a third unsettled one: %v", err)
	}
	if err := errors.Join(s.Settle(t.Context(), owner, one), s.Settle(t.Context(), owner, one)); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*store.Boxes{s, store.New(medium, store.Quota{Unsettled: 2})} {
		kept, err := s.Kept(t.Context(), owner)
		if err != nil || len(kept) != 2 {
			t.Fatalf("%v, %v", kept, err)
		}
		if a, b := kept[0], kept[1]; !a.Done || !a.Since.IsZero() || a.By != "" || !b.Done || b.Since.UnixMilli() != 1 || b.By != "11110000000021928Y/g/main" {
			t.Errorf("%+v", kept)
		}
		if f := s.Figures(); f != (store.Figures{Items: 2, Bytes: 3, Unsettled: 1}) {
			t.Errorf("%+v", f)
		}
		if got := s.Unsettled(); len(got) != 1 || got[0] != owner {
			t.Errorf("%v", got)
		}
	}
}

// TestOneDepositorDoesNotFillABox: what one has laid there and not put on the ledger is bounded
// in bytes, too; another's share, and what is settled, is not his.
func TestOneDepositorDoesNotFillABox(t *testing.T) {
	s := store.New(&store.Memory{}, store.Quota{UnsettledBytes: 10})
	start := func(by, id string, n int) error {
		u := upload(n, [32]byte{1})
		u.By = by
		_, _, err := s.Start(t.Context(), owner, id, u)
		return err
	}
	item := func(d string) string { return strings.Repeat(d, 32) }
	mine := upload(0, [32]byte{}).By
	put(t, s, one, []byte("123456"))
	if err := start(mine, item("a"), 5); !fault.Is(err, fault.BoxFull) {
		t.Errorf("11 of 10 bytes: %v", err)
	}
	if err := start("another", item("a"), 10); err != nil {
		t.Errorf("another's: %v", err)
	}
	if err := start(mine, item("b"), 4); err != nil {
		t.Error(err)
	}
	if err := start(mine, item("b"), 5); !fault.Is(err, fault.BoxFull) {
		t.Errorf("the same item grows beyond it: %v", err)
	}
	if err := errors.Join(s.Settle(t.Context(), owner, one), start(mine, item("b"), 10)); err != nil {
		t.Errorf("after one is settled: %v", err)
	}
}
