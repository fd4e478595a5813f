// Package servertest gives a private database server (pgserver, mariaserver) to tests: what
// fails fails the test, and what is absent skips it. It is no product code: only tests import
// it, through pgtest and mariatest.
//
//	Once.Get ──> server of the process ──> Database per call ...
//	Own ──> server of one test, which it may Stop, Kill and Start
//
// Invariant: where no server can be had, tests are skipped with one line that says why, or
// fail if MULIAN_REQUIRE_SERVERS=1.
package servertest

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
)

// Machine is one running server, as its own package gives it.
type Machine interface {
	Create(ctx context.Context, name string) (url string, err error)
	Socket() string
	Port() int
	Kill() error
	Stop() error
	Start() error
	Close() error
}

// A Server is one running server, of a kind.
type Server struct {
	Machine
	kind string
}

// Once is a server of the process, started when it is first wanted.
type Once struct {
	Kind  string
	Begin func() (Machine, error)

	once   sync.Once
	server Machine
	err    error
}

// Get gives it.
func (o *Once) Get(t testing.TB) *Server {
	t.Helper()
	o.once.Do(func() { o.server, o.err = o.Begin() })
	if o.err != nil {
		absent(t, o.Kind, o.err)
	}
	return &Server{o.server, o.Kind}
}

// Own gives a server to one test; it ends with it.
func Own(t testing.TB, kind string, p Machine, err error) *Server {
	t.Helper()
	if err != nil {
		absent(t, kind, err)
	}
	t.Cleanup(func() { p.Close() })
	return &Server{p, kind}
}

func absent(t testing.TB, kind string, err error) {
	t.Helper()
	line := "SKIP no " + kind + ": " + strings.ReplaceAll(err.Error(), "\n", " | ")
	if os.Getenv("MULIAN_REQUIRE_SERVERS") == "1" {
		t.Fatal(line + " (MULIAN_REQUIRE_SERVERS=1)")
	}
	t.Skip(line)
}

// Database creates a fresh database and returns its URL. name is a hint for people who look
// at it; it is made unique.
func (s *Server) Database(t testing.TB, name string) string {
	t.Helper()
	url, err := s.Create(t.Context(), name)
	s.must(t, err)
	return url
}

// Kill ends the server as a power cut would, and waits until it is gone.
func (s *Server) Kill(t testing.TB) { t.Helper(); s.must(t, s.Machine.Kill()) }

// Stop ends the server in order.
func (s *Server) Stop(t testing.TB) { t.Helper(); s.must(t, s.Machine.Stop()) }

// Start starts the server again after Kill or Stop, on the same port.
func (s *Server) Start(t testing.TB) { t.Helper(); s.must(t, s.Machine.Start()) }

func (s *Server) must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", s.kind, err)
	}
}
