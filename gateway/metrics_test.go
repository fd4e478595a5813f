package gateway_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	gatewayv1 "mulian/gen/mulian/gateway/v1"
)

// TestMetricsTellNumbersOnly: what happened is counted under stable names, and neither a
// value that was asked for nor who asked stands in /metrics or /healthz.
func TestMetricsTellNumbersOnly(t *testing.T) {
	w := newTown(t)
	w.makePermits(10)
	door, tap := w.open(w.planningConfig()), w.open(w.waterConfig())
	w.publish(door)
	agreement := w.agree(byQuery, nil)
	if _, err := tap.Query(t.Context(), agreement, w.entry, nil, 1, &gatewayv1.KeyValue{Item: "no", Value: "P0000007"}); err != nil {
		t.Fatal(err)
	}
	if _, err := tap.Query(t.Context(), "ffffffffffffffff", w.entry, nil, 1, &gatewayv1.KeyValue{Item: "no", Value: "P0000007"}); err == nil {
		t.Fatal("a query under no agreement was answered")
	}
	read := func(path string) string {
		t.Helper()
		res, err := http.Get("http://" + door.Addr() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s %v", path, res.StatusCode, b, err)
		}
		return string(b)
	}
	metrics := read("/metrics")
	for _, want := range []string{
		"# TYPE mulian_gateway_ok gauge\nmulian_gateway_ok 1\n", "# TYPE mulian_gateway_granted_total counter\nmulian_gateway_granted_total 1\n",
		"mulian_gateway_rows_total 1\n", "mulian_gateway_log_records ", "mulian_gateway_view_age_seconds ", `mulian_gateway_build_info{version="test"} 1`,
		"process_resident_memory_bytes ", "go_goroutines ",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("/metrics lacks %q:\n%s", want, metrics)
		}
	}
	for _, text := range []string{metrics, read("/healthz")} {
		for _, secret := range []string{"P0000007", w.tap, w.water.Account, agreement, w.permits, "permit"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q stands in\n%s", secret, text)
			}
		}
	}
}
