package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"

	"mulian/internal/sm"
)

// recent is a set that forgets: it holds at least the last n and at most the last
// 2n members.
type recent struct {
	n        int
	mu       sync.Mutex
	new, old map[[32]byte]struct{} // guarded by mu
}

func newRecent(n int) *recent { return &recent{n: n, new: map[[32]byte]struct{}{}} }

func (r *recent) add(k [32]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.new) >= r.n {
		r.old, r.new = r.new, make(map[[32]byte]struct{}, r.n)
	}
	r.new[k] = struct{}{}
}

func (r *recent) has(k [32]byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.new[k]; ok {
		return true
	}
	_, ok := r.old[k]
	return ok
}

// verdicts remembers which signatures hold. Only good ones: a bad one costs its
// sender's admission again.
type verdicts struct {
	good *recent
	gate chan struct{} // one token for each processor
}

func newVerdicts(processors int) *verdicts {
	return &verdicts{good: newRecent(verdictsKept), gate: make(chan struct{}, processors)}
}

// check is [machine.Env.Verify]. It is called in the order of blocks and does not
// wait for anybody.
func (v *verdicts) check(public sm.PublicKey, message, signature []byte) bool {
	k := verdictKey(public, message, signature)
	if v.good.has(k) {
		return true
	}
	if !public.Verify(message, signature) {
		return false
	}
	v.good.add(k)
	return true
}

// checkGated is check for admission: at most as many at once as there are
// processors, so that the goroutines that make blocks are not starved.
func (v *verdicts) checkGated(public sm.PublicKey, message, signature []byte) bool {
	k := verdictKey(public, message, signature)
	if v.good.has(k) {
		return true
	}
	v.gate <- struct{}{}
	ok := public.Verify(message, signature)
	<-v.gate
	if ok {
		v.good.add(k)
	}
	return ok
}

// verdictKey names the question, with lengths so that parts cannot shift.
func verdictKey(public sm.PublicKey, message, signature []byte) (k [32]byte) {
	h := sha256.New()
	pub := public.Bytes()
	var n [17]byte
	n[0] = byte(public.Algorithm())
	binary.BigEndian.PutUint64(n[1:], uint64(len(pub)))
	binary.BigEndian.PutUint64(n[9:], uint64(len(message)))
	h.Write(n[:])
	h.Write(pub)
	h.Write(message)
	h.Write(signature)
	h.Sum(k[:0])
	return k
}
