package pgtest

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestEachURLIsAnEmptyDatabase(t *testing.T) {
	a, b := URL(t, "same"), URL(t, "same")
	if a == b {
		t.Fatalf("two calls gave one database: %s", a)
	}
	for _, url := range []string{a, b} {
		conn, err := pgconn.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		if _, err := conn.Exec(t.Context(), "CREATE TABLE t (a int)").ReadAll(); err != nil {
			t.Errorf("database is not empty: %v", err)
		}
	}
}

// TestServerEndsWithItsProcess closes the pipe, as the kernel does when a test
// process dies, and waits for the server and its folder to vanish.
func TestServerEndsWithItsProcess(t *testing.T) {
	s := Durable(t)
	url := s.Database(t, "x")
	s.Kill(t)
	s.Start(t)
	if _, err := pgconn.Connect(t.Context(), url); err != nil {
		t.Fatalf("after Kill and Start: %v", err)
	}
	if err := s.life.Close(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, err := os.Stat(s.dir)
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

func TestRootBecomesAnother(t *testing.T) {
	c, err := unprivileged()
	if err != nil {
		t.Skip("SKIP no postgres: " + err.Error())
	}
	if syscall.Getuid() == 0 && (c == nil || c.Uid == 0) {
		t.Errorf("would run the server as root: %v", c)
	}
}
