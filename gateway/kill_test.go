package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mulian/gateway"
	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	"mulian/gateway/receipt"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
)

// play is what a child process does: a gateway, and a fetch if one is named.
type play struct {
	Config gateway.Config
	Fetch  *deliver.Fetch `json:",omitempty"`
}

const playVariable = "GATEWAY_TEST_PLAY"

func TestMain(m *testing.M) {
	if raw := os.Getenv(playVariable); raw != "" {
		if err := child(raw); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func child(raw string) error {
	var p play
	if err := json.Unmarshal([]byte(raw), &p); err != nil {
		return err
	}
	g, err := gateway.Open(context.Background(), p.Config, gateway.Options{})
	if err != nil {
		return err
	}
	fmt.Println("open")
	if p.Fetch == nil {
		return g.Run(context.Background())
	}
	go g.Run(context.Background())
	l, err := g.Fetch(context.Background(), *p.Fetch)
	if err == nil {
		fmt.Println("done", l.Delivery, l.Rows)
	}
	return err
}

// spawn starts a child and hands out its lines.
func (w *town) spawn(p play) (*exec.Cmd, *bufio.Scanner) {
	w.t.Helper()
	raw, err := json.Marshal(p)
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), playVariable+"="+string(raw))
	cmd.Stderr = w.t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

const (
	killRows = 40_000
	// maxKills ends a test on a machine that is too slow to get anywhere between two.
	maxKills = 12
)

// moment is when the n-th kill comes: early ones and late ones, later as it goes on.
func moment(n int) time.Duration { return time.Duration(rand.IntN(400+200*n)) * time.Millisecond }

// TestKillTheAsker: the asker dies at random moments of a batch. Its table is whole
// or not there; in the end it is there, by one delivery.
func TestKillTheAsker(t *testing.T) {
	heavy(t)
	w := newTown(t)
	w.makePermits(killRows)
	door := w.open(w.planningConfig())
	w.publish(door)
	agreement := w.agree(byBatch, nil)
	p := play{Config: w.waterConfig(), Fetch: &deliver.Fetch{Agreement: agreement, Entry: w.entry, Into: connect.TableName{Name: "permits"}}}
	kills, done := 0, false
	for !done {
		cmd, out := w.spawn(p)
		kill := time.AfterFunc(moment(kills), func() { cmd.Process.Kill() }) // the moment is the point of the test
		if kills >= maxKills {
			kill.Stop()
		}
		for out.Scan() {
			if line := out.Text(); strings.HasPrefix(line, "done") {
				done = line == fmt.Sprintf("done 1 %d", killRows)
				if !done {
					t.Errorf("the child says %q", line)
					done = true
				}
			} else if strings.HasPrefix(line, "error") {
				t.Fatalf("the child says %q", line)
			}
		}
		kill.Stop()
		cmd.Wait()
		if !done {
			kills++
		}
		if n := w.rows("permits"); n != 0 && n != killRows {
			t.Fatalf("after kill %d the table has %d rows", kills, n)
		}
	}
	t.Logf("%d kills", kills)
	w.equal("SELECT no, project, area, issued FROM permit ORDER BY no", "SELECT permit_no, project, area, issued FROM permits ORDER BY permit_no")
	w.wantConfirmed(agreement)
}

// killing runs a gateway in another process and kills it at random moments, most times, and
// then lets it run, until stop is called, which tells how often it was killed.
func (w *town) killing(cfg gateway.Config, most int) (stop func() int) {
	ctx, cancel := context.WithCancel(w.t.Context())
	var ended sync.WaitGroup
	kills := 0
	ended.Go(func() {
		for ctx.Err() == nil {
			cmd, out := w.spawn(play{Config: cfg})
			out.Scan()                        // it is open
			next := time.After(moment(kills)) // the moment is the point of the test
			if kills >= most {
				next = nil
			}
			select {
			case <-ctx.Done():
			case <-next:
			}
			cmd.Process.Kill()
			cmd.Wait()
			kills++
		}
	})
	return func() int {
		cancel()
		ended.Wait()
		return kills
	}
}

// TestKillTheProvider: the provider dies at random moments. The asker waits and gets
// a whole table; no record is lost, doubled or out of number.
func TestKillTheProvider(t *testing.T) {
	heavy(t)
	w := newTown(t)
	w.makePermits(killRows)
	door := w.open(w.planningConfig())
	w.publish(door)
	agreement := w.agree(byBatch, nil)
	tap := w.open(w.waterConfig())
	cfg := w.planningConfig()
	cfg.Listen = door.Addr()
	cfg.URL = "http://" + cfg.Listen
	door.stop()

	stop := w.killing(cfg, maxKills)
	short, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	got, err := tap.Fetch(short, deliver.Fetch{Agreement: agreement, Entry: w.entry, Into: connect.TableName{Name: "permits"}})
	t.Logf("%d kills", stop())
	if err != nil || got.Rows != killRows {
		t.Fatalf("%+v, %v", got, err)
	}
	w.equal("SELECT no, project, area, issued FROM permit ORDER BY no", "SELECT permit_no, project, area, issued FROM permits ORDER BY permit_no")
	w.wantConfirmed(agreement)

	door = w.open(cfg)
	granted, completed := 0, 0
	if err := door.Records().Of(agreement, func(e receipt.Entry) bool {
		switch e.Record.Outcome {
		case tracev1.Outcome_OUTCOME_GRANTED:
			granted++
		case tracev1.Outcome_OUTCOME_COMPLETED:
			completed++
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if granted != 1 || completed != 1 {
		t.Errorf("%d grants and %d ends of one delivery", granted, completed)
	}
	if e, err := door.Records().Record(got.Receipt.LeafIndex); err != nil || string(e.Raw) != string(got.Receipt.Record) {
		t.Errorf("the receipt's record is not in the log: %v", err)
	}
	w.eventually("all is anchored", func() bool { s := door.Status(); return s.OK && s.Anchored == s.LogSize })
	if left, _ := filepath.Glob(filepath.Join(cfg.Home, "deliveries", agreement+"-*")); len(left) > 1 {
		t.Errorf("open deliveries: %v", left)
	}
}

func (w *town) wantConfirmed(agreement string) {
	w.t.Helper()
	d, g := &sharev1.Delivery{}, &sharev1.Agreement{}
	if ok, err := w.chain.Get(context.Background(), "share/delivery/"+agreement+"/0000000001", d); !ok || err != nil || d.State != sharev1.DeliveryState_DELIVERY_STATE_CONFIRMED || d.Rows != killRows {
		w.t.Errorf("delivery: %v, %v", d, err)
	}
	if ok, err := w.chain.Get(context.Background(), "share/agreement/"+agreement, g); !ok || err != nil || g.Deliveries != 1 {
		w.t.Errorf("deliveries: %d, %v", g.GetDeliveries(), err)
	}
}
