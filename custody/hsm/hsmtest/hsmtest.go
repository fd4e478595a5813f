// Package hsmtest gives a test a hardware module that it can have: a new token of SoftHSM2 in
// a folder of the test. It is no product code: only tests import it.
//
// Invariant: where SoftHSM2 cannot be had, tests are skipped with one line that says why, or
// fail if MULIAN_REQUIRE_SERVERS=1.
package hsmtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"mulian/custody/hsm"
)

// PIN and officer's PIN of every token: of the test alone.
const (
	PIN        = "314159"
	officerPIN = "271828"
)

// modules are the places where distributions put SoftHSM2.
var modules = []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"}

// Module is where SoftHSM2's library is; empty if it is not here.
func Module() string {
	if _, err := exec.LookPath("softhsm2-util"); err != nil {
		return ""
	}
	for _, m := range modules {
		if _, err := os.Stat(m); err == nil {
			return m
		}
	}
	return ""
}

// Token makes a token with the label custody. It sets SOFTHSM2_CONF for the test and its
// children.
func Token(t *testing.T) hsm.Config {
	t.Helper()
	module := Module()
	if module == "" {
		if os.Getenv("MULIAN_REQUIRE_SERVERS") == "1" {
			t.Fatal("SoftHSM2 is absent: scripts/need-softhsm installs it")
		}
		t.Skip("SKIP SoftHSM2 is absent: scripts/need-softhsm installs it")
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
	out, err := exec.Command("softhsm2-util", "--init-token", "--free", "--label", "custody", "--pin", PIN, "--so-pin", officerPIN).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return hsm.Config{Module: module, Token: "custody", PINFile: write("pin", PIN+"\n")}
}
