package ledger

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	abci "github.com/cometbft/cometbft/abci/types"
	cmtconfig "github.com/cometbft/cometbft/config"
	cmtlog "github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/mempool"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtstate "github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/types"
)

// discard is a log that nobody reads.
var discard = slog.New(slog.DiscardHandler)

// OnDisk returns cfg with its store on that disk.
func OnDisk(cfg Config, disk vfs.FS) Config {
	cfg.disk = disk
	return cfg
}

// Holding returns cfg with room for so few waiting transactions.
func Holding(cfg Config, pending int) Config {
	cfg.pending = pending
	return cfg
}

// Gossip hands the node a transaction as a peer does.
func Gossip(l *Ledger, tx []byte) error {
	return l.node.Mempool().CheckTx(tx, nil, mempool.TxInfo{SenderID: 1})
}

// DropState removes our state from a store and leaves the engine's blocks: what a
// node finds that has lost all that was not fsynced.
func DropState(dir string) error {
	kv, err := pebble.Open(dir, &pebble.Options{Logger: storeLog{quiet{log: discard}}})
	if err != nil {
		return err
	}
	end := []byte(statePrefix)
	end[len(end)-1]++
	if err := kv.DeleteRange([]byte(statePrefix), end, pebble.Sync); err != nil {
		return err
	}
	return kv.Close()
}

// DamageState changes the head of our state.
func DamageState(dir string) error {
	kv, err := pebble.Open(dir, &pebble.Options{Logger: storeLog{quiet{log: discard}}})
	if err != nil {
		return err
	}
	head := []byte(statePrefix + "m")
	v, closer, err := kv.Get(head)
	if err != nil {
		return err
	}
	torn := append([]byte(nil), v...)
	torn[20] ^= 1 // in the root of the tree
	if err := errors.Join(closer.Close(), kv.Set(head, torn, pebble.Sync)); err != nil {
		return err
	}
	return kv.Close()
}

// Refuses reports whether the node votes against a proposal with these transactions
// and block time, in a chain of two validators.
func Refuses(l *Ledger, txs [][]byte, at time.Time, afterSleep bool) (bool, error) {
	l.app.voters.Store(2)
	l.app.woke.Store(-1)
	if afterSleep {
		l.app.woke.Store(99)
	}
	res, err := l.app.ProcessProposal(context.Background(), &abci.RequestProcessProposal{Height: 100, Time: at, Txs: txs})
	return !res.IsAccepted(), err
}

// Proposes returns what the node would propose of these transactions.
func Proposes(l *Ledger, txs [][]byte, at time.Time, maxBytes int64) ([][]byte, error) {
	res, err := l.app.PrepareProposal(context.Background(), &abci.RequestPrepareProposal{Height: 100, Time: at, Txs: txs, MaxTxBytes: maxBytes})
	return res.GetTxs(), err
}

// VoteRefused reports whether the node takes a precommit with that extension.
func VoteRefused(l *Ledger, height int64, block, extension []byte) (bool, error) {
	res, err := l.app.VerifyVoteExtension(context.Background(), &abci.RequestVerifyVoteExtension{Height: height, Hash: block, VoteExtension: extension})
	return !res.IsAccepted(), err
}

// Extension returns the node's own vote extension.
func Extension(l *Ledger, height int64, block []byte) ([]byte, error) {
	res, err := l.app.ExtendVote(context.Background(), &abci.RequestExtendVote{Height: height, Hash: block})
	return res.GetVoteExtension(), err
}

// Admits reports whether the node lets a peer with that id connect.
func Admits(l *Ledger, path string) (bool, error) {
	res, err := l.app.Query(context.Background(), &abci.RequestQuery{Path: path})
	return res.IsOK(), err
}

// Listening returns cfg of a node that listens so long to others after a restore.
func Listening(cfg Config, d time.Duration) Config {
	cfg.listen = d
	return cfg
}

// Accused returns how many proofs of two votes of one height the node has.
func Accused(l *Ledger) int {
	list, _ := l.node.EvidencePool().PendingEvidence(1 << 20)
	return len(list)
}

// Shares is the counting of what waits by account, with a clock of the test's.
type Shares struct{ s *shares }

// What an account may have waiting.
const (
	AccountShare = accountShare
	AloneShare   = aloneShare
	WantsIn      = wantsIn
)

func NewShares(now func() time.Time) Shares { return Shares{newShares(now)} }

// Take admits one transaction, if there is room.
func (s Shares) Take(account string, n byte, m int) error {
	if err := s.s.room(account, accountShare); err != nil {
		return err
	}
	return s.s.take([32]byte{n, byte(m), byte(m >> 8)}, account, accountShare)
}

// Done is a block with one transaction while so many wait.
func (s Shares) Done(n byte, m, waited int) {
	s.s.done([]doneTx{{raw: [32]byte{n, byte(m), byte(m >> 8)}}}, waited)
}

// TakeTogether asks for room for n transactions before the first of them is counted.
func (s Shares) TakeTogether(account string, n int) (told, in int) {
	for range n {
		if s.s.room(account, accountShare) == nil {
			told++
		}
	}
	for i := range told {
		if s.s.take([32]byte{7, byte(i), byte(i >> 8)}, account, accountShare) == nil {
			in++
		}
	}
	return told, in
}

// ReclaimAfter has the node give back room after so many dropped heights.
func ReclaimAfter(l *Ledger, heights int64) { l.every.Store(heights) }

// Lie is a node's answers to its engine, some of which a test has replaced.
type Lie struct {
	abci.Application
	Propose  func(honest [][]byte) [][]byte // what it proposes instead
	Hash     func(honest []byte) []byte     // the app hash that it claims
	Sanction func([]byte) []byte            // the extension that its votes have
}

// Lying returns cfg of a node that lies so. It finds every proposal good.
func Lying(cfg Config, lie Lie) Config {
	cfg.tamper = func(honest abci.Application) abci.Application {
		l := lie
		l.Application = honest
		return &l
	}
	return cfg
}

// PrepareProposal implements [abci.Application].
func (l *Lie) PrepareProposal(ctx context.Context, req *abci.RequestPrepareProposal) (*abci.ResponsePrepareProposal, error) {
	res, err := l.Application.PrepareProposal(ctx, req)
	if err == nil && l.Propose != nil {
		res.Txs = l.Propose(res.Txs)
	}
	return res, err
}

// ProcessProposal implements [abci.Application].
func (l *Lie) ProcessProposal(context.Context, *abci.RequestProcessProposal) (*abci.ResponseProcessProposal, error) {
	return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_ACCEPT}, nil
}

// FinalizeBlock implements [abci.Application].
func (l *Lie) FinalizeBlock(ctx context.Context, req *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	res, err := l.Application.FinalizeBlock(ctx, req)
	if err == nil && l.Hash != nil {
		res.AppHash = l.Hash(res.AppHash)
	}
	return res, err
}

// ExtendVote implements [abci.Application].
func (l *Lie) ExtendVote(ctx context.Context, req *abci.RequestExtendVote) (*abci.ResponseExtendVote, error) {
	res, err := l.Application.ExtendVote(ctx, req)
	if err == nil && l.Sanction != nil {
		res.VoteExtension = l.Sanction(res.VoteExtension)
	}
	return res, err
}

// Travelled returns how many transactions peers have sent, and how many of them were here
// already.
func Travelled(l *Ledger) (came, twice int64) { return l.gossip.came.Load(), l.gossip.twice.Load() }

// RefusalOf is the fault of a node whose engine is to take a decided block of that time.
func RefusalOf(l *Ledger, at time.Time) error {
	st, err := l.engine.Load()
	if err != nil {
		return err
	}
	blocks := l.node.BlockStore()
	b, err := st.MakeBlock(st.LastBlockHeight+1, nil, blocks.LoadSeenCommit(st.LastBlockHeight), nil, st.Validators.GetProposer().Address)
	if err != nil {
		return err
	}
	b.Time = at.UTC()
	exec := cmtstate.NewBlockExecutor(l.engine, cmtlog.NewNopLogger(), nil, nil, l.node.EvidencePool(), blocks,
		cmtstate.BlockExecutorWithBlockTimeTolerance(cmtconfig.DefaultConsensusConfig().BlockTimeTolerance))
	f := newFailure(l.log)
	f.stop(exec.ValidateBlock(st, b))
	return f.cause()
}

// Accuse hands the node the proof that the validator of a home has signed twice at a height.
func Accuse(l *Ledger, home string, height int64) error {
	secrets, err := loadKeys(home)
	if err != nil {
		return err
	}
	set, err := l.engine.LoadValidators(height)
	if err != nil {
		return err
	}
	address := secrets.validator.PubKey().Address()
	index, _ := set.GetByAddress(address)
	var votes [2]*types.Vote
	for i := range votes {
		hash := bytes.Repeat([]byte{byte(i + 1)}, 32)
		v := &types.Vote{
			Type: cmtproto.PrevoteType, Height: height, Timestamp: time.Now().UTC(), ValidatorAddress: address, ValidatorIndex: index,
			BlockID: types.BlockID{Hash: hash, PartSetHeader: types.PartSetHeader{Total: 1, Hash: hash}},
		}
		if v.Signature, err = secrets.validator.Sign(types.VoteSignBytes(l.cfg.ChainID, v.ToProto())); err != nil {
			return err
		}
		votes[i] = v
	}
	proof, err := types.NewDuplicateVoteEvidence(votes[0], votes[1], l.node.BlockStore().LoadBlockMeta(height).Header.Time, set)
	if err != nil {
		return err
	}
	return l.node.EvidencePool().AddEvidence(proof)
}
