package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"mulian/internal/fault"
	"mulian/node"
)

// do gives an order and waits for its report.
func (m *remote) do(o order) (report, error) {
	if err := m.send(o); err != nil {
		return report{}, err
	}
	return m.answer()
}

// send gives an order.
func (m *remote) send(o order) error { return json.NewEncoder(m.in).Encode(o) }

// join lets the member listen, has it make a snapshot, and brings a new node on board.
func (l *longChain) join(ctx context.Context) (err error) {
	if err := l.w.stop(); err != nil {
		return err
	}
	l.w.stop = func() error { return nil }
	if l.w.listen, err = freeAddr(); err != nil {
		return err
	}
	if _, err := l.start(ctx); err != nil {
		return err
	}
	l.Say("make a snapshot")
	began := time.Now()
	if _, err := l.w.member.Node.Ledger().TakeSnapshot(ctx); err != nil {
		return err
	}
	made := time.Since(began)
	genesis, err := os.ReadFile(l.w.genesis)
	if err != nil {
		return err
	}
	home, err := below(l.w.dir, "newcomer", "node")
	if err != nil {
		return err
	}
	if _, err := node.Init(home, genesis); err != nil {
		return err
	}
	l.Say("a new node joins")
	debug.FreeOSMemory()
	ResetPeak()
	began = time.Now()
	out, err := node.Sync(ctx, node.SyncConfig{Home: home, Servers: []string{l.w.member.URL()}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	state := time.Since(began)
	if err := l.follow(ctx, home); err != nil {
		return err
	}
	l.r.Add(Figure{Name: "sync_seconds", Value: time.Since(began).Seconds(), Unit: "s", Goal: "< 60", Note: "a new node, from nothing until it has the member's height, over HTTP and the nodes' network"})
	l.r.Add(Figure{Name: "sync_state_seconds", Value: state.Seconds(), Unit: "s", Note: "of these, the snapshot: fetched, verified, installed"})
	l.r.Add(Figure{Name: "sync_chunks", Value: float64(out.Chunks), Unit: "chunks"})
	l.r.Add(Figure{Name: "sync_peak_mib", Value: PeakMiB(), Unit: "MiB", Note: "of the process with both: the member and the new node"})
	l.r.Add(Figure{Name: "snapshot_seconds", Value: made.Seconds(), Unit: "s", Note: "the member makes it, beside its work"})
	return nil
}

// follow starts the new node and waits until it has what the member has.
func (l *longChain) follow(ctx context.Context, home string) (err error) {
	id, err := node.Keys(l.w.home())
	if err != nil {
		return err
	}
	listen, err := freeAddr()
	if err != nil {
		return err
	}
	n, err := node.Open(ctx, node.Config{Home: home, Listen: listen, Peers: []string{id.NodeID + "@" + l.w.listen}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	same := false
	err = within(ctx, longSettled, "the new node has the member's blocks", func() (bool, error) {
		theirs, err := l.w.member.Node.Status(ctx)
		if err != nil {
			return false, err
		}
		own, err := n.Status(ctx)
		if err != nil || own.GetHeight() != theirs.GetHeight() {
			return false, err
		}
		same = bytes.Equal(own.GetAppHash(), theirs.GetAppHash()) && own.GetEvents() == theirs.GetEvents()
		return true, nil
	})
	if err == nil && !same {
		err = fault.Newf(fault.Internal, "the new node has another state than the member at the same height")
	}
	return err
}
