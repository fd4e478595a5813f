package consentreceipt

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	credentialv1 "mulian/gen/mulian/credential/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/judgetest"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
)

// No story tells it with a real ledger and a real gateway yet: the receipts that the browser and
// the scripts show are the server's. Here stand single moments, and the judge.

const (
	org     = "11110000MULN00002P"
	bank    = "11110000MULN00003B"
	gw      = org + "/g/main"
	owner   = "p-0123456789abcdef0123456789abcdef"
	grantID = "89abcdef0123456789abcdef01234567"
	issuer  = "https://plan.gov.example"
)

type facts map[string]proto.Message

func (f facts) get(_ context.Context, key string, m proto.Message) (bool, error) {
	v, ok := f[key]
	if ok {
		proto.Merge(m, v)
	}
	return ok, nil
}

func seed(t *testing.T, alg sm.Algorithm, n byte) sm.PrivateKey {
	t.Helper()
	k, err := sm.FromSeed(alg, [32]byte{31: n})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func desk(t *testing.T) (*Desk, facts) {
	t.Helper()
	f := facts{
		"credential/issuer/" + org: &credentialv1.Issuer{Org: org, Url: issuer},
		"grant/grant/" + grantID: &grantv1.Grant{
			Id: grantID, Use: bank + ":loan", Owner: owner, Grantee: bank, Providers: []string{gw}, Entry: org + ":permits", EntryVersion: 1, Items: []byte{3},
			Purpose: "government", ConsentKind: grantv1.ConsentKind_CONSENT_KIND_SEPARATE, Basis: grantv1.GrantBasis_GRANT_BASIS_CONSENT, NoticeHash: make([]byte, 32),
			NotBeforeMs: 1_790_000_000_000, NotAfterMs: 1_790_600_000_000, MaxUses: 1, GivenMs: 1_790_000_000_000, State: grantv1.GrantState_GRANT_STATE_ACTIVE,
		},
		"grant/register/" + bank + ":loan": &grantv1.IntendedUse{Id: bank + ":loan", Contact: "信贷部", NoticeUrl: "https://bank.example/notice"},
		"identity/account/" + bank:         &identityv1.Account{Profile: &identityv1.OrgProfile{Name: "示范银行"}},
		"identity/account/" + org:          &identityv1.Account{Profile: &identityv1.OrgProfile{Name: "规划局"}},
		"catalogue/entry/" + org + ":permits": &cataloguev1.Entry{Id: org + ":permits", Version: 1, Name: "规划许可证", Provider: org, Items: []*cataloguev1.Item{
			{Code: "permit_no", Name: "许可证号"}, {Code: "area", Name: "面积"}, {Code: "price", Name: "造价"},
		}},
	}
	return &Desk{
		Org: org, Gateway: gw, ChainID: "test-1", Dir: filepath.Join(t.TempDir(), "receipts"), Outward: seed(t, sm.P256, 1), Inward: seed(t, sm.SM2, 2), Get: f.get,
		Happened: func(context.Context, *tracev1.Event, int64) error { return nil },
		Prove:    func(context.Context, string) ([]byte, error) { return []byte("proof"), nil },
		Now:      func() time.Time { return time.Unix(1_790_000_100, 0) },
	}, f
}

func event(note string, number string) *tracev1.Event {
	return &tracev1.Event{
		Height: 12, TimeMs: 1_790_000_050_000, TxId: []byte{1, 2, 3}, Verb: "grant/give_grant", Note: note,
		Objects: []string{"grant/grant/" + grantID, "grant/request/ff", "catalogue/entry/" + org + ":permits", "grant/feed/" + owner + "/" + number},
	}
}

// TestAReceiptSaysWhatHappened: both twins, in the owner's names, verified by us and by
// @sd-jwt/sd-jwt-vc; and the owner may leave out which data it was.
func TestAReceiptSaysWhatHappened(t *testing.T) {
	d, _ := desk(t)
	k, err := d.Give(t.Context(), event("given", "0000000003"), -1)
	if err != nil || k == nil || k.ID != grantID+"-3" || k.Event != "given" || string(k.Proof) != "proof" {
		t.Fatalf("%+v, %v", k, err)
	}
	keys := map[sdjwt.Algorithm]sm.PublicKey{sdjwt.ES256: d.Outward.Public(), sdjwt.SM2SM3: d.Inward.Public()}
	policy := sdjwt.Policy{
		Now: d.now(), Accept: []string{Type(issuer)}, Require: []sdjwt.Path{{"data", "items"}, {"grant"}},
		Keys: func(s sdjwt.Signature) (sm.PublicKey, error) { return keys[s.Algorithm], nil },
	}
	for _, text := range []string{k.Outward, k.Inward} {
		v, err := sdjwt.Verify(t.Context(), text, policy)
		if err != nil {
			t.Fatal(err)
		}
		got := string(sdjwt.AppendJSON(nil, v.Claims))
		for _, want := range []string{`"event":"given"`, "许可证号", "面积", "示范银行", "规划局", `"consent_kind":"separate"`, `"chain":"test-1"`, "信贷部", "mulian grant revoke"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s is not in %s", want, got)
			}
		}
		if strings.Contains(got, "造价") || strings.Contains(got, owner) {
			t.Errorf("an item that was not granted, or the owner's account, is in the receipt: %s", got)
		}
	}
	token, err := sdjwt.Parse(k.Outward)
	if err != nil {
		t.Fatal(err)
	}
	part, err := token.PresentOnly()
	if err != nil || strings.Contains(part, sdjwt.Encode([]byte("许可证号"))) {
		t.Errorf("%v", err)
	}
	judge(t, d, k.Outward, part)
}

func judge(t *testing.T, d *Desk, whole, part string) {
	t.Helper()
	jwk, err := sdjwt.JWK(d.Outward.Public())
	if err != nil {
		t.Fatal(err)
	}
	tampered := whole[:len(whole)/2] + string(whole[len(whole)/2]^1) + whole[len(whole)/2+1:]
	var got []struct {
		OK struct {
			Claims map[string]any
		}
		Error string
	}
	judgetest.Ask(t, "credentials", map[string]any{"issuer": jwk, "now": d.now().Unix(), "cases": []map[string]any{
		{"text": whole, "required": []string{"grant", "data", "event"}}, {"text": part}, {"text": part, "required": []string{"grant"}}, {"text": tampered},
	}}, &got)
	if got[0].Error != "" || got[0].OK.Claims["event"] != "given" || got[0].OK.Claims["grant"] != grantID || got[1].Error != "" || got[1].OK.Claims["grant"] != nil {
		t.Errorf("%+v", got[:2])
	}
	if got[2].Error == "" || got[3].Error == "" {
		t.Errorf("a missing field, or another text, is accepted: %+v", got[2:])
	}
}

// TestWhatGetsNoReceipt: another provider's grant, another owner's number, what is no event of
// a grant; and a number once.
func TestWhatGetsNoReceipt(t *testing.T) {
	d, f := desk(t)
	other := event("given", "0000000004")
	other.Objects[3] = "grant/feed/p-ffffffffffffffffffffffffffffffff/0000000004"
	path := event("given", "0000000004")
	path.Objects[3] = "grant/feed/../0000000004"
	for name, e := range map[string]*tracev1.Event{
		"a due deletion": event("due", "0000000004"), "another owner's": other, "a path": path, "no number": event("given", "x"),
		"another verb": {Verb: "share/given", Note: "given", Objects: event("given", "0000000004").Objects},
	} {
		if k, err := d.Give(t.Context(), e, -1); k != nil || err != nil {
			t.Errorf("%s: %+v, %v", name, k, err)
		}
	}
	f["grant/grant/"+grantID].(*grantv1.Grant).Providers = []string{"another/g/main"}
	if k, err := d.Give(t.Context(), event("given", "0000000004"), -1); k != nil || err != nil {
		t.Errorf("another provider's: %+v, %v", k, err)
	}
	f["grant/grant/"+grantID].(*grantv1.Grant).Providers = []string{gw}
	for i := range 2 {
		if k, err := d.Give(t.Context(), event("revoked", "0000000004"), -1); (k == nil) != (i == 1) || err != nil {
			t.Errorf("time %d: %+v, %v", i, k, err)
		}
	}
	if list, next, err := d.List(owner, "", 0); err != nil || next != 0 || len(list) != 1 || list[0].Event != "revoked" {
		t.Errorf("%+v, %d, %v", list, next, err)
	}
	for _, who := range []string{"..", "", "p-ffffffffffffffffffffffffffffffff", "a/b"} {
		if list, _, _ := d.List(who, "", 0); len(list) != 0 {
			t.Errorf("%q has receipts: %v", who, list)
		}
	}
}

// TestPages: an owner with many gets them in pages without a gap.
func TestPages(t *testing.T) {
	d, _ := desk(t)
	for n := 1; n <= 2*MaxPage+5; n++ {
		if _, err := d.Give(t.Context(), event("recorded", string(rune('0'+n/10))+string(rune('0'+n%10))), -1); err != nil {
			t.Fatal(err)
		}
	}
	seen, after := 0, uint64(0)
	for pages := 0; pages < 10; pages++ {
		list, next, err := d.List(owner, grantID, after)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range list {
			if seen++; k.Number != uint64(seen) {
				t.Fatalf("number %d at place %d", k.Number, seen)
			}
		}
		if after = next; next == 0 {
			break
		}
	}
	if seen != 2*MaxPage+5 {
		t.Errorf("%d receipts", seen)
	}
}

// TestAfterACrash: events that were not noted as read come again and change nothing; what
// passes is tried again, what does not is told and passed over.
func TestAfterACrash(t *testing.T) {
	d, f := desk(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	broken := true
	d.Prove = func(context.Context, string) ([]byte, error) {
		if broken {
			return nil, fault.Newf(fault.Unreachable, "the ledger")
		}
		return []byte("proof"), nil
	}
	bad := event("given", "0000000001")
	bad.Objects[0] = "grant/grant/00000000000000000000000000000000"
	f["grant/grant/00000000000000000000000000000000"] = &grantv1.Grant{Owner: owner, Providers: []string{gw}, Use: "u", Grantee: "\xff"}
	var from []int64
	var troubles []error
	round := 0
	err := d.Run(ctx, func(_ context.Context, at int64, fn func([]*tracev1.Event, int64) error) error {
		from = append(from, at)
		if round++; round == 3 {
			cancel()
			return ctx.Err()
		}
		return errors.Join(fn([]*tracev1.Event{bad, event("given", "0000000002")}, 7), errors.New("the connection ended"))
	}, func(err error) { troubles, broken = append(troubles, err), false })
	if err != nil || len(from) != 3 || from[0] != -1 || from[1] != -1 || from[2] != 7 {
		t.Errorf("%v, from %v, told %v", err, from, troubles)
	}
	if _, err := os.Stat(d.path(owner, 2)); err != nil {
		t.Error(err)
	}
	if at, err := d.position(); err != nil || at != 7 {
		t.Errorf("%d, %v", at, err)
	}
}

// TestWhatTheLogDoesNotHave is not signed, whatever a server tells; what the log has is looked
// for from where the desk has read up to.
func TestWhatTheLogDoesNotHave(t *testing.T) {
	d, _ := desk(t)
	told, looked := event("revoked", "0000000004"), int64(0)
	d.Happened = func(_ context.Context, e *tracev1.Event, from int64) error {
		if looked = from; !proto.Equal(e, told) {
			return fault.Newf(fault.VerificationFailed, "another event")
		}
		return nil
	}
	lie := proto.CloneOf(told)
	lie.TimeMs--
	if k, err := d.Give(t.Context(), lie, 70); k != nil || !fault.Is(err, fault.VerificationFailed) || looked != 70 {
		t.Errorf("%+v, %v, from %d", k, err, looked)
	}
	if list, _, err := d.List(owner, "", 0); err != nil || len(list) != 0 {
		t.Errorf("kept: %+v, %v", list, err)
	}
	if k, err := d.Give(t.Context(), told, 70); k == nil || err != nil {
		t.Errorf("%+v, %v", k, err)
	}
}
