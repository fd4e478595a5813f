package files

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"mulian/gateway/connect"
)

// schemaSuffix ends the name of the file that declares a table: firm.schema.json
// beside firm.csv, or beside the folder firm.
const schemaSuffix = ".schema.json"

// maxDeclared bounds such a file: 1,600 columns with their longest comments.
const maxDeclared = 8 << 20

// Declared is what a department says about a table in NAME.schema.json. Every key
// may be left out; unknown keys are errors. A delivery into files writes one.
type Declared struct {
	// Skip leaves the file or folder out: it is no table.
	Skip bool `json:"skip,omitempty"`
	// Comment is the table's name for people.
	Comment string `json:"comment,omitempty"`
	// Columns are the columns whose kind is promised. Others are inferred from all their values.
	Columns []DeclaredColumn `json:"columns,omitempty"`
	// Key is the primary key. Its values must be there and differ.
	Key []string `json:"key,omitempty"`
	// Encoding of a text file: utf-8, gb18030 (gbk), utf-16. Empty: found out.
	Encoding string `json:"encoding,omitempty"`
	// Delimiter of a text file, one byte. Empty: found in the header.
	Delimiter string `json:"delimiter,omitempty"`
	// Header is the number of the record (csv) or row (xlsx) with the names, from 1. 0: the
	// first that is not empty.
	Header int `json:"header,omitempty"`
	// Null are texts that, without quotes, are no value. Nothing at all is none either.
	Null []string `json:"null,omitempty"`
	// BlankRows: a record of nothing but delimiters is a row of NULLs. False: it is none.
	BlankRows bool `json:"blankRows,omitempty"`
	// ShortRows: fields that are missing at the end of a record are NULL. False: an error.
	ShortRows bool `json:"shortRows,omitempty"`
}

// DeclaredColumn is the promise about one column.
type DeclaredColumn struct {
	Name     string       `json:"name"`
	Kind     connect.Kind `json:"kind"`
	Required bool         `json:"required,omitempty"`  // never NULL
	MaxChars int          `json:"maxLength,omitempty"` // of text, in characters; 0: any
	Comment  string       `json:"comment,omitempty"`
}

// parseDeclared reads a schema file. The error names what is wrong with it.
func parseDeclared(r io.Reader) (*Declared, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxDeclared+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxDeclared {
		return nil, fmt.Errorf("%w: more than %d bytes", connect.ErrTooLarge, maxDeclared)
	}
	d := &Declared{}
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
	dec.DisallowUnknownFields()
	if err := dec.Decode(d); err != nil {
		return nil, fmt.Errorf("%w: %w", connect.ErrInvalid, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something after the document", connect.ErrInvalid)
	}
	seen := map[string]bool{}
	for _, c := range d.Columns {
		switch {
		case c.Name == "" || seen[c.Name]:
			return nil, fmt.Errorf("%w: column %.40q has no name or stands twice", connect.ErrInvalid, c.Name)
		case c.Kind == 0:
			return nil, fmt.Errorf("%w: column %.40q has no kind", connect.ErrInvalid, c.Name)
		case c.MaxChars < 0 || c.MaxChars > 0 && c.Kind != connect.Text:
			return nil, fmt.Errorf("%w: column %.40q: maxLength belongs to text", connect.ErrInvalid, c.Name)
		}
		seen[c.Name] = true
	}
	if len(d.Columns) > connect.MaxColumns || len(d.Delimiter) > 1 || d.Header < 0 {
		return nil, fmt.Errorf("%w: too many columns, a delimiter of more than one byte, or a header below 0", connect.ErrInvalid)
	}
	if _, ok := decoders[d.Encoding]; d.Encoding != "" && !ok {
		return nil, fmt.Errorf("%w: encoding %.20q", connect.ErrInvalid, d.Encoding)
	}
	return d, nil
}

func (d *Declared) column(name string) (DeclaredColumn, bool) {
	if d != nil {
		for _, c := range d.Columns {
			if c.Name == name {
				return c, true
			}
		}
	}
	return DeclaredColumn{}, false
}

// columnOf is the column as the Schema shows it.
func (c DeclaredColumn) columnOf(position int) connect.Column {
	out := connect.Column{Name: c.Name, Kind: c.Kind, Type: c.Kind.String(), Nullable: !c.Required, Position: position, Comment: c.Comment}
	if c.MaxChars > 0 {
		out.Type = "varchar(" + strconv.Itoa(c.MaxChars) + ")"
	}
	return out
}

// write stores d, durable when it returns.
func (d *Declared) write(f *os.File) error {
	text, err := json.MarshalIndent(d, "", "  ")
	if err == nil {
		_, err = f.Write(append(text, '\n'))
	}
	if err == nil {
		err = f.Sync()
	}
	return err
}
