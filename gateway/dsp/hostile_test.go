package dsp

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mulian/internal/fault"
)

// TestAPidIsNoWayOut: a connector's own id cannot lead its messages to another place, and
// is nothing that a log or a person would read as something else.
func TestAPidIsNoWayOut(t *testing.T) {
	for pid, ok := range map[string]bool{
		"urn:uuid:32541fe6-c580-409e-85a8-8a9a32fbe833": true, "https://consumer.example/negotiations/1": true, "许可-1": true, "a..b": true, "...": true,
		"..": false, ".": false, "../../admin": false, `..\admin`: false, "a/../b": false, "a/./b": false,
		"a\nb": false, "a b": false, "a\x00": false, "a\u202eb": false, "\xff": false,
	} {
		text := fmt.Sprintf(`{"@context":[%q],"@type":"TransferStartMessage","providerPid":"x","consumerPid":%s}`, Context, jsonText(pid))
		_, err := Read(strings.NewReader(text), "TransferStartMessage")
		if pid == "\xff" {
			continue // JSON has no such text: it is read as U+FFFD
		}
		if (err == nil) != ok {
			t.Errorf("%q: %v", pid, err)
		}
		if err != nil && !fault.Is(err, fault.Malformed) {
			t.Errorf("%q: %v", pid, fault.CodeOf(err))
		}
	}
	if plain("\xff") {
		t.Error("what is no text is taken")
	}
}

func jsonText(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		fmt.Fprintf(&b, `\u%04x`, r)
	}
	b.WriteByte('"')
	return b.String()
}

// TestOneConnectorTakesNobodyElsesPlace: whoever holds its calls open is refused more of
// them, and the others are answered.
func TestOneConnectorTakesNobodyElsesPlace(t *testing.T) {
	f := facade()
	f.calls = make(chan struct{}, maxCalls)
	for id, token := range map[string]string{"slow": "token-of-the-slow-one", "other": "token-of-another-one"} {
		f.participants[id] = &participant{Participant: Participant{ID: id}, token: newSecret(token), calls: make(chan struct{}, maxEach)}
	}
	in, out := make(chan struct{}), make(chan struct{})
	h := f.route("TransferError", func(w http.ResponseWriter, _ *http.Request, p *participant) error {
		if p.ID == "slow" {
			in <- struct{}{}
			<-out
		}
		return write(w, http.StatusOK, struct{}{})
	})
	ask := func(token string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/dsp/transfers/x", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	done := make(chan int, maxEach)
	for range maxEach {
		go func() { done <- ask("token-of-the-slow-one").Code }()
	}
	for range maxEach {
		<-in
	}
	if w := ask("token-of-the-slow-one"); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("one more: %d", w.Code)
	}
	if w := ask("token-of-another-one"); w.Code != http.StatusOK {
		t.Errorf("another connector: %d", w.Code)
	}
	if w := ask("token-of-nobody"); w.Code != http.StatusUnauthorized {
		t.Errorf("a stranger: %d", w.Code)
	}
	close(out)
	for range maxEach {
		if code := <-done; code != http.StatusOK {
			t.Errorf("a slow call: %d", code)
		}
	}
}

// TestARefusalOfTheLedgerTellsItsTextOnly: what led to it inside stays here.
func TestARefusalOfTheLedgerTellsItsTextOnly(t *testing.T) {
	_, text := reasons(&fault.Fault{Code: fault.NotWhitelisted, Text: "not on the list", Err: errors.New("dial 10.1.2.3:26657")})
	if got := fmt.Sprint(text...); got != "not on the list" {
		t.Errorf("%q", got)
	}
}
