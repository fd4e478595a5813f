package deliver

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mulian/gateway/receipt"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// keeping is a provider with a log and a folder, and nobody to talk to.
func keeping(t testing.TB, dir string) *Provider {
	t.Helper()
	key, err := sm.FromSeed(sm.Ed25519, [32]byte{7})
	if err != nil {
		t.Fatal(err)
	}
	log, err := receipt.Open(t.Context(), receipt.Config{
		Dir: filepath.Join(dir, "log"), Gateway: "11110000000021928Y/g/main", Origin: "mulian/test/11110000000021928Y/g/main", Key: key, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	p := &Provider{
		cfg:    ProviderConfig{Dir: filepath.Join(dir, "open"), Log: log, Logger: slog.New(slog.DiscardHandler)},
		quotas: quotas{of: map[string]used{}}, sessions: map[sessionKey]*session{},
	}
	if err := errors.Join(os.MkdirAll(p.cfg.Dir, 0o700), p.quotas.restore(log)); err != nil {
		t.Fatal(err)
	}
	return p
}

// ready is a delivery of 100 rows at its end; the ledger has been told.
func ready(t testing.TB, p *Provider) *session {
	t.Helper()
	e, err := p.cfg.Log.Append(t.Context(), &tracev1.AccessRecord{
		Agreement: "a", Delivery: 1, Outcome: tracev1.Outcome_OUTCOME_GRANTED, RequestId: strings.Repeat("0", 32), Asker: "11110000000000019X/g/main",
		Entry: "11110000000021928Y:permit", EntryVersion: 3, Items: []string{"no"}, Purpose: "排水许可审批", RequestHash: make([]byte, 32),
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := p.sessionDir(sessionKey{"a", 1})
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s := &session{dir: dir, offer: offer{
		Agreement: "a", Number: 1, Granted: e.Index + 1, OnLedger: true, CreatedMs: time.Now().UnixMilli(),
		Whole: &whole{Pages: 1, Rows: 100, Bytes: 1000, Hash: make([]byte, 32)},
	}}
	if s.given, err = openGiven(dir); err != nil {
		t.Fatal(err)
	}
	sp := &spool{grew: make(chan struct{})}
	sp.add(0, 1000, 100)
	if err := errors.Join(s.given.page(sp, 0), s.change(func(*offer) {})); err != nil {
		t.Fatal(err)
	}
	s.heldRows.Store(100)
	s.heldBytes.Store(1000)
	p.quotas.keep("a", 100, 1000)
	p.sessions[sessionKey{"a", 1}] = s
	return s
}

// settledOnce wants one end in the log, and its rows counted once.
func settledOnce(t *testing.T, p *Provider) {
	t.Helper()
	var ends []string
	if err := p.cfg.Log.Of("a", func(e receipt.Entry) bool {
		if e.Record.GetOutcome() != tracev1.Outcome_OUTCOME_GRANTED {
			ends = append(ends, e.Record.GetOutcome().String())
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if u := p.quotas.of["a"]; len(ends) != 1 || u.rows != 100 || u.heldRows != 0 || u.heldBytes != 0 {
		t.Errorf("the log has %q; %d rows are given and %d held, want one end, 100 and 0", ends, u.rows, u.heldRows)
	}
}

// TestEndMeetsFailure: of pages that come to their end and a failure, at once or one after the
// other, one is logged.
func TestEndMeetsFailure(t *testing.T) {
	for name, run := range map[string]func(complete, fail func()){
		"at once":        func(complete, fail func()) { var g sync.WaitGroup; g.Go(complete); g.Go(fail); g.Wait() },
		"failure first":  func(complete, fail func()) { fail(); complete() },
		"complete first": func(complete, fail func()) { complete(); fail() },
	} {
		t.Run(name, func(t *testing.T) {
			p := keeping(t, t.TempDir())
			s := ready(t, p)
			o := s.now() // as both read it before
			run(func() {
				_, err := p.completeDelivery(t.Context(), s, o)
				if err != nil && !fault.Is(err, fault.Cancelled) {
					t.Error(err)
				}
			}, func() {
				if err := p.broke(t.Context(), s, fault.Newf(fault.Cancelled, "given up")); err != nil {
					t.Error(err)
				}
			})
			settledOnce(t, p)
		})
	}
}

// TestSettledBeforeACrash: the power fails between the record of an end and our note of it.
func TestSettledBeforeACrash(t *testing.T) {
	for _, outcome := range []tracev1.Outcome{tracev1.Outcome_OUTCOME_COMPLETED, tracev1.Outcome_OUTCOME_FAILED} {
		t.Run(outcome.String(), func(t *testing.T) {
			dir := t.TempDir()
			p := keeping(t, dir)
			s := ready(t, p)
			if _, _, err := p.settle(t.Context(), s, func(r *tracev1.AccessRecord) { r.Outcome, r.Rows, r.Bytes = outcome, 100, 1000 }); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(s.close(), p.cfg.Log.Close()); err != nil {
				t.Fatal(err)
			}
			after := keeping(t, dir)
			if err := after.restoreSessions(); err != nil {
				t.Fatal(err)
			}
			settledOnce(t, after)
			again := after.sessions[sessionKey{"a", 1}]
			if failed := outcome == tracev1.Outcome_OUTCOME_FAILED; failed != (again == nil) {
				t.Fatalf("%+v is open", again)
			}
			if again == nil {
				if _, err := os.Stat(s.dir); !errors.Is(err, fs.ErrNotExist) {
					t.Error("its folder stays")
				}
				return
			}
			after.ended(t.Context(), again, fault.Newf(fault.Expired, "not taken"))
			settledOnce(t, after)
		})
	}
}

// TestUnreadableSessions: what cannot be read for a passing reason is kept, and so is a
// delivery whose end is signed and whose pages are damaged.
func TestUnreadableSessions(t *testing.T) {
	dir := t.TempDir()
	p := keeping(t, dir)
	s := ready(t, p)
	settled := func() *Provider {
		return &Provider{cfg: p.cfg, quotas: quotas{of: map[string]used{}}, sessions: map[sessionKey]*session{}}
	}
	for _, name := range []string{"offer.json", "given"} {
		path := filepath.Join(s.dir, name)
		// A folder in its place is read with an error that is none of a file that is not there.
		if err := errors.Join(os.Rename(path, path+".away"), os.Mkdir(path, 0o700)); err != nil {
			t.Fatal(err)
		}
		if err := settled().restoreSessions(); err == nil {
			t.Errorf("%s: opened all the same", name)
		}
		if err := errors.Join(os.Remove(path), os.Rename(path+".away", path)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if _, err := p.completeDelivery(t.Context(), s, s.now()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "pages"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	after := settled()
	if err := after.restoreSessions(); err != nil {
		t.Fatal(err)
	}
	kept := after.sessions[sessionKey{"a", 1}]
	if kept == nil {
		t.Fatal("a delivery that is completed is not kept: nothing ever ends it")
	}
	if err := after.drop(kept); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its folder stays: %v", err)
	}
	// A torn offer, and none: nobody was told of them.
	raw, err := json.Marshal(offer{Agreement: "a", Number: 2})
	if err != nil {
		t.Fatal(err)
	}
	torn, none := after.sessionDir(sessionKey{"a", 2}), after.sessionDir(sessionKey{"a", 3})
	if err := errors.Join(os.Mkdir(torn, 0o700), os.Mkdir(none, 0o700), os.WriteFile(filepath.Join(torn, "offer.json"), raw[:len(raw)/2], 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := after.restoreSessions(); err != nil || len(after.sessions) != 0 {
		t.Errorf("%d open, %v", len(after.sessions), err)
	}
	if left, err := os.ReadDir(after.cfg.Dir); err != nil || len(left) != 0 {
		t.Errorf("%d folders are left, %v", len(left), err)
	}
}
