package node

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"mulian/client"
	identityv1 "mulian/gen/mulian/identity/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/gen/mulian/safebox/v1/safeboxv1connect"
	"mulian/internal/fault"
	"mulian/internal/objecttest"
	"mulian/internal/wire"
	"mulian/safebox/boxcall"
	"mulian/safebox/store"
)

// TestAMemberKeepsBoxes: without any configuration a member has a door for boxes, by the
// name that its status tells, with figures; and none if it is told so.
func TestAMemberKeepsBoxes(t *testing.T) {
	w := newTown(t)
	m := w.run(t, nil)
	st, err := client.New(m.URL()).Status(t.Context())
	if err != nil || st.GetBoxDoor() != m.Node.Identity().NodeID {
		t.Fatalf("the door is called %q, %v", st.GetBoxDoor(), err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(w.home), "boxes")); err != nil {
		t.Error(err)
	}
	res, err := http.Get(m.URL() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, figure := range []string{"mulian_box_items 0", "mulian_box_bytes 0", "mulian_box_unsettled 0", "mulian_box_destroyed_total 0"} {
		if !strings.Contains(string(raw), "\n"+figure+"\n") {
			t.Errorf("no figure %q", figure)
		}
	}
	// The organisation that founded the chain has an account, and no vault; nobody else has any.
	for name, c := range map[string]struct {
		account string
		door    string
		code    fault.Code
	}{"a founder": {w.Authority, st.GetBoxDoor(), fault.NotFound}, "another door": {w.Authority, "elsewhere", fault.NotWhitelisted}, "a stranger": {"p-nobody", st.GetBoxDoor(), fault.NotWhitelisted}} {
		caller := &boxcall.Caller{Door: boxcall.Dial(m.URL()), Chain: st.GetChainId(), Name: c.door, Signer: client.Signer{Account: c.account, Key: w.Key(w.Authority, identityv1.KeyLevel_KEY_LEVEL_OFFICER)}}
		if _, err := caller.Vault(t.Context()); !fault.Is(err, c.code) {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

// TestAMemberWithoutBoxes has no door.
func TestAMemberWithoutBoxes(t *testing.T) {
	w := newTown(t)
	if _, err := Init(w.home, w.genesis); err != nil {
		t.Fatal(err)
	}
	m, err := OpenMember(t.Context(), MemberConfig{Listen: "127.0.0.1:0", Node: Config{Home: w.home}, Boxes: Boxes{Off: true}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	st, err := client.New(m.URL()).Status(t.Context())
	if err != nil || st.GetBoxDoor() != "" {
		t.Errorf("the door is called %q, %v", st.GetBoxDoor(), err)
	}
	_, err = safeboxv1connect.NewBoxServiceClient(http.DefaultClient, m.URL()).Call(t.Context(), connect.NewRequest(&safeboxv1.BoxCall{}))
	if !fault.Is(wire.Fault(err), fault.NotFound) {
		t.Errorf("a call: %v", err)
	}
}

// TestTwoMembersDoNotShareBoxes: the folder is of one member.
func TestTwoMembersDoNotShareBoxes(t *testing.T) {
	w := newTown(t)
	w.run(t, nil)
	_, err := store.OpenFiles(filepath.Join(filepath.Dir(w.home), "boxes"))
	if err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("it was opened twice: %v", err)
	}
}

// TestAMemberKeepsBoxesInABucket: with the address of an object store it serves as with a
// folder, and does not start without the bucket.
func TestAMemberKeepsBoxesInABucket(t *testing.T) {
	w := newTown(t)
	if _, err := Init(w.home, w.genesis); err != nil {
		t.Fatal(err)
	}
	there := objecttest.Run(t, false)
	cfg := MemberConfig{Listen: "127.0.0.1:0", Node: Config{Home: w.home}, Boxes: Boxes{Dir: strings.Replace(there.Place("b"), "//"+objecttest.Bucket, "//others", 1)}}
	if m, err := OpenMember(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "others") {
		t.Fatalf("without the bucket: %v, %v", m, err)
	}
	cfg.Boxes.Dir = there.Place("b")
	m, err := OpenMember(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	st, err := client.New(m.URL()).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	caller := &boxcall.Caller{Door: boxcall.Dial(m.URL()), Chain: st.GetChainId(), Name: st.GetBoxDoor(), Signer: client.Signer{Account: w.Authority, Key: w.Key(w.Authority, identityv1.KeyLevel_KEY_LEVEL_OFFICER)}}
	if _, err := caller.Vault(t.Context()); !fault.Is(err, fault.NotFound) {
		t.Errorf("a box that is not there: %v", err)
	}
}
