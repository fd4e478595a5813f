// Package judgetest lets a test ask a stranger: a script of judges/ that runs an
// implementation from npm with Node over what we made, or makes what we are to take.
//
//	objects as JSON ──stdin──▶ node judges/NAME.mjs ──stdout──▶ verdict as JSON
//
// It is no product code: only tests import it. A judge gets no key that is worth anything
// and reaches no address but those that the test gives it.
//
// Invariant: where Node or the modules cannot be had, tests are skipped with one line that
// says why, or fail if MULIAN_REQUIRE_SERVERS=1.
package judgetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience ends a judge that does not answer; the slowest answers within seconds.
const patience = 2 * time.Minute

// folder installs the judges once for the process and returns judges/.
var folder = sync.OnceValues(func() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(filepath.Join(root, "scripts", "need-judges"))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Run(); err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 3 {
			return "", absentError(strings.TrimSpace(errs.String()))
		}
		return "", errors.New("need-judges: " + err.Error() + "\n" + errs.String())
	}
	return filepath.Join(root, "judges"), nil
})

// moduleRoot is the folder of go.mod above a test's working folder: a program built with
// -trimpath does not know where its source lies.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, gone := os.Stat(filepath.Join(dir, "go.mod")); gone == nil {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", errors.New("no go.mod above the test's folder")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}

// absentError says why there are no judges.
type absentError string

func (e absentError) Error() string { return string(e) }

// Ask runs judges/NAME.mjs with in as JSON and reads its answer into out. A judge that
// fails fails the test; its verdict, yes or no, is in the answer.
func Ask(t testing.TB, name string, in, out any) {
	t.Helper()
	dir, err := folder()
	if absent, ok := errors.AsType[absentError](err); ok {
		t.Skip("SKIP " + absent.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	question, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", name+".mjs")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NODE_NO_WARNINGS=1")
	cmd.Stdin = bytes.NewReader(question)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	answer, err := cmd.Output()
	if err != nil {
		t.Fatalf("judge %s: %v\n%s", name, err, errs.String())
	}
	if err := json.Unmarshal(answer, out); err != nil {
		t.Fatalf("judge %s: %v\n%s", name, err, answer)
	}
}

// Start runs judges/NAME.mjs with in as JSON until the test ends, and reads the first line
// that it prints into out: a stranger's server.
func Start(t testing.TB, name string, in, out any) {
	t.Helper()
	dir, err := folder()
	if absent, ok := errors.AsType[absentError](err); ok {
		t.Skip("SKIP " + absent.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	question, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", name+".mjs")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NODE_NO_WARNINGS=1")
	cmd.Stdin = bytes.NewReader(question)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	answers, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("judge %s:\n%s", name, errs.String())
		}
	})
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	if err := json.NewDecoder(answers).Decode(out); err != nil {
		t.Fatalf("judge %s does not begin: %v", name, err)
	}
}
