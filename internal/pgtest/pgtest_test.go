package pgtest

import (
	"testing"

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
