package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	rpc "connectrpc.com/connect"
	"github.com/goccy/go-yaml"

	"mulian/gateway"
	_ "mulian/gateway/connect/all" // the databases that a gateway can open
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/fault"
)

// PartCommand is how a bench starts a part of itself in another process: the same
// program with these arguments and a configuration. [RunGateway] is what it does then.
var PartCommand = []string{"bench", "gateway"}

// part is a gateway in a process of its own: so its memory and its processor time are
// its own too.
type part struct {
	cfg     gateway.Config
	profile string // file
	cmd     *exec.Cmd
	life    io.Closer // closing it ends the process
	before  float64   // peak of an earlier process that was killed, MiB
}

// freeAddr finds a port that nobody listens on.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// startGateway runs a gateway in another process and waits until the ledger has its
// address. profile, if set, is the file for its CPU profile.
func (w *town) startGateway(ctx context.Context, cfg gateway.Config, profile string) (*part, error) {
	p := &part{cfg: cfg, profile: profile}
	raw, err := yaml.Marshal(&cfg)
	if err == nil {
		err = os.WriteFile(w.configFile(cfg), raw, 0o600)
	}
	if err != nil {
		return nil, err
	}
	if err := w.start(p); err != nil {
		return nil, err
	}
	if err := w.reached(ctx, cfg); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

func (w *town) configFile(cfg gateway.Config) string {
	return filepath.Join(w.dir, filepath.Base(cfg.Home)+".yaml")
}

// start begins the process.
func (w *town) start(p *part) (err error) {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := append(append([]string(nil), PartCommand...), w.configFile(p.cfg))
	if p.profile != "" {
		args = append(args, "--profile", p.profile)
	}
	p.cmd = exec.Command(self, args...)
	if p.life, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start a gateway: %w", err)
	}
	return nil
}

// restart begins a killed process again and waits until it answers.
func (w *town) restart(ctx context.Context, p *part) error {
	if err := w.start(p); err != nil {
		return err
	}
	return until(ctx, p.cfg.Account+" answers again", func() (bool, error) {
		_, err := gateway.Control(p.cfg.Home).State(ctx, rpc.NewRequest(&gatewayv1.StateRequest{}))
		return err == nil, err
	})
}

// kill ends the process as a power failure would, and waits for its end.
func (p *part) kill() error {
	p.before = p.peak()
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	_ = p.cmd.Wait() // it was killed: that is what it says
	return p.life.Close()
}

// stop ends the process and waits for its end.
func (p *part) stop() error {
	p.life.Close()
	if p.cmd.ProcessState != nil {
		return nil // it was killed, and nobody started it again
	}
	return p.cmd.Wait()
}

// cpu is the processor time of the process so far.
func (p *part) cpu() time.Duration { return processCPU(p.cmd.Process.Pid) }

// peak is the most memory that it has had, in MiB.
func (p *part) peak() float64 {
	kib, _, _ := strings.Cut(strings.TrimSpace(valueOf(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid), "VmHWM")), " ")
	n, _ := strconv.ParseFloat(kib, 64) // 0 where there is no such file
	return max(n/1024, p.before)
}

// fetch has the gateway take the entry into its own database. going, if there is one, is
// called with what is loaded and what is expected.
func (p *part) fetch(ctx context.Context, agreement, entry, into string, going func(rows, expected int64) error) (*gatewayv1.FetchResponse, error) {
	stream, err := gateway.Control(p.cfg.Home).Fetch(ctx, rpc.NewRequest(&gatewayv1.FetchRequest{Agreement: agreement, Entry: entry, Into: into}))
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	for stream.Receive() {
		m := stream.Msg()
		if m.GetDone() {
			return m, nil
		}
		if going != nil {
			if err := going(m.GetRows(), m.GetExpected()); err != nil {
				return nil, err
			}
		}
	}
	return nil, errors.Join(stream.Err(), fault.Newf(fault.Unreachable, "the gateway ended before the delivery did"))
}

// RunGateway is a bench's other process: it runs the gateway of a configuration until
// its standard input ends, and writes a CPU profile if one is asked for.
func RunGateway(ctx context.Context, config, profile string) error {
	raw, err := os.ReadFile(config)
	if err != nil {
		return fault.Wrap(fault.NotFound, err, "the configuration of a bench's gateway")
	}
	var cfg gateway.Config
	if err := yaml.UnmarshalWithOptions(raw, &cfg, yaml.Strict()); err != nil {
		return fault.Wrap(fault.Malformed, err, "%s", config)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, bufio.NewReader(os.Stdin)) // until the bench has ended, however it did
		cancel()
	}()
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	gateway.TuneMemory()
	g, err := gateway.Open(ctx, cfg, gateway.Options{Version: "bench", Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		return err
	}
	return errors.Join(g.Run(ctx), g.Close())
}

// clockTick is the unit of the times in /proc: USER_HZ, 100 on every Linux.
const clockTick = 10 * time.Millisecond

// stat reads the parent and the times of a process: its own, and those of its children
// that have ended. Zeros if there is none, or no Linux.
func stat(pid int) (parent int, own, children time.Duration) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, 0
	}
	// The name, in parentheses, may hold anything; behind it 50 numbers.
	f := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	if len(f) < 15 {
		return 0, 0, 0
	}
	n := func(i int) time.Duration {
		ticks, _ := strconv.ParseInt(f[i], 10, 64)
		return time.Duration(ticks) * clockTick
	}
	parent, _ = strconv.Atoi(f[1])
	return parent, n(11) + n(12), n(13) + n(14)
}

// processCPU is the processor time of one process.
func processCPU(pid int) time.Duration {
	_, own, _ := stat(pid)
	return own
}

// treeCPU is that of a process and its children, living and ended.
func treeCPU(pid int) time.Duration {
	_, own, ended := stat(pid)
	sum := own + ended
	dirs, err := os.ReadDir("/proc")
	if err != nil || pid == 0 {
		return 0
	}
	for _, d := range dirs {
		child, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		if parent, own, ended := stat(child); parent == pid {
			sum += own + ended
		}
	}
	return sum
}

// setURL puts what a pair says into a configuration: a URL, or a file that holds one.
func setURL(url, file *string, text string) {
	if strings.HasPrefix(text, "sqlite:") {
		*url = text
		return
	}
	*file = text
}

// profileOf is the profile's file of a part, beside that of the whole.
func profileOf(o Options, part string) string {
	if o.Profile == "" {
		return ""
	}
	ext := filepath.Ext(o.Profile)
	return strings.TrimSuffix(o.Profile, ext) + "-" + part + ext
}

// joined is the first error, with those of the end behind it.
func joined(errs ...error) error { return errors.Join(errs...) }
