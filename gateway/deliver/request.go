package deliver

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// Domain stands before a request's body in what is signed.
const Domain = "mulian-gateway-v1\x00"

// Domains of what is sealed: an answer, a delivery's pages, its end.
const (
	answerDomain = "mulian/gateway/answer/v1"
	pagesDomain  = "mulian/gateway/pages/v1"
	endDomain    = "mulian/gateway/end/v1"
	digestDomain = "mulian/gateway/digest/v1"
)

// SaltedDigest is what both sides put on the ledger for a delivery's rows: without
// the salt nobody can test a guess of them.
func SaltedDigest(salt []byte, rows [sha256.Size]byte) []byte {
	d := canon.Digest(digestDomain, salt, rows[:])
	return d[:]
}

// signRequest signs a body that has no id and expiry yet.
func signRequest(key sm.PrivateKey, now time.Time, body *gatewayv1.RequestBody) (*gatewayv1.SignedRequest, error) {
	body.RequestId = newID()
	body.ExpiresMs = now.Add(maxLife / 2).UnixMilli()
	raw, err := canon.Marshal(body)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the request cannot be encoded")
	}
	sig, err := key.Sign(append([]byte(Domain), raw...))
	if err != nil {
		return nil, err
	}
	return &gatewayv1.SignedRequest{Body: raw, Key: key.Public().ID(), Signature: sig}, nil
}

// newID is 128 random bits in hex.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}

// answerAAD binds an answer to the request that it answers.
func answerAAD(request []byte) []byte {
	sum := sha256.Sum256(request)
	return canon.Frame(answerDomain, sum[:])
}

// numberedAAD is answerAAD for a query that was asked with others.
func numberedAAD(request []byte, n int) []byte {
	sum := sha256.Sum256(request)
	return canon.Frame(answerDomain, sum[:], binary.BigEndian.AppendUint32(nil, uint32(n)))
}

// deliveryAAD binds pages to their delivery and its two ends.
func deliveryAAD(domain, chain, provider, asker, agreement string, number uint64) []byte {
	var n [8]byte
	for i := range n {
		n[7-i] = byte(number >> (8 * i))
	}
	return canon.Frame(domain, []byte(chain), []byte(provider), []byte(asker), []byte(agreement), n[:])
}
