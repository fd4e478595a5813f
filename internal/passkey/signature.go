package passkey

import (
	"bytes"
	"fmt"

	"mulian/internal/sm"
)

// oneForm returns a device's signature as DER with s ≤ n/2. Devices write DER, with s on
// either side (5 of 12 in our measurement); programs on the page may hand on r || s. 64 bytes
// that are strict DER are taken for DER: for a random signature that is 1 in 2^48.
func oneForm(sig []byte) ([]byte, error) {
	if low, err := sm.LowS(sig); err == nil {
		return low, nil
	}
	if len(sig) != 64 {
		return nil, fmt.Errorf("%w: %d bytes", ErrForm, len(sig))
	}
	low, err := sm.LowS(der(sig[:32], sig[32:]))
	if err != nil {
		return nil, fmt.Errorf("%w: r or s is out of its range", ErrForm)
	}
	return low, nil
}

// der encodes two unsigned numbers of at most 32 bytes as a SEQUENCE of two INTEGERs.
func der(r, s []byte) []byte {
	body := append(integer(r), integer(s)...)
	return append([]byte{0x30, byte(len(body))}, body...)
}

// integer encodes one; zero comes out as the INTEGER 0, which no signature has.
func integer(n []byte) []byte {
	n = bytes.TrimLeft(n, "\x00")
	if len(n) == 0 || n[0] >= 0x80 {
		n = append([]byte{0}, n...)
	}
	return append([]byte{2, byte(len(n))}, n...)
}
