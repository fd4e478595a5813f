package files

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"mulian/gateway/connect"
)

const (
	// ControlFile holds one line of JSON for each delivery that was loaded into the folder.
	ControlFile = connect.ControlTable + ".jsonl"
	lockFile    = ".mulian.lock"
	tempPrefix  = ".mulian-new-"
	// maxLine bounds a line of the control file: an id, two names and a digest.
	maxLine = 16 << 10
)

// line is one delivery in the control file. It is the moment of commit: once it is there,
// whole and durable, the delivery is loaded, whatever the names of its files are by then.
type line struct {
	connect.Receipt
	// Files are the files of the delivery: until Move is done they are found under From.
	Files []move `json:"files"`
}

// move is a file that waits for its name.
type move struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// readControl calls fn for each whole line and returns where they end; what follows
// was cut off by a power failure and never counted.
func readControl(root *os.Root, fn func(line) bool) (end int64, err error) {
	f, err := root.Open(ControlFile)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, failure(err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, maxLine)
	for n := 1; ; n++ {
		text, err := r.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return end, nil
		}
		var l line
		if err == nil {
			err = json.Unmarshal(text, &l)
		}
		if err != nil {
			if next, more := r.Peek(1); len(next) == 0 && more != nil {
				return end, nil // the last one, broken
			}
			return end, fmt.Errorf("%w: line %d of %s cannot be read: %w", connect.ErrInvalid, n, ControlFile, err)
		}
		end += int64(len(text))
		if !fn(l) {
			return end, nil
		}
	}
}

// pending are the files of the last delivery by the name that they are to have. All
// earlier ones have theirs: a load begins with that.
func pending(root *os.Root) (map[string]string, error) {
	var last line
	if _, err := readControl(root, func(l line) bool { last = l; return true }); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, m := range last.Files {
		if _, err := root.Lstat(m.From); err == nil && strings.HasPrefix(m.From, tempPrefix) {
			out[m.To] = m.From
		}
	}
	return out, nil
}

// receiptOf finds a delivery.
func receiptOf(root *os.Root, delivery string) (r connect.Receipt, found bool, err error) {
	_, err = readControl(root, func(l line) bool {
		if l.Delivery == delivery {
			r, found = l.Receipt, true
		}
		return !found
	})
	return r, found, err
}

// lock waits until no other load is under way. The system gives the lock back
// if the process dies.
func lock(ctx context.Context, root *os.Root) (*os.File, error) {
	f, err := root.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, failure(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) //nolint:gosec // a file descriptor
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, failure(err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}

// recover, under the lock, ends what a killed load began: files of the last delivery get
// their names, a broken line and files without a delivery go.
func recoverFolder(root *os.Root) error {
	waiting, err := pending(root)
	if err != nil {
		return err
	}
	for to, from := range waiting {
		if err := root.Rename(from, to); err != nil {
			return failure(err)
		}
	}
	if len(waiting) > 0 {
		if err := syncFolder(root); err != nil {
			return err
		}
	}
	end, err := readControl(root, func(line) bool { return true })
	if err != nil {
		return err
	}
	if is, err := root.Stat(ControlFile); err == nil && is.Size() > end {
		f, err := root.OpenFile(ControlFile, os.O_RDWR, 0)
		if err != nil {
			return failure(err)
		}
		defer f.Close()
		if err := f.Truncate(end); err != nil {
			return failure(err)
		}
	}
	entries, err := readDir(root, ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) {
			if err := root.Remove(e.Name()); err != nil {
				return failure(err)
			}
		}
	}
	return nil
}

// commitLine appends a delivery. If the power fails before it returns, the line is there
// as a whole or does not count. written says that it may be there, also with an error.
func commitLine(root *os.Root, l line) (written bool, err error) {
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(l); err != nil {
		return false, err
	}
	if text.Len() > maxLine {
		return false, fmt.Errorf("%w: names and ids of %d bytes", connect.ErrTooLarge, text.Len())
	}
	f, err := root.OpenFile(ControlFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return false, failure(err)
	}
	defer f.Close()
	is, err := f.Stat()
	if err != nil {
		return false, failure(err)
	}
	if _, err = f.Write(text.Bytes()); err != nil {
		// No room for all of it: then for nothing of it.
		return f.Truncate(is.Size()) != nil, failure(err)
	}
	if err := f.Sync(); err != nil {
		return true, failure(err)
	}
	return true, syncFolder(root)
}

func syncFolder(root *os.Root) error {
	d, err := root.Open(".")
	if err != nil {
		return failure(err)
	}
	defer d.Close()
	return failure(d.Sync())
}
