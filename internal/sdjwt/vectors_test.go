package sdjwt_test

import (
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mulian/internal/sdjwt"
	"mulian/internal/sm"
)

// vectors returns a path within the shared vectors, or skips the test.
func vectors(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("MULIAN_SHARED")
	for dir := "."; root == ""; dir = filepath.Join(dir, "..") {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			root = filepath.Join(dir, "..", "shared")
		} else if len(dir) > 60 {
			t.Fatal("no go.mod above this package")
		}
	}
	file := filepath.Join(root, "data/vectors", name)
	if _, err := os.Stat(file); err != nil {
		t.Skipf("SKIP no shared data: %s", name)
	}
	return file
}

// TestTheExamplesOfTheRFC takes every token that RFC 9901 prints (the text of draft 22
// has those of the RFC): the issuer's signature, each digest, each key binding, and
// where the text prints the payload that a verifier gets, exactly that payload.
func TestTheExamplesOfTheRFC(t *testing.T) {
	raw, err := os.ReadFile(vectors(t, "sd-jwt/draft-ietf-oauth-selective-disclosure-jwt.txt"))
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?m)^(Fett.*|Internet-Draft .*|\f)$`).ReplaceAllString(string(raw), "")
	text = text[strings.Index(text, "\n5.1.  Issuance\n"):]
	issuer, err := sdjwt.ParseJWK(sdjwt.Object{
		{"kty", "EC"},
		{"crv", "P-256"},
		{"x", "b28d4MwZMjw8-00CG4xfnn9SLMVMM19SlqZpVb_uNtQ"},
		{"y", "Xv5zWwuoaTgdS6hV43yI6gBwTnjukmFQQnJ_kCxzqk8"},
	})
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile(`(?m)^ +eyJ[\w-]+(\.|\n)[\s\S]*?\n\n`).FindAllStringIndex(text, -1)
	tokens, bound, compared := 0, 0, 0
	for n, at := range blocks {
		token := strings.Join(strings.Fields(text[at[0]:at[1]]), "")
		if !strings.Contains(token, "~") {
			continue // the issuer-signed JWT alone
		}
		tokens++
		holder := !strings.HasSuffix(token, "~")
		v, err := sdjwt.Verify(t.Context(), token, sdjwt.Policy{
			Keys:    func(sdjwt.Signature) (sm.PublicKey, error) { return issuer, nil },
			Types:   []string{"example+sd-jwt", "dc+sd-jwt", "vc+sd-jwt", "vc+sd-jwt; charset=utf-8"},
			Holder:  holder,
			Request: sdjwt.Request{Audience: "https://verifier.example.org", Nonce: "1234567890"},
		})
		if err != nil {
			t.Errorf("token %d: %v: %.60s…", tokens, err, token)
			continue
		}
		if holder {
			bound++
		}
		end := len(text)
		if n+1 < len(blocks) {
			end = blocks[n+1][0]
		}
		if want, ok := processed(text[at[1]:end]); ok {
			compared++
			var got, expected any
			if err := json.Unmarshal(want, &expected); err != nil {
				t.Fatal(err)
			}
			_ = json.Unmarshal(sdjwt.AppendJSON(nil, v.Claims), &got)
			if diff := cmp.Diff(expected, got); diff != "" {
				t.Errorf("token %d: %s", tokens, diff)
			}
		}
	}
	if tokens < 8 || bound < 3 || compared < 4 {
		t.Errorf("%d tokens, %d bound, %d payloads compared: the text was not read as expected", tokens, bound, compared)
	}
}

// processed finds the payload that the text promises the verifier.
func processed(text string) ([]byte, bool) {
	i := regexp.MustCompile(`the\s+Verifier\s+will\s+have|following\s+[Pp]rocessed\s+SD-|is\s+passed\s+to\s+the\s+application`).FindStringIndex(text)
	if i == nil {
		return nil, false
	}
	rest := text[i[1]:]
	start := strings.Index(rest, "\n   {\n")
	if start < 0 {
		return nil, false
	}
	rest = rest[start:]
	stop := strings.Index(rest, "\n   }\n")
	if stop < 0 {
		return nil, false
	}
	return []byte(rest[:stop+6]), true
}

// TestTheCasesOfSDJWTJS issues, shows and verifies what the test cases of the
// OpenWallet Foundation's library name, and compares what the verifier gets.
func TestTheCasesOfSDJWTJS(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(vectors(t, "sd-jwt/js"), "*.json"))
	if err != nil || len(files) < 15 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all, err := sdjwt.ParseObject(raw)
			if err != nil {
				t.Fatal(err)
			}
			claims, _ := all.Get("claims")
			frame, _ := all.Get("disclosureFrame")
			frames, _ := all.Get("presentationFrames")
			want, _ := all.Get("presentedClaims")
			k := key(t, sm.P256, 1)
			draft, err := sdjwt.Prepare(veil(claims, frame).(sdjwt.Object), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			issued, err := draft.Sign(sdjwt.Header{Type: "sd-jwt"}, k)
			if err != nil {
				t.Fatal(err)
			}
			token, err := sdjwt.Parse(issued.Text)
			if err != nil {
				t.Fatal(err)
			}
			shown, err := token.PresentOnly(leaves(frames, nil)...)
			if err != nil {
				t.Fatal(err)
			}
			v, err := sdjwt.Verify(t.Context(), shown, sdjwt.Policy{
				Keys: func(sdjwt.Signature) (sm.PublicKey, error) { return k.Public(), nil }, Types: []string{"sd-jwt"}, Now: time.Now(),
			})
			if err != nil {
				t.Fatal(err)
			}
			var got, expected any
			_ = json.Unmarshal(sdjwt.AppendJSON(nil, v.Claims), &got)
			_ = json.Unmarshal(sdjwt.AppendJSON(nil, want), &expected)
			if filepath.Base(file) == "array_none_disclosed.json" {
				// The case leaves the object out; the RFC wants it empty (section 7.1, step 3.5).
				expected = map[string]any{"is_over": map[string]any{}}
			}
			if diff := cmp.Diff(expected, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// veil hides what a frame of that library names.
func veil(claims, frame any) any {
	f, _ := frame.(sdjwt.Object)
	listed, _ := f.Get("_sd")
	names, _ := listed.(sdjwt.Array)
	hide := func(step any, v any) any {
		if slices.Contains([]any(names), step) {
			return sdjwt.Hidden{Value: v}
		}
		return v
	}
	decoys, _ := f.Whole("_sd_decoy")
	switch claims := claims.(type) {
	case sdjwt.Object:
		var out sdjwt.Object
		for _, m := range claims {
			inner, _ := f.Get(m.Name)
			out = append(out, sdjwt.Member{Name: m.Name, Value: hide(m.Name, veil(m.Value, inner))})
		}
		for range decoys {
			out = append(out, sdjwt.Member{Value: sdjwt.Decoy{}})
		}
		return out
	case sdjwt.Array:
		var out sdjwt.Array
		for i, e := range claims {
			place := strconv.Itoa(i)
			inner, _ := f.Get(place)
			out = append(out, hide(sdjwt.Number(place), veil(e, inner)))
		}
		for range decoys {
			out = append(out, sdjwt.Decoy{})
		}
		return out
	}
	return claims
}

// leaves lists the paths of a presentation frame.
func leaves(frame any, at sdjwt.Path) []sdjwt.Path {
	o, ok := frame.(sdjwt.Object)
	if !ok {
		return []sdjwt.Path{at}
	}
	var out []sdjwt.Path
	for _, m := range o {
		for _, step := range steps(m.Name) {
			out = append(out, leaves(m.Value, append(slices.Clip(at), step))...)
		}
	}
	return out
}

// steps: that library writes places in arrays as names.
func steps(name string) []any {
	if n, err := strconv.Atoi(name); err == nil {
		return []any{name, n}
	}
	return []any{name}
}
