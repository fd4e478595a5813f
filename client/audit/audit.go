package audit

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

	"mulian/client"
	"mulian/client/prooffile"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/internal/wire"
)

// Config says what an audit works with. Chain and Genesis are required.
type Config struct {
	Chain    *client.Client
	Genesis  []byte        // genesis file
	Store    string        // folder of what is remembered between runs; empty: nothing is
	Evidence string        // folder for files of evidence; empty: none are written
	Bound    time.Duration // how soon a record has to be anchored; 0: DefaultBound
	// Others are checkpoints that other readers were given: text of signed notes.
	Others [][]byte
	// Progress is told how far a log was read.
	Progress func(gateway string, done, total uint64)
}

// Auditor audits one chain's gateways. One call at a time.
type Auditor struct {
	cfg     Config
	genesis string // hash
	chain   string // its id
	maker   *prooffile.Maker
	proved  *client.Verified
	pacts   map[string]*pact
	keys    map[string]sm.PublicKey // by account and id
	report  *Report
	files   map[string]int // evidence written, by name
}

// New returns an auditor. Malformed, VerificationFailed as [client.ParseGenesis].
func New(cfg Config) (*Auditor, error) {
	cfg.Bound = cmp.Or(cfg.Bound, DefaultBound)
	if cfg.Progress == nil {
		cfg.Progress = func(string, uint64, uint64) {}
	}
	g, err := client.ParseGenesis(cfg.Genesis)
	if err != nil {
		return nil, err
	}
	m, err := prooffile.NewMaker(cfg.Chain, cfg.Genesis)
	if err != nil {
		return nil, err
	}
	return &Auditor{cfg: cfg, genesis: hex.EncodeToString(g.Hash[:]), chain: g.GetChainId(), maker: m, proved: cfg.Chain.Verify(g)}, nil
}

// Roles of a report.
const (
	RoleConsumer   = "consumer"
	RoleOwner      = "owner"
	RoleSupervisor = "supervisor"
)

// Supervisor audits all gateways that the ledger has a log of.
func (a *Auditor) Supervisor(ctx context.Context) (*Report, error) {
	return a.gateways(ctx, RoleSupervisor, func(string) bool { return true })
}

// Owner audits the gateways of one organisation: everything that was read from its
// entries, agreement by agreement.
func (a *Auditor) Owner(ctx context.Context, org string) (*Report, error) {
	return a.gateways(ctx, RoleOwner, func(gateway string) bool { return strings.HasPrefix(gateway, org+"/") })
}

func (a *Auditor) begin(role string) time.Time {
	a.report = &Report{Role: role, Chain: a.chain, Genesis: a.genesis, Logs: []Log{}, Findings: []Finding{}}
	a.pacts, a.files, a.keys = map[string]*pact{}, map[string]int{}, map[string]sm.PublicKey{}
	return time.Now()
}

func (a *Auditor) end(began time.Time) *Report {
	r := a.report
	r.OK = len(r.Findings) == 0
	slices.SortFunc(r.Secrecy, sortSecrecy)
	r.Millis = time.Since(began).Milliseconds()
	slices.SortFunc(r.Sequences, func(x, y Sequence) int {
		return cmp.Or(cmp.Compare(x.Gateway, y.Gateway), cmp.Compare(x.Agreement, y.Agreement))
	})
	return r
}

// gateways audits those that the ledger has a head of and that are wanted.
func (a *Auditor) gateways(ctx context.Context, role string, wanted func(string) bool) (*Report, error) {
	began := a.begin(role)
	err := a.eachHead(ctx, func(gateway string) error {
		if !wanted(gateway) {
			return nil
		}
		_, err := a.gateway(ctx, gateway, true)
		return err
	})
	if err != nil {
		return nil, err
	}
	return a.end(began), nil
}

// eachHead calls fn with each gateway that has anchored. The list is the server's word;
// each head is read again with proof.
func (a *Auditor) eachHead(ctx context.Context, fn func(gateway string) error) error {
	for after := ""; ; {
		res, err := a.cfg.Chain.Trace.ListHeads(ctx, connect.NewRequest(&tracev1.ListHeadsRequest{After: after, Limit: 200}))
		if err != nil {
			return wire.Fault(err)
		}
		for _, h := range res.Msg.GetHeads() {
			if err := fn(h.GetGateway()); err != nil {
				return err
			}
		}
		next := res.Msg.GetNext()
		if next == "" || next == after {
			return nil
		}
		after = next
	}
}

// note takes a finding, and its evidence if a rule proves it.
func (a *Auditor) note(ctx context.Context, f Finding, x *prooffile.Finding) error {
	if len(a.report.Findings) >= maxFindings {
		a.report.More++
		return nil
	}
	if x == nil {
		f.Unproved = cmp.Or(f.Unproved, "seen by this reader; no file shows it to others")
		a.report.Findings = append(a.report.Findings, f)
		return nil
	}
	x.Rule, x.Gateway = f.Rule, f.Gateway
	if a.cfg.Evidence == "" {
		f.Unproved = "no folder for evidence was named"
	} else if err := a.write(ctx, &f, x); err != nil {
		return err
	}
	a.report.Findings = append(a.report.Findings, f)
	return nil
}

// write makes the file of evidence and writes it. What cannot be shown stays a finding,
// and says why.
func (a *Auditor) write(ctx context.Context, f *Finding, x *prooffile.Finding) error {
	file, err := a.maker.Finding(ctx, *x)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f.Unproved = err.Error()
		return nil
	}
	if err := os.MkdirAll(a.cfg.Evidence, 0o700); err != nil {
		return fault.Wrap(fault.Inaccessible, err, "folder of evidence")
	}
	name := fmt.Sprintf("%s-%s-%d", f.Rule, strings.Trim(plainName.ReplaceAllString(f.Gateway, "-"), "-"), f.Place)
	if n := a.files[name]; n > 0 {
		name = fmt.Sprintf("%s-%d", name, n+1)
	}
	a.files[name]++
	f.File = filepath.Join(a.cfg.Evidence, name+".mulian-proof.json")
	return durable.ReplaceFile(f.File, file, 0o644)
}

// pact is an agreement as the ledger has it, with the events that stopped it.
type pact struct {
	raw   []byte // nil: there is none
	stops []stop
	// Of investigative secrecy: how many orders the agreement names, and they themselves.
	secrecy  uint64
	orders   []byte
	commands *tracev1.Secrecy
}

type stop struct {
	seq   int64
	event []byte
}

// pact reads an agreement once.
func (a *Auditor) pact(ctx context.Context, id string) (*pact, error) {
	if p, known := a.pacts[id]; known {
		return p, nil
	}
	p := &pact{}
	if err := a.readPact(ctx, id, p); err != nil {
		return nil, err
	}
	if len(a.pacts) >= maxPacts {
		clear(a.pacts)
	}
	a.pacts[id] = p
	return p, nil
}

// maxPacts bounds the agreements that are kept while a log is read.
const maxPacts = 4096 // and keys
