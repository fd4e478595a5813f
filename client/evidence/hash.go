package evidence

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"mulian/internal/fault"
	"mulian/internal/sm"
)

// Look reads a file once, in pieces, and returns its hashes and what is known of it.
// seen, if not nil, is told how many bytes were read since it was called last. A
// file that changes meanwhile is a VersionConflict; what is no regular file Malformed.
func Look(ctx context.Context, path string, seen func(n int)) (Digests, Metadata, error) {
	st, err := os.Stat(path) // before it is opened: a pipe would wait for ever
	if err != nil {
		return Digests{}, Metadata{}, unreadable(err, path)
	}
	if !st.Mode().IsRegular() {
		return Digests{}, Metadata{}, fault.Newf(fault.Malformed, "%s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return Digests{}, Metadata{}, unreadable(err, path)
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil || !os.SameFile(st, before) {
		return Digests{}, Metadata{}, fault.Newf(fault.VersionConflict, "%s changed while it was opened", path)
	}
	d, head, n, err := digest(ctx, f, seen)
	if err != nil {
		return Digests{}, Metadata{}, unreadable(err, path)
	}
	after, err := f.Stat()
	if err != nil || n != before.Size() || after.Size() != n || !after.ModTime().Equal(before.ModTime()) {
		return Digests{}, Metadata{}, fault.Newf(fault.VersionConflict, "%s changed while it was read: anchor it again when nobody writes to it", path)
	}
	name := strings.ToValidUTF8(filepath.Base(path), string(utf8.RuneError))
	return d, Metadata{Name: name, Bytes: uint64(n), MediaType: mediaType(name, head), Modified: before.ModTime().UTC().Format(time.RFC3339Nano)}, nil
}

// digest reads all of r, and keeps its first bytes.
func digest(ctx context.Context, r io.Reader, seen func(n int)) (d Digests, head []byte, n int64, err error) {
	a, b, piece := sha256.New(), sm.NewSM3(), make([]byte, pieceBytes)
	for {
		if err := ctx.Err(); err != nil {
			return d, nil, n, fault.Wrap(fault.Cancelled, err, "hash")
		}
		k, err := io.ReadFull(r, piece)
		if head == nil {
			head = bytes.Clone(piece[:min(k, 512)])
		}
		a.Write(piece[:k])
		b.Write(piece[:k])
		n += int64(k)
		if seen != nil {
			seen(k)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return Digests{SHA256: a.Sum(nil), SM3: b.Sum(nil)}, head, n, nil
		}
		if err != nil {
			return d, nil, n, err
		}
	}
}

// mediaTypes are of files whose first bytes say less than their name.
var mediaTypes = map[string]string{
	".ofd": "application/ofd", ".csv": "text/csv", ".json": "application/json", ".md": "text/markdown",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".doc":  "application/msword", ".xls": "application/vnd.ms-excel",
}

func mediaType(name string, head []byte) string {
	if t := mediaTypes[strings.ToLower(filepath.Ext(name))]; t != "" {
		return t
	}
	t, _, _ := strings.Cut(http.DetectContentType(head), ";")
	return t
}

// unreadable gives an error of the file system its code.
func unreadable(err error, path string) error {
	var f *fault.Fault
	switch {
	case errors.As(err, &f):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return fault.Newf(fault.NotFound, "there is no %s", path)
	}
	return &fault.Fault{Code: fault.Inaccessible, Text: path + " cannot be read", Err: err}
}
