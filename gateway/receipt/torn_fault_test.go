package receipt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api/layout"

	"mulian/internal/fault"
)

// tornRecords fill two tiles and a part of a third.
const tornRecords = 2*layout.TileWidth + 77

// TestTornLog: whatever a power failure has torn, zeroed or taken of tiles, bundles,
// checkpoint, state and journal, Open makes it what it was, from what is left, or says
// exactly what it cannot.
func TestTornLog(t *testing.T) {
	t.Parallel()
	good := filepath.Join(t.TempDir(), "log")
	l := open(t, good)
	for range tornRecords {
		add(t, l, record("a", granted))
	}
	l.waitForTree(t)
	_, root, err := l.Head(t.Context())
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	cut := func(path string) error { return change(path, func(b []byte) []byte { return b[:len(b)/2] }) }
	zero := func(path string) error { return change(path, func(b []byte) []byte { return make([]byte, len(b)) }) }
	empty := func(path string) error { return change(path, func([]byte) []byte { return nil }) }
	damages := map[string]func(string) error{"cut": cut, "zeroed": zero, "empty": empty, "gone": os.Remove}
	files := map[string]string{
		"a tile": layout.TilePath(0, 1, 0), "the last tile": layout.TilePath(0, 2, 77), "the upper tile": layout.TilePath(1, 0, 2),
		"a bundle": layout.EntriesPath(0, 0), "the last bundle": layout.EntriesPath(2, 77),
		"checkpoint": layout.CheckpointPath, "state": filepath.Join(".state", "treeState"),
	}
	for what, file := range files {
		for how, damage := range damages {
			t.Run(what+" "+how, func(t *testing.T) {
				t.Parallel()
				dir := copyOf(t, good)
				if err := damage(filepath.Join(dir, "tiles", file)); err != nil {
					t.Fatal(err)
				}
				whole(t, dir, root)
			})
		}
	}
	for how, damage := range damages {
		t.Run("state and checkpoint "+how, func(t *testing.T) {
			t.Parallel()
			dir := copyOf(t, good)
			for _, what := range []string{"state", "checkpoint"} {
				if err := damage(filepath.Join(dir, "tiles", files[what])); err != nil {
					t.Fatal(err)
				}
			}
			whole(t, dir, root)
		})
		t.Run("journal "+how, func(t *testing.T) {
			t.Parallel()
			dir := copyOf(t, good)
			if err := damage(filepath.Join(dir, "journal")); err != nil {
				t.Fatal(err)
			}
			whole(t, dir, root)
		})
		t.Run("journal and a bundle "+how, func(t *testing.T) {
			t.Parallel()
			dir := copyOf(t, good)
			if err := damage(filepath.Join(dir, "journal")); err != nil {
				t.Fatal(err)
			}
			if err := damage(filepath.Join(dir, "tiles", files["the last bundle"])); err != nil {
				t.Fatal(err)
			}
			notOpened(t, dir, "cannot be read in the journal")
		})
	}
	t.Run("the journal of another log", func(t *testing.T) {
		t.Parallel()
		dir, other := copyOf(t, good), filepath.Join(t.TempDir(), "other")
		l := open(t, other)
		for range tornRecords {
			add(t, l, record("b", granted))
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(filepath.Join(other, "journal"))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "journal"), raw, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		notOpened(t, dir, "mulian gateway restore")
	})
}

func change(path string, fn func([]byte) []byte) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, fn(raw), 0o600)
}

func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "log")
	if err := errors.Join(os.CopyFS(to, os.DirFS(dir)), os.Chmod(to, 0o700)); err != nil {
		t.Fatal(err)
	}
	return to
}

// notOpened holds that the folder is not opened, and that the text says what to know.
func notOpened(t *testing.T, dir, words string) {
	t.Helper()
	l, err := Open(context.Background(), config(t, dir))
	if err == nil {
		l.Close()
	}
	if !fault.Is(err, fault.Damaged) || !strings.Contains(err.Error(), words) {
		t.Fatalf("opened: %v; want %q", err, words)
	}
}

// whole holds that the log is what it was for its owner and for anyone who reads its
// files, that it goes on, and that it opens again.
func whole(t *testing.T, dir string, root []byte) {
	t.Helper()
	l := open(t, dir)
	if again, err := l.Root(t.Context(), tornRecords); err != nil || !bytes.Equal(again, root) || l.Last("a") != tornRecords {
		t.Fatalf("%d records, another root: %v", l.Size(), err)
	}
	add(t, l, record("a", granted))
	l.waitForTree(t)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir)
	defer l.Close()
	if l.Size() != tornRecords+1 {
		t.Fatalf("%d records", l.Size())
	}
	for i := range uint64(tornRecords / layout.TileWidth) {
		tile, err := os.ReadFile(filepath.Join(dir, "tiles", layout.TilePath(0, i, 0)))
		if err != nil {
			t.Fatal(err)
		}
		bundle, err := os.ReadFile(filepath.Join(dir, "tiles", layout.EntriesPath(i, 0)))
		if err != nil {
			t.Fatal(err)
		}
		for n := range uint64(layout.TileWidth) {
			e, err := l.Record(i*layout.TileWidth + n)
			if err != nil {
				t.Fatal(err)
			}
			size := int(binary.BigEndian.Uint16(bundle))
			if !bytes.Equal(bundle[2:2+size], e.Raw) || !bytes.Equal(tile[32*n:32*n+32], rfc6962.DefaultHasher.HashLeaf(e.Raw)) {
				t.Fatalf("record %d is another in its tile or bundle", e.Index)
			}
			bundle = bundle[2+size:]
		}
	}
	checkpoint, err := os.ReadFile(filepath.Join(dir, "tiles", layout.CheckpointPath))
	if err != nil || !strings.Contains(string(checkpoint), fmt.Sprintf("\n%d\n", tornRecords+1)) {
		t.Errorf("checkpoint: %q, %v", checkpoint, err)
	}
}
