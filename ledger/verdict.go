package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"

	"mulian/internal/sm"
)

// recent is a map that forgets: it holds at least the last n and at most the last 2n
// keys, each with 32 bytes.
type recent struct {
	n        int
	mu       sync.RWMutex
	new, old map[[32]byte][32]byte // guarded by mu
}

func newRecent(n int) *recent { return &recent{n: n, new: map[[32]byte][32]byte{}} }

func (r *recent) add(k, v [32]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.new) >= r.n {
		r.old, r.new = r.new, make(map[[32]byte][32]byte, r.n)
	}
	r.new[k] = v
}

func (r *recent) get(k [32]byte) (v [32]byte, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if v, ok = r.new[k]; !ok {
		v, ok = r.old[k]
	}
	return v, ok
}

func (r *recent) has(k [32]byte) bool {
	_, ok := r.get(k)
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
	v.good.add(k, [32]byte{})
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
		v.good.add(k, [32]byte{})
	}
	return ok
}

// verdictKey names the question, with lengths so that parts cannot shift.
func verdictKey(public sm.PublicKey, message, signature []byte) [32]byte {
	pub := public.Bytes()
	b := make([]byte, 0, 1024) // on the stack, and enough for most transactions
	b = append(b, byte(public.Algorithm()))
	b = binary.BigEndian.AppendUint64(b, uint64(len(pub)))
	b = binary.BigEndian.AppendUint64(b, uint64(len(message)))
	b = append(b, pub...)
	b = append(b, message...)
	b = append(b, signature...)
	return sha256.Sum256(b)
}
