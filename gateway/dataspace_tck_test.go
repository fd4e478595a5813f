package gateway_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"mulian/gateway/dsp"
	sharev1 "mulian/gen/mulian/share/v1"
)

// The provider cases of the protocol's official test kit (eclipse-dataspacetck/dsp-tck,
// packages metadata, catalog, cn and tp), by its own numbers. The kit is a program for
// another machine and a connector that does what its configuration says; here each
// case's flow of messages runs against the facade, with people who act on the ledger
// where the kit's connector acts by configuration, and every message in either
// direction is held against the official schemas ([connector]).
//
// A line is what happens, in order. In lower case what the consumer sends; "!" before it:
// the answer has to be 4xx. "P" is the provider, "hear" what it has to tell the consumer,
// "is" the state that it has to show.
var tckNegotiations = []struct{ number, flow, differs string }{
	{"CN:01-01", "request, P offers, hear offer, is OFFERED, terminate, is TERMINATED", ""},
	{"CN:01-02", "request, P offers, hear offer, is OFFERED, counter, hear termination, is TERMINATED", ""},
	{"CN:01-03", "request, P offers, hear offer, is OFFERED, accept, hear agreement, is AGREED, verify, hear finalized, is FINALIZED", ""},
	{"CN:01-04", "request, P agrees, hear agreement, is AGREED, verify, hear finalized, is FINALIZED", ""},
	{"CN:02-01", "request, P refuses, hear termination, is TERMINATED", ""},
	{"CN:02-02", "request, terminate, is TERMINATED", ""},
	{"CN:02-03", "request, P agrees, hear agreement, is AGREED, terminate, is TERMINATED", ""},
	{"CN:02-04", "request, P offers, hear offer, is OFFERED, terminate, is TERMINATED", ""},
	{"CN:02-05", "request, P offers, hear offer, is OFFERED, P ends, hear termination, is TERMINATED", ""},
	{"CN:02-06", "request, P offers, hear offer, is OFFERED, accept, P ends, hear termination, is TERMINATED", ""},
	{
		"CN:02-07", "request, P agrees, hear agreement, is AGREED, P ends, hear termination, !verify, is TERMINATED",
		"the kit's provider terminates what was verified; here the verification is the last signature, and what is signed by both ends as an agreement does",
	},
	{"CN:03-01", "request, P agrees, hear agreement, is AGREED, verify, hear finalized, is FINALIZED, !terminate, is FINALIZED", ""},
	{"CN:03-02", "request, P offers, hear offer, is OFFERED, !verify, is OFFERED", ""},
	{"CN:03-03", "request, P offers, hear offer, is OFFERED, deaf, accept, hear agreement twice, is ACCEPTED, !verify", ""},
	{"CN:03-04", "request, P offers, hear offer, is OFFERED, counter, !counter", ""},
}

var tckTransfers = []struct{ number, flow, differs string }{
	{"TP:01-01", "request, hear start, is STARTED, P ends, hear termination, is TERMINATED", ""},
	{
		"TP:01-02", "request, hear start, is STARTED, complete, is COMPLETED",
		"the kit's provider completes; who reads by key alone knows when he is done, so the consumer does",
	},
	{"TP:01-03", "request, hear start, is STARTED, P suspends, hear suspension, is SUSPENDED, P ends, hear termination, is TERMINATED", ""},
	{
		"TP:01-04", "request, hear start, is STARTED, P suspends, hear suspension, is SUSPENDED, P resumes, hear start again, is STARTED, complete, is COMPLETED",
		"as TP:01-02",
	},
	{"TP:01-05", "P suspends, request, is REQUESTED, P ends, hear termination, is TERMINATED", ""},
	{"TP:02-01", "request, hear start, is STARTED, terminate, is TERMINATED", ""},
	{"TP:02-02", "request, hear start, is STARTED, complete, is COMPLETED", ""},
	{"TP:02-03", "request, hear start, is STARTED, suspend, is SUSPENDED, terminate, is TERMINATED", ""},
	{"TP:02-04", "request, hear start, is STARTED, suspend, is SUSPENDED, start, is STARTED, complete, is COMPLETED", ""},
	{"TP:02-05", "P suspends, request, is REQUESTED, terminate, is TERMINATED, P resumes", ""},
	{"TP:03-01", "P suspends, request, is REQUESTED, !complete, is REQUESTED, P resumes, hear start, is STARTED", ""},
	{"TP:03-02", "P suspends, request, is REQUESTED, !suspend, is REQUESTED, P resumes, hear start, is STARTED", ""},
	{"TP:03-03", "request, hear start, is STARTED, suspend, is SUSPENDED, !complete, is SUSPENDED", ""},
	{"TP:03-04", "request, hear start, is STARTED, terminate, is TERMINATED, !start, is TERMINATED", ""},
	{"TP:03-05", "request, hear start, is STARTED, terminate, is TERMINATED, !suspend, is TERMINATED", ""},
	{"TP:03-06", "request, hear start, is STARTED, terminate, is TERMINATED, !complete, is TERMINATED", ""},
}

// tckCase is one case that runs.
type tckCase struct {
	*connector
	t         *testing.T
	kind      string // negotiations or transfers
	dataset   dsp.Dataset
	consumer  string // pid
	provider  string
	request   *sharev1.Request
	agreement string // on the ledger
	over      bool   // the agreement is
}

// tckMessages are the consumer's messages: path and type.
var tckMessages = map[string]map[string][2]string{
	"negotiations": {
		"accept": {"events", "ContractNegotiationEventMessage"}, "verify": {"agreement/verification", "ContractAgreementVerificationMessage"},
		"terminate": {"termination", "ContractNegotiationTerminationMessage"}, "counter": {"request", "ContractRequestMessage"},
	},
	"transfers": {
		"start": {"start", "TransferStartMessage"}, "suspend": {"suspension", "TransferSuspensionMessage"},
		"complete": {"completion", "TransferCompletionMessage"}, "terminate": {"termination", "TransferTerminationMessage"},
	},
}

// tckTold are the provider's messages: path and type.
var tckTold = map[string]map[string][2]string{
	"negotiations": {
		"offer": {"offers", "ContractOfferMessage"}, "agreement": {"agreement", "ContractAgreementMessage"},
		"finalized": {"events", "ContractNegotiationEventMessage"}, "termination": {"termination", "ContractNegotiationTerminationMessage"},
	},
	"transfers": {
		"start": {"start", "TransferStartMessage"}, "suspension": {"suspension", "TransferSuspensionMessage"},
		"termination": {"termination", "TransferTerminationMessage"},
	},
}

func (k *tckCase) run(flow string) {
	k.t.Helper()
	for step := range strings.SplitSeq(flow, ", ") {
		word, rest, _ := strings.Cut(step, " ")
		switch word {
		case "request":
			k.begin()
		case "P":
			k.act(rest)
		case "hear":
			k.hear(rest)
		case "is":
			k.w.eventually(step, func() bool { return k.state(k.kind, k.provider) == rest })
		case "deaf":
			k.shut(k.consumer)
		default:
			k.send(step)
		}
		if k.t.Failed() {
			k.t.Fatalf("at %q of: %s", step, flow)
		}
	}
}

func (k *tckCase) begin() {
	k.t.Helper()
	if k.kind == "transfers" {
		m := k.say(http.StatusCreated, "transfers/request", map[string]any{
			"@type": "TransferRequestMessage", "consumerPid": k.consumer, "agreementId": "urn:mulian:agreement:" + k.agreement, "format": dsp.Format, "callbackAddress": k.server.URL + "/dsp",
		})
		if k.provider = *m.ProviderPid; m.State != dsp.Requested {
			k.t.Errorf("a new transfer is %s", m.State)
		}
		return
	}
	k.provider = k.ask(http.StatusCreated, k.consumer, k.dataset)
	k.request = k.w.received()
}

// received returns the request that waits for an answer; there is one.
func (w *town) received() *sharev1.Request {
	w.t.Helper()
	r := &sharev1.Request{}
	err := w.chain.List(w.t.Context(), "share/request/", func(_ string, value []byte) bool {
		x := &sharev1.Request{}
		if proto.Unmarshal(value, x) == nil && x.State == sharev1.RequestState_REQUEST_STATE_RECEIVED {
			r = x
		}
		return true
	})
	if err != nil || r.Gateway != w.tap || r.Requester != w.water.Account {
		w.t.Fatalf("request %v, %v", r, err)
	}
	return r
}

// act has the provider's officer act on the ledger.
func (k *tckCase) act(what string) {
	k.t.Helper()
	var m proto.Message
	switch what {
	case "offers":
		less := proto.CloneOf(k.request.Terms)
		less.Days = 10
		less.Parts[0].Items = slices.DeleteFunc(less.Parts[0].Items, func(item string) bool { return item == "note" })
		m = &sharev1.Answer{Request: k.request.Id, Accept: true, Terms: less}
	case "agrees":
		m = &sharev1.Answer{Request: k.request.Id, Accept: true}
	case "refuses":
		m = &sharev1.Answer{Request: k.request.Id, Reason: "用途不符"}
	case "suspends":
		m = &sharev1.SuspendAgreement{Agreement: k.agreement, Cause: "核查"}
	case "resumes":
		m = &sharev1.ResumeAgreement{Agreement: k.agreement}
	case "ends":
		k.over = true
		if k.agreement == "" {
			k.w.requested(k.request, sharev1.RequestState_REQUEST_STATE_ACCEPTED)
			k.agreement = k.request.Agreement
		}
		m = &sharev1.EndAgreement{Agreement: k.agreement, Reason: "不再提供", Filing: "协商备案〔2026〕1号"}
	}
	k.w.must(k.w.planning, m)
}

func (k *tckCase) hear(what string) {
	k.t.Helper()
	word, often, _ := strings.Cut(what, " ")
	want, times := tckTold[k.kind][word], 1
	if often != "" {
		times = 2
	}
	k.w.eventually("hear "+what, func() bool { return len(k.heard(want[1], k.consumer)) >= times })
	m := k.heard(want[1], k.consumer)[0]
	if at := "/dsp/" + k.kind + "/" + url.PathEscape(k.consumer) + "/" + want[0]; m.path != at || *m.ProviderPid != k.provider {
		k.t.Errorf("%s came to %s for %s, want %s", want[1], m.path, *m.ProviderPid, at)
	}
	switch {
	case word == "finalized" && m.EventType != dsp.Finalized:
		k.t.Errorf("event %s", m.EventType)
	case word == "offer" && (m.Offer.Target != k.dataset.ID || !strings.Contains(fmt.Sprint(m.Offer.Permission), "urn:mulian:item")):
		k.t.Errorf("offer %+v", m.Offer)
	case word == "start" && m.DataAddress.Endpoint == "":
		k.t.Error("a start without an address")
	}
}

func (k *tckCase) send(step string) {
	k.t.Helper()
	word, refused := strings.CutPrefix(step, "!")
	how, ok := tckMessages[k.kind][word]
	if !ok {
		k.t.Fatalf("the case has no step %q", step)
	}
	m := pids(how[1], k.provider, k.consumer)
	switch word {
	case "accept":
		m["eventType"] = dsp.Accepted
	case "counter":
		offer := k.dataset.HasPolicy[0]
		offer.ID, offer.Target = "urn:uuid:counter", k.dataset.ID
		m["offer"] = offer
	}
	status, out, raw := k.do("/dsp/"+k.kind+"/"+url.PathEscape(k.provider)+"/"+how[0], shownToUs, m)
	switch {
	case !refused && status != http.StatusOK:
		k.t.Errorf("%s: %d %s", word, status, raw)
	case refused && (status < 400 || status > 499 || !strings.HasSuffix(out.Type, "Error")):
		k.t.Errorf("%s was not refused: %d %s", word, status, raw)
	}
}

// with is the connector as a subtest has it: what fails in it fails there.
func (c *connector) with(t *testing.T) *connector {
	w := *c.w
	w.t = t
	return &connector{w: &w, schemas: c.schemas, door: c.door, server: c.server, inbox: c.inbox}
}

// tckTown is a town with a gateway that speaks the protocol, and a dataset that is asked
// for and answered by people.
func tckTown(t *testing.T) (*connector, dsp.Dataset) {
	w := newTown(t)
	c := newConnector(w)
	w.makePermits(10)
	door := w.open(c.config())
	c.door = "http://" + door.Addr()
	w.publish(door)
	entry := w.conditional()
	var d dsp.Dataset
	w.eventually("the catalogue has the entry", func() bool { d = c.datasets()[entry]; return d.ID != "" })
	return c, d
}

// TestTCKNegotiations runs the kit's cases of metadata, catalogue and negotiation.
func TestTCKNegotiations(t *testing.T) {
	heavy(t)
	t.Parallel() // it waits for blocks most of the time
	c, d := tckTown(t)
	t.Run("MET:01-01", func(t *testing.T) {
		status, _, raw := c.do("/.well-known/dspace-version", "", nil)
		if status != http.StatusOK || !strings.Contains(string(raw), `"version":"2025-1"`) || !strings.Contains(string(raw), `"binding":"HTTPS"`) {
			t.Errorf("%d %s", status, raw)
		}
	})
	t.Run("CAT:01-01", func(t *testing.T) {
		if c.datasets()[strings.TrimPrefix(d.ID, "urn:mulian:entry:")].ID != d.ID {
			t.Error("the dataset is not in the catalogue")
		}
	})
	t.Run("CAT:01-02", func(t *testing.T) {
		if status, _, raw := c.do("/dsp/catalog/datasets/"+url.PathEscape(d.ID), shownToUs, nil); status != http.StatusOK || !strings.Contains(string(raw), d.ID) {
			t.Errorf("%d %s", status, raw)
		}
	})
	t.Run("CAT:01-03", func(t *testing.T) {
		if status, m, _ := c.do("/dsp/catalog/datasets/none", shownToUs, nil); status != http.StatusNotFound || m.Type != "CatalogError" {
			t.Errorf("%d %s", status, m.Type)
		}
	})
	for _, x := range tckNegotiations {
		t.Run(x.number, func(t *testing.T) {
			k := &tckCase{connector: c.with(t), t: t, kind: "negotiations", dataset: d, consumer: "urn:tck:" + x.number}
			k.run(x.flow)
		})
	}
}

// TestTCKTransfers runs the kit's cases of transfers, under one agreement until it ends.
func TestTCKTransfers(t *testing.T) {
	heavy(t)
	t.Parallel() // it waits for blocks most of the time
	c, d := tckTown(t)
	agreement := ""
	for _, x := range tckTransfers {
		t.Run(x.number, func(t *testing.T) {
			if agreement == "" {
				n := &tckCase{connector: c.with(t), t: t, kind: "negotiations", dataset: d, consumer: "urn:tck:for:" + x.number}
				n.run("request, P agrees, hear agreement, verify, hear finalized")
				c.w.requested(n.request, sharev1.RequestState_REQUEST_STATE_ACCEPTED)
				agreement = n.request.Agreement
			}
			k := &tckCase{connector: c.with(t), t: t, kind: "transfers", consumer: "urn:tck:" + x.number, agreement: agreement}
			if k.run(x.flow); k.over {
				agreement = ""
			}
		})
	}
}
