package evidence

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	evidencev1 "mulian/gen/mulian/evidence/v1"
	"mulian/internal/fault"
)

// Format names this version in an opening. Another one needs another program.
const Format = "mulian-evidence-v1"

const (
	commitmentDomain = "mulian-evidence-v1\x00"
	metadataDomain   = "mulian-evidence-metadata-v1\x00"
)

// Hex is bytes that JSON shows in lower-case hexadecimal.
type Hex []byte

// MarshalText implements encoding.TextMarshaler.
func (h Hex) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// UnmarshalText implements encoding.TextUnmarshaler. Capital letters are refused:
// one value has one form.
func (h *Hex) UnmarshalText(b []byte) error {
	raw, err := hex.DecodeString(string(b))
	if err != nil || hex.EncodeToString(raw) != string(b) {
		return fmt.Errorf("%.80q is no lower-case hexadecimal", b)
	}
	*h = raw
	return nil
}

// Metadata is what is known of a file beside its bytes. It stays in the folder, and
// the commitment covers it.
type Metadata struct {
	Name      string `json:"name"`               // without its folder
	Bytes     uint64 `json:"bytes"`              // size
	MediaType string `json:"media_type"`         // found from name and content
	Modified  string `json:"modified,omitempty"` // as the file system says, RFC 3339, UTC
	Note      string `json:"note,omitempty"`     // of whoever anchored it
}

// Digests are the hashes of a file.
type Digests struct {
	SHA256 Hex `json:"sha256"`
	SM3    Hex `json:"sm3"`
}

// Provenance is the path before the chain as JSON: see mulian.evidence.v1.Provenance.
type Provenance struct {
	Capture       string `json:"capture"` // file, database, delivery, made
	Gateway       string `json:"gateway,omitempty"`
	Software      string `json:"software"`
	SoftwareHash  Hex    `json:"software_sha256,omitempty"`
	Source        string `json:"source,omitempty"`
	CapturedMs    int64  `json:"captured_ms"`
	ClockSource   string `json:"clock_source"`
	ClockOffsetMs int64  `json:"clock_offset_ms"`
	ClockErrorMs  int64  `json:"clock_error_ms"`
}

// Opening is evidence.json: everything that opens one commitment. Who has it can
// show what was anchored; it is as secret as the file.
type Opening struct {
	Format     string     `json:"format"`
	ID         string     `json:"id"` // on the ledger
	Commitment Hex        `json:"commitment"`
	Salt       Hex        `json:"salt"`
	Digests               // of the file
	Metadata   Metadata   `json:"metadata"`
	Provenance Provenance `json:"provenance"`
	Supersedes string     `json:"supersedes,omitempty"`
	Chain      string     `json:"chain"`
	Genesis    Hex        `json:"genesis"` // hash of the chain's genesis
	Account    string     `json:"account"` // that anchors it
	// Of the ledger; zero until it is anchored. Tx is empty if the answer was lost
	// and the ledger was asked instead.
	Tx     Hex   `json:"tx,omitempty"`
	Height int64 `json:"height,omitempty"`
	AtMs   int64 `json:"at_ms,omitempty"`
}

// Anchored reports whether the ledger has said so.
func (o *Opening) Anchored() bool { return o.Height > 0 }

// metadataHash is defined in the package comment.
func (o *Opening) metadataHash() [32]byte {
	b := binary.BigEndian.AppendUint64([]byte(metadataDomain), o.Metadata.Bytes)
	for _, s := range []string{o.Metadata.Name, o.Metadata.MediaType, o.Metadata.Note, o.Metadata.Modified} {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
	}
	return sha256.Sum256(b)
}

// commit computes the commitment of the opening.
func (o *Opening) commit() [32]byte {
	meta := o.metadataHash()
	return sha256.Sum256(bytes.Join([][]byte{[]byte(commitmentDomain), o.Salt, o.SHA256, o.SM3, meta[:]}, nil))
}

// resalt gives the opening a new salt, and the commitment and id that follow.
func (o *Opening) resalt() error {
	o.Salt = make([]byte, 32)
	if _, err := rand.Read(o.Salt); err != nil {
		return fmt.Errorf("evidence: salt: %w", err)
	}
	sum := o.commit()
	o.Commitment, o.ID = sum[:], hex.EncodeToString(sum[:16])
	o.Tx, o.Height, o.AtMs = nil, 0, 0
	return nil
}

// Check returns why the opening does not open its own commitment, or nil: a wrong
// salt, hash or name gives another commitment. VerificationFailed, or Malformed for
// what is no opening at all.
func (o *Opening) Check() error {
	switch {
	case o.Format != Format:
		return fault.Newf(fault.Malformed, "evidence.json: format %.40q, this program reads %s", o.Format, Format)
	case len(o.Salt) != 32 || len(o.SHA256) != 32 || len(o.SM3) != 32 || len(o.Commitment) != 32:
		return fault.Newf(fault.Malformed, "evidence.json: salt, hashes and commitment have 32 bytes each")
	case utf8.RuneCountInString(o.Metadata.Name) > maxName || utf8.RuneCountInString(o.Metadata.Note) > maxNote ||
		!utf8.ValidString(o.Metadata.Name+o.Metadata.MediaType+o.Metadata.Note+o.Metadata.Modified):
		return fault.Newf(fault.Malformed, "evidence.json: a text of the metadata is too long or no UTF-8")
	}
	if sum := o.commit(); !bytes.Equal(sum[:], o.Commitment) {
		return fault.Newf(fault.VerificationFailed, "the opening gives the commitment %x, it names %x: salt, hashes or metadata were changed", sum, []byte(o.Commitment))
	}
	if id := hex.EncodeToString(o.Commitment[:16]); id != o.ID {
		return fault.Newf(fault.VerificationFailed, "the commitment's id is %s, the opening names %s", id, o.ID)
	}
	return nil
}

// Opens returns why the opening is not that of the object of the ledger, or nil.
func (o *Opening) Opens(e *evidencev1.Evidence) error {
	if !bytes.Equal(e.GetCommitment(), o.Commitment) || e.GetBytes() != o.Metadata.Bytes {
		return fault.Newf(fault.VerificationFailed, "the ledger has the commitment %x of %d bytes, the opening %x of %d", e.GetCommitment(), e.GetBytes(), []byte(o.Commitment), o.Metadata.Bytes)
	}
	return nil
}

// Evidence returns what is signed and goes on the ledger.
func (o *Opening) Evidence() *evidencev1.Evidence {
	p := o.Provenance
	return &evidencev1.Evidence{
		Id: o.ID, Commitment: o.Commitment, Bytes: o.Metadata.Bytes, Supersedes: o.Supersedes,
		Provenance: &evidencev1.Provenance{
			Capture: captures[p.Capture], Gateway: p.Gateway, Software: p.Software, SoftwareHash: p.SoftwareHash, Source: p.Source,
			CapturedMs: p.CapturedMs, ClockSource: p.ClockSource, ClockOffsetMs: p.ClockOffsetMs, ClockErrorMs: p.ClockErrorMs,
		},
	}
}

// fromLedger undoes what Evidence does to a provenance.
func fromLedger(p *evidencev1.Provenance) Provenance {
	out := Provenance{
		Gateway: p.GetGateway(), Software: p.GetSoftware(), SoftwareHash: p.GetSoftwareHash(), Source: p.GetSource(), CapturedMs: p.GetCapturedMs(),
		ClockSource: p.GetClockSource(), ClockOffsetMs: p.GetClockOffsetMs(), ClockErrorMs: p.GetClockErrorMs(),
	}
	for _, name := range []string{"file", "database", "delivery", "made"} {
		if captures[name] == p.GetCapture() {
			out.Capture = name
		}
	}
	return out
}

// captures are the names of the ways in which a file comes to be.
var captures = map[string]evidencev1.Capture{
	"file": evidencev1.Capture_CAPTURE_FILE, "database": evidencev1.Capture_CAPTURE_DATABASE,
	"delivery": evidencev1.Capture_CAPTURE_DELIVERY, "made": evidencev1.Capture_CAPTURE_MADE,
}

// ParseOpening reads an evidence.json and checks that it opens its own commitment.
func ParseOpening(raw []byte) (*Opening, error) {
	if len(raw) > MaxOpening {
		return nil, fault.Newf(fault.TooLong, "evidence.json has more than %d bytes", MaxOpening)
	}
	o := &Opening{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(o); err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "evidence.json")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fault.Newf(fault.Malformed, "evidence.json: something follows the opening")
	}
	return o, o.Check()
}

// marshal writes the opening as a person reads it.
func (o *Opening) marshal() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(o); err != nil {
		return nil, fmt.Errorf("evidence.json: %w", err)
	}
	return b.Bytes(), nil
}
