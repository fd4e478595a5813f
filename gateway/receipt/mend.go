package receipt

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api/layout"

	"mulian/internal/durable"
	"mulian/internal/fault"
)

// What a power failure on a disk that lies, or a hand, has done to the tree is mended at
// Open where the rest of the folder proves what stood there: a tile is a function of the
// journal; records that the journal has lost stand in the tree's bundles, and the tree's
// root says that they are those. What nothing proves is refused, with what to do.

// advice ends the text of what cannot be mended.
const advice = "; put the newest backup of this gateway back (mulian gateway restore), which the ledger's head will prove or refuse"

// claim is what a file says of the log: that it has so many records, with that root.
type claim struct {
	from string
	size uint64
	root []byte
}

// claims reads what the tree's own state and its checkpoint say. A file that cannot be
// read is set aside: Tessera makes a new one.
func claims(dir string, logger *slog.Logger) (tree claim, checkpoint claim, err error) {
	state := filepath.Join(dir, ".state", "treeState")
	tree, stateErr := readClaim(state, func(raw []byte) (c claim, err error) {
		var s struct {
			Size uint64 `json:"size"`
			Root []byte `json:"root"`
		}
		err = json.Unmarshal(raw, &s)
		return claim{state, s.Size, s.Root}, err
	})
	published := filepath.Join(dir, layout.CheckpointPath)
	checkpoint, publishedErr := readClaim(published, func(raw []byte) (c claim, err error) {
		// Its signature does not count here: the key may have changed since.
		lines := strings.SplitN(string(raw), "\n", 4)
		if len(lines) < 4 {
			return c, fmt.Errorf("%d lines", len(lines))
		}
		size, err := strconv.ParseUint(lines[1], 10, 64)
		if err != nil {
			return c, err
		}
		root, err := base64.StdEncoding.DecodeString(lines[2])
		return claim{published, size, root}, err
	})
	for path, e := range map[string]error{state: stateErr, published: publishedErr} {
		switch {
		case e == nil:
			continue
		case !errors.Is(e, errUnreadable):
			return tree, checkpoint, e
		}
		logger.Warn("a file of the access log's tree is damaged; it is made again", "file", path, "err", e)
		if err := aside(path); err != nil {
			return tree, checkpoint, err
		}
	}
	if tree.size < checkpoint.size || tree.root == nil && checkpoint.root != nil {
		// The state is gone, or older than what was published: that is a state, too.
		tree = claim{checkpoint.from, checkpoint.size, checkpoint.root}
		raw, err := json.Marshal(map[string]any{"size": tree.size, "root": tree.root})
		if err != nil {
			return tree, checkpoint, err
		}
		logger.Warn("the access log's tree is older than its checkpoint; it is made again", "records", tree.size)
		if err := place(state, raw); err != nil {
			return tree, checkpoint, err
		}
	}
	if tree.root == nil {
		// Nothing tells what the tree had: what is left of it is no use.
		if entries, err := os.ReadDir(filepath.Join(dir, "tile")); err == nil && len(entries) > 0 {
			logger.Warn("the access log's tree has neither state nor checkpoint; it is made again from the journal, and the ledger's head tells whether that is right")
			return tree, checkpoint, aside(dir)
		}
	}
	return tree, checkpoint, nil
}

var errUnreadable = errors.New("cannot be read as what it is")

func readClaim(path string, parse func([]byte) (claim, error)) (claim, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return claim{}, nil
	}
	if err != nil {
		return claim{}, err
	}
	c, err := parse(raw)
	if err == nil && len(c.root) != rfc6962.DefaultHasher.Size() {
		err = fmt.Errorf("a root of %d bytes", len(c.root))
	}
	if err != nil {
		return claim{}, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	return c, nil
}

// aside renames what is damaged: nothing of an access log is deleted.
func aside(path string) error {
	return os.Rename(path, fmt.Sprintf("%s.damaged-%d", path, time.Now().UnixNano()))
}

// place writes a file of the tree, with the rights that Tessera gives it.
func place(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return durable.ReplaceFile(path, content, 0o644)
}

// mender goes along the journal's records and holds the tree's tiles and bundles against
// them. One of each level is in memory.
type mender struct {
	dir    string
	seen   uint64
	bundle []byte
	levels []level
	mended int
}

// level is the tile that is being made.
type level struct {
	index  uint64
	hashes []byte
}

// add takes the next record.
func (m *mender) add(leaf []byte) error {
	m.seen++
	m.bundle = append(binary.BigEndian.AppendUint16(m.bundle, uint16(len(leaf))), leaf...)
	if m.seen%layout.TileWidth == 0 {
		if err := m.same(layout.EntriesPath(m.seen/layout.TileWidth-1, 0), m.bundle); err != nil {
			return err
		}
		m.bundle = m.bundle[:0]
	}
	return m.node(0, rfc6962.DefaultHasher.HashLeaf(leaf))
}

func (m *mender) node(at int, hash []byte) error {
	if at == len(m.levels) {
		m.levels = append(m.levels, level{})
	}
	l := &m.levels[at]
	if l.hashes = append(l.hashes, hash...); len(l.hashes) < layout.TileWidth*len(hash) {
		return nil
	}
	if err := m.same(layout.TilePath(uint64(at), l.index, 0), l.hashes); err != nil {
		return err
	}
	sum := ranges.NewEmptyRange(0)
	for h := l.hashes; len(h) > 0; h = h[len(hash):] {
		if err := sum.Append(h[:len(hash)], nil); err != nil {
			return err
		}
	}
	root, err := sum.GetRootHash(nil)
	if err != nil {
		return err
	}
	l.index, l.hashes = l.index+1, l.hashes[:0]
	return m.node(at+1, root)
}

// end holds the right edge.
func (m *mender) end() error {
	if p := uint8(m.seen % layout.TileWidth); p > 0 {
		if err := m.same(layout.EntriesPath(m.seen/layout.TileWidth, p), m.bundle); err != nil {
			return err
		}
	}
	for at, l := range m.levels {
		if p := uint8(len(l.hashes) / rfc6962.DefaultHasher.Size()); p > 0 {
			if err := m.same(layout.TilePath(uint64(at), l.index, p), l.hashes); err != nil {
				return err
			}
		}
	}
	return nil
}

// same makes a file what it should be.
func (m *mender) same(path string, want []byte) error {
	path = filepath.Join(m.dir, path)
	have, err := os.ReadFile(path)
	if err == nil && bytes.Equal(have, want) {
		return nil
	}
	m.mended++
	return place(path, want)
}

// restore reads the journal, holds the tree against it, and brings the tree up to it.
// What is damaged is mended where that is proved.
func (l *Log) restore(ctx context.Context, signers []*checkpointSigner) error {
	tree, published, err := claims(filepath.Join(l.cfg.Dir, "tiles"), l.cfg.Logger)
	if err != nil {
		return fmt.Errorf("access log: %w", err)
	}
	err = l.restoreAs(ctx, signers, tree, published)
	lack, ok := errors.AsType[*short](err)
	if !ok {
		return err
	}
	l.cfg.Logger.Warn("the journal of the access log has lost records; they are taken from the tree", "from", lack.have, "records", tree.size-lack.have)
	if err := mendJournal(l.cfg.Dir, lack, tree); err != nil {
		return err
	}
	l.offsets, l.recent, l.of, l.kept, l.secrets = nil, nil, map[string]history{}, map[uint64][]int64{}, map[uint64]Secret{}
	return l.restoreAs(ctx, signers, tree, published)
}

// restoreAs is restore for a tree that claims to be so.
func (l *Log) restoreAs(ctx context.Context, signers []*checkpointSigner, tree, published claim) (err error) {
	defer func() {
		if err != nil {
			if l.tree != nil {
				l.tree.close()
			}
			for _, j := range []*journal{l.journal, l.openings} {
				if j != nil {
					j.close()
				}
			}
			l.tree, l.journal, l.openings = nil, nil, nil
		}
	}()
	r := &restoring{log: l, signers: signers, tree: tree, published: published, sum: ranges.NewEmptyRange(0), mender: mender{dir: filepath.Join(l.cfg.Dir, "tiles")}}
	if tree.size == 0 {
		if err := r.reached(ctx); err != nil {
			return err
		}
	}
	path := filepath.Join(l.cfg.Dir, "journal")
	lacks := func(behind int64) error {
		have := uint64(len(l.offsets))
		if have >= tree.size {
			return nil
		}
		st, err := os.Stat(path)
		if err != nil {
			return err
		}
		return &short{have: have, end: st.Size() - behind}
	}
	if l.journal, err = openJournal(path, func(offset int64, raw []byte) error { return r.take(ctx, offset, raw) }, lacks); err != nil {
		return err
	}
	if err := lacks(0); err != nil {
		return err
	}
	openings := filepath.Join(l.cfg.Dir, "openings")
	if l.openings, err = openJournal(openings, l.noteOpening, func(behind int64) error { return l.openable(openings, behind) }); err != nil {
		return err
	}
	if l.lost = l.unopenable(openings); l.lost != nil {
		l.cfg.Logger.Error("the content of sealed records is lost; all else is served", "code", fault.Damaged, "err", l.lost)
	}
	return r.grow(ctx)
}

// unopenable tells of what is sealed and not published, and cannot be opened although the file
// of the openings is whole: the file is not there, is an old copy, or ends between two of them.
// Its readers have their own copy of each ([secrecy.OpenBox]), and what is not sealed does not
// depend on it: the log is open all the same.
func (l *Log) unopenable(path string) error {
	var lost []uint64
	secrets := l.Secrets()
	for _, s := range secrets {
		if e, err := l.Record(s.Place - 1); err != nil || e.Opening == nil {
			lost = append(lost, s.Place-1)
		}
	}
	if len(lost) == 0 {
		return nil
	}
	return fault.Newf(fault.Damaged, "access log: %s does not have what was sealed in %d of %d records, from record %d on: put back the newest backup of the file, or they can never be published", path, len(lost), len(secrets), lost[0])
}

// openable tells whether all that is sealed and not published can be opened without the
// bytes at the end of the openings that cannot be read. What a power failure tore there is
// of records that were not written: an opening is durable before its record. A bit that
// flipped is not, and must not cost the openings that follow it.
func (l *Log) openable(path string, behind int64) (err error) {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	l.openings = &journal{in: in}
	defer func() {
		l.openings = nil
		in.Close()
	}()
	for _, s := range l.Secrets() {
		switch e, err := l.Record(s.Place - 1); {
		case err != nil:
			return err
		case e.Opening == nil:
			return fault.Newf(fault.Damaged, "access log: the last %d bytes of %s cannot be read, and among them is what was sealed in record %d; nothing was changed%s", behind, path, s.Place-1, advice)
		}
	}
	return nil
}

// restoring goes along the journal at Open.
type restoring struct {
	log             *Log
	signers         []*checkpointSigner
	tree, published claim
	sum             *compact.Range
	mender          mender
	missing         [][]byte // that the tree lacks; some
	first           uint64   // of these
}

// take takes the next record.
func (r *restoring) take(ctx context.Context, offset int64, raw []byte) error {
	l := r.log
	if err := l.note(offset, raw); err != nil {
		return err
	}
	n := uint64(len(l.offsets))
	if n > r.tree.size {
		if r.missing = append(r.missing, raw); len(r.missing) < treeBatch {
			return nil
		}
		return r.grow(ctx)
	}
	if err := r.mender.add(raw); err != nil {
		return fmt.Errorf("access log: tree: %w", err)
	}
	if err := r.sum.Append(rfc6962.DefaultHasher.HashLeaf(raw), nil); err != nil {
		return err
	}
	if n == r.published.size && r.published.size < r.tree.size {
		if err := r.is(r.published); err != nil {
			return err
		}
	}
	if n == r.tree.size {
		return r.reached(ctx)
	}
	return nil
}

// is tells whether the journal so far is what a file says of it.
func (r *restoring) is(c claim) error {
	root, err := r.sum.GetRootHash(nil)
	if err == nil && !bytes.Equal(root, c.root) {
		return fault.Newf(fault.Damaged, "access log: the first %d records of the journal are not those of %s%s", c.size, c.from, advice)
	}
	return err
}

// reached opens the tree when the journal has come to its size.
func (r *restoring) reached(ctx context.Context) (err error) {
	l := r.log
	if r.tree.size > 0 {
		if err := r.is(r.tree); err != nil {
			return err
		}
		if err := r.mender.end(); err != nil {
			return fmt.Errorf("access log: tree: %w", err)
		}
	}
	if n := r.mender.mended; n > 0 {
		l.cfg.Logger.Warn("files of the access log's tree were damaged or missing; they are made again from the journal", "files", n)
	}
	if l.tree, err = openTree(r.mender.dir, r.signers, l.cfg.Logger); err != nil {
		return fmt.Errorf("access log: %w", err)
	}
	size, err := l.tree.size(ctx)
	if err == nil && size != r.tree.size {
		err = fault.Newf(fault.Damaged, "access log: the tree has %d records, its files say %d", size, r.tree.size)
	}
	if err == nil && size > 0 {
		err = l.tree.matches(ctx, size, r.tree.root)
	}
	r.first, l.integrated = size, size
	return err
}

// grow adds to the tree what it lacks.
func (r *restoring) grow(ctx context.Context) error {
	if err := r.log.tree.grow(ctx, r.first, r.missing); err != nil {
		return err
	}
	r.first += uint64(len(r.missing))
	r.log.integrated, r.missing = r.first, r.missing[:0]
	return nil
}

// short is a journal that has fewer records than the tree.
type short struct {
	have uint64
	end  int64 // of the last that can be read
}

func (s *short) Error() string {
	return fmt.Sprintf("the journal can be read up to record %d", s.have)
}

// mendJournal takes the records that the journal has lost from the tree's bundles, if with
// them it has the root that the tree claims. The old journal is set aside.
func mendJournal(dir string, s *short, tree claim) error {
	path := filepath.Join(dir, "journal")
	lost, err := fromBundles(filepath.Join(dir, "tiles"), s.have, tree.size)
	if err != nil {
		return fault.Wrap(fault.Damaged, err, "access log: records %d to %d cannot be read in the journal, nor in the tree", s.have, tree.size-1)
	}
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	sum := ranges.NewEmptyRange(0)
	leaf := func(b []byte) error { return sum.Append(rfc6962.DefaultHasher.HashLeaf(b), nil) }
	if _, err := scanFrames(io.LimitReader(in, s.end), func(_ int64, b []byte) error { return leaf(b) }); err != nil {
		return err
	}
	next := s.end
	for _, b := range lost {
		next += frameHead + int64(len(b))
		if err := leaf(b); err != nil {
			return err
		}
	}
	if root, err := sum.GetRootHash(nil); err != nil || !bytes.Equal(root, tree.root) {
		return fault.Newf(fault.Damaged, "access log: records %d to %d cannot be read in the journal, and what the tree has of them does not give its root", s.have, tree.size-1)
	}
	if err := os.Link(path, fmt.Sprintf("%s.damaged-%d", path, time.Now().UnixNano())); err != nil {
		return err
	}
	return durable.ReplaceWith(path, 0o600, func(w io.Writer) error {
		if _, err := io.Copy(w, io.NewSectionReader(in, 0, s.end)); err != nil {
			return err
		}
		for _, b := range lost {
			if _, err := w.Write(append(frameOf(b), b...)); err != nil {
				return err
			}
		}
		// What was written after the tree had these stands where it would, if only they
		// were overwritten.
		_, err := scanFrames(io.NewSectionReader(in, next, 1<<62), func(_ int64, b []byte) error {
			_, err := w.Write(append(frameOf(b), b...))
			return err
		})
		return err
	})
}

func frameOf(content []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(content)))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(content, castagnoli))
}

// fromBundles reads the leaves from to end of a tree of that size.
func fromBundles(dir string, from, end uint64) (leaves [][]byte, err error) {
	for i := from / layout.TileWidth; i*layout.TileWidth < end; i++ {
		path := filepath.Join(dir, layout.EntriesPath(i, layout.PartialTileSize(0, i, end)))
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		in := bufio.NewReader(f)
		for n := i * layout.TileWidth; n < min(end, (i+1)*layout.TileWidth) && err == nil; n++ {
			var head [2]byte
			if _, err = io.ReadFull(in, head[:]); err != nil {
				break
			}
			leaf := make([]byte, binary.BigEndian.Uint16(head[:]))
			if _, err = io.ReadFull(in, leaf); n >= from {
				leaves = append(leaves, leaf)
			}
		}
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return leaves, nil
}
