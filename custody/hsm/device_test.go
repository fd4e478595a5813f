//go:build cgo

package hsm_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/pkcs11"

	"mulian/custody/hsm"
	"mulian/custody/hsm/hsmtest"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

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
	c := hsmtest.Token(t)
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
	c := hsmtest.Token(t)
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
	if err := m.Login(s, pkcs11.CKU_USER, hsmtest.PIN); err != nil {
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

// beside opens the module a second time in this process: what is done there is done to the
// token that d has, too.
func beside(t *testing.T, c hsm.Config) (m *pkcs11.Ctx, slot uint) {
	t.Helper()
	m = pkcs11.New(c.Module)
	t.Cleanup(m.Destroy)
	slots, err := m.GetSlotList(true)
	if err != nil {
		t.Fatal(err)
	}
	return m, slots[0]
}

// TestAFaultIsNotForEver: after the token has ended all sessions one call fails, and says that
// it was the hardware; the next one is served. A PIN that was changed meanwhile is tried once.
func TestAFaultIsNotForEver(t *testing.T) {
	c := hsmtest.Token(t)
	d := open(t, c)
	k, err := d.Generate("a")
	if err != nil {
		t.Fatal(err)
	}
	m, slot := beside(t, c)
	if err := m.CloseAllSessions(slot); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Sign(k.ID(), []byte("x")); !errors.Is(err, hsm.ErrDevice) {
		t.Fatalf("without a session: %v", err)
	}
	if _, err := d.Sign(k.ID(), []byte("x")); err != nil {
		t.Fatalf("after it: %v", err)
	}
	if err := m.CloseAllSessions(slot); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.PINFile, []byte("000000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 20 { // a token locks after some
		if _, err := d.Sign(k.ID(), []byte("x")); !errors.Is(err, hsm.ErrDevice) {
			t.Fatalf("with another PIN: %v", err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.PINFile, []byte(hsmtest.PIN+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, c).Sign(k.ID(), []byte("x")); err != nil {
		t.Errorf("with the right one: %v", err)
	}
}

// TestHalfAKeyIsNone: a pair that a power cut has left without its id has the label, and is not
// found by it; two whole ones are too many to choose from.
func TestHalfAKeyIsNone(t *testing.T) {
	c := hsmtest.Token(t)
	d := open(t, c)
	m, slot := beside(t, c)
	s, err := m.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		t.Fatal(err)
	}
	p256 := []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}
	_, _, err = m.GenerateKeyPair(s, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_EC_KEY_PAIR_GEN, nil)},
		[]*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, p256), pkcs11.NewAttribute(pkcs11.CKA_LABEL, "a")},
		[]*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true), pkcs11.NewAttribute(pkcs11.CKA_LABEL, "a")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Labelled("a"); !errors.Is(err, hsm.ErrNoKey) {
		t.Fatalf("half a key: %v", err)
	}
	want, err := d.Generate("a")
	if err != nil {
		t.Fatal(err)
	}
	if k, err := d.Labelled("a"); err != nil || k.ID() != want.ID() {
		t.Errorf("beside it a whole one: %s, %v", k.ID(), err)
	}
	if _, err := d.Generate("a"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Labelled("a"); !errors.Is(err, hsm.ErrManyKeys) {
		t.Errorf("two whole ones: %v", err)
	}
}

// TestOpenRefuses: a wrong PIN, token, module or a PIN that others can read, and no error
// tells the PIN.
func TestOpenRefuses(t *testing.T) {
	good := hsmtest.Token(t)
	for name, change := range map[string]func(*hsm.Config){
		"token":  func(c *hsm.Config) { c.Token = "another" },
		"module": func(c *hsm.Config) { c.Module = "/no/such/library.so" },
		"file":   func(c *hsm.Config) { c.PINFile += ".no" },
		"pin":    func(c *hsm.Config) { c.PINFile = secret(t, "999999", 0o600) },
		"empty":  func(c *hsm.Config) { c.PINFile = secret(t, "\n", 0o600) },
		"open":   func(c *hsm.Config) { c.PINFile = secret(t, hsmtest.PIN, 0o644) },
	} {
		c := good
		change(&c)
		d, err := hsm.Open(c)
		if err == nil {
			d.Close()
			t.Errorf("%s: opened", name)
			continue
		}
		if text := err.Error(); strings.Contains(text, hsmtest.PIN) || strings.Contains(text, "999999") {
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
