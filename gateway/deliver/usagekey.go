package deliver

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"slices"

	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/canon"
)

// UsageKey is the secret behind the pseudonym of a queried key: this gateway can compute
// it from the key alone, nobody else can, and whoever is given it finds the key's accesses
// in the public log ([SubjectOf]).
func (p *Provider) UsageKey(entry string, where []*gatewayv1.KeyValue) []byte {
	h := hmac.New(sha256.New, p.salt)
	for _, w := range slices.SortedFunc(slices.Values(where), func(a, b *gatewayv1.KeyValue) int { return cmp.Compare(a.GetItem(), b.GetItem()) }) {
		h.Write(canon.Frame("mulian/gateway/subject/v1", []byte(entry), []byte(w.GetItem()), []byte(w.GetValue())))
	}
	return h.Sum(nil)
}

// SubjectOf is the pseudonym of a usage key, as records have it.
func SubjectOf(usageKey []byte) []byte {
	d := canon.Digest("mulian/gateway/subject/v2", usageKey)
	return d[:]
}
