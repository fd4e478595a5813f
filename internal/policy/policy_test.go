package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var fields = []Field{
	{"name", Text}, {"street", Text}, {"floors", Integer}, {"area", Decimal}, {"closed", Boolean}, {"birth", Date}, {"seen", Timestamp}, {"sent", Instant},
}

var values = map[string]Value{
	"name": {Text, "王小明"}, "floors": {Integer, "6"}, "area": {Decimal, "12.50"}, "closed": {Boolean, "false"},
	"birth": {Date, "2008-11-23"}, "seen": {Timestamp, "2026-11-22T08:00:00"}, "sent": {Instant, "2026-11-22T00:00:00.5Z"},
}

// moment is in Beijing the next day already.
var moment = time.Date(2026, 11, 22, 17, 30, 0, 0, time.UTC)

func value(field string) Value { return values[field] }

func compiled(t testing.TB, source string) *Rule {
	t.Helper()
	r, err := Compile(source, fields)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return r
}

// TestVerdicts: what conditions say of one row. street is NULL in it.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]Verdict{
		`name == "王小明"`:                             Yes,
		`name.startsWith("王") && size(name) == 3`:   Yes,
		`name in ["李四", "王五"]`:                      No,
		`floors >= 6 && floors * 2 - 1 == 11`:       Yes,
		`floors / 0 == 1`:                           Unknown,
		`area > decimal("12.5")`:                    No,
		`area == decimal("12.5")`:                   Yes,
		`area >= decimal(12)`:                       Yes,
		`area < decimal("bent")`:                    Unknown,
		`!closed`:                                   Yes,
		`years(birth, today) >= 18`:                 Yes, // in Beijing it is the birthday
		`years(birth, now) >= 18`:                   No,
		`years(today, birth) == 0`:                  Unknown,
		`birth < date("2008-11-24")`:                Yes,
		`birth == date("2008-02-30")`:               Unknown,
		`sent < now && seen > sent`:                 Yes,
		`sent > timestamp("2026-11-22T00:00:00Z")`:  Yes,
		`street == "长安街"`:                           Unknown,
		`street == "长安街" && floors == 5`:            No,
		`floors == 5 && street == "长安街"`:            No,
		`street == "长安街" || floors == 6`:            Yes,
		`!(street == "长安街")`:                        Unknown,
		`known(street)`:                             No,
		`!known(street) || street == "长安街"`:         Yes,
		`known(street) ? street == "长安街" : !closed`: Yes,
	} {
		r := compiled(t, source)
		if got := r.Eval(value, moment); got != want {
			t.Errorf("%s is %s, want %s", source, got, want)
		}
		if got, _ := r.Explain(value, moment); got != want {
			t.Errorf("%s explains %s, want %s", source, got, want)
		}
	}
}

// TestWhatIsNotInTheProfile: refused when an agreement is made, with a reason, never at
// the door.
func TestWhatIsNotInTheProfile(t *testing.T) {
	t.Parallel()
	for _, source := range []string{
		``, `floors`, `"yes"`, `1`, `floors = 6`, `floors == "6"`, `nobody == 1`, `area > 12.5`, `1.5 < 2.5`, `double(floors) > 1`,
		`[1, 2].all(x, x > 0)`, `[floors].exists(x, x == 1)`, `{"a": 1}["a"] == 1`, `{"a": true}.a`, `has(name.x)`, `name.matches("a.*")`,
		`dyn(floors) == 1`, `[1, "a"] == [1]`, `type(floors) == int`, `null == null`, `b"a" == b"a"`, `1u == 1u`, `floors == int("6")`,
		`seen.getHours("Asia/Shanghai") == 8`, `now - sent > duration("1h")`, `string(floors) == "6"`, `[[1]] == [[1]]`, `name[0] == "a"`, `[true][0]`,
		`mulian.Decimal{} == area`, `area + area > area`, `timestamp(1) == now`,
		strings.Repeat("(", 100) + "true" + strings.Repeat(")", 100),
		"true" + strings.Repeat(" && true", 240),
		`name == "` + strings.Repeat("长", MaxSource) + `"`,
	} {
		if r, err := Compile(source, fields); err == nil {
			t.Errorf("%.80s is taken, and says %s", source, r.Eval(value, moment))
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%.80s: a reason of several lines: %v", source, err)
		}
	}
	for _, f := range []Field{{"now", Text}, {"a-b", Text}, {"1a", Text}, {"", Text}, {"信息项", Text}, {"in", Text}, {"x", 0}, {"x", 99}, {"name", Text}} {
		if _, err := Compile(`true`, append([]Field{{"name", Text}}, f)); err == nil {
			t.Errorf("a field %q of kind %s is taken", f.Name, f.Kind)
		}
	}
}

// TestReason: the part that decided, and never a value.
func TestReason(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		`floors == 6 && name == "李四" && closed`:            `name == "李四"`,
		`floors == 6 && (!closed && area > decimal("99"))`: `area > decimal("99")`,
		`floors == 5 || closed`:                            `floors == 5 || closed`,
		`street == "长安街" && floors == 6`:                   `street == "长安街"`,
		`street == "长安街" && floors == 5`:                   `floors == 5`,
		`floors == 6`:                                      `floors == 6`,
	} {
		if _, got := compiled(t, source).Explain(value, moment); got != want {
			t.Errorf("%s: %s decided, want %s", source, got, want)
		}
	}
}

// TestComparisons: what a database may look at first.
func TestComparisons(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		`name == "a" && floors > 3`:            `name 1 [a]; floors 2 [3] whole`,
		`"a" == name && 3 < floors`:            `name 1 [a]; floors 2 [3] whole`,
		`name in ["a", "b"] && closed`:         `name 1 [a b]; closed 1 [true] whole`,
		`birth == date("2020-01-02")`:          `birth 1 [2020-01-02] whole`,
		`birth > date("2020-01-02")`:           `birth 2 [2020-01-02] whole`,
		`floors >= 3 && name == "a"`:           `name 1 [a] rest`,
		`name > "a"`:                           ` rest`,
		`name == "a" || name == "b"`:           ` rest`,
		`area == decimal("1.5")`:               ` rest`,
		`!closed && floors in [1, 2]`:          `floors 1 [1 2] rest`,
		`floors == 1 && years(birth, now) > 1`: `floors 1 [1] rest`,
		`true`:                                 ` rest`,
	} {
		list, whole := compiled(t, source).Comparisons()
		var parts []string
		for _, c := range list {
			var texts []string
			for _, v := range c.Values {
				texts = append(texts, v.Text)
			}
			parts = append(parts, fmt.Sprintf("%s %d %v", c.Field, c.Is, texts))
		}
		got := strings.Join(parts, "; ") + map[bool]string{true: " whole", false: " rest"}[whole]
		if got != want {
			t.Errorf("%s: %q, want %q", source, got, want)
		}
	}
}

// TestComparisonsNeverNarrow: a row of which the condition is true fulfils every
// comparison; and one that fulfils the whole is true.
func TestComparisonsNeverNarrow(t *testing.T) {
	t.Parallel()
	terms := []string{`name == "a"`, `name in ["a", "b"]`, `floors == 1`, `floors > 0`, `1 < floors`, `closed`, `!closed`, `known(name)`, `floors in [0, 2]`}
	rapid.Check(t, func(t *rapid.T) {
		source := rapid.SampledFrom(terms).Draw(t, "first")
		for range rapid.IntRange(0, 3).Draw(t, "more") {
			source = source + rapid.SampledFrom([]string{" && ", " && ", " || "}).Draw(t, "op") + rapid.SampledFrom(terms).Draw(t, "term")
		}
		r, err := Compile(source, fields)
		if err != nil {
			t.Fatal(err)
		}
		has := map[string]Value{}
		if n := rapid.IntRange(-1, 2).Draw(t, "name"); n >= 0 {
			has["name"] = Value{Text, string(rune('a' + n))}
		}
		if n := rapid.IntRange(-1, 3).Draw(t, "floors"); n >= 0 {
			has["floors"] = Value{Integer, fmt.Sprint(n)}
		}
		if n := rapid.IntRange(-1, 1).Draw(t, "closed"); n >= 0 {
			has["closed"] = Value{Boolean, fmt.Sprint(n == 1)}
		}
		list, whole := r.Comparisons()
		all := true
		for _, c := range list {
			v, ok := has[c.Field]
			fits := false
			for _, x := range c.Values {
				fits = fits || ok && (c.Is == Among && x == v || c.Is == Above && len(v.Text) == len(x.Text) && v.Text > x.Text)
			}
			all = all && fits
		}
		verdict := r.Eval(func(f string) Value { return has[f] }, moment)
		if verdict == Yes && !all {
			t.Fatalf("%s is true of %v, and its comparisons leave it out", source, has)
		}
		if whole && all && verdict != Yes {
			t.Fatalf("%s is %s of %v, and its comparisons let it through", source, verdict, has)
		}
	})
}

func BenchmarkEval(b *testing.B) {
	r, err := Compile(`floors > 3 && name in ["李四", "王小明"] && area > decimal("1.5")`, fields)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if r.Eval(value, moment) != Yes {
			b.Fatal("no")
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := Compile(`floors > 3 && name in ["李四", "王小明"]`, fields); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzCompile: whatever is written, it ends, and what compiles has a verdict.
func FuzzCompile(f *testing.F) {
	for _, s := range []string{`floors > 3`, `known(street) ? true : false`, `"\x00" == name`, `date("") == now`, `((((`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		r, err := Compile(source, fields)
		if err != nil {
			return
		}
		if v := r.Eval(value, moment); v < Yes || v > Unknown {
			t.Errorf("%q says %d", source, v)
		}
		r.Comparisons()
	})
}
