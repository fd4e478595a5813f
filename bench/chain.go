package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/code"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/internal/standard"
	"mulian/node"
)

// chain is validators, each in a process of its own, and who sends to which.
type chain struct {
	homes   []string
	members []*remote
	once    sync.Once
	err     error // of the end

	committed int64 // transactions, by the latest reports
}

// openChain makes n homes below dir and starts their nodes. The departments are shared out
// among them.
func openChain(ctx context.Context, o Options, dir string, n int) (*chain, error) {
	o.Say("make a chain of %d validator(s), each a process, and %d departments", n, departments)
	configs, validators, err := homes(dir, "node", n)
	if err != nil {
		return nil, err
	}
	file, keys, err := genesis(validators)
	if err != nil {
		return nil, err
	}
	for i := range configs {
		configs[i].ChainID = benchChain
		if _, err := node.Init(configs[i].Home, file); err != nil {
			return nil, err
		}
	}
	for i, s := range keys {
		c := &configs[i%n]
		path := filepath.Join(c.Home, fmt.Sprintf("officer%d.pem", i))
		if err := sm.SavePrivate(path, s.Key); err != nil {
			return nil, err
		}
		c.Signers = append(c.Signers, memberSigner{Account: s.Account, Key: path})
	}
	return startChain(ctx, configs)
}

// homes makes the homes and keys of n nodes that know each other.
func homes(dir, name string, n int) (configs []memberConfig, validators []*governancev1.Validator, err error) {
	configs = make([]memberConfig, n)
	var peers []string
	for i := range n {
		c := &configs[i]
		if c.Home, err = below(dir, fmt.Sprintf("%s%d", name, i)); err != nil {
			return nil, nil, err
		}
		id, err := node.Keys(c.Home)
		if err != nil {
			return nil, nil, err
		}
		validators = append(validators, &governancev1.Validator{PublicKey: id.Validator[:], Power: 10, Org: departmentCode(0), Name: fmt.Sprintf("v%d", i)})
		if n > 1 {
			if c.Listen, err = freeAddr(); err != nil {
				return nil, nil, err
			}
			peers = append(peers, id.NodeID+"@"+c.Listen)
		}
	}
	for i := range configs {
		for j, p := range peers {
			if j != i {
				configs[i].Peers = append(configs[i].Peers, p)
			}
		}
	}
	return configs, validators, nil
}

// startChain starts all members at once: none makes a block without the others.
func startChain(ctx context.Context, configs []memberConfig) (_ *chain, err error) {
	c := &chain{}
	for _, cfg := range configs {
		c.homes = append(c.homes, cfg.Home)
		m, err := startMember(cfg)
		if err != nil {
			return nil, errors.Join(err, c.close())
		}
		c.members = append(c.members, m)
	}
	if _, err := c.answers(ctx); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// all gives every member the same order, and returns what they report.
func (c *chain) all(ctx context.Context, o order) ([]report, error) {
	return c.each(ctx, func(int) order { return o })
}

// each gives every member an order of its own.
func (c *chain) each(ctx context.Context, of func(i int) order) ([]report, error) {
	for i, m := range c.members {
		if err := json.NewEncoder(m.in).Encode(of(i)); err != nil {
			return nil, errors.Join(ctx.Err(), err)
		}
	}
	return c.answers(ctx)
}

// answers waits for one report of each. When ctx ends the members are ended.
func (c *chain) answers(ctx context.Context) ([]report, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.close() })
	defer stop()
	reports, errs := make([]report, len(c.members)), make([]error, len(c.members))
	var all sync.WaitGroup
	for i, m := range c.members {
		all.Go(func() { reports[i], errs[i] = m.answer() })
	}
	all.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	c.committed = 0
	for _, r := range reports {
		c.committed += r.Committed
	}
	return reports, errors.Join(errs...)
}

// close ends the processes; again it does nothing.
func (c *chain) close() error {
	c.once.Do(func() {
		errs := make([]error, len(c.members))
		var all sync.WaitGroup
		for i, m := range c.members {
			all.Go(func() { errs[i] = m.stop() })
		}
		all.Wait()
		c.err = errors.Join(errs...)
	})
	return c.err
}

// ours is a node of ours with those who send to it.
type ours struct {
	node    *node.Node
	signers []client.Signer
	signed  int // transactions so far: their numbers differ
	stop    func() error
}

func openNode(ctx context.Context, cfg memberConfig) (source, error) {
	s := &ours{signed: cfg.Signed}
	for _, one := range cfg.Signers {
		key, err := sm.LoadPrivate(one.Key)
		if err != nil {
			return nil, err
		}
		s.signers = append(s.signers, client.Signer{Account: one.Account, Key: key})
	}
	config := node.Config{
		Home: cfg.Home, Listen: cfg.Listen, Peers: cfg.Peers, Version: "bench", Logger: slog.New(slog.DiscardHandler),
	}
	var err error
	if !cfg.Serve {
		if s.node, err = node.Open(ctx, config); err == nil {
			s.stop = s.node.Close
		}
		return s, err
	}
	m, err := node.OpenMember(ctx, node.MemberConfig{Node: config, Listen: "127.0.0.1:0"})
	if err != nil {
		return nil, err
	}
	s.node = m.Node
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- m.Run(running) }()
	s.stop = func() error { cancel(); return <-done }
	return s, nil
}

func (s *ours) close() error { return s.stop() }

// send hands one transaction in and waits until it is committed. A node that is full is
// asked again as [client.Client.Submit] does, and the time runs on.
func (s *ours) send(ctx context.Context, tx []byte) (refused int, err error) {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		res, err := s.node.Submit(ctx, tx)
		switch {
		case fault.Is(err, fault.Busy) && ctx.Err() == nil:
			refused++
			time.Sleep(wait)
		case err != nil:
			return refused, err
		case res.GetOutcome().GetCode() != 0:
			return refused, fault.Newf(fault.Internal, "a transaction of the bench was refused: %s %s", res.GetOutcome(), res.GetText())
		default:
			return refused, nil
		}
	}
}

// sign makes so many new transactions on all processors.
func (s *ours) sign(ctx context.Context, count int, by signersFrom) ([][]byte, error) {
	txs := make([][]byte, count)
	who := s.signers[by.from:]
	if by.to > 0 {
		who = s.signers[by.from:by.to]
	}
	var all sync.WaitGroup
	var failed firstError
	var next atomic.Int64
	first := s.signed
	s.signed += count
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < count && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				one := who[i%len(who)]
				env, err := client.Sign(benchChain, one, time.Now().Add(signedAhead), duty(one.Account, first+i))
				if err != nil {
					failed.set(err)
					return
				}
				txs[i] = env.Raw
			}
		})
	}
	all.Wait()
	return txs, errors.Join(ctx.Err(), failed.get())
}

// duty is a duty such as the lists of the departments have.
func duty(org string, n int) *cataloguev1.PutDuties {
	return &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{{
		Id: org + ":" + strconv.Itoa(n), Org: org, Title: "建设工程规划许可证核发", PowerType: cataloguev1.PowerType_POWER_TYPE_LICENSING,
		Source: "中华人民共和国城乡规划法", Article: "第四十条",
	}}}
}

// benchChain is the chain's id.
const benchChain = "mulian-bench"

// genesis founds the consortium: every department is a founder, so that all are on board
// in the first block. It returns the departments with their officers' keys, too.
func genesis(validators []*governancev1.Validator) (file []byte, officers []client.Signer, err error) {
	g := &governancev1.Genesis{
		ChainId: benchChain, TimeMs: time.Now().Add(-time.Second).UnixMilli(),
		Parameters: standard.Parameters(), ClockProfiles: standard.Clocks(), Calendar: standard.Calendars(),
		Validators: validators,
		Roles:      []*governancev1.RoleGrant{{Role: governancev1.Role_ROLE_AUTHORITY, Account: departmentCode(0)}},
	}
	var founders []client.Signer
	for i := range departments {
		org := departmentCode(i)
		f := &governancev1.Founder{Code: org, Weight: 1, Profile: &identityv1.OrgProfile{
			Name: fmt.Sprintf("试验局第%d处", i+1), Level: identityv1.OrgLevel_ORG_LEVEL_CITY, Region: "110000",
		}}
		for _, level := range []identityv1.KeyLevel{identityv1.KeyLevel_KEY_LEVEL_ROOT, identityv1.KeyLevel_KEY_LEVEL_OFFICER} {
			key, err := sm.Generate(sm.SM2)
			if err != nil {
				return nil, nil, err
			}
			f.Keys = append(f.Keys, client.PublicKey(key.Public(), level, level.String()))
			s := client.Signer{Account: org, Key: key}
			if level == identityv1.KeyLevel_KEY_LEVEL_ROOT {
				founders = append(founders, s)
			} else {
				officers = append(officers, s)
			}
		}
		g.Founders = append(g.Founders, f)
	}
	file, err = client.SignGenesis(g, founders...)
	return file, officers, err
}

// departmentCode is the n-th 统一社会信用代码 of departments that do not exist: its
// check digit is the one that the check takes.
func departmentCode(n int) string {
	const digits = "0123456789ABCDEFGHJKLMNPQRTUWXY"
	for _, last := range digits {
		if s := fmt.Sprintf("11110000%08dX%c", 700+n, last); code.CheckUSCC(s) == nil {
			return s
		}
	}
	panic("bench: no check digit fits")
}
