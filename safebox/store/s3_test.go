package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"mulian/internal/fault"
	"mulian/internal/objecttest"
	"mulian/safebox/boxtest"
	"mulian/safebox/store"
)

func open(t *testing.T, place string) store.Blobs {
	t.Helper()
	b, err := store.Open(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestObjectStore: a bucket of a store that strangers have written does what files do, at its
// root and below a prefix, and two prefixes do not see each other.
func TestObjectStore(t *testing.T) {
	place := objecttest.Run(t, false).Place
	n := 0
	prefixes := map[store.Blobs]string{}
	next := func(t *testing.T) store.Blobs {
		n++
		prefix := fmt.Sprintf("city-%d/boxes", n)
		b := open(t, place(prefix))
		prefixes[b] = prefix
		return b
	}
	boxtest.Run(t, next, func(t *testing.T, b store.Blobs) store.Blobs { return open(t, place(prefixes[b])) })
	root := open(t, place(""))
	if _, err := root.Size(t.Context(), "city-1/boxes/p-1/vault"); err != nil {
		t.Errorf("from the root: %v", err)
	}
}

// TestBoxesInAnObjectStore: what an upload has returned for survives a store that is killed;
// what is erased is in no file of the store.
func TestBoxesInAnObjectStore(t *testing.T) {
	there := objecttest.Run(t, false)
	boxes := store.New(open(t, there.Place("b")), store.Quota{})
	body := []byte(strings.Repeat("planted-in-a-body ", store.PartBytes/9))
	put(t, boxes, one, body)
	there.Kill()
	if _, _, err := boxes.List(t.Context(), owner, "", 10); err == nil {
		t.Error("a store that is not there lists")
	}
	there.Start()
	boxes = store.New(open(t, there.Place("b")), store.Quota{})
	list, _, err := boxes.List(t.Context(), owner, "", 10)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d items: %v", len(list), err)
	}
	if !planted(t, there.Folder) {
		t.Fatal("the test does not see what is there")
	}
	if _, err := boxes.Erase(t.Context(), owner, one); err != nil {
		t.Fatal(err)
	}
	if planted(t, there.Folder) {
		t.Error("it is still in the store's files")
	}
}

// TestABucketWithVersions is refused: what is erased would stay in it.
func TestABucketWithVersions(t *testing.T) {
	there := objecttest.Run(t, true)
	if err := open(t, there.Place("b")).Close(); err != nil {
		t.Error(err)
	}
	c, err := minio.New(strings.TrimPrefix(there.Endpoint, "http://"), &minio.Options{Creds: credentials.NewStaticV4(objecttest.AccessKey, objecttest.SecretKey, "")})
	if err != nil {
		t.Fatal(err)
	}
	for name, set := range map[string]func(context.Context, string) error{"versions": c.EnableVersioning, "versions until now": c.SuspendVersioning} {
		if err := set(t.Context(), objecttest.Bucket); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Open(t.Context(), there.Place("b")); !fault.Is(err, fault.Usage) || !strings.Contains(err.Error(), "versions") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func planted(t *testing.T, folder string) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		found = found || strings.Contains(string(raw), "planted-in-a-body")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestPlaces: what is no place, and what does not let us in, says so before anything is kept.
func TestPlaces(t *testing.T) {
	there := objecttest.Run(t, false)
	place, file := there.Place, there.Keys
	good := place("b")
	wrong := filepath.Join(t.TempDir(), "wrong")
	if err := os.WriteFile(wrong, []byte("[default]\naws_access_key_id = tester\naws_secret_access_key = another\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	shown := filepath.Join(t.TempDir(), "shown")
	if err := os.WriteFile(shown, []byte("[default]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		place string
		code  fault.Code
	}{
		"keys in the address":        {"s3://tester:tester@boxes/b", fault.Usage},
		"no bucket":                  {"s3:///b", fault.Usage},
		"a parameter nobody knows":   {good + "&secret=x", fault.Usage},
		"a prefix that leads out":    {place("../b"), fault.Usage},
		"http to another machine":    {"s3://boxes?endpoint=http://192.0.2.1:9000", fault.Usage},
		"no such bucket":             {strings.Replace(good, "s3://boxes", "s3://others", 1), fault.Inaccessible},
		"keys that are not known":    {strings.Replace(good, file, wrong, 1), fault.Inaccessible},
		"keys that others can read":  {strings.Replace(good, file, shown, 1), fault.Inaccessible},
		"keys that are not there":    {strings.Replace(good, file, wrong+"-none", 1), fault.Inaccessible},
		"a store that does not live": {"s3://boxes?region=us-east-1&endpoint=http://127.0.0.1:1&credentials=" + file, fault.Inaccessible},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		b, err := store.Open(ctx, c.place)
		cancel()
		if !fault.Is(err, c.code) {
			t.Errorf("%s: %v, %v; want %s", name, b, err, c.code)
		}
	}
}
