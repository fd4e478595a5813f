package city

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"mulian/city/content"
	"mulian/client/prooffile"
	"mulian/client/sentence"
	"mulian/gateway"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/fault"
)

// TestMain lets this binary be the city that other tests kill.
func TestMain(m *testing.M) {
	if home := os.Getenv("MULIAN_CITY_TO_KILL"); home != "" {
		c, err := Open(context.Background(), Options{Home: home, Listen: "127.0.0.1:0"})
		if err == nil {
			_, err = c.Tell(context.Background())
		}
		if err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// rowsOf counts a table of a department's database.
func rowsOf(t *testing.T, home, source, table string) (n int64) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(home, databaseDir, source+".db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func openCity(t *testing.T, home string, out *bytes.Buffer) *City {
	t.Helper()
	c, err := Open(t.Context(), Options{Home: home, Listen: "127.0.0.1:0", Out: out, Language: sentence.English, Pace: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheStoryBringsEveryRowAndASecondStartContinues(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP brings up a whole city")
	}
	short, err := os.MkdirTemp("", "city") // a socket's address has at most 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(short) })
	home := filepath.Join(short, "home")
	var out bytes.Buffer
	c := openCity(t, home, &out)
	first, err := c.Tell(t.Context())
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	// The command line reaches each gateway at the place that its account names.
	door := filepath.Join(home, "gateways", strings.ReplaceAll(gatewayOf(planning), "/", "~"))
	state, err := gateway.Control(door).State(t.Context(), connect.NewRequest(&gatewayv1.StateRequest{}))
	if err != nil || state.Msg.GetGateway() != gatewayOf(planning) {
		t.Errorf("the control socket in %s: %v, %v", door, state, err)
	}
	wantEntries := int64(0)
	for _, d := range content.Departments() {
		wantEntries += int64(len(d.Entries))
	}
	if !first.OK || first.Rows != LandPermits+BuildingPermits || first.Departments != 53 || first.Entries != wantEntries || first.Home != home {
		t.Errorf("report %+v", first)
	}
	var names []string
	for i, s := range first.Steps {
		names = append(names, s.Name)
		if s.Seconds < 0 || s.Height <= 0 || s.Height < first.Steps[0].Height && i > 0 {
			t.Errorf("step %+v", s)
		}
	}
	if got := strings.Join(names, " "); got != "import lock request answer confirm deliver compare use query trace verify" {
		t.Errorf("steps %s", got)
	}
	for _, line := range strings.Split(out.String(), "\n") {
		if width(line) > 80 {
			t.Errorf("a line of %d columns: %s", width(line), line)
		}
	}

	// Another process finds the home in use, and says by whom.
	if _, err := Open(t.Context(), Options{Home: home}); !fault.Is(err, fault.Locked) || !strings.Contains(err.Error(), "mulian demo") {
		t.Errorf("a second city in the same home: %v", err)
	}

	proofs := provable(t, c, first)
	living, stop := context.WithTimeout(t.Context(), 3*time.Second)
	defer stop()
	out.Reset()
	c.Live(living)
	if !strings.Contains(out.String(), "asked market regulator") || strings.Contains(out.String(), "  ! ") {
		t.Errorf("daily life:\n%s", out.String())
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for id, file := range proofs {
		if r := prooffile.Verify(file, c.genesis.Hash); !r.OK || len(file) > 16<<10 {
			t.Errorf("%s: %d bytes, %s: %s", id, len(file), r.Step, r.Reason)
		}
	}

	// As a city of before named it: the second story needs the log that is in it.
	if err := os.Rename(door, filepath.Join(home, "gateways", "planning")); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	c = openCity(t, home, &out)
	second, err := c.Tell(t.Context())
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "new or changed 0, unchanged 12") {
		t.Errorf("the second import changed something:\n%s", out.String())
	}
	if second.Entries != first.Entries || second.Departments != 53 || second.Rows != first.Rows || second.Steps[2].Height <= first.Steps[10].Height {
		t.Errorf("second report %+v after %+v", second, first)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if n := rowsOf(t, home, "water", "land_permits"); n != LandPermits {
		t.Errorf("%d land permits at the water bureau", n)
	}
	if n := rowsOf(t, home, "water", "building_permits"); n != BuildingPermits {
		t.Errorf("%d building permits at the water bureau", n)
	}
}

// arrived counts a table at the water bureau after a kill; 0 if it is not there. It
// opens the file for writing, as the gateway would, so that SQLite can take back what
// was not committed.
func arrived(t *testing.T, home, table string) (n int64) {
	t.Helper()
	path := filepath.Join(home, databaseDir, "water.db")
	if _, err := os.Stat(path); err != nil {
		return 0
	}
	db, err := sql.Open("sqlite", "file:"+path+"?mode=rw")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow("SELECT count(*) FROM sqlite_schema WHERE name = ?", table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		return 0
	}
	if err := db.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAKillInTheMiddleLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP brings up a whole city")
	}
	home := filepath.Join(t.TempDir(), "home")
	kills := 0
	for _, after := range []time.Duration{700 * time.Millisecond, 1500 * time.Millisecond, 3 * time.Second, 5 * time.Second} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "MULIAN_CITY_TO_KILL="+home)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("a start after a kill: %v %s", err, errs.String())
			}
		case <-time.After(after):
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-ended
			kills++
		}
		for table, want := range map[string]int64{"land_permits": LandPermits, "building_permits": BuildingPermits} {
			if n := arrived(t, home, table); n != 0 && n != want {
				t.Errorf("after a kill at %s %s has %d rows: neither all nor none", after, table, n)
			}
		}
	}
	if kills < 2 {
		t.Errorf("only %d of 4 starts were killed: this machine is too fast for this test", kills)
	}
	var out bytes.Buffer
	c := openCity(t, home, &out)
	r, err := c.Tell(t.Context())
	if err != nil || !r.OK || r.Departments != 53 || r.Rows != LandPermits+BuildingPermits {
		t.Errorf("after four kills: %+v, %v\n%s", r, err, out.String())
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	for table, want := range map[string]int64{"land_permits": LandPermits, "building_permits": BuildingPermits} {
		if n := rowsOf(t, home, "water", table); n != want {
			t.Errorf("%s: %d rows, want %d", table, n, want)
		}
	}
}

func TestAHomeOfAnotherChainIsLeftAlone(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, genesisFile), []byte("no genesis"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Home: home, Listen: "127.0.0.1:0"}); !fault.Is(err, fault.Malformed) {
		t.Errorf("a file that is no genesis: %v", err)
	}
	if raw, err := os.ReadFile(filepath.Join(home, genesisFile)); err != nil || string(raw) != "no genesis" {
		t.Errorf("it was changed: %q, %v", raw, err)
	}
}

// The keys are a contract with scripts.
func TestReportHasItsKeys(t *testing.T) {
	raw, err := json.Marshal(Report{Steps: []Step{{}}})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"ok":false,"start_seconds":0,"story_seconds":0,"steps":[{"name":"","seconds":0,"height":0}],"rows":0,"departments":0,"entries":0,"home":"","proof":""}`
	if string(raw) != want {
		t.Errorf("got  %s\nwant %s", raw, want)
	}
}

func TestLinesFitTheTerminal(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "目链": 4, "（a）": 5, "“b”": 3} {
		if got := width(text); got != want {
			t.Errorf("width of %q: %d, want %d", text, got, want)
		}
	}
	for _, text := range []string{"one two three four five six", "一二三四五六七八九十一二三四五六七八九十", "混合 mixed 文字 text", ""} {
		for _, l := range wrap(text, 12) {
			if width(l) > 12 {
				t.Errorf("%q of %q has %d columns", l, text, width(l))
			}
		}
	}
	if got := thousands(1234567); got != "1,234,567" {
		t.Error(got)
	}
}
