package evidence

import (
	"bytes"
	"context"
	"io"
	"math"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// UnknownClock is the source of a clock that nothing is known to discipline.
const UnknownClock = "unknown"

// Clock is what the machine says of its own clock.
type Clock struct {
	Source   string // "ntp chrony 203.107.6.88", "ntp systemd-timesyncd ...", "ntp kernel", UnknownClock
	OffsetMs int64  // this clock minus the source's; 0 if unknown
	ErrorMs  int64  // bound of the offset; 0 if unknown
}

// MeasureClock asks who disciplines the machine's clock, and how far it is off: chrony,
// systemd-timesyncd, else the kernel. It takes at most two seconds, and what does
// not answer, or says itself that it is not in step, is passed over.
func MeasureClock(ctx context.Context) Clock {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if text, ok := ask(ctx, "chronyc", "-n", "-c", "tracking"); ok {
		if c, ok := parseChrony(text); ok {
			return c
		}
	}
	if text, ok := ask(ctx, "timedatectl", "timesync-status"); ok {
		if c, ok := parseTimesync(text); ok {
			return c
		}
	}
	return kernelClock()
}

// ask runs a program of the machine and returns what it prints, up to maxState bytes.
func ask(ctx context.Context, name string, args ...string) (string, bool) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", false
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.WaitDelay = 100 * time.Millisecond
	out, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		return "", false
	}
	raw, _ := io.ReadAll(io.LimitReader(out, maxState))
	return string(bytes.TrimSpace(raw)), cmd.Wait() == nil
}

// parseChrony reads `chronyc -c tracking`: reference id, its address, stratum, time of
// the reference, system time, ..., root delay, root dispersion, interval, leap status.
//
// Its system time is what has to be added to this clock (reference.c of chrony,
// current_correction): positive when this clock is slow, where ours is positive when
// it is fast. The bound is that of RFC 5905: |offset| + root dispersion + delay/2.
func parseChrony(text string) (Clock, bool) {
	f := strings.Split(text, ",")
	if len(f) != 14 || f[13] != "Normal" || f[0] == "7F7F0101" || f[0] == "00000000" { // not in step, or its own clock
		return Clock{}, false
	}
	slow, err1 := strconv.ParseFloat(f[4], 64)
	delay, err2 := strconv.ParseFloat(f[10], 64)
	dispersion, err3 := strconv.ParseFloat(f[11], 64)
	bound := math.Abs(slow) + dispersion + delay/2
	if err1 != nil || err2 != nil || err3 != nil || !(bound >= 0 && bound < 1e6) {
		return Clock{}, false
	}
	return Clock{Source: sourceName("ntp chrony", f[1]), OffsetMs: int64(math.Round(-slow * 1000)), ErrorMs: atLeastOne(bound)}, true
}

// parseTimesync reads `timedatectl timesync-status`. Its offset is that of the last
// answer, what this clock was slow by (sd: "Offset" = server minus us).
func parseTimesync(text string) (Clock, bool) {
	values := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		if k, v, ok := strings.Cut(line, ": "); ok {
			values[strings.TrimSpace(k)] = strings.TrimSpace(v)
		}
	}
	slow, ok1 := span(values["Offset"])
	distance, ok2 := span(values["Root distance"])
	if !ok1 || !ok2 || values["Leap"] != "normal" || values["Packet count"] == "0" {
		return Clock{}, false
	}
	server, _, _ := strings.Cut(values["Server"], " ")
	return Clock{Source: sourceName("ntp systemd-timesyncd", server), OffsetMs: -slow.Milliseconds(), ErrorMs: atLeastOne((slow.Abs() + distance).Seconds())}, true
}

// span reads "+1.526ms", "20.4ms (max: 5s)", "1min 2.5s", the first part of it.
func span(text string) (time.Duration, bool) {
	text, _, _ = strings.Cut(text, " (")
	text = strings.ReplaceAll(strings.ReplaceAll(text, "min", "m"), " ", "")
	d, err := time.ParseDuration(text)
	return d, err == nil && text != ""
}

// atLeastOne is seconds in milliseconds, rounded up: 0 would say "not known".
func atLeastOne(seconds float64) int64 { return max(1, int64(math.Ceil(seconds*1000))) }

// sourceName names a daemon and the address of its source, within the ledger's bound.
func sourceName(daemon, address string) string {
	ok := address != "" && len(address) <= 64 && !strings.ContainsFunc(address, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(".:-%", r)
	})
	if !ok {
		return daemon
	}
	return daemon + " " + address
}
