package ledger

import (
	"bytes"
	"encoding/hex"
	"slices"
	"sync"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"

	"mulian/internal/tracing"
)

// paceKept is how many blocks' moments are remembered: whoever waits for a block reads
// them as soon as he is answered. Our own choice.
const paceKept = 64

// pace is when the last blocks went through this node by its own clock, and who voted for
// the last one. It costs a few looks at the clock for each block, none for a transaction.
type pace struct {
	me []byte // the validator's address

	mu     sync.Mutex // guards the rest
	blocks [paceKept]moments
	last   time.Time // of the last block that was made while we were there
	votes  Votes
	missed map[string]uint64 // blocks without a vote since the start, by address
}

// moments of one block.
type moments struct {
	height                              int64
	proposed, began, carried, committed time.Time
}

// Votes tells who voted for a block. Powers are those of the validators of its height.
type Votes struct {
	Height int64 // 0: no block with votes yet
	// Total is the power of all validators, Signed of those whose vote is in the commit.
	// Blocks go on while Signed is above two thirds of Total.
	Total, Signed int64
	// Missing are the addresses of the validators without a vote, in hex, sorted.
	Missing []string
	// Mine tells of this node's own validator; false where it is none, too.
	Mine, IsValidator bool
}

func newPace(me []byte) *pace { return &pace{me: me, missed: map[string]uint64{}} }

// of returns the moments of a block; zero if they are forgotten.
func (p *pace) of(height int64) moments {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.blocks[height%paceKept]; m.height == height {
		return m
	}
	return moments{}
}

// at notes a moment of a block.
func (p *pace) at(height int64, which func(*moments) *time.Time) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	m := &p.blocks[height%paceKept]
	if m.height != height {
		*m = moments{height: height}
	}
	if t := which(m); t.IsZero() { // a second round proposes again; the first look counts
		*t = now
	}
}

func (m *moments) proposal() *time.Time { return &m.proposed }
func (m *moments) begin() *time.Time    { return &m.began }
func (m *moments) carry() *time.Time    { return &m.carried }
func (m *moments) commit() *time.Time   { return &m.committed }

// voted notes who voted for the block before.
func (p *pace) voted(height int64, commit abci.CommitInfo) {
	if len(commit.Votes) == 0 {
		return // the first block has none
	}
	v := Votes{Height: height - 1}
	all := make([]string, 0, len(commit.Votes))
	for _, one := range commit.Votes {
		all = append(all, hex.EncodeToString(one.Validator.Address))
		v.Total += one.Validator.Power
		mine := bytes.Equal(one.Validator.Address, p.me)
		v.IsValidator = v.IsValidator || mine
		if one.BlockIdFlag == cmtproto.BlockIDFlagCommit {
			v.Signed += one.Validator.Power
			v.Mine = v.Mine || mine
			continue
		}
		v.Missing = append(v.Missing, hex.EncodeToString(one.Validator.Address))
	}
	slices.Sort(v.Missing)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.votes = v
	for _, who := range all {
		p.missed[who] += 0 // so that one who never missed is there, too
	}
	for _, who := range v.Missing {
		p.missed[who]++
	}
}

// interval returns the time since the block before, 0 for the first one.
func (p *pace) interval() time.Duration {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.last
	if p.last = now; before.IsZero() {
		return 0
	}
	return now.Sub(before)
}

func (p *pace) lastVotes() Votes {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.votes
	v.Missing = slices.Clone(v.Missing)
	return v
}

// missedBy returns how many blocks each validator has not voted for since the start.
func (p *pace) missedBy() map[string]uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[string]uint64, len(p.missed))
	for who, n := range p.missed {
		out[who] = n
	}
	return out
}

// tell adds the way of a transaction through its block to the span of who sent it, which
// was queued at a moment. It waited until a proposal, was carried out when the votes were
// there, and is on the ledger when its state is committed.
func (p *pace) tell(s tracing.Span, height int64, queued time.Time) {
	m := p.of(height)
	if m.committed.IsZero() {
		return // long ago, or on another node
	}
	from := m.proposed
	if from.IsZero() || from.Before(queued) {
		from = queued // it reached the proposer through another node
	}
	s.Number("mulian.height", height)
	s.Past("ledger/mempool", queued, from)
	s.Past("ledger/propose", from, m.began)
	s.Past("ledger/block", m.began, m.carried)
	s.Past("ledger/commit", m.carried, m.committed)
	s.Past("ledger/answer", m.committed, time.Now())
}
