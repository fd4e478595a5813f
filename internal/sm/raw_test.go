package sm

import (
	"bytes"
	"errors"
	"testing"
)

// TestASignatureOfJOSE: 64 bytes and DER say the same, and nothing else is either.
func TestASignatureOfJOSE(t *testing.T) {
	for _, alg := range []Algorithm{SM2, P256} {
		key, err := FromSeed(alg, [32]byte{31: 7})
		if err != nil {
			t.Fatal(err)
		}
		for range 40 { // some have a short r or s
			der, err := key.Sign([]byte("x"))
			if err != nil {
				t.Fatal(err)
			}
			raw, err := RawSignature(der)
			if err != nil || len(raw) != RawSignatureSize {
				t.Fatalf("%d bytes: %v", len(raw), err)
			}
			back, err := SignatureFromRaw(raw)
			if err != nil || !bytes.Equal(back, der) {
				t.Fatalf("%x comes back as %x: %v", der, back, err)
			}
		}
	}
	for _, bad := range [][]byte{nil, make([]byte, 63), make([]byte, 64), make([]byte, 65)} {
		if _, err := SignatureFromRaw(bad); !errors.Is(err, ErrEncoding) {
			t.Errorf("%d bytes of zero are a signature", len(bad))
		}
	}
	if _, err := RawSignature([]byte{0x30, 0}); !errors.Is(err, ErrEncoding) {
		t.Error("an empty sequence is a signature")
	}
}
