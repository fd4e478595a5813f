package ledger

import (
	"bytes"
	"path/filepath"

	"mulian/internal/fault"
	"mulian/internal/sm"
)

// attestPrefix begins every text that a validator's key signs beside its votes. A vote never
// begins so: what it signs begins with its length and the byte 08 (types.VoteSignBytes), so
// that neither can be taken for the other.
const attestPrefix = "mulian/"

// maxAttest bounds such a text: three short lines.
const maxAttest = 1024

// Attest signs a text with the validator's key of a home directory: a checkpoint of the log
// of events (package client/witness), for which the validator answers as it does for its
// votes. OutOfRange for any other text; NotFound if there are no keys.
func Attest(home string, text []byte) (signature []byte, validator [32]byte, err error) {
	if !bytes.HasPrefix(text, []byte(attestPrefix)) || len(text) > maxAttest {
		return nil, validator, fault.Newf(fault.OutOfRange, "a validator signs votes and checkpoints of its chain, and this is none")
	}
	key, err := loadKey(filepath.Join(home, validatorKeyFile), sm.Ed25519)
	if err != nil {
		return nil, validator, err
	}
	if signature, err = key.Sign(text); err != nil {
		return nil, validator, fault.Wrap(fault.Internal, err, "sign a checkpoint")
	}
	copy(validator[:], key.Public().Bytes())
	return signature, validator, nil
}
