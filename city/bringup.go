package city

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/city/content"
	"mulian/client"
	"mulian/gateway"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/sm"
)

// The two departments of the story.
var (
	planning = content.Find("规划自然资源委")
	water    = content.Find("水务局")
)

// localGateway is the local part of every gateway's id.
const localGateway = "main"

func gatewayOf(d *content.Department) string { return d.Code + "/g/" + localGateway }

// bringUp takes every step that has not been taken.
func (c *City) bringUp(ctx context.Context) error {
	c.tell.head(c.opts.Version, c.opts.Home)
	rows, took, filled := 0, time.Duration(0), make(chan error, 1)
	go func() { // waited for below, before any gateway opens a database
		began := time.Now()
		var err error
		rows, err = makeDatabases(ctx, c.path(databaseDir))
		took = time.Since(began)
		filled <- err
	}()
	err := c.startMember(ctx)
	if err == nil {
		err = c.registerCity(ctx)
	}
	if filling := <-filled; filling != nil || err != nil {
		return errors.Join(filling, err)
	}
	if rows > 0 {
		c.tell.done(time.Now().Add(-took), c.tell.t("同时：%d 个部门自己的数据库，%s 行（虚构，固定种子）", "meanwhile: %d databases, %s invented rows (fixed seed)"), len(databases), thousands(rows))
	}
	if err := c.openGateways(ctx); err != nil {
		return err
	}
	if err := c.submitCatalogue(ctx); err != nil {
		return err
	}
	c.member.Server.Offer(c)
	return nil
}

// startMember makes keys and genesis and starts the chain of one validator.
func (c *City) startMember(ctx context.Context) (err error) {
	began := time.Now()
	if c.keys, err = makeKeys(c.ring); err != nil {
		return err
	}
	file, err := found(c.opts.Home, c.ring, c.keys)
	if err != nil {
		return err
	}
	if c.genesis, err = client.ParseGenesis(file); err != nil {
		return err
	}
	c.tell.done(began, c.tell.t("创世：%s、%s、%s 三方以 SM2 签署", "genesis, signed by %s, %s, %s"),
		c.tell.department(authority), c.tell.department(staffing), c.tell.department(finance))
	began = time.Now()
	moved, err := c.openMember(ctx)
	if err != nil {
		return err
	}
	if moved {
		c.tell.note(c.tell.t("%s 已被占用，改用空闲端口", "%s is taken; a free port instead"), DefaultListen)
	}
	c.tell.done(began, c.tell.t("节点、索引、服务器  %s", "node, index, server  %s"), c.URL())
	return nil
}

// objects returns the keys under a prefix that are on the ledger.
func (c *City) objects(ctx context.Context, prefix string) (map[string]bool, error) {
	there := map[string]bool{}
	err := c.chain.List(ctx, prefix, func(key string, _ []byte) bool {
		there[strings.TrimPrefix(key, prefix)] = true
		return true
	})
	return there, err
}

// registerCity brings departments, duties and gateways on board.
func (c *City) registerCity(ctx context.Context) error {
	began := time.Now()
	there, err := c.objects(ctx, "identity/account/")
	if err != nil {
		return err
	}
	var orgs []proto.Message
	for _, d := range content.Departments() {
		if !there[d.Code] {
			orgs = append(orgs, &identityv1.RegisterOrg{Code: d.Code, Profile: d.Profile(), Keys: c.keys[d.Code]})
		}
	}
	if err := c.sendAs(ctx, authority, orgs...); err != nil {
		return fmt.Errorf("register departments: %w", err)
	}
	c.tell.done(began, c.tell.t("%d 个部门登记入链", "%d departments on board"), len(content.Departments()))
	began = time.Now()
	n, err := c.putDuties(ctx)
	if err != nil {
		return fmt.Errorf("file duties: %w", err)
	}
	c.tell.done(began, c.tell.t("%d 项职责，编办签署", "%d duties, signed by the staffing office"), n)
	return c.registerGateways(ctx, there)
}

// sendAs signs messages as a department and waits until they are in a block. No
// message is no transaction.
func (c *City) sendAs(ctx context.Context, d *content.Department, messages ...proto.Message) error {
	if len(messages) == 0 {
		return nil
	}
	s, err := c.officer(d)
	if err != nil {
		return err
	}
	_, err = c.chain.Send(ctx, s, messages...)
	return err
}

// putDuties files all duties in messages of at most 200, one signature over all.
func (c *City) putDuties(ctx context.Context) (total int, err error) {
	there, err := c.objects(ctx, "catalogue/duty/")
	if err != nil {
		return 0, err
	}
	var missing []*cataloguev1.Duty
	for _, d := range content.Departments() {
		for _, x := range d.Duties {
			total++
			if !there[x.Id] {
				missing = append(missing, x)
			}
		}
	}
	var messages []proto.Message
	for part := range slices.Chunk(missing, 200) {
		messages = append(messages, &cataloguev1.PutDuties{Duties: part})
	}
	return total, c.sendAs(ctx, staffing, messages...)
}

// registerGateways puts the doors of those departments on the ledger that have one.
func (c *City) registerGateways(ctx context.Context, there map[string]bool) error {
	return c.each(databases, func(d database) error {
		dep := content.Find(d.owner)
		keys, err := gateway.MakeKeys(c.ring, gatewayOf(dep), sm.SM2)
		if err != nil {
			return err
		}
		if there[gatewayOf(dep)] {
			return nil
		}
		// The address is corrected when the gateway listens: a port is free or not then.
		return c.sendAs(ctx, dep, keys.Registration(ChainID, gatewayOf(dep), dep.Short+"数据网关", "http://127.0.0.1:1"))
	})
}

// each does something for several departments at once.
func (c *City) each(list []database, do func(database) error) error {
	errs := make([]error, len(list))
	var wait sync.WaitGroup
	for i, d := range list {
		wait.Go(func() {
			if err := do(d); err != nil {
				errs[i] = fmt.Errorf("%s: %w", d.owner, err)
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// openGateways opens every department's gateway beside its database, and lets it run.
func (c *City) openGateways(ctx context.Context) error {
	began := time.Now()
	var mu sync.Mutex // guards gateways and tables
	tables := 0
	err := c.each(databases, func(d database) error {
		g, err := c.openGateway(ctx, d)
		if err != nil {
			return err
		}
		mu.Lock()
		c.gateways[d.owner] = g
		mu.Unlock()
		ids, err := g.RegisterTables(ctx)
		mu.Lock()
		tables += len(ids)
		mu.Unlock()
		if err != nil {
			return err
		}
		c.run("gateway of "+d.owner, g.Run)
		return nil
	})
	if err != nil {
		return err
	}
	c.tell.done(began, c.tell.t("%d 个部门网关打开，登记 %d 张库表", "%d departments' gateways open, %d tables registered"), len(databases), tables)
	return nil
}

func (c *City) openGateway(ctx context.Context, d database) (*gateway.Gateway, error) {
	dep := content.Find(d.owner)
	listen, err := c.addressOf(ctx, dep)
	if err != nil {
		return nil, err
	}
	home, err := c.gatewayHome(d.source, gatewayOf(dep))
	if err != nil {
		return nil, err
	}
	cfg := gateway.Config{
		Home: home, Account: gatewayOf(dep), Keys: c.path(keysDir),
		Server: c.URL(), Genesis: c.path(genesisFile), Listen: listen, URL: "http://" + listen,
	}
	address := "sqlite:" + d.path(c.path(databaseDir))
	if len(d.tables) > 0 {
		cfg.Sources = []gateway.Source{{Name: d.source, URL: address}}
	} else {
		cfg.Sink = gateway.Sink{URL: address}
	}
	return gateway.Open(ctx, cfg, gateway.Options{Version: c.opts.Version, Logger: c.log.With("gateway", d.source)})
}

// gatewayHome is the folder of a gateway, where the command line looks for its socket. A
// city of before that had named it by the database: its log goes on under the new name.
func (c *City) gatewayHome(before, account string) (string, error) {
	home, old := c.path(gatewayDir, strings.ReplaceAll(account, "/", "~")), c.path(gatewayDir, before)
	if _, err := os.Lstat(home); !errors.Is(err, fs.ErrNotExist) {
		return home, err
	}
	if err := os.Rename(old, home); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("city: %w", err)
	}
	return home, nil
}

// addressOf returns where a gateway listens: where the ledger says, if that is free.
func (c *City) addressOf(ctx context.Context, d *content.Department) (string, error) {
	var a identityv1.Account
	if _, err := c.chain.Get(ctx, "identity/account/"+gatewayOf(d), &a); err != nil {
		return "", err
	}
	before := strings.TrimPrefix(a.GetGateway().GetUrl(), "http://")
	if !strings.HasSuffix(before, ":1") && !taken(before) {
		return before, nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// submitCatalogue brings every department's entries to the ledger, each signed by
// its own department; the planning commission's come with the story.
func (c *City) submitCatalogue(ctx context.Context) error {
	began := time.Now()
	there, err := c.objects(ctx, "catalogue/entry/")
	if err != nil {
		return err
	}
	all := content.Departments()
	errs := make([]error, len(all))
	var wait sync.WaitGroup
	turn := make(chan struct{}, 16) // as many as one block takes at once without waiting for each other
	count := 0
	for i, d := range all {
		if d == planning {
			continue
		}
		count += len(d.Entries)
		messages := submission(d, there)
		wait.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			if err := c.sendAs(ctx, d, messages...); err != nil {
				errs[i] = fmt.Errorf("catalogue of %s: %w", d.Short, err)
			}
		})
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	c.tell.done(began, c.tell.t("%d 条目录，%d 个部门各自签署", "%d catalogue entries, each signed by one of %d departments"), count, len(all)-1)
	return nil
}

// submission is what a department has to sign for entries that are not there.
func submission(d *content.Department, there map[string]bool) []proto.Message {
	var missing []*cataloguev1.Entry
	for _, e := range d.Entries {
		if !there[e.Id] {
			missing = append(missing, onTable(d, e))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return []proto.Message{
		&cataloguev1.PutSystems{Systems: []*cataloguev1.System{d.System}},
		&cataloguev1.SubmitEntries{Entries: missing},
	}
}

// onTable returns the entry with the table on which it lies, and with the provider's
// standing order if it is unconditional: the ledger answers for it at once.
func onTable(d *content.Department, e content.Entry) *cataloguev1.Entry {
	out := proto.CloneOf(e.Entry)
	if e.Source == "" {
		return out
	}
	out.Table = tableID(d, e.Source)
	out.OwnerItem = ownerItem(out)
	if out.ShareType == cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL {
		out.StandingOrder = &cataloguev1.StandingOrder{Automatic: true, MaxDays: 365}
	}
	return out
}

// ownerItem is the item with the number of the person whom a row is about, if there is one: what
// he grants is read where it is his own.
func ownerItem(e *cataloguev1.Entry) string {
	for _, it := range e.Items {
		if it.Name == "证件号码" {
			return it.Code
		}
	}
	return ""
}

func tableID(d *content.Department, table string) string {
	i := slices.IndexFunc(databases, func(x database) bool { return x.owner == d.Short })
	return gatewayOf(d) + ":" + databases[i].source + "." + table
}

// home is the folder as a person would type it.
func home(path string) string {
	if wd, err := os.Getwd(); err == nil {
		if rest, ok := strings.CutPrefix(path, wd+string(os.PathSeparator)); ok {
			return "./" + rest
		}
	}
	return path
}
