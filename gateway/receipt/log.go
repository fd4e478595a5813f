package receipt

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/protobuf/proto"

	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// Config says where a log is and whose it is. All fields are required but
// Earlier and the last two.
type Config struct {
	Dir     string        // of this log alone; made if absent, mode 0700
	Gateway string        // account whose log it is
	Origin  string        // of its checkpoints, as on the ledger
	Key     sm.PrivateKey // Ed25519, signs the checkpoints
	// Earlier signs them, too: the key before, until it ends. Zero: there is none.
	Earlier sm.PrivateKey
	Logger  *slog.Logger // nil: slog.Default
	// Secrecy returns the orders of secrecy of an agreement, as the ledger has them; nil
	// if there is none. Records of accesses are sealed while one holds. nil: none ever is.
	Secrecy func(ctx context.Context, agreement string) (*tracev1.Secrecy, error)
}

// Log is one gateway's access log. It is safe for concurrent use.
type Log struct {
	cfg     Config
	lock    *durable.Lock
	journal *journal
	tree    *tree
	// openings is what was taken out of sealed records: never served, and published record
	// by record ([Log.Publish]).
	openings *journal
	lost     error // why some of it can never be; set by Open

	queue   chan *pending  // to write
	leaves  chan leafBatch // to integrate
	stop    chan struct{}  // closed by Close
	gone    chan struct{}  // closed when the writer has ended
	writers sync.WaitGroup // write, integrate

	mu         sync.RWMutex       // guards the fields below; not held during disk work
	offsets    []int64            // of each record in the journal
	recent     []said             // of the last records; at least maxAnchorRecords, if there are so many
	of         map[string]history // by agreement
	kept       map[uint64][]int64 // offsets in openings, by place
	secrets    map[uint64]Secret  // sealed and not published, by place
	integrated uint64             // records in the tree
	err        error              // the first failure; nothing is appended after
	grown      chan struct{}      // closed and replaced when integrated rises
}

// history is the records of one agreement.
type history struct {
	last    uint64   // number of the latest decision
	decided uint64   // its place
	at      []uint64 // index of each record, in order
}

// Entry is one record as it stands in the log.
type Entry struct {
	Index uint64
	// Record is the whole record, with the content of a sealed one, as far as this gateway
	// has it: for its own use. What others may see of it is Raw.
	Record  *tracev1.AccessRecord
	Raw     []byte           // its canonical bytes, the leaf
	Opening *tracev1.Opening // of a sealed record; nil: it is not sealed, or lost
}

// pending is records that wait to be written together: one, or a decision and its end.
type pending struct {
	records  []*tracev1.AccessRecord // as they will stand in the log
	whole    []*tracev1.AccessRecord // of sealed ones; nil: not sealed
	openings []*tracev1.Opening      // of sealed ones
	done     chan struct{}
	entries  []Entry
	err      error
}

type leafBatch struct {
	first uint64
	raw   [][]byte
}

// Open opens or makes the log, checks that journal and tree agree, and brings the
// tree up to the journal. Locked if another process has it; Damaged if the tree is
// not that of the journal.
func Open(ctx context.Context, cfg Config) (*Log, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	var signers []*checkpointSigner
	for _, k := range []sm.PrivateKey{cfg.Key, cfg.Earlier} {
		if k.Algorithm() == 0 {
			continue
		}
		s, err := newCheckpointSigner(cfg.Origin, k)
		if err != nil {
			return nil, err
		}
		signers = append(signers, s)
	}
	if err := durable.MkdirPrivate(cfg.Dir); err != nil {
		return nil, err
	}
	lock, err := durable.LockDir(cfg.Dir, "access log of "+cfg.Gateway)
	if err != nil {
		return nil, fault.Wrap(fault.Locked, err, "access log")
	}
	l := &Log{
		cfg: cfg, lock: lock, queue: make(chan *pending, maxWaiting), leaves: make(chan leafBatch, treeQueue),
		stop: make(chan struct{}), gone: make(chan struct{}), of: map[string]history{}, grown: make(chan struct{}),
		kept: map[uint64][]int64{}, secrets: map[uint64]Secret{},
	}
	if err := l.restore(ctx, signers); err != nil {
		lock.Unlock()
		return nil, err
	}
	l.writers.Go(l.write)
	l.writers.Go(l.integrate)
	return l, nil
}

// decides tells whether a record is a decision, which takes the agreement's next
// number. The others say how a granted one ended, under its number.
func decides(o tracev1.Outcome) bool {
	return o == tracev1.Outcome_OUTCOME_GRANTED || o == tracev1.Outcome_OUTCOME_REFUSED
}

// note takes a durable record into the indexes. A decision must have the next number.
func (l *Log) note(offset int64, raw []byte) error {
	var r tracev1.AccessRecord
	if err := proto.Unmarshal(raw, &r); err != nil {
		return fault.Wrap(fault.Damaged, err, "access log: record %d", len(l.offsets))
	}
	return l.noted(offset, &r)
}

// noted is note for a record that was just encoded.
func (l *Log) noted(offset int64, r *tracev1.AccessRecord) error {
	if r.Place != 0 && r.Place != uint64(len(l.offsets))+1 {
		return fault.Newf(fault.Damaged, "access log: record %d names %d as its place", len(l.offsets), r.Place)
	}
	if a := r.GetAgreement(); a != "" {
		h := l.of[a]
		switch {
		case decides(r.Outcome) && r.Seq == h.last+1:
			h.last, h.decided = h.last+1, uint64(len(l.offsets))+1
		case !decides(r.Outcome) && r.Seq > 0 && r.Seq <= h.last:
		default:
			return fault.Newf(fault.Damaged, "access log: record %d has number %d of agreement %s after number %d", len(l.offsets), r.Seq, a, h.last)
		}
		h.at = append(h.at, uint64(len(l.offsets)))
		l.of[a] = h
	}
	l.noteSaid(r)
	l.noteSecret(r)
	l.offsets = append(l.offsets, offset)
	return nil
}

// Append adds a copy of the record with the gateway set, and the time where it has
// none. A decision (GRANTED, REFUSED) under an agreement gets the next number; an
// end (COMPLETED, FAILED) has the number of its decision from the caller. When it
// returns nil the record is durable. If ctx ends first the record may be in the log
// all the same.
func (l *Log) Append(ctx context.Context, r *tracev1.AccessRecord) (Entry, error) {
	entries, err := l.append(ctx, r)
	if err != nil {
		return Entry{}, err
	}
	return entries[0], nil
}

// AppendWhole is Append for a decision and its end at once, under one number, one
// behind the other: for an answer that is ready before it is released. When it returns
// nil both are durable. The power may fail so that the decision alone is there.
func (l *Log) AppendWhole(ctx context.Context, decision, end *tracev1.AccessRecord) (d, e Entry, err error) {
	if !decides(decision.GetOutcome()) || decides(end.GetOutcome()) || decision.GetAgreement() == "" || end.GetAgreement() != decision.GetAgreement() {
		return Entry{}, Entry{}, fault.Newf(fault.OutOfRange, "a decision and its end: %s and %s", decision.GetOutcome(), end.GetOutcome())
	}
	entries, err := l.append(ctx, decision, end)
	if err != nil {
		return Entry{}, Entry{}, err
	}
	return entries[0], entries[1], nil
}

func (l *Log) append(ctx context.Context, records ...*tracev1.AccessRecord) ([]Entry, error) {
	p := &pending{done: make(chan struct{})}
	for i, r := range records {
		r = proto.CloneOf(r)
		r.Gateway = l.cfg.Gateway
		if i == 0 { // what follows has its number from it
			if err := l.admit(r); err != nil {
				return nil, err
			}
		}
		if r.AtMs == 0 {
			r.AtMs = time.Now().UnixMilli()
		}
		if i > 0 && p.whole[0] != nil {
			r.Sealed = &tracev1.Sealed{Order: p.records[0].Sealed.Order}
		}
		whole, opening, err := l.seal(ctx, r)
		if err != nil {
			return nil, err
		}
		if n := proto.Size(r); n > MaxRecordBytes-64 { // room for number and place
			return nil, fault.Newf(fault.TooLong, "an access record of %d bytes, at most %d", n, MaxRecordBytes-64)
		}
		p.records, p.whole, p.openings = append(p.records, r), append(p.whole, whole), append(p.openings, opening)
	}
	if err := l.Err(); err != nil {
		return nil, err
	}
	select {
	case l.queue <- p:
	case <-l.stop:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case <-p.done:
		return p.entries, p.err
	case <-l.gone: // it may have been the writer's last
		select {
		case <-p.done:
			return p.entries, p.err
		default:
			return nil, errClosed
		}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// admit refuses a record that could not be read back.
func (l *Log) admit(r *tracev1.AccessRecord) error {
	if decides(r.Outcome) || r.Agreement == "" {
		r.Seq = 0
		return nil
	}
	if last := l.Last(r.Agreement); r.Seq == 0 || r.Seq > last {
		return fault.Newf(fault.OutOfRange, "an end of access %d of agreement %s, which has had %d", r.Seq, r.Agreement, last)
	}
	return nil
}

var errClosed = fault.Newf(fault.Cancelled, "the access log is closed")

// write owns the journal: it numbers what waits and writes it in one piece.
func (l *Log) write() {
	defer close(l.leaves)
	defer close(l.gone)
	for {
		select {
		case p := <-l.queue:
			l.writeBatch(l.collect(p))
		case <-l.stop:
			for {
				select {
				case p := <-l.queue:
					l.finish([]*pending{p}, errClosed)
				default:
					return
				}
			}
		}
	}
}

// collect takes what waits. It gives way once to those who are about to append: an fsync
// costs more than their turn.
func (l *Log) collect(first *pending) []*pending {
	batch := []*pending{first}
	for gaveWay := false; len(batch) < maxBatch; {
		select {
		case p := <-l.queue:
			batch = append(batch, p)
			continue
		default:
		}
		if gaveWay {
			break
		}
		gaveWay = true
		runtime.Gosched()
	}
	return batch
}

func (l *Log) writeBatch(batch []*pending) {
	if err := l.Err(); err != nil {
		l.finish(batch, err)
		return
	}
	raw, err := l.number(batch)
	if err == nil {
		err = l.keepOpenings(batch)
	}
	if err == nil {
		// Power fails here: whole frames of this batch may be there at the next start.
		// Then they count: a record of what was not released is no harm, the reverse is.
		var offset int64
		if offset, err = l.journal.append(raw...); err == nil {
			err = l.take(offset, batch)
		}
	}
	if err != nil {
		err = l.fail(fmt.Errorf("access log: %w", err))
	}
	l.finish(batch, err)
	if err == nil {
		l.leaves <- leafBatch{first: batch[0].entries[0].Index, raw: raw}
	}
}

// number gives each record its place in the log and its number within the agreement.
func (l *Log) number(batch []*pending) ([][]byte, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	ahead := map[string]history{} // of this batch
	var raw [][]byte
	for _, p := range batch {
		for i, r := range p.records {
			a := r.Agreement
			r.Place, r.Previous = uint64(len(l.offsets)+len(raw))+1, 0
			switch {
			case i > 0:
				r.Seq = p.records[0].Seq
			case a != "" && decides(r.Outcome):
				h, has := ahead[a]
				if !has {
					h = l.of[a]
				}
				r.Seq, r.Previous = h.last+1, h.decided
				ahead[a] = history{last: r.Seq, decided: r.Place}
			}
			b, err := canon.Marshal(r)
			if err != nil {
				return nil, err
			}
			e := Entry{Index: uint64(len(l.offsets) + len(raw)), Record: r, Raw: b, Opening: p.openings[i]}
			if w := p.whole[i]; w != nil {
				w.Seq, w.Place, w.Previous, w.Sealed = r.Seq, r.Place, r.Previous, r.Sealed
				e.Record = w
			}
			p.entries = append(p.entries, e)
			raw = append(raw, b)
		}
	}
	return raw, nil
}

func (l *Log) take(offset int64, batch []*pending) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range batch {
		for _, e := range p.entries {
			if err := l.noted(offset, e.Record); err != nil {
				return err
			}
			offset += frameHead + int64(len(e.Raw))
		}
	}
	return nil
}

func (l *Log) finish(batch []*pending, err error) {
	for _, p := range batch {
		if p.err = err; err != nil {
			p.entries = nil
		}
		close(p.done)
	}
}

// integrate owns the growth of the tree. The first record of a quiet time is in it at
// once; while more come it grows every treeEvery, by all of them.
func (l *Log) integrate() {
	var grew time.Time
	for b := range l.leaves {
		b.raw = append(b.raw[:len(b.raw):len(b.raw)], l.waitingLeaves(treeEvery-time.Since(grew))...)
		if l.Err() != nil && l.Err() != errClosed {
			continue // the rest comes at the next start
		}
		if err := l.tree.grow(context.Background(), b.first, b.raw); err != nil {
			l.fail(err)
			continue
		}
		grew = time.Now()
		l.mu.Lock()
		l.integrated = b.first + uint64(len(b.raw))
		close(l.grown)
		l.grown = make(chan struct{})
		l.mu.Unlock()
	}
}

// waitingLeaves takes what comes within the time, and what came while the tree was
// growing: it grows by all of it at once. It does not wait when the log ends.
func (l *Log) waitingLeaves(wait time.Duration) (raw [][]byte) {
	timer := time.NewTimer(max(wait, 0))
	defer timer.Stop()
	late, stop := timer.C, l.stop
	for len(raw) < treeBatch {
		select {
		case b, ok := <-l.leaves:
			if !ok {
				return raw
			}
			raw = append(raw, b.raw...)
			continue
		default:
		}
		if late == nil {
			return raw
		}
		select {
		case b, ok := <-l.leaves:
			if !ok {
				return raw
			}
			raw = append(raw, b.raw...)
		case <-late:
			late = nil
		case <-stop:
			late, stop = nil, nil
		}
	}
	return raw
}

// fail stops the log and returns why it first stopped.
func (l *Log) fail(err error) error {
	// Tessera passes on only the text of what the system says.
	if strings.Contains(err.Error(), syscall.ENOSPC.Error()) {
		err = fault.Wrap(fault.DiskFull, err, "the disk of the access log is full")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
		l.cfg.Logger.Error("the access log has stopped; nothing is released until it is opened anew", "err", err)
	}
	return l.err
}

// Err tells why the log takes no more records; nil if it does.
func (l *Log) Err() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.err
}

// Lost tells whether content that was sealed was found to be lost at Open: Damaged. It keeps
// nobody from being served; [Log.Publish] of such a record fails.
func (l *Log) Lost() error { return l.lost }

// Close ends the log after what was being written. Appends then fail.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.err == nil {
		l.err = errClosed
	} else if l.err == errClosed {
		l.mu.Unlock()
		return nil
	}
	l.mu.Unlock()
	close(l.stop)
	l.writers.Wait()
	err := l.tree.close()
	for _, j := range []*journal{l.journal, l.openings} {
		if jerr := j.close(); err == nil {
			err = jerr
		}
	}
	if uerr := l.lock.Unlock(); err == nil {
		err = uerr
	}
	return err
}
