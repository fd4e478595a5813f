package server_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"mulian/server"
)

// TestPagesHaveNames: a page at an address is explained, in the reader's language and with
// the way to the same page; programs are answered there, and a name without TLS leads to
// the one that has it.
func TestPagesHaveNames(t *testing.T) {
	s := server.New(nil, nil, server.Options{Origins: []string{"https://mulian.example.cn:8443"}, Authority: []byte("-----BEGIN CERTIFICATE-----\n")})
	h := s.Handler()
	get := func(url, accept string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		r.Header.Set("Accept-Language", accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for _, url := range []string{"http://10.1.2.3:8080/", "http://[::1]:8080/", "http://10.1.2.3/", "https://10.1.2.3/"} {
		if w := get(url, "en"); w.Code != http.StatusMisdirectedRequest || !strings.Contains(w.Body.String(), `<a href="https://mulian.example.cn:8443/">`) || !strings.Contains(w.Body.String(), "/ca.crt") {
			t.Errorf("%s: %d %.300s", url, w.Code, w.Body)
		}
	}
	if w := get("http://10.1.2.3/request/0011", "zh-CN"); !strings.Contains(w.Body.String(), "请用名字打开") || !strings.Contains(w.Body.String(), "https://mulian.example.cn:8443/request/0011") {
		t.Errorf("in Chinese: %d %.300s", w.Code, w.Body)
	}
	if w := get("http://10.1.2.3/%22%3E%3Cscript%3E", "en"); strings.Contains(w.Body.String(), "<script") {
		t.Errorf("a path became markup: %s", w.Body)
	}
	for _, path := range []string{"/openapi.yaml", "/assets/console.js", "/ca.crt", "/api/codes"} {
		if w := get("http://10.1.2.3"+path, "en"); w.Code != http.StatusOK || strings.Contains(w.Body.String(), "by its name") {
			t.Errorf("%s at an address: %d %.100s", path, w.Code, w.Body)
		}
	}
	if w := get("http://Mulian.example.cn/inbox?id=1", "en"); w.Code != http.StatusTemporaryRedirect || w.Header().Get("Location") != "https://mulian.example.cn:8443/inbox?id=1" {
		t.Errorf("a name without TLS: %d to %q", w.Code, w.Header().Get("Location"))
	}
	for _, url := range []string{"https://mulian.example.cn:8443/inbox", "http://localhost:8080/inbox"} {
		if w := get(url, "en"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "console.js") {
			t.Errorf("%s: %d %.100s", url, w.Code, w.Body)
		}
	}
}
