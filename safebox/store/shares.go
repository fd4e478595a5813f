package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"mulian/internal/fault"
)

// Bounds of box shares. Our own choice.
const (
	// MaxShares bounds those that lie ready in one box at a time.
	MaxShares = 1000
	// MaxShare bounds one: a wrap of the hybrid suite has 1.2 KB.
	MaxShare = 4 << 10
)

// Share names a box share: the use of the grant under which it is fetched.
type Share struct {
	Grant  string
	Number uint64
}

// PutShare keeps a wrapped key of an item of the box for the data user of a grant, in the place
// of any of that use. Durable once it returns nil. TooLong, BoxFull.
func (s *Boxes) PutShare(ctx context.Context, account string, at Share, wrap []byte) error {
	if err := checkIDs(account, at.Grant); err != nil {
		return err
	}
	if len(wrap) == 0 || len(wrap) > MaxShare {
		return fault.Newf(fault.TooLong, "a wrap of %d bytes, at most %d", len(wrap), MaxShare)
	}
	b, err := s.open(ctx, account)
	if err != nil {
		return err
	}
	defer b.mu.Unlock()
	names, err := s.blobs.List(ctx, account+"/s/", "", MaxShares)
	if err != nil {
		return onMedium(err)
	}
	if len(names) >= MaxShares {
		return fault.Newf(fault.BoxFull, "%d box shares lie ready in the box of %s: some have to be fetched or dropped first", len(names), account)
	}
	return onMedium(s.blobs.Put(ctx, shareName(account, at), wrap))
}

// Share returns the wrapped key of a use. NotFound.
func (s *Boxes) Share(ctx context.Context, account string, at Share) ([]byte, error) {
	if err := checkIDs(account, at.Grant); err != nil {
		return nil, err
	}
	raw, err := s.blobs.Get(ctx, shareName(account, at), MaxShare)
	if err == nil && (len(raw) == 0 || raw[0] == 0) { // zeros: a crash while it was destroyed
		err = ErrNone
	}
	return raw, onMedium(err)
}

// Shares returns what lies ready in a box, by grant and number.
func (s *Boxes) Shares(ctx context.Context, account string) (out []Share, err error) {
	if err := checkIDs(account, noItem); err != nil {
		return nil, err
	}
	names, err := s.blobs.List(ctx, account+"/s/", "", MaxShares)
	for _, name := range names {
		grant, digits, _ := strings.Cut(strings.TrimPrefix(name, account+"/s/"), "/")
		if n, err := strconv.ParseUint(digits, 10, 64); err == nil {
			out = append(out, Share{grant, n})
		}
	}
	return out, onMedium(err)
}

// DropShare destroys the wrapped key of a use; there says whether there was one.
func (s *Boxes) DropShare(ctx context.Context, account string, at Share) (there bool, err error) {
	if err := checkIDs(account, at.Grant); err != nil {
		return false, err
	}
	b, err := s.open(ctx, account)
	if err != nil {
		return false, err
	}
	defer b.mu.Unlock()
	if _, err := s.blobs.Size(ctx, shareName(account, at)); err != nil {
		if errors.Is(err, ErrNone) {
			return false, nil
		}
		return false, onMedium(err)
	}
	return true, onMedium(s.blobs.Delete(ctx, shareName(account, at)))
}

func shareName(account string, at Share) string {
	return fmt.Sprintf("%s/s/%s/%010d", account, at.Grant, at.Number)
}
