package keyring_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mulian/client/keyring"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

const org = "11110000MULN00010J"

func TestAKeyIsKeptForItsOwnerAlone(t *testing.T) {
	r := keyring.Ring{Dir: filepath.Join(t.TempDir(), "keys")}
	for _, alg := range []sm.Algorithm{sm.SM2, sm.P256, sm.Ed25519} {
		label := alg.String()
		made, err := r.New(org+"/g/main", label, alg)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(r.Dir, org+"~g~main."+label+".key")
		st, err := os.Stat(path)
		if err != nil || st.Mode().Perm() != 0o600 {
			t.Fatalf("%s: %v, %v", label, st, err)
		}
		read, err := r.Key(org+"/g/main", label)
		if err != nil || read.Public().ID() != made.Public().ID() {
			t.Errorf("%s: read %v, %v", label, read.Public().ID(), err)
		}
		if _, err := r.New(org+"/g/main", label, alg); !fault.Is(err, fault.AlreadyExists) {
			t.Errorf("%s: made twice: %v", label, err)
		}
	}
	if st, err := os.Stat(r.Dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", st, err)
	}
	list, err := r.List()
	if err != nil || len(list) != 3 || list[0].Account != org+"/g/main" {
		t.Errorf("%v, %v", list, err)
	}
}

// TestAKeyThatOthersCanReadIsNotUsed: any right of anybody else spoils it, and the
// error tells how to mend it.
func TestAKeyThatOthersCanReadIsNotUsed(t *testing.T) {
	r := keyring.Ring{Dir: t.TempDir()}
	if _, err := r.New(org, keyring.Officer, sm.SM2); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(r.Dir, org+".officer.key")
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660, 0o601, 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		for name, read := range map[string]func() error{
			"key":    func() error { _, err := r.Key(org, keyring.Officer); return err },
			"signer": func() error { _, err := r.Signer(org, keyring.Officer, keyring.Root); return err },
		} {
			if err := read(); err == nil || !strings.Contains(err.Error(), "chmod 600") || fault.Is(err, fault.NotFound) {
				t.Errorf("%s with mode %o: %v", name, mode, err)
			}
		}
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Key(org, keyring.Officer); err != nil {
		t.Error(err)
	}
}

// TestNoNameLeavesTheFolder: names that would be a path, another account's file or
// no file at all are refused by everything that takes one.
func TestNoNameLeavesTheFolder(t *testing.T) {
	dir := t.TempDir()
	r := keyring.Ring{Dir: filepath.Join(dir, "keys")}
	key, err := sm.Generate(sm.SM2)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range [][2]string{
		{"", "officer"},
		{org, ""},
		{"../x", "officer"},
		{org, "../officer"},
		{"..", "officer"},
		{org + "/../../x", "officer"},
		{".hidden", "officer"},
		{org, ".key"},
		{org + "~g~main", "officer"},
		{org + ".officer", "key"},
		{org, "a/b"},
		{org, "a.b"},
		{`a\b`, "officer"},
		{"a\x00b", "officer"},
		{strings.Repeat("1", 101), "officer"},
		{org, strings.Repeat("1", 101)},
	} {
		if err := r.Add(n[0], n[1], key); !fault.Is(err, fault.Malformed) {
			t.Errorf("add %q %q: %v", n[0], n[1], err)
		}
		if _, err := r.Key(n[0], n[1]); !fault.Is(err, fault.Malformed) {
			t.Errorf("read %q %q: %v", n[0], n[1], err)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("something was written: %v, %v", left, err)
	}
}

func TestTheFirstLabelThatIsThereSigns(t *testing.T) {
	r := keyring.Ring{Dir: filepath.Join(t.TempDir(), "keys")}
	if list, err := r.List(); err != nil || len(list) != 0 {
		t.Errorf("a folder that is not there: %v, %v", list, err)
	}
	if _, err := r.Signer(org, keyring.Officer, keyring.Root); !fault.Is(err, fault.NotFound) {
		t.Errorf("no key: %v", err)
	}
	root, err := r.New(org, keyring.Root, sm.SM2)
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Signer(org, keyring.Officer, keyring.Root)
	if err != nil || s.Key.Public().ID() != root.Public().ID() || s.Account != org {
		t.Errorf("%v, %v", s.Account, err)
	}
	officer, err := r.New(org, keyring.Officer, sm.SM2)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = r.Signer(org, keyring.Officer, keyring.Root); err != nil || s.Key.Public().ID() != officer.Public().ID() {
		t.Errorf("%v", err)
	}
}

// TestAFileThatIsNoKeyIsNoKey: strange files in the folder neither hide the keys nor
// are taken for one.
func TestAFileThatIsNoKeyIsNoKey(t *testing.T) {
	r := keyring.Ring{Dir: t.TempDir()}
	for name, text := range map[string]string{"readme.txt": "x", "nolabel.key": "x", org + ".officer.key": "no key", org + ".root.key": strings.Repeat("x", 1<<20)} {
		if err := os.WriteFile(filepath.Join(r.Dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(r.Dir, org+".seal.key"), 0o700); err != nil {
		t.Fatal(err)
	}
	list, err := r.List()
	if err != nil || len(list) != 2 {
		t.Errorf("%v, %v", list, err)
	}
	for _, label := range []string{"officer", "root", "seal"} {
		if _, err := r.Key(org, label); err == nil || fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", label, err)
		}
	}
}

// TestDestroyIsFinished: whatever a stop in the middle of a destruction leaves, the ring has
// no such key, lists no such file, and the rest is done later, again and again.
func TestDestroyIsFinished(t *testing.T) {
	r := keyring.Ring{Dir: t.TempDir()}
	path := filepath.Join(r.Dir, org+".seal")
	empty := func(when string) {
		t.Helper()
		left, err := os.ReadDir(r.Dir)
		if err != nil || len(left) != 0 {
			t.Errorf("%s: %v is left, %v", when, left, err)
		}
	}
	if err := r.Sweep(); err != nil {
		t.Error(err)
	}
	for _, after := range []string{"the rename", "the zeros"} {
		if _, err := r.New(org, keyring.Seal, sm.SM2); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".key", path+".destroyed"); err != nil {
			t.Fatal(err)
		}
		if after == "the zeros" {
			if err := os.WriteFile(path+".destroyed", make([]byte, 200), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if list, err := r.List(); err != nil || len(list) != 0 {
			t.Errorf("stopped after %s: %v, %v", after, list, err)
		}
		if _, err := r.Key(org, keyring.Seal); !fault.Is(err, fault.NotFound) {
			t.Errorf("stopped after %s: %v", after, err)
		}
		if err := r.Sweep(); err != nil {
			t.Error(err)
		}
		empty("swept after " + after)
	}
	for range 2 {
		if _, err := r.New(org, keyring.Seal, sm.SM2); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+".destroyed", []byte("an earlier one"), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := r.Destroy(org, keyring.Seal); err != nil {
				t.Error(err)
			}
			empty("destroyed")
		}
	}
}

// TestTheRingIsWholeWhileAKeyDies: the overwriting fails, as if it was stopped there: the
// ring has every other key, and not that one.
func TestTheRingIsWholeWhileAKeyDies(t *testing.T) {
	r := keyring.Ring{Dir: t.TempDir()}
	for _, label := range []string{keyring.Seal, keyring.Log} {
		if _, err := r.New(org, label, sm.P256); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(r.Dir, org+".seal.key")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil { // cannot be written
		t.Fatal(err)
	}
	if err := r.Destroy(org, keyring.Seal); err == nil {
		t.Error("a folder was destroyed as a key")
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("it is still under a key's name: %v", err)
	}
	if list, err := r.List(); err != nil || len(list) != 1 || list[0].Label != keyring.Log {
		t.Errorf("%v, %v", list, err)
	}
}
