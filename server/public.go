package server

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"mulian/client/sentence"
	credentialv1 "mulian/gen/mulian/credential/v1"
	evidencev1 "mulian/gen/mulian/evidence/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
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
	case c.Key == "":
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
	Lines              []string
	Steps              []*tracev1.TraceStep
	TxHeight, TxTimeMs int64
}

// T returns the text in the page's language.
func (p publicContent) T(zh, en string) string {
	if p.Zh {
		return zh
	}
	return en
}

// public are the tables whose objects have such a page, with their words.
var public = []struct {
	table, zh, en string
	make          func() proto.Message
}{
	{index.Evidence, "存证", "evidence", func() proto.Message { return &evidencev1.Evidence{} }},
	{index.Credential, "凭证", "credential", func() proto.Message { return &credentialv1.Credential{} }},
	{index.Grant, "授权", "grant", func() proto.Message { return &grantv1.Grant{} }},
	{index.DataRequest, "用数请求", "data request", func() proto.Message { return &grantv1.DataRequest{} }},
	{index.Agreement, "共享协议", "agreement", func() proto.Message { return &sharev1.Agreement{} }},
	{index.Request, "共享申请", "request", func() proto.Message { return &sharev1.Request{} }},
	{index.Proposal, "表决", "proposal", func() proto.Message { return &governancev1.Proposal{} }},
}

// look finds what the id names; c.Key stays empty if nothing has it.
func (s *Server) look(ctx context.Context, lang sentence.Language, c *publicContent) error {
	if c.ID == "" || len(c.ID) > maxKey {
		return nil
	}
	s.fresh(ctx)
	if raw, err := hex.DecodeString(strings.TrimPrefix(c.ID, "0x")); err == nil && len(raw) == txIDSize {
		if tx, err := s.chain.Tx(ctx, raw); err == nil {
			told, body := teller{lang, s.people(ctx)}.transaction(tx.GetEnvelope(), tx.GetOutcome())
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
		m := p.make()
		if err := decode(res.GetValue(), m); err != nil {
			return err
		}
		c.Key, c.Kind = key, c.T(p.zh, p.en)
		return c.object(ctx, s, lang, m)
	}
	return nil
}

// object fills in the state and what happened to it.
func (c *publicContent) object(ctx context.Context, s *Server, lang sentence.Language, m proto.Message) error {
	r := m.ProtoReflect()
	if f := r.Descriptor().Fields().ByName("state"); f != nil && f.Enum() != nil {
		if v := f.Enum().Values().ByNumber(r.Get(f).Enum()); v != nil {
			name := string(v.Name())
			c.State = name
			for _, end := range []string{"REVOKED", "VOIDED", "EXPIRED", "REFUSED", "ENDED", "SUSPENDED", "PAUSED", "WITHDRAWN", "DECLINED"} {
				c.Bad = c.Bad || strings.HasSuffix(name, end)
			}
		}
	}
	steps, _, _, err := s.index.Trace(ctx, c.Key, true, -1, 50)
	if err != nil {
		return err
	}
	names := s.names(ctx)
	for _, st := range steps {
		c.Steps = append(c.Steps, &tracev1.TraceStep{Seq: st.Seq, Event: st.Event, Title: sentence.EventNamed(lang, st.Event, names)})
	}
	return c.json(m)
}

func (c *publicContent) json(m proto.Message) error {
	raw, err := protojson.MarshalOptions{UseProtoNames: true, Multiline: true}.Marshal(m)
	c.JSON = string(raw)
	return err
}
