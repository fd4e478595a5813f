package evidence_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mulian/client/evidence"
	"mulian/client/evidence/pack"
	"mulian/client/prooffile"
	"mulian/internal/fault"
)

// pack fills the folder of an anchored file as `mulian evidence certificate` does.
func (m *member) pack(folder string) *pack.Pack {
	m.t.Helper()
	m.prove(folder)
	o, err := evidence.ReadOpening(folder)
	if err != nil {
		m.t.Fatal(err)
	}
	maker, err := prooffile.NewMaker(m.client, m.file)
	if err != nil {
		m.t.Fatal(err)
	}
	p := &pack.Pack{Genesis: m.file, Program: pack.Program{Name: "mulian test"}}
	if p.Program.SHA256, err = evidence.ProgramHash(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
	p.Opening, p.Proof = readFile(m.t, folder, evidence.OpeningFile), readFile(m.t, folder, o.ProofFile())
	if p.Operator, p.Organisation, err = pack.Fetch(m.t.Context(), maker, o.Account); err != nil {
		m.t.Fatal(err)
	}
	if err := p.Open(m.genesis.Hash); err != nil {
		m.t.Fatal(err)
	}
	if _, err := p.Write(folder); err != nil {
		m.t.Fatal(err)
	}
	return p
}

func readFile(t *testing.T, path ...string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestAFolderForStrangers: all that spec/safebox.md 3.8 names is in the folder, it holds under
// another name, and one changed byte of any file is found, though the manifest goes along.
func TestAFolderForStrangers(t *testing.T) {
	m := start(t)
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "批复<script>.txt"), "同意。")
	j, _ := m.job(m.bureau)
	run(t, j, evidence.Anchored, path)
	folder := evidence.FolderOf(path)
	p := m.pack(folder)
	again, err := p.Files()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range again {
		if !bytes.Equal(readFile(t, folder, name), want) {
			t.Errorf("%s is not the same when it is made again", name)
		}
	}
	var of pack.Manifest
	if err := json.Unmarshal(readFile(t, folder, pack.ManifestFile), &of); err != nil {
		t.Fatal(err)
	}
	if of.Operator.OrganisationName != "试验市数据局" || of.Operator.Key != m.bureau.Key.Public().ID() || len(of.Validators) != 1 || of.Validators[0].Name != "v1" || !of.Validators[0].SM2 || len(of.Files) != 7 {
		t.Errorf("%+v", of)
	}
	renamed := filepath.Join(dir, "卷宗 12")
	if err := os.Rename(folder, renamed); err != nil {
		t.Fatal(err)
	}
	if got := evidence.FindFolder(renamed); got != renamed {
		t.Errorf("a renamed folder is looked for at %s", got)
	}
	o, err := evidence.ReadOpening(renamed)
	if err != nil || o.FileBeside(renamed) != path {
		t.Errorf("%v, its file is looked for at %s", err, o.FileBeside(renamed))
	}
	if held, err := pack.Check(t.Context(), renamed, m.genesis.Hash); err != nil || len(held) != 3 || !strings.Contains(held[2].Says, "the same bytes") {
		t.Errorf("%v, %v", held, err)
	}
	unpacked(t, renamed, path, m.genesis.Hash)
	m.flips(t, renamed)
	m.papers(t, renamed, p)
	if held, err := pack.Check(t.Context(), renamed, m.genesis.Hash); err != nil {
		t.Errorf("at the end: %v, %v", held, err)
	}
}

// unpacked zips the folder and checks what comes out of the zip elsewhere.
func unpacked(t *testing.T, folder, original string, genesis [32]byte) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "x.zip")
	if err := pack.Zip(file, folder, original); err != nil {
		t.Fatal(err)
	}
	z, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(io.LimitReader(r, 1<<20))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, filepath.FromSlash(f.Name)), string(raw))
	}
	there := filepath.Join(dir, filepath.Base(original)+evidence.Suffix)
	o, err := evidence.ReadOpening(there)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Same(t.Context(), o.FileBeside(there)); err != nil {
		t.Error(err)
	}
	if held, err := pack.Check(t.Context(), there, genesis); err != nil || len(held) != 3 {
		t.Errorf("out of the zip: %v, %v", held, err)
	}
}

// flips changes a byte of each file, at several places.
func (m *member) flips(t *testing.T, folder string) {
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 8 {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	for _, e := range entries {
		file := filepath.Join(folder, e.Name())
		raw := readFile(t, file)
		for _, at := range []int{0, len(raw) / 3, len(raw) / 2, len(raw) - 2} {
			bad := bytes.Clone(raw)
			bad[at] ^= 1
			write(t, file, string(bad))
			if _, err := pack.Check(t.Context(), folder, m.genesis.Hash); !fault.Is(err, fault.VerificationFailed) && !fault.Is(err, fault.Malformed) && !fault.Is(err, fault.WrongChain) {
				t.Errorf("%s, byte %d: %v", e.Name(), at, err)
			}
		}
		write(t, file, string(raw))
	}
}

// papers changes the paper and its hash in the manifest: the program that made it finds it.
func (m *member) papers(t *testing.T, folder string, p *pack.Pack) {
	paper, manifest := filepath.Join(folder, pack.PaperFile), filepath.Join(folder, pack.ManifestFile)
	was, list := readFile(t, paper), readFile(t, manifest)
	defer func() {
		write(t, paper, string(was))
		write(t, manifest, string(list))
	}()
	bad := bytes.Clone(was)
	bad[len(bad)/2] ^= 1
	d := func(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }
	write(t, paper, string(bad))
	write(t, manifest, strings.Replace(string(list), d(was), d(bad), 1))
	if _, err := pack.Check(t.Context(), folder, m.genesis.Hash); !fault.Is(err, fault.VerificationFailed) || !strings.Contains(err.Error(), "not what follows from the proofs") {
		t.Errorf("paper and manifest were changed: %v", err)
	}
	other := p.Program
	p.Program = pack.Program{Name: "mulian of tomorrow", SHA256: bytes.Repeat([]byte{7}, 32)}
	defer func() { p.Program = other }()
	files, err := p.Files()
	if err != nil {
		t.Fatal(err)
	}
	write(t, paper, string(bad))
	write(t, manifest, strings.Replace(string(files[pack.ManifestFile]), d(was), d(bad), 1))
	if held, err := pack.Check(t.Context(), folder, m.genesis.Hash); err != nil || !strings.Contains(held[len(held)-1].Says, "mulian of tomorrow") {
		t.Errorf("of another version: %v, %v", held, err)
	}
}

// TestThePageChecks runs the page's script in Node, without a browser: it holds for the
// file, and not for another file, genesis, salt or proof.
func TestThePageChecks(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("SKIP no node: the page is not run")
	}
	m := start(t)
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "a</script>.txt"), "内容")
	j, _ := m.job(m.bureau)
	run(t, j, evidence.Anchored, path)
	folder := evidence.FolderOf(path)
	m.pack(folder)
	page := string(readFile(t, folder, pack.PageFile))
	parts, script := between(t, page, `id="parts">`, "</script>"), between(t, page, `<script type="module">`, "</script>")
	for _, outside := range []string{"http://", "https://", "src="} {
		if strings.Contains(strings.ReplaceAll(page, "http-equiv", ""), outside) {
			t.Errorf("the page names %s", outside)
		}
	}
	write(t, filepath.Join(dir, "page.mjs"), script)
	write(t, filepath.Join(dir, "parts.json"), parts)
	test := write(t, filepath.Join(dir, "run.mjs"), `
import { readFileSync } from 'node:fs'
import { checkPack } from './page.mjs'
const text = readFileSync('parts.json', 'utf8'), fresh = () => JSON.parse(text), genesis = fresh().genesis
const file = new Uint8Array(readFileSync(process.argv[2])), other = Uint8Array.from(file).fill(65)
const out = {}
const tell = (name, change, g = genesis, f = file) => { const p = fresh(); change(p); const r = checkPack(p, g, f); out[name] = (r.ok ? 'holds ' : 'fails at ') + r.steps.at(-1).en }
tell('as it is', () => {})
tell('without the file', () => {}, genesis, null)
tell('another file', () => {}, genesis, other)
tell('another genesis', () => {}, '00' + genesis.slice(2))
tell('another salt', (p) => { p.opening.salt = p.opening.sha256 })
tell('another name', (p) => { p.opening.metadata.name = 'b' })
tell('another proof', (p) => { p.proof = p.operator })
tell('a byte of the proof', (p) => { p.proof = p.proof.replace('"depth": "', '"depth": "1') })
tell('another height', (p) => { p.opening.height++ })
tell('another operator', (p) => { p.operator = p.proof })
console.log(JSON.stringify(out))
`)
	cmd := exec.CommandContext(context.Background(), node, test, path)
	cmd.Dir = dir
	raw, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	got := map[string]string{}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	for name, want := range map[string]string{
		"as it is": "holds operator", "without the file": "holds operator", "another file": "fails at file", "another genesis": "fails at proof",
		"another salt": "fails at opening", "another name": "fails at opening", "another proof": "fails at ledger", "a byte of the proof": "fails at proof",
		"another height": "fails at ledger", "another operator": "fails at operator",
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
}

func between(t *testing.T, s, from, to string) string {
	t.Helper()
	_, rest, ok := strings.Cut(s, from)
	out, _, end := strings.Cut(rest, to)
	if !ok || !end {
		t.Fatalf("the page has no %s", from)
	}
	return out
}

// TestADifferentProvenanceNamesItsField: a person reads which field differs, not the bytes
// of a message.
func TestADifferentProvenanceNamesItsField(t *testing.T) {
	m := start(t)
	path := write(t, filepath.Join(t.TempDir(), "a.txt"), "x")
	j, _ := m.job(m.bureau)
	run(t, j, evidence.Anchored, path)
	folder := evidence.FolderOf(path)
	m.prove(folder)
	opening := filepath.Join(folder, evidence.OpeningFile)
	write(t, opening, strings.Replace(string(readFile(t, opening)), `"software": "mulian test"`, `"software": "mulian best"`, 1))
	_, _, _, err := evidence.Check(t.Context(), folder, path, m.genesis.Hash)
	if err == nil || !strings.HasSuffix(err.Error(), `provenance, software: the ledger says "mulian test", the opening "mulian best"`) {
		t.Errorf("%v", err)
	}
}
