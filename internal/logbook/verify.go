package logbook

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mulian/internal/fault"
)

// Finding is a place at which the book is not what was written.
type Finding struct {
	File string `json:"file"` // empty: the book as a whole
	Line int    `json:"line"` // from 1; 0: the file as a whole
	Text string `json:"text"`
}

// Report is what [Book.Verify] found.
type Report struct {
	Acts     uint64    `json:"acts"`  // that were read
	First    uint64    `json:"first"` // number of the oldest
	Last     uint64    `json:"last"`
	Hash     string    `json:"hash"` // of the last: to be noted elsewhere
	Findings []Finding `json:"findings"`
}

// OK reports whether nothing was found.
func (r *Report) OK() bool { return len(r.Findings) == 0 }

// maxFindings bounds a report: a file of another program has thousands.
const maxFindings = 100

// Verify reads the whole book, calls fn for each act that can be read (nil: for none), and
// reports what was changed. noted is the hash of a line as somebody has it elsewhere, empty
// for none: it must be in the book. NotFound when there is no book.
func (b *Book) Verify(ctx context.Context, noted string, fn func(Act)) (*Report, error) {
	unlock, err := b.lockToRead(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	files, err := b.files()
	if err != nil {
		return nil, err
	}
	c := checking{report: &Report{Findings: []Finding{}}, want: nothing, noted: strings.ToLower(noted), dropped: map[uint64]string{}, fn: fn}
	if raw, err := os.ReadFile(filepath.Join(b.dir, headFile)); err != nil {
		c.find("", 0, "the head file cannot be read: "+err.Error())
	} else if c.head, err = parseHead(string(raw)); err != nil {
		c.find("", 0, err.Error())
	}
	for i, path := range files {
		if err := c.file(path, i == len(files)-1); err != nil {
			return nil, err
		}
	}
	c.whole()
	return c.report, nil
}

// lockToRead keeps writers out; of a book on a read-only disk nobody can.
func (b *Book) lockToRead(ctx context.Context) (func(), error) {
	if _, err := os.Stat(b.dir); err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "there is no logbook")
	}
	unlock, err := b.lock(ctx)
	if err != nil && ctx.Err() == nil && !fault.Is(err, fault.Locked) {
		return func() {}, nil
	}
	return unlock, err
}

// files are the book's files, oldest first.
func (b *Book) files() ([]string, error) {
	old, err := filepath.Glob(filepath.Join(b.dir, "acts-*.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("logbook: %w", err)
	}
	slices.Sort(old) // numbers of twelve digits
	if path := filepath.Join(b.dir, current); exists(path) {
		old = append(old, path)
	}
	return old, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// firstOf reads the first act of a file.
func firstOf(path string) (Act, error) {
	f, err := os.Open(path)
	if err != nil {
		return Act{}, written(err)
	}
	defer f.Close()
	lines := scan(f)
	lines.Scan()
	act, _, err := parse(lines.Bytes())
	return act, fault.Wrap(fault.Damaged, err, "the first line of %s", path)
}

func scan(f *os.File) *bufio.Scanner {
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxFacts*(maxKey+maxValue)*8)
	return lines
}

// checking goes through the lines.
type checking struct {
	report  *Report
	want    head // of the line before
	head    head // as the head file says
	noted   string
	seen    bool // noted was there
	headAt  bool // the head's line was there
	first   Act
	dropped map[uint64]string // that a line says were dropped: the last number and its hash
	fn      func(Act)
}

func (c *checking) find(file string, line int, text string) {
	if len(c.report.Findings) < maxFindings {
		c.report.Findings = append(c.report.Findings, Finding{File: filepath.Base(file), Line: line, Text: text})
	}
}

func (c *checking) file(path string, last bool) error {
	f, err := os.Open(path)
	if err != nil {
		return fault.Wrap(fault.Inaccessible, err, "the logbook")
	}
	defer f.Close()
	lines := scan(f)
	n := 0
	for lines.Scan() {
		n++
		c.line(path, n, lines.Bytes())
	}
	if err := lines.Err(); err != nil {
		c.find(path, n+1, err.Error())
	}
	if n == 0 && !last {
		c.find(path, 0, "the file is empty")
	}
	return nil
}

func (c *checking) line(path string, n int, raw []byte) {
	act, hash, err := parse(raw)
	if err != nil {
		c.find(path, n, "the line was changed: "+err.Error())
		c.want = head{number: c.want.number + 1} // the next one is judged by its own hash
		return
	}
	switch {
	case c.report.Acts == 0:
		c.first, c.report.First = act, act.Number
		if act.Number == 1 && act.Prev != nothing.hash {
			c.find(path, n, "it is the first line and names one before")
		}
	case act.Number != c.want.number+1:
		c.find(path, n, fmt.Sprintf("number %d follows on %d: lines were removed, added or swapped", act.Number, c.want.number))
	case c.want.hash != "" && act.Prev != c.want.hash:
		c.find(path, n, fmt.Sprintf("it does not follow on line %d as that stands here", c.want.number))
	}
	if act.Verb == "logbook.drop" {
		if through, err := strconv.ParseUint(act.Facts["through"], 10, 64); err == nil {
			c.dropped[through] = act.Facts["hash"]
		}
	}
	c.seen = c.seen || hash == c.noted
	c.headAt = c.headAt || act.Number == c.head.number && hash == c.head.hash
	c.want = head{act.Number, hash}
	c.report.Acts++
	c.report.Last, c.report.Hash = act.Number, hash
	if c.fn != nil {
		c.fn(act)
	}
}

// whole judges beginning and end.
func (c *checking) whole() {
	if c.report.Acts > 0 && c.first.Number > 1 && c.dropped[c.first.Number-1] != c.first.Prev {
		c.find("", 0, fmt.Sprintf("the book begins with number %d, and no line says that those before were dropped", c.first.Number))
	}
	if c.head.number > 0 && !c.headAt {
		c.find("", 0, fmt.Sprintf("the line %d, which was the last one once, is not there: the end was cut off or written anew", c.head.number))
	}
	if c.noted != "" && !c.seen {
		c.find("", 0, "no line has the hash that you noted: the book was written anew, or is older than that")
	}
}
