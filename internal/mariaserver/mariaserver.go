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
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	driver "github.com/go-sql-driver/mysql"

	"mulian/internal/dbserver"
)

// startTimeout bounds the making of the data folder and the first answer of the server;
// both together take 3 s on two busy cores.
const startTimeout = 90 * time.Second

// owner is the account that owns every database: all rights, no password.
const owner = "tester"

// Options say how durable a server is and what it is set to.
type Options struct {
	Sync bool // false: faster, and a power cut would spoil it
	// Settings are name=value, as after mariadbd's --.
	Settings []string
}

// A Server is one running server.
type Server struct {
	folder  *dbserver.Folder
	port    int
	options Options
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
	s.folder, err = dbserver.New(dbserver.Plan{
		Name: "maria", Users: []string{"mysql", "nobody"}, Hides: []string{"MYSQL", "MARIADB"},
		Dog: `p=$(cat "$0/pid" 2>/dev/null) && kill -9 "$p"
			while [ -n "$p" ] && kill -0 "$p" 2>/dev/null; do sleep 0.05; done; rm -rf "$0"`,
	})
	if err != nil {
		return nil, err
	}
	if err := s.begin(); err != nil {
		s.folder.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) begin() error {
	install := s.command("mariadb-install-db", "--no-defaults", "--datadir="+s.folder.Dir+"/data", "--auth-root-authentication-method=normal",
		"--skip-test-db", "--skip-name-resolve")
	if out, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb-install-db: %w: %s", err, bytes.TrimSpace(out))
	}
	var err error
	if s.port, err = dbserver.FreePort(); err != nil {
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
	made := dbserver.Unique(name)
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
func (s *Server) Socket() string { return s.folder.Dir + "/sock" }

// Port is the loopback port.
func (s *Server) Port() int { return s.port }

// Folder is where all of the server lies; it is gone when the server has ended.
func (s *Server) Folder() string { return s.folder.Dir }

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
func (s *Server) Close() error { return s.folder.Close() }

// run starts the server and waits until it answers.
func (s *Server) run() error {
	args := []string{
		"--no-defaults", "--datadir=" + s.folder.Dir + "/data", "--socket=" + s.Socket(), "--pid-file=" + s.folder.Dir + "/pid", "--log-error=" + s.folder.Dir + "/log",
		"--bind-address=127.0.0.1", "--port=" + strconv.Itoa(s.port), "--skip-name-resolve", "--max-connections=60", "--character-set-server=utf8mb4", "--max-allowed-packet=64M",
		"--innodb-buffer-pool-size=64M", "--innodb-log-file-size=64M", "--performance-schema=OFF", "--tmpdir=" + s.folder.Dir, "--plugin-maturity=unknown",
	}
	if !s.options.Sync {
		args = append(args, "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--innodb-flush-method=nosync", "--sync-binlog=0")
	}
	for _, set := range s.options.Settings {
		args = append(args, "--"+set)
	}
	os.Remove(s.folder.Dir + "/pid")
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
			log, _ := os.ReadFile(s.folder.Dir + "/log")
			return fmt.Errorf("start: the server ended: %s", bytes.TrimSpace(log[max(0, len(log)-2000):]))
		case <-ctx.Done():
			return errors.New("start: the server does not answer")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// command is a program of the server.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	if path, err := program(name); err == nil {
		name = path
	}
	return s.folder.Command(name, args...)
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
