package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/keyring"
	"mulian/client/prooffile"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// What LongChain does; our own choices.
const (
	longTransactions = 1_000_000
	longFiles        = 300 // of each kind that are made and verified
	longSpread       = 100 // the objects that are proved are of the first hundredth of the chain
	longRestarts     = 3   // after a close; the slowest is told
	killedAfter      = 300 * time.Millisecond
	killedMost       = 20_000 // transactions signed for the process that is killed
	sayEvery         = 10 * time.Second
	longSettled      = 10 * time.Minute // bounds a start and a join: what misses its goal is told, not ended
)

// LongChain fills a chain of one validator with Options.Transactions transactions through the
// engine and the rules, and then measures what its length could make slow: to start the
// member again, after a close and after SIGKILL in the middle of its work; to prove objects
// and accesses of the chain's first days through the member's server; and to bring a new
// node on board from a snapshot. Beside these it tells what a transaction takes of the disk,
// and the memory.
//
// Each transaction is catalogue/put_duties with one new duty, signed with SM2 by one of 32
// departments, as in [Ledger]. The member has its index and its server, and the filling
// ends when the index has everything. Nothing that was committed before SIGKILL may be
// missing afterwards, and the new node must have the member's state: the run fails
// otherwise.
//
// Usage (no folder), Cancelled.
func LongChain(ctx context.Context, o Options) (Result, error) {
	r := Result{Bench: "chain"}
	if o.Transactions <= 0 {
		o.Transactions = longTransactions
	}
	dir, remove, err := o.Folder("chain")
	if err != nil {
		return r, err
	}
	defer remove()
	r.Machine = Facts(dir)
	l := &longChain{Options: o, r: &r}
	return r, ended(ctx, l.measure(ctx, dir))
}

// longChain is one run. The steps follow one another in one goroutine.
type longChain struct {
	Options
	r     *Result
	w     *town
	log   *keptLog        // of accesses, anchored before the filling
	from  []client.Signer // the departments
	files []string        // of their keys
}

func (l *longChain) measure(ctx context.Context, dir string) (err error) {
	if l.w, err = found(ctx, dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.w.stop()) }()
	if l.log, err = keepLog(ctx, l.w); err != nil {
		return err
	}
	if err := l.register(ctx); err != nil {
		return err
	}
	stop, err := l.profile()
	if err != nil {
		return err
	}
	err = l.fill(ctx)
	stop()
	if err != nil {
		return err
	}
	filled := l.r.Figures
	l.r.Figures = nil
	for _, step := range []func(context.Context) error{l.restart, l.kill, l.prove, l.join} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	l.r.Figures = append(l.r.Figures, filled...)
	l.r.Note("transactions: catalogue/put_duties, one new duty each, SM2, %d signers, %d in flight; one validator with index and server", departments, inFlight)
	l.r.Note("ready: the server answers and the index has every event; a new node is there when its height and app hash are the member's")
	l.r.Note("proofs: of duties of the chain's first hundredth, and of accesses that were anchored before it was filled")
	return nil
}

// register brings the departments on board.
func (l *longChain) register(ctx context.Context) error {
	var messages []proto.Message
	for i := range departments {
		org := departmentCode(i)
		key, err := l.w.ring.New(org, keyring.Root, sm.SM2)
		if err != nil {
			return err
		}
		file := filepath.Join(l.w.dir, fmt.Sprintf("department%d.pem", i))
		if err := sm.SavePrivate(file, key); err != nil {
			return err
		}
		l.from, l.files = append(l.from, client.Signer{Account: org, Key: key}), append(l.files, file)
		messages = append(messages, &identityv1.RegisterOrg{
			Code: org, Profile: &identityv1.OrgProfile{Name: fmt.Sprintf("试验局第%d处", i+1), Level: identityv1.OrgLevel_ORG_LEVEL_CITY, Region: "110000"},
			Keys: []*identityv1.Key{client.PublicKey(key.Public(), identityv1.KeyLevel_KEY_LEVEL_ROOT, "")},
		})
	}
	_, err := l.w.chain.Send(ctx, l.w.authority, messages...)
	return err
}

// fill makes the chain long: each caller signs, sends and waits for its block.
func (l *longChain) fill(ctx context.Context) error {
	l.Say("fill the chain with %d transactions", l.Transactions)
	before := DiskBytes(l.w.dir)
	ResetPeak()
	m := Start()
	if err := l.send(ctx); err != nil {
		return err
	}
	m.Stop()
	l.Say("wait for the index")
	behind := Start()
	if err := l.w.indexed(ctx); err != nil {
		return err
	}
	behind.Stop()
	peak := PeakMiB()
	st, err := l.w.chain.Status(ctx)
	if err != nil {
		return err
	}
	if err := l.w.stop(); err != nil {
		return err
	}
	l.w.stop = func() error { return nil }
	n := l.Transactions
	index := DiskBytes(filepath.Join(l.w.dir, "index.db")) + DiskBytes(filepath.Join(l.w.dir, "index.db-wal"))
	l.r.Add(Figure{Name: "disk_bytes_per_tx", Value: float64(DiskBytes(l.w.dir)-before) / float64(n), Unit: "bytes", Note: "of all that the member keeps, closed, before any compaction that we order"})
	l.r.Add(Figure{Name: "index_bytes_per_tx", Value: float64(index) / float64(n), Unit: "bytes", Note: "of these, the index"})
	l.r.Add(Figure{Name: "fill_peak_mib", Value: peak, Unit: "MiB", Note: "of the process that fills, the load included"})
	l.r.Add(Figure{Name: "fill_tps", Value: m.PerSecond(n), Unit: "tx/s", Note: "committed, signed while it runs"})
	l.r.Add(Figure{Name: "fill_cpu_us_per_tx", Value: (m.CPU + behind.CPU).Seconds() * 1e6 / float64(n), Unit: "µs", Note: "of signing, sending, the ledger and the index"})
	l.r.Add(Figure{Name: "index_behind_seconds", Value: behind.Wall.Seconds(), Unit: "s", Note: "until the index had everything, after the last block"})
	l.r.Add(Figure{Name: "blocks", Value: float64(st.GetHeight()), Unit: "blocks"})
	l.r.Add(Figure{Name: "transactions", Value: float64(n), Unit: "tx"})
	return nil
}

// send makes the transactions. The i-th is of the i-th department, in turn.
func (l *longChain) send(ctx context.Context) error {
	s := &ours{node: l.w.member.Node}
	var next, done atomic.Int64
	var failed firstError
	var all sync.WaitGroup
	for range min(inFlight, l.Transactions) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < l.Transactions && ctx.Err() == nil && !failed.there(); i = int(next.Add(1)) - 1 {
				one := l.from[i%len(l.from)]
				env, err := client.Sign(townChain, one, time.Now().Add(signedAhead), duty(one.Account, i))
				if err == nil {
					_, err = s.send(ctx, env.Raw)
				}
				if err != nil {
					failed.set(err)
					return
				}
				done.Add(1)
			}
		})
	}
	said := make(chan struct{})
	telling, quiet := context.WithCancel(ctx)
	go func() {
		defer close(said)
		for {
			select {
			case <-telling.Done():
				return
			case <-time.After(sayEvery):
				l.Say("%d of %d transactions", done.Load(), l.Transactions)
			}
		}
	}()
	all.Wait()
	quiet()
	<-said
	return errors.Join(ctx.Err(), failed.get())
}

// start runs the member until it is ready, and tells how long that took.
func (l *longChain) start(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	if err := l.w.run(ctx); err != nil {
		return 0, err
	}
	err := within(ctx, longSettled, "the server answers", func() (bool, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.w.member.URL()+"/healthz", nil)
		if err != nil {
			return false, err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return false, nil // it does not listen yet
		}
		return res.StatusCode == http.StatusOK, res.Body.Close()
	})
	if err == nil {
		err = l.w.indexed(ctx)
	}
	return time.Since(began), err
}

// restart opens the closed chain, several times.
func (l *longChain) restart(ctx context.Context) error {
	l.Say("start it again after a close, %d times", longRestarts)
	debug.FreeOSMemory()
	ResetPeak()
	var took Times
	for i := range longRestarts {
		one, err := l.start(ctx)
		if err != nil {
			return err
		}
		took.Add(one)
		if i == longRestarts-1 {
			break
		}
		if err := l.w.stop(); err != nil {
			return err
		}
	}
	l.r.Add(Figure{Name: "restart_seconds", Value: took.Percentile(100).Seconds(), Unit: "s", Goal: "< 5", Note: fmt.Sprintf("open until ready, after a close; the slowest of %d", longRestarts)})
	return nil
}

// kill runs the member in a process of its own, ends that with SIGKILL while it commits, and
// starts the member again.
func (l *longChain) kill(ctx context.Context) error {
	before, err := l.w.chain.Status(ctx)
	if err != nil {
		return err
	}
	if err := l.w.stop(); err != nil {
		return err
	}
	l.w.stop = func() error { return nil }
	l.Say("kill -9 a process that runs it")
	acknowledged, peak, err := l.killed()
	if err != nil {
		return err
	}
	took, err := l.start(ctx)
	if err != nil {
		return err
	}
	after, err := l.w.chain.Status(ctx)
	if err != nil {
		return err
	}
	if after.GetEvents() < before.GetEvents()+acknowledged {
		return fault.Newf(fault.Internal, "%d events before, %d transactions acknowledged, and after kill -9 %d events", before.GetEvents(), acknowledged, after.GetEvents())
	}
	l.r.Add(Figure{Name: "restart_killed_seconds", Value: took.Seconds(), Unit: "s", Goal: "< 5", Note: "the same after kill -9 under load"})
	l.r.Add(Figure{Name: "member_peak_mib", Value: peak, Unit: "MiB", Note: "of a process that started on the long chain and commits"})
	return nil
}

// killed returns how many transactions the process had acknowledged before the phase in
// whose middle it was killed.
func (l *longChain) killed() (acknowledged int64, peak float64, err error) {
	cfg := memberConfig{Home: l.w.home(), ChainID: townChain, Serve: true, Signed: l.Transactions}
	for i, s := range l.from {
		cfg.Signers = append(cfg.Signers, memberSigner{Account: s.Account, Key: l.files[i]})
	}
	m, err := startMember(cfg)
	if err != nil {
		return 0, 0, err
	}
	over := false
	defer func() {
		if !over {
			err = errors.Join(err, m.stop())
		}
	}()
	if _, err := m.answer(); err != nil {
		return 0, 0, err
	}
	half := min(l.Transactions, killedMost) / 2
	if _, err := m.do(order{Do: "sign", Count: half}); err != nil {
		return 0, 0, err
	}
	first, err := m.do(order{Do: "run", Callers: inFlight, Seconds: maxRun})
	if err != nil {
		return 0, 0, err
	}
	if _, err := m.do(order{Do: "sign", Count: half}); err != nil {
		return 0, 0, err
	}
	if err := m.send(order{Do: "run", Callers: inFlight, Seconds: maxRun}); err != nil {
		return 0, 0, err
	}
	time.Sleep(min(killedAfter, first.Wall/2)) // in the middle: the same work took Wall a moment ago
	over = true
	err = m.cmd.Process.Kill()
	_ = m.cmd.Wait() // that it was killed is what we wanted
	return first.Committed, first.Peak, err
}

// maxRun bounds a phase of the process that is killed; it ends when all is sent.
const maxRun = 60

// prove makes and verifies files of what is old.
func (l *longChain) prove(ctx context.Context) error {
	l.Say("make and verify %d proof files of old objects, and of old accesses", longFiles)
	raw, err := os.ReadFile(l.w.genesis)
	if err != nil {
		return fmt.Errorf("read the genesis: %w", err)
	}
	maker, err := prooffile.NewMaker(l.w.chain, raw)
	if err != nil {
		return err
	}
	old := max(l.Transactions/longSpread, 1)
	var kinds []*filesOf
	for _, make := range []func(i int) ([]byte, error){
		func(i int) ([]byte, error) {
			n := i * 7919 % old // 7919: a prime, so that they are spread
			return maker.Object(ctx, "catalogue/duty/"+duty(l.from[n%len(l.from)].Account, n).GetDuties()[0].GetId())
		},
		func(i int) ([]byte, error) { return maker.Receipt(ctx, l.log.receipt(uint64(i*31)), l.log) },
	} {
		f, err := measureEach(longFiles, func(i int) ([]byte, *prooffile.Maker, error) {
			file, err := make(i)
			return file, maker, err
		})
		if err != nil {
			return err
		}
		kinds = append(kinds, f)
	}
	worst := func(of func(f *filesOf) float64) float64 { return max(of(kinds[0]), of(kinds[1])) }
	l.r.Add(Figure{Name: "proof_make_p50_ms", Value: worst(func(f *filesOf) float64 { return f.making.Ms(50) }), Unit: "ms", Goal: "< 50", Note: "of the slower kind; over HTTP, verified before it is handed out"})
	l.r.Add(Figure{Name: "proof_make_p99_ms", Value: worst(func(f *filesOf) float64 { return f.making.Ms(99) }), Unit: "ms"})
	l.r.Add(Figure{Name: "proof_verify_p50_ms", Value: worst(func(f *filesOf) float64 { return f.verifying.Ms(50) }), Unit: "ms", Goal: "< 5", Note: "of the slower kind, offline, one core"})
	l.r.Add(Figure{Name: "proof_verify_p99_ms", Value: worst(func(f *filesOf) float64 { return f.verifying.Ms(99) }), Unit: "ms"})
	kinds[0].tell(l.r, "object")
	kinds[1].tell(l.r, "access")
	return nil
}
