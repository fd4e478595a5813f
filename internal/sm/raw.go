package sm

import (
	"encoding/asn1"
	"math/big"
)

// RawSignatureSize is the length of r || s of a signature of SM2 or P-256, each 32
// bytes: the form of JOSE (RFC 7518, section 3.4) and of GM/T 0009.
const RawSignatureSize = 64

// RawSignature turns the DER form of a signature of SM2 or P-256 into r || s.
func RawSignature(der []byte) ([]byte, error) {
	r, s, ok := splitDER(der)
	if !ok || len(r) > 32 || len(s) > 32 {
		return nil, ErrEncoding
	}
	return append(wide(r), wide(s)...), nil
}

// SignatureFromRaw turns r || s into the one DER form. Numbers of zero, which no
// signature has, are [ErrEncoding].
func SignatureFromRaw(raw []byte) ([]byte, error) {
	if len(raw) != RawSignatureSize {
		return nil, ErrEncoding
	}
	r, s := new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])
	if r.Sign() == 0 || s.Sign() == 0 {
		return nil, ErrEncoding
	}
	return asn1.Marshal(pair{r, s})
}
