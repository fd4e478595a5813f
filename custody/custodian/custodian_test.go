//go:build cgo

package custodian

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mulian/client"
	"mulian/client/keyring"
	"mulian/custody/hsm"
	"mulian/custody/hsm/hsmtest"
	custodyv1 "mulian/gen/mulian/custody/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/safebox"
)

const (
	confirmed = custodyv1.CustodyUseState_CUSTODY_USE_STATE_CONFIRMED
	executed  = custodyv1.CustodyUseState_CUSTODY_USE_STATE_EXECUTED
)

// TestMain is the custodian's program, too: [TestKilledBetweenRecordAndSignature] starts this
// binary again as one, and kills it.
func TestMain(m *testing.M) {
	if os.Getenv("MULIAN_CUSTODIAN") != "" {
		if err := play(); err != nil {
			slog.Error("custodian", "error", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// play is the program in a process of its own.
func play() error {
	dir := os.Getenv("MULIAN_CUSTODIAN")
	file, err := os.ReadFile(filepath.Join(dir, "genesis"))
	if err != nil {
		return err
	}
	g, err := client.ParseGenesis(file)
	if err != nil {
		return err
	}
	s, err := (keyring.Ring{Dir: dir}).Signer(notary, keyring.Machine)
	if err != nil {
		return err
	}
	d, err := hsm.Open(hsm.Config{Module: os.Getenv("MULIAN_MODULE"), Token: "custody", PINFile: os.Getenv("MULIAN_PIN")})
	if err != nil {
		return err
	}
	cl := client.New(os.Getenv("MULIAN_URL"))
	c := &Custodian{Ledger: cl, Proved: cl.Verify(g), Signer: s, Device: d, Dir: filepath.Join(dir, "work"), Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	return c.Run(context.Background())
}

// program starts the program in a process of its own; it is killed with the test.
func (w *town) program(dir string) *exec.Cmd {
	w.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "MULIAN_CUSTODIAN="+dir, "MULIAN_MODULE="+w.module.Module, "MULIAN_PIN="+w.module.PINFile, "MULIAN_URL="+w.url)
	cmd.Stderr = w.t.Output()
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// TestKilledBetweenRecordAndSignature: the program that knew the account stops before the use
// is recorded, and is killed without warning after it is confirmed; the next one signs it, once.
func TestKilledBetweenRecordAndSignature(t *testing.T) {
	w := newTown(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "genesis"), w.file, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (keyring.Ring{Dir: dir}).Add(notary, keyring.Machine, w.notary.Key); err != nil {
		t.Fatal(err)
	}
	w.vouched()
	first := w.program(dir)
	for w.custody().GetState() != custodyv1.CustodyState_CUSTODY_STATE_ACTIVE {
		if t.Context().Err() != nil || first.ProcessState != nil {
			t.Fatal("the program did not accept the account")
		}
	}
	w.identified()
	w.await(w.recorded(&identityv1.FreezeAccount{Account: "nobody"}), confirmed) // refused by its rule: the program goes on
	done := w.recorded(&identityv1.RevokeKey{Account: w.elder, Key: "0", Cause: "x"})

	if err := first.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	act := w.recorded(&safeboxv1.RegisterVault{})
	use := w.recorded(&identityv1.FreezeAccount{Account: w.elder, Cause: "丢失"})
	if err := first.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	w.await(use, confirmed)
	w.program(dir)
	w.await(use, executed)
	w.await(act, confirmed)  // a vault waits its day
	w.await(done, confirmed) // stands: waits its day
	signed := 0
	if err := w.events("custody/executed", func() { signed++ }); err != nil || signed != 1 {
		t.Errorf("%d executions: %v", signed, err)
	}
}

// events counts the events of a verb so far.
func (w *town) events(verb string, each func()) error {
	s, err := w.client.Status(w.t.Context())
	if err != nil {
		return err
	}
	err = w.client.Watch(w.t.Context(), 0, nil, func(u client.Update) error {
		for _, e := range u.Events {
			if e.GetVerb() == verb {
				each()
			}
		}
		if u.Next >= s.GetEvents() {
			return errEnough
		}
		return nil
	})
	if err == errEnough {
		return nil
	}
	return err
}

var errEnough = fault.Newf(fault.Cancelled, "enough")

// TestWhatWasSignedIsSentAgain: the hardware signs once; when the ledger cannot be reached, the
// same envelope goes out later, also without the hardware.
func TestWhatWasSignedIsSentAgain(t *testing.T) {
	w := newTown(t)
	c := w.custodian(t.TempDir())
	w.vouched()
	if done, err := c.accept(t.Context(), custodies+w.elder); !done || err != nil {
		t.Fatal(done, err)
	}
	w.identified()
	use := w.recorded(&identityv1.FreezeAccount{Account: w.elder, Cause: "丢失"})
	c.Ledger = client.New("http://127.0.0.1:1")
	ctx, cancel := context.WithTimeout(t.Context(), 1)
	defer cancel()
	if done, err := c.sign(ctx, use); done || err == nil {
		t.Fatalf("with no ledger: %t, %v", done, err)
	}
	if done, err := c.sign(t.Context(), use); done || !fault.Is(err, fault.Unreachable) {
		t.Fatalf("with no server: %t, %v", done, err)
	}
	kept, err := filepath.Glob(filepath.Join(c.Dir, "*.envelope"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept: %v, %v", kept, err)
	}
	if st, err := os.Stat(kept[0]); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("what was signed: %v, %v", st.Mode(), err)
	}
	if err := c.Device.Close(); err != nil {
		t.Fatal(err)
	}
	c.Ledger = w.client
	if done, err := c.sign(t.Context(), use); !done || err != nil {
		t.Fatalf("sent again: %t, %v", done, err)
	}
	w.await(use, executed)
	if _, err := os.Stat(kept[0]); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
	if done, err := c.sign(t.Context(), use); !done || err != nil {
		t.Errorf("once more: %t, %v", done, err)
	}
}

// TestAFaultForgetsNothing: a use that the hardware cannot sign now waits for it; one that the
// ledger refuses is over, and nothing of it is kept.
func TestAFaultForgetsNothing(t *testing.T) {
	w := newTown(t)
	c := w.custodian(t.TempDir())
	w.vouched()
	if err := c.Device.Close(); err != nil {
		t.Fatal(err)
	}
	if done, err := c.accept(t.Context(), custodies+w.elder); done || err == nil {
		t.Fatalf("accepted without hardware: %t, %v", done, err)
	}
	c.Device = w.custodian(c.Dir).Device
	if done, err := c.accept(t.Context(), custodies+w.elder); !done || err != nil {
		t.Fatal(done, err)
	}
	w.identified()
	use := w.recorded(&identityv1.FreezeAccount{Account: w.elder, Cause: "丢失"})
	if err := c.Device.Close(); err != nil {
		t.Fatal(err)
	}
	todo := map[string]bool{use: true}
	if c.work(t.Context(), todo); !todo[use] {
		t.Fatal("it was forgotten")
	}
	c.Device = w.custodian(c.Dir).Device
	if c.work(t.Context(), todo); todo[use] {
		t.Fatal("it was not done")
	}
	w.await(use, executed)
	refused := w.recorded(&identityv1.FreezeAccount{Account: "nobody", Cause: "x"})
	if done, err := c.sign(t.Context(), refused); !done || err == nil {
		t.Errorf("refused by its rule: %t, %v", done, err)
	}
	if kept, err := filepath.Glob(filepath.Join(c.Dir, "*.envelope")); err != nil || len(kept) != 0 {
		t.Errorf("kept: %v, %v", kept, err)
	}
}

// TestAVaultOpensForItsTerminalAlone: closed to the custodian's public key without asking; opened
// once the person's transaction is there, for the terminal that it names; a stranger, another
// box, and what nobody asked for get nothing.
func TestAVaultOpensForItsTerminalAlone(t *testing.T) {
	w := newTown(t)
	c := w.custodian(t.TempDir())
	w.vouched()
	if done, err := c.accept(t.Context(), custodies+w.elder); !done || err != nil {
		t.Fatal(done, err)
	}
	w.identified()
	v := safebox.NewVault(w.elder)
	if err := v.Add(t.Context(), safebox.ByCustody(&Remote{Arrangement: w.custody()}), "custody"); err != nil {
		t.Fatal(err)
	}
	raw, hash, err := v.File()
	if err != nil {
		t.Fatal(err)
	}
	f, err := safebox.ParseFile(raw, hash)
	if err != nil {
		t.Fatal(err)
	}
	door := httptest.NewServer(c.Door())
	defer door.Close()
	terminal, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	asked := &custodyv1.Unwrap{Account: w.elder, Number: 1, Receiver: terminal.PublicKey().Bytes()}
	remote := func() *Remote {
		return &Remote{Arrangement: w.custody(), URL: door.URL, Asked: asked, KeyVersion: f.GetKeyVersion(), Terminal: terminal, HTTP: door.Client()}
	}
	if _, err := safebox.OpenVault(t.Context(), f, safebox.ByCustody(remote())); !fault.Is(err, fault.NotFound) {
		t.Fatalf("nobody has asked: %v", err)
	}
	box := sha256.Sum256(f.GetUnlockers()[0].GetBox())
	use := w.recorded(&custodyv1.UnwrapVault{BoxHash: box[:], Receiver: terminal.PublicKey().Bytes()})
	if _, err := safebox.OpenVault(t.Context(), f, safebox.ByCustody(remote())); !fault.Is(err, fault.NotFound) {
		t.Fatalf("recorded and not signed: %v", err)
	}
	if done, err := c.sign(t.Context(), use); !done || err != nil {
		t.Fatal(done, err)
	}
	w.get(unwraps+w.elder+"/0000000001", asked)
	other := remote()
	other.Terminal, _ = ecdh.P256().GenerateKey(rand.Reader)
	if _, err := other.Unwrap(t.Context(), f.GetUnlockers()[0].GetBox(), nil); !fault.Is(err, fault.Missing) {
		t.Errorf("another terminal: %v", err)
	}
	if _, err := remote().Unwrap(t.Context(), append([]byte{1}, f.GetUnlockers()[0].GetBox()...), nil); !fault.Is(err, fault.VerificationFailed) {
		t.Errorf("another box: %v", err)
	}
	wrong := remote()
	wrong.KeyVersion = 99 // nobody has signed it
	if _, err := wrong.Unwrap(t.Context(), f.GetUnlockers()[0].GetBox(), nil); !fault.Is(err, fault.VerificationFailed) {
		t.Errorf("another version: %v", err)
	}
	if _, err := c.unwrap(t.Context(), Ask{Account: strings.Repeat("p", 65), Number: 1}); !fault.Is(err, fault.TooLong) {
		t.Errorf("no account's name: %v", err)
	}
	var sealed [2][]byte
	for i := range sealed { // the second time it was answered on the ledger already
		opened, err := safebox.OpenVault(t.Context(), f, safebox.ByCustody(remote()))
		if err != nil {
			t.Fatal(err)
		}
		mine, _ := v.PublicKeys(safebox.P256)
		theirs, err := opened.PublicKeys(safebox.P256)
		if err != nil || string(mine[0].GetPublicKey()) != string(theirs[0].GetPublicKey()) {
			t.Errorf("another vault came out: %v", err)
		}
		if sealed[i], err = c.unwrap(t.Context(), Ask{Account: w.elder, Number: 1, KeyVersion: 1, Box: f.GetUnlockers()[0].GetBox()}); err != nil {
			t.Fatal(err)
		}
	}
	if string(sealed[0]) != string(sealed[1]) {
		t.Error("it was sealed twice")
	}
	w.get(unwraps+w.elder+"/0000000001", asked)
	if sum := sha256.Sum256(sealed[0]); asked.GetState() != custodyv1.UnwrapState_UNWRAP_STATE_GIVEN || string(sum[:]) != string(asked.GetResultHash()) {
		t.Errorf("the ledger has %s, %x", asked.GetState(), asked.GetResultHash())
	}
	if err := os.Remove(filepath.Join(c.Dir, w.elder+"-1.sealed")); err != nil {
		t.Fatal(err)
	}
	if _, err := safebox.OpenVault(t.Context(), f, safebox.ByCustody(remote())); !fault.Is(err, fault.IllegalTransition) {
		t.Errorf("given once, and lost: %v", err)
	}
}

// TestAKeyThatSignsOpensNothing holds that the module keeps the two keys apart.
func TestAKeyThatSignsOpensNothing(t *testing.T) {
	d, err := hsm.Open(hsmtest.Token(t))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	signs, err := d.Generate("sign p-1")
	if err != nil {
		t.Fatal(err)
	}
	opens, err := d.GenerateOpening("open p-1")
	if err != nil {
		t.Fatal(err)
	}
	peer, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		key  sm.PublicKey
		want bool
	}{{signs, false}, {opens, true}} {
		x, err := d.Opening(tt.key.ID())
		if err != nil {
			t.Fatal(err)
		}
		secret, err := x.ECDH(peer.PublicKey())
		if (err == nil) != tt.want {
			t.Errorf("agreement of %s: %v", tt.key.ID(), err)
		}
		if tt.want {
			mine, err := peer.ECDH(x.PublicKey())
			if err != nil || string(mine) != string(secret) {
				t.Errorf("the two sides have agreed on different secrets: %v", err)
			}
		}
	}
	if _, err := d.Sign(opens.ID(), []byte("x")); err == nil {
		t.Error("the key that opens signs")
	}
	if k, err := d.Labelled("sign p-1"); err != nil || k.ID() != signs.ID() {
		t.Errorf("by its label: %v", err)
	}
	if _, err := d.Labelled("sign p-2"); err == nil || !strings.Contains(err.Error(), hsm.ErrNoKey.Error()) {
		t.Errorf("a label that is not there: %v", err)
	}
}
