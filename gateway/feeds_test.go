package gateway_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"mulian/gateway"
	"mulian/gateway/connect"
	"mulian/internal/pgtest"
)

// TestARemovedSourceLeavesNothing: as long as a source is configured /metrics tells what its
// server keeps for the gateway; when a reload has removed it the server keeps nothing.
func TestARemovedSourceLeavesNothing(t *testing.T) {
	url := pgtest.URL(t, "register")
	pgExec(t, url, "CREATE TABLE firm (id int PRIMARY KEY)")
	slots := func() (n int) {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	source, err := connect.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	enough := errors.New("enough")
	err = source.(connect.Feeder).Follow(t.Context(), []connect.TableName{{Name: "firm"}}, "", func(connect.Change) error { return enough })
	if !errors.Is(err, enough) || slots() != 1 {
		t.Fatalf("a feed of before: %v", err)
	}

	w := newTown(t)
	w.makePermits(1)
	cfg := w.planningConfig()
	alone := cfg.Sources
	cfg.Sources = append(append([]gateway.Source{}, alone...), gateway.Source{Name: "register", URL: url})
	s := w.serve(cfg)
	metrics := func() string {
		t.Helper()
		res, err := http.Get("http://" + s.addr + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, want := range []string{`mulian_gateway_feed_kept_bytes{source="register"} `, `mulian_gateway_feed_active{source="register"} 0`, `mulian_gateway_feed_limit_bytes{source="register"} 2.68435456e+08`} {
		if text := metrics(); !strings.Contains(text, want) {
			t.Errorf("/metrics lacks %s:\n%s", want, text)
		}
	}
	s.set(func(c *gateway.Config) { c.Sources = alone })
	s.signal <- syscall.SIGHUP
	w.eventually("the removed source's slot is gone", func() bool { return slots() == 0 })
	if text := metrics(); strings.Contains(text, "register") {
		t.Errorf("/metrics still tells of it:\n%s", text)
	}
}
