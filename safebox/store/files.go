package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mulian/internal/durable"
)

// Files keeps blobs as files of a directory, each written whole or not at all.
type Files struct {
	root string
	lock *durable.Lock
}

// OpenFiles opens, or makes, the directory. One process at a time has it.
func OpenFiles(dir string) (*Files, error) {
	if err := durable.MkdirPrivate(dir); err != nil {
		return nil, err
	}
	lock, err := durable.LockDir(dir, "boxes")
	if err != nil {
		return nil, err
	}
	root := filepath.Join(dir, "b") // beside the lock, which is no blob
	if err := durable.MkdirPrivate(root); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return &Files{root: root, lock: lock}, nil
}

// Close implements [Blobs].
func (f *Files) Close() error { return f.lock.Unlock() }

func (f *Files) path(name string) string { return filepath.Join(f.root, filepath.FromSlash(name)) }

// Put implements [Blobs].
func (f *Files) Put(ctx context.Context, name string, content []byte) error {
	if err := errors.Join(ctx.Err(), checkName(name)); err != nil {
		return err
	}
	path := f.path(name)
	if err := durable.MkdirPrivate(filepath.Dir(path)); err != nil {
		return err
	}
	if err := wipe(path); err != nil { // the old content may be a head with an old wrap
		return err
	}
	return durable.ReplaceFile(path, content, 0o600)
}

// Get implements [Blobs].
func (f *Files) Get(ctx context.Context, name string, limit int64) ([]byte, error) {
	if err := errors.Join(ctx.Err(), checkName(name)); err != nil {
		return nil, err
	}
	file, err := os.Open(f.path(name))
	if err != nil {
		return nil, none(err)
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, limit))
}

// Size implements [Blobs].
func (f *Files) Size(ctx context.Context, name string) (int64, error) {
	if err := errors.Join(ctx.Err(), checkName(name)); err != nil {
		return 0, err
	}
	st, err := os.Stat(f.path(name))
	if err != nil {
		return 0, none(err)
	}
	return st.Size(), nil
}

// Delete implements [Blobs]: zeros over the content, synced, then the name, synced.
func (f *Files) Delete(ctx context.Context, name string) error {
	if err := errors.Join(ctx.Err(), checkName(name)); err != nil {
		return err
	}
	path := f.path(name)
	if err := wipe(path); err != nil {
		return err
	}
	// If the power fails here a file of zeros is left: whoever reads it finds no head.
	if err := os.Remove(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	if err := durable.SyncDir(filepath.Dir(path)); err != nil {
		return err
	}
	for dir := filepath.Dir(path); dir != filepath.Clean(f.root) && os.Remove(dir) == nil; {
		dir = filepath.Dir(dir) // empty folders go, too: their names are handles
	}
	return nil
}

// wipe writes zeros over a file's content where it is.
func wipe(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	st, err := file.Stat()
	if err == nil {
		_, err = io.CopyN(file, zeros{}, st.Size())
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// zeros reads as zeros for ever.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// List implements [Blobs]. What a crash has left of a write ("NAME.tmp-…") is no blob.
func (f *Files) List(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	var out []string
	start := f.root
	if i := strings.LastIndexByte(prefix, '/'); i > 0 {
		start = f.path(prefix[:i])
	}
	err := filepath.WalkDir(start, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if d.IsDir() {
			return ctx.Err()
		}
		name, err := filepath.Rel(f.root, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if checkName(name) == nil && strings.HasPrefix(name, prefix) && name > after {
			out = append(out, name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(out)
	return out[:min(len(out), limit)], nil
}

// none makes of a missing file the error that all media have.
func none(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNone
	}
	return err
}

// checkName holds the form of a name: what is not of it is no blob, wherever it lies.
func checkName(name string) error {
	bad := len(name) == 0 || len(name) > 300 || strings.Contains(name, "..") || strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/") ||
		strings.Contains(name, ".") || strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '/'
	})
	if bad {
		return fmt.Errorf("%.80q is no name of a blob", name)
	}
	return nil
}
