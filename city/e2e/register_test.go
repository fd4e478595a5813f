package e2e_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"mulian/gateway"
	database "mulian/gateway/connect"
	"mulian/gateway/register"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	mandatev1 "mulian/gen/mulian/mandate/v1"
	"mulian/internal/fault"
	"mulian/internal/passkey/passkeytest"
	"mulian/internal/pgtest"
	"mulian/internal/sm"
)

// firmsOffice is a registry with its register in PostgreSQL, a firm, and who represents it.
type firmsOffice struct {
	*town
	*department
	base      *pgDatabase
	entry     string
	firm, rep *owner
}

// votesFor gives a role by the votes of both founders.
func (w *town) votesFor(role governancev1.Role, account string) {
	w.Helper()
	grant := &governancev1.RoleGrant{Role: role, Account: account}
	id := w.as(w.authority, &governancev1.Propose{Title: "授予角色", Reason: "依职责", Change: &governancev1.Change{Kind: &governancev1.Change_GrantRole{GrantRole: grant}}}).IDs[0]
	p := &governancev1.Proposal{}
	if w.get("governance/proposal/"+id, p) && p.State == governancev1.ProposalState_PROPOSAL_STATE_OPEN {
		w.as(w.staffing, &governancev1.CastVote{Proposal: id, Yes: true})
	}
}

// newFirmsOffice makes it; its gateway looks every second at the representative and the state of
// each row that a mandate rests on.
func newFirmsOffice(t *testing.T) (*firmsOffice, *register.Register) {
	o := &firmsOffice{town: newTown(t, t.TempDir())}
	o.base = openDatabase(t, pgtest.URL(t, "register"))
	o.base.exec(`CREATE TABLE firm (uscc text PRIMARY KEY, name text NOT NULL, rep_id text NOT NULL, state text NOT NULL, phone text)`,
		`INSERT INTO firm VALUES ('91110000MULN00005Y', '试验商贸有限公司', '`+annNumber+`', '存续', '010-1'), ('91110000MULN00006W', '另一家公司', '`+benNumber+`', '存续', '010-2')`)
	o.department = o.town.department(3, "市场监督管理局", sm.SM2)
	o.votesFor(governancev1.Role_ROLE_REGISTRY, o.Account)
	o.entry = o.Account + ":firms"
	watched := []register.Watched{{Entry: o.entry, Items: []string{"rep_id", "state"}}}
	source := gateway.Source{Name: "register", URL: o.base.reader("reader_of_register", "firm")}
	door := o.openAs(o.department, func(c *gateway.Config) { c.Sources, c.Registers, c.PollSeconds = []gateway.Source{source}, watched, 1 })
	tables, err := door.RegisterTables(t.Context())
	o.ok(err)
	e := o.entryOf(o.department, "firms", "企业登记信息", tables[0], nil)
	e.Personal = cataloguev1.Personal_PERSONAL_YES
	o.as(o.Signer, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{e}})
	o.rep = o.town.owner("rep", annNumber)
	o.firm = o.firmOf()

	cfg := &gateway.Config{Home: o.path("gateway", o.Account), Account: o.gateway, Registers: watched}
	at, err := gateway.OpenRegister(cfg, o.chain) // as an officer of the registry opens it
	o.ok(err)
	at.Get = o.chain.Get
	at.Source = func(ctx context.Context, _ string) (database.Source, error) { return database.Open(ctx, source.URL) }
	return o, at
}

// firmOf opens the account of a firm.
func (o *firmsOffice) firmOf() *owner {
	o.Helper()
	f := &owner{w: o.town, account: "f-" + o.rep.account[2:], phone: passkeytest.New(ownersHost, ownersPage, "firm")}
	_, err := f.send(&identityv1.OpenAccount{Kind: identityv1.AccountKind_ACCOUNT_KIND_FIRM, Id: f.account, Keys: []*identityv1.Key{f.phone.Key(identityv1.KeyLevel_KEY_LEVEL_ROOT)}})
	o.ok(err)
	return f
}

// represents signs the mandate of the legal representative, who accepts it.
func (o *firmsOffice) represents(t *testing.T, at *register.Register, key string) string {
	t.Helper()
	row, err := at.Read(t.Context(), o.entry, key)
	o.ok(err)
	o.ok(at.Remember(row))
	id := o.as(o.Signer, &mandatev1.ProposeMandate{
		Principal: o.firm.account, Agent: o.rep.account, Kind: mandatev1.MandateKind_MANDATE_KIND_LEGAL_REP, MaxLevel: identityv1.KeyLevel_KEY_LEVEL_ROOT,
		UntilMs: time.Now().Add(1000 * 24 * time.Hour).UnixMilli(), Basis: &mandatev1.MandateBasis{Entry: o.entry, Record: row.Commitment()},
		Scope: &mandatev1.MandateScope{Everything: true, Acts: []mandatev1.MandateAct{mandatev1.MandateAct_MANDATE_ACT_VIEW, mandatev1.MandateAct_MANDATE_ACT_GRANT}},
	}).IDs[0]
	_, err = o.rep.send(&mandatev1.AnswerMandate{Mandate: id, Accept: true})
	o.ok(err)
	return id
}

// suspended reports whether the mandate is suspended for its register.
func (o *firmsOffice) suspended(id string) bool {
	m := &mandatev1.Mandate{}
	o.get("mandate/mandate/"+id, m)
	return m.State == mandatev1.MandateState_MANDATE_STATE_SUSPENDED && slices.Contains(m.Suspensions, mandatev1.SuspensionKind_SUSPENSION_KIND_SOURCE)
}

// TestRegisterSuspendsItsMandates: a legal representative's mandate rests on a row of the
// registry's PostgreSQL. What is of no concern changes nothing; another representative, or no row,
// suspends it within seconds; a lifted one is watched on.
func TestRegisterSuspendsItsMandates(t *testing.T) {
	o, at := newFirmsOffice(t)
	_, err := at.Read(t.Context(), o.entry, "91110000MULN00009Z")
	o.refused(fault.SourceMissing, err)
	_, err = at.Read(t.Context(), o.Account+":other", "1")
	o.refused(fault.Usage, err)
	const key = "91110000MULN00005Y"
	id := o.represents(t, at, key)

	o.base.exec(`UPDATE firm SET phone = '010-9' WHERE uscc = '`+key+`'`, `UPDATE firm SET rep_id = 'x' WHERE uscc = '91110000MULN00006W'`)
	if looked, done, err := at.Sweep(t.Context()); looked != 1 || len(done) != 0 || err != nil {
		t.Fatalf("%d rows, suspended %v, %v", looked, done, err)
	}
	o.base.exec(`UPDATE firm SET rep_id = '` + benNumber + `' WHERE uscc = '` + key + `'`)
	t.Logf("suspended %s after the row was changed", o.eventually("the mandate is suspended", func() bool { return o.suspended(id) }))
	resume := &mandatev1.ResumeMandate{Mandate: id, Cause: mandatev1.SuspensionKind_SUSPENSION_KIND_SOURCE}
	_, err = o.rep.send(resume)
	o.refused(fault.Forbidden, err)

	// The office has looked: it holds all the same. What the row is now is what counts.
	o.as(o.Signer, resume)
	if _, done, err := at.Sweep(t.Context()); len(done) != 0 || err != nil || o.suspended(id) {
		t.Fatalf("suspended again: %v, %v", done, err)
	}
	o.base.exec(`DELETE FROM firm WHERE uscc = '` + key + `'`)
	t.Logf("suspended %s after the row was deleted", o.eventually("the mandate is suspended", func() bool { return o.suspended(id) }))
	o.as(o.Signer, &mandatev1.RevokeMandate{Mandate: id, Cause: "注销"})
	o.secrecy(t)
}

// secrecy: what the gateway keeps of the rows has the key by which it finds them and no other
// value, and only the gateway's own account can read it.
func (o *firmsOffice) secrecy(t *testing.T) {
	t.Helper()
	dir := o.path("gateway", o.Account, "registers")
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("%d rows are kept: %v", len(files), err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, files[0].Name()))
	o.ok(err)
	for _, secret := range []string{annNumber, benNumber, "试验商贸", "存续"} {
		if bytes.Contains(raw, []byte(secret)) {
			t.Errorf("the kept row has %q", secret)
		}
	}
	if st, err := files[0].Info(); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the kept row has the mode %s: %v", st.Mode(), err)
	}
}
