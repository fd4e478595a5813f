package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
	protostate "github.com/cometbft/cometbft/proto/tendermint/state"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtstate "github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/store"
	"github.com/cometbft/cometbft/types"
	"github.com/cometbft/cometbft/version"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/state"
	"mulian/state/proof"
)

// joiningDir holds what a new node has fetched so far, and the store that it builds:
//
//	joining/snapshot          what it begins with, as it came
//	joining/chunks/<SHA-256>  chunks that have their hash
//	joining/store             thrown away and begun anew after every interruption
//
// It is renamed to the node's store when all of it was compared with the trusted header. A
// node that finds a store has joined; one that does not begins, or goes on with the chunks
// that are there.
const (
	joiningDir      = "joining"
	joiningSnapshot = "snapshot"
	restoredDir     = "store"
	leavesDir       = "leaves"
)

// Sync builds the store of a new node from a snapshot that strangers give it. It believes
// only the header that its caller has verified.
//
//	NewSync ─▶ Missing, Add ×n ─▶ Install ─▶ Open
//	   │ VerificationFailed  │          │ VerificationFailed: Discard, another snapshot
type Sync struct {
	cfg    Config
	dir    string
	lock   *durable.Lock
	unzip  *zstd.Decoder
	header *types.Header
	block  *types.Block
	parts  *types.PartSet
	ec     *types.ExtendedCommit
	sets   [3]*types.ValidatorSet // of the block, of the next, of the one after it
	list   *ledgerv1.Snapshot
	l      *Ledger // names the engine's stores and the genesis; never opened
}

// NewSync begins or goes on with the joining of the node in cfg.Home, a home of [InitHome]
// and [InstallGenesis] without a store, with what a server has sent. trusted is the hash of
// the header after the snapshot, which the caller has verified.
//
// VerificationFailed if anything in it is not what that header says; AlreadyExists if the
// node has a store; Locked, Usage, DiskFull.
func NewSync(cfg Config, res *ledgerv1.GetSnapshotResponse, trusted [32]byte) (_ *Sync, err error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	s := &Sync{cfg: cfg, dir: filepath.Join(cfg.Home, joiningDir), list: &ledgerv1.Snapshot{}, l: &Ledger{cfg: cfg}}
	if s.l.genesis, err = ReadGenesis(cfg.Home); err != nil {
		return nil, err
	}
	if err := s.read(res, trusted); err != nil {
		return nil, refused(err, "the snapshot is refused")
	}
	if s.lock, err = durable.LockDir(cfg.Home, "mulian node"); err != nil {
		return nil, storeFault(err, "open the node's directory %s", cfg.Home)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if _, err := os.Stat(filepath.Join(cfg.Home, storeDir)); !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Newf(fault.AlreadyExists, "the node in %s has a store already; it goes on from there", cfg.Home)
	}
	if s.unzip, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(state.MaxChunkBytes)); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return s, s.prepare(res)
}

func refused(err error, format string, args ...any) error {
	return &fault.Fault{Code: fault.VerificationFailed, Text: fmt.Sprintf(format, args...), Err: err}
}

// read takes the answer apart and compares all of it but the chunks with the header.
func (s *Sync) read(res *ledgerv1.GetSnapshotResponse, trusted [32]byte) (err error) {
	defer func() { // the engine panics over some sets that no consortium has
		if p := recover(); p != nil {
			err = fmt.Errorf("it cannot be read: %v", p)
		}
	}()
	if proto.Size(res) > maxSnapshotBytes {
		return fmt.Errorf("%d bytes without its chunks, at most %d", proto.Size(res), maxSnapshotBytes)
	}
	var light cmtproto.LightBlock
	if err = light.Unmarshal(res.GetLightBlock()); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	next, err := types.LightBlockFromProto(&light)
	if err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if next.SignedHeader == nil || next.Header == nil || !bytes.Equal(next.Hash(), trusted[:]) {
		return errors.New("its header is not the one that was verified")
	}
	s.header = next.Header
	if err := s.readList(res.GetSnapshot()); err != nil {
		return err
	}
	if err := s.readBlock(res); err != nil {
		return err
	}
	if err := s.readSets(res.GetValidators()); err != nil {
		return err
	}
	if err := s.sets[0].VerifyCommitExtended(s.cfg.ChainID, s.header.LastBlockID, s.block.Height, s.ec); err != nil {
		return fmt.Errorf("certificate of block %d: %w", s.block.Height, err)
	}
	doc, err := s.l.genesisDoc()
	if err != nil {
		return err
	}
	if doc.ConsensusParams.Version.App = s.header.Version.App; !bytes.Equal(doc.ConsensusParams.Hash(), s.header.ConsensusHash) {
		return errors.New("the chain has other parameters than this version knows")
	}
	return s.checkProposers(next)
}

// readList reads what the snapshot holds. Height and roots are bound by the header here;
// the hashes of the chunks are shown to be right by Install.
func (s *Sync) readList(raw []byte) error {
	if err := proto.Unmarshal(raw, s.list); err != nil {
		return fmt.Errorf("list: %w", err)
	}
	m := s.list
	switch {
	case m.GetVersion() != snapshotVersion:
		return fmt.Errorf("version %d, this program knows %d", m.GetVersion(), snapshotVersion)
	case m.GetChainId() != s.cfg.ChainID:
		return fmt.Errorf("of chain %.50q, not %q", m.GetChainId(), s.cfg.ChainID)
	case m.GetHeight() != s.header.Height-1 || m.GetHeight() < 1:
		return fmt.Errorf("of height %d with a header of height %d", m.GetHeight(), s.header.Height)
	case len(m.GetTreeRoot()) != 32 || len(m.GetLogRoot()) != 32 || m.GetLogSize() < 0:
		return errors.New("roots that are none")
	case len(m.GetRecords())+len(m.GetEvents()) > maxChunks || len(m.GetRecords()) == 0:
		return fmt.Errorf("%d and %d chunks", len(m.GetRecords()), len(m.GetEvents()))
	}
	for _, h := range slices.Concat(m.GetRecords(), m.GetEvents()) {
		if len(h) != sha256.Size {
			return fmt.Errorf("a hash of %d bytes", len(h))
		}
	}
	if hash := proof.AppHash(proof.Hash(m.GetTreeRoot()), proof.Hash(m.GetLogRoot()), m.GetLogSize()); !bytes.Equal(hash[:], s.header.AppHash) {
		return fmt.Errorf("its state has the app hash %x, the header of block %d says %x", hash, s.header.Height, s.header.AppHash)
	}
	return nil
}

func (s *Sync) readBlock(res *ledgerv1.GetSnapshotResponse) error {
	var block cmtproto.Block
	if err := block.Unmarshal(res.GetBlock()); err != nil {
		return fmt.Errorf("block: %w", err)
	}
	var err error
	if s.block, err = types.BlockFromProto(&block); err != nil {
		return fmt.Errorf("block: %w", err)
	}
	if s.parts, err = s.block.MakePartSet(types.BlockPartSizeBytes); err != nil {
		return fmt.Errorf("block: %w", err)
	}
	id := types.BlockID{Hash: s.block.Hash(), PartSetHeader: s.parts.Header()}
	if s.block.Height != s.list.GetHeight() || !id.Equals(s.header.LastBlockID) {
		return fmt.Errorf("block %d is not the one that header %d names", s.block.Height, s.header.Height)
	}
	var extended cmtproto.ExtendedCommit
	if err := extended.Unmarshal(res.GetExtendedCommit()); err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	if s.ec, err = types.ExtendedCommitFromProto(&extended); err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	return nil
}

func (s *Sync) readSets(raw [][]byte) error {
	if len(raw) != len(s.sets) {
		return fmt.Errorf("%d sets of validators, not %d", len(raw), len(s.sets))
	}
	want := [3][]byte{s.block.ValidatorsHash, s.header.ValidatorsHash, s.header.NextValidatorsHash}
	for i := range raw {
		var pb cmtproto.ValidatorSet
		if err := pb.Unmarshal(raw[i]); err != nil {
			return fmt.Errorf("validators: %w", err)
		}
		set, err := types.ValidatorSetFromProto(&pb)
		if err != nil {
			return fmt.Errorf("validators: %w", err)
		}
		if !bytes.Equal(set.Hash(), want[i]) {
			return fmt.Errorf("the validators of height %d are not those of the header", s.block.Height+int64(i))
		}
		s.sets[i] = set
	}
	return nil
}

// checkProposers compares whose turn it is with who proposed: the turns are not in the hash
// of a set. One that is wrong all the same does no harm to others: this node would refuse
// proposals that are right, and follow the votes of the others.
func (s *Sync) checkProposers(next *types.LightBlock) error {
	for i, made := range []struct {
		by    []byte
		round int32
	}{{s.block.ProposerAddress, s.ec.Round}, {s.header.ProposerAddress, next.Commit.Round}} {
		if made.round == 0 && !bytes.Equal(s.sets[i].GetProposer().Address, made.by) {
			return fmt.Errorf("block %d is not of the validator whose turn it was", s.block.Height+int64(i))
		}
	}
	for i := 1; i < len(s.sets); i++ {
		if turned := s.sets[i-1].CopyIncrementProposerPriority(1); bytes.Equal(turned.Hash(), s.sets[i].Hash()) &&
			!bytes.Equal(turned.GetProposer().Address, s.sets[i].GetProposer().Address) {
			return fmt.Errorf("after the validators of height %d it is another one's turn", s.block.Height+int64(i)-1)
		}
	}
	return nil
}

// prepare makes the directory, and removes from an earlier try what is not of this snapshot.
func (s *Sync) prepare(res *ledgerv1.GetSnapshotResponse) error {
	if err := durable.MkdirPrivate(filepath.Join(s.dir, chunksDir)); err != nil {
		return storeFault(err, "make %s", s.dir)
	}
	if err := durable.ReplaceFile(filepath.Join(s.dir, joiningSnapshot), res.GetSnapshot(), 0o600); err != nil {
		return storeFault(err, "write %s", s.dir)
	}
	wanted := map[string]bool{}
	for _, h := range s.Chunks() {
		wanted[hex.EncodeToString(h)] = true
	}
	entries, err := os.ReadDir(filepath.Join(s.dir, chunksDir))
	if err != nil {
		return storeFault(err, "read %s", s.dir)
	}
	for _, e := range entries {
		if !wanted[e.Name()] {
			if err := os.Remove(filepath.Join(s.dir, chunksDir, e.Name())); err != nil {
				return storeFault(err, "remove a chunk")
			}
		}
	}
	return nil
}

// Height is that of the snapshot.
func (s *Sync) Height() int64 { return s.list.GetHeight() }

// Chunks returns the hashes of all chunks, in the order in which Install takes them.
func (s *Sync) Chunks() [][]byte { return slices.Concat(s.list.GetRecords(), s.list.GetEvents()) }

// Has reports whether a chunk was fetched already.
func (s *Sync) Has(hash []byte) bool {
	_, err := os.Stat(s.path(hash))
	return err == nil
}

func (s *Sync) path(hash []byte) string {
	return filepath.Join(s.dir, chunksDir, hex.EncodeToString(hash))
}

// Add keeps a chunk, as a server has sent it. VerificationFailed if it is not the one of that
// hash: the server lies. It may be called from several goroutines.
func (s *Sync) Add(hash, zipped []byte) error {
	if _, err := s.open(hash, zipped); err != nil {
		return err
	}
	return storeFault(durable.ReplaceFile(s.path(hash), zipped, 0o600), "keep chunk %x", hash)
}

// open unpacks a chunk, within bounds.
func (s *Sync) open(hash, zipped []byte) ([]byte, error) {
	chunk, err := s.unzip.DecodeAll(zipped, nil)
	if err != nil {
		return nil, refused(err, "chunk %x cannot be unpacked", hash)
	}
	if sum := sha256.Sum256(chunk); !bytes.Equal(sum[:], hash) {
		return nil, fault.Newf(fault.VerificationFailed, "the chunk has the hash %x, the snapshot says %x", sum, hash)
	}
	return chunk, nil
}

// Install builds the store from the chunks, compares it with the header, and makes it that of
// the node, durably. progress is called after each chunk. VerificationFailed if the state is
// not the one of the header: the list of chunks was false. Then, and after any interruption,
// nothing is left but chunks that have their hash. A validator whose key may have signed
// before abstains for a while when the node is opened, see [Restoration].
func (s *Sync) Install(ctx context.Context, progress func(done, all int)) error {
	for _, name := range []string{restoredDir, leavesDir} {
		if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
			return storeFault(err, "begin anew in %s", s.dir)
		}
	}
	if err := os.Mkdir(filepath.Join(s.dir, leavesDir), 0o700); err != nil {
		return storeFault(err, "begin in %s", s.dir)
	}
	path := filepath.Join(s.dir, restoredDir)
	// Without a log of its own: each phase is flushed as a whole before the next one.
	err := s.inStore(path, true, func(kv *pebble.DB) error { return s.fill(ctx, kv, progress) })
	if err == nil {
		err = s.inStore(path, false, s.bootstrap)
	}
	if errors.Is(err, state.ErrForged) {
		return refused(err, "the snapshot of height %d is false", s.Height())
	}
	if err != nil {
		return storeFault(err, "build the store from the snapshot of height %d", s.Height())
	}
	if err := durable.SyncDir(path); err != nil {
		return storeFault(err, "build the store")
	}
	if err := s.guardVotes(); err != nil {
		return err
	}
	// Here the joining ends: before this rename there is no node, after it there is one.
	if err := os.Rename(path, filepath.Join(s.cfg.Home, storeDir)); err != nil {
		return storeFault(err, "put the store in its place")
	}
	if err := durable.SyncDir(s.cfg.Home); err != nil {
		return storeFault(err, "put the store in its place")
	}
	return s.Discard()
}

// guardVotes sees to it that a validator that was here before the snapshot does not sign
// twice: what it has voted since the snapshot is not in it, and the file of its last vote may
// be gone or old. It then waits as after a restore (see [Restoration]), and the engine's log of
// its earlier life goes. A validator whose key was made for this node has signed nothing.
func (s *Sync) guardVotes() error {
	id, err := ReadIdentity(s.cfg.Home)
	if err != nil {
		return err
	}
	if fresh, err := unused(s.cfg.Home, id.Validator); err != nil || fresh {
		return err
	}
	s.cfg.Logger.Warn("this home's validator key was here before, and may have signed: it abstains until there is a block that is made after now",
		"height", s.Height())
	at := max(time.Now().UnixMilli(), s.block.Time.UnixMilli())
	if err := MarkRestored(s.cfg.Home, Restoration{AtMs: at, Height: s.Height()}); err != nil {
		return err
	}
	return storeFault(os.RemoveAll(filepath.Join(s.cfg.Home, walDir)), "remove the engine's log of an earlier store")
}

// inStore opens the store that is being built for one phase, and flushes it.
func (s *Sync) inStore(path string, noLog bool, do func(*pebble.DB) error) (err error) {
	opts := state.StoreOptions(s.cfg.CacheBytes)
	opts.Logger = storeLog{quiet{log: s.cfg.Logger, failure: newFailure(s.cfg.Logger)}}
	opts.DisableWAL = noLog
	kv, err := pebble.Open(path, opts)
	if err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil { // the engine's stores panic when the disk is full
			err = fmt.Errorf("the engine's stores: %v", p)
		}
		if err == nil {
			err = kv.Flush()
		}
		err = errors.Join(err, kv.Close())
	}()
	return do(kv)
}

func (s *Sync) fill(ctx context.Context, kv *pebble.DB, progress func(done, all int)) error {
	r, err := state.NewRestore(kv, []byte(statePrefix), state.Head{
		Height: s.Height(), UnixMs: s.block.Time.UnixMilli(),
		TreeRoot: proof.Hash(s.list.GetTreeRoot()), LogRoot: proof.Hash(s.list.GetLogRoot()), LogSize: s.list.GetLogSize(),
	}, filepath.Join(s.dir, leavesDir))
	if err != nil {
		return err
	}
	defer r.Close()
	all := s.Chunks()
	for i, hash := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		zipped, err := os.ReadFile(s.path(hash))
		if err != nil {
			return err
		}
		chunk, err := s.open(hash, zipped)
		if err != nil { // since Add the disk has changed it
			return errors.Join(err, os.Remove(s.path(hash)))
		}
		take := r.Records
		if i >= len(s.list.GetRecords()) {
			take = r.Events
		}
		if err := take(chunk); err != nil {
			return err
		}
		progress(i+1, len(all))
	}
	return r.Finish(ctx)
}

// bootstrap gives the engine what it has after a block: as if it had pruned all before it.
func (s *Sync) bootstrap(kv *pebble.DB) error {
	s.l.store = &shared{kv: kv, broken: func(error) {}}
	var err error
	if s.l.db, err = state.Open(kv, []byte(statePrefix), state.Options{}); err != nil {
		return err
	}
	if err := s.l.checkGenesis(); err != nil {
		return err
	}
	doc, err := s.l.genesisDoc()
	if err != nil {
		return err
	}
	params := *doc.ConsensusParams
	params.Version.App = s.header.Version.App
	engine := cmtstate.NewStore(s.l.engineDB(enginePrefix), cmtstate.StoreOptions{DiscardABCIResponses: true})
	if err := engine.Bootstrap(cmtstate.State{
		ChainID: s.cfg.ChainID, InitialHeight: doc.InitialHeight, ConsensusParams: params,
		LastBlockHeight: s.block.Height, LastBlockID: s.header.LastBlockID, LastBlockTime: s.block.Time,
		LastValidators: s.sets[0], Validators: s.sets[1], NextValidators: s.sets[2],
		LastHeightValidatorsChanged: s.header.Height + 1, LastHeightConsensusParamsChanged: s.header.Height,
		LastResultsHash: s.header.LastResultsHash, AppHash: s.header.AppHash,
		Version: protostate.Version{Consensus: s.header.Version, Software: version.TMCoreSemVer},
	}); err != nil {
		return err
	}
	store.NewBlockStore(s.l.engineDB(blocksPrefix)).SaveBlockWithExtendedCommit(s.block, s.parts, s.ec)
	return nil
}

// Discard forgets the chunks.
func (s *Sync) Discard() error {
	return storeFault(os.RemoveAll(s.dir), "remove %s", s.dir)
}

// Close gives the directory back. What was fetched stays for the next try.
func (s *Sync) Close() error {
	if s.unzip != nil {
		s.unzip.Close()
	}
	if s.lock == nil {
		return nil
	}
	lock := s.lock
	s.lock = nil
	return lock.Unlock()
}
