package index

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
)

// TestEveryMistypedCodeIsFound: any code that somebody has, with any one error in it,
// leads to who has it, or is itself a code or the beginning of one.
func TestEveryMistypedCodeIsFound(t *testing.T) {
	x, entries := made(t, 9, 150)
	type owned struct{ code, id string }
	var codes []owned
	for _, e := range entries {
		codes = append(codes, owned{e.GetId(), e.GetId()}, owned{e.GetProvider(), e.GetId()})
		for _, a := range e.GetAliases() {
			codes = append(codes, owned{a, e.GetId()})
		}
		for _, it := range e.GetItems() {
			if len(it.GetCode()) >= minMistyped+1 {
				codes = append(codes, owned{it.GetCode(), e.GetId() + "#" + it.GetCode()})
			}
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		c := rapid.SampledFrom(codes).Draw(rt, "code")
		r := []rune(c.code)
		i := rapid.IntRange(0, len(r)-1).Draw(rt, "at")
		other := rapid.RuneFrom([]rune("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")).Draw(rt, "other")
		switch rapid.SampledFrom([]string{"another", "missing", "doubled", "too many", "swapped", "alike"}).Draw(rt, "error") {
		case "another":
			r[i] = other
		case "missing":
			r = slices.Delete(r, i, i+1)
		case "doubled":
			r = slices.Insert(r, i, r[i])
		case "too many":
			r = slices.Insert(r, i, other)
		case "swapped":
			if i > 0 {
				r[i-1], r[i] = r[i], r[i-1]
			}
		case "alike":
			r = []rune(strings.NewReplacer("0", "O", "1", "I", "8", "B").Replace(c.code))
		}
		req := &cataloguev1.SearchRequest{Text: string(r), Limit: 100}
		res := search(t, x, req)
		if res.GetCorrectedTo() == "" && slices.ContainsFunc(codes, func(c owned) bool {
			_, local, _ := strings.Cut(c.code, ":")
			return strings.HasPrefix(key(c.code), key(string(r))) || strings.HasPrefix(key(local), key(string(r)))
		}) {
			return // it is a code itself, or begins one
		}
		if len(res.GetHits()) == 0 {
			rt.Fatalf("%q for %q finds nothing", string(r), c.code)
		}
		if !res.GetHits()[0].GetCorrected() {
			if slices.Contains(ids(res.GetHits()), c.id) {
				return // what is left of it is a word that finds the same ("307039305982S/000003" has 000003)
			}
			rt.Fatalf("%q: not told that it was corrected", string(r))
		}
		// Another code may be as near; the one that was meant is among the suggestions.
		if res.GetCorrectedTo() != c.code && !slices.Contains(ids(res.GetHits()), c.id) && distance(key(res.GetCorrectedTo()), key(string(r))) > distance(key(c.code), key(string(r))) {
			rt.Fatalf("%q was taken for %q, not for %q", string(r), res.GetCorrectedTo(), c.code)
		}
	})
}

// TestCorrectionLeadsSomewhere: a code whose owner is gone is no suggestion.
func TestCorrectionLeadsSomewhere(t *testing.T) {
	w := newWorld()
	w.entry(&cataloguev1.Entry{Id: "o:12345678", Name: "甲"})
	x := reopen(t, t.TempDir()+"/x.db")
	take(t, x, w)
	mistyped := &cataloguev1.SearchRequest{Text: "12345679"}
	if got := search(t, x, mistyped).GetCorrectedTo(); got != "12345678" {
		t.Errorf("corrected to %q", got)
	}
	w.put("catalogue/x", Entry+"o:12345678", nil)
	take(t, x, w)
	if res := search(t, x, mistyped); res.GetCorrectedTo() != "" || res.GetTotal() != 0 {
		t.Errorf("corrected to what is gone: %v", res)
	}
}

// hostile texts that people and machines may send.
var hostile = []string{
	`"`, `""`, `"许可"`, `a AND OR NOT (`, "*", "NEAR(a b)", "name:x", "{name}: x", "规划*", "\x00", "a\x00b", "-", "^许可", "(((((", "许可 OR 1=1", "'; DROP TABLE words; --",
	"\xff\xfe", "＝0000", "＝" + strings.Repeat("0", 16), "k1", "s1", "%", "_", "\u202e许可", strings.Repeat("许", 200), strings.Repeat("许可", 100), strings.Repeat("a ", 100), strings.Repeat("9", 200),
	strings.Repeat("(", 200), "👨‍👩‍👧", "\U0010ffff",
}

// TestHostileTexts are searches or find nothing, never an error, and never more than
// what their words name.
func TestHostileTexts(t *testing.T) {
	x, _ := made(t, 3, 60)
	for _, text := range hostile {
		if _, err := x.Search(t.Context(), &cataloguev1.SearchRequest{Text: text, WithFacets: true}); err != nil {
			t.Errorf("%.40q: %v", text, err)
		}
	}
	for _, text := range []string{`"`, "*", "-", "(", "'; --", "\x00", "👨‍👩‍👧"} {
		if n := search(t, x, &cataloguev1.SearchRequest{Text: text}).GetTotal(); n != 0 {
			t.Errorf("%q finds %d", text, n)
		}
	}
	for _, req := range []*cataloguev1.SearchRequest{
		{Text: strings.Repeat("许", 201)},
		{Text: strings.Repeat("x", 10_000)},
		{Orgs: slices.Repeat([]string{"o"}, 101)},
	} {
		if _, err := x.Search(t.Context(), req); !fault.Is(err, fault.TooLong) {
			t.Errorf("%.40q: %v", req.GetText(), err)
		}
	}
	for _, req := range []*cataloguev1.SearchRequest{
		{Kinds: []cataloguev1.HitKind{99}},
		{ShareTypes: []cataloguev1.ShareType{-1}},
		{Grades: []cataloguev1.Grade{0}},
		{States: []cataloguev1.EntryState{257}},
		{Formats: []cataloguev1.Format{1 << 20}},
		{Orgs: []string{`") OR ("k1`, "。"}},
	} {
		if _, err := x.Search(t.Context(), req); !fault.Is(err, fault.OutOfRange) {
			t.Errorf("%v: %v", req, err)
		}
	}
	if n := search(t, x, &cataloguev1.SearchRequest{Orgs: []string{`") OR ("k1`}}).GetTotal(); n != 0 {
		t.Errorf("an organisation that is an operator finds %d", n)
	}
}

// FuzzQuery: whatever is sent is a search, finds nothing, or is refused with a code of
// class 11.
func FuzzQuery(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, "", "")
	}
	f.Add("许可", "MS4xLjAuMDAwMDAwMDAu", "11110000000021928Y")
	x, _ := made(f, 3, 30)
	f.Fuzz(func(t *testing.T, text, after, org string) {
		req := &cataloguev1.SearchRequest{Text: text, After: after, WithFacets: true, Limit: 5}
		if org != "" {
			req.Orgs = []string{org}
		}
		_, err := x.Search(t.Context(), req)
		if c := fault.CodeOf(err); err != nil && (c < 11000 || c >= 12000) {
			t.Errorf("search %q after %q of %q: %v", text, after, org, err)
		}
	})
}
