package gateway_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	"mulian/internal/pgtest"
)

// writerPause keeps the writer at less than the gateways carry on a slow machine: what the
// test is about is that nothing is lost.
const writerPause = 5 * time.Millisecond

// writer changes the source's table all the time, by transactions of any kind, until it
// is stopped. A database that is down is tried again.
func (p *pair) writer(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var writing sync.WaitGroup
	writing.Go(func() {
		for ctx.Err() == nil {
			db, err := pgx.Connect(ctx, p.source)
			if err != nil {
				time.Sleep(50 * time.Millisecond) // the server is down: that is what the test does
				continue
			}
			for err == nil {
				_, err = db.Exec(ctx, somethingElse())
				time.Sleep(writerPause)
			}
			db.Close(context.Background())
		}
	})
	t.Cleanup(func() { cancel(); writing.Wait() })
	return func() { cancel(); writing.Wait() }
}

// somethingElse is a transaction that touches some rows.
func somethingElse() string {
	return [...]string{
		"INSERT INTO firms SELECT max(id) + 1, 'neu', 'hier' FROM firms",
		"UPDATE firms SET place = md5(random()::text) WHERE id % 37 = (random() * 36)::int",
		"DELETE FROM firms WHERE id = (SELECT id FROM firms ORDER BY random() LIMIT 1)",
		"UPDATE firms SET id = (SELECT max(id) + 1 FROM firms) WHERE id = (SELECT id FROM firms ORDER BY random() LIMIT 1)",
		"INSERT INTO firms SELECT m + n, 'viele', NULL FROM (SELECT max(id) AS m FROM firms) x, generate_series(1, 20) n",
	}[rand.IntN(5)]
}

// TestFollowKilled: either gateway is killed at random moments while changes flow, then both at
// once, then either database. In the end the tables are equal, by changes alone: nothing was
// taken whole again; and no receipt is lost.
func TestFollowKilled(t *testing.T) {
	heavy(t)
	server := pgtest.Durable(t)
	p := newPair(t, server.Database(t, "source"), server.Database(t, "own"), 300)
	p.doorConfig.Listen = p.door.Addr()
	p.doorConfig.URL = "http://" + p.doorConfig.Listen
	p.follow()
	stop := p.writer(t)
	const kills = 3

	p.tap.stop()
	for n := range kills {
		cmd, out := p.spawn(play{Config: p.tapConfig})
		out.Scan() // it is open
		time.Sleep(moment(n))
		cmd.Process.Kill()
		cmd.Wait()
	}
	p.tap = p.open(p.tapConfig)

	p.door.stop()
	for n := range kills {
		cmd, out := p.spawn(play{Config: p.doorConfig})
		out.Scan()
		time.Sleep(moment(n))
		cmd.Process.Kill()
		cmd.Wait()
	}
	p.door = p.open(p.doorConfig)
	p.eventually("it follows again", func() bool { return p.now().GetState() == "following" })

	p.door.stop()
	p.tap.stop()
	for n := range 2 {
		door, doorOut := p.spawn(play{Config: p.doorConfig})
		doorOut.Scan()
		tap, tapOut := p.spawn(play{Config: p.tapConfig})
		tapOut.Scan()
		time.Sleep(moment(n))
		door.Process.Kill() // both at once
		tap.Process.Kill()
		door.Wait()
		tap.Wait()
	}
	p.door, p.tap = p.open(p.doorConfig), p.open(p.tapConfig)
	p.eventually("it follows again", func() bool { return p.now().GetState() == "following" })

	for range 2 {
		server.Kill(t)
		server.Start(t)
		time.Sleep(moment(0))
	}
	stop()
	p.same(t)
	if n := p.now().GetTaken(); n != 0 {
		t.Errorf("the whole was taken %d times after the first", n)
	}
	p.wantReceipts(t)
}

// cable is a TCP connection between two gateways that can be cut, or go silent.
type cable struct {
	net.Listener
	to string

	mu    sync.Mutex // guards the three below
	down  bool
	conns []net.Conn
	count int // connections so far
}

func newCable(t *testing.T, to string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{Listener: l, to: to}
	t.Cleanup(func() { l.Close(); c.cut(true) })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			c.connect(in)
		}
	}()
	return c
}

func (c *cable) connect(in net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out, err := net.Dial("tcp", c.to)
	if err != nil || c.down {
		in.Close()
		return
	}
	c.conns = append(c.conns, in, out)
	c.count++
	for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
		go func() {
			io.Copy(way[0], way[1])
			way[0].Close()
		}()
	}
}

// cut breaks all connections, and lets none through while it is down.
func (c *cable) cut(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

// TestFollowCut: the network between the two is cut again and again. What was changed
// meanwhile arrives when it is back, both while it is pushed and while it is polled.
func TestFollowCut(t *testing.T) {
	heavy(t)
	p := newPair(t, pgtest.URL(t, "source"), pgtest.URL(t, "own"), 100)
	wire := newCable(t, p.door.Addr())
	addr := p.door.Addr()
	p.door.stop()
	p.doorConfig.Listen, p.doorConfig.URL = addr, "http://"+wire.Addr().String()
	p.door = p.open(p.doorConfig)
	addr = p.tap.Addr()
	p.tap.stop()
	bell := newCable(t, addr)
	p.tapConfig.Listen, p.tapConfig.URL = addr, "http://"+bell.Addr().String()
	p.tap = p.open(p.tapConfig)
	p.follow()
	p.eventually("the provider has called the receiver", func() bool {
		bell.mu.Lock()
		defer bell.mu.Unlock()
		return bell.count > 0
	})
	stop := p.writer(t)
	for n := range 5 {
		wire.cut(true)
		time.Sleep(moment(n) / 4)
		wire.cut(false)
		time.Sleep(moment(n) / 4)
	}
	stop()
	p.same(t)
	if n := p.now().GetTaken(); n != 1 {
		t.Errorf("the whole was taken %d times", n)
	}
	p.wantReceipts(t)
	// And while nobody listens on the other side.
	wire.cut(true)
	pgExec(t, p.source, "UPDATE firms SET place = 'meanwhile'")
	p.eventually("the receiver says that it waits", func() bool { return p.now().GetState() == "waiting" && p.now().GetProblem() != "" })
	wire.cut(false)
	p.same(t)
	if err := p.tap.Follow(deliver.Fetch{Agreement: p.agreement, Entry: p.entry, Into: connect.TableName{Name: "got"}}); err != nil {
		t.Errorf("the same again: %v", err)
	}
}
