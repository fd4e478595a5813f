package gateway_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"mulian/client/keyring"
	"mulian/gateway"
	"mulian/gateway/backup"
	"mulian/gateway/issue"
	credentialv1 "mulian/gen/mulian/credential/v1"
	"mulian/internal/sm"
)

// TestARestoredIssuerKnowsItsLicences: what it issued of before is in its records, and the
// same licence has on the ledger the same HMAC, so that the ledger finds it taken.
func TestARestoredIssuerKnowsItsLicences(t *testing.T) {
	dir := t.TempDir()
	cfg := gateway.Config{Account: "11110000MULN00010J/g/main", Home: filepath.Join(dir, "home"), Keys: filepath.Join(dir, "keys")}
	ring := keyring.Ring{Dir: cfg.KeysDir()}
	for label, alg := range map[string]sm.Algorithm{keyring.Issue: sm.P256, keyring.Machine: sm.SM2} {
		if _, err := ring.New(cfg.Account, label, alg); err != nil {
			t.Fatal(err)
		}
	}
	id, licence := issueOne(t, &cfg)

	order := backup.Order{Gateway: cfg.Account, Home: cfg.Home, Keys: cfg.Keys, To: filepath.Join(dir, "copy")}
	if _, _, err := backup.Take(t.Context(), order); err != nil {
		t.Fatal(err)
	}
	again := gateway.Config{Account: cfg.Account, Home: filepath.Join(dir, "again"), Keys: filepath.Join(dir, "keys again")}
	if _, err := backup.Restore(t.Context(), order.To, again.Home, again.Keys); err != nil {
		t.Fatal(err)
	}
	id2, licence2 := issueOne(t, &again)
	if licence2 != licence {
		t.Error("the restored issuer does not recognise its licence")
	}
	all, err := issue.Records{Dir: filepath.Join(again.Home, "issued")}.All()
	if err != nil || len(all) != 2 || id == id2 || all[0].ID != min(id, id2) || all[1].ID != max(id, id2) {
		t.Errorf("records of %s and %s: %+v, %v", id, id2, all, err)
	}
	fresh := gateway.Config{Account: cfg.Account, Home: filepath.Join(dir, "fresh"), Keys: cfg.Keys}
	if _, other := issueOne(t, &fresh); other == licence {
		t.Error("a home without the backup makes the same HMACs: they are not keyed by its secret")
	}
}

// issueOne opens the issuer of a home and issues the one licence of this test, without a row.
func issueOne(t *testing.T, cfg *gateway.Config) (id, licence string) {
	t.Helper()
	if err := os.MkdirAll(cfg.Home, 0o700); err != nil {
		t.Fatal(err)
	}
	o, err := gateway.OpenOffice(cfg)
	if err != nil {
		t.Fatal(err)
	}
	facts := map[string]proto.Message{
		"credential/issuer/" + o.Org: &credentialv1.Issuer{Org: o.Org, Url: "https://estate.gov.example", StatusUrl: "https://gw.example/st", Accounts: []string{cfg.Account}},
		"credential/type/" + o.Org + ":estate/0000000000000001": &credentialv1.CredentialType{
			Id: o.Org + ":estate", Version: 1, Vct: "https://mulian.example/vct/estate/1", MaxDays: 30, LicenceCode: "BDC",
			Fields: []*credentialv1.Field{{Name: "office", Visible: true}},
		},
	}
	o.Get = func(_ context.Context, key string, m proto.Message) (bool, error) {
		v, ok := facts[key]
		if ok {
			proto.Merge(m, v)
		}
		return ok, nil
	}
	o.Send = func(_ context.Context, m ...proto.Message) error {
		licence = string(m[0].(*credentialv1.IssueCredentials).GetCredentials()[0].GetLicence())
		return nil
	}
	made, err := o.Issue(t.Context(), issue.Order{Type: o.Org + ":estate", Version: 1, Serial: "0000000000001", Own: map[string]string{"office": "一厅"}})
	if err != nil {
		t.Fatal(err)
	}
	return made.ID, licence
}
