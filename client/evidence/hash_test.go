package evidence

import (
	"bytes"
	"context"
	"encoding/hex"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"mulian/internal/fault"
)

func write(t testing.TB, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestKnownHashes: the vectors of FIPS 180-4 and GB/T 32905-2016, and the empty file.
func TestKnownHashes(t *testing.T) {
	for content, want := range map[string][2]string{
		"abc": {"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"},
		"":    {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b"},
	} {
		d, m, err := Look(context.Background(), write(t, filepath.Join(t.TempDir(), "文件.txt"), content), nil)
		if err != nil || hex.EncodeToString(d.SHA256) != want[0] || hex.EncodeToString(d.SM3) != want[1] {
			t.Errorf("%q: %x %x, %v", content, []byte(d.SHA256), []byte(d.SM3), err)
		}
		if m.Name != "文件.txt" || m.Bytes != uint64(len(content)) || m.MediaType != "text/plain" || m.Modified == "" {
			t.Errorf("metadata %+v", m)
		}
	}
}

// TestABigFileInLittleMemory reads a sparse file, 128 MiB or with MULIAN_GIB=1 1 GiB: what
// is allocated does not grow with it, and the hash is that of so many zero bytes.
func TestABigFileInLittleMemory(t *testing.T) {
	size, want := int64(1<<27), "254bcc3fc4f27172636df4bf32de9f107f620d559b20d760197e452b97453917"
	switch {
	case testing.Short():
		size, want = 1<<24, "080acf35a507ac9849cfcba47dc2ad83e01b75663a516279c8b9d243b719643e"
	case os.Getenv("MULIAN_GIB") == "1":
		size, want = 1<<30, "49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14"
	}
	path := filepath.Join(t.TempDir(), "big")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var seen int64
	d, m, err := Look(context.Background(), path, func(n int) { seen += int64(n) })
	runtime.ReadMemStats(&after)
	if err != nil || hex.EncodeToString(d.SHA256) != want || m.Bytes != uint64(size) || seen != size {
		t.Errorf("%x of %d bytes, %d seen, %v", []byte(d.SHA256), m.Bytes, seen, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
		t.Errorf("%d MiB were allocated", used>>20)
	}
}

// TestAFileThatChanges: a file that is written to while it is read is not anchored.
func TestAFileThatChanges(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "log"), strings.Repeat("x", 3<<20))
	grow := true
	_, _, err := Look(context.Background(), path, func(int) {
		if grow {
			grow = false
			write(t, path, strings.Repeat("y", 4<<20))
		}
	})
	if !fault.Is(err, fault.VersionConflict) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := Look(ctx, path, nil); !fault.Is(err, fault.Cancelled) {
		t.Errorf("stopped: %v", err)
	}
}

func TestWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := Look(context.Background(), dir, nil); !fault.Is(err, fault.Malformed) {
		t.Errorf("a folder: %v", err)
	}
	if _, _, err := Look(context.Background(), filepath.Join(dir, "none"), nil); !fault.Is(err, fault.NotFound) {
		t.Errorf("nothing: %v", err)
	}
	if _, _, err := Look(context.Background(), os.DevNull, nil); !fault.Is(err, fault.Malformed) {
		t.Errorf("a device: %v", err)
	}
}

// TestFind: folders with all in them, but no evidence, links, or a file twice.
func TestFind(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b/2.txt", "b/1.txt", "a.txt", "a.txt.evidence/evidence.json", "b/.hidden"} {
		write(t, filepath.Join(dir, name), name)
	}
	if err := os.Symlink(filepath.Join(dir, "a.txt"), filepath.Join(dir, "b", "link")); err != nil {
		t.Fatal(err)
	}
	files, err := Find(context.Background(), []string{filepath.Join(dir, "a.txt"), dir + "/"})
	var names []string
	for _, f := range files {
		rel, _ := filepath.Rel(dir, f.Path)
		names = append(names, rel)
	}
	if err != nil || strings.Join(names, " ") != "a.txt b/.hidden b/1.txt b/2.txt" {
		t.Errorf("%v, %v", names, err)
	}
	if _, err := Find(context.Background(), []string{filepath.Join(dir, "none")}); !fault.Is(err, fault.NotFound) {
		t.Errorf("nothing there: %v", err)
	}
	if _, err := Find(context.Background(), []string{filepath.Join(dir, "a.txt.evidence")}); !fault.Is(err, fault.Malformed) {
		t.Errorf("an evidence folder: %v", err)
	}
}

// TestProgramHash: the hash of the running program is that of its file.
func TestProgramHash(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := Look(context.Background(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ProgramHash(context.Background()); err != nil || !bytes.Equal(got, want.SHA256) {
		t.Errorf("%x, %v", []byte(got), err)
	}
}
