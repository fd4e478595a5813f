package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"mulian/internal/durable"
	"mulian/internal/fault"
)

// copyPiece is what is read between two looks whether to stop.
const copyPiece = 1 << 20

// measure reads every file of a draft through, syncs it, and notes it.
func (m *Manifest) measure(ctx context.Context, dir string, progress func(done, total int64)) error {
	names, total, err := list(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		n, sum, err := pass(ctx, filepath.Join(dir, name), nil, func(n int64) { tell(progress, m.Bytes+n, total) })
		if err != nil {
			return err
		}
		m.Files = append(m.Files, File{Name: filepath.ToSlash(name), Bytes: n, SHA256: sum})
		m.Bytes += n
	}
	return syncDirs(dir)
}

func tell(progress func(done, total int64), done, total int64) {
	if progress != nil {
		progress(done, total)
	}
}

// list returns the files of a folder but for the manifest, in order, and their size.
func list(dir string) (names []string, total int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || name == manifestFile {
			return err
		}
		if !d.Type().IsRegular() {
			return fault.Newf(fault.Damaged, "%s is no file", path)
		}
		st, err := d.Info()
		if err == nil {
			names, total = append(names, name), total+st.Size()
		}
		return err
	})
	return names, total, fault.Wrap(fault.CodeOf(err), err, "read %s", dir)
}

func syncDirs(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return durable.SyncDir(path)
	})
}

// pass reads a file through, copies it to out if there is one, syncs what is written or
// read, and returns its size and hash.
func pass(ctx context.Context, path string, out *os.File, progress func(n int64)) (n int64, sum string, err error) {
	in, err := os.Open(path)
	if err != nil {
		return 0, "", fault.Wrap(fault.Inaccessible, err, "read %s", path)
	}
	defer in.Close()
	hash := sha256.New()
	w := io.Writer(hash)
	if out != nil {
		w = io.MultiWriter(hash, out)
	}
	for {
		got, err := io.CopyN(w, in, copyPiece)
		n += got
		progress(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return n, "", fault.Wrap(fault.CodeOf(err), err, "read %s", path)
		}
	}
	if out == nil {
		out = in
	}
	if err := out.Sync(); err != nil {
		return n, "", fault.Wrap(fault.CodeOf(err), err, "sync %s", path)
	}
	return n, hex.EncodeToString(hash.Sum(nil)), nil
}

// readManifest reads the manifest of a backup. NotFound, Damaged.
func readManifest(dir string) (*Manifest, error) {
	path := filepath.Join(dir, manifestFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Newf(fault.NotFound, "%s is no backup of a node: it has no %s", dir, manifestFile)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Inaccessible, err, "backup")
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil || len(raw) > maxManifest {
		return nil, fault.Wrap(fault.Damaged, errors.Join(err, fmt.Errorf("%d bytes", len(raw))), "%s", path)
	}
	m := &Manifest{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "%s", path)
	}
	if m.Format != formatVersion {
		return nil, fault.Newf(fault.OutOfRange, "%s is of format %d, this program reads %d", path, m.Format, formatVersion)
	}
	for _, f := range m.Files {
		if !local(f.Name) || f.Bytes < 0 {
			return nil, fault.Newf(fault.Damaged, "%s names %q, which is no file of a backup", path, f.Name)
		}
	}
	return m, nil
}
