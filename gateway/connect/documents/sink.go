package documents

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"syscall"

	"mulian/gateway/connect"
)

// sink is a folder into which files are delivered, each table a folder of its own.
type sink struct {
	dir string
	mu  sync.Mutex // one commit, or end of one, at a time
}

func openSink(_ context.Context, rawURL string) (connect.Sink, error) {
	dir, err := folderOf(rawURL)
	if err != nil {
		return nil, err
	}
	for _, d := range []string{dir, path.Join(dir, bookkeeping), path.Join(dir, bookkeeping, "in"), path.Join(dir, bookkeeping, "done"), path.Join(dir, bookkeeping, "own")} {
		if err := os.MkdirAll(d, 0o750); err != nil {
			return nil, failure(err)
		}
	}
	return &sink{dir: dir}, nil
}

func (s *sink) Close() error { return nil }

func (s *sink) root() (*os.Root, error) {
	root, err := os.OpenRoot(s.dir)
	return root, failure(err)
}

func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// loadName is the name of a delivery in our books: its table's part stands first.
func loadName(table, delivery string) string { return hashed(table) + "-" + hashed(delivery) }

// Loaded ends a commit that was cut off before it answers.
func (s *sink) Loaded(ctx context.Context, schema, delivery string) (connect.Receipt, bool, error) {
	if ctx.Err() != nil || schema != "" {
		return connect.Receipt{}, false, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	root, err := s.root()
	if err != nil {
		return connect.Receipt{}, false, err
	}
	defer root.Close()
	var out *committed
	fits := func(name string) bool { return strings.HasSuffix(name, "-"+hashed(delivery)) }
	err = eachList(root, fits, func(name string) error {
		c, err := readCommitted(root, name)
		if err == nil {
			out, err = c, unplaced(place(root, name, c))
		}
		return err
	})
	if err != nil || out == nil {
		return connect.Receipt{}, false, failure(err)
	}
	return out.Receipt, true, nil
}

// unplaced is why files that are delivered do not have their names yet. It goes away with its
// cause (room on the disk, a right, a folder in the way), whatever it is: the delivery stays
// open, and the next call goes on.
func unplaced(err error) error {
	if err == nil {
		return nil
	}
	reason := err
	if perr, ok := errors.AsType[*fs.PathError](err); ok {
		reason = perr.Err
	} else if lerr, ok := errors.AsType[*os.LinkError](err); ok {
		reason = lerr.Err
	}
	return fmt.Errorf("%w: what was delivered cannot get its names: %w", connect.ErrUnreachable, reason)
}

// place gives the files of a committed delivery their names. Power may fail at any moment:
// what still has its number is placed by the next call.
func place(root *os.Root, name string, c *committed) error {
	in := path.Join(bookkeeping, "in", name)
	if _, err := root.Lstat(in); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	made := map[string]bool{}
	for i, f := range c.Files {
		from := path.Join(in, fmt.Sprint(i))
		if _, err := root.Lstat(from); errors.Is(err, fs.ErrNotExist) {
			continue // it has its name
		}
		dir := path.Dir(f.Name)
		if !made[dir] {
			if err := root.MkdirAll(dir, 0o750); err != nil {
				return err
			}
			made[dir] = true
		}
		if crashed("full") {
			return &os.LinkError{Op: "rename", Old: from, New: f.Name, Err: syscall.ENOSPC}
		}
		if err := root.Rename(from, f.Name); err != nil {
			return err
		}
	}
	for dir := range made {
		for ; ; dir = path.Dir(dir) {
			if err := syncFolder(root, dir); err != nil {
				return err
			}
			if dir == "." {
				break
			}
		}
	}
	return root.RemoveAll(in)
}

func syncFolder(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (s *sink) Begin(ctx context.Context, t connect.Target) (connect.Load, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if name, err := clean(t.Table.Name); err != nil || name != t.Table.Name || t.Table.Schema != "" {
		return nil, fmt.Errorf("%w: a folder's name is a path below the folder of documents", connect.ErrInvalid)
	}
	if t.Mode != connect.Merge {
		return nil, fmt.Errorf("%w: delivered files are put beside those that are there", connect.ErrInvalid)
	}
	root, err := s.root()
	if err != nil {
		return nil, err
	}
	l := &load{sink: s, target: t, root: root, name: loadName(t.Table.Name, t.Delivery), digest: connect.NewDigest(), at: map[string]int{}, names: map[string]bool{}}
	if err := l.begin(); err != nil {
		l.Rollback()
		return nil, failure(err)
	}
	return l, nil
}

// begin looks whether the delivery is there, and clears what an earlier load into the same
// table left behind.
func (l *load) begin() error {
	for i, c := range l.target.Columns {
		l.at[c.Name] = i
	}
	for _, c := range columns {
		if i, has := l.at[c.Name]; !has || l.target.Columns[i].Kind != c.Kind {
			return fmt.Errorf("%w: files come with the columns name, piece, size, modified, sha256 and content; %s is not agreed, or is something else", connect.ErrTargetDiffers, c.Name)
		}
	}
	l.sink.mu.Lock()
	defer l.sink.mu.Unlock()
	before, err := readCommitted(l.root, l.name)
	if err == nil {
		l.before, l.in = before, ""
		return unplaced(place(l.root, l.name, before))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	left, err := readDir(l.root, path.Join(bookkeeping, "in"), maxFiles)
	if err != nil {
		return err
	}
	table, _, _ := strings.Cut(l.name, "-")
	for _, e := range left {
		if !strings.HasPrefix(e.Name(), table+"-") || e.Name() == l.name && l.resume() {
			continue
		}
		if c, err := readCommitted(l.root, e.Name()); err == nil {
			if err := unplaced(place(l.root, e.Name(), c)); err != nil {
				return err
			}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err // it may be committed
		} else if err := l.root.RemoveAll(path.Join(bookkeeping, "in", e.Name())); err != nil {
			return err
		}
	}
	if err := writeOff(l.root, table); err != nil {
		return err
	}
	if l.in != "" {
		return nil // it goes on
	}
	l.in = path.Join(bookkeeping, "in", l.name)
	return l.root.Mkdir(l.in, 0o750)
}

// crashed is where a test ends the process's work, as a power failure would, or takes the
// disk's room away.
var crashed = func(_ string) bool { return false }

var errCrashed = errors.New("crashed")

// commit writes the delivery into the books and gives its files their names. Any error but
// ErrUnreachable came before the commit: nothing is placed then, now or later.
func (l *load) commit(r connect.Receipt) error {
	l.sink.mu.Lock()
	defer l.sink.mu.Unlock()
	if err := l.mine(); err != nil {
		return err
	}
	raw, err := json.Marshal(&committed{r, l.files})
	if err != nil {
		return err
	}
	list := path.Join(l.in, "list")
	if err := writeWhole(l.root, list, raw); err != nil {
		return err
	}
	if err := syncFolder(l.root, l.in); err != nil {
		return err
	}
	if crashed("before") {
		return errCrashed
	}
	// Power fails before here: nothing was delivered. After: all was, and the next call
	// gives the files their names.
	if err := l.root.Rename(list, path.Join(bookkeeping, "done", l.name+".json")); err != nil {
		return err
	}
	l.in = "" // not this load's to remove any more
	if err := syncFolder(l.root, path.Join(bookkeeping, "done")); err != nil {
		return unplaced(err)
	}
	if crashed("after") {
		return errCrashed
	}
	return unplaced(place(l.root, l.name, &committed{r, l.files}))
}
