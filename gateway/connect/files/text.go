package files

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/delimited"
)

// maxInflated bounds what a .gz may become. Our own choice: a table of a thousand
// million short rows.
const maxInflated = 256 << 30

// decoders read a text in an encoding, by the names that a schema file may use.
var decoders = map[string]func(io.Reader) io.Reader{
	"utf-8":   func(r io.Reader) io.Reader { return r },
	"gb18030": gb18030, "gbk": gb18030, "gb2312": gb18030,
	"utf-16": func(r io.Reader) io.Reader {
		return transform.NewReader(r, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder())
	},
}

func gb18030(r io.Reader) io.Reader {
	return transform.NewReader(r, simplifiedchinese.GB18030.NewDecoder())
}

// content is the part's bytes from the beginning, decompressed.
func (p *part) content() (io.Reader, error) {
	raw := io.Reader(io.NewSectionReader(p.f, 0, p.stamp.Size))
	if !p.gz {
		return raw, nil
	}
	z, err := gzip.NewReader(bufio.NewReaderSize(raw, 64<<10))
	if err != nil {
		return nil, fmt.Errorf("%w: file %s: %w", connect.ErrInvalid, p.name, err)
	}
	return &bounded{z, maxInflated}, nil
}

// bounded ends with ErrTooLarge where io.LimitReader would be silent.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("%w: a compressed file becomes too long", connect.ErrTooLarge)
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// records is a delimited text being read.
type records struct {
	*delimited.Reader
	d      *Declared
	header []string
}

// openText begins to read a delimited part: the header is read.
func openText(p *part, encoding string, d *Declared) (*records, error) {
	raw, err := p.content()
	if err != nil {
		return nil, err
	}
	head := bufio.NewReaderSize(raw, 64<<10)
	mark, err := head.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("file %s: %w", p.name, failure(err))
	}
	switch {
	case bytes.HasPrefix(mark, []byte("\xff\xfe")), bytes.HasPrefix(mark, []byte("\xfe\xff")):
		encoding = "utf-16"
	case bytes.HasPrefix(mark, []byte("\xef\xbb\xbf")):
		encoding = "utf-8"
		_, _ = head.Discard(3)
	}
	text := bufio.NewReaderSize(decoders[encoding](head), 64<<10)
	var comma byte
	switch first, _ := text.Peek(64 << 10); {
	case d.Delimiter != "":
		comma = d.Delimiter[0]
	case strings.HasSuffix(strings.TrimSuffix(p.name, ".gz"), ".tsv"):
		comma = '\t'
	default:
		line, _, _ := bytes.Cut(bytes.TrimLeft(first, "\r\n"), []byte("\n"))
		comma = delimited.Separator(string(line))
	}
	r := &records{Reader: delimited.NewReader(text, comma), d: d}
	for {
		fields, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%w: file %s has no header", connect.ErrInvalid, p.name)
		}
		if err != nil {
			return nil, textError(p, err)
		}
		if blank(fields) || r.Record() < int64(d.Header) {
			continue
		}
		for _, f := range fields {
			r.header = append(r.header, f.Text)
		}
		for len(r.header) > 0 && strings.TrimSpace(r.header[len(r.header)-1]) == "" {
			r.header = r.header[:len(r.header)-1]
		}
		return r, nil
	}
}

// textError gives an error of reading a text its meaning.
func textError(p *part, err error) error {
	var fe *delimited.FormError
	switch {
	case errors.As(err, &fe):
		return fmt.Errorf("%w: file %s, %w", connect.ErrInvalid, p.name, err)
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: file %s: %w", connect.ErrInvalid, p.name, err)
	}
	return fmt.Errorf("file %s: %w", p.name, failure(err))
}

func blank(fields []delimited.Field) bool {
	return !slices.ContainsFunc(fields, func(f delimited.Field) bool { return f.Quoted || strings.TrimSpace(f.Text) != "" })
}

// eachText hands the columns at (places in the header) of each row to fn. n is the number
// of the record in the file. The row is overwritten after fn.
func eachText(ctx context.Context, p *part, encoding string, d *Declared, at []int, fn func(n int64, row connect.Row) error) error {
	r, err := openText(p, encoding, d)
	if err != nil {
		return err
	}
	row := make(connect.Row, len(at))
	for {
		fields, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return textError(p, err)
		}
		n := r.Record()
		if n%512 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if !d.BlankRows && blank(fields) {
			continue
		}
		if len(fields) > len(r.header) && !blank(fields[len(r.header):]) || len(fields) < len(r.header) && !d.ShortRows {
			return &connect.ValueError{Column: p.name, Row: n, Reason: fmt.Sprintf("a record of %d fields, the header has %d", len(fields), len(r.header))}
		}
		for i, c := range at {
			row[i] = connect.Null
			if c < len(fields) {
				row[i] = r.value(fields[c])
			}
		}
		if err := fn(n, row); err != nil {
			return err
		}
	}
}

// value is a field as text, or NULL. What could not be decoded is no UTF-8 any more,
// so that no check lets it pass.
func (r *records) value(f delimited.Field) connect.Value {
	if !f.Quoted && (f.Text == "" || slices.Contains(r.d.Null, f.Text)) {
		return connect.Null
	}
	return connect.TextValue(f.Text)
}

// undecodable tells whether a text was not written in the encoding in which it was read.
// GB 18030 has U+FFFD itself; nobody writes it.
func undecodable(encoding, s string) bool {
	if encoding == "utf-8" {
		return !utf8.ValidString(s)
	}
	return strings.ContainsRune(s, utf8.RuneError)
}
