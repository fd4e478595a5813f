package evidence_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mulian/client/evidence"
	"mulian/client/prooffile"
	evidencev1 "mulian/gen/mulian/evidence/v1"
	"mulian/internal/fault"
)

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run anchors the files below the paths and wants these states, in order.
func run(t *testing.T, j *evidence.Job, want evidence.State, paths ...string) []evidence.Outcome {
	t.Helper()
	files, err := evidence.Find(t.Context(), paths)
	if err != nil {
		t.Fatal(err)
	}
	out, err := j.Run(t.Context(), files, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range out {
		if o.State != want {
			t.Errorf("%s: %s (%s), want %s", o.File, o.State, o.Error, want)
		}
	}
	return out
}

// prove writes the proof file of an anchored file into its folder.
func (m *member) prove(folder string) {
	m.t.Helper()
	o, err := evidence.ReadOpening(folder)
	if err != nil {
		m.t.Fatal(err)
	}
	maker, err := prooffile.NewMaker(m.client, m.file)
	if err != nil {
		m.t.Fatal(err)
	}
	raw, err := maker.Object(m.t.Context(), "evidence/item/"+o.ID)
	if err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, o.ProofFile()), raw, 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// TestAnchorAndCheck is the whole way with a real member: anchored, proved, checked
// offline; then everything that could be tampered with is, and found.
func TestAnchorAndCheck(t *testing.T) {
	m := start(t)
	dir := t.TempDir()
	names := []string{"批复.pdf", "empty", "𬺓𫟹㐂〇龘.txt", "a b\u202e.txt"} // GB 18030 beyond the BMP and extension A; one that turns its text
	for i, name := range names {
		write(t, filepath.Join(dir, name), strings.Repeat("内容", i%2*100)+map[bool]string{true: "", false: name}[name == "empty"])
	}
	j, l := m.job(m.bureau)
	out := run(t, j, evidence.Anchored, dir)
	if len(out) != len(names) || l.sent != 1 {
		t.Fatalf("%d files in %d transactions", len(out), l.sent)
	}
	for _, o := range run(t, j, evidence.Already, dir) {
		if o.Height == 0 || o.ID == "" {
			t.Errorf("%+v", o)
		}
	}
	if l.sent != 1 {
		t.Error("what did not change was sent again")
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		folder := evidence.FolderOf(path)
		if st, err := os.Stat(folder); err != nil || st.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", folder, st.Mode(), err)
		}
		if st, err := os.Stat(filepath.Join(folder, evidence.OpeningFile)); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", folder, st.Mode(), err)
		}
		m.prove(folder)
		o, r, held, err := evidence.Check(t.Context(), folder, path, m.genesis.Hash)
		if err != nil || len(held) != 3 || o.Metadata.Name != name || r.SM2 != "10 of 10" {
			t.Errorf("%s: %v, %v, %v", name, held, r, err)
		}
		if tx, ok := evidence.Transaction(r); !ok || !bytes.Equal(tx, o.Tx) {
			t.Errorf("%s: transaction %x, %t; the opening says %x", name, []byte(tx), ok, []byte(o.Tx))
		}
	}
	m.tamper(t, dir, names)
}

// tamper changes one thing at a time in what TestAnchorAndCheck has made.
func (m *member) tamper(t *testing.T, dir string, names []string) {
	path := filepath.Join(dir, names[0])
	folder := evidence.FolderOf(path)
	o, err := evidence.ReadOpening(folder)
	if err != nil {
		t.Fatal(err)
	}
	opening, proof := filepath.Join(folder, evidence.OpeningFile), filepath.Join(folder, o.ProofFile())
	change := func(file, from, to string) func() {
		return func() {
			raw, err := os.ReadFile(file)
			if err != nil || !bytes.Contains(raw, []byte(from)) {
				t.Fatalf("%q is not in %s: %v", from, file, err)
			}
			write(t, file, strings.Replace(string(raw), from, to, 1))
		}
	}
	other, err := evidence.ReadOpening(evidence.FolderOf(filepath.Join(dir, names[1])))
	if err != nil {
		t.Fatal(err)
	}
	text := func(h evidence.Hex) string { return fmt.Sprintf("%x", []byte(h)) }
	otherGenesis := m.genesis.Hash
	otherGenesis[0] ^= 1
	for _, tt := range []struct {
		name    string
		step    int // how many findings hold before it
		genesis [32]byte
		code    fault.Code // 0 = VerificationFailed
		do      func()
	}{
		{name: "nothing", step: 3, do: func() {}},
		{name: "one byte of the file", step: 1, do: change(path, "批复", "批複")},
		{name: "the file is cut", step: 1, do: func() { write(t, path, "") }},
		{name: "wrong salt", do: change(opening, text(o.Salt), text(other.Salt))},
		{name: "another name", do: change(opening, `"name": "批复.pdf"`, `"name": "判决.pdf"`)},
		{name: "another commitment", do: change(opening, text(o.Commitment), text(other.Commitment))},
		{name: "another height", step: 2, do: change(opening, fmt.Sprintf(`"height": %d`, o.Height), `"height": 1`)},
		{name: "dated back", step: 2, do: change(opening, fmt.Sprintf(`"at_ms": %d`, o.AtMs), `"at_ms": 1000`)},
		{name: "another account", step: 2, do: change(opening, bureau, m.person.Account)},
		{name: "another clock", step: 2, do: change(opening, `"clock_source": "unknown"`, `"clock_source": "ntp"`)},
		{name: "another transaction", step: 2, do: change(opening, text(o.Tx), text(o.Salt))},
		{name: "the proof of another file", step: 2, do: func() {
			raw, err := os.ReadFile(filepath.Join(evidence.FolderOf(filepath.Join(dir, names[1])), other.ProofFile()))
			if err != nil {
				t.Fatal(err)
			}
			write(t, proof, string(raw))
		}},
		{name: "a byte of the proof", step: 2, do: change(proof, `"siblings": "`, `"siblings": "A`)},
		{name: "another chain", step: 2, genesis: otherGenesis, code: fault.WrongChain, do: func() {}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			saved := map[string][]byte{}
			for _, f := range []string{path, opening, proof} {
				raw, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				saved[f] = raw
			}
			defer func() {
				for f, raw := range saved {
					write(t, f, string(raw))
				}
			}()
			tt.do()
			genesis, want := m.genesis.Hash, fault.VerificationFailed
			if tt.genesis != [32]byte{} {
				genesis = tt.genesis
			}
			if tt.code != 0 {
				want = tt.code
			}
			_, _, held, err := evidence.Check(t.Context(), folder, path, genesis)
			if tt.name == "a byte of the proof" && fault.Is(err, fault.Malformed) {
				want = fault.Malformed // it is not in its one form any more
			}
			if tt.step == 3 && err != nil || tt.step < 3 && !fault.Is(err, want) || len(held) != tt.step {
				t.Errorf("%v, %v", held, err)
			}
		})
	}
}

// TestAChangedFileSupersedes: a later state of the file is evidence of its own; the
// earlier opening stays in the folder and still opens.
func TestAChangedFileSupersedes(t *testing.T) {
	m := start(t)
	path := write(t, filepath.Join(t.TempDir(), "台账.csv"), "一")
	j, _ := m.job(m.person)
	first := run(t, j, evidence.Anchored, path)[0]
	write(t, path, "二")
	second := run(t, j, evidence.Anchored, path)[0]
	o, err := evidence.ReadOpening(second.Folder)
	if err != nil || o.Supersedes != first.ID || o.ID != second.ID || first.ID == second.ID {
		t.Errorf("%+v, %v", o, err)
	}
	raw, err := os.ReadFile(filepath.Join(second.Folder, "evidence-"+first.ID+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if old, err := evidence.ParseOpening(raw); err != nil || old.ID != first.ID || !old.Anchored() {
		t.Errorf("%+v, %v", old, err)
	}
	other, _ := m.job(m.bureau) // another account's evidence of the same file supersedes nothing
	third := run(t, other, evidence.Anchored, path)[0]
	if o, err = evidence.ReadOpening(third.Folder); err != nil || o.Supersedes != "" || o.Account != bureau {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestALostAnswer: the transaction was committed and nobody said so. The next run finds
// it, and sends nothing.
func TestALostAnswer(t *testing.T) {
	m := start(t)
	path := write(t, filepath.Join(t.TempDir(), "a"), "a")
	j, l := m.job(m.person)
	l.after = func() error { return fault.Newf(fault.Timeout, "no answer") }
	files, err := evidence.Find(t.Context(), []string{path})
	if err != nil {
		t.Fatal(err)
	}
	out, err := j.Run(t.Context(), files, nil)
	if !fault.Is(err, fault.Timeout) || len(out) != 1 || out[0].State != evidence.Failed {
		t.Fatalf("%+v, %v", out, err)
	}
	l.after = nil
	got := run(t, j, evidence.Already, path)[0]
	if l.sent != 1 || got.Height == 0 {
		t.Errorf("%d transactions, %+v", l.sent, got)
	}
}

// TestStoppedBeforeSending: the opening on disk is used again: one salt, one
// commitment.
func TestStoppedBeforeSending(t *testing.T) {
	m := start(t)
	path := write(t, filepath.Join(t.TempDir(), "a"), "a")
	ctx, cancel := context.WithCancel(t.Context())
	j, l := m.job(m.person)
	l.before = func([]*evidencev1.Evidence) { cancel() }
	files, _ := evidence.Find(t.Context(), []string{path})
	if _, err := j.Run(ctx, files, nil); err == nil {
		t.Fatal("it was sent")
	}
	before, err := evidence.ReadOpening(evidence.FolderOf(path))
	if err != nil || before.Anchored() {
		t.Fatalf("%+v, %v", before, err)
	}
	l.before = nil
	if got := run(t, j, evidence.Anchored, path)[0]; got.ID != before.ID {
		t.Errorf("another commitment was made: %s, %s", got.ID, before.ID)
	}
}

// TestARefusedFileCanBeAnchored: what the ledger refused for its provenance waits on
// disk, and goes on the ledger with what is said of it the next time.
func TestARefusedFileCanBeAnchored(t *testing.T) {
	m := start(t)
	path := write(t, filepath.Join(t.TempDir(), "a"), "a")
	j, _ := m.job(m.person)
	j.Provenance.Capture, j.Provenance.Source = "delivery", "0123456789abcdef/1"
	files, _ := evidence.Find(t.Context(), []string{path})
	if _, err := j.Run(t.Context(), files, nil); !fault.Is(err, fault.NotFound) {
		t.Fatalf("a delivery that is not there: %v", err)
	}
	before, err := evidence.ReadOpening(evidence.FolderOf(path))
	if err != nil {
		t.Fatal(err)
	}
	j, _ = m.job(m.person)
	got := run(t, j, evidence.Anchored, path)[0]
	o, err := evidence.ReadOpening(got.Folder)
	if err != nil || o.Provenance.Capture != "file" || o.Provenance.Source != "" || got.ID != before.ID {
		t.Errorf("%+v, %v", o, err)
	}
	m.prove(got.Folder)
	if _, _, _, err := evidence.Check(t.Context(), got.Folder, path, m.genesis.Hash); err != nil {
		t.Error(err)
	}
}

// TestAStolenCommitment: somebody who saw the transaction on its way anchors the same
// commitments first. He can open none of them, and the victim takes new salts.
func TestAStolenCommitment(t *testing.T) {
	m := start(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "1"), "1")
	write(t, filepath.Join(dir, "2"), "2")
	j, l := m.job(m.person)
	thief := &ledger{m: m, signer: m.bureau}
	l.before = func(items []*evidencev1.Evidence) {
		l.before = nil
		if _, err := thief.Anchor(t.Context(), items[1:]); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range run(t, j, evidence.Anchored, dir) {
		e, err := l.Lookup(t.Context(), o.ID)
		if err != nil || e.GetAccount() != m.person.Account {
			t.Errorf("%v, %v", e, err)
		}
	}
}

// TestBatches: more files than one transaction takes; one that cannot be read fails
// alone, and evidence of another chain is not touched.
func TestBatches(t *testing.T) {
	m := start(t)
	dir := t.TempDir()
	for i := range evidence.MaxBatch + 2 {
		write(t, filepath.Join(dir, fmt.Sprintf("%03d", i)), fmt.Sprint(i))
	}
	foreign := filepath.Join(dir, "000")
	j, l := m.job(m.person)
	j.Chain = "elsewhere"
	run(t, j, evidence.Anchored, foreign)
	j.Chain = m.genesis.GetChainId()
	l.sent = 0
	files, err := evidence.Find(t.Context(), []string{dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "001")); err != nil {
		t.Fatal(err)
	}
	var told []int
	out, err := j.Run(t.Context(), files, func(n int) { told = append(told, n) })
	if err != nil || len(out) != len(files) || l.sent != 2 || fmt.Sprint(told) != "[200 202]" {
		t.Fatalf("%d outcomes, %d transactions, %v, %v", len(out), l.sent, told, err)
	}
	if out[0].Code != fault.WrongChain || out[1].Code != fault.NotFound {
		t.Errorf("%+v, %+v", out[0], out[1])
	}
	for _, o := range out[2:] {
		if o.State != evidence.Anchored {
			t.Errorf("%+v", o)
		}
	}
	if _, err := json.Marshal(out); err != nil {
		t.Error(err)
	}
}
