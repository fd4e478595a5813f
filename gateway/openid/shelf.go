package openid

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"

	"mulian/internal/sdjwt"
)

// shelf keeps things under secrets for a while. It remembers the hash of a secret only, so
// that a copy of the memory's keys opens nothing. Safe for concurrent use.
type shelf[T any] struct {
	most int
	now  func() time.Time

	mu    sync.Mutex
	items map[[32]byte]kept[T] // mu
}

type kept[T any] struct {
	value T
	ends  time.Time
}

func newShelf[T any](most int, now func() time.Time) *shelf[T] {
	return &shelf[T]{most: most, now: now, items: map[[32]byte]kept[T]{}}
}

// put keeps v under a new secret of 192 bits; false if there is no room, which is told to
// the caller as "come again": nothing that is alive is thrown out for something new.
func (s *shelf[T]) put(v T, life time.Duration) (secret string, ok bool) {
	secret = fresh()
	return secret, s.keep(secret, v, life)
}

// keep keeps v under a given secret, which must not be there yet.
func (s *shelf[T]) keep(secret string, v T, life time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if len(s.items) >= s.most {
		for k, i := range s.items {
			if !now.Before(i.ends) {
				delete(s.items, k)
			}
		}
	}
	k := sha256.Sum256([]byte(secret))
	if old, has := s.items[k]; len(s.items) >= s.most || has && now.Before(old.ends) {
		return false
	}
	s.items[k] = kept[T]{v, now.Add(life)}
	return true
}

// first is true for the first caller of each secret, as far as there is room to remember: the
// shelf is open to anybody, and full it forgets some of what it has rather than refuse.
func (s *shelf[T]) first(secret string, life time.Duration) bool {
	if _, has := s.get(secret); has {
		return false
	}
	var none T
	if s.keep(secret, none, life) {
		return true
	}
	s.mu.Lock()
	forget := s.most / 10
	for k := range s.items {
		if forget--; forget < 0 {
			break
		}
		delete(s.items, k)
	}
	s.mu.Unlock()
	return s.keep(secret, none, life)
}

// get returns what is kept under secret.
func (s *shelf[T]) get(secret string) (v T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.items[sha256.Sum256([]byte(secret))]
	if !ok || !s.now().Before(i.ends) {
		return v, false
	}
	return i.value, true
}

// take is get, and it is gone: of several callers one has it.
func (s *shelf[T]) take(secret string) (v T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := sha256.Sum256([]byte(secret))
	i, ok := s.items[k]
	delete(s.items, k)
	if !ok || !s.now().Before(i.ends) {
		return v, false
	}
	return i.value, true
}

// fresh draws a secret of 192 bits as 32 letters.
func fresh() string {
	var b [24]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return sdjwt.Encode(b[:])
}
