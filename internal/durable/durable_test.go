package durable

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain lets the test binary play another process: DURABLE_PLAY says which part.
func TestMain(m *testing.M) {
	path := os.Getenv("DURABLE_PATH")
	switch os.Getenv("DURABLE_PLAY") {
	case "replace": // for ever, one of two whole contents
		for i := 0; ; i++ {
			if err := ReplaceFile(path, whole(i%2), 0o600); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
		}
	case "hold":
		if _, err := LockDir(path, "mulian node"); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("held")
		select {}
	}
	os.Exit(m.Run())
}

// play starts another process of this binary in a part.
func play(t *testing.T, part, path string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "DURABLE_PLAY="+part, "DURABLE_PATH="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd, bufio.NewScanner(out)
}

// whole returns one of two contents that are long enough to be torn.
func whole(i int) []byte { return bytes.Repeat([]byte{byte('a' + i)}, 100_000+i) }

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func TestReplaceAndCreate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := CreateFile(path, []byte("one"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := CreateFile(path, []byte("two"), 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("create over a file: %v, want ErrExist", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "one" {
		t.Errorf("a refused create changed the file to %q", b)
	}
	if st, _ := os.Stat(path); st.Mode() != 0o640 {
		t.Errorf("mode %v, want 0640", st.Mode())
	}
	if err := ReplaceFile(path, []byte("three"), 0o600); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(path)
	if st, _ := os.Stat(path); string(b) != "three" || st.Mode() != 0o600 {
		t.Errorf("after replace %q with mode %v", b, st.Mode())
	}
	if err := ReplaceFile(filepath.Join(dir, "no", "f"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("replace in a directory that is not there: %v", err)
	}
	if err := ReplaceFile(dir, nil, 0o600); err == nil {
		t.Error("a directory is replaced by a file")
	}
	if got := names(t, dir); got != "f" {
		t.Errorf("left behind: %s", got)
	}
}

// TestOneCreatorWins: of many that create one file at the same time, one succeeds
// and the file is his.
func TestOneCreatorWins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	var mu sync.Mutex
	var winner string
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			me := fmt.Sprint(i)
			switch err := CreateFile(path, []byte(me), 0o600); {
			case err == nil:
				mu.Lock()
				winner += me + ";"
				mu.Unlock()
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if b, _ := os.ReadFile(path); string(b)+";" != winner {
		t.Errorf("the file says %q, the winners are %q", b, winner)
	}
}

// TestKilled kills a writer at random moments: the file is always one of the two
// whole contents.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := ReplaceFile(path, whole(0), 0o600); err != nil {
		t.Fatal(err)
	}
	seen := [2]int{}
	for i := range 30 {
		cmd, _ := play(t, "replace", path)
		time.Sleep(time.Duration(5+i*3) * time.Millisecond) // the moment is the point of the test
		cmd.Process.Kill()
		cmd.Wait()
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case bytes.Equal(got, whole(0)):
			seen[0]++
		case bytes.Equal(got, whole(1)):
			seen[1]++
		default:
			t.Fatalf("after kill %d the file is torn: %d bytes", i, len(got))
		}
	}
	if seen[1] == 0 {
		t.Errorf("found %v: the writer never wrote", seen)
	}
}

func TestMkdirPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b", "c")
	for range 2 { // the second time it is there
		if err := MkdirPrivate(dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if st, _ := os.Stat(d); st.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v", d, st.Mode())
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := MkdirPrivate(dir); err == nil || !strings.Contains(err.Error(), "chmod 700 "+dir) {
		t.Errorf("an open directory: %v, want a refusal with the fix", err)
	}
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if MkdirPrivate(file) == nil || MkdirPrivate(filepath.Join(file, "d")) == nil {
		t.Error("a file passes as a directory")
	}
}

// TestLock: a second process is refused and told who holds the directory; when
// the holder is killed the directory is free at once.
func TestLock(t *testing.T) {
	dir := t.TempDir()
	cmd, out := play(t, "hold", dir)
	if !out.Scan() || out.Text() != "held" {
		t.Fatalf("the holder says %q", out.Text())
	}
	_, err := LockDir(dir, "mulian gateway")
	if !errors.Is(err, ErrHeld) || !strings.Contains(err.Error(), fmt.Sprintf("mulian node, pid %d on ", cmd.Process.Pid)) {
		t.Errorf("second lock: %v, want that the node with pid %d has it", err, cmd.Process.Pid)
	}
	cmd.Process.Kill()
	cmd.Wait()
	l, err := LockDir(dir, "mulian gateway")
	if err != nil {
		t.Fatalf("after the holder was killed: %v", err)
	}
	if _, err := LockDir(dir, "again"); !errors.Is(err, ErrHeld) || !strings.Contains(err.Error(), "mulian gateway") {
		t.Errorf("the same process locks twice: %v", err)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
	if l, err = LockDir(dir, "last"); err != nil {
		t.Errorf("after Unlock: %v", err)
	} else {
		l.Unlock()
	}
	if _, err := LockDir(filepath.Join(dir, "none"), "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
}

// TestReplaceWith: a writer that fails half-way leaves the old file and nothing else.
func TestReplaceWith(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "list.json")
	write := func(text string, fail error) error {
		return ReplaceWith(path, 0o644, func(w io.Writer) error {
			if _, err := io.WriteString(w, text); err != nil {
				return err
			}
			return fail
		})
	}
	if err := write("one", nil); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the source broke")
	if err := write("half of tw", broken); !errors.Is(err, broken) {
		t.Errorf("a writer that fails: %v", err)
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != "one" {
		t.Errorf("the file is %q, %v", got, err)
	}
	if names, _ := filepath.Glob(filepath.Join(dir, "*")); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}
