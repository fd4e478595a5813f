package dsp

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mulian/gateway/connect"
	"mulian/gateway/dsp/dsptest"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
)

// TestOfficialExamplesAreRead: each example fits its schema, and each message among
// them is read.
func TestOfficialExamplesAreRead(t *testing.T) {
	s := dsptest.Load(t)
	files, err := filepath.Glob(filepath.Join(s.Dir, "*", "example", "*.json"))
	if err != nil || len(files) < 25 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	read := 0
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var head struct {
			Type string `json:"@type"`
		}
		if err := json.Unmarshal(raw, &head); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		if head.Type == "" { // versions and DID documents are not messages
			continue
		}
		if err := s.Check(head.Type, raw); err != nil {
			t.Errorf("%s does not fit its schema: %v", filepath.Base(f), err)
		}
		if head.Type == "Catalog" || head.Type == "Dataset" { // those we only write
			continue
		}
		if _, err := Read(strings.NewReader(string(raw)), head.Type); err != nil {
			t.Errorf("%s: %v", filepath.Base(f), err)
		}
		read++
	}
	if read < 20 {
		t.Errorf("%d messages were read", read)
	}
}

func facade() *Facade {
	return &Facade{
		opts: Options{Org: "11110000000021928Y"}, base: "https://gw.example", participantID: "urn:mulian:org:11110000000021928Y",
		caller: newCaller(), log: slog.New(slog.DiscardHandler), participants: map[string]*participant{},
	}
}

func entry() *cataloguev1.Entry {
	return &cataloguev1.Entry{
		Id: "11110000000021928Y:许可/1", Name: "许可", Provider: "11110000000021928Y", State: cataloguev1.EntryState_ENTRY_STATE_PUBLISHED, Table: "t",
		ShareType: cataloguev1.ShareType_SHARE_TYPE_CONDITIONAL, Methods: []cataloguev1.Method{cataloguev1.Method_METHOD_QUERY},
		Conditions: &cataloguev1.ShareConditions{Purposes: []string{"排水许可审批"}},
		Items:      []*cataloguev1.Item{{Code: "no", Column: "no"}, {Code: "id", Column: "id", ShareType: cataloguev1.ShareType_SHARE_TYPE_DENIED}},
	}
}

// TestOurMessagesFitTheSchemas: every kind that we send.
func TestOurMessagesFitTheSchemas(t *testing.T) {
	s, f := dsptest.Load(t), facade()
	check := func(kind string, m any) {
		t.Helper()
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check(kind, raw); err != nil {
			t.Errorf("%s\n%v", raw, err)
		}
	}
	d := f.dataset(entry())
	check("Catalog", &Catalog{Context: []string{Context}, ID: "c", Type: "Catalog", ParticipantID: "p", Service: []Endpoint{f.service()}, Dataset: []Dataset{d}})
	check("Catalog", &Catalog{Context: []string{Context}, ID: "c", Type: "Catalog", ParticipantID: "p", Service: []Endpoint{f.service()}})
	d.Context = []string{Context}
	check("Dataset", d)
	n := &negotiation{exchange: exchange{Pid: newPid(), ConsumerPid: "c", Participant: "p", Entry: "e", Code: "x"}, Permission: permission(entry())}
	g := &sharev1.Agreement{Id: "0123456789abcdef", Terms: &sharev1.Terms{Parts: []*sharev1.Part{{Entry: "e", Items: []string{"no"}}}}, StartsMs: 1_767_225_600_000, EndsMs: 1_798_761_600_000}
	n.Narrowed = narrowed(n.Permission, &sharev1.Terms{Parts: []*sharev1.Part{{Entry: "e", Items: []string{"no", "name"}}}}, g)
	for _, state := range []string{Offered, Agreed, Finalized, Terminated} {
		m, _ := f.news(n, state, g)
		check(m.Type, m)
	}
	for _, state := range []string{Requested, Offered, Accepted, Agreed, Verified, Finalized, Terminated} {
		check("ContractNegotiation", f.negotiating().message(&n.exchange, state))
	}
	for _, state := range []string{Requested, Started, Suspended, Completed, Terminated} {
		tr := &transfer{exchange: exchange{Pid: newPid(), ConsumerPid: "c", Code: "x", Cause: "y"}, State: state}
		check("TransferProcess", f.transferring().message(&tr.exchange, state))
		m, _ := f.transferNews(tr, g)
		check(m.Type, m)
	}
	for _, kind := range []string{"CatalogError", "ContractNegotiationError", "TransferError"} {
		check(kind, refusal(kind, "", "", fault.Newf(fault.IllegalTransition, "no")))
	}
	w := httptest.NewRecorder()
	f.versions(w, nil)
	if err := s.Check("ProtocolVersion", w.Body.Bytes()); err != nil {
		t.Error(err)
	}
}

// TestReadRefuses what is not the compacted form, with the reason.
func TestReadRefuses(t *testing.T) {
	const kind = "ContractNegotiationEventMessage"
	const rest = `"@type":"ContractNegotiationEventMessage","providerPid":"a","consumerPid":"b","eventType":"ACCEPTED"}`
	for name, c := range map[string]struct {
		text string
		want fault.Code
	}{
		"right":                {`{"@context":["` + Context + `"],` + rest, fault.OK},
		"another one beside":   {`{"@context":["` + Context + `","https://w3id.org/edc/dspace/v0.0.1"],` + rest, fault.OK},
		"no JSON":              {`{`, fault.Malformed},
		"no context":           {`{` + rest, fault.Malformed},
		"context as a text":    {`{"@context":"` + Context + `",` + rest, fault.Malformed},
		"context of its own":   {`{"@context":[{"a":"b"}],` + rest, fault.Malformed},
		"another one first":    {`{"@context":["https://evil.example/","` + Context + `"],` + rest, fault.Malformed},
		"another type":         {`{"@context":["` + Context + `"],"@type":"TransferStartMessage","providerPid":"a","consumerPid":"b"}`, fault.Malformed},
		"expanded":             {`[{"@type":["https://w3id.org/dspace/2025/1/ContractNegotiationEventMessage"]}]`, fault.Malformed},
		"a pid as an object":   {`{"@context":["` + Context + `"],"@type":"ContractNegotiationEventMessage","providerPid":{"@id":"a"},"consumerPid":"b","eventType":"ACCEPTED"}`, fault.Malformed},
		"without a pid":        {`{"@context":["` + Context + `"],"@type":"ContractNegotiationEventMessage","providerPid":"a","eventType":"ACCEPTED"}`, fault.Missing},
		"an empty pid":         {`{"@context":["` + Context + `"],"@type":"ContractNegotiationEventMessage","providerPid":"a","consumerPid":"","eventType":"ACCEPTED"}`, fault.Empty},
		"too long":             {`{"a":"` + strings.Repeat("x", maxBody) + `"}`, fault.TooLong},
		"too deep":             {strings.Repeat(`{"a":`, maxDepth+1) + `1` + strings.Repeat(`}`, maxDepth+1), fault.Malformed},
		"a pid that is a book": {`{"@context":["` + Context + `"],"@type":"ContractNegotiationEventMessage","providerPid":"a","consumerPid":"` + strings.Repeat("b", maxText+1) + `","eventType":"ACCEPTED"}`, fault.TooLong},
	} {
		if _, err := Read(strings.NewReader(c.text), kind); fault.CodeOf(err) != c.want {
			t.Errorf("%s: got %v (%v), want %v", name, fault.CodeOf(err), err, c.want)
		}
	}
}

// TestMessagesGoBelowTheAgreedAddressOnly.
func TestMessagesGoBelowTheAgreedAddressOnly(t *testing.T) {
	const below = "https://edc.example/api/dsp"
	for address, ok := range map[string]bool{
		below: true, below + "/": true, below + "/x": true,
		"https://edc.example/api/dspx":        false,
		"https://edc.example/api/dsp/../x":    false,
		"https://edc.example/api/dsp/%2e%2e/": false,
		"https://edc.example:444/api/dsp":     false,
		"http://edc.example/api/dsp":          false,
		"https://u:p@edc.example/api/dsp":     false,
		"https://edc.example/api/dsp?x=1":     false,
		"https://evil.example/api/dsp":        false,
		"file:///api/dsp":                     false,
		"":                                    false,
	} {
		if _, err := callbackURL(below, address); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
	for address, ok := range map[string]bool{"http://127.0.0.1:9/x": true, "http://10.0.0.1/x": false, "http://localhost/x": false} {
		if _, err := callbackURL(address, address); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// TestARedirectIsNoAnswer: a message never goes to another address than the one agreed.
func TestARedirectIsNoAnswer(t *testing.T) {
	reached := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer other.Close()
	s := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer s.Close()
	err := facade().send(t.Context(), &participant{Participant: Participant{ID: "x"}, shown: "secret"}, s.URL, message("TransferStartMessage", "a", "b"))
	if !fault.Is(err, fault.Unreachable) || reached {
		t.Errorf("%v, reached: %v", err, reached)
	}
}

// TestJournalSurvives a restart and a torn last line, and forgets what ended long ago.
func TestJournalSurvives(t *testing.T) {
	path, now := filepath.Join(t.TempDir(), "journal"), time.UnixMilli(1_767_225_600_000)
	j, err := openJournal(path, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []line{
		{Negotiation: &negotiation{exchange: exchange{Pid: "1", ConsumerPid: "c1", Participant: "p", AtMs: now.UnixMilli()}}},
		{Negotiation: &negotiation{exchange: exchange{Pid: "2", Told: Terminated, AtMs: now.Add(-keepEnded - time.Hour).UnixMilli()}, Ended: true}},
		{Transfer: &transfer{exchange: exchange{Pid: "3", AtMs: now.UnixMilli()}, State: Requested}},
		{Transfer: &transfer{exchange: exchange{Pid: "3", AtMs: now.UnixMilli()}, State: Started}},
	} {
		if err := j.put(l); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"transfer":{"pid":"4"`); err != nil {
		t.Fatal(err)
	}
	file.Close()
	f := facade()
	if j, err = openJournal(path, now); err != nil {
		t.Fatal(err)
	}
	defer j.close()
	n, ok := recall(j, f.negotiating().kept, "1")
	if _, old := recall(j, f.negotiating().kept, "2"); !ok || old || n.ConsumerPid != "c1" {
		t.Errorf("%+v, %v, the old one is there: %v", n, ok, old)
	}
	tr, _ := recall(j, f.transferring().kept, "3")
	if _, torn := recall(j, f.transferring().kept, "4"); tr.State != Started || torn {
		t.Errorf("%+v, torn: %v", tr, torn)
	}
	if err := os.WriteFile(path, []byte("no\n{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openJournal(path, now); !fault.Is(err, fault.Damaged) {
		t.Errorf("a damaged journal: %v", err)
	}
}

// TestTokensAreForTheirOwner: files that others can read, short and empty ones are refused.
func TestTokensAreForTheirOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	for _, c := range []struct {
		text string
		mode os.FileMode
		want fault.Code
	}{
		{"0123456789abcdef\n", 0o600, fault.OK},
		{"0123456789abcdef\n", 0o640, fault.Inaccessible},
		{"short", 0o600, fault.Malformed},
		{"two words of a phrase", 0o600, fault.Malformed},
		{strings.Repeat("x", maxToken+1), 0o600, fault.TooLong},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := readToken(path); fault.CodeOf(err) != c.want {
			t.Errorf("%.20q %o: %v, want %v", c.text, c.mode, err, c.want)
		}
	}
}

// TestOffersAreTakenAsTheyAre: any other permission, target or rule is refused.
func TestOffersAreTakenAsTheyAre(t *testing.T) {
	e := entry()
	for text, ok := range map[string]bool{
		`{"@type":"Offer","@id":"o","permission":[{"action":"use","constraint":[{"operator":"isAnyOf","leftOperand":"purpose","rightOperand":["排水许可审批"]}]}]}`:                                        true,
		`{"@type":"Offer","@id":"o","target":"` + urn(entryURN, e.Id) + `","permission":[{"action":"use","constraint":[{"leftOperand":"purpose","operator":"isAnyOf","rightOperand":["排水许可审批"]}]}]}`: true,
		`{"@type":"Offer","@id":"o","target":"urn:mulian:entry:other","permission":[{"action":"use","constraint":[{"leftOperand":"purpose","operator":"isAnyOf","rightOperand":["排水许可审批"]}]}]}`:      false,
		`{"@type":"Offer","@id":"o","permission":[{"action":"use"}]}`: false,
		`{"@type":"Offer","@id":"o","permission":[{"action":"sell","constraint":[{"leftOperand":"purpose","operator":"isAnyOf","rightOperand":["排水许可审批"]}]}]}`:                                false,
		`{"@type":"Offer","@id":"o","obligation":[{"action":"pay"}],"permission":[{"action":"use","constraint":[{"leftOperand":"purpose","operator":"isAnyOf","rightOperand":["排水许可审批"]}]}]}`: false,
	} {
		o := &Policy{}
		if err := json.Unmarshal([]byte(text), o); err != nil {
			t.Fatal(err)
		}
		if err := unchanged(o, e); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
	if got := given(e); len(got) != 1 || got[0] != "no" {
		t.Errorf("given items: %v", got)
	}
	if id, ok := fromURN(entryURN, urn(entryURN, e.Id)); !ok || id != e.Id {
		t.Errorf("id %q, %v", id, ok)
	}
}

// TestRowsKeepTheirValues: no value is rounded, and each row is one line.
func TestRowsKeepTheirValues(t *testing.T) {
	for want, v := range map[string]connect.Value{
		`null`: {}, `"12.50"`: {Kind: connect.Decimal, Text: "12.50"}, `12345678901234567890`: {Kind: connect.Integer, Text: "12345678901234567890"},
		`true`: {Kind: connect.Boolean, Text: "true"}, `"NaN"`: {Kind: connect.Float, Text: "NaN"}, `"AP8="`: {Kind: connect.Bytes, Text: "\x00\xff"},
		`{ "a": 1}`: {Kind: connect.JSON, Text: "{\n\"a\": 1}"}, `"a\nb"`: {Kind: connect.Text, Text: "a\nb"},
	} {
		if got := string(jsonValue(v)); got != want {
			t.Errorf("%v %q: %s, want %s", v.Kind, v.Text, got, want)
		}
	}
}

// TestWhatIsOursStaysHere: the cause of an inner error is in no answer.
func TestWhatIsOursStaysHere(t *testing.T) {
	w := httptest.NewRecorder()
	facade().bounded("TransferError", nil).ServeHTTP(w, httptest.NewRequest("GET", "/dsp/x", nil)) // no room: its channel has none
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("without room: %d", w.Code)
	}
	_, texts := reasons(errors.New("/secret/path"))
	if b, _ := json.Marshal(texts); strings.Contains(string(b), "secret") {
		t.Errorf("%s", b)
	}
	_, _ = io.Copy(io.Discard, w.Body)
}
