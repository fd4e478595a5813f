package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"mulian/internal/fault"
)

// A row key lies beside the box of the grant's owner, also where he has no vault: what bounds
// them is that each belongs to a grant of the ledger. They count against no quota.

// PutRowKey keeps the row key of a grant for one of its providers, in the place of an older one.
// TooLong.
func (s *Boxes) PutRowKey(ctx context.Context, account, grant, provider string, sealed []byte) error {
	if err := checkIDs(account, grant); err != nil {
		return err
	}
	if len(sealed) == 0 || len(sealed) > MaxRowKey || sealed[0] == 0 { // zeros are what a crash leaves of one that was destroyed
		return fault.Newf(fault.TooLong, "a sealed row key of %d bytes, 1 to %d are possible", len(sealed), MaxRowKey)
	}
	b, err := s.open(ctx, account)
	if err != nil {
		return err
	}
	defer b.mu.Unlock()
	return onMedium(s.blobs.Put(ctx, rowName(account, grant, provider), sealed))
}

// RowKey returns it. NotFound.
func (s *Boxes) RowKey(ctx context.Context, account, grant, provider string) ([]byte, error) {
	if err := checkIDs(account, grant); err != nil {
		return nil, err
	}
	raw, err := s.blobs.Get(ctx, rowName(account, grant, provider), MaxRowKey)
	if err == nil && (len(raw) == 0 || raw[0] == 0) {
		err = ErrNone
	}
	return raw, onMedium(err)
}

// RowKeys returns the grants of an account of which row keys lie here, in order.
func (s *Boxes) RowKeys(ctx context.Context, account string) (grants []string, err error) {
	if err := checkIDs(account, noItem); err != nil {
		return nil, err
	}
	for prefix, after := account+"/r/", ""; ; {
		names, err := s.blobs.List(ctx, prefix, after, 1000)
		if err != nil {
			return nil, onMedium(err)
		}
		for _, name := range names {
			grant, _, _ := strings.Cut(strings.TrimPrefix(name, prefix), "/")
			if n := len(grants); n == 0 || grants[n-1] != grant {
				grants = append(grants, grant)
			}
		}
		if len(names) < 1000 {
			return grants, nil
		}
		after = names[len(names)-1]
	}
}

// EraseRowKeys destroys the row keys of a grant, for all its providers; there says whether there
// were any.
func (s *Boxes) EraseRowKeys(ctx context.Context, account, grant string) (there bool, err error) {
	if err := checkIDs(account, grant); err != nil {
		return false, err
	}
	b, err := s.open(ctx, account)
	if err != nil {
		return false, err
	}
	defer b.mu.Unlock()
	for prefix := account + "/r/" + grant + "/"; ; {
		names, err := s.blobs.List(ctx, prefix, "", 1000)
		if err != nil || len(names) == 0 {
			return there, onMedium(err)
		}
		for _, name := range names {
			if err := s.blobs.Delete(ctx, name); err != nil {
				return there, onMedium(err)
			}
			there = true
		}
	}
}

// rowName has the provider's account as a hash: there are slashes in it.
func rowName(account, grant, provider string) string {
	sum := sha256.Sum256([]byte(provider))
	return account + "/r/" + grant + "/" + hex.EncodeToString(sum[:16])
}
