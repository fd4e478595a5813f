package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/keyring"
	"mulian/gateway"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/intake/filing"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// How a settlement is filled; our own choices.
const (
	settlers       = 8   // departments that use data
	shared         = 20  // entries of which they have agreements
	usesEach       = 500 // of an agreement
	batchEvery     = 4   // each so many-th agreement is for batches
	batches        = 5   // deliveries of such a one
	waitingShare   = 10  // one request waits for an answer for so many agreements
	messagesEach   = 200 // of a transaction
	usesMessages   = 1000
	settlementFile = "settlement.json"
	anchored       = 1000 // agreements whose accesses the provider's gateway has anchored
)

// settlement is a town with the catalogue of a city and a long record of use.
type settlement struct {
	*town
	users   []client.Signer // departments that use data
	taps    []client.Signer // their gateways
	machine client.Signer   // the provider's gateway
	made    size
}

// size is what a kept folder says of itself.
type size struct{ Entries, Records int }

// openSettlement makes it in dir, or opens the one that is there.
func openSettlement(ctx context.Context, o Options, dir string) (*settlement, error) {
	s := &settlement{town: &town{dir: dir, ring: keyring.Ring{Dir: filepath.Join(dir, "keys")}, genesis: filepath.Join(dir, "genesis")}, made: size{o.Entries, o.Records}}
	raw, err := os.ReadFile(filepath.Join(dir, settlementFile))
	if errors.Is(err, os.ErrNotExist) {
		return s, s.make(ctx, o)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Inaccessible, err, "what was kept of an earlier run")
	}
	var was size
	if err := json.Unmarshal(raw, &was); err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "%s: remove the folder", settlementFile)
	}
	if was != s.made {
		return nil, fault.Newf(fault.Usage, "--keep: %s has %d entries and %d records, asked for are %d and %d: give these numbers, or another folder", dir, was.Entries, was.Records, o.Entries, o.Records)
	}
	o.Say("open the chain of an earlier run with %d entries and %d records", was.Entries, was.Records)
	if err := s.people(false); err != nil {
		return nil, err
	}
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	if err := s.indexed(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// people are the signers; fresh ones get keys.
func (s *settlement) people(fresh bool) error {
	key := func(account string) (client.Signer, error) {
		read := func() (sm.PrivateKey, error) { return s.ring.Key(account, keyring.Root) }
		if fresh {
			read = func() (sm.PrivateKey, error) { return s.ring.New(account, keyring.Root, sm.SM2) }
		}
		k, err := read()
		return client.Signer{Account: account, Key: k}, err
	}
	var err, also error
	s.authority, err = key(townAuthority)
	s.provider, also = key(townProvider)
	if err = errors.Join(err, also); err != nil {
		return err
	}
	s.door = s.provider.Account + "/g/main"
	for i := range settlers {
		u, err := key(departmentCode(i))
		if err != nil {
			return err
		}
		s.users = append(s.users, u)
	}
	if fresh {
		return nil
	}
	return s.gatewayKeys()
}

// gatewayKeys reads the keys of the gateways, which settle has made.
func (s *settlement) gatewayKeys() error {
	for _, account := range append([]string{s.door}, accountsOf(s.users)...) {
		if account != s.door {
			account += "/g/main"
		}
		keys, err := gateway.LoadKeys(s.ring, account)
		if err != nil {
			return err
		}
		signer := client.Signer{Account: account, Key: keys.Machine}
		if account == s.door {
			s.machine = signer
		} else {
			s.taps = append(s.taps, signer)
		}
	}
	return nil
}

func accountsOf(all []client.Signer) (out []string) {
	for _, s := range all {
		out = append(out, s.Account)
	}
	return out
}

// make founds the town and fills it; the folder says so when all is there.
func (s *settlement) make(ctx context.Context, o Options) (err error) {
	if err := s.people(true); err != nil {
		return err
	}
	if err := s.open(ctx); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	if err := s.settle(ctx, s.provider, s.door, "规划和自然资源委员会"); err != nil {
		return err
	}
	for i, u := range s.users {
		if err := s.settle(ctx, u, u.Account+"/g/main", fmt.Sprintf("用数局第%d处", i+1)); err != nil {
			return err
		}
	}
	if err := s.gatewayKeys(); err != nil {
		return err
	}
	began := time.Now()
	if err := s.catalogue(ctx, o); err != nil {
		return err
	}
	o.Say("%d entries in %s", o.Entries, time.Since(began).Round(time.Second))
	began = time.Now()
	if err := s.record(ctx, o); err != nil {
		return err
	}
	if err := s.indexed(ctx); err != nil {
		return err
	}
	o.Say("%d records in %s", o.Records, time.Since(began).Round(time.Second))
	raw, err := json.Marshal(s.made)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, settlementFile), raw, 0o600)
}

// catalogue imports entries as people do, and publishes those that are shared.
func (s *settlement) catalogue(ctx context.Context, o Options) error {
	list, warm := filepath.Join(s.dir, "catalogue.csv"), filepath.Join(s.dir, "warm.csv")
	if err := errors.Join(writeCatalogue(list, "目录", max(o.Entries-shared-1-catalogueOwners, 1)), writeCatalogue(warm, "预热", catalogueOwners)); err != nil {
		return err
	}
	o.Say("import %d entries of %d organisations", o.Entries, catalogueOwners)
	if _, err := s.file(ctx, warm, filing.Order{Register: true, Source: "bench"}); err != nil {
		return err
	}
	out, err := s.file(ctx, list, filing.Order{Source: "bench", Part: true})
	if err != nil {
		return err
	}
	if out.Sent == 0 {
		return fmt.Errorf("bench: no entry was sent: %v", out.Problems)
	}
	var tables []*cataloguev1.Table
	var entries []*cataloguev1.Entry
	for i := range shared + 1 {
		name := fmt.Sprintf("permit%02d", i)
		t := &cataloguev1.Table{
			Id: s.door + ":main." + name, Org: s.provider.Account, Gateway: s.door, Kind: cataloguev1.TableKind_TABLE_KIND_TABLE, Source: "main", Name: name,
			SchemaHash: bytes.Repeat([]byte{byte(i + 1)}, 32), RowsEstimate: int64(1000 * i),
		}
		for j, c := range rowsColumns {
			t.Columns = append(t.Columns, &cataloguev1.Column{Name: c.name, Type: c.kind, PhysicalType: c.kind, PrimaryKey: j == 0})
		}
		tables = append(tables, t)
		e := permit(s.provider.Account, name, t.Id)
		e.Name = fmt.Sprintf("%s（第%d类）", e.Name, i+1)
		if i == shared {
			e.StandingOrder = nil // an officer answers
		}
		entries = append(entries, e)
	}
	if _, err := s.chain.Send(ctx, s.machine, &cataloguev1.PutTables{Tables: tables}); err != nil {
		return err
	}
	_, err = s.chain.Send(ctx, s.provider, &cataloguev1.SubmitEntries{Entries: entries})
	return err
}

// record makes agreements, deliveries and uses until the log has so many records.
func (s *settlement) record(ctx context.Context, o Options) error {
	n := max(o.Records/usesEach, settlers)
	o.Say("%d agreements, %d deliveries, and uses until there are %d records", n, n/batchEvery*batches, o.Records)
	deals := make([]deal, n)
	// An account's transactions may travel together; each department makes its own.
	for _, step := range []func(context.Context, []deal) error{s.agreeAll, s.deliver, s.anchor} {
		if err := step(ctx, deals); err != nil {
			return err
		}
	}
	st, err := s.chain.Status(ctx)
	if err != nil {
		return err
	}
	return s.use(ctx, o, deals, max(o.Records-int(st.GetEvents()), 0))
}

// deal is one agreement.
type deal struct {
	id, entry string
	user      int
	batch     bool
}

func (d *deal) purpose() string { return "排水许可审批" }

func (s *settlement) terms(i int, entry string, method cataloguev1.Method) *sharev1.Terms {
	part := &sharev1.Part{Entry: entry}
	for _, c := range rowsColumns {
		part.Items = append(part.Items, c.name)
	}
	return &sharev1.Terms{
		Parts: []*sharev1.Part{part}, Purpose: "排水许可审批", Duty: s.users[i%settlers].Account + ":1", Matter: fmt.Sprintf("排水许可第%d号", i),
		LegalBasis: "城镇排水与污水处理条例第二十一条", AppSystem: "排水许可系统", ScopeOfUse: "本单位", Method: method, Days: 30,
	}
}

// agreeAll files the requests and confirms what the standing orders have accepted; some more
// requests wait for an officer.
func (s *settlement) agreeAll(ctx context.Context, deals []deal) error {
	return spread(ctx, settlers, settlers, func(u int) error {
		var mine []int
		for i := u; i < len(deals); i += settlers {
			mine = append(mine, i)
		}
		for len(mine) > 0 {
			part := mine[:min(len(mine), messagesEach)]
			mine = mine[len(part):]
			var ask, confirm, wait []proto.Message
			for _, i := range part {
				d := &deals[i]
				d.user, d.batch, d.entry = u, i%batchEvery == 0, fmt.Sprintf("%s:permit%02d", s.provider.Account, i%shared)
				method := cataloguev1.Method_METHOD_QUERY
				if d.batch {
					method = cataloguev1.Method_METHOD_BATCH
				}
				ask = append(ask, &sharev1.FileRequest{Gateway: s.taps[u].Account, Terms: s.terms(i, d.entry, method)})
				if i%waitingShare == 0 {
					wait = append(wait, &sharev1.FileRequest{Gateway: s.taps[u].Account, Terms: s.terms(i, fmt.Sprintf("%s:permit%02d", s.provider.Account, shared), method)})
				}
			}
			r, err := s.chain.Send(ctx, s.users[u], ask...)
			if err != nil {
				return err
			}
			if len(r.IDs) != 2*len(part) {
				return fault.Newf(fault.Internal, "%d requests were answered with %d ids", len(part), len(r.IDs))
			}
			for j, i := range part {
				deals[i].id = r.IDs[2*j+1]
				confirm = append(confirm, &sharev1.ConfirmAgreement{Agreement: deals[i].id, Version: 1})
			}
			if _, err := s.chain.Send(ctx, s.users[u], append(confirm, wait...)...); err != nil {
				return err
			}
		}
		return nil
	})
}

// deliver has the gateways say what was given and received.
func (s *settlement) deliver(ctx context.Context, deals []deal) error {
	digest := bytes.Repeat([]byte{7}, 32)
	var given []proto.Message
	received := make([][]proto.Message, settlers)
	for i := range deals {
		d := &deals[i]
		if !d.batch {
			continue
		}
		for n := range uint64(batches) {
			given = append(given, &sharev1.StartDelivery{Agreement: d.id, Number: n + 1, Entry: d.entry}, &sharev1.CompleteDelivery{Agreement: d.id, Number: n + 1, Rows: 100, Bytes: 5000, Digest: digest})
			received[d.user] = append(received[d.user], &sharev1.ConfirmDelivery{Agreement: d.id, Number: n + 1, Rows: 100, Digest: digest})
		}
	}
	if err := s.inParts(ctx, s.machine, given, messagesEach); err != nil {
		return err
	}
	return spread(ctx, settlers, settlers, func(u int) error { return s.inParts(ctx, s.taps[u], received[u], messagesEach) })
}

// anchor has the provider's gateway say how often each agreement was used through it.
func (s *settlement) anchor(ctx context.Context, deals []deal) error {
	m := &tracev1.AnchorHead{Gateway: s.door, Root: bytes.Repeat([]byte{9}, 32)}
	for i := range min(len(deals), anchored) {
		n := uint64(1 + i%97)
		m.Ranges = append(m.Ranges, &tracev1.Range{Agreement: deals[i].id, First: 1, Last: n, Granted: n})
		m.Size += n
	}
	slices.SortFunc(m.Ranges, func(a, b *tracev1.Range) int { return strings.Compare(a.Agreement, b.Agreement) })
	_, err := s.chain.Send(ctx, s.machine, m)
	return err
}

// use accounts for uses, round the agreements.
func (s *settlement) use(ctx context.Context, o Options, deals []deal, n int) error {
	var done atomic.Int64
	said := time.Now()
	return spread(ctx, runtime.GOMAXPROCS(0)*2, (n+usesMessages-1)/usesMessages, func(part int) error {
		u := part % settlers
		var all []proto.Message
		for i := range min(usesMessages, n-part*usesMessages) {
			// The i-th of the agreements of this department.
			d := &deals[(u+settlers*((part/settlers*usesMessages+i)%max(1, (len(deals)-u+settlers-1)/settlers)))%len(deals)]
			all = append(all, &sharev1.RecordUse{Agreement: d.id, Purpose: d.purpose(), MatterCase: fmt.Sprintf("排〔2026〕%07d", part*usesMessages+i), Rows: 1, Effect: "核对一致"})
		}
		if _, err := s.chain.Send(ctx, s.taps[u], all...); err != nil {
			return err
		}
		if now := done.Add(int64(len(all))); part == 0 && time.Since(said) > sayEvery || now%100_000 < usesMessages {
			o.Say("%d of %d uses", now, n)
		}
		return nil
	})
}

func (s *settlement) inParts(ctx context.Context, who client.Signer, messages []proto.Message, each int) error {
	for len(messages) > 0 {
		part := messages[:min(len(messages), each)]
		messages = messages[len(part):]
		if _, err := s.chain.Send(ctx, who, part...); err != nil {
			return err
		}
	}
	return nil
}
