package e2e_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"mulian/gateway"
	database "mulian/gateway/connect"
	"mulian/gateway/deliver"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// disk is a small real file system that can be full.
type disk struct {
	t   *testing.T
	dir string
}

// mountDisk mounts one over dir, or skips the test.
func mountDisk(t *testing.T, dir string, mib int) *disk {
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
	return &disk{t: t, dir: dir}
}

func (d *disk) filler() string { return filepath.Join(d.dir, "filler") }

// fill takes every block but so many bytes.
func (d *disk) fill(leave int64) {
	d.t.Helper()
	f, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	for {
		if _, err := f.Write(page); errors.Is(err, syscall.ENOSPC) {
			break
		} else if err != nil {
			d.t.Fatal(err)
		}
	}
	st, err := f.Stat()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := f.Truncate(max(0, st.Size()-leave)); err != nil {
		d.t.Fatal(err)
	}
}

func (d *disk) free() {
	d.t.Helper()
	if err := os.Remove(d.filler()); err != nil {
		d.t.Fatal(err)
	}
}

// permitsTown is a town with one entry of n permits in SQLite and both agreements.
type permitsTown struct {
	*town
	t            *testing.T
	plan, water  *department
	door, tap    *running
	entry        *cataloguev1.Entry
	batch, query string
}

func newPermitsTown(t *testing.T, dir string, n int) *permitsTown {
	t.Helper()
	w := &permitsTown{town: newTown(t, dir), t: t}
	w.plan, w.water = w.department(3, "规划和自然资源委员会", sm.SM2), w.department(4, "水务局", sm.SM2)
	db, err := sql.Open("sqlite", w.path("plan.db"))
	w.ok(err)
	_, err = db.Exec(fmt.Sprintf(`CREATE TABLE permit (no TEXT NOT NULL PRIMARY KEY, project TEXT);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO permit SELECT printf('P%%06d', i), hex(randomblob(50)) FROM n`, n))
	w.ok(errors.Join(err, db.Close()))
	w.openBoth()
	ids, err := w.door.RegisterTables(t.Context())
	w.ok(err)
	w.entry = w.entryOf(w.plan, "permit", "规划许可", ids[0], nil)
	w.as(w.plan.Signer, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{w.entry}})
	w.batch = w.agree(w.water, w.plan, terms(w.water, w.entry, byBatch))
	w.query = w.agree(w.water, w.plan, terms(w.water, w.entry, byQuery))
	return w
}

func (w *permitsTown) openBoth() {
	w.t.Helper()
	w.door = w.open(w.plan, "", gateway.Source{Name: "plan", URL: "sqlite:" + w.path("plan.db")})
	w.tap = w.open(w.water, "sqlite:"+w.path("own.db"))
}

// ask asks for one permit.
func (w *permitsTown) ask() (*deliver.Result, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	return w.tap.Query(ctx, w.query, w.entry.Id, nil, 1, &gatewayv1.KeyValue{Item: "no", Value: "P000007"})
}

func (w *permitsTown) fetch() (*deliver.Loaded, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	return w.tap.Fetch(ctx, deliver.Fetch{Agreement: w.batch, Entry: w.entry.Id, Into: database.TableName{Name: "permits"}})
}

// logged holds that the record of an answer is on the provider's disk.
func (w *permitsTown) logged(r *tracev1.Receipt) {
	w.t.Helper()
	e, err := w.door.Records().Record(r.GetLeafIndex())
	if err != nil || string(e.Raw) != string(r.GetRecord()) {
		w.t.Fatalf("released without its record: %v", err)
	}
}

// goesOn holds that both ways work and all accesses are anchored without a gap.
func (w *permitsTown) goesOn(rows int64) {
	w.t.Helper()
	res, err := w.ask()
	w.ok(err)
	w.logged(res.Receipt)
	got, err := w.fetch()
	w.ok(err)
	if got.Rows != rows {
		w.t.Errorf("%d rows came, want %d", got.Rows, rows)
	}
	w.eventually("all of the log is anchored", func() bool { return w.door.Status().OK && w.door.Status().Anchored == w.door.Records().Size() })
	s := &tracev1.Sequence{}
	if !w.get("trace/sequence/"+w.query+"/"+w.plan.gateway, s) || s.Last != w.door.Records().Last(w.query) {
		w.t.Errorf("anchored up to %d, the log has %d", s.Last, w.door.Records().Last(w.query))
	}
}

// coded fails unless err has a code of its own, and returns it.
func coded(t *testing.T, what string, err error) fault.Code {
	t.Helper()
	code := fault.CodeOf(err)
	if err == nil || code == fault.Internal {
		t.Errorf("%s on a full disk: %v (%s)", what, err, code)
	}
	t.Logf("%s on a full disk: %s: %v", what, code, err)
	return code
}

// TestProvidersDiskIsFull: a provider that cannot write its log releases nothing, says
// why, and goes on after room was made and it was started again.
func TestProvidersDiskIsFull(t *testing.T) {
	t.Parallel()
	const rows = 5000
	dir := t.TempDir()
	disk := mountDisk(t, filepath.Join(dir, "gateway"), 8) // of both gateways' homes
	w := newPermitsTown(t, dir, rows)
	w.goesOn(rows)
	disk.fill(0)
	released := 0
	for {
		res, err := w.ask()
		if err != nil {
			if code := coded(t, "query", err); code != fault.DiskFull {
				t.Errorf("query: %s, want %s", code, fault.DiskFull)
			}
			break
		}
		w.logged(res.Receipt) // there was room in the last block
		if released++; released > 1000 {
			t.Fatal("the disk is full and queries go on")
		}
	}
	size := w.door.Records().Size()
	for range 3 {
		if res, err := w.ask(); err == nil {
			w.logged(res.Receipt)
		}
	}
	if _, err := w.fetch(); coded(t, "fetch", err) != fault.DiskFull {
		t.Error("fetch: want " + fault.DiskFull.String())
	}
	t.Logf("%d answers after the disk was full, all logged; %d records", released, size)
	disk.free()
	_ = errors.Join(w.door.end(), w.tap.end()) // they may say that their last write failed
	w.openBoth()
	w.goesOn(rows)
}

// TestReceiversDiskIsFull: a delivery for which the receiver's database has no room
// leaves nothing behind, says why, and comes when there is room.
func TestReceiversDiskIsFull(t *testing.T) {
	t.Parallel()
	const rows = 30_000
	dir := t.TempDir()
	disk := mountDisk(t, filepath.Join(dir, "small"), 2) // the rows need about 4 MB
	w := newPermitsTown(t, dir, rows)
	w.tap.stop()
	own := filepath.Join(disk.dir, "own.db")
	w.tap = w.open(w.water, "sqlite:"+own)
	if _, err := w.fetch(); coded(t, "fetch", err) != fault.DiskFull {
		t.Error("fetch: want " + fault.DiskFull.String())
	}
	if n := tableRows(t, own, "permits"); n != 0 {
		t.Errorf("%d rows of a delivery that had no room", n)
	}
	w.ok(syscall.Mount("tmpfs", disk.dir, "tmpfs", syscall.MS_REMOUNT, "size=64m"))
	w.goesOn(rows)
	if n := tableRows(t, own, "permits"); n != rows {
		t.Errorf("%d rows, want %d", n, rows)
	}
}

// tableRows counts a table's rows; 0 if there is no such table.
func tableRows(t *testing.T, path, table string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(`SELECT count(*) FROM sqlite_master WHERE name = ?`, table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		return 0
	}
	if err := db.QueryRow(`SELECT count(*) FROM "` + table + `"`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestNodesDiskIsFull: a node that cannot write says so with a code, loses nothing
// that it acknowledged, and goes on after room was made and it was started again.
func TestNodesDiskIsFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	disk := mountDisk(t, filepath.Join(dir, "node"), 48)
	w := newTown(t, dir)
	d := w.department(3, "规划和自然资源委员会", sm.SM2)
	duty := func(n int) *cataloguev1.PutDuties {
		m := &cataloguev1.PutDuties{}
		for i := range 200 {
			m.Duties = append(m.Duties, &cataloguev1.Duty{
				Id: fmt.Sprintf("%s:%d.%d", d.Account, n, i), Org: d.Account, Title: "职责", PowerType: cataloguev1.PowerType_POWER_TYPE_LICENSING, Source: "三定规定",
			})
		}
		return m
	}
	disk.fill(3 << 20)
	acknowledged := 0
	for ; ; acknowledged++ {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, err := w.chain.Send(ctx, d.Signer, duty(acknowledged))
		cancel()
		if err != nil {
			coded(t, "transaction", err)
			break
		}
		if acknowledged > 10_000 {
			t.Fatal("the disk is full and blocks go on")
		}
	}
	select {
	case <-w.member.Node.Failed():
	case <-time.After(10 * time.Second):
		t.Error("the node does not say that it has failed")
	}
	coded(t, "member", w.end())
	if acknowledged == 0 {
		t.Error("no transaction had room")
	}
	disk.free()
	w.start()
	w.ok(w.member.Node.Ledger().State().Check(t.Context()))
	for n := range acknowledged {
		if !w.get(fmt.Sprintf("catalogue/duty/%s:%d.199", d.Account, n), &cataloguev1.Duty{}) {
			t.Errorf("the acknowledged transaction %d is not there", n)
		}
	}
	w.as(d.Signer, duty(acknowledged))
	t.Logf("%d transactions were acknowledged until the disk was full, and are there", acknowledged)
}
