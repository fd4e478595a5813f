package server_test

import (
	"net/http"
	"testing"

	"connectrpc.com/connect"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	consolev1 "mulian/gen/mulian/console/v1"
	"mulian/gen/mulian/console/v1/consolev1connect"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// TestSourcesAreWhatGatewaysRegistered: the figures of a source are those of its tables and of
// the entries that lie on them, a withdrawn one not counted.
func TestSourcesAreWhatGatewaysRegistered(t *testing.T) {
	m := start(t)
	c := &circle{member: m, t: t}
	gateway := c.gateway(m.signer)
	m.duty(t, "1")
	table := func(name string, columns ...string) *cataloguev1.Table {
		x := &cataloguev1.Table{
			Id: gateway.Account + ":planning." + name, Org: m.code, Gateway: gateway.Account, Kind: cataloguev1.TableKind_TABLE_KIND_TABLE, Source: "planning", Name: name, SchemaHash: sum(name),
		}
		for _, n := range columns {
			x.Columns = append(x.Columns, &cataloguev1.Column{Name: n, Type: "text"})
		}
		return x
	}
	permits := table("permits", "no", "holder", "site")
	c.must(gateway, &cataloguev1.PutTables{Tables: []*cataloguev1.Table{permits, table("drawings", "name")}})
	entry := func(local, column string) *cataloguev1.Entry {
		return &cataloguev1.Entry{
			Id: m.code + ":" + local, Provider: m.code, Name: "许可 " + local, Duties: []string{m.code + ":1"}, Table: permits.Id, ShareType: cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL,
			Items: []*cataloguev1.Item{{Code: "c", Name: "信息项", Type: "text", Column: column}},
		}
	}
	c.must(m.signer, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{entry("a", "no"), entry("b", "holder")}})
	c.must(m.signer, &cataloguev1.WithdrawEntry{Entry: m.code + ":b", Reason: "重复"})

	console := consolev1connect.NewConsoleServiceClient(http.DefaultClient, m.url)
	read := func(q *consolev1.ListSourcesRequest) []*consolev1.Source {
		t.Helper()
		res, err := console.ListSources(t.Context(), connect.NewRequest(q))
		if err != nil {
			t.Fatal(err)
		}
		return res.Msg.GetSources()
	}
	got := read(&consolev1.ListSourcesRequest{Org: m.code})
	if len(got) != 1 {
		t.Fatalf("%d sources, want one: %v", len(got), got)
	}
	s := got[0]
	if s.GetName() != "planning" || s.GetTables() != 2 || s.GetUnfiled() != 1 || s.GetColumns() != 4 || s.GetMapped() != 1 || s.GetGone() != 0 || s.GetOpenDrifts() != 0 {
		t.Errorf("the source is %v", s)
	}
	if s.GetUrl() != "http://127.0.0.1:9" || s.GetSeenMs() == 0 || len(s.GetFingerprint()) != 32 || s.GetHeardMs() != 0 {
		t.Errorf("what the gateway reported: %v", s)
	}
	if got := read(&consolev1.ListSourcesRequest{Org: "nobody"}); len(got) != 0 {
		t.Errorf("sources of nobody: %v", got)
	}

	c.must(gateway, &cataloguev1.ReportDrift{
		Table: permits.Id, BeforeHash: permits.SchemaHash, AfterHash: sum("after"), SeenMs: 1, Columns: permits.Columns[1:],
		Changes: []*cataloguev1.DriftChange{{Kind: "column_dropped", Class: cataloguev1.DriftClass_DRIFT_CLASS_BREAKING, Column: "no"}},
	})
	if got := read(&consolev1.ListSourcesRequest{Gateway: gateway.Account}); len(got) != 1 || got[0].GetOpenDrifts() != 1 {
		t.Errorf("after a drift: %v", got)
	}
	drifts, err := m.client.Catalogue.ListDrifts(t.Context(), connect.NewRequest(&cataloguev1.ListDriftsRequest{Table: permits.Id, OpenOnly: true}))
	if err != nil || len(drifts.Msg.GetDrifts()) != 1 {
		t.Errorf("drifts of the table: %v, %v", drifts, err)
	}
}

// TestNothingDeliveredNothingGranted: lists without content are empty, and bounded.
func TestNothingDeliveredNothingGranted(t *testing.T) {
	m := start(t)
	console := consolev1connect.NewConsoleServiceClient(http.DefaultClient, m.url)
	res, err := console.ListDeliveries(t.Context(), connect.NewRequest(&consolev1.ListDeliveriesRequest{Org: m.code, States: []sharev1.DeliveryState{sharev1.DeliveryState_DELIVERY_STATE_FAILED}}))
	if err != nil || res.Msg.GetTotal() != 0 || len(res.Msg.GetDeliveries()) != 0 {
		t.Errorf("deliveries: %v, %v", res, err)
	}
	n, err := console.CountGrants(t.Context(), connect.NewRequest(&consolev1.CountGrantsRequest{Entries: []string{m.code + ":a"}}))
	if err != nil || n.Msg.GetLive() != 0 {
		t.Errorf("grants: %v, %v", n, err)
	}
	if _, err := console.CountGrants(t.Context(), connect.NewRequest(&consolev1.CountGrantsRequest{Entries: make([]string, 101)})); fault.CodeOf(wire.Fault(err)) != fault.TooLong {
		t.Errorf("101 entries: %v", err)
	}
}
