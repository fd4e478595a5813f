package server_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/gen/mulian/ledger/v1/ledgerv1connect"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/index"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/internal/standard"
	"mulian/internal/wire"
	"mulian/node"
	"mulian/rules/rulestest"
	"mulian/server"
)

// member is a real one-validator node with its index and server on loopback.
type member struct {
	url     string
	client  *client.Client
	genesis *client.Genesis
	signer  client.Signer
	code    string
}

func start(t *testing.T) *member {
	t.Helper()
	home := t.TempDir()
	key, err := sm.Generate(sm.SM2)
	if err != nil {
		t.Fatal(err)
	}
	id, err := node.Keys(filepath.Join(home, "node"))
	if err != nil {
		t.Fatal(err)
	}
	code := rulestest.Code(1)
	parameters := standard.Parameters()
	parameters.PasskeyRpIds, parameters.PasskeyOrigins = []string{"localhost"}, []string{"http://localhost:8080"}
	g := &governancev1.Genesis{
		ChainId: "server-test", TimeMs: time.Now().UnixMilli(), Parameters: parameters, ClockProfiles: []*governancev1.ClockProfile{standard.Clocks809()},
		Calendar: []*governancev1.CalendarYear{standard.Calendar2025(), standard.Calendar2026()},
		Founders: []*governancev1.Founder{{
			Code: code, Weight: 1,
			Profile: &identityv1.OrgProfile{Name: "测试市政务服务和数据管理局", Level: identityv1.OrgLevel_ORG_LEVEL_CITY, Region: "110000"},
			Keys:    []*identityv1.Key{{Id: key.Public().ID(), Algorithm: identityv1.KeyAlgorithm_KEY_ALGORITHM_SM2, PublicKey: key.Public().Bytes(), Level: identityv1.KeyLevel_KEY_LEVEL_ROOT}},
		}},
		Roles:      []*governancev1.RoleGrant{{Role: governancev1.Role_ROLE_AUTHORITY, Account: code}},
		Validators: []*governancev1.Validator{{PublicKey: id.Validator[:], Power: 10, Org: code, Name: "v1"}},
	}
	raw, err := canon.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := key.Sign(append([]byte(client.GenesisDomain), raw...))
	if err != nil {
		t.Fatal(err)
	}
	file, err := canon.Marshal(&governancev1.SignedGenesis{Genesis: raw, Signatures: []*governancev1.FounderSignature{{Org: code, Key: key.Public().ID(), Signature: sig}}})
	if err != nil {
		t.Fatal(err)
	}
	genesis, err := client.ParseGenesis(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := node.Init(filepath.Join(home, "node"), file); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n, err := node.Open(ctx, node.Config{Home: filepath.Join(home, "node")})
	if err != nil {
		t.Fatal(err)
	}
	x, err := index.Open(filepath.Join(home, "index.db"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := server.New(n, x, server.Options{Version: "test"})
	done := make(chan error, 2)
	go func() { done <- x.Run(ctx, n) }()
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Errorf("end: %v", err)
			}
		}
		x.Close()
		if err := n.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	url := "http://" + l.Addr().String()
	return &member{url: url, client: client.New(url), genesis: genesis, signer: client.Signer{Account: code, Key: key}, code: code}
}

func (m *member) duty(t *testing.T, id string) *client.Receipt {
	t.Helper()
	r, err := m.client.Send(t.Context(), m.signer, &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{{
		Id: m.code + ":" + id, Org: m.code, Title: "核发规划许可 " + id, PowerType: cataloguev1.PowerType_POWER_TYPE_LICENSING, Source: "城乡规划法", Article: "第三十八条",
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestWriteThenRead: what was committed is in the next list, in the trace, and
// proved to a reader who trusts only the genesis.
func TestWriteThenRead(t *testing.T) {
	m := start(t)
	ctx := t.Context()
	r := m.duty(t, "1")
	list, err := m.client.Catalogue.ListDuties(ctx, connect.NewRequest(&cataloguev1.ListDutiesRequest{Text: "规划许可"}))
	if err != nil || len(list.Msg.GetDuties()) != 1 {
		t.Fatalf("list: %v, %v", list, err)
	}
	tr, err := m.client.Trace.Trace(ctx, connect.NewRequest(&tracev1.TraceRequest{Object: m.code + ":1"}))
	if err != nil || len(tr.Msg.GetSteps()) != 1 || !strings.Contains(tr.Msg.GetSteps()[0].GetTitle(), "filed the duty") {
		t.Fatalf("trace: %v, %v", tr, err)
	}
	var duty cataloguev1.Duty
	found, at, err := m.client.Verify(m.genesis).Get(ctx, "catalogue/duty/"+m.code+":1", &duty)
	if err != nil || !found || duty.GetArticle() != "第三十八条" || at.Height <= r.Height {
		t.Fatalf("verified read: %v %v %v at %d", found, &duty, err, at.Height)
	}
	if found, _, err := m.client.Verify(m.genesis).Get(ctx, "catalogue/duty/"+m.code+":2", &duty); err != nil || found {
		t.Fatalf("verified absence: %v, %v", found, err)
	}
}

// TestSendAgain: the same envelope twice is one transaction with one answer.
func TestSendAgain(t *testing.T) {
	m := start(t)
	env, err := client.Sign("server-test", m.signer, time.Now(), &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{{Id: m.code + ":1", Org: m.code, Title: "一", PowerType: 1, Source: "s"}}})
	if err != nil {
		t.Fatal(err)
	}
	first, err := m.client.Submit(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	again, err := m.client.Submit(t.Context(), env)
	if err != nil || again.Height != first.Height {
		t.Errorf("again: %+v, %v; first %+v", again, err, first)
	}
}

// TestRefusalsAreCoded: every wrong call has a code of ours, over Connect and as
// plain JSON, and the server lives.
func TestRefusalsAreCoded(t *testing.T) {
	m := start(t)
	ctx := t.Context()
	stranger, err := sm.Generate(sm.SM2)
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]struct {
		call func() error
		want fault.Code
	}{
		"no envelope": {func() error { return callSubmit(ctx, m, nil) }, fault.Empty},
		"noise":       {func() error { return callSubmit(ctx, m, []byte("noise")) }, fault.Malformed},
		"too large":   {func() error { return callSubmit(ctx, m, make([]byte, 1<<20+1)) }, fault.TooLong},
		"foreign key": {func() error {
			_, err := m.client.Send(ctx, client.Signer{Account: m.code, Key: stranger}, &cataloguev1.PutDuties{})
			return err
		}, fault.NotWhitelisted},
		"unknown account": {func() error {
			_, err := m.client.Send(ctx, client.Signer{Account: rulestest.Code(99), Key: stranger}, &cataloguev1.PutDuties{})
			return err
		}, fault.NotWhitelisted},
		"no such tx": {func() error {
			_, err := m.client.Ledger.GetTx(ctx, connect.NewRequest(&ledgerv1.GetTxRequest{TxId: make([]byte, 32)}))
			return wire.Fault(err)
		}, fault.NotFound},
		"short tx id": {func() error {
			_, err := m.client.Ledger.GetTx(ctx, connect.NewRequest(&ledgerv1.GetTxRequest{TxId: make([]byte, 3)}))
			return wire.Fault(err)
		}, fault.Malformed},
		"future header": {func() error {
			_, err := m.client.Ledger.GetHeader(ctx, connect.NewRequest(&ledgerv1.GetHeaderRequest{Height: 1 << 40}))
			return wire.Fault(err)
		}, fault.NotFound},
		"no such entry": {func() error {
			_, err := m.client.Catalogue.GetEntry(ctx, connect.NewRequest(&cataloguev1.GetEntryRequest{Id: "x"}))
			return wire.Fault(err)
		}, fault.NotFound},
	}
	for name, c := range calls {
		if got := fault.CodeOf(c.call()); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	for _, body := range []string{"", "{", `{"tx_id": 5}`, `{"nothing": 1}`, strings.Repeat("[", 100_000)} {
		res, err := http.Post(m.url+ledgerv1connect.LedgerServiceGetTxProcedure, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode < 400 || res.StatusCode >= 500 || !json.Valid(raw) {
			t.Errorf("body %.20q: %d %s", body, res.StatusCode, raw)
		}
	}
	if _, err := m.client.Status(ctx); err != nil {
		t.Errorf("the server does not live any more: %v", err)
	}
}

// TestEveryDoor: one schema, three protocols, and the plain pages.
func TestEveryDoor(t *testing.T) {
	m := start(t)
	m.duty(t, "1")
	for path, want := range map[string]string{
		"/": "目链", "/status?lang=zh": "最近发生", "/status?lang=en": "What happened lately", "/healthz": "ok", "/metrics": "mulian_height", "/openapi.yaml": "mulian.ledger.v1",
		"/openapi.json": `"/mulian.ledger.v1.LedgerService/Submit":{"post"`, "/api/codes?lang=zh": `{"code":"MUL-11001"`, "/api/codes?lang=en": `"title":"there is nothing in it"`,
	} {
		res, err := http.Get(m.url + path)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != 200 || !strings.Contains(string(raw), want) {
			t.Errorf("%s: %d, %q is not in it", path, res.StatusCode, want)
		}
	}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	h2 := &http.Client{Transport: &http.Transport{Protocols: protocols}}
	for name, c := range map[string]ledgerv1connect.LedgerServiceClient{
		"connect": ledgerv1connect.NewLedgerServiceClient(http.DefaultClient, m.url),
		"json":    ledgerv1connect.NewLedgerServiceClient(http.DefaultClient, m.url, connect.WithProtoJSON()),
		"grpcweb": ledgerv1connect.NewLedgerServiceClient(http.DefaultClient, m.url, connect.WithGRPCWeb()),
		"grpc":    ledgerv1connect.NewLedgerServiceClient(h2, m.url, connect.WithGRPC()),
	} {
		res, err := c.GetStatus(t.Context(), connect.NewRequest(&ledgerv1.GetStatusRequest{}))
		if err != nil || res.Msg.GetChainId() != "server-test" {
			t.Errorf("%s: %v, %v", name, res, err)
		}
	}
}

// TestReadingServer: a server without a node follows another member and answers alike.
func TestReadingServer(t *testing.T) {
	m := start(t)
	m.duty(t, "1")
	x, err := index.Open(filepath.Join(t.TempDir(), "index.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	ctx, cancel := context.WithCancel(t.Context())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	chain := server.Remote(m.client)
	done := make(chan error, 2)
	go func() { done <- x.Run(ctx, chain) }()
	go func() { done <- server.New(chain, x, server.Options{}).Serve(ctx, l) }()
	defer func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}()
	reader := client.New("http://" + l.Addr().String())
	m.duty(t, "2")
	list, err := reader.Catalogue.ListDuties(ctx, connect.NewRequest(&cataloguev1.ListDutiesRequest{}))
	if err != nil || list.Msg.GetTotal() != 2 {
		t.Errorf("list: %v, %v", list, err)
	}
	if _, err := reader.Send(ctx, m.signer, &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{{Id: m.code + ":3", Org: m.code, Title: "三", PowerType: 1, Source: "s"}}}); err != nil {
		t.Errorf("send through the reading server: %v", err)
	}
}

func callSubmit(ctx context.Context, m *member, raw []byte) error {
	_, err := m.client.Ledger.Submit(ctx, connect.NewRequest(&ledgerv1.SubmitRequest{Envelope: raw}))
	return wire.Fault(err)
}
