// Package objecttest gives a test a real object store that speaks S3 (versitygw, at the
// version that tools/objectstore pins), written by strangers, with one empty bucket. It is no
// product code: only tests import it.
//
//	Run ──▶ versitygw over a folder ──▶ Kill, Start ... ──▶ end of the test: it and its folder go
//
// Invariants:
//
//  1. No server outlives the process that started it.
//  2. Where it cannot be had, tests are skipped with one line that says why, or fail if
//     MULIAN_REQUIRE_SERVERS=1.
package objecttest

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mulian/internal/dbserver"
)

// Bucket is the bucket that is there.
const Bucket = "boxes"

// AccessKey and SecretKey let in: of no other store, and worth nothing.
const AccessKey, SecretKey = "tester", "tester-secret"

// patience bounds the start: 0.3 s on two idle cores.
const patience = 60 * time.Second

var program = sync.OnceValues(func() (string, error) {
	root, err := os.Getwd()
	for err == nil {
		if _, gone := os.Stat(filepath.Join(root, "go.mod")); gone == nil {
			break
		}
		if filepath.Dir(root) == root {
			return "", errors.New("no go.mod above the test's folder")
		}
		root = filepath.Dir(root)
	}
	if out, err := exec.Command(filepath.Join(root, "scripts", "need-objectstore")).CombinedOutput(); err != nil {
		return "", errors.New(string(bytes.TrimSpace(out)))
	}
	return filepath.Join(root, ".mulian", "tools", "versitygw"), err
})

// Server is one running store.
type Server struct {
	Endpoint string // http://127.0.0.1:PORT
	Keys     string // a file of credentials as the AWS tools have them
	Folder   string // where the objects lie

	t       testing.TB
	address string
	args    []string
	cmd     *exec.Cmd
}

// Run starts a store for the length of a test. versions says that buckets can keep versions;
// none does until it is told to.
func Run(t testing.TB, versions bool) *Server {
	t.Helper()
	path, err := program()
	if err != nil {
		if os.Getenv("MULIAN_REQUIRE_SERVERS") == "1" {
			t.Fatal(err)
		}
		t.Skip("SKIP ", err)
	}
	port, err := dbserver.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &Server{t: t, address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Folder: filepath.Join(dir, "objects"), Keys: filepath.Join(dir, "keys")}
	s.Endpoint = "http://" + s.address
	s.args = []string{path, "--port", s.address, "--quiet", "posix", "--sidecar", filepath.Join(dir, "attributes")}
	if versions {
		s.args = append(s.args, "--versioning-dir", filepath.Join(dir, "versions"))
	}
	s.args = append(s.args, s.Folder)
	keys := "[default]\naws_access_key_id = " + AccessKey + "\naws_secret_access_key = " + SecretKey + "\n"
	for _, folder := range []string{filepath.Join(s.Folder, Bucket), filepath.Join(dir, "attributes"), filepath.Join(dir, "versions")} {
		err = errors.Join(err, os.MkdirAll(folder, 0o700))
	}
	if err := errors.Join(err, os.WriteFile(s.Keys, []byte(keys), 0o600)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	s.Start()
	return s
}

// Place is the address of a prefix in the bucket, as mulian.yaml has it.
func (s *Server) Place(prefix string) string {
	return "s3://" + Bucket + "/" + prefix + "?endpoint=" + s.Endpoint + "&region=us-east-1&credentials=" + s.Keys
}

// Kill ends the store as kill -9 does.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may have ended by itself: Wait tells
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Start starts it, again after Kill, and waits until it listens.
func (s *Server) Start() {
	s.t.Helper()
	var said bytes.Buffer
	cmd := exec.Command(s.args[0], s.args[1:]...)
	cmd.Env = []string{"ROOT_ACCESS_KEY=" + AccessKey, "ROOT_SECRET_KEY=" + SecretKey, "HOME=" + filepath.Dir(s.Folder)}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.cmd = cmd
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", s.address)
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(end) {
			s.Kill()
			s.t.Fatalf("the object store does not answer: %v\n%s", err, strings.TrimSpace(said.String()))
		}
	}
}
