package trial

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/fault"
)

// placed is where a transaction was carried out.
type placed struct {
	height int64
	times  int // with success
}

// check is what must hold after every fault, with the load stopped and all members up:
//
//  1. All members come to one height with one app hash, and have the same blocks and the
//     same app hash at each height before.
//  2. Every transaction that was acknowledged is on every member, with that result at that
//     height, and its duty is in the state.
//  3. No transaction was carried out twice: not in the blocks, not in the event log, not
//     in the state. One whose outcome was unknown was carried out once or not at all.
func (g *ground) check() {
	g.Helper()
	began := time.Now()
	l := g.load
	l.mu.Lock()
	all := append([]attempt(nil), l.tries...)
	l.mu.Unlock()
	tries := all[l.checked:]
	height := g.settled(tries)
	done := g.sameBlocks(height)
	for _, a := range all[:l.checked] { // what was unknown may have come since
		if done[a.id].times > 1 {
			g.Errorf("%x was carried out %d times", a.id, done[a.id].times)
		}
	}
	acked, unknown, codes := 0, 0, map[fault.Code]int{}
	var known []attempt
	for _, a := range tries {
		p := done[a.id]
		switch {
		case p.times > 1:
			g.Errorf("%x was carried out %d times", a.id, p.times)
		case a.acked && (p.times == 0 || p.height != a.height):
			g.Errorf("%x was acknowledged by member %d in block %d and is in block %d", a.id, a.via, a.height, p.height)
		}
		if a.acked {
			acked++
			known = append(known, a)
			continue
		}
		codes[a.code]++
		if p.times == 1 {
			unknown++
		}
	}
	g.everywhere(known)
	g.sameEvents(tries, done, height)
	g.counted()
	l.checked += len(tries)
	g.Logf("checked in %s at height %d: %d acknowledged, %d not (%v), %d of those are on the chain all the same",
		time.Since(began).Round(time.Millisecond), height, acked, len(tries)-acked, codes, unknown)
}

// settled waits until all members stand at one height with one app hash, above all that
// was acknowledged.
func (g *ground) settled(tries []attempt) (height int64) {
	g.Helper()
	var top int64
	for _, a := range tries {
		top = max(top, a.height)
	}
	var last string
	var since time.Time
	g.until("the members stand at one height with one app hash", func() bool {
		var now string
		for m := 1; m <= 4; m++ {
			s, err := g.client(m).Status(g.Context())
			if err != nil || s.GetHeight() < top {
				return false
			}
			height = s.GetHeight()
			at := fmt.Sprintf("%d %x", height, s.GetAppHash())
			if m > 1 && at != now {
				return false
			}
			now = at
		}
		if now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > 300*time.Millisecond // what waited in a mempool has come through
	})
	return height
}

// sameBlocks compares the blocks and app hashes of all members above those that were
// compared before, and returns where each transaction was carried out.
func (g *ground) sameBlocks(height int64) map[[32]byte]placed {
	g.Helper()
	sums := make([][][32]byte, 5)
	done := g.load.done
	g.each(func(m int) {
		for h := g.load.scanned + 1; h <= height; h++ {
			b, err := g.client(m).Ledger.GetBlock(g.Context(), connect.NewRequest(&ledgerv1.GetBlockRequest{Height: h}))
			if err != nil {
				g.Errorf("member %d: block %d: %v", m, h, err)
				return
			}
			head, err := g.client(m).Ledger.GetHeader(g.Context(), connect.NewRequest(&ledgerv1.GetHeaderRequest{Height: h}))
			if err != nil {
				g.Errorf("member %d: header %d: %v", m, h, err)
				return
			}
			raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(b.Msg)
			if err != nil {
				g.Error(err)
			}
			sums[m] = append(sums[m], sha256.Sum256(append(raw, head.Msg.GetAppHash()...)))
			for i, env := range b.Msg.GetEnvelopes() {
				var e txv1.Envelope
				if m != 1 || proto.Unmarshal(env, &e) != nil || b.Msg.GetOutcomes()[i].GetCode() != 0 {
					continue
				}
				id := client.ID(e.GetBody())
				done[id] = placed{height: h, times: done[id].times + 1}
			}
		}
	})
	for m := 2; m <= 4; m++ {
		for i := range min(len(sums[1]), len(sums[m])) {
			if sums[m][i] != sums[1][i] {
				g.Fatalf("members 1 and %d have different blocks or app hashes at height %d", m, g.load.scanned+1+int64(i))
			}
		}
	}
	g.load.scanned = height
	return done
}

// each does the same with every member, at once.
func (g *ground) each(do func(m int)) {
	var all sync.WaitGroup
	for m := 1; m <= 4; m++ {
		all.Go(func() { do(m) })
	}
	all.Wait()
}

// everywhere looks up each acknowledged transaction on each member, and its duty.
func (g *ground) everywhere(acked []attempt) {
	g.Helper()
	g.each(func(m int) {
		for _, a := range acked {
			res, err := g.client(m).Ledger.GetTx(g.Context(), connect.NewRequest(&ledgerv1.GetTxRequest{TxId: a.id[:]}))
			if err != nil {
				g.Errorf("LOST: %x was acknowledged by member %d at %s and member %d says: %v", a.id, a.via, a.sent.Format(time.TimeOnly), m, err)
				continue
			}
			if o := res.Msg.GetOutcome(); o.GetCode() != 0 || res.Msg.GetHeight() != a.height {
				g.Errorf("%x was acknowledged at height %d; member %d has it at %d with code %d", a.id, a.height, m, res.Msg.GetHeight(), o.GetCode())
			}
			var d cataloguev1.Duty
			if ok, err := g.client(m).Get(g.Context(), "catalogue/duty/"+a.duty, &d); err != nil || !ok || d.GetVersion() != 1 {
				g.Errorf("the duty %s of an acknowledged transaction: %t %v, %v", a.duty, ok, &d, err)
			}
		}
	})
}

// sameEvents reads the event log of every member up to the height: all are equal, and a
// transaction that was carried out has its two events once.
func (g *ground) sameEvents(tries []attempt, done map[[32]byte]placed, height int64) {
	g.Helper()
	sums := make([][]byte, 5)
	count := map[string]int{}
	g.each(func(m int) {
		h := sha256.New()
		for from := int64(0); ; {
			res, err := g.client(m).Ledger.ListEvents(g.Context(), connect.NewRequest(&ledgerv1.ListEventsRequest{From: from, Limit: 1000}))
			if err != nil {
				g.Errorf("member %d: events from %d: %v", m, from, err)
				return
			}
			for _, ev := range res.Msg.GetEvents() {
				if ev.GetHeight() > height { // what waited in a mempool still comes
					continue
				}
				raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(ev)
				if err != nil {
					g.Error(err)
				}
				h.Write(raw)
				if m == 1 {
					count[string(ev.GetTxId())]++
				}
			}
			if from = res.Msg.GetNext(); len(res.Msg.GetEvents()) == 0 || from >= res.Msg.GetSize() {
				break
			}
		}
		sums[m] = h.Sum(nil)
	})
	for m := 2; m <= 4; m++ {
		if !bytes.Equal(sums[m], sums[1]) {
			g.Errorf("members 1 and %d have different events", m)
		}
	}
	for _, a := range tries {
		if got, want := count[string(a.id[:])], 2*min(done[a.id].times, 1); got != want {
			g.Errorf("%x has %d events, want %d", a.id, got, want)
		}
	}
}

// counted holds each writer's counted duty against the duties of its transactions: one
// that the state took twice, or half, would make the two differ. It asks again while
// something still comes.
func (g *ground) counted() {
	g.Helper()
	g.until("each writer's duties are as many as the state has counted", func() bool {
		have, version := map[string]int{}, map[string]int{}
		err := g.client(1).List(g.Context(), "catalogue/duty/", func(key string, value []byte) bool {
			id := strings.TrimPrefix(key, "catalogue/duty/")
			if writer, _, one := strings.Cut(id, "-"); one {
				have[writer]++
				return true
			}
			var d cataloguev1.Duty
			if err := proto.Unmarshal(value, &d); err != nil {
				g.Error(err)
			}
			version[id] = int(d.GetVersion())
			return true
		})
		return err == nil && maps.Equal(have, version)
	})
}
