package gateway

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"mulian/client"
	"mulian/client/caller"
	"mulian/client/keyring"
	"mulian/gateway/connect"
	"mulian/gateway/consentreceipt"
	"mulian/gateway/deliver"
	"mulian/gateway/deposit"
	"mulian/gateway/dsp"
	"mulian/gateway/issue"
	"mulian/gateway/openid"
	"mulian/gateway/receipt"
	"mulian/gateway/register"
	"mulian/gateway/view"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/internal/tracing"
)

// Options are what is not in the file.
type Options struct {
	Version string
	Logger  *slog.Logger // nil: slog.Default
	// Listener serves other gateways instead of one on the configuration's Listen; the
	// gateway closes it.
	Listener net.Listener
	// Patience is how long who asks or answers may say nothing before the connection is
	// given up; 0: [deliver.DefaultPatience].
	Patience time.Duration
	// Clock is what signatures and terms are judged by; nil: time.Now. A test sets it.
	Clock func() time.Time
	// KeyOverlap is how long a sealing or log key that was replaced stays in use beside its
	// successor; 0: a day.
	KeyOverlap time.Duration
	// Tracer follows calls instead of one made from the configuration; a test sets it.
	Tracer *tracing.Tracer
	// Told is called with each command over the control socket that is more than a look, and
	// who gave it; nil: nobody is told.
	Told func(command string, uid int)
	// Wallets is what the door for wallets gets beside its configuration: who issues, and
	// which issuers the ledger knows.
	Wallets openid.Parts
	// Reload is what the control socket's Reload does; nil: Usage.
	Reload func() error
}

// Gateway is one open gateway.
type Gateway struct {
	cfg         Config
	opts        Options
	log         *slog.Logger
	keys        Keys
	chainID     string
	org         string
	chain       *client.Client
	proved      *client.Verified
	lock        *durable.Lock
	listener    net.Listener
	records     *receipt.Log
	anchor      *receipt.Anchor
	view        *view.View
	provider    *deliver.Provider
	asker       *deliver.Asker
	subs        *deliver.Subscriptions
	followings  *deliver.Followings
	dataspace   *dsp.Facade        // nil: none
	office      *issue.Office      // nil: it issues no credentials
	desk        *issue.Desk        // nil with office
	register    *register.Register // nil: it watches none
	wallets     *openid.Door       // nil: none
	deposits    *deposit.Depositor
	calls       *caller.Door
	receipts    *consentreceipt.Desk // nil with office
	sink        connect.Sink
	documents   connect.Sink // the folder of delivered files; nil: none
	sources     map[string]*source
	drifted     drifted
	started     time.Time
	registering sync.Mutex
	tracer      *tracing.Tracer // nil: calls are not followed
	pace        pace
}

// source is an open database with the names of its tables as they were last seen.
type source struct {
	cfg Source
	db  connect.Source

	mu    sync.Mutex // guards names
	names map[string]connect.TableName
}

// Open opens the gateway in its home, brings the access log and the open deliveries
// up to where they were, and listens. It needs the server. Nothing is answered
// before [Gateway.Run].
//
// Usage (configuration), Locked, NotFound (keys, account), NotWhitelisted (other
// keys than the ledger's), Damaged (log), Unreachable (server), SourceUnreachable.
func Open(ctx context.Context, cfg Config, opts Options) (_ *Gateway, err error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	g := &Gateway{cfg: cfg, opts: opts, log: cmp.Or(opts.Logger, slog.Default()), sources: map[string]*source{}, started: time.Now(), listener: opts.Listener}
	g.drifted.of = map[string]map[string]bool{}
	defer func() {
		if err != nil {
			g.Close()
		}
	}()
	if g.tracer = opts.Tracer; g.tracer == nil {
		if g.tracer, err = cfg.tracing(opts.Version); err != nil {
			return nil, err
		}
	}
	if err := durable.MkdirPrivate(cfg.Home); err != nil {
		return nil, err
	}
	if g.lock, err = durable.LockDir(cfg.Home, "mulian gateway"); err != nil {
		return nil, fault.Wrap(fault.Locked, err, "gateway")
	}
	if g.keys, err = LoadKeys(keyring.Ring{Dir: cfg.KeysDir()}, cfg.Account); err != nil {
		return nil, err
	}
	account, every, err := g.meet(ctx)
	if err != nil {
		return nil, err
	}
	if err := g.openDatabases(ctx); err != nil {
		return nil, err
	}
	if err := g.openOffice(); err != nil {
		return nil, err
	}
	if err := g.openReceipts(); err != nil {
		return nil, err
	}
	if g.listener == nil {
		if g.listener, err = net.Listen("tcp", cmp.Or(cfg.Listen, "127.0.0.1:0")); err != nil {
			return nil, fault.Wrap(fault.Usage, err, "listen")
		}
	}
	if err := g.openParts(ctx, account, every); err != nil { // tells wallets where it listens
		return nil, err
	}
	if err := g.openRegister(); err != nil {
		return nil, err
	}
	g.openDepositor()
	return g, nil
}

// meet reads the genesis and, with proof, the own account and the pace of anchors.
func (g *Gateway) meet(ctx context.Context) (*identityv1.Account, time.Duration, error) {
	file, err := os.ReadFile(g.cfg.Genesis)
	if err != nil {
		return nil, 0, fault.Wrap(fault.NotFound, err, "genesis")
	}
	genesis, err := client.ParseGenesis(file)
	if err != nil {
		return nil, 0, err
	}
	g.chainID = genesis.GetChainId()
	g.chain = client.New(g.cfg.Server)
	g.chain.Clock = g.opts.Clock
	g.proved = g.chain.Verify(genesis)
	account := &identityv1.Account{}
	found, _, err := g.proved.Get(ctx, "identity/account/"+g.cfg.Account, account)
	switch {
	case err != nil:
		return nil, 0, err
	case !found || account.GetGateway() == nil:
		return nil, 0, fault.Newf(fault.NotFound, "the ledger has no gateway %s", g.cfg.Account)
	}
	g.org = account.GetOrg()
	if err := g.keys.choose(keyring.Ring{Dir: g.cfg.KeysDir()}, account); err != nil {
		return nil, 0, err
	}
	g.chain.ReadAs(client.Signer{Account: g.cfg.Account, Key: g.keys.Machine}) // grants are for their parties
	par := &governancev1.Parameters{}
	if _, _, err := g.proved.Get(ctx, "governance/parameters", par); err != nil {
		return nil, 0, err
	}
	return account, time.Duration(cmp.Or(g.cfg.AnchorSeconds, int(par.GetAnchorSeconds()))) * time.Second, nil
}

func (g *Gateway) openDatabases(ctx context.Context) error {
	for _, s := range g.cfg.Sources {
		url, err := databaseURL(s.URL, s.URLFile)
		if err != nil {
			return err
		}
		db, err := connect.Open(ctx, url)
		if err != nil {
			return fault.Wrap(fault.SourceUnreachable, err, "source %s", s.Name)
		}
		g.sources[s.Name] = &source{cfg: s, db: db, names: map[string]connect.TableName{}}
	}
	if g.cfg.Documents != "" {
		var err error
		if g.documents, err = connect.OpenSink(ctx, "documents:"+g.cfg.Documents); err != nil {
			return fault.Wrap(fault.SourceUnreachable, err, "documents")
		}
	}
	url, err := databaseURL(g.cfg.Sink.URL, g.cfg.Sink.URLFile)
	if err != nil || url == "" {
		return err
	}
	g.sink, err = connect.OpenSink(ctx, url)
	return fault.Wrap(fault.SourceUnreachable, err, "sink")
}

func (g *Gateway) openParts(ctx context.Context, account *identityv1.Account, every time.Duration) (err error) {
	g.records, err = receipt.Open(ctx, receipt.Config{
		Dir: filepath.Join(g.cfg.Home, "log"), Gateway: g.cfg.Account, Origin: account.GetGateway().GetLogOrigin(), Key: g.keys.Log, Earlier: g.keys.EarlierLog, Logger: g.log,
		Secrecy: g.secrecy,
	})
	if err != nil {
		return err
	}
	g.anchor = receipt.NewAnchor(receipt.AnchorConfig{
		Log: g.records, Chain: g.chain, Proved: g.proved, Signer: g.signer(), Every: every, Logger: g.log,
		Marked: func(m receipt.Mark) { g.view.Mark(m) },
	})
	g.view = view.New(g.chain, g.proved, g.anchor.Now)
	g.provider, err = deliver.NewProvider(deliver.ProviderConfig{
		ChainID: g.chainID, Gateway: g.cfg.Account, Key: g.keys.Machine, SealKeys: append([]sm.PrivateKey{g.keys.Seal}, g.keys.MoreSeals...), Dir: filepath.Join(g.cfg.Home, "deliveries"),
		Log: g.records, Anchor: g.anchor, View: g.view, Chain: g.chain, Table: g.table, Drifted: g.drifted.is,
		Patience: g.opts.Patience, Clock: g.opts.Clock, Version: g.opts.Version, Logger: g.log,
	})
	if err != nil {
		return err
	}
	g.asker, err = deliver.NewAsker(deliver.AskerConfig{
		Clock:   g.opts.Clock,
		ChainID: g.chainID, Gateway: g.cfg.Account, Key: g.keys.Machine, SealKey: g.keys.Seal, MoreSealKeys: g.keys.MoreSeals, Dir: filepath.Join(g.cfg.Home, "fetches"),
		View: g.view, Chain: g.chain, Sink: g.sink, Documents: g.documents, Patience: g.opts.Patience, Logger: g.log, RowKey: g.rowKey,
	})
	if err != nil {
		return err
	}
	if g.followings, err = deliver.NewFollowings(g.asker); err != nil {
		return err
	}
	if g.subs, err = deliver.NewSubscriptions(g.provider, g.followings.Told); err != nil {
		return err
	}
	if err = g.openWallets(ctx); err != nil {
		return err
	}
	return g.openDataspace(ctx)
}

func (g *Gateway) signer() client.Signer {
	return client.Signer{Account: g.cfg.Account, Key: g.keys.Machine}
}

// Run serves until ctx ends: requests of others, anchors, the watch over the
// databases, interrupted fetches. It returns nil when ctx ended, and otherwise why
// it cannot go on.
func (g *Gateway) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watchers, err := g.watchers(ctx)
	if err != nil {
		return err
	}
	parts := []func(context.Context) error{g.anchor.Run, g.view.Run, g.provider.Run, g.serve, g.settle, g.control, g.unseal, g.retire, g.finishDeposits}
	for _, w := range watchers {
		parts = append(parts, w.Run)
	}
	if g.dataspace != nil {
		parts = append(parts, g.dataspace.Run)
	}
	if g.office != nil {
		parts = append(parts, g.watchRows, g.giveReceipts)
	}
	if g.register != nil {
		parts = append(parts, g.watchRegister)
	}
	errs := make(chan error, len(parts))
	for _, part := range parts {
		go func() { errs <- part(ctx) }()
	}
	for range parts {
		if e := <-errs; e != nil && ctx.Err() == nil {
			err = e
			cancel()
		}
	}
	return err
}

// settle does what a start has to do once: the own address, the tables, what was
// interrupted. It tries until it succeeds.
func (g *Gateway) settle(ctx context.Context) error {
	if g.anchor.Now(ctx) != nil && ctx.Err() != nil {
		return nil
	}
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		err := g.publishURL(ctx)
		if err == nil {
			_, err = g.RegisterTables(ctx)
		}
		if err == nil {
			break
		}
		if ctx.Err() == nil {
			g.log.Warn("address and tables are not on the ledger yet", "code", fault.CodeOf(err).String(), "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
	if err := g.asker.Resume(ctx); err != nil && ctx.Err() == nil {
		g.log.Warn("interrupted fetches could not be read", "err", err)
	}
	g.followings.Resume()
	<-ctx.Done()
	return nil
}

// publishURL corrects the address that the ledger has.
func (g *Gateway) publishURL(ctx context.Context) error {
	if g.cfg.URL == "" {
		return nil
	}
	a := &identityv1.Account{}
	if _, _, err := g.proved.Get(ctx, "identity/account/"+g.cfg.Account, a); err != nil {
		return err
	}
	if a.GetGateway().GetUrl() == g.cfg.URL {
		return nil
	}
	a.Gateway.Url = g.cfg.URL
	_, err := g.chain.Send(ctx, g.signer(), &identityv1.UpdateGateway{Gateway: g.cfg.Account, Profile: a.Gateway, Version: a.Version})
	return err
}

// Close closes everything that Open opened. Run has returned before.
func (g *Gateway) Close() error {
	var errs []error
	if g.listener != nil {
		if err := g.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if g.dataspace != nil {
		errs = append(errs, g.dataspace.Close())
	}
	if g.followings != nil {
		errs = append(errs, g.followings.Close())
	}
	if g.subs != nil {
		errs = append(errs, g.subs.Close())
	}
	if g.asker != nil {
		errs = append(errs, g.asker.Close())
	}
	if g.provider != nil {
		errs = append(errs, g.provider.Close())
	}
	if g.records != nil {
		errs = append(errs, g.records.Close())
	}
	for _, s := range g.sources {
		errs = append(errs, s.db.Close())
	}
	if g.opts.Tracer == nil {
		_ = g.tracer.Close() // a collector that is gone is no failure of the gateway
	}
	if g.documents != nil {
		errs = append(errs, g.documents.Close())
	}
	if g.sink != nil {
		errs = append(errs, g.sink.Close())
	}
	if g.lock != nil {
		errs = append(errs, g.lock.Unlock())
	}
	return errors.Join(errs...)
}

// Addr is where the gateway listens.
func (g *Gateway) Addr() string { return g.listener.Addr().String() }

// Account is the gateway's account.
func (g *Gateway) Account() string { return g.cfg.Account }

// Query asks the gateway behind an entry for the rows of one key; see
// [deliver.Asker.Query].
func (g *Gateway) Query(ctx context.Context, agreement, entry string, items []string, limit uint32, where ...*gatewayv1.KeyValue) (*deliver.Result, error) {
	return g.asker.Query(ctx, agreement, entry, items, limit, where...)
}

// Predicate is [deliver.Asker.Predicate].
func (g *Gateway) Predicate(ctx context.Context, agreement, entry, name string, parameters []*gatewayv1.KeyValue, where ...*gatewayv1.KeyValue) (*deliver.Asked, error) {
	return g.asker.Predicate(ctx, agreement, entry, name, parameters, where...)
}

// FetchByGrant takes the one row that an owner has granted; see [deliver.Asker.FetchByGrant].
func (g *Gateway) FetchByGrant(ctx context.Context, f deliver.GrantedFetch) (*deliver.Granted, error) {
	return g.asker.FetchByGrant(ctx, f)
}

// Fetch takes a whole entry into the own database; see [deliver.Asker.Fetch].
func (g *Gateway) Fetch(ctx context.Context, f deliver.Fetch) (*deliver.Loaded, error) {
	return g.asker.Fetch(ctx, f)
}

// Use accounts on the ledger for a use of what was received: the case in which, how
// many rows, to what effect. The purpose is the agreed one.
func (g *Gateway) Use(ctx context.Context, agreement, matterCase string, rows uint64, effect string) (*client.Receipt, error) {
	a, s, err := view.Get(ctx, g.view, "share/agreement/"+agreement, func() *sharev1.Agreement { return &sharev1.Agreement{} }, view.NoAge)
	if err != nil {
		return nil, err
	}
	if !s.Found {
		return nil, fault.Newf(fault.NotFound, "there is no agreement %s", agreement)
	}
	return g.chain.Send(ctx, g.signer(), &sharev1.RecordUse{
		Agreement: agreement, Purpose: a.GetTerms().GetPurpose(), MatterCase: matterCase, Rows: rows, Effect: effect,
	})
}

// Records is the gateway's access log, for who inspects it on the spot.
func (g *Gateway) Records() *receipt.Log { return g.records }

// Receipts is the book of what this gateway has received.
func (g *Gateway) Receipts() *receipt.Book { return g.asker.Receipts() }

// table finds the database behind a catalogue table.
func (g *Gateway) table(sourceName, name string) (connect.Source, connect.TableName, error) {
	s := g.sources[sourceName]
	if s == nil {
		return nil, connect.TableName{}, fault.Newf(fault.SourceUnreachable, "this gateway has no source %q", sourceName)
	}
	return s.db, s.resolve(name), nil
}

// resolve turns a table's name on the ledger back into the database's.
func (s *source) resolve(name string) connect.TableName {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, ok := s.names[name]; ok {
		return n
	}
	return parseTableName(name)
}

func (s *source) saw(schema *connect.Schema) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range schema.Tables {
		s.names[t.TableName.String()] = t.TableName
	}
}

// parseTableName reads schema.name, or name.
func parseTableName(name string) connect.TableName {
	for i := range len(name) {
		if name[i] == '.' {
			return connect.TableName{Schema: name[:i], Name: name[i+1:]}
		}
	}
	return connect.TableName{Name: name}
}
