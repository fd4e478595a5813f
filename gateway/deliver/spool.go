package deliver

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"

	"github.com/klauspost/compress/zstd"

	"mulian/gateway/connect"
	"mulian/internal/fault"
	"mulian/internal/seal"
	"mulian/internal/sm"
)

// spool is the sealed pages of one delivery in a file of pieces, each with its
// length and its number of rows (4 bytes each, big endian) before it: the seal header, then
// the pages. One goroutine writes; any number reads what is there and waits for more.
type spool struct {
	file *os.File

	mu     sync.Mutex // guards the fields below
	header []byte
	pages  []int64 // offset of each page's content
	sizes  []int
	sums   []amount // of the pages up to each
	ended  bool     // no more pages come
	err    error    // why not
	grew   chan struct{}
}

// pieceHead is what stands before a piece.
const pieceHead = 8

func createSpool(path string) (*spool, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	return &spool{file: f, grew: make(chan struct{})}, nil
}

// reopenSpool opens a whole spool and checks that it is what it was.
func reopenSpool(path string, w *whole) (*spool, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	s := &spool{file: f, grew: make(chan struct{}), ended: true}
	sum, at, in := sha256.New(), int64(0), bufio.NewReaderSize(f, 1<<20)
	for n := -1; n < int(w.Pages) && err == nil; n++ {
		var head [pieceHead]byte
		var piece []byte
		if _, err = io.ReadFull(in, head[:]); err == nil {
			size := binary.BigEndian.Uint32(head[:4])
			if size > maxBox {
				err = errors.New("a piece over its bound")
				break
			}
			piece = make([]byte, size)
			_, err = io.ReadFull(in, piece)
		}
		sum.Write(piece)
		if n < 0 {
			s.header = piece
		} else {
			s.add(at+pieceHead, len(piece), int(binary.BigEndian.Uint32(head[4:])))
		}
		at += pieceHead + int64(len(piece))
	}
	if err == nil && s.upTo(w.Pages) != (amount{w.Rows, w.Bytes}) {
		err = errors.New("its rows are not as many")
	}
	if err == nil && string(sum.Sum(nil)) != string(w.Hash) {
		err = errors.New("its hash differs")
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("spool: %w", err)
	}
	return s, nil
}

// add notes a page that is in the file. The caller holds mu, or nobody else has the spool.
func (s *spool) add(at int64, size, rows int) {
	var sum amount
	if n := len(s.sums); n > 0 {
		sum = s.sums[n-1]
	}
	s.pages, s.sizes = append(s.pages, at), append(s.sizes, size)
	s.sums = append(s.sums, amount{sum.rows + uint64(rows), sum.bytes + uint64(size)})
}

// upTo is what the first pages hold together, of those that are there.
func (s *spool) upTo(pages uint64) amount {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pages = min(pages, uint64(len(s.sums))); pages == 0 {
		return amount{}
	}
	return s.sums[pages-1]
}

// len is how many pages are there.
func (s *spool) len() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return uint64(len(s.pages))
}

// page returns page n when it is there; done says that there is none, and none comes.
func (s *spool) page(ctx context.Context, n uint64) (header, box []byte, done bool, err error) {
	for {
		s.mu.Lock()
		have, ended, serr, grew := uint64(len(s.pages)), s.ended, s.err, s.grew
		if n < have {
			header, box = s.header, make([]byte, s.sizes[n])
			at := s.pages[n]
			s.mu.Unlock()
			_, err := s.file.ReadAt(box, at)
			return header, box, false, err
		}
		s.mu.Unlock()
		if ended {
			return nil, nil, true, serr
		}
		select {
		case <-grew:
		case <-ctx.Done():
			return nil, nil, false, ctx.Err()
		}
	}
}

func (s *spool) signal(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
	close(s.grew)
	s.grew = make(chan struct{})
}

func (s *spool) end(err error) { s.signal(func() { s.ended, s.err = true, err }) }

func (s *spool) close() error { return s.file.Close() }

// spooler reads a table into a spool. Two goroutines share the work: the scan's packs
// rows and runs the digest over them, the other one compresses, seals and writes the
// pages, one behind.
//
//	newSpooler ──▶ take, take, … ──▶ finish        stop: whatever happened, the other goroutine has ended
type spooler struct {
	spool  *spool
	most   uint64 // rows that are agreed; 0: no bound
	rows   *connect.Packer
	digest *connect.Digest
	hold   func(bytes uint64) error // keeps some of the agreement's quota; nil: no need
	pages  chan packed              // to seal; closed by finish and stop
	ended  chan struct{}            // closed when the sealing goroutine has
	closed bool                     // pages is

	// Of the sealing goroutine alone until ended is closed.
	sealer *seal.Sealer
	pack   *zstd.Encoder
	box    []byte // the latest page, compressed; used again
	hash   hash.Hash
	at     int64
	whole  whole
	err    error // the first failure
}

// packed is a page on its way to the seal.
type packed struct {
	page []byte
	rows int
}

func newSpooler(s *spool, to sm.PublicKey, aad []byte, cols int, most uint64) (*spooler, error) {
	w := &spooler{spool: s, digest: connect.NewDigest(), hash: sha256.New(), most: most, pages: make(chan packed, 1), ended: make(chan struct{})}
	var header []byte
	var err error
	if w.rows, err = connect.NewPacker(cols); err != nil {
		return nil, err
	}
	if w.sealer, header, err = seal.NewSealer(to, aad); err != nil {
		return nil, err
	}
	if w.pack, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1)); err != nil {
		return nil, err
	}
	if _, err = w.write(header, 0); err != nil {
		return nil, err
	}
	s.signal(func() { s.header = header })
	go w.seal()
	return w, nil
}

// write appends a piece and returns where its content begins.
func (w *spooler) write(piece []byte, rows int) (int64, error) {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, pieceHead+len(piece)), uint32(len(piece)))
	b = binary.BigEndian.AppendUint32(b, uint32(rows))
	if _, err := w.spool.file.WriteAt(append(b, piece...), w.at); err != nil {
		return 0, fmt.Errorf("spool: %w", err)
	}
	w.hash.Write(piece)
	at := w.at + pieceHead
	w.at += pieceHead + int64(len(piece))
	return at, nil
}

// take is the scan's function.
func (w *spooler) take(b connect.Batch) error {
	for _, row := range b.Rows {
		n := connect.RowBytes(row)
		if w.rows.Rows() > 0 && (w.rows.Bytes()+n > pageBytes || w.rows.Rows() == pageRows) {
			if err := w.flush(); err != nil {
				return err
			}
		}
		if err := w.rows.Add(row); err != nil {
			return err
		}
		w.digest.AddLast(w.rows)
	}
	if most := w.most; most != 0 && uint64(w.digest.Rows()) > most {
		return fault.Newf(fault.GrantedLimit, "the table has more than the %d rows that are agreed for one call", most)
	}
	return nil
}

// flush hands the page over, and waits while the last one but one is not written.
func (w *spooler) flush() error {
	rows := w.rows.Rows()
	select {
	case w.pages <- packed{w.rows.Take(), rows}:
		return nil
	case <-w.ended:
		return w.err
	}
}

// seal is the second goroutine. It ends at the first failure.
func (w *spooler) seal() {
	defer close(w.ended)
	for page := range w.pages {
		if w.err = w.put(page); w.err != nil {
			return
		}
	}
}

func (w *spooler) put(p packed) error {
	small := w.pack.EncodeAll(p.page, w.box[:0])
	if cap(small) <= maxSharedPage {
		w.box = small
	}
	box, err := w.sealer.Seal(small, false)
	if err != nil {
		return err
	}
	if len(box) > maxBox {
		return fault.Newf(fault.TooLong, "a row of %d bytes cannot be carried", len(p.page))
	}
	if w.hold != nil {
		if err := w.hold(uint64(len(box))); err != nil {
			return err
		}
	}
	at, err := w.write(box, p.rows)
	if err != nil {
		return err
	}
	w.whole.Pages++
	w.whole.Bytes += uint64(len(box))
	w.spool.signal(func() { w.spool.add(at, len(box), p.rows) })
	return nil
}

// stop ends the second goroutine and returns why it ended before.
func (w *spooler) stop() error {
	if !w.closed {
		w.closed = true
		close(w.pages)
	}
	<-w.ended
	return w.err
}

// finish makes the spool durable and says what is in it.
func (w *spooler) finish(salt []byte) (*whole, error) {
	if w.rows.Rows() > 0 {
		if err := w.flush(); err != nil {
			return nil, err
		}
	}
	if err := w.stop(); err != nil {
		return nil, err
	}
	// Power fails here: the offer does not say yet that the spool is whole, so it is
	// made anew.
	if err := w.spool.file.Sync(); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	w.whole.Rows = uint64(w.digest.Rows())
	w.whole.Digest = SaltedDigest(salt, w.digest.Sum())
	w.whole.Hash = w.hash.Sum(nil)
	return &w.whole, nil
}
