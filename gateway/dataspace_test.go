package gateway_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"mulian/gateway"
	"mulian/gateway/dsp"
	"mulian/gateway/dsp/dsptest"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
)

// connector is a foreign connector of the water bureau: a consumer that speaks HTTP and
// holds every message, in both directions, against the official schemas.
type connector struct {
	w       *town
	schemas *dsptest.Schemas
	door    string // URL
	server  *httptest.Server
	*inbox
}

// inbox is what the connector was sent, and what it does not want to be.
type inbox struct {
	mu   sync.Mutex // guards what follows
	got  []told
	deaf map[string]bool // consumerPids whose messages are taken, and answered with 503
}

// told is one message that the connector was sent.
type told struct {
	path string
	dsp.Message
}

const (
	shownToUs   = "token-of-the-connector-0001"
	shownToThem = "token-of-the-gateway-000001"
)

func newConnector(w *town) *connector {
	c := &connector{w: w, schemas: dsptest.Load(w.t), inbox: &inbox{}}
	c.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		m := told{path: r.URL.Path}
		if err == nil {
			err = json.Unmarshal(raw, &m.Message)
		}
		if err == nil {
			err = c.schemas.Check(m.Type, raw)
		}
		if err != nil || r.Header.Get("Authorization") != "Bearer "+shownToThem {
			w.t.Errorf("the connector was sent %s: %v", raw, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.got = append(c.got, m)
		if m.ConsumerPid != nil && c.deaf[*m.ConsumerPid] {
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	w.t.Cleanup(c.server.Close)
	return c
}

// config is planning's gateway with the facade.
func (c *connector) config() gateway.Config {
	c.w.t.Helper()
	cfg := c.w.planningConfig()
	cfg.DSP = &dsp.Config{Connectors: []dsp.Participant{{
		ID: "did:web:edc.example", Org: c.w.water.Account, Gateway: c.w.tap, Key: "root", Callback: c.server.URL + "/dsp",
		TokenFile: c.secret("in", shownToUs), CallbackTokenFile: c.secret("out", shownToThem),
		Terms: dsp.Terms{Purpose: "排水许可审批", Duty: c.w.water.Account + ":1", Matter: "排水许可", LegalBasis: "城镇排水与污水处理条例第二十一条", AppSystem: "排水许可系统", ScopeOfUse: "本单位", Days: 30},
	}}}
	return cfg
}

func (c *connector) secret(name, text string) string {
	path := filepath.Join(c.w.dir, "token-"+name)
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		c.w.t.Fatal(err)
	}
	return path
}

// do sends one message, nil for GET, and returns status and answer, which has to fit
// its schema.
func (c *connector) do(path, token string, m map[string]any) (int, *dsp.Message, []byte) {
	c.w.t.Helper()
	method, body := http.MethodGet, io.Reader(nil)
	if m != nil {
		m["@context"] = []string{dsp.Context}
		raw, err := json.Marshal(m)
		if err != nil {
			c.w.t.Fatal(err)
		}
		if err := c.schemas.Check(m["@type"].(string), raw); err != nil {
			c.w.t.Fatalf("the test's own %s: %v", raw, err)
		}
		method, body = http.MethodPost, bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(c.w.t.Context(), method, c.door+path, body)
	if err != nil {
		c.w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.w.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		c.w.t.Fatal(err)
	}
	out := &dsp.Message{}
	if len(raw) > 0 && strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		kind := &struct {
			Type string `json:"@type"`
		}{}
		if err := json.Unmarshal(raw, kind); err != nil {
			c.w.t.Fatalf("%s: %v", raw, err)
		}
		if strings.HasPrefix(path, "/.well-known/") {
			kind.Type = "ProtocolVersion"
		}
		if err := c.schemas.Check(kind.Type, raw); err != nil {
			c.w.t.Errorf("%s: %s\n%v", path, raw, err)
		}
		if kind.Type != "Catalog" && kind.Type != "Dataset" {
			if err := json.Unmarshal(raw, out); err != nil {
				c.w.t.Fatal(err)
			}
		}
	}
	return res.StatusCode, out, raw
}

// say sends a message that has to be answered with the status.
func (c *connector) say(status int, path string, m map[string]any) *dsp.Message {
	c.w.t.Helper()
	got, out, raw := c.do("/dsp/"+path, shownToUs, m)
	if got != status {
		c.w.t.Fatalf("%s: %d %s, want %d", path, got, raw, status)
	}
	return out
}

// hears waits for a message to one pid.
func (c *connector) hears(kind, consumerPid string) told {
	c.w.t.Helper()
	var found told
	c.w.eventually(kind+" for "+consumerPid, func() bool {
		all := c.heard(kind, consumerPid)
		if len(all) > 0 {
			found = all[0]
		}
		return len(all) > 0
	})
	return found
}

// heard lists the messages of a kind to one pid.
func (c *connector) heard(kind, consumerPid string) (all []told) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.got {
		if m.Type == kind && *m.ConsumerPid == consumerPid {
			all = append(all, m)
		}
	}
	return all
}

// shut has the connector fail each message to one pid.
func (c *connector) shut(consumerPid string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.deaf == nil {
		c.deaf = map[string]bool{}
	}
	c.deaf[consumerPid] = true
}

func (c *connector) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = nil
}

func (c *connector) state(kind, pid string) string {
	c.w.t.Helper()
	return c.say(http.StatusOK, kind+"/"+url.PathEscape(pid), nil).State
}

// ask begins a negotiation for an entry and returns our pid.
func (c *connector) ask(status int, consumerPid string, d dsp.Dataset) string {
	c.w.t.Helper()
	offer := d.HasPolicy[0]
	offer.Target = d.ID
	m := c.say(status, "negotiations/request", map[string]any{
		"@type": "ContractRequestMessage", "consumerPid": consumerPid, "offer": offer, "callbackAddress": c.server.URL + "/dsp/",
	})
	return *m.ProviderPid
}

func pids(kind, provider, consumer string) map[string]any {
	return map[string]any{"@type": kind, "providerPid": provider, "consumerPid": consumer}
}

func (c *connector) datasets() map[string]dsp.Dataset {
	c.w.t.Helper()
	_, _, raw := c.do("/dsp/catalog/request", shownToUs, map[string]any{"@type": "CatalogRequestMessage", "filter": []string{}})
	cat := &dsp.Catalog{}
	if err := json.Unmarshal(raw, cat); err != nil {
		c.w.t.Fatal(err)
	}
	out := map[string]dsp.Dataset{}
	for _, d := range cat.Dataset {
		out[strings.TrimPrefix(d.ID, "urn:mulian:entry:")] = d
	}
	return out
}

// conditional publishes the permits once more, for requests that a person answers.
func (w *town) conditional() string {
	w.t.Helper()
	e := &cataloguev1.Entry{}
	if ok, err := w.chain.Get(w.t.Context(), "catalogue/entry/"+w.entry, e); !ok || err != nil {
		w.t.Fatal(err)
	}
	next := &cataloguev1.Entry{
		Id: w.planning.Account + ":asked", Name: "建设工程规划许可证(有条件)", Abstract: e.Abstract, Provider: e.Provider, Duties: e.Duties, Table: e.Table, Category: e.Category,
		Format: e.Format, Methods: e.Methods, ShareType: cataloguev1.ShareType_SHARE_TYPE_CONDITIONAL, OpenType: e.OpenType, UpdateCycle: e.UpdateCycle, Grade: e.Grade,
		Conditions: &cataloguev1.ShareConditions{Scope: "市级部门", Purposes: []string{"排水许可审批"}, Methods: []cataloguev1.Method{byQuery}},
		Personal:   e.Personal, CoverageRegion: e.CoverageRegion, Items: proto.CloneOf(e).Items,
	}
	w.must(w.planning, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{next}})
	if ok, err := w.chain.Get(w.t.Context(), "catalogue/entry/"+next.Id, e); ok && err == nil && e.State != cataloguev1.EntryState_ENTRY_STATE_PUBLISHED {
		w.must(w.authority, &cataloguev1.ReviewEntries{Entries: []string{next.Id}, Publish: true, ContentHashes: [][]byte{e.ContentHash}})
	}
	return next.Id
}

// requested waits until the water bureau has a request in a state, and returns it.
func (w *town) requested(r *sharev1.Request, state sharev1.RequestState) {
	w.t.Helper()
	w.eventually("request "+r.Id+" is "+state.String(), func() bool {
		ok, err := w.chain.Get(w.t.Context(), "share/request/"+r.Id, r)
		return ok && err == nil && r.State == state
	})
}

// TestDataspace: a foreign connector finds, negotiates and reads under our agreements,
// and nothing goes past them.
func TestDataspace(t *testing.T) {
	w := newTown(t)
	c := newConnector(w)
	w.makePermits(100)
	cfg := c.config()
	door := w.open(cfg)
	c.door = "http://" + door.Addr()
	w.publish(door)
	if status, _, _ := c.do("/dsp/catalog/request", "another-token-0000001", map[string]any{"@type": "CatalogRequestMessage"}); status != http.StatusUnauthorized {
		t.Errorf("a stranger got %d", status)
	}
	if status, _, _ := c.do("/.well-known/dspace-version", "", nil); status != http.StatusOK {
		t.Errorf("versions: %d", status)
	}
	var d dsp.Dataset
	w.eventually("the catalogue has the entry", func() bool { d = c.datasets()[w.entry]; return d.ID != "" })
	c.say(http.StatusOK, "catalog/datasets/"+url.PathEscape(d.ID), nil)
	c.say(http.StatusNotFound, "catalog/datasets/urn:mulian:entry:none", nil)

	// Negotiation, answered by the standing order.
	pid := c.ask(http.StatusCreated, "urn:uuid:n1", d)
	if again := c.ask(http.StatusCreated, "urn:uuid:n1", d); again != pid {
		t.Errorf("the same request again is %s", again)
	}
	a := c.hears("ContractAgreementMessage", "urn:uuid:n1")
	if a.path != "/dsp/negotiations/urn:uuid:n1/agreement" || a.Agreement.Assignee != "did:web:edc.example" || a.Agreement.Target != d.ID {
		t.Errorf("agreement message: %+v", a)
	}
	if s := c.state("negotiations", pid); s != dsp.Agreed {
		t.Errorf("state %s, want AGREED", s)
	}
	at := "negotiations/" + pid
	accepted := pids("ContractNegotiationEventMessage", pid, "urn:uuid:n1")
	accepted["eventType"] = "ACCEPTED"
	c.say(http.StatusBadRequest, at+"/events", accepted)
	c.say(http.StatusBadRequest, at+"/agreement/verification", pids("ContractAgreementVerificationMessage", pid, "urn:uuid:other"))
	c.say(http.StatusOK, at+"/agreement/verification", pids("ContractAgreementVerificationMessage", pid, "urn:uuid:n1"))
	if m := c.hears("ContractNegotiationEventMessage", "urn:uuid:n1"); m.EventType != dsp.Finalized {
		t.Errorf("event %s", m.EventType)
	}
	c.say(http.StatusBadRequest, at+"/agreement/verification", pids("ContractAgreementVerificationMessage", pid, "urn:uuid:n1"))
	c.say(http.StatusBadRequest, at+"/termination", pids("ContractNegotiationTerminationMessage", pid, "urn:uuid:n1"))

	c.transfers(door, a.Agreement.ID)

	// What was agreed holds after a restart, and a transfer ends with its agreement.
	door.stop()
	cfg.Listen, cfg.URL = strings.TrimPrefix(c.door, "http://"), c.door
	w.open(cfg)
	if s := c.state("negotiations", pid); s != dsp.Finalized {
		t.Errorf("after a restart: %s", s)
	}
	tid, _ := c.start("urn:uuid:t2", a.Agreement.ID)
	w.must(w.water, &sharev1.EndAgreement{Agreement: strings.TrimPrefix(a.Agreement.ID, "urn:mulian:agreement:"), Reason: "不再需要"})
	c.hears("TransferTerminationMessage", "urn:uuid:t2")
	if s := c.state("transfers", tid); s != dsp.Terminated {
		t.Errorf("a transfer without its agreement is %s", s)
	}
}

// start requests a transfer and waits for the address of its data.
func (c *connector) start(consumerPid, agreement string) (string, *dsp.DataAddress) {
	c.w.t.Helper()
	m := c.say(http.StatusCreated, "transfers/request", map[string]any{
		"@type": "TransferRequestMessage", "consumerPid": consumerPid, "agreementId": agreement, "format": dsp.Format, "callbackAddress": c.server.URL + "/dsp",
	})
	s := c.hears("TransferStartMessage", consumerPid)
	if s.DataAddress == nil || *s.ProviderPid != *m.ProviderPid {
		c.w.t.Fatalf("start: %+v", s)
	}
	return *m.ProviderPid, s.DataAddress
}

// read reads the address with its token, and returns status and body.
func (c *connector) read(a *dsp.DataAddress, query, token string) (int, string) {
	c.w.t.Helper()
	for _, p := range a.Properties {
		if p.Name == "authorization" && token == "" {
			token = p.Value
		}
	}
	path := strings.TrimPrefix(a.Endpoint, c.door)
	status, _, raw := c.do(path+query, token, nil)
	return status, string(raw)
}

// transfers: one record under the agreement, logged as an ordinary one; each move of the
// state machine, and those that it has not.
func (c *connector) transfers(door *running, agreement string) {
	t := c.w.t
	t.Helper()
	pid, a := c.start("urn:uuid:t1", agreement)
	before := door.Records().Size()
	status, body := c.read(a, "?no=P0000042", "")
	if want := `{"no":"P0000042","project":"项目 42","area":"42.5","issued":"2026-03-09","note":"内部"}` + "\n"; status != http.StatusOK || body != want {
		t.Fatalf("read: %d %s, want %s", status, body, want)
	}
	last, err := door.Records().Record(door.Records().Size() - 1)
	if err != nil || door.Records().Size() == before || last.Record.Asker != c.w.tap || last.Record.Rows != 1 {
		t.Errorf("the release is not in the log: %+v, %v", last, err)
	}
	for query, want := range map[string]int{"": http.StatusBadRequest, "?secret=1": http.StatusBadRequest, "?no=P0000042&$limit=0": http.StatusBadRequest, "?no=P0000042&$items=no": http.StatusOK} {
		if status, body := c.read(a, query, ""); status != want {
			t.Errorf("%q: %d %s", query, status, body)
		}
	}
	if status, _ := c.read(a, "?no=P0000042", shownToUs); status != http.StatusUnauthorized {
		t.Errorf("with another token: %d", status)
	}
	at := "transfers/" + pid
	move := func(status int, path, kind string) {
		t.Helper()
		c.say(status, at+"/"+path, pids(kind, pid, "urn:uuid:t1"))
	}
	move(http.StatusBadRequest, "start", "TransferStartMessage")
	move(http.StatusOK, "suspension", "TransferSuspensionMessage")
	move(http.StatusBadRequest, "suspension", "TransferSuspensionMessage")
	move(http.StatusBadRequest, "completion", "TransferCompletionMessage")
	if status, _ := c.read(a, "?no=P0000042", ""); status != http.StatusBadRequest {
		t.Errorf("while suspended: %d", status)
	}
	move(http.StatusOK, "start", "TransferStartMessage")
	if status, _ := c.read(a, "?no=P0000042", ""); status != http.StatusOK {
		t.Errorf("resumed: %d", status)
	}

	// The provider suspends the agreement: the transfer follows, and goes on with another token.
	c.forget()
	id := strings.TrimPrefix(agreement, "urn:mulian:agreement:")
	c.w.must(c.w.planning, &sharev1.SuspendAgreement{Agreement: id, Cause: "核查"})
	c.hears("TransferSuspensionMessage", "urn:uuid:t1")
	move(http.StatusBadRequest, "start", "TransferStartMessage")
	c.w.must(c.w.planning, &sharev1.ResumeAgreement{Agreement: id})
	next := c.hears("TransferStartMessage", "urn:uuid:t1").DataAddress
	if status, _ := c.read(a, "?no=P0000042", ""); status != http.StatusUnauthorized {
		t.Errorf("the earlier token: %d", status)
	}
	if status, body := c.read(next, "?no=P0000042", ""); status != http.StatusOK {
		t.Errorf("the new token: %d %s", status, body)
	}
	move(http.StatusOK, "completion", "TransferCompletionMessage")
	for path, kind := range map[string]string{"start": "TransferStartMessage", "suspension": "TransferSuspensionMessage", "completion": "TransferCompletionMessage", "termination": "TransferTerminationMessage"} {
		move(http.StatusBadRequest, path, kind)
	}
	if status, _ := c.read(next, "?no=P0000042", ""); status != http.StatusUnauthorized {
		t.Errorf("completed: %d", status)
	}
}

// TestDataspaceAnswers: people answer, and either side can end a negotiation.
func TestDataspaceAnswers(t *testing.T) {
	w := newTown(t)
	c := newConnector(w)
	w.makePermits(10)
	door := w.open(c.config())
	c.door = "http://" + door.Addr()
	w.publish(door)
	entry := w.conditional()
	var d dsp.Dataset
	w.eventually("the catalogue has the entry", func() bool { d = c.datasets()[entry]; return d.ID != "" })
	changed := d
	changed.HasPolicy = []dsp.Policy{{ID: d.HasPolicy[0].ID, Type: "Offer", Permission: []dsp.Rule{{Action: "use"}}}}
	c.ask(http.StatusBadRequest, "urn:uuid:changed", changed)

	request := func(consumerPid string) (string, *sharev1.Request) {
		t.Helper()
		pid := c.ask(http.StatusCreated, consumerPid, d)
		if s := c.state("negotiations", pid); s != dsp.Requested {
			t.Fatalf("state %s, want REQUESTED", s)
		}
		c.say(http.StatusBadRequest, "negotiations/"+pid+"/agreement/verification", pids("ContractAgreementVerificationMessage", pid, consumerPid))
		return pid, w.received()
	}
	ended := func(pid, consumerPid string) {
		t.Helper()
		if s := c.state("negotiations", pid); s != dsp.Terminated {
			t.Errorf("state %s, want TERMINATED", s)
		}
		c.say(http.StatusBadRequest, "negotiations/"+pid+"/termination", pids("ContractNegotiationTerminationMessage", pid, consumerPid))
		c.say(http.StatusBadRequest, "negotiations/"+pid+"/agreement/verification", pids("ContractAgreementVerificationMessage", pid, consumerPid))
	}

	// The provider refuses.
	pid, r := request("urn:uuid:r1")
	w.must(w.planning, &sharev1.Answer{Request: r.Id, Reason: "用途不符"})
	if m := c.hears("ContractNegotiationTerminationMessage", "urn:uuid:r1"); len(m.Reason) != 1 || m.Reason[0] != "用途不符" {
		t.Errorf("reason %v", m.Reason)
	}
	ended(pid, "urn:uuid:r1")

	// The consumer withdraws.
	pid, r = request("urn:uuid:r2")
	c.say(http.StatusOK, "negotiations/"+pid+"/termination", pids("ContractNegotiationTerminationMessage", pid, "urn:uuid:r2"))
	w.requested(r, sharev1.RequestState_REQUEST_STATE_WITHDRAWN)
	ended(pid, "urn:uuid:r2")

	// The provider accepts, and the consumer does not sign.
	pid, r = request("urn:uuid:r3")
	w.must(w.planning, &sharev1.Answer{Request: r.Id, Accept: true})
	a := c.hears("ContractAgreementMessage", "urn:uuid:r3")
	c.say(http.StatusNotFound, "transfers/request", map[string]any{
		"@type": "TransferRequestMessage", "consumerPid": "urn:uuid:early", "agreementId": a.Agreement.ID, "format": dsp.Format, "callbackAddress": c.server.URL + "/dsp",
	})
	c.say(http.StatusOK, "negotiations/"+pid+"/termination", pids("ContractNegotiationTerminationMessage", pid, "urn:uuid:r3"))
	ended(pid, "urn:uuid:r3")
	c.say(http.StatusNotFound, "negotiations/urn:uuid:none", nil)
}
