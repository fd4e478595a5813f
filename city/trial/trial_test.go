package trial

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"mulian/client"
	"mulian/internal/fault"
	"mulian/node"
)

// asMember tells the test binary to be a member's process: it runs the member of the
// home in its last argument.
const asMember = "MULIAN_TRIAL_MEMBER"

func TestMain(m *testing.M) {
	if os.Getenv(asMember) == "" {
		os.Exit(m.Run())
	}
	if err := beFaulty(); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	if err := beMember(os.Args[len(os.Args)-1]); err != nil {
		os.Stderr.WriteString(fault.CodeOf(err).String() + ": " + err.Error() + "\n")
		os.Exit(1)
	}
}

func beMember(home string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	raw, err := os.ReadFile(filepath.Join(home, configFile))
	if err != nil {
		return err
	}
	var c memberConfig
	if err := yaml.Unmarshal(raw, &c); err != nil {
		return err
	}
	m, err := node.OpenMember(ctx, node.MemberConfig{Listen: c.Listen, Node: node.Config{
		Home: filepath.Join(home, nodeDir), Listen: c.Node.Listen, Peers: c.Node.Peers, Version: "test",
	}})
	if err != nil {
		return err
	}
	return m.Run(ctx)
}

func start(t *testing.T, w *Network) *Running {
	t.Helper()
	t.Setenv(asMember, "1")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	r, err := w.Start(ctx, []string{self})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, p := range r.Started {
			p.Kill()
		}
	})
	return r
}

// TestFourProcessesAgree: a network is founded once; what one member commits the others
// have; one that is killed comes back; a second start goes on.
func TestFourProcessesAgree(t *testing.T) {
	if testing.Short() {
		t.Skip("four processes: not beside the race detector's")
	}
	dir := filepath.Join(t.TempDir(), "net")
	w, err := Found(Options{Home: dir, Members: 4})
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, w)
	first, err := w.FirstUnit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same(t, r.Started, first.Height)
	r.Started[3].Kill()
	if _, err := client.New(w.Members[1].URL).Status(t.Context()); err != nil {
		t.Fatal(err)
	}
	back, err := w.Members[3].Start(r.Started[3].cmd.Args[:1])
	if err != nil {
		t.Fatal(err)
	}
	r.Started[3] = back
	same(t, r.Started, first.Height)
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	again, err := Found(Options{Home: dir, Members: 4})
	if err != nil || again.Genesis != w.Genesis {
		t.Fatalf("%x, %v: another genesis", again.Genesis, err)
	}
	start(t, again)
	if _, err := again.FirstUnit(t.Context()); !fault.Is(err, fault.AlreadyExists) {
		t.Errorf("%v, want AlreadyExists", err)
	}
}

// same waits until all members are at the height and tell the same state.
func same(t *testing.T, members []*Started, height int64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		hashes := map[string]int{}
		for _, p := range members {
			s, err := client.New(p.URL).Status(t.Context())
			if err == nil && s.GetHeight() >= height {
				hashes[string(s.GetAppHash())]++
			}
		}
		for _, n := range hashes {
			if n == len(members) {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("after a minute the members do not agree: %x", hashes)
		}
	}
}

func TestAFolderHasOneNetwork(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	if _, err := Found(Options{Home: dir, Members: 2}); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"another size":  {Home: dir, Members: 3},
		"another chain": {Home: dir, Members: 2, ChainID: "other-chain"},
		"nobody":        {Home: dir},
		"too many":      {Home: dir, Members: MaxMembers + 1},
	} {
		if _, err := Found(o); !fault.Is(err, fault.Usage) {
			t.Errorf("%s: %v, want Usage", name, err)
		}
	}
}

// TestAMemberThatCannotStartSaysWhy: the error has what the member logged.
func TestAMemberThatCannotStartSaysWhy(t *testing.T) {
	w, err := Found(Options{Home: filepath.Join(t.TempDir(), "net"), Members: 1})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Start(t.Context(), []string{"/bin/sh", "-c", "echo the disk is gone; exit 3"})
	if !fault.Is(err, fault.Unreachable) || !strings.Contains(err.Error(), "the disk is gone") {
		t.Errorf("%v", err)
	}
}
