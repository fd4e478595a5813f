package passkeytest

import (
	"crypto/elliptic"
	"encoding/asn1"
	"math/big"
)

// form writes a DER signature with low s as this device would.
func (a *Authenticator) form(sig []byte) []byte {
	var p struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(sig, &p); err != nil {
		panic("passkeytest: " + err.Error())
	}
	if a.HighS {
		p.S.Sub(elliptic.P256().Params().N, p.S)
	}
	if a.Raw {
		out := make([]byte, 64)
		p.R.FillBytes(out[:32])
		p.S.FillBytes(out[32:])
		return out
	}
	out, err := asn1.Marshal(p)
	if err != nil {
		panic("passkeytest: " + err.Error())
	}
	return out
}
