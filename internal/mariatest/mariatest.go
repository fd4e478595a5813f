// Package mariatest gives tests a real, private MariaDB server (package mariaserver).
//
// One server per test process, started by the first call of URL, and one that keeps a log of
// rows, by that of Logging. It is no product code: only tests import it.
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
// The server writes nothing through to the disk: the folder does not survive the
// process anyway. Durable starts one of its own that does, which a test may stop, kill
// and start.
package mariatest

import (
	"os"
	"strings"
	"sync"
	"testing"

	"mulian/internal/mariaserver"
)

// once is a server of the process, started when it is first wanted.
type once struct {
	sync.Once
	server *mariaserver.Server
	err    error
}

var shared, logging once

func (o *once) get(t testing.TB, settings ...string) *Server {
	t.Helper()
	o.Do(func() { o.server, o.err = mariaserver.Start(mariaserver.Options{Settings: settings}) })
	if o.err != nil {
		absent(t, o.err)
	}
	return &Server{o.server}
}

// Shared is the process's server.
func Shared(t testing.TB) *Server { t.Helper(); return shared.get(t) }

// Log are the settings of a server whose log tells which rows change.
var Log = []string{"log-bin=log", "server-id=7", "binlog-format=ROW", "binlog-row-metadata=FULL", "binlog-row-image=NOBLOB"}

// Logging is a second server of the process, with Log.
func Logging(t testing.TB) *Server { t.Helper(); return logging.get(t, Log...) }

// URL creates a fresh database on the process's server and returns its URL. name
// is a hint for people who look at it; it is made unique.
func URL(t testing.TB, name string) string {
	t.Helper()
	return Shared(t).Database(t, name)
}

// Durable starts a server of its own that writes through, for tests that kill it, with
// further settings. It is stopped when t ends.
func Durable(t testing.TB, settings ...string) *Server {
	t.Helper()
	s, err := mariaserver.Start(mariaserver.Options{Sync: true, Settings: settings})
	if err != nil {
		absent(t, err)
	}
	t.Cleanup(func() { s.Close() })
	return &Server{s}
}

func absent(t testing.TB, err error) {
	t.Helper()
	line := "SKIP no mariadb: " + strings.ReplaceAll(err.Error(), "\n", " | ")
	if os.Getenv("MULIAN_REQUIRE_SERVERS") == "1" {
		t.Fatal(line + " (MULIAN_REQUIRE_SERVERS=1)")
	}
	t.Skip(line)
}

// A Server is one running server.
type Server struct{ server *mariaserver.Server }

// Database creates a fresh database and returns its URL.
func (s *Server) Database(t testing.TB, name string) string {
	t.Helper()
	url, err := s.server.Create(t.Context(), name)
	if err != nil {
		t.Fatalf("mariatest: %v", err)
	}
	return url
}

// Socket is the server's unix socket.
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
		t.Fatalf("mariatest: %v", err)
	}
}
