package documents

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mulian/gateway/connect"
)

// TestNoRoomForNames: what fails behind the commit is tried again, by whoever asks next, and the
// delivery stays open until it succeeds.
func TestNoRoomForNames(t *testing.T) {
	defer func() { crashed = func(string) bool { return false } }()
	s, dir := into(t)
	crashed = func(at string) bool { return at == "full" }
	rows := []connect.Row{whole("a", "one"), whole("b", "two")}
	if err := deliver(t.Context(), s, "x/1", rows...); !errors.Is(err, connect.ErrUnreachable) {
		t.Fatalf("the commit: %v", err)
	}
	if _, _, err := s.Loaded(t.Context(), "", "x/1"); !errors.Is(err, connect.ErrUnreachable) {
		t.Errorf("asked again: %v", err)
	}
	if err := deliver(t.Context(), s, "x/1", rows...); !errors.Is(err, connect.ErrUnreachable) {
		t.Errorf("delivered again: %v", err)
	}
	if err := deliver(t.Context(), s, "x/2", whole("c", "three")); !errors.Is(err, connect.ErrUnreachable) {
		t.Errorf("the next delivery: %v", err)
	}
	crashed = func(string) bool { return false }
	if r, found, err := s.Loaded(t.Context(), "", "x/1"); err != nil || !found || r.Rows != 2 {
		t.Fatalf("%+v, %t, %v", r, found, err)
	}
	for name, want := range map[string]string{"a": "one", "b": "two"} {
		if b, err := os.ReadFile(filepath.Join(dir, "in", name)); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	for _, full := range []error{
		&os.LinkError{Op: "rename", Old: "/secret/a", New: "/secret/b", Err: syscall.ENOSPC},
		&os.PathError{Op: "mkdir", Path: "/secret", Err: syscall.ENOSPC},
	} {
		behind, before := failure(unplaced(full)), failure(full)
		if !errors.Is(behind, connect.ErrUnreachable) || errors.Is(behind, connect.ErrFull) || !errors.Is(before, connect.ErrFull) || strings.Contains(behind.Error()+before.Error(), "secret") {
			t.Errorf("behind the commit %v, before it %v", behind, before)
		}
	}
}

// TestBooksStayShort: however many deliveries come, the lists of few are kept; what they say
// about whose files they are, and about the newest of an agreement, holds all the same.
func TestBooksStayShort(t *testing.T) {
	s, dir := into(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(deliver(t.Context(), s, "quiet/1", whole("quiet", "1")))
	must(deliver(t.Context(), s, "x/0", whole("first", "1"), whole("gone", "1")))
	must(os.Remove(filepath.Join(dir, "in/gone")))
	// As deliveries leave them; each would have to be synchronised.
	root, err := os.OpenRoot(dir)
	must(err)
	defer root.Close()
	for i := 1; i <= 2*keptLists; i++ {
		id := fmt.Sprintf("x/%d", i)
		raw := fmt.Sprintf(`{"delivery":%q,"rows":1,"at":"2100-01-01T00:%02d:%02d.%03dZ","files":[{"name":"in/first"}]}`, id, i/60%60, i%60, i)
		must(os.WriteFile(filepath.Join(dir, bookkeeping, "done", loadName("in", id)+".json"), []byte(raw), 0o600))
	}
	last := fmt.Sprintf("x/%d", 2*keptLists+1)
	must(deliver(t.Context(), s, last, whole("first", "2")))
	lists, err := os.ReadDir(filepath.Join(dir, bookkeeping, "done"))
	must(err)
	if len(lists) > keptLists+2 { // the last one, and the one of the quiet agreement
		t.Errorf("%d lists are kept", len(lists))
	}
	for id, want := range map[string]bool{"quiet/1": true, last: true, fmt.Sprintf("x/%d", 2*keptLists): true, "x/0": false} {
		if _, found, err := s.Loaded(t.Context(), "", id); err != nil || found != want {
			t.Errorf("%s: %t, %v, want %t", id, found, err, want)
		}
	}
	was, err := readOwned(root, hashed("in"), "x")
	must(err)
	if len(was.Files) != 1 || was.Files[0] != "in/first" {
		t.Errorf("%q are kept, want those that are there", was.Files)
	}
	// The lists that name them go too; the files stay their agreement's.
	for _, e := range lists {
		must(os.Remove(filepath.Join(dir, bookkeeping, "done", e.Name())))
	}
	if err := deliver(t.Context(), s, "y/1", whole("first", "3")); !errors.Is(err, connect.ErrTargetDiffers) {
		t.Errorf("another agreement: %v", err)
	}
	must(deliver(t.Context(), s, "x/9999", whole("first", "4")))
}

// TestManyLists: those of other tables are passed over, in more than one portion of names.
func TestManyLists(t *testing.T) {
	s, dir := into(t)
	for i := range 3000 {
		if err := os.WriteFile(filepath.Join(dir, bookkeeping, "done", loadName(fmt.Sprint(i), "z/1")+".json"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// None of them is read: each is empty.
	if err := errors.Join(deliver(t.Context(), s, "x/1", whole("a", "1")), deliver(t.Context(), s, "x/2", whole("a", "2"))); err != nil {
		t.Error(err)
	}
	if _, found, err := s.Loaded(t.Context(), "", "x/1"); !found || err != nil {
		t.Errorf("%t, %v", found, err)
	}
}
