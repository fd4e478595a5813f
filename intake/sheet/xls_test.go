package sheet

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"mulian/internal/fault"
)

// biff writes records of a workbook of Excel 97.
type biff struct{ bytes.Buffer }

func (b *biff) rec(kind uint16, parts ...any) {
	var body bytes.Buffer
	for _, p := range parts {
		binary.Write(&body, binary.LittleEndian, p)
	}
	binary.Write(b, binary.LittleEndian, []uint16{kind, uint16(body.Len())})
	b.Write(body.Bytes())
}

func wide(s string) []uint16 { return utf16.Encode([]rune(s)) }

// oldWorkbook is a book of one sheet. Its strings are given in parts: each part after
// the first goes on in a record of its own.
func oldWorkbook(strings []string, cutAt int, cells func(*biff)) []byte {
	var globals, sheet biff
	sheet.rec(biffBOF, uint16(0x0600), uint16(0x0010), make([]byte, 12))
	cells(&sheet)
	sheet.rec(biffEOF)
	write := func(offset uint32) {
		globals.Reset()
		globals.rec(biffBOF, uint16(0x0600), uint16(0x0005), make([]byte, 12))
		globals.rec(biffFormat, uint16(200), uint16(10), byte(0), []byte("yyyy/mm/dd"))
		globals.rec(biffXF, uint16(0), uint16(0), make([]byte, 16))   // 0: general
		globals.rec(biffXF, uint16(0), uint16(200), make([]byte, 16)) // 1: a date
		globals.rec(biffSheet, offset, byte(0), byte(0), byte(2), byte(1), wide("目录"))
		var sst bytes.Buffer
		binary.Write(&sst, binary.LittleEndian, []uint32{uint32(len(strings)), uint32(len(strings))})
		for _, s := range strings {
			u := wide(s)
			binary.Write(&sst, binary.LittleEndian, uint16(len(u)))
			sst.WriteByte(1)
			binary.Write(&sst, binary.LittleEndian, u)
		}
		raw := sst.Bytes()
		if cutAt == 0 || cutAt >= len(raw) {
			globals.rec(biffSST, raw)
		} else { // cut inside a string: the rest begins with its flag again
			globals.rec(biffSST, raw[:cutAt])
			globals.rec(biffContinue, byte(1), raw[cutAt:])
		}
		globals.rec(biffEOF)
	}
	write(0)
	write(uint32(globals.Len()))
	return compoundOf(append(bytes.Clone(globals.Bytes()), sheet.Bytes()...))
}

// compoundOf lays a stream into a compound file: header, one table sector, one
// directory sector, the stream.
func compoundOf(stream []byte) []byte {
	if len(stream) < 4096 { // below it would be a small stream
		stream = append(stream, make([]byte, 4096-len(stream))...)
	}
	n := (len(stream) + 511) / 512
	h := make([]byte, 512)
	copy(h, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
	put16, put32 := binary.LittleEndian.PutUint16, binary.LittleEndian.PutUint32
	put16(h[30:], 9)
	put32(h[48:], 1) // directory
	put32(h[56:], 4096)
	put32(h[60:], sectorEnd)
	put32(h[68:], sectorEnd)
	for i := range 109 {
		put32(h[76+4*i:], sectorFree)
	}
	put32(h[76:], 0) // the table
	fat := make([]byte, 512)
	for i := range 128 {
		put32(fat[4*i:], sectorFree)
	}
	put32(fat[4:], sectorEnd)
	for i := range n {
		put32(fat[4*(2+i):], uint32(3+i))
	}
	put32(fat[4*(1+n):], sectorEnd)
	dir := make([]byte, 512)
	entry := func(at int, name string, kind byte, first, size uint32) {
		e := dir[128*at:]
		for i, u := range wide(name) {
			put16(e[2*i:], u)
		}
		put16(e[64:], uint16(2*len(name)+2))
		e[66] = kind
		put32(e[116:], first)
		put32(e[120:], size)
	}
	entry(0, "Root Entry", 5, sectorEnd, 0)
	entry(1, "Workbook", 2, 2, uint32(len(stream)))
	out := append(append(h, fat...), dir...)
	return append(append(out, stream...), make([]byte, n*512-len(stream))...)
}

// TestOldWorkbook reads each kind of cell, and a string cut by a record's border.
func TestOldWorkbook(t *testing.T) {
	texts := []string{"名称", "owner", "水情", "目录清单"}
	got, f := dump(t, oldWorkbook(texts, 0, cellsOfAllKinds), Options{Known: known})
	want := "3 名称=\"水情\" owner=\"1.5\"\n4 名称=\"2020-12-31\" owner=\"TRUE\"\n6 名称=\"12\" owner=\"34\"\n7 名称=\"公式\" owner=\"-7.25\"\n8 名称=\"#ERROR\" owner=\"1.2345678901234568E+17\"\n"
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if f.Format != "xls" || f.Shape != "目录" || f.Blank() != 1 || strings.Join(f.Titles, "") != "目录清单" {
		t.Errorf("%s %s, %d blank, titles %v", f.Format, f.Shape, f.Blank(), f.Titles)
	}
	// 8 bytes of counts, 3 of the head of the first string, one of its two characters.
	again, _ := dump(t, oldWorkbook(texts, 13, cellsOfAllKinds), Options{Known: known})
	if again != got {
		t.Errorf("with a string cut in two:\n%s", cmp.Diff(got, again))
	}
}

func cellsOfAllKinds(b *biff) {
	at := func(row, col, xf uint16) []uint16 { return []uint16{row, col, xf} }
	b.rec(biffLabelSST, at(0, 0, 0), uint32(3))
	b.rec(biffLabelSST, at(1, 0, 0), uint32(0))
	b.rec(biffLabelSST, at(1, 1, 0), uint32(1))
	b.rec(biffLabelSST, at(2, 0, 0), uint32(2))
	b.rec(biffNumber, at(2, 1, 0), 1.5)
	b.rec(biffNumber, at(3, 0, 1), 44196.0)
	b.rec(biffBoolErr, at(3, 1, 0), byte(1), byte(0))
	b.rec(biffMulRK, []uint16{5, 0, 0}, uint32(12<<2|2), uint16(0), uint32(3400<<2|3), uint16(1))
	b.rec(biffFormula, at(6, 0, 0), []byte{0, 0, 0, 0, 0, 0, 0xFF, 0xFF}, make([]byte, 6))
	b.rec(biffString, uint16(2), byte(1), wide("公式"))
	b.rec(biffFormula, at(6, 1, 0), math.Float64bits(-7.25), make([]byte, 6))
	b.rec(biffNumber, at(7, 0, 0), math.NaN())
	b.rec(biffNumber, at(7, 1, 0), 123456789012345678.0)
}

// TestHostileWorkbooks: chains in a circle, counts that are not there, records over
// the end: each a fault, none a panic or endless.
func TestHostileWorkbooks(t *testing.T) {
	good := oldWorkbook([]string{"name", "owner", "a"}, 0, cellsOfAllKinds)
	change := func(at int, v uint32) []byte {
		raw := bytes.Clone(good)
		binary.LittleEndian.PutUint32(raw[at:], v)
		return raw
	}
	for name, raw := range map[string][]byte{
		"a chain in a circle":       change(512+4*3, 2),
		"the directory in a circle": change(512+4*1, 1),
		"a sector beyond the end":   change(512+4*2, 9999),
		"a stream of 4 GB":          change(1024+128+120, math.MaxUint32),
		"no stream":                 change(1024+128+64, 0),
		"torn":                      good[:1500],
		"a header and nothing":      good[:512],
	} {
		_, err := Read("x", bytes.NewReader(raw), Options{Known: known})
		if !fault.Is(err, fault.Torn) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Read("x", bytes.NewReader(change(68, 3)), Options{Known: known}); err != nil { // table sectors in a sector of text
		coded(t, err)
	}
	many := oldWorkbook([]string{"name"}, 0, func(b *biff) {
		b.rec(biffLabelSST, []uint16{0, 0, 0}, uint32(0))
		b.rec(biffLabelSST, []uint16{0, 200, 0}, uint32(77)) // a string that is not there
		b.rec(biffNumber, []uint16{65535, 300, 0}, 1.0)      // a column that Excel 97 has not
		b.rec(biffNumber, []uint16{3, 0, 0}, 1.0)            // a row out of its order
	})
	f, err := Read("x", bytes.NewReader(many), Options{NoHeader: true})
	if err != nil {
		t.Fatal(err)
	}
	if c := readAll(t, f); c.records != 2 || c.problems != 2 || f.Blank() != 65534 {
		t.Errorf("%+v, %d blank", c, f.Blank())
	}
}
