package evidence

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"mulian/client/prooffile"
	evidencev1 "mulian/gen/mulian/evidence/v1"
	"mulian/internal/fault"
)

// ProofSuffix ends the name of a proof file in an evidence folder.
const ProofSuffix = ".mulian-proof.json"

// ProofFile is the name of the opening's proof file in its folder.
func (o *Opening) ProofFile() string { return o.ID + ProofSuffix }

// Finding is one step of a check that held.
type Finding struct {
	Step string `json:"step"` // opening, file, proof
	Says string `json:"says"`
}

// Check tells offline whether folder and file belong together and are on the ledger
// of that genesis: the opening opens its commitment, the file has its hashes, and the
// proof file shows the commitment. path "" leaves the file out. The findings are
// those that held; the error says which did not: VerificationFailed, or what makes
// a part unreadable.
func Check(ctx context.Context, folder, path string, genesisHash [32]byte) (*Opening, *prooffile.Report, []Finding, error) {
	o, err := ReadOpening(folder)
	if err != nil {
		return nil, nil, nil, err
	}
	held := []Finding{{"opening", "commitment " + hex.EncodeToString(o.Commitment)}}
	if path != "" {
		if err := o.Same(ctx, path); err != nil {
			return o, nil, held, err
		}
		held = append(held, Finding{"file", "SHA-256 " + hex.EncodeToString(o.SHA256)})
	}
	raw, err := readAtMost(filepath.Join(folder, o.ProofFile()), prooffile.MaxFile)
	if fault.Is(err, fault.NotFound) {
		return o, nil, held, fault.Newf(fault.NotFound, "%s has no proof file %s yet: mulian evidence certificate makes it", folder, o.ProofFile())
	}
	if err != nil {
		return o, nil, held, err
	}
	r, err := CheckProof(o, raw, genesisHash)
	if err != nil {
		return o, r, held, err
	}
	return o, r, append(held, Finding{"proof", fmt.Sprintf("anchored in block %d; state of block %d signed by %s of the voting power", o.Height, r.Height+1, r.Power)}), nil
}

// CheckProof verifies a proof file and that it is of the opening's commitment, by the
// opening's account.
func CheckProof(o *Opening, raw []byte, genesisHash [32]byte) (*prooffile.Report, error) {
	r := prooffile.Verify(raw, genesisHash)
	if !r.OK {
		return r, r.Fault()
	}
	e := &evidencev1.Evidence{}
	if r.Object != "evidence/item/"+o.ID || proto.Unmarshal(r.Value, e) != nil {
		return r, fault.Newf(fault.VerificationFailed, "the proof is of %s %s, not of evidence %s", r.Kind, r.Object, o.ID)
	}
	return r, o.agrees(r, e, genesisHash)
}

// agrees compares what the opening says, and its commitment does not cover, with what
// the ledger has.
func (o *Opening) agrees(r *prooffile.Report, e *evidencev1.Evidence, genesisHash [32]byte) error {
	if err := o.Opens(e); err != nil {
		return err
	}
	mine := o.Evidence()
	differ := func(what string, ledger, opening any) error {
		return fault.Newf(fault.VerificationFailed, "%s: the ledger says %v, the opening %v", what, ledger, opening)
	}
	switch {
	case r.Chain != o.Chain || !bytes.Equal(genesisHash[:], o.Genesis):
		return differ("chain", r.Chain, o.Chain)
	case e.GetAccount() != o.Account:
		return differ("account", e.GetAccount(), o.Account)
	case e.GetHeight() != o.Height || e.GetAtMs() != o.AtMs:
		return differ("height and time", []int64{e.GetHeight(), e.GetAtMs()}, []int64{o.Height, o.AtMs})
	case e.GetSupersedes() != o.Supersedes:
		return differ("supersedes", e.GetSupersedes(), o.Supersedes)
	case !proto.Equal(e.GetProvenance(), mine.GetProvenance()):
		return differentProvenance(fromLedger(e.GetProvenance()), o.Provenance)
	}
	if tx, ok := Transaction(r); ok && len(o.Tx) > 0 && !bytes.Equal(tx, o.Tx) {
		return differ("transaction", hex.EncodeToString(tx), hex.EncodeToString(o.Tx))
	}
	return nil
}

// differentProvenance names the first field in which two provenances differ, as
// evidence.json names it.
func differentProvenance(ledger, opening Provenance) error {
	for _, f := range []struct{ name, ledger, opening string }{
		{"capture", ledger.Capture, opening.Capture},
		{"gateway", ledger.Gateway, opening.Gateway},
		{"software", ledger.Software, opening.Software},
		{"software_sha256", hex.EncodeToString(ledger.SoftwareHash), hex.EncodeToString(opening.SoftwareHash)},
		{"source", ledger.Source, opening.Source},
		{"captured_ms", fmt.Sprint(ledger.CapturedMs), fmt.Sprint(opening.CapturedMs)},
		{"clock_source", ledger.ClockSource, opening.ClockSource},
		{"clock_offset_ms", fmt.Sprint(ledger.ClockOffsetMs), fmt.Sprint(opening.ClockOffsetMs)},
		{"clock_error_ms", fmt.Sprint(ledger.ClockErrorMs), fmt.Sprint(opening.ClockErrorMs)},
	} {
		if f.ledger != f.opening {
			return fault.Newf(fault.VerificationFailed, "provenance, %s: the ledger says %q, the opening %q", f.name, f.ledger, f.opening)
		}
	}
	return fault.Newf(fault.VerificationFailed, "provenance: the ledger's has a field that this program does not know")
}

// Transaction returns the transaction that anchored what the report proves, and
// whether the proof has it.
func Transaction(r *prooffile.Report) (Hex, bool) {
	var said struct {
		Acts []struct {
			Verb        string `json:"verb"`
			Transaction Hex    `json:"transaction"`
		} `json:"acts"`
	}
	if json.Unmarshal(r.Statement, &said) != nil {
		return nil, false
	}
	for _, a := range said.Acts {
		if a.Verb == "evidence/anchor" && len(a.Transaction) == 32 {
			return a.Transaction, true
		}
	}
	return nil, false
}
