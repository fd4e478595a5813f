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
	"testing"

	"mulian/internal/pgserver"
	"mulian/internal/servertest"
)

// Server is one running cluster.
type Server = servertest.Server

// feeds lets a server tell its changes, and bounds what it keeps for who does not listen.
var feeds = []string{"wal_level=logical", "max_slot_wal_keep_size=256MB", "max_replication_slots=40", "max_wal_senders=20"}

var shared = servertest.Once{Kind: "postgres", Begin: func() (servertest.Machine, error) {
	return pgserver.Start(pgserver.Options{Settings: feeds})
}}

// URL creates a fresh database on the process's server and returns its URL. name
// is a hint for people who look at it; it is made unique.
func URL(t testing.TB, name string) string {
	t.Helper()
	return shared.Get(t).Database(t, name)
}

// Durable starts a server of its own with fsync on, for tests that kill it. It
// is stopped when t ends. It has the settings (name=value), else those of URL's server.
func Durable(t testing.TB, settings ...string) *Server {
	t.Helper()
	if len(settings) == 0 {
		settings = feeds
	}
	s, err := pgserver.Start(pgserver.Options{Fsync: true, Settings: settings})
	return servertest.Own(t, "postgres", s, err)
}
