package gateway_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
)

// hiding is a server that keeps what happens from one gateway: it tells of no event,
// and answers with the old object and its proof, which was right.
type hiding struct {
	proxy http.Handler

	mu   sync.Mutex // guards the three below
	key  string     // whose object is kept back; empty: none
	old  map[string][]byte
	head map[string]http.Header
}

func (h *hiding) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	key := h.key
	h.mu.Unlock()
	switch {
	case strings.HasSuffix(r.URL.Path, "/Watch"):
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the client has gone
		<-r.Context().Done()
	case strings.HasSuffix(r.URL.Path, "/GetObject"):
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		h.mu.Lock()
		old, known := h.old[string(body)]
		head := h.head[string(body)]
		h.mu.Unlock()
		if known && key != "" && strings.Contains(string(body), key) {
			for k, v := range head {
				w.Header()[k] = v
			}
			w.Write(old)
			return
		}
		rec := httptest.NewRecorder()
		h.proxy.ServeHTTP(rec, r)
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(rec.Code)
		w.Write(rec.Body.Bytes())
		if rec.Code == http.StatusOK {
			h.mu.Lock()
			h.old[string(body)], h.head[string(body)] = rec.Body.Bytes(), rec.Header()
			h.mu.Unlock()
		}
	default:
		h.proxy.ServeHTTP(w, r)
	}
}

// TestServerThatHides: a server that keeps a suspension back, with proofs that hold,
// gains the asker no more than the agreed age.
func TestServerThatHides(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(10)
	behind, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	h := &hiding{proxy: httputil.NewSingleHostReverseProxy(behind), old: map[string][]byte{}, head: map[string]http.Header{}}
	front := httptest.NewServer(h)
	t.Cleanup(front.Close)
	t.Cleanup(front.CloseClientConnections)
	cfg := w.planningConfig()
	cfg.Server = front.URL
	door := w.open(cfg)
	t.Cleanup(door.stop) // before the front: it watches
	w.publish(door)
	agreement := w.agree(byQuery, nil)
	r := w.rogue(door)
	want(t, fault.OK, r.query(r.sign(r.body(agreement, nil))))
	h.mu.Lock()
	h.key = "share/agreement/" + agreement
	h.mu.Unlock()
	w.must(w.planning, &sharev1.SuspendAgreement{Agreement: agreement, Cause: "核查"})
	suspended := time.Now()
	for {
		err := r.query(r.sign(r.body(agreement, nil)))
		if err != nil {
			want(t, fault.StaleHeight, err)
			break
		}
		if since := time.Since(suspended); since > 6*time.Second {
			t.Fatalf("released %s after the suspension", since)
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("refused %s after the suspension", time.Since(suspended).Round(time.Millisecond))
	h.mu.Lock()
	h.key = ""
	h.mu.Unlock()
	w.eventually("the truth counts", func() bool { return fault.Is(r.query(r.sign(r.body(agreement, nil))), fault.AgreementSuspended) })
}
