package main

import (
	"database/sql"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// sqlite runs statements in a database, or wants the one value that a query gives:
// sqlite FILE STATEMENT..., sqlite FILE SELECT... = WANT.
func sqlite(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("sqlite", "file:"+ts.MkAbs(args[0])+"?_pragma=busy_timeout(5000)")
	ts.Check(err)
	defer db.Close()
	if len(args) == 4 && args[2] == "=" {
		var got string
		ts.Check(db.QueryRow(args[1]).Scan(&got))
		if got != args[3] {
			ts.Fatalf("%s gives %q, want %q", args[1], got, args[3])
		}
		return
	}
	for _, statement := range args[1:] {
		_, err := db.Exec(statement)
		ts.Check(err)
	}
}

// permits makes a database with a table of so many permits: permits 500 FILE.
func permits(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	db, err := sql.Open("sqlite", "file:"+ts.MkAbs(args[1]))
	ts.Check(err)
	defer db.Close()
	_, err = db.Exec("CREATE TABLE permit(permit_no TEXT PRIMARY KEY NOT NULL, project TEXT NOT NULL, area INTEGER, issued DATE)")
	ts.Check(err)
	var rows strings.Builder
	for i := range n {
		fmt.Fprintf(&rows, ",('P%06d','项目 %d',%d,'2026-01-%02d')", i, i, i*10, i%28+1)
	}
	_, err = db.Exec("INSERT INTO permit VALUES " + rows.String()[1:])
	ts.Check(err)
}

// port puts a free address of this machine into a variable: port DOOR.
func port(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], l.Addr().String())
	ts.Check(l.Close())
}

// open waits until a gateway of the home can be used: open ACCOUNT.
func open(ts *testscript.TestScript, _ bool, args []string) {
	socket := ts.MkAbs(ts.Getenv("MULIAN_HOME") + "/gateways/" + strings.ReplaceAll(args[0], "/", "~") + "/control.sock")
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("the gateway %s has no socket %s", args[0], socket)
		}
	}
}

// until runs a command again until its stdout has a text: until drift mulian ....
func until(ts *testscript.TestScript, _ bool, args []string) {
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%q did not come: %v\n%s", args[0], err, ts.ReadFile("stdout"))
		}
	}
}
