package city

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"mulian/city/content"
	"mulian/client"
	"mulian/client/keyring"
	"mulian/client/sentence"
	"mulian/gateway"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/node"
	"mulian/server/hooks"
)

// DefaultListen is where the server answers if nobody else does there.
const DefaultListen = "127.0.0.1:8080"

// Options of a city. Home must be set; the zero value of everything else works.
type Options struct {
	Home   string
	Listen string // of the server; empty: DefaultListen, or a free port if that is taken
	// Pace is the mean time between two small acts of daily life; 0 = 4 s.
	Pace     time.Duration
	Version  string
	Out      io.Writer // where the story is told; nil = nowhere
	Language sentence.Language
	Terminal bool // Out is a terminal: lines may be written over
}

// City is the running city. Its methods are called by one goroutine.
type City struct {
	opts    Options
	tell    *teller
	lock    *durable.Lock
	ring    keyring.Ring
	log     *slog.Logger
	logFile *os.File
	genesis *client.Genesis
	member  *node.Member
	chain   *client.Client
	began   time.Time
	ready   time.Duration
	keys    map[string][]*identityv1.Key

	gateways map[string]*gateway.Gateway // by the department's short name
	people   sync.Map                    // identity numbers of the invented persons, by account; of this run

	ctx     context.Context // of the parts that run; ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup
	failed  context.Context // ends when a part cannot go on; its cause is why
	fail    context.CancelCauseFunc

	rights map[string]right // of daily life
	told   string           // agreement of the last story
}

// Open brings the city up in its home, from nothing or from where it was. When it
// returns all departments, duties, gateways and catalogues are on the ledger, but
// for the catalogue that the story imports.
//
// Locked if another process has the home; Usage if the home is that of another chain.
func Open(ctx context.Context, opts Options) (_ *City, err error) {
	if opts.Pace <= 0 {
		opts.Pace = 4 * time.Second
	}
	c := &City{
		opts: opts, tell: newTeller(opts.Out, opts.Language, opts.Terminal), began: time.Now(),
		gateways: map[string]*gateway.Gateway{}, rights: map[string]right{},
	}
	c.failed, c.fail = context.WithCancelCause(context.Background())
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if err := durable.MkdirPrivate(opts.Home); err != nil {
		return nil, err
	}
	if c.lock, err = durable.LockDir(opts.Home, "mulian demo"); err != nil {
		return nil, fault.Wrap(fault.Locked, err, "a demo runs there already")
	}
	if err := c.openLog(); err != nil {
		return nil, err
	}
	c.ring = keyring.Ring{Dir: c.path(keysDir)}
	if err := c.bringUp(ctx); err != nil {
		return nil, err
	}
	c.ready = time.Since(c.began)
	return c, nil
}

func (c *City) path(parts ...string) string {
	return filepath.Join(append([]string{c.opts.Home}, parts...)...)
}

// openLog sends what the parts have to say to a file: the terminal has the story.
func (c *City) openLog() (err error) {
	c.logFile, err = os.OpenFile(c.path(logFile), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("city: %w", err)
	}
	c.log = slog.New(slog.NewTextHandler(c.logFile, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return nil
}

// URL is where the city's server answers.
func (c *City) URL() string { return c.member.URL() }

// Pages is where people open the city's pages: by the name localhost, as browsers use
// passkeys nowhere else without TLS.
func (c *City) Pages() string {
	if host, port, err := net.SplitHostPort(strings.TrimPrefix(c.URL(), "http://")); err == nil && net.ParseIP(host).IsLoopback() {
		return "http://localhost:" + port
	}
	return c.URL()
}

// Failed is closed when a part cannot go on; [City.Err] tells why, and the city has
// to be closed.
func (c *City) Failed() <-chan struct{} { return c.failed.Done() }

// Err returns why the city cannot go on, nil while it can.
func (c *City) Err() error { return context.Cause(c.failed) }

// openMember starts node, index and server.
func (c *City) openMember(ctx context.Context) (moved bool, err error) {
	listen := c.opts.Listen
	if listen == "" {
		listen = DefaultListen
	}
	if taken(listen) && c.opts.Listen == "" {
		listen, moved = "127.0.0.1:0", true
	}
	guard, err := hooks.NewGuard([]string{"127.0.0.0/8", "::1"}) // who tries hooks runs the receiver beside the demo
	if err != nil {
		return false, err
	}
	m, err := node.OpenMember(ctx, node.MemberConfig{
		Hooks: guard,
		Node:  node.Config{Home: c.path(nodeDir), Version: c.opts.Version, Logger: c.log, Heartbeat: time.Minute},
		Index: c.path(indexFile), Listen: listen,
	})
	if err != nil {
		return false, err
	}
	c.member, c.chain = m, client.New(m.URL())
	c.run("server", m.Run)
	return moved, nil
}

// run starts a part that ends with the city.
func (c *City) run(name string, part func(context.Context) error) {
	c.running.Go(func() {
		if err := part(c.ctx); err != nil && c.ctx.Err() == nil {
			c.fail(fmt.Errorf("%s: %w", name, err)) // the first one counts
		}
	})
}

// taken reports whether somebody answers at an address.
func taken(address string) bool {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return true
	}
	l.Close()
	return false
}

// officer is who signs for a department.
func (c *City) officer(d *content.Department) (client.Signer, error) {
	return c.ring.Signer(d.Code, keyring.Officer)
}

// Close ends all parts and waits for them. It can be called at any moment; nothing
// that was acknowledged is lost.
func (c *City) Close() error {
	c.cancel()
	c.running.Wait()
	c.fail(nil)
	var errs []error
	for _, g := range c.gateways {
		errs = append(errs, g.Close())
	}
	if c.logFile != nil {
		errs = append(errs, c.logFile.Close())
	}
	if c.lock != nil {
		errs = append(errs, c.lock.Unlock())
	}
	return errors.Join(errs...)
}
