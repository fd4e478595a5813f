package trial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"mulian/client"
	"mulian/client/keyring"
	identityv1 "mulian/gen/mulian/identity/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
)

const (
	// stopWait is how long a member may take to end before it is killed.
	stopWait = 30 * time.Second
	// lookEvery is how often a member that starts is asked.
	lookEvery = 20 * time.Millisecond
	// logTail is how much of a member's log an error shows.
	logTail = 2000
)

// Started is a member that runs.
type Started struct {
	Member
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how; read after done
}

// Command is how a member's process is started: the program and the arguments before
// "--home DIR".
func Command() ([]string, error) {
	self, err := exec.LookPath(os.Args[0]) // as it was called: a link may say which program it is to be
	if err != nil {
		self, err = os.Executable()
	}
	if err != nil {
		return nil, fmt.Errorf("trial: %w", err)
	}
	return []string{self, "node", "--quiet"}, nil
}

// Start starts the member's process; its log goes to node.log in its home. It does not
// wait until the member serves: see [Started.Ready].
func (m Member) Start(command []string) (*Started, error) {
	log, err := os.OpenFile(filepath.Join(m.Home, logFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("trial: log of member %d: %w", m.Number, err)
	}
	defer log.Close()
	p := &Started{Member: m, done: make(chan struct{})}
	p.cmd = exec.Command(command[0], append(append([]string(nil), command[1:]...), "--home", m.Home)...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = slices.DeleteFunc(os.Environ(), ofOneMember)
	p.cmd.SysProcAttr = attributes()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("trial: start member %d: %w", m.Number, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// ofOneMember tells whether a setting of the environment is of a single member's home or
// addresses: each member here has its own in its file.
func ofOneMember(setting string) bool {
	name, _, _ := strings.Cut(setting, "=")
	return slices.Contains([]string{"MULIAN_HOME", "MULIAN_SERVER", "MULIAN_AS", "MULIAN_LISTEN", "MULIAN_NODE_LISTEN", "MULIAN_NODE_EXTERNAL"}, name)
}

// PID is the process id.
func (p *Started) PID() int { return p.cmd.Process.Pid }

// Ended is closed when the process has ended.
func (p *Started) Ended() <-chan struct{} { return p.done }

// Kill ends the process as a power failure does.
func (p *Started) Kill() { p.cmd.Process.Kill(); <-p.done }

// Stop asks the process to end and waits; one that does not is killed.
func (p *Started) Stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("trial: stop member %d: %w", p.Number, err)
	}
	select {
	case <-p.done:
	case <-time.After(stopWait):
		p.Kill()
		return fault.Newf(fault.Timeout, "member %d did not end in %s and was killed", p.Number, stopWait)
	}
	return p.err
}

// Ready waits until the member answers, knows at least so many others and has the first
// block. If the process ends, the error has the end of its log.
func (p *Started) Ready(ctx context.Context, peers int) (*ledgerv1.GetStatusResponse, error) {
	c := client.New(p.URL)
	for {
		s, err := c.Status(ctx)
		if err == nil && s.GetHeight() > 0 && !s.GetCatchingUp() && int(s.GetPeers()) >= peers {
			return s, nil
		}
		select {
		case <-p.done:
			return nil, fault.Newf(fault.Unreachable, "member %d has ended (%v); its log %s ends with:\n%s", p.Number, p.err, filepath.Join(p.Home, logFile), p.tail())
		case <-ctx.Done():
			return nil, fault.Newf(fault.Timeout, "member %d at %s is not ready: %v; its log %s ends with:\n%s", p.Number, p.URL, err, filepath.Join(p.Home, logFile), p.tail())
		case <-time.After(lookEvery):
		}
	}
}

func (p *Started) tail() string {
	raw, err := os.ReadFile(filepath.Join(p.Home, logFile))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(raw[max(0, len(raw)-logTail):]))
}

// Running is a network whose members run.
type Running struct {
	*Network
	Started []*Started
}

// Start starts all members and waits until each is ready and knows the others. On an
// error those that had started are stopped.
func (w *Network) Start(ctx context.Context, command []string) (_ *Running, err error) {
	r := &Running{Network: w}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Stop())
		}
	}()
	for _, m := range w.Members {
		p, err := m.Start(command)
		if err != nil {
			return nil, err
		}
		r.Started = append(r.Started, p)
	}
	errs := make([]error, len(r.Started))
	var all sync.WaitGroup
	for i, p := range r.Started {
		all.Go(func() { _, errs[i] = p.Ready(ctx, len(w.Members)-1) })
	}
	all.Wait()
	return r, errors.Join(errs...)
}

// Stop stops all members.
func (r *Running) Stop() error {
	errs := make([]error, len(r.Started))
	var all sync.WaitGroup
	for i, p := range r.Started {
		all.Go(func() { errs[i] = p.Stop() })
	}
	all.Wait()
	return errors.Join(errs...)
}

// Signer is the member's key with a label of package keyring.
func (m Member) Signer(label string) (client.Signer, error) {
	return keyring.Ring{Dir: filepath.Join(m.Home, keysDir)}.Signer(m.Org, label)
}

// FirstUnit is the first transaction of a network: the first member registers the
// department that will look after the data. AlreadyExists if it has done so before.
func (w *Network) FirstUnit(ctx context.Context) (*client.Receipt, error) {
	m := w.Members[0]
	s, err := m.Signer(keyring.Root)
	if err != nil {
		return nil, err
	}
	return client.New(m.URL).Send(ctx, s, &identityv1.RegisterUnit{Kind: identityv1.AccountKind_ACCOUNT_KIND_DEPARTMENT, LocalId: "data", Name: "数据管理处"})
}
