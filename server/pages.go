package server

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"

	"mulian/console"
)

// pages gives out the console and the safe box. A file is read and hashed when it is first
// asked for, and compressed then: at start nothing of it costs time.
type pages struct {
	files fs.FS
	build string

	mu   sync.Mutex // guards kept
	kept map[string]*pageFile
}

// pageFile is one embedded file with what HTTP needs of it.
type pageFile struct {
	raw  []byte
	tag  string // strong, of the bytes as they stand
	kind string // content type

	once    sync.Once
	gzipped []byte // nil if that is no smaller
}

// placeholders in the two HTML files, replaced in each answer.
const (
	nonceMark = "__NONCE__"
	buildMark = "__BUILD__"
)

// leastGzip is the size from which a file is compressed: below, it is one packet anyway.
const leastGzip = 1 << 10

func newPages() *pages {
	return &pages{files: console.Files, build: console.Build(), kept: map[string]*pageFile{}}
}

// there reports whether the program was built with pages.
func (p *pages) there() bool { return p.build != "none" }

// file returns an embedded file, nil if there is none of that name.
func (p *pages) file(name string) *pageFile {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f, ok := p.kept[name]; ok {
		return f
	}
	raw, err := fs.ReadFile(p.files, name)
	if err != nil {
		return nil // not kept: names are what strangers type
	}
	sum := sha256.Sum256(raw)
	kind := mime.TypeByExtension(path.Ext(name))
	if kind == "" {
		kind = "application/octet-stream"
	}
	f := &pageFile{raw: raw, tag: hex.EncodeToString(sum[:16]), kind: kind}
	p.kept[name] = f
	return f
}

// packed returns the compressed bytes, or nil if compressing is of no use.
func (f *pageFile) packed() []byte {
	f.once.Do(func() {
		if len(f.raw) < leastGzip || strings.HasPrefix(f.kind, "image/png") {
			return
		}
		var out bytes.Buffer
		w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
		if err != nil {
			return
		}
		if _, err := w.Write(f.raw); err != nil || w.Close() != nil || out.Len() >= len(f.raw) {
			return
		}
		f.gzipped = out.Bytes()
	})
	return f.gzipped
}

// asset gives out a file below assets/ or one of the few at the root.
func (p *pages) asset(w http.ResponseWriter, r *http.Request, f *pageFile) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "no-cache") // ask each time: names carry no hashes, and most answers are 304
	h.Set("Vary", "Accept-Encoding")
	body, tag := f.raw, `"`+f.tag+`"`
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		if packed := f.packed(); packed != nil {
			body, tag = packed, `"`+f.tag+`-gz"`
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(body)
}

// html gives out one of the two entries with a fresh nonce.
func (p *pages) html(w http.ResponseWriter, f *pageFile) {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	nonce := base64.RawURLEncoding.EncodeToString(random[:])
	body := bytes.ReplaceAll(f.raw, []byte(nonceMark), []byte(nonce))
	body = bytes.ReplaceAll(body, []byte(buildMark), []byte(p.build))
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy(nonce))
	h.Set("Permissions-Policy", "camera=(self), geolocation=(), microphone=(), payment=(), publickey-credentials-get=(self), publickey-credentials-create=(self)")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	_, _ = w.Write(body)
}

// policy is what the pages may load: their own files, and styles that carry the nonce.
func policy(nonce string) string {
	return "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self' 'nonce-" + nonce +
		"'; img-src 'self' data: blob:; font-src 'self'; media-src 'self' blob:; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
}

// ServeHTTP gives out files by their names, box.html under /box, and index.html for every
// other path that a person may have typed: the page itself says which it knows.
func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "405 method not allowed", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	if ext := path.Ext(name); ext != "" && ext != ".html" {
		if f := p.file(name); f != nil {
			p.asset(w, r, f)
			return
		}
		if strings.HasPrefix(name, "assets/") || !strings.Contains(name, "/") {
			http.NotFound(w, r)
			return
		}
	}
	entry := "index.html"
	if name == "box" || strings.HasPrefix(name, "box/") {
		entry = "box.html"
	}
	f := p.file(entry)
	if f == nil || strings.HasPrefix(name, "mulian.") || strings.HasPrefix(name, "assets/") || strings.HasPrefix(name, "api/") {
		http.NotFound(w, r)
		return
	}
	p.html(w, f)
}

// version answers GET /api/version, by which an open page learns that it is an old one.
func (s *Server) version(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(map[string]string{"version": s.opts.Version, "build": s.pages.build})
}
