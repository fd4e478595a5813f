// Package mariaserver runs a real, private MariaDB server in a temporary folder: for
// tests (package mariatest) and for measurements.
//
// It is no way to run a database that has to keep anything: the folder goes with the
// process that started it.
//
//	Start ──> mariadb-install-db ──> mariadbd ──> Create: a database per call ...
//	Close, or the end of the process, however it comes ──> watchdog kills the server and removes the folder
//
// Invariants:
//
//  1. No server outlives the process that started it, also when that is killed: a
//     watchdog shell holds the reading end of a pipe whose writing end only we hold.
//  2. No server, configuration file or data folder of the system is used or touched.
//  3. It listens on a unix socket in its folder and on a free loopback port.
package mariaserver

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
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

	driver "github.com/go-sql-driver/mysql"
)

// startTimeout bounds the making of the data folder and the first answer of the server;
// both together take 3 s on two busy cores.
const startTimeout = 90 * time.Second

// owner is the account that owns every database: all rights, no password.
const owner = "tester"

var databases atomic.Int64

// Options say how durable a server is and what it is set to.
type Options struct {
	Sync bool // false: faster, and a power cut would spoil it
	// Settings are name=value, as after mariadbd's --.
	Settings []string
}

// A Server is one running server.
type Server struct {
	dir     string
	runAs   *syscall.Credential // nil: ourselves
	port    int
	options Options
	life    *os.File // closing it ends the watchdog, and with it the server
	process *exec.Cmd
	ended   chan struct{} // closed when process has ended
}

// Start makes a data folder and runs a server on it. The error says what is missing
// where no server can be had: the programs, or somebody to run them as.
func Start(o Options) (*Server, error) {
	for _, name := range []string{"mariadb-install-db", "mariadbd"} {
		if _, err := program(name); err != nil {
			return nil, err
		}
	}
	s := &Server{options: o}
	var err error
	if s.runAs, err = unprivileged(); err != nil {
		return nil, err
	}
	// Not t.TempDir: that is gone with its test, and its path is often too long
	// for a unix socket (107 bytes).
	if s.dir, err = os.MkdirTemp("", "maria"); err != nil {
		return nil, err
	}
	if s.runAs != nil {
		if err := os.Chown(s.dir, int(s.runAs.Uid), int(s.runAs.Gid)); err != nil {
			return nil, err
		}
	}
	// Others on this machine reach the socket only through the loopback port's accounts.
	if err := os.Chmod(s.dir, 0o700); err != nil {
		return nil, err
	}
	// Before the first file is written: whatever ends us, the folder goes.
	if err := s.watch(); err != nil {
		os.RemoveAll(s.dir)
		return nil, err
	}
	if err := s.begin(); err != nil {
		s.life.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) begin() error {
	install := s.command("mariadb-install-db", "--no-defaults", "--datadir="+s.dir+"/data", "--auth-root-authentication-method=normal",
		"--skip-test-db", "--skip-name-resolve")
	if out, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb-install-db: %w: %s", err, bytes.TrimSpace(out))
	}
	var err error
	if s.port, err = freePort(); err != nil {
		return err
	}
	if err := s.run(); err != nil {
		return err
	}
	db, err := s.open("root", "mysql")
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for _, host := range []string{"localhost", "127.0.0.1"} {
		for _, sql := range []string{"CREATE USER '%s'@'%s'", "GRANT ALL ON *.* TO '%s'@'%s' WITH GRANT OPTION"} {
			if _, err := db.ExecContext(ctx, fmt.Sprintf(sql, owner, host)); err != nil {
				return fmt.Errorf("create the owner: %w", err)
			}
		}
	}
	return nil
}

// Create creates a fresh database and returns its URL, over the unix socket. name is a
// hint for people who look at it; it is made unique.
func (s *Server) Create(ctx context.Context, name string) (string, error) {
	made := fmt.Sprintf("%s_%d", strings.Map(plain, name), databases.Add(1))
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	db, err := s.open(owner, "mysql")
	if err != nil {
		return "", err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "CREATE DATABASE `"+made+"`"); err != nil {
		return "", fmt.Errorf("create database: %w", err)
	}
	return s.url(owner, made), nil
}

// open gives a pool of connections through the driver itself.
func (s *Server) open(account, name string) (*sql.DB, error) {
	c := driver.NewConfig()
	c.User, c.Net, c.Addr, c.DBName, c.Logger = account, "unix", s.Socket(), name, &driver.NopLogger{}
	connector, err := driver.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func (s *Server) url(account, name string) string {
	return "mysql://" + account + "@/" + name + "?socket=" + url.QueryEscape(s.Socket())
}

// Socket is the server's unix socket.
func (s *Server) Socket() string { return s.dir + "/sock" }

// Port is the loopback port.
func (s *Server) Port() int { return s.port }

// Folder is where all of the server lies; it is gone when the server has ended.
func (s *Server) Folder() string { return s.dir }

// PID is the server's process; 0 if it does not run.
func (s *Server) PID() int {
	select {
	case <-s.ended:
		return 0
	default:
		return s.process.Process.Pid
	}
}

// Kill ends the server as a power cut would, and waits until it is gone.
func (s *Server) Kill() error { return s.end(syscall.SIGKILL) }

// Stop ends the server in order.
func (s *Server) Stop() error { return s.end(syscall.SIGTERM) }

func (s *Server) end(signal syscall.Signal) error {
	if err := s.process.Process.Signal(signal); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(startTimeout):
		return errors.New("stop: the server goes on")
	}
}

// Start starts the server again after Kill or Stop, on the same port.
func (s *Server) Start() error { return s.run() }

// Close ends the watchdog, and with it the server and its folder, soon after.
func (s *Server) Close() error { return s.life.Close() }

// watch starts the watchdog: a shell in a process group of its own that waits for the
// end of our pipe, then kills the server whose pid its file holds, waits until it is gone
// and removes the folder.
func (s *Server) watch() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	dog := s.command("/bin/sh", "-c", `read _; p=$(cat "$0/pid" 2>/dev/null) && kill -9 "$p"
		while [ -n "$p" ] && kill -0 "$p" 2>/dev/null; do sleep 0.05; done; rm -rf "$0"`, s.dir)
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
	args := []string{
		"--no-defaults", "--datadir=" + s.dir + "/data", "--socket=" + s.Socket(), "--pid-file=" + s.dir + "/pid", "--log-error=" + s.dir + "/log",
		"--bind-address=127.0.0.1", "--port=" + strconv.Itoa(s.port), "--skip-name-resolve", "--max-connections=60", "--character-set-server=utf8mb4", "--max-allowed-packet=64M",
		"--innodb-buffer-pool-size=64M", "--innodb-log-file-size=64M", "--performance-schema=OFF", "--tmpdir=" + s.dir, "--plugin-maturity=unknown",
	}
	if !s.options.Sync {
		args = append(args, "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--innodb-flush-method=nosync", "--sync-binlog=0")
	}
	for _, set := range s.options.Settings {
		args = append(args, "--"+set)
	}
	os.Remove(s.dir + "/pid")
	cmd, ended := s.command("mariadbd", args...), make(chan struct{})
	cmd.SysProcAttr.Setpgid = true // an interrupt at the keyboard is for the tests, which then end it
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	go func() { cmd.Wait(); close(ended) }()
	s.process, s.ended = cmd, ended
	return s.answers()
}

// answers waits until the server does.
func (s *Server) answers() error {
	db, err := s.open("root", "mysql")
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		if err := db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-s.ended:
			log, _ := os.ReadFile(s.dir + "/log")
			return fmt.Errorf("start: the server ended: %s", bytes.TrimSpace(log[max(0, len(log)-2000):]))
		case <-ctx.Done():
			return errors.New("start: the server does not answer")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// command is a program of the server, run as its owner, with no variable that would
// turn it to another server.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	if path, err := program(name); err == nil {
		name = path
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "MYSQL") || strings.HasPrefix(v, "MARIADB") })
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.runAs}
	return cmd
}

// program finds one of the server's programs, also where root's PATH is not ours.
func program(name string) (string, error) {
	if filepath.IsAbs(name) {
		return name, nil
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/usr/local/bin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no %s in PATH or /usr/sbin", name)
}

// unprivileged finds whom to run as when we are root, which MariaDB refuses.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"mysql", "nobody"} {
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
	return nil, errors.New("we are root, and there is no user mysql or nobody to run the server as")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func plain(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
		return r
	}
	return '_'
}
