package trial

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"connectrpc.com/connect"

	"mulian/client"
	"mulian/client/keyring"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

const (
	// writersEach of every member send one transaction after the other.
	writersEach = 2
	// sendEvery is a writer's pause: some hundred transactions in a second in all, far
	// below what the consortium bears, so that what is slow is slow because of the fault.
	sendEvery = 40 * time.Millisecond
	// sendWait is how long a writer waits for an answer. Then the outcome is unknown.
	sendWait = 5 * time.Second
)

// attempt is one transaction that was sent, once.
type attempt struct {
	id     [32]byte
	duty   string
	writer string
	via    int
	sent   time.Time
	acked  bool
	height int64
	code   fault.Code // if it was not acknowledged
}

// load writes. Each transaction of a writer files a duty of its own, and puts its number
// into the writer's one counted duty: the version of that one is how many of them the
// state has taken, so a transaction that was applied twice shows there.
type load struct {
	g       *ground
	clients []*client.Client // by member
	signers []client.Signer
	record  *os.File // one line for each acknowledgement, before it counts

	mu      sync.Mutex
	numbers map[string]int      // guarded by mu: by writer
	tries   []attempt           // guarded by mu
	checked int                 // of tries; owned by the test
	scanned int64               // blocks that were compared; owned by the test
	done    map[[32]byte]placed // what those carried out; owned by the test

	end context.CancelFunc
	all sync.WaitGroup
}

func newLoad(g *ground) *load {
	g.Helper()
	l := &load{g: g, clients: make([]*client.Client, 5), signers: make([]client.Signer, 5), numbers: map[string]int{}, done: map[[32]byte]placed{}}
	for m := 1; m <= 4; m++ {
		member := g.net.Members[m-1]
		l.clients[m] = client.New(member.URL)
		var err error
		if l.signers[m], err = member.Signer(keyring.Officer); err != nil {
			g.Fatal(err)
		}
	}
	var err error
	if l.record, err = os.Create(filepath.Join(g.TempDir(), "acknowledged")); err != nil {
		g.Fatal(err)
	}
	g.Cleanup(func() {
		l.stop()
		l.record.Close()
	})
	return l
}

// run starts the writers.
func (l *load) run() {
	ctx, end := context.WithCancel(l.g.Context())
	l.end = end
	for m := 1; m <= 4; m++ {
		for w := range writersEach {
			name := fmt.Sprintf("w%d", w)
			first := l.g.rand.IntN(4)
			l.all.Go(func() {
				for i := first; ctx.Err() == nil; i++ {
					l.send(ctx, name, m, 1+i%4, sendWait)
					select {
					case <-ctx.Done():
					case <-time.After(sendEvery):
					}
				}
			})
		}
	}
}

// stop ends the writers. What they still waited for is unknown.
func (l *load) stop() {
	if l.end != nil {
		l.end()
		l.end = nil
		l.all.Wait()
	}
}

// once sends one transaction of the member through itself and reports whether it was
// acknowledged.
func (l *load) once(m int) bool { return l.send(l.g.Context(), "once", m, m, time.Second) }

// send signs and sends one transaction of the member through another, once.
func (l *load) send(ctx context.Context, name string, m, via int, wait time.Duration) bool {
	org := l.g.net.Members[m-1].Org
	writer := org + ":" + name
	l.mu.Lock()
	l.numbers[writer]++
	n := l.numbers[writer]
	l.mu.Unlock()
	a := attempt{writer: writer, duty: fmt.Sprintf("%s-%d", writer, n), via: via, sent: time.Now()}
	env, err := client.Sign(l.g.net.ChainID, l.signers[m], a.sent, &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{
		{Id: a.duty, Org: org, Title: "一项职责"}, {Id: writer, Org: org, Title: fmt.Sprint(n)},
	}})
	if err != nil {
		l.g.Error(err)
		return false
	}
	a.id = env.ID
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	res, err := l.clients[via].Ledger.Submit(ctx, connect.NewRequest(&ledgerv1.SubmitRequest{Envelope: env.Raw}))
	switch {
	case err != nil:
		a.code = fault.CodeOf(wire.Fault(err))
	case res.Msg.GetOutcome().GetCode() != 0:
		a.code = fault.Code(res.Msg.GetOutcome().GetCode())
	default:
		a.acked, a.height = true, res.Msg.GetOutcome().GetHeight()
		fmt.Fprintf(l.record, "%x %s %d\n", a.id, a.duty, a.height)
	}
	l.mu.Lock()
	l.tries = append(l.tries, a)
	l.mu.Unlock()
	return a.acked
}
