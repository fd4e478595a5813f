package canon

import (
	"crypto/sha256"
	"encoding/binary"

	"mulian/internal/sm"
)

// Frame returns the bytes that stand for parts within a domain: for the domain and
// then each part its length as 8 bytes, big endian, and its bytes. It is what is
// signed ("mulian/tx/v1", chain id, body). A domain is a constant of the program
// and never empty.
func Frame(domain string, parts ...[]byte) []byte {
	n := 8 + len(domain)
	for _, p := range parts {
		n += 8 + len(p)
	}
	b := make([]byte, 0, n)
	b = binary.BigEndian.AppendUint64(b, uint64(len(domain)))
	b = append(b, domain...)
	for _, p := range parts {
		b = binary.BigEndian.AppendUint64(b, uint64(len(p)))
		b = append(b, p...)
	}
	return b
}

// Digest is SHA-256 of [Frame], without building it in memory.
func Digest(domain string, parts ...[]byte) [32]byte {
	h := sha256.New()
	var size [8]byte
	write := func(p []byte) {
		binary.BigEndian.PutUint64(size[:], uint64(len(p)))
		h.Write(size[:])
		h.Write(p)
	}
	write([]byte(domain))
	for _, p := range parts {
		write(p)
	}
	var sum [32]byte
	h.Sum(sum[:0])
	return sum
}

// DigestSM3 is SM3 of [Frame], for proofs that must rest on national algorithms
// alone.
func DigestSM3(domain string, parts ...[]byte) [32]byte { return sm.SM3(Frame(domain, parts...)) }
