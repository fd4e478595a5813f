package dsp

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestTheJournalDoesNotGrowWithWhatIsSaid: a connector that moves its transfers to and fro
// does not fill the disk, and nothing that was kept meanwhile is lost.
func TestTheJournalDoesNotGrowWithWhatIsSaid(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, err := openJournal(path, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	pids := []string{"a", "b", "c", "d"}
	for _, pid := range pids {
		all.Go(func() {
			x := &transfer{exchange: exchange{Pid: pid, Participant: "p"}}
			for n := range 500 {
				x.ExpiresMs = int64(n)
				if err := j.put(x.line()); err != nil {
					t.Errorf("put %s %d: %v", pid, n, err)
					return
				}
				if n%100 == 0 { // as if the history had reached its bound
					j.mu.Lock()
					j.lines += maxHistory
					j.mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(raw), "\n"); n > 1900 { // 2000 were written, and it was replaced at least once
		t.Errorf("%d lines", n)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	if j, err = openJournal(path, time.Now()); err != nil {
		t.Fatal(err)
	}
	defer j.close()
	for _, pid := range pids {
		if x, ok := recall(j, facade().transferring().kept, pid); !ok || x.ExpiresMs != 499 {
			t.Errorf("%s: %+v, %v", pid, x, ok)
		}
	}
}

// TestNothingIsWrittenToAFileThatIsGone: if the new file cannot be opened, what is said is
// refused, not lost.
func TestNothingIsWrittenToAFileThatIsGone(t *testing.T) {
	j, err := openJournal(filepath.Join(t.TempDir(), "journal"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	j.broken = os.ErrPermission
	if err := j.put((&transfer{exchange: exchange{Pid: "x"}}).line()); err == nil {
		t.Error("taken")
	}
	if _, ok := recall(j, facade().transferring().kept, "x"); ok {
		t.Error("and known")
	}
}
