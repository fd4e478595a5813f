package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/workbook"
)

const (
	// maxParts is how many files one table may have: all are open at once, so that they
	// belong together. Our own choice, a quarter of the usual limit of open files.
	maxParts = 256
	// maxEntries is how many names of a folder are looked at.
	maxEntries = 4 * connect.MaxTables
)

// form is how a file is written.
type form uint8

const (
	delimitedForm form = iota + 1
	workbookForm
	columnarForm
)

// formOf tells a data file by its name's end. gz: it is compressed.
func formOf(name string) (stem string, f form, gz bool) {
	stem, gz = strings.CutSuffix(name, ".gz")
	ext := path.Ext(stem)
	stem = strings.TrimSuffix(stem, ext)
	switch strings.ToLower(ext) {
	case ".csv", ".tsv":
		return stem, delimitedForm, gz
	case ".xlsx":
		return stem, workbookForm, gz
	case ".parquet":
		return stem, columnarForm, gz
	}
	return "", 0, false
}

// stamp is the state of a file as the system tells it. ctime cannot be set by programs,
// but also changes when the file gets another name: it counts for what is remembered, not
// for a scan that is under way.
type stamp struct {
	Size, Mtime, Ctime int64
	Inode              uint64
}

func stampOf(f *os.File) (stamp, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil { //nolint:gosec // a file descriptor
		return stamp{}, err
	}
	return stamp{st.Size, st.Mtim.Nano(), st.Ctim.Nano(), st.Ino}, nil
}

// part is one open file of a table.
type part struct {
	name  string // in the folder
	form  form
	gz    bool
	sheet string // of a workbook
	book  *workbook.Book
	temp  string // folder for temporary files
	f     *os.File
	stamp stamp
}

func (p *part) close() {
	if p.book != nil {
		p.book.Close()
	}
	p.f.Close()
}

// unchanged tells whether the file is what it was when it was opened: *[connect.ErrChanged].
func (p *part) unchanged() error {
	now, err := stampOf(p.f)
	if err != nil {
		return failure(err)
	}
	if now.Size != p.stamp.Size || now.Mtime != p.stamp.Mtime {
		return fmt.Errorf("%w: file %s", connect.ErrChanged, p.name)
	}
	return nil
}

// place is what makes a table: a file, or a folder of files.
type place struct {
	name     string   // of the table
	files    []string // parts, in their order
	declared string   // its schema file, if there is one
	wrong    error    // why it makes none
}

// errOldForm is of a workbook that no reader here takes.
var errOldForm = fmt.Errorf("%w: a workbook of the old form (xls); save it as xlsx or csv", connect.ErrInvalid)

// listing is what a folder holds.
type listing struct {
	places []place
	moved  map[string]string // files that a delivery has written, and not yet given their name
}

// list looks through the folder. Names that begin with a dot, our own control
// file and what is no data are left out.
func list(root *os.Root) (*listing, error) {
	entries, err := readDir(root, ".")
	if err != nil {
		return nil, err
	}
	l := &listing{}
	if l.moved, err = pending(root); err != nil {
		return nil, err
	}
	by := map[string]*place{}
	names := map[string]bool{}
	for _, e := range entries {
		names[e.Name()] = e.IsDir()
	}
	for to := range l.moved {
		names[to] = false
	}
	for name, dir := range names {
		if strings.HasPrefix(name, ".") {
			continue
		}
		stem, parts, wrong := contents(root, name, dir)
		if wrong != nil && !ofOneFile(wrong) {
			return nil, wrong
		}
		if len(parts) == 0 && wrong == nil {
			continue
		}
		if p := by[stem]; p != nil { // which of them is meant nobody can say
			both := []string{p.files[0], parts[0]}
			slices.Sort(both)
			p.wrong = fmt.Errorf("%w: %s and %s are both the table %s", connect.ErrInvalid, both[0], both[1], stem)
			continue
		}
		by[stem] = &place{name: stem, files: parts, wrong: wrong}
		if _, there := names[stem+schemaSuffix]; there {
			by[stem].declared = stem + schemaSuffix
		}
	}
	for _, p := range by {
		l.places = append(l.places, *p)
	}
	slices.SortFunc(l.places, func(a, b place) int { return strings.Compare(a.name, b.name) })
	if len(l.places) > connect.MaxTables {
		return nil, fmt.Errorf("%w: %d tables", connect.ErrTooLarge, len(l.places))
	}
	return l, nil
}

// contents are the files of the table that a name of the folder makes; none for what is no
// data. wrong: why they make no table.
func contents(root *os.Root, name string, dir bool) (stem string, parts []string, wrong error) {
	if dir {
		parts, wrong = partsOf(root, name)
		if wrong != nil {
			parts = []string{name}
		}
		return name, parts, wrong
	}
	if stem, f, _ := formOf(name); f != 0 {
		return stem, []string{name}, nil
	}
	if stem, old := strings.CutSuffix(strings.ToLower(name), ".xls"); old && stem != "" {
		return name[:len(stem)], []string{name}, fmt.Errorf("file %s: %w", name, errOldForm)
	}
	return name, nil, nil
}

// partsOf are the data files of a sub-folder, in the order of their names.
func partsOf(root *os.Root, dir string) ([]string, error) {
	entries, err := readDir(root, dir)
	if errors.Is(err, connect.ErrDenied) {
		return nil, nil // a link that leaves the folder is no table
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if _, f, _ := formOf(e.Name()); f != 0 && !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			out = append(out, path.Join(dir, e.Name()))
		}
	}
	slices.Sort(out)
	if len(out) > maxParts {
		return nil, fmt.Errorf("%w: folder %s has %d files, at most %d", connect.ErrTooLarge, dir, len(out), maxParts)
	}
	return out, nil
}

func readDir(root *os.Root, dir string) ([]fs.DirEntry, error) {
	f, err := root.Open(dir)
	if err != nil {
		return nil, failure(err)
	}
	defer f.Close()
	var out []fs.DirEntry
	for {
		some, err := f.ReadDir(1000)
		out = append(out, some...)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, failure(err)
		}
		if len(out) > maxEntries {
			return nil, fmt.Errorf("%w: a folder of more than %d names", connect.ErrTooLarge, maxEntries)
		}
	}
}

// openPart opens a data file, once. Only regular files are: a pipe would hold us up.
func (l *listing) openPart(root *os.Root, name string) (*part, error) {
	at := name
	if from, ok := l.moved[name]; ok {
		at = from
	}
	f, err := root.OpenFile(at, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil && at != name && errors.Is(err, fs.ErrNotExist) {
		f, err = root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0) // it has its name by now
	}
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", name, failure(err))
	}
	p := &part{name: name, f: f}
	_, p.form, p.gz = formOf(name)
	is, err := f.Stat()
	if err == nil && !is.Mode().IsRegular() {
		err = fmt.Errorf("%w: not a regular file", connect.ErrDenied)
	}
	if err == nil {
		p.stamp, err = stampOf(f)
	}
	var magic [8]byte
	if n, _ := f.ReadAt(magic[:], 0); n >= 4 && p.form == delimitedForm {
		switch {
		case string(magic[:4]) == "PK\x03\x04": // portals publish workbooks under the name of csv
			p.form = workbookForm
		case string(magic[:]) == "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
			err = errOldForm
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("file %s: %w", name, failure(err))
	}
	return p, nil
}

// modified is the newest time of change of the parts.
func modified(parts []*part) time.Time {
	var newest int64
	for _, p := range parts {
		newest = max(newest, p.stamp.Mtime)
	}
	return time.Unix(0, newest)
}
