package gateway

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"mulian/client/keyring"
	"mulian/internal/sm"
)

// TestOverlapCountsFromTheLedger: a key that was made long ago and is on the ledger for a
// moment is not in use for long, also after a stop, and whatever the file of it says.
func TestOverlapCountsFromTheLedger(t *testing.T) {
	home := t.TempDir()
	ring, account := keyring.Ring{Dir: filepath.Join(home, "keys")}, "12110000000000000X/g/main"
	fresh, err := ring.New(account, "seal-2", sm.SM2)
	if err != nil {
		t.Fatal(err)
	}
	list, err := ring.List()
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	now := time.Now()
	if err := os.Chtimes(list[0].Path, now.Add(-48*time.Hour), now.Add(-48*time.Hour)); err != nil {
		t.Fatal(err)
	}
	g, path, public := &Gateway{keys: Keys{Seal: fresh}}, filepath.Join(home, sightingsFile), fresh.Public().Bytes()
	over := func(at time.Time, keys ...[]byte) bool {
		t.Helper()
		since, err := sighted(path, at, keys...)
		if err != nil {
			t.Fatal(err)
		}
		return g.overlapped(keyring.Seal, public, since, 24*time.Hour)
	}
	old := []byte("the key before")
	if over(now.Add(-47*time.Hour), old) {
		t.Error("over, and the ledger does not have the key")
	}
	for range 2 {
		if over(now, public) {
			t.Error("over as soon as the ledger has the key")
		}
	}
	if err := os.WriteFile(path, []byte("no json"), 0o600); err != nil {
		t.Fatal(err)
	}
	if over(now, public) {
		t.Error("over with a damaged file")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	over(now.Add(-25*time.Hour), public)
	if !over(now, public) {
		t.Error("not over a day after the ledger had the key")
	}
	if over(now, old) || over(now, public) {
		t.Error("over for a key that comes back")
	}
}
