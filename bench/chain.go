package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"mulian/client"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/code"
	"mulian/internal/sm"
	"mulian/internal/standard"
	"mulian/node"
)

// chain is a consortium of made-up departments and its validators, all in this
// process, each with a store of its own and real connections between them.
type chain struct {
	id      string
	dir     string
	homes   []string // of the nodes
	nodes   []*node.Node
	signers []client.Signer // the departments, each with its officer's key
	signed  atomic.Int64    // transactions signed so far: their numbers differ
	once    sync.Once

	committed atomic.Int64 // transactions
}

// openChain makes n homes below dir and starts the nodes.
func openChain(ctx context.Context, o Options, dir string, n int) (_ *chain, err error) {
	o.Say("make a chain of %d validator(s), %d departments", n, departments)
	c := &chain{id: "mulian-bench", dir: filepath.Join(dir, "chain")}
	homes, identities := make([]string, n), make([]*governancev1.Validator, n)
	configs := make([]node.Config, n)
	var peers []string
	for i := range n {
		if homes[i], err = below(c.dir, fmt.Sprintf("node%d", i)); err != nil {
			return nil, err
		}
		id, err := node.Keys(homes[i])
		if err != nil {
			return nil, err
		}
		identities[i] = &governancev1.Validator{PublicKey: id.Validator[:], Power: 10, Org: departmentCode(0), Name: fmt.Sprintf("v%d", i)}
		configs[i] = node.Config{Home: homes[i], Version: "bench", Logger: slog.New(slog.DiscardHandler)}
		if n > 1 {
			if configs[i].Listen, err = freeAddress(); err != nil {
				return nil, err
			}
			peers = append(peers, id.NodeID+"@"+configs[i].Listen)
		}
	}
	file, err := c.genesis(identities)
	if err != nil {
		return nil, err
	}
	for i := range configs {
		for j, p := range peers {
			if j != i {
				configs[i].Peers = append(configs[i].Peers, p)
			}
		}
		if _, err := node.Init(homes[i], file); err != nil {
			return nil, err
		}
	}
	c.homes = homes
	return c, c.open(ctx, configs)
}

// open starts all nodes at once: none makes a block without the others.
func (c *chain) open(ctx context.Context, configs []node.Config) error {
	nodes, errs := make([]*node.Node, len(configs)), make([]error, len(configs))
	var all sync.WaitGroup
	for i, cfg := range configs {
		all.Go(func() { nodes[i], errs[i] = node.Open(ctx, cfg) })
	}
	all.Wait()
	for _, n := range nodes {
		if n != nil {
			c.nodes = append(c.nodes, n)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return errors.Join(err, c.close())
	}
	return nil
}

// close stops the nodes; again it does nothing.
func (c *chain) close() (err error) {
	c.once.Do(func() {
		errs := make([]error, len(c.nodes))
		var all sync.WaitGroup
		for i, n := range c.nodes {
			all.Go(func() { errs[i] = n.Close() })
		}
		all.Wait()
		err = errors.Join(errs...)
	})
	return err
}

// genesis founds the consortium: every department is a founder, so that all are on
// board in the first block.
func (c *chain) genesis(validators []*governancev1.Validator) ([]byte, error) {
	g := &governancev1.Genesis{
		ChainId: c.id, TimeMs: time.Now().Add(-time.Second).UnixMilli(),
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
				return nil, err
			}
			f.Keys = append(f.Keys, client.PublicKey(key.Public(), level, level.String()))
			s := client.Signer{Account: org, Key: key}
			if level == identityv1.KeyLevel_KEY_LEVEL_ROOT {
				founders = append(founders, s)
			} else {
				c.signers = append(c.signers, s)
			}
		}
		g.Founders = append(g.Founders, f)
	}
	return client.SignGenesis(g, founders...)
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

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
