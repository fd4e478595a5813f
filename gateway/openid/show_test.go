package openid

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mulian/gateway/reference"
	"mulian/internal/fault"
	"mulian/internal/sdjwt"
)

// shows is a town with a door at which licences are shown; "window" is registered.
func shows(t *testing.T) (*town, string) {
	t.Helper()
	w := newTown(t)
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	d := &Door{url: server.URL, Codes: &reference.Codes{Now: w.clock.now}, nonces: newNonces(w.clock.now), now: w.clock.now}
	d.show = &Showing{
		Audience: "gw", Policy: sdjwt.Policy{Keys: w.verifier.cfg.Policy.Keys},
		Verifier: func(_ context.Context, raw []byte) (string, error) {
			if string(raw) != "window" {
				return "", fault.Newf(fault.NotWhitelisted, "not registered")
			}
			return "window", nil
		},
	}
	d.Routes(mux)
	return w, server.URL
}

// answered posts and reads JSON.
func answered(t *testing.T, to, body string) (int, map[string]any) {
	t.Helper()
	res, err := http.Post(to, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, out
}

// TestALicenceIsShown: what the owner lays down a registered verifier sees, once, within a
// minute; who is not registered sees nothing and uses nothing up.
func TestALicenceIsShown(t *testing.T) {
	w, base := shows(t)
	held := w.held(1)[0]
	token, err := sdjwt.Parse(held.Text)
	if err != nil {
		t.Fatal(err)
	}
	present := func(audience, nonce string) string {
		t.Helper()
		text, err := token.PresentOnly(sdjwt.Path{"city"})
		if err == nil {
			text, err = sdjwt.Bind(text, sdjwt.Request{Audience: audience, Nonce: nonce}, held.Holder, w.clock.now())
		}
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	nonce := func() string {
		_, out := answered(t, base+"/S/nonce", "")
		if out["audience"] != ShowAudience("gw") {
			t.Fatalf("%v", out)
		}
		return out["nonce"].(string)
	}
	lay := func(presentation, nonce string) (int, map[string]any) {
		raw, _ := json.Marshal(map[string]string{"presentation": presentation, "nonce": nonce})
		return answered(t, base+"/S", string(raw))
	}
	first := nonce()
	for name, x := range map[string]struct {
		presentation, nonce string
		code                fault.Code
	}{
		"for another door":      {present(ShowAudience("other"), first), "", fault.PresentationAudience},
		"for another nonce":     {present(ShowAudience("gw"), "x"), "", fault.PresentationNonce},
		"a nonce of nobody's":   {present(ShowAudience("gw"), "x"), "x", fault.NonceStale},
		"without the holder":    {token.Text(), "", fault.KeyBindingMissing},
		"longer than is shown":  {strings.Repeat("x", maxShown+1), "", fault.TooLong},
		"no credential of ours": {"a.b.c~", "", fault.Malformed},
	} {
		n := x.nonce
		if n == "" {
			n = nonce()
			if strings.Contains(name, "another door") {
				n = first
			}
		}
		if status, out := lay(x.presentation, n); status == http.StatusOK || out["error"] != x.code.String() {
			t.Errorf("%s: %d %v, want %s", name, status, out, x.code)
		}
	}
	for range 3 { // what does not hold uses up no nonce, and no memory for nonces
		if status, out := lay(present(ShowAudience("other"), first), first); status == http.StatusOK || out["error"] != fault.PresentationAudience.String() {
			t.Errorf("%d %v", status, out)
		}
	}
	again := nonce()
	status, opened := lay(present(ShowAudience("gw"), again), again)
	if status != http.StatusOK {
		t.Fatalf("%d %v", status, opened)
	}
	if status, out := lay(present(ShowAudience("gw"), again), again); status == http.StatusOK {
		t.Errorf("a nonce is used twice: %v", out)
	}
	at := base + "/S/" + strings.TrimPrefix(opened["code"].(string), "MULIAN:S/")
	session, _ := json.Marshal(map[string]any{"session": opened["session"]})
	if status, out := answered(t, at, "thief"); status == http.StatusOK || out["error"] != fault.NotWhitelisted.String() {
		t.Errorf("who is not registered: %d %v", status, out)
	}
	if _, out := answered(t, at+"/state", string(session)); out["seen"] != false {
		t.Errorf("%v", out)
	}
	status, out := answered(t, at, "window")
	if status != http.StatusOK || !strings.Contains(out["presentation"].(string), "~") {
		t.Fatalf("%d %v", status, out)
	}
	if status, out := answered(t, at, "window"); status != http.StatusGone || out["error"] != fault.Replayed.String() {
		t.Errorf("seen twice: %d %v", status, out)
	}
	if _, out := answered(t, at+"/state", string(session)); out["seen"] != true {
		t.Errorf("%v", out)
	}
	if status, _ := answered(t, at+"/state", `{"session":"x"}`); status != http.StatusNotFound {
		t.Errorf("another session learns of it: %d", status)
	}
	n := nonce()
	_, opened = lay(present(ShowAudience("gw"), n), n)
	w.clock.forward(reference.ShowLife + time.Second)
	if status, out := answered(t, base+"/S/"+strings.TrimPrefix(opened["code"].(string), "MULIAN:S/"), "window"); status != http.StatusGone {
		t.Errorf("after a minute: %d %v", status, out)
	}
}
