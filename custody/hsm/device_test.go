//go:build cgo

package hsm_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/pkcs11"

	"mulian/custody/hsm"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// modules are the places where distributions put SoftHSM2.
var modules = []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"}

const pin = "314159"

// token makes a token of its own in a folder of the test.
func token(t *testing.T) hsm.Config {
	t.Helper()
	module := ""
	for _, m := range modules {
		if _, err := os.Stat(m); err == nil {
			module = m
			break
		}
	}
	if _, err := exec.LookPath("softhsm2-util"); err != nil || module == "" {
		if os.Getenv("MULIAN_REQUIRE_SERVERS") == "1" {
			t.Fatal("SoftHSM2 is absent: scripts/need-softhsm installs it")
		}
		t.Skip("SoftHSM2 is absent: scripts/need-softhsm installs it")
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("SOFTHSM2_CONF", write("softhsm2.conf", "directories.tokendir = "+dir+"\nobjectstore.backend = file\nlog.level = ERROR\n"))
	out, err := exec.Command("softhsm2-util", "--init-token", "--free", "--label", "custody", "--pin", pin, "--so-pin", "271828").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return hsm.Config{Module: module, Token: "custody", PINFile: write("pin", pin+"\n")}
}

func open(t *testing.T, c hsm.Config) *hsm.Device {
	t.Helper()
	d, err := hsm.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// TestKeysStayInside: a key made in the module signs as the ledger wants it, also after the
// module was closed and opened, from many goroutines; a key that it does not have signs nothing.
func TestKeysStayInside(t *testing.T) {
	c := token(t)
	d := open(t, c)
	k, err := d.Generate("柜台托管")
	if err != nil {
		t.Fatal(err)
	}
	other, err := d.Generate("柜台托管")
	if err != nil || other.ID() == k.ID() {
		t.Fatalf("the second key is %s: %v", other.ID(), err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Sign(k.ID(), []byte("x")); err == nil {
		t.Fatal("a closed module signs")
	}
	d = open(t, c)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			message := fmt.Appendf(nil, "transaction %d", i)
			sig, err := d.Sign(k.ID(), message)
			if err != nil || !k.Verify(message, sig) || other.Verify(message, sig) || k.Verify([]byte("another"), sig) {
				t.Errorf("message %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	stranger, err := sm.Generate(sm.P256)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Sign(stranger.Public().ID(), []byte("x")); !errors.Is(err, hsm.ErrNoKey) {
		t.Errorf("a key that is not there: %v", err)
	}
}

// TestNothingTakesAKeyOut asks the module itself, beside our door: every private key is
// sensitive and not extractable, and its value is refused.
func TestNothingTakesAKeyOut(t *testing.T) {
	c := token(t)
	d := open(t, c)
	if _, err := d.Generate("x"); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	m := pkcs11.New(c.Module)
	if err := m.Initialize(); err != nil {
		t.Fatal(err)
	}
	defer m.Destroy()
	defer m.Finalize()
	slots, err := m.GetSlotList(true)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.OpenSession(slots[0], pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Login(s, pkcs11.CKU_USER, pin); err != nil {
		t.Fatal(err)
	}
	if err := m.FindObjectsInit(s, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY)}); err != nil {
		t.Fatal(err)
	}
	keys, _, err := m.FindObjects(s, 10)
	if err != nil || len(keys) != 1 {
		t.Fatalf("%d private keys: %v", len(keys), err)
	}
	if got, err := m.GetAttributeValue(s, keys[0], []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_VALUE, nil)}); !errors.Is(err, pkcs11.Error(pkcs11.CKR_ATTRIBUTE_SENSITIVE)) {
		t.Errorf("the value of a private key: %d bytes, %v", len(got), err)
	}
	if got, err := m.GetAttributeValue(s, keys[0], []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, nil)}); err != nil || got[0].Value[0] != 0 {
		t.Errorf("extractable: %v, %v", got, err)
	}
}

// TestOpenRefuses: a wrong PIN, token, module or a PIN that others can read, and no error
// tells the PIN.
func TestOpenRefuses(t *testing.T) {
	good := token(t)
	for name, change := range map[string]func(*hsm.Config){
		"token":  func(c *hsm.Config) { c.Token = "another" },
		"module": func(c *hsm.Config) { c.Module = "/no/such/library.so" },
		"file":   func(c *hsm.Config) { c.PINFile += ".no" },
		"pin":    func(c *hsm.Config) { c.PINFile = secret(t, "999999", 0o600) },
		"empty":  func(c *hsm.Config) { c.PINFile = secret(t, "\n", 0o600) },
		"open":   func(c *hsm.Config) { c.PINFile = secret(t, pin, 0o644) },
	} {
		c := good
		change(&c)
		d, err := hsm.Open(c)
		if err == nil {
			d.Close()
			t.Errorf("%s: opened", name)
			continue
		}
		if text := err.Error(); strings.Contains(text, pin) || strings.Contains(text, "999999") {
			t.Errorf("%s: the error tells the PIN: %s", name, text)
		}
		if name == "open" && fault.CodeOf(err) != fault.Inaccessible {
			t.Errorf("a PIN that others can read: %v", err)
		}
	}
	open(t, good) // none of the attempts above left the module in the way
}

func secret(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}
