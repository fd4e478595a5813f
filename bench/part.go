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
	cfg  gateway.Config
	cmd  *exec.Cmd
	life io.Closer // closing it ends the process
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
	file := filepath.Join(w.dir, filepath.Base(cfg.Home)+".yaml")
	raw, err := yaml.Marshal(&cfg)
	if err == nil {
		err = os.WriteFile(file, raw, 0o600)
	}
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := append(append([]string(nil), PartCommand...), file)
	if profile != "" {
		args = append(args, "--profile", profile)
	}
	p := &part{cfg: cfg, cmd: exec.Command(self, args...)}
	if p.life, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a gateway: %w", err)
	}
	if err := w.reached(ctx, cfg); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// stop ends the process and waits for its end.
func (p *part) stop() error {
	p.life.Close()
	return p.cmd.Wait()
}

// cpu is the processor time of the process so far.
func (p *part) cpu() time.Duration { return processCPU(p.cmd.Process.Pid) }

// peak is the most memory that it has had, in MiB.
func (p *part) peak() float64 {
	kib, _, _ := strings.Cut(strings.TrimSpace(valueOf(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid), "VmHWM")), " ")
	n, _ := strconv.ParseFloat(kib, 64) // 0 where there is no such file
	return n / 1024
}

// fetch has the gateway take the entry into its own database.
func (p *part) fetch(ctx context.Context, agreement, entry, into string) (*gatewayv1.FetchResponse, error) {
	stream, err := gateway.Control(p.cfg.Home).Fetch(ctx, rpc.NewRequest(&gatewayv1.FetchRequest{Agreement: agreement, Entry: entry, Into: into}))
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	for stream.Receive() {
		if m := stream.Msg(); m.GetDone() {
			return m, nil
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
