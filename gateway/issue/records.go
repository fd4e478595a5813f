package issue

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mulian/gateway/connect"
	credentialv1 "mulian/gen/mulian/credential/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
)

// Records is the folder in which a gateway remembers which row each credential rests on: a
// file for each, 0600. Row keys may be personal; the folder stays beside the database.
type Records struct{ Dir string }

// Record is what is remembered of one credential. It has no claim and no signature.
type Record struct {
	ID          string `json:"id"`
	Type        string `json:"type"`
	Version     uint64 `json:"version"`
	RowKey      string `json:"row_key,omitempty"`
	Source      string `json:"source,omitempty"`      // hex, as on the ledger
	Fingerprint string `json:"fingerprint,omitempty"` // hex, of the row as it was signed
	ExpiresMs   int64  `json:"expires_ms,omitempty"`
	Reported    bool   `json:"reported,omitempty"` // the ledger knows that the row changed
	Owned       bool   `json:"owned,omitempty"`    // whose row it is was looked at, and is in the fingerprint
}

func (o *Office) record(p *plan, made *Issued, anchor *credentialv1.Credential, row connect.Row) Record {
	r := Record{ID: made.ID, Type: made.Type, Version: made.Version, ExpiresMs: made.ExpiresMs}
	if p.entry != nil {
		r.Owned = p.order.Owner != nil
		r.RowKey, r.Source, r.Fingerprint = p.order.RowKey, hex.EncodeToString(anchor.GetSource()), hex.EncodeToString(o.fingerprint(row))
	}
	return r
}

func (r Records) add(x Record) error {
	if err := durable.MkdirPrivate(r.Dir); err != nil {
		return fmt.Errorf("records of issued credentials: %w", err)
	}
	raw, err := json.Marshal(x)
	if err != nil {
		return err
	}
	return durable.ReplaceFile(filepath.Join(r.Dir, x.ID+".json"), raw, 0o600)
}

// drop removes a record; one that is left watches a row for nothing.
func (r Records) drop(id string) { _ = os.Remove(filepath.Join(r.Dir, id+".json")) }

// All returns the records, by id.
func (r Records) All() ([]Record, error) {
	files, err := os.ReadDir(r.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("records of issued credentials: %w", err)
	}
	var out []Record
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".json") {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(r.Dir, f.Name()))
		if err != nil {
			return nil, fmt.Errorf("records of issued credentials: %w", err)
		}
		var x Record
		if err := json.Unmarshal(raw, &x); err != nil {
			return nil, fault.Wrap(fault.Damaged, err, "record %s", f.Name())
		}
		out = append(out, x)
	}
	return out, nil
}

// same says that the row of a record is what it was.
func (o *Office) same(ctx context.Context, x Record) (bool, error) {
	r := Order{Type: x.Type, Version: x.Version, RowKey: x.RowKey}
	if x.Owned {
		r.Owner = &Owner{}
	}
	p, err := o.plan(ctx, r)
	if err != nil {
		return false, err
	}
	row, err := p.read(ctx)
	if fault.Is(err, fault.SourceMissing) {
		return false, nil // the row is gone
	}
	return err == nil && hex.EncodeToString(o.fingerprint(row)) == x.Fingerprint, err
}

func (o *Office) report(ctx context.Context, changed []Record) error {
	m := &credentialv1.ReportSourceChange{}
	for _, x := range changed {
		s, err := hex.DecodeString(x.Source)
		if err != nil {
			return fault.Wrap(fault.Damaged, err, "record %s", x.ID)
		}
		m.Sources = append(m.Sources, s)
	}
	slices.SortFunc(m.Sources, bytes.Compare)
	m.Sources = slices.CompactFunc(m.Sources, bytes.Equal)
	if err := o.Send(ctx, m); err != nil {
		return err
	}
	for _, x := range changed { // if we die here it is reported again, which changes nothing
		x.Reported = true
		if err := o.Records.add(x); err != nil {
			return err
		}
		o.settled(x)
	}
	return nil
}
