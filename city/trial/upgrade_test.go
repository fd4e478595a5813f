package trial

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mulian/client"
	"mulian/client/keyring"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
)

// program builds the real program with that protocol; "" = as it is.
func program(t *testing.T, protocol string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mulian"+protocol)
	args := []string{"build", "-o", path}
	if protocol != "" {
		args = append(args, "-ldflags", "-X mulian/rules.protocol="+protocol)
	}
	cmd := exec.Command("go", append(args, "./cmd/mulian")...)
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return []string{path, "node", "--quiet"}
}

// launch starts a member, which the test's end kills.
func launch(t *testing.T, m Member, command []string) *Started {
	t.Helper()
	p, err := m.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("the log of member %d ends with:\n%s", p.Number, p.tail())
		}
	})
	return p
}

// outdated waits until the process has ended, and holds that it did so because a newer
// program is needed: by its exit status and by what it says.
func outdated(t *testing.T, p *Started) {
	t.Helper()
	select {
	case <-p.Ended():
	case <-time.After(2 * time.Minute):
		t.Fatalf("member %d still runs; its log ends with:\n%s", p.Number, p.tail())
	}
	var exit *exec.ExitError
	if !errors.As(p.err, &exit) || exit.ExitCode() != fault.Outdated.Exit() || !strings.Contains(p.tail(), fault.Outdated.String()) {
		t.Fatalf("member %d ended with %v; its log ends with:\n%s", p.Number, p.err, p.tail())
	}
	if strings.Contains(p.tail(), "goroutine ") {
		t.Errorf("member %d did not end cleanly:\n%s", p.Number, p.tail())
	}
}

// advance makes blocks, one transaction each, until the chain has reached the height or the
// member takes no more. The names of what it registers begin at from.
func advance(t *testing.T, m Member, from, to int64) {
	t.Helper()
	s, err := m.Signer(keyring.Root)
	if err != nil {
		t.Fatal(err)
	}
	for i := from; i < from+200; i++ {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		r, err := client.New(m.URL).Send(ctx, s, &identityv1.RegisterUnit{Kind: identityv1.AccountKind_ACCOUNT_KIND_DEPARTMENT, LocalId: fmt.Sprintf("d%d", i), Name: fmt.Sprintf("第%d处", i)})
		cancel()
		if err != nil || r.Height >= to {
			return // whether that was right is seen by who has ended, and where
		}
	}
}

// TestUpgradeAtAHeight: the members vote on rules that only a newer program knows. At the
// height the old programs end before the block, and refuse to start again; the newer one
// goes on from the same homes at exactly that height, and one that ran all along
// behaved as the old ones until then.
func TestUpgradeAtAHeight(t *testing.T) {
	if testing.Short() {
		t.Skip("two programs and four processes: not beside the race detector's")
	}
	old, next := program(t, ""), program(t, "2")
	w, err := Found(Options{Home: filepath.Join(t.TempDir(), "net"), Members: 4})
	if err != nil {
		t.Fatal(err)
	}
	run := make([]*Started, 4)
	for i, m := range w.Members {
		run[i] = launch(t, m, [][]string{old, old, old, next}[i])
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var height int64
	for _, p := range run {
		st, err := p.Ready(ctx, 3)
		if err != nil {
			t.Fatal(err)
		}
		height = max(height, st.GetHeight())
	}
	at := height + 30
	decideUpgrade(t, w, &governancev1.Upgrade{Name: "two", Protocol: 2, Height: at, Notes: "https://example.org/two"})
	same(t, run, height)
	for i, p := range run {
		st, err := client.New(p.URL).Status(ctx)
		if err != nil || st.GetProtocol().GetInForce() != 1 || st.GetProtocol().GetPending().GetHeight() != at || st.GetProgramProtocol() != uint32(1+i/3) {
			t.Fatalf("member %d tells %v, %v", p.Number, st, err)
		}
	}
	advance(t, w.Members[0], 0, at)
	for _, p := range run[:3] {
		outdated(t, p)
	}
	waitHeight(t, run[3], at-1)
	if st, err := client.New(run[3].URL).Status(ctx); err != nil || st.GetHeight() != at-1 || st.GetProtocol().GetInForce() != 2 {
		t.Fatalf("the newer program tells %v, %v: alone it makes no block %d", st, err, at)
	}
	outdated(t, launch(t, w.Members[0], old)) // again: it refuses

	for i := range 3 {
		run[i] = launch(t, w.Members[i], next)
	}
	for _, p := range run {
		if _, err := p.Ready(ctx, 2); err != nil {
			t.Fatal(err)
		}
	}
	advance(t, w.Members[1], 1000, at+5)
	same(t, run, at+1)
	st, err := client.New(run[0].URL).Status(ctx)
	if err != nil || st.GetProtocol().GetInForce() != 2 || st.GetProtocol().GetSinceHeight() != at || st.GetProtocol().GetPending() != nil {
		t.Fatalf("%v, %v", st, err)
	}
	if st.GetHeight() < at {
		t.Errorf("height %d, want %d or more", st.GetHeight(), at)
	}
	if err := run[0].Stop(); err != nil {
		t.Error(err)
	}
	outdated(t, launch(t, w.Members[0], old)) // on the new chain, too
}

// decideUpgrade proposes with the first member and votes with the others.
func decideUpgrade(t *testing.T, w *Network, u *governancev1.Upgrade) {
	t.Helper()
	var id string
	for i, m := range w.Members {
		s, err := m.Signer(keyring.Root)
		if err != nil {
			t.Fatal(err)
		}
		c := client.New(m.URL)
		if i == 0 {
			r, err := c.Send(t.Context(), s, &governancev1.Propose{Title: "升级", Change: &governancev1.Change{Kind: &governancev1.Change_Upgrade{Upgrade: u}}})
			if err != nil {
				t.Fatal(err)
			}
			id = r.IDs[0]
			continue
		}
		if _, err := c.Send(t.Context(), s, &governancev1.CastVote{Proposal: id, Yes: true}); err != nil && !fault.Is(err, fault.VoteClosed) {
			t.Fatal(err)
		}
	}
}

// waitHeight waits until the member has made the block.
func waitHeight(t *testing.T, p *Started, height int64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(lookEvery) {
		st, err := client.New(p.URL).Status(t.Context())
		if err == nil && st.GetHeight() >= height {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("member %d is at %d (%v), want %d", p.Number, st.GetHeight(), err, height)
		}
	}
}
