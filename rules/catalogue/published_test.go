package catalogue_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
	"mulian/rules/catalogue"
	"mulian/rules/towntest"
)

// asPublished fills the fields 30 to 37.
func asPublished(e *cataloguev1.Entry) {
	e.Keywords = []string{"不动产", "登记"}
	e.Resources = []*cataloguev1.Resource{
		{Title: "2025年", Url: "https://data.example.cn/files/1.csv?v=2", Format: "CSV", MediaType: "text/csv", Bytes: 12, Modified: "2025-12-31"},
		{Title: "接口", Url: "http://10.0.0.1:8080/api", Format: "JSON", Api: true},
	}
	e.Licence, e.Issued, e.Modified = "CC BY 4.0", "2024-02-29", "2026-03-01T08:00:00+08:00"
	e.LandingPage, e.Languages, e.Origin = "https://data.example.cn/不动产", []string{"zh-Hans-CN", "en"}, "urn:x:1"
}

// TestPublishedFields: what portals publish is checked field by field, and is content:
// it moves the hash and the version.
func TestPublishedFields(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	plain := catalogue.ContentHash(entry(w))
	w.Publish(asPublished)
	if e := entry(w); e.Version != 2 || catalogue.ContentHash(e) == plain || e.Resources[1].Api != true || e.Origin != "urn:x:1" {
		t.Fatalf("stored as %v", e)
	}
	w.Publish(asPublished)
	w.WantSilence()
	long := strings.Repeat("x", 2001)
	for _, tt := range []struct {
		name string
		want fault.Code
		edit func(*cataloguev1.Entry)
	}{
		{"51 keywords", fault.TooLong, func(e *cataloguev1.Entry) { e.Keywords = many(51) }},
		{"long keyword", fault.TooLong, func(e *cataloguev1.Entry) { e.Keywords[0] = long[:101] }},
		{"empty keyword", fault.Missing, func(e *cataloguev1.Entry) { e.Keywords[1] = "" }},
		{"201 resources", fault.TooLong, func(e *cataloguev1.Entry) {
			for len(e.Resources) <= catalogue.MaxResources {
				e.Resources = append(e.Resources, &cataloguev1.Resource{})
			}
		}},
		{"long title", fault.TooLong, func(e *cataloguev1.Entry) { e.Resources[1].Title = long[:501] }},
		{"long url", fault.TooLong, func(e *cataloguev1.Entry) { e.Resources[1].Url = "https://x/" + long }},
		{"no scheme", fault.Malformed, func(e *cataloguev1.Entry) { e.Resources[0].Url = "data.example.cn/1" }},
		{"script", fault.Malformed, func(e *cataloguev1.Entry) { e.Resources[0].Url = "javascript://x.cn/%0aalert(1)" }},
		{"no host", fault.Malformed, func(e *cataloguev1.Entry) { e.Resources[0].Url = "https:///1" }},
		{"port only", fault.Malformed, func(e *cataloguev1.Entry) { e.Resources[0].Url = "https://:80/1" }},
		{"user", fault.Malformed, func(e *cataloguev1.Entry) { e.Resources[0].Url = "https://bank.cn@evil.example/1" }},
		{"backslash", fault.Malformed, func(e *cataloguev1.Entry) { e.Resources[0].Url = `https://evil.example\.bank.cn/1` }},
		{"blank within", fault.Malformed, func(e *cataloguev1.Entry) { e.Resources[0].Url = "https://x.cn/a b" }},
		{"long format", fault.TooLong, func(e *cataloguev1.Entry) { e.Resources[0].Format = long[:101] }},
		{"long media type", fault.TooLong, func(e *cataloguev1.Entry) { e.Resources[0].MediaType = long[:201] }},
		{"resource date", fault.Malformed, func(e *cataloguev1.Entry) { e.Resources[0].Modified = "2025/12/31" }},
		{"long licence", fault.TooLong, func(e *cataloguev1.Entry) { e.Licence = long[:501] }},
		{"licence with a user", fault.Malformed, func(e *cataloguev1.Entry) { e.Licence = "https://a@b/" }},
		{"no such day", fault.Malformed, func(e *cataloguev1.Entry) { e.Issued = "2025-02-29" }},
		{"moment without zone", fault.Malformed, func(e *cataloguev1.Entry) { e.Modified = "2026-03-01T08:00:00" }},
		{"endless fraction", fault.Malformed, func(e *cataloguev1.Entry) { e.Modified = "2026-03-01T08:00:00." + strings.Repeat("0", 50) + "Z" }},
		{"landing page", fault.Malformed, func(e *cataloguev1.Entry) { e.LandingPage = "file:///etc/passwd" }},
		{"21 languages", fault.TooLong, func(e *cataloguev1.Entry) { e.Languages = many(21) }},
		{"no language", fault.Malformed, func(e *cataloguev1.Entry) { e.Languages[0] = "简体中文" }},
		{"language of one letter", fault.Malformed, func(e *cataloguev1.Entry) { e.Languages[0] = "z-CN" }},
		{"long origin", fault.TooLong, func(e *cataloguev1.Entry) { e.Origin = long[:501] }},
	} {
		e := w.Entry(asPublished)
		tt.edit(e)
		if code := w.Do(w.Provider, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{e}}); code != tt.want {
			t.Errorf("%s: %s (%s), want %s", tt.name, code, w.Text, tt.want)
		}
	}
	w.Publish(func(e *cataloguev1.Entry) { // at each bound it works
		asPublished(e)
		e.Keywords, e.Languages, e.Origin, e.Licence = many(50), nil, long[:500], "http://licence.example.cn/"
		for range 20 {
			e.Languages = append(e.Languages, "zh")
		}
		e.Resources = nil
		for range catalogue.MaxResources {
			e.Resources = append(e.Resources, &cataloguev1.Resource{Url: "FTP://x/"})
		}
		e.LandingPage = "https://x/" + long[:1990]
	})
}

func many(n int) (out []string) {
	for range n {
		out = append(out, "词")
	}
	return out
}

// TestContentHashOfOldEntries: an entry without the fields 30 to 37 has the hash that
// it had before they existed.
func TestContentHashOfOldEntries(t *testing.T) {
	w := towntest.New(t)
	e := w.Entry(nil)
	was := catalogue.ContentHash(e)
	f := proto.CloneOf(e)
	f.Keywords, f.Resources, f.Languages = []string{}, []*cataloguev1.Resource{}, []string{}
	if catalogue.ContentHash(f) != was {
		t.Error("empty lists change the hash")
	}
	f.Issued = "2026-01-01"
	if catalogue.ContentHash(f) == was {
		t.Error("a new field does not change the hash")
	}
}
