package tracepack

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"mulian/client/evidence"
	"mulian/client/prooffile"
	"mulian/internal/fault"
)

// Report is what a check came to. Its JSON keys are those of a proof file's report where
// they mean the same.
type Report struct {
	OK           bool       `json:"ok"`
	Code         fault.Code `json:"code"`
	Reason       string     `json:"reason"`          // for people; empty if it holds
	Step         string     `json:"step,omitempty"`  // the check that failed
	Field        string     `json:"field,omitempty"` // the file in which it did
	Milliseconds float64    `json:"milliseconds"`

	Kind    string `json:"kind,omitempty"` // trace
	Object  string `json:"object,omitempty"`
	Chain   string `json:"chain,omitempty"`
	Genesis string `json:"genesis,omitempty"`
	Height  int64  `json:"height,omitempty"` // of the latest state
	Time    string `json:"time,omitempty"`
	Power   string `json:"power,omitempty"` // of that block
	SM2     string `json:"sm2,omitempty"`
	Steps   int    `json:"steps,omitempty"`
	// Complete: the server had no more steps to tell.
	Complete bool               `json:"complete,omitempty"`
	Signers  []prooffile.Signer `json:"signers,omitempty"`
	Checks   []Held             `json:"checks,omitempty"`
	// Proof is why a proof file does not hold.
	Proof *prooffile.Report `json:"proof,omitempty"`
}

// Held is one part of the pack that holds.
type Held struct {
	Step  string `json:"step"`  // manifest, genesis, proofs, trace, headers, certificates
	Count int    `json:"count"` // of what: files, proofs, steps, blocks, keys
}

// IsZip reports whether these bytes begin as a zip does.
func IsZip(raw []byte) bool { return bytes.HasPrefix(raw, []byte("PK\x03\x04")) }

// Check checks a pack with the hash of the genesis that the reader trusts.
func Check(raw []byte, genesisHash [32]byte) *Report {
	began := time.Now()
	v := &checker{hash: genesisHash, report: &Report{}}
	r := v.report
	if err := v.run(raw); err != nil {
		checks, proof := r.Checks, r.Proof
		*r = Report{Code: fault.CodeOf(err), Reason: err.Error(), Step: v.step, Field: v.field, Checks: checks, Proof: proof}
	} else {
		r.OK = true
	}
	r.Milliseconds = float64(time.Since(began).Microseconds()) / 1000
	return r
}

// checker is one check.
type checker struct {
	hash        [32]byte
	files       map[string][]byte
	m           *Manifest
	all         []*proved // of the steps in their order, then of the object
	report      *Report
	step, field string
}

func (v *checker) at(step, field string) { v.step, v.field = step, field }

func (v *checker) held(count int) { v.report.Checks = append(v.report.Checks, Held{v.step, count}) }

func refused(format string, args ...any) error {
	return fault.Newf(fault.VerificationFailed, format, args...)
}

func (v *checker) run(raw []byte) (err error) {
	v.at("zip", "the file")
	if v.files, err = unzipped(raw); err != nil {
		return err
	}
	if err := v.checkManifest(); err != nil {
		return err
	}
	v.at("genesis", GenesisFile)
	hash, err := prooffile.GenesisHash(v.files[GenesisFile])
	if err != nil {
		return err
	}
	if hash != v.hash || fmt.Sprintf("%x", hash) != v.m.Genesis {
		return fault.Newf(fault.WrongChain, "the genesis of this pack is %x, expected %x", hash, v.hash)
	}
	v.held(1)
	v.at("trace", TraceFile)
	var told trail
	if err := strict(v.files[TraceFile], &told); err != nil {
		return err
	}
	if told.Object != v.m.Object || len(told.Steps) != v.m.Steps || len(told.Steps) == 0 || len(told.Steps) > MaxSteps {
		return refused("it has %d steps of %.100q, the manifest %d of %.100q", len(told.Steps), told.Object, v.m.Steps, v.m.Object)
	}
	v.at("proofs", proofFolder)
	if err := v.checkProofs(told.Steps); err != nil {
		return err
	}
	v.at("proofs", proofFolder)
	v.held(len(v.all))
	return v.checkRest(told.Steps)
}

// checkManifest holds each file against its hash.
func (v *checker) checkManifest() error {
	v.at("manifest", ManifestFile)
	v.m = &Manifest{}
	raw := v.files[ManifestFile]
	if raw == nil {
		return refused("there is no %s: this zip is no trace pack, or a part of one", ManifestFile)
	}
	if err := strict(raw, v.m); err != nil {
		return err
	}
	if v.m.Format != Format {
		return fault.Newf(fault.Malformed, "format %.40q; this program reads %s", v.m.Format, Format)
	}
	for i, f := range v.m.Files {
		v.field = f.Name
		body, there := v.files[f.Name]
		if sum := sha256.Sum256(body); !there || len(body) != f.Bytes || !bytes.Equal(sum[:], f.SHA256) || f.Name == ManifestFile {
			return refused("%s is not the file that the manifest names", f.Name)
		}
		if i > 0 && v.m.Files[i-1].Name >= f.Name {
			return refused("the manifest's files are out of order at %s", f.Name)
		}
	}
	v.field = ManifestFile
	if len(v.files) != len(v.m.Files)+1 {
		return refused("the manifest names %d files, the pack has %d", len(v.m.Files), len(v.files)-1)
	}
	for _, name := range []string{TraceFile, HeadersFile, CertificatesFile, GenesisFile, ReadMeFile} {
		if v.files[name] == nil {
			return refused("there is no %s", name)
		}
	}
	v.held(len(v.m.Files))
	return nil
}

// checkProofs verifies the file of each step, and that of the object.
func (v *checker) checkProofs(steps []Step) error {
	last := int64(-1)
	for _, s := range steps {
		if s.Proof != proofFolder+s.Seq+proofEnd || number(s.Seq) <= last {
			return refused("step %.40q with the proof %.80q is out of order", s.Seq, s.Proof)
		}
		last = number(s.Seq)
		p, err := v.checkProof(s.Proof)
		if err != nil {
			return err
		}
		if p.report.Kind != "event" || p.report.Object != s.Seq || len(p.said.Acts) != 1 {
			return refused("%s proves %s %s, not the step %s", s.Proof, p.report.Kind, p.report.Object, s.Seq)
		}
		v.all = append(v.all, p)
	}
	if v.files[ObjectFile] != nil {
		p, err := v.checkProof(ObjectFile)
		if err != nil {
			return err
		}
		if p.report.Kind != "object" || p.report.Object != v.m.Object {
			return refused("%s proves %s %s, not %s", ObjectFile, p.report.Kind, p.report.Object, v.m.Object)
		}
		v.all = append(v.all, p)
	}
	return nil
}

func (v *checker) checkProof(name string) (*proved, error) {
	v.at("proofs", name)
	file := v.files[name]
	if file == nil {
		return nil, refused("there is no %s", name)
	}
	r := prooffile.Verify(file, v.hash)
	if !r.OK {
		if v.report != nil {
			v.report.Proof = r
		}
		return nil, fmt.Errorf("%s: %w", name, r.Fault())
	}
	p, err := see(name, file, r)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "%s", name)
	}
	return p, nil
}

// checkRest compares what is told with what the proofs say.
func (v *checker) checkRest(steps []Step) error {
	for i, s := range steps {
		v.at("trace", TraceFile+" "+s.Seq)
		if !s.Act.equal(v.all[i].said.Acts[0]) {
			return refused("step %s is not what its proof says", s.Seq)
		}
	}
	v.at("trace", TraceFile)
	v.held(len(steps))
	all, keys := headers(v.all), certificates(v.all)
	for _, x := range []struct {
		name  string
		value any
		count int
	}{{HeadersFile, all, len(all)}, {CertificatesFile, keys, len(keys.Signers) + len(keys.Validators)}} {
		v.at(strings.TrimSuffix(x.name, ".json"), x.name)
		raw, err := marshal(x.value)
		if err != nil {
			return err
		}
		if !bytes.Equal(raw, v.files[x.name]) {
			return refused("%s is not what follows from the proofs", x.name)
		}
		v.held(x.count)
	}
	v.at("manifest", ManifestFile)
	r, last := v.report, v.all[0].report
	for _, p := range v.all {
		if p.report.Chain != v.m.Chain {
			return refused("%s is of the chain %s, the manifest of %s", p.name, p.report.Chain, v.m.Chain)
		}
		if p.report.Height > last.Height {
			last = p.report
		}
	}
	r.Kind, r.Object, r.Chain, r.Genesis, r.Height, r.Time = "trace", v.m.Object, v.m.Chain, v.m.Genesis, last.Height, last.Time
	r.Power, r.SM2, r.Steps, r.Complete, r.Signers = last.Power, last.SM2, len(steps), v.m.Complete, keys.Signers
	return nil
}

func strict(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fault.Wrap(fault.Malformed, err, "this is not in the form of a trace pack")
	}
	if _, err := d.Token(); err != io.EOF {
		return fault.Newf(fault.Malformed, "something follows the end")
	}
	return nil
}

// unzipped reads the files of a zip within the bounds.
func unzipped(raw []byte) (map[string][]byte, error) {
	if len(raw) > MaxZip {
		return nil, fault.Newf(fault.TooLong, "%d bytes, at most %d", len(raw), MaxZip)
	}
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "this zip cannot be read: it was not copied to its end, or was changed")
	}
	if len(z.File) > maxFiles {
		return nil, fault.Newf(fault.TooLong, "%d files, at most %d", len(z.File), maxFiles)
	}
	out, room := map[string][]byte{}, int64(maxUnpacked)
	for _, f := range z.File {
		if f.Name != path.Clean(f.Name) || path.IsAbs(f.Name) || strings.HasPrefix(f.Name, "..") || out[f.Name] != nil || slices.Contains([]string{"", "."}, f.Name) {
			return nil, fault.Newf(fault.Malformed, "a file named %.80q", f.Name)
		}
		r, err := f.Open()
		if err != nil {
			return nil, fault.Wrap(fault.Malformed, err, "%s", f.Name)
		}
		body, err := io.ReadAll(io.LimitReader(r, min(room, prooffile.MaxFile)+1))
		r.Close()
		if err != nil {
			return nil, fault.Wrap(fault.Malformed, err, "%s cannot be read: the zip was changed", f.Name)
		}
		if room -= int64(len(body)); room < 0 || len(body) > prooffile.MaxFile {
			return nil, fault.Newf(fault.TooLong, "%s: %d bytes, %d in all are possible", f.Name, len(body), maxUnpacked)
		}
		out[f.Name] = body
	}
	return out, nil
}

const proofEnd = evidence.ProofSuffix
