package documents

import (
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"slices"
	"strconv"

	"mulian/gateway/connect"
)

// checkpoint is how far a load has come, in the folder of what has come. Files before the last
// one are whole and durable; of the last one, if it is open, so many bytes are.
//
//	pieces ──▶ file synced ──▶ checkpoint replaced ──▶ more pieces
//	              power fails anywhere: what stands behind the checkpoint is cut off
type checkpoint struct {
	Columns []string  `json:"columns"`
	Digest  []byte    `json:"digest"`
	Files   []arrived `json:"files"`
	Note    []byte    `json:"note"`

	// Of the file that is coming; Said is empty between two.
	Said    string `json:"said,omitempty"`
	Piece   int64  `json:"piece,omitempty"`
	Written int64  `json:"written,omitempty"`
	Sum     []byte `json:"sum,omitempty"`
}

const checkpointName = "checkpoint"

// Resumed implements connect.Resumable.
func (l *load) Resumed() []byte { return l.note }

// Checkpoint implements connect.Resumable.
func (l *load) Checkpoint(ctx context.Context, note []byte) (err error) {
	switch {
	case l.done || l.Repeated():
		return fmt.Errorf("%w: load has ended, or was there", connect.ErrInvalid)
	case len(note) == 0 || len(note) > connect.MaxNoteBytes:
		return fmt.Errorf("%w: a note of %d bytes", connect.ErrInvalid, len(note))
	case ctx.Err() != nil:
		return ctx.Err()
	}
	c := &checkpoint{Columns: l.columns(), Files: l.files, Note: note}
	if c.Digest, err = l.digest.State(); err != nil {
		return err
	}
	if l.file != nil {
		if err := l.file.Sync(); err != nil {
			return failure(err)
		}
		c.Said, c.Piece, c.Written = l.said, l.piece, l.written
		if c.Sum, err = l.sum.(encoding.BinaryMarshaler).MarshalBinary(); err != nil {
			return err
		}
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return err
	}
	next := path.Join(l.in, checkpointName+".next")
	if err := writeWhole(l.root, next, raw); err != nil {
		return failure(err)
	}
	if err := l.root.Rename(next, path.Join(l.in, checkpointName)); err != nil {
		return failure(err)
	}
	return failure(syncFolder(l.root, l.in))
}

// Leave implements connect.Resumable.
func (l *load) Leave() error {
	l.in = "" // it stays
	return l.Rollback()
}

func (l *load) columns() (out []string) {
	for _, c := range l.target.Columns {
		out = append(out, c.Name)
	}
	return out
}

// resume goes on from the checkpoint that an earlier process has left. What it cannot go on
// from is as if it were not there: false.
func (l *load) resume() bool {
	in := path.Join(bookkeeping, "in", l.name)
	c := &checkpoint{}
	raw, err := l.root.ReadFile(path.Join(in, checkpointName))
	if err != nil || json.Unmarshal(raw, c) != nil || !slices.Equal(c.Columns, l.columns()) || len(c.Note) == 0 || len(c.Files) > maxFiles {
		return false
	}
	digest, err := connect.DigestOf(c.Digest)
	if err != nil {
		return false
	}
	whole := len(c.Files)
	if c.Said != "" {
		whole--
	}
	for i, f := range c.Files[:max(0, whole)] {
		if st, err := l.root.Lstat(path.Join(in, strconv.Itoa(i))); err != nil || st.Size() != f.Size {
			return false
		}
	}
	for i := len(c.Files); ; i++ { // begun after the checkpoint
		if err := l.root.Remove(path.Join(in, strconv.Itoa(i))); err != nil {
			break
		}
	}
	if c.Said != "" && !l.reopen(in, whole, c) {
		return false
	}
	for _, f := range c.Files {
		l.named(f.Name)
	}
	l.in, l.digest, l.files, l.note = in, digest, c.Files, c.Note
	return true
}

// reopen goes on with the file that was coming.
func (l *load) reopen(in string, n int, c *checkpoint) bool {
	sum := sha256.New()
	if n < 0 || c.Written < 0 || c.Written == math.MaxInt64 || sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(c.Sum) != nil {
		return false
	}
	file, err := l.root.OpenFile(path.Join(in, strconv.Itoa(n)), os.O_WRONLY, 0)
	if err != nil {
		return false
	}
	st, err := file.Stat()
	if err == nil && st.Size() < c.Written {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		err = file.Truncate(c.Written)
	}
	if err == nil {
		_, err = file.Seek(c.Written, io.SeekStart)
	}
	if err != nil {
		file.Close()
		return false
	}
	l.file, l.said, l.piece, l.written, l.sum = file, c.Said, c.Piece, c.Written, sum
	return true
}
