package documents

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"os"
	"path"
	"strconv"
	"time"

	"mulian/gateway/connect"
)

// load is one delivery of files. Each file lies under a number until the commit.
type load struct {
	sink   *sink
	target connect.Target
	root   *os.Root
	name   string
	in     string     // folder of what has come; empty: none, or it is committed
	before *committed // of the first time, if repeated
	digest *connect.Digest
	at     map[string]int  // where each column is
	names  map[string]bool // of files: true; of their folders: false
	files  []arrived
	note   []byte // of the checkpoint from which it goes on
	done   bool

	// Of the file that is coming; file is nil between two.
	file    *os.File
	said    string // its name as it came
	piece   int64
	written int64
	sum     hash.Hash
}

func (l *load) Repeated() bool { return l.before != nil }

func (l *load) Sum() (rows int64, digest [32]byte) { return l.digest.Rows(), l.digest.Sum() }

func (l *load) Append(ctx context.Context, p *connect.Page) error {
	if l.done {
		return fmt.Errorf("%w: load has ended", connect.ErrInvalid)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return p.Each(func(row connect.Row, encoded string) error {
		if err := l.target.CheckRow(l.digest.Rows()+1, row); err != nil {
			return err
		}
		l.digest.AddEncoded(len(row), encoded)
		if l.Repeated() {
			return nil
		}
		if reason, err := l.take(row); err != nil || reason != "" {
			if err != nil {
				return failure(err)
			}
			return &connect.ValueError{Table: l.target.Table, Column: "content", Row: l.digest.Rows(), Reason: reason}
		}
		return nil
	})
}

// take writes one piece. reason: what is wrong with it.
func (l *load) take(row connect.Row) (reason string, err error) {
	text := func(column string) string { return row[l.at[column]].Text }
	piece, err1 := strconv.ParseInt(text("piece"), 10, 64)
	size, err2 := strconv.ParseInt(text("size"), 10, 64)
	modified, err3 := time.Parse(time.RFC3339, text("modified"))
	if err1 != nil || err2 != nil || err3 != nil || size < 0 {
		return "a piece without its place", nil
	}
	if l.file == nil {
		if reason, err = l.next(text("name")); err != nil || reason != "" {
			return reason, err
		}
	}
	content := text("content")
	l.piece++
	l.written += int64(len(content))
	switch {
	case text("name") != l.said || piece != l.piece:
		return "a piece is missing", nil
	case l.written > size:
		return "a file is longer than it says", nil
	}
	if _, err := l.file.WriteString(content); err != nil {
		return "", err
	}
	l.sum.Write([]byte(content))
	if row[l.at["sha256"]].IsNull() {
		return "", nil
	}
	if l.written != size || text("sha256") != hex.EncodeToString(l.sum.Sum(nil)) {
		return "a file is not what its digest says", nil
	}
	f := &l.files[len(l.files)-1]
	f.Size, f.SHA256, f.Modified = size, text("sha256"), modified
	err = l.file.Sync()
	if closeErr := l.file.Close(); err == nil {
		err = closeErr
	}
	l.file = nil
	if err == nil {
		err = l.root.Chtimes(path.Join(l.in, strconv.Itoa(len(l.files)-1)), modified, modified)
	}
	return "", err
}

// named notes a name and those of its folders; taken: something else has one of them.
func (l *load) named(name string) (taken bool) {
	_, taken = l.names[name]
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		isFile, has := l.names[dir]
		taken = taken || has && isFile
		l.names[dir] = false
	}
	if !taken {
		l.names[name] = true
	}
	return taken
}

// next begins a file.
func (l *load) next(said string) (reason string, err error) {
	name, err := clean(said)
	if err != nil {
		return "a name that cannot be a file's here", nil
	}
	name = path.Join(l.target.Table.Name, name)
	if l.named(name) || len(l.files) >= maxFiles {
		return "two files of one name, or too many", nil
	}
	// Power may fail with the file there and no checkpoint of it: resume removes it.
	l.file, err = l.root.OpenFile(path.Join(l.in, strconv.Itoa(len(l.files))), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	l.files = append(l.files, arrived{Name: name})
	l.said, l.piece, l.written, l.sum = said, 0, 0, sha256.New()
	return "", err
}

func (l *load) Commit(ctx context.Context) (connect.Receipt, error) {
	if l.done {
		return connect.Receipt{}, fmt.Errorf("%w: load has ended", connect.ErrInvalid)
	}
	defer l.Rollback()
	if ctx.Err() != nil {
		return connect.Receipt{}, ctx.Err()
	}
	sum := l.digest.Sum()
	r := connect.Receipt{
		Delivery: l.target.Delivery, Table: l.target.Table, Rows: l.digest.Rows(),
		Digest: hex.EncodeToString(sum[:]), At: time.Now().UTC().Truncate(time.Microsecond),
	}
	if l.before != nil {
		was := l.before.Receipt
		was.Repeated = true
		if r.Rows > 0 && (r.Digest != was.Digest || r.Rows != was.Rows) {
			return connect.Receipt{}, fmt.Errorf("%w: %s", connect.ErrDeliveryDiffers, r.Delivery)
		}
		return was, nil
	}
	if l.file != nil {
		return connect.Receipt{}, &connect.ValueError{Table: l.target.Table, Column: "piece", Reason: "the last file has no end"}
	}
	return r, failure(l.commit(r))
}

// Rollback removes what has come and was not committed.
func (l *load) Rollback() error {
	if l.done {
		return nil
	}
	l.done = true
	if l.file != nil {
		l.file.Close()
	}
	if l.in != "" {
		_ = l.root.RemoveAll(l.in) // the next load finds it otherwise
	}
	return l.root.Close()
}
