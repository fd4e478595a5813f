package e2e_test

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
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/keyring"
	"mulian/gateway"
	_ "mulian/gateway/connect/all"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/internal/standard"
	"mulian/node"
	"mulian/rules/rulestest"
)

const chainID = "e2e"

// place is where a town stands: a test, or the process that the killing test kills.
type place interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
	Output() io.Writer
}

// town is a real chain of one validator with its server, and the departments under
// it. All that it is lies in one folder: made again there, it goes on.
type town struct {
	place
	dir       string
	trust     *client.Genesis
	chain     *client.Client
	member    *node.Member
	end       func() error // ends the member; nil when it has ended
	authority client.Signer
	staffing  client.Signer
	pages     []string // of this machine, on which passkeys sign, too
}

// department is an organisation with a duty and a gateway.
type department struct {
	client.Signer
	name    string
	duty    string
	gateway string
}

// newTown founds a town in dir, or opens the one that is there.
func newTown(p place, dir string, pages ...string) *town {
	p.Helper()
	w := &town{place: p, dir: dir, pages: pages}
	w.authority, w.staffing = w.signer(rulestest.Code(1)), w.signer(rulestest.Code(2))
	w.found()
	w.start()
	return w
}

func (w *town) ok(err error) {
	if err != nil {
		w.Helper()
		w.Fatalf("%s: %v", fault.CodeOf(err), err)
	}
}

func (w *town) path(names ...string) string {
	return filepath.Join(append([]string{w.dir}, names...)...)
}

func (w *town) ring() keyring.Ring { return keyring.Ring{Dir: w.path("keys")} }

// signer is who signs as an organisation; the key is made if there is none.
func (w *town) signer(account string) client.Signer {
	w.Helper()
	key, err := w.ring().Key(account, keyring.Root)
	if fault.Is(err, fault.NotFound) {
		key, err = w.ring().New(account, keyring.Root, sm.SM2)
	}
	w.ok(err)
	return client.Signer{Account: account, Key: key}
}

func founder(s client.Signer, name string) *governancev1.Founder {
	return &governancev1.Founder{
		Code: s.Account, Weight: 1, Profile: profile(name), Keys: rootKeys(s),
	}
}

func profile(name string) *identityv1.OrgProfile {
	return &identityv1.OrgProfile{Name: name, Level: identityv1.OrgLevel_ORG_LEVEL_CITY, Region: "110000"}
}

func rootKeys(s client.Signer) []*identityv1.Key {
	return []*identityv1.Key{client.PublicKey(s.Key.Public(), identityv1.KeyLevel_KEY_LEVEL_ROOT, keyring.Root)}
}

// found makes genesis and node, if they are not there.
func (w *town) found() {
	w.Helper()
	file, err := os.ReadFile(w.path("genesis"))
	if os.IsNotExist(err) {
		id, kerr := node.Keys(w.path("node"))
		w.ok(kerr)
		parameters := standard.Parameters()
		parameters.PasskeyRpIds, parameters.PasskeyOrigins = []string{ownersHost}, []string{ownersPage}
		if len(w.pages) > 0 {
			parameters.PasskeyRpIds, parameters.PasskeyOrigins = append(parameters.PasskeyRpIds, "localhost"), append(parameters.PasskeyOrigins, w.pages...)
		}
		g := &governancev1.Genesis{
			ChainId: chainID, TimeMs: time.Now().Add(-time.Minute).UnixMilli(), Parameters: parameters,
			ClockProfiles: standard.Clocks(), Calendar: standard.Calendars(),
			Founders: []*governancev1.Founder{founder(w.authority, "政务服务和数据管理局"), founder(w.staffing, "机构编制委员会办公室")},
			Roles: []*governancev1.RoleGrant{
				{Role: governancev1.Role_ROLE_AUTHORITY, Account: w.authority.Account},
				{Role: governancev1.Role_ROLE_STAFFING_OFFICE, Account: w.staffing.Account},
				{Role: governancev1.Role_ROLE_FINANCE_BUREAU, Account: w.authority.Account},
				{Role: governancev1.Role_ROLE_IDENTITY, Account: w.staffing.Account},
			},
			Validators: []*governancev1.Validator{{PublicKey: id.Validator[:], Power: 10, Org: w.authority.Account, Name: "v1"}},
		}
		file, err = client.SignGenesis(g, w.authority, w.staffing)
		w.ok(err)
		_, err = node.Init(w.path("node"), file)
		w.ok(err)
		err = os.WriteFile(w.path("genesis"), file, 0o600)
	}
	w.ok(err)
	w.trust, err = client.ParseGenesis(file)
	w.ok(err)
}

// start brings the member up on a free port.
func (w *town) start() {
	w.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	m, err := node.OpenMember(ctx, node.MemberConfig{
		Node: node.Config{Home: w.path("node"), Version: "e2e", Logger: w.logger(slog.LevelError)}, Index: w.path("index.db"), Listen: "127.0.0.1:0",
	})
	w.ok(err)
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	w.end = func() error {
		w.end = nil
		cancel()
		return <-done
	}
	w.Cleanup(w.stop)
	w.member, w.chain = m, client.New(m.URL())
	if w.authority.Account != "" {
		w.chain.ReadAs(w.authority) // the tests look at grants of everybody
	}
}

// stop ends the member, which has to end well.
func (w *town) stop() {
	w.Helper()
	if w.end == nil {
		return
	}
	if err := w.end(); err != nil {
		w.Errorf("the member's end: %v", err)
	}
}

func (w *town) logger(level slog.Level) *slog.Logger {
	return slog.New(handler(w.place, level))
}

// as signs messages as s and waits until they are in a block; it has to succeed.
func (w *town) as(s client.Signer, m ...proto.Message) *client.Receipt {
	w.Helper()
	r, err := w.chain.Send(context.Background(), s, m...)
	if err != nil {
		w.Fatalf("%s: %s: %v", m[0].ProtoReflect().Descriptor().Name(), fault.CodeOf(err), err)
	}
	return r
}

// get reads an object and tells whether there is one.
func (w *town) get(key string, m proto.Message) bool {
	w.Helper()
	found, err := w.chain.Get(context.Background(), key, m)
	w.ok(err)
	return found
}

// department brings the n-th department on board, if it is not: with a duty and the
// keys and registration of a gateway.
func (w *town) department(n int, name string, alg sm.Algorithm) *department {
	w.Helper()
	d := &department{Signer: w.signer(rulestest.Code(n)), name: name}
	d.duty, d.gateway = d.Account+":1", d.Account+"/g/main"
	if !w.get("identity/account/"+d.Account, &identityv1.Account{}) {
		w.as(w.authority, &identityv1.RegisterOrg{Code: d.Account, Profile: profile(name), Keys: rootKeys(d.Signer)})
	}
	if !w.get("catalogue/duty/"+d.duty, &cataloguev1.Duty{}) {
		w.as(w.staffing, &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{{
			Id: d.duty, Org: d.Account, Title: name + "的法定职责", PowerType: cataloguev1.PowerType_POWER_TYPE_LICENSING, Source: "三定规定", Article: "第三条",
		}}})
	}
	keys, err := gateway.MakeKeys(w.ring(), d.gateway, alg)
	w.ok(err)
	if !w.get("identity/account/"+d.gateway, &identityv1.Account{}) {
		w.as(d.Signer, keys.Registration(chainID, d.gateway, name+"网关", "http://127.0.0.1:9"))
	}
	return d
}

// running is a gateway and how to end it.
type running struct {
	*gateway.Gateway
	w   *town
	end func() error // nil when it has ended
}

// stop ends the gateway, which has to end well.
func (r *running) stop() {
	r.w.Helper()
	if r.end == nil {
		return
	}
	if err := r.end(); err != nil {
		r.w.Errorf("the end of gateway %s: %v", r.Account(), err)
	}
}

// open runs a department's gateway between the sources and the sink, on a free port.
func (w *town) open(d *department, sink string, sources ...gateway.Source) *running {
	w.Helper()
	return w.openAs(d, func(c *gateway.Config) { c.Sources, c.Sink.URL = sources, sink })
}

// openAs runs a department's gateway with what edit adds to its configuration.
func (w *town) openAs(d *department, edit func(*gateway.Config)) *running {
	w.Helper()
	addr := freeAddress(w)
	cfg := gateway.Config{
		Home: w.path("gateway", d.Account), Account: d.gateway, Keys: w.ring().Dir, Server: w.chain.URL(), Genesis: w.path("genesis"),
		Listen: addr, URL: "http://" + addr,
	}
	edit(&cfg)
	g, err := gateway.Open(context.Background(), cfg, gateway.Options{Version: "e2e", Logger: w.logger(slog.LevelError)})
	w.ok(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	r := &running{Gateway: g, w: w}
	r.end = func() error {
		r.end = nil
		cancel()
		return errors.Join(<-done, g.Close())
	}
	w.Cleanup(r.stop)
	w.eventually("the gateway's address is on the ledger", func() bool {
		a := &identityv1.Account{}
		return w.get("identity/account/"+d.gateway, a) && a.GetGateway().GetUrl() == "http://"+addr
	})
	return r
}

func freeAddress(w *town) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	w.ok(err)
	defer l.Close()
	return l.Addr().String()
}

// eventually waits for what happens by itself: real processes on a real clock.
func (w *town) eventually(what string, ok func() bool) time.Duration {
	w.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > 30*time.Second {
			w.Fatalf("%s: not within 30 s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(began)
}

// entryOf makes an entry over a registered table, an item for each column. titles are
// the items' names by column; codes are the columns where they are ASCII.
func (w *town) entryOf(d *department, local, name, table string, titles map[string]string) *cataloguev1.Entry {
	w.Helper()
	t := &cataloguev1.Table{}
	if !w.get("catalogue/table/"+table, t) {
		w.Fatalf("the ledger has no table %s", table)
	}
	e := &cataloguev1.Entry{
		Id: d.Account + ":" + local, Name: name, Abstract: name + "，依职责形成", Provider: d.Account, Duties: []string{d.duty}, Table: table,
		Category: "城乡建设/企业", Format: cataloguev1.Format_FORMAT_TABLE, Methods: []cataloguev1.Method{byBatch, byQuery},
		ShareType: cataloguev1.ShareType_SHARE_TYPE_CONDITIONAL, Conditions: &cataloguev1.ShareConditions{Scope: "本市各部门履行职责需要的"},
		OpenType: cataloguev1.OpenType_OPEN_TYPE_DENIED, UpdateCycle: cataloguev1.UpdateCycle_UPDATE_CYCLE_MONTHLY,
		Grade: cataloguev1.Grade_GRADE_GENERAL_1, Personal: cataloguev1.Personal_PERSONAL_NONE, CoverageRegion: "110000",
	}
	for i, c := range t.GetColumns() {
		it := &cataloguev1.Item{Code: c.GetName(), Name: c.GetName(), TechnicalName: c.GetName(), Type: c.GetType(), Column: c.GetName(), PrimaryKey: c.GetPrimaryKey()}
		if title := titles[c.GetName()]; title != "" {
			it.Name = title
		}
		if strings.ContainsFunc(c.GetName(), func(r rune) bool { return r > 127 }) {
			it.Code = fmt.Sprintf("i%02d", i+1)
		}
		e.Items = append(e.Items, it)
	}
	return e
}

const (
	byQuery = cataloguev1.Method_METHOD_QUERY
	byBatch = cataloguev1.Method_METHOD_BATCH
)

// terms are what a department asks of an entry; no items are all of them.
func terms(asker *department, e *cataloguev1.Entry, method cataloguev1.Method, items ...string) *sharev1.Terms {
	if len(items) == 0 {
		for _, it := range e.GetItems() {
			items = append(items, it.GetCode())
		}
	}
	return &sharev1.Terms{
		Parts: []*sharev1.Part{{Entry: e.GetId(), Items: items}}, Purpose: "核验" + e.GetName(), Duty: asker.duty, Matter: "年度核查",
		LegalBasis: "政务数据共享条例第二十条", AppSystem: asker.name + "业务系统", ScopeOfUse: "本单位", Method: method, Days: 30,
	}
}

// agree takes an agreement from request to both signatures and returns its id.
func (w *town) agree(asker, provider *department, m *sharev1.Terms) string {
	w.Helper()
	ids := w.as(asker.Signer, &sharev1.FileRequest{Terms: m, Gateway: asker.gateway}).IDs
	if len(ids) == 1 {
		ids = append(ids, w.as(provider.Signer, &sharev1.Answer{Request: ids[0], Accept: true}).IDs[0])
	}
	w.as(asker.Signer, &sharev1.ConfirmAgreement{Agreement: ids[1], Version: 1})
	return ids[1]
}

// refused fails the test unless err has the code.
func (w *town) refused(code fault.Code, err error) {
	if got := fault.CodeOf(err); got != code {
		w.Helper()
		w.Fatalf("got %s (%v), want %s", got, err, code)
	}
}
