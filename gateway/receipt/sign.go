package receipt

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	"mulian/internal/fault"
	"mulian/internal/sm"
)

// Domain stands before the record in what both gateways sign.
const Domain = "mulian-receipt-v1\x00"

// Sign signs a record's bytes as provider or consumer.
func Sign(key sm.PrivateKey, record []byte) ([]byte, error) {
	sig, err := key.Sign(append([]byte(Domain), record...))
	if err != nil {
		return nil, fmt.Errorf("sign receipt: %w", err)
	}
	return sig, nil
}

// Verify tells whether sig is the signature of a record by the holder of pub, in the
// plain or the batch form (batch.go): VerificationFailed if not.
func Verify(pub sm.PublicKey, record, sig []byte) error {
	message, plain, err := Unbatch(record, sig)
	if err != nil {
		return err
	}
	if !pub.Verify(message, plain) {
		return fault.Newf(fault.VerificationFailed, "the receipt's signature by key %s does not hold", pub.ID())
	}
	return nil
}

// checkpointSigner signs checkpoints as C2SP signed-note type 1 (Ed25519).
type checkpointSigner struct {
	name string
	key  sm.PrivateKey
	hash uint32
}

func newCheckpointSigner(origin string, key sm.PrivateKey) (*checkpointSigner, error) {
	if key.Algorithm() != sm.Ed25519 {
		return nil, fault.Newf(fault.OutOfRange, "the log's key is %s, want ed25519", key.Algorithm())
	}
	if origin == "" || strings.ContainsAny(origin, " \t\r\n+") {
		return nil, fault.Newf(fault.Malformed, "%q is no origin of a log", origin)
	}
	return &checkpointSigner{name: origin, key: key, hash: noteKeyHash(origin, key.Public())}, nil
}

// noteKeyHash is the first 4 bytes of SHA-256(name || "\n" || 01 || public key).
func noteKeyHash(name string, pub sm.PublicKey) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n\x01"), pub.Bytes()...))
	return binary.BigEndian.Uint32(sum[:])
}

// Name is the origin line. It is a method of note.Signer.
func (s *checkpointSigner) Name() string { return s.name }

// KeyHash is a method of note.Signer.
func (s *checkpointSigner) KeyHash() uint32 { return s.hash }

// Sign is a method of note.Signer.
func (s *checkpointSigner) Sign(msg []byte) ([]byte, error) { return s.key.Sign(msg) }
