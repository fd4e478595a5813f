// Package eventlog keeps the hashes of an append-only log as RFC 6962 defines them,
// such that the root, inclusion proofs and consistency proofs for every size since
// the first event come without reading the events.
//
// It is not the events: it sees their leaf hashes. It reads and returns tiles; who
// keeps them is the caller's business.
//
//	level 6   tile 1/0: ....                     hashes of the full tiles below
//	level 0   tile 0/0: 64 | tile 0/1: 64 | tile 0/2: 17
//	          events 0-63    64-127         128-144
//
// A tile holds 64 neighbouring hashes of one level that is a multiple of six. The
// hashes between are computed from it. Only the last tile of a level changes.
//
// Invariants:
//
//  1. A hash, once in a tile, never changes.
//  2. The tiles of a log of n events hold, at level 6k, exactly n>>6k hashes.
//
// Sources: RFC 6962 section 2.1; tiles as in C2SP tlog-tiles, with 64 hashes instead of
// 256, for a block of one event writes its last tile anew: 1 KB on average, not 4.
package eventlog

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/transparency-dev/merkle/compact"
	merkle "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"mulian/state/proof"
)

const (
	tileHeight = 6
	tileWidth  = 1 << tileHeight
	hashLen    = 32
)

// ErrDamaged is returned for tiles that Append has not made.
var ErrDamaged = errors.New("damaged tile")

// Read returns the record of the tile with that name, or nil if there is none.
type Read func(id []byte) (record []byte, err error)

// Tile is one tile to write.
type Tile struct {
	ID     []byte
	Record []byte
}

// tileID names a tile: those of one level lie together, in order.
func tileID(level uint, index uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(level)}, index)
}

var ranges = compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}

// Log is the log at one size. It does not change: Append returns another one.
type Log struct {
	full [][]byte // hashes of the perfect parts, left to right
	size int64
	edge [][]byte // for each tile level its last tile, which is not full
}

// Open returns the log of size events whose tiles read returns.
func Open(read Read, size int64) (*Log, error) {
	if size < 0 {
		return nil, fmt.Errorf("%w: size %d", ErrDamaged, size)
	}
	l := &Log{size: size}
	for _, id := range compact.RangeNodes(0, uint64(size), nil) {
		h, err := node(read, id)
		if err != nil {
			return nil, err
		}
		l.full = append(l.full, h)
	}
	for level := uint(0); uint64(size)>>(tileHeight*level) > 0; level++ {
		n := uint64(size) >> (tileHeight * level)
		tile, err := readTile(read, level, n/tileWidth, int(n%tileWidth))
		if err != nil {
			return nil, err
		}
		l.edge = append(l.edge, tile)
	}
	return l, nil
}

// Size returns how many events the log has.
func (l *Log) Size() int64 { return l.size }

// Root returns the hash over the whole log.
func (l *Log) Root() proof.Hash {
	if l.size == 0 {
		return proof.EmptyLog()
	}
	r, err := ranges.NewRange(0, uint64(l.size), l.full)
	if err != nil {
		panic(fmt.Sprintf("eventlog: %v", err)) // full always fits size
	}
	root, err := r.GetRootHash(nil)
	if err != nil {
		panic(fmt.Sprintf("eventlog: %v", err)) // the range begins at 0
	}
	return proof.Hash(root)
}

// Append returns the log with the leaves at its end, and the tiles that differ.
func (l *Log) Append(leaves []proof.Hash) (*Log, []Tile) {
	if len(leaves) == 0 {
		return l, nil
	}
	r, err := ranges.NewRange(0, uint64(l.size), append([][]byte(nil), l.full...))
	if err != nil {
		panic(fmt.Sprintf("eventlog: %v", err)) // full always fits size
	}
	g := &growth{}
	for _, tile := range l.edge {
		g.edge = append(g.edge, append(make([]byte, 0, tileWidth*hashLen), tile...))
	}
	for i := range leaves {
		if err := r.Append(leaves[i][:], g.add); err != nil {
			panic(fmt.Sprintf("eventlog: %v", err)) // as above
		}
	}
	next := &Log{full: r.Hashes(), size: l.size + int64(len(leaves)), edge: g.edge}
	return next, append(g.filled, g.rest(l.size, next.size)...)
}

// growth collects the hashes that Append adds.
type growth struct {
	edge   [][]byte
	filled []Tile
}

func (g *growth) add(id compact.NodeID, hash []byte) {
	if id.Level%tileHeight != 0 {
		return
	}
	level := id.Level / tileHeight
	if int(level) == len(g.edge) {
		g.edge = append(g.edge, make([]byte, 0, tileWidth*hashLen))
	}
	g.edge[level] = append(g.edge[level], hash...)
	if len(g.edge[level]) == tileWidth*hashLen {
		g.filled = append(g.filled, Tile{ID: tileID(level, id.Index/tileWidth), Record: g.edge[level]})
		g.edge[level] = make([]byte, 0, tileWidth*hashLen)
	}
}

// rest returns the last tiles of the levels that grew and did not end full.
func (g *growth) rest(was, is int64) (tiles []Tile) {
	for level, tile := range g.edge {
		before, n := uint64(was)>>(tileHeight*level), uint64(is)>>(tileHeight*level)
		if n > before && len(tile) > 0 {
			tiles = append(tiles, Tile{ID: tileID(uint(level), n/tileWidth), Record: tile})
		}
	}
	return tiles
}

// Inclusion returns the path from the event at seq to the root of the log of size
// events (RFC 6962 section 2.1.1). Size may be any up to that of the tiles.
func Inclusion(read Read, seq, size int64) ([]proof.Hash, error) {
	if seq < 0 || seq >= size {
		return nil, fmt.Errorf("eventlog: event %d of %d", seq, size)
	}
	nodes, err := merkle.Inclusion(uint64(seq), uint64(size))
	if err != nil {
		return nil, fmt.Errorf("eventlog: %w", err)
	}
	return path(read, nodes)
}

// Consistency returns the path that shows the log of size old to be the beginning
// of that of size new (RFC 6962 section 2.1.2).
func Consistency(read Read, old, size int64) ([]proof.Hash, error) {
	if old < 0 || old > size {
		return nil, fmt.Errorf("eventlog: consistency of %d and %d", old, size)
	}
	nodes, err := merkle.Consistency(uint64(old), uint64(size))
	if err != nil {
		return nil, fmt.Errorf("eventlog: %w", err)
	}
	return path(read, nodes)
}

func path(read Read, nodes merkle.Nodes) ([]proof.Hash, error) {
	hashes := make([][]byte, len(nodes.IDs))
	for i, id := range nodes.IDs {
		var err error
		if hashes[i], err = node(read, id); err != nil {
			return nil, err
		}
	}
	hashes, err := nodes.Rehash(hashes, rfc6962.DefaultHasher.HashChildren)
	if err != nil {
		return nil, fmt.Errorf("eventlog: %w", err)
	}
	out := make([]proof.Hash, len(hashes))
	for i := range hashes {
		out[i] = proof.Hash(hashes[i])
	}
	return out, nil
}

// node returns the hash of a perfect part, from the tile in whose range it lies.
func node(read Read, id compact.NodeID) ([]byte, error) {
	level, above := id.Level/tileHeight, id.Level%tileHeight
	first := id.Index << above
	offset, count := int(first%tileWidth), 1<<above
	tile, err := readTile(read, level, first/tileWidth, offset+count)
	if err != nil {
		return nil, err
	}
	return perfect(tile[offset*hashLen : (offset+count)*hashLen]), nil
}

// perfect returns the root over a power of two of hashes.
func perfect(hashes []byte) []byte {
	if len(hashes) == hashLen {
		return hashes
	}
	mid := len(hashes) / 2
	return rfc6962.DefaultHasher.HashChildren(perfect(hashes[:mid]), perfect(hashes[mid:]))
}

// readTile returns the first n hashes of a tile.
func readTile(read Read, level uint, index uint64, n int) ([]byte, error) {
	if n == 0 {
		return []byte{}, nil
	}
	b, err := read(tileID(level, index))
	if err != nil {
		return nil, err
	}
	if len(b) < n*hashLen || len(b) > tileWidth*hashLen || len(b)%hashLen != 0 {
		return nil, fmt.Errorf("%w: level %d, index %d: %d bytes, want %d hashes", ErrDamaged, level, index, len(b), n)
	}
	return b[: n*hashLen : n*hashLen], nil
}
