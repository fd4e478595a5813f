package node

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
	"mulian/rules/rulestest"
	"mulian/server"
	"mulian/state/proof"
)

// The server forwards to a node.
var _ server.Chain = (*Node)(nil)

// town is a consortium of one whose validator is the node in home.
type town struct {
	*rulestest.World
	home    string
	genesis []byte
}

func newTown(t *testing.T) *town {
	t.Helper()
	home := filepath.Join(t.TempDir(), "node")
	id, err := Keys(home)
	if err != nil {
		t.Fatal(err)
	}
	var g *governancev1.Genesis
	w := rulestest.FoundWith(t, func(made *governancev1.Genesis) {
		made.TimeMs = time.Now().Add(-time.Minute).UnixMilli()
		made.Validators[0].PublicKey = id.Validator[:]
		g = made
	}, 100)
	w.Now = time.Now().UnixMilli()
	return &town{World: w, home: home, genesis: w.SignGenesis(g)}
}

// duties is a signed transaction of the authority.
func (w *town) duties(local, title string) []byte {
	b := w.Body(w.Authority, &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{{
		Id: w.Authority + ":" + local, Org: w.Authority, Title: title, PowerType: cataloguev1.PowerType_POWER_TYPE_LICENSING, Source: "三定规定", Article: "第三条",
	}}})
	return w.Seal(b, w.Key(w.Authority, identityv1.KeyLevel_KEY_LEVEL_OFFICER))
}

func (w *town) open(t *testing.T) *Node {
	t.Helper()
	n, err := Open(context.Background(), Config{Home: w.home, Version: "test", Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func TestInitRefusesWhatTheRulesRefuse(t *testing.T) {
	w := newTown(t)
	forged := append([]byte(nil), w.genesis...)
	forged[len(forged)-1] ^= 1
	if _, err := Init(w.home, forged); err == nil || fault.CodeOf(err) == fault.Internal {
		t.Errorf("a forged genesis: %v", err)
	}
	if _, err := Init(w.home, []byte("no genesis")); !fault.Is(err, fault.Malformed) {
		t.Errorf("no genesis at all: %v", err)
	}
	if _, err := Open(context.Background(), Config{Home: w.home}); !fault.Is(err, fault.NotFound) {
		t.Errorf("open before init: %v", err)
	}
	for range 2 { // again changes nothing
		if _, err := Init(w.home, w.genesis); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Init(w.home, newTown(t).genesis); !fault.Is(err, fault.AlreadyExists) {
		t.Errorf("another genesis: %v", err)
	}
}

func TestNodeAnswersWithProofs(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	w := newTown(t)
	if _, err := Init(w.home, w.genesis); err != nil {
		t.Fatal(err)
	}
	n := w.open(t)
	if _, err := Open(ctx, Config{Home: w.home}); !fault.Is(err, fault.Locked) {
		t.Errorf("a second node in the same directory: %v", err)
	}
	raw := w.duties("1", "企业登记")
	sent, err := n.Submit(ctx, raw)
	if err != nil || sent.GetOutcome().GetCode() != 0 {
		t.Fatalf("submit: %v, %v", sent, err)
	}
	if again, err := n.Submit(ctx, raw); err != nil || !proto.Equal(again.GetOutcome(), sent.GetOutcome()) {
		t.Errorf("sent again: %v, %v", again, err)
	}
	tx, err := n.Tx(ctx, sent.GetTxId())
	if err != nil || string(tx.GetEnvelope()) != string(raw) || tx.GetHeight() != sent.GetOutcome().GetHeight() {
		t.Errorf("tx: %v, %v", tx, err)
	}
	key := "catalogue/duty/" + w.Authority + ":1"
	got, err := n.Object(ctx, key, 0, true)
	if err != nil || !got.GetFound() {
		t.Fatalf("object %s: %v, %v", key, got, err)
	}
	p, err := proof.FromWire(got.GetProof(), []byte(key), got.GetValue())
	if err != nil {
		t.Fatal(err)
	}
	h := header(ctx, t, n, got.GetHeight()+1)
	if err := proof.VerifyKey(proof.Hash(h.GetAppHash()), []byte(key), got.GetValue(), p); err != nil {
		t.Error(err)
	}
	before, err := n.Object(ctx, key, sent.GetOutcome().GetHeight()-1, false)
	if err != nil || before.GetFound() {
		t.Errorf("a block before it was there: %v, %v", before, err)
	}
	page, err := n.Objects(ctx, &ledgerv1.ListObjectsRequest{Limit: 3})
	if err != nil || len(page.GetObjects()) != 3 || !page.GetMore() {
		t.Errorf("objects: %v, %v", page, err)
	}
	next, err := n.Objects(ctx, &ledgerv1.ListObjectsRequest{After: page.GetObjects()[2].GetKey(), Limit: 1})
	if err != nil || next.GetObjects()[0].GetKey() <= page.GetObjects()[2].GetKey() {
		t.Errorf("next page: %v, %v", next, err)
	}
	block, err := n.Block(ctx, tx.GetHeight())
	if err != nil || len(block.GetOutcomes()) != 1 || !proto.Equal(block.GetOutcomes()[0], sent.GetOutcome()) {
		t.Errorf("block: %v, %v", block, err)
	}
	s, err := n.Status(ctx)
	if err != nil || s.GetValidators() != 1 || s.GetVersion() != "test" || s.GetEvents() == 0 {
		t.Errorf("status: %v, %v", s, err)
	}
	event, err := n.ProveEvent(ctx, s.GetEvents()-1, 0)
	if err != nil {
		t.Fatal(err)
	}
	h = header(ctx, t, n, event.GetHeight()+1)
	if want := proof.AppHash(proof.Hash(event.GetTreeRoot()), proof.Hash(event.GetLogRoot()), event.GetSize()); want != proof.Hash(h.GetAppHash()) {
		t.Errorf("the event's roots lead to %s, the header says %x", want, h.GetAppHash())
	}
}

// header waits for a block and returns its header.
func header(ctx context.Context, t *testing.T, n *Node, height int64) *ledgerv1.GetHeaderResponse {
	t.Helper()
	for {
		block := n.Ledger().NewBlock()
		h, err := n.Header(ctx, height, false)
		if err == nil {
			return h
		}
		select {
		case <-block:
		case <-ctx.Done():
			t.Fatalf("header %d: %v", height, err)
		}
	}
}

func TestWatchIsGaplessAcrossARestart(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	w := newTown(t)
	if _, err := Init(w.home, w.genesis); err != nil {
		t.Fatal(err)
	}
	n := w.open(t)
	var verbs []string
	next := int64(0)
	enough := errors.New("enough")
	read := func(until string) {
		t.Helper()
		err := n.Watch(ctx, next, func(m *ledgerv1.WatchResponse) error {
			if m.GetNext() != next+int64(len(m.GetEvents())) {
				t.Errorf("next is %d after %d and %d events", m.GetNext(), next, len(m.GetEvents()))
			}
			next = m.GetNext()
			for _, e := range m.GetEvents() {
				verbs = append(verbs, e.GetVerb())
				for _, o := range e.GetObjects() {
					if o == "catalogue/duty/"+w.Authority+":"+until {
						return enough
					}
				}
			}
			return nil
		})
		if !errors.Is(err, enough) {
			t.Fatalf("watch: %v", err)
		}
	}
	if _, err := n.Submit(ctx, w.duties("1", "一")); err != nil {
		t.Fatal(err)
	}
	read("1")
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = w.open(t)
	if _, err := n.Submit(ctx, w.duties("2", "二")); err != nil {
		t.Fatal(err)
	}
	read("2")
	all, err := n.Events(ctx, 0, 1000)
	if err != nil || int(all.GetSize()) != len(verbs) {
		t.Fatalf("watched %d events, the log has %d: %v", len(verbs), all.GetSize(), err)
	}
	for i, e := range all.GetEvents() {
		if e.GetVerb() != verbs[i] {
			t.Errorf("event %d is %s, watched %s", i, e.GetVerb(), verbs[i])
		}
	}
}
