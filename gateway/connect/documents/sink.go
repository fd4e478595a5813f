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
	"time"

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
	for _, d := range []string{dir, path.Join(dir, bookkeeping), path.Join(dir, bookkeeping, "in"), path.Join(dir, bookkeeping, "done")} {
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

// arrived is one file of a delivery.
type arrived struct {
	Name     string    `json:"name"` // below the sink's folder
	Size     int64     `json:"size"`
	SHA256   string    `json:"sha256"`
	Modified time.Time `json:"modified"`
}

// committed is a delivery in our books.
type committed struct {
	connect.Receipt
	Files []arrived `json:"files"` // the n-th lies under the name n until it has its own
}

// agreement is the part of a delivery's id that says whose files they are.
func agreement(delivery string) string {
	owner, _, _ := strings.Cut(delivery, "/")
	return owner
}

func readCommitted(root *os.Root, name string) (*committed, error) {
	raw, err := root.ReadFile(path.Join(bookkeeping, "done", name+".json"))
	if err != nil {
		return nil, err
	}
	c := &committed{}
	if err := json.Unmarshal(raw, c); err != nil {
		return nil, fmt.Errorf("%w: the list of a delivery's files: %w", connect.ErrInvalid, err)
	}
	return c, nil
}

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
	all, err := readDir(root, path.Join(bookkeeping, "done"), maxFiles)
	if err != nil {
		return connect.Receipt{}, false, err
	}
	for _, e := range all {
		name, ok := strings.CutSuffix(e.Name(), "-"+hashed(delivery)+".json")
		if !ok {
			continue
		}
		c, err := readCommitted(root, name+"-"+hashed(delivery))
		if err == nil {
			err = place(root, name+"-"+hashed(delivery), c)
		}
		return c.Receipt, err == nil, failure(err)
	}
	return connect.Receipt{}, false, nil
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
		return place(l.root, l.name, before)
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
		if !strings.HasPrefix(e.Name(), table+"-") {
			continue
		}
		if c, err := readCommitted(l.root, e.Name()); err == nil {
			if err := place(l.root, e.Name(), c); err != nil {
				return err
			}
		} else if err := l.root.RemoveAll(path.Join(bookkeeping, "in", e.Name())); err != nil {
			return err
		}
	}
	l.in = path.Join(bookkeeping, "in", l.name)
	return l.root.Mkdir(l.in, 0o750)
}

// crashed is where a test ends the process's work, as a power failure would.
var crashed = func(_ string) bool { return false }

var errCrashed = errors.New("crashed")

// commit writes the delivery into the books and gives its files their names.
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
	f, err := l.root.OpenFile(list, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
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
		return err
	}
	if crashed("after") {
		return errCrashed
	}
	return place(l.root, l.name, &committed{r, l.files})
}

// mine refuses a delivery with a file in whose place stands what no delivery of the same
// agreement has written: ErrTargetDiffers.
func (l *load) mine() error {
	owned := map[string]bool{}
	all, err := readDir(l.root, path.Join(bookkeeping, "done"), maxFiles)
	if err != nil {
		return err
	}
	table, _, _ := strings.Cut(l.name, "-")
	for _, e := range all {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok || !strings.HasPrefix(name, table+"-") {
			continue
		}
		c, err := readCommitted(l.root, name)
		if err != nil {
			return err
		}
		if agreement(c.Delivery) == agreement(l.target.Delivery) {
			for _, f := range c.Files {
				owned[f.Name] = true
			}
		}
	}
	for _, f := range l.files {
		is, err := l.root.Lstat(f.Name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil || !is.Mode().IsRegular() || !owned[f.Name] {
			return fmt.Errorf("%w: a file is there that this agreement has not delivered", connect.ErrTargetDiffers)
		}
	}
	return nil
}
