// Package backup copies a node while it runs, and makes a node of the copy.
//
// It is not the way to a new node that has the others: that one syncs from them. It is
// not a copy of the index, which is made anew from the ledger, nor of gateways, which
// have a backup of their own.
//
//	home ── Take ──▶ folder ── Check ──▶ Restore ──▶ home, whose validator abstains
//
// # Invariants
//
//  1. A folder of a backup is whole or it is not there: it gets its name last.
//  2. Restore makes a whole node or none, and overwrites neither a store nor a key.
//  3. A restored home says that it is one before it has a store: its validator signs
//     nothing that it may have signed since the backup ([ledger.Restoration]).
//  4. Keys are in a backup only if they were asked for, and then in files of mode 0600.
//
// The validator's last vote is not in a backup: it would be an old one. The engine's log is
// not, either: what it would add are votes for the next block.
package backup

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mulian/client"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/node"
)

const (
	manifestFile = "backup.json"
	nodeDir      = "node"
	storeDir     = "store"
	keysDir      = "keys"
	httpsDir     = "https" // the authority that devices trust for the member's pages
	genesisFile  = "genesis.bin"
	configFile   = "mulian.yaml"

	formatVersion = 1
	// maxManifest bounds a manifest: a store of 100 GB has some 20,000 files.
	maxManifest = 16 << 20
	// maxSmall bounds a file that is no part of the store.
	maxSmall = 64 << 20
)

// nodeKeys are the files of a node's secrets in its folder.
var nodeKeys = []string{"validator.pem", "sm2.pem", "node.pem"}

// Manifest says what a backup holds.
type Manifest struct {
	Format    int       `json:"format"`
	Chain     string    `json:"chain"`
	Genesis   string    `json:"genesis_hash"`
	Height    int64     `json:"height"`
	AppHash   string    `json:"app_hash"`
	Events    int64     `json:"events"`
	At        time.Time `json:"at"`
	Validator string    `json:"validator"` // public key of the node that it was taken from
	Keys      bool      `json:"keys"`      // private keys are in it
	Version   string    `json:"version"`   // of the program
	Bytes     int64     `json:"bytes"`
	Files     []File    `json:"files"`
}

// File of a backup, by its place in the home.
type File struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Order says what is copied where.
type Order struct {
	Home     string // of the member, whose node may run
	To       string // must not exist
	Keys     bool   // the private keys of node, organisation and pages, too
	Version  string // of the program
	Progress func(done, total int64)
}

// Take copies the node of a home, one moment of it, and returns what is in the copy.
// Tables of the store are linked where the file system can.
//
// AlreadyExists: To is there. NotFound: there is no node, no block, or no key to copy.
func Take(ctx context.Context, o Order) (_ *Manifest, err error) {
	if _, err := os.Lstat(o.To); err == nil {
		return nil, fault.Newf(fault.AlreadyExists, "%s exists; each backup has a folder of its own", o.To)
	}
	signed, chain, err := genesisOf(filepath.Join(o.Home, nodeDir))
	if err != nil {
		return nil, err
	}
	id, err := ledger.ReadIdentity(filepath.Join(o.Home, nodeDir))
	if err != nil {
		return nil, err
	}
	parent := filepath.Dir(filepath.Clean(o.To))
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, fault.Wrap(fault.Inaccessible, err, "backup")
	}
	draft, err := os.MkdirTemp(parent, filepath.Base(o.To)+".partial-*") // mode 0700
	if err != nil {
		return nil, fault.Wrap(fault.Inaccessible, err, "backup")
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(draft))
		}
	}()
	if err := durable.MkdirPrivate(filepath.Join(draft, nodeDir)); err != nil {
		return nil, err
	}
	store := filepath.Join(draft, nodeDir, storeDir)
	if err := node.Checkpoint(ctx, filepath.Join(o.Home, nodeDir), store); err != nil {
		return nil, err
	}
	if err := copySmall(o, draft, signed); err != nil {
		return nil, err
	}
	stored, err := ledger.Inspect(ctx, store, ledger.Config{ChainID: chain.GetChainId(), GenesisTimeMs: chain.GetTimeMs()}, signed, false)
	if err != nil {
		return nil, err
	}
	m := &Manifest{
		Format: formatVersion, Chain: chain.GetChainId(), Genesis: hex.EncodeToString(chain.Hash[:]), Height: stored.Height,
		AppHash: hex.EncodeToString(stored.AppHash[:]), Events: stored.Events, At: time.Now().UTC().Truncate(time.Second),
		Validator: hex.EncodeToString(id.Validator[:]), Keys: o.Keys, Version: o.Version,
	}
	if err := m.measure(ctx, draft, o.Progress); err != nil {
		return nil, err
	}
	raw, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	if err := durable.CreateFile(filepath.Join(draft, manifestFile), append(raw, '\n'), 0o600); err != nil {
		return nil, err
	}
	if err := os.Rename(draft, o.To); err != nil {
		return nil, fault.Wrap(fault.AlreadyExists, err, "backup")
	}
	return m, durable.SyncDir(parent)
}

func genesisOf(home string) ([]byte, *client.Genesis, error) {
	signed, err := ledger.ReadGenesis(home)
	if err != nil {
		return nil, nil, err
	}
	g, err := client.ParseGenesis(signed)
	return signed, g, err
}

// copySmall copies what is not the store. A configuration is not everywhere; keys that
// were asked for must be.
func copySmall(o Order, draft string, signed []byte) error {
	if err := durable.CreateFile(filepath.Join(draft, nodeDir, genesisFile), signed, 0o600); err != nil {
		return err
	}
	if err := copyFile(filepath.Join(o.Home, configFile), filepath.Join(draft, configFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !o.Keys {
		return nil
	}
	for _, name := range nodeKeys {
		if err := copyFile(filepath.Join(o.Home, nodeDir, name), filepath.Join(draft, nodeDir, name)); err != nil {
			return fault.Wrap(fault.NotFound, err, "key %s", name)
		}
	}
	for _, dir := range []string{keysDir, httpsDir} {
		if err := copyFiles(filepath.Join(o.Home, dir), filepath.Join(draft, dir)); err != nil {
			return err
		}
	}
	return nil
}

// copyFiles makes private copies of a folder's files. One that is not there has none: an
// organisation may keep its keys elsewhere, and not every member has https.
func copyFiles(from, to string) error {
	list, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fault.Wrap(fault.Inaccessible, err, "%s", from)
	}
	if err := durable.MkdirPrivate(to); err != nil {
		return err
	}
	for _, e := range list {
		if !e.Type().IsRegular() {
			continue
		}
		if err := copyFile(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// copyFile makes a private copy of a small file.
func copyFile(from, to string) error {
	st, err := os.Stat(from)
	if err != nil {
		return err
	}
	if st.Size() > maxSmall {
		return fault.Newf(fault.TooLong, "%s has %d bytes, at most %d", from, st.Size(), maxSmall)
	}
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return durable.CreateFile(to, raw, 0o600)
}

// local says that a name of a manifest stays in its folder.
func local(name string) bool {
	return filepath.IsLocal(name) && filepath.ToSlash(filepath.Clean(name)) == name && !strings.ContainsAny(name, "\x00\n\\")
}
