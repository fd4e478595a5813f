package proof_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mulian/state/proof"
)

// sharedData returns the folder of public test vectors, or skips.
func sharedData(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("MULIAN_SHARED"); dir != "" {
		return filepath.Join(dir, "data")
	}
	for dir := "."; ; dir = filepath.Join(dir, "..") {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			data := filepath.Join(dir, "..", "shared", "data")
			if _, err := os.Stat(data); err == nil {
				return data
			}
			t.Skip("SKIP no shared data: neither ../shared/data beside the repository nor MULIAN_SHARED")
		}
		if abs, err := filepath.Abs(dir); err != nil || abs == "/" {
			t.Fatal("no go.mod above the test")
		}
	}
}

// vector is of either kind: github.com/transparency-dev/merkle, testdata.
type vector struct {
	LeafIdx, TreeSize uint64
	Root, LeafHash    []byte
	Size1, Size2      uint64
	Root1, Root2      []byte
	Proof             [][]byte
	WantErr           bool
}

var errLength = errors.New("a hash of another length")

// hash converts a vector's bytes. Our types hold 32 bytes, so that a hash of
// another length is refused where it is decoded.
func hash(b []byte, err *error) (h proof.Hash) {
	if copy(h[:], b); len(b) != len(h) {
		*err = errLength
	}
	return h
}

// placeholder keeps a root, or puts a hash in the place of a text such as "don't
// care 2", of which only matters whether the other one is equal.
func placeholder(b []byte) proof.Hash {
	if len(b) == sha256.Size {
		return proof.Hash(b)
	}
	return sha256.Sum256(b)
}

func (v *vector) check(kind string) (err error) {
	var path []proof.Hash
	for _, b := range v.Proof {
		path = append(path, hash(b, &err))
	}
	if kind == "inclusion" {
		root, leaf := hash(v.Root, &err), hash(v.LeafHash, &err)
		if err != nil {
			return err
		}
		got, err := proof.RootFromPath(leaf, int64(v.LeafIdx), int64(v.TreeSize), path)
		if err == nil && got != root {
			err = errors.New("another root")
		}
		return err
	}
	if err != nil {
		return err
	}
	old, latest := placeholder(v.Root1), placeholder(v.Root2)
	return proof.VerifyConsistency(old, latest, &proof.Consistency{OldSize: int64(v.Size1), NewSize: int64(v.Size2), Path: path})
}

func TestRFC6962Vectors(t *testing.T) {
	root := filepath.Join(sharedData(t), "vectors", "rfc6962")
	seen := map[string]int{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".json") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var v vector
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		kind, _, _ := strings.Cut(name, string(filepath.Separator))
		seen[kind]++
		t.Run(name, func(t *testing.T) {
			if err := v.check(kind); (err != nil) != v.WantErr {
				t.Errorf("%v, want an error: %t", err, v.WantErr)
			}
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen["inclusion"] == 0 || seen["consistency"] == 0 {
		t.Errorf("vectors of each kind: %v", seen)
	}
}
