// Package pgtest gives tests a real, private PostgreSQL server (package pgserver).
//
// One server per test process, started by the first call of URL. It is no product
// code: only tests import it.
//
//	first URL ──> server ──> database per call ...
//	end of the process, however it ends ──> the server and its folder go
//
// Invariants:
//
//  1. Each call of URL gives an empty database of its own.
//  2. Where no server can be had, tests are skipped with one line that says why,
//     or fail if MULIAN_REQUIRE_SERVERS=1.
//
// fsync is off: the folder does not survive the process anyway. Durable starts a
// server of its own with fsync on, that a test may stop, kill and start.
package pgtest

import (
	"os"
	"strings"
	"sync"
	"testing"

	"mulian/internal/pgserver"
)

var shared = struct {
	sync.Once
	server *pgserver.Server
	err    error
}{}

// feeds lets a server tell its changes, and bounds what it keeps for who does not listen.
var feeds = []string{"wal_level=logical", "max_slot_wal_keep_size=256MB", "max_replication_slots=40", "max_wal_senders=20"}

// URL creates a fresh database on the process's server and returns its URL. name
// is a hint for people who look at it; it is made unique.
func URL(t testing.TB, name string) string {
	t.Helper()
	shared.Do(func() { shared.server, shared.err = pgserver.Start(pgserver.Options{Settings: feeds}) })
	if shared.err != nil {
		absent(t, shared.err)
	}
	return (&Server{shared.server}).Database(t, name)
}

// Durable starts a server of its own with fsync on, for tests that kill it. It
// is stopped when t ends. It has the settings (name=value), else those of URL's server.
func Durable(t testing.TB, settings ...string) *Server {
	t.Helper()
	if len(settings) == 0 {
		settings = feeds
	}
	s, err := pgserver.Start(pgserver.Options{Fsync: true, Settings: settings})
	if err != nil {
		absent(t, err)
	}
	t.Cleanup(func() { s.Close() })
	return &Server{s}
}

func absent(t testing.TB, err error) {
	t.Helper()
	line := "SKIP no postgres: " + strings.ReplaceAll(err.Error(), "\n", " | ")
	if os.Getenv("MULIAN_REQUIRE_SERVERS") == "1" {
		t.Fatal(line + " (MULIAN_REQUIRE_SERVERS=1)")
	}
	t.Skip(line)
}

// A Server is one running cluster.
type Server struct{ server *pgserver.Server }

// Database creates a fresh database and returns its URL.
func (s *Server) Database(t testing.TB, name string) string {
	t.Helper()
	url, err := s.server.Create(t.Context(), name)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return url
}

// Socket is the folder of the server's unix socket; its port is Port.
func (s *Server) Socket() string { return s.server.Socket() }

// Port is the loopback port.
func (s *Server) Port() int { return s.server.Port() }

// Kill ends the server as a power cut would, and waits until it is gone.
func (s *Server) Kill(t testing.TB) { t.Helper(); must(t, s.server.Kill()) }

// Stop ends the server in order.
func (s *Server) Stop(t testing.TB) { t.Helper(); must(t, s.server.Stop()) }

// Start starts the server again after Kill or Stop, on the same port.
func (s *Server) Start(t testing.TB) { t.Helper(); must(t, s.server.Start()) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
}
