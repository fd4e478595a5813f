package trial

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// spaces are lines between network namespaces: each member has a machine's network of its
// own, with one line to the test (its server) and one to the others (its node). The
// others' lines meet in a bridge; to split the network they are plugged into several. TCP,
// its buffers and its retransmissions are the kernel's.
//
// The addresses are those of RFC 2544, for measuring networks: nobody routes them.
type spaces struct {
	t       *testing.T
	tag     string
	members int
	bridges int
	net3    int
}

// lineCount tells the networks of one process apart.
var lineCount atomic.Int64

// newSpaces fails where this process may not make namespaces.
func newSpaces(t *testing.T, members int) (*spaces, error) {
	if os.Getuid() != 0 {
		return nil, errors.New("they need root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return nil, err
	}
	n := lineCount.Add(1)
	s := &spaces{t: t, tag: fmt.Sprintf("ml%x-%x", os.Getpid()&0xffff, n), members: members, bridges: members, net3: (os.Getpid()*7 + int(n)) & 255}
	// First, so that whatever is made is removed, too.
	t.Cleanup(s.remove)
	for b := range s.bridges {
		if err := s.ip("link add " + s.bridge(b) + " type bridge forward_delay 0"); err != nil {
			return nil, err
		}
		if err := s.ip("link set " + s.bridge(b) + " up"); err != nil {
			return nil, err
		}
	}
	for m := 1; m <= members; m++ {
		for _, line := range []string{
			"netns add " + s.space(m),
			"-n " + s.space(m) + " link set lo up",
			fmt.Sprintf("link add %s type veth peer name door netns %s", s.door(m), s.space(m)),
			fmt.Sprintf("addr add 198.18.%d.%d/30 dev %s", s.net3, 4*m+1, s.door(m)),
			"link set " + s.door(m) + " up",
			fmt.Sprintf("-n %s addr add 198.18.%d.%d/30 dev door", s.space(m), s.net3, 4*m+2),
			"-n " + s.space(m) + " link set door up",
			fmt.Sprintf("link add %s type veth peer name peers netns %s", s.plug(m), s.space(m)),
			fmt.Sprintf("link set %s master %s up", s.plug(m), s.bridge(0)),
			fmt.Sprintf("-n %s addr add 198.19.0.%d/24 dev peers", s.space(m), m),
			"-n " + s.space(m) + " link set peers up",
		} {
			if err := s.ip(line); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

func (s *spaces) space(m int) string  { return fmt.Sprintf("%s-%d", s.tag, m) }
func (s *spaces) bridge(b int) string { return fmt.Sprintf("%sb%d", s.tag, b) } // names have 15 bytes at most
func (s *spaces) door(m int) string   { return fmt.Sprintf("%sd%d", s.tag, m) }
func (s *spaces) plug(m int) string   { return fmt.Sprintf("%sp%d", s.tag, m) }

func (s *spaces) ip(line string) error { return s.run("ip", line) }

func (s *spaces) run(name, line string) error {
	if out, err := exec.Command(name, strings.Fields(line)...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, line, err, strings.TrimSpace(string(out)))
	}
	return nil
}

func (s *spaces) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *spaces) remove() {
	for m := 1; m <= s.members; m++ {
		_ = s.ip("netns del " + s.space(m)) // its end of each line goes with it, and so the other end
		_ = s.ip("link del " + s.door(m))
		_ = s.ip("link del " + s.plug(m))
	}
	for b := range s.bridges {
		_ = s.ip("link del " + s.bridge(b))
	}
}

func (s *spaces) kind() string { return "network namespaces" }

func (s *spaces) places() (out []Place) {
	for m := 1; m <= s.members; m++ {
		out = append(out, Place{Server: fmt.Sprintf("198.18.%d.%d:8080", s.net3, 4*m+2), Node: fmt.Sprintf("198.19.0.%d:26656", m)})
	}
	return out
}

func (s *spaces) via(_, to int) string { return fmt.Sprintf("198.19.0.%d:26656", to) }

func (s *spaces) within(m int) []string { return []string{"ip", "netns", "exec", s.space(m)} }

func (s *spaces) split(groups ...[]int) {
	for m := 1; m <= s.members; m++ {
		b := slices.IndexFunc(groups, func(g []int) bool { return slices.Contains(g, m) })
		s.must(s.ip(fmt.Sprintf("link set %s master %s", s.plug(m), s.bridge(max(b, 0)))))
	}
}

func (s *spaces) heal() { s.split() }

// slow asks netem, which not every kernel has. Each member's line is slowed on its way
// out, so both directions are.
func (s *spaces) slow(d, j time.Duration) bool {
	for m := 1; m <= s.members; m++ {
		err := s.run("ip", fmt.Sprintf("netns exec %s tc qdisc replace dev peers root netem delay %dms %dms", s.space(m), d.Milliseconds(), j.Milliseconds()))
		if err != nil {
			return false
		}
	}
	return true
}
