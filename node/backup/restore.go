package backup

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/node"
)

// Check reads a backup through: every file is what was written, there is no other one, and
// the store is one of the chain of its genesis, whose newest block the validators signed.
//
// NotFound: no backup. Damaged, with what does not fit. WrongChain.
func Check(ctx context.Context, dir string, progress func(done, total int64)) (*Manifest, error) {
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	names, _, err := list(dir)
	if err != nil {
		return nil, err
	}
	if len(names) != len(m.Files) {
		return nil, fault.Newf(fault.Damaged, "%s has %d files, its manifest %d", dir, len(names), len(m.Files))
	}
	var done int64
	for _, f := range m.Files {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		st, err := os.Lstat(path)
		if err != nil || !st.Mode().IsRegular() || st.Size() != f.Bytes {
			return nil, fault.Wrap(fault.Damaged, errors.Join(err, fs.ErrInvalid), "%s is not the file that was written, it is missing or has another size", path)
		}
		_, sum, err := pass(ctx, path, nil, func(n int64) { tell(progress, done+n, m.Bytes) })
		if err != nil {
			return nil, err
		}
		if sum != f.SHA256 {
			return nil, fault.Newf(fault.Damaged, "%s is not what was written: SHA-256 %s, the manifest has %s", path, sum, f.SHA256)
		}
		done += f.Bytes
	}
	return m, m.checkStore(ctx, dir)
}

// checkStore compares the store with genesis and manifest.
func (m *Manifest) checkStore(ctx context.Context, dir string) error {
	signed, chain, err := genesisOf(filepath.Join(dir, nodeDir))
	if err != nil {
		return err
	}
	if hash := hex.EncodeToString(chain.Hash[:]); hash != m.Genesis || chain.GetChainId() != m.Chain {
		return fault.Newf(fault.Damaged, "the genesis in %s is %s of %s, its manifest says %s of %s", dir, hash, chain.GetChainId(), m.Genesis, m.Chain)
	}
	s, err := ledger.Inspect(ctx, filepath.Join(dir, nodeDir, storeDir), ledger.Config{ChainID: chain.GetChainId(), GenesisTimeMs: chain.GetTimeMs()}, signed, false)
	if err != nil {
		return err
	}
	if s.Height != m.Height || hex.EncodeToString(s.AppHash[:]) != m.AppHash {
		return fault.Newf(fault.Damaged, "the store has height %d with %x, its manifest says %d with %s", s.Height, s.AppHash, m.Height, m.AppHash)
	}
	return nil
}

// Plan says what is restored where.
type Plan struct {
	From string
	Home string // made if absent; one with keys or a configuration keeps them
	// Genesis is the hash that the chain must have; empty: that of the home, if it has a
	// genesis, else any.
	Genesis string
	// Newest is [ledger.Restoration.Newest]: 0 while more than two thirds of the
	// validators go on without this one.
	Newest int64
	// NewKeys makes node keys if neither home nor backup has any: the node then follows,
	// and its validator has to be voted in.
	NewKeys  bool
	Progress func(done, total int64)
}

// Restore makes a node of a backup, which it has checked, in a home that has none. What
// is in the home already is kept: keys, configuration. The store gets its name last.
//
// AlreadyExists: the home has a store. WrongChain: another genesis than asked for, or than
// the home's. NotFound: no keys. As [Check].
func Restore(ctx context.Context, p Plan) (*Manifest, error) {
	m, err := Check(ctx, p.From, p.Progress)
	if err != nil {
		return nil, err
	}
	if p.Genesis != "" && !strings.EqualFold(strings.TrimSpace(p.Genesis), m.Genesis) {
		return nil, fault.Newf(fault.WrongChain, "the backup is of the genesis %s, you expect %s", m.Genesis, p.Genesis)
	}
	if p.Newest != 0 && p.Newest < m.Height {
		return nil, fault.Newf(fault.OutOfRange, "the backup has height %d: the newest height of all members is not %d", m.Height, p.Newest)
	}
	home := filepath.Join(p.Home, nodeDir)
	if err := durable.MkdirPrivate(home); err != nil {
		return nil, err
	}
	lock, err := durable.LockDir(home, "mulian node restore")
	if err != nil {
		return nil, fault.Wrap(fault.Locked, err, "restore")
	}
	defer lock.Unlock()
	if _, err := os.Lstat(filepath.Join(home, storeDir)); err == nil {
		return nil, fault.Newf(fault.AlreadyExists, "%s has a store; restore into another home, or move it away first", home)
	}
	signed, err := ledger.ReadGenesis(filepath.Join(p.From, nodeDir))
	if err != nil {
		return nil, err
	}
	if err := ledger.InstallGenesis(home, signed); fault.Is(err, fault.AlreadyExists) {
		return nil, fault.Newf(fault.WrongChain, "%s is of another chain than the backup of %s", p.Home, m.Chain)
	} else if err != nil {
		return nil, err
	}
	if err := p.restoreSmall(m, home, signed); err != nil {
		return nil, err
	}
	// From here on whatever store comes is one of a restored home.
	at := max(time.Now().UnixMilli(), m.At.UnixMilli())
	if err := ledger.MarkRestored(home, ledger.Restoration{AtMs: at, Height: m.Height, Newest: p.Newest}); err != nil {
		return nil, err
	}
	return m, p.restoreStore(ctx, m, home)
}

// restoreSmall puts genesis, configuration and keys where there are none.
func (p *Plan) restoreSmall(m *Manifest, home string, signed []byte) error {
	if err := durable.CreateFile(filepath.Join(p.Home, genesisFile), signed, 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	id, kerr := ledger.ReadIdentity(home)
	another := kerr == nil && hex.EncodeToString(id.Validator[:]) != m.Validator
	for _, f := range m.Files {
		name := filepath.FromSlash(f.Name)
		inNode := filepath.Dir(name) == nodeDir && strings.HasSuffix(name, ".pem")
		switch {
		case name == configFile && !another: // another member has addresses of its own
		case (filepath.Dir(name) == keysDir || filepath.Dir(name) == httpsDir) && !another:
		case inNode && kerr != nil:
		default:
			continue
		}
		to := filepath.Join(p.Home, name)
		if err := durable.MkdirPrivate(filepath.Dir(to)); err != nil {
			return err
		}
		if err := copyFile(filepath.Join(p.From, name), to); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	_, err := ledger.ReadIdentity(home)
	if fault.Is(err, fault.NotFound) && p.NewKeys {
		_, err = node.Keys(home)
	}
	if fault.Is(err, fault.NotFound) {
		return fault.Newf(fault.NotFound, "the backup has no keys and %s has none: put validator.pem, sm2.pem and node.pem (0600) there, or make new ones (--new-keys) and have them voted in", home)
	}
	return err
}

// restoreStore copies the store beside its place, and names it when it is whole. What an
// earlier try has left, the engine's log of an earlier life and the index go.
func (p *Plan) restoreStore(ctx context.Context, m *Manifest, home string) error {
	draft := filepath.Join(home, storeDir+".partial")
	stale := []string{draft, filepath.Join(home, "wal")}
	index, err := filepath.Glob(filepath.Join(p.Home, "index.db*"))
	if err != nil {
		return err
	}
	for _, path := range append(stale, index...) {
		if err := os.RemoveAll(path); err != nil {
			return fault.Wrap(fault.Inaccessible, err, "restore")
		}
	}
	prefix := nodeDir + "/" + storeDir + "/"
	var done int64
	for _, f := range m.Files {
		name, ok := strings.CutPrefix(f.Name, prefix)
		if !ok {
			continue
		}
		to := filepath.Join(draft, filepath.FromSlash(name))
		if err := durable.MkdirPrivate(filepath.Dir(to)); err != nil {
			return err
		}
		out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return fault.Wrap(fault.Inaccessible, err, "restore")
		}
		n, sum, err := pass(ctx, filepath.Join(p.From, filepath.FromSlash(f.Name)), out, func(n int64) { tell(p.Progress, done+n, m.Bytes) })
		if err = errors.Join(err, out.Close()); err != nil {
			return err
		}
		if n != f.Bytes || sum != f.SHA256 {
			return fault.Newf(fault.Damaged, "%s changed while it was restored", f.Name)
		}
		done += n
	}
	if err := syncDirs(draft); err != nil {
		return fault.Wrap(fault.CodeOf(err), err, "restore")
	}
	if err := os.Rename(draft, filepath.Join(home, storeDir)); err != nil {
		return fault.Wrap(fault.Inaccessible, err, "restore")
	}
	return durable.SyncDir(home)
}
