package server

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"mulian/client/sentence"
	credentialv1 "mulian/gen/mulian/credential/v1"
	evidencev1 "mulian/gen/mulian/evidence/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/index"
)

//go:embed public.html
var publicSource string

var publicTemplate = template.Must(template.New("public").Funcs(template.FuncMap{
	"time": beijingTime,
}).Parse(publicSource))

// publicPage shows to anybody, without script and without an account, whether the ledger
// has what a printed code names: evidence, a credential, a receipt's grant, an agreement, a
// transaction. It shows nothing that is not on the ledger, and says how to check it without
// this server.
func (s *Server) publicPage(w http.ResponseWriter, r *http.Request) {
	lang := sentence.Accept(r.Header.Get("Accept-Language"))
	if q := r.URL.Query().Get("lang"); q != "" {
		lang = sentence.Accept(q)
	}
	id := strings.Trim(r.PathValue("id"), "/ ")
	c := publicContent{Zh: lang == sentence.Chinese, ID: id}
	c.copyQuery(r)
	status := http.StatusOK
	st, err := s.status(r.Context())
	if err == nil {
		c.Chain, c.Height, c.TimeMs, c.Genesis = st.GetChainId(), st.GetHeight(), st.GetTimeMs(), hex.EncodeToString(st.GetGenesisHash())
		err = s.look(r.Context(), lang, &c)
	}
	switch {
	case err != nil:
		s.log.Error("public page", "error", err)
		status, c.Down = http.StatusServiceUnavailable, true
	case c.Key == "" && c.ID != "":
		status = http.StatusNotFound
	}
	var out bytes.Buffer
	if err := publicTemplate.Execute(&out, c); err != nil {
		s.log.Error("public page", "error", err)
		http.Error(w, "page", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes())
}

// publicContent is what the page shows.
type publicContent struct {
	Zh, Down           bool
	ID, Key, Kind      string
	Chain, Genesis     string
	Height, TimeMs     int64
	State, JSON        string
	Bad                bool // it does not hold any more
	Parties            bool // only its parties may know more
	Lines              []string
	Steps              []*tracev1.TraceStep
	TxHeight, TxTimeMs int64
	Copy               *copyContent // of an annotated copy

	presenter string
}

// T returns the text in the page's language.
func (p publicContent) T(zh, en string) string {
	if p.Zh {
		return zh
	}
	return en
}

// public are the tables whose objects have such a page, with their words, and the field of
// the first moment at which one no longer holds, whatever its state; 0 there = no end. Of one
// that is for its parties alone (make is nil) the page says that the ledger has it, and
// nothing else.
var public = []struct {
	table, zh, en string
	make          func() proto.Message
	ends          protoreflect.Name
}{
	{index.Evidence, "存证", "evidence", func() proto.Message { return &evidencev1.Evidence{} }, ""},
	{index.Credential, "凭证", "credential", func() proto.Message { return &credentialv1.Credential{} }, "expires_ms"},
	{index.Grant, "授权", "grant", nil, ""},
	{index.DataRequest, "用数请求", "data request", nil, ""},
	{index.Agreement, "共享协议", "agreement", func() proto.Message { return &sharev1.Agreement{} }, "ends_ms"},
	{index.Request, "共享申请", "request", func() proto.Message { return &sharev1.Request{} }, ""},
	{index.Proposal, "表决", "proposal", func() proto.Message { return &governancev1.Proposal{} }, ""},
}

// holding are the ends of the states in which an object holds, or is on its way; a state that
// is new one day does not until somebody has listed it.
var holding = []string{
	"_VALID", "_ACTIVE", "_RECEIVED", "_INCOMPLETE", "_ACCEPTED", "_OFFERED", "_AMENDING", "_RENEWING", "_ENDING", "_OPEN",
}

// look finds what the id names; c.Key stays empty if nothing has it.
func (s *Server) look(ctx context.Context, lang sentence.Language, c *publicContent) error {
	if c.ID == "" || len(c.ID) > maxKey {
		return nil
	}
	s.fresh(ctx)
	if found, err := s.lookCopy(ctx, c); found || err != nil {
		return err
	}
	if raw, err := hex.DecodeString(strings.TrimPrefix(c.ID, "0x")); err == nil && len(raw) == txIDSize {
		if tx, err := s.chain.Tx(ctx, raw); err == nil {
			told, body := teller{lang: lang, names: s.people(ctx)}.transaction(tx.GetEnvelope(), tx.GetOutcome())
			c.Key, c.Kind, c.Lines, c.TxHeight, c.TxTimeMs = "tx/"+hex.EncodeToString(raw), c.T("交易", "transaction"), told.Lines, tx.GetHeight(), tx.GetTimeMs()
			c.State, c.Bad = told.Refusal, told.Refusal != ""
			return c.json(body)
		}
	}
	for _, p := range public {
		key := p.table + strings.TrimPrefix(c.ID, p.table)
		if _, err := s.index.Resolve(ctx, key); err != nil {
			continue
		}
		res, err := s.chain.Object(ctx, key, 0, false)
		if err != nil || !res.GetFound() {
			continue
		}
		if p.make == nil {
			c.Key, c.Kind, c.Parties = key, c.T(p.zh, p.en), true
			return nil
		}
		m := p.make()
		if err := decode(res.GetValue(), m); err != nil {
			return err
		}
		c.Key, c.Kind = key, c.T(p.zh, p.en)
		return c.object(ctx, s, lang, m, p.ends)
	}
	return nil
}

// object fills in the state and what happened to it.
func (c *publicContent) object(ctx context.Context, s *Server, lang sentence.Language, m proto.Message, ends protoreflect.Name) error {
	c.State, c.Bad = standsAs(m, ends, c.TimeMs)
	steps, _, _, err := s.index.Trace(ctx, c.Key, true, -1, 50)
	if err != nil {
		return err
	}
	names := s.namesOf(ctx, steps)
	for _, st := range steps {
		c.Steps = append(c.Steps, &tracev1.TraceStep{Seq: st.Seq, Event: st.Event, Title: sentence.EventNamed(lang, st.Event, names)})
	}
	return c.json(m)
}

// standsAs returns the name of an object's state, and whether it no longer holds.
func standsAs(m proto.Message, ends protoreflect.Name, nowMs int64) (state string, over bool) {
	r := m.ProtoReflect()
	fields := r.Descriptor().Fields()
	if f := fields.ByName("state"); f != nil {
		over = true // of a state that this program does not know
		if v := f.Enum().Values().ByNumber(r.Get(f).Enum()); v != nil {
			state = string(v.Name())
			over = !slices.ContainsFunc(holding, func(end string) bool { return strings.HasSuffix(state, end) })
		}
	}
	if f := fields.ByName(ends); f != nil && !over {
		if end := r.Get(f).Int(); end != 0 && nowMs >= end {
			return "EXPIRED", true
		}
	}
	return state, over
}

func (c *publicContent) json(m proto.Message) error {
	raw, err := protojson.MarshalOptions{UseProtoNames: true, Multiline: true}.Marshal(m)
	c.JSON = string(raw)
	return err
}
