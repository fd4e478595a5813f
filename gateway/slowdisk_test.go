package gateway_test

import (
	"context"
	"database/sql"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// suspend suspends an agreement, and returns when the gateway refuses what rests on it.
func (r *rogue) suspend(agreement string) {
	r.w.t.Helper()
	r.w.must(r.w.planning, &sharev1.SuspendAgreement{Agreement: agreement, Cause: "核查"})
	r.w.eventually("the suspension counts", func() bool {
		return fault.Is(r.openDelivery(agreement, "another-request-key"), fault.AgreementSuspended)
	})
}

// other is the same asker with other request ids.
func (r *rogue) other() *rogue { return &rogue{w: r.w, keys: r.keys, client: r.client, n: 300} }

// TestSuspendedWhileAPageIsNoted: the disk takes its time to note that a page leaves, and the
// agreement is suspended meanwhile: the page does not leave.
func TestSuspendedWhileAPageIsNoted(t *testing.T) {
	w := newTown(t)
	w.makeWidePermits()
	cfg := w.planningConfig()
	door := w.open(cfg)
	w.publish(door)
	agreement := w.agree(byBatch, nil)
	r := w.rogue(door)
	want(t, fault.OK, r.openDelivery(agreement, "one-request-key-1"))
	dirs, err := filepath.Glob(filepath.Join(cfg.Home, "deliveries", "*-1"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("folders of deliveries: %v, %v", dirs, err)
	}
	// A lease on the note's file holds who opens it to write, and tells us.
	note := filepath.Join(dirs[0], "given")
	if err := os.WriteFile(note, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(note)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	held := make(chan os.Signal, 1)
	signal.Notify(held, syscall.SIGIO)
	defer signal.Stop(held)
	const setLease = 1024 // F_SETLEASE
	if _, _, no := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), setLease, syscall.F_RDLCK); no != 0 {
		t.Skipf("SKIP no leases on this file system: %v", no)
	}
	type pulled struct {
		pages int
		err   error
	}
	end := make(chan pulled, 1)
	go func() {
		n, err := r.pages(agreement, 1, 0, 100)
		end <- pulled{n, err}
	}()
	<-held
	r.other().suspend(agreement)
	f.Close()
	got := <-end
	want(t, fault.AgreementSuspended, got.err)
	if got.pages != 0 {
		t.Errorf("%d pages left", got.pages)
	}
}

// TestSuspendedWhileAPageIsLogged: a page of changes is judged, and while the disk is slow the
// agreement is suspended. The page counts, for it is in the log, and does not leave.
func TestSuspendedWhileAPageIsLogged(t *testing.T) {
	p, r, letGo, answer := pageBeingRead(t)
	// The provider writes into its book between its look and its log.
	book, err := sql.Open("sqlite", "file:"+filepath.Join(p.doorConfig.Home, "deliveries", "subscriptions.db")+"?_txlock=immediate&_pragma=busy_timeout(30000)")
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	tx, err := book.BeginTx(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	letGo()
	p.eventually("the provider waits for its disk", func() bool {
		stacks := make([]byte, 4<<20)
		return strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "deliver.(*book).give(")
	})
	r.other().suspend(p.agreement)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	want(t, fault.AgreementSuspended, <-answer)
	if n := p.door.records(t, p.agreement, tracev1.Outcome_OUTCOME_COMPLETED); n != 1 {
		t.Errorf("%d pages are logged, want the one that was judged before", n)
	}
}
