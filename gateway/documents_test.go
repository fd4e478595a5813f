package gateway_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mulian/gateway"
	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	"mulian/gateway/receipt"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

const byFile = cataloguev1.Method_METHOD_FILE

// archive makes the planning commission's folder of drawings and the gateways' configurations
// for it.
func (w *town) archive(files map[string][]byte) (door, tap gateway.Config) {
	w.t.Helper()
	w.makePermits(1)
	from := filepath.Join(w.dir, "archive")
	for name, content := range files {
		path := filepath.Join(from, "drawings", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	door, tap = w.planningConfig(), w.waterConfig()
	door.Sources = []gateway.Source{{Name: "archive", URL: "documents:" + from}}
	tap.Documents = filepath.Join(w.dir, "received")
	return door, tap
}

// publishFiles puts an entry on the folder of drawings.
func (w *town) publishFiles(door *running) {
	w.t.Helper()
	ids, err := door.RegisterTables(w.t.Context())
	if err != nil || len(ids) != 1 {
		w.t.Fatalf("register: %v, %v", ids, err)
	}
	w.entry = w.planning.Account + ":drawings"
	var items []*cataloguev1.Item
	for _, c := range []struct{ name, kind string }{{"name", "text"}, {"piece", "integer"}, {"size", "integer"}, {"modified", "datetime"}, {"sha256", "text"}, {"content", "binary"}} {
		items = append(items, &cataloguev1.Item{Code: c.name, Name: c.name, Type: c.kind, Column: c.name, PrimaryKey: c.name == "name" || c.name == "piece"})
	}
	w.must(w.planning, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{{
		Id: w.entry, Name: "规划图纸", Abstract: "已批准的图纸", Provider: w.planning.Account, Duties: []string{w.planning.Account + ":1"},
		Table: ids[0], Category: "城乡建设/规划", Format: cataloguev1.Format_FORMAT_FOLDER, Methods: []cataloguev1.Method{byFile},
		ShareType: cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL, StandingOrder: &cataloguev1.StandingOrder{Automatic: true},
		OpenType: cataloguev1.OpenType_OPEN_TYPE_DENIED, UpdateCycle: cataloguev1.UpdateCycle_UPDATE_CYCLE_DAILY,
		Grade: cataloguev1.Grade_GRADE_GENERAL_1, Personal: cataloguev1.Personal_PERSONAL_NONE, CoverageRegion: "110000",
		Items: items,
	}}})
}

func drawings(m *sharev1.Terms) {
	m.Parts[0].Items = []string{"name", "piece", "size", "modified", "sha256", "content"}
}

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(sha256.Sum256([]byte{byte(n)})).Read(b)
	return b
}

// received reads what was delivered, by name.
func received(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	if err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if d != nil && d.IsDir() && d.Name() == ".mulian" {
			return filepath.SkipDir
		}
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		out[name], err = os.ReadFile(path)
		return err
	}); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return out
}

// TestFiles: files come as they are, those that are chosen, within the agreed scope and
// volume; nothing of theirs stands on the ledger; what others have put there is not replaced.
func TestFiles(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	files := map[string][]byte{
		"2026/甲.pdf": noise(3_000_000), "2026/乙.zip": bytes.Repeat([]byte("same "), 500_000), "2026/empty": {},
		"2025/old.pdf": noise(10), "secret/x.pdf": noise(20), ".hidden": noise(5),
	}
	from, to := w.archive(files)
	door, tap := w.open(from), w.open(to)
	w.publishFiles(door)
	agreement := w.agree(byFile, func(m *sharev1.Terms) {
		drawings(m)
		m.RowScope = `!name.startsWith("secret/")`
	})
	fetch := func(names ...string) (*deliver.Loaded, error) {
		return tap.Fetch(t.Context(), deliver.Fetch{Agreement: agreement, Entry: w.entry, Into: connect.TableName{Name: "plans"}, Names: names})
	}
	got, err := fetch("2026/*.pdf", "secret/*")
	if err != nil || got.Rows != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	if all := received(t, to.Documents); len(all) != 1 || !bytes.Equal(all["plans/2026/甲.pdf"], files["2026/甲.pdf"]) {
		t.Errorf("received %d files", len(all))
	}
	if _, err := fetch(); err != nil {
		t.Fatal(err)
	}
	all := received(t, to.Documents)
	for name, content := range files {
		has, there := all["plans/"+name]
		if wanted := !strings.HasPrefix(name, "secret/") && name[0] != '.'; there != wanted || wanted && !bytes.Equal(has, content) {
			t.Errorf("%s: there %t, %d bytes", name, there, len(has))
		}
	}
	for n := range door.Records().Size() {
		e, err := door.Records().Record(n)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(e.Raw, []byte("甲")) || bytes.Contains(e.Raw, []byte("2026/")) {
			t.Errorf("record %d has a file's name: %v", n, e.Record)
		}
	}
	// Somebody has put a file of that name there.
	own := filepath.Join(to.Documents, "others", "2026", "甲.pdf")
	if err := os.MkdirAll(filepath.Dir(own), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = tap.Fetch(t.Context(), deliver.Fetch{Agreement: agreement, Entry: w.entry, Into: connect.TableName{Name: "others"}})
	want(t, fault.AlreadyExists, err)
	if b, err := os.ReadFile(own); err != nil || string(b) != "mine" || len(received(t, filepath.Dir(own))) != 1 {
		t.Errorf("the other's file: %q, %v", b, err)
	}
	small := w.agree(byFile, func(m *sharev1.Terms) {
		drawings(m)
		m.Purpose, m.MaxBytes = "小", 1_500_000
	})
	_, err = tap.Fetch(t.Context(), deliver.Fetch{Agreement: small, Entry: w.entry, Into: connect.TableName{Name: "small"}})
	want(t, fault.TotalLimit, err)
}

// TestReceiverOfFilesGoesOn: a fetch that ends in the middle takes the next page after its
// checkpoint when it is tried again, not the first one.
func TestReceiverOfFilesGoesOn(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	files := map[string][]byte{}
	for i := range 20 {
		files[fmt.Sprintf("%02d.bin", i)] = noise(900_000 + i) // each is a page
	}
	from, to := w.archive(files)
	door, tap := w.open(from), w.open(to)
	w.publishFiles(door)
	f := deliver.Fetch{Agreement: w.agree(byFile, drawings), Entry: w.entry, Into: connect.TableName{Name: "plans"}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.Progress = func(rows, _ int64) {
		if rows >= 12 {
			cancel()
		}
	}
	if _, err := tap.Fetch(ctx, f); err == nil {
		t.Fatal("it was not stopped")
	}
	if got := received(t, to.Documents); len(got) != 0 {
		t.Fatalf("%d files of a delivery that is not whole", len(got))
	}
	const checkpointed = 8 // pages
	first := int64(0)
	f.Progress = func(rows, _ int64) { first = cmp.Or(first, rows) }
	got, err := tap.Fetch(t.Context(), f)
	if err != nil || got.Delivery != 1 || got.Rows != 20 {
		t.Fatalf("%+v, %v", got, err)
	}
	if first <= checkpointed {
		t.Errorf("the first page that came was the %d-th", first)
	}
	for name, content := range files {
		if !bytes.Equal(received(t, to.Documents)["plans/"+name], content) {
			t.Errorf("%s differs", name)
		}
	}
}

// TestKillTheReceiverOfFiles: the asker dies at random moments; in the end all files are
// there, by one delivery, and until then none.
func TestKillTheReceiverOfFiles(t *testing.T) {
	w := newTown(t)
	files := map[string][]byte{}
	for i := range 12 {
		files[string(rune('a'+i))+"/f.bin"] = noise(2_000_000 + i)
	}
	from, to := w.archive(files)
	door := w.open(from)
	w.publishFiles(door)
	agreement := w.agree(byFile, drawings)
	p := play{Config: to, Fetch: &deliver.Fetch{Agreement: agreement, Entry: w.entry, Into: connect.TableName{Name: "plans"}}}
	kills, last := 0, ""
	for !strings.HasPrefix(last, "done") {
		cmd, out := w.spawn(p)
		kill := time.AfterFunc(moment(kills), func() { cmd.Process.Kill() }) // the moment is the point of the test
		if kills >= maxKills/2 {
			kill.Stop()
		}
		for out.Scan() {
			if last = out.Text(); strings.HasPrefix(last, "error") {
				t.Fatal(last)
			}
		}
		kill.Stop()
		cmd.Wait()
		kills++
		for name, content := range received(t, to.Documents) {
			if !bytes.Equal(content, files[strings.TrimPrefix(name, "plans/")]) {
				t.Fatalf("a part of %s is there after %d kills", name, kills)
			}
		}
	}
	if last != "done 1 24" {
		t.Errorf("the child says %q", last)
	}
	all := received(t, to.Documents)
	if len(all) != len(files) || !slices.Equal(all["plans/l/f.bin"], files["l/f.bin"]) {
		t.Errorf("%d files of %d", len(all), len(files))
	}
	t.Logf("%d kills", kills-1)
}

// TestKillTheProviderOfFiles: the provider dies at random moments of a delivery of files. The
// asker waits and gets each file as it is, by one delivery; no record is lost or doubled, and
// what leaves is said once to have left.
func TestKillTheProviderOfFiles(t *testing.T) {
	w := newTown(t)
	files := map[string][]byte{}
	for i := range 12 {
		files[string(rune('a'+i))+"/f.bin"] = noise(2_000_000 + i)
	}
	from, to := w.archive(files)
	door := w.open(from)
	w.publishFiles(door)
	agreement := w.agree(byFile, drawings)
	tap := w.open(to)
	from.Listen, from.URL = door.Addr(), "http://"+door.Addr()
	door.stop()

	stop := w.killing(from, maxKills/2)
	short, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	got, err := tap.Fetch(short, deliver.Fetch{Agreement: agreement, Entry: w.entry, Into: connect.TableName{Name: "plans"}})
	t.Logf("%d kills", stop())
	if err != nil || got.Delivery != 1 || got.Rows != 24 {
		t.Fatalf("%+v, %v", got, err)
	}
	all := received(t, to.Documents)
	for name, content := range files {
		if !bytes.Equal(all["plans/"+name], content) {
			t.Errorf("%s differs", name)
		}
	}
	if len(all) != len(files) {
		t.Errorf("%d files of %d", len(all), len(files))
	}
	door = w.open(from)
	outcomes := map[tracev1.Outcome]int{}
	if err := door.Records().Of(agreement, func(e receipt.Entry) bool { outcomes[e.Record.Outcome]++; return true }); err != nil {
		t.Fatal(err)
	}
	if outcomes[tracev1.Outcome_OUTCOME_GRANTED] != 1 || outcomes[tracev1.Outcome_OUTCOME_COMPLETED] != 1 || len(outcomes) != 2 {
		t.Errorf("the records of one delivery: %v", outcomes)
	}
	if lost := w.receiptsHold(door, tap, agreement); lost != 0 {
		t.Errorf("%d receipts are lost", lost)
	}
	w.eventually("all is anchored", func() bool { s := door.Status(); return s.OK && s.Anchored == s.LogSize })
}
