package mariaserver

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"
)

// TestServerEndsWithItsProcess closes the pipe, as the kernel does when a test
// process dies, and waits for the server and its folder to vanish.
func TestServerEndsWithItsProcess(t *testing.T) {
	s, err := Start(Options{Sync: true})
	if err != nil {
		if os.Getenv("MULIAN_REQUIRE_SERVERS") == "1" {
			t.Fatal(err)
		}
		t.Skip("SKIP no mariadb: " + err.Error())
	}
	if _, err := s.Create(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Kill(), s.Start()); err != nil {
		t.Fatal(err)
	}
	pid := s.PID()
	if pid <= 1 {
		t.Errorf("the server's process is %d", pid)
	}
	if _, err := s.Create(t.Context(), "x"); err != nil {
		t.Fatalf("after Kill and Start: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(s.Folder()); os.IsNotExist(err) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server's folder is still there")
		}
	}
	if s.PID() != 0 || syscall.Kill(pid, 0) == nil {
		t.Error("the server still runs")
	}
}
