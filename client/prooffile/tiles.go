package prooffile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"mulian/client"
	"mulian/internal/fault"
)

// Tiles reads a log in the form of C2SP tlog-tiles over HTTP. It trusts nothing of
// what it reads: a wrong tile gives a way that leads to no anchored root. It is safe
// for concurrent use.
type Tiles struct {
	url  string // ends in "/"
	http *http.Client

	mu     sync.Mutex // guards the fields below
	known  uint64     // records that the last checkpoint had
	path   string     // of the bundle that was read last
	bundle []byte
	whole  map[string][]byte // full tiles, which never change
}

// NewTiles returns the log at a base URL that ends in "/".
func NewTiles(url string) *Tiles { return &Tiles{url: url, http: client.HTTPClient()} }

const (
	tileWidth  = 256
	maxTile    = tileWidth * (2 + 1<<16) // a bundle of records, each with its length
	maxLogSize = 1 << 53
	maxWhole   = 256 // full tiles that are kept: 2 MiB
)

// size tells how many records the log has: least, or what its checkpoint says if
// that is not known yet. Its signature is not looked at: the ledger's head is what
// counts.
func (t *Tiles) size(ctx context.Context, least uint64) (uint64, error) {
	t.mu.Lock()
	known := t.known
	t.mu.Unlock()
	if known >= least {
		return known, nil
	}
	raw, err := t.get(ctx, "checkpoint")
	if err != nil {
		return 0, err
	}
	lines := strings.SplitN(string(raw), "\n", 3)
	if len(lines) < 3 {
		return 0, fault.Newf(fault.Malformed, "the log's checkpoint is none")
	}
	n, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil || n > maxLogSize {
		return 0, fault.Newf(fault.Malformed, "the log's checkpoint has the size %.30q", lines[1])
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known = max(t.known, n)
	return t.known, nil
}

// entries reads a bundle; the last one is kept, for records are read in a row.
func (t *Tiles) entries(ctx context.Context, path string) ([]byte, error) {
	t.mu.Lock()
	last, bundle := t.path, t.bundle
	t.mu.Unlock()
	if last == path {
		return bundle, nil
	}
	bundle, err := t.get(ctx, path)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.path, t.bundle = path, bundle
	return bundle, nil
}

// Leaf implements [Leaves].
func (t *Tiles) Leaf(ctx context.Context, index uint64) ([]byte, error) {
	size, err := t.size(ctx, index+1)
	if err != nil {
		return nil, err
	}
	if index >= size {
		return nil, fault.Newf(fault.NotFound, "the log has %d records, the first is number 0", size)
	}
	raw, err := t.entries(ctx, tilePath("entries", index/tileWidth, size))
	if err != nil {
		return nil, err
	}
	for skip := index % tileWidth; len(raw) >= 2; skip-- {
		n := int(raw[0])<<8 | int(raw[1])
		if len(raw) < 2+n {
			break
		}
		if skip == 0 {
			return raw[2 : 2+n], nil
		}
		raw = raw[2+n:]
	}
	return nil, fault.Newf(fault.Malformed, "the log's bundle of record %d is cut", index)
}

// Way implements [Leaves].
func (t *Tiles) Way(ctx context.Context, index, size uint64) ([][]byte, error) {
	have, err := t.size(ctx, size)
	if err != nil {
		return nil, err
	}
	if index >= size || size > have {
		return nil, fault.Newf(fault.NotFound, "the log has %d records, not %d", have, size)
	}
	nodes, err := proof.Inclusion(index, size)
	if err != nil {
		return nil, fmt.Errorf("way of record %d of %d: %w", index, size, err)
	}
	return t.gather(ctx, nodes, size)
}

// node returns the hash of a perfect part of the tree: the hash over those of its
// tile that lie below it.
func (t *Tiles) node(ctx context.Context, tiles map[string][]byte, level uint, index, have uint64) ([]byte, error) {
	row, inside := uint64(level/8), level%8
	first := index << inside // of the hashes in the tile's row
	path := tilePath(strconv.FormatUint(row, 10), first/tileWidth, have>>(8*row))
	tile, err := t.tile(ctx, tiles, path)
	if err != nil {
		return nil, err
	}
	from, n := int(first%tileWidth)*32, (1<<inside)*32
	if len(tile) < from+n {
		return nil, fault.Newf(fault.Malformed, "the log's tile %s has %d bytes", path, len(tile))
	}
	return over(tile[from : from+n]), nil
}

// tile reads a tile, once for one question, and a full one once for many.
func (t *Tiles) tile(ctx context.Context, tiles map[string][]byte, path string) ([]byte, error) {
	if tile, ok := tiles[path]; ok {
		return tile, nil
	}
	t.mu.Lock()
	tile, kept := t.whole[path]
	t.mu.Unlock()
	if !kept {
		var err error
		if tile, err = t.get(ctx, path); err != nil {
			return nil, err
		}
	}
	tiles[path] = tile
	if !kept && !strings.Contains(path, ".p/") {
		t.mu.Lock()
		if t.whole == nil || len(t.whole) >= maxWhole {
			t.whole = map[string][]byte{}
		}
		t.whole[path] = tile
		t.mu.Unlock()
	}
	return tile, nil
}

// over is the RFC 6962 hash over a power of two of hashes.
func over(row []byte) []byte {
	if len(row) == 32 {
		return row
	}
	half := len(row) / 2
	return rfc6962.DefaultHasher.HashChildren(over(row[:half]), over(row[half:]))
}

// tilePath names a tile of a row with width hashes (C2SP tlog-tiles).
func tilePath(row string, index, width uint64) string {
	path := fmt.Sprintf("tile/%s/", row)
	name := fmt.Sprintf("%03d", index%1000)
	for rest := index / 1000; rest > 0; rest /= 1000 {
		name = fmt.Sprintf("x%03d/", rest%1000) + name
	}
	if part := width - index*tileWidth; part < tileWidth {
		return path + name + ".p/" + strconv.FormatUint(part, 10)
	}
	return path + name
}

func (t *Tiles) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url+path, nil)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "address of the log")
	}
	res, err := t.http.Do(req)
	if err != nil {
		return nil, fault.Wrap(fault.Unreachable, err, "the gateway's log")
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fault.Newf(fault.NotFound, "the gateway's log has no %s: %s", path, res.Status)
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxTile+1))
	if err == nil && len(raw) > maxTile {
		err = errors.New("it is too large")
	}
	return raw, fault.Wrap(fault.Unreachable, err, "read %s of the gateway's log", path)
}
