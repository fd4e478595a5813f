package witness

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	fnote "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"

	"mulian/internal/fault"
)

const origin = "mulian/trial/0011223344556677"

// events is a log as a list; trees are computed anew from all leaves.
type events []string

func (e events) root(from, to int) []byte {
	h := rfc6962.DefaultHasher
	switch n := to - from; n {
	case 0:
		return h.EmptyRoot()
	case 1:
		return h.HashLeaf([]byte(e[from]))
	default:
		k := 1
		for 2*k < n {
			k *= 2
		}
		return h.HashChildren(e.root(from, from+k), e.root(from+k, to))
	}
}

func grown(name string, n int) (e events) {
	for i := range n {
		e = append(e, fmt.Sprint(name, i))
	}
	return e
}

// way is the consistency proof of the library, from nodes that are computed anew.
func (e events) way(size int) Way {
	return func(_ context.Context, old uint64) ([][]byte, error) {
		nodes, err := proof.Consistency(old, uint64(size))
		if err != nil {
			return nil, err
		}
		var hashes [][]byte
		for _, id := range nodes.IDs {
			from := int(id.Index) << id.Level
			hashes = append(hashes, e.root(from, min(size, from+1<<id.Level)))
		}
		return nodes.Rehash(hashes, rfc6962.DefaultHasher.HashChildren)
	}
}

func validator(name string) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(fmt.Appendf(nil, "%-32s", name))
}

func (e events) signed(t testing.TB, size int, key ed25519.PrivateKey) []byte {
	t.Helper()
	c := Checkpoint{Origin: origin, Size: uint64(size), Root: [32]byte(e.root(0, size))}
	out, err := Attest(c, key.Public().(ed25519.PublicKey), func(text []byte) ([]byte, error) { return ed25519.Sign(key, text), nil })
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func logKeys(t testing.TB, names ...string) (out []string) {
	t.Helper()
	for _, name := range names {
		key, err := LogKey(origin, validator(name).Public().(ed25519.PublicKey))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, key)
	}
	return out
}

// stand is a witness behind its door.
type stand struct {
	*Witness
	url string
	by  note.Verifier
}

func open(t *testing.T, dir string) *stand {
	t.Helper()
	w, err := Open(dir, "witness.example/w1", logKeys(t, "a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(w.Handler(slog.New(slog.DiscardHandler)))
	by, err := Cosigner(w.Key())
	if err != nil {
		t.Fatal(err)
	}
	s := &stand{w, server.URL, by}
	t.Cleanup(func() {
		server.Close()
		w.Close()
	})
	return s
}

func (s *stand) push(e events, size int, key string, t testing.TB) ([]byte, error) {
	return Push(context.Background(), http.DefaultClient, s.url, s.by, e.signed(t, size, validator(key)), e.way(size))
}

// TestAWitnessCosignsOnlyWhatContinues: from a first checkpoint on, across a restart; what
// is smaller, forked or of a stranger gets nothing.
func TestAWitnessCosignsOnlyWhatContinues(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "witness")
	s, one := open(t, dir), grown("event ", 40)
	for _, size := range []int{1, 2, 7, 8, 8, 21} {
		out, err := s.push(one, size, "a", t)
		if err != nil {
			t.Fatalf("%d events: %v", size, err)
		}
		if n := bytes.Count(out, []byte("— ")); n != 2 {
			t.Errorf("%d signatures: %s", n, out)
		}
	}
	fork := append(grown("event ", 10), grown("other ", 30)...)
	refusedBy := func(what string, code fault.Code, e events, size int, key string) {
		t.Helper()
		if _, err := s.push(e, size, key, t); fault.CodeOf(err) != code {
			t.Errorf("%s: %v, want %v", what, err, code)
		}
	}
	check := func() {
		t.Helper()
		refusedBy("a smaller one", fault.VersionConflict, one, 20, "a")
		refusedBy("another root of the same size", fault.VerificationFailed, fork, 21, "b")
		refusedBy("a larger one of another log", fault.VerificationFailed, fork, 30, "a")
		refusedBy("a stranger's", fault.NotWhitelisted, one, 30, "c")
		got, err := Fetch(context.Background(), http.DefaultClient, s.url, origin, s.by)
		if err != nil || !strings.HasPrefix(string(got), origin+"\n21\n") {
			t.Errorf("the last one: %s, %v", got, err)
		}
	}
	check()
	s.Close()
	key := s.Key()
	if s = open(t, dir); s.Key() != key {
		t.Error("it has another key after a restart")
	}
	check()
	if _, err := s.push(one, 40, "b", t); err != nil {
		t.Errorf("with another key of the log: %v", err)
	}
	kept, err := os.ReadDir(filepath.Join(dir, refusedDir))
	if err != nil || len(kept) != 2 {
		t.Errorf("%d refused checkpoints are kept, want the two that were signed: %v", len(kept), err)
	}
}

// TestTheStandardsOwnProgramsAgree: the cosignature is one by transparency-dev's formats, the
// checkpoint by golang.org/x/mod.
func TestTheStandardsOwnProgramsAgree(t *testing.T) {
	s, e := open(t, filepath.Join(t.TempDir(), "witness")), grown("event ", 5)
	out, err := s.push(e, 5, "a", t)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := fnote.NewVerifierForCosignatureV1(s.Key())
	if err != nil {
		t.Fatal(err)
	}
	ours, err := note.NewVerifier(logKeys(t, "a")[0])
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(out, note.VerifierList(ours, theirs))
	if err != nil || len(n.Sigs) != 2 {
		t.Fatalf("%+v, %v", n, err)
	}
	at, err := fnote.CoSigV1Timestamp(n.Sigs[1])
	if err != nil || at.Unix() == 0 {
		t.Errorf("%v, %v", at, err)
	}
}

// TestTheProtocolsAnswers: each status of C2SP tlog-witness, by hand.
func TestTheProtocolsAnswers(t *testing.T) {
	s, e := open(t, filepath.Join(t.TempDir(), "witness")), grown("event ", 12)
	lines := func(old, size int) string {
		path, err := e.way(size)(context.Background(), uint64(old))
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, h := range path {
			b.WriteString(base64.StdEncoding.EncodeToString(h) + "\n")
		}
		return b.String()
	}
	five, nine := string(e.signed(t, 5, validator("a"))), string(e.signed(t, 9, validator("a")))
	for _, tt := range []struct {
		name, body string
		status     int
	}{
		{"nothing", "", 400},
		{"no old size", "\n\n" + five, 400},
		{"a leading zero", "old 00\n\n" + five, 400},
		{"a negative size", "old -1\n\n" + five, 400},
		{"a hash that is none", "old 0\nxx\n\n" + five, 400},
		{"64 hashes", "old 0\n" + strings.Repeat(base64.StdEncoding.EncodeToString(make([]byte, 32))+"\n", 64) + "\n" + five, 400},
		{"an old size above the checkpoint's", "old 6\n\n" + five, 400},
		{"a proof from nothing", "old 0\n" + base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n\n" + five, 422},
		{"another log", "old 0\n\n" + strings.ReplaceAll(five, "trial", "other"), 404},
		{"no signature", "old 0\n\n" + strings.Split(five, "— ")[0], 403},
		{"another root than was signed", "old 0\n\n" + strings.Replace(five, "\n5\n", "\n6\n", 1), 403},
		{"an old size of another state", "old 3\n\n" + five, 409},
		{"the first one", "old 0\n\n" + five, 200},
		{"the first one again, from nothing", "old 0\n\n" + five, 409},
		{"the first one again", "old 5\n\n" + five, 200},
		{"a larger one without proof", "old 5\n\n" + nine, 422},
		{"a larger one", "old 5\n" + lines(5, 9) + "\n" + nine, 200},
		{"the same again from five", "old 5\n" + lines(5, 9) + "\n" + nine, 409},
	} {
		res, err := http.Post(s.url+"/add-checkpoint", "text/plain", strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != tt.status || (tt.status == 409) != (res.Header.Get("Content-Type") == "text/x.tlog.size") {
			t.Errorf("%s: %d %s: %s, want %d", tt.name, res.StatusCode, res.Header.Get("Content-Type"), body, tt.status)
		}
	}
	res, err := http.Get(s.url + "/checkpoint/" + hex.EncodeToString(make([]byte, 32)))
	if err != nil || res.StatusCode != 404 {
		t.Errorf("a log that nobody knows: %v, %v", res.StatusCode, err)
	}
	res.Body.Close()
}

// TestOneOfTwoBranchesIsCosigned: of two logs that part at the tenth event and are pushed at
// the same time by many, one gets cosignatures, the other none behind the tenth.
func TestOneOfTwoBranchesIsCosigned(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "witness"))
	branches := []events{append(grown("event ", 10), grown("left ", 20)...), append(grown("event ", 10), grown("right ", 20)...)}
	var mu sync.Mutex
	var wait sync.WaitGroup
	cosigned := map[int]int{}
	for i := range 40 {
		wait.Go(func() {
			side, size := i%2, 11+i/2
			if _, err := s.push(branches[side], size, "a", t); err == nil {
				mu.Lock()
				defer mu.Unlock()
				cosigned[side]++
			}
		})
	}
	wait.Wait()
	if len(cosigned) != 1 {
		t.Errorf("cosigned of each side: %v", cosigned)
	}
}

// TestAKeyIsNeverWithoutItsMemory: a witness that has lost what it cosigned, or cannot read
// it, cosigns nothing.
func TestAKeyIsNeverWithoutItsMemory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "witness")
	s, e := open(t, dir), grown("event ", 9)
	if _, err := s.push(e, 5, "a", t); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, "witness.example/w1", logKeys(t, "a")); !fault.Is(err, fault.Locked) {
		t.Errorf("a second process: %v", err)
	}
	if err := os.WriteFile(s.fileOf(origin), []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.push(e, 9, "a", t); err == nil {
		t.Error("it cosigns without knowing what it had cosigned")
	}
	s.Close()
	if err := os.RemoveAll(filepath.Join(dir, logsDir)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, "witness.example/w1", logKeys(t, "a")); !fault.Is(err, fault.Damaged) {
		t.Errorf("a witness without memory: %v", err)
	}
	for _, name := range []string{"", "a b", "a+b", strings.Repeat("x", 101)} {
		if _, err := Open(filepath.Join(t.TempDir(), "witness"), name, logKeys(t, "a")); !fault.Is(err, fault.Usage) {
			t.Errorf("the name %q: %v", name, err)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "witness"), "w", []string{"nonsense"}); !fault.Is(err, fault.Usage) {
		t.Errorf("a log's key that is none: %v", err)
	}
}

// TestALyingWitnessIsNotBelieved: what is no cosignature of exactly this checkpoint by this
// witness is refused.
func TestALyingWitnessIsNotBelieved(t *testing.T) {
	s, e := open(t, filepath.Join(t.TempDir(), "witness")), grown("event ", 9)
	other, err := s.cosign(Checkpoint{Origin: origin, Size: 4}.String())
	if err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]func(http.ResponseWriter){
		"nothing":                  func(http.ResponseWriter) {},
		"another's":                func(w http.ResponseWriter) { io.WriteString(w, "— witness.example/w2 AAAAAAAA\n") },
		"of another checkpoint":    func(w http.ResponseWriter) { io.WriteString(w, other) },
		"a status":                 func(w http.ResponseWriter) { w.WriteHeader(500) },
		"a size that is none":      func(w http.ResponseWriter) { w.WriteHeader(409); io.WriteString(w, "many\n") },
		"sizes without an end":     func(w http.ResponseWriter) { w.WriteHeader(409); io.WriteString(w, "0\n") },
		"a refusal without reason": func(w http.ResponseWriter) { w.WriteHeader(422) },
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
		out, err := Push(context.Background(), http.DefaultClient, server.URL, s.by, e.signed(t, 9, validator("a")), e.way(9))
		if err == nil || out != nil {
			t.Errorf("%s: %s, %v", name, out, err)
		}
		server.Close()
	}
}

// FuzzRequest: no request of a stranger gets a cosignature, or an answer that is a trouble of
// ours; what is taken for a checkpoint is the one text of it.
func FuzzRequest(f *testing.F) {
	log := grown("a", 5)
	w, err := Open(filepath.Join(f.TempDir(), "w"), "witness.example/w", logKeys(f, "v1"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { w.Close() })
	h := w.Handler(slog.New(slog.DiscardHandler))
	f.Add("old 0\n\n" + string(log.signed(f, 5, validator("stranger"))))
	f.Add("old 3\n" + base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n\n" + origin + "\n5\n" + base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n\n— a b\n")
	f.Add("old -1\n\n")
	f.Fuzz(func(t *testing.T, body string) {
		if _, _, raw, err := parseRequest(body); err == nil {
			if c, err := parseCheckpoint(string(raw)); err == nil && !strings.HasPrefix(string(raw), c.String()) {
				t.Fatalf("%q is read as %q", raw, c)
			}
		}
		out := httptest.NewRecorder()
		h.ServeHTTP(out, httptest.NewRequest(http.MethodPost, "/add-checkpoint", strings.NewReader(body)))
		if out.Code == http.StatusOK || out.Code >= 500 {
			t.Fatalf("HTTP %d: %s", out.Code, out.Body)
		}
	})
}
