package backup_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"

	"mulian/gateway/backup"
	"mulian/internal/fault"
)

const account = "11110000MULN00010J/g/main"

// ofOwners is what a gateway keeps of grants and credentials.
var ofOwners = []string{"deliveries/uses/0123456789abcdef0123456789abcdef.use", "issue.secret", "issued/00112233445566778899aabbccddeeff.json"}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func grow(t *testing.T, path string, more []byte) {
	t.Helper()
	have, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	write(t, path, append(have, more...))
}

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// home makes a home with something in each book, and its keys.
func home(t *testing.T) backup.Order {
	t.Helper()
	dir := t.TempDir()
	o := backup.Order{Gateway: account, Home: filepath.Join(dir, "home"), Keys: filepath.Join(dir, "keys"), To: filepath.Join(dir, "copy"), Version: "test"}
	for _, name := range []string{"log/journal", "fetches/receipts", "deliveries/acknowledged", "dsp/org~g~host/receipts"} {
		write(t, filepath.Join(o.Home, name), noise(3<<20))
	}
	write(t, filepath.Join(o.Home, "deliveries/subject.salt"), noise(32))
	for _, name := range ofOwners {
		write(t, filepath.Join(o.Home, name), noise(300))
	}
	write(t, filepath.Join(o.Home, "fetches/r1.fetch"), []byte("{}"))
	write(t, filepath.Join(o.Home, "dsp/journal"), []byte("{}\n"))
	write(t, filepath.Join(o.Home, "deliveries/a-1/pages"), noise(1<<20)) // comes back by itself
	write(t, filepath.Join(o.Keys, "11110000MULN00010J~g~main.machine.key"), noise(100))
	write(t, filepath.Join(o.Keys, "another.root.key"), noise(100))
	return o
}

func take(t *testing.T, o backup.Order) int64 {
	t.Helper()
	_, n, err := backup.Take(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOnlyWhatIsNewIsCopiedAndAllComesBack(t *testing.T) {
	o := home(t)
	first := take(t, o)
	if first < 9<<20 {
		t.Errorf("the first copied %d bytes", first)
	}
	if n := take(t, o); n != 0 {
		t.Errorf("nothing was new, and %d bytes were copied", n)
	}
	grow(t, filepath.Join(o.Home, "log/journal"), noise(1000))
	if n := take(t, o); n != 1000 {
		t.Errorf("1000 bytes were new, and %d were copied", n)
	}
	to, keys := filepath.Join(t.TempDir(), "home"), filepath.Join(t.TempDir(), "keys")
	if _, err := backup.Restore(context.Background(), o.To, to, keys); err != nil {
		t.Fatal(err)
	}
	for _, name := range append([]string{"log/journal", "fetches/receipts", "deliveries/acknowledged", "deliveries/subject.salt", "fetches/r1.fetch", "dsp/journal", "dsp/org~g~host/receipts"}, ofOwners...) {
		want, err := os.ReadFile(filepath.Join(o.Home, name))
		got, err2 := os.ReadFile(filepath.Join(to, name))
		if err != nil || err2 != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what it was (%v, %v)", name, err, err2)
		}
	}
	if _, err := os.Stat(filepath.Join(to, "deliveries/a-1")); err == nil {
		t.Error("pages of a delivery were copied")
	}
	for name, want := range map[string]bool{"11110000MULN00010J~g~main.machine.key": true, "another.root.key": false} {
		st, err := os.Stat(filepath.Join(keys, name))
		if (err == nil) != want || err == nil && st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	if _, err := backup.Restore(context.Background(), o.To, to, keys); !fault.Is(err, fault.AlreadyExists) {
		t.Errorf("over a home: %v", err)
	}
	write(t, filepath.Join(keys, "11110000MULN00010J~g~main.machine.key"), noise(100))
	elsewhere := filepath.Join(t.TempDir(), "home")
	if _, err := backup.Restore(context.Background(), o.To, elsewhere, keys); !fault.Is(err, fault.AlreadyExists) {
		t.Errorf("over another key: %v", err)
	}
	if _, err := os.Stat(elsewhere); err == nil {
		t.Error("a refused restore left a home")
	}
}

func TestWithoutKeysThereAreNone(t *testing.T) {
	o := home(t)
	o.Keys = ""
	m, _, err := backup.Take(context.Background(), o)
	if err != nil || m.Keys {
		t.Fatal(m, err)
	}
	if _, err := os.Stat(filepath.Join(o.To, "keys")); err == nil {
		t.Error("keys were copied")
	}
}

// TestARewoundHomeDoesNotOverwriteItsBackup: nor does another's.
func TestARewoundHomeDoesNotOverwriteItsBackup(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, o *backup.Order) fault.Code{
		"shorter": func(t *testing.T, o *backup.Order) fault.Code {
			if err := os.Truncate(filepath.Join(o.Home, "log/journal"), 1<<20); err != nil {
				t.Fatal(err)
			}
			return fault.Damaged
		},
		"another history": func(t *testing.T, o *backup.Order) fault.Code {
			write(t, filepath.Join(o.Home, "log/journal"), noise(4<<20))
			return fault.Damaged
		},
		"another issuer's secret": func(t *testing.T, o *backup.Order) fault.Code {
			write(t, filepath.Join(o.Home, "issue.secret"), noise(32))
			return fault.Damaged
		},
		"no salt": func(t *testing.T, o *backup.Order) fault.Code {
			if err := os.Remove(filepath.Join(o.Home, "deliveries/subject.salt")); err != nil {
				t.Fatal(err)
			}
			return fault.Damaged
		},
		"another gateway": func(_ *testing.T, o *backup.Order) fault.Code {
			o.Gateway = "11110000MULN00010J/g/other"
			return fault.Usage
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := home(t)
			take(t, o)
			want := spoil(t, &o)
			if _, _, err := backup.Take(context.Background(), o); !fault.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
			if _, err := backup.Check(context.Background(), o.To); err != nil {
				t.Errorf("the backup before is gone: %v", err)
			}
		})
	}
}

// TestWhatIsForgottenIsNotKept: notes of uses that are settled would be sealed personal data
// for ever, and a restore would release by them again.
func TestWhatIsForgottenIsNotKept(t *testing.T) {
	o := home(t)
	take(t, o)
	note := ofOwners[0]
	if err := os.Remove(filepath.Join(o.Home, note)); err != nil {
		t.Fatal(err)
	}
	take(t, o)
	if _, err := os.Stat(filepath.Join(o.To, note)); !os.IsNotExist(err) {
		t.Errorf("the copy of a note that was settled: %v", err)
	}
	m, err := backup.Check(context.Background(), o.To)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append([]string{"deliveries/subject.salt", "fetches/r1.fetch", "dsp/journal"}, ofOwners[1:]...) {
		if _, ok := m.Files[name]; !ok {
			t.Errorf("%s went, too", name)
		}
	}
}

// TestACutOffTakeLeavesTheOneBefore: bytes behind the manifest's sizes are what a
// copy that was killed had begun.
func TestACutOffTakeLeavesTheOneBefore(t *testing.T) {
	o := home(t)
	take(t, o)
	grow(t, filepath.Join(o.Home, "log/journal"), noise(5000))
	now, err := os.ReadFile(filepath.Join(o.Home, "log/journal"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(o.To, "log/journal"), now[:len(now)-2000]) // killed amid the copy
	if _, err := backup.Check(context.Background(), o.To); err != nil {
		t.Errorf("the backup before: %v", err)
	}
	if n := take(t, o); n != 5000 {
		t.Errorf("%d bytes, want 5000", n)
	}
	if _, err := backup.Check(context.Background(), o.To); err != nil {
		t.Error(err)
	}
}

func TestEachFlippedByteIsFound(t *testing.T) {
	o := home(t)
	take(t, o)
	if _, err := backup.Check(context.Background(), t.TempDir()); !fault.Is(err, fault.NotFound) {
		t.Errorf("an empty folder: %v", err)
	}
	for _, name := range []string{"log/journal", "deliveries/subject.salt", "backup.json", "keys/11110000MULN00010J~g~main.machine.key"} {
		path := filepath.Join(o.To, name)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bad := bytes.Clone(good)
		bad[len(bad)/2] ^= 1
		write(t, path, bad)
		to := filepath.Join(t.TempDir(), "home")
		if _, err := backup.Restore(context.Background(), o.To, to, ""); !fault.Is(err, fault.Damaged) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(to); err == nil {
			t.Errorf("%s: a home was made of it", name)
		}
		write(t, path, good)
	}
}
