package bench

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mulian/internal/fault"
)

// Times collects how long single operations took. Many goroutines may add.
type Times struct {
	mu   sync.Mutex
	all  []time.Duration // guarded by mu
	done bool            // sorted; guarded by mu
}

// Add takes one time.
func (t *Times) Add(d time.Duration) {
	t.mu.Lock()
	t.all, t.done = append(t.all, d), false
	t.mu.Unlock()
}

// Len returns how many there are.
func (t *Times) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.all)
}

// Percentile returns the time that p of a hundred operations did not exceed, by
// nearest rank; 0 without any.
func (t *Times) Percentile(p float64) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.all) == 0 {
		return 0
	}
	if !t.done {
		slices.Sort(t.all)
		t.done = true
	}
	rank := int(p/100*float64(len(t.all))+0.999999) - 1
	return t.all[min(max(rank, 0), len(t.all)-1)]
}

// Ms returns a percentile in milliseconds.
func (t *Times) Ms(p float64) float64 { return float64(t.Percentile(p).Microseconds()) / 1000 }

// Meter is started before and stopped after a measured phase.
type Meter struct {
	begin time.Time
	cpu   time.Duration

	Wall time.Duration // of the phase; set by Stop
	CPU  time.Duration // user and system, of the whole process; set by Stop
}

// Start begins a phase, with what earlier ones left behind collected.
func Start() *Meter {
	runtime.GC()
	return &Meter{begin: time.Now(), cpu: ProcessCPU()}
}

// Stop ends the phase.
func (m *Meter) Stop() {
	m.Wall, m.CPU = time.Since(m.begin), ProcessCPU()-m.cpu
}

// PerSecond returns n operations in operations a second.
func (m *Meter) PerSecond(n int) float64 { return float64(n) / max(m.Wall.Seconds(), 1e-9) }

// MicrosecondsEach returns the processor time of each of n operations.
func (m *Meter) MicrosecondsEach(n int) float64 {
	return float64(m.CPU.Nanoseconds()) / 1000 / float64(max(n, 1))
}

// ResetPeak makes [PeakMiB] begin anew, where the system can do that (Linux).
func ResetPeak() {
	// Without the right, or elsewhere, the peak is that of the whole process.
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

// PeakMiB returns the most memory that the process has had since [ResetPeak]: VmHWM
// on Linux, elsewhere what Go has taken from the system.
func PeakMiB() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err == nil {
		for line := range strings.Lines(string(status)) {
			if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				kib, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
				if err == nil {
					return kib / 1024
				}
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.Sys) / (1 << 20)
}

// DiskBytes returns the length of all files below dir. Files that vanish meanwhile
// do not count.
func DiskBytes(dir string) int64 {
	var n int64
	// A folder that cannot be read counts as empty: it is one that was removed.
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if st, err := d.Info(); err == nil {
			n += st.Size()
		}
		return nil
	})
	return n
}

// profile starts a CPU profile if one was asked for; stop ends it.
func (o Options) profile() (stop func(), err error) {
	if o.Profile == "" {
		return func() {}, nil
	}
	f, err := os.Create(o.Profile)
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "write the profile")
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		if err := f.Close(); err != nil {
			o.Say("the profile is not whole: %v", err)
		}
	}, nil
}
