package gateway_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mulian/client/audit"
	"mulian/client/keyring"
	"mulian/client/prooffile"
	"mulian/gateway"
	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// account is a gateway on the ledger, now.
func (w *town) account(id string) *identityv1.Account {
	w.t.Helper()
	a := &identityv1.Account{}
	if ok, err := w.chain.Get(context.Background(), "identity/account/"+id, a); err != nil || !ok {
		w.t.Fatal(ok, err)
	}
	return a
}

// spare makes the next key of a gateway, which is opened anew then.
func (w *town) spare(id, base string) sm.PrivateKey {
	w.t.Helper()
	k, err := gateway.SpareKey(w.ring(), base, w.account(id))
	if err != nil {
		w.t.Fatal(err)
	}
	again, err := gateway.SpareKey(w.ring(), base, w.account(id))
	if err != nil || again.Public().ID() != k.Public().ID() {
		w.t.Fatalf("a rotation that goes on takes another key: %v", err)
	}
	return k
}

// rotated has the ledger know of a gateway's new key.
func (w *town) rotated(id, base string, fresh sm.PrivateKey, size uint64) {
	w.t.Helper()
	a, org := w.account(id), w.water
	if id == w.door {
		org = w.planning
	}
	w.must(org, &identityv1.UpdateGateway{Gateway: id, Profile: gateway.Rotated(a.GetGateway(), base, fresh.Public(), size), Version: a.GetVersion()})
}

func (w *town) destroyed(id, label string) bool {
	_, err := w.ring().Key(id, label)
	return fault.Is(err, fault.NotFound)
}

// TestSealingKeyIsRotated: the receiver's sealing key is replaced in the middle of a batch,
// of a following and of queries, and once more while a batch is interrupted. Nothing
// fails, nothing is lost, the tables are equal; the old keys are gone in the end, and the
// ledger says so; not before the interrupted batch has ended.
func TestSealingKeyIsRotated(t *testing.T) {
	heavy(t)
	t.Parallel()
	w := newTown(t)
	w.makePermits(10_000)
	door := w.open(w.planningConfig())
	cfg, opts := w.waterConfig(), gateway.Options{KeyOverlap: 500 * time.Millisecond}
	w.publish(door)
	w.watermarked()
	batch, query := w.agree(byBatch, nil), w.agree(byQuery, nil)
	first := w.account(w.tap).GetGateway().GetSealingKey()
	second := w.spare(w.tap, keyring.Seal)
	tap := w.openWith(cfg, opts)
	if err := tap.Follow(deliver.Fetch{Agreement: batch, Entry: w.entry, Into: connect.TableName{Name: "permits"}}); err != nil {
		t.Fatal(err)
	}
	w.eventually("it follows", func() bool { return tap.following().GetState() == "following" })
	ask := func() {
		t.Helper()
		if res, err := tap.Query(t.Context(), query, w.entry, nil, 0, no("P0000007")); err != nil || len(res.Rows) != 1 {
			t.Errorf("a query: %v", err)
		}
	}
	ask()
	var once sync.Once
	got, err := tap.Fetch(t.Context(), deliver.Fetch{Agreement: batch, Entry: w.entry, Into: connect.TableName{Name: "copy"}, Progress: func(int64, int64) {
		once.Do(func() {
			w.exec(w.permits, "UPDATE permit SET project = 'a', issued = '2026-03-10' WHERE no < 'P0000030'")
			w.rotated(w.tap, keyring.Seal, second, 0)
			ask()
		})
	}})
	if err != nil || got.Rows != 10_000 {
		t.Fatalf("the batch in the middle of which the key was replaced: %v, %v", got, err)
	}
	ask()
	w.exec(w.permits, "UPDATE permit SET project = 'b', issued = '2026-03-11' WHERE no < 'P0000020'")
	w.eventually("what changed comes", func() bool { return w.differ() == 0 })
	w.eventually("the old key is destroyed", func() bool {
		return w.account(w.tap).GetGateway().GetOldSealingKey() == nil && w.destroyed(w.tap, keyring.Seal)
	})
	ask()

	// Once more, while a batch stands still.
	third := w.spare(w.tap, keyring.Seal)
	tap.stop()
	tap = w.openWith(cfg, opts)
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := tap.Fetch(ctx, deliver.Fetch{Agreement: batch, Entry: w.entry, Into: connect.TableName{Name: "again"}, Progress: func(int64, int64) { cancel() }}); err == nil {
		t.Fatal("the batch was not interrupted")
	}
	w.rotated(w.tap, keyring.Seal, third, 0)
	if _, err := gateway.SpareKey(w.ring(), keyring.Seal, w.account(w.tap)); !fault.Is(err, fault.IllegalTransition) {
		t.Errorf("a third key while two are in use: %v", err)
	}
	tap.stop()
	if w.destroyed(w.tap, "seal-2") {
		t.Error("the key to which an interrupted batch is sealed was destroyed")
	}
	tap = w.openWith(cfg, opts) // goes on by itself
	w.eventually("the interrupted batch arrives", func() bool { return w.rows("again") == 10_000 })
	w.eventually("the second key is destroyed", func() bool {
		return w.account(w.tap).GetGateway().GetOldSealingKey() == nil && w.destroyed(w.tap, "seal-2")
	})
	ask()
	if now := w.account(w.tap).GetGateway().GetSealingKey(); now.GetId() != third.Public().ID() || now.GetId() == first.GetId() {
		t.Errorf("the key is %v", now)
	}
	tap.stop()
	tap = w.openWith(cfg, opts)
	ask()
}

// TestLogKeyIsRotated: the key of a gateway's log is replaced while it serves. Both sign
// for a while, then the ledger says at which size the old one ends, and it is destroyed.
// An audit that remembers every state finds nothing at any time.
func TestLogKeyIsRotated(t *testing.T) {
	heavy(t)
	t.Parallel()
	w := newTown(t)
	w.makePermits(10)
	opts := gateway.Options{KeyOverlap: 500 * time.Millisecond}
	sealing := w.spare(w.door, keyring.Seal)
	door, tap := w.openWith(w.planningConfig(), opts), w.open(w.waterConfig())
	w.publish(door)
	query := w.agree(byQuery, nil)
	store := filepath.Join(t.TempDir(), "store")
	file, err := os.ReadFile(w.genesis)
	if err != nil {
		t.Fatal(err)
	}
	audited := func(when string) {
		t.Helper()
		for range 3 {
			if _, err := tap.Query(t.Context(), query, w.entry, nil, 0, no("P0000007")); err != nil {
				t.Fatalf("%s: %v", when, err)
			}
		}
		w.eventually("all is anchored", func() bool { s := door.Status(); return s.Anchored == s.LogSize })
		a, err := audit.New(audit.Config{Chain: w.chain, Genesis: file, Store: store, Evidence: filepath.Join(store, "evidence")})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := a.Supervisor(t.Context()); err != nil || !r.OK || len(r.Logs) == 0 {
			t.Errorf("%s: %v, %+v", when, err, r)
		}
	}
	signatures := func() int {
		note, _, _, err := prooffile.NewTiles("http://" + door.Addr() + "/log/").Checkpoint(t.Context())
		if err != nil {
			return -1
		}
		return strings.Count(string(note), "— ")
	}
	audited("with the first key")
	second := w.spare(w.door, keyring.Log)
	// Its sealing key is replaced, too, and something waits for the old one until the end.
	waits := filepath.Join(w.planningConfig().Home, "fetches", "0.follow.whole")
	if err := os.WriteFile(waits, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.rotated(w.door, keyring.Seal, sealing, 0)
	size := door.Records().Size()
	w.rotated(w.door, keyring.Log, second, size)
	audited("the ledger has the second key, the gateway still signs with the first")
	if w.destroyed(w.door, keyring.Log) {
		t.Fatal("the only key that signs was destroyed")
	}
	slow := opts
	slow.KeyOverlap = time.Hour
	door.stop()
	door = w.openWith(w.planningConfig(), slow)
	audited("both sign")
	w.eventually("both sign", func() bool { return signatures() == 2 })
	door.stop()
	door = w.openWith(w.planningConfig(), opts)
	w.eventually("the first key ends", func() bool {
		keys := w.account(w.door).GetGateway().GetLogKeys()
		return len(keys) == 2 && keys[0].GetUntilSize() > size && keys[1].GetFromSize() == size && w.destroyed(w.door, keyring.Log)
	})
	audited("the first has ended")
	if w.account(w.door).GetGateway().GetOldSealingKey() == nil || w.destroyed(w.door, keyring.Seal) {
		t.Error("a sealing key was destroyed while something waited for it")
	}
	if err := os.Remove(waits); err != nil {
		t.Fatal(err)
	}
	w.eventually("the old sealing key is destroyed", func() bool {
		return w.account(w.door).GetGateway().GetOldSealingKey() == nil && w.destroyed(w.door, keyring.Seal)
	})
	door.stop()
	door = w.openWith(w.planningConfig(), opts)
	audited("the second alone")
	w.eventually("the second signs alone", func() bool { return signatures() == 1 })
}
