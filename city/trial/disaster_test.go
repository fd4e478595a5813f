package trial

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mulian/client"
	"mulian/client/keyring"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/node/backup"
)

// acknowledged are the units that a member has registered under load, by their names.
type acknowledged struct {
	mu    sync.Mutex
	names []string // guarded by mu
	count atomic.Int64
}

// load registers units through a member until ctx ends, several at once.
func (a *acknowledged) load(ctx context.Context, c *client.Client, s client.Signer, workers int, all *sync.WaitGroup) {
	for w := range workers {
		all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				name := fmt.Sprintf("w%d-%d", w, i)
				if _, err := c.Send(ctx, s, unit(name)); err == nil {
					a.mu.Lock()
					a.names = append(a.names, name)
					a.mu.Unlock()
					a.count.Add(1)
				}
			}
		})
	}
}

func unit(name string) *identityv1.RegisterUnit {
	return &identityv1.RegisterUnit{Kind: identityv1.AccountKind_ACCOUNT_KIND_DEPARTMENT, LocalId: name, Name: "数据管理处"}
}

func (a *acknowledged) reach(t *testing.T, n int64) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); a.count.Load() < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of %d transactions in two minutes", a.count.Load(), n)
		}
	}
}

// TestAllButOneAreLost is the drill of docs/runbooks/disaster.md: of four members three lose
// their machines under load, and come back from backups of different ages. The chain goes
// on, nothing that the fourth has acknowledged is lost, and all have the same state.
func TestAllButOneAreLost(t *testing.T) {
	if testing.Short() {
		t.Skip("four processes, three of them twice")
	}
	w, err := Found(Options{Home: filepath.Join(t.TempDir(), "net"), Members: 4})
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, w)
	if _, err := w.FirstUnit(t.Context()); err != nil {
		t.Fatal(err)
	}
	root, err := w.Members[0].Signer(keyring.Root)
	if err != nil {
		t.Fatal(err)
	}
	survivor := client.New(w.Members[0].URL)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var done acknowledged
	var all sync.WaitGroup
	done.load(ctx, survivor, root, 4, &all)
	backups := make([]string, 4)
	for i := 1; i < 4; i++ {
		done.reach(t, int64(10*i))
		backups[i] = filepath.Join(t.TempDir(), "backup")
		if _, err := backup.Take(t.Context(), backup.Order{Home: w.Members[i].Home, To: backups[i], Keys: true, Version: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	done.reach(t, 60)
	for i := 1; i < 4; i++ {
		r.Started[i].Kill()
		if err := os.RemoveAll(w.Members[i].Home); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	all.Wait()
	// What the members agree on by telephone: the newest block that anybody has.
	st, err := survivor.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 4; i++ {
		m, err := backup.Restore(t.Context(), backup.Plan{From: backups[i], Home: w.Members[i].Home, Genesis: w.Hash(), Newest: st.GetHeight()})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("member %d: backup of height %d of %d", i+1, m.Height, st.GetHeight())
		if r.Started[i], err = w.Members[i].Start(r.Started[i].cmd.Args[:1]); err != nil {
			t.Fatal(err)
		}
		p := r.Started[i]
		t.Cleanup(p.Kill)
	}
	back, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for _, p := range r.Started {
		if _, err := p.Ready(back, 1); err != nil {
			t.Fatal(err)
		}
	}
	after, err := client.New(w.Members[0].URL).Send(back, root, unit("after"))
	if err != nil {
		t.Fatalf("the chain does not go on: %v", err)
	}
	same(t, r.Started, after.Height)
	for _, m := range w.Members {
		c := client.New(m.URL)
		for _, name := range append([]string{"after"}, done.names...) {
			if found, err := c.Get(back, "identity/account/"+root.Account+"/d/"+name, &identityv1.Account{}); err != nil || !found {
				t.Fatalf("member %d does not have %s, which was acknowledged: %v", m.Number, name, err)
			}
		}
	}
	t.Logf("%d acknowledged before the loss; the first block after it is %d", len(done.names), after.Height)
}

// TestAnotherChainsBackupIsRefused: the home of a member takes no other chain's store.
func TestAnotherChainsBackupIsRefused(t *testing.T) {
	ours, err := Found(Options{Home: filepath.Join(t.TempDir(), "net"), Members: 1})
	if err != nil {
		t.Fatal(err)
	}
	other, err := Found(Options{Home: filepath.Join(t.TempDir(), "net"), Members: 1, ChainID: "other-chain"})
	if err != nil {
		t.Fatal(err)
	}
	start(t, other)
	to := filepath.Join(t.TempDir(), "backup")
	if _, err := backup.Take(t.Context(), backup.Order{Home: other.Members[0].Home, To: to}); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Restore(t.Context(), backup.Plan{From: to, Home: ours.Members[0].Home}); !fault.Is(err, fault.WrongChain) {
		t.Errorf("%v, want WrongChain", err)
	}
}
