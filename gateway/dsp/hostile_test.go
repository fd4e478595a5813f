package dsp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
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

// FuzzRead: what is taken for a message of a kind is written and read as the same, within its
// bounds.
func FuzzRead(f *testing.F) {
	kinds := slices.Sorted(maps.Keys(needed))
	for i, kind := range kinds {
		f.Add(uint8(i), []byte(`{"@context":["`+Context+`"],"@type":"`+kind+`","providerPid":"urn:uuid:1","consumerPid":"urn:uuid:2","callbackAddress":"https://a.example","offer":{"@id":"o","permission":[{"action":"use","constraint":[{"a":1}]}]},"agreement":{"@id":"a"},"agreementId":"a","format":"f","eventType":"ACCEPTED","state":"OFFERED","reason":["r",{}],"dataset":"d"}`))
	}
	f.Add(uint8(0), []byte(strings.Repeat("[", 100)))
	f.Fuzz(func(t *testing.T, i uint8, raw []byte) {
		kind := kinds[int(i)%len(kinds)]
		m, err := Read(bytes.NewReader(raw), kind)
		if err != nil {
			if c := fault.CodeOf(err); c == fault.Internal || c == fault.OK {
				t.Fatal(err)
			}
			return
		}
		if m.Type != kind || len(m.Reason) > maxReasons {
			t.Fatalf("%+v", m)
		}
		if r := m.reason(); strings.ContainsAny(r, "\n\r") || len([]rune(r)) > 200 {
			t.Fatalf("%q", r)
		}
		once, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Read(bytes.NewReader(once), kind)
		if err != nil {
			if fault.Is(err, fault.TooLong) {
				return // written longer than it came
			}
			t.Fatalf("%s: %v", once, err)
		}
		if twice, err := json.Marshal(again); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%s becomes %s", once, twice)
		}
	})
}
