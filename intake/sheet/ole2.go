package sheet

import (
	"encoding/binary"
	"errors"
	"unicode/utf16"
)

// The compound file of [MS-CFB], in which workbooks before 2007 lie: a small file
// system of sectors, chained by a table (FAT). Every chain is bounded by the
// number of sectors that the file has, so a chain that bites its own tail ends.

var errCompound = errors.New("the compound file contradicts itself")

// The special sector numbers.
const (
	sectorEnd  = 0xFFFFFFFE
	sectorFree = 0xFFFFFFFF
)

// compound is a compound file in memory.
type compound struct {
	raw    []byte
	shift  uint // sector size = 1 << shift: 9 or 12
	fat    []uint32
	mini   []uint32 // FAT of the small streams
	small  []byte   // the stream in which small streams lie
	cutoff uint64   // streams below it are small
}

// streamOf returns the stream with one of the names, of which the first that is
// there counts.
func streamOf(raw []byte, names ...string) ([]byte, error) {
	c := &compound{raw: raw}
	directory, err := c.open()
	if err != nil {
		return nil, err
	}
	for _, want := range names {
		for at := 0; at+128 <= len(directory); at += 128 {
			e := directory[at : at+128]
			if e[66] == 2 && entryName(e) == want {
				return c.stream(binary.LittleEndian.Uint32(e[116:]), binary.LittleEndian.Uint64(e[120:]))
			}
		}
	}
	return nil, errors.New("there is no workbook in it")
}

// entryName is the name of a directory entry.
func entryName(e []byte) string {
	n := int(binary.LittleEndian.Uint16(e[64:])) / 2
	if n < 1 || n > 32 {
		return ""
	}
	units := make([]uint16, n-1)
	for i := range units {
		units[i] = binary.LittleEndian.Uint16(e[2*i:])
	}
	return string(utf16.Decode(units))
}

// open reads the header and the tables, and returns the directory.
func (c *compound) open() ([]byte, error) {
	if len(c.raw) < 512 {
		return nil, errCompound
	}
	h := c.raw[:512]
	c.shift = uint(binary.LittleEndian.Uint16(h[30:]))
	if c.shift != 9 && c.shift != 12 {
		return nil, errCompound
	}
	c.cutoff = uint64(binary.LittleEndian.Uint32(h[56:]))
	if err := c.readFAT(h); err != nil {
		return nil, err
	}
	directory, err := c.chain(binary.LittleEndian.Uint32(h[48:]))
	if err != nil || len(directory) < 128 {
		return nil, errCompound
	}
	if first := binary.LittleEndian.Uint32(h[60:]); first != sectorEnd && first != sectorFree {
		table, err := c.chain(first)
		if err != nil {
			return nil, err
		}
		c.mini = words(table)
		// The first entry of the directory is the root; its stream holds the small ones.
		if c.small, err = c.chain(binary.LittleEndian.Uint32(directory[116:])); err != nil {
			return nil, err
		}
	}
	return directory, nil
}

// readFAT collects the table: its first 109 sectors stand in the header, the
// others in a chain of their own.
func (c *compound) readFAT(h []byte) error {
	var sectors []uint32
	for i := 0; i < 109; i++ {
		sectors = append(sectors, binary.LittleEndian.Uint32(h[76+4*i:]))
	}
	perSector := 1<<c.shift/4 - 1
	for next, n := binary.LittleEndian.Uint32(h[68:]), 0; next != sectorEnd && next != sectorFree; n++ {
		s, ok := c.sector(next)
		if !ok || n > len(c.raw)>>c.shift {
			return errCompound
		}
		list := words(s)
		sectors, next = append(sectors, list[:perSector]...), list[perSector]
	}
	for _, at := range sectors {
		if at == sectorFree || at == sectorEnd {
			continue
		}
		s, ok := c.sector(at)
		if !ok || len(c.fat)*4 > len(c.raw) {
			return errCompound
		}
		c.fat = append(c.fat, words(s)...)
	}
	return nil
}

func words(b []byte) []uint32 {
	out := make([]uint32, len(b)/4)
	for i := range out {
		out[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return out
}

// sector returns a sector; the last one of a file may be short.
func (c *compound) sector(n uint32) ([]byte, bool) {
	from := (uint64(n) + 1) << c.shift
	to := from + 1<<c.shift
	if from >= uint64(len(c.raw)) {
		return nil, false
	}
	if to > uint64(len(c.raw)) {
		s := make([]byte, 1<<c.shift)
		copy(s, c.raw[from:])
		return s, true
	}
	return c.raw[from:to], true
}

// chain returns the sectors from first on.
func (c *compound) chain(first uint32) ([]byte, error) {
	var out []byte
	for next := first; next != sectorEnd; {
		s, ok := c.sector(next)
		if !ok || uint64(next) >= uint64(len(c.fat)) || len(out) > len(c.raw) {
			return nil, errCompound
		}
		out, next = append(out, s...), c.fat[next]
	}
	return out, nil
}

// stream returns size bytes of the stream that begins at first.
func (c *compound) stream(first uint32, size uint64) ([]byte, error) {
	if c.shift == 9 {
		size &= 0xFFFFFFFF // the upper half means nothing in files of version 3
	}
	var out []byte
	if size < c.cutoff {
		for next := first; next != sectorEnd && uint64(len(out)) < size; {
			at := uint64(next) * 64
			if uint64(next) >= uint64(len(c.mini)) || at+64 > uint64(len(c.small)) || len(out) > len(c.small) {
				return nil, errCompound
			}
			out, next = append(out, c.small[at:at+64]...), c.mini[next]
		}
	} else {
		var err error
		if out, err = c.chain(first); err != nil {
			return nil, err
		}
	}
	if uint64(len(out)) < size {
		return nil, errCompound
	}
	return out[:size], nil
}
