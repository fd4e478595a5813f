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
	"testing"

	"mulian/internal/mariaserver"
	"mulian/internal/servertest"
)

// Server is one running server.
type Server = servertest.Server

// Log are the settings of a server whose log tells which rows change.
var Log = []string{"log-bin=log", "server-id=7", "binlog-format=ROW", "binlog-row-metadata=FULL", "binlog-row-image=NOBLOB"}

var (
	shared  = servertest.Once{Kind: "mariadb", Begin: func() (servertest.Machine, error) { return mariaserver.Start(mariaserver.Options{}) }}
	logging = servertest.Once{Kind: "mariadb", Begin: func() (servertest.Machine, error) {
		return mariaserver.Start(mariaserver.Options{Settings: Log})
	}}
)

// Shared is the process's server.
func Shared(t testing.TB) *Server { t.Helper(); return shared.Get(t) }

// Logging is a second server of the process, with Log.
func Logging(t testing.TB) *Server { t.Helper(); return logging.Get(t) }

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
	return servertest.Own(t, "mariadb", s, err)
}
