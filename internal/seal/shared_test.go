package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"sync"
	"testing"
	"time"

	"mulian/internal/sm"
)

func keys(t testing.TB) map[string]sm.PrivateKey {
	t.Helper()
	out := map[string]sm.PrivateKey{}
	for _, alg := range []sm.Algorithm{sm.SM2, sm.P256} {
		k, err := sm.Generate(alg)
		if err != nil {
			t.Fatal(err)
		}
		out[alg.String()] = k
	}
	return out
}

// TestSharedPagesOpenForTheirReceiverOnly: each with its own aad, header and key, in
// any order, and nothing else opens them.
func TestSharedPagesOpenForTheirReceiverOnly(t *testing.T) {
	for name, key := range keys(t) {
		t.Run(name, func(t *testing.T) {
			s, err := NewSharedSealer(key.Public())
			if err != nil {
				t.Fatal(err)
			}
			o := NewSharedOpener(key)
			stranger, err := sm.Generate(key.Algorithm())
			if err != nil {
				t.Fatal(err)
			}
			h1, b1, err := s.Seal([]byte("one"), []byte("page one"))
			if err != nil {
				t.Fatal(err)
			}
			h2, b2, err := s.Seal([]byte("two"), []byte("page two"))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(h1, h2) || len(h1) > MaxHeader {
				t.Errorf("headers %x, %x", h1, h2)
			}
			if !bytes.Equal(h1[6+saltSize:], h2[6+saltSize:]) {
				t.Error("the secret was made anew for each page")
			}
			for _, c := range []struct {
				header, aad, box []byte
				want             string
			}{{h2, []byte("two"), b2, "page two"}, {h1, []byte("one"), b1, "page one"}, {h2, []byte("two"), b2, "page two"}} {
				got, err := o.Open(c.header, c.aad, c.box)
				if err != nil || string(got) != c.want {
					t.Errorf("%s: %q, %v", c.want, got, err)
				}
			}
			for what, open := range map[string]func() ([]byte, error){
				"another aad":    func() ([]byte, error) { return o.Open(h1, []byte("two"), b1) },
				"another header": func() ([]byte, error) { return o.Open(h2, []byte("one"), b1) },
				"another box":    func() ([]byte, error) { return o.Open(h1, []byte("one"), b2) },
				"another key":    func() ([]byte, error) { return NewSharedOpener(stranger).Open(h1, []byte("one"), b1) },
				"a changed byte": func() ([]byte, error) {
					return o.Open(h1, []byte("one"), append(bytes.Clone(b1[:len(b1)-1]), b1[len(b1)-1]^1))
				},
				"a header cut":    func() ([]byte, error) { return o.Open(h1[:len(h1)-1], []byte("one"), b1) },
				"as a session":    func() ([]byte, error) { _, err := NewOpener(key, h1, []byte("one")); return nil, err },
				"no header":       func() ([]byte, error) { return o.Open(nil, nil, b1) },
				"no encapsulated": func() ([]byte, error) { return o.Open(join(h1[3], h1[6:6+saltSize]), []byte("one"), b1) },
			} {
				if got, err := open(); err == nil {
					t.Errorf("%s: opened as %q", what, got)
				}
			}
			// What NewSealer sealed opens too.
			one, header, err := NewSealer(key.Public(), []byte("aad"))
			if err != nil {
				t.Fatal(err)
			}
			box, err := one.Seal([]byte("alone"), true)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := o.Open(header, []byte("aad"), box); err != nil || string(got) != "alone" {
				t.Errorf("of a session of one page: %q, %v", got, err)
			}
		})
	}
}

// TestSharedSecretEnds: after a minute, or a million pages, there is another.
func TestSharedSecretEnds(t *testing.T) {
	key := keys(t)["sm2"]
	s, err := NewSharedSealer(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	first, err := s.secret(now)
	if err != nil {
		t.Fatal(err)
	}
	if same, _ := s.secret(now.Add(sharedFor - time.Second)); same != first {
		t.Error("another within its time")
	}
	second, err := s.secret(now.Add(sharedFor))
	if err != nil || second == first || bytes.Equal(second.key, first.key) {
		t.Errorf("the same after its time: %v", err)
	}
	second.uses = sharedUses
	if third, err := s.secret(now.Add(sharedFor)); err != nil || third == second {
		t.Errorf("the same after its uses: %v", err)
	}
	if _, err := NewSharedSealer(sm.PublicKey{}); !errors.Is(err, ErrKind) {
		t.Errorf("for no key: %v", err)
	}
}

// TestSharedByMany: one sealer and one opener, many goroutines, more secrets than the
// opener remembers.
func TestSharedByMany(t *testing.T) {
	key := keys(t)["p256"]
	o := NewSharedOpener(key)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range keptSecrets / 3 {
				s, err := NewSharedSealer(key.Public())
				if err != nil {
					t.Error(err)
					return
				}
				h, b, err := s.Seal([]byte{byte(i)}, []byte("page"))
				if err != nil {
					t.Error(err)
					return
				}
				for range 2 {
					if got, err := o.Open(h, []byte{byte(i)}, b); err != nil || string(got) != "page" {
						t.Errorf("%q, %v", got, err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	if n := len(o.young) + len(o.older); n > 2*keptSecrets {
		t.Errorf("%d secrets are kept", n)
	}
}

// TestSharedPageKeysStay holds how a page's key comes from the secret: what was sealed
// yesterday has to open tomorrow.
func TestSharedPageKeysStay(t *testing.T) {
	salt, binding := bytes.Repeat([]byte{0xaa}, saltSize), bytes.Repeat([]byte{0xbb}, 32)
	for suite, want := range map[byte]string{suiteSharedSM2: goldenSharedSM2, suiteSharedHPKE: goldenSharedHPKE} {
		s := &secret{suite: suite, key: bytes.Repeat([]byte{0x11}, 32)}
		aead, err := s.page(salt, binding)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(aead.Seal(nil, make([]byte, 12), []byte("page"), binding)); got != want {
			t.Errorf("suite %d: %s, want %s", suite, got, want)
		}
	}
}

// Computed by this package when the suites were made.
const (
	goldenSharedSM2  = "5f92943b152ffa283f14dc1b07fc5093a1ece6ae"
	goldenSharedHPKE = "68b2b52024b2d69a3210e0b74ada2f57c6aa79dc"
)

func BenchmarkSharedSeal(b *testing.B) {
	for name, key := range keys(b) {
		b.Run(name, func(b *testing.B) {
			s, err := NewSharedSealer(key.Public())
			if err != nil {
				b.Fatal(err)
			}
			o := NewSharedOpener(key)
			page := make([]byte, 300)
			for b.Loop() {
				h, box, err := s.Seal([]byte("aad"), page)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := o.Open(h, []byte("aad"), box); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
