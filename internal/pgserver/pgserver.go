// Package pgserver runs a real, private PostgreSQL server in a temporary folder: for
// tests (package pgtest) and for measurements (package bench).
//
// It is no way to run a database that has to keep anything: the folder goes with the
// process that started it.
//
//	Start ──> initdb ──> postgres ──> Create: a database per call ...
//	Close, or the end of the process, however it comes ──> watchdog stops the server and removes the folder
//
// Invariants:
//
//  1. No server outlives the process that started it, also when that is killed: a
//     watchdog shell holds the reading end of a pipe whose writing end only we hold.
//  2. No cluster of the system is used or touched.
//  3. It listens on a unix socket in its folder and on a free loopback port.
package pgserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"mulian/internal/dbserver"
)

// startTimeout bounds initdb and the first answer of the server; both together
// take 2 s on two busy cores.
const startTimeout = 90 * time.Second

// Options say how durable a server is and what it is set to.
type Options struct {
	Fsync bool // false: faster, and a power cut would spoil it
	// Settings are name=value, as after postgres -c.
	Settings []string
}

// A Server is one running cluster.
type Server struct {
	folder    *dbserver.Folder
	bin, user string
	port      int
	options   Options
}

// Create creates a fresh database and returns its URL. name is a hint for people who
// look at it; it is made unique.
func (s *Server) Create(ctx context.Context, name string) (string, error) {
	db := dbserver.Unique(name)
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	conn, err := pgconn.Connect(ctx, s.url("postgres"))
	if err != nil {
		return "", fmt.Errorf("create database: %w", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, `CREATE DATABASE "`+db+`"`).ReadAll(); err != nil {
		return "", fmt.Errorf("create database: %w", err)
	}
	return s.url(db), nil
}

// Socket is the folder of the server's unix socket; its port is Port.
func (s *Server) Socket() string { return s.folder.Dir }

// Port is the loopback port.
func (s *Server) Port() int { return s.port }

// Folder is where all of the server lies; it is gone when the server has ended.
func (s *Server) Folder() string { return s.folder.Dir }

// Kill ends the server as a power cut would (SIGQUIT: no checkpoint, no goodbye), and
// waits until it is gone.
func (s *Server) Kill() error { return s.stop("immediate") }

// Stop ends the server in order.
func (s *Server) Stop() error { return s.stop("fast") }

func (s *Server) stop(mode string) error {
	out, err := s.command("pg_ctl", "-D", s.folder.Dir+"/cluster", "-m", mode, "-w", "stop").CombinedOutput()
	if err != nil {
		return fmt.Errorf("stop: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// Start starts the server again after Kill or Stop, on the same port.
func (s *Server) Start() error { return s.run() }

// Close ends the watchdog, and with it the server and its folder, soon after.
func (s *Server) Close() error { return s.folder.Close() }

// PID is the server's main process; 0 if it does not run. Its children serve the
// connections.
func (s *Server) PID() int {
	raw, err := os.ReadFile(s.folder.Dir + "/cluster/postmaster.pid")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		return 0
	}
	return pid
}

func (s *Server) url(db string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", s.user, s.port, db)
}

// Start makes a cluster and runs it. The error says what is missing where no server
// can be had: the programs, or somebody to run them as.
func Start(o Options) (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, options: o, user: "tester"}
	s.folder, err = dbserver.New(dbserver.Plan{
		Name: "pg", Users: []string{"postgres", "nobody"}, Hides: []string{"PG"},
		Dog: filepath.Join(bin, "pg_ctl") + ` -D "$0/cluster" -m immediate -w stop; rm -rf "$0"`,
	})
	if err != nil {
		return nil, err
	}
	initdb := s.command("initdb", "-D", s.folder.Dir+"/cluster", "-U", s.user, "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
	if out, err := initdb.CombinedOutput(); err != nil {
		s.folder.Close()
		return nil, fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	if s.port, err = dbserver.FreePort(); err == nil {
		err = s.run()
	}
	if err != nil {
		s.folder.Close()
		return nil, err
	}
	return s, nil
}

// run starts the server and waits until it answers.
func (s *Server) run() error {
	onOff := map[bool]string{true: "on", false: "off"}[s.options.Fsync]
	options := fmt.Sprintf("-p %d -k %s -c listen_addresses=127.0.0.1 -c fsync=%s -c full_page_writes=%s -c synchronous_commit=%s -c max_connections=60 -c shared_buffers=32MB -c jit=off",
		s.port, s.folder.Dir, onOff, onOff, onOff)
	for _, set := range s.options.Settings {
		options += " -c " + set
	}
	cmd := s.command("pg_ctl", "-D", s.folder.Dir+"/cluster", "-l", s.folder.Dir+"/log", "-t", strconv.Itoa(int(startTimeout.Seconds())), "-w", "-o", options, "start")
	if err := cmd.Run(); err != nil { // not CombinedOutput: the server would keep the pipe open
		log, _ := os.ReadFile(s.folder.Dir + "/log")
		return fmt.Errorf("start: %w: %s", err, bytes.TrimSpace(log))
	}
	return nil
}

// command is a program of the server.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	if !filepath.IsAbs(name) {
		name = filepath.Join(s.bin, name)
	}
	return s.folder.Command(name, args...)
}

// binaries finds the folder that holds initdb, pg_ctl and postgres: the newest of
// Debian's folders, else the one in PATH.
func binaries() (string, error) {
	folders, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(folders, func(a, b string) int { return version(b) - version(a) })
	if path, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			folders = append(folders, filepath.Dir(real))
		}
	}
	for _, dir := range folders {
		whole := true
		for _, name := range []string{"initdb", "pg_ctl", "postgres"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				whole = false
			}
		}
		if whole {
			return dir, nil
		}
	}
	return "", errors.New("no initdb, pg_ctl and postgres in PATH or /usr/lib/postgresql/*/bin")
}

func version(dir string) int {
	v, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	return v
}
