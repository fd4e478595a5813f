// Package recovery holds what a holder's program and the ledger's rules have to compute
// alike when an account is recovered: how a guardian is committed to, what the new key
// signs, and which key a printed code is.
//
// It knows nothing of the ledger. It keeps no secret: a [Code] is the caller's.
package recovery

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"strings"

	"mulian/internal/sm"
)

// SaltBytes is the length of a guardian's salt.
const SaltBytes = 32

// codeBytes: 160 bits, so that a code cannot be guessed and needs no slow hash.
const codeBytes = 20

// Commitment is how a guardian stands in a policy: nobody finds out who it is without the
// salt, which guardian and holder keep.
func Commitment(salt []byte, guardian string) [32]byte {
	return sha256.Sum256(append(append([]byte("mulian-guardian-v1\x00"), salt...), guardian...))
}

// KeyMessage is what a new key signs to show that somebody has it, and the code's key to
// say that it is this new key that shall count: a signature that was seen is of no use for
// another key, account or chain.
func KeyMessage(chainID, account, keyID string) []byte {
	return []byte("mulian-recovery-key-v1\x00" + chainID + "\x00" + account + "\x00" + keyID)
}

// Evidence commits to what an authority keeps of a case (papers, a photograph): the ledger has
// the hash, the file the content and the salt, 32 random bytes.
func Evidence(salt, content []byte) [32]byte {
	return sha256.Sum256(append(append([]byte("mulian-evidence-v1\x00"), salt...), content...))
}

// Code is a printed recovery code: 160 random bits.
type Code [codeBytes]byte

var alphabet = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding) // Crockford's

// ErrCode is returned for a text that is no recovery code, or one with a slip of the pen.
var ErrCode = errors.New("this is no recovery code: nine groups of four characters")

// String is the code as it is printed: nine groups of four characters; the last
// three or four characters hold a checksum of the others.
func (c Code) String() string {
	sum := sha256.Sum256(append([]byte("mulian-recovery-code-check\x00"), c[:]...))
	text := alphabet.EncodeToString(append(append([]byte{}, c[:]...), sum[0], sum[1]))
	var groups []string
	for len(text) > 4 {
		groups, text = append(groups, text[:4]), text[4:]
	}
	return strings.Join(append(groups, text), "-")
}

// ParseCode reads what a person types: any case, blanks and hyphens anywhere, O for 0, I
// and L for 1.
func ParseCode(text string) (Code, error) {
	clean := strings.Map(func(r rune) rune {
		switch r {
		case ' ', '-', '\t', '\n', '\r':
			return -1
		case 'O':
			return '0'
		case 'I', 'L':
			return '1'
		}
		return r
	}, strings.ToUpper(text))
	raw, err := alphabet.DecodeString(clean)
	if err != nil || len(raw) != codeBytes+2 {
		return Code{}, ErrCode
	}
	c := Code(raw[:codeBytes])
	if clean != strings.ReplaceAll(c.String(), "-", "") {
		return Code{}, ErrCode
	}
	return c, nil
}

// Key is the signing key that the code is. Its public half stands in the policy, so that
// who sees a code's use on its way to the ledger learns nothing with which to take the account.
func (c Code) Key() (sm.PrivateKey, error) {
	return sm.FromSeed(sm.Ed25519, sha256.Sum256(append([]byte("mulian-recovery-code-v1\x00"), c[:]...)))
}
