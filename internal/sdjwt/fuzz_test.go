package sdjwt_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mulian/internal/sdjwt"
	"mulian/internal/sm"
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

// FuzzJWS: what is taken apart is one text and no other, and nobody's signature holds.
func FuzzJWS(f *testing.F) {
	s := suites(f)
	for i := range s {
		text, err := sdjwt.SignJWS(object{{"typ", "x"}}, object{{"a", array{1, nil}}}, s[i].issuer)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("eyJhbGciOiJFUzI1NiIsImNyaXQiOltdfQ.e30.AA")
	stranger := key(f, sm.P256, 77)
	f.Fuzz(func(t *testing.T, text string) {
		j, err := sdjwt.ParseJWS(text)
		if err != nil {
			return
		}
		if a := j.Algorithm(); a != sdjwt.ES256 && a != sdjwt.SM2SM3 {
			t.Fatalf("algorithm %q", a)
		}
		if j.Check(stranger.Public()) == nil {
			t.Fatal("a stranger has signed")
		}
		for _, part := range strings.SplitN(text, ".", 3) {
			if raw, err := sdjwt.Decode(part); err != nil || sdjwt.Encode(raw) != part {
				t.Fatalf("%q is another text of %x", part, raw)
			}
		}
	})
}

// FuzzSigned goes past the signature: an issuer who is believed signs any payload, with any
// disclosures; @0@ to @9@ in them stand for the digest of one that comes after. What is
// verified has every disclosure in its place once, nothing of the digests, and no claim that
// must not be hidden.
func FuzzSigned(f *testing.F) {
	f.Add(`{"vct":"t","exp":1797776000,"_sd":["@0@"],"list":[1,{"...":"@1@"}]}`, "[\"s\",\"a\",{\"_sd\":[\"@2@\"]}]\n[\"s\",7]\n[\"s\",\"deep\",true]")
	f.Add(`{"vct":"t","exp":1797776000,"_sd":["@0@","@0@"]}`, `["s","a",1]`)
	for _, name := range visible {
		f.Add(`{"vct":"t","exp":1797776000,"_sd":["@0@"]}`, `["s","`+name+`","x"]`)
	}
	f.Add(`{"vct":"t","exp":1797776000,"a":1,"_sd":["@0@"]}`, `["s","a",2]`)
	f.Add(`{"vct":"t","_sd_alg":"sha-256","cnf":{"jwk":{}},"status":{"status_list":{"idx":-1}}}`, ``)
	issuer := key(f, sm.P256, 1)
	believe := sdjwt.Policy{Keys: func(sdjwt.Signature) (sm.PublicKey, error) { return issuer.Public(), nil }, Now: now}
	f.Fuzz(func(t *testing.T, payload, opened string) {
		lines := strings.Split(opened, "\n")
		if opened == "" {
			lines = nil
		}
		texts := make([]string, len(lines))
		for i := len(lines) - 1; i >= 0; i-- { // a digest can only be of what is there already
			for j := i + 1; j < min(len(lines), 10); j++ {
				lines[i] = strings.ReplaceAll(lines[i], fmt.Sprintf("@%d@", j), sdjwt.Digest("sha-256", texts[j]))
			}
			texts[i] = sdjwt.Encode([]byte(lines[i]))
		}
		for i := range min(len(lines), 10) {
			payload = strings.ReplaceAll(payload, fmt.Sprintf("@%d@", i), sdjwt.Digest("sha-256", texts[i]))
		}
		o, err := sdjwt.ParseObject([]byte(payload))
		if err != nil {
			return
		}
		text, err := sdjwt.SignJWS(object{{"typ", sdjwt.TypeCredential}}, o, issuer)
		if err != nil {
			t.Fatal(err)
		}
		text = strings.Join(append([]string{text}, texts...), "~") + "~"
		v, err := sdjwt.Verify(t.Context(), text, believe)
		if err != nil {
			return
		}
		if len(v.Shown) != len(texts) {
			t.Fatalf("%d shown of %d", len(v.Shown), len(texts))
		}
		if name := leftOver(v.Claims); name != "" {
			t.Fatalf("%s stands in the claims of %s", name, payload)
		}
		for _, s := range v.Shown {
			if name, _ := s.Path[0].(string); len(s.Path) == 1 && slices.Contains(visible, name) {
				t.Fatalf("%s was hidden", name)
			}
		}
		paths := make([]path, len(v.Shown))
		for i, s := range v.Shown {
			paths[i] = s.Path
		}
		token, err := sdjwt.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		shown, err := token.Present(paths...)
		if err != nil {
			t.Fatalf("what is shown cannot be presented: %v", err)
		}
		again, err := sdjwt.Verify(t.Context(), shown, believe)
		if err != nil || !bytes.Equal(sdjwt.AppendJSON(nil, again.Claims), sdjwt.AppendJSON(nil, v.Claims)) {
			t.Fatalf("presented whole it is another: %v", err)
		}
	})
}

// visible are the claims by which a verifier decides: nobody hides them (SD-JWT VC, 3.2.2.2).
var visible = []string{"iss", "exp", "nbf", "aud", "cnf", "vct", "vct#integrity", "status"}

// leftOver names what only digests use, wherever it stands in a value.
func leftOver(v any) string {
	switch v := v.(type) {
	case object:
		for _, m := range v {
			if m.Name == "_sd" || m.Name == "..." {
				return m.Name
			}
			if name := leftOver(m.Value); name != "" {
				return name
			}
		}
	case array:
		for _, e := range v {
			if name := leftOver(e); name != "" {
				return name
			}
		}
	}
	return ""
}
