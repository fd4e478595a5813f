package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	tiles "github.com/transparency-dev/tessera/client"
	"google.golang.org/protobuf/proto"

	"mulian/gateway"
	database "mulian/gateway/connect"
	"mulian/gateway/deliver"
	"mulian/gateway/receipt"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/pgtest"
	"mulian/internal/sm"
)

// side is a department with its own PostgreSQL, and the table that it offers.
type side struct {
	*department
	base   *pgDatabase
	door   *running
	table  string            // in its database
	titles map[string]string // of its columns
	key    string            // column of the key
	local  string            // of the entry's id
	name   string            // of the entry
	read   string            // its table, row for row in the key's order, as text
	got    string            // the other side's copy of it, likewise
	one    string            // key of one row
}

// TestTwoDepartmentsOnPostgres: what two departments have in PostgreSQL, as portals
// published it, is catalogued, locked, asked for, granted, delivered into the other's
// PostgreSQL equal in every value, asked by key, used, traced, and proved.
func TestTwoDepartmentsOnPostgres(t *testing.T) {
	zgc, housing := firms(t), permits(t)
	w := newTown(t, t.TempDir())
	zgc.department, housing.department = w.department(3, "中关村科学城管理委员会", sm.SM2), w.department(4, "住房和城乡建设委员会", sm.P256)
	zgc.door = w.open(zgc.department, zgc.base.url, gateway.Source{Name: "firms", URL: zgc.base.reader("firms_reader", zgc.table)})
	housing.door = w.open(housing.department, housing.base.url, gateway.Source{Name: "sales", URL: housing.base.reader("sales_reader", housing.table)})
	w.share(t, zgc, housing)
	w.share(t, housing, zgc)
}

// firms is the register of firms: 9,461 rows in GB18030.
func firms(t *testing.T) *side {
	p := readPublished(t, sharedFile(t, "databases", "beijing", "海淀区中关村高新技术企业库（截止2023年7月）.csv"))
	right, wrong, damaged := p.codes(1)
	t.Logf("firm register: %s, %d rows, %d problems; credit codes: %d right, %d with a wrong check digit, %d damaged by a spreadsheet; all kept as text",
		p.encoding, len(p.rows), p.problems, right, wrong, damaged)
	if p.encoding != "gb18030" || len(p.rows) != 9461 || right != 9456 || wrong != 4 || damaged != 1 {
		t.Fatalf("the register was read as %s with %d rows", p.encoding, len(p.rows))
	}
	b := openDatabase(t, pgtest.URL(t, "firms"))
	b.exec(`CREATE TABLE firm (seq integer NOT NULL, credit_code text PRIMARY KEY, org_code varchar(20), name text NOT NULL, park text, field text, certificate text)`)
	b.copyIn("firm", p.rows)
	s := &side{
		base: b, table: "firm", key: "credit_code", local: "firms", name: "中关村高新技术企业库", titles: map[string]string{},
		read: `SELECT seq::text, credit_code, org_code, name, park, field, certificate FROM firm ORDER BY credit_code COLLATE "C"`,
		got:  `SELECT seq::text, credit_code, org_code, name, park, field, certificate FROM received ORDER BY credit_code COLLATE "C"`,
		one:  p.rows[4711][1],
	}
	for i, c := range []string{"seq", "credit_code", "org_code", "name", "park", "field", "certificate"} {
		s.titles[c] = p.header[i]
	}
	slices.SortFunc(p.rows, func(a, b []string) int { return strings.Compare(a[1], b[1]) })
	sameRows(t, "register in PostgreSQL", p.stored(), b.read(s.read))
	return s
}

// permits is the list of presale permits: 6,960 rows in UTF-8 with a byte order mark.
// Its table keeps the Chinese names of the columns, as many a department does.
func permits(t *testing.T) *side {
	p := readPublished(t, sharedFile(t, "databases", "beijing", "市住房城乡建设委-新建商品房预售许可信息.csv"))
	t.Logf("presale permits: %s, %d rows, %d problems", p.encoding, len(p.rows), p.problems)
	if p.encoding != "utf-8" || len(p.rows) != 6960 || p.header[0] != "项目名称" {
		t.Fatalf("the permits were read as %s with %d rows, header %q", p.encoding, len(p.rows), p.header)
	}
	b := openDatabase(t, pgtest.URL(t, "sales"))
	b.exec(`CREATE TABLE "预售许可" ("项目名称" text, "项目地址" text, "建设单位" text, "预售证号" varchar(40) PRIMARY KEY, "发证时间" date, "开发企业名称" text)`)
	b.copyIn(`"预售许可"`, p.rows)
	const columns = `"项目名称", "项目地址", "建设单位", "预售证号", to_char("发证时间", 'YYYYMMDD'), "开发企业名称"`
	s := &side{
		base: b, table: `"预售许可"`, key: "预售证号", local: "presale", name: "新建商品房预售许可信息",
		read: `SELECT ` + columns + ` FROM "预售许可" ORDER BY "预售证号" COLLATE "C"`,
		got:  `SELECT ` + columns + ` FROM received ORDER BY "预售证号" COLLATE "C"`,
		one:  p.rows[815][3],
	}
	slices.SortFunc(p.rows, func(a, b []string) int { return strings.Compare(a[3], b[3]) })
	sameRows(t, "permits in PostgreSQL", p.stored(), b.read(s.read))
	return s
}

// share tells the whole story of one entry, from its table to its use.
func (w *town) share(t *testing.T, from, to *side) {
	t.Helper()
	var clock []string
	began := time.Now()
	lap := func(step string) {
		clock = append(clock, fmt.Sprintf("%s %d ms", step, time.Since(began).Milliseconds()))
		began = time.Now()
	}
	e := w.catalogue(t, from)
	lap("catalogue and lock")
	request := w.as(to.Signer, &sharev1.FileRequest{Terms: terms(to.department, e, byBatch), Gateway: to.gateway}).IDs
	if len(request) != 1 {
		t.Fatalf("a conditional entry was answered by the ledger: %v", request)
	}
	lap("request")
	agreement := w.as(from.Signer, &sharev1.Answer{Request: request[0], Accept: true}).IDs[0]
	lap("answer")
	w.as(to.Signer, &sharev1.ConfirmAgreement{Agreement: agreement, Version: 1})
	lap("confirm")
	got, err := to.door.Fetch(t.Context(), deliver.Fetch{Agreement: agreement, Entry: e.Id, Into: database.TableName{Name: "received"}})
	w.ok(err)
	lap("deliver")
	_, err = to.door.Use(t.Context(), agreement, "核查 2026-1", uint64(got.Rows), "核对完毕")
	w.ok(err)
	lap("use")
	t.Logf("%s, %d rows: %s", e.Name, got.Rows, strings.Join(clock, ", "))

	rows := from.base.read(from.read)
	sameRows(t, e.Name+" at the receiver", rows, to.base.read(from.got))
	if got.Rows != int64(len(rows)) || got.Delivery != 1 {
		t.Errorf("delivery %d of %d rows, want 1 of %d", got.Delivery, got.Rows, len(rows))
	}
	w.queryEqual(t, from, to, e)
	w.traced(t, agreement)
	w.proves(t, from, to, got.Receipt)
}

// catalogue puts the table's entry on the ledger, its items made from the columns,
// and locks it with two counter-signers.
func (w *town) catalogue(t *testing.T, s *side) *cataloguev1.Entry {
	t.Helper()
	ids, err := s.door.RegisterTables(t.Context())
	if err != nil || len(ids) != 1 {
		t.Fatalf("tables that the reading account sees: %v, %v", ids, err)
	}
	e := w.entryOf(s.department, s.local, s.name, ids[0], s.titles)
	w.as(s.Signer, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{e}})
	w.as(s.Signer, &cataloguev1.LockEntries{Entries: []string{e.Id}, CounterSigners: []string{w.authority.Account, w.staffing.Account}})
	on := &cataloguev1.Entry{}
	if !w.get("catalogue/entry/"+e.Id, on) || on.State != cataloguev1.EntryState_ENTRY_STATE_PUBLISHED || len(on.GetLock().GetCounterSigners()) != 2 || len(on.GetLock().GetSchemaHash()) != 32 {
		t.Fatalf("the entry on the ledger: %v", on)
	}
	return on
}

// queryEqual asks for one row by its key and compares it, value by value, with the source.
func (w *town) queryEqual(t *testing.T, from, to *side, e *cataloguev1.Entry) {
	t.Helper()
	key := slices.IndexFunc(e.Items, func(it *cataloguev1.Item) bool { return it.Column == from.key })
	agreement := w.agree(to.department, from.department, terms(to.department, e, byQuery))
	began := time.Now()
	res, err := to.door.Query(t.Context(), agreement, e.Id, nil, 1, &gatewayv1.KeyValue{Item: e.Items[key].Code, Value: from.one})
	w.ok(err)
	t.Logf("query by %s: %d ms", e.Items[key].Name, time.Since(began).Milliseconds())
	var columns []string
	for _, it := range e.Items {
		columns = append(columns, fmt.Sprintf(`"%s"::text`, it.Column))
	}
	want := from.base.read(fmt.Sprintf(`SELECT %s FROM %s WHERE "%s" = '%s'`, strings.Join(columns, ", "), from.table, from.key, from.one))
	var row []string
	for _, v := range res.Rows[0] {
		if row = append(row, v.Text); v.IsNull() {
			row[len(row)-1] = null
		}
	}
	sameRows(t, "query", want, [][]string{row})
	w.proves(t, from, to, res.Receipt)
}

// traced holds that the trace of an agreement tells all that led to it and came of it.
func (w *town) traced(t *testing.T, agreement string) {
	t.Helper()
	want := []string{
		"catalogue/put_duties", "catalogue/put_tables", "catalogue/submit_entries", "catalogue/lock_entries", "share/file_request", "share/answer",
		"share/confirm_agreement", "share/start_delivery", "share/complete_delivery", "share/confirm_delivery", "share/record_use", "trace/anchor_head",
	}
	var missing []string
	defer func() {
		if t.Failed() {
			t.Logf("the trace has no %v", missing)
		}
	}()
	w.eventually("the trace is whole", func() bool {
		res, err := w.chain.Trace.Trace(t.Context(), connect.NewRequest(&tracev1.TraceRequest{Object: agreement, Limit: 500}))
		w.ok(err)
		seen := map[string]bool{}
		for _, s := range res.Msg.GetSteps() {
			seen[s.GetEvent().GetVerb()] = true
		}
		missing = slices.DeleteFunc(slices.Clone(want), func(verb string) bool { return seen[verb] })
		return len(missing) == 0
	})
}

// proves shows, as a stranger would who trusts the genesis alone, that an access is in
// the provider's log: both signatures by keys that the ledger has, and the record under
// the head that is on the ledger, by the tiles that the gateway publishes.
func (w *town) proves(t *testing.T, from, to *side, r *tracev1.Receipt) {
	t.Helper()
	proved := w.chain.Verify(w.trust)
	for _, x := range []struct {
		account, key string
		sig          []byte
	}{{from.gateway, r.GetProviderKey(), r.GetProviderSignature()}, {to.gateway, r.GetConsumerKey(), r.GetConsumerSignature()}} {
		a := &identityv1.Account{}
		if found, _, err := proved.Get(t.Context(), "identity/account/"+x.account, a); err != nil || !found {
			t.Fatalf("account %s: %v", x.account, err)
		}
		i := slices.IndexFunc(a.GetKeys(), func(k *identityv1.Key) bool { return k.GetId() == x.key })
		if i < 0 {
			t.Fatalf("%s has signed with a key that the ledger does not have", x.account)
		}
		pub, err := sm.ParsePublic(sm.Algorithm(a.GetKeys()[i].GetAlgorithm()), a.GetKeys()[i].GetPublicKey())
		w.ok(err)
		w.ok(receipt.Verify(pub, r.GetRecord(), x.sig))
	}
	head := &tracev1.Head{}
	w.eventually("the access is under the head on the ledger", func() bool {
		found, _, err := proved.Get(t.Context(), receipt.HeadKey(from.gateway), head)
		w.ok(err)
		return found && head.GetSize() > r.GetLeafIndex() && head.GetSize() == from.door.Records().Size()
	})
	base, err := url.Parse("http://" + from.door.Addr() + "/log/")
	w.ok(err)
	log, err := tiles.NewHTTPFetcher(base, http.DefaultClient)
	w.ok(err)
	tree, err := tiles.NewProofBuilder(t.Context(), head.GetSize(), log.ReadTile)
	w.ok(err)
	path, err := tree.InclusionProof(t.Context(), r.GetLeafIndex())
	w.ok(err)
	leaf := rfc6962.DefaultHasher.HashLeaf(r.GetRecord())
	w.ok(proof.VerifyInclusion(rfc6962.DefaultHasher, r.GetLeafIndex(), head.GetSize(), leaf, path, head.GetRoot()))
	forged := bytes.Clone(leaf)
	forged[0] ^= 1
	if proof.VerifyInclusion(rfc6962.DefaultHasher, r.GetLeafIndex(), head.GetSize(), forged, path, head.GetRoot()) == nil {
		t.Error("another record would pass, too")
	}
	rec := &tracev1.AccessRecord{}
	w.ok(proto.Unmarshal(r.GetRecord(), rec))
	t.Logf("access %d of agreement %s: record %d of %d in the log of %s, SHA-256 %x…, proved up to the genesis",
		rec.Seq, rec.Agreement, r.GetLeafIndex(), head.GetSize(), from.gateway, sha256.Sum256(r.GetRecord()))
}
