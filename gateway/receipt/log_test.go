package receipt

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	tiles "github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"

	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

const (
	granted   = tracev1.Outcome_OUTCOME_GRANTED
	refused   = tracev1.Outcome_OUTCOME_REFUSED
	completed = tracev1.Outcome_OUTCOME_COMPLETED
)

func logKey(t testing.TB) sm.PrivateKey {
	t.Helper()
	k, err := sm.FromSeed(sm.Ed25519, [32]byte{7})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func config(t testing.TB, dir string) Config {
	return Config{Dir: dir, Gateway: "11110000000021928Y/g/main", Origin: "mulian/test/11110000000021928Y/g/main", Key: logKey(t), Logger: slog.New(slog.DiscardHandler)}
}

func open(t testing.TB, dir string) *Log {
	t.Helper()
	l, err := Open(context.Background(), config(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func record(agreement string, o tracev1.Outcome) *tracev1.AccessRecord {
	return &tracev1.AccessRecord{
		Agreement: agreement, Outcome: o, RequestId: "0123456789abcdef0123456789abcdef", Asker: "11110000000000019X/g/main",
		Entry: "11110000000021928Y:permit", EntryVersion: 3, Items: []string{"no", "project", "area"}, Purpose: "排水许可审批", RequestHash: make([]byte, 32),
	}
}

func add(t testing.TB, l *Log, r *tracev1.AccessRecord) Entry {
	t.Helper()
	e, err := l.Append(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (l *Log) waitForTree(t testing.TB) {
	t.Helper()
	end := time.After(10 * time.Second)
	for {
		size, grown := l.Integrated()
		if size == l.Size() {
			return
		}
		select {
		case <-grown:
		case <-end:
			t.Fatalf("the tree has %d of %d records", size, l.Size())
		}
	}
}

// TestNumbers: decisions of an agreement are numbered without gaps, however many
// write at once and however often the gateway starts; ends have their decision's number.
func TestNumbers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	for round := range 3 {
		l := open(t, dir)
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				for range 10 {
					g := add(t, l, record(fmt.Sprintf("a%d", i%4), granted))
					end := record(g.Record.Agreement, completed)
					end.Seq = g.Record.Seq
					if e := add(t, l, end); e.Record.Seq != g.Record.Seq {
						t.Errorf("the end of %d has number %d", g.Record.Seq, e.Record.Seq)
					}
					add(t, l, record("", refused))
				}
			})
		}
		all.Wait()
		for a := range 4 {
			name, next := fmt.Sprintf("a%d", a), uint64(1)
			if err := l.Of(name, func(e Entry) bool {
				if decides(e.Record.Outcome) {
					if e.Record.Seq != next {
						t.Errorf("%s: number %d after %d", name, e.Record.Seq, next-1)
					}
					next++
				}
				return true
			}); err != nil {
				t.Fatal(err)
			}
			if want := uint64(50*(round+1) + 1); next != want {
				t.Errorf("%s has %d numbers, want %d", name, next-1, want-1)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	l := open(t, dir)
	if _, err := l.Append(context.Background(), &tracev1.AccessRecord{Agreement: "a0", Outcome: completed, Seq: 1000}); !fault.Is(err, fault.OutOfRange) {
		t.Errorf("the end of what never began: %v", err)
	}
}

// TestTilesAreForAnyone: a tool that knows tlog-tiles and the public key alone reads
// checkpoint and records, and proves each.
func TestTilesAreForAnyone(t *testing.T) {
	ctx := context.Background()
	l := open(t, filepath.Join(t.TempDir(), "log"))
	var sent [][]byte
	for i := range 300 { // more than one bundle
		sent = append(sent, add(t, l, record(fmt.Sprint(i%7), refused)).Raw)
	}
	l.waitForTree(t)
	cfg := l.cfg
	v, err := note.NewEd25519VerifierKey(cfg.Origin, ed25519.PublicKey(cfg.Key.Public().Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil { // the last checkpoint is published
		t.Fatal(err)
	}
	folder := tiles.FileFetcher{Root: l.TilesDir()}
	cp, _, _, err := tiles.FetchCheckpoint(ctx, folder.ReadCheckpoint, verifier, cfg.Origin)
	if err != nil {
		t.Fatal(err)
	}
	if cp.Size != 300 {
		t.Fatalf("the checkpoint has %d records", cp.Size)
	}
	b, err := tiles.NewProofBuilder(ctx, cp.Size, folder.ReadTile)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []uint64{0, 1, 255, 256, 299} {
		bundle, err := tiles.GetEntryBundle(ctx, folder.ReadEntryBundle, i/256, cp.Size)
		if err != nil {
			t.Fatal(err)
		}
		if string(bundle.Entries[i%256]) != string(sent[i]) {
			t.Errorf("record %d is another", i)
		}
		path, err := b.InclusionProof(ctx, i)
		if err != nil {
			t.Fatal(err)
		}
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, i, cp.Size, rfc6962.DefaultHasher.HashLeaf(sent[i]), path, cp.Hash); err != nil {
			t.Errorf("record %d: %v", i, err)
		}
	}
}

// TestProofs: from each size to each later one, also between Tessera's own batches.
func TestProofs(t *testing.T) {
	ctx := context.Background()
	l := open(t, filepath.Join(t.TempDir(), "log"))
	for i := range 270 {
		add(t, l, record(fmt.Sprint(i%3), granted))
	}
	l.waitForTree(t)
	sizes := []uint64{0, 1, 2, 3, 7, 8, 100, 255, 256, 257, 270}
	roots := map[uint64][]byte{}
	for _, n := range sizes {
		root, err := l.Root(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		roots[n] = root
	}
	for _, old := range sizes {
		for _, size := range sizes {
			if old > size {
				continue
			}
			path, err := l.Consistency(ctx, old, size)
			if err != nil {
				t.Fatalf("%d to %d: %v", old, size, err)
			}
			if old == 0 {
				continue // nothing to prove
			}
			if err := proof.VerifyConsistency(rfc6962.DefaultHasher, old, size, path, roots[old], roots[size]); err != nil {
				t.Errorf("%d to %d: %v", old, size, err)
			}
		}
	}
	e, err := l.Record(100)
	if err != nil {
		t.Fatal(err)
	}
	path, err := l.Inclusion(ctx, 100, 257)
	if err != nil {
		t.Fatal(err)
	}
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, 100, 257, rfc6962.DefaultHasher.HashLeaf(e.Raw), path, roots[257]); err != nil {
		t.Error(err)
	}
	if _, err := l.Root(ctx, 271); !fault.Is(err, fault.NotFound) {
		t.Errorf("a root of the future: %v", err)
	}
}

// TestWhatAFolderMayLookLike: each state that a failure or a hand can leave, and what
// Open does with it.
func TestWhatAFolderMayLookLike(t *testing.T) {
	const n = 20
	cut := func(by int64) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, "journal")
			st, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, st.Size()-by); err != nil {
				t.Fatal(err)
			}
		}
	}
	grow := func(b []byte) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			f, err := os.OpenFile(filepath.Join(dir, "journal"), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.Write(b); err != nil {
				t.Fatal(err)
			}
		}
	}
	noTree := func(t *testing.T, dir string) {
		if err := os.RemoveAll(filepath.Join(dir, "tiles")); err != nil {
			t.Fatal(err)
		}
	}
	flip := func(at int64) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			f, err := os.OpenFile(filepath.Join(dir, "journal"), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			b := make([]byte, 1)
			f.ReadAt(b, at)
			b[0] ^= 1
			f.WriteAt(b, at)
		}
	}
	for name, c := range map[string]struct {
		change func(t *testing.T, dir string)
		code   fault.Code
		size   uint64
	}{
		"as it was":                       {func(*testing.T, string) {}, fault.OK, n},
		"a torn head at the end":          {grow([]byte{0, 0, 1}), fault.OK, n},
		"a torn record at the end":        {grow([]byte{0, 0, 1, 0, 1, 2, 3, 4, 'x'}), fault.OK, n},
		"zeros at the end":                {grow(make([]byte, 4096)), fault.OK, n},
		"the tree is gone":                {noTree, fault.OK, n},
		"the last record is torn":         {cut(1), fault.OK, n}, // the tree has it
		"a byte in the middle is flipped": {flip(500), fault.OK, n},
		"tree gone, last record torn": {func(t *testing.T, dir string) {
			noTree(t, dir)
			cut(1)(t, dir) // the ledger would know: its head has n records
		}, fault.OK, n - 1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "log")
			l := open(t, dir)
			for range n {
				add(t, l, record("a", granted))
			}
			l.waitForTree(t)
			_, root, err := l.Head(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			c.change(t, dir)
			l, err = Open(context.Background(), config(t, dir))
			if fault.CodeOf(err) != c.code {
				t.Fatalf("open: %v", err)
			}
			if err != nil {
				return
			}
			defer l.Close()
			if l.Size() != c.size || l.Last("a") != c.size {
				t.Errorf("%d records, number %d, want %d", l.Size(), l.Last("a"), c.size)
			}
			if again, err := l.Root(context.Background(), c.size); err != nil || c.size == n && string(again) != string(root) {
				t.Errorf("another root: %v", err)
			}
			if e := add(t, l, record("a", granted)); e.Record.Seq != c.size+1 || e.Index != c.size {
				t.Errorf("the next is record %d, number %d", e.Index, e.Record.Seq)
			}
		})
	}
}

// TestFailsClosed: after a write that failed nothing is taken any more.
func TestFailsClosed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l := open(t, dir)
	add(t, l, record("a", granted))
	if err := l.journal.out.Close(); err != nil { // as a disk that is gone
		t.Fatal(err)
	}
	for range 3 {
		if _, err := l.Append(context.Background(), record("a", granted)); err == nil {
			t.Fatal("a record that is not on disk was acknowledged")
		}
	}
	if l.Err() == nil || l.Size() != 1 {
		t.Errorf("%d records, %v", l.Size(), l.Err())
	}
}

// TestOneProcess: a second gateway in the same folder is refused.
func TestOneProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	open(t, dir)
	if _, err := Open(context.Background(), config(t, dir)); !fault.Is(err, fault.Locked) {
		t.Errorf("a second one: %v", err)
	}
}

// TestBounds: what is too large is refused before it is written.
func TestBounds(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "log"))
	r := record("a", granted)
	r.Items = strings.Split(strings.Repeat("0123456789 ", 10_000), " ")
	if _, err := l.Append(context.Background(), r); !fault.Is(err, fault.TooLong) {
		t.Errorf("a record of 100 KB: %v", err)
	}
	if l.Size() != 0 {
		t.Error("it was written")
	}
}

const killVariable = "RECEIPT_TEST_DIR"

func TestMain(m *testing.M) {
	dir := os.Getenv(killVariable)
	if dir == "" {
		os.Exit(m.Run())
	}
	key, err := sm.FromSeed(sm.Ed25519, [32]byte{7})
	if err != nil {
		panic(err)
	}
	l, err := Open(context.Background(), Config{Dir: dir, Gateway: "g", Origin: "o", Key: key, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	for i := range 8 {
		go func() {
			for {
				e, err := l.Append(context.Background(), record(fmt.Sprint(i%3), granted))
				if err != nil {
					panic(err)
				}
				fmt.Printf("%d %s %d\n", e.Index, e.Record.Agreement, e.Record.Seq)
			}
		}()
	}
	select {}
}

// TestKilled: what Append has returned is there after kill -9, under its number.
func TestKilled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	told := 0
	for i := range 8 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killVariable+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The moment is the point of the test: every other time some of it after the first
		// record, which a busy machine may write late.
		kill := func() { time.AfterFunc(time.Duration(60+40*i)*time.Millisecond, func() { cmd.Process.Kill() }) }
		if i%2 == 0 {
			kill()
		}
		type said struct {
			index     uint64
			agreement string
			seq       uint64
		}
		var all []said
		for in := bufio.NewScanner(out); in.Scan(); {
			var s said
			if n, _ := fmt.Sscanf(in.Text(), "%d %s %d", &s.index, &s.agreement, &s.seq); n == 3 && strings.Count(in.Text(), " ") == 2 {
				all = append(all, s)
			}
			if i%2 == 1 && len(all) == 1 {
				kill()
			}
		}
		cmd.Wait()
		if len(all) > 0 {
			all = all[:len(all)-1] // its line may be cut
		}
		cfg := config(t, dir)
		cfg.Origin = "o"
		l, err := Open(context.Background(), cfg)
		if err != nil {
			t.Fatalf("after kill %d: %v", i, err)
		}
		for _, s := range all {
			e, err := l.Record(s.index)
			if err != nil || e.Record.Agreement != s.agreement || e.Record.Seq != s.seq {
				t.Fatalf("after kill %d: record %d: %v, %v", i, s.index, e.Record, err)
			}
		}
		told += len(all)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if told == 0 {
		t.Error("nobody ever wrote")
	}
	t.Logf("%d records were acknowledged", told)
}

func BenchmarkAppend(b *testing.B) {
	b.Run("lone", func(b *testing.B) {
		l := open(b, filepath.Join(b.TempDir(), "log"))
		for b.Loop() {
			add(b, l, record("a", granted))
		}
	})
	b.Run("many", func(b *testing.B) {
		l := open(b, filepath.Join(b.TempDir(), "log"))
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				add(b, l, record("a", granted))
			}
		})
	})
}

// TestFlippedBit: an old record that cannot be read any more stops the log, and takes
// none of those that follow it along.
func TestFlippedBit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l := open(t, dir)
	for range 5 {
		add(t, l, record("a", tracev1.Outcome_OUTCOME_GRANTED))
	}
	l.waitForTree(t)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "journal")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(good)
	bad[frameHead+3] ^= 1
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	bundles := filepath.Join(dir, "tiles", "tile", "entries")
	hidden := filepath.Join(t.TempDir(), "entries")
	if err := os.Rename(bundles, hidden); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), config(t, dir)); !fault.Is(err, fault.Damaged) {
		t.Fatalf("opened: %v", err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, bad) {
		t.Fatalf("the journal was changed: %d bytes of %d, %v", len(now), len(bad), err)
	}
	// The tree has what the journal has lost, and the journal what followed it.
	if err := os.RemoveAll(bundles); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(hidden, bundles); err != nil {
		t.Fatal(err)
	}
	if l = open(t, dir); l.Size() != 5 {
		t.Errorf("%d records", l.Size())
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, good) {
		t.Errorf("the journal is not what it was: %d bytes of %d, %v", len(now), len(good), err)
	}
}

// TestBookThatIsDamaged: likewise the receipts, for which there is no tree.
func TestBookThatIsDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "receipts")
	b, err := OpenBook(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		if err := b.Put(&tracev1.Receipt{Record: make([]byte, MaxRecordBytes-100)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	torn := raw[:len(raw)-7]
	raw = bytes.Clone(raw)
	raw[frameHead+9] ^= 1
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenBook(path); !fault.Is(err, fault.Damaged) {
		t.Errorf("opened: %v", err)
	}
	if err := os.WriteFile(path, torn, 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err = OpenBook(path); err != nil || b.Len() != 3 {
		t.Fatalf("a torn end: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}
