package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// The kinds of records, each under the byte prefix of the store. The letters are
// in the files of every running node: they may be added to, never changed.
const (
	recHead    = 'm' // m                          -> the head of the last committed block
	recOldest  = 'o' // o                          -> the oldest height that can be read
	recBlock   = 'b' // b height                   -> that block's head and the keys it changed
	recCurrent = 'c' // c key                      -> kind byte, value
	recHistory = 'h' // h escaped-key height       -> what the key held before that height
	recPage    = 't' // t depth path               -> a page of the tree
	recTile    = 'n' // n level index              -> a tile of the event log
	recEvent   = 'e' // e seq                      -> height, event
	// recSum = 'p' is in seal.go
)

// layout makes the keys of one store.
type layout struct{ prefix []byte }

func (l layout) key(rec byte, rest ...[]byte) []byte {
	n := len(l.prefix) + 1
	for _, r := range rest {
		n += len(r)
	}
	k := append(make([]byte, 0, n), l.prefix...)
	k = append(k, rec)
	for _, r := range rest {
		k = append(k, r...)
	}
	return k
}

func (l layout) head() []byte                { return l.key(recHead) }
func (l layout) oldest() []byte              { return l.key(recOldest) }
func (l layout) block(height int64) []byte   { return l.key(recBlock, be64(uint64(height))) }
func (l layout) current(key []byte) []byte   { return l.key(recCurrent, key) }
func (l layout) page(path []byte) []byte     { return l.key(recPage, path) }
func (l layout) tile(id []byte) []byte       { return l.key(recTile, id) }
func (l layout) event(seq int64) []byte      { return l.key(recEvent, be64(uint64(seq))) }
func (l layout) strip(k []byte) []byte       { return k[len(l.prefix)+1:] }
func (l layout) historyOf(key []byte) []byte { return escape(l.key(recHistory), key) }
func (l layout) until(rec byte) []byte       { return l.key(rec + 1) }
func (l layout) currentRange(prefix, from []byte) (lo, hi []byte) {
	if bytes.Compare(from, prefix) < 0 {
		from = prefix
	}
	if end := prefixEnd(prefix); end != nil {
		return l.current(from), l.current(end)
	}
	return l.current(from), l.until(recCurrent)
}

// history is the record of what key held until height: the order of these records
// is the order of the keys, then of the heights.
func (l layout) history(key []byte, height int64) []byte {
	return binary.BigEndian.AppendUint64(l.historyOf(key), uint64(height))
}

// splitHistory undoes history.
func (l layout) splitHistory(rec []byte) (key []byte, height int64, err error) {
	rest := l.strip(rec)
	if len(rest) < 10 {
		return nil, 0, fmt.Errorf("state: history record of %d bytes", len(rest))
	}
	key, err = unescape(rest[:len(rest)-8])
	return key, int64(binary.BigEndian.Uint64(rest[len(rest)-8:])), err
}

// escape appends key in a form that ends itself and keeps the order of keys:
// 00 becomes 00 ff, and 00 01 ends it.
func escape(dst, key []byte) []byte {
	for _, c := range key {
		if dst = append(dst, c); c == 0 {
			dst = append(dst, 0xff)
		}
	}
	return append(dst, 0, 1)
}

func unescape(b []byte) ([]byte, error) {
	key := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != 0 {
			key = append(key, b[i])
			continue
		}
		switch {
		case i+2 == len(b) && b[i+1] == 1:
			return key, nil
		case i+1 < len(b) && b[i+1] == 0xff:
			key = append(key, 0)
			i++
		default:
			return nil, fmt.Errorf("state: escaped key %x is damaged", b)
		}
	}
	return nil, fmt.Errorf("state: escaped key %x has no end", b)
}

// prefixEnd returns the first key after all that begin with p, or nil if there is none.
func prefixEnd(p []byte) []byte {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] != 0xff {
			end := bytes.Clone(p[:i+1])
			end[i]++
			return end
		}
	}
	return nil
}

func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
