package prooffile_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"mulian/client/prooffile"
	"mulian/gateway/receipt"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// TestTilesReadARealLog: records and ways over HTTP are those of the log itself, for
// sizes that end within a tile, at its end and in the next row.
func TestTilesReadARealLog(t *testing.T) {
	key, err := sm.Generate(sm.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	const records = 700
	log, err := receipt.Open(t.Context(), receipt.Config{Dir: filepath.Join(t.TempDir(), "log"), Gateway: "11110000MULN00020D/g/main", Origin: "test/log", Key: key, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	var all sync.WaitGroup
	for i := range records {
		all.Go(func() {
			if _, err := log.Append(t.Context(), &tracev1.AccessRecord{Outcome: tracev1.Outcome_OUTCOME_REFUSED, RequestId: fmt.Sprint(i), AtMs: 1}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	server := httptest.NewServer(http.StripPrefix("/log/", http.FileServer(http.Dir(log.TilesDir()))))
	defer server.Close()
	tiles := prooffile.NewTiles(server.URL + "/log/")

	// The checkpoint comes a moment after the records, and what the log itself knows of it a moment later.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		_, err = tiles.Leaf(ctx, records-1)
		if have, _ := log.Integrated(); have == records && !fault.Is(err, fault.NotFound) || ctx.Err() != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		size := 1 + rng.Uint64N(records)
		index := rng.Uint64N(size)
		e, err := log.Record(index)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := tiles.Leaf(ctx, index)
		if err != nil || !bytes.Equal(leaf, e.Raw) {
			t.Fatalf("record %d: %v", index, err)
		}
		want, err := log.Inclusion(ctx, index, size)
		if err != nil {
			t.Fatal(err)
		}
		way, err := tiles.Way(ctx, index, size)
		if err != nil || fmt.Sprintf("%x", way) != fmt.Sprintf("%x", want) {
			t.Fatalf("record %d of %d: %v\n%x\n%x", index, size, err, way, want)
		}
	}
	if _, err := tiles.Way(ctx, 5, records+1); !fault.Is(err, fault.NotFound) {
		t.Errorf("a size that is not there: %v", err)
	}
}
