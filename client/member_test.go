package client_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/sm"
	"mulian/internal/standard"
	"mulian/node"
)

const (
	chainID = "client-test"
	bureau  = "11110000MULN00010J" // invented
)

// member is a real member of one validator on a loopback port, which it keeps when
// it is started again.
type member struct {
	t       testing.TB
	home    string
	address string
	file    []byte // signed genesis
	genesis *client.Genesis
	signer  client.Signer
	client  *client.Client

	stop context.CancelFunc
	done chan error
}

func start(t *testing.T) *member { t.Helper(); return startFor(t) }

// startFor is start for a test or a fuzz target.
func startFor(t testing.TB) *member {
	t.Helper()
	m := &member{t: t, home: t.TempDir(), address: "127.0.0.1:0"}
	key, err := sm.Generate(sm.SM2)
	if err != nil {
		t.Fatal(err)
	}
	id, err := node.Keys(filepath.Join(m.home, "node"))
	if err != nil {
		t.Fatal(err)
	}
	m.signer = client.Signer{Account: bureau, Key: key}
	m.file, err = client.SignGenesis(&governancev1.Genesis{
		ChainId: chainID, TimeMs: time.Now().UnixMilli(), Parameters: standard.Parameters(), ClockProfiles: []*governancev1.ClockProfile{standard.Clocks809()},
		Calendar: []*governancev1.CalendarYear{standard.Calendar2025(), standard.Calendar2026()},
		Founders: []*governancev1.Founder{{
			Code: bureau, Weight: 1, Profile: &identityv1.OrgProfile{Name: "试验市数据局", Level: identityv1.OrgLevel_ORG_LEVEL_CITY, Region: "110000"},
			Keys: []*identityv1.Key{client.PublicKey(key.Public(), identityv1.KeyLevel_KEY_LEVEL_ROOT, "root")},
		}},
		Roles:      []*governancev1.RoleGrant{{Role: governancev1.Role_ROLE_AUTHORITY, Account: bureau}},
		Validators: []*governancev1.Validator{{PublicKey: id.Validator[:], Power: 10, Org: bureau, Name: "v1"}},
	}, m.signer)
	if err != nil {
		t.Fatal(err)
	}
	if m.genesis, err = client.ParseGenesis(m.file); err != nil {
		t.Fatal(err)
	}
	if _, err := node.Init(filepath.Join(m.home, "node"), m.file); err != nil {
		t.Fatal(err)
	}
	m.up()
	t.Cleanup(func() { m.down() })
	return m
}

func (m *member) up() {
	m.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	run, err := node.OpenMember(ctx, node.MemberConfig{Listen: m.address, Node: node.Config{Home: filepath.Join(m.home, "node"), Version: "test"}})
	if err != nil {
		stop()
		m.t.Fatal(err)
	}
	m.stop, m.done = stop, make(chan error, 1)
	m.address = run.URL()[len("http://"):]
	m.client = client.New(run.URL())
	go func() { m.done <- run.Run(ctx) }()
}

func (m *member) down() {
	m.t.Helper()
	if m.stop == nil {
		return
	}
	m.stop()
	m.stop = nil
	if err := <-m.done; err != nil {
		m.t.Errorf("the member ended: %v", err)
	}
}

func duty(id, title string) *cataloguev1.PutDuties {
	return &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{{
		Id: bureau + ":" + id, Org: bureau, Title: title, PowerType: cataloguev1.PowerType_POWER_TYPE_LICENSING, Source: "试验法", Article: "第一条",
	}}}
}

// put files a duty and returns the receipt.
func (m *member) put(id, title string) *client.Receipt {
	m.t.Helper()
	r, err := m.client.Send(m.t.Context(), m.signer, duty(id, title))
	if err != nil {
		m.t.Fatal(err)
	}
	return r
}

// between stands between a client and a member and does to each exchange what its
// hooks say. It is how a bad network and a lying server are made from a good one.
type between struct {
	*httptest.Server

	mu     sync.Mutex // guards what follows
	bodies map[string][][]byte
	ask    func(procedure string, body []byte) []byte           // what is asked instead; nil body = the connection breaks before
	answer func(procedure string, code int, body []byte) []byte // what is answered instead; nil = the connection breaks after
}

func standBetween(t *testing.T, m *member) *between {
	b := &between{bodies: map[string][][]byte{}}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.bodies[r.URL.Path] = append(b.bodies[r.URL.Path], body)
		if b.ask != nil {
			if body = b.ask(r.URL.Path, body); body == nil {
				panic(http.ErrAbortHandler)
			}
		}
		req, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+m.address+r.URL.Path, bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		req.Header = r.Header.Clone()
		req.Header.Set("Accept-Encoding", "identity")
		req.Header.Del("Connect-Accept-Encoding")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer res.Body.Close()
		out, err := io.ReadAll(res.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if b.answer != nil {
			if out = b.answer(r.URL.Path, res.StatusCode, out); out == nil {
				panic(http.ErrAbortHandler)
			}
		}
		res.Header.Del("Content-Length")
		for k, v := range res.Header {
			w.Header()[k] = v
		}
		w.WriteHeader(res.StatusCode)
		_, _ = w.Write(out)
	}))
	t.Cleanup(b.Close)
	return b
}

// change decodes a message, lets fn change it and encodes it again.
func change[M any, P interface {
	*M
	proto.Message
}](t *testing.T, raw []byte, fn func(P)) []byte {
	t.Helper()
	m := P(new(M))
	if err := proto.Unmarshal(raw, m); err != nil {
		t.Fatalf("%T: %v", m, err)
	}
	fn(m)
	out, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if out == nil {
		out = []byte{} // an empty message, not a broken connection
	}
	return out
}
