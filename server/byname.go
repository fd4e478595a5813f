package server

import (
	"bytes"
	_ "embed"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"mulian/client/sentence"
)

//go:embed byname.html
var byNameSource string

var byNameTemplate = template.Must(template.New("byname").Parse(byNameSource))

// byNameContent is the page for who came by an address.
type byNameContent struct {
	Zh        bool
	Host      string   // as it was typed
	Pages     []string // the same page under its names
	Authority bool     // of our own: it can be fetched
}

// T returns the text in the page's language.
func (c byNameContent) T(zh, en string) string {
	if c.Zh {
		return zh
	}
	return en
}

// Origins are where people open the pages; none: anywhere.
func (s *Server) Origins() []string { return slices.Clone(s.opts.Origins) }

// hostOf is the host of a request without its port.
func hostOf(r *http.Request) string {
	if h, _, err := net.SplitHostPort(r.Host); err == nil {
		return h
	}
	return strings.Trim(r.Host, "[]")
}

// byName gives out the pages only under the names of [Options.Origins]: who comes by an
// address reads why that cannot be, and where they are; who comes to a name without TLS that
// has it is sent there. Files and calls are answered under each.
func (s *Server) byName(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := hostOf(r)
		switch ext := path.Ext(r.URL.Path); {
		case len(s.opts.Origins) == 0 || ext != "" && ext != ".html" || r.Method != http.MethodGet && r.Method != http.MethodHead:
		case net.ParseIP(host) != nil:
			s.explainNames(w, r)
			return
		case r.TLS == nil:
			for _, origin := range s.opts.Origins {
				if u, err := url.Parse(origin); err == nil && u.Scheme == "https" && u.Hostname() == strings.ToLower(host) {
					http.Redirect(w, r, origin+r.URL.RequestURI(), http.StatusTemporaryRedirect)
					return
				}
			}
		}
		next.ServeHTTP(w, r)
	})
}

// explainNames says in place of a page why it is not given out under an address.
func (s *Server) explainNames(w http.ResponseWriter, r *http.Request) {
	lang := sentence.Accept(r.Header.Get("Accept-Language"))
	if q := r.URL.Query().Get("lang"); q != "" {
		lang = sentence.Accept(q)
	}
	c := byNameContent{Zh: lang == sentence.Chinese, Host: r.Host, Authority: s.opts.Authority != nil}
	where := (&url.URL{Path: r.URL.Path}).EscapedPath()
	for _, origin := range s.opts.Origins {
		if page := origin + where; !slices.Contains(c.Pages, page) {
			c.Pages = append(c.Pages, page)
		}
	}
	var out bytes.Buffer
	if err := byNameTemplate.Execute(&out, c); err != nil {
		s.log.Error("page of the names", "error", err)
		http.Error(w, "page", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	w.WriteHeader(http.StatusMisdirectedRequest)
	_, _ = w.Write(out.Bytes())
}

// authority gives out the certificate of this server's own authority, for devices that are to
// trust it. Its fingerprint has to come by another way: mulian node cert.
func (s *Server) authority(w http.ResponseWriter, r *http.Request) {
	if s.opts.Authority == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/x-x509-ca-cert")
	w.Header().Set("Content-Disposition", `attachment; filename="mulian-ca.crt"`)
	_, _ = w.Write(s.opts.Authority)
}
