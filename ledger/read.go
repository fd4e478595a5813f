package ledger

import (
	"encoding/hex"
	"errors"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"mulian/internal/fault"
	"mulian/state"
	"mulian/state/proof"
)

func hexID(id [32]byte) string { return hex.EncodeToString(id[:]) }

// enter begins a read, which leave ends. It refuses when the node has failed or is
// closed.
func (l *Ledger) enter() error {
	if err := l.failure.cause(); err != nil {
		return err
	}
	if !l.store.enter() {
		return fault.Newf(fault.Unreachable, "the node is stopping")
	}
	return nil
}

func (l *Ledger) leave() { l.store.leave() }

// Tx tells what became of a transaction, false while it is in no block.
func (l *Ledger) Tx(id [32]byte) (*Committed, bool, error) {
	if err := l.enter(); err != nil {
		return nil, false, err
	}
	defer l.leave()
	view := l.app.latest.get()
	defer l.app.latest.put(view)
	return lookup(view.Snapshot, id) // each id is asked for once: not worth remembering
}

// State returns the state, for reading.
func (l *Ledger) State() *state.DB { return l.db }

// View returns the state after the last block; the caller closes it, before the
// ledger.
func (l *Ledger) View() *state.Snapshot { return l.db.View() }

// At returns the state after the block at height; 0 means the last one. Pruned or
// NotFound (not yet there). The caller closes it.
func (l *Ledger) At(height int64) (*state.Snapshot, error) {
	if height == 0 {
		return l.db.View(), nil
	}
	s, err := l.db.At(height)
	switch {
	case errors.Is(err, state.ErrPruned):
		return nil, fault.Newf(fault.Pruned, "the state at height %d is no longer kept here", height)
	case errors.Is(err, state.ErrFuture):
		return nil, fault.Newf(fault.NotFound, "there is no height %d yet; the last one is %d", height, l.db.Height())
	}
	return s, storeFault(err, "read the state at height %d", height)
}

// ProveKey returns the latest value of a key, or its absence, with the proof. Its
// Height is chosen so that the header of Height+1, which carries the app hash, is
// there or comes by itself within milliseconds: an empty block changes nothing in
// the state, so that the proof may hang on an earlier header.
func (l *Ledger) ProveKey(key []byte) (*proof.Key, error) {
	if err := l.enter(); err != nil {
		return nil, err
	}
	defer l.leave()
	view := l.db.View()
	defer view.Close()
	p, err := view.Prove(key)
	if err != nil {
		return nil, storeFault(err, "prove %.64q", key)
	}
	p.Height = l.headerBefore(view.Head())
	return p, nil
}

// ProveEvent returns the proof that the event is in the log of the first size
// events, 0 = all. For all it leads to the app hash of header Height+1, like
// [Ledger.ProveKey]. NotFound if there is no such event.
func (l *Ledger) ProveEvent(seq, size int64) (*proof.Event, error) {
	if err := l.enter(); err != nil {
		return nil, err
	}
	defer l.leave()
	p, err := l.db.ProveEvent(seq, size)
	if errors.Is(err, state.ErrNoEvent) {
		if has := l.db.Events(); size == 0 || seq >= has {
			return nil, fault.Newf(fault.NotFound, "the log has no event %d; it has %d, from 0", seq, has)
		}
		return nil, fault.Newf(fault.NotFound, "the first %d events of the log do not have event %d", size, seq)
	}
	if err != nil {
		return nil, storeFault(err, "prove event %d", seq)
	}
	if head := l.db.Head(); p.Height > 0 && head.Height == p.Height {
		p.Height = l.headerBefore(head)
	}
	return p, nil
}

// headerBefore returns the height h so that the header of h+1 carries the app hash
// of head.
func (l *Ledger) headerBefore(head state.Head) int64 {
	hash := head.AppHash()
	meta := l.node.BlockStore().LoadBlockMeta(head.Height)
	if meta != nil && string(meta.Header.AppHash) == string(hash[:]) {
		return head.Height - 1
	}
	return head.Height
}

// Header is a signed header, checkable by whoever knows the validators.
type Header struct {
	Height     int64
	TimeMs     int64
	AppHash    []byte // state after Height-1
	LightBlock []byte // cometbft.types.v1.LightBlock, protobuf
}

// Header returns the header of a block with its commit and validators; 0 means the
// last one. Pruned or NotFound. Headers at which the validators changed are never pruned.
func (l *Ledger) Header(height int64) (*Header, error) { return l.header(height, false) }

// HeaderFrom is Header, or of the first header above height that is here, if that one is
// pruned.
func (l *Ledger) HeaderFrom(height int64) (*Header, error) { return l.header(height, true) }

func (l *Ledger) header(height int64, orLater bool) (*Header, error) {
	if err := l.enter(); err != nil {
		return nil, err
	}
	defer l.leave()
	if height == 0 {
		height = l.Height()
	}
	h, err := l.storedHeader(height)
	if !fault.Is(err, fault.Pruned) {
		return h, err
	}
	at, light, kerr := l.keptFrom(height)
	switch {
	case kerr != nil:
		return nil, kerr
	case light != nil && (at == height || orLater):
		return readHeader(at, light)
	case orLater:
		return l.storedHeader(l.node.BlockStore().Base())
	}
	return nil, err
}

// readHeader is a header that was copied aside.
func readHeader(height int64, light []byte) (*Header, error) {
	var pb cmtproto.LightBlock
	if err := pb.Unmarshal(light); err != nil || pb.SignedHeader == nil || pb.SignedHeader.Header == nil {
		return nil, fault.Wrap(fault.Damaged, errors.Join(err, errIncomplete), "read header %d", height)
	}
	h := pb.SignedHeader.Header
	return &Header{Height: height, TimeMs: h.Time.UnixMilli(), AppHash: h.AppHash, LightBlock: light}, nil
}

// storedHeader makes a header of what the engine keeps.
func (l *Ledger) storedHeader(height int64) (*Header, error) {
	blocks := l.node.BlockStore()
	if err := l.kept(height); err != nil {
		return nil, err
	}
	meta := blocks.LoadBlockMeta(height)
	commit := blocks.LoadBlockCommit(height)
	if commit == nil { // the last block: its commit is not in a block yet
		commit = blocks.LoadSeenCommit(height)
	}
	validators, err := l.engine.LoadValidators(height)
	if meta == nil || commit == nil || err != nil {
		if errKept := l.kept(height); errKept != nil { // pruned meanwhile
			return nil, errKept
		}
		return nil, fault.Wrap(fault.Damaged, errors.Join(err, errIncomplete), "read header %d", height)
	}
	light := types.LightBlock{SignedHeader: &types.SignedHeader{Header: &meta.Header, Commit: commit}, ValidatorSet: validators}
	pb, err := light.ToProto()
	if err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "read header %d", height)
	}
	raw, err := pb.Marshal()
	return &Header{Height: height, TimeMs: meta.Header.Time.UnixMilli(), AppHash: meta.Header.AppHash, LightBlock: raw},
		fault.Wrap(fault.Damaged, err, "read header %d", height)
}

var errIncomplete = errors.New("header, commit or validators are missing")

// kept refuses heights that are not in the block store.
func (l *Ledger) kept(height int64) error {
	blocks := l.node.BlockStore()
	if last := blocks.Height(); height < 1 || height > last {
		return fault.Newf(fault.NotFound, "there is no block %d; the last one is %d", height, last)
	}
	if first := blocks.Base(); height < first {
		return fault.Newf(fault.Pruned, "block %d is no longer kept here; the oldest one is %d", height, first)
	}
	return nil
}

// Block is a block's content.
type Block struct {
	Height    int64
	TimeMs    int64
	Hash      []byte
	Envelopes [][]byte
	Results   []*Committed // one for each envelope
}

// Block returns a block's transactions and results. Pruned or NotFound.
func (l *Ledger) Block(height int64) (*Block, error) {
	if err := l.enter(); err != nil {
		return nil, err
	}
	defer l.leave()
	if height == 0 {
		height = l.Height()
	}
	if err := l.kept(height); err != nil {
		return nil, err
	}
	b := l.node.BlockStore().LoadBlock(height)
	if b == nil {
		return nil, l.kept(height)
	}
	out := &Block{Height: height, TimeMs: b.Time.UnixMilli(), Hash: b.Hash()}
	view := l.db.View()
	defer view.Close()
	for i, tx := range b.Txs {
		out.Envelopes = append(out.Envelopes, tx)
		c, err := l.resultAt(view, tx, height, uint32(i))
		if err != nil {
			return nil, err
		}
		out.Results = append(out.Results, c)
	}
	return out, nil
}

// resultAt finds what became of an envelope at its place.
func (l *Ledger) resultAt(view state.View, tx []byte, height int64, index uint32) (*Committed, error) {
	id, err := l.machine.ID(tx)
	if err == nil {
		c, ok, err := lookup(view, id)
		if err != nil || ok && c.Height == height && c.Index == index {
			return c, err
		}
	}
	b, ok := view.Get(unspentKey(height, index))
	if !ok {
		return nil, fault.Newf(fault.NotFound, "the state of block %d is not committed yet", height)
	}
	return parseCommitted(id, b)
}

// Envelope returns the bytes of a committed transaction, Pruned if its block is no
// longer kept.
func (l *Ledger) Envelope(c *Committed) ([]byte, error) {
	if err := l.enter(); err != nil {
		return nil, err
	}
	defer l.leave()
	if err := l.kept(c.Height); err != nil {
		return nil, err
	}
	b := l.node.BlockStore().LoadBlock(c.Height)
	if b == nil || int(c.Index) >= len(b.Txs) {
		return nil, fault.Newf(fault.Damaged, "block %d has no transaction %d", c.Height, c.Index)
	}
	return b.Txs[c.Index], nil
}

// Height returns the last block whose state is committed.
func (l *Ledger) Height() int64 { return l.db.Height() }

// Status is how the node is.
type Status struct {
	ChainID    string
	Height     int64
	TimeMs     int64 // of the last block
	AppHash    [32]byte
	Events     int64
	Validators int
	Peers      int
	CatchingUp bool
	Pending    int   // transactions that wait for a block
	Committed  int64 // transactions since the start
	Votes      Votes // of the last block; where the chain stands still, of the round that is tried
	Stalled    bool  // transactions wait, and no block was made for a while
	DiskBytes  uint64
	StartedMs  int64
	OldestKept int64 // oldest block here
}

// Status returns how the node is.
func (l *Ledger) Status() Status {
	head := l.db.Head()
	return Status{
		ChainID: l.cfg.ChainID, Height: head.Height, TimeMs: head.UnixMs, AppHash: head.AppHash(), Events: head.LogSize,
		Validators: int(l.app.voters.Load()), Peers: l.node.Switch().Peers().Size(),
		CatchingUp: l.node.ConsensusReactor().WaitSync(), Pending: l.node.Mempool().Size(),
		Committed: l.figures.count.Load(), Votes: l.present(), Stalled: l.stalled(),
		DiskBytes: l.store.kv.Metrics().DiskSpaceUsage(), StartedMs: l.started.UnixMilli(), OldestKept: l.node.BlockStore().Base(),
	}
}

// Prune keeps the last n heights of blocks and history from now on, and drops older
// ones: the history before it returns, the blocks with the next ones made. It gives
// the room back to the file system as far as that goes. n = 0 keeps all that is there.
func (l *Ledger) Prune(n int64) error {
	if err := l.enter(); err != nil {
		return err
	}
	defer l.leave()
	if n < 0 {
		return fault.Newf(fault.OutOfRange, "keep %d heights", n)
	}
	l.keep.Store(n)
	if n == 0 {
		return nil
	}
	for from := l.db.Height() - n + 1; ; {
		oldest, err := l.db.Oldest()
		if err != nil || oldest >= from {
			if err != nil {
				return storeFault(err, "prune")
			}
			break
		}
		if err := l.db.Prune(from); err != nil {
			return storeFault(err, "prune")
		}
	}
	// Deleted keys hold their room until a compaction reaches them (cometbft#1972).
	return storeFault(l.engineDB(blocksPrefix).Compact(nil, nil), "compact the blocks")
}

// Checkpoint writes a complete copy of the store, blocks and state of one moment, to
// a directory that must not exist. With the key files and the genesis it is a backup,
// and the seed of another node; without validator_state.json only of a node with
// other keys. Durable when it returns.
func (l *Ledger) Checkpoint(dir string) error {
	if err := l.enter(); err != nil {
		return err
	}
	defer l.leave()
	return storeFault(l.db.Checkpoint(dir), "write a checkpoint to %s", dir)
}
