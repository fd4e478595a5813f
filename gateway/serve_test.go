package gateway_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	rpc "connectrpc.com/connect"

	"mulian/gateway"
	"mulian/gateway/backup"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/fault"
)

// kept is planning's gateway as the command line runs it.
type kept struct {
	mu     sync.Mutex
	cfg    gateway.Config
	opened atomic.Int64
	addr   string
	signal chan os.Signal
	stop   func()
}

func (s *kept) set(edit func(*gateway.Config)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit(&s.cfg)
}

func (w *town) serve(cfg gateway.Config) *kept {
	w.t.Helper()
	s := &kept{cfg: cfg, signal: make(chan os.Signal, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	run := &gateway.Keeper{
		Load: func() (*gateway.Config, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			c := s.cfg
			return &c, c.Check()
		},
		Options: gateway.Options{Version: "test", Logger: quiet(w.t)},
		Tell: func(t gateway.Turn) {
			if t == gateway.Ready {
				s.opened.Add(1)
			}
		},
	}
	done, ready := make(chan error, 1), make(chan struct{})
	go func() {
		done <- run.Run(ctx, s.signal, func(g *gateway.Gateway) { s.addr = g.Addr(); close(ready) })
	}()
	select {
	case <-ready:
	case err := <-done:
		w.t.Fatal(err)
	}
	s.stop = func() {
		s.stop = func() {}
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("its end: %v", err)
		}
	}
	w.t.Cleanup(func() { s.stop() })
	return s
}

// TestAReloadKeepsThePort: others ask without a pause while the gateway takes a new
// source three times, and nobody is refused; a configuration that cannot be used
// changes nothing.
func TestAReloadKeepsThePort(t *testing.T) {
	w := newTown(t)
	w.makePermits(50)
	door := w.open(w.planningConfig())
	w.publish(door)
	agreement := w.agree(cataloguev1.Method_METHOD_QUERY, nil)
	cfg := w.planningConfig()
	cfg.Listen = door.Addr()
	cfg.URL = "http://" + cfg.Listen
	door.stop()
	s := w.serve(cfg)
	tap := w.open(w.waterConfig())
	ctl := gateway.Control(cfg.Home)

	stop, asked := make(chan struct{}), atomic.Int64{}
	var askers sync.WaitGroup
	for range 4 {
		askers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := tap.Query(context.Background(), agreement, w.entry, nil, 1, no("P0000007")); err != nil {
					t.Errorf("asked during a reload: %v %v", fault.CodeOf(err), err)
					return
				}
				asked.Add(1)
			}
		})
	}
	for i, name := range []string{"second", "third", "fourth"} {
		path := filepath.Join(w.dir, name+".db")
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(`CREATE TABLE extra (no TEXT PRIMARY KEY)`); err != nil {
			t.Fatal(err)
		}
		db.Close()
		s.set(func(c *gateway.Config) {
			c.Sources = append(append([]gateway.Source{}, c.Sources...), gateway.Source{Name: name, URL: "sqlite:" + path})
		})
		before := s.opened.Load()
		if i == 0 {
			s.signal <- syscall.SIGHUP
		} else if _, err := ctl.Reload(t.Context(), rpc.NewRequest(&gatewayv1.ReloadRequest{})); err != nil {
			t.Fatal(err)
		}
		w.eventually("the gateway has reloaded", func() bool { return s.opened.Load() > before })
		at := asked.Load()
		w.eventually("others are answered after it", func() bool { return t.Failed() || asked.Load() > at+8 })
	}
	// What cannot be used is refused, and nothing changes.
	before := s.opened.Load()
	for want, edit := range map[fault.Code]func(*gateway.Config){
		fault.SourceUnreachable: func(c *gateway.Config) {
			c.Sources = append(append([]gateway.Source{}, c.Sources...), gateway.Source{Name: "gone", URL: "sqlite:" + filepath.Join(w.dir, "nowhere", "x.db")})
		},
		fault.Usage:       func(c *gateway.Config) { c.Home = filepath.Join(w.dir, "elsewhere") },
		fault.Unreachable: func(c *gateway.Config) { c.Server = "http://127.0.0.1:9" },
	} {
		good := s.cfg
		s.set(edit)
		_, err := ctl.Reload(t.Context(), rpc.NewRequest(&gatewayv1.ReloadRequest{}))
		if got := rpc.CodeOf(err); err == nil {
			t.Errorf("want %v: %v %v", want, got, err)
		}
		s.set(func(c *gateway.Config) { *c = good })
	}
	// So is a key that others can read, although the configuration is the same.
	key := filepath.Join(w.ring().Dir, strings.ReplaceAll(w.door, "/", "~")+".machine.key")
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ctl.Reload(t.Context(), rpc.NewRequest(&gatewayv1.ReloadRequest{})); err == nil {
		t.Error("a key that others can read is taken")
	}
	if err := os.Chmod(key, 0o600); err != nil {
		t.Fatal(err)
	}
	close(stop)
	askers.Wait()
	if s.opened.Load() != before {
		t.Error("a refused configuration was taken")
	}
	res, err := ctl.State(t.Context(), rpc.NewRequest(&gatewayv1.StateRequest{}))
	if err != nil || len(res.Msg.GetSources()) != 4 {
		t.Errorf("sources after it: %v, %v", res, err)
	}
	t.Logf("%d queries over three reloads", asked.Load())
}

// TestARestoredGatewayGoesOn from a backup that was made while it ran; one that is
// older than what the ledger has releases nothing and says why.
func TestARestoredGatewayGoesOn(t *testing.T) {
	w := newTown(t)
	w.makePermits(50)
	door, tap := w.open(w.planningConfig()), w.open(w.waterConfig())
	w.publish(door)
	agreement := w.agree(cataloguev1.Method_METHOD_QUERY, nil)
	ask := func() error {
		_, err := tap.Query(context.Background(), agreement, w.entry, nil, 1, no("P0000007"))
		return err
	}
	anchored := func(d *running) func() bool {
		return func() bool { s := d.Status(); return s.Anchored == s.LogSize }
	}
	take := func(to string) {
		t.Helper()
		if _, _, err := backup.Take(t.Context(), backup.Order{Gateway: w.door, Home: filepath.Join(w.dir, "door"), To: filepath.Join(w.dir, to)}); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		want(t, fault.OK, ask())
	}
	take("old")
	for range 5 {
		want(t, fault.OK, ask())
	}
	w.eventually("all records are anchored", anchored(door))
	size := door.Status().LogSize
	take("new")
	door.stop()
	restore := func(from string) *running {
		t.Helper()
		cfg := w.planningConfig()
		cfg.Home = filepath.Join(w.dir, "restored-"+from)
		if _, err := backup.Restore(t.Context(), filepath.Join(w.dir, from), cfg.Home, ""); err != nil {
			t.Fatal(err)
		}
		return w.open(cfg)
	}
	old := restore("old")
	w.eventually("it says why it does not release", func() bool { return !old.Status().OK })
	if err := ask(); err == nil {
		t.Error("a gateway whose log lacks what the ledger has released something")
	}
	t.Logf("the old backup: %s", old.Status().Trouble)
	old.stop()
	again := restore("new")
	if got := again.Status().LogSize; got != size {
		t.Errorf("%d records, want %d", got, size)
	}
	var err error
	w.eventually("it answers again", func() bool { err = ask(); return err == nil })
	w.eventually("and anchors", func() bool { return again.Status().LogSize > size && anchored(again)() })
}
