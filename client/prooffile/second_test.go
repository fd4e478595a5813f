package prooffile

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"mulian/internal/sm"
)

// second is the verifier in JavaScript, one process for many questions.
type second struct {
	t   testing.TB
	in  io.WriteCloser
	out *bufio.Reader
}

func startSecond(t testing.TB) *second {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		const line = "SKIP no node: the verifier in JavaScript is not compared"
		if os.Getenv("MULIAN_REQUIRE_SERVERS") == "1" {
			t.Fatal(line + " (MULIAN_REQUIRE_SERVERS=1)")
		}
		t.Skip(line)
	}
	cmd := exec.CommandContext(t.Context(), node, filepath.Join("..", "..", "console", "verify", "mulian-verify.mjs"), "--batch")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	return &second{t, in, bufio.NewReaderSize(out, 1<<16)}
}

// ask puts one question and reads the answer into into.
func (s *second) ask(question map[string]any, into any) {
	s.t.Helper()
	raw, err := json.Marshal(question)
	if err == nil {
		_, err = s.in.Write(append(raw, '\n'))
	}
	if err != nil {
		s.t.Fatal(err)
	}
	line, err := s.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, into)
	}
	if err != nil {
		s.t.Fatalf("the verifier in JavaScript: %v: %s", err, line)
	}
}

func (s *second) verify(file []byte, hash [32]byte) map[string]any {
	out := map[string]any{}
	s.ask(map[string]any{"ask": "verify", "file": base64.StdEncoding.EncodeToString(file), "genesis_hash": hex.EncodeToString(hash[:])}, &out)
	return out
}

// same tells where two reports differ: all of a file that holds, and code, step and
// field of one that does not.
func same(t testing.TB, name string, first *Report, second map[string]any) {
	t.Helper()
	raw, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{}
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	for _, r := range []map[string]any{want, second} {
		delete(r, "milliseconds")
		if !first.OK {
			delete(r, "reason")
		}
	}
	a, _ := json.Marshal(want)
	b, _ := json.Marshal(second)
	if !bytes.Equal(a, b) {
		t.Errorf("%s:\n go %s (%s)\n js %s", name, a, first.Reason, b)
	}
}

// TestTheSecondVerifierAgrees on every vector.
func TestTheSecondVerifierAgrees(t *testing.T) {
	js := startSecond(t)
	for _, v := range committed(t) {
		file, hash := v.read(t)
		same(t, v.File, Verify(file, hash), js.verify(file, hash))
	}
}

// TestTheTwoAgreeOnMutations changes valid files in a thousand ways: bytes, lines,
// and whole values that are put elsewhere in the right form.
func TestTheTwoAgreeOnMutations(t *testing.T) {
	js := startSecond(t)
	rng := rand.New(rand.NewPCG(20261121, 5))
	var from []vector
	for _, v := range committed(t) {
		if v.OK {
			from = append(from, v)
		}
	}
	steps, held := map[string]int{}, 0
	for i := range 1000 {
		v := from[rng.IntN(len(from))]
		file, hash := v.read(t)
		file, how := mutate(rng, file)
		r := Verify(file, hash)
		same(t, fmt.Sprintf("mutation %d of %s, %s", i, v.File, how), r, js.verify(file, hash))
		steps[r.Step]++
		if r.OK {
			held++
			t.Logf("mutation %d of %s holds: %s", i, v.File, how)
		}
	}
	t.Logf("refused at: %v", steps)
	for _, step := range []string{"form", "header", "validators", "commit", "state", "object", "event", "statement"} {
		if steps[step] == 0 {
			t.Errorf("no mutation was refused at %s: %v", step, steps)
		}
	}
	if held > 20 {
		t.Errorf("%d mutations hold", held)
	}
}

// mutate returns another file.
func mutate(rng *rand.Rand, file []byte) ([]byte, string) {
	for {
		out, how := slices.Clone(file), ""
		switch at := rng.IntN(len(out)); rng.IntN(8) {
		case 0, 1:
			bit := byte(1) << rng.IntN(8)
			out[at] ^= bit
			how = fmt.Sprintf("byte %d ^ %#x", at, bit)
		case 2:
			out[at] = "0123456789abcdefAZ+/= \"\\{}[],:\n"[rng.IntN(31)]
			how = fmt.Sprintf("byte %d is %q", at, out[at])
		case 3:
			out = slices.Delete(out, at, min(len(out), at+1+rng.IntN(3)))
			how = fmt.Sprintf("cut at %d", at)
		case 4:
			lines := bytes.SplitAfter(out, []byte("\n"))
			i, j := rng.IntN(len(lines)), rng.IntN(len(lines))
			lines[i], lines[j] = lines[j], lines[i]
			out, how = bytes.Join(lines, nil), fmt.Sprintf("lines %d and %d", i, j)
		default:
			n, err := parse(out)
			if err != nil {
				panic(err)
			}
			how = rearrange(rng, n)
			out = n.bytes()
		}
		if !bytes.Equal(out, file) {
			return out, how
		}
	}
}

// rearrange changes one value of the tree, which keeps its form.
func rearrange(rng *rand.Rand, n *node) string {
	var all []*node
	var walk func(*node)
	walk = func(n *node) {
		all = append(all, n)
		for _, x := range n.list {
			walk(x)
		}
	}
	walk(n)
	a, b := all[rng.IntN(len(all))], all[rng.IntN(len(all))]
	switch {
	case a.kind == 's' && b.kind == 's' && rng.IntN(2) == 0:
		a.text, b.text = b.text, a.text
		return fmt.Sprintf("%.20q for %.20q", a.text, b.text)
	case a.kind == 's' && len(a.text) > 0:
		i := rng.IntN(len(a.text))
		a.text = a.text[:i] + string("0123456789abcdefAQgw"[rng.IntN(20)]) + a.text[i+1:]
		return fmt.Sprintf("%.20q", a.text)
	case a.kind == 'l' && len(a.list) > 0:
		i := rng.IntN(len(a.list))
		if rng.IntN(2) == 0 {
			a.list = slices.Insert(a.list, i, a.list[i])
			return "an item twice"
		}
		a.list = slices.Delete(a.list, i, i+1)
		return "an item less"
	}
	return ""
}

// TestPublishedVectors: the arithmetic of the second verifier, and ours where the
// house has no test of its own, against the vectors of others.
func TestPublishedVectors(t *testing.T) {
	js := startSecond(t)
	t.Run("SM3 of GB/T 32905", func(t *testing.T) {
		for message, want := range map[string]string{
			"616263": "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
			"":       "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b",
		} {
			var got string
			if js.ask(map[string]any{"ask": "hash", "name": "sm3", "message": message}, &got); got != want {
				t.Errorf("SM3(%s) = %s, want %s", message, got, want)
			}
		}
	})
	t.Run("hashes of all lengths", func(t *testing.T) {
		for n := range 300 {
			m := bytes.Repeat([]byte{byte(n), 7, 0xff}, n)[:n]
			h := sm.SM3(m)
			s := sm.SHA256(m)
			for name, want := range map[string][]byte{"sm3": h[:], "sha256": s[:]} {
				var got string
				if js.ask(map[string]any{"ask": "hash", "name": name, "message": hex.EncodeToString(m)}, &got); got != hex.EncodeToString(want) {
					t.Fatalf("%s of %d bytes", name, n)
				}
			}
		}
	})
	t.Run("own signatures", func(t *testing.T) {
		for i := range 10 {
			for _, alg := range []sm.Algorithm{sm.SM2, sm.P256, sm.Ed25519} {
				k, m := key(t, alg, fmt.Sprint(i)), []byte(fmt.Sprint("message ", i))
				sig, err := k.Sign(m)
				if err != nil {
					t.Fatal(err)
				}
				for _, x := range [][]byte{m, []byte("another")} {
					var got bool
					q := map[string]any{"ask": "check", "algorithm": alg.String(), "key": hex.EncodeToString(k.Public().Bytes()), "message": hex.EncodeToString(x), "signature": hex.EncodeToString(sig)}
					if js.ask(q, &got); got != k.Public().Verify(x, sig) {
						t.Errorf("%s: %t", alg, got)
					}
				}
			}
		}
	})
}
