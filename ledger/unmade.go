package ledger

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"time"

	"mulian/internal/fault"
)

// The engine says in words alone why it does not take a block that the others have decided
// on. Two of the reasons lie with this machine, and its operator can mend them; tests hold
// that the engine of this version says it so.
var (
	tooEarly = regexp.MustCompile(`block time (\S+ \S+) \+0000 UTC is too far in the future \(wall clock`)
	noHeader = regexp.MustCompile(`don't have header #(\d+)`)
)

const engineTime = "2006-01-02 15:04:05.999999999"

// invalidBlock is what the engine logs, while it takes blocks from others, of one that more
// than two thirds have signed and that it refuses all the same. It asks for it again for ever.
const invalidBlock = "Error in validation"

// unmade is the fault of a node whose engine cannot take a decided block for a reason of
// this machine's, nil for any other. now is this machine's clock.
//
// Evidence of a validator that signed twice is judged by the header and the validators of
// that height. A node that begins with a snapshot has none before it, so a block with
// evidence of an earlier height, up to 48 hours or 100,000 blocks, is one that it cannot
// check.
func unmade(cause error, now time.Time) error {
	if m := tooEarly.FindStringSubmatch(cause.Error()); m != nil {
		if at, err := time.Parse(engineTime, m[1]); err == nil {
			return fault.Newf(fault.ClockWrong, "this node's clock is %.0f s behind the chain: set it (timedatectl set-ntp true), then start the node again",
				math.Ceil(at.Sub(now).Seconds()))
		}
	}
	if m := noHeader.FindStringSubmatch(cause.Error()); m != nil {
		return &fault.Fault{Code: fault.Pruned, Err: cause, Text: fmt.Sprintf("a block proves that a validator signed twice at height %s, "+
			"which is before the snapshot that this node began with: it cannot check that. Begin again with a snapshot that was made after that block: "+
			"remove node/store, node/wal and index.db*, then mulian node init --from", m[1])}
	}
	return nil
}

// awaitGenesis waits for the time of the genesis, as the engine would, but says so and can
// be stopped; and it says if the clock is behind what is stored.
func (l *Ledger) awaitGenesis(ctx context.Context) error {
	genesis, last := time.UnixMilli(l.cfg.GenesisTimeMs), time.UnixMilli(l.db.Head().UnixMs)
	if behind := time.Until(last); l.db.Height() > 0 && behind > maxClockSkew {
		l.log.Warn("this node's clock is behind its own last block: set it (timedatectl set-ntp true)", "seconds", math.Ceil(behind.Seconds()), "block", last.UTC().Format(time.RFC3339))
	}
	wait := time.Until(genesis)
	if wait <= 0 {
		return nil
	}
	l.log.Warn("this node's clock is before the genesis of the chain, for which it waits: if the chain runs already, set the clock (timedatectl set-ntp true)",
		"seconds", math.Ceil(wait.Seconds()), "genesis", genesis.UTC().Format(time.RFC3339))
	for { // in steps: when the clock is set, the wait is another one
		select {
		case <-ctx.Done():
			return fault.Newf(fault.ClockWrong, "stopped while this node's clock was %.0f s before the genesis of the chain", math.Ceil(wait.Seconds()))
		case <-time.After(min(wait, time.Second)):
		}
		if wait = genesis.Sub(time.Now().Round(0)); wait <= 0 {
			return nil
		}
	}
}
