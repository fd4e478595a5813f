package evidence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mulian/internal/durable"
	"mulian/internal/fault"
)

// Suffix of the folder beside a file, and the name of the opening in it.
const (
	Suffix      = ".evidence"
	OpeningFile = "evidence.json"
)

// FolderOf returns the evidence folder of a file; a path that is one already is
// returned as it is.
func FolderOf(path string) string {
	path = filepath.Clean(path)
	if strings.HasSuffix(path, Suffix) {
		return path
	}
	return path + Suffix
}

// FindFolder returns the evidence folder that a person means: a folder with an opening in
// it, however it is named, else that of the file.
func FindFolder(path string) string {
	path = filepath.Clean(path)
	if st, err := os.Stat(filepath.Join(path, OpeningFile)); err == nil && st.Mode().IsRegular() {
		return path
	}
	return FolderOf(path)
}

// FileBeside returns where the original of an opening is looked for: beside its folder,
// by the folder's name, or, if the folder was renamed, by the file's own. The first of them
// if neither is there.
func (o *Opening) FileBeside(folder string) string {
	named := strings.TrimSuffix(filepath.Clean(folder), Suffix)
	own := filepath.Join(filepath.Dir(filepath.Clean(folder)), filepath.Base(o.Metadata.Name))
	if abs, err := filepath.Abs(folder); err == nil && filepath.Base(filepath.Clean(folder)) == "." {
		own = filepath.Join(filepath.Dir(abs), filepath.Base(o.Metadata.Name))
	}
	for _, path := range []string{named, own} {
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() {
			return path
		}
	}
	if strings.HasSuffix(folder, Suffix) {
		return named
	}
	return own
}

// Same tells whether the file at path is the one that was anchored: VerificationFailed if
// it is another.
func (o *Opening) Same(ctx context.Context, path string) error {
	d, meta, err := Look(ctx, path, nil)
	switch {
	case err != nil:
		return err
	case meta.Bytes != o.Metadata.Bytes || !bytes.Equal(d.SHA256, o.SHA256) || !bytes.Equal(d.SM3, o.SM3):
		return fault.Newf(fault.VerificationFailed, "%s is not the file that was anchored: %d bytes, SHA-256 %x; the opening has %d bytes, %x",
			path, meta.Bytes, []byte(d.SHA256), o.Metadata.Bytes, []byte(o.SHA256))
	}
	return nil
}

// ReadOpening reads the opening in a folder, NotFound if there is none.
func ReadOpening(folder string) (*Opening, error) {
	path := filepath.Join(folder, OpeningFile)
	raw, err := readAtMost(path, MaxOpening)
	if err != nil {
		return nil, err
	}
	o, err := ParseOpening(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return o, nil
}

// readAtMost reads a regular file of at most that many bytes.
func readAtMost(path string, limit int64) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(err, path)
	}
	if !st.Mode().IsRegular() {
		return nil, fault.Newf(fault.Malformed, "%s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(err, path)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, unreadable(err, path)
	}
	if int64(len(raw)) > limit {
		return nil, fault.Newf(fault.TooLong, "%s has more than %d bytes", path, limit)
	}
	return raw, nil
}

// store writes the opening into its folder, which it makes: durable when it returns.
// A power failure leaves the old opening or the new one.
func (o *Opening) store(folder string) error {
	raw, err := o.marshal()
	if err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return unwritable(err, folder)
	}
	if err := os.Chmod(folder, 0o700); err != nil { // it may be there already, open to all
		return unwritable(err, folder)
	}
	if err := durable.SyncDir(filepath.Dir(folder)); err != nil {
		return unwritable(err, folder)
	}
	return unwritable(durable.ReplaceFile(filepath.Join(folder, OpeningFile), raw, 0o600), folder)
}

// keepAside moves an opening out of the way of the next one: it stays in the folder as
// evidence-<id>.json.
func (o *Opening) keepAside(folder string) error {
	raw, err := o.marshal()
	if err != nil {
		return err
	}
	return unwritable(durable.ReplaceFile(filepath.Join(folder, "evidence-"+o.ID+".json"), raw, 0o600), folder)
}

func unwritable(err error, path string) error {
	if err == nil {
		return nil
	}
	return &fault.Fault{Code: fault.Inaccessible, Text: path + " cannot be written", Err: err}
}

// File is one file to anchor.
type File struct {
	Path  string
	Bytes int64
}

// Find returns the regular files that the paths name: files as they are, folders with
// all that is in them, in the order of names. Evidence folders and links within
// folders are left out. NotFound, Inaccessible, or TooLong for more than MaxFiles.
func Find(ctx context.Context, paths []string) ([]File, error) {
	var out []File
	seen := map[string]bool{}
	add := func(path string, st fs.FileInfo) error {
		if seen[path] {
			return nil
		}
		seen[path] = true
		if len(out) == MaxFiles {
			return fault.Newf(fault.TooLong, "more than %d files: anchor them in parts", MaxFiles)
		}
		out = append(out, File{path, st.Size()})
		return nil
	}
	for _, p := range paths {
		p = filepath.Clean(p)
		st, err := os.Stat(p)
		if err != nil {
			return nil, unreadable(err, p)
		}
		if !st.IsDir() {
			if !st.Mode().IsRegular() {
				return nil, fault.Newf(fault.Malformed, "%s is no regular file", p)
			}
			if err := add(p, st); err != nil {
				return nil, err
			}
			continue
		}
		if strings.HasSuffix(p, Suffix) {
			return nil, fault.Newf(fault.Malformed, "%s is an evidence folder: name the file itself", p)
		}
		err = filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return unreadable(err, path)
			case ctx.Err() != nil:
				return fault.Wrap(fault.Cancelled, ctx.Err(), "find files")
			case d.IsDir() && strings.HasSuffix(path, Suffix):
				return fs.SkipDir
			case !d.Type().IsRegular():
				return nil
			}
			st, err := d.Info()
			if err != nil {
				return unreadable(err, path)
			}
			return add(path, st)
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
