package pack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"mulian/client/evidence"
	"mulian/client/prooffile"
	"mulian/internal/durable"
	"mulian/internal/fault"
)

// Bounds of what we read of a folder: a manifest of 1,000 validators, a page with three
// proofs, and a few files.
const (
	maxManifest = 1 << 20
	maxPart     = 8 << 20
	maxParts    = 16
)

func sortedNames(files map[string][]byte) []string { return slices.Sorted(maps.Keys(files)) }

// Write writes the files into the folder, the manifest last: a folder that has one is
// whole. The opening is there. Inaccessible.
func (p *Pack) Write(folder string) (bytesWritten int, err error) {
	files, err := p.Files()
	if err != nil {
		return 0, err
	}
	names := slices.DeleteFunc(sortedNames(files), func(n string) bool { return n == ManifestFile })
	if err := os.Remove(filepath.Join(folder, ManifestFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fault.Wrap(fault.Inaccessible, err, "write %s", folder)
	}
	for _, name := range append(names, ManifestFile) {
		if err := durable.ReplaceFile(filepath.Join(folder, name), files[name], 0o600); err != nil {
			return 0, fault.Wrap(fault.Inaccessible, err, "write %s", filepath.Join(folder, name))
		}
		bytesWritten += len(files[name])
	}
	return bytesWritten, nil
}

// Check tells whether the files of a folder are as they were made: each has the hash of
// the manifest, and paper, page and manifest follow from opening, proofs and genesis. What
// was made by another version of the program, which words things otherwise, is held
// to its hashes. NotFound without a manifest, VerificationFailed.
func Check(ctx context.Context, folder string, genesisHash [32]byte) ([]evidence.Finding, error) {
	raw, err := read(folder, ManifestFile, maxManifest)
	if err != nil {
		return nil, err
	}
	m, err := parse(raw)
	if err != nil {
		return nil, err
	}
	have := map[string][]byte{}
	for _, f := range m.Files {
		if have[f.Name], err = read(folder, f.Name, maxPart); err != nil {
			return nil, err
		}
		if sum := sha256.Sum256(have[f.Name]); len(have[f.Name]) != f.Bytes || !bytes.Equal(sum[:], f.SHA256) {
			return nil, fault.Newf(fault.VerificationFailed, "%s was changed: SHA-256 %x, the manifest has %x", f.Name, sum, []byte(f.SHA256))
		}
	}
	for _, name := range []string{evidence.OpeningFile, m.ID + evidence.ProofSuffix, OperatorFile, GenesisFile, PaperFile, PageFile, ReadMeFile} {
		if have[name] == nil {
			return nil, fault.Newf(fault.VerificationFailed, "the manifest does not name %s", name)
		}
	}
	held := []evidence.Finding{{Step: "manifest", Says: fmt.Sprintf("%d files", len(m.Files))}}
	p := &Pack{
		Opening: have[evidence.OpeningFile], Proof: have[m.ID+evidence.ProofSuffix], Operator: have[OperatorFile], Organisation: have[OrganisationFile],
		Genesis: have[GenesisFile], Program: m.Program,
	}
	if err := p.Open(genesisHash); err != nil {
		return held, err
	}
	held = append(held, evidence.Finding{Step: "operator", Says: p.who()})
	again, err := p.Files()
	if err != nil {
		return held, err
	}
	have[ManifestFile] = raw
	for _, name := range append(slices.DeleteFunc(sortedNames(again), func(n string) bool { return n == ManifestFile }), ManifestFile) {
		if bytes.Equal(again[name], have[name]) {
			continue
		}
		mine, err := evidence.ProgramHash(ctx)
		if err != nil || len(mine) == 0 || bytes.Equal(mine, m.Program.SHA256) {
			return held, fault.Newf(fault.VerificationFailed, "%s is not what follows from the proofs, though %s made it", name, oneLine(m.Program.Name))
		}
		return append(held, evidence.Finding{Step: "papers", Says: "by their hashes; made by " + oneLine(m.Program.Name) + ", whose words are not compared"}), nil
	}
	return append(held, evidence.Finding{Step: "papers", Says: "made again from the proofs, the same bytes"}), nil
}

// who is the account with the names that its proofs give it.
func (p *Pack) who() string {
	if p.organised == "" {
		return p.opening.Account
	}
	return oneLine(p.organised) + " (" + p.opening.Account + ")"
}

func parse(raw []byte) (*Manifest, error) {
	m := &Manifest{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(m); err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "%s", ManifestFile)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fault.Newf(fault.Malformed, "%s: something follows the manifest", ManifestFile)
	}
	if m.Format != Format || len(m.Files) > maxParts {
		return nil, fault.Newf(fault.Malformed, "%s: format %.40q, %d files; this program reads %s, at most %d", ManifestFile, m.Format, len(m.Files), Format, maxParts)
	}
	seen := map[string]bool{}
	for _, f := range m.Files {
		if f.Name == "" || f.Name != filepath.Base(f.Name) || f.Name == ".." || f.Name == "." || seen[f.Name] {
			return nil, fault.Newf(fault.Malformed, "%s: a file named %.80q", ManifestFile, f.Name)
		}
		seen[f.Name] = true
	}
	return m, nil
}

// read reads a regular file of the folder.
func read(folder, name string, limit int64) ([]byte, error) {
	path := filepath.Join(folder, name)
	st, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && name != ManifestFile:
		return nil, fault.Newf(fault.VerificationFailed, "%s, which the manifest names, is not in the folder", name)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.Newf(fault.NotFound, "there is no %s", path)
	case err != nil:
		return nil, fault.Wrap(fault.Inaccessible, err, "read %s", path)
	case !st.Mode().IsRegular():
		return nil, fault.Newf(fault.Malformed, "%s is no regular file", path)
	case st.Size() > limit:
		return nil, fault.Newf(fault.TooLong, "%s has %d bytes, at most %d", path, st.Size(), limit)
	}
	raw, err := os.ReadFile(path)
	return raw, fault.Wrap(fault.Inaccessible, err, "read %s", path)
}

// Fetch makes the proofs of who anchored the evidence.
func Fetch(ctx context.Context, m *prooffile.Maker, account string) (operator, organisation []byte, err error) {
	if operator, err = m.Object(ctx, "identity/account/"+account); err != nil {
		return nil, nil, err
	}
	a, err := provedAccount(operator, account, m.GenesisHash())
	if err != nil {
		return nil, nil, err
	}
	if of := OrganisationOf(a); of != "" {
		organisation, err = m.Object(ctx, "identity/account/"+of)
	}
	return operator, organisation, err
}
