package bench

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"mulian/client"
	"mulian/client/keyring"
	"mulian/gateway"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/internal/standard"
	"mulian/node"
)

// The organisations of a town: synthetic codes with right check digits.
const (
	townAuthority = "1111000000000001T8"
	townProvider  = "1111000000000002T9"
	townConsumer  = "1111000000000003TA"
	townChain     = "mulian-bench"
)

// town is a real chain of one validator with two departments that have agreed: what a
// delivery or a query needs before it can be measured.
type town struct {
	dir     string
	member  *node.Member
	chain   *client.Client
	ring    keyring.Ring
	genesis string // file
	listen  string // where other nodes connect; empty: the member is the whole chain
	stop    func() error

	authority, provider, consumer client.Signer
	door, tap                     string // gateways of provider and consumer
	entry                         string
}

// found makes the chain and the two departments in dir.
func found(ctx context.Context, dir string) (_ *town, err error) {
	w := &town{dir: dir, ring: keyring.Ring{Dir: filepath.Join(dir, "keys")}, genesis: filepath.Join(dir, "genesis")}
	for code, into := range map[string]*client.Signer{townAuthority: &w.authority, townProvider: &w.provider, townConsumer: &w.consumer} {
		key, err := w.ring.New(code, keyring.Root, sm.SM2)
		if err != nil {
			return nil, err
		}
		*into = client.Signer{Account: code, Key: key}
	}
	if err := w.open(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.stop())
		}
	}()
	w.door, w.tap = w.provider.Account+"/g/main", w.consumer.Account+"/g/main"
	if err := w.settle(ctx, w.provider, w.door, "规划和自然资源委员会"); err != nil {
		return nil, err
	}
	return w, w.settle(ctx, w.consumer, w.tap, "水务局")
}

// open signs the genesis and runs the one member.
func (w *town) open(ctx context.Context) error {
	home := w.home()
	id, err := node.Keys(home)
	if err != nil {
		return err
	}
	parameters := standard.Parameters()
	parameters.PasskeyRpIds, parameters.PasskeyOrigins = []string{ownersHost}, []string{ownersPage}
	file, err := client.SignGenesis(&governancev1.Genesis{
		ChainId: townChain, TimeMs: time.Now().Add(-time.Minute).UnixMilli(), Parameters: parameters,
		ClockProfiles: standard.Clocks(), Calendar: standard.Calendars(),
		Founders: []*governancev1.Founder{{
			Code: w.authority.Account, Weight: 1,
			Profile: &identityv1.OrgProfile{Name: "政务服务和数据管理局", Level: identityv1.OrgLevel_ORG_LEVEL_CITY, Region: "110000"},
			Keys:    []*identityv1.Key{client.PublicKey(w.authority.Key.Public(), identityv1.KeyLevel_KEY_LEVEL_ROOT, "")},
		}},
		Roles: []*governancev1.RoleGrant{
			{Role: governancev1.Role_ROLE_AUTHORITY, Account: w.authority.Account}, {Role: governancev1.Role_ROLE_IDENTITY, Account: w.authority.Account},
		},
		Validators: []*governancev1.Validator{{PublicKey: id.Validator[:], Power: 10, Org: w.authority.Account, Name: "v1"}},
	}, w.authority)
	if err != nil {
		return err
	}
	if _, err := node.Init(home, file); err != nil {
		return err
	}
	if err := os.WriteFile(w.genesis, file, 0o600); err != nil {
		return err
	}
	return w.run(ctx)
}

// home is the folder of the one member's node.
func (w *town) home() string { return filepath.Join(w.dir, "node") }

// run starts the one member, also again after stop.
func (w *town) run(ctx context.Context) (err error) {
	w.member, err = node.OpenMember(ctx, node.MemberConfig{
		Node: node.Config{Home: w.home(), Listen: w.listen, Logger: slog.New(slog.DiscardHandler)}, Listen: "127.0.0.1:0",
	})
	if err != nil {
		return err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- w.member.Run(running) }()
	w.stop = func() error { cancel(); return <-done }
	w.chain = client.New(w.member.URL())
	return nil
}

// settle registers an organisation with its duty and its gateway.
func (w *town) settle(ctx context.Context, org client.Signer, account, name string) error {
	keys, err := gateway.MakeKeys(w.ring, account, sm.SM2)
	if err != nil {
		return err
	}
	if _, err := w.chain.Send(ctx, w.authority, &identityv1.RegisterOrg{
		Code: org.Account, Profile: &identityv1.OrgProfile{Name: name, Level: identityv1.OrgLevel_ORG_LEVEL_CITY, Region: "110000"},
		Keys: []*identityv1.Key{client.PublicKey(org.Key.Public(), identityv1.KeyLevel_KEY_LEVEL_ROOT, "")},
	}); err != nil {
		return err
	}
	_, err = w.chain.Send(ctx, org,
		&cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{{
			Id: org.Account + ":1", Org: org.Account, Title: name + "的职责", PowerType: cataloguev1.PowerType_POWER_TYPE_LICENSING, Source: "三定规定", Article: "第三条",
		}}},
		keys.Registration(townChain, account, "网关", "http://127.0.0.1:9"))
	return err
}

// config is that of a gateway of the town.
func (w *town) config(account, listen string) gateway.Config {
	home := "door" // short: a control socket's path has at most 108 bytes
	if account == w.tap {
		home = "tap"
	}
	return gateway.Config{
		Home: filepath.Join(w.dir, home), Account: account, Keys: w.ring.Dir,
		Server: w.member.URL(), Genesis: w.genesis, Listen: listen, URL: "http://" + listen,
	}
}

// publish puts the rows' table into the catalogue, for everybody, as edit makes it.
func (w *town) publish(ctx context.Context, p pair, edit ...func(*cataloguev1.Entry)) error {
	table := w.door + ":main." + p.table()
	if err := until(ctx, "the table is on the ledger", func() (bool, error) {
		return w.chain.Get(ctx, "catalogue/table/"+table, &cataloguev1.Table{})
	}); err != nil {
		return err
	}
	e := permit(w.provider.Account, "permit", table)
	w.entry = e.Id
	for _, change := range edit {
		change(e)
	}
	_, err := w.chain.Send(ctx, w.provider, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{e}})
	return err
}

// permit is the entry of a table with the rows' columns, for everybody.
func permit(provider, id, table string) *cataloguev1.Entry {
	e := &cataloguev1.Entry{
		Id: provider + ":" + id, Name: "建设工程规划许可证", Abstract: "测速用的合成许可", Provider: provider, Duties: []string{provider + ":1"},
		Table: table, Category: "城乡建设/规划", Format: cataloguev1.Format_FORMAT_TABLE,
		Methods:   []cataloguev1.Method{cataloguev1.Method_METHOD_BATCH, cataloguev1.Method_METHOD_QUERY},
		ShareType: cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL, StandingOrder: &cataloguev1.StandingOrder{Automatic: true},
		OpenType: cataloguev1.OpenType_OPEN_TYPE_DENIED, UpdateCycle: cataloguev1.UpdateCycle_UPDATE_CYCLE_DAILY,
		Grade: cataloguev1.Grade_GRADE_GENERAL_1, Personal: cataloguev1.Personal_PERSONAL_NONE, CoverageRegion: "110000",
	}
	for i, c := range rowsColumns {
		e.Items = append(e.Items, &cataloguev1.Item{Code: c.name, Name: c.title, Type: c.kind, PrimaryKey: i == 0, Column: c.name, TechnicalName: c.name})
	}
	return e
}

// agree makes an agreement on all items.
func (w *town) agree(ctx context.Context, method cataloguev1.Method) (string, error) {
	part := &sharev1.Part{Entry: w.entry}
	for _, c := range rowsColumns {
		part.Items = append(part.Items, c.name)
	}
	r, err := w.chain.Send(ctx, w.consumer, &sharev1.FileRequest{Gateway: w.tap, Terms: &sharev1.Terms{
		Parts: []*sharev1.Part{part}, Purpose: "排水许可审批", Duty: w.consumer.Account + ":1", Matter: "排水许可",
		LegalBasis: "城镇排水与污水处理条例第二十一条", AppSystem: "排水许可系统", ScopeOfUse: "本单位", Method: method, Days: 30,
	}})
	if err != nil {
		return "", err
	}
	if len(r.IDs) != 2 {
		return "", fault.Newf(fault.Internal, "the request was not answered by the standing order: %v", r.IDs)
	}
	_, err = w.chain.Send(ctx, w.consumer, &sharev1.ConfirmAgreement{Agreement: r.IDs[1], Version: 1})
	return r.IDs[1], err
}

// reached waits until the ledger has a gateway's address, which it puts there itself.
func (w *town) reached(ctx context.Context, cfg gateway.Config) error {
	return until(ctx, cfg.Account+" answers", func() (bool, error) {
		a := &identityv1.Account{}
		ok, err := w.chain.Get(ctx, "identity/account/"+cfg.Account, a)
		return ok && a.GetGateway().GetUrl() == cfg.URL, err
	})
}

// settled bounds what has to happen by itself before anything is measured.
const settled = time.Minute

// until waits for what happens by itself.
func until(ctx context.Context, what string, ok func() (bool, error)) error {
	return within(ctx, settled, what, ok)
}

// within is until with a bound of its own.
func within(ctx context.Context, bound time.Duration, what string, ok func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	for {
		yes, err := ok()
		if yes && err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fault.Newf(fault.Timeout, "%s: not within %s", what, bound), err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
