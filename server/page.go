package server

import (
	"bytes"
	"context"
	_ "embed"
	"html/template"
	"net/http"
	"time"

	"mulian/client/sentence"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
)

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"time": beijingTime,
}).Parse(pageSource))

// beijing is the one time zone of the pages: UTC+8, without summer time.
var beijing = time.FixedZone("UTC+8", 8*3600)

// beijingTime is how pages write a moment.
func beijingTime(ms int64) string {
	return time.UnixMilli(ms).In(beijing).Format("2006-01-02 15:04:05")
}

type pageContent struct {
	Zh     bool
	Status *ledgerv1.GetStatusResponse
	Counts *cataloguev1.CountResponse
	Steps  []*tracev1.TraceStep
}

// T returns the text in the page's language.
func (p pageContent) T(zh, en string) string {
	if p.Zh {
		return zh
	}
	return en
}

// page shows how the node is, in the language that the browser asks for or that
// ?lang= names. It has no script and works without one.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	lang := sentence.Accept(r.Header.Get("Accept-Language"))
	if q := r.URL.Query().Get("lang"); q != "" {
		lang = sentence.Accept(q)
	}
	c := pageContent{Zh: lang == sentence.Chinese}
	var err error
	if c.Status, err = s.status(r.Context()); err == nil {
		c.Counts, err = s.counts(r.Context())
	}
	if err == nil {
		c.Steps, err = s.latest(r.Context(), lang)
	}
	if err != nil {
		s.log.Error("status page", "error", err)
		http.Error(w, c.T("节点没有应答，请稍后再试", "the node does not answer; try again"), http.StatusServiceUnavailable)
		return
	}
	var out bytes.Buffer
	if err := pageTemplate.Execute(&out, c); err != nil {
		s.log.Error("status page", "error", err)
		http.Error(w, "page", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
	_, _ = w.Write(out.Bytes())
}

// latest returns the newest events as sentences, without the gateways' signs of
// life, which would fill the list.
func (s *Server) latest(ctx context.Context, lang sentence.Language) ([]*tracev1.TraceStep, error) {
	steps, err := s.index.Latest(ctx, 12, "trace/anchor_head")
	if err != nil {
		return nil, err
	}
	names := s.names(ctx)
	var out []*tracev1.TraceStep
	for _, st := range steps {
		out = append(out, &tracev1.TraceStep{Seq: st.Seq, Event: st.Event, Title: sentence.EventNamed(lang, st.Event, names)})
	}
	return out, nil
}
