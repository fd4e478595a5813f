package lattice

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
)

// plain adds lane by lane, as the paper says.
func plain(records ...string) (lane [lanes]uint16) {
	for _, r := range records {
		key := sha256.Sum256([]byte(r))
		block, _ := aes.NewCipher(key[:])
		stream := make([]byte, Size)
		cipher.NewCTR(block, make([]byte, 16)).XORKeyStream(stream, stream)
		for i := range lane {
			lane[i] += binary.LittleEndian.Uint16(stream[2*i:])
		}
	}
	return lane
}

func TestSumIsThatOfThePaper(t *testing.T) {
	var s Sum
	var names []string
	for i := range 50 {
		names = append(names, fmt.Sprint("record ", i))
		s.Add([]byte(names[i]))
		s.Add([]byte("passing " + names[i]))
	}
	for _, i := range rand.Perm(50) {
		s.Remove([]byte("passing " + names[i]))
	}
	want, got := plain(names...), s.Bytes()
	for i := range want {
		if l := binary.LittleEndian.Uint16(got[2*i:]); l != want[i] {
			t.Fatalf("lane %d is %d, want %d", i, l, want[i])
		}
	}
	back, err := Parse(got)
	if err != nil || *back != s {
		t.Fatalf("the sum does not survive writing: %v", err)
	}
	if _, err := Parse(got[1:]); err == nil {
		t.Error("a short sum is read")
	}
	for _, n := range names {
		s.Remove([]byte(n))
	}
	if s != (Sum{}) {
		t.Error("an empty set has a sum")
	}
}

func BenchmarkAdd(b *testing.B) {
	var s Sum
	record := make([]byte, 200)
	for b.Loop() {
		s.Add(record)
	}
}
