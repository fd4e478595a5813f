package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ReplaceFile puts a file with the given content and mode at path, in the place of
// any that is there.
func ReplaceFile(path string, content []byte, mode fs.FileMode) error {
	return place(path, allOf(content), mode, os.Rename)
}

// CreateFile puts a new file at path; if there is one already the error wraps
// [fs.ErrExist] and that file is unchanged.
func CreateFile(path string, content []byte, mode fs.FileMode) error {
	return place(path, allOf(content), mode, func(temp, path string) error {
		if err := os.Link(temp, path); err != nil { // link, for rename would replace
			return err
		}
		return os.Remove(temp)
	})
}

// PutTellable puts a file at path like [ReplaceFile], but brings content and name to the disk
// at the same time, in the time of one fsync instead of two. When it returns nil both are
// there. If the power fails before that, the name may be there with a part of the content:
// only for a content that tells whether it is whole.
func PutTellable(path string, content []byte, mode fs.FileMode) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".tmp-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, f.Close(), os.Remove(f.Name())))
	}
	named := make(chan error, 1)
	go func() { named <- SyncDir(dir) }()
	if err := errors.Join(f.Sync(), f.Close(), <-named); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// allOf writes a content at once.
func allOf(content []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	}
}

func place(path string, write func(io.Writer) error, mode fs.FileMode, move func(temp, path string) error) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".tmp-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name()) // if the move has happened there is none, and nothing to do
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	werr := write(f)
	if werr == nil {
		werr = f.Chmod(mode) // before the file gets its name: nobody sees it too open
	}
	if werr == nil {
		werr = f.Sync() // without this the rename can reach the disk before the content does
	}
	if err := errors.Join(werr, f.Close()); err != nil {
		return err
	}
	if err := move(f.Name(), path); err != nil {
		return err
	}
	return SyncDir(dir) // here a power failure shows the old or the new file
}

// SyncDir makes the names in a directory durable: files created, renamed, removed.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync directory %s: %w", dir, err)
	}
	return nil
}

// MkdirPrivate makes path and its missing parents, all of mode 0700 and durable. A
// directory that exists at path must not be open to other users; the error says
// how to close it.
func MkdirPrivate(path string) error {
	path = filepath.Clean(path)
	if err := mkdirs(path); err != nil {
		return fmt.Errorf("make directory %s: %w", path, err)
	}
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !st.IsDir():
		return fmt.Errorf("%s is not a directory", path)
	case onlyOwner && st.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("directory %s has mode %04o: other users of this machine can reach it; run: chmod 700 %s", path, st.Mode().Perm(), path)
	}
	return nil
}

func mkdirs(path string) error {
	err := os.Mkdir(path, 0o700)
	switch {
	case err == nil:
		return SyncDir(filepath.Dir(path))
	case errors.Is(err, fs.ErrExist):
		return nil // what it is, MkdirPrivate asks
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := mkdirs(filepath.Dir(path)); err != nil {
		return err
	}
	return mkdirs(path)
}
