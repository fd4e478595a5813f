package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"sync"

	"github.com/goccy/go-yaml"

	"mulian/client/sentence"
	"mulian/gen/openapi"
	"mulian/internal/fault"
)

// document is the OpenAPI document as JSON, for pages and for tools that read no YAML: the
// same bytes in the same order, made when it is first asked for.
var document = sync.OnceValues(func() (*pageFile, error) {
	raw, err := yaml.YAMLToJSON(openapi.Document)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Compact(&out, raw); err != nil {
		return nil, err
	}
	return jsonFile(out.Bytes()), nil
})

// jsonFile is a document of this server's own that is served as its files are.
func jsonFile(raw []byte) *pageFile {
	sum := sha256.Sum256(raw)
	return &pageFile{raw: raw, tag: hex.EncodeToString(sum[:16]), kind: "application/json; charset=utf-8"}
}

// openAPI answers GET /openapi.json.
func (s *Server) openAPI(w http.ResponseWriter, r *http.Request) {
	f, err := document()
	if err != nil {
		s.log.Error("openapi document", "err", err) // ours: a test reads it
		http.Error(w, "500 the document cannot be read", http.StatusInternalServerError)
		return
	}
	s.pages.asset(w, r, f)
}

// codeText is one code as the list of all codes has it.
type codeText struct {
	Code  string `json:"code"`
	Name  string `json:"name"`
	Title string `json:"title"`
	Fix   string `json:"fix"`
}

// codes answers GET /api/codes: every code that a call may be refused with, and what to do.
// ?lang=zh or en, else the browser's language.
func (s *Server) codes(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.Query().Get("lang")
	if asked == "" {
		asked = r.Header.Get("Accept-Language")
	}
	zh := sentence.Accept(asked) == sentence.Chinese
	all := fault.All()
	out := make([]codeText, len(all))
	for i, t := range all {
		out[i] = codeText{Code: t.Code.String(), Name: t.Name, Title: t.TitleEn, Fix: t.FixEn}
		if zh {
			out[i].Title, out[i].Fix = t.TitleZh, t.FixZh
		}
	}
	raw, err := json.Marshal(out)
	if err != nil {
		http.Error(w, "500", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Language", map[bool]string{true: "zh", false: "en"}[zh])
	s.pages.asset(w, r, jsonFile(raw))
}
