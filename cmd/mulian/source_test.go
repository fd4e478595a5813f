package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"mulian/gateway"
	"mulian/gateway/connect"
	"mulian/internal/pgtest"
)

// followedDatabase is a database with the slot of a feed that nobody follows any more.
func followedDatabase(t *testing.T) (url string, conn *pgx.Conn) {
	t.Helper()
	url = pgtest.URL(t, "office")
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	if _, err := conn.Exec(t.Context(), "CREATE TABLE firm (id int PRIMARY KEY)"); err != nil {
		t.Fatal(err)
	}
	db, err := connect.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	t.Cleanup(func() { _ = gateway.DropFeed(context.Background(), url) }) // a slot would stay for the server's life
	enough := errors.New("enough")
	err = db.(connect.Feeder).Follow(t.Context(), []connect.TableName{{Name: "firm"}}, "", func(connect.Change) error { return enough })
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
	return url, conn
}

// TestDoctorLooksAtTheAccountAndTheFeed of a source, and says cause, effect and what to do.
func TestDoctorLooksAtTheAccountAndTheFeed(t *testing.T) {
	url, _ := followedDatabase(t)
	a := &app{lang: "en"}
	found := a.examineSource(t.Context(), "here", "office", url, nil)
	if len(found) != 3 || found[0].Mark != "ok" || found[1].Mark != "warn" || found[1].Value != "superuser" || found[2].Mark != "ok" || !strings.Contains(found[2].Value, "at most 256 MiB") {
		t.Errorf("found %+v", found)
	}
	now := time.Now()
	for cause, lag := range map[string]connect.FeedLag{
		"gave it up":            {There: true, Lost: true, Limit: 1 << 30},
		"does not keep up":      {There: true, Active: true, Bytes: 1 << 30, Limit: 1 << 30},
		"has followed since 20": {There: true, Bytes: 1, Limit: 1 << 30, IdleSince: now.Add(-48 * time.Hour)},
		"no gateway follows":    {There: true, Bytes: 2 << 30},
	} {
		f := a.feedFinding(found[0], lag, []string{"SELECT drop;"}, now)
		if f.Mark != "warn" || !strings.Contains(f.Cause, cause) || f.Effect == "" || f.Fix == "" || !lag.Lost && !strings.Contains(f.Fix, "SELECT drop;") {
			t.Errorf("%+v: %+v", lag, f)
		}
	}
}

// TestSourceRemoveLeavesNoSlot: the configuration and what the feed left on the server.
func TestSourceRemoveLeavesNoSlot(t *testing.T) {
	url, conn := followedDatabase(t)
	const account = "11110000000021928B/g/main"
	home := t.TempDir()
	a := &app{home: home, lang: "en"}
	path := filepath.Join(a.gatewayHome(account), gatewayFile)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	cfg := &gateway.Config{Home: home, Account: account, Server: "http://127.0.0.1:1", Genesis: "g", Sources: []gateway.Source{{Name: "office", URL: url}, {Name: "other", URL: "sqlite:x.db"}}}
	if err := a.writeGateway(path, cfg); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (int, string) {
		t.Helper()
		var out, errs bytes.Buffer
		status := Run(t.Context(), append(args, "--home", home, "--lang", "en", "--json"), strings.NewReader(""), &out, &errs)
		return status, out.String() + errs.String()
	}
	slots := func() (n int) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if status, text := run("source", "test", account); status == 0 || !strings.Contains(text, "superuser") {
		t.Errorf("source test: %d, %s", status, text)
	}
	if status, text := run("source", "remove", "nobody"); status == 0 {
		t.Errorf("a source that is not there: %d, %s", status, text)
	}
	if status, text := run("source", "remove", "office", "--dry-run"); status != 0 || slots() != 1 {
		t.Errorf("only shown: %d, %s", status, text)
	}
	status, text := run("source", "remove", "office")
	var got removed
	if err := json.Unmarshal([]byte(text), &got); err != nil || status != 0 || !got.OK || got.Followed || got.Unknown != "" || len(got.Statements) > 0 || slots() != 0 {
		t.Errorf("removed: %d, %s, %v, %d slots", status, text, err, slots())
	}
	after, err := readGateway(path)
	if err != nil || len(after.Sources) != 1 || after.Sources[0].Name != "other" {
		t.Errorf("the configuration after it: %+v, %v", after, err)
	}
}
