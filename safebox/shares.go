package safebox

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/secretsharing"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
)

// A vault's shares: any two of three. The polynomial is over the scalars of P-256, its
// value at 0 is the secret, and a commitment to it (Feldman) stands in the vault's file, so
// that a holder, and who recovers, can tell a good share from a bad one.
const (
	shareCount   = 3
	shareNeeded  = 2
	scalarBytes  = 32
	elementBytes = 33 // a compressed point of P-256
)

// Share is one of three parts of a secret: of one alone, nothing can be learnt.
type Share struct {
	Number uint8 // 1 to 3
	Value  [scalarBytes]byte
}

// String hides the share.
func (s Share) String() string { return fmt.Sprintf("share %d", s.Number) }

// Sharing is a secret in three shares, before they are given away.
type Sharing struct {
	Shares [shareCount]Share
	check  []byte
	secret []byte
}

// NewSharing makes three shares of a new random secret. Give each to another holder (a
// guardian, a notary or bank, the registrar) and add [Sharing.Unlocker] to the vault.
func NewSharing() (*Sharing, error) {
	secret := group.P256.RandomNonZeroScalar(rand.Reader)
	ss := secretsharing.New(rand.Reader, shareNeeded-1, secret)
	out := &Sharing{}
	for i, s := range ss.Share(shareCount) {
		raw, err := s.Value.MarshalBinary()
		if err != nil {
			return nil, err
		}
		out.Shares[i] = Share{Number: uint8(i + 1), Value: [scalarBytes]byte(raw)}
	}
	for _, e := range ss.CommitSecret() {
		raw, err := e.MarshalBinaryCompress()
		if err != nil {
			return nil, err
		}
		out.check = append(out.check, raw...)
	}
	var err error
	out.secret, err = secret.MarshalBinary()
	return out, err
}

// Unlocker of the sharing, for the one who made it.
func (s *Sharing) Unlocker() Unlocker {
	return sharesUnlocker{secretUnlocker{kind: Shares, secret: s.secret}, s.check}
}

// CheckShare says whether the share is one of those that the vault's box was made with.
func CheckShare(b *safeboxv1.UnlockerBox, s Share) error {
	c, err := parseCheck(b.GetCheck())
	if err != nil {
		return err
	}
	v, err := s.parse()
	if err != nil {
		return err
	}
	if !secretsharing.Verify(shareNeeded-1, v, c) {
		return fmt.Errorf("%w: share %d is not one of this vault's", ErrOpen, s.Number)
	}
	return nil
}

// ByShares unlocks with two different shares, which may come in any order.
func ByShares(a, b Share) (Unlocker, error) {
	if a.Number == b.Number {
		return nil, fmt.Errorf("%w: share %d twice: two different ones are needed", ErrForm, a.Number)
	}
	x, err := a.parse()
	if err != nil {
		return nil, err
	}
	y, err := b.parse()
	if err != nil {
		return nil, err
	}
	secret, err := secretsharing.Recover(shareNeeded-1, []secretsharing.Share{x, y})
	if err != nil {
		return nil, err
	}
	raw, err := secret.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return sharesUnlocker{secretUnlocker{kind: Shares, secret: raw}, nil}, nil
}

func (s Share) parse() (secretsharing.Share, error) {
	if s.Number < 1 || s.Number > shareCount {
		return secretsharing.Share{}, fmt.Errorf("%w: share number %d", ErrForm, s.Number)
	}
	v := group.P256.NewScalar()
	if err := v.UnmarshalBinary(s.Value[:]); err != nil {
		return secretsharing.Share{}, fmt.Errorf("%w: share %d", ErrForm, s.Number)
	}
	if raw, err := v.MarshalBinary(); err != nil || !bytes.Equal(raw, s.Value[:]) {
		return secretsharing.Share{}, fmt.Errorf("%w: share %d is above the order", ErrForm, s.Number)
	}
	return secretsharing.Share{ID: group.P256.NewScalar().SetUint64(uint64(s.Number)), Value: v}, nil
}

func parseCheck(raw []byte) (secretsharing.SecretCommitment, error) {
	if len(raw) != shareNeeded*elementBytes {
		return nil, fmt.Errorf("%w: a commitment to shares of %d bytes", ErrForm, len(raw))
	}
	var out secretsharing.SecretCommitment
	for i := 0; i < len(raw); i += elementBytes {
		e := group.P256.NewElement()
		if err := e.UnmarshalBinary(raw[i : i+elementBytes]); err != nil {
			return nil, fmt.Errorf("%w: a commitment to shares", ErrForm)
		}
		out = append(out, e)
	}
	return out, nil
}

// sharesUnlocker adds the commitment to the box.
type sharesUnlocker struct {
	secretUnlocker
	check []byte
}

func (u sharesUnlocker) Close(ctx context.Context, account string, keyVersion uint64, s Seed) (*safeboxv1.UnlockerBox, error) {
	if u.check == nil {
		return nil, fmt.Errorf("%w: recovered shares open a vault; to close one make a new sharing", ErrForm)
	}
	b, err := u.secretUnlocker.Close(ctx, account, keyVersion, s)
	if err == nil {
		b.Check = u.check
	}
	return b, err
}

// Text is the share as its holder keeps it: number, value and check character, in groups.
func (s Share) Text() string { return printCode(append([]byte{s.Number}, s.Value[:]...)) }

// ParseShare reads what [Share.Text] wrote, as people type it.
func ParseShare(text string) (Share, error) {
	raw, err := parseGroups(text, scalarBytes+1)
	if err != nil {
		return Share{}, err
	}
	s := Share{Number: raw[0], Value: [scalarBytes]byte(raw[1:])}
	_, err = s.parse()
	return s, err
}
