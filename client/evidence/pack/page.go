package pack

import (
	_ "embed" // the page
	"encoding/json"
	"fmt"
	"strings"

	"mulian/client/evidence"
	"mulian/console/verify"
)

//go:embed page.html
var pageForm string

//go:embed page.mjs
var pageScript string

// pageParts is what the page checks.
type pageParts struct {
	Opening      json.RawMessage `json:"opening"`
	Proof        string          `json:"proof"`
	Operator     string          `json:"operator"`
	Organisation string          `json:"organisation,omitempty"`
	Validators   []Validator     `json:"validators"` // their names; who of them signed, the proof says
	Genesis      evidence.Hex    `json:"genesis"`
}

// page sets verify.html: the second verifier, what it checks, and where it shows it. It
// loads nothing and sends nothing.
func (p *Pack) page() ([]byte, error) {
	parts := pageParts{Opening: p.Opening, Proof: string(p.Proof), Operator: string(p.Operator), Organisation: string(p.Organisation), Genesis: p.opening.Genesis}
	for _, g := range p.genesis.GetValidators() {
		parts.Validators = append(parts.Validators, Validator{Organisation: g.GetOrg(), Name: g.GetName(), PublicKey: g.GetPublicKey(), Power: int64(g.GetPower())})
	}
	raw, err := json.Marshal(parts) // it escapes <, so that no name ends the script
	if err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	return []byte(strings.NewReplacer("{{id}}", p.opening.ID, "{{parts}}", string(raw), "{{verifier}}", verify.Source, "{{page}}", pageScript).Replace(pageForm)), nil
}
