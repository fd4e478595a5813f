package seal

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"mulian/internal/sm"
)

var kinds = []sm.Algorithm{sm.SM2, sm.P256}

func generate(t testing.TB, alg sm.Algorithm) sm.PrivateKey {
	t.Helper()
	k, err := sm.Generate(alg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// session seals pages to k and returns header and boxes.
func session(t testing.TB, k sm.PrivateKey, aad []byte, pages ...string) (header []byte, boxes [][]byte) {
	t.Helper()
	s, header, err := NewSealer(k.Public(), aad)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range pages {
		box, err := s.Seal([]byte(p), i == len(pages)-1)
		if err != nil {
			t.Fatal(err)
		}
		boxes = append(boxes, box)
	}
	return header, boxes
}

func opener(t testing.TB, k sm.PrivateKey, header, aad []byte) *Opener {
	t.Helper()
	o, err := NewOpener(k, header, aad)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestPagesComeBack(t *testing.T) {
	for _, alg := range kinds {
		k := generate(t, alg)
		pages := []string{"one", "", string(make([]byte, 100_000)), "last"}
		header, boxes := session(t, k, []byte("agreement 7"), pages...)
		o := opener(t, k, header, []byte("agreement 7"))
		for i, box := range boxes {
			if o.Complete() == nil {
				t.Errorf("%s: complete before page %d", alg, i)
			}
			if len(box) != len(pages[i])+Overhead {
				t.Errorf("%s: box of %d bytes for a page of %d", alg, len(box), len(pages[i]))
			}
			got, err := o.Open(uint32(i), box, i == 3)
			if err != nil || string(got) != pages[i] {
				t.Errorf("%s: page %d: %d bytes, %v", alg, i, len(got), err)
			}
		}
		if err := o.Complete(); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		if len(header) > MaxHeader {
			t.Errorf("%s: header of %d bytes", alg, len(header))
		}
	}
}

// TestRefused does to a stream of three pages what a courier could do to it.
func TestRefused(t *testing.T) {
	for _, alg := range kinds {
		k := generate(t, alg)
		aad := []byte("agreement 7, sequence 12")
		header, b := session(t, k, aad, "0", "1", "2")
		_, other := session(t, k, aad, "0", "1", "2")
		for _, tt := range []struct {
			name  string
			steps func(o *Opener) error
			want  error
		}{
			{"reorder: the second page first", func(o *Opener) error { return open(o, 1, b[1], false) }, ErrOrder},
			{"reorder: the second page as the first", func(o *Opener) error { return open(o, 0, b[1], false) }, ErrOpen},
			{"replay: the first page as the second", func(o *Opener) error {
				return errors.Join(open(o, 0, b[0], false), open(o, 1, b[0], false))
			}, ErrOpen},
			{"replay: the first page again", func(o *Opener) error {
				return errors.Join(open(o, 0, b[0], false), open(o, 0, b[0], false))
			}, ErrOrder},
			{"truncation: a middle page as the last", func(o *Opener) error { return open(o, 0, b[0], true) }, ErrOpen},
			{"truncation: the stream just ends", func(o *Opener) error {
				return errors.Join(open(o, 0, b[0], false), open(o, 1, b[1], false), o.Complete())
			}, ErrCut},
			{"extension: the last page as a middle one", func(o *Opener) error {
				return errors.Join(open(o, 0, b[0], false), open(o, 1, b[1], false), open(o, 2, b[2], false))
			}, ErrOpen},
			{"extension: a page after the last", func(o *Opener) error {
				return errors.Join(open(o, 0, b[0], false), open(o, 1, b[1], false), open(o, 2, b[2], true), open(o, 3, b[2], true))
			}, ErrTrailing},
			{"splicing: a page of another session", func(o *Opener) error { return open(o, 0, other[0], false) }, ErrOpen},
			{"an empty box", func(o *Opener) error { return open(o, 0, nil, false) }, ErrOpen},
			{"a box that is too long", func(o *Opener) error { return open(o, 0, make([]byte, MaxPage+Overhead+1), false) }, ErrBound},
		} {
			if err := tt.steps(opener(t, k, header, aad)); !errors.Is(err, tt.want) {
				t.Errorf("%s, %s: %v, want %v", alg, tt.name, err, tt.want)
			}
		}
		// After a refusal the right box still opens.
		o := opener(t, k, header, aad)
		if open(o, 0, b[1], false) == nil || open(o, 0, b[0], false) != nil || open(o, 1, b[1], false) != nil || open(o, 2, b[2], true) != nil || o.Complete() != nil {
			t.Errorf("%s: a refused box has spoilt the session", alg)
		}
	}
}

func open(o *Opener, index uint32, box []byte, last bool) error {
	_, err := o.Open(index, box, last)
	return err
}

// TestBoundToKeyAndContext: another key, another aad, or any bit of header or box
// changed, and nothing opens.
func TestBoundToKeyAndContext(t *testing.T) {
	for _, alg := range kinds {
		k, stranger := generate(t, alg), generate(t, alg)
		sealed, err := Seal(k.Public(), []byte("aad"), []byte("content"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Open(k, []byte("aad"), sealed); err != nil || string(got) != "content" {
			t.Fatalf("%s: %q, %v", alg, got, err)
		}
		if _, err := Open(stranger, []byte("aad"), sealed); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: another key: %v", alg, err)
		}
		for _, other := range kinds {
			if other != alg {
				if _, err := Open(generate(t, other), []byte("aad"), sealed); !errors.Is(err, ErrOpen) {
					t.Errorf("%s: a key of another kind: %v", alg, err)
				}
			}
		}
		for _, aad := range []string{"", "aaD", "aad "} {
			if _, err := Open(k, []byte(aad), sealed); !errors.Is(err, ErrOpen) {
				t.Errorf("%s: aad %q: %v", alg, aad, err)
			}
		}
		for bit := range 8 * len(sealed) {
			bad := bytes.Clone(sealed)
			bad[bit/8] ^= 1 << (bit % 8)
			if got, err := Open(k, []byte("aad"), bad); err == nil || got != nil {
				t.Errorf("%s: opened with bit %d changed", alg, bit)
			}
		}
		for n := range sealed {
			if _, err := Open(k, []byte("aad"), sealed[:n]); err == nil {
				t.Errorf("%s: opened the first %d bytes", alg, n)
			}
		}
		if _, err := Open(k, []byte("aad"), append(bytes.Clone(sealed), 0)); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: a byte behind: %v", alg, err)
		}
	}
}

// TestGoesOn: after an interruption a new Opener begins at the page that is due.
func TestGoesOn(t *testing.T) {
	for _, alg := range kinds {
		k := generate(t, alg)
		header, b := session(t, k, nil, "0", "1", "2")
		first := opener(t, k, header, nil)
		if err := open(first, 0, b[0], false); err != nil || first.Next() != 1 {
			t.Fatal(err)
		}
		second, err := NewOpenerAt(k, header, nil, first.Next())
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(open(second, 1, b[1], false), open(second, 2, b[2], true), second.Complete()); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

func TestBounds(t *testing.T) {
	k := generate(t, sm.P256)
	if _, _, err := NewSealer(generate(t, sm.Ed25519).Public(), nil); !errors.Is(err, ErrKind) {
		t.Errorf("Ed25519: %v", err)
	}
	if _, _, err := NewSealer(sm.PublicKey{}, nil); !errors.Is(err, ErrKind) {
		t.Errorf("no key: %v", err)
	}
	if _, _, err := NewSealer(k.Public(), make([]byte, MaxAAD+1)); !errors.Is(err, ErrBound) {
		t.Errorf("aad: %v", err)
	}
	s, header, err := NewSealer(k.Public(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Seal(make([]byte, MaxPage+1), false); !errors.Is(err, ErrBound) {
		t.Errorf("page: %v", err)
	}
	s.s.next = MaxPages - 1
	last, err := s.Seal([]byte("x"), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Seal([]byte("y"), true); !errors.Is(err, ErrBound) {
		t.Errorf("pages: %v", err)
	}
	o, err := NewOpenerAt(k, header, nil, MaxPages-1)
	if err != nil || open(o, MaxPages-1, last, false) != nil {
		t.Errorf("the last page that is possible: %v", err)
	}
	if _, err := NewOpenerAt(k, header, nil, MaxPages); !errors.Is(err, ErrBound) {
		t.Errorf("begin behind the bound: %v", err)
	}
	s, _, err = NewSealer(k.Public(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Seal(nil, true); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Seal(nil, true); !errors.Is(err, ErrTrailing) {
		t.Errorf("after the last: %v", err)
	}
	for _, h := range []string{"", "MS", "XX\x01\x01\x00\x00", "MS\x02\x01\x00\x00", "MS\x01\x01\xff\xff", "MS\x01\x01\x00\x00\x00"} {
		if _, err := NewOpener(k, []byte(h), nil); !errors.Is(err, ErrHeader) {
			t.Errorf("header %q: %v", h, err)
		}
	}
	for _, h := range []string{"MS\x01\x02\x00\x00", "MS\x01\x03\x00\x00", "MS\x01\x00\x00\x00"} {
		if _, err := NewOpener(k, []byte(h), nil); !errors.Is(err, ErrOpen) {
			t.Errorf("header %q: %v", h, err)
		}
	}
}

// TestNoNonceTwice: index and last give 2^25 different nonces; sampled, with the
// borders of each byte.
func TestNoNonceTwice(t *testing.T) {
	var s stream
	seen := map[string]string{}
	for _, i := range []uint32{0, 1, 2, 254, 255, 256, 257, 65535, 65536, 65537, MaxPages - 1, MaxPages} {
		for _, last := range []bool{false, true} {
			n, name := string(s.nonce(i, last)), fmt.Sprint(i, last)
			if seen[n] != "" || len(n) != 12 {
				t.Errorf("%s and %s have one nonce", name, seen[n])
			}
			seen[n] = name
		}
	}
}

// FuzzOpen: no bytes make Open panic, and nothing that was not sealed opens.
func FuzzOpen(f *testing.F) {
	var keys []sm.PrivateKey
	for _, alg := range kinds {
		k, err := sm.FromSeed(alg, [32]byte{31: 9})
		if err != nil {
			f.Fatal(err)
		}
		keys = append(keys, k)
		sealed, err := Seal(k.Public(), []byte("a"), []byte("p"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(sealed[:len(sealed)-1])
		f.Add(append(sealed[:6:6], sealed...))
	}
	f.Fuzz(func(t *testing.T, sealed []byte) {
		for _, k := range keys {
			if got, err := Open(k, []byte("another context"), sealed); err == nil {
				t.Errorf("opened as %q", got)
			}
		}
	})
}
