package documents

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"mulian/gateway/connect"
)

// keptLists is how many lists of deliveries into one table are kept: many more than can be
// open at once, and so be asked for again. As many more wait until they are written off
// together. Our own choice.
const keptLists = 256

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

// owned is what remains in our books of the deliveries of one agreement into one table when
// their lists are written off.
type owned struct {
	Agreement string   `json:"agreement"`
	Files     []string `json:"files"` // that were there at that time
}

// agreement is the part of a delivery's id that says whose files they are.
func agreement(delivery string) string {
	owner, _, _ := strings.Cut(delivery, "/")
	return owner
}

func readBook(root *os.Root, name string, into any) error {
	raw, err := root.ReadFile(path.Join(bookkeeping, name))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%w: the list of a delivery's files: %w", connect.ErrInvalid, err)
	}
	return nil
}

func readCommitted(root *os.Root, name string) (*committed, error) {
	c := &committed{}
	if err := readBook(root, "done/"+name+".json", c); err != nil {
		return nil, err
	}
	return c, nil
}

// eachList calls fn with the names of the lists that fit, without their endings, however many
// there are.
func eachList(root *os.Root, fits func(name string) bool, fn func(name string) error) error {
	f, err := root.Open(path.Join(bookkeeping, "done"))
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		some, err := f.Readdirnames(1000)
		for _, n := range some {
			if name, ok := strings.CutSuffix(n, ".json"); ok && fits(name) {
				if err := fn(name); err != nil {
					return err
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func ofTable(hash string) func(string) bool {
	return func(name string) bool { return strings.HasPrefix(name, hash+"-") }
}

// ownName is where the names of what an agreement has delivered into a table are kept.
func ownName(table, agreement string) string { return "own/" + table + "-" + hashed(agreement) }

func readOwned(root *os.Root, table, agreement string) (*owned, error) {
	o := &owned{Agreement: agreement}
	err := readBook(root, ownName(table, agreement), o)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return o, err
}

// writeOff shortens a table's books, when they hold twice the lists that are kept, to these:
// the newest, and the newest of each agreement. Of the others the names of the files stay,
// as long as the files do. Their own names all files must have.
//
//	names (durable) ──▶ lists removed        power fails between: the names are written again
func writeOff(root *os.Root, table string) error {
	count := 0
	if err := eachList(root, ofTable(table), func(string) error { count++; return nil }); err != nil || count < 2*keptLists {
		return err
	}
	type list struct {
		name, agreement string
		at              time.Time
	}
	var all []list
	if err := eachList(root, ofTable(table), func(name string) error {
		c, err := readCommitted(root, name)
		if err == nil {
			all = append(all, list{name, agreement(c.Delivery), c.At})
		}
		return err
	}); err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b list) int { return b.at.Compare(a.at) })
	newest, old := map[string]bool{}, map[string][]string{}
	for i, l := range all {
		if i >= keptLists && newest[l.agreement] {
			old[l.agreement] = append(old[l.agreement], l.name)
		}
		newest[l.agreement] = true
	}
	for owner, lists := range old {
		if err := keepNames(root, table, owner, lists); err != nil {
			return err
		}
		for _, name := range lists {
			if err := root.Remove(path.Join(bookkeeping, "done", name+".json")); err != nil {
				return err
			}
		}
	}
	return nil
}

// keepNames adds the names of files that are there to those of their agreement.
func keepNames(root *os.Root, table, owner string, lists []string) error {
	was, err := readOwned(root, table, owner)
	if err != nil {
		return err
	}
	for _, name := range lists {
		c, err := readCommitted(root, name)
		if err != nil {
			return err
		}
		for _, f := range c.Files {
			was.Files = append(was.Files, f.Name)
		}
	}
	slices.Sort(was.Files)
	was.Files = slices.Compact(was.Files)
	was.Files = slices.DeleteFunc(was.Files, func(name string) bool {
		_, err := root.Lstat(name)
		return errors.Is(err, fs.ErrNotExist)
	})
	raw, err := json.Marshal(was)
	if err != nil {
		return err
	}
	to := path.Join(bookkeeping, ownName(table, owner))
	if err := writeWhole(root, to+".new", raw); err != nil {
		return err
	}
	if err := root.Rename(to+".new", to); err != nil {
		return err
	}
	return syncFolder(root, path.Join(bookkeeping, "own"))
}

// writeWhole writes a file of its own, durable but for its name.
func writeWhole(root *os.Root, name string, raw []byte) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	return errors.Join(err, f.Sync(), f.Close())
}

// mine refuses a delivery with a file in whose place stands what no delivery of the same
// agreement has written: ErrTargetDiffers. The books are only read if there is one.
func (l *load) mine() error {
	var there []string
	for _, f := range l.files {
		is, err := l.root.Lstat(f.Name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil || !is.Mode().IsRegular():
			return errNotOurs
		default:
			there = append(there, f.Name)
		}
	}
	if len(there) == 0 {
		return nil
	}
	table, _, _ := strings.Cut(l.name, "-")
	owner := agreement(l.target.Delivery)
	was, err := readOwned(l.root, table, owner)
	if err != nil {
		return err
	}
	ours := map[string]bool{}
	for _, name := range was.Files {
		ours[name] = true
	}
	if err := eachList(l.root, ofTable(table), func(name string) error {
		c, err := readCommitted(l.root, name)
		if err == nil && agreement(c.Delivery) == owner {
			for _, f := range c.Files {
				ours[f.Name] = true
			}
		}
		return err
	}); err != nil {
		return err
	}
	if slices.ContainsFunc(there, func(name string) bool { return !ours[name] }) {
		return errNotOurs
	}
	return nil
}

var errNotOurs = fmt.Errorf("%w: a file is there that this agreement has not delivered", connect.ErrTargetDiffers)
