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
