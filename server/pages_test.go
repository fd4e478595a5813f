package server_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"

	consolev1 "mulian/gen/mulian/console/v1"
	"mulian/gen/mulian/console/v1/consolev1connect"
	"mulian/internal/fault"
	"mulian/internal/wire"
	"mulian/server"
)

func ask(t *testing.T, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := (&http.Transport{DisableCompression: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// TestPagesAreServed: the two entries with a policy and a fresh nonce, files by their tag,
// compressed on demand, and nothing for names that are not there.
func TestPagesAreServed(t *testing.T) {
	m := start(t)
	for path, entry := range map[string]string{"/": "console.js", "/request/0011": "console.js", "/box": "box.js", "/box/ask/1": "box.js"} {
		res, body := ask(t, m.url+path)
		policy := res.Header.Get("Content-Security-Policy")
		if res.StatusCode != 200 || !strings.Contains(body, entry) || res.Header.Get("Cache-Control") != "no-store" || strings.Contains(body, "__NONCE__") || strings.Contains(body, "__BUILD__") {
			t.Errorf("%s: %d, %.200s", path, res.StatusCode, body)
		}
		nonce, _, _ := strings.Cut(policy[strings.Index(policy, "'nonce-")+7:], "'")
		if len(nonce) < 20 || !strings.Contains(body, nonce) || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %s", path, policy)
		}
		if again, _ := ask(t, m.url+path); again.Header.Get("Content-Security-Policy") == policy {
			t.Errorf("%s: the nonce comes twice", path)
		}
	}
	res, plain := ask(t, m.url+"/assets/console.js")
	packed, zipped := ask(t, m.url+"/assets/console.js", "Accept-Encoding", "gzip")
	if res.StatusCode != 200 || packed.Header.Get("Content-Encoding") != "gzip" || len(zipped) >= len(plain) || res.Header.Get("ETag") == packed.Header.Get("ETag") {
		t.Errorf("plain %d bytes %v, packed %d bytes %v", len(plain), res.Header, len(zipped), packed.Header)
	}
	if same, body := ask(t, m.url+"/assets/console.js", "If-None-Match", res.Header.Get("ETag")); same.StatusCode != http.StatusNotModified || body != "" {
		t.Errorf("the same file again: %d", same.StatusCode)
	}
	for _, path := range []string{"/assets/none.js", "/../go.mod", "/mulian.none.v1.Service/Do", "/favicon.ico", "/api/none"} {
		if res, body := ask(t, m.url+path); res.StatusCode == 200 {
			t.Errorf("%s answers %.80s", path, body)
		}
	}
	if res, body := ask(t, m.url+"/v/nothing-has-this"); res.StatusCode != 404 || !strings.Contains(body, "not known") && !strings.Contains(body, "Not known") || strings.Contains(body, "<script") {
		t.Errorf("/v/: %d %.200s", res.StatusCode, body)
	}
	r := m.duty(t, "7")
	if res, body := ask(t, m.url+"/v/"+hexOf(r.TxID[:]), "Accept-Language", "zh-CN"); res.StatusCode != 200 || !strings.Contains(body, "核发规划许可 7") {
		t.Errorf("/v/ of a transaction: %d %.300s", res.StatusCode, body)
	}
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	var out strings.Builder
	for _, x := range b {
		out.WriteByte(digits[x>>4])
		out.WriteByte(digits[x&15])
	}
	return out.String()
}

// TestConsoleSaysWhatIsSigned: blocks and transactions as sentences, in the language that is
// asked for; what somebody typed leads to its object.
func TestConsoleSaysWhatIsSigned(t *testing.T) {
	m := start(t)
	r := m.duty(t, "9")
	c := consolev1connect.NewConsoleServiceClient(http.DefaultClient, m.url)
	for lang, want := range map[string]string{"zh": "核发规划许可 9", "en": "核发规划许可 9"} {
		res, err := c.ListBlocks(t.Context(), connect.NewRequest(&consolev1.ListBlocksRequest{Filled: true, Language: lang}))
		if err != nil || len(res.Msg.Blocks) == 0 {
			t.Fatalf("blocks: %v, %v", res, err)
		}
		said := strings.Join(res.Msg.Blocks[0].Transactions[0].Lines, "\n")
		if !strings.Contains(said, want) || strings.ContainsAny(said, "职责") != (lang == "zh") {
			t.Errorf("%s: %s", lang, said)
		}
	}
	list := func(q *consolev1.ListBlocksRequest) []*consolev1.Block {
		t.Helper()
		res, err := c.ListBlocks(t.Context(), connect.NewRequest(q))
		if err != nil {
			t.Fatal(err)
		}
		return res.Msg.Blocks
	}
	if told := list(&consolev1.ListBlocksRequest{Quiet: true, Objects: true, Above: r.Height - 1}); len(told) != 1 ||
		strings.Join(told[0].Transactions[0].Objects, " ") != "catalogue/duty/"+m.code+":9" || strings.Join(told[0].Transactions[0].Verbs, " ") != "put_duties" {
		t.Errorf("what is new: %v", told)
	}
	if told := list(&consolev1.ListBlocksRequest{Filled: true, Above: r.Height}); len(told) != 0 {
		t.Errorf("over the latest block: %v", told)
	}
	if _, err := c.ListBlocks(t.Context(), connect.NewRequest(&consolev1.ListBlocksRequest{Above: -1})); !fault.Is(wire.Fault(err), fault.OutOfRange) {
		t.Errorf("above -1: %v", err)
	}
	tx, err := c.GetTransaction(t.Context(), connect.NewRequest(&consolev1.GetTransactionRequest{TxId: r.TxID[:]}))
	if err != nil || len(tx.Msg.Objects) == 0 || !strings.Contains(tx.Msg.Json, "put_duties") {
		t.Errorf("transaction: %v, %v", tx, err)
	}
	for _, text := range []string{hexOf(r.TxID[:]), m.code + ":9", "规划许可"} {
		found, err := c.Find(t.Context(), connect.NewRequest(&consolev1.FindRequest{Text: text}))
		if err != nil || len(found.Msg.Hits) == 0 {
			t.Errorf("find %q: %v, %v", text, found, err)
		}
	}
	if _, err := c.ReadBody(t.Context(), connect.NewRequest(&consolev1.ReadBodyRequest{Body: []byte("no transaction")})); !fault.Is(wire.Fault(err), fault.Malformed) {
		t.Errorf("bytes that are no transaction: %v", err)
	}
}

// TestFollowTellsWhatChanged: a page that follows learns which objects to ask for again.
func TestFollowTellsWhatChanged(t *testing.T) {
	m := start(t)
	c := consolev1connect.NewConsoleServiceClient(http.DefaultClient, m.url)
	stream, err := c.Follow(t.Context(), connect.NewRequest(&consolev1.FollowRequest{From: 0}))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	m.duty(t, "3")
	for stream.Receive() {
		for _, key := range stream.Msg().Objects {
			if key == "catalogue/duty/"+m.code+":3" {
				return
			}
		}
	}
	t.Errorf("the stream ended: %v", stream.Err())
}

// TestSeatsOnlyForOwnPages: another site's page in the same browser gets no seat.
func TestSeatsOnlyForOwnPages(t *testing.T) {
	m := start(t)
	c := consolev1connect.NewConsoleServiceClient(http.DefaultClient, m.url)
	for _, origin := range []string{"", "https://evil.example", m.url + ".evil.example"} {
		req := connect.NewRequest(&consolev1.TakeSeatRequest{Seat: "steward"})
		if origin != "" {
			req.Header().Set("Origin", origin)
		}
		if _, err := c.TakeSeat(t.Context(), req); !fault.Is(wire.Fault(err), fault.Forbidden) {
			t.Errorf("from %q: %v", origin, err)
		}
	}
	req := connect.NewRequest(&consolev1.TakeSeatRequest{Seat: "steward"})
	req.Header().Set("Origin", m.url)
	if _, err := c.TakeSeat(t.Context(), req); !fault.Is(wire.Fault(err), fault.NotFound) {
		t.Errorf("a server that gives no seats: %v", err)
	}
	var _ server.Seats = (*server.Setup)(nil)
}
