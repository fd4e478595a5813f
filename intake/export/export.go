package export

import (
	"bufio"
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake/sheet"
	"mulian/internal/fault"
)

// Format is a form in which a catalogue leaves, by its name on the command line.
type Format string

// The formats.
const (
	Native   Format = "json"     // our own, lossless: mulian-catalogue-v1
	Workbook Format = "xlsx"     // the form 填报模板, a row for each item
	Text     Format = "csv"      // the first sheet of the form
	DCAT     Format = "dcat"     // DCAT-AP 3, JSON-LD
	Contract Format = "odcs"     // ODCS 3.1, one YAML document for each entry
	OpenData Format = "datajson" // Project Open Data v1.1
)

// Formats are all of them, in the order of the help.
var Formats = []Format{Native, Workbook, Text, DCAT, Contract, OpenData}

// Ending is the ending of a file of the format.
func (f Format) Ending() string {
	switch f {
	case DCAT:
		return ".jsonld"
	case Contract:
		return ".odcs.yaml"
	case OpenData:
		return ".data.json"
	}
	return "." + string(f)
}

// Public reports whether the format is made for catalogues that strangers read:
// then what is not in force yet, or no more, stays out unless it is asked for.
func (f Format) Public() bool { return f == DCAT || f == OpenData }

// Org is how an organisation is named.
type Org struct{ Name, NameEN string }

// Source is where a catalogue comes from. The lists are read once, in their order,
// and an error in one ends the export. A nil list is empty.
type Source struct {
	Chain  string
	Height int64     // up to which the lists are known to be complete
	At     time.Time // block time of Height

	Entries iter.Seq2[*cataloguev1.Entry, error]
	Duties  iter.Seq2[*cataloguev1.Duty, error]
	Systems iter.Seq2[*cataloguev1.System, error]
	Tables  iter.Seq2[*cataloguev1.Table, error]

	Org func(code string) Org // nil, or the zero Org: the code stands for the name
}

// Options are how it is written.
type Options struct {
	Lang     sheet.Lang // of headers and labels
	Base     string     // beginning of identifiers in DCAT; empty = "urn:mulian:<chain>:"
	Progress func(entries int)
}

// Summary says what was written.
type Summary struct {
	Entries int `json:"entries"`
	Items   int `json:"items"`
	Duties  int `json:"duties"`
	Systems int `json:"systems"`
	Tables  int `json:"tables"`
}

// Write writes the whole source to w. Memory is that of one entry, whatever the
// size of the catalogue, but for a workbook, whose strings the library spills to
// temporary files. On an error what was written is of no use.
//
// The faults: Usage for a format that is none, TooLong when a sheet has no room for
// the rows, Cancelled, and those of the source.
func Write(ctx context.Context, w io.Writer, f Format, s Source, o Options) (Summary, error) {
	e := &export{ctx: ctx, src: s, opts: o, out: bufio.NewWriterSize(w, 256<<10), columns: entryColumns}
	if e.opts.Base == "" {
		e.opts.Base = "urn:mulian:" + s.Chain + ":"
	}
	var err error
	switch f {
	case Native:
		err = e.native()
	case Workbook:
		err = e.workbook()
	case Text:
		err = e.text()
	case DCAT:
		err = e.dcat()
	case Contract:
		err = e.contracts()
	case OpenData:
		err = e.openData()
	default:
		err = fault.Newf(fault.Usage, "there is no format %q: %s", f, strings.Join(names(), ", "))
	}
	if err == nil {
		err = e.out.Flush()
	}
	return e.done, err
}

func names() []string {
	out := make([]string, len(Formats))
	for i, f := range Formats {
		out[i] = string(f)
	}
	return out
}

// aliases are what else people call the formats: by the standard, or the ending.
var aliases = map[string]Format{
	"dcat-ap": DCAT, "dcatap": DCAT, "jsonld": DCAT, "json-ld": DCAT, "data.json": OpenData, "data-json": OpenData, "pod": OpenData,
	"odcs.yaml": Contract, "yaml": Contract, "yml": Contract, "excel": Workbook, "native": Native, "mulian": Native,
}

// Parse finds a format by its name, or by what else people call it.
func Parse(name string) (Format, error) {
	name = strings.TrimPrefix(strings.ToLower(name), ".")
	if f := Format(name); slices.Contains(Formats, f) {
		return f, nil
	}
	if f, ok := aliases[name]; ok {
		return f, nil
	}
	return "", fault.Newf(fault.Usage, "there is no format %q: %s", name, strings.Join(names(), ", "))
}

// export is one run.
type export struct {
	ctx  context.Context
	src  Source
	opts Options
	out  *bufio.Writer
	done Summary

	columns []entryColumn // of the form
}

func (e *export) org(code string) Org {
	if e.src.Org != nil {
		if o := e.src.Org(code); o.Name != "" {
			return o
		}
	}
	return Org{Name: code}
}

// say is the text of the export's language.
func (e *export) say(zh, en string) string {
	if e.opts.Lang == sheet.Chinese {
		return zh
	}
	return en
}

// each calls fn for every element of a list, and stops at the first error.
func each[M any](ctx context.Context, list iter.Seq2[M, error], fn func(M) error) error {
	if list == nil {
		return nil
	}
	for m, err := range list {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = fn(m)
		}
		if err != nil {
			if errors.Is(err, context.Canceled) {
				return fault.Wrap(fault.Cancelled, err, "export stopped")
			}
			return err
		}
	}
	return nil
}

// entries calls fn for every entry, and counts.
func (e *export) entries(fn func(*cataloguev1.Entry) error) error {
	return each(e.ctx, e.src.Entries, func(m *cataloguev1.Entry) error {
		if err := fn(m); err != nil {
			return err
		}
		e.done.Entries++
		e.done.Items += len(m.GetItems())
		if e.opts.Progress != nil && e.done.Entries%500 == 0 {
			e.opts.Progress(e.done.Entries)
		}
		return nil
	})
}
