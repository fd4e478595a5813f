package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"mulian/intake"
	"mulian/intake/filing"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// stdin is the argument that stands for the standard input.
const stdin = "-"

// Bounds of what one command imports. Our own choices: the largest portal publishes
// some 1,000 files, and no list that we know of has 1 GiB.
const (
	maxLists = 10_000
	maxStdin = 1 << 30
)

// list is one file of an import and what became of it.
type list struct {
	Path string `json:"path"` // as it was named, or found below a folder
	*intake.Report
	Applied *filing.Outcome `json:"applied,omitempty"`
	Skipped string          `json:"skipped,omitempty"` // why it is no list
	Error   string          `json:"error,omitempty"`
	Code    fault.Code      `json:"code,omitempty"`

	file  string // what is read
	found bool   // in a folder, not named
	plan  *intake.Plan
	err   error
}

// findLists names the files that the arguments stand for: a file, everything below a
// folder, or what comes in on stdin, which is laid down to be read more than once.
// done removes that.
func (a *app) findLists(args []string) (lists []*list, done func(), err error) {
	var remove []string
	done = func() {
		for _, name := range remove {
			_ = os.Remove(name) // below the home; nothing depends on it
		}
	}
	for _, arg := range args {
		if arg == stdin {
			name, err := a.layDown()
			if err != nil {
				return nil, done, err
			}
			remove = append(remove, name)
			lists = append(lists, &list{Path: stdin, file: name})
			continue
		}
		st, err := os.Stat(arg)
		if err != nil || !st.IsDir() {
			lists = append(lists, &list{Path: arg, file: arg}) // reading it tells what is wrong
			continue
		}
		below, err := listsBelow(arg, a.t("不是清单的扩展名", "its name does not end as that of a list"))
		if err != nil {
			return nil, done, err
		}
		lists = append(lists, below...)
	}
	if len(lists) > maxLists {
		return nil, done, fault.Newf(fault.TooLong, a.t("%d 个文件，一次最多 %d 个", "%d files, at most %d at once"), len(lists), maxLists)
	}
	return lists, done, nil
}

var listName = regexp.MustCompile(`(?i)\.(csv|tsv|txt|xls|xlsx|xlsm|et|json|jsonl|ndjson|geojson|js|rdf|xml|ttl|n3|nt|jsonld)(\.gz)?$`)

// listsBelow walks a folder in the order of names. Links are not followed, hidden
// files and folders not entered.
func listsBelow(root, other string) (lists []*list, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fault.Wrap(fault.Inaccessible, err, "%s", path)
		case path != root && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		case len(lists) > maxLists:
			return fs.SkipAll
		}
		l := &list{Path: path, file: path, found: true}
		if !listName.MatchString(d.Name()) {
			l.Skipped = other
		}
		lists = append(lists, l)
		return nil
	})
	return lists, err
}

// layDown copies stdin to a file below the home that only its owner can read.
func (a *app) layDown() (string, error) {
	dir := a.path("imports")
	if err := durable.MkdirPrivate(dir); err != nil {
		return "", fmt.Errorf("lay down stdin: %w", err)
	}
	f, err := os.CreateTemp(dir, "stdin-")
	if err != nil {
		return "", fault.Wrap(fault.Inaccessible, err, "lay down stdin")
	}
	n, err := io.Copy(f, io.LimitReader(a.in, maxStdin+1))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil && n > maxStdin {
		err = fault.Newf(fault.TooLong, a.t("标准输入超过 %d 字节", "more than %d bytes on stdin"), maxStdin)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

var (
	packed   = regexp.MustCompile(`(?i)\.gz$`)
	ending   = regexp.MustCompile(`(?i)\.(data\.json|[a-z0-9]{1,7})$`)
	versions = []*regexp.Regexp{
		regexp.MustCompile(`[ _.-]*\(\d+\)$`),                                                             // list (1)
		regexp.MustCompile(`(?i)[ _.-]+[0-9a-f]{7,40}$`),                                                  // the hash of a commit
		regexp.MustCompile(`[ _.-]*(19|20)\d{2}([-_.年]?\d{1,2}([-_.月]?\d{1,2}日?)?)?([-_.T ]\d{2}){0,4}$`), // a date, with or without the time
	}
)

// sourceName is the label of the catalogue that a file is a version of: its name
// without folder, endings, dates, numbers of copies and hashes at its end.
func sourceName(path string) string {
	if path == stdin {
		return "stdin"
	}
	name := filepath.Base(path)
	name = packed.ReplaceAllString(name, "")
	name = ending.ReplaceAllString(name, "")
	for again := true; again; {
		again = false
		for _, v := range versions {
			if short := v.ReplaceAllString(name, ""); short != name && short != "" {
				name, again = short, true
			}
		}
	}
	name = strings.ReplaceAll(name, "#", "")
	for len(name) > 100 {
		_, size := lastRune(name)
		name = name[:len(name)-size]
	}
	if name == "" {
		return "list"
	}
	return name
}

// journalOf is where the import of a file notes how far it came. Two files of one
// name share it: the second then begins anew, and the ledger knows what it has.
func (a *app) journalOf(path string) (string, error) {
	dir := a.path("imports")
	if err := durable.MkdirPrivate(dir); err != nil {
		return "", fmt.Errorf("journal of the import: %w", err)
	}
	name := filepath.Base(path)
	if path == stdin {
		name = "stdin"
	}
	if len(name) > 200 { // a file's name has at most 255 bytes
		sum := sm.SHA256([]byte(name))
		name = hex.EncodeToString(sum[:])
	}
	return filepath.Join(dir, name+".journal"), nil
}

// authority is the account of --as, which registers organisations.
func (a *app) authority() string {
	account, _, _ := strings.Cut(a.as, "#")
	return account
}
