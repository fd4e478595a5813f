package intake

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"mulian/internal/durable"
)

// journal remembers what of one import the ledger has acknowledged, so that an
// import that was stopped goes on where it was. It belongs to one file with one
// content and is removed at the end: what the ledger has is known by the ledger.
//
// A line for each acknowledged entry, after a line that names the file. A torn
// last line (the power failed while it was written) is not counted; its entry is
// sent again, and unchanged content is no change.
type journal struct {
	path string
	out  *durable.Appender
	done map[[16]byte]bool
}

// openJournal reads the journal at path, or begins one. One of another file is
// begun anew.
func openJournal(path string, file [32]byte) (*journal, error) {
	j := &journal{path: path, done: make(map[[16]byte]bool)}
	if path == "" {
		return j, nil
	}
	head := "mulian import 1 " + hex.EncodeToString(file[:])
	raw, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("read journal: %w", err)
	default:
		same := j.load(bufio.NewReader(raw), head)
		raw.Close()
		if !same {
			if err := os.Remove(path); err != nil {
				return nil, fmt.Errorf("begin journal: %w", err)
			}
		}
	}
	fresh := len(j.done) == 0
	if j.out, err = durable.OpenAppend(path, 0o600); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if fresh {
		// A first line that is there already is written once more and means nothing.
		if _, err := j.out.Append([]byte("\n" + head + "\n")); err != nil {
			return nil, fmt.Errorf("write journal: %w", err)
		}
	} else if _, err := j.out.Append([]byte("\n")); err != nil { // ends a torn line
		return nil, fmt.Errorf("write journal: %w", err)
	}
	return j, nil
}

// load reads the acknowledged entries and reports whether the journal belongs to
// the file that head names.
func (j *journal) load(r *bufio.Reader, head string) bool {
	named := false
	for {
		line, err := r.ReadString('\n')
		if err != nil || len(j.done) > 1<<20 {
			return named
		}
		switch line = strings.TrimSuffix(line, "\n"); {
		case line == head:
			named = true
		case strings.HasPrefix(line, "mulian import "):
			return false
		case named && len(line) == 32:
			var k [16]byte
			if _, err := hex.Decode(k[:], []byte(line)); err == nil {
				j.done[k] = true
			}
		}
	}
}

// key names one content of one id.
func journalKey(id string, content [32]byte) (k [16]byte) {
	h := sha256.New()
	h.Write(content[:])
	h.Write([]byte(id))
	copy(k[:], h.Sum(nil))
	return k
}

// add makes parts durable. It may be called by many goroutines at once.
func (j *journal) add(parts []part) error {
	if j.out == nil || len(parts) == 0 {
		return nil
	}
	var b strings.Builder
	for _, x := range parts {
		b.WriteString(hex.EncodeToString(x.key[:]) + "\n")
	}
	if _, err := j.out.Append([]byte(b.String())); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

// close closes the journal, and removes it when the import is complete.
func (j *journal) close(complete bool) error {
	if j.out == nil {
		return nil
	}
	err := j.out.Close()
	if complete && err == nil {
		err = os.Remove(j.path)
	}
	return err
}
