package ledger

import (
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/cometbft/cometbft/consensus"
	"github.com/cometbft/cometbft/types"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// findRounds keeps the engine's state of rounds, which it hands out to its own RPC server
// only; we do not start that.
func (l *Ledger) findRounds() error {
	env, err := l.node.ConfigureRPC()
	if err != nil {
		return fmt.Errorf("ledger: the engine's state of rounds: %w", err)
	}
	rounds, ok := env.ConsensusState.(*consensus.State)
	if !ok {
		return fmt.Errorf("ledger: the engine's state of rounds is a %T", env.ConsensusState)
	}
	l.rounds = rounds
	return nil
}

// stalled reports whether the chain stands still: transactions wait, and no block was made
// for a while. A chain on which nobody does anything rests; that is no trouble.
func (l *Ledger) stalled() bool {
	if l.node.Mempool().Size() == 0 || l.node.ConsensusReactor().WaitSync() {
		return false
	}
	l.app.pace.mu.Lock()
	last := l.app.pace.last
	l.app.pace.mu.Unlock()
	if last.IsZero() {
		last = l.started
	}
	return time.Since(last) > stalledAfter
}

// present returns who voted for the last block; where the chain stands still, who votes in
// the rounds that are tried now. Only then the engine is asked: its lock is held while a
// block is carried out.
func (l *Ledger) present() Votes {
	v := l.app.pace.lastVotes()
	if !l.stalled() {
		return v
	}
	rs := l.rounds.GetRoundState()
	if rs.Validators == nil || rs.Votes == nil {
		return v
	}
	now := Votes{Height: rs.Height}
	heard := map[int]bool{}
	// The votes of this round may not be here yet: of the last one, too.
	for round := max(0, rs.Round-1); round <= rs.Round; round++ {
		for _, set := range []*types.VoteSet{rs.Votes.Prevotes(round), rs.Votes.Precommits(round)} {
			if set == nil {
				continue
			}
			for i := range set.Size() {
				if set.GetByIndex(int32(i)) != nil {
					heard[i] = true
				}
			}
		}
	}
	for i, one := range rs.Validators.Validators {
		mine := slices.Equal([]byte(one.Address), l.app.pace.me)
		now.Total += one.VotingPower
		now.IsValidator = now.IsValidator || mine
		if heard[i] {
			now.Signed += one.VotingPower
			now.Mine = now.Mine || mine
		} else {
			now.Missing = append(now.Missing, hex.EncodeToString(one.Address))
		}
	}
	slices.Sort(now.Missing)
	return now
}

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// missing tells how many blocks each validator has not voted for: at most one line for
// each validator that there was.
type missing struct{ l *Ledger }

var (
	missedDesc    = prometheus.NewDesc("mulian_ledger_votes_missed_total", "Blocks for which a validator's vote is not in the commit, since this node's start, by the validator's address.", []string{"validator"}, nil)
	ownMissedDesc = prometheus.NewDesc("mulian_ledger_own_votes_missed_total", "Blocks for which this node's own vote is not in the commit, since its start.", nil, nil)
)

// Describe is prometheus.Collector's.
func (m missing) Describe(out chan<- *prometheus.Desc) { out <- missedDesc; out <- ownMissedDesc }

// Collect is prometheus.Collector's.
func (m missing) Collect(out chan<- prometheus.Metric) {
	missed := m.l.app.pace.missedBy()
	for who, n := range missed {
		out <- prometheus.MustNewConstMetric(missedDesc, prometheus.CounterValue, float64(n), who)
	}
	out <- prometheus.MustNewConstMetric(ownMissedDesc, prometheus.CounterValue, float64(missed[hex.EncodeToString(m.l.app.pace.me)]))
}

// fsyncs is how long the store's log takes to be on the disk: what the store itself has
// counted, in fewer classes.
type fsyncs struct{ l *Ledger }

var fsyncDesc = prometheus.NewDesc("mulian_ledger_fsync_seconds", "Time of one fsync of the store's log.", nil, nil)

// fsyncBounds are the classes that are told, in seconds; the store has a hundred.
var fsyncBounds = []float64{.0002, .0005, .001, .002, .004, .008, .016, .032, .064, .128, .256, .512, 1, 4}

// Describe is prometheus.Collector's.
func (f fsyncs) Describe(out chan<- *prometheus.Desc) { out <- fsyncDesc }

// Collect is prometheus.Collector's.
func (f fsyncs) Collect(out chan<- prometheus.Metric) {
	if f.l.enter() != nil {
		return
	}
	defer f.l.leave()
	h := f.l.store.kv.Metrics().LogWriter.FsyncLatency
	var m dto.Metric
	if h == nil || h.Write(&m) != nil {
		return
	}
	fine, coarse := m.GetHistogram().GetBucket(), map[float64]uint64{}
	for _, bound := range fsyncBounds {
		var n uint64 // of those who are surely within the bound
		for _, b := range fine {
			if b.GetUpperBound() <= bound+1e-9 {
				n = b.GetCumulativeCount()
			}
		}
		coarse[bound] = n
	}
	out <- prometheus.MustNewConstHistogram(fsyncDesc, m.GetHistogram().GetSampleCount(), m.GetHistogram().GetSampleSum(), coarse)
}
