package sdjwt_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"mulian/internal/sdjwt"
)

// FuzzVerify: whatever comes, no crash, and nothing is verified that was changed.
func FuzzVerify(f *testing.F) {
	for _, s := range suites(f) {
		issued := issue(f, s).Text
		f.Add(issued)
		f.Add(present(f, s, issued, request, path{"balance_fen"}, path{"over", "12"}))
	}
	f.Add("a.b.c~~")
	all := suites(f)
	f.Fuzz(func(t *testing.T, text string) {
		if token, err := sdjwt.Parse(text); err == nil {
			if got := token.Text() + token.Binding; got != text {
				t.Fatalf("the text comes back as %q", got)
			}
			_, _ = token.Present(path{"name"})
		}
		for _, s := range all {
			if v, err := sdjwt.Verify(t.Context(), text, policy(s)); (err == nil) != (v != nil) {
				t.Fatal("a verdict and an error")
			}
		}
	})
}

// FuzzParseJSON: what we read, encoding/json reads in the same way.
func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e3,"\ud83d\ude00",null,true]}`, `{"a":1,"a":2}`, `"\ud800"`, `[[[[]]]]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := sdjwt.ParseJSON(raw)
		if err != nil {
			return
		}
		if !json.Valid(raw) {
			t.Fatalf("%q is not JSON", raw)
		}
		out := sdjwt.AppendJSON(nil, v)
		again, err := sdjwt.ParseJSON(out)
		if err != nil || !bytes.Equal(out, sdjwt.AppendJSON(nil, again)) {
			t.Fatalf("%q does not stay itself: %v", out, err)
		}
	})
}
