// Package keyring keeps the private keys of accounts as files of one folder,
// readable by their owner alone.
//
// It is not a hardware module and knows no password: whoever can read the folder
// can sign. Production keys of officials belong on tokens; this serves gateways,
// trials and the demo city.
//
// A file is named after the account and a label, with "/" written as "~":
//
//	keys/11110000000021928Y.officer.key
//	keys/11110000000021928Y~g~main.machine.key
package keyring

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mulian/client"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// Labels in use. The label says what the key is for, not what the ledger lets it
// do: that is its level.
const (
	Root    = "root"
	Officer = "officer"
	Machine = "machine"
	Seal    = "seal"   // opens what is sealed to a gateway
	Log     = "log"    // signs an access log's checkpoints
	Issue   = "issue"  // signs credentials for verifiers outside, P-256
	Holder  = "holder" // binds an owner's credentials, P-256; no key of his account
)

// Ring is one folder of keys.
type Ring struct{ Dir string }

// Entry is one key in the folder.
type Entry struct {
	Account string
	Label   string
	Path    string
}

// Add stores a key. AlreadyExists if there is one with that account and label.
func (r Ring) Add(account, label string, key sm.PrivateKey) error {
	path, err := r.path(account, label)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(r.Dir, 0o700); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	err = sm.SavePrivate(path, key)
	if errors.Is(err, fs.ErrExist) {
		return fault.Newf(fault.AlreadyExists, "there is a key %s for %s already: %s", label, account, path)
	}
	return err
}

// New makes a key, stores it and returns it.
func (r Ring) New(account, label string, alg sm.Algorithm) (sm.PrivateKey, error) {
	key, err := sm.Generate(alg)
	if err != nil {
		return sm.PrivateKey{}, err
	}
	return key, r.Add(account, label, key)
}

// Key returns the key of an account with a label. NotFound if there is none.
func (r Ring) Key(account, label string) (sm.PrivateKey, error) {
	path, err := r.path(account, label)
	if err != nil {
		return sm.PrivateKey{}, err
	}
	key, err := sm.LoadPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		return sm.PrivateKey{}, fault.Newf(fault.NotFound, "no key %s for %s in %s", label, account, r.Dir)
	}
	return key, err
}

// dying is how the name of a key ends that is being destroyed; it is no key's name.
const dying = ".destroyed"

// Destroy takes a key out of the ring, overwrites it and removes it. It is not an error if
// there is none, or if it was begun before. What the disk or a backup keeps of old blocks
// it cannot reach.
func (r Ring) Destroy(account, label string) error {
	path, err := r.path(account, label)
	if err != nil {
		return err
	}
	gone := strings.TrimSuffix(path, ".key") + dying
	err = wipe(gone) // of an earlier key with this name, which would be replaced
	if err == nil {
		err = os.Rename(path, gone)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil:
		// Power fails after this: the key is out of the ring, and Sweep does the rest.
		err = durable.SyncDir(r.Dir)
	}
	if err == nil {
		err = wipe(gone)
	}
	if err != nil {
		return fmt.Errorf("destroy key %s of %s: %w", label, account, err)
	}
	return nil
}

// Sweep finishes what a stop in the middle of Destroy has left.
func (r Ring) Sweep() error {
	files, err := os.ReadDir(r.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, f := range files {
		if err == nil && strings.HasSuffix(f.Name(), dying) && f.Type().IsRegular() {
			err = wipe(filepath.Join(r.Dir, f.Name()))
		}
	}
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	return nil
}

// wipe overwrites a file and removes it, if it is there.
func wipe(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.Write(make([]byte, info.Size()))
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Remove(path)
}

// Signer returns who signs as the account with the key of the first label that
// exists. NotFound if none does.
func (r Ring) Signer(account string, labels ...string) (client.Signer, error) {
	for _, l := range labels {
		key, err := r.Key(account, l)
		if err == nil {
			return client.Signer{Account: account, Key: key}, nil
		}
		if !fault.Is(err, fault.NotFound) {
			return client.Signer{}, err
		}
	}
	return client.Signer{}, fault.Newf(fault.NotFound, "no key (%s) for %s in %s", strings.Join(labels, ", "), account, r.Dir)
}

// List returns what is in the folder, by account and label. A missing folder is
// an empty ring.
func (r Ring) List() ([]Entry, error) {
	files, err := os.ReadDir(r.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	var out []Entry
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), ".key")
		i := strings.LastIndexByte(name, '.')
		if !ok || i < 0 || f.IsDir() {
			continue
		}
		out = append(out, Entry{Account: strings.ReplaceAll(name[:i], "~", "/"), Label: name[i+1:], Path: filepath.Join(r.Dir, f.Name())})
	}
	slices.SortFunc(out, func(a, b Entry) int { return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Label, b.Label)) })
	return out, nil
}

// path refuses names that would leave the folder or make two accounts one file.
func (r Ring) path(account, label string) (string, error) {
	for _, s := range []string{account, label} {
		if s == "" || len(s) > 100 || strings.ContainsAny(s, "~\\\x00") || strings.HasPrefix(s, ".") || strings.Contains(s, "..") {
			return "", fault.Newf(fault.Malformed, "%q is no account or label for a key", s)
		}
	}
	if strings.ContainsAny(label, "./") || strings.Contains(account, ".") {
		return "", fault.Newf(fault.Malformed, "%q is no account or label for a key", account+"."+label)
	}
	return filepath.Join(r.Dir, strings.ReplaceAll(account, "/", "~")+"."+label+".key"), nil
}
