package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Machine is what a figure depends on beside the program.
type Machine struct {
	CPU      string  `json:"cpu"`
	Cores    int     `json:"cores"`
	MemoryMB int64   `json:"memory_mb"`
	System   string  `json:"system"`
	Go       string  `json:"go"`
	FsyncMs  float64 `json:"fsync_ms"` // median of 50 appends of 4 KB, each with fsync
	Load     float64 `json:"load"`     // of the last minute when the run began: above 0.3 somebody else was at work
}

// String is one line for people.
func (m Machine) String() string {
	return fmt.Sprintf("%s, %d cores, %d MB, %s, %s, fsync %.2f ms, load %.1f", m.CPU, m.Cores, m.MemoryMB, m.System, m.Go, m.FsyncMs, m.Load)
}

// Facts looks at the machine, and at the disk that dir is on. What cannot be found
// out is left empty.
func Facts(dir string) Machine {
	m := Machine{Cores: runtime.GOMAXPROCS(0), System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(), FsyncMs: fsyncMs(dir)}
	m.CPU = strings.TrimSpace(valueOf("/proc/cpuinfo", "model name"))
	kib, _, _ := strings.Cut(strings.TrimSpace(valueOf("/proc/meminfo", "MemTotal")), " ")
	n, _ := strconv.ParseInt(kib, 10, 64) // 0 where there is no such file
	m.MemoryMB = n / 1024
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		one, _, _ := strings.Cut(string(load), " ")
		m.Load, _ = strconv.ParseFloat(one, 64)
	}
	return m
}

// valueOf returns what stands behind the colon of a name's first line.
func valueOf(file, name string) string {
	raw, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(raw)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return value
		}
	}
	return ""
}

// fsyncMs is 0 where the disk refuses.
func fsyncMs(dir string) float64 {
	f, err := os.CreateTemp(dir, "fsync-")
	if err != nil {
		return 0
	}
	defer os.Remove(f.Name())
	defer f.Close()
	var took Times
	page := make([]byte, 4<<10)
	for range 50 {
		begin := time.Now()
		if _, err := f.Write(page); err != nil {
			return 0
		}
		if err := f.Sync(); err != nil {
			return 0
		}
		took.Add(time.Since(begin))
	}
	return took.Ms(50)
}

// below returns a folder below dir, made.
func below(dir string, parts ...string) (string, error) {
	path := filepath.Join(append([]string{dir}, parts...)...)
	return path, os.MkdirAll(path, 0o700)
}
