package server_test

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect"

	"mulian/client"
	"mulian/client/prooffile"
	"mulian/client/tracepack"
	consolev1 "mulian/gen/mulian/console/v1"
	"mulian/gen/mulian/console/v1/consolev1connect"
	"mulian/internal/fault"
	"mulian/internal/pass"
	"mulian/internal/wire"
)

// TestPagesGetProofs: what the node makes for a page holds for who trusts the genesis alone;
// what is not there gets none.
func TestPagesGetProofs(t *testing.T) {
	m := start(t)
	done := m.duty(t, "P-1")
	c := consolev1connect.NewConsoleServiceClient(http.DefaultClient, m.url)
	for id, kind := range map[string]string{
		"catalogue/duty/" + m.code + ":P-1": "object", m.code + ":P-1": "object", hex.EncodeToString(done.TxID[:]): "transaction", "event:0": "event",
	} {
		res, err := c.Prove(t.Context(), connect.NewRequest(&consolev1.ProveRequest{Id: id}))
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		if r := prooffile.Verify(res.Msg.GetFile(), m.genesis.Hash); !r.OK || r.Kind != kind {
			t.Errorf("%s: %+v", id, r)
		}
	}
	for _, id := range []string{"catalogue/duty/none", "", "event:999999", m.code + "/g/main:3"} {
		if _, err := c.Prove(t.Context(), connect.NewRequest(&consolev1.ProveRequest{Id: id})); err == nil {
			t.Errorf("there is a proof of %q", id)
		}
	}
}

// TestPagesExportATrace: the pack of an object holds, in the page's and in the ledger's order.
func TestPagesExportATrace(t *testing.T) {
	m := start(t)
	m.duty(t, "P-1")
	c := consolev1connect.NewConsoleServiceClient(http.DefaultClient, m.url)
	res, err := c.ExportTrace(t.Context(), connect.NewRequest(&consolev1.ExportTraceRequest{Object: m.code + ":P-1"}))
	if err != nil {
		t.Fatal(err)
	}
	r := tracepack.Check(res.Msg.GetZip(), m.genesis.Hash)
	if !r.OK || r.Object != "catalogue/duty/"+m.code+":P-1" || r.Steps != int(res.Msg.GetSteps()) || !r.Complete || !res.Msg.GetComplete() || len(r.Signers) != 1 {
		t.Errorf("%+v", r)
	}
	other := m.genesis.Hash
	other[3] ^= 1
	if r := tracepack.Check(res.Msg.GetZip(), other); r.OK || r.Code != fault.WrongChain {
		t.Errorf("on another chain: %+v", r)
	}
	if _, err := c.ExportTrace(t.Context(), connect.NewRequest(&consolev1.ExportTraceRequest{Object: "none"})); !fault.Is(wire.Fault(err), fault.NotFound) {
		t.Errorf("of nothing: %v", err)
	}
}

// TestProofsOfGrantsAreForParties: who may not read a grant gets no proof of it either, and no
// pack has it; its party gets both with his pass.
func TestProofsOfGrantsAreForParties(t *testing.T) {
	c := newCircle(t)
	pages := consolev1connect.NewConsoleServiceClient(http.DefaultClient, c.url)
	key := "grant/grant/" + c.grant
	if _, err := pages.Prove(t.Context(), connect.NewRequest(&consolev1.ProveRequest{Id: key})); !fault.Is(wire.Fault(err), fault.Forbidden) {
		t.Errorf("nobody gets a proof: %v", err)
	}
	req := connect.NewRequest(&consolev1.ProveRequest{Id: key})
	c.show(req.Header(), c.owner)
	res, err := pages.Prove(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if r := prooffile.Verify(res.Msg.GetFile(), c.genesis.Hash); !r.OK || r.Object != key {
		t.Errorf("%+v", r)
	}
}

// show puts the pass of an account into a question.
func (c *circle) show(h http.Header, s client.Signer) {
	c.t.Helper()
	p, m, err := pass.Draft("server-test", s.Account, s.Key.Public().ID(), time.Now().Add(time.Minute))
	if err == nil {
		p.Signature, err = s.Key.Sign(m)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	text, err := pass.Text(p)
	if err != nil {
		c.t.Fatal(err)
	}
	h.Set(pass.Header, text)
}

// TestEventsAreFiltered: by who, what and when, page by page, without losing any.
func TestEventsAreFiltered(t *testing.T) {
	m := start(t)
	for n := range 5 {
		m.duty(t, fmt.Sprintf("P-%d", n))
	}
	c := consolev1connect.NewConsoleServiceClient(http.DefaultClient, m.url)
	count := func(f *consolev1.ListEventsRequest) (n int) {
		t.Helper()
		for {
			res, err := c.ListEvents(t.Context(), connect.NewRequest(f))
			if err != nil {
				t.Fatal(err)
			}
			n += len(res.Msg.GetSteps())
			if f.Below = res.Msg.GetNext(); f.Below == 0 {
				return n
			}
		}
	}
	all := count(&consolev1.ListEventsRequest{})
	if got := count(&consolev1.ListEventsRequest{Limit: 2}); got != all || all < 5 {
		t.Errorf("%d events in pages of two, %d in one", got, all)
	}
	if got := count(&consolev1.ListEventsRequest{Actor: m.code, Limit: 1}); got < 5 {
		t.Errorf("%d events by the bureau", got)
	}
	if got := count(&consolev1.ListEventsRequest{Actor: "nobody"}); got != 0 {
		t.Errorf("%d events by nobody", got)
	}
	if got := count(&consolev1.ListEventsRequest{Object: "catalogue/duty/" + m.code + ":P-3"}); got != 1 {
		t.Errorf("%d events of one duty", got)
	}
	later := time.Now().Add(time.Hour).UnixMilli()
	if a, b := count(&consolev1.ListEventsRequest{FromMs: later}), count(&consolev1.ListEventsRequest{ToMs: later}); a != 0 || b != all {
		t.Errorf("%d events from tomorrow on, %d before", a, b)
	}
}
