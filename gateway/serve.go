package gateway

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"mulian/client"
	"mulian/client/keyring"
	"mulian/internal/fault"
)

// reopenWait is how long a gateway that cannot open again after a reload waits before
// it tries once more, doubling to reopenMost.
const (
	reopenWait = time.Second
	reopenMost = 30 * time.Second
)

// Keeper is a gateway that takes a new configuration without letting go of its
// port: it closes and opens everything else, and whoever connects meanwhile waits in
// the socket's queue. A delivery that runs goes on after it, where it was.
type Keeper struct {
	// Load reads the configuration, at the start and at each reload.
	Load func() (*Config, error)
	// Options of each opening.
	Options Options
	// Tell is called at each turn, for a service manager; nil: nobody is told.
	Tell func(Turn)

	cfg    *Config
	socket *net.TCPListener
	mu     sync.Mutex   // held by who sends to again
	again  chan *Config // holds one
}

// Turn is what happened to a kept gateway.
type Turn uint8

// The turns.
const (
	Ready     Turn = iota + 1 // it answers
	Reloading                 // it closes, to open with a new configuration
	Stopping
)

// Run serves until ctx ends. reload is received from for each wish to reload
// (SIGHUP); the control socket's Reload is another. A configuration that is refused
// leaves all as it is.
func (s *Keeper) Run(ctx context.Context, reload <-chan os.Signal, opened func(*Gateway)) error {
	log := cmp.Or(s.Options.Logger, slog.Default())
	s.again = make(chan *Config, 1)
	s.Options.Reload = func() error { return s.reload(ctx) }
	cfg, err := s.Load()
	if err != nil {
		return err
	}
	g, err := s.open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = s.socket.Close() }() // the gateways' own ends are closed
	opened(g)
	var givingUp sync.WaitGroup
	defer givingUp.Wait()
	for g != nil {
		next, err := s.turn(ctx, g, reload, log)
		if next == nil {
			return err
		}
		if err != nil {
			log.Warn("the end before a reload", "err", err)
		}
		before := s.cfg
		if g = s.reopen(ctx, next, log); g != nil && s.cfg == next {
			givingUp.Go(func() { giveUp(ctx, before, next, log) })
		}
	}
	return nil
}

// turn runs one gateway until ctx ends (nil), it fails, or a new configuration is there.
func (s *Keeper) turn(ctx context.Context, g *Gateway, reload <-chan os.Signal, log *slog.Logger) (*Config, error) {
	run, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- g.Run(run) }()
	s.tell(Ready)
	look := time.NewTicker(lookForRoom)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			if g.full() == nil || !g.room() {
				continue
			}
			s.tell(Reloading)
			log.Warn("there is room on the disk again: the gateway opens anew and goes on", "gateway", s.cfg.Account)
			stop()
			return s.cfg, errors.Join(<-ended, g.Close())
		case err := <-ended:
			s.tell(Stopping)
			return nil, errors.Join(err, g.Close())
		case <-reload:
			if err := s.reload(ctx); err != nil {
				log.Error("the new configuration is refused; the gateway goes on with the old one", "code", fault.CodeOf(err).String(), "err", err)
			}
		case next := <-s.again:
			s.tell(Reloading)
			log.Info("reload", "gateway", next.Account)
			stop()
			return next, errors.Join(<-ended, g.Close())
		}
	}
}

// reload reads the configuration and hands it over if it can be used as far as one
// can tell while the old gateway runs.
func (s *Keeper) reload(ctx context.Context) error {
	next, err := s.Load()
	if err != nil {
		return err
	}
	if err := s.usable(ctx, next); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.again: // the newest counts
	default:
	}
	s.again <- next // has room: nobody else sends meanwhile
	return nil
}

// usable tells why a configuration could not be opened: another home or account needs
// another process; keys, databases and server must be there.
func (s *Keeper) usable(ctx context.Context, next *Config) error {
	if s.cfg != nil && (next.Home != s.cfg.Home || next.Account != s.cfg.Account) {
		return fault.Newf(fault.Usage, "home and account cannot change while a gateway runs: stop it and start the other")
	}
	if err := readable(next); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if _, err := client.New(next.Server).Status(ctx); err != nil {
		return fault.Wrap(fault.Unreachable, err, "the server %s", next.Server)
	}
	trial := &Gateway{cfg: *next, sources: map[string]*source{}}
	err := trial.openDatabases(ctx)
	return errors.Join(err, trial.Close())
}

// readable tells which of the files cannot be used that every gateway needs: keys of this
// account and of the connectors that are served, genesis.
func readable(c *Config) error {
	accounts := []string{c.Account}
	if c.DSP != nil {
		for _, p := range c.DSP.Connectors {
			accounts = append(accounts, p.Gateway)
		}
	}
	for _, account := range accounts {
		if _, err := LoadKeys(keyring.Ring{Dir: c.KeysDir()}, account); err != nil {
			return err
		}
	}
	if _, err := os.Stat(c.Genesis); err != nil {
		return fault.Wrap(fault.NotFound, err, "the genesis file")
	}
	return nil
}

// open opens a gateway on the kept port, which a changed address replaces.
func (s *Keeper) open(ctx context.Context, cfg *Config) (*Gateway, error) {
	if s.socket == nil || s.cfg.Listen != cfg.Listen {
		l, err := net.Listen("tcp", cmp.Or(cfg.Listen, "127.0.0.1:0"))
		if err != nil {
			return nil, fault.Wrap(fault.Usage, err, "listen")
		}
		if s.socket != nil {
			_ = s.socket.Close() // nobody waits on it any more
		}
		s.socket = l.(*net.TCPListener)
	}
	s.cfg = cfg
	f, err := s.socket.File()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// A second end of the same socket: closing it keeps the port and its queue.
	if s.Options.Listener, err = net.FileListener(f); err != nil {
		return nil, err
	}
	g, err := Open(ctx, *cfg, s.Options)
	if err != nil {
		_ = s.Options.Listener.Close() // it may be closed already
	}
	return g, err
}

// reopen opens with the new configuration, and if that fails with the old one, until
// one of them works. It returns nil if ctx ends before.
func (s *Keeper) reopen(ctx context.Context, next *Config, log *slog.Logger) *Gateway {
	before := s.cfg
	for wait := reopenWait; ; wait = min(2*wait, reopenMost) {
		for _, cfg := range []*Config{next, before} {
			g, err := s.open(ctx, cfg)
			if err == nil {
				return g
			}
			if ctx.Err() != nil {
				return nil
			}
			log.Error("the gateway cannot open after a reload", "code", fault.CodeOf(err).String(), "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

func (s *Keeper) tell(t Turn) {
	if s.Tell != nil {
		s.Tell(t)
	}
}
