package sdjwt_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mulian/internal/sdjwt"
	"mulian/internal/sm"
)

type (
	object = sdjwt.Object
	array  = sdjwt.Array
	hidden = sdjwt.Hidden
	path   = sdjwt.Path
)

var now = time.Unix(1790000100, 0)

func key(t testing.TB, alg sm.Algorithm, n byte) sm.PrivateKey {
	t.Helper()
	k, err := sm.FromSeed(alg, [32]byte{31: n})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// deposit is a certificate of the housing fund of a synthetic person: ten fields, two
// decoys.
func deposit(t testing.TB, holder sm.PublicKey) object {
	t.Helper()
	jwk, err := sdjwt.JWK(holder)
	if err != nil {
		t.Fatal(err)
	}
	o := object{
		{"iss", "https://fund.gov.example"},
		{"iat", 1790000000},
		{"exp", 1797776000},
		{"vct", "https://mulian.example/vct/housing-fund-deposit/1"},
		{"cnf", object{{"jwk", jwk}}},
		{"status", object{{"status_list", object{{"idx", 412}, {"uri", "https://chain.gov.example/st/fund/7"}}}}},
	}
	for i, name := range []string{"name", "id_number", "account", "employer", "balance_fen", "monthly_fen", "since", "until", "city"} {
		o = append(o, sdjwt.Member{name, hidden{fmt.Sprintf("值 %d", i)}})
	}
	return append(o,
		sdjwt.Member{"over", hidden{object{{"12", hidden{true}}, {"24", hidden{false}}}}},
		sdjwt.Member{"loans", array{"none", hidden{"2024"}, sdjwt.Decoy{}}},
		sdjwt.Member{"a", sdjwt.Decoy{}}, sdjwt.Member{"b", sdjwt.Decoy{}})
}

type suite struct {
	name           string
	issuer, holder sm.PrivateKey
}

func suites(t testing.TB) []suite {
	return []suite{
		{"ES256", key(t, sm.P256, 1), key(t, sm.P256, 2)},
		{"SM2-SM3", key(t, sm.SM2, 3), key(t, sm.SM2, 4)},
	}
}

func issue(t testing.TB, s suite) *sdjwt.Issued {
	t.Helper()
	draft, err := sdjwt.Prepare(deposit(t, s.holder.Public()), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := draft.Sign(sdjwt.Header{KeyID: "1"}, s.issuer)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

var request = sdjwt.Request{Audience: "x509_hash:abc", Nonce: "n-0S6_WzA2Mj", Transaction: []string{"eyJ0eXBlIjoibXVsaWFuLmdyYW50LnYxIn0"}}

func present(t testing.TB, s suite, text string, r sdjwt.Request, paths ...path) string {
	t.Helper()
	token, err := sdjwt.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := token.Present(paths...)
	if err != nil {
		t.Fatal(err)
	}
	bound, err := sdjwt.Bind(shown, r, s.holder, now)
	if err != nil {
		t.Fatal(err)
	}
	return bound
}

func policy(s suite) sdjwt.Policy {
	return sdjwt.Policy{
		Keys: func(g sdjwt.Signature) (sm.PublicKey, error) {
			if g.Issuer != "https://fund.gov.example" || g.KeyID != "1" {
				return sm.PublicKey{}, errors.New("unknown")
			}
			return s.issuer.Public(), nil
		},
		Now: now, Holder: true, Request: request,
		Accept:  []string{"https://mulian.example/vct/housing-fund-deposit/1"},
		Require: []path{{"balance_fen"}, {"over", "12"}},
		Allow:   []path{{"loans", nil}},
		Status:  func(context.Context, sdjwt.StatusAt) (sdjwt.Status, error) { return sdjwt.Valid, nil },
	}
}

func TestAVerifierSeesWhatWasShownAndNothingElse(t *testing.T) {
	for _, s := range suites(t) {
		t.Run(s.name, func(t *testing.T) {
			text := present(t, s, issue(t, s).Text, request, path{"balance_fen"}, path{"over", "12"}, path{"loans", 1})
			v, err := sdjwt.Verify(t.Context(), text, policy(s))
			if err != nil {
				t.Fatal(err)
			}
			got, _ := json.Marshal(v.Claims[len(v.Claims)-3:])
			want := `{"loans":["none","2024"],"balance_fen":"值 4","over":{"12":true}}`
			var a, b any
			if json.Unmarshal(got, &a) != nil || json.Unmarshal([]byte(want), &b) != nil || !cmp.Equal(a, b) {
				t.Errorf("shown: %s, want %s", got, want)
			}
			if !v.Bound || !v.Holder.Equal(s.holder.Public()) || !v.StatusKnown || v.StatusAt.Index != 412 || v.Expires.Unix() != 1797776000 {
				t.Errorf("verified: %+v", v)
			}
			for _, secret := range []string{"id_number", "值 1"} {
				if strings.Contains(string(sdjwt.AppendJSON(nil, v.Claims)), secret) {
					t.Errorf("%s was not shown, and is there", secret)
				}
			}
		})
	}
}

// TestATwinHasTheSameDisclosures: one draft, two signatures. Only a disclosure that
// holds digests differs.
func TestATwinHasTheSameDisclosures(t *testing.T) {
	all := suites(t)
	draft, err := sdjwt.Prepare(deposit(t, all[0].holder.Public()), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	outward, err1 := draft.Sign(sdjwt.Header{KeyID: "1"}, all[0].issuer)
	inward, err2 := draft.Sign(sdjwt.Header{KeyID: "1"}, all[1].issuer)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	differ := 0
	for i, d := range outward.Disclosures {
		if d != inward.Disclosures[i] {
			differ++
		}
	}
	if len(outward.Disclosures) != 13 || differ != 1 {
		t.Errorf("%d of %d disclosures differ, want 1 of 13: that of \"over\"", differ, len(outward.Disclosures))
	}
	for i, issued := range []*sdjwt.Issued{outward, inward} {
		p := policy(all[i])
		p.Holder, p.Require, p.Allow = false, nil, nil
		if _, err := sdjwt.Verify(t.Context(), issued.Text, p); err != nil {
			t.Error(err)
		}
		p = policy(all[1-i])
		p.Holder = false
		wantReason(t, issued.Text, p, sdjwt.BadSignature)
	}
}

// TestSameWhateverTheOrder: twins disclose the same members in the orders of their digests.
func TestSameWhateverTheOrder(t *testing.T) {
	read := func(text string) sdjwt.Object {
		t.Helper()
		o, err := sdjwt.ParseObject([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	whole := read(`{"a":1,"b":{"c":[1,{"d":null,"e":"x"}],"f":true}}`)
	for text, want := range map[string]bool{
		`{"b":{"f":true,"c":[1,{"e":"x","d":null}]},"a":1}`: true,
		`{"b":{"f":true,"c":[{"e":"x","d":null},1]},"a":1}`: false, // the order of elements counts
		`{"b":{"f":true,"c":[1,{"e":"x","d":null}]},"a":2}`: false,
		`{"b":{"f":true,"c":[1,{"e":"x","g":null}]},"a":1}`: false,
		`{"b":{"f":true,"c":[1,{"e":"x"}]},"a":1}`:          false,
		`{"b":{"f":true,"c":[1,{"e":"x","d":[]}]},"a":1}`:   false,
		`{"b":[],"a":1}`: false,
		`{"a":1}`:        false,
	} {
		if other := read(text); whole.Same(other) != want || other.Same(whole) != want {
			t.Errorf("%s: not %t", text, want)
		}
	}
}

func wantReason(t *testing.T, text string, p sdjwt.Policy, want sdjwt.Reason) {
	t.Helper()
	v, err := sdjwt.Verify(t.Context(), text, p)
	r, ok := errors.AsType[*sdjwt.Refusal](err)
	if !ok || r.Reason != want || v != nil {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestEveryReasonRefuses changes one thing at a time.
func TestEveryReasonRefuses(t *testing.T) {
	for _, s := range suites(t) {
		text := issue(t, s).Text
		good := present(t, s, text, request, path{"balance_fen"}, path{"over", "12"})
		parts := strings.Split(good, "~")
		with := func(change func([]string) []string) string {
			return strings.Join(change(slices.Clone(parts)), "~")
		}
		stranger := suite{s.name, key(t, s.issuer.Algorithm(), 9), s.holder}
		resigned := func(change func(object) object) string {
			draft, err := sdjwt.Prepare(change(deposit(t, s.holder.Public())), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			issued, err := draft.Sign(sdjwt.Header{KeyID: "1"}, s.issuer)
			if err != nil {
				t.Fatal(err)
			}
			return present(t, s, issued.Text, request, path{"balance_fen"}, path{"over", "12"})
		}
		set := func(name string, v any) string {
			return resigned(func(o object) object {
				i := slices.IndexFunc(o, func(m sdjwt.Member) bool { return m.Name == name })
				if v == nil {
					return slices.Delete(o, i, i+1)
				}
				o[i].Value = v
				return o
			})
		}
		for _, tt := range []struct {
			name   string
			text   string
			change func(*sdjwt.Policy)
			want   sdjwt.Reason
		}{
			{"nothing", "", nil, sdjwt.Malformed},
			{"no tilde", parts[0], nil, sdjwt.Malformed},
			{"disclosure with padding", with(func(p []string) []string { p[1] += "="; return p }), nil, sdjwt.Malformed},
			{"line break in a disclosure", with(func(p []string) []string { p[1] += "\n"; return p }), nil, sdjwt.Malformed},
			{"another typ", good, func(p *sdjwt.Policy) { p.Types = []string{"vc+sd-jwt"} }, sdjwt.BadType},
			{"unknown issuer", good, func(p *sdjwt.Policy) {
				p.Keys = func(sdjwt.Signature) (sm.PublicKey, error) { return sm.PublicKey{}, errors.New("no") }
			}, sdjwt.UnknownIssuer},
			{"no keys", good, func(p *sdjwt.Policy) { p.Keys = nil }, sdjwt.UnknownIssuer},
			{"key of another", good, func(p *sdjwt.Policy) { *p = policy(stranger) }, sdjwt.BadSignature},
			{"a disclosure twice", with(func(p []string) []string { return slices.Insert(p, 1, p[1]) }), nil, sdjwt.DuplicateDigest},
			{"a disclosure of ours", with(func(p []string) []string {
				return slices.Insert(p, 1, sdjwt.Encode([]byte(`["aaaaaaaaaaaaaaaaaaaaaa","admin",true]`)))
			}), nil, sdjwt.BadDisclosure},
			{"another vct", good, func(p *sdjwt.Policy) { p.Accept = []string{"x"} }, sdjwt.BadCredentialType},
			{"no vct", set("vct", nil), nil, sdjwt.BadCredentialType},
			{"after its end", good, func(p *sdjwt.Policy) { p.Now = time.Unix(1797776061, 0) }, sdjwt.Expired},
			{"before its issue", good, func(p *sdjwt.Policy) { p.Now = time.Unix(1789999939, 0) }, sdjwt.NotYet},
			{"an end that is text", set("exp", "1797776000"), nil, sdjwt.Expired},
			{"no end, no status", resigned(func(o object) object {
				return slices.DeleteFunc(o, func(m sdjwt.Member) bool { return m.Name == "exp" || m.Name == "status" })
			}), nil, sdjwt.Expired},
			{"no proof", with(func(p []string) []string { p[len(p)-1] = ""; return p }), nil, sdjwt.NoKeyBinding},
			{"proof of another", with(func(p []string) []string { p[len(p)-1] = p[0]; return p }), nil, sdjwt.BadType},
			{"old proof", good, func(p *sdjwt.Policy) { p.Now = now.Add(6*time.Minute + time.Second) }, sdjwt.Expired},
			{"another audience", good, func(p *sdjwt.Policy) { p.Request.Audience = "x509_hash:abd" }, sdjwt.BadAudience},
			{"an audience of nothing", good, func(p *sdjwt.Policy) { p.Request.Audience = "" }, sdjwt.BadAudience},
			{"another nonce", good, func(p *sdjwt.Policy) { p.Request.Nonce = "x" }, sdjwt.BadNonce},
			{"a disclosure taken away", with(func(p []string) []string { return slices.Delete(p, 1, 2) }), nil, sdjwt.BadHash},
			{"another transaction", good, func(p *sdjwt.Policy) { p.Request.Transaction = []string{"x"} }, sdjwt.NoTransaction},
			{"a further transaction", good, func(p *sdjwt.Policy) { p.Request.Transaction = append([]string{"x"}, request.Transaction...) }, sdjwt.NoTransaction},
			{"a transaction that was not asked for", good, func(p *sdjwt.Policy) { p.Request.Transaction = nil }, sdjwt.NoTransaction},
			{"not shown", good, func(p *sdjwt.Policy) { p.Require = append(p.Require, path{"name"}) }, sdjwt.Undisclosed},
			{"shown too much", good, func(p *sdjwt.Policy) { p.Require = p.Require[:1] }, sdjwt.ExtraDisclosure},
			{"revoked", good, func(p *sdjwt.Policy) { p.Status = says(sdjwt.Invalid) }, sdjwt.StatusInvalid},
			{"replaced", good, func(p *sdjwt.Policy) { p.Status = says(sdjwt.Application) }, sdjwt.StatusInvalid},
			{"suspended", good, func(p *sdjwt.Policy) { p.Status = says(sdjwt.Suspended) }, sdjwt.StatusSuspended},
			{"status unreachable", good, func(p *sdjwt.Policy) {
				p.Status = func(context.Context, sdjwt.StatusAt) (sdjwt.Status, error) { return 0, errors.New("no route") }
			}, sdjwt.StatusUnreachable},
			{"status without index", set("status", object{{"status_list", object{{"uri", "x"}}}}), nil, sdjwt.Malformed},
		} {
			t.Run(s.name+"/"+tt.name, func(t *testing.T) {
				p := policy(s)
				if tt.change != nil {
					tt.change(&p)
				}
				wantReason(t, tt.text, p, tt.want)
			})
		}
		lenient := policy(s)
		lenient.Lenient = true
		lenient.Status = func(context.Context, sdjwt.StatusAt) (sdjwt.Status, error) { return 0, errors.New("no route") }
		if v, err := sdjwt.Verify(t.Context(), good, lenient); err != nil || v.StatusKnown {
			t.Errorf("lenient: %v", err)
		}
	}
}

func says(s sdjwt.Status) func(context.Context, sdjwt.StatusAt) (sdjwt.Status, error) {
	return func(context.Context, sdjwt.StatusAt) (sdjwt.Status, error) { return s, nil }
}

func TestAHolderCannotLeaveOutWhatDecides(t *testing.T) {
	for _, name := range []string{"iss", "exp", "nbf", "aud", "cnf", "vct", "vct#integrity", "status"} {
		if _, err := sdjwt.Prepare(object{{name, hidden{"x"}}}, rand.Reader); err == nil {
			t.Errorf("%s may be hidden", name)
		}
	}
	for _, o := range []object{
		{{"_sd", array{}}},
		{{"...", "x"}},
		{{"_sd_alg", "sha-256"}},
		{{"a", object{{"_sd", 1}}}},
		{{"a", 1}, {"a", hidden{2}}},
		{{"a", hidden{hidden{1}}}},
		{{"a", 1.5}},
	} {
		if _, err := sdjwt.Prepare(o, rand.Reader); err == nil {
			t.Errorf("%v is a template", o)
		}
	}
}

// TestDigestsHaveOneReading signs payloads that Prepare would not write.
func TestDigestsHaveOneReading(t *testing.T) {
	k := key(t, sm.P256, 1)
	member := sdjwt.Encode([]byte(`["aaaaaaaaaaaaaaaaaaaaaa","a",1]`))
	element := sdjwt.Encode([]byte(`["aaaaaaaaaaaaaaaaaaaaaa",1]`))
	exp := sdjwt.Encode([]byte(`["aaaaaaaaaaaaaaaaaaaaaa","exp",9999999999]`))
	digest := func(d string) string { return sdjwt.Digest("sha-256", d) }
	inner := sdjwt.Encode([]byte(`["bbbbbbbbbbbbbbbbbbbbbb","b",{"_sd":["` + digest(member) + `"]}]`))
	for _, tt := range []struct {
		name        string
		payload     object
		disclosures []string
		want        sdjwt.Reason
	}{
		{"digest twice in one list", object{{"_sd", array{"x", "x"}}}, nil, sdjwt.DuplicateDigest},
		{"digest twice in two lists", object{{"_sd", array{"x"}}, {"o", object{{"_sd", array{"x"}}}}}, nil, sdjwt.DuplicateDigest},
		{"digest in the payload and in a disclosure", object{{"_sd", array{digest(member), digest(inner)}}}, []string{member, inner}, sdjwt.DuplicateDigest},
		{"_sd no list", object{{"_sd", "x"}}, nil, sdjwt.BadDisclosure},
		{"_sd of numbers", object{{"_sd", array{sdjwt.Number("1")}}}, nil, sdjwt.BadDisclosure},
		{"... in an object", object{{"...", "x"}}, nil, sdjwt.BadDisclosure},
		{"... with company", object{{"l", array{object{{"...", "x"}, {"y", 1}}}}}, nil, sdjwt.BadDisclosure},
		{"element in an object", object{{"_sd", array{digest(element)}}}, []string{element}, sdjwt.BadDisclosure},
		{"member in a list", object{{"l", array{object{{"...", digest(member)}}}}}, []string{member}, sdjwt.BadDisclosure},
		{"the name is taken", object{{"a", 2}, {"_sd", array{digest(member)}}}, []string{member}, sdjwt.BadDisclosure},
		{"exp hidden", object{{"_sd", array{digest(exp)}}}, []string{exp}, sdjwt.BadDisclosure},
		{"another hash", object{{"_sd_alg", "sm3"}}, nil, sdjwt.Malformed},
		{"a weak hash", object{{"_sd_alg", "md5"}}, nil, sdjwt.Malformed},
		{"fits", object{{"_sd", array{digest(inner)}}}, []string{member, inner}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			payload := append(object{{"vct", "x"}, {"status", object{{"status_list", object{{"idx", 1}, {"uri", "u"}}}}}}, tt.payload...)
			jws, err := sdjwt.SignJWS(object{{"typ", "dc+sd-jwt"}}, payload, k)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Join(append(append([]string{jws}, tt.disclosures...), ""), "~")
			p := sdjwt.Policy{Keys: func(sdjwt.Signature) (sm.PublicKey, error) { return k.Public(), nil }}
			if tt.want != "" {
				wantReason(t, text, p, tt.want)
			} else if _, err := sdjwt.Verify(t.Context(), text, p); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTheKeyChoosesTheAlgorithm: none, HS256 with the public key as its secret, a
// critical extension and the name of the other suite are no signatures.
func TestTheKeyChoosesTheAlgorithm(t *testing.T) {
	for _, header := range []string{
		`{"alg":"none","typ":"dc+sd-jwt"}`, `{"alg":"HS256","typ":"dc+sd-jwt"}`, `{"typ":"dc+sd-jwt"}`,
		`{"alg":"ES256","alg":"none","typ":"dc+sd-jwt"}`, `{"alg":"ES256","typ":"dc+sd-jwt","crit":["b64"],"b64":false}`,
	} {
		text := sdjwt.Encode([]byte(header)) + "." + sdjwt.Encode([]byte(`{"vct":"x"}`)) + "." + sdjwt.Encode(make([]byte, 64)) + "~"
		p := sdjwt.Policy{Keys: func(sdjwt.Signature) (sm.PublicKey, error) { return key(t, sm.P256, 1).Public(), nil }}
		wantReason(t, text, p, sdjwt.Malformed)
	}
}

func TestOneJSONHasOneReading(t *testing.T) {
	for _, bad := range []string{
		``, ` `, `{`, `}`, `[1,]`, `{"a":1,}`, `{"a" 1}`, `{a:1}`, `[1 2]`, `nul`, `nulll`, `01`, `-`, `1.`, `.5`, `1e`, `+1`, `0x1`, `NaN`,
		`"`, `"a`, "\"\n\"", `"\x"`, `"\u12"`, `"\u12g4"`, `"\ud800"`, `"\ud800\u0041"`, `"\udc00"`, "\"\xff\"", "\"\xed\xa0\x80\"",
		`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `1 2`, `{} x`, strings.Repeat("[", 25) + strings.Repeat("]", 25), strings.Repeat("9", 65),
	} {
		if v, err := sdjwt.ParseJSON([]byte(bad)); !errors.Is(err, sdjwt.ErrJSON) {
			t.Errorf("%.40q is %v", bad, v)
		}
	}
	for _, good := range []string{
		`null`, `true`, `false`, `0`, `-0`, `-1.5e+10`, `""`, `"\u4e2d\ud83d\ude00\n\"\\\/\b\f\r\t"`, `[]`, `{}`, `{"a":{"a":[1,2,{"b":null}]}}`, " [ 1 , \t2\r\n] ",
	} {
		v, err := sdjwt.ParseJSON([]byte(good))
		if err != nil {
			t.Errorf("%s: %v", good, err)
			continue
		}
		var want, got any
		if json.Unmarshal([]byte(good), &want) != nil || json.Unmarshal(sdjwt.AppendJSON(nil, v), &got) != nil || !cmp.Equal(want, got) {
			t.Errorf("%s comes back as %s", good, sdjwt.AppendJSON(nil, v))
		}
	}
}

func TestAKeyAsJWK(t *testing.T) {
	for _, alg := range []sm.Algorithm{sm.P256, sm.SM2} {
		pub := key(t, alg, 1).Public()
		jwk, err := sdjwt.JWK(pub)
		if err != nil {
			t.Fatal(err)
		}
		back, err := sdjwt.ParseJWK(append(object{{"use", "sig"}}, jwk...))
		if err != nil || !back.Equal(pub) {
			t.Errorf("%s: %v", alg, err)
		}
		for _, bad := range []object{
			{}, append(object{{"d", "AA"}}, jwk...), {jwk[0], {"crv", "P-384"}, jwk[2], jwk[3]}, {jwk[0], jwk[1], jwk[2], jwk[2]}, {jwk[0], jwk[1], jwk[2], {"y", "AA"}},
		} {
			if _, err := sdjwt.ParseJWK(bad); err == nil {
				t.Errorf("%s is a key", sdjwt.AppendJSON(nil, bad))
			}
		}
	}
	if _, err := sdjwt.JWK(key(t, sm.Ed25519, 1).Public()); err == nil {
		t.Error("Ed25519 has a JWK")
	}
}

func TestPresentNeedsWhatItNames(t *testing.T) {
	s := suites(t)[0]
	token, err := sdjwt.Parse(issue(t, s).Text)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.Present(path{"nothing"}); err == nil {
		t.Error("a path to nothing was presented")
	}
	for _, tt := range []struct {
		paths []path
		n     int
	}{
		{nil, 0},
		{[]path{{"iss"}}, 0},
		{[]path{{"name"}}, 1},
		{[]path{{"over", "12"}}, 2},
		{[]path{{"over"}}, 3},
		{[]path{{"loans", nil}}, 1},
		{[]path{{}}, 13},
	} {
		text, err := token.Present(tt.paths...)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(text, "~") - 1; n != tt.n {
			t.Errorf("%v shows %d disclosures, want %d", tt.paths, n, tt.n)
		}
	}
	if _, err := sdjwt.Bind(token.Text(), request, key(t, sm.P256, 9), now); err == nil {
		t.Error("another key binds it")
	}
	bound := present(t, s, token.Text(), request, path{"name"})
	if _, err := sdjwt.Bind(bound, request, s.holder, now); err == nil {
		t.Error("it is bound twice")
	}
}
