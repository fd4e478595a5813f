package gateway_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	_ "modernc.org/sqlite"

	"mulian/client"
	"mulian/client/keyring"
	"mulian/gateway"
	_ "mulian/gateway/connect/all"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/index"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/internal/standard"
	"mulian/node"
	"mulian/rules/rulestest"
	"mulian/server"
)

// town is two departments under a real one-validator chain with its server: the
// planning commission with a table of permits, and the water bureau that asks.
type town struct {
	t         testing.TB
	dir       string
	url       string // of the server
	chain     *client.Client
	genesis   string // file
	chainID   string
	authority client.Signer
	planning  client.Signer
	water     client.Signer
	door      string // planning's gateway
	tap       string // water's
	permits   string // planning's database
	own       string // water's database
	schema    string // source and schema before the names of planning's tables; empty: plan.public.
	entry     string
	member    *member
}

// member is the node with its server; stop ends both, as a member's outage would.
type member struct {
	home string
	addr string
	stop func()
}

const chainID = "gateway-test"

// heavy passes over a test that moves too much for the race detector, or waits for what is
// slow on purpose: make test runs it.
func heavy(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("too much for the race detector")
	}
}

func newTown(t testing.TB) *town {
	t.Helper()
	w := &town{t: t, dir: t.TempDir(), chainID: chainID}
	w.authority = w.signer(rulestest.Code(1), "root")
	w.found()
	w.start()
	w.planning, w.water = w.org(2, "规划和自然资源委员会"), w.org(3, "水务局")
	w.door, w.tap = w.planning.Account+"/g/main", w.water.Account+"/g/main"
	w.gateway(w.planning, w.door)
	w.gateway(w.water, w.tap)
	w.permits, w.own = filepath.Join(w.dir, "permits.db"), filepath.Join(w.dir, "own.db")
	return w
}

func (w *town) ring() keyring.Ring { return keyring.Ring{Dir: filepath.Join(w.dir, "keys")} }

func (w *town) signer(account, label string) client.Signer {
	w.t.Helper()
	key, err := w.ring().New(account, label, sm.SM2)
	if err != nil {
		w.t.Fatal(err)
	}
	return client.Signer{Account: account, Key: key}
}

func (w *town) found() {
	w.t.Helper()
	home := filepath.Join(w.dir, "node")
	id, err := node.Keys(home)
	if err != nil {
		w.t.Fatal(err)
	}
	g := &governancev1.Genesis{
		ChainId: chainID, TimeMs: time.Now().Add(-time.Minute).UnixMilli(), Parameters: standard.Parameters(),
		ClockProfiles: standard.Clocks(), Calendar: []*governancev1.CalendarYear{standard.Calendar2025(), standard.Calendar2026()},
		Founders: []*governancev1.Founder{{
			Code: w.authority.Account, Weight: 1,
			Profile: &identityv1.OrgProfile{Name: "政务服务和数据管理局", Level: identityv1.OrgLevel_ORG_LEVEL_CITY, Region: "110000"},
			Keys:    []*identityv1.Key{ledgerKey(w.authority.Key, identityv1.KeyLevel_KEY_LEVEL_ROOT)},
		}},
		Roles:      []*governancev1.RoleGrant{{Role: governancev1.Role_ROLE_AUTHORITY, Account: w.authority.Account}},
		Validators: []*governancev1.Validator{{PublicKey: id.Validator[:], Power: 10, Org: w.authority.Account, Name: "v1"}},
	}
	raw, err := canon.Marshal(g)
	if err != nil {
		w.t.Fatal(err)
	}
	sig, err := w.authority.Key.Sign(append([]byte(client.GenesisDomain), raw...))
	if err != nil {
		w.t.Fatal(err)
	}
	file, err := canon.Marshal(&governancev1.SignedGenesis{Genesis: raw, Signatures: []*governancev1.FounderSignature{{
		Org: w.authority.Account, Key: w.authority.Key.Public().ID(), Signature: sig,
	}}})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := node.Init(home, file); err != nil {
		w.t.Fatal(err)
	}
	w.genesis = filepath.Join(w.dir, "genesis")
	if err := os.WriteFile(w.genesis, file, 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.member = &member{home: home, addr: "127.0.0.1:0"}
}

func ledgerKey(k sm.PrivateKey, level identityv1.KeyLevel) *identityv1.Key {
	return &identityv1.Key{Id: k.Public().ID(), Algorithm: identityv1.KeyAlgorithm(k.Algorithm()), PublicKey: k.Public().Bytes(), Level: level}
}

func quiet(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// start brings the member up, on the same address as before.
func (w *town) start() {
	w.t.Helper()
	m := w.member
	ctx, cancel := context.WithCancel(context.Background())
	n, err := node.Open(ctx, node.Config{Home: m.home, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	x, err := index.Open(filepath.Join(w.dir, "index.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	l, err := net.Listen("tcp", m.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	m.addr = l.Addr().String()
	s := server.New(n, x, server.Options{Version: "test", Logger: slog.New(slog.DiscardHandler)})
	done := make(chan error, 2)
	go func() { done <- x.Run(ctx, n) }()
	go func() { done <- s.Serve(ctx, l) }()
	m.stop = func() {
		m.stop = func() {}
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				w.t.Errorf("the member's end: %v", err)
			}
		}
		x.Close()
		if err := n.Close(); err != nil {
			w.t.Errorf("close the node: %v", err)
		}
	}
	w.t.Cleanup(func() { m.stop() })
	w.url = "http://" + m.addr
	w.chain = client.New(w.url)
}

func (w *town) must(s client.Signer, m ...proto.Message) *client.Receipt {
	w.t.Helper()
	r, err := w.chain.Send(context.Background(), s, m...)
	if err != nil {
		w.t.Fatalf("%T: %v %v", m[0], fault.CodeOf(err), err)
	}
	return r
}

func (w *town) org(n int, name string) client.Signer {
	w.t.Helper()
	s := w.signer(rulestest.Code(n), "root")
	w.must(w.authority, &identityv1.RegisterOrg{
		Code: s.Account, Profile: &identityv1.OrgProfile{Name: name, Level: identityv1.OrgLevel_ORG_LEVEL_CITY, Region: "110000"},
		Keys: []*identityv1.Key{ledgerKey(s.Key, identityv1.KeyLevel_KEY_LEVEL_ROOT)},
	})
	w.must(s, &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{{
		Id: s.Account + ":1", Org: s.Account, Title: name + "的职责", PowerType: cataloguev1.PowerType_POWER_TYPE_LICENSING, Source: "三定规定", Article: "第三条",
	}}})
	return s
}

func (w *town) gateway(org client.Signer, account string) {
	w.t.Helper()
	alg := sm.SM2
	if org.Account == w.water.Account {
		alg = sm.P256 // both suites are in use
	}
	keys, err := gateway.MakeKeys(w.ring(), account, alg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.must(org, keys.Registration(w.chainID, account, "网关", "http://127.0.0.1:9"))
}

// makePermits makes the planning commission's database with n permits.
func (w *town) makePermits(n int) {
	w.t.Helper()
	db, err := sql.Open("sqlite", w.permits+"?_pragma=busy_timeout(60000)")
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		w.t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`CREATE TABLE permit (no TEXT NOT NULL PRIMARY KEY, project TEXT, area NUMERIC(12,2), issued DATE, note TEXT)`); err != nil {
		w.t.Fatal(err)
	}
	st, err := tx.Prepare(`INSERT INTO permit VALUES (?, ?, ?, ?, ?)`)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range n {
		if _, err := st.Exec(fmt.Sprintf("P%07d", i), fmt.Sprintf("项目 %d", i), fmt.Sprintf("%d.5", i%10000), "2026-03-09", "内部"); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *town) planningConfig() gateway.Config {
	return gateway.Config{
		Home: filepath.Join(w.dir, "door"), Account: w.door, Keys: w.ring().Dir, Server: w.url, Genesis: w.genesis,
		Sources: []gateway.Source{{Name: "plan", URL: "sqlite:" + w.permits}}, PollSeconds: 1,
	}
}

func (w *town) waterConfig() gateway.Config {
	return gateway.Config{
		Home: filepath.Join(w.dir, "tap"), Account: w.tap, Keys: w.ring().Dir, Server: w.url, Genesis: w.genesis,
		Sink: gateway.Sink{URL: "sqlite:" + w.own},
	}
}

// running is a gateway and how to end it.
type running struct {
	*gateway.Gateway
	stop func()
}

// open starts a gateway on a free port and puts its address on the ledger.
func (w *town) open(cfg gateway.Config) *running { return w.openWith(cfg, gateway.Options{}) }

// openPatient is open for tests in which somebody says nothing.
func (w *town) openPatient(cfg gateway.Config) *running {
	return w.openWith(cfg, gateway.Options{Patience: patience})
}

func (w *town) openWith(cfg gateway.Config, opts gateway.Options) *running {
	w.t.Helper()
	if cfg.Listen == "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			w.t.Fatal(err)
		}
		cfg.Listen = l.Addr().String()
		l.Close()
		cfg.URL = "http://" + cfg.Listen
	}
	opts.Version, opts.Logger = "test", quiet(w.t)
	g, err := gateway.Open(context.Background(), cfg, opts)
	if err != nil {
		w.t.Fatalf("open %s: %v", cfg.Account, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	r := &running{Gateway: g}
	r.stop = func() {
		r.stop = func() {}
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("run %s: %v", cfg.Account, err)
		}
		if err := g.Close(); err != nil {
			w.t.Errorf("close %s: %v", cfg.Account, err)
		}
	}
	w.t.Cleanup(func() { r.stop() })
	w.eventually("the gateway's address is on the ledger", func() bool {
		a := &identityv1.Account{}
		ok, err := w.chain.Get(context.Background(), "identity/account/"+cfg.Account, a)
		return err == nil && ok && a.GetGateway().GetUrl() == cfg.URL
	})
	return r
}

// eventually waits for what happens by itself.
func (w *town) eventually(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(end) {
			w.t.Fatalf("%s: not within a minute", what)
		}
		time.Sleep(20 * time.Millisecond) // real processes and a real chain: there is no clock to turn
	}
}

// publish puts an unconditional entry on the table of permits.
func (w *town) publish(door *running) {
	w.t.Helper()
	ids, err := door.RegisterTables(context.Background())
	if err != nil || len(ids) != 1 {
		w.t.Fatalf("register: %v, %v", ids, err)
	}
	w.entry = w.planning.Account + ":permit"
	w.must(w.planning, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{{
		Id: w.entry, Name: "建设工程规划许可证", Abstract: "已核发的许可", Provider: w.planning.Account, Duties: []string{w.planning.Account + ":1"},
		Table: ids[0], Category: "城乡建设/规划", Format: cataloguev1.Format_FORMAT_TABLE, Methods: []cataloguev1.Method{cataloguev1.Method_METHOD_BATCH, cataloguev1.Method_METHOD_QUERY},
		ShareType: cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL, StandingOrder: &cataloguev1.StandingOrder{Automatic: true},
		OpenType: cataloguev1.OpenType_OPEN_TYPE_DENIED, UpdateCycle: cataloguev1.UpdateCycle_UPDATE_CYCLE_DAILY,
		Grade: cataloguev1.Grade_GRADE_GENERAL_1, Personal: cataloguev1.Personal_PERSONAL_NONE, CoverageRegion: "110000",
		Items: []*cataloguev1.Item{
			{Code: "no", Name: "许可证号", Type: "text", PrimaryKey: true, Column: "no", TechnicalName: "permit_no"},
			{Code: "project", Name: "项目", Type: "text", Column: "project"},
			{Code: "area", Name: "面积", Type: "decimal", Column: "area"},
			{Code: "issued", Name: "发证日期", Type: "date", Column: "issued"},
			{Code: "note", Name: "备注", Type: "text", Column: "note"},
		},
	}}})
}

// agree makes an active agreement for the named items.
func (w *town) agree(method cataloguev1.Method, edit func(*sharev1.Terms)) string {
	w.t.Helper()
	terms := &sharev1.Terms{
		Parts:   []*sharev1.Part{{Entry: w.entry, Items: []string{"no", "project", "area", "issued"}}},
		Purpose: "排水许可审批", Duty: w.water.Account + ":1", Matter: "排水许可", LegalBasis: "城镇排水与污水处理条例第二十一条",
		AppSystem: "排水许可系统", ScopeOfUse: "本单位", Method: method, Days: 30,
	}
	if edit != nil {
		edit(terms)
	}
	ids := w.must(w.water, &sharev1.FileRequest{Terms: terms, Gateway: w.tap}).IDs
	if len(ids) != 2 {
		w.t.Fatalf("the request was not answered by the standing order: %v", ids)
	}
	w.must(w.water, &sharev1.ConfirmAgreement{Agreement: ids[1], Version: 1})
	return ids[1]
}

func no(value string) *gatewayv1.KeyValue { return &gatewayv1.KeyValue{Item: "no", Value: value} }

// want fails the test unless err has the code.
func want(t testing.TB, code fault.Code, err error) {
	t.Helper()
	if got := fault.CodeOf(err); got != code {
		t.Helper()
		t.Fatalf("got %s (%v), want %s", got, err, code)
	}
}
