package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"

	"mulian/city/trial/skew"
	"mulian/custody/hsm/hsmtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mulian": skewed})
}

// skewBy is the variable that makes the clock of a story's commands wrong, in seconds: what the
// ledger does after a day is seen without waiting for it.
const skewBy = "MULIAN_STORY_SKEW"

// skewed is main with such a clock.
func skewed() {
	if text := os.Getenv(skewBy); text != "" {
		by, err := strconv.ParseInt(text, 10, 64)
		if err != nil || !skew.Set(by) {
			fmt.Fprintln(os.Stderr, skewBy+": the clock of this process cannot be made wrong here")
			os.Exit(70)
		}
	}
	main()
}

// TestStories runs the minutes in testdata/script with the real binary: each has a
// home of its own and, where it starts one, a member of its own on a free port.
// Four organisations stand in the environment; all are invented.
func TestStories(t *testing.T) { testscript.Run(t, stories()) }

func stories() testscript.Params {
	return testscript.Params{
		Dir:                 "testdata/script",
		Condition:           condition,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("MULIAN_HOME", e.WorkDir+"/home")
			e.Setenv("MULIAN_LISTEN", "127.0.0.1:0")
			e.Setenv("MULIAN_LOG_LEVEL", "warn")
			e.Setenv("LANG", "en_GB.UTF-8")
			runbooks, err := filepath.Abs("../../docs/runbooks")
			if err != nil {
				return err
			}
			e.Setenv("RUNBOOKS", runbooks)
			e.Setenv("BUREAU", "11110000MULN00001L") // the authority
			e.Setenv("PLAN", "11110000MULN00002P")
			e.Setenv("WATER", "11110000MULN00003T")
			e.Setenv("TAX", "11110000MULN00004X")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"up": up, "exits": exits, "keep": keep, "is": is, "gb18030": gb18030, "bom": bom, "workbook": workbook, "rewrite": rewrite, "absent": absent, "many": many, "halt": halt, "indexed": indexed, "figures": figures,
			"sqlite": sqlite, "permits": permits, "port": port, "open": open, "until": until, "softhsm": softhsm, "killed": killed,
			"wallets": wallets, "desk": desk, "shows": shows, "receiver": receiver, "received": received,
		},
	}
}

// patience bounds each waiting of a story.
const patience = 20 * time.Second

// up waits until the member of a home answers: up [HOME].
func up(ts *testscript.TestScript, _ bool, args []string) {
	home := ts.Getenv("MULIAN_HOME")
	if len(args) == 1 {
		home = args[0]
	}
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		raw, err := os.ReadFile(ts.MkAbs(home + "/" + urlFile))
		if err == nil {
			var res *http.Response
			if res, err = http.Get(strings.TrimSpace(string(raw)) + "/healthz"); err == nil {
				res.Body.Close()
				if res.StatusCode == http.StatusOK {
					return
				}
				err = errors.New(res.Status)
			}
		}
		if time.Now().After(end) {
			ts.Fatalf("no member of %s: %v", home, err)
		}
	}
}

// shows wants texts on a page of the member, without script: [!] shows /v/ID TEXT...
func shows(ts *testscript.TestScript, not bool, args []string) {
	raw, err := os.ReadFile(ts.MkAbs(ts.Getenv("MULIAN_HOME") + "/" + urlFile))
	ts.Check(err)
	res, err := http.Get(strings.TrimSpace(string(raw)) + args[0])
	ts.Check(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	ts.Check(err)
	for _, text := range args[1:] {
		if strings.Contains(string(body), text) == not {
			ts.Fatalf("%s (%s) and the text %q: %s", args[0], res.Status, text, body)
		}
	}
}

// exits runs a command and wants its status: exits 3 mulian org show x.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if x, ok := errors.AsType[*exec.ExitError](err); ok {
		got = x.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("status %d, want %d\nstdout: %sstderr: %s", got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// at reads a place of the JSON on stdout: "findings.0.mark".
func at(ts *testscript.TestScript, path string) string {
	var v any
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &v); err != nil {
		ts.Fatalf("stdout is no JSON: %v", err)
	}
	for _, part := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[part]
		case []any:
			if part == "len" {
				return strconv.Itoa(len(x))
			}
			n, err := strconv.Atoi(part)
			if err != nil || n >= len(x) {
				ts.Fatalf("no %s in a list of %d", path, len(x))
			}
			v = x[n]
		default:
			ts.Fatalf("no %s in the answer: %s is in %T", path, part, v)
		}
	}
	switch x := v.(type) {
	case nil:
		return "absent"
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	case string:
		return x
	default:
		raw, err := json.Marshal(x)
		ts.Check(err)
		return string(raw)
	}
}

// keep puts a place of the JSON on stdout into a variable: keep ID ids.0.
func keep(ts *testscript.TestScript, _ bool, args []string) { ts.Setenv(args[0], at(ts, args[1])) }

// is compares a place of the JSON on stdout: is entries 3.
func is(ts *testscript.TestScript, neg bool, args []string) {
	if got := at(ts, args[0]); (got == args[1]) == neg {
		ts.Fatalf("%s is %q, want %q (negated: %v)", args[0], got, args[1], neg)
	}
}

// gb18030 writes a UTF-8 file in the national encoding: gb18030 FROM TO.
func gb18030(ts *testscript.TestScript, _ bool, args []string) {
	text, err := simplifiedchinese.GB18030.NewEncoder().String(ts.ReadFile(args[0]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}

// bom writes a file with a byte order mark and Windows line ends: bom FROM TO.
func bom(ts *testscript.TestScript, _ bool, args []string) {
	text := "\ufeff" + strings.ReplaceAll(ts.ReadFile(args[0]), "\n", "\r\n")
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}

// workbook writes a csv as an Excel workbook: workbook FROM TO.
func workbook(ts *testscript.TestScript, _ bool, args []string) {
	rows, err := csv.NewReader(strings.NewReader(ts.ReadFile(args[0]))).ReadAll()
	ts.Check(err)
	f := excelize.NewFile()
	defer f.Close()
	for i, row := range rows {
		ts.Check(f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row))
	}
	out, err := os.Create(ts.MkAbs(args[1])) // the name may end otherwise than .xlsx
	ts.Check(err)
	ts.Check(f.Write(out))
	ts.Check(out.Close())
}

// rewrite replaces a text in a file: rewrite FILE OLD NEW.
func rewrite(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%q is not in %s", args[1], args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(text, args[1], args[2])), 0o600))
}

// absent wants that nothing matches a pattern: absent home/keys/*.
func absent(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		if _, err := os.Lstat(ts.MkAbs(name)); err == nil {
			ts.Fatalf("%s is there", name)
		}
	}
}

// many writes a catalogue of so many entries of one provider: many 3000 FILE NAME.
func many(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	var b strings.Builder
	b.WriteString("信息资源名称,提供单位,共享类型,更新周期,职责,信息项\n")
	for i := range n {
		fmt.Fprintf(&b, "许可台账第%d册,%s,无条件共享,每月,核发规划许可,编号;名称;日期\n", i+1, args[2])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(b.String()), 0o600))
}

// halt kills the command that was started last, without warning, once a file has a
// line more than its head: halt FILE.
func halt(ts *testscript.TestScript, _ bool, args []string) {
	running := ts.BackgroundCmds()
	last := running[len(running)-1]
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		raw, _ := os.ReadFile(ts.MkAbs(args[0]))
		if strings.Count(string(raw), "\n") > 10 {
			break
		}
		if time.Now().After(end) {
			ts.Fatalf("%s has %d bytes", args[0], len(raw))
		}
	}
	ts.Check(last.Process.Kill())
}

// indexed waits until the index has taken what is committed: a list of a busy chain
// answers with what the index has.
func indexed(ts *testscript.TestScript, _ bool, _ []string) {
	for end := time.Now().Add(3 * patience); ; time.Sleep(50 * time.Millisecond) {
		ts.Check(ts.Exec("mulian", "status", "--json"))
		if at(ts, "status.events") == at(ts, "status.indexed") {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("the index has %s of %s events", at(ts, "status.indexed"), at(ts, "status.events"))
		}
	}
}

// condition answers [softhsm]: whether SoftHSM2 is here. Where servers are required it is an
// error that it is not.
func condition(name string) (bool, error) {
	if name != "softhsm" {
		return false, fmt.Errorf("unknown condition %s", name)
	}
	if hsmtest.Module() != "" {
		return true, nil
	}
	if os.Getenv("MULIAN_REQUIRE_SERVERS") == "1" {
		return false, errors.New("SoftHSM2 is absent: scripts/need-softhsm installs it")
	}
	return false, nil
}

// softhsm makes a token of the story's own, with the file of its PIN, and puts the module's
// path into HSM: softhsm.
func softhsm(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Setenv("HSM", hsmtest.Module())
	dir := ts.MkAbs("tokens")
	ts.Check(os.Mkdir(dir, 0o700))
	ts.Check(os.WriteFile(ts.MkAbs("softhsm2.conf"), []byte("directories.tokendir = "+dir+"\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600))
	ts.Setenv("SOFTHSM2_CONF", ts.MkAbs("softhsm2.conf"))
	ts.Check(os.WriteFile(ts.MkAbs("pin"), []byte(hsmtest.PIN+"\n"), 0o600))
	ts.Check(ts.Exec("softhsm2-util", "--init-token", "--free", "--label", "custody", "--pin", hsmtest.PIN, "--so-pin", "271828"))
}

// killed ends the command that was started last, without warning: killed.
func killed(ts *testscript.TestScript, _ bool, _ []string) {
	running := ts.BackgroundCmds()
	ts.Check(running[len(running)-1].Process.Kill())
}
