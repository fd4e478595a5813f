package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/cometbft/cometbft/privval"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/state/machine"
)

// A node that comes back from a backup does not know what its validator has signed
// since. To sign again at a height where it may have signed already is to sign twice,
// whatever the reason. So it abstains, and follows:
//
//	restore ─▶ abstains ─ a block that was made after the restore ─▶ votes
//	              │
//	              └ [Restoration.Newest]: the others are lost, too ─▶ listens ─▶ votes
//
// While more than two thirds of the others go on, the blocks tell when it is over: the
// time of a block is the median of the votes for the one before it. If a block is
// younger than the restore, those votes are; before them nobody could vote at its
// height, and this validator, which was not running, has not.
//
// If more than a third is lost nothing goes on by itself, and the members have to say
// up to which height anybody has blocks. Then a restored node first gets all these
// blocks, and listens at the height after them: the nodes that were not lost repeat
// the votes that they have seen there, its own among them. Those it takes over as its
// last ones; a vote that only lost machines knew cannot be held against it.
const (
	restoredFile = "restored.json"
	// restoredMargin is how much younger than the restore a block must be: clocks of
	// validators differ, and a proposal may be maxClockSkew off.
	restoredMargin = 2 * maxClockSkew
	// listenFor is how long a restored node listens to the others' votes: they repeat
	// them within milliseconds, and rounds pass in about a second.
	listenFor = 10 * time.Second
	// listenLook is how often it looks whether it has all blocks, and listenTell how often
	// it tells that it waits.
	listenLook = 50 * time.Millisecond
	listenTell = 15 * time.Second
	// voteRoom is how many votes may wait to be looked at while listening.
	voteRoom = 10_000
)

// Restoration says that a home was made from a backup, or from a snapshot with a key that
// was there before, and what its validator must wait for before it votes. It is gone when
// that has come.
type Restoration struct {
	AtMs   int64 `json:"at_ms"`  // when it was restored, of this machine's clock
	Height int64 `json:"height"` // of the backup
	// Newest is set if so many validators are lost that no block can be made without
	// those that are restored: the newest height of which any member has the block.
	// 0: the others go on.
	Newest int64 `json:"newest,omitempty"`
}

// MarkRestored writes into a home that it was restored. It has to be there before the
// store is.
func MarkRestored(home string, r Restoration) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return storeFault(durable.ReplaceFile(filepath.Join(home, restoredFile), append(raw, '\n'), 0o600), "mark %s as restored", home)
}

// ReadRestoration returns what the home's validator waits for, nil if for nothing.
func ReadRestoration(home string) (*Restoration, error) {
	path := filepath.Join(home, restoredFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, storeFault(err, "read %s", path)
	}
	r := &Restoration{}
	if err := json.Unmarshal(raw, r); err != nil || r.AtMs <= 0 || r.Newest < 0 {
		return nil, fault.Wrap(fault.Damaged, err, "%s cannot be read; without it the validator could sign two blocks of one height: restore again", path)
	}
	return r, nil
}

// Release says that the members have agreed that nobody has a block above newest: the
// restored validator of a home, whose node does not run, then need not wait for others
// who cannot go on without it. NotFound if it does not wait, Locked while it runs.
func Release(home string, newest int64) error {
	if newest < 1 {
		return fault.Newf(fault.OutOfRange, "the newest height is %d", newest)
	}
	lock, err := durable.LockDir(home, "mulian node")
	if err != nil {
		return storeFault(err, "open the node's directory %s", home)
	}
	defer lock.Unlock()
	r, err := ReadRestoration(home)
	if err != nil {
		return err
	}
	if r == nil {
		return fault.Newf(fault.NotFound, "the validator in %s waits for nothing: it was not restored, or votes already", home)
	}
	r.Newest = newest
	return MarkRestored(home, *r)
}

// forget makes what the restored validator has waited for true for good: it never signs
// up to the height, or goes on from a vote of its own.
func (l *Ledger) forget(last *privval.FilePVLastSignState, height int64) error {
	if last.Height <= height { // one above is a vote of its own that was heard
		last.Height, last.Round, last.Step, last.Signature, last.SignBytes = height, math.MaxInt32, 3, nil, nil
	}
	last.Save()
	return l.released()
}

// released removes the mark of a restored home.
func (l *Ledger) released() error {
	path := filepath.Join(l.cfg.Home, restoredFile)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return storeFault(err, "remove %s", path)
	}
	return storeFault(durable.SyncDir(l.cfg.Home), "remove %s", path)
}

var errAbstains = errors.New("restored from a backup: this validator does not sign before a block that was made after the restore")

// restoredVoter is the validator of a restored node: it abstains until it is sure not to
// sign twice. The engine calls its methods one after the other.
type restoredVoter struct {
	*privval.FilePV
	ledger *Ledger
	wait   *Restoration // nil once it votes
	log    *slog.Logger
}

// SignVote signs, or says that it abstains: the engine then goes on without the vote.
func (v *restoredVoter) SignVote(chainID string, vote *cmtproto.Vote) error {
	if err := v.abstains(); err != nil {
		return err
	}
	return v.FilePV.SignVote(chainID, vote)
}

// SignProposal likewise.
func (v *restoredVoter) SignProposal(chainID string, proposal *cmtproto.Proposal) error {
	if err := v.abstains(); err != nil {
		return err
	}
	return v.FilePV.SignProposal(chainID, proposal)
}

func (v *restoredVoter) abstains() error {
	if v.wait == nil {
		return nil
	}
	head := v.ledger.db.Head()
	if v.wait.Newest > 0 || head.UnixMs <= v.wait.AtMs+restoredMargin.Milliseconds() {
		return errAbstains
	}
	if err := v.ledger.forget(&v.LastSignState, head.Height); err != nil {
		return err
	}
	v.wait = nil
	v.log.Info("the restored validator votes again", "after", head.Height)
	return nil
}

// listen follows the chain with a validator that is silent, until the node has every
// block up to r.Newest and has heard the votes that others repeat. It leaves behind the
// last vote of its own that is known.
func listen(ctx context.Context, cfg Config, m machine.Machine, r *Restoration) (err error) {
	cfg.Metrics = nil // the node that comes after it has them
	l, err := open(ctx, cfg, m)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if l.restored == nil || l.heard == nil {
		return nil // alone: guardRestored has seen to it
	}
	l.log.Warn("restored from a backup while the chain stands still: this validator gets the blocks, listens, and then votes",
		"have", l.db.Height(), "newest", r.Newest)
	var since time.Time
	for told := time.Now(); ; {
		switch {
		case l.db.Height() < r.Newest || l.node.ConsensusReactor().WaitSync() || l.node.Switch().Peers().Size() == 0:
			since = time.Time{}
			if time.Since(told) > listenTell {
				told = time.Now()
				l.log.Warn("waiting for the blocks that other members have", "have", l.db.Height(), "newest", r.Newest, "peers", l.node.Switch().Peers().Size())
			}
		case since.IsZero():
			since = time.Now()
		case time.Since(since) > cfg.listening():
			return l.endListening()
		}
		select {
		case <-ctx.Done():
			return fault.Newf(fault.Cancelled, "stopped before the restored node had the blocks of the others: it has %d, %d is the newest", l.db.Height(), r.Newest)
		case <-l.failure.done:
			return l.failure.cause()
		case <-time.After(listenLook):
		}
	}
}

// endListening ends the silence: nothing is signed any more by the silent one, and what
// was heard is the last vote.
func (l *Ledger) endListening() error {
	height := l.db.Height()
	last := &l.restored.LastSignState
	if vote := l.heard.Load(); vote != nil && vote.Height > height && later(vote, last) {
		pb := vote.ToProto()
		last.Height, last.Round, last.Step = vote.Height, vote.Round, stepOf(vote)
		last.Signature, last.SignBytes = vote.Signature, types.VoteSignBytes(l.cfg.ChainID, pb)
		l.log.Info("heard an own vote from before the loss", "height", vote.Height, "round", vote.Round)
	}
	return l.forget(last, height)
}

// stepOf is the step of a vote as privval counts: 2 prevote, 3 precommit.
func stepOf(v *types.Vote) int8 {
	if v.Type == cmtproto.PrecommitType {
		return 3
	}
	return 2
}

// later says whether a vote comes after what was signed last.
func later(v *types.Vote, last *privval.FilePVLastSignState) bool {
	switch {
	case v.Height != last.Height:
		return v.Height > last.Height
	case v.Round != last.Round:
		return v.Round > last.Round
	}
	return stepOf(v) > last.Step
}

// hear collects the last of the validator's own votes that others repeat. It is begun
// before the engine is, so that none is missed.
func (l *Ledger) hear() error {
	ctx, stop := context.WithCancel(context.Background())
	sub, err := l.node.EventBus().Subscribe(ctx, "mulian-restored", types.EventQueryVote, voteRoom)
	if err != nil {
		stop()
		return fmt.Errorf("ledger: listen to votes: %w", err)
	}
	own := string(l.restored.GetAddress())
	l.heard = &atomic.Pointer[types.Vote]{}
	l.running.Go(func() {
		defer stop()
		var last privval.FilePVLastSignState
		for {
			select {
			case <-l.closing:
				return
			case <-sub.Canceled():
				l.log.Warn("the votes of others came faster than they could be looked at", "cause", fmt.Sprint(sub.Err()))
				l.failure.stop(sub.Err())
				return
			case msg := <-sub.Out():
				e, ok := msg.Data().(types.EventDataVote)
				if ok && string(e.Vote.ValidatorAddress) == own && later(e.Vote, &last) {
					last.Height, last.Round, last.Step = e.Vote.Height, e.Vote.Round, stepOf(e.Vote)
					l.heard.Store(e.Vote)
				}
			}
		}
	})
	return nil
}
