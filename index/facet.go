package index

import (
	"database/sql"
	"fmt"
	"strconv"
	"sync"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
)

// A rowNumber is the number of a row in the table of words. It carries the sequence in
// which equally good hits are shown, so that the best ones are the first that FTS5
// yields, however many there are:
//
//	order 4 bits | length of the title 8 | number of the object 32 | item 10 | share type 2
//
// The number of an object is given when it is first seen and never changes: hits that
// are alike in all else stand in the order of their arrival, in every file that read
// the same events.
type rowNumber int64

func newRowNumber(d *document, object uint32) rowNumber {
	length := min(utf8.RuneCountInString(d.title), 255)
	return rowNumber(d.order)<<52 | rowNumber(length)<<44 | rowNumber(object)<<12 | rowNumber(d.item)<<2 | rowNumber(d.share&3)
}

func (n rowNumber) order() order   { return order(n >> 52) }
func (n rowNumber) object() uint32 { return uint32(n >> 12) }
func (n rowNumber) item() int      { return int(n>>2) & 1023 }
func (n rowNumber) share() uint8   { return uint8(n) & 3 }

// maxItems is how many items of an entry can be found by themselves: as many as the
// schema allows, and fewer than a row's number has room for.
const maxItems = 1000

// afterSearched is above all rows that Search finds.
const afterSearched = rowNumber(orderItem+1) << 52

// traits are the facets of one object but its organisation, a byte each.
type traits uint64

// Where each facet stands in traits.
const (
	atOrder = iota * 8
	atShare
	atFormat
	atCycle
	atGrade
	atState
)

func (t traits) at(shift int) uint8 { return uint8(t >> shift) }

// traitsOf reads the facets of an object.
func traitsOf(m proto.Message, d *document) (t traits, org string) {
	t = traits(d.order) << atOrder
	switch m := m.(type) {
	case *cataloguev1.Entry:
		for at, v := range map[int]int32{
			atShare: int32(m.GetShareType()), atFormat: int32(m.GetFormat()), atCycle: int32(m.GetUpdateCycle()), atGrade: int32(m.GetGrade()), atState: int32(m.GetState()),
		} {
			t |= traits(uint8(v)) << at
		}
		return t, m.GetProvider()
	case interface{ GetOrg() string }:
		return t, m.GetOrg()
	}
	return t, ""
}

// tokens are the facets as words of the facet column. The state is not among them: it
// changes without the text, and the rows would have to be written again.
func (d *document) tokens(t traits, org string) string {
	out := make([]byte, 0, 48)
	for _, f := range []struct {
		letter byte
		value  uint8
	}{{'k', uint8(d.order)}, {'s', uint8(d.share)}, {'f', t.at(atFormat)}, {'u', t.at(atCycle)}, {'g', t.at(atGrade)}} {
		if f.value != 0 {
			out = append(strconv.AppendUint(append(out, f.letter), uint64(f.value), 10), ' ')
		}
	}
	if org != "" {
		out = append(append(out, 'o'), key(org)...)
	}
	return string(out)
}

// board keeps the facets of all objects in memory, some 12 bytes each: counting ten
// thousand hits then costs less than finding them.
type board struct {
	mu     sync.RWMutex
	traits []traits // by number of the object
	org    []uint32 // likewise; index into names
	names  []string // organisations; names[0] is ""
	number map[string]uint32
}

// entry of the board that a batch changes; it is applied when the batch is durable.
type pin struct {
	object uint32
	traits traits // 0 = gone
	org    string
}

func newBoard() *board { return &board{names: []string{""}, number: map[string]uint32{"": 0}} }

func (b *board) apply(pins []pin) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range pins {
		for int(p.object) >= len(b.traits) {
			b.traits, b.org = append(b.traits, 0), append(b.org, 0)
		}
		n, ok := b.number[p.org]
		if !ok {
			n = uint32(len(b.names))
			b.names, b.number[p.org] = append(b.names, p.org), n
		}
		b.traits[p.object], b.org[p.object] = p.traits, n
	}
}

// load reads the board from the file.
func (b *board) load(db *sql.DB) error {
	rows, err := db.Query("SELECT seq, traits, org FROM doc")
	if err != nil {
		return fmt.Errorf("index: facets: %w", err)
	}
	defer rows.Close()
	var pins []pin
	for rows.Next() {
		var p pin
		if err := rows.Scan(&p.object, &p.traits, &p.org); err != nil {
			return fmt.Errorf("index: facets: %w", err)
		}
		pins = append(pins, p)
	}
	b.apply(pins)
	return rows.Err()
}

// state returns the state of a row's object; 0 if it has none or is not known yet. It
// may be newer than the file that a running search sees.
func (b *board) state(n rowNumber) uint8 {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if o := n.object(); int(o) < len(b.traits) {
		return b.traits[o].at(atState)
	}
	return 0
}
