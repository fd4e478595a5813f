package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	rpc "connectrpc.com/connect"

	"mulian/gateway"
	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// small mounts a file system of so many MiB, or skips the test.
func small(t *testing.T, dir string, mib int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=0700", mib)); err != nil {
		t.Skipf("SKIP no small disk: mounting a tmpfs needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
}

// fillUp takes all blocks of the disk but so many bytes.
func fillUp(t *testing.T, dir string, leave int64) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var size int64
	for block := make([]byte, 4096); err == nil; size += 4096 {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.Truncate(max(0, size-4096-leave)); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

// TestDiskFillsUp: both gateways, as the command line runs them, on disks that fill up.
// Nothing that was acknowledged is lost, the refusal and the state say that it is the disk,
// and when there is room they go on by themselves.
func TestDiskFillsUp(t *testing.T) {
	heavy(t)
	t.Parallel()
	w := newTown(t)
	w.makePermits(20_000)
	w.exec(w.permits, `UPDATE permit SET project = hex(randomblob(120))`) // 2.5 MB of pages
	cfgs := map[string]gateway.Config{"door": w.planningConfig(), "tap": w.waterConfig()}
	controls := map[string]string{}
	for name, cfg := range cfgs {
		disk := filepath.Join(w.dir, name+"-disk")
		small(t, disk, 16)
		cfg.Home = filepath.Join(disk, "home")
		controls[name] = cfg.Home
		if name == "door" {
			first := w.open(cfg)
			w.publish(first)
			cfg.Listen, cfg.URL = first.Addr(), "http://"+first.Addr()
			first.stop()
		}
		w.serve(cfg)
	}
	query, batch := w.agree(byQuery, nil), w.agree(byBatch, nil)
	tap, door := gateway.Control(controls["tap"]), gateway.Control(controls["door"])
	ask := func() (*gatewayv1.AskResponse, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		res, err := tap.Ask(ctx, rpc.NewRequest(&gatewayv1.AskRequest{Agreement: query, Entry: w.entry, Where: []*gatewayv1.KeyValue{no("P0000007")}}))
		if err != nil {
			return nil, wire.Fault(err)
		}
		return res.Msg, nil
	}
	fetch := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		in, err := tap.Fetch(ctx, rpc.NewRequest(&gatewayv1.FetchRequest{Agreement: batch, Entry: w.entry, Into: "permits"}))
		if err != nil {
			return wire.Fault(err)
		}
		defer in.Close()
		done := false
		for in.Receive() {
			done = in.Msg().GetDone()
		}
		if err := wire.Fault(in.Err()); err != nil || done {
			return err
		}
		return fault.Newf(fault.Internal, "no end")
	}
	trouble := func(c interface {
		State(context.Context, *rpc.Request[gatewayv1.StateRequest]) (*rpc.Response[gatewayv1.StateResponse], error)
	},
	) string {
		res, err := c.State(t.Context(), rpc.NewRequest(&gatewayv1.StateRequest{}))
		if err != nil {
			return ""
		}
		return res.Msg.GetTrouble()
	}
	var had []*tracev1.Receipt
	w.eventually("an answer", func() bool { r, err := ask(); had = append(had, r.GetReceipt()); return err == nil })

	// There is room for the log, and not for the pages of a batch.
	free := fillUp(t, filepath.Dir(controls["door"]), 1<<20)
	want(t, fault.DiskFull, fetch())
	free()
	w.eventually("the batch comes", func() bool { return fetch() == nil })
	w.equal("SELECT no, project, area, issued FROM permit ORDER BY no", "SELECT permit_no, project, area, issued FROM permits ORDER BY permit_no")

	for _, name := range []string{"door", "tap"} {
		free := fillUp(t, filepath.Dir(controls[name]), 0)
		var err error
		w.eventually(name+": its last block is full", func() bool {
			var r *gatewayv1.AskResponse
			if r, err = ask(); err == nil {
				had = append(had, r.GetReceipt())
			}
			return err != nil
		})
		want(t, fault.DiskFull, err)
		control := door
		if name == "tap" {
			control = tap
		}
		w.eventually(name+": it says that it is the disk", func() bool { return strings.Contains(trouble(control), "the disk is full") })
		t.Logf("%s: %s", name, trouble(control))
		free()
		w.eventually(name+": it goes on by itself", func() bool { _, err := ask(); return err == nil && trouble(control) == "" })
	}
	// What was answered is in the log, and what was logged is anchored.
	kept := map[string]bool{}
	in, err := tap.Receipts(t.Context(), rpc.NewRequest(&gatewayv1.ReceiptsRequest{Kind: gatewayv1.ReceiptKind_RECEIPT_KIND_RECEIVED}))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	for in.Receive() {
		for _, r := range in.Msg().GetReceipts() {
			kept[string(r.GetRecord())] = true
		}
	}
	for _, r := range had {
		if r != nil && !kept[string(r.GetRecord())] {
			t.Errorf("receipt %d is lost", r.GetLeafIndex())
		}
	}
	w.eventually("all is anchored", func() bool {
		res, err := door.State(t.Context(), rpc.NewRequest(&gatewayv1.StateRequest{}))
		return err == nil && res.Msg.GetLogSize() == res.Msg.GetAnchoredSize() && res.Msg.GetLogSize() >= uint64(len(had))
	})
	s, d := &tracev1.Sequence{}, &sharev1.Delivery{}
	if ok, err := w.chain.Get(t.Context(), "trace/sequence/"+query+"/"+w.door, s); !ok || err != nil || s.Last < uint64(len(had)) {
		t.Errorf("sequence: %v, %v", s, err)
	}
	if ok, err := w.chain.Get(t.Context(), deliveryKey(batch, 1), d); !ok || err != nil || d.State != sharev1.DeliveryState_DELIVERY_STATE_FAILED || d.Cause != fault.DiskFull.String() {
		t.Errorf("the batch for which there was no room: %v, %v", d, err)
	}
}

// TestOwnDiskIsFull: no room for what is delivered, in the own database or in the folder of
// files, ends no delivery: it says so, stays open, and the next fetch brings it to its end.
func TestOwnDiskIsFull(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"files", "rows"} {
		t.Run(kind, func(t *testing.T) {
			w := newTown(t)
			disk := filepath.Join(w.dir, "own-disk")
			small(t, disk, 8)
			from, to := w.archive(map[string][]byte{"a": noise(2_000_000), "b": noise(1_500_000)})
			to.Documents, to.Sink = filepath.Join(disk, "received"), gateway.Sink{URL: "sqlite:" + filepath.Join(disk, "own.db")}
			method, edit := byFile, drawings
			if kind == "rows" {
				w.exec(w.permits, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 20000) INSERT INTO permit SELECT 'Q' || i, hex(randomblob(60)), 1, '2026-01-01', '' FROM n")
				from, method, edit = w.planningConfig(), byBatch, nil
			}
			door, tap := w.open(from), w.open(to)
			if kind == "rows" {
				w.publish(door)
			} else {
				w.publishFiles(door)
			}
			agreement := w.agree(method, edit)
			fetch := func() (*deliver.Loaded, error) {
				return tap.Fetch(t.Context(), deliver.Fetch{Agreement: agreement, Entry: w.entry, Into: connect.TableName{Name: "taken"}})
			}
			free := fillUp(t, disk, 1<<20)
			_, err := fetch()
			want(t, fault.DiskFull, err)
			d := &sharev1.Delivery{}
			if ok, err := w.chain.Get(t.Context(), deliveryKey(agreement, 1), d); !ok || err != nil || d.State == sharev1.DeliveryState_DELIVERY_STATE_FAILED {
				t.Fatalf("the delivery for which there is no room: %v, %v", d, err)
			}
			free()
			got, err := fetch()
			if err != nil || got.Delivery != 1 {
				t.Fatalf("with room again: %+v, %v", got, err)
			}
		})
	}
}
