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
	f := &Files{root: root, lock: lock}
	if err := f.tidy(); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return f, nil
}

// Peek reads one blob of a directory that another process may have open. What is being
// overwritten, to be destroyed, is not there: ErrNone.
func Peek(ctx context.Context, dir, name string, limit int64) ([]byte, error) {
	raw, err := (&Files{root: filepath.Join(dir, "b")}).Get(ctx, name, limit)
	if err == nil && len(raw) > 0 && raw[0] == 0 {
		return nil, ErrNone
	}
	return raw, err
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
	// The old content may be a head with an old wrap: it keeps a second name until the new
	// one is durable, and then zeros are written over it. If the power fails before that,
	// tidy does it at the next start.
	old := path + oldSuffix
	if err := f.leave(old); err != nil { // of a write that failed before
		return err
	}
	if err := os.Link(path, old); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return durable.ReplaceFile(path, content, 0o600)
		}
		return err
	}
	if err := durable.ReplaceFile(path, content, 0o600); err != nil {
		return errors.Join(err, f.leave(old))
	}
	return f.leave(old)
}

// oldSuffix ends the second name of a content that is being replaced.
const oldSuffix = ".old"

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

// List implements [Blobs]. What a crash has left of a write is no blob.
func (f *Files) List(ctx context.Context, prefix, after string, limit int) ([]string, error) {
	w := &walk{files: f, prefix: prefix, after: after, limit: limit}
	start := ""
	if i := strings.LastIndexByte(prefix, '/'); i > 0 {
		start = prefix[:i+1]
	}
	if err := w.folder(ctx, start); err != nil {
		return nil, err
	}
	return w.names, nil
}

// walk gathers names in byte order and goes into no folder that cannot have any.
type walk struct {
	files         *Files
	prefix, after string
	limit         int
	names         []string
}

// folder walks what is below dir: "" or a name with a slash at its end. Folders are compared
// with that slash, so that names come in the order of their bytes.
func (w *walk) folder(ctx context.Context, dir string) error {
	list, err := os.ReadDir(w.files.path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return ctx.Err()
	}
	if err = errors.Join(err, ctx.Err()); err != nil {
		return err
	}
	names := make([]string, 0, len(list))
	for _, e := range list {
		name := dir + e.Name()
		if e.IsDir() {
			name += "/"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		switch inside := strings.TrimSuffix(name, "/"); {
		case len(w.names) >= w.limit:
			return nil
		case checkName(inside) != nil:
		case inside == name:
			if strings.HasPrefix(name, w.prefix) && name > w.after {
				w.names = append(w.names, name)
			}
		case !strings.HasPrefix(name, w.prefix) && !strings.HasPrefix(w.prefix, name):
		case w.after >= inside+"0": // behind everything in it: '0' follows '/'
		default:
			if err := w.folder(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// tidy destroys what a crash has left of writes: names with a dot, which are no blobs.
// Nobody else writes yet.
func (f *Files) tidy() error {
	return filepath.WalkDir(f.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(d.Name(), ".") {
			return err
		}
		return f.leave(path)
	})
}

// leave removes what a write has left at the path, if there is anything, and destroys it
// unless it is a second name of a blob that is still there.
func (f *Files) leave(path string) error {
	if blob, ok := strings.CutSuffix(path, oldSuffix); !ok || !sameFile(blob, path) {
		if err := wipe(path); err != nil {
			return err
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// sameFile says that two names are of one file.
func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
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
