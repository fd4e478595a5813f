package gateway_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/keyring"
	"mulian/client/wallet"
	"mulian/gateway/openid"
	credentialv1 "mulian/gen/mulian/credential/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/pgtest"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
)

const deskSecret = "0123456789abcdef0123456789abcdef"

// issuing makes the door of a pair one that issues credentials of its table to wallets, and
// that looks at no row by itself.
func (p *pair) issuing(t *testing.T) (kind string) {
	t.Helper()
	p.door.stop()
	kind = p.planning.Account + ":firm"
	key, err := p.ring().New(p.town.door, keyring.Issue, sm.P256)
	if err != nil {
		t.Fatal(err)
	}
	p.must(p.planning, &identityv1.AddKey{Account: p.town.door, Key: client.PublicKey(key.Public(), identityv1.KeyLevel_KEY_LEVEL_MACHINE, keyring.Issue)},
		&credentialv1.PutIssuer{Issuer: &credentialv1.Issuer{Org: p.planning.Account, Url: "https://plan.gov.example", StatusUrl: "https://gw.example/st", Accounts: []string{p.town.door}}},
		&credentialv1.PutCredentialType{Type: &credentialv1.CredentialType{
			Id: kind, Version: 1, Name: "企业名录", Vct: "https://plan.gov.example/vct/firm/1", SchemaHash: make([]byte, 32), Issuers: []string{p.planning.Account}, MaxDays: 30, Entry: p.entry,
			Fields: []*credentialv1.Field{{Name: "firm", Title: "名称", Item: "c0", Required: true}, {Name: "place", Title: "地点", Item: "c1"}},
		}})
	token := filepath.Join(t.TempDir(), "desk")
	if err := os.WriteFile(token, []byte(deskSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	p.doorConfig.PollSeconds = 3600
	p.doorConfig.OpenID = &openid.Config{Name: "规划委", DeskTokenFile: token, Offers: []openid.Offered{{ID: "firm", Type: kind}}}
	p.door = p.open(p.doorConfig)
	return kind
}

// offered is an offer that the department's system gets at the desk.
func (p *pair) offered(t *testing.T, subject string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+p.door.Addr()+"/desk/offer", bytes.NewReader([]byte(`{"configurations":["firm"],"subject":`+subject+`}`)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+deskSecret)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var out struct{ Link string }
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil || out.Link == "" {
		t.Fatalf("%d: %v", res.StatusCode, err)
	}
	return out.Link
}

// of returns the ledger's credentials of a type, by state.
func (p *pair) of(t *testing.T, kind string) (out []*credentialv1.Credential) {
	t.Helper()
	err := p.chain.List(t.Context(), "credential/item/", func(_ string, value []byte) bool {
		c := &credentialv1.Credential{}
		if err := proto.Unmarshal(value, c); err != nil {
			t.Fatal(err)
		}
		if c.GetType() == kind {
			out = append(out, c)
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAWalletsCredentialFollowsItsRow: a wallet gets what the real office makes of a row in
// PostgreSQL; the row changes, and the database's own feed brings it to the ledger, though
// nobody looks at rows by the clock. A wallet that lost its credential has it suspended.
func TestAWalletsCredentialFollowsItsRow(t *testing.T) {
	p := newPair(t, pgtest.URL(t, "source"), pgtest.URL(t, "own"), 5)
	kind := p.issuing(t)
	holder, err := sm.FromSeed(sm.P256, [32]byte{31: 9})
	if err != nil {
		t.Fatal(err)
	}
	w := &wallet.Wallet{}
	take := func(subject string) (*wallet.Acceptance, []wallet.Received, error) {
		o, err := w.Offer(t.Context(), p.offered(t, subject))
		if err != nil {
			t.Fatal(err)
		}
		got, a, err := w.Accept(t.Context(), o, "", []sdjwt.Signer{holder})
		return a, got, err
	}
	if _, _, err := take(`{"row":"99"}`); err == nil {
		t.Error("a credential of a row that is not there")
	}
	if _, _, err := take(`{"row":"3","account":"p-0123456789abcdef0123456789abcdef","salt":"00"}`); err == nil {
		t.Error("a credential of a row of which nobody says whose it is")
	}
	_, got, err := take(`{"row":"3"}`)
	if err != nil || len(got) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	token, err := sdjwt.Parse(got[0].Text)
	if err != nil {
		t.Fatal(err)
	}
	if claims, _, err := token.Expand(); err != nil || claims.Text("firm") != "企业 2" {
		t.Fatalf("%v, %v", claims, err)
	}
	db, err := pgx.Connect(t.Context(), p.source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	p.eventually("the feed is followed", func() bool {
		var n int
		err := db.QueryRow(t.Context(), "SELECT count(*) FROM pg_replication_slots WHERE active AND database = current_database()").Scan(&n)
		return err == nil && n > 0
	})
	suspended := func() bool {
		all := p.of(t, kind)
		return len(all) == 1 && all[0].GetState() == credentialv1.CredentialState_CREDENTIAL_STATE_SUSPENDED && all[0].GetCause() == credentialv1.StatusCause_STATUS_CAUSE_SOURCE_CHANGED
	}
	if _, err := db.Exec(t.Context(), "UPDATE firms SET name = '别的' WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := db.Exec(t.Context(), "UPDATE firms SET name = '改名' WHERE id = 3"); err != nil {
		t.Fatal(err)
	}
	p.eventually("the credential is suspended", suspended)
	t.Logf("from the change of the row to the suspension on the ledger: %s", time.Since(began).Round(time.Millisecond))

	a, _, err := take(`{"row":"4"}`)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Tell(t.Context(), a, wallet.Deleted); err != nil {
		t.Fatal(err)
	}
	p.eventually("what a wallet deleted is suspended", func() bool {
		n := 0
		for _, c := range p.of(t, kind) {
			if c.GetState() == credentialv1.CredentialState_CREDENTIAL_STATE_SUSPENDED && c.GetCause() == credentialv1.StatusCause_STATUS_CAUSE_HOLDER_ASKED {
				n++
			}
		}
		return n == 1
	})
}
