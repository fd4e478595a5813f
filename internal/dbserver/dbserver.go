// Package dbserver is what the private servers of pgserver and mariaserver have in common:
// the folder that goes with the process, whom to run as, and a free port.
//
// It knows no database, and is no way to run one that has to keep anything.
//
//	New ──> folder, watchdog ──> Command ...
//	Close, or the end of the process, however it comes ──> the watchdog runs its script: it stops the server and removes the folder
//
// Invariant: the watchdog runs before the first file is in the folder; it is a shell in a process
// group of its own that holds the reading end of a pipe whose writing end only we hold.
package dbserver

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// A Folder is where all of a server lies; it is gone when the server has ended.
type Folder struct {
	Dir   string
	owner *syscall.Credential // nil: ourselves
	hides []string
	life  *os.File // closing it ends the watchdog
}

// Plan says what kind of folder it is.
type Plan struct {
	Name string // begins the folder's name
	// Users are whom to run as, the first that is there, if we are root, which servers refuse.
	Users []string
	// Hides are the beginnings of environment variables that would turn a program to another server.
	Hides []string
	// Dog is the shell's script of the watchdog, after our end: $0 is the folder.
	Dog string
}

// New makes a folder for one server, readable by nobody else.
func New(p Plan) (*Folder, error) {
	f := &Folder{hides: p.Hides}
	var err error
	if f.owner, err = unprivileged(p.Users); err != nil {
		return nil, err
	}
	// Not t.TempDir: that is gone with its test, and its path is often too long
	// for a unix socket (107 bytes).
	if f.Dir, err = os.MkdirTemp("", p.Name); err != nil {
		return nil, err
	}
	if f.owner != nil {
		err = os.Chown(f.Dir, int(f.owner.Uid), int(f.owner.Gid))
	}
	// Before the first file is written: whatever ends us, the folder goes.
	if err == nil {
		err = f.watch(p.Dog)
	}
	if err != nil {
		os.RemoveAll(f.Dir)
		return nil, err
	}
	return f, nil
}

// Close ends the watchdog, and with it the server and its folder, soon after.
func (f *Folder) Close() error { return f.life.Close() }

func (f *Folder) watch(script string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	dog := f.Command("/bin/sh", "-c", "read _; "+script, f.Dir)
	dog.Stdin = r
	dog.SysProcAttr.Setpgid = true
	if err := dog.Start(); err != nil {
		w.Close()
		return err
	}
	f.life = w
	go dog.Wait() // ends with the watchdog; reaps it
	return nil
}

// Command is a program of the server, run as its owner in its folder.
func (f *Folder) Command(path string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Dir = f.Dir
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return slices.ContainsFunc(f.hides, func(begin string) bool { return strings.HasPrefix(v, begin) })
	})
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: f.owner}
	return cmd
}

// unprivileged finds whom to run as when we are root.
func unprivileged(users []string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range users {
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
	return nil, errors.New("we are root, and there is no user " + strings.Join(users, " or ") + " to run the server as")
}

// FreePort is a loopback port that nobody listens on.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

var databases atomic.Int64

// Unique makes a hint for people the name of a database that no other has in this process.
func Unique(hint string) string {
	return fmt.Sprintf("%s_%d", strings.Map(plain, hint), databases.Add(1))
}

func plain(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
		return r
	}
	return '_'
}
