// Package browsertest gives tests a real Chromium with an authenticator: passkeys are made
// and used by the browser's own code, only the finger is a program's.
//
// It is not a web server and knows nothing of the ledger: a test serves its own pages on
// http://localhost, which browsers take for a safe place, and asks the page by JavaScript.
//
//	Open ─▶ Browser ─▶ Authenticator ─▶ Visit ─▶ Ask … ─▶ (end of the test) closed, folder removed
//
// # Invariants
//
//  1. Each browser has a new, empty profile, and no access to the network beyond what the
//     test visits: background services are off.
//  2. A test that leaves a page which wrote an error to its console, or broke its Content
//     Security Policy, fails.
//
// Sources: W3C WebAuthn Level 3, section 11 (virtual authenticators); Chrome DevTools
// Protocol, domains WebAuthn, Log, Runtime.
package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// names of Chromium in the PATH, in the order of trial; $MULIAN_CHROMIUM comes first.
var names = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

const (
	startWait = 2 * time.Minute // until the browser answers; machines that build at the same time are slow
	askWait   = time.Minute     // for one question to a page
	maxErrors = 100             // that are kept of one browser
)

// Find returns the path of Chromium. Without one the test is skipped, or fails where
// MULIAN_REQUIRE_SERVERS=1 says that all servers have to be there.
func Find(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("MULIAN_CHROMIUM"); path != "" {
		return path
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	const absent = "no Chromium: scripts/need-chromium installs Debian's, or set MULIAN_CHROMIUM"
	if os.Getenv("MULIAN_REQUIRE_SERVERS") == "1" {
		t.Fatal(absent)
	}
	t.Skip("SKIP " + absent)
	return ""
}

// Browser is one Chromium with one page.
type Browser struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex // guards the two below
	errors   []string
	expected bool // errors of pages do not fail the test
}

// Open starts Chromium, which knows the host, if there is one. It ends with the test.
func Open(t testing.TB, hosts ...Host) *Browser {
	t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(Find(t)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.WSURLReadTimeout(startWait),
	)
	for _, h := range hosts {
		opts = append(opts, h.flags()...)
	}
	all, endAll := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, end := chromedp.NewContext(all)
	b := &Browser{t: t, ctx: ctx}
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits until the process is gone: its folder is removed after this
		end()
		endAll()
		if said := b.Errors(); len(said) > 0 && !b.expected {
			t.Errorf("the page's console has %d errors:\n%s", len(said), strings.Join(said, "\n"))
		}
	})
	// The browser lives as long as the context of this first call; WSURLReadTimeout bounds it.
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("Chromium: %v", err)
	}
	go b.listen()
	return b
}

// listen keeps what pages complain of, until the browser ends.
func (b *Browser) listen() {
	for m, err := range chromedp.Console(b.ctx) {
		if err != nil {
			return
		}
		if m.Type != chromedp.ConsoleError && m.Type != chromedp.ConsoleException {
			continue
		}
		b.mu.Lock()
		if len(b.errors) < maxErrors {
			b.errors = append(b.errors, m.Text+" "+m.URL)
		}
		b.mu.Unlock()
	}
}

// ExpectErrors lets pages complain.
func (b *Browser) ExpectErrors() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = true
}

// Errors returns what pages wrote to the console as errors, and forgets it.
func (b *Browser) Errors() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.errors
	b.errors = nil
	return out
}

func (b *Browser) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, startWait)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// Visit loads a page.
func (b *Browser) Visit(url string) {
	b.t.Helper()
	b.do("visit "+url, chromedp.Navigate(url))
}

// Device is what an authenticator is like.
type Device struct {
	// Synced makes passkeys that may be copied to other devices (flags BE and BS).
	Synced bool
	// Unverified is a device that does not know its user's finger or PIN.
	Unverified bool
}

// Authenticator plugs a device in: CTAP 2.1, built in, with PRF, whose user is there and
// agrees at once.
func (b *Browser) Authenticator(d Device) {
	b.t.Helper()
	on := false
	if _, err := chromedp.Call(b.ctx, webauthn.Enable, webauthn.EnableParams{EnableUI: &on}); err != nil {
		b.t.Fatalf("authenticator: %v", err)
	}
	_, err := chromedp.Call(b.ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21,
		Transport:      webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: !d.Unverified, IsUserVerified: !d.Unverified,
		HasPrf: true, AutomaticPresenceSimulation: true,
		DefaultBackupEligibility: d.Synced, DefaultBackupState: d.Synced,
	}})
	if err != nil {
		b.t.Fatalf("authenticator: %v", err)
	}
}

// Ask calls an async JavaScript function of the page with arguments that JSON can carry,
// and reads its answer into out. The error is what the function threw.
func (b *Browser) Ask(out any, function string, args ...any) error {
	b.t.Helper()
	texts := make([]string, len(args))
	for i, a := range args {
		raw, err := json.Marshal(a)
		if err != nil {
			b.t.Fatal(err)
		}
		texts[i] = string(raw)
	}
	call := fmt.Sprintf(`(async () => { try { return JSON.stringify({ok: (await (%s)(%s)) ?? null}) } catch (e) { return JSON.stringify({failed: e.name + ": " + e.message}) } })()`, function, strings.Join(texts, ", "))
	ctx, cancel := context.WithTimeout(b.ctx, askWait)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](call, chromedp.EvalAwaitPromise))
	if err != nil {
		return err
	}
	var answer struct {
		OK     json.RawMessage `json:"ok"`
		Failed string          `json:"failed"`
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return err
	}
	if answer.Failed != "" {
		return fmt.Errorf("%s", answer.Failed)
	}
	return json.Unmarshal(answer.OK, out)
}
