package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	findings "mulian/client/audit"
	"mulian/client/prooffile"
	"mulian/gateway"
	"mulian/gateway/deliver"
	"mulian/gateway/receipt"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/pgtest"
	"mulian/internal/sm"
)

// Two synthetic owners; the check digits are right.
const (
	annNumber = "11010519491231002X"
	benNumber = "110105194912310038"
)

// transfers is the property registry's side of S7: its transactions in PostgreSQL.
type transfers struct {
	*town
	registry, power *department
	door, tap       *running
	source          gateway.Source
	entry           *cataloguev1.Entry
	ann, ben        *owner
	use             string
}

func newTransfers(t *testing.T, pages ...string) *transfers {
	dir := t.TempDir()
	w := &transfers{town: newTown(record(t, dir), dir, pages...)}
	b := openDatabase(t, pgtest.URL(t, "registry"))
	b.exec(`CREATE TABLE transfer (case_no text PRIMARY KEY, buyer_id text NOT NULL, buyer text, address text, area numeric(10,2), price numeric(14,2), registered date)`,
		`INSERT INTO transfer VALUES ('京(2026)不动产 1 号', '`+annNumber+`', '安某', '和平里 1 号', 88.50, 6300000, '2026-11-02'),
			('京(2026)不动产 2 号', '`+benNumber+`', '贝某', '和平里 2 号', 61.00, 4100000, '2026-11-03')`)
	w.registry, w.power = w.department(3, "规划和自然资源委员会", sm.SM2), w.department(4, "电力公司", sm.P256)
	w.source = gateway.Source{Name: "registry", URL: b.reader("reader_of_"+strings.ToLower(t.Name()), "transfer")}
	w.door = w.open(w.registry, "", w.source)
	w.tap = w.open(w.power, "")
	ids, err := w.door.RegisterTables(context.Background())
	w.ok(err)
	w.entry = w.entryOf(w.registry, "transfer", "不动产转移登记", ids[0], map[string]string{"case_no": "业务号", "buyer_id": "受让人证件号", "address": "坐落"})
	w.entry.OwnerItem, w.entry.Personal = "buyer_id", cataloguev1.Personal_PERSONAL_YES
	w.as(w.registry.Signer, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{w.entry}})
	w.get("catalogue/entry/"+w.entry.Id, w.entry)
	w.ann, w.ben = w.owner("ann", annNumber), w.owner("ben", benNumber)
	w.use = w.registersUse(w.power, "rename", w.entry, grantv1.GrantMode_GRANT_MODE_DELIVER, "case_no", "buyer", "address", "registered")
	return w
}

func caseNo(n string) []*gatewayv1.KeyValue {
	return []*gatewayv1.KeyValue{{Item: "case_no", Value: "京(2026)不动产 " + n + " 号"}}
}

// asked is a grant of Ann's for the address and the date of her transaction.
func (w *transfers) asked(items ...string) given {
	w.Helper()
	if len(items) == 0 {
		items = []string{"address", "registered"}
	}
	return w.ann.grants(w.asksOwner(w.power, w.use, w.ann, w.entry, items, nil), w.registry, caseNo("1"))
}

func (w *transfers) fetch(g given, edit func(*deliver.GrantedFetch)) (*deliver.Granted, error) {
	f := deliver.GrantedFetch{Grant: g.id, RowKey: g.rowKey}
	if edit != nil {
		edit(&f)
	}
	return w.tap.FetchByGrant(context.Background(), f)
}

// TestS7: the power company asks, the owner signs with her passkey what she sees, and the
// company's gateway receives exactly those fields of that one transaction, once. Whatever
// else is asked for is refused with its code.
func TestS7(t *testing.T) {
	w := newTransfers(t)
	g := w.asked()
	got, err := w.fetch(g, nil)
	w.ok(err)
	var names []string
	for _, c := range got.Columns {
		names = append(names, c.GetItem())
	}
	if !slices.Equal(names, []string{"address", "registered"}) || len(got.Rows) != 1 || got.Rows[0][0].Text != "和平里 1 号" || got.Rows[0][1].Text != "2026-11-02" {
		t.Fatalf("got %v %v", names, got.Rows)
	}
	use, grant := &grantv1.Use{}, &grantv1.Grant{}
	if !w.get("grant/use/"+g.id+"/0000000001", use) || use.Provider != w.registry.gateway || !bytes.Equal(use.RequestDigest, got.Record.RequestHash) {
		t.Errorf("the ledger's use: %v", use)
	}
	if w.get("grant/grant/"+g.id, grant); grant.Uses != 1 || grant.Sequence != 1 {
		t.Errorf("the grant has %d uses", grant.Uses)
	}
	if got.Record.Use != 1 || got.Record.Seq != 1 || got.Record.Agreement != g.id || w.tap.Receipts().Len() != 1 {
		t.Errorf("record %v", got.Record)
	}
	_, err = w.fetch(g, nil)
	w.refused(fault.UsesExhausted, err)
	w.sealedRefusals(t)
	w.eventually("the numbers of the grant are anchored", func() bool {
		s := &tracev1.Sequence{}
		return w.get("trace/sequence/"+g.id+"/"+w.registry.gateway, s) && s.Granted == 1 && s.Refused >= 1
	})
	mine, err := gateway.Control(w.path("gateway", w.registry.Account)).UsageKey(t.Context(), connect.NewRequest(&gatewayv1.UsageKeyRequest{Entry: w.entry.Id, Where: caseNo("1")}))
	w.ok(err)
	if !bytes.Equal(mine.Msg.GetSubject(), got.Record.Subject) {
		t.Error("the owner would not find this access at /usage/")
	}
	raw, err := w.door.Records().Record(got.Receipt.GetLeafIndex())
	w.ok(err)
	for _, secret := range []string{annNumber, "和平里", "不动产 1"} {
		if bytes.Contains(raw.Raw, []byte(secret)) {
			t.Errorf("the log has %q", secret)
		}
	}
	w.neverShows(annNumber, benNumber, "和平里 1 号", "和平里 2 号", "京(2026)不动产 1 号", "过户申请 2026-1")
}

// sealedRefusals: each wrong way to use a grant has its code, is logged, and costs no use.
func (w *transfers) sealedRefusals(t *testing.T) {
	w.Helper()
	g := w.asked()
	bens := w.ben.grants(w.asksOwner(w.power, w.use, w.ben, w.entry, []string{"address"}, nil), w.registry, caseNo("2"))
	for _, c := range []struct {
		name string
		want fault.Code
		edit func(*deliver.GrantedFetch)
	}{
		{"another field", fault.OverAsk, func(f *deliver.GrantedFetch) { f.Items = []string{"address", "price"} }},
		{"another purpose", fault.PurposeMismatch, func(f *deliver.GrantedFetch) { f.Purpose = "loan" }},
		{"a row key of another grant", fault.RowScopeBreached, func(f *deliver.GrantedFetch) { f.RowKey = bens.rowKey }},
		{"a row key that was changed", fault.RowScopeBreached, func(f *deliver.GrantedFetch) {
			f.RowKey = slices.Clone(f.RowKey)
			f.RowKey[len(f.RowKey)-1] ^= 1
		}},
		{"a scope that was not granted", fault.RowScopeBreached, func(f *deliver.GrantedFetch) { f.Scope, f.ScopeSalt = "true", make([]byte, 16) }},
		{"claims of a grant to deliver", fault.Malformed, func(f *deliver.GrantedFetch) { f.Claims = caseNo("1") }},
		{"no such grant", fault.NotFound, func(f *deliver.GrantedFetch) { f.Grant = "00000000000000000000000000000000" }},
	} {
		if _, err := w.fetch(g, c.edit); !fault.Is(err, c.want) {
			t.Errorf("%s: %s (%v), want %s", c.name, fault.CodeOf(err), err, c.want)
		}
	}
	// She grants a row that is somebody else's: it is not hers to grant.
	stolen := w.ann.grants(w.asksOwner(w.power, w.use, w.ann, w.entry, []string{"address"}, nil), w.registry, caseNo("2"))
	_, err := w.fetch(stolen, nil)
	w.refused(fault.RowScopeBreached, err)
	posing := w.ann.grants(w.asksOwner(w.power, w.use, w.ann, w.entry, []string{"address"}, nil), w.registry, caseNo("2"), func(k *gatewayv1.RowKey) { k.Owner = benNumber })
	_, err = w.fetch(posing, nil)
	w.refused(fault.RowScopeBreached, err)
	nothing := w.ann.grants(w.asksOwner(w.power, w.use, w.ann, w.entry, []string{"address"}, nil), w.registry, caseNo("3"))
	_, err = w.fetch(nothing, nil)
	w.refused(fault.EmptyResult, err)
	w.states(g)
	for _, id := range []string{g.id, stolen.id, posing.id, nothing.id} {
		x := &grantv1.Grant{}
		if w.get("grant/grant/"+id, x); x.Uses != 0 || x.Sequence != 0 {
			t.Errorf("grant %s has %d uses after refusals", id, x.Sequence)
		}
		if w.door.Records().Last(id) == 0 {
			t.Errorf("the refusals of grant %s are not logged", id)
		}
	}
}

// states: another grantee, a pause, a revocation, an end.
func (w *transfers) states(g given) {
	w.Helper()
	water := w.department(5, "水务局", sm.SM2)
	other := w.open(water, "")
	_, err := other.FetchByGrant(context.Background(), deliver.GrantedFetch{Grant: g.id, RowKey: g.rowKey})
	w.refused(fault.Forbidden, err) // of a grant of others its own gateway reads nothing
	_, err = w.ann.send(&grantv1.PauseGrant{Grant: g.id})
	w.ok(err)
	_, err = w.fetch(g, nil)
	w.refused(fault.GrantPaused, err)
	_, err = w.ann.send(&grantv1.ResumeGrant{Grant: g.id})
	w.ok(err)
	_, err = w.ann.send(&grantv1.RevokeGrant{Grant: g.id, Cause: "不再办理"})
	w.ok(err)
	_, err = w.fetch(g, nil)
	w.refused(fault.GrantRevoked, err)
	end := time.Now().Add(8 * time.Second)
	short := w.ann.grants(w.asksOwner(w.power, w.use, w.ann, w.entry, []string{"address"}, func(r *grantv1.DataRequest) { r.ToMs, r.NotAfterMs = end.UnixMilli(), end.UnixMilli() }), w.registry, caseNo("1"))
	w.eventually("the grant has ended", func() bool { return time.Now().After(end) })
	_, err = w.fetch(short, nil)
	w.refused(fault.Expired, err)
}

// TestGrantToVerify: a grant to verify answers yes or no, in answers of one length, and
// gives no value.
func TestGrantToVerify(t *testing.T) {
	w := newTransfers(t)
	use := w.registersUse(w.power, "verify", w.entry, grantv1.GrantMode_GRANT_MODE_VERIFY, "address", "registered")
	var bytesOf []uint64
	for value, want := range map[string]gatewayv1.Verdict{"和平里 1 号": gatewayv1.Verdict_VERDICT_YES, "和平里 9 号": gatewayv1.Verdict_VERDICT_NO} {
		g := w.ann.grants(w.asksOwner(w.power, use, w.ann, w.entry, []string{"address"}, nil), w.registry, caseNo("1"))
		got, err := w.fetch(g, func(f *deliver.GrantedFetch) { f.Claims = []*gatewayv1.KeyValue{{Item: "address", Value: value}} })
		w.ok(err)
		if got.Verdict != want || len(got.Rows)+len(got.Columns) > 0 {
			t.Errorf("%s: %s, %d rows", value, got.Verdict, len(got.Rows))
		}
		bytesOf = append(bytesOf, got.Record.Bytes)
	}
	if bytesOf[0] != bytesOf[1] {
		t.Errorf("yes and no have %v bytes", bytesOf)
	}
}

// TestTheSameFetchIsTheSameUse: a data user whose connection broke asks again and gets the
// same answer for the same use, also from a gateway that was started anew; another content
// under that number is refused.
func TestTheSameFetchIsTheSameUse(t *testing.T) {
	w := newTransfers(t)
	g := w.asked()
	same := func(f *deliver.GrantedFetch) { f.Fetch = "fetch-0001-abcdef" }
	first, err := w.fetch(g, same)
	w.ok(err)
	again, err := w.fetch(g, same)
	w.ok(err)
	if !bytes.Equal(first.Receipt.Record, again.Receipt.Record) {
		t.Error("the same fetch has another record")
	}
	w.door.stop()
	entries := 0
	w.door = w.open(w.registry, "", w.source)
	w.ok(w.door.Records().Of(g.id, func(receipt.Entry) bool { entries++; return true }))
	if entries != 2 {
		t.Errorf("%d records for one use, want the decision and its end", entries)
	}
	_, err = w.fetch(g, func(f *deliver.GrantedFetch) { same(f); f.Items = []string{"address"} })
	if !fault.Is(err, fault.Idempotency) && !fault.Is(err, fault.UsesExhausted) {
		t.Errorf("another content under the same number: %v", err)
	}
}

// TestBetweenUseAndRelease: a gateway that ends between the ledger's count and its own log
// has released nothing; started anew it gives the same fetch its answer for the same use,
// and another fetch nothing.
func TestBetweenUseAndRelease(t *testing.T) {
	w := newTransfers(t)
	g := w.asked()
	same := func(f *deliver.GrantedFetch) { f.Fetch = "fetch-0002-abcdef" }
	w.ok(w.door.Records().Close()) // nothing can be logged any more
	if _, err := w.fetch(g, same); err == nil {
		t.Fatal("a row was released without a record")
	}
	use := &grantv1.Use{}
	w.eventually("the ledger has counted the use", func() bool { return w.get("grant/use/"+g.id+"/0000000001", use) })
	if w.tap.Receipts().Len() != 0 {
		t.Error("the data user has a receipt")
	}
	_ = w.door.end() // with a log that is closed already
	w.door = w.open(w.registry, "", w.source)
	_, err := w.fetch(g, nil)
	w.refused(fault.UsesExhausted, err)
	got, err := w.fetch(g, same)
	w.ok(err)
	grant := &grantv1.Grant{}
	if w.get("grant/grant/"+g.id, grant); grant.Sequence != 1 || grant.Uses != 1 || got.Record.Use != 1 || !bytes.Equal(use.RequestDigest, got.Record.RequestHash) {
		t.Errorf("the grant has %d uses, the record is of use %d", grant.Sequence, got.Record.Use)
	}
}

// TestOwnerFindsAReleaseWithoutUse: a provider that has released what the ledger has not
// counted shows in its own log, to whoever the grant is of.
func TestOwnerFindsAReleaseWithoutUse(t *testing.T) {
	w := newTransfers(t)
	g := w.asked()
	got, err := w.fetch(g, nil)
	w.ok(err)
	genesis, err := os.ReadFile(w.path("genesis"))
	w.ok(err)
	folder := t.TempDir()
	look := func() *findings.Report {
		a, err := findings.New(findings.Config{Chain: w.chain, Genesis: genesis, Evidence: folder})
		w.ok(err)
		r, err := a.Grant(t.Context(), g.id)
		w.ok(err)
		return r
	}
	w.eventually("the log is anchored", func() bool { return w.door.Status().Anchored == w.door.Records().Size() })
	if r := look(); !r.OK || len(r.Logs) != 1 {
		t.Fatalf("an honest provider: %+v", r.Findings)
	}
	w.door.stop()
	keys, err := gateway.LoadKeys(w.ring(), w.registry.gateway)
	w.ok(err)
	account := &identityv1.Account{}
	w.get("identity/account/"+w.registry.gateway, account)
	log, err := receipt.Open(t.Context(), receipt.Config{Dir: w.path("gateway", w.registry.Account, "log"), Gateway: w.registry.gateway, Origin: account.GetGateway().GetLogOrigin(), Key: keys.Log})
	w.ok(err)
	end := proto.CloneOf(got.Record)
	end.Seq, end.Place, end.Previous, end.Use, end.RequestId = 0, 0, 0, 2, "behind-her-back-1"
	decision := proto.CloneOf(end)
	decision.Outcome = tracev1.Outcome_OUTCOME_GRANTED
	_, _, err = log.AppendWhole(t.Context(), decision, end)
	w.ok(err)
	w.ok(log.Close())
	w.door = w.open(w.registry, "", w.source)
	w.eventually("the log is anchored", func() bool { return w.door.Status().Anchored == w.door.Records().Size() })
	r := look()
	if r.OK || len(r.Findings) != 2 || r.Findings[0].Rule != prooffile.RuleWithoutUse || r.Findings[0].Agreement != g.id {
		t.Fatalf("what was released behind her back: %+v", r.Findings)
	}
	file, err := os.ReadFile(r.Findings[0].File)
	w.ok(err)
	if said := prooffile.Verify(file, w.trust.Hash); !said.OK || !strings.Contains(fmt.Sprint(said.Checks), "released as use 2 of grant "+g.id+", the ledger has counted 1") {
		t.Errorf("the file that shows it to others: %+v", said)
	}
}
