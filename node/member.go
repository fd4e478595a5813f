package node

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"mulian/index"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/hostcert"
	"mulian/internal/tracing"
	"mulian/safebox/store"
	"mulian/server"
	"mulian/server/boxdoor"
	"mulian/server/hooks"
)

// Member is a running member: node, index and server in one. Its parts end
// together: when one fails, all stop and Run tells why.
type Member struct {
	Node   *Node
	Index  *index.Index
	Server *server.Server

	hooks    *hooks.Hooks
	door     *boxdoor.Door // nil = no boxes are kept here
	medium   store.Blobs   // of the boxes
	listener net.Listener
	secure   net.Listener // nil: no https
	keeper   *hostcert.Keeper
	home     string
	log      *slog.Logger
	tracer   *tracing.Tracer
}

// MemberConfig says how to run a member.
type MemberConfig struct {
	Node   Config
	Index  string          // file of the projection; empty: index.db beside the node's home
	Listen string          // of the server, host:port; port 0 takes a free one
	Tracer *tracing.Tracer // nil = calls are not followed; Run closes it
	Boxes  Boxes
	HTTPS  HTTPS
	Hooks  *hooks.Guard // to whom events may be posted; nil = to nobody. The hooks lie beside the node's home
}

// HTTPS says how people's browsers reach a member. The zero value is no https.
type HTTPS struct {
	Listen string           // host:port; port 0 takes a free one
	Keeper *hostcert.Keeper // of the certificates of the names
	Port   string           // that browsers see, behind a translation of ports; empty: that of Listen
}

// Boxes says how a member keeps boxes. The zero value keeps them beside the node's home.
type Boxes struct {
	Off      bool          // keep none
	Dir      string        // or a bucket's address ([store.Open]); empty: the folder boxes beside the node's home
	Quota    store.Quota   // of each box; zero fields: [store.DefaultQuota]
	Patience time.Duration // with what is not on the ledger; 0: [boxdoor.DefaultPatience]
}

// OpenMember starts the node and takes the server's address. Nothing is served
// before Run.
func OpenMember(ctx context.Context, cfg MemberConfig) (*Member, error) {
	if cfg.Index == "" {
		cfg.Index = filepath.Join(filepath.Dir(cfg.Node.Home), "index.db")
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "the address %s cannot be taken (listen in mulian.yaml, $MULIAN_LISTEN)", cfg.Listen)
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "mulian_disk_free_bytes", Help: "Room on the disk of the node's home; -1: not known."}, func() float64 {
			if n, ok := durable.Free(cfg.Node.Home); ok {
				return float64(n)
			}
			return -1
		}))
	if cfg.Node.Metrics == nil {
		cfg.Node.Metrics = metrics
	}
	n, err := Open(ctx, cfg.Node)
	if err != nil {
		l.Close()
		return nil, err
	}
	x, err := index.Open(cfg.Index)
	if err != nil {
		l.Close()
		return nil, errors.Join(err, n.Close())
	}
	next, _ := x.Next()
	if st, serr := n.Status(ctx); serr == nil && next > st.GetEvents() {
		// The index knows more than the ledger: it is of another chain, or the ledger
		// was restored from an older backup. It can be made anew.
		x, err = anew(x, cfg.Index)
		if err != nil {
			l.Close()
			return nil, errors.Join(err, n.Close())
		}
	}
	m := &Member{Node: n, Index: x, listener: l, keeper: cfg.HTTPS.Keeper, home: cfg.Node.Home, log: cmp.Or(cfg.Node.Logger, slog.Default()), tracer: cfg.Tracer}
	if err := m.openBoxes(ctx, cfg, metrics); err != nil {
		l.Close()
		return nil, errors.Join(err, x.Close(), n.Close())
	}
	opts := server.Options{Version: cfg.Node.Version, Logger: cfg.Node.Logger, Metrics: metrics, Tracer: cfg.Tracer, Box: m.door}
	if err := m.openHTTPS(cfg.HTTPS, &opts); err != nil {
		l.Close()
		return nil, errors.Join(err, x.Close(), n.Close())
	}
	if err := m.openHooks(cfg, metrics, &opts); err != nil {
		m.closeListeners()
		return nil, errors.Join(err, x.Close(), n.Close())
	}
	m.Server = server.New(n, x, opts)
	return m, nil
}

func (m *Member) closeListeners() {
	m.listener.Close()
	if m.secure != nil {
		m.secure.Close()
	}
}

// openHooks opens the hooks of this node. Nothing that they post goes to its own ports.
func (m *Member) openHooks(cfg MemberConfig, metrics prometheus.Registerer, opts *server.Options) (err error) {
	guard := hooks.Guard{}
	if cfg.Hooks != nil {
		guard = *cfg.Hooks
	}
	guard.Own = append(guard.Own, m.listener.Addr().String())
	if m.secure != nil {
		guard.Own = append(guard.Own, m.secure.Addr().String())
	}
	if cfg.Node.Listen != "" {
		guard.Own = append(guard.Own, cfg.Node.Listen)
	}
	m.hooks, err = hooks.Open(hooks.Config{
		Dir: filepath.Join(filepath.Dir(cfg.Node.Home), "hooks"), ChainID: m.Node.ChainID(), Chain: m.Node, Index: m.Index, Account: server.HooksAccount(m.Node),
		Guard: &guard, Version: cfg.Node.Version, Logger: m.log, Metrics: metrics,
	})
	opts.Hooks = m.hooks
	return err
}

// openHTTPS takes the address for browsers, and tells the server under which names its pages
// are opened: those of https, else localhost if the server is on loopback.
func (m *Member) openHTTPS(cfg HTTPS, opts *server.Options) error {
	if cfg.Keeper == nil {
		host, port, err := net.SplitHostPort(m.listener.Addr().String())
		if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsLoopback() {
			opts.Origins = []string{"http://localhost:" + port}
		}
		return nil
	}
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fault.Wrap(fault.Usage, err, "the address %s cannot be taken (https.listen in mulian.yaml)", cfg.Listen)
	}
	m.secure = l
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the address of https")
	}
	for _, name := range cfg.Keeper.Names() {
		opts.Origins = append(opts.Origins, Origin(name, cmp.Or(cfg.Port, port)))
	}
	opts.Authority = cfg.Keeper.Authority()
	return nil
}

// Origin is how browsers write a page of https under a name: without the usual port.
func Origin(name, port string) string {
	if port == "443" {
		return "https://" + name
	}
	return "https://" + name + ":" + port
}

// openBoxes opens the folder of the boxes, or the object store that has them. Their door is called as the node is: its key's
// hash, which no other door has.
func (m *Member) openBoxes(ctx context.Context, cfg MemberConfig, metrics prometheus.Registerer) error {
	if cfg.Boxes.Off {
		return nil
	}
	dir := cmp.Or(cfg.Boxes.Dir, filepath.Join(filepath.Dir(cfg.Node.Home), "boxes"))
	medium, err := store.Open(ctx, dir)
	if err != nil {
		return fault.Wrap(fault.Usage, err, "the boxes (box.folder in mulian.yaml)")
	}
	m.medium = medium
	m.door = boxdoor.New(boxdoor.Config{
		ChainID: m.Node.ChainID(), Name: m.Node.Identity().NodeID, Ledger: boxdoor.Committed{Chain: m.Node, Index: m.Index},
		Boxes: store.New(medium, cfg.Boxes.Quota), Patience: cfg.Boxes.Patience, Logger: m.log, Metrics: metrics,
	})
	return nil
}

func anew(x *index.Index, path string) (*index.Index, error) {
	if err := x.Close(); err != nil {
		return nil, fmt.Errorf("node: close the index: %w", err)
	}
	if err := index.Remove(path); err != nil {
		return nil, err
	}
	return index.Open(path)
}

// URL is where the server answers.
func (m *Member) URL() string { return "http://" + m.listener.Addr().String() }

// Pages is where people open the pages: the first name of https, or localhost if the server
// is on loopback, as browsers use passkeys nowhere else.
func (m *Member) Pages() string {
	if o := m.Server.Origins(); len(o) > 0 {
		return o[0]
	}
	return m.URL()
}

// Run serves until ctx ends (then it returns nil) or a part fails, and closes
// everything.
func (m *Member) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 6)
	go func() { done <- m.Node.control(ctx, m.home, m.log) }()
	go func() { done <- m.Index.Run(ctx, m.Server.Followed(m.Node)) }()
	go func() { done <- m.Server.Serve(ctx, m.listener) }()
	go func() { done <- m.hooks.Run(ctx) }()
	var err error
	left := 4
	if m.secure != nil {
		left++
		go func() { done <- m.Server.ServeTLS(ctx, m.secure, m.keeper.TLS()) }()
	}
	if m.door != nil {
		left++
		go func() { done <- m.door.Run(ctx, m.Node) }()
	}
	select {
	case <-ctx.Done():
	case <-m.Node.Failed():
		err = m.Node.Err()
	case err = <-done:
		left--
	}
	cancel()
	for range left {
		select {
		case e := <-done:
			err = errors.Join(err, e)
		case <-time.After(30 * time.Second):
			return errors.Join(err, fault.Newf(fault.Timeout, "the server did not end"))
		}
	}
	err = errors.Join(err, m.Index.Close(), m.Node.Close())
	if m.medium != nil {
		err = errors.Join(err, m.medium.Close())
	}
	_ = m.tracer.Close() // a collector that is gone is no failure of the member
	return err
}
