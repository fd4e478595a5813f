package safebox

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"filippo.io/age"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
)

// minPassphrase characters; and how hard each guess is: 2^18 rounds of scrypt, some 1 s and
// 256 MB, as age does by default.
const (
	minPassphrase = 8
	scryptWork    = 18
)

// ByPassphrase unlocks by a passphrase, in the format of age, for the command line. A
// passphrase can be guessed by whoever has the file, so it should be long, and it is best
// beside other kinds.
func ByPassphrase(passphrase string) Unlocker {
	return passphraseUnlocker{passphrase, scryptWork}
}

type passphraseUnlocker struct {
	passphrase string
	work       int
}

func (passphraseUnlocker) Kind() safeboxv1.UnlockerKind { return Passphrase }

// String hides the passphrase.
func (passphraseUnlocker) String() string { return "passphrase" }

// Format hides the passphrase from every verb.
func (passphraseUnlocker) Format(f fmt.State, _ rune) { io.WriteString(f, "passphrase") }

// Close: age's format binds no context, so what is closed is the frame of account and
// version, and the seed.
func (u passphraseUnlocker) Close(_ context.Context, account string, keyVersion uint64, s Seed) (*safeboxv1.UnlockerBox, error) {
	if len([]rune(u.passphrase)) < minPassphrase {
		return nil, fmt.Errorf("%w: a passphrase of less than %d characters", ErrBound, minPassphrase)
	}
	r, err := age.NewScryptRecipient(u.passphrase)
	if err != nil {
		return nil, err
	}
	r.SetWorkFactor(u.work)
	var box bytes.Buffer
	w, err := age.Encrypt(&box, r)
	if err != nil {
		return nil, err
	}
	w.Write(unlockerBound(account, keyVersion, Passphrase, nil)) // into memory: cannot fail before Close
	w.Write(s[:])
	if err := w.Close(); err != nil {
		return nil, err
	}
	return &safeboxv1.UnlockerBox{Kind: Passphrase, Box: box.Bytes()}, nil
}

func (u passphraseUnlocker) Open(_ context.Context, account string, keyVersion uint64, b *safeboxv1.UnlockerBox) (Seed, error) {
	id, err := age.NewScryptIdentity(u.passphrase)
	if err != nil {
		return Seed{}, ErrOpen
	}
	id.SetMaxWorkFactor(scryptWork + 2)
	r, err := age.Decrypt(bytes.NewReader(b.GetBox()), id)
	if err != nil {
		return Seed{}, ErrOpen
	}
	bound := unlockerBound(account, keyVersion, Passphrase, nil)
	plain, err := io.ReadAll(io.LimitReader(r, int64(len(bound))+33))
	if err != nil || len(plain) != len(bound)+32 || !bytes.Equal(plain[:len(bound)], bound) {
		return Seed{}, ErrOpen
	}
	return Seed(plain[len(bound):]), nil
}
