package ledger

import (
	"sync"
	"time"

	"mulian/internal/fault"
)

// Shares of the mempool; our own choices.
const (
	// accountShare is how many transactions of one account may wait for a block while
	// others want in, too. Blocks then stay short, and whoever sends one waits for two of
	// them, however many another one sends: measured with `mulian bench ledger --flood`.
	// Thirty-two accounts that use theirs up fill the largest block that is worth it.
	accountShare = 64
	// peerShare is the same for what peers send: they cannot know what else came from
	// where. Several honest nodes' shares have room in it.
	peerShare = 16 * accountShare
	// aloneShare is what an account may have when it is alone: the next one that comes
	// finds room.
	aloneShare = maxPending / 2
	// wantsIn is how long an account counts as one that wants in after it sent something.
	wantsIn = time.Second
)

// shares counts what waits for a block, by account. An account that is alone may fill the
// mempool; if others want in, it has a share and no more, and is told to come again.
type shares struct {
	now   func() time.Time
	mu    sync.Mutex
	of    map[string]int      // transactions that wait; guarded by mu, as all below
	who   map[[32]byte]string // by SHA-256 of the envelope: whose it is
	last  sender
	other sender // the last one that is not last
}

// sender is who sent something, and when.
type sender struct {
	account string
	at      time.Time
}

func newShares(now func() time.Time) *shares {
	return &shares{now: now, of: map[string]int{}, who: map[[32]byte]string{}}
}

// room refuses with Busy an account that has used its share up. It is asked before the
// signature costs anything, and so changes nothing: anybody can name an account.
func (s *shares) room(account string, share int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hasRoom(account, share)
}

// hasRoom is room for who holds mu.
func (s *shares) hasRoom(account string, share int) error {
	n := s.of[account]
	if n < share || n < aloneShare && s.alone(account) {
		return nil
	}
	return fault.Newf(fault.Busy, "%d transactions of %.100s wait already, and others want in, too; send again when some of them are in a block", n, account)
}

// alone tells whether nobody else has sent anything lately. The caller holds mu.
func (s *shares) alone(account string) bool {
	x := s.last
	if x.account == account {
		x = s.other
	}
	return x.account == "" || s.now().Sub(x.at) > wantsIn
}

// take counts a transaction whose signature holds, or refuses as room does: many may have
// been told at once that there is room.
func (s *shares) take(raw [32]byte, account string, share int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last.account != account {
		s.other = s.last
	}
	s.last = sender{account, s.now()}
	if _, there := s.who[raw]; there {
		return nil
	}
	if err := s.hasRoom(account, share); err != nil {
		return err
	}
	s.who[raw] = account
	s.of[account]++
	return nil
}

// give takes back what does not wait: it was not queued after all.
func (s *shares) give(raw [32]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone(raw)
}

// gone forgets one transaction. The caller holds mu.
func (s *shares) gone(raw [32]byte) {
	account, there := s.who[raw]
	if !there {
		return
	}
	delete(s.who, raw)
	if s.of[account]--; s.of[account] == 0 {
		delete(s.of, account)
	}
}

// done forgets the transactions of a block. If no more than these have waited it forgets
// all: also what the engine has dropped without a word.
func (s *shares) done(block []doneTx, waited int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range block {
		s.gone(block[i].raw)
	}
	if waited <= len(block) {
		clear(s.who)
		clear(s.of)
	}
}
