package gateway_test

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"testing"

	rpc "connectrpc.com/connect"
	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/proto"

	"mulian/client/prooffile"
	"mulian/gateway"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// TestUsage: an owner with the key of his record sees who asked for it, page by page, and
// finds each access in the public log himself; without the key he sees nothing.
func TestUsage(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(10)
	door := w.open(w.planningConfig())
	tap := w.open(w.waterConfig())
	w.publish(door)
	agreement := w.agree(byQuery, nil)
	for _, key := range []string{"P0000001", "P0000002", "P0000001"} {
		if _, err := tap.Query(t.Context(), agreement, w.entry, nil, 0, no(key)); err != nil {
			t.Fatal(err)
		}
	}
	ctl := gateway.Control(w.planningConfig().Home)
	given, err := ctl.UsageKey(t.Context(), rpc.NewRequest(&gatewayv1.UsageKeyRequest{Entry: w.entry, Where: []*gatewayv1.KeyValue{no("P0000001")}}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = ctl.UsageKey(t.Context(), rpc.NewRequest(&gatewayv1.UsageKeyRequest{Entry: w.entry}))
	want(t, fault.Malformed, wire.Fault(err))

	type answer struct {
		Complete struct{ From, To, Size uint64 }
		Next     uint64
		Usages   []struct {
			Receiver, Action, Outcome string
			Number, Leaf              uint64
		}
	}
	get := func(path, key string) (int, *answer) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+door.Addr()+"/usage/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if key != "" {
			req.Header.Set("Authorization", "Bearer "+key)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		a := &answer{}
		if err := json.NewDecoder(res.Body).Decode(a); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, a
	}
	mine := hex.EncodeToString(given.Msg.GetKey())
	status, a := get("findUsage", mine)
	if status != http.StatusOK || len(a.Usages) != 2 || a.Next != 0 || a.Complete.To != 6 || a.Usages[1].Number != 3 || a.Usages[0].Receiver != w.water.Account || a.Usages[0].Action != "排水许可审批" {
		t.Errorf("%d %+v", status, a)
	}
	w.eventually("the log is published", func() bool { n, _ := door.Records().Integrated(); return n == 6 })
	log := prooffile.NewTiles("http://" + door.Addr() + "/log/")
	for _, u := range a.Usages {
		var raw []byte
		w.eventually("the record is in the public log", func() bool { raw, err = log.Leaf(t.Context(), u.Leaf); return err == nil })
		r := &tracev1.AccessRecord{}
		if err := proto.Unmarshal(raw, r); err != nil || string(r.GetSubject()) != string(given.Msg.GetSubject()) {
			t.Errorf("record %d: %v", u.Leaf, err)
		}
	}
	if _, a = get("findUsage?limit=1", mine); len(a.Usages) != 1 || a.Next != 2 {
		t.Errorf("the first page: %+v", a)
	}
	if _, a = get("findUsage?limit=1&offset=2", mine); len(a.Usages) != 1 || a.Usages[0].Number != 3 || a.Complete.From != 2 {
		t.Errorf("the second page: %+v", a)
	}
	if _, a = get("findUsage", hex.EncodeToString(given.Msg.GetSubject())); len(a.Usages) != 0 {
		t.Errorf("by the public pseudonym: %+v", a)
	}
	for path, want := range map[string]int{"findUsage?limit=0": 400, "findUsage?offset=x": 400, "findUsage?offset=99": 200, "heartbeat": 200, "usagePeriod": 200} {
		if status, _ = get(path, mine); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
	if status, _ = get("findUsage", ""); status != http.StatusUnauthorized {
		t.Errorf("without a key: %d", status)
	}
	res, err := http.Get("http://" + door.Addr() + "/usage/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var api struct{ Paths map[string]any }
	if err := yaml.NewDecoder(res.Body).Decode(&api); err != nil || api.Paths["/usage/findUsage"] == nil {
		t.Errorf("the description: %v %v", err, api)
	}
}
