package ledger_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/ledger/ledgertest"
)

func TestSameTransactionIsCarriedOutOnceHoweverOftenItIsSent(t *testing.T) {
	c := ledgertest.NewChain(t, t.TempDir(), 1)
	l := c.Open(t, 0)
	raw := ledgertest.Tx(t, "once", "1")
	var all sync.WaitGroup
	var mu sync.Mutex
	heights := map[int64]int{}
	for range 20 {
		all.Go(func() {
			done := submit(t, l, raw)
			mu.Lock()
			defer mu.Unlock()
			heights[done.Height]++
		})
	}
	all.Wait()
	if len(heights) != 1 {
		t.Errorf("answers from heights %v, want one", heights)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = c.Open(t, 0)
	first := submit(t, l, raw)
	if heights[first.Height] == 0 || first.Code != fault.OK {
		t.Errorf("after restart the answer is %+v, before %v", first, heights)
	}
	if n := value(t, l, "count/once"); n != "1" {
		t.Errorf("carried out %s times", n)
	}
}

// Two envelopes over one body are one transaction: SM2 signatures are random.
func TestSecondSignatureOverTheSameBodyIsARepetition(t *testing.T) {
	l := ledgertest.NewChain(t, t.TempDir(), 1).Open(t, 0)
	p := ledgertest.Put{Key: "body", Value: "1", ExpiresMs: time.Now().Add(time.Minute).UnixMilli(), Salt: 9}
	var all sync.WaitGroup
	heights := make([]int64, 8)
	for i := range heights {
		raw, err := ledgertest.Sign(ledgertest.ChainID, ledgertest.Key(1), p)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			c := submit(t, l, raw)
			if c.Code != fault.OK {
				t.Errorf("answered with %v", c.Code)
			}
			heights[i] = c.Height
		})
	}
	all.Wait()
	for _, h := range heights {
		if h != heights[0] {
			t.Errorf("answers from heights %v, want one", heights)
			break
		}
	}
	if n := value(t, l, "count/body"); n != "1" {
		t.Errorf("carried out %s times", n)
	}
}

func TestRefusalsBeforeAndInTheBlock(t *testing.T) {
	l := ledgertest.NewChain(t, t.TempDir(), 1).Open(t, 0)
	sign := func(chain string, p ledgertest.Put) []byte {
		raw, err := ledgertest.Sign(chain, ledgertest.Key(1), p)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	soon := time.Now().Add(time.Minute).UnixMilli()
	forged := sign(ledgertest.ChainID, ledgertest.Put{Key: "f", Value: "1", ExpiresMs: soon})
	forged[len(forged)-1] ^= 1
	for _, c := range []struct {
		name string
		raw  []byte
		want fault.Code
	}{
		{"expired", sign(ledgertest.ChainID, ledgertest.Put{Key: "e", Value: "1", ExpiresMs: time.Now().UnixMilli() - 1}), fault.Expired},
		{"too far ahead", sign(ledgertest.ChainID, ledgertest.Put{Key: "e", Value: "2", ExpiresMs: soon + 3_600_000}), fault.OutOfRange},
		{"other chain", sign("another", ledgertest.Put{Key: "e", Value: "3", ExpiresMs: soon}), fault.WrongChain},
		{"forged", forged, fault.BadAuthorisation},
		{"garbage", []byte("garbage"), fault.Malformed},
		{"empty", nil, fault.Malformed},
		{"too large", make([]byte, ledger.MaxTxBytes+1), fault.TooLong},
	} {
		before := l.Height()
		done, err := l.Submit(context.Background(), c.raw)
		if fault.CodeOf(err) != c.want {
			t.Errorf("%s: %+v, %v; want %v", c.name, done, err, c.want)
		}
		if l.Height() > before+1 { // the proof block of the genesis may come late
			t.Errorf("%s: made a block", c.name)
		}
	}
	for value, want := range map[string]fault.Code{"refuse": fault.OutOfRange, "panic": fault.Internal} {
		raw := ledgertest.Tx(t, "r", value)
		if c := submit(t, l, raw); c.Code != want {
			t.Errorf("%s: %+v, want %v", value, c, want)
		}
	}
	if value(t, l, "never") != "" || value(t, l, "r") != "" {
		t.Error("writes of a refused transaction were kept")
	}
	refused := ledgertest.Tx(t, "r", "refuse")
	first := submit(t, l, refused)
	if again := submit(t, l, refused); again.Height != first.Height || again.Code != fault.OutOfRange {
		t.Errorf("a refused transaction is answered with %+v, then %+v", first, again)
	}
	if c := submit(t, l, ledgertest.Tx(t, "r", "fine")); c.Code != fault.OK {
		t.Errorf("after all that: %+v", c)
	}
}

func TestForgedEnvelopeDoesNotSpendTheIDOfTheTrueOne(t *testing.T) {
	l := ledgertest.NewChain(t, t.TempDir(), 1).Open(t, 0)
	raw := ledgertest.Tx(t, "id", "1")
	forged := append([]byte(nil), raw...)
	forged[len(forged)-1] ^= 1
	if _, err := l.Submit(context.Background(), forged); !fault.Is(err, fault.BadAuthorisation) {
		t.Fatalf("forged: %v", err)
	}
	if c := submit(t, l, raw); c.Code != fault.OK {
		t.Errorf("the true one: %+v", c)
	}
}

func TestSubmitEndsWithItsContext(t *testing.T) {
	// Two validators, one runs: no block can be made.
	l := ledgertest.NewChain(t, t.TempDir(), 2).Open(t, 0)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_, err := l.Submit(ctx, ledgertest.Tx(t, "never", "1"))
	if !fault.Is(err, fault.Timeout) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	stopped := make(chan error)
	go func() {
		_, err := l.Submit(context.Background(), ledgertest.Tx(t, "never", "2"))
		stopped <- err
	}()
	time.Sleep(50 * time.Millisecond) // let it wait; if it does not yet, Close answers the same
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-stopped; !fault.Is(err, fault.Timeout) {
		t.Errorf("on close: %v", err)
	}
}

// What was admitted in time and comes into a block too late is refused there.
func TestExpiryIsJudgedByTheBlock(t *testing.T) {
	chain := ledgertest.NewChain(t, t.TempDir(), 2)
	for i := range chain.Configs {
		// The second node does not let the late one in; if it proposes, it waits for others.
		chain.Configs[i].Heartbeat = 500 * time.Millisecond
	}
	l := chain.Open(t, 0) // alone it makes no block
	raw, err := ledgertest.Sign(ledgertest.ChainID, ledgertest.Key(1), ledgertest.Put{Key: "late", Value: "1", ExpiresMs: time.Now().UnixMilli() + 500})
	if err != nil {
		t.Fatal(err)
	}
	answer := make(chan *ledger.Committed, 1)
	go func() {
		c, err := l.Submit(context.Background(), raw)
		if err != nil {
			t.Error(err)
		}
		answer <- c
	}()
	time.Sleep(3 * time.Second) // beyond the expiry and staleAfter: the block's time is real time
	chain.Open(t, 1)
	if c := <-answer; c == nil || c.Code != fault.Expired {
		t.Errorf("answered with %+v", c)
	}
	if value(t, l, "late") != "" {
		t.Error("carried out after its expiry")
	}
}

func TestSleepingChainMakesNoBlocks(t *testing.T) {
	l := ledgertest.NewChain(t, t.TempDir(), 1).Open(t, 0)
	if l.Height() < 1 {
		t.Error("a chain of one is open without its first block")
	}
	c := submit(t, l, ledgertest.Tx(t, "a", "1"))
	reach(t, l, c.Height+1) // carries the app hash
	time.Sleep(200 * time.Millisecond)
	if got := l.Height(); got != c.Height+1 {
		t.Errorf("height %d after the transaction in %d", got, c.Height)
	}
}
