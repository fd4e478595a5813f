package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mulian/internal/fault"
)

// MemberCommand is how the bench of the ledger starts a node in a process of its own: the
// same program with these arguments and a configuration. [RunMember] is what it does then.
var MemberCommand = []string{"bench", "member"}

// memberConfig is one node of a measured chain, ours or the engine alone.
type memberConfig struct {
	Home, ChainID string
	Listen        string // empty: alone
	Peers         []string
	Signers       []memberSigner // who sends here
	Engine        *engineConfig  // nil: our node
	Serve         bool           // the whole member: node, index and server
	Grants        *grantConfig   // its load are grants of owners; nil: duties
	Signed        int            // duties that the chain has already: what is signed begins behind them
}

// memberSigner is a department with the file of its officer's key.
type memberSigner struct{ Account, Key string }

// order is one line to a member's standard input, report its answer on standard output.
type order struct {
	Do      string  // "sign", "run", "pace"
	Count   int     // to sign
	Flood   int     // to sign: so many by the first signer, and Count by the others
	Callers int     // to run, and to flood while the others pace: so many wait for a block at once
	Seconds float64 // how long
	Rate    float64 // to pace: a second
	Profile string  // file for a CPU profile of the phase
}

type report struct {
	Error     string        `json:",omitempty"`
	Wall, CPU time.Duration // of the phase
	Times     []int64       // of each transaction, µs
	Bytes     int           // of a transaction
	Flooded   int           // transactions of who floods
	Committed int64         // all that this member has sent since its start
	Peak      float64       // MiB, in this phase
	Refused   int64         // times that it was told to come again
}

// source makes transactions, and sends one and waits until it is in a block.
type source interface {
	sign(ctx context.Context, count int, by signersFrom) ([][]byte, error)
	send(ctx context.Context, tx []byte) (refused int, err error)
	close() error
}

// signersFrom says which of the signers sign: from a place to another; the zero value is all.
type signersFrom struct{ from, to int }

// RunMember is the other process of the ledger's bench: it runs one node and carries out
// the orders on its standard input until that ends.
func RunMember(ctx context.Context, config string) (err error) {
	raw, err := os.ReadFile(config)
	if err != nil {
		return fault.Wrap(fault.NotFound, err, "the configuration of a bench's member")
	}
	var cfg memberConfig
	if err := json.Unmarshal(raw, &cfg); err != nil {
		return fault.Wrap(fault.Malformed, err, "%s", config)
	}
	m := &member{}
	switch {
	case cfg.Engine != nil:
		m.source, err = openEngine(ctx, cfg)
	case cfg.Grants != nil:
		m.source, err = openGiving(ctx, cfg)
	default:
		m.source, err = openNode(ctx, cfg)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.source.close()) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	orders := make(chan order)
	go func() {
		defer cancel() // the bench has ended, however it did
		in := json.NewDecoder(bufio.NewReader(os.Stdin))
		for {
			var o order
			if in.Decode(&o) != nil {
				return
			}
			orders <- o
		}
	}()
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(report{}); err != nil { // it runs
		return err
	}
	for {
		select {
		case o := <-orders:
			if err := out.Encode(m.obey(ctx, o)); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// member carries out orders. Only its own goroutine uses it.
type member struct {
	source
	txs       [][]byte
	flood     [][]byte // of the first signer alone
	committed atomic.Int64
	refused   atomic.Int64
}

func (m *member) obey(ctx context.Context, o order) (r report) {
	var err error
	switch o.Do {
	case "sign":
		by := signersFrom{}
		if m.flood = nil; o.Flood > 0 {
			m.flood, err = m.sign(ctx, o.Flood, signersFrom{0, 1})
			by.from = 1
		}
		if err == nil {
			m.txs, err = m.sign(ctx, o.Count, by)
		}
	case "run", "pace":
		r, err = m.phase(ctx, o)
	default:
		err = fault.Newf(fault.Malformed, "an order to %.20q", o.Do)
	}
	if len(m.txs) > 0 {
		r.Bytes = len(m.txs[0])
	}
	r.Committed, r.Peak = m.committed.Load(), PeakMiB()
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// phase sends what was signed.
func (m *member) phase(ctx context.Context, o order) (r report, err error) {
	if o.Profile != "" {
		f, err := os.Create(o.Profile)
		if err != nil {
			return r, fault.Wrap(fault.Usage, err, "write the profile")
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return r, err
		}
		defer pprof.StopCPUProfile()
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(o.Seconds*float64(time.Second))+longestAnswer)
	defer cancel()
	ResetPeak()
	p := &phase{}
	refused := m.refused.Load()
	p.meter = Start()
	flood := &phase{}
	switch {
	case o.Do == "pace" && o.Callers > 0:
		var all sync.WaitGroup
		all.Go(func() { m.run(ctx, flood, o, m.flood) })
		m.pace(ctx, p, o)
		all.Wait()
	case o.Do == "pace":
		m.pace(ctx, p, o)
	default:
		m.run(ctx, p, o, m.txs)
	}
	p.meter.Stop()
	r.Flooded = flood.times.Len()
	r.Wall, r.CPU, r.Refused = p.meter.Wall, p.meter.CPU, m.refused.Load()-refused
	for _, d := range p.times.all {
		r.Times = append(r.Times, d.Microseconds())
	}
	return r, errors.Join(p.failed.get(), flood.failed.get(), ctx.Err())
}

// run keeps callers waiting for blocks until the time or the transactions are over.
func (m *member) run(ctx context.Context, p *phase, o order, txs [][]byte) {
	end := time.Now().Add(time.Duration(o.Seconds * float64(time.Second)))
	var next atomic.Int64
	var all sync.WaitGroup
	for range o.Callers {
		all.Go(func() {
			for time.Now().Before(end) && !p.failed.there() {
				i := int(next.Add(1)) - 1
				if i >= len(txs) {
					return
				}
				m.one(ctx, p, txs[i], time.Now())
			}
		})
	}
	all.Wait()
}

// pace sends at a steady rate, whether or not earlier ones have been answered; a time
// begins when its transaction was due.
func (m *member) pace(ctx context.Context, p *phase, o order) {
	begin := time.Now()
	var all sync.WaitGroup
	for i, tx := range m.txs {
		due := begin.Add(time.Duration(float64(i) / o.Rate * float64(time.Second)))
		if due.Sub(begin).Seconds() > o.Seconds {
			break
		}
		if wait := time.Until(due); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil || p.failed.there() {
			break
		}
		all.Go(func() { m.one(ctx, p, tx, due) })
	}
	all.Wait()
}

// one sends one transaction and notes how long it took.
func (m *member) one(ctx context.Context, p *phase, tx []byte, begin time.Time) {
	refused, err := m.send(ctx, tx)
	m.refused.Add(int64(refused))
	if err == nil {
		m.committed.Add(1)
	}
	p.note(time.Since(begin), err)
}

// remote is a member in its own process, as the bench sees it.
type remote struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

// startMember begins the process; ready waits until its node runs.
func startMember(cfg memberConfig) (*remote, error) {
	raw, err := json.Marshal(cfg)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(cfg.Home, "member.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	m := &remote{cmd: exec.Command(self, append(slices.Clone(MemberCommand), file)...)}
	m.cmd.Stderr = os.Stderr
	if m.in, err = m.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	m.out = json.NewDecoder(bufio.NewReaderSize(out, 1<<20))
	if err := m.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a member: %w", err)
	}
	return m, nil
}

// answer reads the next report.
func (m *remote) answer() (report, error) {
	var r report
	if err := m.out.Decode(&r); err != nil {
		return r, fault.Wrap(fault.Internal, err, "a member's process has ended")
	}
	if r.Error != "" {
		return r, fault.Newf(fault.Internal, "a member: %s", r.Error)
	}
	return r, nil
}

// stop ends the process and waits for its end.
func (m *remote) stop() error {
	m.in.Close()
	return m.cmd.Wait()
}
