package e2e_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/bench"
	"mulian/client"
	"mulian/client/keyring"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake"
	"mulian/intake/filing"
	"mulian/intake/sheet"
)

// An importer of its own process: this test binary, told by its environment.
const (
	importList    = "MULIAN_IMPORT_LIST" // file; set in the importer's process only
	importServer  = "MULIAN_IMPORT_SERVER"
	importHome    = "MULIAN_IMPORT_HOME" // keys and journal
	importAccount = "MULIAN_IMPORT_ACCOUNT"
)

// importAlone is what the importer's process does: one list, as catalogue import does
// it, with a journal.
func importAlone() error {
	home := os.Getenv(importHome)
	ctx := context.Background()
	plan, _, err := intake.MakePlan(ctx, os.Getenv(importList), intake.Options{Lang: sheet.English})
	if err != nil {
		return err
	}
	desk := &filing.Desk{Client: client.New(os.Getenv(importServer)), Keys: keyring.Ring{Dir: filepath.Join(home, "keys")}, Authority: os.Getenv(importAccount)}
	out, err := desk.Import(ctx, plan, filing.Order{
		Register: true, ShareType: cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL, Source: "synthetic", Journal: filepath.Join(home, "journal"),
		Progress: func(a intake.Applied) { fmt.Println("sent", a.Sent, a.Batches) },
	})
	if err != nil {
		return err
	}
	fmt.Println("peak", int(bench.PeakMiB()))
	fmt.Println("done", out.New, out.Changed, out.Unchanged, out.Resumed, out.Held, out.Refused)
	return nil
}

// importer starts the process.
func (w *town) importer(list string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), importList+"="+list, importServer+"="+w.chain.URL(), importHome+"="+w.dir, importAccount+"="+w.authority.Account)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = w.Output()
	return cmd
}

// synthetic writes a list of n entries of so many organisations in turn.
func synthetic(t *testing.T, path string, n, orgs int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewWriter(f)
	fmt.Fprintln(out, "信息资源名称,提供单位,信息资源摘要,信息项,更新周期")
	for i := range n {
		fmt.Fprintf(out, "第%06d号台账,试验局%03d,记录第 %d 类事项的受理与办结情况，供各部门履行职责时核对,编号；名称；日期,每月\n", i, i%orgs, i)
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// mostMemory is what an importer may have at its worst, whatever the size of the list.
// The test binary alone, with all that it links, has some 60 MiB.
const mostMemory = 256 // MiB

// TestHundredThousandEntriesInBoundedMemory: the importer is a process of its own, and
// says its own peak: what the system tells of a child that has ended (ru_maxrss) is
// never less than what its parent had when it started it. The entries are then all on
// the ledger.
func TestHundredThousandEntriesInBoundedMemory(t *testing.T) {
	n := 100_000
	if testing.Short() {
		n = 5_000
	}
	w := newTown(t, t.TempDir())
	list := w.path("list.csv")
	synthetic(t, list, n, 50)
	began := time.Now()
	cmd := w.importer(list)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if want := fmt.Sprintf("done %d 0 0 0 0 0\n", n); !strings.HasSuffix(string(out), want) {
		t.Fatalf("%s", out[max(0, len(out)-200):])
	}
	_, said, _ := strings.Cut(string(out), "peak ")
	peak := 0
	if _, err := fmt.Sscan(said, &peak); err != nil || peak <= 0 {
		t.Fatalf("the importer does not say what it used: %q, %v", said, err)
	}
	each := (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()) / time.Duration(n)
	t.Logf("%d entries in %.0f s; the importer: %d MiB at its peak, %d µs of processor time for each", n, time.Since(began).Seconds(), peak, each.Microseconds())
	if peak > mostMemory {
		t.Errorf("%d MiB, at most %d", peak, mostMemory)
	}
	w.indexed()
	w.counts(int64(n))
}

// counts holds that the node counts so many entries.
func (w *town) counts(n int64) {
	w.Helper()
	res, err := w.chain.Catalogue.Count(context.Background(), connect.NewRequest(&cataloguev1.CountRequest{}))
	w.ok(err)
	if res.Msg.GetEntries() != n {
		w.Errorf("the node counts %d entries, want %d", res.Msg.GetEntries(), n)
	}
}

// TestAKilledImportGoesOn: kill -9 before the first key is made, while organisations
// are registered, and amid the batches. The same command goes on, and in the end each
// entry is there once, at its first version.
func TestAKilledImportGoesOn(t *testing.T) {
	const n, orgs = 4_000, 200
	w := newTown(t, t.TempDir())
	list := w.path("list.csv")
	synthetic(t, list, n, orgs)
	kills := 0
	for _, batches := range []int{0, 0, 0, 1, 2, 3, 5, 8} { // after which it is killed; before the first at some moment
		cmd := w.importer(list)
		said, err := cmd.StdoutPipe()
		w.ok(err)
		w.ok(cmd.Start())
		lines := bufio.NewReader(said)
		for range batches {
			if _, err := lines.ReadString('\n'); err != nil {
				t.Fatalf("it ended before it was killed: %v", err)
			}
		}
		if batches <= 0 {
			time.Sleep(time.Duration(100+200*kills) * time.Millisecond) // it is somewhere among keys and organisations
		}
		w.ok(cmd.Process.Kill())
		if err := cmd.Wait(); err == nil {
			t.Fatal("it ended before it was killed")
		}
		kills++
	}
	out, err := w.importer(list).Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var fresh, changed, unchanged, resumed, held, refused int
	last := string(out[strings.LastIndex(string(out), "done"):])
	if _, err := fmt.Sscanf(last, "done %d %d %d %d %d %d", &fresh, &changed, &unchanged, &resumed, &held, &refused); err != nil {
		t.Fatalf("%v: %s", err, last)
	}
	t.Logf("%d kills; then %d new, %d unchanged, %d resumed", kills, fresh, unchanged, resumed)
	if changed+held+refused > 0 || fresh+unchanged+resumed != n {
		t.Errorf("%s", last)
	}
	w.indexed()
	w.counts(n)
	versions := 0
	w.ok(w.chain.List(t.Context(), "catalogue/entry/", func(_ string, value []byte) bool {
		versions += version(t, value)
		return true
	}))
	if versions != n {
		t.Errorf("%d versions of %d entries: something was sent twice and counted as a change", versions, n)
	}
	if _, err := os.Stat(w.path("journal")); err == nil {
		t.Error("the journal is still there")
	}
}

// version is the version of a stored entry.
func version(t *testing.T, value []byte) int {
	t.Helper()
	e := &cataloguev1.Entry{}
	if err := proto.Unmarshal(value, e); err != nil {
		t.Fatal(err)
	}
	return int(e.GetVersion())
}
