// Package backup copies what a gateway cannot make again, while it runs, and makes a
// home of the copy.
//
// It is not a copy of data: rows, pages and pictures of tables come back from the
// databases, and the tiles of the access log from its journal.
//
//	home ── Take ──▶ folder ── Take ──▶ + what is new ── Check ──▶ Restore ──▶ home
//
// # Invariants
//
//  1. A folder holds one gateway's backup. What was in it is never overwritten by a
//     home that was rewound or is another's, by its books or its secrets: Take refuses.
//  2. The manifest is written last. A Take that was cut off leaves the backup before.
//  3. Restore makes the whole home or none, and overwrites neither home nor keys.
//  4. What the home has forgotten (a fetch that ended, a use that is settled) is not in
//     the folder either after the next Take.
//
// What happened after the last Take is lost with the home. The ledger then has a later
// head of the access log than the home: such a gateway says so and releases nothing,
// for its log would be a rewritten one. So take one every minute: only what is new is
// copied.
package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mulian/internal/durable"
	"mulian/internal/fault"
)

// What a gateway cannot make again, by its place in the home. Books only grow: of
// them a backup copies what is new. Small files are copied whole. All else comes
// back by itself: tiles from the log, pages and pictures of tables from the databases,
// subscriptions from their receivers, who begin them again. Receipts come first: one
// may not speak of a record that the log lacks. What was sealed comes behind the log: an
// opening without its record opens nothing, the reverse is lost. Notes of uses under grants
// come behind the log, too: a note without its record is released again, to the same asker
// under the same number.
var (
	books = []string{"dsp/*/receipts", "fetches/receipts", "deliveries/acknowledged", "log/journal", "log/openings"}
	small = append([]string{"dsp/journal", "fetches/*.fetch", "fetches/*.follow", "gateway.yaml", "genesis.bin", "deliveries/uses/*.use", "issued/*.json"}, secrets...)
	// secrets are made once for a home: one that is another is of another home. Without
	// the salt no pseudonym of before is recognised, without the issuer's secret no licence.
	secrets = []string{"deliveries/subject.salt", "issue.secret"}
)

const (
	manifestFile = "backup.json"
	// maxSmall bounds a small file: a genesis with a thousand members has 1 MB.
	maxSmall = 16 << 20
	// maxManifest bounds the manifest: 170 bytes for each file, of which an issuer has one
	// for each credential: 1.5 million.
	maxManifest = 256 << 20
	// copyPiece is what is copied between two looks whether to stop.
	copyPiece = 1 << 20
)

// Manifest says what a backup holds. It is written last, so that a backup that was
// cut off is still the one before.
type Manifest struct {
	Gateway string           `json:"gateway"`
	At      time.Time        `json:"at"`
	Version string           `json:"version"`
	Files   map[string]Saved `json:"files"` // by place in the home
	Keys    bool             `json:"keys"`  // the gateway's private keys are in it
}

// Saved is one file of a backup.
type Saved struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	State  []byte `json:"state,omitempty"` // of the hash after Size bytes
}

// Order says what is copied where.
type Order struct {
	Gateway string // account
	Home    string // of the gateway, which may be running
	Keys    string // folder of its private keys; empty: they are not copied
	To      string // folder of the backup, made if absent; one for each gateway
	Version string // of the program, for the manifest
}

// Take copies what is new since the last Take into the same folder, and returns the
// manifest and how many bytes were new. Books only grow, so the gateway need not
// stop: a record cut in two is completed by the next Take, or cut off after a
// restore as after a power failure.
//
// Usage: the folder is another gateway's. Damaged: the copy of a book is not how the
// book begins, or a secret is another than the copy. Locked: another Take is under way.
func Take(ctx context.Context, o Order) (*Manifest, int64, error) {
	to := o.To
	if err := durable.MkdirPrivate(to); err != nil {
		return nil, 0, err
	}
	lock, err := durable.LockDir(to, "mulian gateway backup")
	if err != nil {
		return nil, 0, fault.Wrap(fault.Locked, err, "backup")
	}
	defer lock.Unlock()
	last, err := readManifest(to)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		last = &Manifest{Gateway: o.Gateway}
	case err != nil:
		return nil, 0, err
	case last.Gateway != o.Gateway:
		return nil, 0, fault.Newf(fault.Usage, "%s holds the backup of %s; give %s a folder of its own", to, last.Gateway, o.Gateway)
	}
	now := &Manifest{Gateway: o.Gateway, Version: o.Version, Files: map[string]Saved{}, Keys: o.Keys != ""}
	var fresh int64
	names, err := match(o.Home, books)
	if err != nil {
		return nil, 0, err
	}
	for _, name := range names {
		s, n, err := copyBook(ctx, filepath.Join(o.Home, name), filepath.Join(to, name), last.Files[name])
		if err != nil {
			return nil, 0, fmt.Errorf("backup of %s: %w", name, err)
		}
		if s.SHA256 != "" {
			now.Files[name] = s
		}
		fresh += n
	}
	n, err := now.copySmall(o, last)
	if err != nil {
		return nil, 0, err
	}
	now.At = time.Now().UTC().Truncate(time.Second)
	raw, err := json.MarshalIndent(now, "", "  ")
	if err != nil {
		return nil, 0, err
	}
	if err := durable.ReplaceFile(filepath.Join(to, manifestFile), append(raw, '\n'), 0o600); err != nil {
		return nil, 0, err
	}
	return now, fresh + n, now.forget(to)
}

// forget removes what no manifest names any more. Power fails here: the next Take does it.
func (m *Manifest) forget(dir string) error {
	have, err := match(dir, small)
	if err != nil {
		return err
	}
	for _, name := range have {
		if _, kept := m.Files[name]; kept {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("backup of what is gone: %w", err)
		}
	}
	return nil
}

// copySmall copies the small files, interrupted fetches and, if asked for, keys, and
// returns how many bytes were new.
func (m *Manifest) copySmall(o Order, last *Manifest) (fresh int64, err error) {
	from, err := o.small()
	if err != nil {
		return 0, err
	}
	if err := last.sameSecrets(o.Home); err != nil {
		return 0, err
	}
	for name, path := range from {
		raw, err := readSmall(path, maxSmall)
		if errors.Is(err, fs.ErrNotExist) {
			continue // not every gateway has every one, and a fetch may just have ended
		}
		if err != nil {
			return 0, fmt.Errorf("backup of %s: %w", name, err)
		}
		sum := sha256.Sum256(raw)
		m.Files[name] = Saved{Size: int64(len(raw)), SHA256: hex.EncodeToString(sum[:])}
		to := filepath.Join(o.To, name)
		if have, err := readSmall(to, maxSmall); err == nil && bytes.Equal(have, raw) {
			continue
		}
		if err := durable.MkdirPrivate(filepath.Dir(to)); err != nil {
			return 0, err
		}
		if err := durable.ReplaceFile(to, raw, 0o600); err != nil {
			return 0, err
		}
		fresh += int64(len(raw))
	}
	return fresh, nil
}

// sameSecrets holds that the home's secrets are those that were copied last.
func (m *Manifest) sameSecrets(home string) error {
	for _, name := range secrets {
		s, copied := m.Files[name]
		if !copied {
			continue
		}
		raw, err := readSmall(filepath.Join(home, name), maxSmall)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("backup of %s: %w", name, err)
		}
		if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != s.SHA256 {
			return fault.Newf(fault.Damaged, "%s is not the one that was copied here before: the home is another's, or lost it; put the copy back", name)
		}
	}
	return nil
}

// match returns the names in a folder that fit the patterns, in their order.
func match(dir string, patterns []string) (names []string, err error) {
	for _, p := range patterns {
		found, err := fs.Glob(os.DirFS(dir), p)
		if err != nil {
			return nil, err
		}
		names = append(names, found...)
	}
	return names, nil
}

// small returns where the small files are, by their name in the backup.
func (o *Order) small() (map[string]string, error) {
	from := map[string]string{}
	names, err := match(o.Home, small)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		from[name] = filepath.Join(o.Home, name)
	}
	if o.Keys == "" {
		return from, nil
	}
	own, err := filepath.Glob(filepath.Join(o.Keys, strings.ReplaceAll(o.Gateway, "/", "~")+".*.key"))
	if err != nil || len(own) == 0 {
		return nil, errors.Join(err, fault.Newf(fault.NotFound, "no key of %s in %s", o.Gateway, o.Keys))
	}
	for _, path := range own {
		from["keys/"+filepath.Base(path)] = path
	}
	return from, nil
}

func readSmall(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(raw)) > most {
		err = fault.Newf(fault.TooLong, "%s has more than %d bytes", path, most)
	}
	return raw, err
}

// copyBook appends to the copy what the book has more than it, and syncs it.
func copyBook(ctx context.Context, from, to string, last Saved) (s Saved, n int64, err error) {
	in, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return s, 0, nil
	}
	if err != nil {
		return s, 0, err
	}
	defer in.Close()
	sum, err := resumeHash(last)
	if err != nil {
		return s, 0, err
	}
	if err := durable.MkdirPrivate(filepath.Dir(to)); err != nil {
		return s, 0, err
	}
	out, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return s, 0, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := sameEnd(in, out, last.Size); err != nil {
		return s, 0, err
	}
	// What a backup that was cut off left behind the last one goes.
	if err := out.Truncate(last.Size); err != nil {
		return s, 0, err
	}
	for _, f := range []*os.File{in, out} {
		if _, err := f.Seek(last.Size, io.SeekStart); err != nil {
			return s, 0, err
		}
	}
	for {
		got, err := io.CopyN(io.MultiWriter(out, sum), in, copyPiece)
		n += got
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return s, n, err
		}
	}
	if err := out.Sync(); err != nil {
		return s, n, err
	}
	state, err := sum.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return s, n, err
	}
	return Saved{Size: last.Size + n, SHA256: hex.EncodeToString(sum.Sum(nil)), State: state}, n, nil
}

// resumeHash is the hash after what the last backup has.
func resumeHash(last Saved) (hash.Hash, error) {
	sum := sha256.New()
	if last.Size == 0 {
		return sum, nil
	}
	if err := sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(last.State); err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "the backup's manifest")
	}
	if hex.EncodeToString(sum.Sum(nil)) != last.SHA256 {
		return nil, fault.Newf(fault.Damaged, "the backup's manifest contradicts itself")
	}
	return sum, nil
}

// sameEnd holds that both files have the last piece before size in common.
func sameEnd(in, out *os.File, size int64) error {
	piece := min(size, copyPiece)
	a, b := make([]byte, piece), make([]byte, piece)
	if _, err := in.ReadAt(a, size-piece); err != nil {
		return fault.Newf(fault.Damaged, "the book is shorter than its copy of %d bytes: the home was rewound, or is another's", size)
	}
	if _, err := out.ReadAt(b, size-piece); err != nil {
		return fault.Newf(fault.Damaged, "the copy is shorter than its manifest says; begin a new backup folder")
	}
	if !bytes.Equal(a, b) {
		return fault.Newf(fault.Damaged, "the book is not the one that was copied here before: the home was rewound, or is another's")
	}
	return nil
}

func readManifest(dir string) (*Manifest, error) {
	raw, err := readSmall(filepath.Join(dir, manifestFile), maxManifest)
	if err != nil {
		return nil, err
	}
	m := &Manifest{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "%s", filepath.Join(dir, manifestFile))
	}
	for name := range m.Files {
		if !filepath.IsLocal(name) {
			return nil, fault.Newf(fault.Damaged, "the manifest names %q, which is not in the backup", name)
		}
	}
	return m, nil
}

// Check reads a backup through and tells whether it is what was written.
// NotFound, Damaged with the file's name.
func Check(ctx context.Context, dir string) (*Manifest, error) {
	m, err := readManifest(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Newf(fault.NotFound, "there is no backup in %s (no %s)", dir, manifestFile)
	}
	if err != nil {
		return nil, err
	}
	for name, s := range m.Files {
		if err := checkSaved(ctx, filepath.Join(dir, name), s); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return m, nil
}

func checkSaved(ctx context.Context, path string, s Saved) error {
	if s.State != nil {
		if _, err := resumeHash(s); err != nil {
			return err
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return fault.Wrap(fault.Damaged, err, "the backup")
	}
	defer f.Close()
	sum, left := sha256.New(), s.Size
	for left > 0 {
		n, err := io.CopyN(sum, f, min(left, copyPiece))
		left -= n
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fault.Wrap(fault.Damaged, err, "the backup, %d bytes before its end", left)
		}
	}
	if hex.EncodeToString(sum.Sum(nil)) != s.SHA256 {
		return fault.Newf(fault.Damaged, "its bytes are not those that were saved")
	}
	return nil
}

// Restore makes a gateway's home out of a backup, all or nothing. The home must not
// be there, or be empty. keys is where its private keys go if the backup has them;
// empty: they stay where they are.
//
// AlreadyExists: the home is not empty, or another key is where one has to go.
// NotFound, Damaged: as [Check].
func Restore(ctx context.Context, from, home, keys string) (*Manifest, error) {
	m, err := Check(ctx, from)
	if err != nil {
		return nil, err
	}
	if there, err := os.ReadDir(home); err == nil && len(there) > 0 {
		return nil, fault.Newf(fault.AlreadyExists, "%s is not empty: a restore does not overwrite a gateway; move it away first", home)
	}
	staging := home + ".restoring"
	if err := os.RemoveAll(staging); err != nil {
		return nil, err
	}
	if err := durable.MkdirPrivate(staging); err != nil {
		return nil, err
	}
	defer os.RemoveAll(staging) // nothing is there any more if all went well
	for name, s := range m.Files {
		if strings.HasPrefix(name, "keys/") {
			continue
		}
		if err := restoreFile(filepath.Join(from, name), filepath.Join(staging, name), s.Size); err != nil {
			return nil, fmt.Errorf("restore %s: %w", name, err)
		}
	}
	if err := m.restoreKeys(from, keys); err != nil {
		return nil, err
	}
	if err := os.Remove(home); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	// Power fails here: the home is not there yet, and the restore is done again.
	if err := os.Rename(staging, home); err != nil {
		return nil, err
	}
	return m, durable.SyncDir(filepath.Dir(home))
}

// restoreKeys puts keys back that are not there. One that is there and is another
// is refused before any is written.
func (m *Manifest) restoreKeys(from, keys string) error {
	missing := map[string][]byte{}
	for name := range m.Files {
		rest, ok := strings.CutPrefix(name, "keys/")
		if !ok || keys == "" {
			continue
		}
		raw, err := readSmall(filepath.Join(from, name), maxSmall)
		if err != nil {
			return err
		}
		to := filepath.Join(keys, rest)
		have, err := readSmall(to, maxSmall)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing[to] = raw
		case err != nil:
			return err
		case !bytes.Equal(have, raw):
			return fault.Newf(fault.AlreadyExists, "%s is another key than the backup's; move it away, or restore without keys", to)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if err := durable.MkdirPrivate(keys); err != nil {
		return err
	}
	for to, raw := range missing {
		if err := durable.CreateFile(to, raw, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func restoreFile(from, to string, size int64) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := durable.MkdirPrivate(filepath.Dir(to)); err != nil {
		return err
	}
	return durable.ReplaceWith(to, 0o600, func(w io.Writer) error {
		_, err := io.CopyN(w, in, size)
		return err
	})
}
