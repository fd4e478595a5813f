package issue

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/gateway/connect"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	credentialv1 "mulian/gen/mulian/credential/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/rowkey"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
	"mulian/internal/statuslist"
)

// The story with a real ledger and a real gateway is cmd/mulian/testdata/script/credential.txtar.
// Here stand the moments that a story cannot bring about.

// facts is what the ledger would answer: encoded objects by key.
type facts map[string]proto.Message

func (f facts) get(_ context.Context, key string, m proto.Message) (bool, error) {
	v, ok := f[key]
	if ok {
		proto.Merge(m, v)
	}
	return ok, nil
}

// rows is a database of one row, which the test changes between two readings.
type rows struct {
	connect.Source
	read func(n int) []connect.Row
	n    int
}

func (r *rows) Query(context.Context, connect.Selection) ([]connect.Row, error) {
	r.n++
	return r.read(r.n), nil
}

const org = "11110000000021928Y"

func office(t *testing.T, db *rows) (*Office, facts, *[]proto.Message) {
	t.Helper()
	key := func(alg sm.Algorithm, n byte) sm.PrivateKey {
		k, err := sm.FromSeed(alg, [32]byte{31: n})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	outward, inward := key(sm.P256, 1), key(sm.SM2, 2)
	public := func(k sm.PrivateKey) *identityv1.Key {
		return &identityv1.Key{Id: k.Public().ID(), Algorithm: identityv1.KeyAlgorithm(k.Algorithm()), PublicKey: k.Public().Bytes(), Level: identityv1.KeyLevel_KEY_LEVEL_MACHINE, State: identityv1.KeyState_KEY_STATE_ACTIVE}
	}
	f := facts{
		"credential/issuer/" + org:            &credentialv1.Issuer{Org: org, Url: "https://estate.gov.example", StatusUrl: "https://gw.example/st", Accounts: []string{org + "/g/main"}},
		"identity/account/" + org + "/g/main": &identityv1.Account{Keys: []*identityv1.Key{public(outward), public(inward)}},
		"credential/type/" + org + ":estate/0000000000000001": &credentialv1.CredentialType{
			Id: org + ":estate", Version: 1, Vct: "https://mulian.example/vct/estate/1", Entry: org + ":e", MaxDays: 30,
			Fields: []*credentialv1.Field{{Name: "owner", Item: "owner", Required: true}, {Name: "area", Item: "area"}, {Name: "office", Visible: true}},
		},
		"catalogue/entry/" + org + ":e": &cataloguev1.Entry{Id: org + ":e", Version: 3, Table: "t", Items: []*cataloguev1.Item{
			{Code: "no", Column: "no", PrimaryKey: true}, {Code: "owner", Column: "owner"}, {Code: "area", Column: "area"},
		}},
		"catalogue/table/t": &cataloguev1.Table{Id: "t", Source: "estate", Name: "certificate"},
	}
	var sent []proto.Message
	return &Office{
		Org: org, Outward: outward, Inward: inward, Secret: make([]byte, 32), Records: Records{Dir: t.TempDir() + "/issued"}, Get: f.get,
		Send:   func(_ context.Context, m ...proto.Message) error { sent = append(sent, m...); return nil },
		Source: func(context.Context, string) (connect.Source, error) { return db, nil },
		Now:    func() time.Time { return time.Unix(1790000000, 0) },
	}, f, &sent
}

func row(owner string) []connect.Row {
	return []connect.Row{{connect.TextValue(owner), connect.IntegerValue(88)}}
}

var order = Order{Type: org + ":estate", Version: 1, RowKey: "京0001", Own: map[string]string{"office": "一厅"}}

func TestARowThatChangesUnderTheHandIsNotIssued(t *testing.T) {
	o, _, sent := office(t, &rows{read: func(n int) []connect.Row { return row([]string{"", "甲", "乙"}[n]) }})
	if _, err := o.Issue(t.Context(), order); !fault.Is(err, fault.SourceChangedDuringIssue) || len(*sent) != 0 {
		t.Errorf("%v, %d messages sent", err, len(*sent))
	}
	o, _, _ = office(t, &rows{read: func(int) []connect.Row { return nil }})
	if _, err := o.Issue(t.Context(), order); !fault.Is(err, fault.SourceMissing) {
		t.Errorf("a row that is not there: %v", err)
	}
	o, _, _ = office(t, &rows{read: func(int) []connect.Row { return []connect.Row{{connect.Value{}, connect.IntegerValue(1)}} }})
	if _, err := o.Issue(t.Context(), order); !fault.Is(err, fault.Missing) {
		t.Errorf("a required field without a value: %v", err)
	}
}

// TestAnIndexThatWasTakenIsDrawnAgain: another gateway was faster.
func TestAnIndexThatWasTakenIsDrawnAgain(t *testing.T) {
	o, _, _ := office(t, &rows{read: func(int) []connect.Row { return row("甲") }})
	var indexes []uint64
	o.Send = func(_ context.Context, m ...proto.Message) error {
		indexes = append(indexes, m[0].(*credentialv1.IssueCredentials).Credentials[0].Index)
		if len(indexes) < 3 {
			return fault.Newf(fault.AlreadyExists, "taken")
		}
		return nil
	}
	made, err := o.Issue(t.Context(), order)
	if err != nil || made.Index != indexes[2] || indexes[0] == indexes[1] && indexes[1] == indexes[2] {
		t.Fatalf("%v: %v", err, indexes)
	}
	if all, err := o.Records.All(); err != nil || len(all) != 1 || all[0].ID != made.ID {
		t.Errorf("records: %v, %v", all, err)
	}
}

// TestALostAnswerIsRemembered: whether the ledger has it is not known, so its row is watched.
func TestALostAnswerIsRemembered(t *testing.T) {
	owner := "甲"
	o, _, _ := office(t, &rows{read: func(int) []connect.Row { return row(owner) }})
	lost := errors.New("no answer")
	o.Send = func(context.Context, ...proto.Message) error { return lost }
	if _, err := o.Issue(t.Context(), order); !errors.Is(err, lost) {
		t.Fatal(err)
	}
	var reports []*credentialv1.ReportSourceChange
	o.Send = func(_ context.Context, m ...proto.Message) error {
		reports = append(reports, m[0].(*credentialv1.ReportSourceChange))
		return nil
	}
	sweep := func(want int) {
		t.Helper()
		looked, reported, err := o.Sweep(t.Context())
		if err != nil || len(reported) != want {
			t.Fatalf("looked at %d, reported %v: %v", looked, reported, err)
		}
	}
	sweep(0)
	owner = "乙"
	sweep(1)
	sweep(0) // once is enough
	if len(reports) != 1 || len(reports[0].Sources) != 1 || bytes.Contains(reports[0].Sources[0], []byte("京0001")) {
		t.Errorf("%v", reports)
	}
}

// TestWhatTheDeskSaysVerifies: the list as a foreign verifier fetches it, and the status as
// ours reads it.
func TestWhatTheDeskSaysVerifies(t *testing.T) {
	o, f, sent := office(t, &rows{read: func(int) []connect.Row { return row("甲") }})
	made, err := o.Issue(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	anchor := (*sent)[0].(*credentialv1.IssueCredentials).Credentials[0]
	page := &credentialv1.StatusPage{Statuses: make([]byte, PageEntries/4), Taken: make([]byte, PageEntries/8)}
	at := anchor.Index % PageEntries
	issuer, keys, err := Keys(t.Context(), f.get, org)
	if err != nil {
		t.Fatal(err)
	}
	p := sdjwt.Policy{
		Now: o.now(), Keys: Trust(issuer, keys),
		Status: func(ctx context.Context, s sdjwt.StatusAt) (sdjwt.Status, error) {
			return StatusOf(ctx, f.get, issuer, s)
		},
	}
	verify := func(want sdjwt.Reason) {
		t.Helper()
		for _, text := range []string{made.Outward, made.Inward} {
			_, err := sdjwt.Verify(t.Context(), text, p)
			if r, _ := errors.AsType[*sdjwt.Refusal](err); (r == nil) != (want == "") || r != nil && r.Reason != want {
				t.Errorf("%v, want %q", err, want)
			}
		}
	}
	verify(sdjwt.StatusUnreachable) // signed, but never anchored
	page.Taken[at/8] |= 1 << (at % 8)
	f["credential/list/"+org+"/0000000000000000"] = &credentialv1.StatusList{Issuer: org, Taken: 1}
	pageKey := "credential/page/" + org + "/0000000000000000/00000000000000" + string("0123456789abcdef"[anchor.Index/PageEntries>>4]) + string("0123456789abcdef"[anchor.Index/PageEntries&15])
	f[pageKey] = page
	verify("")
	page.Statuses[at/4] |= 2 << (at % 4 * 2)
	verify(sdjwt.StatusSuspended)

	desk := &Desk{Org: org, Key: o.Outward, Get: f.get, Now: o.Now}
	ask := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		desk.Handler("/st/").ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	w := ask("/st/" + org + "/0")
	list, _, err := statuslist.Verify(w.Body.String(), "https://gw.example/st/"+org+"/0", func(kid string) (sm.PublicKey, error) {
		return p.Keys(sdjwt.Signature{Issuer: issuer.Url, KeyID: kid, Algorithm: sdjwt.ES256})
	}, o.now())
	if err != nil || w.Header().Get("Content-Type") != "application/statuslist+jwt" || w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Fatalf("%v, %v", err, w.Header())
	}
	if s, _ := list.At(int64(anchor.Index)); s != 2 {
		t.Errorf("status %d in the list", s)
	}
	if w := ask("/.well-known/jwt-vc-issuer"); !strings.Contains(w.Body.String(), `"issuer":"https://estate.gov.example"`) || strings.Count(w.Body.String(), `"kid"`) != 1 {
		t.Errorf("keys: %s", w.Body)
	}
	for _, path := range []string{"/st/" + org + "/1", "/st/other/0", "/st/" + org + "/x", "/st/" + org + "/99999999"} {
		if w := ask(path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// TestAKeyThatWasRevokedSignsNothingNew.
func TestAKeyThatWasRevokedSignsNothingNew(t *testing.T) {
	_, f, _ := office(t, nil)
	issuer, keys, err := Keys(t.Context(), f.get, org)
	if err != nil || len(keys) != 2 {
		t.Fatal(err, len(keys))
	}
	keys[0].RevokedMs = 1000_000
	trust := Trust(issuer, keys)
	s := sdjwt.Signature{Issuer: issuer.Url, KeyID: keys[0].Public.ID(), Algorithm: sdjwt.ES256, IssuedAt: 999}
	if _, err := trust(s); err != nil {
		t.Errorf("signed before: %v", err)
	}
	s.IssuedAt = 1000
	if _, err := trust(s); !fault.Is(err, fault.KeyRevoked) {
		t.Errorf("signed after: %v", err)
	}
	s.Issuer = "https://other.example"
	if _, err := trust(s); !fault.Is(err, fault.IssuerNotAuthorised) {
		t.Errorf("another issuer: %v", err)
	}
}

// TestARowOfSomebodyElse: the owner item of the row has to be the number that was proofed for
// the account, and a row that changes hands afterwards is noticed though no field shows it.
func TestARowOfSomebodyElse(t *testing.T) {
	number := "SYN-7"
	o, f, sent := office(t, &rows{read: func(int) []connect.Row {
		return []connect.Row{{connect.TextValue("甲"), connect.IntegerValue(88), connect.TextValue(number)}}
	}})
	entry := f["catalogue/entry/"+org+":e"].(*cataloguev1.Entry)
	salt := bytes.Repeat([]byte{7}, 32)
	sum := rowkey.Proofing(salt, "SYN-7")
	const account = "p-0123456789abcdef0123456789abcdef"
	proofing := &identityv1.Proofing{State: identityv1.ProofingState_PROOFING_STATE_VALID, Commitment: sum[:], ExpiresMs: o.now().Add(time.Hour).UnixMilli()}
	f["identity/proofing/"+account] = proofing
	his := order
	his.Owner = &Owner{Account: account, Salt: salt}
	refused := func(what string) {
		t.Helper()
		if _, err := o.Issue(t.Context(), his); !fault.Is(err, fault.SubjectMismatch) || len(*sent) != 0 {
			t.Errorf("%s: %v, %d messages", what, err, len(*sent))
		}
	}
	refused("an entry that does not say whose a row is")
	entry.OwnerItem = "id_no"
	entry.Items = append(entry.Items, &cataloguev1.Item{Code: "id_no", Column: "id_no"})
	number = "SYN-8"
	refused("another's row")
	number = "SYN-7"
	his.Owner.Salt = bytes.Repeat([]byte{8}, 32)
	refused("another salt")
	his.Owner.Salt = salt
	proofing.State = identityv1.ProofingState_PROOFING_STATE_REVOKED
	refused("a proofing that was revoked")
	proofing.State = identityv1.ProofingState_PROOFING_STATE_VALID
	proofing.ExpiresMs = o.now().UnixMilli()
	refused("a proofing that has ended")
	proofing.ExpiresMs += 1000
	his.Owner.Account = "p-1"
	refused("an account that nobody has identified")
	his.Owner.Account = account
	made, err := o.Issue(t.Context(), his)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := sdjwt.Parse(made.Outward); err != nil || strings.Contains(made.Outward, number) {
		t.Errorf("%v, %v", v, err)
	} else if claims, _, err := v.Expand(); err != nil || claims.Text("owner") != "甲" {
		t.Errorf("%v, %v", claims, err)
	}
	number = "SYN-8"
	if looked, reported, err := o.Sweep(t.Context()); err != nil || looked != 1 || len(reported) != 1 {
		t.Errorf("%d, %v, %v", looked, reported, err)
	}
}

// TestAFeedSaysWhichRow: only what rests on a touched row is looked at, at once; a feed that
// begins has all looked at, and one of another table nothing.
func TestAFeedSaysWhichRow(t *testing.T) {
	owner := map[string]string{"京0001": "甲", "京0002": "甲"}
	asked := map[string]int{}
	db := &rows{}
	o, _, sent := office(t, db)
	o.Source = func(context.Context, string) (connect.Source, error) { return &keyed{owner: owner, asked: asked}, nil }
	for _, key := range []string{"京0001", "京0002"} {
		one := order
		one.RowKey = key
		if _, err := o.Issue(t.Context(), one); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := o.rest(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := o.Tables("estate"); len(got) != 1 || got[0].Name != "certificate" || len(o.Tables("other")) != 0 {
		t.Errorf("watched: %v", got)
	}
	clear(asked)
	*sent = nil
	touch := func(table string, op connect.RowOp, keys ...string) []Record {
		var changes []connect.RowChange
		for _, k := range keys {
			changes = append(changes, connect.RowChange{Table: connect.TableName{Name: table}, Op: op, Key: connect.Row{connect.TextValue(k)}})
		}
		o.Touched(t.Context(), "estate", changes)
		return o.takeTouched()
	}
	if got := touch("certificate", connect.RowUpdate, "京0003"); len(got) != 0 {
		t.Errorf("a row on which nothing rests: %v", got)
	}
	if got := touch("other", connect.RowUpdate, "京0001"); len(got) != 0 {
		t.Errorf("another table: %v", got)
	}
	if got := touch("certificate", connect.RowTruncate, ""); len(got) != 2 {
		t.Errorf("an emptied table: %v", got)
	}
	if got := touch("certificate", connect.RowUpdate); len(got) != 2 {
		t.Errorf("a feed that begins: %v", got)
	}
	owner["京0002"] = "乙"
	got := touch("certificate", connect.RowUpdate, "京0002")
	if len(got) != 1 || got[0].RowKey != "京0002" {
		t.Fatalf("%v", got)
	}
	o.Touched(t.Context(), "estate", []connect.RowChange{{Table: connect.TableName{Name: "certificate"}, Key: connect.Row{connect.TextValue("京0002")}}}) // while it is looked at
	if looked, reported, err := o.look(t.Context(), got); err != nil || looked != 1 || len(reported) != 1 || asked["京0001"] != 0 || asked["京0002"] != 1 {
		t.Errorf("%d, %v, %v, %v", looked, reported, err, asked)
	}
	if m, ok := (*sent)[0].(*credentialv1.ReportSourceChange); !ok || len(m.Sources) != 1 {
		t.Errorf("%v", *sent)
	}
	if got := o.takeTouched(); len(got) != 0 {
		t.Errorf("reported since: %v", got)
	}
	if got := touch("certificate", connect.RowUpdate, "京0002"); len(got) != 0 {
		t.Errorf("reported already: %v", got)
	}
}

// keyed is a database with rows by key.
type keyed struct {
	connect.Source
	owner map[string]string
	asked map[string]int
}

func (k *keyed) Query(_ context.Context, s connect.Selection) ([]connect.Row, error) {
	key := s.Where[0].Values[0].Text
	k.asked[key]++
	return row(k.owner[key]), nil
}

// TestALicenceIsRenewed: a second order for the same row takes the place of the one in force.
func TestALicenceIsRenewed(t *testing.T) {
	o, f, _ := office(t, &rows{read: func(int) []connect.Row { return row("甲") }})
	f["credential/type/"+org+":estate/0000000000000001"].(*credentialv1.CredentialType).LicenceCode = "BDC"
	renewed := order
	renewed.Serial, renewed.Renew = "0000000000001", true
	first, err := o.Issue(t.Context(), renewed)
	if err != nil || first.Supersedes != "" {
		t.Fatalf("%+v, %v", first, err)
	}
	c := &credentialv1.Credential{Id: first.ID, State: credentialv1.CredentialState_CREDENTIAL_STATE_SUSPENDED}
	f["credential/item/"+first.ID] = c
	second, err := o.Issue(t.Context(), renewed)
	if err != nil || second.Supersedes != first.ID {
		t.Fatalf("%+v, %v", second, err)
	}
	c.State = credentialv1.CredentialState_CREDENTIAL_STATE_REVOKED
	if third, err := o.Issue(t.Context(), renewed); err != nil || third.Supersedes != "" {
		t.Errorf("%+v, %v", third, err)
	}
}
