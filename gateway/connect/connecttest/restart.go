package connecttest

import (
	"errors"
	"strings"
	"testing"

	"mulian/gateway/connect"
)

// A Restart is a server that a test may kill and start again.
type Restart interface {
	Database(t testing.TB, name string) (url string)
	Kill(t testing.TB)  // as a power cut would
	Start(t testing.TB) // on the same port
}

// RunRestart kills the server under an open source and an open load, and brings it back:
// the source works again, and the load has left nothing.
func RunRestart(t *testing.T, server Restart) {
	url := server.Database(t, "durable")
	sink, source := Sink(t, url), Source(t, url)
	target := connect.Target{Table: connect.TableName{Name: "t"}, Columns: Columns("id integer!"), PrimaryKey: []string{"id"}, Mode: connect.Append, Delivery: "1"}
	MustLoad(t, sink, target, R("integer 1"))
	target.Delivery = "2"
	l, err := sink.Begin(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), Page(t, R("integer 2"))); err != nil {
		t.Fatal(err)
	}
	before, err := source.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	server.Kill(t)
	if _, err := l.Commit(t.Context()); !errors.Is(err, connect.ErrUnreachable) {
		t.Errorf("commit to a dead server: %v", err)
	}
	for range 2 {
		if _, err := source.Inspect(t.Context()); !errors.Is(err, connect.ErrUnreachable) {
			t.Errorf("inspect of a dead server: %v", err)
		} else if strings.Contains(err.Error(), "tester") {
			t.Errorf("the error repeats the URL: %v", err)
		}
	}
	server.Start(t)
	after, err := source.Inspect(t.Context())
	if err != nil || before.Hash() != after.Hash() {
		t.Errorf("the same source after the restart: %v", err)
	}
	got := All(t, source, connect.Selection{Table: target.Table, Columns: []string{"id"}})
	if diff := Diff([]connect.Row{R("integer 1")}, got); diff != "" {
		t.Errorf("after the power cut: %s", diff)
	}
	if r := MustLoad(t, sink, target, R("integer 2")); r.Repeated {
		t.Error("the load that was cut off counts as loaded")
	}
}
