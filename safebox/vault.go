package safebox

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/canon"
)

// Seed is the secret of a vault: 32 bytes from which its private keys come. It prints as
// nothing.
type Seed [32]byte

// String hides the seed.
func (Seed) String() string { return "vault seed" }

// Format hides the seed from every verb.
func (Seed) Format(f fmt.State, _ rune) { io.WriteString(f, "vault seed") }

// Vault is an open vault: seeds in memory, unlockers in its file. One goroutine uses it.
type Vault struct {
	file  *safeboxv1.VaultFile
	seeds []past // newest first
	keys  map[keyRef]privateKey
}

type past struct {
	version uint64
	seed    Seed
}

type keyRef struct {
	version uint64
	suite   safeboxv1.SealSuite
}

// NewVault makes the vault of an account, with a new seed and no unlocker yet.
func NewVault(account string) *Vault {
	return &Vault{
		file:  &safeboxv1.VaultFile{Account: account, Version: 1, KeyVersion: 1},
		seeds: []past{{1, Seed(random(32))}},
		keys:  map[keyRef]privateKey{},
	}
}

// Account, Version and KeyVersion are those of the file.
func (v *Vault) Account() string { return v.file.Account }

// Version of the vault; its next change brings the next one.
func (v *Vault) Version() uint64 { return v.file.Version }

// KeyVersion is the version that brought the keys in use.
func (v *Vault) KeyVersion() uint64 { return v.file.KeyVersion }

// PublicKeys returns the vault's public keys of these suites, by suite; all three if none
// is named.
func (v *Vault) PublicKeys(suites ...safeboxv1.SealSuite) ([]*safeboxv1.VaultKey, error) {
	if len(suites) == 0 {
		suites = []safeboxv1.SealSuite{SM, P256, Hybrid}
	}
	suites = slices.Clone(suites)
	slices.Sort(suites)
	var out []*safeboxv1.VaultKey
	for _, s := range slices.Compact(suites) {
		k, err := v.key(v.file.KeyVersion, s)
		if err != nil {
			return nil, err
		}
		out = append(out, k.public())
	}
	return out, nil
}

// key derives a private key once.
func (v *Vault) key(version uint64, s safeboxv1.SealSuite) (privateKey, error) {
	ref := keyRef{version, s}
	if k, ok := v.keys[ref]; ok {
		return k, nil
	}
	for _, p := range v.seeds {
		if p.version != version {
			continue
		}
		k, err := derive(p.seed, s)
		if err == nil {
			v.keys[ref] = k
		}
		return k, err
	}
	return privateKey{}, fmt.Errorf("%w: this vault has no keys of version %d", ErrOpen, version)
}

// Unwrap opens an item's key by any of the head's wraps. [ErrOpen] if none is for a key that
// this vault has.
func (v *Vault) Unwrap(head *safeboxv1.ItemHead) (Key, error) {
	at := PlaceOf(head)
	if at.Account != v.file.Account {
		return Key{}, fmt.Errorf("%w: it is in the box of %s", ErrOpen, at.Account)
	}
	for _, w := range head.GetWraps() {
		k, err := v.key(w.GetKeyVersion(), w.GetSuite())
		if err != nil {
			continue
		}
		if raw, err := k.open(info(forOwner, at, "", at.Account), w.GetBox()); err == nil {
			return itemKey(head.GetSuite(), raw)
		}
	}
	return Key{}, ErrOpen
}

// UnwrapGrant opens a key that was wrapped to this vault by somebody else: see [WrapGrant].
// content is the suite of the item's content.
func (v *Vault) UnwrapGrant(w *safeboxv1.KeyWrap, content safeboxv1.SealSuite, at Place, grant string) (Key, error) {
	for _, p := range v.seeds {
		k, err := v.key(p.version, w.GetSuite())
		if err != nil {
			return Key{}, err
		}
		if raw, err := k.open(info(forGrantee, at, grant, v.file.Account), w.GetBox()); err == nil {
			return itemKey(content, raw)
		}
	}
	return Key{}, ErrOpen
}

// Rewrap closes the item's key to the vault's newest keys, in the suites of the wraps that
// the head has. changed is false if it is so already.
func (v *Vault) Rewrap(head *safeboxv1.ItemHead) (changed bool, err error) {
	current := func(w *safeboxv1.KeyWrap) bool { return w.GetKeyVersion() == v.file.KeyVersion }
	if len(head.GetWraps()) > 0 && !slices.ContainsFunc(head.Wraps, func(w *safeboxv1.KeyWrap) bool { return !current(w) }) {
		return false, nil
	}
	k, err := v.Unwrap(head)
	if err != nil {
		return false, err
	}
	var suites []safeboxv1.SealSuite
	for _, w := range head.Wraps {
		suites = append(suites, w.GetSuite())
	}
	slices.Sort(suites)
	suites = slices.Compact(suites)
	keys, err := v.PublicKeys(suites...)
	if err != nil {
		return false, err
	}
	target := &safeboxv1.Vault{Account: v.file.Account, Keys: keys, KeyVersion: v.file.KeyVersion}
	head.Wraps, err = WrapTo(k, PlaceOf(head), target, suites...)
	return err == nil, err
}

// Rotate gives the vault a new seed and a new version. Its unlockers are gone: each has to
// be added again, since each has to see the new seed. Items sealed to the old keys still
// open until [Vault.Forget]; wrap them again.
func (v *Vault) Rotate() error {
	if len(v.seeds) > MaxPast {
		return fmt.Errorf("%w: %d earlier seeds: wrap the items again and forget them first", ErrBound, len(v.seeds)-1)
	}
	v.file.Version++
	v.file.KeyVersion, v.file.Unlockers = v.file.Version, nil
	v.seeds = slices.Insert(v.seeds, 0, past{v.file.Version, Seed(random(32))})
	return nil
}

// Change begins a new version with the same keys: after unlockers were added or removed.
func (v *Vault) Change() { v.file.Version++ }

// Forget destroys the earlier seeds: what is still wrapped to them alone never opens again.
func (v *Vault) Forget() {
	v.seeds = v.seeds[:1]
	for ref := range v.keys {
		if ref.version != v.file.KeyVersion {
			delete(v.keys, ref)
		}
	}
}

// Kinds returns the kinds of unlockers, ascending, each once: what the ledger is told.
func (v *Vault) Kinds() []safeboxv1.UnlockerKind {
	var out []safeboxv1.UnlockerKind
	for _, u := range v.file.Unlockers {
		out = append(out, u.Kind)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// MayKeepOwn says whether the box may take what its owner could not get again: there are
// unlockers of two kinds.
func (v *Vault) MayKeepOwn() bool { return len(v.Kinds()) >= 2 }

// Add adds an unlocker.
func (v *Vault) Add(ctx context.Context, u Unlocker, label string) error {
	if len(v.file.Unlockers) >= MaxUnlockers {
		return fmt.Errorf("%w: %d unlockers", ErrBound, len(v.file.Unlockers))
	}
	b, err := u.Close(ctx, v.file.Account, v.file.KeyVersion, v.seeds[0].seed)
	if err != nil {
		return fmt.Errorf("add an unlocker: %w", err)
	}
	b.Label = label
	v.file.Unlockers = append(v.file.Unlockers, b)
	return nil
}

// Remove removes the i-th unlocker; the last one is refused.
func (v *Vault) Remove(i int) error {
	if i < 0 || i >= len(v.file.Unlockers) || len(v.file.Unlockers) == 1 {
		return fmt.Errorf("%w: unlocker %d of %d", ErrBound, i, len(v.file.Unlockers))
	}
	v.file.Unlockers = slices.Delete(v.file.Unlockers, i, i+1)
	return nil
}

// File returns the vault's file as it is stored, and its hash for the ledger.
func (v *Vault) File() (raw, hash []byte, err error) {
	if len(v.file.Unlockers) == 0 {
		return nil, nil, fmt.Errorf("%w: a vault without an unlocker is lost", ErrForm)
	}
	v.file.Past = nil
	if len(v.seeds) > 1 {
		list := &safeboxv1.PastSeeds{}
		for _, p := range v.seeds[1:] {
			list.Seeds = append(list.Seeds, &safeboxv1.PastSeed{KeyVersion: p.version, Seed: p.seed[:]})
		}
		plain, err := canon.Marshal(list)
		if err != nil {
			return nil, nil, err
		}
		if v.file.Past, err = closeWith(v.seeds[0].seed[:], "past seeds", v.bound(), plain); err != nil {
			return nil, nil, err
		}
	}
	if raw, err = canon.Marshal(v.file); err != nil {
		return nil, nil, err
	}
	sum := sha256.Sum256(raw)
	return raw, sum[:], nil
}

// bound is to what the past seeds are bound.
func (v *Vault) bound() []byte {
	return canon.Frame("mulian/vault/past/v1", []byte(v.file.Account), binary.BigEndian.AppendUint64(nil, v.file.KeyVersion))
}

// ParseFile reads a vault's file. want is the hash that the ledger has of it: a store that
// hands back another file is found out. nil = not compared.
func ParseFile(raw, want []byte) (*safeboxv1.VaultFile, error) {
	sum := sha256.Sum256(raw)
	if want != nil && string(sum[:]) != string(want) {
		return nil, fmt.Errorf("%w: this is not the vault file that the ledger names", ErrForm)
	}
	f := &safeboxv1.VaultFile{}
	if err := (canon.Limits{Bytes: MaxFile, Elements: 512}).Check(raw, f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	if len(f.Unlockers) == 0 || len(f.Unlockers) > MaxUnlockers || f.Account == "" {
		return nil, fmt.Errorf("%w: a vault with %d unlockers", ErrForm, len(f.Unlockers))
	}
	return f, nil
}

// OpenVault opens a vault with an unlocker: each of the file's that is of its kind is tried.
// [ErrOpen] if none opens it; a custodian's own refusal if there was one.
func OpenVault(ctx context.Context, f *safeboxv1.VaultFile, u Unlocker) (*Vault, error) {
	refusal := ErrOpen
	for _, b := range f.GetUnlockers() {
		if b.GetKind() != u.Kind() {
			continue
		}
		seed, err := u.Open(ctx, f.Account, f.KeyVersion, b)
		if err != nil {
			if !errors.Is(err, ErrOpen) {
				refusal = err
			}
			continue // another one of this kind may be it
		}
		v := &Vault{file: f, seeds: []past{{f.KeyVersion, seed}}, keys: map[keyRef]privateKey{}}
		return v, v.recall()
	}
	return nil, refusal
}

// recall takes the earlier seeds out of the file.
func (v *Vault) recall() error {
	if len(v.file.Past) == 0 {
		return nil
	}
	plain, err := openWith(v.seeds[0].seed[:], "past seeds", v.bound(), v.file.Past)
	if err != nil {
		return err
	}
	list := &safeboxv1.PastSeeds{}
	if err := canon.Check(plain, list); err != nil || len(list.Seeds) > MaxPast {
		return fmt.Errorf("%w: past seeds: %w", ErrForm, err)
	}
	for _, p := range list.Seeds {
		if len(p.GetSeed()) != 32 {
			return fmt.Errorf("%w: a past seed of %d bytes", ErrForm, len(p.GetSeed()))
		}
		v.seeds = append(v.seeds, past{p.KeyVersion, Seed(p.Seed)})
	}
	return nil
}
