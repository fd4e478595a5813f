// Package dcql reads what a verifier asks of a wallet, in the Digital Credentials Query
// Language, and says which of the credentials at hand answer it with which fields.
//
// It shows nothing and checks no signature: it chooses. What a verifier may ask is not its
// affair either (the ledger refuses over-asking).
//
//	query ──Parse──▶ Query ──Choose(held)──▶ Choices ──person agrees──▶ presentations
//	                   └──Missing(answered)──▶ what a verifier did not get
//
// # Invariants
//
//  1. Choose names the fields that the first satisfiable claim set names, and no other: a
//     wallet that follows it shows nothing that was not asked for.
//  2. A query that asks for a value (values) is answered by a credential with that value or
//     not at all; what Choose returns does not tell which value was wrong.
//  3. Members that the specification does not name are ignored; a member of the wrong form
//     refuses the query.
//
// Sources: OpenID for Verifiable Presentations 1.0, sections 6 and 7.
package dcql

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"mulian/internal/sdjwt"
)

// Bounds of a query. Our own choice: a form with 64 fields is longer than any of the city.
const (
	MaxBytes       = 32 << 10
	MaxCredentials = 16
	MaxClaims      = 64 // of one credential
	MaxSets        = 16 // claim sets, credential sets, options of each
	MaxValues      = 32
	MaxPath        = 8
)

// Why a query is refused, or not answered.
var (
	ErrQuery = errors.New("not a query of DCQL")
	ErrNone  = errors.New("no credentials at hand answer the query")
)

// FormatSDJWT is the one format that is chosen from; queries for others find nothing.
const FormatSDJWT = "dc+sd-jwt"

// Query is what is asked: all credentials, or those that Sets combine.
type Query struct {
	Credentials []Credential
	Sets        []Set
}

// Credential asks for one credential, or with Multiple for each that fits.
type Credential struct {
	ID        string
	Format    string
	Multiple  bool
	Types     []string // vct_values; one of them
	Claims    []Claim  // empty: nothing that a holder can hide
	ClaimSets [][]string
	Unbound   bool // require_cryptographic_holder_binding is false
}

// Claim asks for one field.
type Claim struct {
	ID     string
	Path   sdjwt.Path
	Values []any // strings, sdjwt.Number or bool; empty: any
}

// Set asks for the credentials of one of its options.
type Set struct {
	Options  [][]string
	Optional bool
}

var name = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Check refuses a query over its bounds or with names that lead nowhere: ErrQuery.
func (q *Query) Check() error {
	if len(q.Credentials) == 0 || len(q.Credentials) > MaxCredentials || len(q.Sets) > MaxSets {
		return fmt.Errorf("%w: %d credentials and %d sets", ErrQuery, len(q.Credentials), len(q.Sets))
	}
	ids := map[string]bool{}
	for i := range q.Credentials {
		c := &q.Credentials[i]
		if !name.MatchString(c.ID) || ids[c.ID] {
			return fmt.Errorf("%w: credentials[%d].id", ErrQuery, i)
		}
		ids[c.ID] = true
		if err := c.check(); err != nil {
			return fmt.Errorf("%w of credentials[%d]", err, i)
		}
	}
	for i, s := range q.Sets {
		if len(s.Options) == 0 || len(s.Options) > MaxSets {
			return fmt.Errorf("%w: credential_sets[%d] has %d options", ErrQuery, i, len(s.Options))
		}
		for _, o := range s.Options {
			if len(o) == 0 || slices.ContainsFunc(o, func(id string) bool { return !ids[id] }) {
				return fmt.Errorf("%w: an option of credential_sets[%d] names no credential", ErrQuery, i)
			}
		}
	}
	return nil
}

func (c *Credential) check() error {
	if c.Format == "" || len(c.Claims) > MaxClaims || len(c.ClaimSets) > MaxSets || len(c.Types) > MaxValues || len(c.ClaimSets) > 0 && len(c.Claims) == 0 {
		return fmt.Errorf("%w: format, or the number of claims, sets or types", ErrQuery)
	}
	if c.Format == FormatSDJWT && len(c.Types) == 0 {
		return fmt.Errorf("%w: meta.vct_values is missing", ErrQuery)
	}
	ids := map[string]bool{}
	for i, m := range c.Claims {
		switch {
		case m.ID != "" && (!name.MatchString(m.ID) || ids[m.ID]), m.ID == "" && len(c.ClaimSets) > 0:
			return fmt.Errorf("%w: claims[%d].id", ErrQuery, i)
		case len(m.Path) == 0 || len(m.Path) > MaxPath || len(m.Values) > MaxValues:
			return fmt.Errorf("%w: claims[%d].path or values", ErrQuery, i)
		}
		ids[m.ID] = true
	}
	for i, s := range c.ClaimSets {
		if len(s) == 0 || slices.ContainsFunc(s, func(id string) bool { return id == "" || !ids[id] }) {
			return fmt.Errorf("%w: claim_sets[%d] names no claim", ErrQuery, i)
		}
	}
	return nil
}

// Held is a credential at hand: its claims with all that is hidden in place.
type Held struct {
	Format string
	Type   string // vct
	Claims sdjwt.Object
	Bound  bool // it names a holder's key
}

// Choice answers one credential query with one credential.
type Choice struct {
	ID    string // of the credential query
	Held  int    // index of what was given to Choose
	Paths []sdjwt.Path
}

// Choose returns the credentials and fields that answer q: of several that fit the first
// in held, of claim sets and options the first that can be satisfied (the verifier's order
// is its preference, OpenID4VP 6.4). Optional sets are not answered: what need not be shown
// is not shown. ErrNone if a required part has no answer.
func (q *Query) Choose(held []Held) ([]Choice, error) {
	found := map[string][]Choice{}
	for i := range q.Credentials {
		c := &q.Credentials[i]
		for h := range held {
			if paths, ok := c.fits(&held[h]); ok {
				found[c.ID] = append(found[c.ID], Choice{c.ID, h, paths})
				if !c.Multiple {
					break
				}
			}
		}
	}
	wanted, missing := q.wanted(func(id string) bool { return len(found[id]) > 0 })
	if len(missing) > 0 {
		return nil, ErrNone
	}
	var out []Choice
	for i := range q.Credentials {
		if id := q.Credentials[i].ID; slices.Contains(wanted, id) {
			out = append(out, found[id]...)
		}
	}
	return out, nil
}

// Missing returns the ids of credential queries that had to be answered and were not.
func (q *Query) Missing(answered func(id string) bool) []string {
	_, missing := q.wanted(answered)
	return missing
}

// wanted names the credentials that answer the required sets, and those that no answer has.
func (q *Query) wanted(has func(id string) bool) (ids, missing []string) {
	lacks := func(id string) bool { return !has(id) }
	if len(q.Sets) == 0 {
		for i := range q.Credentials {
			ids = append(ids, q.Credentials[i].ID)
		}
		return ids, slices.DeleteFunc(slices.Clone(ids), has)
	}
	for _, s := range q.Sets {
		if s.Optional {
			continue
		}
		i := slices.IndexFunc(s.Options, func(o []string) bool { return !slices.ContainsFunc(o, lacks) })
		if i < 0 {
			missing = append(missing, slices.DeleteFunc(slices.Clone(s.Options[0]), has)...)
			continue
		}
		ids = append(ids, s.Options[i]...)
	}
	return ids, missing
}

// Find returns the credential query of an id, or nil.
func (q *Query) Find(id string) *Credential {
	for i := range q.Credentials {
		if q.Credentials[i].ID == id {
			return &q.Credentials[i]
		}
	}
	return nil
}

// fits returns the fields that h answers c with.
func (c *Credential) fits(h *Held) ([]sdjwt.Path, bool) {
	if c.Format != h.Format || !slices.Contains(c.Types, h.Type) || !c.Unbound && !h.Bound {
		return nil, false
	}
	return c.Answered(h.Claims)
}

// Answered returns the paths of the first claim set that claims answer; a verifier asks it
// of what it was shown.
func (c *Credential) Answered(claims sdjwt.Object) ([]sdjwt.Path, bool) {
	sets := c.ClaimSets
	if len(sets) == 0 {
		all := make([]string, len(c.Claims))
		return c.paths(claims, all, true)
	}
	for _, s := range sets {
		if p, ok := c.paths(claims, s, false); ok {
			return p, true
		}
	}
	return nil, false
}

// paths are those of the claims that a set names, or of all, if claims answer each.
func (c *Credential) paths(claims sdjwt.Object, set []string, all bool) (out []sdjwt.Path, ok bool) {
	for _, m := range c.Claims {
		if !all && !slices.Contains(set, m.ID) {
			continue
		}
		values := m.Path.At(claims)
		if len(values) == 0 || len(m.Values) > 0 && !slices.ContainsFunc(values, func(v any) bool { return slices.ContainsFunc(m.Values, func(w any) bool { return same(v, w) }) }) {
			return nil, false
		}
		out = append(out, m.Path)
	}
	return out, true
}

// same compares two values of JSON of the kinds that can be asked for.
func same(v, w any) bool {
	switch v.(type) {
	case string, bool, sdjwt.Number:
		return v == w
	}
	return false
}
