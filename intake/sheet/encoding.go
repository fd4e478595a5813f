package sheet

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/wlynxg/chardet"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"

	"mulian/internal/fault"
)

// The names of the encodings, as reports show them and Options take them.
const (
	utf8Name    = "utf-8"
	gb18030Name = "gb18030"
	cp950Name   = "cp950"
	utf16leName = "utf-16le"
	utf16beName = "utf-16be"
)

// encodingAliases are the names people use for them.
var encodingAliases = map[string]string{
	"utf-8": utf8Name, "utf8": utf8Name, "utf-8-sig": utf8Name,
	"gb18030": gb18030Name, "gbk": gb18030Name, "gb2312": gb18030Name, "cp936": gb18030Name,
	"cp950": cp950Name, "big5": cp950Name, "big-5": cp950Name,
	"utf-16le": utf16leName, "utf-16be": utf16beName,
}

// survey is what the first pass over a text finds.
type survey struct {
	utf8    int    // bytes above 0x7F that are UTF-8
	foreign int    // those that are not
	sample  []byte // the first of the foreign lines, at most sampleBytes
	cr, lf  bool   // line ends seen in the first 64 KiB
	seen    bool   // it was made
}

// look reads r to its end. It costs no more memory than the sample.
func look(r *bufio.Reader) (survey, error) {
	var s survey
	if head, _ := r.Peek(r.Size()); len(head) > 0 {
		s.cr, s.lf = bytes.IndexByte(head, '\r') >= 0, bytes.IndexByte(head, '\n') >= 0
	}
	for {
		line, err := r.ReadSlice('\n')
		if high(line) {
			valid, foreign := weighUTF8(line)
			s.utf8 += valid
			s.foreign += foreign
			if foreign > 0 {
				if room := sampleBytes - len(s.sample); room > 0 {
					s.sample = append(s.sample, line[:min(room, len(line))]...)
				}
			}
		}
		if err == io.EOF {
			return s, nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return s, err
		}
	}
}

func high(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return true
		}
	}
	return false
}

// weighUTF8 counts the bytes above 0x7F that are UTF-8 and those that are not. b
// may be cut anywhere.
func weighUTF8(b []byte) (valid, foreign int) {
	for i := 0; i < 3 && len(b) > 0 && !utf8.RuneStart(b[0]); i++ {
		b = b[1:]
	}
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case n > 1:
			valid += n
		case r == utf8.RuneError && !utf8.FullRune(b):
			return valid, foreign
		case r == utf8.RuneError:
			foreign++
		}
		b = b[n:]
	}
	return valid, foreign
}

// encodingOf decides: a byte order mark, else UTF-8 when most of the bytes that
// could tell are (of text in GB 18030 and code page 950 a fifth to a third is, by
// chance: measured on three files), else the decoder that makes the more usual
// text. Lines of another encoding inside such a
// file are reported when they are read.
func encodingOf(head []byte, s survey) string {
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return utf16leName
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return utf16beName
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")), s.foreign*2 <= s.utf8:
		return utf8Name
	}
	gb, big5 := commonness(s.sample, 0xB0, 0xD7), commonness(s.sample, 0xA4, 0xC6)
	if max(gb, big5) < 0.2 { // text has above 0.8; these are stray bytes
		return utf8Name
	}
	for _, vote := range chardet.DetectAll(s.sample) {
		switch strings.ToLower(vote.Encoding) {
		case "gb2312", "gbk", "gb18030":
			gb += vote.Confidence / 4
		case "big5", "big5-hkscs", "cp950":
			big5 += vote.Confidence / 4
		}
	}
	if big5 > gb {
		return cp950Name
	}
	return gb18030Name
}

// commonness is the share of the two-byte characters of b whose first byte lies
// in [lo, hi], where both standards keep the characters of daily use: GB 2312
// level 1 in B0-D7, with second bytes from A1, Big5 level 1 in A4-C6, with second
// bytes from 40 or from A1. Text of the other encoding scatters over the rare ones.
func commonness(b []byte, lo, hi byte) float64 {
	var pairs, common float64
	for i := 0; i+1 < len(b); i++ {
		if b[i] < 0x81 {
			continue
		}
		pairs++
		second := b[i+1]
		fits := second >= 0xA1 || lo == 0xA4 && second >= 0x40 && second <= 0x7E
		if b[i] >= lo && b[i] <= hi && fits {
			common++
		}
		i++
	}
	if pairs == 0 {
		return 0
	}
	return common / pairs
}

// decoder turns the bytes of one cell into text.
type decoder struct {
	name string
	enc  *encoding.Decoder // nil for UTF-8
	one  *encoding.Decoder // the same, for single characters
	size func([]byte) int  // bytes of the character at the beginning
}

func newDecoder(name string) *decoder {
	switch name {
	case gb18030Name:
		e := simplifiedchinese.GB18030
		return &decoder{name, e.NewDecoder(), e.NewDecoder(), sizeGB18030}
	case cp950Name:
		e := traditionalchinese.Big5
		return &decoder{name, e.NewDecoder(), e.NewDecoder(), sizeBig5}
	}
	return &decoder{name: utf8Name}
}

// text returns the text of b, with U+FFFD in the place of what cannot be
// decoded, and the offset in b of the first such byte, or -1.
func (d *decoder) text(b []byte) (string, int) {
	if !high(b) {
		return string(b), -1
	}
	if d.enc == nil {
		if utf8.Valid(b) {
			return string(b), -1
		}
		return strings.ToValidUTF8(string(b), "\ufffd"), firstInvalid(b)
	}
	out, err := d.enc.Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(b), "\ufffd"), 0
	}
	if !bytes.Contains(out, []byte("\ufffd")) {
		return string(out), -1
	}
	return string(out), d.firstBad(b)
}

// firstBad returns the offset of the first character of b that does not decode.
// U+FFFD itself, which GB 18030 can encode, counts as one: a file that holds it
// has lost that character before.
func (d *decoder) firstBad(b []byte) int {
	for at := 0; at < len(b); {
		n := min(d.size(b[at:]), len(b)-at)
		if b[at] >= utf8.RuneSelf {
			if out, err := d.one.Bytes(b[at : at+n]); err != nil || bytes.Contains(out, []byte("\ufffd")) {
				return at
			}
		}
		at += n
	}
	return 0
}

func firstInvalid(b []byte) int {
	for at := 0; at < len(b); {
		r, n := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && n <= 1 {
			return at
		}
		at += n
	}
	return 0
}

func sizeGB18030(b []byte) int {
	switch {
	case b[0] < 0x81:
		return 1
	case len(b) > 1 && b[1] >= 0x30 && b[1] <= 0x39:
		return 4
	}
	return 2
}

func sizeBig5(b []byte) int {
	if b[0] < 0x81 {
		return 1
	}
	return 2
}

// otherReading names the encoding in which b is readable text though it is none
// in d, for the suggestion beside an undecodable line; "" when there is none.
func (d *decoder) otherReading(b []byte) string {
	if d.name != utf8Name {
		if utf8.Valid(b) {
			return utf8Name
		}
		return ""
	}
	best, score := "", 0.6 // below that it is as likely noise as text
	if s := commonness(b, 0xB0, 0xD7); s > score && decodes(gb18030Name, b) {
		best, score = gb18030Name, s
	}
	if s := commonness(b, 0xA4, 0xC6); s > score && decodes(cp950Name, b) {
		best = cp950Name
	}
	return best
}

func decodes(name string, b []byte) bool {
	_, bad := newDecoder(name).text(b)
	return bad < 0
}

// widen returns a reader of UTF-8 from text in the encoding called name, for
// the formats that must be decoded before they are parsed.
func widen(r io.Reader, name string) io.Reader {
	switch name {
	case utf16leName:
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Reader(r)
	case utf16beName:
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder().Reader(r)
	case gb18030Name:
		return simplifiedchinese.GB18030.NewDecoder().Reader(r)
	case cp950Name:
		return traditionalchinese.Big5.NewDecoder().Reader(r)
	}
	return r
}

// encodingNamed resolves what a person wrote.
func encodingNamed(l Lang, name string) (string, error) {
	if e, ok := encodingAliases[strings.ToLower(strings.TrimSpace(name))]; ok {
		return e, nil
	}
	return "", fault.Newf(fault.Usage, "%s", l.Say("不认识编码 %q：可用 utf-8、gb18030、cp950、utf-16le、utf-16be", "unknown encoding %q: use utf-8, gb18030, cp950, utf-16le or utf-16be", name))
}
