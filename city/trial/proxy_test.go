package trial

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

// proxied are lines that lead through this process: for each member and each other one a
// listener that carries what comes to the other. It works without any right. Cutting is
// silent: connections stay open and carry nothing, as over a dead line, and what was on
// the way comes when the line is healed, as TCP's retransmissions would. A new connection
// over a cut line ends at once.
type proxied struct {
	t      *testing.T
	own    []Place
	doors  map[[2]int]net.Listener
	mu     sync.Mutex
	cut    map[[2]int]chan struct{} // guarded by mu; closed when the line is healed
	delay  time.Duration            // guarded by mu
	jitter time.Duration            // guarded by mu
	chance *rand.Rand               // guarded by mu
	conns  map[net.Conn]bool        // guarded by mu; nil when closed
	all    sync.WaitGroup
}

// carried is how much of a line's traffic is on its way at most, in reads of 32 KiB.
const carried = 256

// newProxied gives every member an address of its own in 127/8: there no outgoing
// connection can take a member's port while it is down.
func newProxied(t *testing.T, members int, seed uint64) *proxied {
	l := &proxied{
		t: t, doors: map[[2]int]net.Listener{}, cut: map[[2]int]chan struct{}{}, conns: map[net.Conn]bool{},
		chance: rand.New(rand.NewPCG(seed, 3)),
	}
	net8 := fmt.Sprintf("127.%d.%d", 1+int(lineCount.Add(1)), os.Getpid()&255)
	for n := range members {
		l.own = append(l.own, Place{Server: fmt.Sprintf("%s.%d:8080", net8, n+1), Node: fmt.Sprintf("%s.%d:26656", net8, n+1)})
	}
	for from := 1; from <= members; from++ {
		for to := 1; to <= members; to++ {
			if from == to {
				continue
			}
			door, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			l.doors[[2]int{from, to}] = door
			l.all.Go(func() { l.accept(door, [2]int{from, to}) })
		}
	}
	t.Cleanup(l.close)
	return l
}

func (l *proxied) kind() string               { return "a fault proxy" }
func (l *proxied) places() []Place            { return l.own }
func (l *proxied) via(from, to int) string    { return l.doors[[2]int{from, to}].Addr().String() }
func (l *proxied) within(int) (argv []string) { return nil }

// dead is open while the line between the two is cut, nil when it is not.
func (l *proxied) dead(pair [2]int) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut[pair]
}

func (l *proxied) split(groups ...[]int) {
	l.heal()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, group := range groups {
		for j, other := range groups {
			for _, a := range group {
				for _, b := range other {
					if i != j {
						l.cut[[2]int{a, b}] = make(chan struct{})
					}
				}
			}
		}
	}
}

func (l *proxied) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, cut := range l.cut {
		close(cut)
	}
	clear(l.cut)
}

func (l *proxied) slow(delay, jitter time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay, l.jitter = delay, jitter
	return true
}

// later is when what is read now arrives.
func (l *proxied) later() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait := l.delay
	if l.jitter > 0 {
		wait += time.Duration(l.chance.Int64N(int64(2*l.jitter))) - l.jitter
	}
	return time.Now().Add(wait)
}

func (l *proxied) accept(door net.Listener, pair [2]int) {
	for {
		in, err := door.Accept()
		if err != nil {
			return
		}
		if l.dead(pair) != nil {
			in.Close()
			continue
		}
		out, err := net.DialTimeout("tcp", l.own[pair[1]-1].Node, time.Second)
		if err != nil {
			in.Close()
			continue
		}
		if !l.hold(in, out) {
			return
		}
		l.all.Go(func() { l.carry(in, out, pair) })
		l.all.Go(func() { l.carry(out, in, pair) })
	}
}

// hold remembers connections to close at the end.
func (l *proxied) hold(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		if l.conns == nil {
			c.Close()
			continue
		}
		l.conns[c] = true
	}
	return l.conns != nil
}

type parcel struct {
	bytes []byte
	due   time.Time
}

// carry brings what one side says to the other, in order, until either hangs up.
func (l *proxied) carry(from, to net.Conn, pair [2]int) {
	way := make(chan parcel, carried)
	l.all.Go(func() {
		defer to.Close()
		defer from.Close()
		for p := range way {
			time.Sleep(time.Until(p.due))
			if cut := l.dead(pair); cut != nil {
				<-cut
			}
			if _, err := to.Write(p.bytes); err != nil {
				for range way { // the reader ends with its connection
				}
				return
			}
		}
	})
	defer close(way)
	room := make([]byte, 32<<10)
	for {
		n, err := from.Read(room)
		if n > 0 {
			way <- parcel{append([]byte(nil), room[:n]...), l.later()}
		}
		if err != nil {
			return
		}
	}
}

func (l *proxied) close() {
	l.heal()
	for _, d := range l.doors {
		d.Close()
	}
	l.mu.Lock()
	for c := range l.conns {
		c.Close()
	}
	l.conns, l.delay, l.jitter = nil, 0, 0
	l.mu.Unlock()
	l.all.Wait()
}

// TestTheFaultProxyCutsAndDelays: a proxy that let everything through would make every
// test of faults pass.
func TestTheFaultProxyCutsAndDelays(t *testing.T) {
	l := newProxied(t, 2, 1)
	echo, err := net.Listen("tcp", l.own[1].Node)
	if err != nil && runtime.GOOS == "linux" {
		t.Fatal(err) // all of 127/8 is there
	} else if err != nil {
		t.Skip("SKIP this system has no address", l.own[1].Node)
	}
	defer echo.Close()
	go func() {
		for {
			c, err := echo.Accept()
			if err != nil {
				return
			}
			go io.Copy(c, c)
		}
	}()
	c, err := net.Dial("tcp", l.via(1, 2))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ask := func(within time.Duration) (time.Duration, error) {
		began := time.Now()
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(within))
		_, err := io.ReadFull(c, make([]byte, 1))
		return time.Since(began), err
	}
	if _, err := ask(time.Minute); err != nil {
		t.Fatal(err)
	}
	l.slow(50*time.Millisecond, 10*time.Millisecond)
	if took, err := ask(time.Minute); err != nil || took < 80*time.Millisecond {
		t.Errorf("there and back over a slow line in %s: %v", took, err)
	}
	l.slow(0, 0)
	l.split([]int{1}, []int{2})
	if _, err := ask(200 * time.Millisecond); err == nil {
		t.Error("an answer over a cut line")
	}
	if n, err := net.Dial("tcp", l.via(1, 2)); err == nil {
		n.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := n.Read(make([]byte, 1)); err == nil {
			t.Error("a new connection over a cut line carries")
		}
	}
	l.heal()
	c.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		t.Errorf("what was on the way when the line was cut: %v", err)
	}
}
