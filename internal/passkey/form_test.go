package passkey_test

import (
	"crypto/elliptic"
	"encoding/asn1"
	"math/big"
	"testing"
)

// split returns r and s of a DER signature, 32 bytes each, by the standard library.
func split(t testing.TB, sig []byte) (r, s []byte) {
	t.Helper()
	var p struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(sig, &p); err != nil || len(rest) > 0 {
		t.Fatalf("%x: %v", sig, err)
	}
	return p.R.FillBytes(make([]byte, 32)), p.S.FillBytes(make([]byte, 32))
}

// minus is n - s.
func minus(s []byte) []byte {
	n := new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(s))
	return n.FillBytes(make([]byte, 32))
}
