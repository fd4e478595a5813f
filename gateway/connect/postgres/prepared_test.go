package postgres

import (
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"mulian/gateway/connect"
	"mulian/internal/pgtest"
)

// TestPreparedQueryFollowsItsTable: a query that the server has prepared gives what the
// table is now, whatever was changed in between and whoever lost the statement.
func TestPreparedQueryFollowsItsTable(t *testing.T) {
	url := pgtest.URL(t, "prepared")
	own, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close(t.Context())
	change := func(sql string) {
		t.Helper()
		if _, err := own.Exec(t.Context(), sql).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	change("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 7)")
	opened, err := open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	s := opened.(*source)
	sel := connect.Selection{
		Table: connect.TableName{Name: "t"}, Columns: []string{"v"}, Limit: 1,
		Where: []connect.Condition{{Column: "id", Op: connect.OpIn, Values: []connect.Value{connect.IntegerValue(1)}}},
	}
	want := func(step string, v connect.Value) {
		t.Helper()
		for range 2 { // prepares, and uses what is prepared
			rows, err := s.Query(t.Context(), sel)
			if err != nil || len(rows) != 1 || rows[0][0] != v {
				t.Fatalf("%s: %v, %v", step, rows, err)
			}
		}
	}
	want("at first", connect.IntegerValue(7))
	if len(s.prepared) != 1 {
		t.Fatalf("prepared on %d connections, want 1", len(s.prepared))
	}
	change("ALTER TABLE t ALTER v TYPE text USING 'seven'")
	want("another type", connect.TextValue("seven"))
	change("DROP TABLE t; CREATE TABLE t (v text, id bigint PRIMARY KEY); INSERT INTO t VALUES ('new', 1)")
	want("another table", connect.TextValue("new"))
	conn, err := s.acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := exec(t.Context(), conn, "DEALLOCATE ALL"); err != nil { // as a pooler between us does
		t.Fatal(err)
	}
	s.release(conn)
	want("without its statements", connect.TextValue("new"))
	if !s.unnamed {
		t.Error("it goes on preparing what is lost")
	}
	change("ALTER TABLE t DROP v")
	if _, err := s.Query(t.Context(), sel); err == nil {
		t.Error("a column that is gone was read")
	}
}
