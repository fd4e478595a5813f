package postgres_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"mulian/gateway/connect/connecttest"
	"mulian/internal/pgtest"
)

// TestLeastAccount: for reading alone, and with what following changes needs.
func TestLeastAccount(t *testing.T) {
	for name, feed := range map[string]bool{"reader": false, "follower": true} {
		t.Run(name, func(t *testing.T) {
			var url string
			if feed {
				url = pgtest.Durable(t, "wal_level=logical", "max_slot_wal_keep_size=1GB").Database(t, "grant")
			} else {
				url = pgtest.URL(t, "grant")
			}
			role := "least" + url[strings.LastIndexByte(url, '_')+1:strings.IndexByte(url, '?')]
			own := strings.Replace(url, "tester@", role+"@", 1)
			connecttest.RunGrants(t, database(), url, connecttest.Account{
				Name: role, URL: own, Feed: feed, Refused: []string{"CREATE SCHEMA own", "CREATE ROLE other", "SELECT * FROM pg_authid", "CREATE PUBLICATION p FOR TABLE hidden"},
				Excess: []connecttest.Excess{
					{Grant: "GRANT INSERT (name), DELETE ON firm TO " + role, Says: "INSERT, DELETE on table public.firm", Revoke: "REVOKE INSERT (name), DELETE ON firm FROM " + role},
					{Grant: "ALTER ROLE " + role + " CREATEDB BYPASSRLS", Says: "BYPASSRLS", Revoke: "ALTER ROLE " + role + " NOCREATEDB NOBYPASSRLS"},
					{Grant: "GRANT CREATE ON SCHEMA public TO " + role, Says: "CREATE on schema public", Revoke: "REVOKE CREATE ON SCHEMA public FROM " + role},
					{Grant: "GRANT pg_write_all_data TO " + role, Says: "member of pg_write_all_data", Revoke: "REVOKE pg_write_all_data FROM " + role},
					{Grant: "CREATE TABLE own (a int); ALTER TABLE own OWNER TO " + role, Says: "owner, INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER, REFERENCES on table public.own", Revoke: "DROP TABLE own"},
					{Grant: "ALTER ROLE " + role + " SUPERUSER", Says: "superuser", Revoke: "ALTER ROLE " + role + " NOSUPERUSER"},
				},
				Run: func(s string) error {
					conn, err := pgconn.Connect(t.Context(), own)
					if err != nil {
						return err
					}
					defer conn.Close(t.Context())
					_, err = conn.Exec(t.Context(), s).ReadAll()
					return err
				},
			})
		})
	}
}
