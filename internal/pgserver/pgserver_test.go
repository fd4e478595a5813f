package pgserver

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestServerEndsWithItsProcess closes the pipe, as the kernel does when a test
// process dies, and waits for the server and its folder to vanish.
func TestServerEndsWithItsProcess(t *testing.T) {
	s, err := Start(Options{Fsync: true})
	if err != nil {
		t.Skip("SKIP no postgres: " + err.Error())
	}
	url, err := s.Create(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Kill(), s.Start()); err != nil {
		t.Fatal(err)
	}
	if s.PID() <= 1 {
		t.Errorf("the server's process is %d", s.PID())
	}
	if _, err := pgconn.Connect(t.Context(), url); err != nil {
		t.Fatalf("after Kill and Start: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, err := os.Stat(s.Folder())
		if os.IsNotExist(err) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server's folder is still there")
		}
	}
	if _, err := pgconn.Connect(t.Context(), url); err == nil {
		t.Error("the server still answers")
	}
}
