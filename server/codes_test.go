package server_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	evidencev1 "mulian/gen/mulian/evidence/v1"
	"mulian/gen/mulian/evidence/v1/evidencev1connect"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

func (m *member) send(t *testing.T, msgs ...proto.Message) {
	t.Helper()
	for _, msg := range msgs {
		if _, err := m.client.Send(t.Context(), m.signer, msg); err != nil {
			t.Fatalf("%T: %v", msg, err)
		}
	}
}

// TestMattersCodesAndEvidenceAreListed: what the ledger has of them, page by page, and
// of tables whose names begin alike only the one that was asked for.
func TestMattersCodesAndEvidenceAreListed(t *testing.T) {
	m := start(t)
	ctx := t.Context()
	m.duty(t, "1")
	commitment := sha256.Sum256([]byte("a file"))
	m.send(
		t,
		&cataloguev1.PutMatters{Matters: []*cataloguev1.Matter{
			{Id: m.code + ":m1", Org: m.code, Code: "m1", Name: "取水许可申请", PowerType: cataloguev1.PowerType_POWER_TYPE_LICENSING, Duties: []string{m.code + ":1"}, Inputs: []string{"营业执照"}},
			{Id: m.code + ":m2", Org: m.code, Code: "m2", Name: "户籍迁移", PowerType: cataloguev1.PowerType_POWER_TYPE_CONFIRMATION},
		}},
		&cataloguev1.PutCodes{Table: &cataloguev1.CodeTable{Id: "GB/T 2260", Org: m.code, Name: "行政区划代码"}, Codes: []*cataloguev1.Code{
			{Code: "110000", Name: "北京市"}, {Code: "110108", Name: "海淀区", Parent: "110000"}, {Code: "110105", Name: "朝阳区", Parent: "110000"},
		}},
		&cataloguev1.PutCodes{Table: &cataloguev1.CodeTable{Id: "GB", Org: m.code, Name: "别的代码"}, Codes: []*cataloguev1.Code{{Code: "1", Name: "一"}}},
		&evidencev1.AnchorEvidence{Items: []*evidencev1.Evidence{{
			Id: hex.EncodeToString(commitment[:16]), Commitment: commitment[:], Bytes: 6, Provenance: &evidencev1.Provenance{Capture: evidencev1.Capture_CAPTURE_FILE, Software: "test", ClockSource: "unknown"},
		}}},
	)
	matters, err := m.client.Catalogue.ListMatters(ctx, connect.NewRequest(&cataloguev1.ListMattersRequest{Duty: m.code + ":1"}))
	if err != nil || matters.Msg.GetTotal() != 1 || matters.Msg.GetMatters()[0].GetName() != "取水许可申请" {
		t.Errorf("matters of a duty: %v, %v", matters, err)
	}
	tables, err := m.client.Catalogue.ListCodes(ctx, connect.NewRequest(&cataloguev1.ListCodesRequest{}))
	if err != nil || tables.Msg.GetTotal() != 2 || tables.Msg.GetTables()[1].GetCodes() != 3 {
		t.Errorf("code tables: %v, %v", tables, err)
	}
	var got []string
	req := &cataloguev1.ListCodesRequest{Table: "GB/T 2260", Limit: 2}
	for first := true; first || req.GetAfter() != ""; first = false {
		codes, err := m.client.Catalogue.ListCodes(ctx, connect.NewRequest(req))
		if err != nil || codes.Msg.GetTotal() != 3 {
			t.Fatalf("codes: %v, %v", codes, err)
		}
		for _, c := range codes.Msg.GetCodes() {
			got = append(got, c.GetCode())
		}
		req.After = codes.Msg.GetNext()
	}
	if strings.Join(got, " ") != "110000 110105 110108" {
		t.Errorf("codes %v", got)
	}
	below, err := m.client.Catalogue.ListCodes(ctx, connect.NewRequest(&cataloguev1.ListCodesRequest{Table: "GB/T 2260", Parent: "110000"}))
	if err != nil || below.Msg.GetTotal() != 2 {
		t.Errorf("codes below one: %v, %v", below, err)
	}
	list, err := evidencev1connect.NewEvidenceServiceClient(http.DefaultClient, m.url).ListEvidence(ctx, connect.NewRequest(&evidencev1.ListEvidenceRequest{Account: m.code}))
	if err != nil || list.Msg.GetTotal() != 1 || list.Msg.GetEvidence()[0].GetBytes() != 6 {
		t.Errorf("evidence: %v, %v", list, err)
	}
}

// TestSearchOverTheAPI finds what was just written, and refuses what is no search with
// a code.
func TestSearchOverTheAPI(t *testing.T) {
	m := start(t)
	r := m.duty(t, "1")
	res, err := m.client.Catalogue.Search(t.Context(), connect.NewRequest(&cataloguev1.SearchRequest{Text: "規劃許可", WithFacets: true}))
	for err == nil && res.Msg.GetHeight() < r.Height && t.Context().Err() == nil { // a search does not wait long for the index
		res, err = m.client.Catalogue.Search(t.Context(), connect.NewRequest(&cataloguev1.SearchRequest{Text: "規劃許可", WithFacets: true}))
	}
	if err != nil || res.Msg.GetTotal() != 1 || res.Msg.GetHits()[0].GetId() != m.code+":1" || res.Msg.GetHits()[0].GetOrgName() != "测试市政务服务和数据管理局" || res.Msg.GetHeight() == 0 {
		t.Errorf("search: %v, %v", res, err)
	}
	for text, want := range map[string]fault.Code{strings.Repeat("x", 201): fault.TooLong, strings.Repeat("许", 10_000): fault.TooLong} {
		if _, err := m.client.Catalogue.Search(t.Context(), connect.NewRequest(&cataloguev1.SearchRequest{Text: text})); !fault.Is(wire.Fault(err), want) {
			t.Errorf("%.20s: %v", text, err)
		}
	}
	if _, err := m.client.Catalogue.Search(t.Context(), connect.NewRequest(&cataloguev1.SearchRequest{After: "not a cursor"})); !fault.Is(wire.Fault(err), fault.Malformed) {
		t.Errorf("a cursor that is none: %v", err)
	}
}
