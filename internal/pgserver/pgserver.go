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
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// startTimeout bounds initdb and the first answer of the server; both together
// take 2 s on two busy cores.
const startTimeout = 90 * time.Second

var databases atomic.Int64

// Options say how durable a server is and what it is set to.
type Options struct {
	Fsync bool // false: faster, and a power cut would spoil it
	// Settings are name=value, as after postgres -c.
	Settings []string
}

// A Server is one running cluster.
type Server struct {
	bin, dir string
	owner    *syscall.Credential // nil: ourselves
	user     string
	port     int
	options  Options
	life     *os.File // closing it ends the watchdog, and with it the server
}

// Create creates a fresh database and returns its URL. name is a hint for people who
// look at it; it is made unique.
func (s *Server) Create(ctx context.Context, name string) (string, error) {
	db := fmt.Sprintf("%s_%d", strings.Map(plain, name), databases.Add(1))
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
func (s *Server) Socket() string { return s.dir }

// Port is the loopback port.
func (s *Server) Port() int { return s.port }

// Folder is where all of the server lies; it is gone when the server has ended.
func (s *Server) Folder() string { return s.dir }

// Kill ends the server as a power cut would (SIGQUIT: no checkpoint, no goodbye), and
// waits until it is gone.
func (s *Server) Kill() error { return s.stop("immediate") }

// Stop ends the server in order.
func (s *Server) Stop() error { return s.stop("fast") }

func (s *Server) stop(mode string) error {
	out, err := s.command("pg_ctl", "-D", s.dir+"/cluster", "-m", mode, "-w", "stop").CombinedOutput()
	if err != nil {
		return fmt.Errorf("stop: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// Start starts the server again after Kill or Stop, on the same port.
func (s *Server) Start() error { return s.run() }

// Close ends the watchdog, and with it the server and its folder, soon after.
func (s *Server) Close() error { return s.life.Close() }

// PID is the server's main process; 0 if it does not run. Its children serve the
// connections.
func (s *Server) PID() int {
	raw, err := os.ReadFile(s.dir + "/cluster/postmaster.pid")
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

func plain(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
		return r
	}
	return '_'
}

// Start makes a cluster and runs it. The error says what is missing where no server
// can be had: the programs, or somebody to run them as.
func Start(o Options) (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, options: o, user: "tester"}
	if s.owner, err = unprivileged(); err != nil {
		return nil, err
	}
	// Not t.TempDir: that is gone with its test, and its path is often too long
	// for a unix socket (107 bytes).
	if s.dir, err = os.MkdirTemp("", "pg"); err != nil {
		return nil, err
	}
	if s.owner != nil {
		if err := os.Chown(s.dir, int(s.owner.Uid), int(s.owner.Gid)); err != nil {
			return nil, err
		}
	}
	// Before the first file is written: whatever ends us, the folder goes.
	if err := s.watch(); err != nil {
		os.RemoveAll(s.dir)
		return nil, err
	}
	initdb := s.command("initdb", "-D", s.dir+"/cluster", "-U", s.user, "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
	if out, err := initdb.CombinedOutput(); err != nil {
		s.life.Close()
		return nil, fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	if s.port, err = freePort(); err == nil {
		err = s.run()
	}
	if err != nil {
		s.life.Close()
		return nil, err
	}
	return s, nil
}

// watch starts the watchdog: a shell in a process group of its own that waits
// for the end of our pipe, then stops whatever runs in the folder and removes it.
func (s *Server) watch() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	dog := s.command("/bin/sh", "-c", `read _; "$0" -D "$1/cluster" -m immediate -w stop; rm -rf "$1"`, filepath.Join(s.bin, "pg_ctl"), s.dir)
	dog.Stdin = r
	dog.SysProcAttr.Setpgid = true
	if err := dog.Start(); err != nil {
		w.Close()
		return err
	}
	s.life = w
	go dog.Wait() // ends with the watchdog; reaps it
	return nil
}

// run starts the server and waits until it answers.
func (s *Server) run() error {
	onOff := map[bool]string{true: "on", false: "off"}[s.options.Fsync]
	options := fmt.Sprintf("-p %d -k %s -c listen_addresses=127.0.0.1 -c fsync=%s -c full_page_writes=%s -c synchronous_commit=%s -c max_connections=60 -c shared_buffers=32MB -c jit=off",
		s.port, s.dir, onOff, onOff, onOff)
	for _, set := range s.options.Settings {
		options += " -c " + set
	}
	cmd := s.command("pg_ctl", "-D", s.dir+"/cluster", "-l", s.dir+"/log", "-t", strconv.Itoa(int(startTimeout.Seconds())), "-w", "-o", options, "start")
	if err := cmd.Run(); err != nil { // not CombinedOutput: the server would keep the pipe open
		log, _ := os.ReadFile(s.dir + "/log")
		return fmt.Errorf("start: %w: %s", err, bytes.TrimSpace(log))
	}
	return nil
}

// command is a program of the server, run as its owner, with no variable that would
// turn it to another server.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	if !filepath.IsAbs(name) {
		name = filepath.Join(s.bin, name)
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "PG") })
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner}
	return cmd
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

// unprivileged finds whom to run as when we are root, which PostgreSQL refuses.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("we are root, and there is no user postgres or nobody to run the server as")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
