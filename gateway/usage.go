package gateway

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	rpc "connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/gateway/deliver"
	"mulian/gateway/receipt"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// Bounds of the usage service. Our own choice.
const (
	usageDefault = 100
	usageMost    = 1000
	usageScan    = 20_000 // records that one question looks at: some 100 ms
	usageAtOnce  = 2      // questions; more are told to ask again
	usageWhere   = 16
)

//go:embed usage.yaml
var usageAPI []byte

// usages answers data owners: who asked for my record. The names are those of Estonia's
// data tracker (findUsage, usagePeriod, heartbeat); usage.yaml describes it.
type usages struct {
	g     *Gateway
	turns chan struct{}
}

func (g *Gateway) usages() http.Handler {
	u := &usages{g: g, turns: make(chan struct{}, usageAtOnce)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /usage/heartbeat", u.heartbeat)
	mux.HandleFunc("GET /usage/usagePeriod", u.period)
	mux.HandleFunc("GET /usage/findUsage", u.find)
	mux.HandleFunc("GET /usage/openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		w.Write(usageAPI)
	})
	return mux
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller has gone
}

func refuseJSON(w http.ResponseWriter, status int, text string) {
	answerJSON(w, status, map[string]string{"error": text})
}

func moment(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }

func (u *usages) heartbeat(w http.ResponseWriter, _ *http.Request) {
	status := "OK"
	if !u.g.Status().OK {
		status = "TROUBLE"
	}
	answerJSON(w, http.StatusOK, map[string]string{"status": status, "gateway": u.g.cfg.Account, "time": moment(time.Now().UnixMilli())})
}

func (u *usages) period(w http.ResponseWriter, _ *http.Request) {
	size := u.g.records.Size()
	out := map[string]any{"gateway": u.g.cfg.Account, "records": size}
	if size > 0 {
		first, err := u.g.records.Record(0)
		last, lastErr := u.g.records.Record(size - 1)
		if err != nil || lastErr != nil {
			refuseJSON(w, http.StatusInternalServerError, "the log cannot be read")
			return
		}
		out["from"], out["to"] = moment(first.Record.GetAtMs()), moment(last.Record.GetAtMs())
	}
	answerJSON(w, http.StatusOK, out)
}

// usage is one access, as its owner sees it.
type usage struct {
	LogTime   string   `json:"logTime"`
	Action    string   `json:"action"`
	Receiver  string   `json:"receiver"`
	Sender    string   `json:"sender"`
	Entry     string   `json:"entry"`
	Items     []string `json:"items"`
	Agreement string   `json:"agreement"`
	Number    uint64   `json:"number"`
	Outcome   string   `json:"outcome"`
	Leaf      uint64   `json:"leaf"`
	// Of one that was or is secret by an order: until when, or since when it is open.
	SealedUntil string `json:"sealedUntil,omitempty"`
	OpenedTime  string `json:"openedTime,omitempty"`
}

// found is the answer of findUsage.
type found struct {
	Gateway  string   `json:"gateway"`
	Subject  string   `json:"subject"`
	Complete complete `json:"complete"`
	Next     uint64   `json:"next,omitempty"`
	Usages   []usage  `json:"usages"`
	// Sealed are the accesses among these records that are secret by an order: to whose
	// record they were, nobody is told before the date.
	Sealed []withheld `json:"sealed,omitempty"`
}

// withheld is how many accesses under one agreement are secret by one order.
type withheld struct {
	Agreement string `json:"agreement"`
	Order     uint64 `json:"order"`
	Until     string `json:"until"`
	Count     uint64 `json:"count"`
}

// complete says among which records the accesses are all.
type complete struct {
	From     uint64 `json:"from"`
	To       uint64 `json:"to"`
	Size     uint64 `json:"size"`
	Anchored uint64 `json:"anchored"`
	Height   int64  `json:"height"`
}

// find lists the accesses to the record whose usage key the caller has.
func (u *usages) find(w http.ResponseWriter, r *http.Request) {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	key, err := hex.DecodeString(token)
	if !bearer || err != nil || len(key) != 32 {
		w.Header().Set("WWW-Authenticate", "Bearer")
		refuseJSON(w, http.StatusUnauthorized, "a usage key of 64 hexadecimal digits is needed")
		return
	}
	offset, err := number(r, "offset", 0)
	limit, limitErr := number(r, "limit", usageDefault)
	if err != nil || limitErr != nil || limit == 0 || limit > usageMost {
		refuseJSON(w, http.StatusBadRequest, "offset and limit are numbers, limit 1 to 1000")
		return
	}
	select {
	case u.turns <- struct{}{}:
		defer func() { <-u.turns }()
	default:
		w.Header().Set("Retry-After", "1")
		refuseJSON(w, http.StatusServiceUnavailable, "too many ask at once")
		return
	}
	out, err := u.list(deliver.SubjectOf(key), offset, int(limit))
	if err != nil {
		u.g.log.Error("usage cannot be read", "err", err)
		refuseJSON(w, http.StatusInternalServerError, "the log cannot be read")
		return
	}
	answerJSON(w, http.StatusOK, out)
}

func number(r *http.Request, name string, otherwise uint64) (uint64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	return strconv.ParseUint(text, 10, 53)
}

// list looks at the records from offset on: until limit accesses are found, usageScan
// records are looked at, or the log ends.
func (u *usages) list(subject []byte, offset uint64, limit int) (*found, error) {
	head, _, _ := u.g.anchor.Status()
	size := u.g.records.Size()
	out := &found{Gateway: u.g.cfg.Account, Subject: hex.EncodeToString(subject), Usages: []usage{}}
	out.Complete = complete{From: min(offset, size), To: min(offset, size), Size: size, Anchored: head.GetSize(), Height: head.GetHeight()}
	var failed error
	err := u.g.records.Each(out.Complete.From, func(e receipt.Entry) bool {
		if e.Index >= size || len(out.Usages) >= limit || e.Index-out.Complete.From >= usageScan {
			return false
		}
		out.Complete.To = e.Index + 1
		if failed = u.look(out, e, subject); failed != nil {
			return false
		}
		return true
	})
	if out.Complete.To < size {
		out.Next = out.Complete.To
	}
	return out, cmp.Or(err, failed)
}

// look takes a record into the answer if it is of the subject. Of a secret one the answer
// has what everybody can see in the log: that there is one, and until when; its subject
// only if the order leaves that open. It is shown where it is opened.
func (u *usages) look(out *found, e receipt.Entry, subject []byte) error {
	seen := e.Record
	if sealed := e.Record.GetSealed(); sealed != nil {
		seen = &tracev1.AccessRecord{}
		if err := proto.Unmarshal(e.Raw, seen); err != nil {
			return fault.Wrap(fault.Damaged, err, "record %d", e.Index)
		}
		switch {
		case seen.GetOutcome() == tracev1.Outcome_OUTCOME_OPENED:
			return u.opened(out, e, subject)
		case !u.g.records.IsSecret(e.Index + 1):
			return nil // open by now, and found where it was opened
		case seen.GetOutcome() == tracev1.Outcome_OUTCOME_GRANTED || seen.GetOutcome() == tracev1.Outcome_OUTCOME_REFUSED:
			out.withhold(seen)
		}
	}
	if seen.GetOutcome() == tracev1.Outcome_OUTCOME_GRANTED || !bytes.Equal(seen.GetSubject(), subject) {
		return nil
	}
	x := usageOf(seen, e.Index)
	if s := seen.GetSealed(); s != nil {
		x.SealedUntil, x.Receiver, x.Items = moment(s.GetUnsealMs()), "", []string{}
	}
	out.Usages = append(out.Usages, x)
	return nil
}

// opened takes the access that a record opens.
func (u *usages) opened(out *found, e receipt.Entry, subject []byte) error {
	was, err := u.g.records.Record(e.Record.GetSealed().GetOpening().GetPlace() - 1)
	if err != nil {
		return err
	}
	if was.Record.GetOutcome() != tracev1.Outcome_OUTCOME_GRANTED && bytes.Equal(was.Record.GetSubject(), subject) {
		x := usageOf(was.Record, was.Index)
		x.OpenedTime = moment(e.Record.GetAtMs())
		out.Usages = append(out.Usages, x)
	}
	return nil
}

// withhold counts a secret access.
func (f *found) withhold(r *tracev1.AccessRecord) {
	for i := range f.Sealed {
		if w := &f.Sealed[i]; w.Agreement == r.GetAgreement() && w.Order == r.GetSealed().GetOrder() {
			w.Count++
			w.Until = max(w.Until, moment(r.GetSealed().GetUnsealMs()))
			return
		}
	}
	f.Sealed = append(f.Sealed, withheld{Agreement: r.GetAgreement(), Order: r.GetSealed().GetOrder(), Until: moment(r.GetSealed().GetUnsealMs()), Count: 1})
}

func usageOf(r *tracev1.AccessRecord, leaf uint64) usage {
	return usage{
		LogTime: moment(r.GetAtMs()), Action: r.GetPurpose(), Receiver: orgOf(r.GetAsker()), Sender: orgOf(r.GetGateway()), Entry: r.GetEntry(),
		Items: append([]string{}, r.GetItems()...), Agreement: r.GetAgreement(), Number: r.GetSeq(),
		Outcome: strings.ToLower(strings.TrimPrefix(r.GetOutcome().String(), "OUTCOME_")), Leaf: leaf,
	}
}

func orgOf(gateway string) string {
	org, _, _ := strings.Cut(gateway, "/")
	return org
}

// UsageKey makes a usage key for the department's own program, which has identified the
// data owner.
func (c controlAPI) UsageKey(_ context.Context, req *rpc.Request[gatewayv1.UsageKeyRequest]) (*rpc.Response[gatewayv1.UsageKeyResponse], error) {
	if n := len(req.Msg.GetWhere()); n == 0 || n > usageWhere || req.Msg.GetEntry() == "" {
		return nil, wire.Error(fault.Newf(fault.Malformed, "an entry, and 1 to %d conditions", usageWhere))
	}
	key := c.g.provider.UsageKey(req.Msg.GetEntry(), req.Msg.GetWhere())
	return rpc.NewResponse(&gatewayv1.UsageKeyResponse{Key: key, Subject: deliver.SubjectOf(key), Url: "http://" + c.g.Addr() + "/usage/"}), nil
}
