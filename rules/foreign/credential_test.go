package foreign_test

import (
	"crypto/sha256"
	"strings"
	"testing"

	credentialv1 "mulian/gen/mulian/credential/v1"
	foreignv1 "mulian/gen/mulian/foreign/v1"
	"mulian/internal/fault"
	"mulian/rules/rulestest"
	"mulian/rules/towntest"
)

// TestACredentialOfAnotherChain: it holds there; it is suspended there, and a later proof
// says so; one that was never issued there is proved not to be.
func TestACredentialOfAnotherChain(t *testing.T) {
	p := newPair(t, 4)
	p.follow()
	p.town = towntest.New(t)
	w := p.town
	w.Publish(nil)
	sum := func(s string) []byte { h := sha256.Sum256([]byte(s)); return h[:] }
	kind := &credentialv1.CredentialType{
		Id: w.Provider + ":estate", Version: 1, Name: "不动产权证书", Vct: "https://estate.example/vct/1", SchemaHash: sum("schema"), MaxDays: 365,
		Fields: []*credentialv1.Field{{Name: "cert_no", Title: "证书号", Item: "no", Required: true}}, Issuers: []string{w.Provider}, Entry: w.EntryID,
	}
	w.Must(w.Provider, &credentialv1.PutCredentialType{Type: kind}, &credentialv1.PutIssuer{
		Issuer: &credentialv1.Issuer{Org: w.Provider, Url: "https://estate.example", StatusUrl: "https://chain.example/st", Accounts: []string{w.ProviderGateway}},
	})
	until := w.Now + 30*rulestest.Day
	id := w.Must(w.ProviderGateway, &credentialv1.IssueCredentials{Credentials: []*credentialv1.Credential{{
		Commitment: sum("twins"), Type: kind.Id, Version: 1, Index: 977, Source: sum("row"), ExpiresMs: until,
	}}})[0]
	key := "credential/item/" + id
	holds := func(r *foreignv1.ForeignReference, state credentialv1.CredentialState) bool {
		return r.Open && r.Kind == foreignv1.ReferenceKind_REFERENCE_KIND_CREDENTIAL && r.Org == w.Provider && r.Version == 1 && r.UntilMs == until && r.State == int32(state)
	}
	first := p.prove(p.commit(), key)
	p.Must(p.who, first)
	want(t, p, key, func(r *foreignv1.ForeignReference) bool {
		return holds(r, credentialv1.CredentialState_CREDENTIAL_STATE_VALID)
	})
	w.Must(w.ProviderGateway, &credentialv1.ReportSourceChange{Sources: [][]byte{sum("row")}})
	w.Wait(rulestest.Minute)
	head := p.commit()
	p.Must(p.who, p.prove(head, key))
	want(t, p, key, func(r *foreignv1.ForeignReference) bool {
		return holds(r, credentialv1.CredentialState_CREDENTIAL_STATE_SUSPENDED)
	})
	p.Want(fault.VersionConflict, p.who, first) // what held before is not proved again
	never := p.prove(head, "credential/item/"+strings.Repeat("0", 32))
	p.Must(p.who, never)
	want(t, p, never.Key, func(r *foreignv1.ForeignReference) bool { return r.Absent })
}
