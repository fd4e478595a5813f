package credential_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	credentialv1 "mulian/gen/mulian/credential/v1"
	"mulian/internal/fault"
	"mulian/rules/credential"
	"mulian/rules/rulestest"
	"mulian/rules/towntest"
)

const (
	valid      = credentialv1.CredentialState_CREDENTIAL_STATE_VALID
	suspended  = credentialv1.CredentialState_CREDENTIAL_STATE_SUSPENDED
	revoked    = credentialv1.CredentialState_CREDENTIAL_STATE_REVOKED
	superseded = credentialv1.CredentialState_CREDENTIAL_STATE_SUPERSEDED

	asked   = credentialv1.StatusCause_STATUS_CAUSE_HOLDER_ASKED
	changed = credentialv1.StatusCause_STATUS_CAUSE_SOURCE_CHANGED
	settled = credentialv1.StatusCause_STATUS_CAUSE_SETTLED
)

// town is a town whose provider issues certificates of its entry.
type town struct {
	*towntest.Town
	typeID string
}

func newTown(t testing.TB) *town {
	w := &town{Town: towntest.New(t)}
	w.typeID = w.Provider + ":estate"
	w.Publish(nil)
	return w
}

// ready is a town with type and issuer.
func ready(t testing.TB) *town {
	w := newTown(t)
	w.Must(w.Provider, &credentialv1.PutCredentialType{Type: w.kind(1)}, w.issuer())
	return w
}

func (w *town) kind(version uint64) *credentialv1.CredentialType {
	return &credentialv1.CredentialType{
		Id: w.typeID, Version: version, Name: "不动产权证书", Vct: fmt.Sprintf("https://mulian.example/vct/estate/%d", version), SchemaHash: hash("schema"),
		Fields: []*credentialv1.Field{
			{Name: "cert_no", Title: "证书号", Item: "no", Required: true},
			{Name: "owner", Title: "权利人", Item: "owner", Required: true},
			{Name: "kind", Title: "类别", Visible: true},
		},
		Issuers: []string{w.Provider}, MaxDays: 365, Entry: w.EntryID, LicenceCode: "BDC",
	}
}

func (w *town) issuer() *credentialv1.PutIssuer {
	return &credentialv1.PutIssuer{Issuer: &credentialv1.Issuer{Org: w.Provider, Url: "https://estate.gov.example", StatusUrl: "https://chain.gov.example/st", Accounts: []string{w.ProviderGateway}}}
}

func hash(s string) []byte { h := sha256.Sum256([]byte(s)); return h[:] }

// one returns the n-th credential to be issued: its licence and row are its own.
func (w *town) one(n int) *credentialv1.Credential {
	return &credentialv1.Credential{
		Commitment: hash(fmt.Sprint("commitment", n)), Type: w.typeID, Version: 1, Index: uint64(n * 977 % credential.ListEntries),
		Licence: hash(fmt.Sprint("licence", n)), Source: hash(fmt.Sprint("row", n)), ExpiresMs: w.Now + 30*rulestest.Day,
	}
}

func (w *town) issue(cs ...*credentialv1.Credential) *credentialv1.IssueCredentials {
	return &credentialv1.IssueCredentials{Credentials: cs}
}

func (w *town) set(id string, state credentialv1.CredentialState, cause credentialv1.StatusCause) *credentialv1.SetCredentialStatus {
	return &credentialv1.SetCredentialStatus{Changes: []*credentialv1.StatusChange{{Id: id, State: state, Cause: cause}}}
}

func (w *town) state(id string) credentialv1.CredentialState {
	w.TB.Helper()
	if err := credential.Check(w.View(), w.Provider); err != nil {
		w.TB.Fatal(err)
	}
	c, _ := credential.Find(w.View(), id)
	return c.GetState()
}

// TestLife: issued, suspended, resumed, revoked; and what each state lets happen.
func TestLife(t *testing.T) {
	w := ready(t)
	id := w.Must(w.ProviderGateway, w.issue(w.one(1)))[0]
	w.WantEvent("credential/issue", "", credential.Key(id))
	w.Want(fault.SuspendReasonRequired, w.ProviderGateway, w.set(id, suspended, 0))
	w.Want(fault.RevokeNotEntitled, w.Consumer, w.set(id, revoked, asked))
	w.Want(fault.Forbidden, w.ProviderGateway, w.set(id, revoked, asked)) // a gateway suspends, an officer revokes
	w.Must(w.ProviderGateway, w.set(id, suspended, asked))
	w.WantEvent("credential/suspend", "", credential.Key(id))
	if got := w.state(id); got != suspended {
		t.Fatal(got)
	}
	w.Must(w.Provider, w.set(id, suspended, asked)) // said twice
	w.WantSilence()
	w.Want(fault.Forbidden, w.ProviderGateway, w.set(id, valid, settled))
	w.Must(w.Provider, w.set(id, valid, settled))
	w.Must(w.Provider, w.set(id, revoked, asked))
	w.Want(fault.IllegalTransition, w.Provider, w.set(id, valid, settled))
	w.Want(fault.IllegalTransition, w.ProviderGateway, w.set(id, suspended, asked))
	w.Want(fault.OutOfRange, w.Provider, w.set(id, superseded, asked))
	if got := w.state(id); got != revoked {
		t.Fatal(got)
	}
	again := w.one(2)
	again.Licence = hash("licence1") // the revoked one stands in nobody's way
	second := w.Must(w.ProviderGateway, w.issue(again))[0]
	w.Wait(31 * rulestest.Day)
	w.Want(fault.IllegalTransition, w.Provider, w.set(second, revoked, asked)) // it has run out
	if c, _ := credential.Find(w.View(), second); credential.Holds(c, w.Now) {
		t.Error("it holds after its end")
	}
}

// TestASourceThatChangedSuspendsInItsBlock, and a day later everybody knows that nobody
// settled it.
func TestASourceThatChangedSuspendsInItsBlock(t *testing.T) {
	w := ready(t)
	ids := w.Must(w.ProviderGateway, w.issue(w.one(1), w.one(2), w.one(3)))
	sources := [][]byte{hash("row1"), hash("row3"), hash("a row without credential")}
	slices.SortFunc(sources, slices.Compare)
	report := &credentialv1.ReportSourceChange{Sources: sources, Note: "变更登记"}
	w.Want(fault.Forbidden, w.Provider, report)
	w.Must(w.ConsumerGateway, report) // its own rows: none
	w.WantSilence()
	w.Must(w.ProviderGateway, report)
	for i, want := range []credentialv1.CredentialState{suspended, valid, suspended} {
		if got := w.state(ids[i]); got != want {
			t.Errorf("credential %d is %s, want %s", i+1, got, want)
		}
	}
	w.Must(w.ProviderGateway, report)
	w.WantSilence()
	again := w.one(4)
	again.Licence, again.Source = hash("licence1"), hash("row1")
	w.Want(fault.DuplicateActive, w.ProviderGateway, w.issue(again))
	again.Supersedes = ids[0]
	next := w.Must(w.ProviderGateway, w.issue(again))[0]
	if got := w.state(ids[0]); got != superseded {
		t.Errorf("the old one is %s", got)
	}
	if c, _ := credential.Find(w.View(), ids[0]); c.SupersededBy != next {
		t.Errorf("superseded by %q", c.SupersededBy)
	}
	w.Wait(rulestest.Day)
	w.WantEvent("credential/overdue", "", credential.Key(ids[2]))
	for _, ev := range w.Events() {
		if ev.Verb == "credential/overdue" && ev.Objects[0] == credential.Key(ids[0]) {
			t.Error("the one that was issued anew is overdue")
		}
	}
}

// TestADriftedSourceIsNotIssuedFrom: catalogue and table differ.
func TestADriftedSourceIsNotIssuedFrom(t *testing.T) {
	w := ready(t)
	id := w.Must(w.ProviderGateway, w.issue(w.one(1)))[0]
	w.Must(w.ProviderGateway, w.Drift("column_dropped", cataloguev1.DriftClass_DRIFT_CLASS_BREAKING, "owner", "cert_no", "area", "issued"))
	w.Want(fault.EntryDrifted, w.ProviderGateway, w.issue(w.one(2)))
	if got := w.state(id); got != valid {
		t.Errorf("a change of the table's form is no change of the row: %s", got)
	}
}

// TestTheSameAgainIsNoFault: a gateway that got no answer sends it again.
func TestTheSameAgainIsNoFault(t *testing.T) {
	w := ready(t)
	m := w.issue(w.one(1))
	w.Must(w.ProviderGateway, m)
	w.Must(w.ProviderGateway, m)
	w.WantSilence()
	other := w.one(1)
	other.Index++
	w.Want(fault.AlreadyExists, w.ProviderGateway, w.issue(other))
	taken := w.one(2)
	taken.Index = w.one(1).Index
	w.Want(fault.AlreadyExists, w.ProviderGateway, w.issue(taken))
}

// TestIssueInOrder walks the checks in the order that the verb's comment promises.
func TestIssueInOrder(t *testing.T) {
	prepare := func(t *testing.T) *rulestest.Try[*credentialv1.IssueCredentials] {
		w := ready(t)
		return &rulestest.Try[*credentialv1.IssueCredentials]{World: w.World, Account: w.ProviderGateway, Message: w.issue(w.one(1))}
	}
	type try = rulestest.Try[*credentialv1.IssueCredentials]
	first := func(x *try) *credentialv1.Credential {
		if len(x.Message.Credentials) == 0 {
			return &credentialv1.Credential{}
		}
		return x.Message.Credentials[0]
	}
	rulestest.Order(t, prepare, []rulestest.Breach[*credentialv1.IssueCredentials]{
		{"a person", fault.Forbidden, func(x *try) { x.Account = x.Person(1) }},
		{"no issuer", fault.IssuerNotAuthorised, func(x *try) { x.Account = x.Gateway(x.Org("别的机构"), "main") }},
		{"nothing", fault.Empty, func(x *try) { x.Message.Credentials = nil }},
		{"no commitment", fault.Missing, func(x *try) { first(x).Commitment = nil }},
		{"short licence", fault.Malformed, func(x *try) { first(x).Licence = []byte{1} }},
		{"state set", fault.Malformed, func(x *try) { first(x).State = valid }},
		{"no such version", fault.SchemaUnknownVersion, func(x *try) { first(x).Version = 2 }},
		{"past", fault.OutOfRange, func(x *try) { first(x).ExpiresMs = 1 }},
		{"supersedes nothing", fault.NotFound, func(x *try) { first(x).Supersedes = "00" }},
		{"index beyond", fault.OutOfRange, func(x *try) { first(x).Index = credential.ListEntries }},
	})
}

// TestATypeIsIssuedByWhomItNames: another organisation that the ledger knows as an issuer, of
// its own types, issues no credential of this one.
func TestATypeIsIssuedByWhomItNames(t *testing.T) {
	w := ready(t)
	w.Must(w.Consumer, &credentialv1.PutIssuer{Issuer: &credentialv1.Issuer{
		Org: w.Consumer, Url: "https://fund.gov.example", StatusUrl: "https://chain.gov.example/st", Accounts: []string{w.ConsumerGateway},
	}})
	w.Want(fault.IssuerNotAuthorised, w.ConsumerGateway, w.issue(w.one(1)))
	w.Must(w.ProviderGateway, w.issue(w.one(1)))
}

// TestTypesGrowVersionByVersion and say who issues them.
func TestTypesGrowVersionByVersion(t *testing.T) {
	w := newTown(t)
	put := func(edit func(*credentialv1.CredentialType)) *credentialv1.PutCredentialType {
		k := w.kind(1)
		edit(k)
		return &credentialv1.PutCredentialType{Type: k}
	}
	for _, tt := range []struct {
		want fault.Code
		edit func(*credentialv1.CredentialType)
	}{
		{fault.Malformed, func(k *credentialv1.CredentialType) { k.Id = "x" }},
		{fault.Forbidden, func(k *credentialv1.CredentialType) { k.Id = w.Consumer + ":estate" }},
		{fault.VersionConflict, func(k *credentialv1.CredentialType) { k.Version = 2 }},
		{fault.Malformed, func(k *credentialv1.CredentialType) { k.Retired = true }},
		{fault.Missing, func(k *credentialv1.CredentialType) { k.Name = "" }},
		{fault.Malformed, func(k *credentialv1.CredentialType) { k.Vct = "http://mulian.example/vct" }},
		{fault.Malformed, func(k *credentialv1.CredentialType) { k.Vct = "https://mulian.example/vct?x" }},
		{fault.Missing, func(k *credentialv1.CredentialType) { k.SchemaHash = nil }},
		{fault.Empty, func(k *credentialv1.CredentialType) { k.Fields = nil }},
		{fault.Empty, func(k *credentialv1.CredentialType) { k.Issuers = nil }},
		{fault.NotFound, func(k *credentialv1.CredentialType) { k.Issuers = []string{"nobody"} }},
		{fault.OutOfRange, func(k *credentialv1.CredentialType) { k.MaxDays = 40_000 }},
		{fault.Malformed, func(k *credentialv1.CredentialType) { k.LicenceCode = "bdc" }},
		{fault.NotFound, func(k *credentialv1.CredentialType) { k.Entry = "nothing" }},
		{fault.Malformed, func(k *credentialv1.CredentialType) { k.Fields[0].Name = "exp" }},
		{fault.Malformed, func(k *credentialv1.CredentialType) { k.Fields[0].Name = "_sd" }},
		{fault.Duplicate, func(k *credentialv1.CredentialType) { k.Fields[1].Name = "cert_no" }},
		{fault.NotFound, func(k *credentialv1.CredentialType) { k.Fields[0].Item = "x" }},
		{fault.CodeInconsistent, func(k *credentialv1.CredentialType) { k.Fields[1].Visible = true }},
	} {
		w.Want(tt.want, w.Provider, put(tt.edit))
	}
	w.Must(w.Provider, put(func(*credentialv1.CredentialType) {}), w.issuer())
	w.Want(fault.VersionConflict, w.Provider, put(func(*credentialv1.CredentialType) {}))
	w.Must(w.Provider, &credentialv1.PutCredentialType{Type: w.kind(2), Retire: true})
	w.Want(fault.SchemaUnknownVersion, w.ProviderGateway, w.issue(w.one(1)))
	w.Want(fault.SchemaUnknownVersion, w.Provider, &credentialv1.RetireCredentialType{Id: w.typeID, Version: 3})
	w.Must(w.Provider, &credentialv1.RetireCredentialType{Id: w.typeID, Version: 2})
	w.Want(fault.Forbidden, w.Consumer, &credentialv1.RetireCredentialType{Id: w.typeID, Version: 2})
	if k, ok := credential.FindType(w.View(), w.typeID, 0); !ok || k.Version != 2 || !k.Retired {
		t.Errorf("newest: %v", k)
	}
}

// TestAnIssuerNamesItsOwnGateways and nothing that a verifier could not ask.
func TestAnIssuerNamesItsOwnGateways(t *testing.T) {
	w := newTown(t)
	for _, tt := range []struct {
		want fault.Code
		edit func(*credentialv1.Issuer)
	}{
		{fault.Forbidden, func(i *credentialv1.Issuer) { i.Org = w.Consumer }},
		{fault.Missing, func(i *credentialv1.Issuer) { i.Url = "" }},
		{fault.Malformed, func(i *credentialv1.Issuer) { i.StatusUrl = "ftp://x" }},
		{fault.Empty, func(i *credentialv1.Issuer) { i.Accounts = nil }},
		{fault.NotFound, func(i *credentialv1.Issuer) { i.Accounts = []string{w.Provider} }},
		{fault.Forbidden, func(i *credentialv1.Issuer) { i.Accounts = []string{w.ConsumerGateway} }},
		{fault.Duplicate, func(i *credentialv1.Issuer) { i.Accounts = []string{w.ProviderGateway, w.ProviderGateway} }},
	} {
		m := w.issuer()
		tt.edit(m.Issuer)
		w.Want(tt.want, w.Provider, m)
	}
}
