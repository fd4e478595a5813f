package fiscal

import (
	"crypto/hmac"
	"encoding/binary"
	"fmt"

	"mulian/internal/sm"
)

// Domains of what is hashed and signed. They are part of the chain.
const (
	domainRange     = "mulian-ereceipt-range-v1\x00"
	domainSecret    = "mulian-ereceipt-secret-v1\x00"
	domainHandle    = "mulian-ereceipt-handle-v1\x00"
	domainHolding   = "mulian-ereceipt-holding-v1\x00"
	domainPayer     = "mulian-ereceipt-payer-v1\x00"
	domainCheck     = "mulian-ereceipt-check-v1\x00"
	domainCode      = "mulian-ereceipt-checkcode-v1\x00"
	domainScale     = "mulian-ereceipt-scale-v1\x00"
	domainUnit      = "mulian-ereceipt-unit-v1\x00"
	domainSupervise = "mulian-ereceipt-supervise-v1\x00"
	domainHold      = "mulian-ereceipt-hold-v1\x00"
	domainClaim     = "mulian-ereceipt-claim-v1\x00"
)

// RangeKey is the secret of a code range. The finance bureau and the unit have it, and nobody
// else: it gives the secret of every number.
type RangeKey [32]byte

// Commitment is what the ledger keeps of the key.
func (k RangeKey) Commitment() [32]byte { return sm.SM3(append([]byte(domainRange), k[:]...)) }

// Secret returns the secret of a number of the range.
func (k RangeKey) Secret(code, number string) Secret {
	return Secret(mac(k[:], domainSecret, code, "\x00", number))
}

// Secret is what links a receipt's document to the ledger. It stands in the document's
// Header: who has the document has the secret.
type Secret [32]byte

func mac(key []byte, parts ...string) (sum [32]byte) {
	h := hmac.New(sm.NewSM3, key)
	for _, p := range parts {
		h.Write([]byte(p)) // a hash takes everything
	}
	h.Sum(sum[:0])
	return sum
}

// Handle returns the ledger's name of the receipt.
func (s Secret) Handle(code, number string) [32]byte {
	return sm.SM3(append(append([]byte(domainHandle), s[:]...), code+"\x00"+number...))
}

// Holding returns the key that signs locks of the receipt: whoever has the document has it.
func (s Secret) Holding() (sm.PrivateKey, error) {
	for try := byte(0); try < 4; try++ { // a scalar is outside the group's order once in 2^32
		if k, err := sm.FromSeed(sm.SM2, mac(s[:], domainHolding, string(rune(try)))); err == nil {
			return k, nil
		}
	}
	return sm.PrivateKey{}, fmt.Errorf("no key follows from this secret")
}

// Payer commits to who paid: a name, an id number or a credit code, as the document has it.
func (s Secret) Payer(id string) [32]byte { return mac(s[:], domainPayer, id) }

// Check commits to the check code 校验码 that the document shows.
func (s Secret) Check(code string) [32]byte { return mac(s[:], domainCheck, code) }

// CheckCode returns the check code of six digits that belongs to the number.
func (s Secret) CheckCode(code, number string) string {
	sum := mac(s[:], domainCode, code, "\x00", number)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint64(sum[:8])%1_000_000)
}

// Claim commits to the number of a claim under a salt that stays with the claim.
func Claim(salt [32]byte, number string) [32]byte { return mac(salt[:], domainClaim, number) }

// UnitStatement is what the issuing unit signs: the hash of Header and EInvoiceData as they
// stand in the document.
func UnitStatement(contentHash []byte) []byte { return append([]byte(domainUnit), contentHash...) }

// SuperviseStatement is what the finance bureau signs: the hash over that hash and the unit's
// signature.
func SuperviseStatement(contentHash, unitSignature []byte) []byte {
	sum := sm.SM3(append(append([]byte{}, contentHash...), unitSignature...))
	return append([]byte(domainSupervise), sum[:]...)
}

// HoldStatement is what the holding key signs for a lock: this organisation, on this chain,
// for this claim and until then, and no other.
func HoldStatement(chainID, org string, handle, claim []byte, untilMs int64) []byte {
	b := append([]byte(domainHold), chainID+"\x00"+org+"\x00"...)
	b = append(append(b, handle...), claim...)
	return binary.BigEndian.AppendUint64(b, uint64(untilMs))
}
