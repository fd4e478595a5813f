// Package sheet reads any file that holds a table or a list of objects, as a
// stream of records with exact positions: csv in five encodings, xlsx and the xls
// of Excel 97 whatever their name, JSON as one array, one object a line, objects
// simply put one after the other, the list inside an envelope (CKAN's answers,
// data.json), or the list that a script assigns; data sets described in RDF
// (DCAT) as RDF/XML, Turtle, N-Triples or JSON-LD; each of them also packed with
// gzip, or alone in a zip.
//
// It is not a library of formats for their own sake and it knows nothing of
// catalogues: which column means what is the concern of package intake. It
// writes nothing.
//
// The life of a file:
//
//	Open ── first pass: digest, magic bytes, encoding, delimiter, header
//	  └─ Next … Next ── one record a call, with its line
//	       │    └─ a damaged record: returned with its problems, reading goes on
//	       └─ io.EOF ── Close
//
// What holds:
//
//  1. Memory is bounded by limits.go, whatever the file holds. csv and JSON are
//     read as a stream. Workbooks and RDF are held in memory, with bounds of their
//     own: of a workbook the rows may stand anywhere in its parts, of a graph the
//     statements of one data set.
//  2. Nothing is dropped silently. Every line of the file is a title above the
//     header (Titles), the header, a blank (Blank), a record, or named by a problem.
//  3. A byte that is no text in the file's encoding is replaced by U+FFFD and
//     reported with its line and its offset from the beginning of the file.
//  4. The text of a cell is otherwise given as it stands: spaces, widths and
//     line breaks are the reader's matter.
//  5. No input makes it panic, and none makes it take time above linear.
//  6. Nothing is ever fetched: a JSON-LD context that is not built in is a fault,
//     and an XML document has no entities but the five of XML.
//
// Sources: RFC 4180 for csv and what portals publish under that name
// (catalogues of Beijing, Taipei and Huairou), ECMA-376 for xlsx, [MS-CFB] and
// [MS-XLS] for xls, RFC 8259 for JSON, the W3C recommendations RDF 1.1 XML Syntax,
// RDF 1.1 Turtle and JSON-LD 1.1, DCAT 3 for what a data set is, GB 18030 and code
// page 950 for the encodings.
package sheet

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"mulian/internal/fault"
)

// Options say how to read a file; the zero value finds everything out by itself.
type Options struct {
	// Encoding names the encoding of a text file, when it is found wrongly:
	// utf-8, gb18030, cp950, utf-16le, utf-16be.
	Encoding string

	// Sheet names the sheet of a workbook. Empty takes the first that has a
	// header; [File.Sheets] says which there are.
	Sheet string

	// List names the list that is wanted of a file of our own form, which has several.
	// Empty takes the first, of entries.
	List string

	// Known reports whether a text is the name of a column that the caller
	// understands. It finds the header below rows of titles. It may be nil: then
	// the first row with most of its cells filled is the header.
	Known func(string) bool

	// Like is the same file as it was opened before, perhaps closed. When its bytes
	// are still those, what was found then (the encoding) is not sought again. It may
	// be nil.
	Like *File

	// NoHeader says that a table has no header row: the first row is a record, and the
	// columns are called #1, #2 and so on.
	NoHeader bool

	// Lang is the language of problems and refusals; the zero value is English.
	Lang Lang
}

// Lang is the language in which problems are told.
type Lang int

// The languages.
const (
	English Lang = iota
	Chinese
)

// Say returns the text in l, with the arguments put in.
func (l Lang) Say(zh, en string, args ...any) string {
	if l == Chinese {
		return fmt.Sprintf(zh, args...)
	}
	return fmt.Sprintf(en, args...)
}

// A Record is one row or one object.
type Record struct {
	Line     int       // the line, or the row of the sheet, where it begins; from 1
	Fields   []Field   // in the order of the file; blank cells are there, with no Text
	Problems []Problem // what is wrong with it; it is readable all the same
	Broken   bool      // nothing could be read of it: Problems say why, Fields is empty
}

// A Field is one cell with its column, or one value of an object with its key.
type Field struct {
	Name   string  // header or key; "#7" for a cell without header
	Column int     // from 1; 0 in JSON
	Text   string  // a number as it stands in the file; "" for null and for Parts
	Parts  []Field // of an object or a list; the names in a list are empty
}

// A Problem is something that is wrong at one place of the file.
type Problem struct {
	Line       int
	Field      string // the column's header or the key; empty for the whole line
	Code       fault.Code
	Message    string
	Suggestion string

	Unused int // of a column that nobody reads: in how many places it has text

	column int // from 1, until the table knows the column's name
}

// File is an open file. It belongs to one goroutine.
type File struct {
	Name     string   // as the caller gave it
	Format   string   // csv, xlsx, xls, json, json-ld, rdf/xml or turtle
	Shape    string   // of JSON: array, lines, objects, script, or the keys down to its list; of csv: the delimiter; of workbooks: the sheet; of RDF: graph
	Encoding string   // utf-8, gb18030, cp950, utf-16le or utf-16be
	Packed   bool     // the file was packed with gzip, or was alone in a zip
	Sheets   []string // of a workbook
	Header   []string // of a table; nil for objects, and with NoHeader
	Guessed  bool     // the header row was not recognised by its names; it may be a record
	Titles   []string // the rows above the header, at most 30
	Notes    []Problem
	Digest   [32]byte // SHA-256 of the file as it lies there

	lang   Lang
	found  survey // of a text, without its sample
	looked string // the encoding that was found
	src    source
	blank  int
	rows   int
	closer io.Closer
	done   error
}

// source is what the formats implement: the next record, or io.EOF. A
// blank row is a Record without Fields and Problems.
type source interface {
	next() (Record, error)
}

// Open opens the file at path. The faults: NotFound and Unreachable when it
// cannot be opened, Empty when nothing is in it, Malformed when its format is
// none of ours (the text says what to do), TooLong over a bound, Usage for an
// option that does not fit the file.
func Open(path string, opts Options) (*File, error) {
	if st, err := os.Stat(path); err == nil && st.Mode()&os.ModeNamedPipe != 0 { // to open it would wait for who writes, and it is read twice
		return nil, fault.Newf(fault.Usage, "%s", opts.Lang.Say("%s 是管道，请先存成文件", "%s is a pipe; save it as a file first", path))
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fault.Newf(fault.NotFound, "%s", opts.Lang.Say("没有这个文件：%s", "there is no file %s", path))
	}
	if errors.Is(err, os.ErrPermission) {
		return nil, fault.Newf(fault.Inaccessible, "%s", opts.Lang.Say("没有读取 %s 的权限", "%s may not be read", path))
	}
	if err != nil {
		return nil, fault.Wrap(fault.SourceUnreachable, err, "open %s", path)
	}
	if st, err := f.Stat(); err == nil && st.IsDir() {
		f.Close()
		return nil, fault.Newf(fault.Usage, "%s", opts.Lang.Say("%s 是文件夹，请指定文件", "%s is a folder; name a file", path))
	}
	file, err := Read(filepath.Base(path), f, opts)
	if err != nil {
		f.Close()
		return nil, err
	}
	file.closer = f
	return file, nil
}

// Read reads from r, which it reads twice, from its beginning. The caller keeps
// r open until the File is closed, and closes it. name is for messages only.
func Read(name string, r io.ReadSeeker, opts Options) (*File, error) {
	f := &File{Name: name, lang: opts.Lang}
	var err error
	if f.Digest, err = digest(r); err != nil {
		return nil, fault.Wrap(fault.SourceUnreachable, err, "read %s", name)
	}
	text, err := f.unpack(r)
	if err != nil {
		return nil, err
	}
	head, err := text.Peek(512)
	if err != nil && err != io.EOF && len(head) == 0 {
		return nil, f.unreadable(err)
	}
	switch kind := magic(head); kind {
	case "empty":
		return nil, fault.Newf(fault.Empty, "%s", f.lang.Say("%s 是空文件", "%s is empty", name))
	case "zip":
		err = f.openBook(text, opts)
	case "ole2":
		err = f.openOldBook(text, opts)
	case "text":
		err = f.openText(r, text, opts)
	default:
		err = refuse(f.lang, name, kind)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Next returns the next record, or io.EOF after the last. Another error ends
// the reading: the file cannot be read, or is over a bound.
func (f *File) Next() (Record, error) {
	for f.done == nil {
		rec, err := f.src.next()
		switch {
		case err != nil:
			f.done = err
		case len(rec.Problems) == 0 && blankFields(rec.Fields):
			f.blank++
		default:
			f.rows++
			return rec, nil
		}
		if f.rows+f.blank > maxRows {
			f.done = fault.Newf(fault.TooLong, "%s", f.lang.Say("%s 超过 %d 行：请拆成几个文件", "%s has more than %d rows: split it", f.Name, maxRows))
		}
	}
	return Record{}, f.done
}

// Blank returns how many blank rows were passed over so far.
func (f *File) Blank() int { return f.blank }

// Close releases the file. Reading ends; a second Close does nothing.
func (f *File) Close() error {
	if f.done == nil {
		f.done = io.EOF
	}
	if b, ok := f.src.(*book); ok {
		b.close()
	}
	f.src = nil // a graph or workbook is memory
	if f.closer == nil {
		return nil
	}
	c := f.closer
	f.closer = nil
	return c.Close()
}

// unpack starts reading r from its beginning, through gzip where it is packed,
// and not beyond maxFileBytes.
func (f *File) unpack(r io.ReadSeeker) (*bufio.Reader, error) {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, fault.Wrap(fault.SourceUnreachable, err, "read %s", f.Name)
	}
	raw := bufio.NewReaderSize(r, 64<<10)
	head, _ := raw.Peek(4)
	if one := zipOfOne(r, head); one != nil {
		f.Packed = true
		return bufio.NewReaderSize(&bounded{r: one, left: maxFileBytes, file: f}, 64<<10), nil
	}
	if !bytes.HasPrefix(head, []byte{0x1f, 0x8b}) {
		return bufio.NewReaderSize(&bounded{r: raw, left: maxFileBytes, file: f}, 64<<10), nil
	}
	f.Packed = true
	zr, err := gzip.NewReader(raw)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "%s", f.lang.Say("%s 的压缩头已损坏", "%s: its gzip header is damaged", f.Name))
	}
	return bufio.NewReaderSize(&bounded{r: zr, left: maxFileBytes, file: f}, 64<<10), nil
}

// zipOfOne opens the one file that a zip holds. It returns nil for what is no zip,
// for a workbook, and for a zip of several files: those openBook tells apart.
func zipOfOne(r io.ReadSeeker, head []byte) io.Reader {
	at, ok := r.(io.ReaderAt)
	if !ok || string(head) != "PK\x03\x04" {
		return nil
	}
	here, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil
	}
	size, err := r.Seek(0, io.SeekEnd)
	if _, back := r.Seek(here, io.SeekStart); err != nil || back != nil {
		return nil
	}
	z, err := zip.NewReader(at, size)
	if err != nil {
		return nil
	}
	var only *zip.File
	for _, e := range z.File {
		switch {
		case strings.HasPrefix(e.Name, "__MACOSX/"), strings.HasSuffix(e.Name, "/"):
		case only != nil:
			return nil
		default:
			only = e
		}
	}
	if only == nil {
		return nil
	}
	one, err := only.Open()
	if err != nil {
		return nil
	}
	return one
}

// bounded ends with a fault after left bytes.
type bounded struct {
	r    io.Reader
	left int64
	file *File
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fault.Newf(fault.TooLong, "%s", b.file.lang.Say("%s 解开后超过 %d MB：请拆成几个文件", "%s is larger than %d MB: split it", b.file.Name, maxFileBytes>>20))
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}

// unreadable names an error of reading: a torn gzip file, or the disk.
func (f *File) unreadable(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) {
		return fault.Wrap(fault.Torn, err, "%s", f.lang.Say("%s 不完整或已损坏：请重新下载", "%s is torn or damaged: fetch it again", f.Name))
	}
	return fault.Wrap(fault.SourceUnreachable, err, "read %s", f.Name)
}

func digest(r io.ReadSeeker) (sum [32]byte, err error) {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return sum, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(r, maxFileBytes)); err != nil {
		return sum, err
	}
	h.Sum(sum[:0])
	return sum, nil
}

func blankFields(fields []Field) bool {
	for i := range fields {
		if !blankText(fields[i].Text) || len(fields[i].Parts) > 0 {
			return false
		}
	}
	return true
}
