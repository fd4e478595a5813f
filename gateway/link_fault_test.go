package gateway_test

import (
	"io"
	"maps"
	"net"
	"sync"
	"testing"
	"time"

	"mulian/gateway"
)

// link is the way between two parts: a TCP connection that fails in each way in which a
// network does.
type link struct {
	t    testing.TB
	door net.Listener
	to   string

	mu      sync.Mutex // guards the fields below
	bad     bad
	changed chan struct{} // closed and replaced when bad changes
	conns   map[net.Conn]struct{}
	hushed  map[net.Conn]struct{}
	count   int   // connections so far
	passed  int64 // bytes of answers so far
}

// bad is what is wrong with a link; the zero value is nothing.
type bad struct {
	refuse bool // who connects is sent away
	silent bool // who connects is let in, and nothing goes through
	rate   int  // bytes a second towards the asker; 0: no bound
	// after so many bytes of answers the connection that brings them breaks, or with mute
	// falls silent for good; once. 0: never.
	after int64
	mute  bool
	times int // how often that happens; 0: once
}

// newLink listens, and leads to an address.
func newLink(t testing.TB, to string) *link {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &link{t: t, door: l, to: to, changed: make(chan struct{}), conns: map[net.Conn]struct{}{}, hushed: map[net.Conn]struct{}{}}
	t.Cleanup(func() {
		l.Close()
		k.cut()
	})
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go k.connect(in)
		}
	}()
	return k
}

func (k *link) addr() string { return k.door.Addr().String() }

func (k *link) url() string { return "http://" + k.addr() }

// be makes it so from now on, also for connections that are there.
func (k *link) be(b bad) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.bad = b
	k.passed = 0
	close(k.changed)
	k.changed = make(chan struct{})
}

// cut breaks all connections.
func (k *link) cut() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for c := range k.conns {
		c.Close()
	}
	clear(k.conns)
}

// hush makes the connections that are there fall silent; new ones are as they should be.
func (k *link) hush() {
	k.mu.Lock()
	defer k.mu.Unlock()
	maps.Copy(k.hushed, k.conns)
}

// connections is how many there were since the start, broken is whether what be wished
// for has happened.
func (k *link) connections() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.count
}

func (k *link) broken() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.bad.after == 0
}

func (k *link) connect(in net.Conn) {
	k.mu.Lock()
	k.count++
	refuse := k.bad.refuse
	k.mu.Unlock()
	if refuse {
		in.Close()
		return
	}
	out, err := net.Dial("tcp", k.to)
	if err != nil {
		in.Close()
		return
	}
	k.mu.Lock()
	k.conns[in], k.conns[out] = struct{}{}, struct{}{}
	k.mu.Unlock()
	var mute sync.Once
	muted := make(chan struct{})
	go func() {
		k.carry(in, out, nil, nil)
		k.forget(in, out)
	}()
	k.carry(out, in, func() { mute.Do(func() { close(muted) }) }, muted)
	k.forget(in, out)
}

func (k *link) forget(ends ...net.Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range ends {
		delete(k.conns, c)
	}
}

// carry brings what one end says to the other. mute is nil on the way of the requests.
func (k *link) carry(from, to net.Conn, mute func(), muted chan struct{}) {
	defer from.Close()
	defer to.Close()
	piece := make([]byte, 16<<10)
	for {
		n, err := from.Read(piece)
		k.mu.Lock()
		_, hushed := k.hushed[from]
		k.mu.Unlock()
		if hushed {
			io.Copy(io.Discard, from) // until its owner gives it up
			return
		}
		for sent := 0; sent < n; {
			now, cut := k.room(n-sent, mute)
			if cut {
				to.Write(piece[sent : sent+now])
				return
			}
			if now == 0 {
				if muted != nil {
					select {
					case <-muted: // until somebody breaks the connection
						k.drain(to)
						return
					default:
					}
				}
				if !k.rest(to) {
					return
				}
				continue
			}
			if _, err := to.Write(piece[sent : sent+now]); err != nil {
				return
			}
			sent += now
		}
		if err != nil {
			return
		}
	}
}

// room is how much may go now; cut says that the connection breaks behind it.
func (k *link) room(want int, mute func()) (now int, cut bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.bad.silent:
		return 0, false
	case mute == nil:
		return want, false
	}
	if k.bad.rate > 0 {
		want = min(want, max(k.bad.rate/20, 1))
		k.mu.Unlock()
		time.Sleep(time.Second / 20) // this is the speed of the line
		k.mu.Lock()
	}
	if k.bad.after > 0 && k.passed+int64(want) >= k.bad.after {
		want, k.passed = int(k.bad.after-k.passed), 0
		if k.bad.times--; k.bad.times <= 0 {
			k.bad.after = 0
		}
		if !k.bad.mute {
			return want, true
		}
		mute()
		return 0, false
	}
	k.passed += int64(want)
	return want, false
}

// rest waits for a change of the link, and tells whether the connection is still there.
func (k *link) rest(c net.Conn) bool {
	k.mu.Lock()
	changed := k.changed
	_, there := k.conns[c]
	silent := k.bad.silent
	k.mu.Unlock()
	if !there {
		return false
	}
	if !silent {
		return true
	}
	select {
	case <-changed:
	case <-time.After(50 * time.Millisecond): // or it was cut
	}
	return true
}

// drain waits until a connection that says nothing is given up by its owner.
func (k *link) drain(c net.Conn) {
	for {
		k.mu.Lock()
		_, there := k.conns[c]
		k.mu.Unlock()
		if !there {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// patience of the gateways of these tests: long for a loaded machine, short for a test.
const patience = 2 * time.Second

// behind opens a gateway that others reach over a link.
func (w *town) behind(cfg gateway.Config) (*link, *running) {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	cfg.Listen = l.Addr().String()
	l.Close()
	k := newLink(w.t, cfg.Listen)
	cfg.URL = k.url()
	return k, w.openPatient(cfg)
}
